//! Other readings of a message: what programs see that decide a doubt otherwise.

use super::boundary::{decoded, of_boundary};
use super::encoding::Base64;
use super::head::{Head, plain_name};
use super::text::{shortest, utf7};
use super::{Ambiguity, Kind, part_like};
use crate::bytes::{from, line_end, sub};
use crate::decode::{base64, charset, part_bytes, quoted_printable, slice};
use crate::header::{fields, starts_like_header};
use crate::names;
use crate::structure::{Part, Structure};
use mailward_core::limits::{READINGS_MAX, READINGS_WORK};
use memchr::memmem;
use std::borrow::Cow;
use std::collections::HashSet;

/// A file as another program would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Of which part: its place in [`Structure::parts`]; see [`super::number`].
    pub part: usize,
    /// Why there is one.
    pub why: Kind,
    /// Names it may go by; see [`names::of`].
    pub names: Vec<String>,
    /// What it was declared to be, `type/subtype` in lower case, or empty.
    pub declared: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Everything that others would see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// As files, decoded.
    pub files: Vec<Reading>,
    /// Whether a limit ended it before the last: then the message wasn't looked at in all its readings.
    pub cut: bool,
}

/// What others would see, as files, decoded; nothing that [`Structure`] shows itself, and nothing twice. The doubts are those
/// of [`super::find`] for the same message. At most `limits::READINGS_MAX`; made of at most `limits::READINGS_WORK` times
/// the message's bytes. The worst doubts are read first.
#[must_use]
pub fn readings(message: &[u8], structure: &Structure, doubts: &[Ambiguity]) -> Readings {
    let mut reader = Reader {
        message,
        structure,
        known: None,
        found: Vec::new(),
        cut: false,
        room: (message.len() as u64).saturating_mul(READINGS_WORK).saturating_add(4096),
    };
    let mut doubts: Vec<&Ambiguity> = doubts.iter().filter(|doubt| doubt.kind.is_read()).collect();
    doubts.sort_by_key(|doubt| std::cmp::Reverse(doubt.kind.grade()));
    for doubt in doubts {
        reader.doubt(doubt);
    }
    Readings { files: reader.found, cut: reader.cut }
}

struct Reader<'m> {
    message: &'m [u8],
    structure: &'m Structure,
    /// The files that everybody sees, made when the first reading is compared with them.
    known: Option<HashSet<Cow<'m, [u8]>>>,
    found: Vec<Reading>,
    cut: bool,
    /// Bytes that may yet be made and read.
    room: u64,
}

impl<'m> Reader<'m> {
    fn doubt(&mut self, doubt: &Ambiguity) {
        let structure = self.structure;
        let Some(part) = structure.parts.get(doubt.part) else { return };
        let header = slice(self.message, &part.header);
        let body = slice(self.message, &part.body);
        // Where the doubt is, in the header or the body.
        let offset = |start: u64| usize::try_from(doubt.at.saturating_sub(start)).unwrap_or(usize::MAX);
        let in_body = from(body, offset(part.body.start));
        match doubt.kind {
            Kind::ContentTypeTwice | Kind::ContentTypeAgain | Kind::BoundaryInDoubt => {
                self.entity(doubt, &typed(&doubt.other, header, body));
            }
            Kind::EncodingTwice => {
                let other = String::from_utf8_lossy(&doubt.other).into_owned();
                self.encodings(doubt, part, &[other.as_str(), "7bit"], body);
            }
            Kind::EncodingWritten => {
                // As said at the end, behind comments and quotes, and as it stands.
                self.encodings(doubt, part, &["7bit", "base64", "quoted-printable"], body);
            }
            Kind::EncodingUnknown | Kind::EncodingHides | Kind::EncodingRare => {
                self.encodings(doubt, part, &["base64", "quoted-printable"], body);
            }
            Kind::Base64Padding | Kind::Base64Junk | Kind::Base64Trailing => self.base64(doubt, part, body),
            Kind::QuotedBlank if self.take(body.len()) => self.file(doubt, part, kept_blanks(body)),
            Kind::HeaderBroken if header.is_empty() => {
                self.entity(doubt, in_body);
            }
            Kind::HeaderBroken | Kind::BlankLine | Kind::LineWithoutColon | Kind::DelimiterInHeader => {
                let (before, rest) = header.split_at(offset(part.header.start).min(header.len()));
                self.entity(doubt, &[before, b"\r\n", rest, body].concat());
                // The line may count as what parts them.
                let behind = from(rest, line_end(rest, 0));
                self.entity(doubt, &[before, b"\r\n", behind, body].concat());
            }
            Kind::NulInHeader => {
                let without: Vec<u8> = header.iter().copied().filter(|b| *b != 0).collect();
                self.entity(doubt, &[&without, body].concat());
            }
            Kind::LineEndsMixed if header.ends_with(b"\n\n") => {
                // The header goes on to an empty line with CR.
                let header = header.strip_suffix(b"\n").unwrap_or(header);
                self.entity(doubt, &[header, body].concat());
            }
            Kind::NameDisguised => self.entity(doubt, &[&undisguised(header), body].concat()),
            Kind::CrInHeader => self.entity(doubt, &[&lined(header), body].concat()),
            Kind::DelimiterAfterCr => self.entity(doubt, &[header, &lined(body)].concat()),
            Kind::BlankBeforeColon => self.entity(doubt, &[&known_fields(header), body].concat()),
            Kind::HeaderWithoutEnd => {
                // The header goes on behind the delimiter, to the next empty line.
                let end = usize::try_from(part.header.start).unwrap_or(usize::MAX);
                self.entity(doubt, from(self.message, end));
            }
            Kind::BoundaryMissing => self.guessed(doubt, header, body),
            Kind::PreamblePayload | Kind::EpiloguePayload | Kind::DelimiterNearly => self.carved(doubt, in_body),
            Kind::PartsAfterClose => {
                if let Some(boundary) = Head::read(header).parsed.and_then(|t| t.boundary()) {
                    self.entity(doubt, &typed(&of_boundary(&boundary), b"", in_body));
                }
            }
            Kind::MultipartEncoded | Kind::PartsEncoded => {
                let head = Head::read(header);
                if self.take(body.len()) {
                    let inside = decoded(&head.encoding, body);
                    self.entity(doubt, &typed(head.content_type.unwrap_or_default(), b"", &inside));
                }
            }
            Kind::CharsetUtf7 | Kind::CharsetUtf7Html => self.text(doubt, part, utf7),
            Kind::CharsetOverlong => self.text(doubt, part, shortest),
            Kind::CharsetWide => {
                let label = part.param("charset");
                self.text(doubt, part, |bytes| charset(label, bytes).into_bytes());
            }
            Kind::TooManyParts => self.carved(doubt, body),
            Kind::TooDeep => self.entity(doubt, whole(self.message, part)),
            _ => {}
        }
    }

    /// Takes from the room; false: there is none left.
    fn take(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        if self.cut || bytes > self.room {
            self.cut = true;
            return false;
        }
        self.room = self.room.saturating_sub(bytes);
        true
    }

    /// The files of an entity that is read anew.
    fn entity(&mut self, doubt: &Ambiguity, entity: &[u8]) {
        if !self.take(entity.len().saturating_mul(2)) {
            return;
        }
        let structure = Structure::parse(entity);
        for part in structure.parts().filter(|p| !p.is_multipart() && !p.is_message()) {
            let bytes = part_bytes(entity, part).into_owned();
            self.add(doubt, names::in_message(entity, part), declared(part), bytes);
        }
    }

    /// A part's body in other encodings.
    fn encodings(&mut self, doubt: &Ambiguity, part: &Part, encodings: &[&str], body: &[u8]) {
        for encoding in encodings {
            if !self.take(body.len()) {
                return;
            }
            let bytes = match *encoding {
                "base64" => base64(body),
                "quoted-printable" => quoted_printable(body),
                _ => body.to_vec(),
            };
            self.file(doubt, part, bytes);
        }
    }

    /// Base64 as those read it who stop somewhere, don't heed padding, or know another alphabet.
    fn base64(&mut self, doubt: &Ambiguity, part: &Part, body: &[u8]) {
        let seen = Base64::of(body);
        for end in [seen.padding, seen.junk].into_iter().flatten() {
            if self.take(body.len()) {
                self.file(doubt, part, base64(sub(body, 0..end)));
            }
        }
        if seen.behind_padding.is_some() && self.take(body.len()) {
            let unpadded: Vec<u8> = body.iter().copied().filter(|b| *b != b'=').collect();
            self.file(doubt, part, base64(&unpadded));
        }
        let url = |b: &u8| matches!(b, b'-' | b'_');
        if seen.junk.is_some() && body.iter().any(url) && self.take(body.len()) {
            let standard = |b: &u8| match b {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            };
            let standard: Vec<u8> = body.iter().map(standard).collect();
            self.file(doubt, part, base64(&standard));
        }
    }

    /// A text as another decoder has it, in UTF-8.
    fn text(&mut self, doubt: &Ambiguity, part: &Part, decode: impl FnOnce(&[u8]) -> Vec<u8>) {
        if self.take(usize::try_from(part.size()).unwrap_or(usize::MAX).saturating_mul(2)) {
            let bytes = decode(&part_bytes(self.message, part));
            self.file(doubt, part, bytes);
        }
    }

    /// A multipart whose boundary isn't known: it is guessed by the first line that a part's header follows.
    fn guessed(&mut self, doubt: &Ambiguity, header: &[u8], body: &[u8]) {
        if let Some(field) = part_like(body) {
            let before = sub(body, 0..field);
            let line = memmem::rfind(before, b"\n--")
                .map(|at| at.saturating_add(1))
                .or(before.starts_with(b"--").then_some(0));
            if let Some(line) = line {
                let end = line_end(body, line);
                let boundary = crate::bytes::trim_end(sub(body, line.saturating_add(2)..end));
                self.entity(doubt, &typed(&of_boundary(boundary), b"", from(body, line)));
            }
        }
        let head = Head::read(header);
        if !head.is_identity() && self.take(body.len()) {
            let inside = decoded(&head.encoding, body);
            self.add(doubt, Vec::new(), String::new(), inside);
        }
        self.carved(doubt, body);
    }

    /// Whatever in some bytes looks like parts: from a header on to what looks like a delimiter.
    fn carved(&mut self, doubt: &Ambiguity, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(at) = part_like(rest) {
            let found = from(rest, at);
            if !self.take(at) {
                return;
            }
            let header = crate::header::header_end(found);
            let end = memmem::find(from(found, header), b"\n--")
                .map_or(found.len(), |n| header.saturating_add(n).saturating_add(1));
            // At least a line, so that this ends.
            let end = end.max(line_end(found, 0));
            let entity = sub(found, 0..end);
            if starts_like_header(entity) {
                self.entity(doubt, entity);
            } else if self.take(entity.len()) {
                self.add(doubt, Vec::new(), String::new(), base64(entity));
                self.add(doubt, Vec::new(), "text/plain".to_owned(), entity.to_vec());
            }
            rest = from(found, end);
        }
    }

    fn file(&mut self, doubt: &Ambiguity, part: &Part, bytes: Vec<u8>) {
        self.add(doubt, names::in_message(self.message, part), declared(part), bytes);
    }

    /// Adds a file, unless it's seen already.
    fn add(&mut self, doubt: &Ambiguity, names: Vec<String>, declared: String, bytes: Vec<u8>) {
        let (message, structure) = (self.message, self.structure);
        let known = self.known.get_or_insert_with(|| {
            let leaves = structure.parts().filter(|p| !p.is_multipart() && !p.is_message());
            leaves.map(|p| part_bytes(message, p)).collect()
        });
        if bytes.is_empty() || known.contains(bytes.as_slice()) || self.found.iter().any(|f| f.bytes == bytes) {
            return;
        }
        if self.found.len() >= READINGS_MAX {
            self.cut = true;
        } else {
            self.found.push(Reading { part: doubt.part, why: doubt.kind, names, declared, bytes });
        }
    }
}

fn declared(part: &Part) -> String {
    format!("{}/{}", part.media_type, part.subtype)
}

/// A part with its header.
fn whole<'m>(message: &'m [u8], part: &Part) -> &'m [u8] {
    slice(message, &(part.header.start..part.body.end))
}

/// An entity of this Content-Type, its value as in a header, with what else the header says of MIME.
fn typed(content_type: &[u8], header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut entity = [b"Content-Type:", content_type, b"\r\n"].concat();
    for field in fields(header) {
        if field.is("content-transfer-encoding") || field.is("content-disposition") {
            entity.extend_from_slice(sub(header, field.whole));
        }
    }
    if !entity.ends_with(b"\n") {
        entity.extend_from_slice(b"\r\n");
    }
    entity.extend_from_slice(b"\r\n");
    entity.extend_from_slice(body);
    entity
}

/// With line ends for bare CRs.
fn lined(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\r', rest) {
        out.extend_from_slice(sub(rest, 0..at));
        out.extend_from_slice(b"\r\n");
        rest = from(rest, at.saturating_add(1));
        rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    }
    out.extend_from_slice(rest);
    out
}

/// A header without the fields that have a blank before their colon.
fn known_fields(header: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len());
    for field in fields(header) {
        let whole = sub(header, field.whole);
        if whole.get(field.name.len()) == Some(&b':') {
            out.extend_from_slice(whole);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A header whose fields' names have nothing in them that doesn't belong there.
fn undisguised(header: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len());
    for field in fields(header) {
        let whole = sub(header, field.whole);
        // A line without colon has no name, and stays.
        out.extend(plain_name(field.name));
        out.extend_from_slice(from(whole, field.name.len()));
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Quoted-printable by who takes a `=` with blanks behind it for itself.
fn kept_blanks(body: &[u8]) -> Vec<u8> {
    let mut marked = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|b| *b == b'\n') {
        let bare = crate::bytes::trim_end(line);
        match bare.strip_suffix(b"=") {
            Some(before) if matches!(line.get(bare.len()), Some(b' ' | b'\t')) => {
                marked.extend_from_slice(before);
                marked.extend_from_slice(b"=3D\r\n");
            }
            _ => marked.extend_from_slice(line),
        }
    }
    quoted_printable(&marked)
}
