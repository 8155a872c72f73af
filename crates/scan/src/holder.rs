//! What holds files, as the walk sees it: something that gives one after the other.

use crate::codec::{self, Codec};
use crate::contents::{Trait, Wrapping};
use crate::cursor::{length, size};
use crate::document::Kept;
use crate::meter::{End, Growth, Meter, Unpacked};
use crate::names;
use crate::shown;
use bytes::Bytes;
use std::ops::Range;

/// Gives the files of a container one after the other.
pub(crate) trait Holder {
    fn next(&mut self, meter: &mut Meter<'_>) -> Step;

    /// Takes parts of the bytes that it holds which were unpacked already, and need not be again.
    fn has_unpacked(&mut self, _of: &Bytes, _unpacked: Vec<Kept>) {}
}

/// What a container gives.
pub(crate) enum Step {
    /// A file in it.
    File(Found),
    /// Something remarkable about itself.
    Note(Trait),
    /// No more.
    End,
}

/// A file that was found in something.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) names: Vec<String>,
    pub(crate) declared: String,
    pub(crate) wrapping: Wrapping,
    pub(crate) traits: Vec<Trait>,
    /// What is said of its length; counts where it can't be unwrapped.
    pub(crate) size: u64,
    /// None: it can't be unwrapped.
    pub(crate) bytes: Option<Bytes>,
    /// Whether these are all of its bytes.
    pub(crate) whole: bool,
    /// Virus scanners may not get at it, for how it is packed.
    pub(crate) seldom: bool,
}

impl Found {
    /// A file that lies open.
    pub(crate) fn open(names: Vec<String>, bytes: Bytes) -> Self {
        let traits = names::traits(&names);
        Self { traits, names, size: length(&bytes), bytes: Some(bytes), whole: true, ..Self::default() }
    }

    /// A file that isn't opened.
    pub(crate) fn closed(names: Vec<String>, size: u64, why: Trait) -> Self {
        let mut traits = names::traits(&names);
        traits.push(why);
        Self { names, size, traits, ..Self::default() }
    }

    /// What came of unpacking one. `said` is the length that its container tells.
    pub(crate) fn unpacked(names: Vec<String>, said: Option<u64>, unpacked: Unpacked) -> Self {
        let Unpacked { bytes, end, .. } = unpacked;
        let mut found = Self::open(names, Bytes::from(bytes));
        found.whole = end == End::Whole;
        match end {
            End::Whole => {
                if said.is_some_and(|said| said != found.size) {
                    found.traits.push(Trait::Damaged("its length isn't what is told of it".to_owned()));
                }
                return found;
            }
            End::Larger => found.traits.push(Trait::NotOpened("larger than is looked at".to_owned())),
            End::Broken(why) => found.traits.push(why),
            End::Stopped => found.traits.push(Trait::NotOpened("looking ended before its end".to_owned())),
        }
        found.size = said.unwrap_or(0).max(found.size);
        if found.bytes.as_ref().is_some_and(Bytes::is_empty) {
            found.bytes = None;
        }
        found
    }
}

/// A container whose entries can be told without unpacking any.
pub(crate) struct Listing {
    pub(crate) bytes: Bytes,
    /// What is remarkable about it, given first; last one first.
    pub(crate) notes: Vec<Trait>,
    /// In order.
    pub(crate) entries: std::vec::IntoIter<Entry>,
    growth: Growth,
    /// Entries that were unpacked before.
    unpacked: Vec<Kept>,
}

/// An entry of a [`Listing`].
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) names: Vec<String>,
    pub(crate) wrapping: Wrapping,
    pub(crate) declared: String,
    /// Besides what the names tell.
    pub(crate) traits: Vec<Trait>,
    /// The length that is told of it; none: nothing is.
    pub(crate) size: Option<u64>,
    pub(crate) body: Body,
}

/// Where an entry's bytes are.
#[derive(Default)]
pub(crate) enum Body {
    /// Nowhere: a trait says why.
    #[default]
    None,
    /// In the container, as they are.
    Plain(Range<usize>),
    /// In the container, packed.
    Packed(Range<usize>, Codec),
    /// Put together.
    Made(Vec<u8>),
}

impl Listing {
    pub(crate) fn new(bytes: Bytes, notes: Vec<Trait>, entries: Vec<Entry>) -> Self {
        let growth = Growth::of(bytes.len());
        Self { bytes, notes, entries: entries.into_iter(), growth, unpacked: Vec::new() }
    }

    pub(crate) fn boxed(bytes: &Bytes, notes: Vec<Trait>, entries: Vec<Entry>) -> Box<dyn Holder> {
        Box::new(Self::new(bytes.clone(), notes, entries))
    }

    /// What was unpacked before of what lies here, given away.
    fn unpacked_before(&mut self, codec: Codec, there: &Range<usize>) -> Option<Vec<u8>> {
        let place = self.unpacked.iter().position(|(range, _)| codec == Codec::Deflate && range == there)?;
        Some(self.unpacked.swap_remove(place).1)
    }

    fn found(&mut self, entry: Entry, meter: &mut Meter<'_>) -> Found {
        let Entry { names, wrapping, declared, traits, size: said, body } = entry;
        let was_packed = matches!(body, Body::Packed(..));
        let seldom = matches!(body, Body::Packed(_, codec) if !shown::unpacks(codec));
        let mut found = match body {
            Body::None => {
                let name_traits = names::traits(&names);
                Found { names, traits: name_traits, size: said.unwrap_or(0), ..Found::default() }
            }
            Body::Plain(range) => {
                let there = range.start.min(self.bytes.len())..range.end.min(self.bytes.len());
                let cut = there != range;
                let piece = if there.start < there.end { self.bytes.slice(there) } else { Bytes::new() };
                let mut found = Found::open(names, piece);
                if cut || said.is_some_and(|said| said != found.size) {
                    found.traits.push(Trait::Damaged("it ends before its end".to_owned()));
                    found.size = said.unwrap_or(0).max(found.size);
                    found.whole = false;
                }
                found
            }
            Body::Packed(range, codec) => {
                let there = range.start.min(self.bytes.len())..range.end.min(self.bytes.len());
                let before = self.unpacked_before(codec, &there);
                let before = before.and_then(|bytes| meter.unpacked_before(bytes, &mut self.growth));
                let piece = if there.start < there.end { self.bytes.slice(there) } else { Bytes::new() };
                // Not bounded by the length that is told: programs that don't heed it go on.
                let unpacked =
                    before.unwrap_or_else(|| codec::unpack(codec, piece, said, u64::MAX, &mut self.growth, meter));
                Found::unpacked(names, said, unpacked)
            }
            Body::Made(bytes) => Found::open(names, Bytes::from(bytes)),
        };
        if !was_packed {
            meter.take_bytes(length(found.bytes.as_deref().unwrap_or_default()));
        }
        found.seldom = seldom;
        found.wrapping = wrapping;
        found.declared = declared;
        for new in traits {
            if !found.traits.contains(&new) {
                found.traits.push(new);
            }
        }
        found
    }
}

impl Holder for Listing {
    fn next(&mut self, meter: &mut Meter<'_>) -> Step {
        if let Some(note) = self.notes.pop() {
            return Step::Note(note);
        }
        match self.entries.next() {
            Some(entry) => Step::File(self.found(entry, meter)),
            None => Step::End,
        }
    }

    fn has_unpacked(&mut self, of: &Bytes, unpacked: Vec<Kept>) {
        // Places mean something in the same bytes only.
        if self.bytes.as_ptr() == of.as_ptr() && self.bytes.len() == of.len() {
            self.unpacked = unpacked;
        }
    }
}

/// Files that a document held.
pub(crate) struct Held(pub(crate) std::vec::IntoIter<Found>);

impl Holder for Held {
    fn next(&mut self, _meter: &mut Meter<'_>) -> Step {
        self.0.next().map_or(Step::End, Step::File)
    }
}

/// The range of so many bytes from an offset on.
pub(crate) fn span(start: usize, bytes: u64) -> Range<usize> {
    start..start.saturating_add(size(bytes))
}
