//! ARJ (`TECHNOTE.TXT`).

use crate::codec::{Codec, LhVariant};
use crate::contents::Trait;
use crate::cursor::Cursor;
use crate::holder::{Body, Entry, Holder, Listing, span};
use crate::names;
use bytes::Bytes;

/// Extended headers of one entry that are stepped over. None are known.
const EXTENSIONS_MAX: usize = 16;

/// None: it doesn't begin with a header.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let mut at = Cursor::new(bytes);
    let mut notes = Vec::new();
    let mut entries = Vec::new();
    // The archive's own.
    let main = header(&mut at)??;
    if main.flags & 4 != 0 {
        notes.push(Trait::MultiVolume);
    }
    while entries.len() < most {
        match header(&mut at) {
            None => {
                notes.push(Trait::Damaged("it ends before its end".to_owned()));
                break;
            }
            Some(None) => break,
            Some(Some(header)) => {
                let body = span(at.position(), header.packed);
                at = Cursor::at(bytes, body.end);
                // Directories and labels hold nothing.
                if header.kind < 3 {
                    entries.push(entry(header, body));
                }
            }
        }
    }
    Some(Listing::boxed(bytes, notes, entries))
}

struct Header {
    flags: u8,
    method: u8,
    kind: u8,
    packed: u64,
    unpacked: u64,
    names: Vec<String>,
}

/// None: it can't be read. `Some(None)`: the archive's end.
fn header(at: &mut Cursor<'_>) -> Option<Option<Header>> {
    if at.take(2)? != b"\x60\xea" {
        return None;
    }
    let length = usize::from(at.u16()?);
    if length == 0 {
        return Some(None);
    }
    let whole = at.take(length)?;
    at.skip(4)?;
    for _ in 0..EXTENSIONS_MAX {
        let length = usize::from(at.u16()?);
        if length == 0 {
            break;
        }
        at.skip(length.checked_add(4)?)?;
    }
    let mut fields = Cursor::new(whole);
    let first = usize::from(fields.u8()?);
    fields.skip(3)?;
    let flags = fields.u8()?;
    let method = fields.u8()?;
    let kind = fields.u8()?;
    fields.skip(5)?;
    let packed = u64::from(fields.u32()?);
    let unpacked = u64::from(fields.u32()?);
    let name = Cursor::at(whole, first).text().unwrap_or_default();
    Some(Some(Header { flags, method, kind, packed, unpacked, names: names::readings(name, false) }))
}

fn entry(header: Header, body: std::ops::Range<usize>) -> Entry {
    let mut traits = Vec::new();
    if header.flags & 4 != 0 {
        traits.push(Trait::MultiVolume);
    }
    let body = match header.method {
        _ if header.flags & 1 != 0 => {
            traits.push(Trait::Encrypted);
            Body::None
        }
        0 => Body::Plain(body),
        1..=3 => Body::Packed(body, Codec::Lh(LhVariant::Arj)),
        other => {
            traits.push(Trait::NotOpened(format!("packed by ARJ's method {other}")));
            Body::None
        }
    };
    Entry { names: header.names, traits, size: Some(header.unpacked), body, ..Entry::default() }
}
