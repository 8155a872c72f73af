//! The walk over a message that makes its [`Structure`]: one pass, an explicit stack, no recursion. `lib.rs` tells
//! its rules.

use crate::bytes::{from, line_end, sub, trim_end};
use crate::content::{ContentType, parse_disposition, parse_encoding, parse_languages, parse_type, strings};
use crate::envelope::{Envelope, once};
use crate::header::{empty_line_end, fields, header_end, starts_like_header};
use crate::structure::{Part, Structure};
use mailward_core::limits::{ENVELOPE_ADDRESSES_SUM_MAX, MIME_DEPTH_MAX, MIME_PARTS_MAX};
use memchr::memmem;

/// Walks a message. Also tells the work done, in bytes looked at (each byte of a line that looks like a delimiter
/// once for each open multipart it is compared with), so that tests can show that it grows with the message only.
pub(crate) fn walk(message: &[u8]) -> (Structure, u64) {
    let mut walker = Walker {
        message,
        parts: Vec::with_capacity(1),
        open: Vec::with_capacity(1),
        envelope: Envelope::default(),
        addresses_left: ENVELOPE_ADDRESSES_SUM_MAX,
        counted: 0,
        newlines: 0,
        dashes: memmem::Finder::new(b"\n--"),
        work: 0,
    };
    walker.run();
    let structure = Structure { size: message.len() as u64, envelope: walker.envelope, parts: walker.parts };
    (structure, walker.work)
}

struct Walker<'m> {
    message: &'m [u8],
    parts: Vec<Part>,
    /// Entities that haven't ended, from the outermost in.
    open: Vec<Open>,
    envelope: Envelope,
    /// Addresses that ENVELOPEs may yet list.
    addresses_left: usize,
    /// Up to here newlines are counted, and how many there are.
    counted: usize,
    newlines: u64,
    dashes: memmem::Finder<'static>,
    work: u64,
}

/// An entity that hasn't ended.
struct Open {
    part: usize,
    /// Of a multipart before its close delimiter.
    boundary: Option<Vec<u8>>,
    /// Whether parts without Content-Type are messages (RFC 2046 §5.1.5).
    digest: bool,
    /// The last part of it so far.
    last_child: Option<usize>,
    /// Newlines before its body.
    newlines: u64,
}

/// What comes next.
enum Step {
    /// An entity starts here; `message`: it is one with an ENVELOPE; `digest`: it is a digest's part.
    Entity { start: usize, message: bool, digest: bool },
    /// Nothing to be read before the next delimiter; the offset is a line's start.
    Seek(usize),
    /// A delimiter.
    Delimited(Delimiter),
    /// The message's end.
    End,
}

/// A delimiter line.
struct Delimiter {
    start: usize,
    /// After its line end.
    end: usize,
    /// Whose: index in `open`.
    of: usize,
    close: bool,
}

/// What an entity's type says of its inside.
enum Inside {
    Multipart(Vec<u8>, bool),
    Message,
    Leaf,
}

impl Walker<'_> {
    fn run(&mut self) {
        let mut step = Step::Entity { start: 0, message: true, digest: false };
        loop {
            step = match step {
                Step::Entity { start, message, digest } => self.entity(start, message, digest),
                Step::Seek(start) => self.next_delimiter(start).map_or(Step::End, Step::Delimited),
                Step::Delimited(delimiter) => self.delimited(&delimiter),
                Step::End => break,
            };
        }
        self.close_to(0, self.message.len());
    }

    /// Opens the entity at `start`.
    fn entity(&mut self, start: usize, message: bool, digest: bool) -> Step {
        let (header_end, delimiter) = self.header_end(start);
        self.work = self.work.saturating_add(header_end.saturating_sub(start) as u64);
        let index = self.parts.len();
        let mut part = Part {
            header: start as u64..header_end as u64,
            body: header_end as u64..header_end as u64,
            encoding: "7bit".to_owned(),
            ..Part::default()
        };
        let mut envelope = Envelope::default();
        let content_type = self.fields(start, header_end, message.then_some(&mut envelope), &mut part);
        if message {
            // The message of this entity: of the whole, or of the `message/rfc822` that is open now.
            match self.open.last().and_then(|parent| self.parts.get_mut(parent.part)) {
                Some(parent) => parent.message = Some(Box::new(envelope)),
                None => self.envelope = envelope,
            }
        }
        let inside = self.inside(&mut part, content_type, digest, delimiter.is_none());
        self.parts.push(part);
        self.link(index);
        let newlines = self.newlines_to(header_end);
        let open = Open { part: index, boundary: None, digest: false, last_child: None, newlines };
        let next = match inside {
            Inside::Multipart(boundary, digest) => {
                self.open.push(Open { boundary: Some(boundary), digest, ..open });
                Step::Seek(header_end)
            }
            Inside::Message => {
                self.open.push(open);
                Step::Entity { start: header_end, message: true, digest: false }
            }
            Inside::Leaf => {
                self.open.push(open);
                Step::Seek(header_end)
            }
        };
        delimiter.map_or(next, Step::Delimited)
    }

    /// Where the header of the entity at `start` ends, and the delimiter that ends it, if it is that.
    fn header_end(&mut self, start: usize) -> (usize, Option<Delimiter>) {
        let rest = from(self.message, start);
        if !self.open.iter().any(|o| o.boundary.is_some()) {
            return (start.saturating_add(header_end(rest)), None);
        }
        if let Some(delimiter) = self.delimiter_at(start) {
            return (start, Some(delimiter));
        }
        if !starts_like_header(rest) {
            return (start, None);
        }
        let mut at = start;
        while at < self.message.len() {
            if let Some(end) = empty_line_end(self.message, at) {
                return (end, None);
            }
            if let Some(delimiter) = self.delimiter_at(at) {
                return (at, Some(delimiter));
            }
            at = line_end(self.message, at);
        }
        (at, None)
    }

    /// Reads the fields of a header into a part and an envelope; gives its Content-Type: `None` if there is none,
    /// `Some(None)` if it can't be read.
    fn fields(
        &mut self,
        start: usize,
        end: usize,
        mut envelope: Option<&mut Envelope>,
        part: &mut Part,
    ) -> Option<Option<ContentType>> {
        let mut content_type = None;
        let mut encoding = None;
        let mut disposition = None;
        let mut languages = None;
        for field in fields(sub(self.message, start..end)) {
            if field.name.len() >= 10 && field.name.get(..8).is_some_and(|n| n.eq_ignore_ascii_case(b"content-")) {
                match field.name.len() {
                    12 if field.is("content-type") => {
                        content_type.get_or_insert_with(|| parse_type(field.value));
                    }
                    25 if field.is("content-transfer-encoding") => {
                        encoding.get_or_insert_with(|| parse_encoding(field.value));
                    }
                    19 if field.is("content-disposition") => {
                        disposition.get_or_insert_with(|| parse_disposition(field.value));
                    }
                    19 if field.is("content-description") => once(&mut part.description, field.value),
                    16 if field.is("content-language") => {
                        languages.get_or_insert_with(|| parse_languages(field.value));
                    }
                    16 if field.is("content-location") => once(&mut part.location, field.value),
                    11 if field.is("content-md5") => once(&mut part.md5, field.value),
                    10 if field.is("content-id") => once(&mut part.id, field.value),
                    _ => {}
                }
            } else if let Some(envelope) = envelope.as_deref_mut() {
                envelope.take(field.name, field.value, &mut self.addresses_left);
            }
        }
        if let Some(encoding) = encoding {
            part.encoding = encoding;
        }
        part.disposition = disposition.flatten();
        part.language = languages.unwrap_or_default();
        content_type
    }

    /// Settles a part's type and what is inside. `bodied`: whether its header ended by itself.
    fn inside(&self, part: &mut Part, content_type: Option<Option<ContentType>>, digest: bool, bodied: bool) -> Inside {
        // Room for this part's children: one level, and one part beside this.
        let room = bodied && self.open.len() < MIME_DEPTH_MAX && self.parts.len().saturating_add(1) < MIME_PARTS_MAX;
        let content_type = match content_type {
            Some(Some(content_type)) => content_type,
            None if digest => {
                ContentType { media_type: "message".to_owned(), subtype: "rfc822".to_owned(), params: Vec::new() }
            }
            _ => {
                plain_text(part);
                return Inside::Leaf;
            }
        };
        let boundary = if content_type.media_type == "multipart" { Some(content_type.boundary()) } else { None };
        part.media_type = content_type.media_type;
        part.subtype = content_type.subtype;
        part.params = strings(content_type.params);
        match boundary {
            Some(Some(boundary)) if room => return Inside::Multipart(boundary, part.subtype == "digest"),
            Some(Some(_)) => {
                as_it_stands(part);
                opaque(part);
            }
            Some(None) => {
                as_it_stands(part);
                plain_text(part);
            }
            None if part.media_type == "message" && matches!(part.subtype.as_str(), "rfc822" | "global") => {
                if room && matches!(part.encoding.as_str(), "7bit" | "8bit" | "binary") {
                    return Inside::Message;
                }
                opaque(part);
            }
            None => {}
        }
        Inside::Leaf
    }

    /// Makes a part the last child of the innermost open entity.
    fn link(&mut self, index: usize) {
        // Indices are below `MIME_PARTS_MAX`.
        let link = u32::try_from(index).unwrap_or(0);
        let Some(parent) = self.open.last_mut() else { return };
        match parent.last_child.replace(index) {
            Some(before) => {
                if let Some(before) = self.parts.get_mut(before) {
                    before.next = link;
                }
            }
            None => {
                if let Some(part) = self.parts.get_mut(parent.part) {
                    part.first_child = link;
                }
            }
        }
    }

    /// Ends what a delimiter ends.
    fn delimited(&mut self, delimiter: &Delimiter) -> Step {
        if !delimiter.close && self.parts.len() >= MIME_PARTS_MAX {
            // One part too many: its bytes belong to the part before.
            return Step::Seek(delimiter.end);
        }
        let before = sub(self.message, 0..delimiter.start);
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        let before = before.strip_suffix(b"\r").unwrap_or(before);
        self.close_to(delimiter.of.saturating_add(1), before.len());
        match self.open.last_mut() {
            Some(open) if delimiter.close => {
                open.boundary = None;
                Step::Seek(delimiter.end)
            }
            Some(open) => Step::Entity { start: delimiter.end, message: false, digest: open.digest },
            None => Step::End,
        }
    }

    /// Ends the open entities but the outermost `keep`, at `end` or where their inside has reached.
    fn close_to(&mut self, keep: usize, end: usize) {
        let mut end = end as u64;
        while self.open.len() > keep {
            let Some(open) = self.open.pop() else { break };
            let Some(part) = self.parts.get_mut(open.part) else { break };
            // The header of the innermost may reach past the line end that belongs to the delimiter.
            end = end.max(part.body.start);
            part.body.end = end;
            if part.is_multipart() && part.first_child == 0 {
                as_it_stands(part);
                plain_text(part);
            }
            if part.is_text() || part.is_message() {
                let newlines = self.newlines_to(usize::try_from(end).unwrap_or(usize::MAX));
                if let Some(part) = self.parts.get_mut(open.part) {
                    part.lines = newlines.saturating_sub(open.newlines);
                }
            }
        }
    }

    /// Newlines before an offset. Offsets are asked for in rising order, so each byte is counted once.
    fn newlines_to(&mut self, offset: usize) -> u64 {
        if offset > self.counted {
            let between = sub(self.message, self.counted..offset);
            self.newlines = self.newlines.saturating_add(memchr::memchr_iter(b'\n', between).count() as u64);
            self.work = self.work.saturating_add(between.len() as u64);
            self.counted = offset;
        }
        self.newlines
    }

    /// The first delimiter of an open multipart at or after `start`, which is a line's start.
    fn next_delimiter(&mut self, start: usize) -> Option<Delimiter> {
        if !self.open.iter().any(|o| o.boundary.is_some()) {
            return None;
        }
        let mut line = start;
        loop {
            if let Some(delimiter) = self.delimiter_at(line) {
                self.work = self.work.saturating_add(delimiter.end.saturating_sub(start) as u64);
                return Some(delimiter);
            }
            // Only a line's beginning counts, so the search may go on within this one: from its first byte, as the
            // newline before it is behind.
            let Some(found) = self.dashes.find(from(self.message, line)) else {
                self.work = self.work.saturating_add(self.message.len().saturating_sub(start) as u64);
                return None;
            };
            line = line.saturating_add(found).saturating_add(1);
        }
    }

    /// The delimiter that is the whole line at `line`, if it is one.
    fn delimiter_at(&mut self, line: usize) -> Option<Delimiter> {
        let rest = from(self.message, line).strip_prefix(b"--")?;
        let end = line_end(self.message, line);
        let said = trim_end(sub(rest, 0..end.saturating_sub(line).saturating_sub(2)));
        let mut compared = end.saturating_sub(line);
        let found = self.open.iter().enumerate().rev().find_map(|(of, open)| {
            let boundary = open.boundary.as_deref()?;
            compared = compared.saturating_add(boundary.len().min(said.len()));
            match said.strip_prefix(boundary)? {
                b"" => Some((of, false)),
                b"--" => Some((of, true)),
                _ => None,
            }
        });
        self.work = self.work.saturating_add(compared as u64);
        found.map(|(of, close)| Delimiter { start: line, end, of, close })
    }
}

/// A multipart that is served whole after all: nothing in it is encoded, whatever its header says (RFC 2045 §6.4).
fn as_it_stands(part: &mut Part) {
    if !matches!(part.encoding.as_str(), "7bit" | "8bit" | "binary") {
        part.encoding = "7bit".to_owned();
    }
}

/// What RFC 2045 §5.2 wants of a part without a type that can be read.
fn plain_text(part: &mut Part) {
    part.media_type = "text".to_owned();
    part.subtype = "plain".to_owned();
    part.params = vec![("charset".to_owned(), "us-ascii".to_owned())];
}

/// A part that isn't described: its bytes are served, whole.
fn opaque(part: &mut Part) {
    part.media_type = "application".to_owned();
    part.subtype = "octet-stream".to_owned();
    part.params.retain(|(name, _)| name.starts_with("name"));
}

#[cfg(test)]
mod tests;
