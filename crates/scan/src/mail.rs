//! Messages as containers: their parts that hold something.

use crate::contents::Wrapping;
use crate::holder::{Found, Holder, Step};
use crate::meter::Meter;
use crate::names;
use bytes::Bytes;
use mailward_message::decode::{file_name, part_bytes};
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
    let mut all = Vec::new();
    if let Some(name) = file_name(part) {
        names::add(&mut all, &name);
    }
    let bytes = match part_bytes(message, part) {
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Found {
        declared: format!("{}/{}", part.media_type, part.subtype),
        wrapping: Wrapping::Part(number),
        traits: Vec::new(),
        ..Found::open(all, bytes)
    }
}

/// A message that was found in something.
pub(crate) struct Mail {
    bytes: Bytes,
    parts: std::vec::IntoIter<(String, Part)>,
}

impl Mail {
    /// `number` of the part that it is, or nothing.
    pub(crate) fn new(bytes: Bytes, number: &str) -> Self {
        let structure = Structure::parse(&bytes);
        Self { parts: leaves(&structure, number).into_iter(), bytes }
    }
}

impl Holder for Mail {
    fn next(&mut self, meter: &mut Meter<'_>) -> Step {
        let Some((number, part)) = self.parts.next() else { return Step::End };
        let found = found(&self.bytes, number, &part);
        if meter.take_bytes(found.size) { Step::File(found) } else { Step::End }
    }
}
