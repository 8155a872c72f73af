//! Some of a message's recipients.

/// A set of places in the transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// The first so many.
    pub(super) fn all(count: usize) -> Self {
        Self::of(count, |_| true)
    }

    /// Those of the first so many that are wanted.
    pub(super) fn of(count: usize, wanted: impl Fn(usize) -> bool) -> Self {
        let mut words = vec![0; count.div_ceil(64)];
        for place in (0..count).filter(|place| wanted(*place)) {
            if let Some(word) = words.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
        Self(words)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Those that are in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    pub(super) fn remove(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= !b);
    }

    pub(super) fn places(&self) -> Vec<usize> {
        let most = self.0.len().saturating_mul(64);
        (0..most).filter(|place| self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)).collect()
    }
}
