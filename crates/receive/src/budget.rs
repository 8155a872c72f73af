//! Message bytes that all sessions together hold in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is left for messages on their way. A clone is the same budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<AtomicUsize>);

/// A part of the budget that one message takes; given back on drop.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }
    /// A share that takes nothing yet.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
    /// Bytes left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Makes the share `bytes` large; tells whether there was so much. It stays as it was if not.
    #[must_use]
    pub fn resize(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes {
            self.budget.0.fetch_add(self.bytes.saturating_sub(bytes), Ordering::AcqRel);
            self.bytes = bytes;
            return true;
        }
        let more = bytes.saturating_sub(self.bytes);
        let took = self.budget.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |left| left.checked_sub(more));
        if took.is_ok() {
            self.bytes = bytes;
        }
        took.is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_end_at_the_budget_and_come_back() {
        let budget = Budget::new(100);
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.resize(60));
        assert!(!two.resize(41), "one byte too many");
        assert!(two.resize(40));
        assert!(one.resize(10), "shrinking always works");
        assert_eq!(budget.left(), 50);
        drop((one, two));
        assert_eq!(budget.left(), 100);
    }
}
