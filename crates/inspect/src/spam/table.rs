//! What one owner learned, in memory.

use super::judge::step;
use super::tokens::Identity;
use mailward_store::records::{Lesson, PendingTokens, TokenRow};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// What is known of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) spam: u32,
    pub(super) ham: u32,
    pub(super) weight: i32,
    /// Day since 1970, from its lower 16 bits on enough for 179 years.
    pub(super) seen: u16,
}

/// Tokens of one owner, and how many messages they are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    tokens: HashMap<u64, Counts, BuildHasherDefault<Identity>>,
    /// Messages that were learned as spam.
    pub spam: u64,
    /// As ham.
    pub ham: u64,
}

impl Table {
    /// How many tokens it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }
    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
    pub(super) fn get(&self, token: u64) -> Option<&Counts> {
        self.tokens.get(&token)
    }
    /// As stored.
    pub(super) fn put(&mut self, row: &TokenRow) {
        let seen = day(row.seen);
        self.tokens.insert(row.token, Counts { spam: row.spam, ham: row.ham, weight: row.weight, seen });
    }
    /// Adds to each of some tokens, as the store does.
    pub(super) fn add(&mut self, more: &PendingTokens) {
        let seen = day(more.day);
        for token in &more.tokens {
            let counts = self.tokens.entry(*token).or_default();
            counts.spam = counts.spam.saturating_add_signed(more.spam);
            counts.ham = counts.ham.saturating_add_signed(more.ham);
            counts.weight = counts.weight.saturating_add(more.weight);
            counts.seen = counts.seen.max(seen);
            if counts.spam == 0 && counts.ham == 0 {
                self.tokens.remove(token);
            }
        }
    }
    /// Counts a message that was learned, or taken back.
    pub(super) fn count(&mut self, spam: i32, ham: i32) {
        self.spam = self.spam.saturating_add_signed(spam.into());
        self.ham = self.ham.saturating_add_signed(ham.into());
    }
    /// Learns a message that it doesn't know yet, on a day since 1970: for a table without a store behind it.
    pub fn learn(&mut self, tokens: &[u64], lesson: Lesson, day: u32) {
        let weight = step(tokens, self, None, lesson);
        let (spam, ham) = (i32::from(lesson == Lesson::Spam), i32::from(lesson == Lesson::Ham));
        self.add(&PendingTokens { spam, ham, weight, day, tokens: tokens.to_vec() });
        self.count(spam, ham);
    }
    /// If there are more tokens than `most`: those that give way, an eighth more than has to be, at most `at_once`. The least
    /// useful first: seen in few messages, and long ago.
    #[must_use]
    pub fn excess(&self, most: usize, at_once: usize) -> Vec<u64> {
        let Some(over) = self.tokens.len().checked_sub(most).filter(|over| *over > 0) else { return Vec::new() };
        let give = over.saturating_add(most / 8).min(at_once).min(self.tokens.len());
        let mut least: Vec<(u64, u64)> = self.tokens.iter().map(|(token, counts)| (worth(counts), *token)).collect();
        if give < least.len() {
            least.select_nth_unstable(give);
        }
        least.truncate(give);
        least.into_iter().map(|(_, token)| token).collect()
    }
    /// Takes tokens out.
    pub fn remove(&mut self, tokens: &[u64]) {
        for token in tokens {
            self.tokens.remove(token);
        }
    }
}

fn day(day: u32) -> u16 {
    u16::try_from(day).unwrap_or(u16::MAX)
}

/// What was seen once tells little; of two alike the newer tells more.
fn worth(counts: &Counts) -> u64 {
    let often = u64::from(counts.spam.saturating_add(counts.ham)).min(1_000);
    often.saturating_mul(90).saturating_add(u64::from(counts.seen))
}
