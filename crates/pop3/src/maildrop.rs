//! What a session sees: the messages of INBOX at the moment of its login, and which of them it has marked.

use mailward_core::{BlobId, Uid, UidValidity};
use mailward_store::records::UidRange;

/// A maildrop as it was at login. Numbers given to clients count from 1 and never move (RFC 1939 §5).
#[derive(Debug)]
pub struct Maildrop {
    uid_validity: UidValidity,
    entries: Vec<Entry>,
    /// Messages not marked, and their octets.
    left: (usize, u64),
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its UID in INBOX.
    pub uid: Uid,
    /// Its bytes.
    pub blob: BlobId,
    /// Its size, octets.
    pub size: u64,
    /// Whether QUIT deletes it.
    pub marked: bool,
}

impl Maildrop {
    /// Numbers messages in the order given: by UID.
    #[must_use]
    pub fn new(uid_validity: UidValidity, messages: impl IntoIterator<Item = (Uid, BlobId, u64)>) -> Self {
        let entries = messages.into_iter().map(|(uid, blob, size)| Entry { uid, blob, size, marked: false }).collect();
        let mut maildrop = Self { uid_validity, entries, left: (0, 0) };
        maildrop.unmark_all();
        maildrop
    }

    /// Messages not marked, and their octets.
    #[must_use]
    pub const fn left(&self) -> (usize, u64) {
        self.left
    }

    /// A message by its number, unless it is marked.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Entry> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.entries.get(index).filter(|entry| !entry.marked)
    }

    /// The first message not marked whose number is at least `number`, with its number.
    #[must_use]
    pub fn next_from(&self, number: usize) -> Option<(usize, &Entry)> {
        let skip = number.saturating_sub(1);
        self.entries
            .iter()
            .enumerate()
            .skip(skip)
            .find(|(_, entry)| !entry.marked)
            .map(|(i, e)| (i.saturating_add(1), e))
    }

    /// What UIDL says of a message: the same in every session, and never said of another (RFC 1939 §7).
    #[must_use]
    pub fn unique_id(&self, entry: &Entry) -> String {
        format!("{}.{}", self.uid_validity, entry.uid)
    }

    /// Marks a message; false if it isn't there or is marked already.
    pub fn mark(&mut self, number: u32) -> bool {
        let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
        match index.and_then(|index| self.entries.get_mut(index)).filter(|entry| !entry.marked) {
            Some(entry) => {
                entry.marked = true;
                self.left = (self.left.0.saturating_sub(1), self.left.1.saturating_sub(entry.size));
                true
            }
            None => false,
        }
    }

    /// Takes all marks off.
    pub fn unmark_all(&mut self) {
        let mut octets = 0u64;
        for entry in &mut self.entries {
            entry.marked = false;
            octets = octets.saturating_add(entry.size);
        }
        self.left = (self.entries.len(), octets);
    }

    /// What is marked, as ranges, ascending. Neighbours here become one range: a UID between them was gone at
    /// login, and a UID never comes back.
    #[must_use]
    pub fn marked(&self) -> Vec<UidRange> {
        let mut ranges: Vec<UidRange> = Vec::new();
        let mut open = false;
        for entry in &self.entries {
            match ranges.last_mut() {
                Some(range) if entry.marked && open => range.last = entry.uid,
                _ if entry.marked => ranges.push(UidRange::one(entry.uid)),
                _ => {}
            }
            open = entry.marked;
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn maildrop(uids: &[u32]) -> Maildrop {
        Maildrop::new(UidValidity(7), uids.iter().map(|u| (Uid(*u), BlobId(i64::from(*u)), u64::from(*u))))
    }

    #[test]
    fn marks_hide_a_message_and_come_off_again() {
        let mut drop = maildrop(&[3, 5, 9]);
        assert_eq!(drop.left(), (3, 17));
        assert!(drop.mark(2));
        assert!(!drop.mark(2), "marked twice");
        assert!(!drop.mark(0) && !drop.mark(4) && !drop.mark(u32::MAX));
        assert_eq!(drop.left(), (2, 12));
        assert!(drop.get(2).is_none());
        assert_eq!(drop.next_from(2).map(|(n, e)| (n, e.uid)), Some((3, Uid(9))));
        drop.unmark_all();
        assert_eq!(drop.left(), (3, 17));
        assert!(drop.marked().is_empty());
    }

    proptest! {
        #[test]
        fn ranges_hold_what_is_marked_and_nothing_that_is_kept(marks in proptest::collection::vec(any::<bool>(), 0..40)) {
            let uids: Vec<u32> = (0..marks.len()).map(|i| u32::try_from(i * 3 + 1).unwrap()).collect();
            let mut drop = maildrop(&uids);
            for (i, _) in marks.iter().enumerate().filter(|(_, m)| **m) {
                drop.mark(u32::try_from(i + 1).unwrap());
            }
            let ranges = drop.marked();
            for (i, mark) in marks.iter().enumerate() {
                let held = ranges.iter().any(|r| r.first.0 <= uids[i] && uids[i] <= r.last.0);
                prop_assert_eq!(held, *mark);
            }
            prop_assert!(ranges.windows(2).all(|w| w[0].last < w[1].first));
        }
    }
}
