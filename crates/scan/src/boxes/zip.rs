//! ZIP (PKWARE's APPNOTE.TXT 6.3.10), in every reading: by the directory at its end, of which there may be several, and by
//! the headers before the entries, where they say something else or something that the directory leaves out.

mod directory;
mod local;

use crate::codec::Codec;
use crate::contents::{Trait, Wrapping};
use crate::cursor::size;
use crate::holder::{Body, Entry, Holder, Listing, span};
use crate::names;
use bytes::Bytes;
use directory::Listed;
use local::Local;
use mailward_core::limits::SCAN_READINGS_MAX;
use std::collections::HashSet;
use std::ops::Range;

/// What stands behind something else, if a ZIP does: its directory leads to an entry.
pub(super) fn behind(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let directories = directory::all(bytes, most);
    let leads = directories
        .iter()
        .any(|directory| directory.entries.iter().any(|listed| local::at(bytes, listed.header).is_some()));
    leads.then(|| listing(bytes, directories, most))
}

/// None: neither a directory nor a header can be read.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let directories = directory::all(bytes, most);
    if directories.is_empty() && local::find(bytes, 0..bytes.len()).is_none() && !bytes.starts_with(b"PK\x05\x06") {
        return None;
    }
    Some(listing(bytes, directories, most))
}

fn listing(bytes: &Bytes, directories: Vec<directory::Directory>, most: usize) -> Box<dyn Holder> {
    let mut notes = Vec::new();
    let mut entries = Vec::new();
    if directories.len() >= SCAN_READINGS_MAX {
        notes.push(Trait::NotOpened("more directories than are looked at".to_owned()));
    }
    if directories.is_empty() {
        notes.push(Trait::Damaged("it has no directory".to_owned()));
    }
    if bytes.starts_with(b"PK\x07\x08PK\x03\x04") || directories.iter().any(|directory| directory.is_volume) {
        notes.push(Trait::MultiVolume);
    }
    // What the entries take, by the directories together; what is seen twice is one.
    let mut listed: Vec<(Listed, Option<Local>)> = Vec::new();
    let mut known = HashSet::new();
    for (number, directory) in directories.into_iter().enumerate() {
        // The directory of a ZIP that is an entry, unpacked, isn't this one's.
        let is_within = |(one, header): &(Listed, Option<Local>)| {
            header.as_ref().is_some_and(|header| span(header.content, one.packed).contains(&directory.end))
        };
        if listed.iter().any(is_within) {
            continue;
        }
        for one in directory.entries {
            // Twice in one directory is an overlap; in two of them it is one entry.
            if !known.insert(one.what()) && number > 0 {
                continue;
            }
            let header = local::at(bytes, one.header);
            listed.push((one, header));
        }
    }
    let mut taken: Vec<(Range<usize>, usize)> = Vec::new();
    for (index, (one, header)) in listed.iter().enumerate() {
        if let Some(header) = header {
            taken.push((one.header..span(header.content, one.packed).end, index));
        }
    }
    taken.sort_by_key(|(range, _)| (range.start, range.end));
    let over = overlapping(&taken);
    if !over.is_empty() {
        notes.push(Trait::Overlaps);
    }
    for (index, (one, header)) in listed.iter().enumerate() {
        let lies_over = over.binary_search(&index).is_ok();
        by_directory(one, header.as_ref(), lies_over, &mut entries);
    }
    unlisted(bytes, &taken, most.saturating_sub(entries.len()), &mut entries);
    Listing::boxed(bytes, notes, entries)
}

/// Which entries lie over another one (Fifield, "A better zip bomb"), in order of their numbers.
fn overlapping(taken: &[(Range<usize>, usize)]) -> Vec<usize> {
    let mut over = Vec::new();
    let mut furthest: Option<(usize, usize)> = None;
    for (range, index) in taken {
        if let Some((end, holder)) = furthest
            && range.start < end
        {
            over.push(holder);
            over.push(*index);
        }
        if furthest.is_none_or(|(end, _)| range.end > end) {
            furthest = Some((range.end, *index));
        }
    }
    over.sort_unstable();
    over.dedup();
    over
}

/// An entry as the directory has it; and as its own header has it, where that differs.
fn by_directory(listed: &Listed, header: Option<&Local>, lies_over: bool, entries: &mut Vec<Entry>) {
    let mut all = listed.names.clone();
    let Some(header) = header else {
        let traits = vec![Trait::Damaged("the directory leads to no entry".to_owned())];
        entries.push(Entry { names: all, traits, size: Some(listed.unpacked), ..Entry::default() });
        return;
    };
    for name in &header.names {
        names::add(&mut all, name);
    }
    if is_directory(&all, listed.packed, listed.unpacked) {
        return;
    }
    let mut traits = Vec::new();
    if listed.is_link {
        traits.push(Trait::Link);
    }
    let differs = header.differs(listed);
    if differs || header.names != listed.names {
        traits.push(Trait::Damaged("directory and entry disagree".to_owned()));
    }
    let mut body = Body::None;
    if listed.is_encrypted() {
        traits.push(Trait::Encrypted);
    } else if lies_over {
        traits.push(Trait::NotOpened("it lies over another entry".to_owned()));
    } else {
        body = body_of((listed.method, listed.flags), header.content, listed.packed, &mut traits);
    }
    entries.push(Entry { names: all.clone(), traits, size: Some(listed.unpacked), body, ..Entry::default() });
    if differs && !lies_over {
        entries.push(by_header(header, all, "by the entry's own header", span(header.content, header.packed)));
    }
}

/// An entry by its header alone.
fn by_header(header: &Local, names: Vec<String>, why: &str, room: Range<usize>) -> Entry {
    let mut traits = Vec::new();
    let mut body = Body::None;
    if header.is_encrypted() {
        traits.push(Trait::Encrypted);
    } else {
        let packed = u64::try_from(room.len()).unwrap_or(0);
        body = body_of((header.method, header.flags), room.start, packed, &mut traits);
    }
    let size = if header.is_told_later() { None } else { Some(header.unpacked) };
    Entry { names, wrapping: Wrapping::Reading(why.to_owned()), traits, size, body, ..Entry::default() }
}

fn body_of((method, flags): (u16, u16), start: usize, packed: u64, traits: &mut Vec<Trait>) -> Body {
    let range = span(start, packed);
    let codec = match method {
        0 => return Body::Plain(range),
        1 => Codec::Shrink,
        2..=5 => Codec::Reduce(u32::from(method).saturating_sub(1)),
        6 => Codec::Implode(flags),
        8 => Codec::Deflate,
        9 => Codec::Deflate64,
        12 => Codec::Bzip2,
        14 => Codec::LzmaZip,
        20 | 93 => Codec::Zstd,
        95 => Codec::Xz,
        98 => Codec::Ppmd8,
        other => {
            traits.push(Trait::NotOpened(format!("packed by ZIP's method {other}")));
            return Body::None;
        }
    };
    Body::Packed(range, codec)
}

/// Whether it is a directory that holds nothing and stays where it should.
fn is_directory(names: &[String], packed: u64, unpacked: u64) -> bool {
    unpacked == 0
        && packed <= 2
        && names.iter().all(|name| name.ends_with(['/', '\\']) && !names::leads_out(name))
        && !names.is_empty()
}

/// Entries between those that a directory lists: what reads a ZIP from its beginning finds them.
fn unlisted(bytes: &[u8], taken: &[(Range<usize>, usize)], most: usize, entries: &mut Vec<Entry>) {
    let mut left = most;
    let mut from = 0_usize;
    let gaps = taken.iter().map(|(range, _)| range.clone()).chain(std::iter::once(bytes.len()..bytes.len()));
    for range in gaps {
        let mut gap = from..range.start.min(bytes.len());
        while left > 0
            && let Some(header) = local::find(bytes, gap.clone())
        {
            left = left.saturating_sub(1);
            let said = span(header.content, header.packed).end.min(bytes.len());
            let end = if header.is_told_later() && header.packed == 0 {
                // Its length stands behind it; what unpacks it knows its end.
                local::next(bytes, header.content..gap.end)
            } else {
                said
            };
            let names = header.names.clone();
            if !is_directory(&names, size_of(header.content, end), header.unpacked) {
                entries.push(by_header(&header, names, "an entry that the directory leaves out", header.content..end));
            }
            gap.start = end.max(header.content);
        }
        from = from.max(range.end);
    }
}

fn size_of(start: usize, end: usize) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(u64::MAX)
}

/// Names that an extra field tells in UTF-8 (4.6.9), and sizes that don't fit elsewhere (4.5.3), in this order: unpacked,
/// packed, offset.
struct Extra<'e> {
    unicode: Option<&'e [u8]>,
    wide: Vec<u64>,
}

fn extra(mut field: &[u8]) -> Extra<'_> {
    let mut found = Extra { unicode: None, wide: Vec::new() };
    while let Some((head, rest)) = field.split_first_chunk::<4>() {
        let [a, b, c, d] = *head;
        let (id, length) = (u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
        let Some(content) = rest.get(..length) else { break };
        match id {
            0x0001 => {
                found.wide = content
                    .chunks_exact(8)
                    .map(|eight| u64::from_le_bytes(eight.try_into().unwrap_or_default()))
                    .collect();
            }
            0x7075 => found.unicode = content.get(5..),
            _ => {}
        }
        field = rest.get(length..).unwrap_or_default();
    }
    found
}

/// Every reading of an entry's name.
fn all_names(name: &[u8], flags: u16, extra: &Extra<'_>) -> Vec<String> {
    let mut all = Vec::new();
    for name in extra.unicode.map(|unicode| names::readings(unicode, true)).unwrap_or_default() {
        names::add(&mut all, &name);
    }
    for name in names::readings(name, flags & 0x800 != 0) {
        names::add(&mut all, &name);
    }
    all
}

/// An offset, which may not be in the file at all.
fn place(base: i64, offset: u64) -> Option<usize> {
    let at = i64::try_from(offset).ok()?.checked_add(base)?;
    u64::try_from(at).ok().map(size)
}
