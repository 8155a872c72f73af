//! Where contents lay that have just gone: whoever is in the middle of one reads it to its end. Their bytes stay in the pack
//! until it is rewritten, which is far off for most; then they are gone here as well.

use crate::pack::writer::Place;
use mailward_core::BlobId;
use mailward_core::limits::DEPARTED_MAX;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A content that goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone {
    pub(crate) blob: BlobId,
    pub(crate) place: Place,
    pub(crate) size: u64,
}

/// The last `limits::DEPARTED_MAX` that went. Ids are never given again, nor are numbers of packs while the store is open.
#[derive(Debug, Default)]
pub(crate) struct Departed(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<BlobId, Gone>,
    order: VecDeque<BlobId>,
}

impl Departed {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the commit that takes them, so that no reader finds neither their rows nor them here.
    pub(crate) fn going(&self, gone: &[Gone]) {
        if gone.is_empty() {
            return;
        }
        let mut state = self.lock();
        for one in gone {
            if state.known.insert(one.blob, *one).is_none() {
                state.order.push_back(one.blob);
            }
        }
        while state.order.len() > DEPARTED_MAX {
            if let Some(oldest) = state.order.pop_front() {
                state.known.remove(&oldest);
            }
        }
    }

    /// Pack, offset and size of one that went.
    pub(crate) fn find(&self, blob: BlobId) -> Option<(u32, u64, u64)> {
        let gone = *self.lock().known.get(&blob)?;
        Some((gone.place.pack, gone.place.offset, gone.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_went_are_known_and_no_more() {
        let departed = Departed::default();
        let gone = |id: i64| Gone { blob: BlobId(id), place: Place { pack: 1, offset: 64 }, size: 9 };
        departed.going(&[gone(1), gone(1)]);
        assert_eq!(departed.find(BlobId(1)), Some((1, 64, 9)));
        let more: Vec<Gone> = (2..2 + DEPARTED_MAX as i64).map(gone).collect();
        departed.going(&more);
        assert_eq!(departed.find(BlobId(1)), None);
        assert!(departed.find(BlobId(2)).is_some());
        let state = departed.lock();
        assert_eq!((state.known.len(), state.order.len()), (DEPARTED_MAX, DEPARTED_MAX));
    }
}
