//! Content-Transfer-Encodings.

use crate::bytes::{from, line_end, sub, trim_end};
use crate::content::hex;

/// Decodes base64 (RFC 2045 §6.8): bytes outside its alphabet are skipped; padding ends a group wherever it stands,
/// so that concatenated encodings give concatenated contents; bits that make no byte are dropped.
#[must_use]
pub fn base64(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((encoded.len() / 4).saturating_add(1).saturating_mul(3));
    let mut group = 0_u32;
    let mut bits = 0_u32;
    let mut rest = encoded;
    loop {
        // What lines are made of: whole groups and nothing else.
        while bits == 0
            && let Some((four, after)) = rest.split_first_chunk::<4>()
            && let [a, b, c, d] = four.map(sextet)
            && a | b | c | d < PADDING
        {
            let [_, three @ ..] =
                (u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d)).to_be_bytes();
            bytes.extend_from_slice(&three);
            rest = after;
        }
        let Some((byte, after)) = rest.split_first() else { return bytes };
        rest = after;
        match sextet(*byte) {
            PADDING => bits = 0,
            value if value < PADDING => {
                group = group.wrapping_shl(6) | u32::from(value);
                bits = bits.wrapping_add(6);
                if bits >= 8 {
                    bits = bits.wrapping_sub(8);
                    let [.., low] = group.wrapping_shr(bits).to_be_bytes();
                    bytes.push(low);
                }
            }
            _ => {}
        }
    }
}

/// What `=` is: a bit that no value has.
const PADDING: u8 = 0x40;

/// Of what isn't in the alphabet.
const OTHER: u8 = 0x80;

/// The value of each byte of the alphabet, [`PADDING`] or [`OTHER`].
const SEXTETS: [u8; 256] = sextets();

#[expect(clippy::indexing_slicing, reason = "every u8 is below 256; a constant")]
#[expect(clippy::arithmetic_side_effects, reason = "counts to 64; a constant")]
const fn sextets() -> [u8; 256] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut all = [OTHER; 256];
    let mut value = 0_u8;
    while value < 64 {
        all[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    all[b'=' as usize] = PADDING;
    all
}

fn sextet(byte: u8) -> u8 {
    SEXTETS.get(usize::from(byte)).copied().unwrap_or(OTHER)
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
