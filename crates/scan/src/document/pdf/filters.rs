//! How PDF's streams are packed (ISO 32000-2 §7.4).

use super::tokens::Names;
use crate::bytes::{from, head};
use crate::document::Look;
use mailward_core::limits::PDF_FILTERS_MAX;
use std::borrow::Cow;

/// Unpacks a stream. None: by a filter that only pictures have, or by too many.
pub(super) fn decode(names: &Names, data: &[u8], look: &mut Look<'_>) -> Option<Vec<u8>> {
    let mut bytes = Cow::Borrowed(data);
    for (number, filter) in names.filters().enumerate() {
        if number >= PDF_FILTERS_MAX {
            look.room.short = true;
            return None;
        }
        bytes = Cow::Owned(match filter {
            b"FlateDecode" | b"Fl" => look.inflate(&bytes, true),
            b"ASCIIHexDecode" | b"AHx" => hexadecimal(&bytes),
            b"ASCII85Decode" | b"A85" => ascii85(&bytes),
            b"LZWDecode" | b"LZW" => {
                let out = lzw(&bytes, look.max());
                look.count(out.len());
                out
            }
            b"RunLengthDecode" | b"RL" => {
                let out = runs(&bytes, look.max());
                look.count(out.len());
                out
            }
            _ => return None,
        });
    }
    Some(bytes.into_owned())
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut high) = (Vec::new(), None);
    for byte in bytes.iter().take_while(|b| **b != b'>') {
        if let Some(digit) = char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok()) {
            match high.take() {
                Some(first) => out.push(first << 4_u8 | digit),
                None => high = Some(digit),
            }
        }
    }
    out.extend(high.map(|first: u8| first << 4));
    out
}

fn ascii85(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut group, mut count) = (Vec::new(), 0_u32, 0_usize);
    for byte in bytes.strip_prefix(b"<~").unwrap_or(bytes).iter().take_while(|b| **b != b'~') {
        match byte {
            b'z' if count == 0 => out.extend_from_slice(&[0; 4]),
            b'!'..=b'u' => {
                group = group.wrapping_mul(85).wrapping_add(u32::from(byte.wrapping_sub(b'!')));
                count = count.saturating_add(1);
                if count == 5 {
                    out.extend_from_slice(&group.to_be_bytes());
                    (group, count) = (0, 0);
                }
            }
            _ => {}
        }
    }
    if count > 1 {
        for _ in count..5 {
            group = group.wrapping_mul(85).wrapping_add(84);
        }
        out.extend_from_slice(head(&group.to_be_bytes(), count.saturating_sub(1)));
    }
    out
}

fn runs(bytes: &[u8], max: usize) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0_usize);
    while let Some(len) = bytes.get(at) {
        if out.len() >= max || *len == 128 {
            break;
        }
        let rest = from(bytes, at.saturating_add(1));
        if *len < 128 {
            let count = usize::from(*len).saturating_add(1);
            out.extend_from_slice(head(rest, count));
            at = at.saturating_add(1).saturating_add(count);
        } else if let Some(byte) = rest.first() {
            out.resize(out.len().saturating_add(257_usize.saturating_sub(usize::from(*len))), *byte);
            at = at.saturating_add(2);
        } else {
            break;
        }
    }
    out.truncate(max);
    out
}

/// LZW with codes of 9 to 12 bits, the highest bit first, that grow one code early.
fn lzw(bytes: &[u8], max: usize) -> Vec<u8> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    let mut out: Vec<u8> = Vec::new();
    // Each word of the table is a place in what came out, and a length.
    let mut table: Vec<(usize, usize)> = Vec::new();
    let (mut held, mut bits, mut width) = (0_u32, 0_u32, 9_u32);
    let mut previous: Option<(usize, usize)> = None;
    for byte in bytes {
        held = held.wrapping_shl(8) | u32::from(*byte);
        bits = bits.saturating_add(8);
        if bits < width {
            continue;
        }
        bits = bits.saturating_sub(width);
        let mask = 1_u32.wrapping_shl(width).wrapping_sub(1);
        let code = crate::bytes::long(held.wrapping_shr(bits) & mask);
        if code == END || out.len() >= max {
            break;
        }
        if code == CLEAR {
            table.clear();
            previous = None;
            width = 9;
            continue;
        }
        let start = out.len();
        if code < CLEAR {
            out.push(u8::try_from(code).unwrap_or_default());
        } else {
            let known = table.get(code.saturating_sub(258)).copied();
            // One code may be used as it is made: the previous word and its first byte.
            let word = known.or_else(|| previous.map(|(at, len)| (at, len.saturating_add(1))));
            let Some((at, len)) = word else { break };
            for step in 0..len {
                let Some(byte) = out.get(at.saturating_add(step)).copied() else { break };
                out.push(byte);
            }
        }
        if let Some((at, len)) = previous
            && table.len() < 3_838
        {
            table.push((at, len.saturating_add(1)));
        }
        previous = Some((start, out.len().saturating_sub(start)));
        width = match table.len().saturating_add(259) {
            0..=511 => 9,
            512..=1_023 => 10,
            1_024..=2_047 => 11,
            _ => 12,
        };
    }
    out.truncate(max);
    out
}
