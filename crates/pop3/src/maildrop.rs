//! What a session sees: the messages of INBOX at the moment of its login, and which of them it has marked.

use mailward_core::{Uid, UidValidity};
use mailward_store::records::UidRange;

/// A maildrop as it was at login. Numbers given to clients count from 1 and never move (RFC 1939 §5).
///
/// It knows UIDs and no sizes: a login reads no message's row, and 100,000 messages take as many bytes as their UIDs have
/// gaps, and a bit each once one is marked.
#[derive(Debug)]
pub struct Maildrop {
    uid_validity: UidValidity,
    runs: Vec<Run>,
    messages: u32,
    /// Octets of all messages; `None` if only adding them up tells.
    octets: Option<u64>,
    /// A bit for each message; empty as long as none is marked.
    marks: Vec<u64>,
    marked: u32,
}

/// UIDs without a gap between them, and the number of the first.
#[derive(Clone, Copy, Debug)]
struct Run {
    number: u32,
    uids: UidRange,
}

impl Run {
    const fn last_number(self) -> u32 {
        self.number.saturating_add(self.uids.last.0.saturating_sub(self.uids.first.0))
    }
}

impl Maildrop {
    /// Numbers the messages of these UIDs (ascending, not touching each other), `most` of them. `octets`: of all.
    #[must_use]
    pub fn new(uid_validity: UidValidity, uids: &[UidRange], octets: u64, most: u32) -> Self {
        let mut maildrop =
            Self { uid_validity, runs: Vec::new(), messages: 0, octets: Some(octets), marks: Vec::new(), marked: 0 };
        for uids in uids {
            let left = most.saturating_sub(maildrop.messages);
            if left == 0 {
                maildrop.octets = None;
                break;
            }
            let last = uids.first.0.saturating_add(left.saturating_sub(1)).min(uids.last.0);
            if last < uids.last.0 {
                maildrop.octets = None;
            }
            let run = Run {
                number: maildrop.messages.saturating_add(1),
                uids: UidRange { first: uids.first, last: Uid(last) },
            };
            maildrop.messages = run.last_number();
            maildrop.runs.push(run);
        }
        maildrop
    }

    /// Messages not marked.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.messages.saturating_sub(self.marked)
    }

    /// Octets of the messages not marked; `None` if only adding them up tells.
    #[must_use]
    pub const fn octets(&self) -> Option<u64> {
        if self.marked == 0 { self.octets } else { None }
    }

    /// A message by its number, unless it is marked.
    #[must_use]
    pub fn uid(&self, number: u32) -> Option<Uid> {
        if self.is_marked(number) { None } else { self.numbered(number) }
    }

    /// The number of a message, unless it is marked.
    #[must_use]
    pub fn number(&self, uid: Uid) -> Option<u32> {
        let after = self.runs.partition_point(|run| run.uids.first <= uid);
        let run = self.runs.get(after.checked_sub(1)?).filter(|run| uid <= run.uids.last)?;
        let number = run.number.saturating_add(uid.0.saturating_sub(run.uids.first.0));
        (!self.is_marked(number)).then_some(number)
    }

    /// The first message not marked whose number is at least `number`, with its number.
    #[must_use]
    pub fn next_from(&self, number: u32) -> Option<(u32, Uid)> {
        let found = (number.max(1)..=self.messages).find(|number| !self.is_marked(*number))?;
        Some((found, self.numbered(found)?))
    }

    /// UIDs from a message's on to the last one's, marked or not; `None` past the last message.
    #[must_use]
    pub fn uids_from(&self, number: u32) -> Option<UidRange> {
        Some(UidRange { first: self.numbered(number)?, last: self.runs.last()?.uids.last })
    }

    /// The number of the first message after a UID, marked or not; `None` if there is none.
    #[must_use]
    pub fn number_after(&self, uid: Uid) -> Option<u32> {
        let after = self.runs.partition_point(|run| run.uids.last <= uid);
        let run = self.runs.get(after)?;
        Some(run.number.saturating_add(uid.0.saturating_add(1).saturating_sub(run.uids.first.0)))
    }

    /// What UIDL says of a message: the same in every session, and never said of another (RFC 1939 §7).
    #[must_use]
    pub fn unique_id(&self, uid: Uid) -> impl std::fmt::Display {
        std::fmt::from_fn(move |f| write!(f, "{}.{uid}", self.uid_validity))
    }

    /// Marks a message; false if it isn't there or is marked already.
    pub fn mark(&mut self, number: u32) -> bool {
        if self.uid(number).is_none() {
            return false;
        }
        if self.marks.is_empty() {
            let words = self.messages.div_ceil(u64::BITS);
            self.marks = vec![0; usize::try_from(words).unwrap_or(0)];
        }
        let (word, bit) = place(number);
        if let Some(word) = self.marks.get_mut(word) {
            *word |= bit;
            self.marked = self.marked.saturating_add(1);
        }
        true
    }

    /// Takes all marks off.
    pub fn unmark_all(&mut self) {
        self.marks = Vec::new();
        self.marked = 0;
    }

    /// What is marked, as ranges, ascending. Neighbours here become one range: a UID between them was gone at
    /// login, and a UID never comes back.
    #[must_use]
    pub fn marked(&self) -> Vec<UidRange> {
        let mut ranges: Vec<UidRange> = Vec::new();
        if self.marked == 0 {
            return ranges;
        }
        let mut open = false;
        for run in &self.runs {
            for (number, uid) in (run.number..=run.last_number()).zip(run.uids.first.0..=run.uids.last.0) {
                let marked = self.is_marked(number);
                match ranges.last_mut() {
                    Some(range) if marked && open => range.last = Uid(uid),
                    _ if marked => ranges.push(UidRange::one(Uid(uid))),
                    _ => {}
                }
                open = marked;
            }
        }
        ranges
    }

    fn numbered(&self, number: u32) -> Option<Uid> {
        let after = self.runs.partition_point(|run| run.number <= number);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let uid = run.uids.first.0.checked_add(number.checked_sub(run.number)?)?;
        (uid <= run.uids.last.0).then_some(Uid(uid))
    }

    fn is_marked(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.marks.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// Where the mark of a message is.
fn place(number: u32) -> (usize, u64) {
    let index = number.wrapping_sub(1);
    let bit = 1u64.checked_shl(index % u64::BITS).unwrap_or(0);
    (usize::try_from(index / u64::BITS).unwrap_or(usize::MAX), bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn runs(uids: &[u32]) -> Vec<UidRange> {
        let mut runs: Vec<UidRange> = Vec::new();
        for uid in uids {
            match runs.last_mut() {
                Some(run) if run.last.0 + 1 == *uid => run.last = Uid(*uid),
                _ => runs.push(UidRange::one(Uid(*uid))),
            }
        }
        runs
    }

    fn maildrop(uids: &[u32]) -> Maildrop {
        Maildrop::new(UidValidity(7), &runs(uids), 100, u32::MAX)
    }

    #[test]
    fn marks_hide_a_message_and_come_off_again() {
        let mut drop = maildrop(&[3, 5, 9]);
        assert_eq!((drop.left(), drop.octets()), (3, Some(100)));
        assert!(drop.mark(2));
        assert!(!drop.mark(2), "marked twice");
        assert!(!drop.mark(0) && !drop.mark(4) && !drop.mark(u32::MAX));
        assert_eq!((drop.left(), drop.octets()), (2, None));
        assert_eq!((drop.uid(2), drop.number(Uid(5))), (None, None));
        assert_eq!(drop.next_from(2), Some((3, Uid(9))));
        assert_eq!(drop.unique_id(Uid(9)).to_string(), "7.9");
        drop.unmark_all();
        assert_eq!((drop.left(), drop.octets(), drop.uid(2)), (3, Some(100), Some(Uid(5))));
        assert!(drop.marked().is_empty());
    }

    #[test]
    fn a_session_is_shown_the_oldest_messages_up_to_its_limit() {
        let uids = [UidRange { first: Uid(2), last: Uid(4) }, UidRange { first: Uid(8), last: Uid(9) }];
        for (most, shown, last) in [(0, 0, None), (2, 2, Some(3)), (3, 3, Some(4)), (4, 4, Some(8)), (9, 5, Some(9))] {
            let drop = Maildrop::new(UidValidity(7), &uids, 50, most);
            assert_eq!(drop.left(), shown, "at most {most}");
            assert_eq!(drop.octets(), (shown == 5).then_some(50), "octets of all say nothing of some");
            assert_eq!(drop.uids_from(1).map(|uids| uids.last.0), last);
            assert_eq!(drop.uid(shown + 1), None);
            assert_eq!(drop.next_from(shown + 1), None);
        }
    }

    #[test]
    fn a_maildrop_costs_its_gaps_and_a_bit_a_message() {
        let uids = [UidRange { first: Uid(1), last: Uid(100_000) }];
        let mut drop = Maildrop::new(UidValidity(7), &uids, 0, u32::MAX);
        assert_eq!((drop.runs.len(), drop.marks.len()), (1, 0));
        assert!(drop.mark(100_000) && !drop.mark(100_001));
        assert_eq!((drop.runs.len(), drop.marks.len()), (1, 1_563));
        assert!(size_of::<Run>() <= 12);
    }

    proptest! {
        #[test]
        fn it_is_a_list_of_uids_with_marks(
            gaps in proptest::collection::vec(1u32..4, 0..150), marks in proptest::collection::vec(any::<bool>(), 150),
        ) {
            let uids: Vec<u32> = gaps.iter().scan(0, |uid, gap| { *uid += gap; Some(*uid) }).collect();
            let mut drop = maildrop(&uids);
            for (number, _) in (1u32..).zip(&uids).zip(&marks).filter(|(_, m)| **m).map(|(n, _)| n) {
                prop_assert!(drop.mark(number));
            }
            let ranges = drop.marked();
            prop_assert!(ranges.windows(2).all(|w| w[0].last < w[1].first));
            for ((number, uid), mark) in (1u32..).zip(&uids).zip(&marks) {
                let held = ranges.iter().any(|r| r.first.0 <= *uid && *uid <= r.last.0);
                prop_assert_eq!(held, *mark, "ranges hold what is marked and nothing that is kept");
                prop_assert_eq!(drop.uid(number), (!mark).then_some(Uid(*uid)));
                prop_assert_eq!(drop.number(Uid(*uid)), (!mark).then_some(number));
                prop_assert_eq!(drop.uids_from(number).unwrap().first, Uid(*uid));
                let after = drop.number_after(Uid(*uid)).and_then(|n| drop.uids_from(n)).map(|u| u.first.0);
                prop_assert_eq!(after, uids.get(number as usize).copied());
            }
            let mut walked = Vec::new();
            let mut next = 1;
            while let Some((number, uid)) = drop.next_from(next) {
                walked.push(uid.0);
                next = number + 1;
            }
            let kept: Vec<u32> = uids.iter().zip(&marks).filter(|(_, m)| !**m).map(|(u, _)| *u).collect();
            prop_assert_eq!(drop.left() as usize, kept.len());
            prop_assert_eq!(walked, kept);
            for uid in 0..uids.last().copied().unwrap_or(0) + 3 {
                prop_assert!(uids.contains(&uid) || drop.number(Uid(uid)).is_none());
            }
        }
    }
}
