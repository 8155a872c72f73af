//! ISO 9660 (ECMA-119) with Joliet's and Rock Ridge's names. Every tree is read, as each system takes another one; what
//! stands at the same place is one file. UDF is told and not opened.

mod record;

use crate::contents::Trait;
use crate::cursor::size32;
use crate::holder::{Body, Entry, Holder, Listing};
use crate::names;
use bytes::Bytes;
use mailward_core::limits::{SCAN_DIRECTORIES_MAX, SCAN_READINGS_MAX};
use record::Record;
use std::collections::{HashMap, HashSet};

const SECTOR: usize = 2_048;
/// Where descriptors begin, sectors, and how many are looked at.
const FIRST: usize = 16;
const DESCRIPTORS_MAX: usize = 64;

/// A tree of directories.
struct Tree {
    root: Record,
    /// Whether names are in UTF-16.
    is_joliet: bool,
}

/// None: there is no tree in it.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let mut notes = Vec::new();
    let trees = trees(bytes, &mut notes);
    if trees.is_empty() && notes.is_empty() {
        return None;
    }
    let mut files = Files { most, room: bytes.len().saturating_mul(2), ..Files::default() };
    for tree in trees {
        files.walk(bytes, tree, &mut notes);
    }
    Some(Listing::boxed(bytes, notes, files.entries))
}

fn trees(bytes: &[u8], notes: &mut Vec<Trait>) -> Vec<Tree> {
    let mut trees = Vec::new();
    for sector in FIRST..FIRST.saturating_add(DESCRIPTORS_MAX) {
        let start = sector.saturating_mul(SECTOR);
        let Some(descriptor) = bytes.get(start..start.saturating_add(SECTOR)) else { break };
        match descriptor.get(1..6) {
            Some(b"CD001") => {}
            Some(b"NSR02" | b"NSR03") => {
                notes.push(Trait::NotOpened("its UDF tree isn't opened".to_owned()));
                continue;
            }
            Some(b"BEA01" | b"TEA01" | b"BOOT2") => continue,
            _ => break,
        }
        let escapes = descriptor.get(88..91).unwrap_or_default();
        let is_joliet = match descriptor.first() {
            Some(1) => false,
            Some(2) => matches!(escapes, b"%/@" | b"%/C" | b"%/E"),
            _ => continue,
        };
        if let Some(root) = descriptor.get(156..190).and_then(|root| record::read(root, false)) {
            if trees.len() >= SCAN_READINGS_MAX {
                notes.push(Trait::NotOpened("more trees than are looked at".to_owned()));
                break;
            }
            trees.push(Tree { root, is_joliet });
        }
    }
    trees
}

#[derive(Default)]
struct Files {
    entries: Vec<Entry>,
    /// Which entry a place and a length are.
    places: HashMap<(u32, u32), usize>,
    most: usize,
    /// Bytes of directories that may still be read: none lies over another.
    room: usize,
}

impl Files {
    fn walk(&mut self, bytes: &[u8], tree: Tree, notes: &mut Vec<Trait>) {
        let mut seen = HashSet::from([tree.root.extent]);
        let mut left = vec![(String::new(), tree.root)];
        while let Some((path, directory)) = left.pop() {
            let start = size32(directory.extent).saturating_mul(SECTOR);
            let end = start.saturating_add(size32(directory.size)).min(bytes.len());
            let Some(records) = bytes.get(start..end) else {
                notes.push(Trait::Damaged("a directory that isn't there".to_owned()));
                continue;
            };
            let Some(room) = self.room.checked_sub(records.len()) else {
                notes.push(Trait::Overlaps);
                notes.push(Trait::NotOpened("directories that lie over each other".to_owned()));
                return;
            };
            self.room = room;
            for record in record::all(records, tree.is_joliet) {
                let names: Vec<String> = record.names.iter().map(|name| format!("{path}{name}")).collect();
                if record.is_directory {
                    let Some(name) = names.into_iter().next() else { continue };
                    if seen.len() >= SCAN_DIRECTORIES_MAX {
                        notes.push(Trait::NotOpened("more directories than are looked at".to_owned()));
                        return;
                    }
                    if seen.insert(record.extent) {
                        let name: String = name.chars().take(mailward_core::limits::SCAN_NAME_MAX).collect();
                        left.push((format!("{name}/"), record));
                    }
                } else if !self.add(names, record) {
                    return;
                }
            }
        }
    }

    fn add(&mut self, names: Vec<String>, record: Record) -> bool {
        let place = (record.extent, record.size);
        // Empty files are all at the same place.
        let known = if record.size == 0 { None } else { self.places.get(&place).copied() };
        if let Some(entry) = known.and_then(|known| self.entries.get_mut(known)) {
            for name in names {
                names::add(&mut entry.names, &name);
            }
            return true;
        }
        if self.entries.len() >= self.most {
            return false;
        }
        self.places.insert(place, self.entries.len());
        let start = size32(record.extent).saturating_mul(SECTOR);
        let body = Body::Plain(start..start.saturating_add(size32(record.size)));
        let traits = if record.is_link { vec![Trait::Link] } else { Vec::new() };
        let mut all = Vec::new();
        for name in names {
            names::add(&mut all, &name);
        }
        self.entries.push(Entry { names: all, traits, size: Some(u64::from(record.size)), body, ..Entry::default() });
        true
    }
}
