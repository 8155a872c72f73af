//! What of a message two programs could read in two ways (attacks E1), and its other readings.
//!
//! [`Structure`] is one reading, always the same (`lib.rs` tells its rules). A scanner that knows only that one is
//! passed by what a mail program reads otherwise. So [`find`] says where others could differ, each [`Kind`] with its
//! [`Grade`], and [`readings`] gives what they would see, for scanners to judge as well.
//!
//! Whether a second reading matters is looked at before it is said: of two boundaries, whether delimiters of the other one
//! occur; of a second type, whether it makes parts.
//!
//! **Limits**: `limits::AMBIGUITIES_OF_A_KIND_MAX`, `AMBIGUITY_WORK`, `AMBIGUITY_EVIDENCE_MAX`, `BOUNDARIES_READ_MAX`,
//! `READINGS_MAX`, `READINGS_WORK`. Each byte is looked at a bounded number of times.
//!
//! **Standards**: RFC 2045, 2046, 2047, 2183, 2231, RFC 5322; draft-chen-email-mime-ambiguity-defense.

mod boundary;
mod encoding;
mod head;
mod kind;
mod naming;
mod reading;
mod text;

pub use kind::{Grade, Kind};
pub use reading::{Reading, Readings, readings};

use crate::bytes::{string, sub, truncate};
use crate::decode::slice;
use crate::structure::{Part, Structure};
use head::Head;
use mailward_core::limits::{
    AMBIGUITIES_OF_A_KIND_MAX, AMBIGUITY_EVIDENCE_MAX, AMBIGUITY_WORK, MIME_DEPTH_MAX, MIME_PARTS_MAX,
};

/// One thing that could be read in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguity {
    /// What.
    pub kind: Kind,
    /// Of which part: its place in [`Structure::parts`]. See [`number`].
    pub part: usize,
    /// Where in the message, bytes; of what is said of a part as a whole, where it begins.
    pub at: u64,
    /// For people, at most `limits::AMBIGUITY_EVIDENCE_MAX` bytes, no control characters. Whoever sent it wrote them.
    pub evidence: String,
    /// What else could be read: a Content-Type, an encoding.
    other: Vec<u8>,
}

/// Everything in a message that could be read in two ways, part by part. At most `limits::AMBIGUITIES_OF_A_KIND_MAX` of a
/// kind. The structure must be the message's own; another's gives nonsense, no harm.
#[must_use]
pub fn find(message: &[u8], structure: &Structure) -> Vec<Ambiguity> {
    look(message, structure).0
}

/// The number of a part as IMAP has it (`1.2`); a multipart that is the message itself is `0`, one that is the message
/// inside part 2 is `2.0`.
#[must_use]
pub fn number(structure: &Structure, part: usize) -> String {
    let parents = parents(structure);
    let whole = |at: usize| {
        parents.get(at).copied().flatten().is_none_or(|up| structure.parts.get(up).is_some_and(Part::is_message))
    };
    let mut steps = Vec::new();
    let mut at = part;
    if whole(at) {
        // A message that is no multipart has the one part 1: its body.
        steps.push(usize::from(!structure.parts.get(at).is_some_and(Part::is_multipart)));
    }
    // Parents come before their children, so this ends.
    while let Some(parent) = parents.get(at).copied().flatten() {
        if let Some(holds) = structure.parts.get(parent).filter(|_| !whole(at)) {
            let here = structure.parts.get(at);
            let before = structure.children(holds).take_while(|child| here.is_some_and(|p| !std::ptr::eq(p, *child)));
            steps.push(before.count().saturating_add(1));
        }
        at = parent;
    }
    let shown: Vec<String> = steps.iter().rev().map(usize::to_string).collect();
    shown.join(".")
}

/// See [`find`]; also tells the work done, in bytes looked at, so that tests can show that it grows with the message only.
fn look(message: &[u8], structure: &Structure) -> (Vec<Ambiguity>, u64) {
    let room = (message.len() as u64).saturating_mul(AMBIGUITY_WORK).saturating_add(4096);
    let mut finder = Finder {
        message,
        structure,
        parents: parents(structure),
        boundaries: vec![None; structure.parts.len()],
        found: Vec::new(),
        counts: vec![0; Kind::ALL.len()],
        room,
        spent: 0,
    };
    finder.limits();
    for (index, part) in structure.parts().enumerate() {
        finder.part(index, part);
    }
    (finder.found, finder.spent)
}

/// The place of what holds each part.
fn parents(structure: &Structure) -> Vec<Option<usize>> {
    let mut parents = vec![None; structure.parts.len()];
    for (index, part) in structure.parts.iter().enumerate() {
        let mut child = part.first_child;
        while child != 0 {
            let Ok(at) = usize::try_from(child) else { break };
            if let Some(slot) = parents.get_mut(at) {
                *slot = Some(index);
            }
            child = structure.parts.get(at).map_or(0, |p| p.next);
        }
    }
    parents
}

struct Finder<'m> {
    message: &'m [u8],
    structure: &'m Structure,
    parents: Vec<Option<usize>>,
    /// Of the multiparts that have been looked at.
    boundaries: Vec<Option<Vec<u8>>>,
    found: Vec<Ambiguity>,
    /// How many there are of each kind.
    counts: Vec<usize>,
    /// Bytes that may yet be looked at.
    room: u64,
    spent: u64,
}

impl<'m> Finder<'m> {
    fn part(&mut self, index: usize, part: &'m Part) {
        let head = self.head(index, part);
        self.header_ended(index, part);
        if self.multipart(index, part, &head) {
            return;
        }
        if part.is_message() {
            return;
        }
        let overlong = self.encoding(index, part, &head);
        self.text(index, part, &head, overlong);
        self.naming(index, part, &head);
        self.types(index, part, &head);
    }

    /// Whether the structure ends before the message does.
    fn limits(&mut self) {
        let last = self.structure.parts.len().saturating_sub(1);
        if self.structure.parts.len() >= MIME_PARTS_MAX {
            let at = self.structure.parts.last().map_or(0, |p| p.header.start);
            self.note(Kind::TooManyParts, last, at, || format!("{MIME_PARTS_MAX} or more"));
        }
    }

    /// How deep a part lies.
    fn depth(&self, index: usize) -> usize {
        self.around(index).count()
    }

    /// What a part lies in, from the inside out.
    fn around(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.parents.get(index).copied().flatten(), |at| self.parents.get(*at).copied().flatten())
            .take(MIME_DEPTH_MAX.saturating_add(1))
    }

    /// Notes a doubt, unless there are enough of its kind or it is told of this part.
    fn note(&mut self, kind: Kind, part: usize, at: u64, evidence: impl FnOnce() -> String) {
        self.note_other(kind, part, at, Vec::new(), evidence);
    }

    /// See [`Finder::note`]; with what else could be read.
    fn note_other(&mut self, kind: Kind, part: usize, at: u64, other: Vec<u8>, evidence: impl FnOnce() -> String) {
        if self.found.iter().rev().take_while(|f| f.part == part).any(|f| f.kind == kind && f.other == other) {
            return;
        }
        let Some(count) = self.counts.get_mut(kind as usize) else { return };
        *count = count.saturating_add(1);
        if *count <= AMBIGUITIES_OF_A_KIND_MAX {
            self.push(Ambiguity { kind, part, at, evidence: evidence(), other });
        } else if kind.is_read() && kind.grade() > Grade::Harmless {
            // What isn't told isn't read in other ways: nothing may hide behind the number.
            self.too_much(part, at, format!("{} more than {AMBIGUITIES_OF_A_KIND_MAX} times", kind.name()));
        }
    }

    /// Notes that there is more than is looked into, once.
    fn too_much(&mut self, part: usize, at: u64, evidence: String) {
        if let Some(count @ 0) = self.counts.get_mut(Kind::TooMuch as usize) {
            *count = 1;
            self.push(Ambiguity { kind: Kind::TooMuch, part, at, evidence, other: Vec::new() });
        }
    }

    fn push(&mut self, mut doubt: Ambiguity) {
        doubt.evidence = doubt.evidence.replace(char::is_control, ".");
        truncate(&mut doubt.evidence, AMBIGUITY_EVIDENCE_MAX);
        self.found.push(doubt);
    }

    /// Takes bytes from what may be looked at; false: there is no room for them, which is noted.
    fn spend(&mut self, part: usize, bytes: usize) -> bool {
        let bytes = bytes as u64;
        if bytes > self.room {
            self.room = 0;
            self.too_much(part, 0, "its parts could be read in too many ways".to_owned());
            return false;
        }
        self.room = self.room.saturating_sub(bytes);
        self.spent = self.spent.saturating_add(bytes);
        true
    }

    fn body(&self, part: &Part) -> &'m [u8] {
        slice(self.message, &part.body)
    }

    /// Types that are doubts by themselves.
    fn types(&mut self, index: usize, part: &Part, head: &Head<'_>) {
        let Some(parsed) = &head.parsed else { return };
        let at = part.header.start;
        match (parsed.media_type.as_str(), parsed.subtype.as_str()) {
            ("message", "partial") => self.note(Kind::MessagePartial, index, at, || "message/partial".to_owned()),
            ("message", "external-body") => {
                self.note(Kind::ExternalBody, index, at, || part.param("access-type").unwrap_or_default().to_owned());
            }
            ("message", "rfc822" | "global") if self.depth(index) >= MIME_DEPTH_MAX => {
                self.note(Kind::TooDeep, index, at, || format!("{MIME_DEPTH_MAX} levels"));
            }
            ("message", "rfc822" | "global") if !head.is_identity() => {
                self.note(Kind::MessageEncoded, index, at, || head.encoding.clone());
            }
            _ => {}
        }
    }
}

/// Bytes for people: the first of them, as text.
fn shown(bytes: &[u8]) -> String {
    string(crate::bytes::trim(sub(bytes, 0..bytes.len().min(AMBIGUITY_EVIDENCE_MAX))))
}

/// Where a line begins that looks like the header of a part, or like a file put into text; also a long run of base64.
/// Offsets are of `bytes`, which begin with a line.
fn part_like(bytes: &[u8]) -> Option<usize> {
    place_of(bytes, is_part_field)
}

/// Where a line begins that says of what follows that it is more than a text, or that looks like a file. Old programs put
/// a harmless field of MIME where no part is.
fn payload_like(bytes: &[u8]) -> Option<usize> {
    const WORDS: [&[u8]; 9] =
        [b"base64", b"quoted", b"uu", b"attachment", b"name", b"application/", b"image/", b"message/", b"multipart/"];
    place_of(bytes, |line| {
        let value = memchr::memchr(b':', line)
            .map(|colon| crate::bytes::trim(crate::bytes::from(line, colon.saturating_add(1))));
        // A folded one says it on the next line.
        is_part_field(line)
            && value.is_none_or(|v| v.is_empty() || v.ends_with(b";") || WORDS.iter().any(|word| has_word(v, word)))
    })
}

/// Whether a word stands somewhere in some bytes, in any case.
fn has_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word))
}

/// See [`part_like`] and [`payload_like`].
fn place_of(bytes: &[u8], is_field: impl Fn(&[u8]) -> bool) -> Option<usize> {
    /// Lines of base64 in a row that are no signature any more.
    const RUN: usize = 16;
    let mut run = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        let end = crate::bytes::line_end(bytes, at);
        let line = sub(bytes, at..end);
        if is_field(line) || text::is_begin(line) {
            return Some(at);
        }
        let line = crate::bytes::without_end(line);
        run = if line.len() >= 60 && line.iter().all(|b| encoding::is_base64(*b)) { run.saturating_add(1) } else { 0 };
        if run >= RUN {
            return Some(at);
        }
        at = end;
    }
    None
}

/// Whether a line is a field that says how a part is to be read.
fn is_part_field(line: &[u8]) -> bool {
    let Some(rest) = line.get(..8).filter(|n| n.eq_ignore_ascii_case(b"content-")).and_then(|_| line.get(8..)) else {
        return false;
    };
    [&b"type"[..], b"transfer-encoding", b"disposition"].iter().any(|name| {
        rest.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name))
            && rest.get(name.len()..).is_some_and(|r| crate::bytes::trim(r).first() == Some(&b':'))
    })
}

#[cfg(test)]
mod tests;
