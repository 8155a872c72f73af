//! AppleSingle and AppleDouble (RFC 1740, appendix A and B): a file's forks, each by its number.

use crate::contents::Trait;
use crate::cursor::{Cursor, size32};
use crate::holder::{Body, Entry, Holder, Listing};
use crate::names;
use bytes::Bytes;

/// Forks that are read: data, and resources, in which programs were.
const DATA: u32 = 1;
const RESOURCES: u32 = 2;
const NAME: u32 = 3;
/// Entries of one file that are read. There are 15 kinds.
const ENTRIES_MAX: usize = 32;

/// None: it is neither.
pub(super) fn open(bytes: &Bytes) -> Option<Box<dyn Holder>> {
    let mut at = Cursor::new(bytes);
    if !matches!(at.u32_be()?, 0x0005_1600 | 0x0005_1607) || !matches!(at.u32_be()?, 0x0001_0000 | 0x0002_0000) {
        return None;
    }
    at.skip(16)?;
    let count = usize::from(at.u16_be()?);
    let mut notes = Vec::new();
    if count > ENTRIES_MAX {
        notes.push(Trait::NotOpened("more forks than are looked at".to_owned()));
    }
    let mut all = Vec::new();
    let mut forks = Vec::new();
    for _ in 0..count.min(ENTRIES_MAX) {
        let (Some(kind), Some(offset), Some(length)) = (at.u32_be(), at.u32_be(), at.u32_be()) else { break };
        let start = size32(offset);
        let range = start..start.saturating_add(size32(length));
        match kind {
            NAME => all = names::readings(bytes.get(range).unwrap_or_default(), false),
            DATA => forks.push(range),
            RESOURCES if length > 0 => forks.push(range),
            _ => {}
        }
    }
    let entries = forks.into_iter().map(|range| Entry {
        names: all.clone(),
        size: u64::try_from(range.len()).ok(),
        body: Body::Plain(range),
        ..Entry::default()
    });
    let entries = entries.collect();
    Some(Listing::boxed(bytes, notes, entries))
}
