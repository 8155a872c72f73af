//! cpio: the binary forms of either byte order, the portable one (`odc`, POSIX.1) and the new ones (`newc`, with sums or
//! without).

use crate::contents::Trait;
use crate::cursor::{Cursor, digits, size};
use crate::holder::{Body, Entry, Holder, Listing, span};
use crate::names;
use bytes::Bytes;

/// The name of what ends an archive.
const TRAILER: &[u8] = b"TRAILER!!!";

/// What a header says.
struct Header {
    mode: u64,
    /// With its NUL.
    name: u64,
    length: u64,
    /// Names and contents are padded to this.
    align: usize,
}

/// None: it doesn't begin with a header.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let mut entries = Vec::new();
    let mut notes = Vec::new();
    let mut at = Cursor::new(bytes);
    let mut seen = false;
    while entries.len() < most {
        let Some(header) = header(&mut at) else {
            if !seen {
                return None;
            }
            notes.push(Trait::Damaged("a header that can't be read".to_owned()));
            break;
        };
        seen = true;
        let Some(name) = at.take(size(header.name)) else { break };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if name == TRAILER {
            break;
        }
        pad(&mut at, header.align);
        let body = span(at.position(), header.length);
        at = Cursor::at(bytes, body.end);
        pad(&mut at, header.align);
        let all = names::readings(name, true);
        // What kind of file it is (POSIX.1, `c_filetype`).
        let traits = match header.mode & 0o170_000 {
            0o040_000 if header.length == 0 && !all.iter().any(|name| names::leads_out(name)) => continue,
            0o120_000 => vec![Trait::Link],
            _ => Vec::new(),
        };
        entries.push(Entry {
            names: all,
            traits,
            size: Some(header.length),
            body: Body::Plain(body),
            ..Entry::default()
        });
        if at.is_at_end() {
            break;
        }
    }
    Some(Listing::boxed(bytes, notes, entries))
}

fn header(at: &mut Cursor<'_>) -> Option<Header> {
    let magic = at.take(2)?;
    let word: fn([u8; 2]) -> u16 = match magic {
        b"\xc7\x71" => u16::from_le_bytes,
        b"\x71\xc7" => u16::from_be_bytes,
        b"07" => return text_header(at),
        _ => return None,
    };
    let mut next = || at.array().map(word).map(u64::from);
    let (_device, _inode, mode) = (next()?, next()?, next()?);
    let (_owner, _group, _links, _real, _time, _time_low) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let name = next()?;
    let length = next()? << 16 | next()?;
    Some(Header { mode, name, length, align: 2 })
}

fn text_header(at: &mut Cursor<'_>) -> Option<Header> {
    match at.take(4)? {
        b"0707" => {
            let field = |at: &mut Cursor<'_>, length| at.take(length).and_then(|field| digits(field, 8));
            at.skip(12)?;
            let mode = field(at, 6)?;
            at.skip(35)?;
            let name = field(at, 6)?;
            let length = field(at, 11)?;
            Some(Header { mode, name, length, align: 1 })
        }
        b"0701" | b"0702" => {
            let field = |at: &mut Cursor<'_>| at.take(8).and_then(|field| digits(field, 16));
            at.skip(8)?;
            let mode = field(at)?;
            at.skip(32)?;
            let length = field(at)?;
            at.skip(32)?;
            let name = field(at)?;
            at.skip(8)?;
            Some(Header { mode, name, length, align: 4 })
        }
        _ => None,
    }
}

fn pad(at: &mut Cursor<'_>, align: usize) {
    let position = at.position();
    if let Some(padded) = position.checked_next_multiple_of(align) {
        at.skip(padded.saturating_sub(position));
    }
}
