//! Calendars (RFC 5545) and contacts (RFC 6350): lines. Nothing is computed: a recurrence is a line as any other.

use super::{Look, base_name};
use crate::contents::{Trait, Wrapping};
use crate::document::text::text_of;
use crate::kind::{self, Family};
use mailward_message::decode;

/// Bytes of a line that are kept as text.
const LINE_MAX: usize = 4_096;

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let (width, _) = kind::wide(bytes);
    // Attachments may be longer than text that is kept: bytes are unfolded, not text, unless they are wide.
    let wide;
    let bytes = if width == kind::Wide::No {
        bytes
    } else {
        wide = text_of(bytes).into_owned().into_bytes();
        &wide
    };
    let mut line: Vec<u8> = Vec::new();
    for raw in bytes.split(|b| *b == b'\n') {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        match raw.split_first() {
            Some((b' ' | b'\t', more)) => line.extend_from_slice(more),
            _ => {
                property(&line, look);
                line.clear();
                line.extend_from_slice(raw);
            }
        }
    }
    property(&line, look);
}

/// One line: name, parameters, value.
fn property(line: &[u8], look: &mut Look<'_>) {
    let Some(colon) = colon(line) else { return };
    let (head, value) = (crate::bytes::head(line, colon), crate::bytes::from(line, colon.saturating_add(1)));
    let text = String::from_utf8_lossy(crate::bytes::head(head, LINE_MAX));
    let upper = text.to_ascii_uppercase();
    let is_encoded = upper.contains("ENCODING=B") || upper.contains(";BASE64");
    let is_address = crate::bytes::has_any_case(value, 0, b"data:");
    if is_encoded || is_address {
        let data = if is_address {
            memchr::memchr(b',', value).map_or(value, |at| crate::bytes::from(value, at.saturating_add(1)))
        } else {
            value
        };
        let bytes = decode::base64(data);
        look.count(bytes.len());
        let kind = kind::of(&bytes);
        // A face is a face.
        if kind.family() != Family::Media || !kind::others_of(kind, &bytes).is_empty() {
            look.remark(Trait::Object);
            look.inner(names(&text), bytes, Wrapping::Inline);
        }
        return;
    }
    look.remark_if(upper == "ACTION" && value.trim_ascii().eq_ignore_ascii_case(b"procedure"), Trait::Launches);
    if look.text_room() > 0 {
        look.text(&crate::bytes::windows(crate::bytes::head(line, LINE_MAX)));
    }
}

/// The colon that no quotes hold.
fn colon(line: &[u8]) -> Option<usize> {
    let mut is_quoted = false;
    line.iter().position(|byte| {
        is_quoted ^= *byte == b'"';
        *byte == b':' && !is_quoted
    })
}

fn names(parameters: &str) -> Vec<String> {
    parameters
        .split(';')
        .filter_map(|one| one.split_once('='))
        .filter(|(key, _)| key.to_ascii_uppercase().ends_with("FILENAME") || key.eq_ignore_ascii_case("X-NAME"))
        .map(|(_, value)| base_name(value.trim_matches('"')))
        .collect()
}
