//! Doubts of texts: charsets, and files put into them.

use super::head::Head;
use super::{Finder, Kind, shown};
use crate::bytes::{from, line_end, sub, trim};
use crate::decode::{base64, quoted_printable};
use crate::structure::Part;
use encoding_rs::Encoding;
use std::borrow::Cow;

/// What a charset's name tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    /// Read alike by all.
    Plain,
    /// UTF-8, or ASCII, which is read as UTF-8.
    Utf8,
    Utf7,
    Wide,
    Shift,
    Unknown,
}

impl Charset {
    pub(super) fn of(label: Option<&str>) -> Self {
        let Some(label) = label.map(|l| l.trim().to_ascii_lowercase()) else { return Self::Utf8 };
        match label.as_str() {
            "" | "us-ascii" | "ascii" | "utf-8" | "utf8" | "unicode-1-1-utf-8" => Self::Utf8,
            "utf-7"
            | "utf7"
            | "unicode-1-1-utf-7"
            | "x-unicode-2-0-utf-7"
            | "csunicode11utf7"
            | "unicode-2-0-utf-7" => Self::Utf7,
            "iso-2022-kr" | "csiso2022kr" | "iso-2022-cn" | "iso-2022-cn-ext" | "hz-gb-2312" => Self::Shift,
            _ if [
                "utf-16",
                "utf16",
                "utf-32",
                "utf32",
                "ucs-2",
                "ucs-4",
                "iso-10646-ucs",
                "unicodefffe",
                "unicodefeff",
            ]
            .iter()
            .any(|wide| label.starts_with(wide)) =>
            {
                Self::Wide
            }
            _ if Encoding::for_label_no_replacement(label.as_bytes()).is_some() => Self::Plain,
            _ => Self::Unknown,
        }
    }
}

impl Finder<'_> {
    /// Looks at a leaf that is a text; `overlong`: whether it may have overlong characters.
    pub(super) fn text(&mut self, index: usize, part: &Part, head: &Head<'_>, overlong: bool) {
        // Also what says nothing, or nothing readable, is text.
        let said = head.parsed.as_ref().is_none_or(|t| t.media_type == "text");
        if !said || !part.is_text() {
            return;
        }
        let label = part.param("charset");
        let html = matches!(part.subtype.as_str(), "html" | "xml" | "xhtml");
        let at = part.header.start;
        let evidence = || label.unwrap_or_default().to_owned();
        let charset = Charset::of(label);
        match charset {
            Charset::Utf7 if html => self.note(Kind::CharsetUtf7Html, index, at, evidence),
            Charset::Utf7 => self.note(Kind::CharsetUtf7, index, at, evidence),
            Charset::Wide => self.note(Kind::CharsetWide, index, at, evidence),
            Charset::Shift => self.note(Kind::CharsetShift, index, at, evidence),
            Charset::Unknown => self.note(Kind::CharsetUnknown, index, at, evidence),
            Charset::Utf8 | Charset::Plain => {}
        }
        let body = self.body(part);
        // Three looks, for NULs, overlong characters and files.
        if !self.spend(index, body.len()) {
            return;
        }
        // What says nothing may be in any charset of the east, where such bytes are letters.
        if overlong
            && charset == Charset::Utf8
            && label.is_some_and(|l| l.trim().to_ascii_lowercase().starts_with("utf"))
        {
            self.overlong(index, part, head, body);
        }
        if head.is_identity() {
            if charset != Charset::Wide
                && let Some(nul) = memchr::memchr(0, body)
            {
                self.note(Kind::NulInText, index, part.body.start.saturating_add(nul as u64), || {
                    shown(sub(body, nul.saturating_sub(20)..nul))
                });
            }
            if let Some(begin) = file_in_text(body) {
                let line = from(body, begin);
                self.note(Kind::FileInText, index, part.body.start.saturating_add(begin as u64), || {
                    shown(sub(line, 0..line_end(line, 0)))
                });
            }
        }
    }

    fn overlong(&mut self, index: usize, part: &Part, head: &Head<'_>, body: &[u8]) {
        let decoded: Cow<'_, [u8]> = match head.encoding.as_str() {
            "quoted-printable" => Cow::Owned(quoted_printable(body)),
            "base64" => Cow::Owned(base64(body)),
            _ => Cow::Borrowed(body),
        };
        if let Some(at) = overlong_at(&decoded) {
            self.note(Kind::CharsetOverlong, index, part.body.start, || {
                let bytes = sub(&decoded, at..at.saturating_add(4).min(decoded.len()));
                bytes.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(" ")
            });
        }
    }
}

/// Where the first character stands that takes more bytes than it needs (RFC 3629 §3).
fn overlong_at(bytes: &[u8]) -> Option<usize> {
    if std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    bytes.windows(3).position(|w| match w {
        [0xc0 | 0xc1, 0x80..=0xbf, _] => true,
        [0xe0, 0x80..=0x9f, 0x80..=0xbf] => true,
        // Of four bytes; the fourth says nothing.
        [0xf0, 0x80..=0x8f, 0x80..=0xbf] => true,
        _ => false,
    })
}

/// Bytes with overlong characters made what lenient decoders make of them.
pub(super) fn shortest(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let low = |b: u8| u32::from(b & 0x3f);
    loop {
        let (code, len) = match rest {
            [] => return out,
            [lead @ (0xc0 | 0xc1), a @ 0x80..=0xbf, ..] => (u32::from(lead & 0x1f) << 6 | low(*a), 2),
            [0xe0, a @ 0x80..=0x9f, b @ 0x80..=0xbf, ..] => (low(*a) << 6 | low(*b), 3),
            [0xf0, a @ 0x80..=0x8f, b @ 0x80..=0xbf, c @ 0x80..=0xbf, ..] => {
                (low(*a) << 12 | low(*b) << 6 | low(*c), 4)
            }
            [byte, ..] => {
                out.push(*byte);
                rest = from(rest, 1);
                continue;
            }
        };
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = from(rest, len);
    }
}

/// Text of UTF-7 (RFC 2152); what is no UTF-7 stays as it is.
pub(super) fn utf7(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'+', rest) {
        out.extend_from_slice(sub(rest, 0..at));
        rest = from(rest, at.saturating_add(1));
        let digits = rest.iter().take_while(|b| super::encoding::is_base64(**b) && **b != b'=').count();
        if digits == 0 {
            out.push(b'+');
        } else {
            let units = base64(sub(rest, 0..digits));
            let units: Vec<u16> =
                units.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, b| unit << 8 | u16::from(*b))).collect();
            out.extend_from_slice(String::from_utf16_lossy(&units).as_bytes());
            rest = from(rest, digits);
        }
        rest = rest.strip_prefix(b"-").unwrap_or(rest);
    }
    out.extend_from_slice(rest);
    out
}

/// Where a file begins that is put into a text.
fn file_in_text(body: &[u8]) -> Option<usize> {
    let first = (is_begin(sub(body, 0..line_end(body, 0))) || is_other_begin(body)).then_some(0);
    let within = || {
        let uu = memchr::memmem::find_iter(body, b"\nbegin ").map(|at| at.saturating_add(1));
        uu.into_iter().find(|at| is_begin(sub(body, *at..line_end(body, *at))))
    };
    let other = || {
        let yenc = memchr::memmem::find(body, b"\n=ybegin ").map(|at| at.saturating_add(1));
        yenc.or_else(|| memchr::memmem::find(body, BINHEX))
    };
    first.or_else(within).or_else(other)
}

const BINHEX: &[u8] = b"(This file must be converted with BinHex";

fn is_other_begin(body: &[u8]) -> bool {
    body.starts_with(b"=ybegin ") || body.starts_with(BINHEX)
}

/// Whether a line begins a file of uuencode: `begin 644 name`, also in base64.
pub(super) fn is_begin(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"begin ").or_else(|| line.strip_prefix(b"begin-base64 ")) else { return false };
    let digits = rest.iter().take_while(|b| (b'0'..=b'7').contains(*b)).count();
    (3..=4).contains(&digits) && rest.get(digits) == Some(&b' ') && !trim(from(rest, digits)).is_empty()
}
