//! RAR, old (2 to 4) and new (5 to 7): names, sizes, what is encrypted, and what is stored without packing. Its methods are
//! not free to be written anew, so what is packed isn't opened, and that is told.

mod new;
mod old;

use crate::contents::Trait;
use crate::holder::{Body, Entry, Holder, Listing};
use bytes::Bytes;

/// None: it doesn't begin as one.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let mut found = Volume::default();
    if bytes.starts_with(b"Rar!\x1a\x07\x01\0") {
        new::read(bytes, most, &mut found);
    } else if bytes.starts_with(b"Rar!\x1a\x07\0") {
        old::read(bytes, most, &mut found);
    } else {
        return None;
    }
    Some(Listing::boxed(bytes, found.notes, found.entries))
}

/// What a volume holds.
#[derive(Default)]
struct Volume {
    notes: Vec<Trait>,
    entries: Vec<Entry>,
}

/// A file, as both forms tell it.
struct Told {
    names: Vec<String>,
    is_encrypted: bool,
    /// Begins in another volume, or ends there.
    is_split: bool,
    is_link: bool,
    is_stored: bool,
    unpacked: u64,
    body: std::ops::Range<usize>,
}

impl Volume {
    fn add(&mut self, told: Told) {
        let mut traits = Vec::new();
        let mut body = Body::None;
        if told.is_link {
            traits.push(Trait::Link);
        }
        if told.is_split {
            traits.push(Trait::MultiVolume);
        }
        if told.is_encrypted {
            traits.push(Trait::Encrypted);
        } else if told.is_stored {
            body = Body::Plain(told.body);
        } else if told.unpacked > 0 {
            traits.push(Trait::NotOpened("packed by RAR".to_owned()));
        }
        self.entries.push(Entry { names: told.names, traits, size: Some(told.unpacked), body, ..Entry::default() });
    }

    fn cut(&mut self) {
        self.notes.push(Trait::Damaged("it ends before its end".to_owned()));
    }

    fn hidden(&mut self) {
        self.notes.push(Trait::NotOpened("even its names are encrypted".to_owned()));
        self.notes.push(Trait::Encrypted);
    }
}
