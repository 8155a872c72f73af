//! Contents that nobody can search: those that are only in the queue. They come and go by the thousand, so that making
//! entries for them would be most of the index's work. They are listed as unindexed while they are there, which is true
//! whatever becomes of them: if a mailbox gets one, a search reads it.

use mailward_core::BlobId;
use mailward_core::limits::INDEX_OWED_MAX;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the committer tells, and the index's thread hears.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Came with the queue alone, and are there.
    there: HashSet<BlobId>,
    /// Were so, and went since it was last asked.
    left: Vec<BlobId>,
}

impl Owed {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit brought these, for the queue alone, and took others away; answers how many of those that went were none
    /// of these. Beyond `limits::INDEX_OWED_MAX` contents are like all others.
    pub(super) fn committed(&self, came: &[BlobId], gone: impl IntoIterator<Item = BlobId>) -> u64 {
        let mut state = self.lock();
        let State { there, left } = &mut *state;
        let room = INDEX_OWED_MAX.saturating_sub(there.len());
        there.extend(came.iter().take(room));
        let mut others = 0u64;
        for blob in gone {
            if there.remove(&blob) && left.len() < INDEX_OWED_MAX {
                left.push(blob);
            } else {
                others = others.saturating_add(1);
            }
        }
        others
    }

    /// Whether it came with the queue alone, and is there.
    pub(super) fn contains(&self, blob: BlobId) -> bool {
        self.lock().there.contains(&blob)
    }

    /// Those that went since.
    pub(super) fn take_left(&self) -> Vec<BlobId> {
        std::mem::take(&mut self.lock().left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_for_the_queue_is_known_until_it_goes() {
        let owed = Owed::default();
        assert_eq!(owed.committed(&[BlobId(1), BlobId(2)], []), 0);
        assert!(owed.contains(BlobId(1)) && !owed.contains(BlobId(3)));
        assert_eq!(owed.committed(&[], [BlobId(1), BlobId(3)]), 1);
        assert!(!owed.contains(BlobId(1)));
        assert_eq!(owed.take_left(), [BlobId(1)]);
        assert_eq!(owed.take_left(), []);
    }

    #[test]
    fn a_long_queue_holds_no_more_than_its_limit() {
        let owed = Owed::default();
        let many: Vec<BlobId> = (0..=INDEX_OWED_MAX as i64).map(BlobId).collect();
        owed.committed(&many, []);
        assert!(owed.contains(BlobId(0)) && !owed.contains(BlobId(INDEX_OWED_MAX as i64)));
        // Where nobody asks for what went, that ends, too.
        assert_eq!(owed.committed(&[], many.clone()), 1);
        owed.committed(&many, []);
        assert_eq!(owed.committed(&[], many.clone()), many.len() as u64);
        assert_eq!(owed.take_left().len(), INDEX_OWED_MAX);
    }
}
