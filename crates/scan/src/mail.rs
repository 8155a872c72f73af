//! Messages as containers: their parts that hold something.

use crate::contents::{Stopped, Trait, Wrapping};
use crate::holder::{Found, Holder, Step};
use crate::meter::Meter;
use bytes::Bytes;
use mailward_message::ambiguity;
use mailward_message::decode::part_bytes;
use mailward_message::{Part, Structure};
use std::borrow::Cow;

/// The parts of a message that aren't multiparts, in order, each with its number as IMAP has it (RFC 9051 §6.4.5.1) after
/// `before`. A message inside is one of them: what it holds is found when it is opened.
pub(crate) fn leaves(structure: &Structure, before: &str) -> Vec<(String, Part)> {
    let mut leaves = Vec::new();
    // What is left to look at, the next one last.
    let mut left = vec![(before.to_owned(), structure.root())];
    while let Some((number, part)) = left.pop() {
        if part.is_multipart() {
            let children: Vec<&Part> = structure.children(part).collect();
            let numbered = (1_u32..).zip(children).map(|(n, child)| (below(&number, n), child));
            left.extend(numbered.collect::<Vec<_>>().into_iter().rev());
        } else {
            // A message that is no multipart has the one part 1.
            let number = if std::ptr::eq(part, structure.root()) { below(&number, 1) } else { number };
            leaves.push((number, part.clone()));
        }
    }
    leaves
}

fn below(number: &str, child: u32) -> String {
    if number.is_empty() { child.to_string() } else { format!("{number}.{child}") }
}

/// A part as a file.
pub(crate) fn found(message: &[u8], number: String, part: &Part) -> Found {
    let all = mailward_message::names::in_message(message, part);
    let bytes = match part_bytes(message, part) {
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Found {
        declared: format!("{}/{}", part.media_type, part.subtype),
        wrapping: Wrapping::Part(number),
        ..Found::open(all, bytes)
    }
}

/// What other programs would read in a message, as files; and whether that is all.
pub(crate) fn readings(message: &[u8], structure: &Structure) -> (Vec<Found>, bool) {
    let doubts = ambiguity::find(message, structure);
    let readings = ambiguity::readings(message, structure, &doubts);
    let files = readings.files.into_iter().map(|reading| Found {
        declared: reading.declared,
        wrapping: Wrapping::Reading(reading.why.name().to_owned()),
        ..Found::open(reading.names, Bytes::from(reading.bytes))
    });
    (files.collect(), !readings.cut)
}

/// A message that was found in something.
pub(crate) struct Mail {
    bytes: Bytes,
    parts: std::vec::IntoIter<(String, Part)>,
    /// None: not made yet.
    readings: Option<std::vec::IntoIter<Found>>,
}

impl Mail {
    /// `number` of the part that it is, or nothing.
    pub(crate) fn new(bytes: Bytes, number: &str) -> Self {
        let structure = Structure::parse(&bytes);
        Self { parts: leaves(&structure, number).into_iter(), bytes, readings: None }
    }
}

impl Holder for Mail {
    fn next(&mut self, meter: &mut Meter<'_>) -> Step {
        let found = if let Some((number, part)) = self.parts.next() {
            found(&self.bytes, number, &part)
        } else if let Some(readings) = &mut self.readings {
            let Some(found) = readings.next() else { return Step::End };
            found
        } else {
            let (readings, are_all) = readings(&self.bytes, &Structure::parse(&self.bytes));
            self.readings = Some(readings.into_iter());
            if are_all {
                return self.next(meter);
            }
            meter.note(Stopped::Items);
            return Step::Note(Trait::NotOpened("more ways to read it than are looked at".to_owned()));
        };
        if meter.take_bytes(found.size) { Step::File(found) } else { Step::End }
    }
}
