//! Tags of HTML, as browsers find them.

use crate::bytes::{find, from, head};
use crate::document::xml::resolved;
use mailward_core::limits::PAGE_ATTRIBUTES_MAX;
use memchr::memchr;

/// A tag that opens something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'h> {
    /// As it is written.
    pub(super) name: &'h [u8],
    inside: &'h [u8],
}

/// An attribute of a tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'h> {
    /// As it is written.
    pub(super) name: &'h [u8],
    /// As it is written, without quotes.
    pub(super) value: &'h [u8],
}

impl<'h> Tag<'h> {
    /// Its attributes, so many as are looked at.
    pub(super) fn attributes(&self) -> impl Iterator<Item = Attribute<'h>> + use<'h> {
        let mut rest = self.inside;
        std::iter::from_fn(move || {
            let start = rest.iter().position(|b| !b.is_ascii_whitespace() && *b != b'/' && *b != b'=')?;
            rest = from(rest, start);
            let len =
                rest.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'=' | b'/')).unwrap_or(rest.len());
            let name = head(rest, len);
            let after = from(rest, len).trim_ascii_start();
            let Some(value) = after.strip_prefix(b"=") else {
                rest = after;
                return Some(Attribute { name, value: b"" });
            };
            let value = value.trim_ascii_start();
            let (value, next) = match value.first() {
                Some(quote @ (b'"' | b'\'')) => {
                    let value = from(value, 1);
                    let end = memchr(*quote, value).unwrap_or(value.len());
                    (head(value, end), from(value, end.saturating_add(1)))
                }
                _ => {
                    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
                    (head(value, end), from(value, end))
                }
            };
            rest = next;
            Some(Attribute { name, value })
        })
        .take(PAGE_ATTRIBUTES_MAX)
    }
}

impl Attribute<'_> {
    /// Whether it is called so, in whatever case.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Its value, references resolved.
    pub(super) fn text(&self) -> String {
        resolved(self.value)
    }
}

/// The tags of a page that open something. Comments and what scripts and styles hold are passed over, as a browser does.
pub(super) fn tags(html: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let at = memchr(b'<', rest)?;
            rest = from(rest, at.saturating_add(1));
            if let Some(comment) = rest.strip_prefix(b"!--") {
                // Outlook and old browsers read what stands in conditional comments: so it counts.
                if !comment.trim_ascii_start().starts_with(b"[if") {
                    rest = from(comment, find(comment, b"-->").unwrap_or(comment.len()));
                }
                continue;
            }
            if !rest.first().is_some_and(u8::is_ascii_alphabetic) {
                continue;
            }
            let len =
                rest.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>')).unwrap_or(rest.len());
            let name = head(rest, len);
            let end = tag_end(from(rest, len));
            let inside = head(from(rest, len), end);
            rest = from(rest, len.saturating_add(end));
            for raw in [&b"script"[..], b"style"] {
                if name.eq_ignore_ascii_case(raw) && !inside.ends_with(b"/") {
                    rest = raw_end(rest, raw);
                }
            }
            return Some(Tag { name, inside });
        }
    })
}

/// Where a tag's `>` stands that no quotes hold.
fn tag_end(tag: &[u8]) -> usize {
    let (mut quote, mut before) = (None, b' ');
    for (at, byte) in tag.iter().enumerate() {
        match (quote, *byte) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') if before == b'=' => quote = Some(*byte),
            (Some(open), byte) if byte == open => quote = None,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = *byte;
        }
    }
    tag.len()
}

fn raw_end<'h>(content: &'h [u8], name: &[u8]) -> &'h [u8] {
    for at in memchr::memmem::find_iter(content, b"</") {
        if crate::bytes::has_any_case(content, at.saturating_add(2), name) {
            return from(content, at);
        }
    }
    b""
}
