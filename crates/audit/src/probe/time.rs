//! How long a look may take: a host that answers slowly, or for ever, ends it no later.

use mailward_core::limits::PROBE_NAMES_PERCENT;
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Until when something is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    end: Instant,
    /// Of the whole look.
    time: Duration,
}

impl Until {
    /// Until when doors are asked, and until when names: those have the last `limits::PROBE_NAMES_PERCENT` of the time for
    /// themselves.
    pub(super) fn of(time: Duration, asks_names: bool) -> (Self, Self) {
        let now = Instant::now();
        let hundredth = time.checked_div(100).unwrap_or_default();
        let of_names = if asks_names { hundredth.saturating_mul(PROBE_NAMES_PERCENT) } else { Duration::ZERO };
        let at = |time_left: Duration| now.checked_add(time_left).unwrap_or(now);
        (Self { end: at(time.saturating_sub(of_names)), time }, Self { end: at(time), time })
    }

    /// What comes of asking, if it comes by then; who isn't asked by then isn't asked at all.
    pub(super) async fn within<T>(self, asked: impl Future<Output = T>) -> Option<T> {
        if self.is_over() { None } else { timeout_at(self.end, Box::pin(asked)).await.ok() }
    }

    /// The same, and within a time of its own.
    pub(super) async fn within_and<T>(self, time: Duration, asked: impl Future<Output = T>) -> Result<T, String> {
        let late = || format!("no answer within {} seconds", time.as_secs());
        match self.within(timeout(time, Box::pin(asked))).await {
            Some(answer) => answer.map_err(|_late| late()),
            None => Err(self.over()),
        }
    }

    /// Whether nothing is asked any more.
    pub(super) fn is_over(self) -> bool {
        Instant::now() >= self.end
    }

    /// Why something wasn't asked.
    pub(super) fn over(self) -> String {
        let seconds = self.time.as_secs();
        let time =
            if seconds >= 120 { format!("{} minutes", seconds.div_euclid(60)) } else { format!("{seconds} seconds") };
        format!("a look takes {time} at most, and they were over")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::limits::PROBE_LOOK_TIME;
    use std::future::{pending, ready};

    #[tokio::test(start_paused = true)]
    async fn doors_leave_names_their_time_and_nothing_is_asked_after_the_end() {
        let before = Instant::now();
        let (doors, names) = Until::of(PROBE_LOOK_TIME, true);
        assert_eq!(doors.within(pending::<()>()).await, None);
        assert_eq!(before.elapsed(), PROBE_LOOK_TIME * (100 - PROBE_NAMES_PERCENT) / 100);
        assert!(doors.is_over() && !names.is_over());
        assert_eq!(doors.within(ready(1)).await, None, "what is there at once isn't asked either");
        assert_eq!(names.within(ready(1)).await, Some(1));
        assert_eq!(names.within_and(PROBE_LOOK_TIME, pending::<()>()).await, Err(names.over()));
        assert_eq!(before.elapsed(), PROBE_LOOK_TIME);
        assert!(names.over().contains("30 minutes"), "{}", names.over());
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_names_are_asked_doors_have_all_of_it() {
        let before = Instant::now();
        let (doors, _) = Until::of(Duration::from_secs(60), false);
        let late = doors.within_and(Duration::from_secs(5), pending::<()>()).await;
        assert_eq!(late, Err("no answer within 5 seconds".to_owned()));
        assert_eq!(doors.within(pending::<()>()).await, None);
        assert_eq!(before.elapsed(), Duration::from_secs(60));
    }
}
