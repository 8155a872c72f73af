//! Sequence numbers and UIDs of a selected mailbox, as runs: a million messages without gaps cost one run.

use crate::command::{Partial, SequenceSet, SetNumber};
use mailward_core::Uid;
use mailward_store::records::UidRange;

/// UIDs `first..=last`, all there; the first has sequence number `sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    sequence: u32,
}

impl Run {
    const fn len(self) -> u32 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// The messages a session has been told of, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UidMap {
    runs: Vec<Run>,
}

/// A sequence number above the number of messages (RFC 3501 §9, `seq-number`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoSuchMessage;

impl UidMap {
    /// From ascending runs that don't touch.
    pub(crate) fn new(uids: &[UidRange]) -> Self {
        let mut sequence = 1u32;
        let runs = uids.iter().map(|range| {
            let run = Run { first: range.first.0, last: range.last.0, sequence };
            sequence = sequence.saturating_add(run.len());
            run
        });
        Self { runs: runs.collect() }
    }

    /// Number of messages.
    pub(crate) fn len(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.sequence.saturating_sub(1).saturating_add(run.len()))
    }

    /// The highest UID; 0 if there is none.
    pub(crate) fn last(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.last)
    }

    /// Adds a message; one that isn't above the last is ignored.
    pub(crate) fn push(&mut self, uid: Uid) {
        if uid.0 <= self.last() {
            return;
        }
        let sequence = self.len().saturating_add(1);
        match self.runs.last_mut() {
            Some(run) if run.last.checked_add(1) == Some(uid.0) => run.last = uid.0,
            _ => self.runs.push(Run { first: uid.0, last: uid.0, sequence }),
        }
    }

    /// Sequence number of a UID.
    pub(crate) fn sequence_of(&self, uid: Uid) -> Option<u32> {
        let at = self.runs.partition_point(|run| run.last < uid.0);
        let run = self.runs.get(at)?;
        let offset = uid.0.checked_sub(run.first)?;
        Some(run.sequence.saturating_add(offset))
    }

    /// UID of a sequence number.
    pub(crate) fn uid_of(&self, sequence: u32) -> Option<Uid> {
        let at = self.runs.partition_point(|run| run.sequence <= sequence).checked_sub(1)?;
        let run = self.runs.get(at)?;
        let uid = run.first.checked_add(sequence.checked_sub(run.sequence)?)?;
        (uid <= run.last).then_some(Uid(uid))
    }

    /// Takes messages away and answers the sequence numbers to tell in EXPUNGE responses, in this order, each as it
    /// is after those before it.
    pub(crate) fn remove(&mut self, uids: &[Uid]) -> Vec<u32> {
        let mut told = Vec::new();
        let mut gone = uids.iter().map(|uid| uid.0).peekable();
        let mut kept: Vec<Run> = Vec::with_capacity(self.runs.len());
        let mut keep = |first: u32, last: u32, removed: usize, sequence: u32| {
            let removed = u32::try_from(removed).unwrap_or(u32::MAX);
            kept.push(Run { first, last, sequence: sequence.saturating_sub(removed) });
        };
        for run in &self.runs {
            let mut first = run.first;
            let mut spent = false;
            while let Some(uid) = gone.next_if(|uid| *uid <= run.last) {
                if uid < first {
                    continue;
                }
                let sequence = run.sequence.saturating_add(uid.saturating_sub(run.first));
                if uid > first {
                    let start = run.sequence.saturating_add(first.saturating_sub(run.first));
                    keep(first, uid.saturating_sub(1), told.len(), start);
                }
                let before = u32::try_from(told.len()).unwrap_or(u32::MAX);
                told.push(sequence.saturating_sub(before));
                match uid.checked_add(1).filter(|next| *next <= run.last) {
                    Some(next) => first = next,
                    None => spent = true,
                }
            }
            if !spent {
                let start = run.sequence.saturating_add(first.saturating_sub(run.first));
                keep(first, run.last, told.len(), start);
            }
        }
        self.runs = kept;
        told
    }

    /// Messages of the ranges (ascending, not overlapping).
    pub(crate) fn count(&self, ranges: &[UidRange]) -> u32 {
        ranges.iter().fold(0u32, |sum, range| {
            sum.saturating_add(self.sequences(*range).map_or(0, |(a, b)| b.saturating_sub(a).saturating_add(1)))
        })
    }

    /// Cuts ranges so that each piece names at most `most` messages.
    pub(crate) fn split(&self, ranges: &[UidRange], most: u32) -> Vec<Vec<UidRange>> {
        let mut pieces = Vec::new();
        let mut piece: Vec<UidRange> = Vec::new();
        let mut room = most.max(1);
        for range in ranges {
            let Some((mut from, to)) = self.sequences(*range) else { continue };
            while from <= to {
                let upto = to.min(from.saturating_add(room.saturating_sub(1)));
                if let (Some(first), Some(last)) = (self.uid_of(from), self.uid_of(upto)) {
                    piece.push(UidRange { first, last });
                }
                room = room.saturating_sub(upto.saturating_sub(from).saturating_add(1));
                if room == 0 {
                    pieces.push(std::mem::take(&mut piece));
                    room = most.max(1);
                }
                from = upto.saturating_add(1);
            }
        }
        if !piece.is_empty() {
            pieces.push(piece);
        }
        pieces
    }

    /// What a window of the messages of the ranges leaves of them (RFC 9394 §3.3).
    pub(crate) fn window(&self, ranges: &[UidRange], partial: Partial) -> Vec<UidRange> {
        let mut skip = partial.first.saturating_sub(1);
        let mut left = partial.last.saturating_sub(partial.first).saturating_add(1);
        let mut chosen = Vec::new();
        let mut add = |(from, to): (u32, u32)| {
            let there = to.saturating_sub(from).saturating_add(1);
            let skipped = skip.min(there);
            skip = skip.saturating_sub(skipped);
            let taken = left.min(there.saturating_sub(skipped));
            left = left.saturating_sub(taken);
            if let Some(more) = taken.checked_sub(1) {
                let (first, last) = if partial.from_end {
                    let last = to.saturating_sub(skipped);
                    (last.saturating_sub(more), last)
                } else {
                    let first = from.saturating_add(skipped);
                    (first, first.saturating_add(more))
                };
                if let (Some(first), Some(last)) = (self.uid_of(first), self.uid_of(last)) {
                    chosen.push((first.0, last.0));
                }
            }
        };
        let present = ranges.iter().filter_map(|range| self.sequences(*range));
        if partial.from_end {
            let mut present: Vec<(u32, u32)> = present.collect();
            present.reverse();
            present.into_iter().for_each(&mut add);
        } else {
            present.for_each(&mut add);
        }
        merge(chosen)
    }

    /// First and last sequence number of the messages of a range; `None` if it has none.
    fn sequences(&self, range: UidRange) -> Option<(u32, u32)> {
        let first = self.runs.get(self.runs.partition_point(|run| run.last < range.first.0))?;
        let last = self.runs.get(self.runs.partition_point(|run| run.first <= range.last.0).checked_sub(1)?)?;
        let from = first.sequence.saturating_add(range.first.0.saturating_sub(first.first));
        let to = last.sequence.saturating_add(range.last.0.min(last.last).saturating_sub(last.first));
        (from <= to).then_some((from, to))
    }

    /// Every UID, ascending, with its sequence number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Uid)> {
        self.runs.iter().flat_map(|run| {
            (run.first..=run.last).map(|uid| (run.sequence.saturating_add(uid.saturating_sub(run.first)), Uid(uid)))
        })
    }

    /// UID ranges of a set of UIDs: ascending, not overlapping. UIDs that aren't there are no error.
    pub(crate) fn resolve_uids(&self, set: &SequenceSet) -> Vec<UidRange> {
        let highest = self.last();
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(set.0.len());
        for (a, b) in &set.0 {
            let number = |n: &SetNumber| match n {
                SetNumber::Number(n) => *n,
                SetNumber::Star | SetNumber::Saved => highest,
            };
            let (a, b) = (number(a), number(b));
            // `*` of an empty mailbox.
            if a.max(b) > 0 {
                ranges.push((a.min(b).max(1), a.max(b)));
            }
        }
        merge(ranges)
    }

    /// UID ranges of a set of sequence numbers.
    ///
    /// # Errors
    /// [`NoSuchMessage`] if the set names a number above that of messages. A set with `*` of an empty mailbox is
    /// empty instead: clients ask `1:*` without looking.
    pub(crate) fn resolve_sequence(&self, set: &SequenceSet) -> Result<Vec<UidRange>, NoSuchMessage> {
        let count = self.len();
        let mut ranges = Vec::with_capacity(set.0.len());
        for (a, b) in &set.0 {
            let number = |n: &SetNumber| match n {
                SetNumber::Number(n) => *n,
                SetNumber::Star | SetNumber::Saved => count,
            };
            if count == 0 && (*a == SetNumber::Star || *b == SetNumber::Star) {
                continue;
            }
            let (a, b) = (number(a), number(b));
            let first = self.uid_of(a.min(b)).ok_or(NoSuchMessage)?;
            let last = self.uid_of(a.max(b)).ok_or(NoSuchMessage)?;
            // UIDs between the two that the session doesn't know are gone for good.
            ranges.push((first.0, last.0));
        }
        Ok(merge(ranges))
    }
}

/// A set of plain numbers as ranges, whatever is there.
pub(crate) fn plain_ranges(set: &SequenceSet) -> Vec<UidRange> {
    let pairs = set.0.iter().filter_map(|pair| match pair {
        (SetNumber::Number(a), SetNumber::Number(b)) => Some((*a.min(b), *a.max(b))),
        _ => None,
    });
    merge(pairs.collect())
}

/// UIDs (ascending) as ranges.
pub(crate) fn ranges_of(uids: impl IntoIterator<Item = Uid>) -> Vec<UidRange> {
    merge(uids.into_iter().map(|uid| (uid.0, uid.0)).collect())
}

/// Sorts, and joins what overlaps or touches.
fn merge(mut ranges: Vec<(u32, u32)>) -> Vec<UidRange> {
    ranges.sort_unstable();
    let mut merged: Vec<UidRange> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(range) if first <= range.last.0.saturating_add(1) => range.last = Uid(range.last.0.max(last)),
            _ => merged.push(UidRange { first: Uid(first), last: Uid(last) }),
        }
    }
    merged
}

/// Writes numbers as the shortest set: `1:3,7`. They need not be ordered.
pub(crate) fn write_set(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>) {
    let ranges = merge(numbers.into_iter().map(|n| (n, n)).collect());
    for (index, range) in ranges.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        crate::respond::number(out, range.first.0.into());
        if range.last > range.first {
            out.push(b':');
            crate::respond::number(out, range.last.0.into());
        }
    }
}

/// Writes numbers in their order as a set (RFC 5267 §3.2): neighbours that ascend are a range, and nothing else is.
pub(crate) fn write_ordered_set(out: &mut Vec<u8>, numbers: &[u32]) {
    let mut rest = numbers;
    while let Some((first, mut after)) = rest.split_first() {
        let mut last = *first;
        while let Some((next, further)) = after.split_first().filter(|(next, _)| last.checked_add(1) == Some(**next)) {
            last = *next;
            after = further;
        }
        if rest.len() < numbers.len() {
            out.push(b',');
        }
        crate::respond::number(out, (*first).into());
        if last > *first {
            out.push(b':');
            crate::respond::number(out, last.into());
        }
        rest = after;
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn map(uids: &[u32]) -> UidMap {
        let mut map = UidMap::default();
        for uid in uids {
            map.push(Uid(*uid));
        }
        map
    }

    fn set(ranges: &[(u32, u32)]) -> SequenceSet {
        let number = |n: u32| if n == 0 { SetNumber::Star } else { SetNumber::Number(n) };
        SequenceSet(ranges.iter().map(|(a, b)| (number(*a), number(*b))).collect())
    }

    #[test]
    fn a_million_messages_are_one_run() {
        let mut map = UidMap::new(&[UidRange { first: Uid(1), last: Uid(1_000_000) }]);
        assert_eq!(map.runs.len(), 1);
        assert_eq!(map.remove(&[Uid(500_000)]), [500_000]);
        assert_eq!(map.sequence_of(Uid(500_001)), Some(500_000));
        assert_eq!(map.len(), 999_999);
    }

    #[test]
    fn expunges_are_told_as_the_numbers_are_after_those_before() {
        // RFC 3501 §7.4.1: 3, 4, 7, 11 deleted are told as 3, 3, 5, 8.
        let mut map = map(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(map.remove(&[Uid(3), Uid(4), Uid(7), Uid(11), Uid(99)]), [3, 3, 5, 8]);
    }

    #[test]
    fn a_star_is_the_highest_and_ranges_may_be_backwards() {
        let map = map(&[5, 6, 9]);
        assert_eq!(map.resolve_uids(&set(&[(0, 7)])), [UidRange { first: Uid(7), last: Uid(9) }]);
        assert_eq!(map.resolve_uids(&set(&[(20, 0)])), [UidRange { first: Uid(9), last: Uid(20) }]);
        assert_eq!(map.resolve_sequence(&set(&[(3, 2), (1, 1)])), Ok(vec![UidRange { first: Uid(5), last: Uid(9) }]));
        assert_eq!(map.resolve_sequence(&set(&[(4, 4)])), Err(NoSuchMessage));
        assert_eq!(UidMap::default().resolve_sequence(&set(&[(1, 0)])), Ok(vec![]));
    }

    /// Attacks G7.
    #[test]
    fn a_set_that_names_everything_many_times_is_one_range() {
        let map = map(&[1, 2, 3]);
        let all = set(&vec![(1, u32::MAX); 10_000]);
        assert_eq!(map.resolve_uids(&all), [UidRange { first: Uid(1), last: Uid(u32::MAX) }]);
    }

    #[test]
    fn a_window_counts_from_either_end() {
        let map = map(&[2, 3, 5, 8, 9]);
        let all = [UidRange { first: Uid(1), last: Uid(99) }];
        let window = |first, last, from_end| {
            let chosen = map.window(&all, Partial { first, last, from_end });
            map.iter()
                .map(|(_, uid)| uid)
                .filter(|uid| chosen.iter().any(|r| r.first <= *uid && *uid <= r.last))
                .map(|uid| uid.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(window(1, 2, false), [2, 3]);
        assert_eq!(window(2, 4, false), [3, 5, 8]);
        assert_eq!(window(1, 2, true), [8, 9]);
        assert_eq!(window(4, 100, true), [2, 3]);
        assert_eq!(window(6, 9, false), Vec::<u32>::new());
    }

    #[test]
    fn sets_are_written_short() {
        let mut out = Vec::new();
        write_set(&mut out, [7, 1, 2, 3, 9, 10]);
        assert_eq!(out, b"1:3,7,9:10");
    }

    /// RFC 5267 §3.2 and its example.
    #[test]
    fn ordered_sets_keep_their_order() {
        for (numbers, set) in [
            (&[][..], ""),
            (&[5], "5"),
            (&[1, 2, 3, 7], "1:3,7"),
            (&[23_765, 23_764, 23_763, 23_761], "23765,23764,23763,23761"),
            (&[4, 5, 3, 1, 2, 2], "4:5,3,1:2,2"),
            (&[u32::MAX, 1], "4294967295,1"),
        ] {
            let mut out = Vec::new();
            write_ordered_set(&mut out, numbers);
            assert_eq!(String::from_utf8(out).unwrap(), set);
        }
    }

    proptest! {
        #[test]
        fn it_counts_like_a_sorted_list(
            uids in proptest::collection::btree_set(1u32..200, 0..80),
            gone in proptest::collection::btree_set(1u32..220, 0..60),
            more in proptest::collection::btree_set(200u32..260, 0..20),
            first in 1u32..250,
            width in 0u32..100,
            most in 1u32..20,
        ) {
            let list: Vec<u32> = uids.iter().copied().collect();
            let mut map = map(&list);
            let remove: Vec<Uid> = gone.iter().copied().map(Uid).collect();
            let mut model = list.clone();
            let mut expected = Vec::new();
            for uid in &gone {
                if let Ok(at) = model.binary_search(uid) {
                    model.remove(at);
                    expected.push(u32::try_from(at + 1).unwrap());
                }
            }
            prop_assert_eq!(map.remove(&remove), expected);
            for uid in &more {
                if model.last().is_none_or(|last| last < uid) {
                    model.push(*uid);
                    map.push(Uid(*uid));
                }
            }
            prop_assert_eq!(map.len() as usize, model.len());
            let known: BTreeSet<u32> = model.iter().copied().collect();
            for (index, uid) in model.iter().enumerate() {
                let sequence = u32::try_from(index + 1).unwrap();
                prop_assert_eq!(map.sequence_of(Uid(*uid)), Some(sequence));
                prop_assert_eq!(map.uid_of(sequence), Some(Uid(*uid)));
            }
            for uid in 0..300 {
                prop_assert_eq!(map.sequence_of(Uid(uid)).is_some(), known.contains(&uid));
            }
            prop_assert_eq!(map.uid_of(map.len() + 1), None);
            let range = UidRange { first: Uid(first), last: Uid(first + width) };
            let inside: Vec<u32> = model.iter().copied().filter(|u| (first..=first + width).contains(u)).collect();
            prop_assert_eq!(map.count(&[range]) as usize, inside.len());
            let pieces = map.split(&[range], most);
            prop_assert!(pieces.iter().all(|piece| map.count(piece) <= most));
            prop_assert_eq!(pieces.iter().map(|piece| map.count(piece) as usize).sum::<usize>(), inside.len());
            prop_assert_eq!(map.iter().map(|(_, uid)| uid.0).collect::<Vec<_>>(), model);
            prop_assert_eq!(map.uid_of(0), None);
        }
    }
}
