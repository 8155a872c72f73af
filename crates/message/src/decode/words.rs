//! Encoded words (RFC 2047).

use super::charset::charset;
use super::transfer::{base64, escaped};
use crate::bytes::{from, is_blank, sub, trim};
use crate::header::unfold;
use memchr::memmem;

/// Longest charset with language of an encoded word. RFC 2047 §2 allows 75 bytes for the whole word.
const CHARSET_MAX: usize = 75;
/// What begins a change of character set in ISO-2022-JP (RFC 1468).
const ESCAPE: u8 = 0x1b;

/// Text of a header's value: unfolded, encoded words decoded wherever they stand (longer than RFC 2047 allows, too),
/// blanks between two of them cut; a character may be spread over words of one charset. Bytes over 127 outside of
/// words are read as UTF-8, if not that as windows-1252. Holds no CR, LF or NUL: a decoded one becomes U+FFFD.
#[must_use]
pub fn header_text(value: &[u8]) -> String {
    let value = unfold(value);
    let mut rest = trim(&value);
    let mut text = String::with_capacity(rest.len());
    // The run of encoded words just read: their charset and bytes.
    let mut run: Option<(String, Vec<u8>)> = None;
    // Up to here `rest` holds no encoded word.
    let mut searched = 0;
    while let Some(at) = memmem::find(from(rest, searched), b"=?") {
        let at = searched.saturating_add(at);
        let Some(word) = encoded_word(from(rest, at)) else {
            searched = at.saturating_add(2);
            continue;
        };
        let between = sub(rest, 0..at);
        if run.is_none() || !between.iter().copied().all(is_blank) {
            flush(run.take(), &mut text);
            text.push_str(&charset(None, between));
        }
        // A word of ISO-2022-JP that begins with an escape stands for itself (RFC 2047 §3): put behind another, it would
        // have two escapes in a row, which decoders take for an attempt to hide something.
        let goes_on = word.bytes.first() != Some(&ESCAPE);
        match &mut run {
            Some((name, bytes)) if goes_on && name.eq_ignore_ascii_case(&word.charset) => {
                bytes.extend_from_slice(&word.bytes);
            }
            _ => flush(run.replace((word.charset, word.bytes)), &mut text),
        }
        rest = from(rest, at.saturating_add(word.len));
        searched = 0;
    }
    flush(run, &mut text);
    text.push_str(&charset(None, rest));
    if text.contains(['\r', '\n', '\0']) {
        text = text.replace(['\r', '\n', '\0'], "\u{fffd}");
    }
    text
}

struct Word {
    charset: String,
    bytes: Vec<u8>,
    /// Bytes it takes in the header.
    len: usize,
}

/// The encoded word at the start, after whose text comes the next `?`: bytes are looked at once even if it isn't one.
fn encoded_word(at: &[u8]) -> Option<Word> {
    let rest = at.strip_prefix(b"=?")?;
    let name = sub(rest, 0..memchr::memchr(b'?', sub(rest, 0..rest.len().min(CHARSET_MAX)))?);
    let rest = from(rest, name.len().saturating_add(1));
    let [encoding, b'?', text @ ..] = rest else { return None };
    let end = memchr::memchr(b'?', text)?;
    if name.is_empty() || name.iter().any(|b| *b <= b' ') || text.get(end.saturating_add(1)) != Some(&b'=') {
        return None;
    }
    let text = sub(text, 0..end);
    let bytes = match encoding {
        b'b' | b'B' => base64(text),
        b'q' | b'Q' => {
            let mut bytes = Vec::with_capacity(text.len());
            let spaced: Vec<u8> = text.iter().map(|b| if *b == b'_' { b' ' } else { *b }).collect();
            escaped(&spaced, b'=', &mut bytes);
            bytes
        }
        _ => return None,
    };
    // A language may follow the charset (RFC 2231 §5).
    let name = name.split(|b| *b == b'*').next().unwrap_or_default();
    let len = [2, name_len(at), 1, 2, end, 2].into_iter().fold(0_usize, usize::saturating_add);
    Some(Word { charset: String::from_utf8_lossy(name).into_owned(), bytes, len })
}

/// Length of what stands between `=?` and the next `?`.
fn name_len(at: &[u8]) -> usize {
    memchr::memchr(b'?', from(at, 2)).unwrap_or(0)
}

fn flush(run: Option<(String, Vec<u8>)>, text: &mut String) {
    if let Some((name, bytes)) = run {
        text.push_str(&charset(Some(&name), &bytes));
    }
}
