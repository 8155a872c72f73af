//! Small steps over bytes from outside that can't leave them.

use mailward_core::limits::ENVELOPE_STRING_MAX;
use std::ops::Range;

/// The bytes of a range, or none of them if it isn't inside.
pub(crate) fn sub(bytes: &[u8], range: Range<usize>) -> &[u8] {
    bytes.get(range).unwrap_or_default()
}

/// The bytes from an offset on.
pub(crate) fn from(bytes: &[u8], start: usize) -> &[u8] {
    bytes.get(start..).unwrap_or_default()
}

/// Where the next line starts, at or before the end of the bytes.
pub(crate) fn line_end(bytes: &[u8], start: usize) -> usize {
    match memchr::memchr(b'\n', from(bytes, start)) {
        Some(at) => start.saturating_add(at).saturating_add(1),
        None => bytes.len(),
    }
}

/// A line without its line end.
pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a byte is a blank of a header.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Without blanks and line ends on both sides.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    trim_end(bytes)
}

/// Without blanks and line ends at the end.
pub(crate) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Bytes of a header as a string that IMAP can carry: UTF-8 as it is, other bytes read as windows-1252 (what most
/// senders of bare 8-bit headers mean), without CR and LF, NUL made visible, at most `ENVELOPE_STRING_MAX` bytes.
pub(crate) fn string(bytes: &[u8]) -> String {
    // One byte more than the limit at most becomes text; a character cut in two is dropped below.
    let cut = bytes.len() > ENVELOPE_STRING_MAX;
    let bytes = bytes.get(..ENVELOPE_STRING_MAX).unwrap_or(bytes);
    let mut text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(e) if cut && e.error_len().is_none() => {
            String::from_utf8_lossy(sub(bytes, 0..e.valid_up_to())).into_owned()
        }
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    };
    if memchr::memchr3(0, b'\r', b'\n', text.as_bytes()).is_some() {
        text.retain(|c| c != '\r' && c != '\n');
        text = text.replace('\0', "\u{fffd}");
    }
    truncate(&mut text, ENVELOPE_STRING_MAX);
    text
}

/// Cuts a string to at most `max` bytes, between characters.
pub(crate) fn truncate(text: &mut String, max: usize) {
    if text.len() > max {
        let mut end = max;
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        text.truncate(end);
    }
}
