//! When something is tried again.

use mailward_core::Timestamp;
use mailward_core::limits::{QUEUE_BUSY_PAUSE, QUEUE_HOST_MINUTES, QUEUE_RETRY_MINUTES};

/// Parts of a thousand by which a pause is longer or shorter, so that what failed together isn't tried together again.
const JITTER: u64 = 100;

/// When a recipient is tried next that was refused for now `refusals` times, the last time just now. `chance` is any
/// random number.
#[must_use]
pub fn next_attempt(refusals: u32, now: Timestamp, chance: u64) -> Timestamp {
    after(now, pause(&QUEUE_RETRY_MINUTES, refusals), chance)
}

/// When a host is tried next that failed `failures` times in a row.
#[must_use]
pub fn next_visit(failures: u32, now: Timestamp, chance: u64) -> Timestamp {
    after(now, pause(&QUEUE_HOST_MINUTES, failures), chance)
}

/// When a lane comes again whose host has as many connections as it may; up to twice the pause, so that those that wait for
/// one host come one after the other.
#[must_use]
pub(super) fn soon(now: Timestamp, chance: u64) -> Timestamp {
    let pause = u64::try_from(QUEUE_BUSY_PAUSE.as_millis()).unwrap_or(u64::MAX);
    let more = chance.checked_rem(pause).unwrap_or(0);
    Timestamp(now.0.saturating_add(i64::try_from(pause.saturating_add(more)).unwrap_or(i64::MAX)))
}

/// The pause after so many, milliseconds; the last one for all that come after it.
fn pause(minutes: &[u64], count: u32) -> u64 {
    let index = usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    minutes.get(index).or(minutes.last()).copied().unwrap_or_default().saturating_mul(60_000)
}

fn after(now: Timestamp, millis: u64, chance: u64) -> Timestamp {
    let parts = 1_000u64.saturating_sub(JITTER).saturating_add(chance % (2 * JITTER + 1));
    let jittered = millis.saturating_mul(parts) / 1_000;
    Timestamp(now.0.saturating_add(i64::try_from(jittered).unwrap_or(i64::MAX)))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    #[test]
    fn a_greylist_of_five_minutes_is_passed_with_the_second_try_after_the_first() {
        // Without jitter: one minute, then five after the first attempt.
        let first = next_attempt(1, NOW, JITTER);
        assert_eq!(first.0 - NOW.0, 60_000);
        let second = next_attempt(2, first, JITTER);
        assert_eq!(second.0 - NOW.0, 300_000);
        // At its shortest, too, the third is past ten minutes: the longest greylists that are common.
        let third = next_attempt(3, next_attempt(2, next_attempt(1, NOW, 0), 0), 0);
        assert!(third.0 - NOW.0 > 600_000, "{}", third.0 - NOW.0);
    }

    proptest! {
        #[test]
        fn pauses_are_near_what_they_should_be(count in any::<u32>(), chance in any::<u64>()) {
            for (pauses, next) in [
                (&QUEUE_RETRY_MINUTES[..], next_attempt as fn(u32, Timestamp, u64) -> Timestamp),
                (&QUEUE_HOST_MINUTES[..], next_visit),
            ] {
                let meant = pause(pauses, count) as i64;
                let got = next(count, NOW, chance).0 - NOW.0;
                prop_assert!(got * 10 >= meant * 9 && got * 10 <= meant * 11, "{} {}", got, meant);
            }
        }

        #[test]
        fn they_never_get_shorter(count in 0u32..40) {
            prop_assert!(next_attempt(count, NOW, 7) <= next_attempt(count + 1, NOW, 7));
            prop_assert!(next_visit(count, NOW, 7) <= next_visit(count + 1, NOW, 7));
        }
    }
}
