//! What was learned, until it is too old.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// A map of at most so many entries, each with its time. Two generations: when the young one is full, it becomes the old
/// one, and what was old is forgotten; what is asked for moves to the young one. So nothing is ever looked through, and a
/// flood of names asked once drives out only what nobody asked for meanwhile.
///
/// The time is the caller's.
#[derive(Debug)]
pub struct Cache<K, V> {
    young: HashMap<K, Entry<V>>,
    old: HashMap<K, Entry<V>>,
    half: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    until: Instant,
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    /// A cache of at most `size` entries; none, if that is 0.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: size.div_ceil(2) }
    }

    /// What was put there, if its time isn't over.
    pub fn get(&mut self, key: &K, now: Instant) -> Option<V> {
        if let Some(entry) = self.young.get(key) {
            return (now < entry.until).then(|| entry.value.clone());
        }
        let entry = self.old.remove(key).filter(|entry| now < entry.until)?;
        let value = entry.value.clone();
        self.put(key.clone(), entry);
        Some(value)
    }

    /// Puts a value there for a time.
    pub fn insert(&mut self, key: K, value: V, time: Duration, now: Instant) {
        // A time past the clock's end can't be: times are bounded by their callers.
        let Some(until) = now.checked_add(time).filter(|until| *until > now) else {
            // Newer than what was there all the same.
            self.young.remove(&key);
            self.old.remove(&key);
            return;
        };
        self.put(key, Entry { value, until });
    }

    fn put(&mut self, key: K, entry: Entry<V>) {
        if self.half == 0 {
            return;
        }
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, entry);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_is_served_past_its_time() {
        let (mut cache, start) = (Cache::new(10), Instant::now());
        cache.insert("a", 1, 10 * SECOND, start);
        assert_eq!(cache.get(&"a", start), Some(1));
        assert_eq!(cache.get(&"a", start + 10 * SECOND - Duration::from_nanos(1)), Some(1));
        assert_eq!(cache.get(&"a", start + 10 * SECOND), None);
        cache.insert("b", 2, Duration::ZERO, start);
        assert_eq!(cache.get(&"b", start), None);
    }

    #[test]
    fn a_newer_answer_takes_the_older_ones_place() {
        let (mut cache, start) = (Cache::new(4), Instant::now());
        for (at, value) in [(0_u32, 1), (1, 2), (2, 3)] {
            cache.insert("a", value, 10 * SECOND, start + at * SECOND);
            // Others push it among the old ones in between.
            cache.insert("b", 0, 10 * SECOND, start);
            cache.insert("c", 0, 10 * SECOND, start);
            assert_eq!(cache.get(&"a", start + 2 * SECOND), Some(value));
        }
    }

    #[test]
    fn a_flood_of_names_leaves_what_is_asked_for_in_place() {
        let (mut cache, start) = (Cache::new(100), Instant::now());
        cache.insert(0, 0, 1_000 * SECOND, start);
        for flood in 1..10_000 {
            cache.insert(flood, flood, 1_000 * SECOND, start);
            assert!(cache.len() <= 100);
            if flood % 40 == 0 {
                assert_eq!(cache.get(&0, start), Some(0), "after {flood}");
            }
        }
    }

    #[test]
    fn a_cache_of_nothing_keeps_nothing() {
        let (mut cache, start) = (Cache::new(0), Instant::now());
        cache.insert("a", 1, SECOND, start);
        assert_eq!((cache.get(&"a", start), cache.len()), (None, 0));
    }

    proptest! {
        /// Against the plainest model: what it gives is the last thing put there, and its time isn't over.
        #[test]
        fn what_it_gives_is_the_last_word_in_time(
            steps in proptest::collection::vec((0_u8..12, 0_u64..20, any::<bool>()), 0..200), size in 0_usize..9,
        ) {
            let (mut cache, mut now) = (Cache::new(size), Instant::now());
            let mut model: HashMap<u8, (usize, Instant)> = HashMap::new();
            for (step, (key, seconds, insert)) in steps.into_iter().enumerate() {
                if insert {
                    cache.insert(key, step, Duration::from_secs(seconds), now);
                    model.insert(key, (step, now + Duration::from_secs(seconds)));
                    if size > 0 && seconds > 0 {
                        prop_assert_eq!(cache.get(&key, now), Some(step));
                    }
                } else {
                    now += Duration::from_secs(seconds / 4);
                    if let Some(value) = cache.get(&key, now) {
                        let (last, until) = model[&key];
                        prop_assert!(value == last && now < until);
                    }
                }
                prop_assert!(cache.len() <= size.div_ceil(2) * 2);
            }
        }
    }
}
