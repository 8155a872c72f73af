//! The encodings that mail is written in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of text in one encoded word: with their encoding and the marks around it, below the 75 characters of RFC
/// 2047 §2.
const WORD_BYTES: usize = 39;
/// Bytes in one line of base64 (RFC 2045 §6.8: 76 characters).
const BASE64_BYTES: usize = 57;
/// Characters of one line of quoted-printable before the soft line break (RFC 2045 §6.7).
const QUOTED_LINE: usize = 73;

/// Text for a header field: as it is, or as encoded words (RFC 2047) one below the other.
pub(super) fn encoded_words(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut word = String::new();
    let mut end = |word: &mut String| {
        if !out.is_empty() {
            out.push_str("\r\n ");
        }
        out.push_str("=?utf-8?B?");
        out.push_str(&STANDARD.encode(word.as_bytes()));
        out.push_str("?=");
        word.clear();
    };
    for c in text.chars() {
        // A character is never split between two words (RFC 2047 §5).
        if word.len().saturating_add(c.len_utf8()) > WORD_BYTES {
            end(&mut word);
        }
        word.push(c);
    }
    end(&mut word);
    out
}

/// Base64 in lines, each ended.
pub(super) fn base64_lines(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_mul(3).saturating_div(2));
    for line in bytes.chunks(BASE64_BYTES) {
        STANDARD.encode_string(line, &mut out);
        out.push_str("\r\n");
    }
    out
}

/// Quoted-printable; CRLF stays a line's end.
pub(super) fn quoted_printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_mul(3).saturating_div(2));
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let (text, ended) = match line.strip_suffix(b"\r\n") {
            Some(text) => (text, true),
            None => (line, false),
        };
        let mut column = 0_usize;
        for (at, byte) in text.iter().enumerate() {
            let last = at.saturating_add(1) == text.len();
            let plain = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || (*byte == b' ' && !last);
            if column >= QUOTED_LINE {
                out.push_str("=\r\n");
                column = 0;
            }
            if plain {
                out.push(char::from(*byte));
                column = column.saturating_add(1);
            } else {
                out.push_str(&format!("={byte:02X}"));
                column = column.saturating_add(3);
            }
        }
        if ended {
            out.push_str("\r\n");
        }
    }
    out
}
