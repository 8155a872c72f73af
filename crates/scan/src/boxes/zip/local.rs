//! Headers before a ZIP's entries.

use super::directory::Listed;
use super::{all_names, extra};
use crate::cursor::Cursor;
use std::ops::Range;

/// Methods there are: none has a higher number.
const METHODS: u16 = 100;

/// What an entry's own header says (4.3.7).
pub(super) struct Local {
    pub(super) names: Vec<String>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
    /// Where its bytes begin.
    pub(super) content: usize,
}

impl Local {
    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & 1 != 0 || self.method == 99
    }

    /// Whether its lengths stand behind its bytes (bit 3), as programs do that write to a pipe.
    pub(super) fn is_told_later(&self) -> bool {
        self.flags & 8 != 0
    }

    /// Whether unpacking by this gives something else than by the directory.
    pub(super) fn differs(&self, listed: &Listed) -> bool {
        let lengths = !self.is_told_later() && (self.packed != listed.packed || self.unpacked != listed.unpacked);
        // Flags that say how to read what is imploded.
        let imploded = self.method == 6 && (self.flags ^ listed.flags) & 6 != 0;
        self.method != listed.method || self.is_encrypted() != listed.is_encrypted() || lengths || imploded
    }
}

/// The header at this place.
pub(super) fn at(bytes: &[u8], at: usize) -> Option<Local> {
    let mut header = Cursor::at(bytes, at);
    if header.u32()? != 0x0403_4b50 {
        return None;
    }
    header.skip(2)?;
    let flags = header.u16()?;
    let method = header.u16()?;
    header.skip(8)?;
    let packed = header.u32()?;
    let unpacked = header.u32()?;
    let (name, more) = (header.u16()?, header.u16()?);
    let name = header.take(usize::from(name))?;
    // An extra field that the file's end cuts ends there.
    let more = header.take(usize::from(more).min(header.rest().len()))?;
    let extra = extra(more);
    let mut wide = extra.wide.iter().copied();
    let mut widened = |narrow: u32| match narrow {
        u32::MAX => wide.next().unwrap_or(u64::from(u32::MAX)),
        narrow => u64::from(narrow),
    };
    let unpacked = widened(unpacked);
    let packed = widened(packed);
    Some(Local { names: all_names(name, flags, &extra), flags, method, packed, unpacked, content: header.position() })
}

/// The first header in a range that some program would take for one.
pub(super) fn find(bytes: &[u8], range: Range<usize>) -> Option<Local> {
    let within = bytes.get(range.clone())?;
    memchr::memmem::find_iter(within, b"PK\x03\x04")
        .map(|found| range.start.saturating_add(found))
        // Before its name is read: signs may stand close together.
        .filter(|found| Cursor::at(bytes, found.saturating_add(8)).u16().is_some_and(|method| method < METHODS))
        .filter_map(|found| at(bytes, found))
        .find(|header| !header.names.is_empty())
}

/// Where the next entry, or the directory, begins in a range, or the range's end.
pub(super) fn next(bytes: &[u8], range: Range<usize>) -> usize {
    let within = bytes.get(range.clone()).unwrap_or_default();
    memchr::memmem::find_iter(within, b"PK")
        .find(|found| {
            let sign = within.get(found.saturating_add(2)..found.saturating_add(4));
            matches!(sign, Some(b"\x03\x04" | b"\x01\x02" | b"\x07\x08"))
        })
        .map_or(range.end, |found| range.start.saturating_add(found))
}
