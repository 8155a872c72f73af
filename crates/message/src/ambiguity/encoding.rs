//! Doubts of transfer encodings.

use super::head::Head;
use super::{Finder, Kind, shown};
use crate::bytes::{from, is_blank, line_end, sub, trim, without_end};
use crate::content::hex;
use crate::header::unfold;
use crate::structure::Part;
use mailward_core::limits::BODY_LINE_STANDARD_MAX;

/// What base64 makes of a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Digit = 0,
    Padding,
    Blank,
    Junk,
}

const CLASSES: [Class; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "every u8 is below 256; a constant")]
#[expect(clippy::arithmetic_side_effects, reason = "counts to 256; a constant")]
const fn classes() -> [Class; 256] {
    let mut classes = [Class::Junk; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let b = byte as u8;
        classes[byte] = match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => Class::Digit,
            b'=' => Class::Padding,
            b' ' | b'\t' | b'\r' | b'\n' => Class::Blank,
            _ => Class::Junk,
        };
        byte += 1;
    }
    classes
}

fn class(byte: u8) -> Class {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(Class::Junk)
}

/// Whether a line is digits of base64 alone. Without a branch for each byte: nearly all lines are.
fn all_digits(line: &[u8]) -> bool {
    line.iter().fold(0, |any, byte| any | class(*byte) as u8) == Class::Digit as u8
}

/// Whether a byte is a digit of base64, or its padding.
pub(super) fn is_base64(byte: u8) -> bool {
    matches!(class(byte), Class::Digit | Class::Padding)
}

impl Finder<'_> {
    /// Looks at a leaf's encoding, and at how its body keeps to it. Whether a text in it may have overlong characters.
    pub(super) fn encoding(&mut self, index: usize, part: &Part, head: &Head<'_>) -> bool {
        let body = self.body(part);
        let at = part.header.start;
        if let Some(value) = head.written_encoding {
            let value = unfold(value);
            let bare = trim(&value);
            if !bare.is_empty() && !bare.eq_ignore_ascii_case(head.encoding.as_bytes()) {
                self.note(Kind::EncodingWritten, index, at, || shown(bare));
            }
        }
        if head.is_identity() || !self.spend(index, body.len()) {
            return true;
        }
        match head.encoding.as_str() {
            "base64" => self.base64(index, part.body.start, body),
            "quoted-printable" => return self.quoted(index, part.body.start, body) || !body.is_ascii(),
            "uuencode" | "x-uuencode" | "uue" | "x-uue" | "x-yenc" | "yenc" | "binhex" | "x-binhex40" | "x-gzip64" => {
                self.note(Kind::EncodingRare, index, at, || head.encoding.clone());
            }
            _ if looks_encoded(body) => self.note(Kind::EncodingHides, index, at, || head.encoding.clone()),
            _ => self.note(Kind::EncodingUnknown, index, at, || head.encoding.clone()),
        }
        true
    }

    fn base64(&mut self, index: usize, start: u64, body: &[u8]) {
        let seen = Base64::of(body);
        let at = |at: usize| start.saturating_add(at as u64);
        let from_line = |at: usize| shown(sub(body, line_start(body, at)..line_end(body, at)));
        match seen.junk {
            Some(junk) if seen.last_whole.is_some_and(|whole| whole > junk) => {
                self.note(Kind::Base64Junk, index, at(junk), || from_line(junk));
            }
            Some(junk) => self.note(Kind::Base64Trailing, index, at(junk), || from_line(junk)),
            None => {}
        }
        if let Some(more) = seen.behind_padding {
            self.note(Kind::Base64Padding, index, at(more), || from_line(more));
        }
        if seen.incomplete && seen.junk.is_none() {
            self.note(Kind::Base64Incomplete, index, start, || format!("{} digits", seen.digits));
        }
        if let Some(line) = seen.long_line {
            self.note(Kind::LineLong, index, at(line), String::new);
        }
    }

    /// Whether it has what could be an overlong character.
    fn quoted(&mut self, index: usize, start: u64, body: &[u8]) -> bool {
        /// Characters of a line that is chopped, and how many such lines are no accident.
        const CHOPPED: (usize, usize) = (4, 20);
        let (mut soft, mut chopped, mut soft_end) = (0_usize, 0_usize, 0_usize);
        let mut overlong = false;
        for at in memchr::memchr_iter(b'=', body) {
            let place = start.saturating_add(at as u64);
            let near = || shown(sub(body, at.saturating_sub(20)..at.saturating_add(20).min(body.len())));
            let rest = from(body, at.saturating_add(1));
            match rest {
                [b'\n', ..] | [b'\r', b'\n', ..] => {
                    soft = soft.saturating_add(1);
                    if at.saturating_sub(soft_end) <= CHOPPED.0 {
                        chopped = chopped.saturating_add(1);
                    }
                    soft_end = line_end(body, at);
                }
                [high, low, ..] if hex(*high).is_some() && hex(*low).is_some() => {
                    if high.is_ascii_lowercase() || low.is_ascii_lowercase() {
                        self.note(Kind::QuotedLower, index, place, near);
                    }
                    overlong |= begins_overlong(rest);
                }
                _ => {
                    let blanks = rest.iter().take_while(|b| is_blank(**b)).count();
                    match from(rest, blanks) {
                        [b'\n', ..] | [b'\r', b'\n', ..] if blanks > 0 && blanks <= BODY_LINE_STANDARD_MAX => {
                            self.note(Kind::QuotedBlank, index, place, near);
                        }
                        _ => self.note(Kind::QuotedInvalid, index, place, near),
                    }
                }
            }
        }
        if chopped >= CHOPPED.1 && chopped.saturating_mul(2) > soft {
            self.note(Kind::QuotedChopped, index, start, || format!("{chopped} of {soft} soft line breaks"));
        }
        let mut line = 0;
        for end in memchr::memchr_iter(b'\n', body) {
            if end.saturating_sub(line) > BODY_LINE_STANDARD_MAX.saturating_add(2) {
                self.note(Kind::LineLong, index, start.saturating_add(line as u64), String::new);
                break;
            }
            line = end;
        }
        overlong
    }
}

/// Whether two digits and what follows them may begin a character in more bytes than it takes.
fn begins_overlong(digits: &[u8]) -> bool {
    // The next byte may stand behind a soft line break.
    let next = || matches!(digits.get(2..4), Some([b'=', b'8' | b'9' | b'\r' | b'\n' | b' ' | b'\t']));
    match digits {
        [b'C' | b'c', b'0' | b'1', ..] => true,
        [b'E' | b'e' | b'F' | b'f', b'0', ..] => next(),
        _ => false,
    }
}

/// What stands in a body that is said to be base64.
#[derive(Default)]
pub(super) struct Base64 {
    digits: usize,
    /// Where the first character is that doesn't belong there.
    pub junk: Option<usize>,
    /// Where the last line begins that is nothing but base64, of some length.
    last_whole: Option<usize>,
    /// Where the first padding is.
    pub padding: Option<usize>,
    /// Where base64 goes on behind padding.
    pub behind_padding: Option<usize>,
    incomplete: bool,
    long_line: Option<usize>,
}

impl Base64 {
    pub(super) fn of(body: &[u8]) -> Self {
        /// Digits of a line that isn't a word of a text.
        const LINE: usize = 40;
        let mut seen = Self::default();
        let mut at = 0;
        let mut padded = 0_usize;
        // Once text follows the padding, what follows is no base64.
        let mut text = false;
        while at < body.len() {
            let end = line_end(body, at);
            let line = without_end(sub(body, at..end));
            if line.len() > BODY_LINE_STANDARD_MAX {
                seen.long_line.get_or_insert(at);
            }
            let digits = if all_digits(line) {
                line.len()
            } else {
                line.iter().take_while(|b| class(**b) == Class::Digit).count()
            };
            let before = seen.padding.is_some();
            let whole = digits == line.len() || seen.rest(line, at, digits, &mut padded);
            if before && !text && digits > 0 {
                if whole && digits >= 4 && (digits.is_multiple_of(4) || line.ends_with(b"=")) {
                    seen.behind_padding.get_or_insert(at);
                } else if !whole {
                    text = true;
                }
            }
            seen.digits = seen.digits.saturating_add(digits);
            if whole && line.len() >= LINE {
                seen.last_whole = Some(at);
            }
            at = end;
        }
        seen.incomplete = seen.digits.saturating_add(padded) % 4 != 0;
        seen
    }

    /// Looks at what follows the digits that a line begins with; whether the line is base64 alone.
    fn rest(&mut self, line: &[u8], at: usize, digits: usize, padded: &mut usize) -> bool {
        let mut whole = true;
        let mut padding = false;
        for (n, byte) in from(line, digits).iter().enumerate() {
            let here = at.saturating_add(digits).saturating_add(n);
            match class(*byte) {
                Class::Padding => {
                    padding = true;
                    *padded = padded.saturating_add(1);
                    self.padding.get_or_insert(here);
                }
                Class::Blank => {}
                Class::Junk => {
                    whole = false;
                    self.junk.get_or_insert(here);
                }
                Class::Digit => {
                    self.digits = self.digits.saturating_add(1);
                    // On one line there is no text between.
                    if padding && whole {
                        self.behind_padding.get_or_insert(here);
                    }
                    // Words of a text.
                    whole &= !matches!(from(line, digits).get(n.saturating_sub(1)), Some(b' ' | b'\t'));
                }
            }
        }
        whole
    }
}

/// Whether a body is base64, whatever it's said to be.
fn looks_encoded(body: &[u8]) -> bool {
    /// Bytes that no honest text has without blanks between words.
    const LEAST: usize = 60;
    let body = trim(body);
    body.len() >= LEAST && body.iter().all(|b| is_base64(*b) || matches!(b, b'\r' | b'\n')) && {
        let line = without_end(sub(body, 0..line_end(body, 0)));
        line.len() >= LEAST || line.len().is_multiple_of(4)
    }
}

fn line_start(bytes: &[u8], at: usize) -> usize {
    memchr::memrchr(b'\n', sub(bytes, 0..at)).map_or(0, |n| n.saturating_add(1))
}
