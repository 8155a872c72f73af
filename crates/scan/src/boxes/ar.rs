//! ar, as Debian's packages and libraries are: with GNU's and BSD's long names.

use crate::contents::Trait;
use crate::cursor::{Cursor, digits, size};
use crate::holder::{Body, Entry, Holder, Listing, span};
use crate::names;
use bytes::Bytes;

/// None: it isn't one.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let mut at = Cursor::new(bytes);
    if at.take(8)? != b"!<arch>\n" {
        return None;
    }
    let mut entries = Vec::new();
    let mut notes = Vec::new();
    let mut long: &[u8] = &[];
    while entries.len() < most && !at.is_at_end() {
        let Some((name, length)) = header(&mut at) else {
            notes.push(Trait::Damaged("a header that can't be read".to_owned()));
            break;
        };
        let mut body = span(at.position(), length);
        at = Cursor::at(bytes, body.end);
        // Entries begin at even places.
        if body.end & 1 == 1 && !at.is_at_end() {
            at.skip(1);
        }
        let content = bytes.get(body.clone()).unwrap_or_default();
        let name = match name.strip_prefix(b"/") {
            Some(b"/") => {
                long = content;
                continue;
            }
            // A table of symbols.
            Some(b"" | b"SYM64/") => continue,
            Some(offset) => {
                let rest = long.get(size(digits(offset, 10).unwrap_or(u64::MAX))..).unwrap_or_default();
                rest.split(|byte| *byte == b'\n').next().unwrap_or_default()
            }
            None => match name.strip_prefix(b"#1/").and_then(|length| digits(length, 10)) {
                Some(length) => {
                    let name = content.get(..size(length)).unwrap_or_default();
                    body.start = body.start.saturating_add(name.len());
                    name
                }
                None => name,
            },
        };
        let name = name.strip_suffix(b"/").unwrap_or(name);
        let size = u64::try_from(body.len()).ok();
        entries.push(Entry { names: names::readings(name, true), size, body: Body::Plain(body), ..Entry::default() });
    }
    Some(Listing::boxed(bytes, notes, entries))
}

/// Name without the blanks after it, and length.
fn header<'b>(at: &mut Cursor<'b>) -> Option<(&'b [u8], u64)> {
    let name = at.take(16)?;
    at.skip(32)?;
    let length = digits(at.take(10)?, 10)?;
    (at.take(2)? == b"`\n").then_some((name.trim_ascii_end(), length))
}
