//! LHA and LZH: headers of level 0 to 3.

use crate::codec::{Codec, LhVariant};
use crate::contents::Trait;
use crate::cursor::{Cursor, size32};
use crate::holder::{Body, Entry, Holder, Listing, span};
use crate::names;
use bytes::Bytes;

/// Extensions of one header that are read.
const EXTENSIONS_MAX: usize = 64;

/// What a header says.
struct Header {
    method: [u8; 5],
    packed: u64,
    unpacked: u64,
    name: Vec<u8>,
    directory: Vec<u8>,
    unicode: Option<String>,
}

/// None: it doesn't begin with a header.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let mut entries = Vec::new();
    let mut notes = Vec::new();
    let mut at = Cursor::new(bytes);
    while entries.len() < most && at.rest().first().is_some_and(|first| *first != 0) {
        let mut header = at;
        let Some(found) = read(&mut header) else {
            if entries.is_empty() {
                return None;
            }
            notes.push(Trait::Damaged("a header that can't be read".to_owned()));
            break;
        };
        let body = span(header.position(), found.packed);
        at = Cursor::at(bytes, body.end);
        if found.method != *b"-lhd-" {
            entries.push(entry(found, body));
        }
    }
    Some(Listing::boxed(bytes, notes, entries))
}

fn entry(header: Header, body: std::ops::Range<usize>) -> Entry {
    let mut all = Vec::new();
    if let Some(name) = &header.unicode {
        names::add(&mut all, name);
    }
    // Steps of a path are parted by a byte that is in no charset.
    let path: Vec<u8> = [header.directory, header.name]
        .concat()
        .into_iter()
        .map(|byte| if byte == 0xff { b'/' } else { byte })
        .collect();
    for name in names::readings(&path, false) {
        names::add(&mut all, &name);
    }
    let mut traits = Vec::new();
    let body = match &header.method {
        b"-lh0-" | b"-lz4-" | b"-pm0-" => Body::Plain(body),
        b"-lh4-" | b"-lh5-" => Body::Packed(body, Codec::Lh(LhVariant::Lh5)),
        b"-lh6-" => Body::Packed(body, Codec::Lh(LhVariant::Lh6)),
        b"-lh7-" => Body::Packed(body, Codec::Lh(LhVariant::Lh7)),
        other => {
            traits.push(Trait::NotOpened(format!("packed by {}", String::from_utf8_lossy(other))));
            Body::None
        }
    };
    Entry { names: all, traits, size: Some(header.unpacked), body, ..Entry::default() }
}

/// Reads up to the packed bytes.
fn read(at: &mut Cursor<'_>) -> Option<Header> {
    let begin = *at;
    let first = at.u8()?;
    let second = at.u8()?;
    let method = at.array::<5>()?;
    let packed = u64::from(at.u32()?);
    let unpacked = u64::from(at.u32()?);
    at.skip(5)?;
    let level = at.u8()?;
    if !(method.starts_with(b"-") && method.ends_with(b"-")) {
        return None;
    }
    let mut header = Header { method, packed, unpacked, name: Vec::new(), directory: Vec::new(), unicode: None };
    match level {
        0 | 1 => {
            let length = usize::from(at.u8()?);
            header.name = at.take(length)?.to_vec();
            // Without the first two bytes.
            let mut end = begin;
            end.skip(usize::from(first).checked_add(2)?)?;
            if level == 1 {
                // The last two bytes are the length of the first extension; those belong to what is packed.
                let mut last = begin;
                last.skip(usize::from(first))?;
                let next = usize::from(last.u16()?);
                let taken = extensions(&mut end, next, 2, &mut header)?;
                header.packed = header.packed.checked_sub(u64::try_from(taken).ok()?)?;
            }
            behind(at, end)?;
        }
        2 => {
            at.skip(3)?;
            let next = usize::from(at.u16()?);
            extensions(at, next, 2, &mut header)?;
            let mut end = begin;
            end.skip(usize::from(u16::from_le_bytes([first, second])))?;
            behind(at, end)?;
        }
        3 => {
            at.skip(3)?;
            let length = size32(at.u32()?);
            let next = size32(at.u32()?);
            extensions(at, next, 4, &mut header)?;
            let mut end = begin;
            end.skip(length)?;
            behind(at, end)?;
        }
        _ => return None,
    }
    Some(header)
}

/// Goes on at a header's end, unless that isn't behind what was read of it.
fn behind<'b>(at: &mut Cursor<'b>, end: Cursor<'b>) -> Option<()> {
    let is_behind = end.position() >= at.position();
    *at = end;
    is_behind.then_some(())
}

/// Extensions in a row: a type, what it says, the length of the next. How many bytes they took.
fn extensions(at: &mut Cursor<'_>, first: usize, width: usize, header: &mut Header) -> Option<usize> {
    let mut next = first;
    let mut taken = 0_usize;
    for _ in 0..EXTENSIONS_MAX {
        if next == 0 {
            return Some(taken);
        }
        taken = taken.checked_add(next)?;
        let extension = at.take(next)?;
        let (content, link) = extension.split_at_checked(extension.len().checked_sub(width)?)?;
        let mut link = Cursor::new(link);
        next = if width == 2 { usize::from(link.u16()?) } else { size32(link.u32()?) };
        let (kind, content) = content.split_first()?;
        match kind {
            1 => header.name = content.to_vec(),
            2 => header.directory = content.to_vec(),
            0x44 => header.unicode = Some(names::utf16_le(content)),
            _ => {}
        }
    }
    None
}
