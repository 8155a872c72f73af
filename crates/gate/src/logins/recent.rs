//! What is remembered for a while: counts that fade, a few different things, and a table that forgets what is old.

use mailward_core::Timestamp;
use mailward_core::limits::{LOGIN_DIFFERENT_MAX, LOGIN_WINDOW};
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Whole failures are counted in thousandths, so that they fade evenly and some count less than others.
pub(super) const ONE: u64 = 1_000;

/// A count that fades away: by its threshold within [`LOGIN_WINDOW`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fading {
    level: u64,
    at: i64,
}

impl Fading {
    /// What is left of it, in thousandths.
    pub(super) fn level(&self, threshold: u32, now: Timestamp) -> u64 {
        let window = u64::try_from(LOGIN_WINDOW.as_millis()).unwrap_or(u64::MAX).max(1);
        // A clock that went back makes nothing fade, and nothing grow.
        let passed = u64::try_from(now.0.saturating_sub(self.at)).unwrap_or(0);
        let faded = u64::from(threshold).saturating_mul(ONE).saturating_mul(passed).checked_div(window).unwrap_or(0);
        self.level.saturating_sub(faded)
    }

    /// Whole failures, rounded.
    pub(super) fn whole(&self, threshold: u32, now: Timestamp) -> u32 {
        let rounded = self.level(threshold, now).saturating_add(ONE / 2).checked_div(ONE).unwrap_or(0);
        u32::try_from(rounded).unwrap_or(u32::MAX)
    }

    /// One more, of this weight; never more than `most` failures.
    pub(super) fn add(&mut self, weight: u64, threshold: u32, most: u32, now: Timestamp) {
        let level = self.level(threshold, now).saturating_add(weight);
        *self = Self { level: level.min(u64::from(most).saturating_mul(ONE)), at: now.0 };
    }
}

/// A few different things, told apart by keyed hashes: beyond [`LOGIN_DIFFERENT_MAX`] there are many.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Different {
    seen: [u64; LOGIN_DIFFERENT_MAX],
    count: usize,
}

impl Different {
    pub(super) fn add(&mut self, hash: u64) {
        let known = self.seen.iter().take(self.count).any(|one| *one == hash);
        if let (false, Some(free)) = (known, self.seen.get_mut(self.count)) {
            *free = hash;
            self.count = self.count.saturating_add(1);
        }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }
}

/// A table that holds at most so many, and forgets what wasn't touched for between one and two spans, or what was touched the
/// longest ago. Whatever is asked takes two looks; nothing is searched or moved but once a span.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    turned: Timestamp,
    half: usize,
    span: i64,
}

impl<K: Copy + Eq + Hash, V: Default> Recent<K, V> {
    pub(super) fn new(most: usize, span: Duration) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            turned: Timestamp(i64::MIN),
            half: (most / 2).max(1),
            span: i64::try_from(span.as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// What is remembered of a key, if anything.
    pub(super) fn get(&self, key: &K, now: Timestamp) -> Option<&V> {
        let away = now.0.saturating_sub(self.turned.0);
        // As if it had turned meanwhile.
        let young = self.young.get(key).filter(|_| away < self.span.saturating_mul(2));
        young.or_else(|| self.old.get(key).filter(|_| away < self.span))
    }

    /// The same, to change it; begins anew if there is nothing.
    pub(super) fn touch(&mut self, key: K, now: Timestamp) -> &mut V {
        let away = now.0.saturating_sub(self.turned.0);
        if away >= self.span.saturating_mul(2) {
            // Nothing was touched for a whole span.
            (self.young, self.old) = (HashMap::new(), HashMap::new());
            self.turned = now;
        } else if away >= self.span {
            self.old = std::mem::take(&mut self.young);
            self.turned = Timestamp(self.turned.0.saturating_add(self.span));
        } else if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        let old = self.old.remove(&key);
        self.young.entry(key).or_insert_with(|| old.unwrap_or_default())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_count_fades_away_within_its_window() {
        let mut count = Fading::default();
        for second in 0..10 {
            count.add(ONE, 10, 99, Timestamp(second * 1_000));
        }
        let last = 9_000;
        assert_eq!(count.whole(10, Timestamp(last)), 10);
        assert_eq!(count.whole(10, Timestamp(last + HOUR / 2)), 5);
        assert_eq!(count.level(10, Timestamp(last + HOUR)), 0);
        assert_eq!(count.whole(10, Timestamp(0)), 10, "a clock that went back changes nothing");
        count.add(ONE * 99, 10, 12, Timestamp(last));
        assert_eq!(count.whole(10, Timestamp(last)), 12, "and it ends at its most");
    }

    #[test]
    fn so_many_different_things_are_told_apart() {
        let mut seen = Different::default();
        for hash in [7, 7, 0, 0, 7] {
            seen.add(hash);
        }
        assert_eq!(seen.count(), 2);
        (0..99).for_each(|hash| seen.add(hash));
        assert_eq!(seen.count(), LOGIN_DIFFERENT_MAX);
    }

    #[test]
    fn a_table_ends_at_its_limit_and_keeps_what_is_touched() {
        let mut table: Recent<u32, u32> = Recent::new(10, Duration::from_secs(3_600));
        for key in 0..1_000 {
            *table.touch(key, Timestamp(0)) = key;
            *table.touch(5_000, Timestamp(0)) += 1;
            assert!(table.len() <= 10);
        }
        assert_eq!(table.get(&5_000, Timestamp(0)), Some(&1_000));
        assert_eq!(table.get(&999, Timestamp(0)), Some(&999));
        assert_eq!(table.get(&900, Timestamp(0)), None);
    }

    proptest! {
        /// Held against a list of what was touched when: what was touched within a span is there, what wasn't for two isn't.
        #[test]
        fn it_forgets_what_is_old_and_nothing_else(steps in proptest::collection::vec((0..5u8, 0..1_500i64), 1..60)) {
            let mut table: Recent<u8, u32> = Recent::new(1_000, Duration::from_secs(1));
            let (mut now, mut touched) = (0i64, HashMap::<u8, (i64, u32)>::new());
            for (key, later) in steps {
                now += later;
                let there = table.get(&key, Timestamp(now)).copied();
                let value = table.touch(key, Timestamp(now));
                *value += 1;
                let entry = touched.entry(key).or_default();
                let expected = entry.1 + 1;
                prop_assert_eq!(there.unwrap_or_default() + 1, *value, "who looks sees what who changes it finds");
                if now - entry.0 < 1_000 { prop_assert_eq!(*value, expected); }
                if now - entry.0 > 2_000 { prop_assert!(*value == 1 || entry.1 == 0); }
                *entry = (now, *value);
            }
        }
    }
}
