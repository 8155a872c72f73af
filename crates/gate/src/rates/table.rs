//! Counts of many sources in little memory: a table that is never gone through.
//!
//! A source is a number that nobody outside can choose ([`mailward_vault::SourceKey`]). It has [`RATE_WAYS`] places where it may
//! stand. If all of them are taken, that source goes of which least is worth keeping: whoever comes with a million addresses,
//! each of which is counted once, drives out their own. Places are taken when they are needed, and doubled when half of
//! them are; a part of the table is doubled at a time, of which there are [`PARTS`], each with a lock of its own.

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
    taken: usize,
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
        let part = || Mutex::new(Part { slots: Vec::new(), taken: 0, most, beside: X::default() });
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
        self.taken = self.taken.saturating_sub(1);
        true
    }

    fn find(&self, key: u64) -> Option<&Slot<T>> {
        self.slots.get(ways(key, self.slots.len()))?.iter().find(|slot| slot.key == key)
    }

    fn make(&mut self, key: u64, time: u32) {
        let is_free = |slot: &Slot<T>| slot.worth(time) == (false, 0);
        let free = |slots: &[Slot<T>]| slots.get(ways(key, slots.len())).is_some_and(|ways| ways.iter().any(is_free));
        // Doubling ends at `most`; that it helps isn't sure, as neighbours may stay neighbours.
        while !free(&self.slots) && self.slots.len() < self.most && self.taken.saturating_mul(2) >= self.slots.len() {
            self.double(time);
        }
        let range = ways(key, self.slots.len());
        let Some(ways) = self.slots.get_mut(range) else { return };
        let Some(least) = ways.iter_mut().min_by_key(|slot| slot.worth(time)) else { return };
        if least.key == 0 {
            self.taken = self.taken.saturating_add(1);
        }
        *least = Slot { key, time, flags: 0, counts: T::default() };
    }

    fn double(&mut self, time: u32) {
        let len = self.slots.len().saturating_mul(2).clamp(RATE_WAYS, self.most.max(RATE_WAYS));
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); len]);
        self.taken = 0;
        // What is worth nothing any more doesn't come along; of the rest, each finds its ways with more room than before.
        for slot in old.into_iter().filter(|slot| slot.worth(time) != (false, 0)) {
            let range = ways(slot.key, len);
            let place = self.slots.get_mut(range).and_then(|ways| ways.iter_mut().find(|place| place.key == 0));
            if let Some(place) = place {
                *place = slot;
                self.taken = self.taken.saturating_add(1);
            }
        }
    }
}

fn find_in<T>(slots: &mut [Slot<T>], key: u64) -> Option<&mut Slot<T>> {
    let range = ways(key, slots.len());
    slots.get_mut(range)?.iter_mut().find(|slot| slot.key == key)
}

/// Where a source may stand among so many places.
fn ways(key: u64, len: usize) -> std::ops::Range<usize> {
    let groups = u64::try_from(len).unwrap_or(0).div_euclid(WAYS);
    // The upper bits have chosen the part.
    let group = (key & u64::from(u32::MAX)).saturating_mul(groups) >> 32;
    let first = usize::try_from(group.saturating_mul(WAYS)).unwrap_or(usize::MAX);
    first..first.saturating_add(RATE_WAYS).min(len)
}

const WAYS: u64 = RATE_WAYS as u64;

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
        number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93)
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
    fn who_comes_with_many_addresses_drives_out_their_own() {
        let table: Table<Count, ()> = Table::new(1_000);
        for _ in 0..5 {
            (0..100).for_each(|number| drop(count(&table, key(number), 1)));
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
