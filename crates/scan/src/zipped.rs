//! What is in a ZIP, as far as documents and kinds need it: names and single entries. Opening archives is another's.

use crate::bytes::{find, from, has, le16, le32, long, part, tail, upto};
use flate2::{Decompress, FlushDecompress, Status};
use std::borrow::Cow;
use std::ops::Range;

/// Bytes before which the end of the central directory stands: its own and a comment's.
const END_LOOKED: usize = 65_535 + 22;

/// An entry as the central directory or its own head has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// As it stands, with `/`.
    pub(crate) name: &'a [u8],
    flags: u16,
    method: u16,
    packed: &'a [u8],
    /// Where they are.
    at: usize,
}

/// What an entry was found to hold.
pub(crate) struct Part<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Where it lies packed by DEFLATE, if all of it was unpacked.
    pub(crate) whole: Option<Range<usize>>,
}

impl<'a> Entry<'a> {
    /// Needs a password.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Its bytes, at most `max` of them. None: encrypted, or packed in a way that documents aren't.
    pub(crate) fn read(&self, max: usize) -> Option<Cow<'a, [u8]>> {
        self.read_part(max).map(|part| part.bytes)
    }

    /// [`Entry::read`], and whether that is all.
    pub(crate) fn read_part(&self, max: usize) -> Option<Part<'a>> {
        match self.method {
            _ if self.is_encrypted() => None,
            0 => Some(Part { bytes: Cow::Borrowed(crate::bytes::head(self.packed, max)), whole: None }),
            8 => {
                let (bytes, _, ended) = inflate_to(self.packed, false, max);
                let range = self.at..self.at.saturating_add(self.packed.len());
                Some(Part { bytes: Cow::Owned(bytes), whole: ended.then_some(range) })
            }
            _ => None,
        }
    }
}

/// Unpacks DEFLATE, with zlib's head or without; what came out before an error is what there is.
pub(crate) fn inflate(packed: &[u8], zlib: bool, max: usize) -> Vec<u8> {
    inflate_counted(packed, zlib, max).0
}

/// [`inflate`], and how many bytes it took.
pub(crate) fn inflate_counted(packed: &[u8], zlib: bool, max: usize) -> (Vec<u8>, usize) {
    let (out, used, _) = inflate_to(packed, zlib, max);
    (out, used)
}

/// [`inflate_counted`], and whether the end was reached and is among what there is.
fn inflate_to(packed: &[u8], zlib: bool, max: usize) -> (Vec<u8>, usize, bool) {
    let mut state = Decompress::new(zlib);
    let mut out: Vec<u8> = Vec::new();
    loop {
        let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        let room = max.saturating_sub(out.len());
        if room == 0 {
            return (out, used, false);
        }
        // Grows with what comes out, not with what a head claims.
        out.reserve(room.min(out.len().clamp(4_096, 1 << 20)));
        let before = (state.total_in(), out.len());
        let status = state.decompress_vec(from(packed, used), &mut out, FlushDecompress::None);
        let ended = matches!(status, Ok(Status::StreamEnd)) && out.len() <= max;
        out.truncate(max);
        let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        match status {
            Ok(Status::Ok | Status::BufError) if (state.total_in(), out.len()) != before => {}
            _ => return (out, used, ended),
        }
    }
}

/// Entries by the central directory if there is one, otherwise by their own heads; at most `max`.
pub(crate) fn entries(bytes: &[u8], max: usize) -> Vec<Entry<'_>> {
    let found = central(bytes, max);
    if found.is_empty() { local_entries(bytes, max) } else { found }
}

/// Where the central directory begins, and by how much offsets in it are short because something stands before the ZIP.
pub(crate) fn directory(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = tail(bytes, END_LOOKED);
    // The last one, sought forward: that is many times faster than backward, and almost no file has any.
    let at = memchr::memmem::find_iter(end, b"PK\x05\x06").last()?;
    let record = from(end, at);
    let place = bytes.len().saturating_sub(record.len());
    let (size, offset) = (long(le32(record, 12)?), long(le32(record, 16)?));
    let start = place.checked_sub(size).filter(|start| has(bytes, *start, b"PK\x01\x02"));
    match start {
        Some(start) => Some((start, start.saturating_sub(offset))),
        // Zip64, or something between directory and end: the offset may still be right.
        None if has(bytes, offset, b"PK\x01\x02") => Some((offset, 0)),
        None => None,
    }
}

fn central(bytes: &[u8], max: usize) -> Vec<Entry<'_>> {
    let mut found = Vec::new();
    let Some((mut at, shift)) = directory(bytes) else { return found };
    while found.len() < max && has(bytes, at, b"PK\x01\x02") {
        let Some((entry, next)) = central_entry(bytes, at, shift) else { break };
        found.push(entry);
        at = next;
    }
    found
}

fn central_entry(bytes: &[u8], at: usize, shift: usize) -> Option<(Entry<'_>, usize)> {
    let field = |offset: usize| le16(bytes, at.checked_add(offset)?);
    let word = |offset: usize| le32(bytes, at.checked_add(offset)?).map(long);
    let (name_len, extra, comment) = (field(28)?, field(30)?, field(32)?);
    let head = at.checked_add(46)?;
    let name = part(bytes, head, usize::from(name_len))?;
    let next =
        head.checked_add(usize::from(name_len))?.checked_add(usize::from(extra))?.checked_add(usize::from(comment))?;
    let local = word(42)?.saturating_add(shift);
    let data = match (le16(bytes, local.saturating_add(26)), le16(bytes, local.saturating_add(28))) {
        (Some(name), Some(extra)) if has(bytes, local, b"PK\x03\x04") => {
            local.saturating_add(30).saturating_add(usize::from(name)).saturating_add(usize::from(extra))
        }
        _ => usize::MAX,
    };
    Some((Entry { name, flags: field(8)?, method: field(10)?, packed: upto(bytes, data, word(20)?), at: data }, next))
}

/// Entries by their own heads, from the beginning on.
pub(crate) fn local_entries(bytes: &[u8], max: usize) -> Vec<Entry<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while found.len() < max {
        let Some(next) = find(from(bytes, at), b"PK\x03\x04") else { break };
        at = at.saturating_add(next);
        let Some((entry, after)) = local_entry(bytes, at) else { break };
        found.push(entry);
        at = after;
    }
    found
}

fn local_entry(bytes: &[u8], at: usize) -> Option<(Entry<'_>, usize)> {
    let field = |offset: usize| le16(bytes, at.checked_add(offset)?);
    let head = at.checked_add(30)?;
    let name = part(bytes, head, usize::from(field(26)?))?;
    let data = head.checked_add(name.len())?.checked_add(usize::from(field(28)?))?;
    let size = long(le32(bytes, at.checked_add(18)?)?);
    let flags = field(6)?;
    let method = field(8)?;
    // With a data descriptor the size stands behind the data: DEFLATE knows its own end, other data ends where something
    // else begins.
    let packed = if flags & 8 != 0 && size == 0 {
        let rest = from(bytes, data);
        if method == 8 { rest } else { upto(rest, 0, find(rest, b"PK").unwrap_or(rest.len())) }
    } else {
        upto(bytes, data, size)
    };
    let after = if flags & 8 != 0 && size == 0 { data } else { data.saturating_add(packed.len()) };
    Some((Entry { name, flags, method, packed, at: data }, after))
}
