//! RAR 5 and later ("RAR 5.0 archive format").

use super::{Told, Volume};
use crate::contents::Trait;
use crate::cursor::{Cursor, size};
use crate::holder::span;
use crate::names;

const MAIN: u64 = 1;
const FILE: u64 = 2;
const ENCRYPTION: u64 = 4;
const END: u64 = 5;

pub(super) fn read(bytes: &[u8], most: usize, volume: &mut Volume) {
    let mut at = Cursor::at(bytes, 8);
    while !at.is_at_end() && volume.entries.len() < most {
        match block(bytes, &mut at, volume) {
            Some(true) => {}
            Some(false) => return,
            None => return volume.cut(),
        }
    }
}

/// Whether more follows.
fn block<'b>(bytes: &'b [u8], at: &mut Cursor<'b>, volume: &mut Volume) -> Option<bool> {
    at.skip(4)?;
    let length = size(number(at)?);
    let mut header = Cursor::new(at.take(length)?);
    let kind = number(&mut header)?;
    let flags = number(&mut header)?;
    let extra = if flags & 1 != 0 { size(number(&mut header)?) } else { 0 };
    let data = if flags & 2 != 0 { number(&mut header)? } else { 0 };
    let body = span(at.position(), data);
    match kind {
        MAIN if number(&mut header)? & 1 != 0 => volume.notes.push(Trait::MultiVolume),
        FILE => file(header, extra, flags, body.clone(), volume)?,
        ENCRYPTION => {
            volume.hidden();
            return Some(false);
        }
        END => return Some(false),
        _ => {}
    }
    *at = Cursor::at(bytes, body.end);
    Some(true)
}

fn file(
    mut header: Cursor<'_>,
    extra: usize,
    flags: u64,
    body: std::ops::Range<usize>,
    volume: &mut Volume,
) -> Option<()> {
    let file_flags = number(&mut header)?;
    let unpacked = number(&mut header)?;
    number(&mut header)?;
    header.skip(if file_flags & 2 != 0 { 4 } else { 0 })?;
    header.skip(if file_flags & 4 != 0 { 4 } else { 0 })?;
    let packing = number(&mut header)?;
    number(&mut header)?;
    let length = size(number(&mut header)?);
    let name = header.take(length)?;
    let rest = header.rest();
    let mut extras = Cursor::at(rest, rest.len().saturating_sub(extra));
    let (mut is_encrypted, mut is_link) = (false, false);
    while !extras.is_at_end() {
        let Some(length) = number(&mut extras) else { break };
        let Some(record) = extras.take(size(length)) else { break };
        match number(&mut Cursor::new(record)) {
            Some(1) => is_encrypted = true,
            Some(5) => is_link = true,
            _ => {}
        }
    }
    // A directory.
    if file_flags & 1 != 0 {
        return Some(());
    }
    volume.add(Told {
        names: names::readings(name, true),
        is_encrypted,
        is_split: flags & 0x18 != 0,
        is_link,
        is_stored: packing >> 7 & 7 == 0,
        unpacked,
        body,
    });
    Some(())
}

/// A number in groups of seven bits, the lowest first.
fn number(at: &mut Cursor<'_>) -> Option<u64> {
    let mut sum = 0_u64;
    for group in 0..10_u32 {
        let byte = at.u8()?;
        sum |= u64::from(byte & 0x7f).checked_shl(group.saturating_mul(7)).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(sum);
        }
    }
    None
}
