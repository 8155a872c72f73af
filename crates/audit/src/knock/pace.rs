//! How fast we knock: so many connections a second, whoever in a look makes them.

use super::KnockError;
use mailward_core::limits::{KNOCK_AT_ONCE, KNOCK_RATE_MAX, PROBE_AGAIN_PAUSE, PROBE_AT_ONCE};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

tokio::task_local! {
    /// The pace of the look that this task makes; none where nobody set one.
    static PACE: Pace;
}

/// A pace. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Pace {
    gap: Duration,
    next: Arc<Mutex<Instant>>,
    made: Arc<AtomicUsize>,
}

impl Pace {
    /// So many connections a second, 1 to `limits::KNOCK_RATE_MAX`; what is beyond is taken for the nearest of these.
    pub fn new(rate: u32) -> Self {
        let rate = rate.clamp(1, KNOCK_RATE_MAX);
        Self {
            gap: Duration::from_secs(1).checked_div(rate).unwrap_or_default(),
            next: Arc::new(Mutex::new(Instant::now())),
            made: Arc::default(),
        }
    }

    /// Connections that were tried so far.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// What connects in this, as part of the same task, keeps the pace.
    pub async fn keep<T>(&self, look: impl Future<Output = T>) -> T {
        PACE.scope(self.clone(), look).await
    }

    async fn step(&self) {
        let mut next = self.next.lock().await;
        sleep_until(*next).await;
        let now = Instant::now();
        *next = now.checked_add(self.gap).unwrap_or(now);
        self.made.fetch_add(1, Ordering::Relaxed);
    }
}

/// Connections to one door at a time: fewer where a pace is kept, as other doors are looked at meanwhile.
pub(crate) fn at_once() -> usize {
    if PACE.try_with(|_| ()).is_ok() { PROBE_AT_ONCE } else { KNOCK_AT_ONCE }
}

/// Whether to come once more: to a server that has too many connections, or hung up before it said a word. Waits for it a little. Only
/// where a pace is kept: an audit takes the first word.
pub(super) async fn comes_again(error: &KnockError) -> bool {
    let is_full = match error {
        KnockError::Refused("the connection", said) => said.starts_with("421"),
        KnockError::Closed => true,
        _ => false,
    };
    let again = is_full && PACE.try_with(|_| ()).is_ok();
    if again {
        tokio::time::sleep(PROBE_AGAIN_PAUSE).await;
    }
    again
}

/// Waits until the next connection may be made.
pub(super) async fn turn() {
    if let Ok(pace) = PACE.try_with(Clone::clone) {
        pace.step().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_connections_at_four_a_second_take_more_than_two_seconds_and_are_counted() {
        let pace = Pace::new(4);
        let before = Instant::now();
        pace.keep(async {
            for _ in 0..10 {
                turn().await;
            }
        })
        .await;
        assert_eq!(before.elapsed(), Duration::from_millis(2250));
        assert_eq!(pace.made(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_set_no_pace_is_held_up() {
        let before = Instant::now();
        for _ in 0..1000 {
            turn().await;
        }
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_full_is_asked_once_more_a_moment_later_where_a_pace_is_kept() {
        let full = KnockError::Refused("the connection", "421 too many".to_owned());
        let no = KnockError::Refused("the connection", "554 no".to_owned());
        assert!(!comes_again(&full).await, "no pace is kept");
        let before = Instant::now();
        Pace::new(10)
            .keep(async {
                assert!(comes_again(&full).await && comes_again(&KnockError::Closed).await);
                assert!(!comes_again(&no).await && !comes_again(&KnockError::Late).await);
                assert_eq!(at_once(), PROBE_AT_ONCE);
            })
            .await;
        assert_eq!(before.elapsed(), PROBE_AGAIN_PAUSE * 2);
    }

    #[tokio::test]
    async fn a_pace_beyond_the_limits_is_the_nearest_one() {
        assert_eq!(Pace::new(0).gap, Duration::from_secs(1));
        assert_eq!(Pace::new(u32::MAX).gap, Pace::new(KNOCK_RATE_MAX).gap);
    }
}
