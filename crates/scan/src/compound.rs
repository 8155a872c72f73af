//! Compound files (OLE structured storage, \[MS-CFB\]): their directory and their streams, as far as a damaged or
//! hostile one has them. Chains end at their first fault and never run in a circle.

use crate::bytes::{array, has, le16, le32, le64, long, longer, part, upto, utf16};
use mailward_core::limits::OLE_ENTRIES_MAX;

/// First bytes of every compound file.
pub(crate) const MAGIC: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/// Streams shorter than this lie in the small sectors.
const SMALL: u64 = 4_096;
/// A chain's ends and faults are from here on.
const SECTOR_MAX: u32 = 0xffff_fff9;

/// An open compound file.
#[derive(Debug)]
pub(crate) struct Compound<'a> {
    bytes: &'a [u8],
    sector: usize,
    next: Vec<u32>,
    small_next: Vec<u32>,
    small: Vec<u8>,
    /// Storages and streams; the root is the first one.
    pub(crate) entries: Vec<Entry>,
    /// Whether there may be more of them than are read.
    pub(crate) is_cut: bool,
}

/// A storage or a stream.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// As it stands, control characters included.
    pub(crate) name: String,
    /// Whether it holds others.
    pub(crate) is_storage: bool,
    /// Whether it is the root.
    pub(crate) is_root: bool,
    /// Class of a storage's program, as it stands.
    pub(crate) class: [u8; 16],
    /// The storage it is in, if anything leads to it.
    pub(crate) parent: Option<usize>,
    start: u32,
    size: u64,
    left: u32,
    right: u32,
    child: u32,
}

impl<'a> Compound<'a> {
    /// Reads the directory. None: there isn't one.
    pub(crate) fn open(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let sector = if le16(bytes, 30) == Some(12) { 4_096 } else { 512 };
        let mut file = Self {
            bytes,
            sector,
            next: Vec::new(),
            small_next: Vec::new(),
            small: Vec::new(),
            entries: Vec::new(),
            is_cut: false,
        };
        file.next = file.allocation();
        let most = OLE_ENTRIES_MAX.saturating_mul(128);
        let directory = file.chain(le32(bytes, 48)?, most);
        file.is_cut = directory.len() >= most;
        file.entries = directory.chunks_exact(128).filter_map(entry).collect();
        if file.entries.is_empty() {
            return None;
        }
        if let Some(first) = file.entries.first_mut() {
            first.is_root = true;
        }
        file.adopt();
        let small = file.chain(le32(bytes, 60).unwrap_or(u32::MAX), bytes.len());
        file.small_next = small.chunks_exact(4).filter_map(|c| le32(c, 0)).collect();
        if let Some(root) = file.entries.first() {
            file.small = file.chain(root.start, longer(root.size).min(bytes.len()));
        }
        Some(file)
    }

    /// A stream's bytes, at most `max`.
    pub(crate) fn read(&self, entry: &Entry, max: usize) -> Vec<u8> {
        let size = longer(entry.size).min(max);
        if entry.is_storage || size == 0 {
            return Vec::new();
        }
        if entry.size >= SMALL {
            return self.chain(entry.start, size);
        }
        let mut out = Vec::with_capacity(size.min(4_096));
        let mut at = entry.start;
        // As many steps as there are sectors: a circle ends there.
        for _ in 0..self.small_next.len() {
            let piece = upto(&self.small, long(at).saturating_mul(64), 64);
            out.extend_from_slice(piece);
            if out.len() >= size || piece.is_empty() {
                break;
            }
            match self.small_next.get(long(at)) {
                Some(next) => at = *next,
                None => break,
            }
        }
        out.truncate(size);
        out
    }

    /// Streams with this name, letters of either case, in whatever storage.
    pub(crate) fn named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Entry> {
        self.entries.iter().filter(move |e| !e.is_storage && e.name.eq_ignore_ascii_case(name))
    }

    /// Name of the storage that it is in; the root's is empty.
    pub(crate) fn parent_name(&self, entry: &Entry) -> &str {
        match entry.parent.and_then(|p| self.entries.get(p)) {
            Some(parent) if !parent.is_root => &parent.name,
            _ => "",
        }
    }

    /// Whether it lies in the root itself.
    pub(crate) fn is_at_top(&self, entry: &Entry) -> bool {
        entry.parent == Some(0)
    }

    fn sector_at(&self, number: u32) -> &'a [u8] {
        upto(self.bytes, long(number).saturating_add(1).saturating_mul(self.sector), self.sector)
    }

    /// The table of what follows what: as many entries as the file has sectors at most.
    fn allocation(&self) -> Vec<u32> {
        let sectors = (self.bytes.len().checked_div(self.sector).unwrap_or_default()).saturating_add(1);
        let mut table = Vec::new();
        let mut add = |number: u32| {
            if number < SECTOR_MAX && table.len() < sectors {
                let room = sectors.saturating_sub(table.len());
                table.extend(self.sector_at(number).chunks_exact(4).filter_map(|c| le32(c, 0)).take(room));
            }
        };
        for place in 0..109_usize {
            if let Some(number) = le32(self.bytes, place.saturating_mul(4).saturating_add(76)) {
                add(number);
            }
        }
        // Further sectors that list the table's sectors; each ends with the number of the next.
        let mut more = le32(self.bytes, 68).unwrap_or(u32::MAX);
        for _ in 0..sectors {
            if more >= SECTOR_MAX {
                break;
            }
            let list = self.sector_at(more);
            let Some(last) = list.len().checked_sub(4) else { break };
            for number in crate::bytes::head(list, last).chunks_exact(4).filter_map(|c| le32(c, 0)) {
                add(number);
            }
            more = le32(list, last).unwrap_or(u32::MAX);
        }
        table
    }

    fn chain(&self, start: u32, max: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = start;
        for _ in 0..self.next.len().max(1) {
            let piece = self.sector_at(at);
            out.extend_from_slice(piece);
            if out.len() >= max || piece.is_empty() {
                break;
            }
            match self.next.get(long(at)) {
                Some(next) if *next < SECTOR_MAX => at = *next,
                _ => break,
            }
        }
        out.truncate(max);
        out
    }

    /// Tells every entry which storage it is in. Each is met once: whatever leads to it again is passed over.
    fn adopt(&mut self) {
        let mut waiting: Vec<(u32, usize)> = self.entries.first().map(|root| (root.child, 0)).into_iter().collect();
        while let Some((number, parent)) = waiting.pop() {
            let place = long(number);
            let Some(entry) = self.entries.get_mut(place).filter(|e| !e.is_root && e.parent.is_none()) else {
                continue;
            };
            entry.parent = Some(parent);
            waiting.push((entry.left, parent));
            waiting.push((entry.right, parent));
            if entry.is_storage {
                waiting.push((entry.child, place));
            }
        }
    }
}

fn entry(raw: &[u8]) -> Option<Entry> {
    let kind = *raw.get(66)?;
    let name_len = usize::from(le16(raw, 64)?).min(64).saturating_sub(2);
    Some(Entry {
        name: utf16(part(raw, 0, name_len)?),
        is_storage: kind != 2,
        is_root: false,
        class: array(raw, 80)?,
        parent: None,
        start: le32(raw, 116)?,
        // The upper half is garbage in old files.
        size: le64(raw, 120).map(|size| if size > u64::from(u32::MAX) { size & 0xffff_ffff } else { size })?,
        left: le32(raw, 68)?,
        right: le32(raw, 72)?,
        child: le32(raw, 76)?,
    })
}

/// Whether a name of a directory stands in these bytes, as a directory has it: for files whose directory can't be read.
pub(crate) fn mentions(bytes: &[u8], name: &str) -> bool {
    let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    has(bytes, 0, MAGIC) && crate::bytes::holds(bytes, &wide)
}
