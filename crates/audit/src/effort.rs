//! What an audit takes of the processor, and over how much time it spreads that: it is never in the way of mail.

use mailward_core::limits::{AUDIT_SHARE, AUDIT_SPREAD};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tokio::time::Instant;

/// What one run has taken so far: in the thread that runs it, and in threads that looked for it. Programs that were asked aren't
/// counted; they answer within milliseconds.
#[derive(Debug)]
pub(crate) struct Effort {
    began: Instant,
    /// Of this thread's processor time, what was before.
    before: Duration,
    /// What looks took in threads of their own.
    looks: Duration,
}

impl Effort {
    /// Nothing yet.
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), before: of_this_thread(), looks: Duration::ZERO }
    }

    /// Something was looked at, elsewhere.
    pub(crate) fn add(&mut self, took: Duration) {
        self.looks = self.looks.saturating_add(took);
    }

    /// How long whoever only takes time, and doesn't wait, should wait now.
    pub(crate) fn rest(&self) -> Duration {
        let used = of_this_thread().saturating_sub(self.before).saturating_add(self.looks);
        rest(used, self.began.elapsed())
    }
}

/// Until what was used is the share of a processor that an audit may have. On a host with so many files that this would take
/// longer than a run is spread over, until then.
fn rest(used: Duration, elapsed: Duration) -> Duration {
    let due = used.saturating_mul(100).checked_div(AUDIT_SHARE).unwrap_or(AUDIT_SPREAD).min(AUDIT_SPREAD);
    due.saturating_sub(elapsed)
}

/// Processor time that this thread has had.
pub(crate) fn of_this_thread() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_rests_until_it_had_its_share_and_no_more() {
        let ms = Duration::from_millis;
        let share = u64::from(AUDIT_SHARE);
        assert_eq!(rest(Duration::ZERO, Duration::ZERO), Duration::ZERO, "nothing was done yet");
        assert_eq!(rest(ms(10 * share), Duration::ZERO), ms(1000));
        assert_eq!(rest(ms(10 * share), ms(400)), ms(600));
        assert_eq!(rest(ms(10 * share), ms(1000)), Duration::ZERO);
    }

    #[test]
    fn a_host_with_too_many_files_makes_no_audit_endless() {
        assert_eq!(rest(Duration::MAX, Duration::ZERO), AUDIT_SPREAD);
        assert_eq!(rest(Duration::MAX, AUDIT_SPREAD), Duration::ZERO);
    }

    #[test]
    fn what_this_thread_does_is_counted_and_what_others_do_as_they_say() {
        let effort = Effort::begin();
        while effort.rest().is_zero() {
            std::hint::black_box((0..10_000_u64).fold(0, u64::wrapping_add));
        }
        let mut effort = Effort { began: Instant::now(), before: of_this_thread(), ..effort };
        effort.add(Duration::MAX);
        assert!(!effort.rest().is_zero());
    }
}
