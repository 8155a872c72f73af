//! The directory at a ZIP's end.

use super::{all_names, extra, place};
use crate::cursor::{Cursor, size};
use mailward_core::limits::{SCAN_READINGS_MAX, SCAN_ZIP_END_MAX};

/// A directory that can be read.
pub(super) struct Directory {
    pub(super) entries: Vec<Listed>,
    /// Whether it says that it is one of several.
    pub(super) is_volume: bool,
    /// Where the record that ends it is.
    pub(super) end: usize,
}

/// An entry as a directory lists it.
pub(super) struct Listed {
    pub(super) names: Vec<String>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
    /// Where its header is in the file.
    pub(super) header: usize,
    pub(super) is_link: bool,
}

impl Listed {
    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & 1 != 0 || self.method == 99
    }

    /// What tells it from another entry.
    pub(super) fn what(&self) -> (usize, u16, u64, Vec<String>) {
        (self.header, self.method, self.packed, self.names.clone())
    }
}

/// Where a directory is said to be.
struct End {
    entries: u64,
    size: u64,
    offset: u64,
    is_volume: bool,
    /// Where the record that says it begins.
    at: usize,
}

/// Every directory that can be read, the last in the file first: programs take that one, and some the first that they find.
pub(super) fn all(bytes: &[u8], most: usize) -> Vec<Directory> {
    let tail = bytes.len().saturating_sub(SCAN_ZIP_END_MAX);
    let mut found = Vec::new();
    let mut starts: Vec<(usize, i64)> = Vec::new();
    // Sought forward, as that is many times faster than backward: almost no file has any.
    let records: Vec<usize> = memchr::memmem::find_iter(bytes.get(tail..).unwrap_or_default(), b"PK\x05\x06").collect();
    for record in records.into_iter().rev() {
        let Some(end) = end_at(bytes, tail.saturating_add(record)) else { continue };
        // Before the archive may stand something that its offsets don't count.
        let real = size(end.size);
        let before = end.at.checked_sub(real);
        let said = place(0, end.offset);
        let mut ways: Vec<(usize, i64)> = Vec::new();
        if let Some(start) = before {
            let shift = i64::try_from(start).unwrap_or(0).saturating_sub(i64::try_from(end.offset).unwrap_or(i64::MAX));
            ways.push((start, shift));
        }
        if let Some(said) = said
            && Some(said) != before
        {
            ways.push((said, 0));
        }
        for (start, base) in ways {
            if starts.contains(&(start, base)) || found.len() >= SCAN_READINGS_MAX {
                continue;
            }
            if let Some(directory) = read(bytes, start, base, &end, most) {
                starts.push((start, base));
                found.push(directory);
            }
        }
        if found.len() >= SCAN_READINGS_MAX {
            break;
        }
    }
    found
}

/// The record that ends a directory, or the one of Zip64 that it leads to (4.3.14 to 4.3.16).
fn end_at(bytes: &[u8], at: usize) -> Option<End> {
    let mut record = Cursor::at(bytes, at.checked_add(4)?);
    let disk = record.u16()?;
    let start_disk = record.u16()?;
    record.skip(2)?;
    let entries = record.u16()?;
    let length = record.u32()?;
    let offset = record.u32()?;
    let wide = entries == u16::MAX || length == u32::MAX || offset == u32::MAX;
    if wide && let Some(end) = wide_end(bytes, at) {
        return Some(end);
    }
    Some(End {
        entries: u64::from(entries),
        size: u64::from(length),
        offset: u64::from(offset),
        is_volume: (disk != 0 && disk != u16::MAX) || (start_disk != 0 && start_disk != u16::MAX),
        at,
    })
}

fn wide_end(bytes: &[u8], at: usize) -> Option<End> {
    let locator = at.checked_sub(20)?;
    let mut record = Cursor::at(bytes, locator);
    if record.u32()? != 0x0706_4b50 {
        return None;
    }
    record.skip(4)?;
    let said = size(record.u64()?);
    // With something before the archive it stands right before its locator.
    let near = locator.checked_sub(56);
    let at = [Some(said), near]
        .into_iter()
        .flatten()
        .find(|at| bytes.get(*at..).is_some_and(|there| there.starts_with(b"PK\x06\x06")))?;
    let mut record = Cursor::at(bytes, at.checked_add(16)?);
    let disk = record.u32()?;
    let start_disk = record.u32()?;
    record.skip(8)?;
    Some(End {
        entries: record.u64()?,
        size: record.u64()?,
        offset: record.u64()?,
        is_volume: disk != 0 || start_disk != 0,
        at,
    })
}

/// The directory that begins here. None: there is none.
fn read(bytes: &[u8], start: usize, base: i64, end: &End, most: usize) -> Option<Directory> {
    let mut at = Cursor::at(bytes, start);
    let mut entries = Vec::new();
    let mut is_volume = end.is_volume;
    while entries.len() < most {
        let Some((listed, disk)) = entry(&mut at, base) else { break };
        is_volume |= disk;
        entries.push(listed);
    }
    // An empty archive is one only where it says so.
    (!entries.is_empty() || (end.entries == 0 && end.size == 0 && bytes.len() <= 22)).then_some(Directory {
        entries,
        is_volume,
        end: end.at,
    })
}

/// One entry (4.3.12), and whether it begins in another volume.
fn entry(at: &mut Cursor<'_>, base: i64) -> Option<(Listed, bool)> {
    if at.u32()? != 0x0201_4b50 {
        return None;
    }
    let made_by = at.u16()?;
    at.skip(2)?;
    let flags = at.u16()?;
    let method = at.u16()?;
    at.skip(8)?;
    let packed = at.u32()?;
    let unpacked = at.u32()?;
    let (name, more, comment) = (at.u16()?, at.u16()?, at.u16()?);
    let disk = at.u16()?;
    at.skip(2)?;
    let attributes = at.u32()?;
    let offset = at.u32()?;
    let name = at.take(usize::from(name))?;
    let extra = extra(at.take(usize::from(more))?);
    at.skip(usize::from(comment).min(at.rest().len()))?;
    let mut wide = extra.wide.iter().copied();
    let mut widened = |narrow: u32| match narrow {
        u32::MAX => wide.next().unwrap_or(u64::from(u32::MAX)),
        narrow => u64::from(narrow),
    };
    let unpacked = widened(unpacked);
    let packed = widened(packed);
    let offset = widened(offset);
    // The file's mode, where a Unix wrote it.
    let is_link = matches!(made_by >> 8, 3 | 19) && attributes >> 28 == 0o12;
    let listed = Listed {
        names: all_names(name, flags, &extra),
        flags,
        method,
        packed,
        unpacked,
        header: place(base, offset).unwrap_or(usize::MAX),
        is_link,
    };
    Some((listed, disk != 0 && disk != u16::MAX))
}
