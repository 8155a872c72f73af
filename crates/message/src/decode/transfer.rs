//! Content-Transfer-Encodings.

use crate::bytes::{from, line_end, sub, trim_end};
use crate::content::hex;

/// What [`digit`] makes of padding.
const PAD: u8 = 64;
/// What it makes of bytes outside the alphabet.
const OTHER: u8 = 128;

/// The value of a digit of base64, below 64.
fn digit(byte: u8) -> u8 {
    const DIGITS: [u8; 256] = {
        let mut digits = [OTHER; 256];
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
        let mut value = 0;
        while value < alphabet.len() {
            #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "65 of 256; at compile time")]
            {
                digits[alphabet[value] as usize] = value as u8;
            }
            value = value.saturating_add(1);
        }
        digits
    };
    DIGITS.get(usize::from(byte)).copied().unwrap_or(OTHER)
}

/// Decodes base64 (RFC 2045 §6.8): bytes outside its alphabet are skipped; padding ends a group wherever it stands,
/// so that concatenated encodings give concatenated contents; bits that make no byte are dropped.
#[must_use]
pub fn base64(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((encoded.len() / 4).saturating_add(1).saturating_mul(3));
    let mut group = 0_u32;
    let mut bits = 0_u32;
    let mut rest = encoded;
    loop {
        // Nearly all of it is whole groups.
        while bits == 0
            && let Some((four, after)) = rest.split_first_chunk::<4>()
        {
            let [a, b, c, d] = four.map(digit);
            if (a | b | c | d) >= PAD {
                break;
            }
            let [a, b, c, d] = [a, b, c, d].map(u32::from);
            let [_, first, second, third] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
            bytes.extend_from_slice(&[first, second, third]);
            rest = after;
        }
        let Some((byte, after)) = rest.split_first() else { break };
        rest = after;
        let value = digit(*byte);
        if value >= PAD {
            if value == PAD {
                bits = 0;
            }
            continue;
        }
        group = group.wrapping_shl(6) | u32::from(value);
        bits = bits.wrapping_add(6);
        if bits >= 8 {
            bits = bits.wrapping_sub(8);
            let [.., low] = group.wrapping_shr(bits).to_be_bytes();
            bytes.push(low);
        }
    }
    bytes
}

/// Decodes quoted-printable (RFC 2045 §6.7): blanks at a line's end go, an `=` before them is a soft line break;
/// digits of either case; an `=` before anything else stays.
#[must_use]
pub fn quoted_printable(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while at < encoded.len() {
        let end = line_end(encoded, at);
        let whole = sub(encoded, at..end);
        let line = trim_end(whole);
        let soft = line.last() == Some(&b'=');
        escaped(if soft { sub(line, 0..line.len().saturating_sub(1)) } else { line }, b'=', &mut bytes);
        if !soft {
            if whole.ends_with(b"\r\n") {
                bytes.extend_from_slice(b"\r\n");
            } else if whole.ends_with(b"\n") {
                bytes.push(b'\n');
            } else {
                // The last line: its blanks may be content.
                bytes.extend_from_slice(from(whole, line.len()));
            }
        }
        at = end;
    }
    bytes
}

/// Adds bytes with `=` (or another sign) and two digits for one.
pub(super) fn escaped(text: &[u8], sign: u8, to: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(sign, rest) {
        to.extend_from_slice(sub(rest, 0..at));
        let digits = rest.get(at.saturating_add(1)..at.saturating_add(3)).unwrap_or_default();
        if let [high, low] = digits
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            to.push(high << 4 | low);
            rest = from(rest, at.saturating_add(3));
        } else {
            to.push(sign);
            rest = from(rest, at.saturating_add(1));
        }
    }
    to.extend_from_slice(rest);
}
