//! RPM: a lead, two headers, and a packed cpio archive.

use crate::cursor::{Cursor, size32};
use crate::holder::{Body, Entry, Holder, Listing};
use bytes::Bytes;

/// None: it isn't one, or ends within its headers.
pub(super) fn open(bytes: &Bytes) -> Option<Box<dyn Holder>> {
    let mut at = Cursor::at(bytes, 96);
    header(&mut at)?;
    // The first header, of signatures, is padded.
    let padded = at.position().checked_next_multiple_of(8)?;
    at = Cursor::at(bytes, padded);
    header(&mut at)?;
    let entry = Entry { body: Body::Plain(at.position()..bytes.len()), ..Entry::default() };
    Some(Listing::boxed(bytes, Vec::new(), vec![entry]))
}

/// Steps over an index of entries of 16 bytes and what they point into.
fn header(at: &mut Cursor<'_>) -> Option<()> {
    if at.take(3)? != b"\x8e\xad\xe8" {
        return None;
    }
    at.skip(5)?;
    let entries = size32(at.u32_be()?);
    let store = size32(at.u32_be()?);
    at.skip(entries.checked_mul(16)?.checked_add(store)?)
}
