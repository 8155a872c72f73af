//! Numbers by chance: for jitter, for hosts that share a load, for names that nobody outside can guess.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Keyed by the system's randomness when it is made; each number is another.
#[derive(Debug, Default)]
pub(crate) struct Chance {
    key: RandomState,
    drawn: AtomicU64,
}

impl Chance {
    pub(crate) fn draw(&self) -> u64 {
        self.key.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed))
    }
}
