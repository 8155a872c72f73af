//! BinHex 4.0: six bits a sign, runs shortened, a file of two forks.

use super::{begins, entry};
use crate::cursor::{Cursor, size32};
use crate::holder::Entry;
use mailward_core::limits::{SCAN_BYTES_MAX, SCAN_INLINE_MAX};

const SIGNS: &[u8; 64] = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
/// What stands before a run's length.
const RUN: u8 = 0x90;

/// Adds the forks of each file.
pub(super) fn find(bytes: &[u8], entries: &mut Vec<Entry>) {
    let mut after = 0_usize;
    let mut room = usize::try_from(SCAN_BYTES_MAX / 4).unwrap_or(usize::MAX);
    for start in begins(bytes, b"(This file must be converted") {
        if start < after {
            continue;
        }
        if entries.len() >= SCAN_INLINE_MAX || room == 0 {
            return;
        }
        let rest = bytes.get(start..).unwrap_or_default();
        let Some(colon) = memchr::memmem::find(rest, b"\n:").or_else(|| memchr::memmem::find(rest, b"\r:")) else {
            continue;
        };
        let begin = colon.saturating_add(2);
        let (unpacked, signs) = unpacked(rest.get(begin..).unwrap_or_default(), room);
        after = start.saturating_add(begin).saturating_add(signs);
        room = room.saturating_sub(unpacked.len());
        forks(&unpacked, entries);
    }
}

/// Bytes of so many signs. A run of 255 takes three signs, so that this grows; no further than there is room.
fn unpacked(signs: &[u8], most: usize) -> (Vec<u8>, usize) {
    let mut taken = 0_usize;
    let mut bytes: Vec<u8> = Vec::new();
    let (mut buffer, mut bits, mut in_run) = (0_u32, 0_u32, false);
    for sign in signs {
        if *sign == b':' || bytes.len() > most {
            break;
        }
        taken = taken.saturating_add(1);
        let Some(value) = SIGNS.iter().position(|known| known == sign) else { continue };
        buffer = buffer << 6 | u32::try_from(value).unwrap_or(0);
        bits = bits.saturating_add(6);
        if bits < 8 {
            continue;
        }
        bits = bits.saturating_sub(8);
        let [.., byte] = buffer.wrapping_shr(bits).to_be_bytes();
        match (in_run, byte) {
            (false, RUN) => in_run = true,
            (false, byte) => bytes.push(byte),
            (true, 0) => {
                bytes.push(RUN);
                in_run = false;
            }
            (true, count) => {
                let last = bytes.last().copied().unwrap_or(0);
                bytes.extend(std::iter::repeat_n(last, usize::from(count).saturating_sub(1)));
                in_run = false;
            }
        }
    }
    (bytes, taken)
}

/// Name, type, creator, flags, two lengths, a sum; each fork and its sum.
fn forks(file: &[u8], entries: &mut Vec<Entry>) -> Option<()> {
    let mut at = Cursor::new(file);
    let length = at.u8()?;
    let name = at.take(usize::from(length))?;
    at.skip(11)?;
    let data = size32(at.u32_be()?);
    let resources = size32(at.u32_be()?);
    at.skip(2)?;
    for length in [data, resources] {
        let fork = at.rest().get(..length.min(at.rest().len()))?;
        at.skip(fork.len())?;
        at.skip(2.min(at.rest().len()))?;
        if !fork.is_empty() {
            entries.push(entry(name, fork.to_vec()));
        }
    }
    Some(())
}
