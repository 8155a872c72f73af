//! Parts decoded, and the text of a message.

use super::{base64, charset, header_text, html_text, quoted_printable};
use crate::bytes::truncate;
use crate::content::percent_decoded;
use crate::envelope::EnvelopeAddress;
use crate::header::fields;
use crate::structure::{Part, Structure};
use mailward_core::limits::SEARCH_TEXT_MAX;
use std::borrow::Cow;
use std::ops::Range;

/// What SEARCH looks through, decoded. All together at most `limits::SEARCH_TEXT_MAX` bytes (twice that for a short
/// while); case is as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchText {
    /// Subject.
    pub subject: String,
    /// From: names and addresses; see [`addresses_text`].
    pub from: String,
    /// To.
    pub to: String,
    /// Cc.
    pub cc: String,
    /// Bcc.
    pub bcc: String,
    /// The message's header section: `Name: text` and LF for each field.
    pub header: String,
    /// Each text of the body (HTML as text), the headers of messages inside, and the names of files; LF between.
    pub body: String,
}

/// The text of a message to search in. The structure must be the message's own; another's gives other text, no harm.
#[must_use]
pub fn text_of(message: &[u8], structure: &Structure) -> SearchText {
    let envelope = structure.envelope();
    let header = header_section(slice(message, &structure.root().header), SEARCH_TEXT_MAX);
    let mut room = SEARCH_TEXT_MAX.saturating_sub(header.len());
    let mut body = String::new();
    for (index, part) in structure.parts().enumerate() {
        if room == 0 {
            break;
        }
        let before = body.len();
        // Of a part's own header its file's name is enough; a message inside has a whole one.
        if let Some(name) = file_name(part) {
            push(&mut body, &name);
        }
        if part.is_text() {
            push(&mut body, &text_within(message, part, room));
        }
        if let (true, Some(inside)) = (part.is_message(), structure.parts.get(index.saturating_add(1))) {
            push(&mut body, &header_section(slice(message, &inside.header), room));
        }
        truncate(&mut body, before.saturating_add(room));
        room = room.saturating_sub(body.len().saturating_sub(before));
    }
    SearchText {
        subject: envelope.subject.as_ref().map(|s| header_text(s.as_bytes())).unwrap_or_default(),
        from: addresses_text(&envelope.from),
        to: addresses_text(&envelope.to),
        cc: addresses_text(&envelope.cc),
        bcc: addresses_text(&envelope.bcc),
        header,
        body,
    }
}

/// The bytes of a message that [`text_of`] looks at, in order, not overlapping: of what is neither header nor text,
/// nothing. Bytes beside them may be anything.
pub fn text_ranges(structure: &Structure) -> impl Iterator<Item = Range<u64>> {
    let root = structure.root().header.clone();
    let of_parts = structure.parts().enumerate().filter_map(|(index, part)| {
        if part.is_message() {
            structure.parts.get(index.saturating_add(1)).map(|inside| inside.header.clone())
        } else {
            part.is_text().then(|| part.body.clone())
        }
    });
    std::iter::once(root).chain(of_parts)
}

/// Addresses as text, names decoded: `Name <local@domain>, …`, group names with a colon.
#[must_use]
pub fn addresses_text<T: AsRef<str>>(list: &[EnvelopeAddress<T>]) -> String {
    let mut text = String::new();
    for address in list {
        let Some(mailbox) = &address.mailbox else { continue };
        if !text.is_empty() {
            text.push_str(", ");
        }
        let Some(host) = &address.host else {
            text.push_str(&header_text(mailbox.as_ref().as_bytes()));
            text.push(':');
            continue;
        };
        if let Some(name) = &address.name {
            text.push_str(&header_text(name.as_ref().as_bytes()));
            text.push(' ');
        }
        text.push('<');
        text.push_str(mailbox.as_ref());
        text.push('@');
        text.push_str(host.as_ref());
        text.push('>');
    }
    text
}

/// Name of a part's file as its sender gave it, decoded: `filename*` of Content-Disposition, else `filename`, else
/// `name*` of Content-Type, else `name`. Control characters become U+FFFD; beyond that nothing is mended: path
/// separators, dots and directional marks are still there, and it is the reader's to beware of them.
#[must_use]
pub fn file_name(part: &Part) -> Option<String> {
    let disposition = part.disposition.as_ref();
    let name = disposition
        .and_then(|d| d.param("filename*").map(extended).or_else(|| d.param("filename").map(plain)))
        .or_else(|| part.param("name*").map(extended))
        .or_else(|| part.param("name").map(plain))?;
    let name: String = name.trim().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    (!name.is_empty()).then_some(name)
}

/// A part's body, its transfer encoding undone; with an unknown encoding as it stands. Empty if the part isn't of
/// this message.
#[must_use]
pub fn part_bytes<'m>(message: &'m [u8], part: &Part) -> Cow<'m, [u8]> {
    decoded(slice(message, &part.body), part)
}

/// A text part's text, HTML as it stands.
#[must_use]
pub fn part_text(message: &[u8], part: &Part) -> String {
    charset(part.param("charset"), &part_bytes(message, part))
}

/// A text part's text, HTML as text, of about as many bytes as there is room for.
fn text_within(message: &[u8], part: &Part, room: usize) -> String {
    let body = slice(message, &part.body);
    // No encoding makes more than three bytes of one.
    let body = body.get(..room.saturating_mul(3)).unwrap_or(body);
    let mut text = charset(part.param("charset"), &decoded(body, part));
    if part.subtype == "html" {
        text = html_text(&text);
    }
    text
}

fn decoded<'m>(body: &'m [u8], part: &Part) -> Cow<'m, [u8]> {
    match part.encoding.as_str() {
        "base64" => Cow::Owned(base64(body)),
        "quoted-printable" => Cow::Owned(quoted_printable(body)),
        _ => Cow::Borrowed(body),
    }
}

/// A header section as text, of about as many bytes as there is room for.
fn header_section(header: &[u8], room: usize) -> String {
    let mut text = String::new();
    for field in fields(header.get(..room).unwrap_or(header)) {
        if !field.name.is_empty() {
            text.push_str(&String::from_utf8_lossy(field.name));
            text.push_str(": ");
        }
        text.push_str(&header_text(field.value));
        text.push('\n');
    }
    truncate(&mut text, room);
    text
}

/// An extended parameter's value (RFC 2231 §4).
fn extended(value: &str) -> String {
    let name = value.split_once('\'').map(|(name, _)| name).filter(|n| !n.is_empty());
    charset(name, &percent_decoded(value.as_bytes()))
}

/// A plain parameter's value. Encoded words don't belong there (RFC 2047 §5), yet many programs write them.
fn plain(value: &str) -> String {
    header_text(value.as_bytes())
}

fn push(text: &mut String, more: &str) {
    text.push_str(more);
    if !more.is_empty() && !more.ends_with('\n') {
        text.push('\n');
    }
}

pub(crate) fn slice<'m>(message: &'m [u8], range: &Range<u64>) -> &'m [u8] {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    message.get(at(range.start)..at(range.end)).unwrap_or_default()
}
