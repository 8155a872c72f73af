//! What the numbers of a font's glyphs mean, as the font's own map says it (`ToUnicode`, ISO 32000-2 §9.10.3).

use super::tokens::{Token, string_text, tokens};
use crate::bytes::{find, from, head, holds};
use std::collections::{BTreeMap, HashMap};

/// Longest code of a glyph, bytes (ISO 32000-2 §9.7.6.2).
const CODE_MAX: usize = 4;
/// Longest text that one glyph stands for, bytes of UTF-16: a ligature's.
const MEANING_MAX: usize = 64;

/// One font's map.
#[derive(Debug, Default)]
pub(super) struct Glyphs {
    /// What a code means, by its length in bytes and its value.
    single: HashMap<(usize, u32), String>,
    /// Codes in a row whose meanings are in a row, too: by length and first value the last value and the first meaning.
    rows: BTreeMap<(usize, u32), (u32, String)>,
    /// How long codes are, the shortest first.
    lens: Vec<usize>,
}

/// Whether a stream is such a map.
pub(super) fn is_map(stream: &[u8]) -> bool {
    holds(stream, b"begincmap")
}

impl Glyphs {
    /// Reads a map; takes what it keeps from `left`, a number of entries.
    pub(super) fn of(stream: &[u8], left: &mut usize) -> Self {
        let mut map = Self::default();
        for section in sections(stream, b"beginbfchar", b"endbfchar") {
            let mut strings = strings(section);
            while let (Some(code), Some(meaning)) = (strings.next(), strings.next()) {
                map.meaning(&code, &meaning, left);
            }
        }
        for section in sections(stream, b"beginbfrange", b"endbfrange") {
            map.rows(section, left);
        }
        map.lens.sort_unstable();
        map
    }

    fn rows(&mut self, section: &[u8], left: &mut usize) {
        let mut rest = section;
        while let (Some(first), Some(last)) = (next_string(&mut rest), next_string(&mut rest)) {
            let open = rest.iter().position(|b| matches!(b, b'[' | b'<'));
            if let Some(at) = open.filter(|at| rest.get(*at) == Some(&b'[')) {
                let list = from(rest, at.saturating_add(1));
                let end = list.iter().position(|b| *b == b']').unwrap_or(list.len());
                rest = from(list, end);
                let Some((len, mut code)) = code_of(&first) else { continue };
                for meaning in strings(head(list, end)) {
                    self.keep(len, code, text_of(&meaning), left);
                    code = code.wrapping_add(1);
                }
            } else {
                let Some(meaning) = next_string(&mut rest) else { break };
                let (Some((len, low)), Some((_, high))) = (code_of(&first), code_of(&last)) else { continue };
                if take(left) {
                    self.known_len(len);
                    self.rows.entry((len, low)).or_insert_with(|| (high, text_of(&meaning)));
                }
            }
        }
    }

    fn meaning(&mut self, code: &[u8], meaning: &[u8], left: &mut usize) {
        if let Some((len, code)) = code_of(code) {
            self.keep(len, code, text_of(meaning), left);
        }
    }

    fn keep(&mut self, len: usize, code: u32, meaning: String, left: &mut usize) {
        if take(left) {
            self.known_len(len);
            self.single.entry((len, code)).or_insert(meaning);
        }
    }

    fn known_len(&mut self, len: usize) {
        if !self.lens.contains(&len) {
            self.lens.push(len);
        }
    }

    /// Adds to `text` what a string of codes means; tells how many of them mean nothing.
    pub(super) fn read(&self, string: &[u8], text: &mut String) -> usize {
        let (mut rest, mut unknown) = (string, 0_usize);
        while !rest.is_empty() {
            let found = self.lens.iter().find_map(|len| {
                let (len, code) = code_of(rest.get(..*len)?)?;
                self.one(len, code, text).map(|()| len)
            });
            let len = match found {
                Some(len) => len,
                None => {
                    unknown = unknown.saturating_add(1);
                    self.lens.first().copied().unwrap_or(1)
                }
            };
            rest = from(rest, len);
        }
        unknown
    }

    fn one(&self, len: usize, code: u32, text: &mut String) -> Option<()> {
        if let Some(meaning) = self.single.get(&(len, code)) {
            text.push_str(meaning);
            return Some(());
        }
        let ((row_len, low), (high, meaning)) = self.rows.range(..=(len, code)).next_back()?;
        if *row_len != len || code > *high {
            return None;
        }
        // Only the last character counts on.
        let mut letters = meaning.chars();
        let last = letters.next_back()?;
        let counted = char::from_u32(u32::from(last).checked_add(code.checked_sub(*low)?)?)?;
        text.push_str(letters.as_str());
        text.push(counted);
        Some(())
    }
}

fn take(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

/// What stands between two words, each time.
fn sections<'b>(bytes: &'b [u8], begin: &'b [u8], end: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let inside = from(rest, find(rest, begin)?.saturating_add(begin.len()));
        let len = find(inside, end).unwrap_or(inside.len());
        rest = from(inside, len);
        Some(head(inside, len))
    })
}

fn strings(section: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    tokens(section).filter_map(|token| match token {
        Token::String(text) => Some(text),
        _ => None,
    })
}

/// The next string in digits, which is taken off.
fn next_string(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let at = rest.iter().position(|b| *b == b'<')?;
    let inside = from(rest, at.saturating_add(1));
    let (text, len) = super::tokens::digits(inside)?;
    *rest = from(inside, len);
    Some(text)
}

fn code_of(raw: &[u8]) -> Option<(usize, u32)> {
    ((1..=CODE_MAX).contains(&raw.len()))
        .then(|| (raw.len(), raw.iter().fold(0_u32, |code, byte| code << 8_u32 | u32::from(*byte))))
}

/// UTF-16 without a mark.
fn text_of(raw: &[u8]) -> String {
    let marked = [&[0xfe, 0xff][..], head(raw, MEANING_MAX)].concat();
    string_text(&marked)
}
