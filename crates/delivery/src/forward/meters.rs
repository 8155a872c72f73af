//! How much strangers have this server send: through an alias, back to a sender that was rewritten, and how many senders are
//! kept for them. Who reads mail behind an alias knows addresses that anybody may send to by way of us.
//!
//! In memory: a restart forgives what was counted since the hour or day began, and nobody outside can cause one.

use mailward_core::Timestamp;
use mailward_core::limits::{
    FORWARD_METERS_KEPT, FORWARDED_PER_ALIAS, RETURNED_PER_HOUR, RETURNED_PER_SENDER, SRS_KEPT_PER_DAY,
};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Counted {
    /// Messages that are forwarded from an alias, an hour.
    Alias(String),
    /// Messages that come back to a sender, a day.
    Sender(String),
    /// All that comes back, an hour.
    Returns,
    /// Senders that are kept as they have no room in an address, a day.
    Kept,
}

impl Counted {
    /// How many there may be in which time, seconds.
    const fn limit(&self) -> (u64, i64) {
        match self {
            Self::Alias(_) => (FORWARDED_PER_ALIAS, 3_600),
            Self::Sender(_) => (RETURNED_PER_SENDER, 86_400),
            Self::Returns => (RETURNED_PER_HOUR, 3_600),
            Self::Kept => (SRS_KEPT_PER_DAY, 86_400),
        }
    }

    /// The hour or day, of the clock.
    const fn window(&self, now: Timestamp) -> i64 {
        let (_, seconds) = self.limit();
        now.secs().div_euclid(seconds)
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Alias(address) | Self::Sender(address) => f.write_str(address),
            Self::Returns => f.write_str("all that comes back"),
            Self::Kept => f.write_str("the list of kept senders"),
        }
    }
}

/// Counts for one server.
#[derive(Debug, Default)]
pub(super) struct Meters(Mutex<HashMap<Counted, (i64, u64)>>);

impl Meters {
    /// Counts one of each, or none: answers which of them is one too many.
    pub(super) fn take(&self, all: Vec<Counted>, now: Timestamp) -> Result<(), Counted> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len().saturating_add(all.len()) > FORWARD_METERS_KEPT {
            counts.retain(|counted, (window, _)| *window == counted.window(now));
        }
        let mut after = HashMap::with_capacity(all.len());
        for counted in all {
            let (most, _) = counted.limit();
            let window = counted.window(now);
            let known = after.get(&counted).or_else(|| counts.get(&counted));
            let before = known.filter(|(then, _)| *then == window).map_or(0, |(_, count)| *count);
            // For whom there is no room it can't be counted, and nothing goes uncounted.
            let is_full = known.is_none() && counts.len().saturating_add(after.len()) >= FORWARD_METERS_KEPT;
            if before >= most || is_full {
                return Err(counted);
            }
            after.insert(counted, (window, before.saturating_add(1)));
        }
        counts.extend(after);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_764_115_200);

    fn alias(name: &str) -> Counted {
        Counted::Alias(name.to_owned())
    }

    #[test]
    fn an_alias_has_an_hour_s_share_and_all_of_a_message_is_counted_or_nothing() {
        let meters = Meters::default();
        for _ in 1..FORWARDED_PER_ALIAS {
            meters.take(vec![alias("a")], NOW).unwrap();
        }
        assert_eq!(meters.take(vec![alias("b"), alias("a"), alias("a")], NOW), Err(alias("a")));
        meters.take(vec![alias("a")], NOW).unwrap();
        assert_eq!(meters.take(vec![alias("a")], NOW), Err(alias("a")));
        meters.take(vec![alias("b")], NOW).unwrap();
        let next_hour = Timestamp::from_secs(NOW.secs() + 3_600);
        meters.take(vec![alias("a")], next_hour).unwrap();
    }

    #[test]
    fn no_more_is_counted_than_there_is_room_for_and_the_rest_waits() {
        let meters = Meters::default();
        for number in 0..FORWARD_METERS_KEPT {
            meters.take(vec![alias(&number.to_string())], NOW).unwrap();
        }
        assert_eq!(meters.take(vec![alias("one more")], NOW), Err(alias("one more")));
        meters.take(vec![alias("0")], NOW).unwrap();
        let next_hour = Timestamp::from_secs(NOW.secs() + 3_600);
        meters.take(vec![alias("one more")], next_hour).unwrap();
        assert_eq!(meters.0.lock().unwrap().len(), 1, "what is over is forgotten");
    }
}
