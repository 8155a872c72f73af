//! Texts as numbers, each kept once: a message's id stands in the references of all that follow it.

use super::count;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

/// A set of texts, numbered as they come. A table of numbers over one piece of memory: a third of what a map of
/// strings takes. Its hash has a key of its own, so that nobody can choose ids that collide.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    texts: Vec<u8>,
    /// Where each text ends.
    ends: Vec<usize>,
    /// Numbers plus 1 by hash, 0 where there is none; a power of two, half empty at least.
    slots: Vec<u32>,
    hash: RandomState,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Memory held, bytes.
    pub(super) fn bytes(&self) -> usize {
        let ends = self.ends.capacity().saturating_mul(size_of::<usize>());
        let slots = self.slots.len().saturating_mul(size_of::<u32>());
        self.texts.capacity().saturating_add(ends).saturating_add(slots)
    }

    /// The number of a text, given to it if it has none.
    pub(super) fn name(&mut self, text: &[u8]) -> u32 {
        if self.ends.len() >= self.slots.len() / 2 {
            self.grow();
        }
        let slot = self.slot_of(text);
        match self.slots.get(slot).copied().unwrap_or(0).checked_sub(1) {
            Some(number) => number,
            None => {
                let number = count(self.ends.len());
                self.texts.extend_from_slice(text);
                self.ends.push(self.texts.len());
                self.fill(slot, number);
                number
            }
        }
    }

    fn text(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.texts.get(start..end).unwrap_or_default()
    }

    /// Where a text is, or the empty slot where it belongs.
    fn slot_of(&self, text: &[u8]) -> usize {
        let mask = self.slots.len().saturating_sub(1);
        let mut slot = usize::try_from(self.hash.hash_one(text) & u64::from(u32::MAX)).unwrap_or(0) & mask;
        while let Some(number) = self.slots.get(slot).copied().unwrap_or(0).checked_sub(1) {
            if usize::try_from(number).is_ok_and(|number| self.text(number) == text) {
                break;
            }
            slot = slot.wrapping_add(1) & mask;
        }
        slot
    }

    fn fill(&mut self, slot: usize, number: u32) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = number.saturating_add(1);
        }
    }

    fn grow(&mut self) {
        let size = self.slots.len().saturating_mul(2).max(64);
        self.slots = vec![0; size];
        for number in 0..self.ends.len() {
            let slot = self.slot_of(self.text(number));
            self.fill(slot, count(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_text_has_one_number(texts in proptest::collection::vec("[ab]{0,9}", 0..400)) {
            let mut names = Names::default();
            let mut known: Vec<String> = Vec::new();
            for text in texts {
                let expected = known.iter().position(|k| *k == text).unwrap_or(known.len());
                prop_assert_eq!(names.name(text.as_bytes()), u32::try_from(expected).unwrap());
                if expected == known.len() {
                    known.push(text);
                }
            }
            prop_assert_eq!(names.len(), known.len());
        }
    }
}
