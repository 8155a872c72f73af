//! A header section as bytes: where it ends, its fields, and the choice of some of them.

use crate::bytes::{from, is_blank, line_end, sub, trim_end, without_end};
use mailward_core::limits::HEADER_NAME_MAX;
use std::borrow::Cow;
use std::ops::Range;

/// A field of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'h> {
    /// Before the colon, blanks cut; empty for a line without colon.
    pub name: &'h [u8],
    /// After the colon to the end of the last line, without its line end; folding still in it.
    pub value: &'h [u8],
    /// The whole field with its line end, as offsets in the header.
    pub whole: Range<usize>,
}

impl Field<'_> {
    /// Whether this is the field's name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Where the body of an entity starts: after its first empty line; at 0 if its first line is no header field; at
/// the end if there is no empty line.
#[must_use]
pub fn header_end(entity: &[u8]) -> usize {
    if !starts_like_header(entity) {
        return 0;
    }
    if let Some(end) = empty_line_end(entity, 0) {
        return end;
    }
    for newline in memchr::memchr_iter(b'\n', entity) {
        if let Some(end) = empty_line_end(entity, newline.saturating_add(1)) {
            return end;
        }
    }
    entity.len()
}

/// The end of the line at `start` if it is empty and ended.
pub(crate) fn empty_line_end(bytes: &[u8], start: usize) -> Option<usize> {
    match from(bytes, start) {
        [b'\n', ..] => Some(start.saturating_add(1)),
        [b'\r', b'\n', ..] => Some(start.saturating_add(2)),
        _ => None,
    }
}

/// Whether an entity's first line is empty (an empty header), a field, or what mailboxes of the `mbox` kind put
/// before a message.
pub(crate) fn starts_like_header(entity: &[u8]) -> bool {
    // No more than a name and its colon can matter.
    let near = sub(entity, 0..entity.len().min(HEADER_NAME_MAX.saturating_add(2)));
    let line = sub(near, 0..line_end(near, 0));
    without_end(line).is_empty()
        || line.starts_with(b"From ")
        || line.starts_with(b">From ")
        || name_of(line).is_some_and(|name| {
            (1..=HEADER_NAME_MAX).contains(&name.len()) && name.iter().all(|b| *b > b' ' && *b != 0x7f)
        })
}

/// What stands before the colon of a field's first line, blanks at its end cut.
fn name_of(line: &[u8]) -> Option<&[u8]> {
    memchr::memchr(b':', line).map(|colon| trim_end(sub(line, 0..colon)))
}

/// The fields of a header section, in order, with the lines that are none; ends at the empty line.
#[must_use]
pub fn fields(header: &[u8]) -> Fields<'_> {
    Fields { header, at: 0 }
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'h> {
    header: &'h [u8],
    at: usize,
}

impl<'h> Iterator for Fields<'h> {
    type Item = Field<'h>;

    fn next(&mut self) -> Option<Field<'h>> {
        let start = self.at;
        if start >= self.header.len() || empty_line_end(self.header, start).is_some() {
            return None;
        }
        let first_end = line_end(self.header, start);
        let mut end = first_end;
        while self.header.get(end).copied().is_some_and(is_blank) {
            end = line_end(self.header, end);
        }
        self.at = end;
        let whole = without_end(sub(self.header, start..end));
        let first = without_end(sub(self.header, start..first_end));
        let colon = memchr::memchr(b':', first);
        Some(match colon {
            Some(colon) => Field {
                name: trim_end(sub(whole, 0..colon)),
                value: from(whole, colon.saturating_add(1)),
                whole: start..end,
            },
            None => Field { name: &[], value: whole, whole: start..end },
        })
    }
}

/// The value of the first field of a name, folding and all.
#[must_use]
pub fn first<'h>(header: &'h [u8], name: &str) -> Option<&'h [u8]> {
    fields(header).find(|f| f.is(name)).map(|f| f.value)
}

/// A value in one line: each line end goes, the blank after it stays (RFC 5322 §2.2.3).
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut line = Vec::with_capacity(value.len());
    let mut at = 0;
    while at < value.len() {
        let end = line_end(value, at);
        line.extend_from_slice(without_end(sub(value, at..end)));
        at = end;
    }
    Cow::Owned(line)
}

/// `BODY[HEADER.FIELDS (names)]`, or with `negate` `BODY[HEADER.FIELDS.NOT (names)]`: the chosen fields as they
/// stand, and the empty line (RFC 9051 §6.4.5.1). Lines that are no field count as fields without name.
#[must_use]
pub fn select<N: AsRef<[u8]>>(header: &[u8], names: &[N], negate: bool) -> Vec<u8> {
    let mut wanted: Vec<Vec<u8>> = names.iter().map(|n| n.as_ref().to_ascii_lowercase()).collect();
    wanted.sort_unstable();
    let mut chosen = Vec::new();
    let mut lower = Vec::new();
    for field in fields(header) {
        lower.clear();
        lower.extend(field.name.iter().map(u8::to_ascii_lowercase));
        if wanted.binary_search(&lower).is_ok() != negate {
            let whole = sub(header, field.whole);
            chosen.extend_from_slice(whole);
            if !whole.ends_with(b"\n") {
                chosen.extend_from_slice(b"\r\n");
            }
        }
    }
    chosen.extend_from_slice(b"\r\n");
    chosen
}

#[cfg(test)]
mod tests;
