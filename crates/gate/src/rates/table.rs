//! Counts of many sources in little memory: a table that is never gone through.
//!
//! A source is a number that nobody outside can choose ([`mailward_vault::SourceKey`]). It has [`RATE_WAYS`] places where it may
//! stand, in two groups, of which the emptier one takes it. Where all of them are taken the table is doubled, a part at a time,
//! of which there are [`PARTS`], each with a lock of its own; that comes about when two thirds are taken. Once it
//! may grow no more, that source goes of which least is worth keeping: whoever comes with a million addresses, each of which is
//! counted once, drives out their own.

use mailward_core::limits::RATE_WAYS;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts of a table, each with a lock of its own.
pub(crate) const PARTS: usize = 64;

/// What is counted of a source, by slots of time.
pub(crate) trait Counted: Copy + Default {
    /// The slot is over, and maybe more of them.
    fn roll(&mut self, slots: u32);
    /// How much is lost if it is forgotten; 0: nothing.
    fn weight(&self) -> u64;
}

/// A place in the table.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slot<T> {
    /// 0: the place is free.
    key: u64,
    /// The slot of time that its counts are for.
    time: u32,
    /// What its owner notes; see [`Slot::PINNED`].
    pub(crate) flags: u8,
    pub(crate) counts: T,
}

impl<T: Counted> Slot<T> {
    /// Of the flags: others go before this one.
    pub(crate) const PINNED: u8 = 0x80;

    /// Of the flags: they go with the slot of time.
    pub(crate) const PASSING: u8 = 0x03;

    /// Brings the counts to a slot of time.
    fn bring_to(&mut self, time: u32) {
        let over = time.checked_sub(self.time).filter(|over| *over > 0);
        // A clock that went back doesn't make counts of a time that never comes.
        self.time = time;
        if let Some(over) = over {
            self.counts.roll(over);
            self.flags &= !Self::PASSING;
        }
    }

    fn worth(&self, time: u32) -> (bool, u64) {
        if self.key == 0 {
            return (false, 0);
        }
        let mut then = *self;
        then.bring_to(time);
        (self.flags & Self::PINNED != 0, then.counts.weight())
    }
}

/// One part of a table, locked.
pub(crate) struct Part<T, X> {
    slots: Vec<Slot<T>>,
    most: usize,
    /// What the table's owner keeps beside.
    pub(crate) beside: X,
}

/// See the [module](self).
pub(crate) struct Table<T, X> {
    parts: Vec<Mutex<Part<T, X>>>,
}

impl<T: Counted, X: Default> Table<T, X> {
    /// Room for so many sources; for as many as a part of the table has, at least.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.div_ceil(PARTS).next_multiple_of(RATE_WAYS);
        let part = || Mutex::new(Part { slots: Vec::new(), most, beside: X::default() });
        Self { parts: (0..PARTS).map(|_| part()).collect() }
    }

    /// The part of the table that a source is in.
    pub(crate) fn part(&self, key: u64) -> Option<MutexGuard<'_, Part<T, X>>> {
        let index = usize::try_from(key >> 58).ok()?;
        self.parts.get(index).map(locked)
    }

    /// Every part, one after the other.
    pub(crate) fn parts(&self) -> impl Iterator<Item = MutexGuard<'_, Part<T, X>>> {
        self.parts.iter().map(locked)
    }

    /// Bytes that places take.
    pub(crate) fn bytes(&self) -> usize {
        self.parts().map(|part| part.slots.capacity().saturating_mul(size_of::<Slot<T>>())).sum()
    }
}

fn locked<P>(part: &Mutex<P>) -> MutexGuard<'_, P> {
    // Counts stay true if a holder of the lock panicked: each step is whole.
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Counted, X> Part<T, X> {
    /// The place of a source, brought to this slot of time; made if there is none. `None` never, but of a table without room.
    pub(crate) fn place(&mut self, key: u64, time: u32) -> Option<(&mut Slot<T>, &mut X)> {
        let key = key.max(1);
        if self.find(key).is_none() {
            self.make(key, time);
        }
        let (slot, beside) = (find_in(&mut self.slots, key)?, &mut self.beside);
        slot.bring_to(time);
        Some((slot, beside))
    }

    /// What is known of a source, brought to this slot of time.
    pub(crate) fn look(&self, key: u64, time: u32) -> Option<Slot<T>> {
        let mut slot = *self.find(key.max(1))?;
        slot.bring_to(time);
        Some(slot)
    }

    /// The place of a source that is known, brought to this slot of time.
    pub(crate) fn there(&mut self, key: u64, time: u32) -> Option<&mut Slot<T>> {
        let slot = find_in(&mut self.slots, key.max(1))?;
        slot.bring_to(time);
        Some(slot)
    }

    /// Forgets a source; whether it was known.
    pub(crate) fn forget(&mut self, key: u64) -> bool {
        let Some(slot) = find_in(&mut self.slots, key.max(1)) else { return false };
        *slot = Slot::default();
        true
    }

    fn find(&self, key: u64) -> Option<&Slot<T>> {
        let groups = groups(key, self.slots.len());
        groups.into_iter().find_map(|group| self.slots.get(group)?.iter().find(|slot| slot.key == key))
    }

    fn make(&mut self, key: u64, time: u32) {
        let new = Slot { key, time, flags: 0, counts: T::default() };
        while !self.put(new, time) {
            if self.slots.len() >= self.most {
                return self.put_instead(new, time);
            }
            self.double(time);
        }
    }

    /// Puts a source where a place is free, or what is there is worth nothing any more; whether there is one.
    fn put(&mut self, new: Slot<T>, time: u32) -> bool {
        let is_free = |slot: &Slot<T>| slot.worth(time) == (false, 0);
        let free_of =
            |group: &Group| self.slots.get(group.clone()).map_or(0, |g| g.iter().filter(|s| is_free(s)).count());
        let [one, other] = groups(new.key, self.slots.len());
        let emptier = if free_of(&one) < free_of(&other) { other } else { one };
        let place = self.slots.get_mut(emptier).and_then(|group| group.iter_mut().find(|slot| is_free(slot)));
        let is_put = place.is_some();
        if let Some(place) = place {
            *place = new;
        }
        is_put
    }

    /// Puts a source in the place of the one that is worth least.
    fn put_instead(&mut self, new: Slot<T>, time: u32) {
        let worth = |group: &Group| self.slots.get(group.clone())?.iter().map(|slot| slot.worth(time)).min();
        let [one, other] = groups(new.key, self.slots.len());
        let group = if worth(&one) <= worth(&other) { one } else { other };
        let least = self.slots.get_mut(group).and_then(|group| group.iter_mut().min_by_key(|slot| slot.worth(time)));
        if let Some(least) = least {
            *least = new;
        }
    }

    fn double(&mut self, time: u32) {
        let len = self.slots.len().saturating_mul(2).clamp(RATE_WAYS, self.most.max(RATE_WAYS));
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); len]);
        // What is worth nothing any more doesn't come along.
        for slot in old.into_iter().filter(|slot| slot.worth(time) != (false, 0)) {
            if !self.put(slot, time) {
                self.put_instead(slot, time);
            }
        }
    }
}

/// Places that are beside each other.
type Group = std::ops::Range<usize>;

fn find_in<T>(slots: &mut [Slot<T>], key: u64) -> Option<&mut Slot<T>> {
    let [one, other] = groups(key, slots.len());
    let group = if slots.get(one.clone())?.iter().any(|slot| slot.key == key) { one } else { other };
    slots.get_mut(group)?.iter_mut().find(|slot| slot.key == key)
}

/// Where a source may stand among so many places.
fn groups(key: u64, len: usize) -> [Group; 2] {
    let count = u64::try_from(len.div_euclid(GROUP)).unwrap_or(0);
    // The upper bits have chosen the part.
    [key, key >> 26].map(|bits| {
        let group = (bits & u64::from(u32::MAX)).saturating_mul(count) >> 32;
        let first = usize::try_from(group).unwrap_or(usize::MAX).saturating_mul(GROUP);
        first..first.saturating_add(GROUP).min(len)
    })
}

/// Places in a group.
const GROUP: usize = RATE_WAYS.div_euclid(2);

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    struct Count(u64);

    impl Counted for Count {
        fn roll(&mut self, slots: u32) {
            self.0 = if slots > 1 { 0 } else { self.0 };
        }
        fn weight(&self) -> u64 {
            self.0
        }
    }

    fn count(table: &Table<Count, ()>, key: u64, time: u32) -> u64 {
        let mut part = table.part(key).unwrap();
        let (slot, ()) = part.place(key, time).unwrap();
        slot.counts.0 += 1;
        slot.counts.0
    }

    /// As numbers of sources are: anything.
    fn key(number: u64) -> u64 {
        let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    #[test]
    fn a_table_takes_memory_when_sources_come_and_never_more_than_it_may() {
        let table: Table<Count, ()> = Table::new(10_000);
        assert_eq!(table.bytes(), 0);
        for number in 0..100 {
            count(&table, key(number), 1);
        }
        assert!(table.bytes() < 64 * 1024, "{}", table.bytes());
        for number in 0..100_000 {
            count(&table, key(number), 1);
        }
        // Places for so many, rounded up for each part.
        assert!(table.bytes() <= 11_000 * size_of::<Slot<Count>>(), "{}", table.bytes());
    }

    #[test]
    fn nobody_is_driven_out_while_it_may_grow_and_half_of_it_is_used() {
        let table: Table<Count, ()> = Table::new(1_000_000);
        for number in 0..100_000 {
            count(&table, key(number), 1);
        }
        let places = table.bytes() / size_of::<Slot<Count>>();
        assert!(places <= 300_000, "{places}");
        assert!((0..100_000).all(|number| count(&table, key(number), 1) == 2));
    }

    #[test]
    fn who_comes_with_many_addresses_drives_out_their_own() {
        let table: Table<Count, ()> = Table::new(1_000);
        for _ in 0..5 {
            (0..100).map(|number| count(&table, key(number), 1)).for_each(|counted| assert!(counted > 0));
        }
        for number in 1_000..100_000 {
            count(&table, key(number), 1);
        }
        let kept = (0..100).filter(|number| count(&table, key(*number), 1) == 6).count();
        assert!(kept >= 95, "{kept} of 100 sources with 5 are still known");
    }

    #[test]
    fn what_is_pinned_stays_longest() {
        let table: Table<Count, ()> = Table::new(64);
        {
            let mut part = table.part(key(7)).unwrap();
            part.place(key(7), 1).unwrap().0.flags = Slot::<Count>::PINNED;
        }
        for number in 1_000..20_000 {
            count(&table, key(number), 1);
            count(&table, key(number), 1);
        }
        assert!(table.part(key(7)).unwrap().look(key(7), 1).is_some());
    }

    #[test]
    fn what_is_over_makes_room_and_a_clock_that_goes_back_hurts_nobody() {
        let table: Table<Count, ()> = Table::new(1_000);
        assert_eq!(count(&table, key(1), 10), 1);
        assert_eq!(count(&table, key(1), 11), 2);
        assert_eq!(count(&table, key(1), 13), 1, "two slots later it is forgotten");
        assert_eq!(count(&table, key(1), 5), 2);
        assert_eq!(count(&table, key(1), 7), 1, "and its time is the clock's again");
        assert!(table.part(key(1)).unwrap().forget(key(1)));
        assert!(!table.part(key(1)).unwrap().forget(key(1)));
        assert!(table.part(key(1)).unwrap().look(key(1), 7).is_none());
    }

    proptest! {
        #[test]
        fn with_room_enough_it_counts_as_a_map_does(numbers in proptest::collection::vec(0_u64..300, 1..2_000)) {
            let table: Table<Count, ()> = Table::new(100_000);
            let mut model: HashMap<u64, u64> = HashMap::new();
            for number in numbers {
                let expected = model.entry(number).or_default();
                *expected += 1;
                prop_assert_eq!(count(&table, key(number), 1), *expected);
            }
        }
    }
}
