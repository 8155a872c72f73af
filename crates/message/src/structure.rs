//! What is kept of a message beside its bytes.

use crate::envelope::Envelope;
use crate::walk;
use mailward_core::limits::{MIME_DEPTH_MAX, MIME_PARTS_MAX};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// First byte of [`Structure::to_bytes`]; another layout gets another number.
const VERSION: u8 = 1;

/// Everything a server needs to know of a message without its bytes, by offsets. A tree kept flat: parts refer to
/// each other by index, children after their parents, so it can't hold a cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Structure {
    /// Length of the message, bytes.
    pub(crate) size: u64,
    /// Of the message itself.
    pub(crate) envelope: Envelope,
    /// In the order of their headers; the first is the message. Never empty.
    pub(crate) parts: Vec<Part>,
}

/// One entity: the message, a part of a multipart, or the message inside a `message/rfc822`.
///
/// Offsets count bytes of the whole message; `header.end == body.start`. Types, encoding and parameter names are in
/// lower case; values are as written, undecoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its header with the empty line after it. For a part of a multipart this is `BODY[n.MIME]`.
    pub header: Range<u64>,
    /// Its body. The line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1).
    pub body: Range<u64>,
    /// `text` of `text/plain`. `multipart` always has children.
    pub media_type: String,
    /// `plain` of `text/plain`.
    pub subtype: String,
    /// Of Content-Type. Continuations are joined (RFC 2231 §8): `name*0*`, `name*1*` are one `name*`, its value
    /// still percent-encoded with charset and language before it. Each name once.
    pub params: Vec<(String, String)>,
    /// Content-ID.
    pub id: Option<String>,
    /// Content-Description.
    pub description: Option<String>,
    /// Content-Transfer-Encoding; `7bit` if not given.
    pub encoding: String,
    /// Content-MD5.
    pub md5: Option<String>,
    /// Content-Disposition.
    pub disposition: Option<Disposition>,
    /// Content-Language.
    pub language: Vec<String>,
    /// Content-Location.
    pub location: Option<String>,
    /// Line ends in the body of a text or `message/rfc822`; 0 for others.
    pub lines: u64,
    /// For `message/rfc822` and `message/global`: the envelope of the message inside, whose entity is the only
    /// child. A part of these types without it doesn't occur.
    pub message: Option<Box<Envelope>>,
    /// Index of the first child; 0: none (the root is nobody's child).
    pub(crate) first_child: u32,
    /// Index of the next part of the same parent; 0: none.
    pub(crate) next: u32,
}

/// Content-Disposition (RFC 2183).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    /// `attachment`, `inline`, …, lower case.
    pub kind: String,
    /// See [`Part::params`].
    pub params: Vec<(String, String)>,
}

/// What of a part an IMAP section names (RFC 9051 §6.4.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `BODY[]`, `BODY[n]`: of the message everything, of a part its body.
    Whole,
    /// `BODY[HEADER]`, `BODY[n.HEADER]`: the header of the message (inside part n).
    Header,
    /// `BODY[TEXT]`, `BODY[n.TEXT]`: the body of the message (inside part n).
    Text,
    /// `BODY[n.MIME]`: the header of part n.
    Mime,
}

/// Why stored bytes are no structure. The message itself is whole: parse it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StructureError {
    /// Another version's layout.
    #[error("message structure has layout {0}, this program reads {VERSION}")]
    Version(u8),
    /// No byte at all, or not the layout.
    #[error("message structure can't be read: truncated or damaged")]
    Damaged,
    /// The layout, but not a tree within the limits.
    #[error("message structure can't be true: its parts are not a tree")]
    Impossible,
}

impl Structure {
    /// Walks a message. Total: what isn't MIME is `text/plain`, whole. Work grows with the message's length.
    #[must_use]
    pub fn parse(message: &[u8]) -> Self {
        walk::walk(message).0
    }

    /// For keeping: compact, with its version in front.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Can't fail: every length is known. An empty result would be refused by `from_bytes`, not misread.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// From [`Structure::to_bytes`].
    ///
    /// # Errors
    /// If the bytes are another version's, damaged, or no tree within the limits: nothing that walks the result can
    /// loop or leave `0..size()`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StructureError> {
        let (structure, rest) =
            postcard::take_from_bytes::<Structure>(layout(bytes)?).map_err(|_| StructureError::Damaged)?;
        if !rest.is_empty() {
            return Err(StructureError::Damaged);
        }
        if structure.is_tree() { Ok(structure) } else { Err(StructureError::Impossible) }
    }

    /// The envelope alone from [`Structure::to_bytes`], where it stands: what follows it isn't looked at.
    ///
    /// # Errors
    /// See [`Structure::from_bytes`].
    pub fn envelope_from_bytes(bytes: &[u8]) -> Result<Envelope<&str>, StructureError> {
        beginning::<(u64, Envelope<&str>)>(bytes).map(|(_size, envelope)| envelope)
    }

    /// The envelope's subject alone, where it stands: SEARCH looks at one after the other.
    ///
    /// # Errors
    /// See [`Structure::from_bytes`].
    pub fn subject_from_bytes(bytes: &[u8]) -> Result<Option<&str>, StructureError> {
        // The envelope begins with its date and its subject; a test holds this against it.
        beginning::<(u64, Option<&str>, Option<&str>)>(bytes).map(|(_size, _date, subject)| subject)
    }

    /// The same message with so many bytes of whole header fields more in its own header.
    #[must_use]
    pub fn with_fields(mut self, bytes: u64) -> Self {
        let later = |range: &Range<u64>| range.start.saturating_add(bytes)..range.end.saturating_add(bytes);
        for (place, part) in self.parts.iter_mut().enumerate() {
            part.header =
                if place == 0 { part.header.start..part.header.end.saturating_add(bytes) } else { later(&part.header) };
            part.body = later(&part.body);
        }
        self.size = self.size.saturating_add(bytes);
        self
    }

    /// Length of the message, bytes: RFC822.SIZE.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// ENVELOPE of the message.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The message as an entity.
    #[must_use]
    pub fn root(&self) -> &Part {
        static NONE: Part = Part {
            header: 0..0,
            body: 0..0,
            media_type: String::new(),
            subtype: String::new(),
            params: Vec::new(),
            id: None,
            description: None,
            encoding: String::new(),
            md5: None,
            disposition: None,
            language: Vec::new(),
            location: None,
            lines: 0,
            message: None,
            first_child: 0,
            next: 0,
        };
        // `parse` makes a root always and `from_bytes` refuses none.
        self.parts.first().unwrap_or(&NONE)
    }

    /// Every entity in the order of their headers, the message first.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }

    /// Parts of a multipart in order; the one message inside a `message/rfc822`; nothing for others.
    pub fn children<'a>(&'a self, part: &Part) -> impl Iterator<Item = &'a Part> {
        std::iter::successors(self.linked(part.first_child), |p| self.linked(p.next))
    }

    /// The part that an IMAP section number names (RFC 9051 §6.4.5.1); the empty path is the message. A message
    /// that isn't a multipart has the one part 1: its body. Numbers below a `message/rfc822` count the parts of
    /// the message inside. `None` if there is no such part (the number 0 never is).
    #[must_use]
    pub fn part(&self, path: &[u32]) -> Option<&Part> {
        let mut part = self.root();
        // Whether `part` is a message whose own body has yet to get the number 1.
        let mut whole = true;
        for number in path {
            if !whole && part.message.is_some() {
                part = self.linked(part.first_child)?;
                whole = true;
            }
            if part.is_multipart() {
                let before = usize::try_from(number.checked_sub(1)?).ok()?;
                part = self.children(part).nth(before)?;
            } else if !whole || *number != 1 {
                return None;
            }
            whole = false;
        }
        Some(part)
    }

    /// The bytes that a section names, as offsets in the message; `None` if it names nothing (FETCH answers NIL).
    #[must_use]
    pub fn section(&self, path: &[u32], section: Section) -> Option<Range<u64>> {
        let part = self.part(path)?;
        if path.is_empty() {
            return match section {
                Section::Whole => Some(0..self.size),
                Section::Header => Some(part.header.clone()),
                Section::Text => Some(part.body.clone()),
                Section::Mime => None,
            };
        }
        let inside = || part.message.as_ref().and_then(|_| self.linked(part.first_child));
        match section {
            Section::Whole => Some(part.body.clone()),
            Section::Mime => Some(part.header.clone()),
            Section::Header => inside().map(|m| m.header.clone()),
            Section::Text => inside().map(|m| m.body.clone()),
        }
    }

    /// The part at an index that a link holds; 0 is no link.
    fn linked(&self, index: u32) -> Option<&Part> {
        if index == 0 { None } else { self.parts.get(usize::try_from(index).ok()?) }
    }

    /// Whether the links are a tree within the limits and the offsets lie inside the message and their parents.
    fn is_tree(&self) -> bool {
        if self.parts.is_empty() || self.parts.len() > MIME_PARTS_MAX {
            return false;
        }
        // For each part that a link has reached: its depth and the offsets it must lie in. Links lead forward only,
        // so one pass is enough, and a part reached twice or never shows.
        let mut reached: Vec<Option<(usize, Range<u64>)>> = vec![None; self.parts.len()];
        if let Some(root) = reached.first_mut() {
            *root = Some((0, 0..self.size));
        }
        for (at, part) in self.parts.iter().enumerate() {
            let Some(Some((depth, room))) = reached.get(at).cloned() else { return false };
            let ordered = room.start <= part.header.start
                && part.header.start <= part.header.end
                && part.header.end == part.body.start
                && part.body.start <= part.body.end
                && part.body.end <= room.end;
            let has_child = part.first_child != 0;
            if !ordered || depth > MIME_DEPTH_MAX || has_child != (part.is_multipart() || part.message.is_some()) {
                return false;
            }
            let links = [
                (part.first_child, depth.saturating_add(1), part.body.clone()),
                (part.next, depth, part.body.end..room.end),
            ];
            for (link, depth, room) in links {
                if link == 0 {
                    continue;
                }
                let Some(target) = usize::try_from(link).ok().filter(|to| *to > at) else { return false };
                match reached.get_mut(target) {
                    Some(slot @ None) => *slot = Some((depth, room)),
                    _ => return false,
                }
            }
            let one_child = self.linked(part.first_child).is_none_or(|child| child.next == 0);
            if part.message.is_some() && !one_child {
                return false;
            }
        }
        true
    }
}

impl Part {
    /// Whether it is a multipart; then it has children.
    #[must_use]
    pub fn is_multipart(&self) -> bool {
        self.media_type == "multipart"
    }

    /// Whether it is a text; then BODYSTRUCTURE tells its lines.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.media_type == "text"
    }

    /// Whether it holds a message that is described (`message/rfc822`, `message/global`).
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.message.is_some()
    }

    /// Length of its body as it stands in the message, bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.body.end.saturating_sub(self.body.start)
    }

    /// A parameter of Content-Type by its lower-case name, as written.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        find(&self.params, name)
    }
}

impl Disposition {
    /// A parameter by its lower-case name, as written.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        find(&self.params, name)
    }
}

fn find<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// What follows the version, if that is ours.
fn layout(bytes: &[u8]) -> Result<&[u8], StructureError> {
    let (version, rest) = bytes.split_first().ok_or(StructureError::Damaged)?;
    if *version == VERSION { Ok(rest) } else { Err(StructureError::Version(*version)) }
}

/// What a structure's bytes begin with.
fn beginning<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, StructureError> {
    let (beginning, _rest) = postcard::take_from_bytes(layout(bytes)?).map_err(|_| StructureError::Damaged)?;
    Ok(beginning)
}
