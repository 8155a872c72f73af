//! The beginning of a file as text that can be compared: one byte a character, lower case.

use crate::bytes::{from, head, trim_start};
use mailward_core::limits::KIND_TEXT_LOOKED;

/// Bytes that are counted to tell text from other data.
const COUNTED: usize = 4_096;

/// Whether a byte is a control character that text hasn't.
const ODD: [bool; 256] = odd();

#[expect(clippy::indexing_slicing, reason = "every u8 is below 256; a constant")]
#[expect(clippy::arithmetic_side_effects, reason = "counts to 128; a constant")]
const fn odd() -> [bool; 256] {
    let mut odd = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        odd[byte as usize] = matches!(byte, 0..=6 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f);
        byte += 1;
    }
    odd
}

/// A file's beginning, as programs that read text see it.
#[derive(Debug)]
pub(crate) struct View {
    lower: Vec<u8>,
    /// Whether it is text at all.
    pub(crate) is_text: bool,
}

/// How characters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wide {
    /// One byte or several, ASCII as itself.
    No,
    /// UTF-16, the low byte first.
    Little,
    /// UTF-16, the high byte first.
    Big,
}

/// How characters are written, and how many bytes say so. UTF-16 without a mark is known by its NULs.
pub(crate) fn wide(bytes: &[u8]) -> (Wide, usize) {
    match bytes {
        [0xff, 0xfe, ..] => return (Wide::Little, 2),
        [0xfe, 0xff, ..] => return (Wide::Big, 2),
        [0xef, 0xbb, 0xbf, ..] => return (Wide::No, 3),
        _ => {}
    }
    let start = head(bytes, 512);
    let nuls = |odd: usize| start.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, half) = (nuls(0), nuls(1), start.len() / 2);
    if half >= 4 && odd.saturating_mul(10) >= half.saturating_mul(7) && even.saturating_mul(20) <= half {
        (Wide::Little, 0)
    } else if half >= 4 && even.saturating_mul(10) >= half.saturating_mul(7) && odd.saturating_mul(20) <= half {
        (Wide::Big, 0)
    } else {
        (Wide::No, 0)
    }
}

impl View {
    /// Of a file's beginning, `limits::KIND_TEXT_LOOKED` bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let (width, mark) = wide(bytes);
        let start = head(from(bytes, mark), KIND_TEXT_LOOKED);
        let pair = |pair: &[u8]| match (width, pair) {
            (Wide::Little, [low, 0]) | (Wide::Big, [0, low]) => *low,
            // Not ASCII: some character, but no control.
            _ => 0x80,
        };
        let mut lower: Vec<u8> =
            if width == Wide::No { start.to_vec() } else { start.chunks_exact(2).map(pair).collect() };
        lower.make_ascii_lowercase();
        let counted = head(&lower, COUNTED);
        let odd = counted.iter().filter(|b| ODD.get(usize::from(**b)).is_some_and(|odd| *odd)).count();
        let is_text =
            !counted.is_empty() && odd.saturating_mul(200) < counted.len() && memchr::memchr(0, counted).is_none();
        Self { lower, is_text }
    }

    /// All of it, lower case.
    pub(crate) fn all(&self) -> &[u8] {
        &self.lower
    }

    /// Without leading blanks.
    pub(crate) fn trimmed(&self) -> &[u8] {
        trim_start(&self.lower)
    }

    /// Whether these bytes (lower case) stand in it.
    pub(crate) fn holds(&self, what: &[u8]) -> bool {
        crate::bytes::holds(&self.lower, what)
    }

    /// Whether this byte (lower case) stands in it.
    pub(crate) fn has(&self, byte: u8) -> bool {
        memchr::memchr(byte, &self.lower).is_some()
    }

    /// How many of these stand in it.
    pub(crate) fn count(&self, what: &[&[u8]]) -> usize {
        what.iter().filter(|w| self.holds(w)).count()
    }

    /// Its lines, without blanks around, none empty.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lower.split(|b| *b == b'\n' || *b == b'\r').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
    }

    /// Whether a line begins with these bytes.
    pub(crate) fn begins_line(&self, what: &[u8]) -> bool {
        let mut rest = self.all();
        while let Some(at) = crate::bytes::find(rest, what) {
            let before = head(rest, at);
            if before.trim_ascii_end().is_empty() || matches!(last_but_blanks(before), Some(b'\n' | b'\r')) {
                return true;
            }
            rest = from(rest, at.saturating_add(what.len()));
        }
        false
    }
}

/// The last byte before blanks; a line end is none.
fn last_but_blanks(bytes: &[u8]) -> Option<u8> {
    bytes.iter().rev().take(64).find(|b| !matches!(b, b' ' | b'\t')).copied()
}

/// Whether a line is a sentence of a language that people speak, and no comment of a program.
pub(crate) fn is_prose(line: &[u8]) -> bool {
    const COMMENTS: [&[u8]; 9] = [b"//", b"'", b"#", b"rem ", b"::", b"*", b"/*", b"<!--", b";"];
    if line.starts_with(b">") {
        return true;
    }
    if COMMENTS.iter().any(|c| line.starts_with(c)) {
        return false;
    }
    let (mut all, mut words) = (0_usize, 0_usize);
    for word in head(line, 1_000).split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()) {
        all = all.saturating_add(1);
        let bare = word
            .strip_suffix(b".")
            .or_else(|| word.strip_suffix(b","))
            .or_else(|| word.strip_suffix(b":"))
            .unwrap_or(word);
        let is_word = bare.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'\'' | b'?' | b'!' | 0x80..));
        words = words.saturating_add(usize::from(is_word));
    }
    words >= 4 && words.saturating_mul(10) >= all.saturating_mul(7)
}
