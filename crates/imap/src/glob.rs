//! LIST patterns: `*` matches anything, `%` anything but the delimiter. The cost is length of name times length of
//! pattern over 64, whatever the pattern (attacks G7): all positions are tried at once, a bit each.

use mailward_core::limits::MAILBOX_NAME_MAX;

/// A pattern ready to match many names.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    /// Bits where the byte of the index is the pattern's.
    bytes: Vec<(u8, Vec<u64>)>,
    /// Bits where `*` stands.
    stars: Vec<u64>,
    /// Bits where `%` stands.
    percents: Vec<u64>,
    /// The bit after the last.
    end: usize,
    /// More plain bytes than a name can have.
    hopeless: bool,
}

fn set(bits: &mut [u64], index: usize) {
    if let Some(word) = bits.get_mut(index >> 6) {
        *word |= 1u64 << (index & 63);
    }
}

fn is_set(bits: &[u64], index: usize) -> bool {
    bits.get(index >> 6).is_some_and(|word| word & (1u64 << (index & 63)) != 0)
}

impl Glob {
    /// Reads a pattern.
    #[must_use]
    pub(crate) fn new(pattern: &str) -> Self {
        // Wildcards side by side are one; after this their number is bounded by that of the plain bytes.
        let mut short: Vec<u8> = Vec::with_capacity(pattern.len());
        for byte in pattern.bytes() {
            match (short.last().copied(), byte) {
                (Some(b'*'), b'*' | b'%') | (Some(b'%'), b'%') => {}
                (Some(b'%'), b'*') => {
                    short.pop();
                    short.push(b'*');
                }
                _ => short.push(byte),
            }
        }
        let plain = short.iter().filter(|b| !matches!(b, b'*' | b'%')).count();
        let hopeless = plain > MAILBOX_NAME_MAX;
        if hopeless {
            short.clear();
        }
        let words = (short.len() >> 6).saturating_add(1);
        let mut glob =
            Self { bytes: Vec::new(), stars: vec![0; words], percents: vec![0; words], end: short.len(), hopeless };
        for (index, byte) in short.iter().copied().enumerate() {
            match byte {
                b'*' => set(&mut glob.stars, index),
                b'%' => set(&mut glob.percents, index),
                _ => match glob.bytes.binary_search_by_key(&byte, |(b, _)| *b) {
                    Ok(at) => {
                        if let Some((_, bits)) = glob.bytes.get_mut(at) {
                            set(bits, index);
                        }
                    }
                    Err(at) => {
                        let mut bits = vec![0; words];
                        set(&mut bits, index);
                        glob.bytes.insert(at, (byte, bits));
                    }
                },
            }
        }
        glob
    }

    fn bits_of(&self, byte: u8) -> Option<&[u64]> {
        self.bytes.binary_search_by_key(&byte, |(b, _)| *b).ok().and_then(|at| self.bytes.get(at)).map(|(_, b)| &b[..])
    }

    /// Whether the pattern matches all of the name. `INBOX` at the first level matches in any case.
    #[must_use]
    pub(crate) fn matches(&self, name: &str) -> bool {
        if self.hopeless {
            return false;
        }
        let inbox = if name == "INBOX" || name.starts_with("INBOX/") { 5 } else { 0 };
        let mut at: Vec<u64> = vec![0; self.stars.len()];
        let mut next = at.clone();
        set(&mut at, 0);
        self.skip_wildcards(&mut at);
        for (index, byte) in name.bytes().enumerate() {
            let plain = self.bits_of(byte);
            let lower = if index < inbox { self.bits_of(byte.to_ascii_lowercase()) } else { None };
            let mut carry = 0u64;
            let mut alive = false;
            for (word, to) in next.iter_mut().enumerate() {
                let here = at.get(word).copied().unwrap_or(0);
                let of = |bits: Option<&[u64]>| bits.and_then(|b| b.get(word)).copied().unwrap_or(0);
                let step = here & (of(plain) | of(lower));
                let stay = here & (of(Some(&self.stars)) | if byte == b'/' { 0 } else { of(Some(&self.percents)) });
                *to = (step << 1) | carry | stay;
                carry = step >> 63;
                alive |= *to != 0;
            }
            if !alive {
                return false;
            }
            self.skip_wildcards(&mut next);
            std::mem::swap(&mut at, &mut next);
        }
        is_set(&at, self.end)
    }

    /// A wildcard may match nothing. Two never stand side by side, so that one step is enough.
    fn skip_wildcards(&self, at: &mut [u64]) {
        let mut carry = 0u64;
        for (word, bits) in at.iter_mut().enumerate() {
            let wild = self.stars.get(word).copied().unwrap_or(0) | self.percents.get(word).copied().unwrap_or(0);
            let skip = *bits & wild;
            *bits |= (skip << 1) | carry;
            carry = skip >> 63;
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, in so many words and exponential.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => slow(rest, name) || (!name.is_empty() && slow(pattern, &name[1..])),
            (Some((b'%', rest)), _) => {
                slow(rest, name) || (!name.is_empty() && name[0] != b'/' && slow(pattern, &name[1..]))
            }
            (Some((p, rest)), Some((n, tail))) => p == n && slow(rest, tail),
            _ => false,
        }
    }

    #[test]
    fn stars_cross_levels_and_percents_do_not() {
        assert!(Glob::new("*").matches("a/b/c"));
        assert!(!Glob::new("%").matches("a/b"));
        assert!(Glob::new("%/%").matches("a/b"));
        assert!(Glob::new("a*c").matches("a/b/c"));
        assert!(!Glob::new("").matches("a"));
        assert!(Glob::new("").matches(""));
    }

    #[test]
    fn inbox_matches_in_any_case_and_only_at_the_first_level() {
        assert!(Glob::new("inbox").matches("INBOX"));
        assert!(Glob::new("InBox/%").matches("INBOX/a"));
        assert!(!Glob::new("a/inbox").matches("a/INBOX"));
        assert!(!Glob::new("inboxes").matches("INBOX"));
    }

    /// Attacks G7.
    #[test]
    fn a_pattern_of_wildcards_costs_no_more_than_another() {
        let pattern = "*%*a".repeat(16_000);
        let name = "a".repeat(MAILBOX_NAME_MAX);
        let started = std::time::Instant::now();
        assert!(!Glob::new(&pattern).matches(&name));
        let glob = Glob::new(&"*%*a".repeat(500));
        for _ in 0..100 {
            assert!(glob.matches(&name));
            assert!(!glob.matches("b"));
        }
        // Not a benchmark: the exponential way would outlast the machine.
        assert!(started.elapsed().as_secs() < 30);
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_definition(pattern in "[ab/*%]{0,10}", name in "[ab/]{0,10}") {
            prop_assert_eq!(Glob::new(&pattern).matches(&name), slow(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn long_patterns_cross_word_ends(n in 50usize..200, tail in "[ab]{0,5}") {
            let pattern = format!("{}%{}", "a".repeat(n), tail);
            let name = format!("{}xyz{}", "a".repeat(n), tail);
            let shorter = "a".repeat(n - 1);
            prop_assert!(Glob::new(&pattern).matches(&name));
            prop_assert!(!Glob::new(&pattern).matches(&shorter));
        }
    }
}
