//! XML, read as far as documents need it: tags with their attributes and the text between them, in one pass, whatever
//! is wrong with it.

use crate::bytes::{find, from, head};
use crate::kind::{Wide, wide};
use memchr::memchr;
use std::borrow::Cow;

/// Longest character reference that is looked for, bytes.
const REFERENCE_MAX: usize = 11;

/// What comes next.
#[derive(Debug)]
pub(super) enum Piece<'x> {
    /// Text between tags, as it stands.
    Text(&'x [u8]),
    /// A tag.
    Tag(Tag<'x>),
}

/// A tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'x> {
    /// Its name without the prefix.
    pub(super) name: &'x [u8],
    /// Whether it closes an element.
    pub(super) closes: bool,
    rest: &'x [u8],
}

impl Tag<'_> {
    /// An attribute's value, by its name without a prefix, references resolved.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.rest;
        while let Some(equals) = memchr(b'=', rest) {
            let before = head(rest, equals).trim_ascii_end();
            let key = before.rsplit(|b| b.is_ascii_whitespace() || *b == b':').next().unwrap_or_default();
            let value = from(rest, equals.saturating_add(1)).trim_ascii_start();
            let (quote, value) = value.split_first()?;
            if !matches!(quote, b'"' | b'\'') {
                rest = value;
                continue;
            }
            let end = memchr(*quote, value)?;
            if key.eq_ignore_ascii_case(name.as_bytes()) {
                return Some(resolved(head(value, end)));
            }
            rest = from(value, end.saturating_add(1));
        }
        None
    }
}

/// The text of an XML file in UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (width, mark) = wide(bytes);
    let rest = from(bytes, mark);
    match width {
        Wide::No => Cow::Borrowed(rest),
        Wide::Little => Cow::Owned(crate::bytes::utf16(rest).into_bytes()),
        Wide::Big => Cow::Owned(encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0.into_owned().into_bytes()),
    }
}

/// Tags and text, in order.
pub(super) fn pieces(xml: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = xml;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            if !rest.starts_with(b"<") {
                let end = memchr(b'<', rest).unwrap_or(rest.len());
                let text = head(rest, end);
                rest = from(rest, end);
                return Some(Piece::Text(text));
            }
            if rest.starts_with(b"<!--") {
                rest = from(rest, find(rest, b"-->").map_or(rest.len(), |at| at.saturating_add(3)));
                continue;
            }
            if let Some(data) = rest.strip_prefix(b"<![CDATA[") {
                let end = find(data, b"]]>").unwrap_or(data.len());
                rest = from(data, end.saturating_add(3));
                return Some(Piece::Text(head(data, end)));
            }
            let end = memchr(b'>', rest).unwrap_or(rest.len());
            let inside = from(head(rest, end), 1);
            rest = from(rest, end.saturating_add(1));
            let (closes, inside) = match inside.strip_prefix(b"/") {
                Some(inside) => (true, inside),
                None => (false, inside),
            };
            let len = inside.iter().position(|b| b.is_ascii_whitespace() || *b == b'/').unwrap_or(inside.len());
            let whole = head(inside, len);
            let name = whole.rsplit(|b| *b == b':').next().unwrap_or(whole);
            return Some(Piece::Tag(Tag { name, closes, rest: from(inside, len) }));
        }
    })
}

/// Text with the character references resolved that XML has.
pub(super) fn resolved(raw: &[u8]) -> String {
    // It is UTF-8, as a rule, and that is seen faster than what isn't is mended.
    let text = std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
    if memchr(b'&', text.as_bytes()).is_none() {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        // Only so near: a flood of signs without an end costs nothing.
        let end = after.as_bytes().iter().take(REFERENCE_MAX).position(|b| *b == b';');
        let known = end.and_then(|end| {
            let name = after.get(..end)?;
            let character = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((character, after.get(end.saturating_add(1)..)?))
        });
        match known {
            Some((character, after)) => {
                out.push(character);
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
