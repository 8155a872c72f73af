//! RAR 2 to 4 (`TechNote.txt`).

use super::{Told, Volume};
use crate::contents::Trait;
use crate::cursor::Cursor;
use crate::holder::span;
use crate::names;

const MAIN: u8 = 0x73;
const FILE: u8 = 0x74;
const END: u8 = 0x7b;

pub(super) fn read(bytes: &[u8], most: usize, volume: &mut Volume) {
    let mut start = 7_usize;
    while start < bytes.len() && volume.entries.len() < most {
        let Some((kind, next)) = block(bytes, start, volume) else {
            volume.cut();
            return;
        };
        match kind {
            Next::Hidden => return volume.hidden(),
            Next::End => return,
            Next::More => start = next,
        }
    }
}

enum Next {
    More,
    End,
    Hidden,
}

fn block(bytes: &[u8], start: usize, volume: &mut Volume) -> Option<(Next, usize)> {
    let mut at = Cursor::at(bytes, start);
    at.skip(2)?;
    let kind = at.u8()?;
    let flags = at.u16()?;
    let length = at.u16()?;
    if length < 7 {
        return None;
    }
    let header_end = start.checked_add(usize::from(length))?;
    let mut added = if flags & 0x8000 != 0 { u64::from(Cursor::at(bytes, at.position()).u32()?) } else { 0 };
    match kind {
        MAIN => {
            if flags & 1 != 0 {
                volume.notes.push(Trait::MultiVolume);
            }
            if flags & 0x80 != 0 {
                return Some((Next::Hidden, 0));
            }
        }
        FILE => added = file(&mut at, flags, header_end, volume)?,
        END => return Some((Next::End, 0)),
        _ => {}
    }
    Some((Next::More, span(header_end, added).end))
}

/// A file's header; the length of what follows.
fn file(at: &mut Cursor<'_>, flags: u16, header_end: usize, volume: &mut Volume) -> Option<u64> {
    let mut packed = u64::from(at.u32()?);
    let mut unpacked = u64::from(at.u32()?);
    let system = at.u8()?;
    at.skip(9)?;
    let method = at.u8()?;
    let name_length = at.u16()?;
    let attributes = at.u32()?;
    if flags & 0x100 != 0 {
        packed |= u64::from(at.u32()?) << 32;
        unpacked |= u64::from(at.u32()?) << 32;
    }
    let name = at.take(usize::from(name_length))?;
    // A directory.
    if flags & 0xe0 == 0xe0 {
        return Some(packed);
    }
    volume.add(Told {
        names: all_names(name, flags & 0x200 != 0),
        is_encrypted: flags & 4 != 0,
        is_split: flags & 3 != 0,
        is_link: system == 3 && attributes & 0xf000 == 0xa000,
        is_stored: method == 0x30,
        unpacked,
        body: span(header_end, packed),
    });
    Some(packed)
}

/// A name in the system's charset, and behind a NUL perhaps in Unicode as differences to it.
fn all_names(field: &[u8], has_unicode: bool) -> Vec<String> {
    let mut all = Vec::new();
    let nul = memchr::memchr(0, field).filter(|_| has_unicode);
    match nul {
        Some(nul) => {
            let (name, differences) = field.split_at(nul);
            if let Some(unicode) = unicode(name, differences.get(1..).unwrap_or_default()) {
                names::add(&mut all, &unicode);
            }
            for name in names::readings(name, false) {
                names::add(&mut all, &name);
            }
        }
        // Without a NUL it is UTF-8.
        None => all = names::readings(field, has_unicode),
    }
    all
}

/// Two bits for each character or run say how it is told.
fn unicode(name: &[u8], differences: &[u8]) -> Option<String> {
    let mut at = Cursor::new(differences);
    let high = u16::from(at.u8()?) << 8;
    let mut units: Vec<u16> = Vec::new();
    let (mut flags, mut bits) = (0_u8, 0_u8);
    while !at.is_at_end() && units.len() < name.len().saturating_mul(2).saturating_add(256) {
        if bits == 0 {
            flags = at.u8()?;
            bits = 8;
        }
        match flags >> 6 {
            0 => units.push(u16::from(at.u8()?)),
            1 => units.push(u16::from(at.u8()?) | high),
            2 => units.push(at.u16()?),
            _ => {
                let length = at.u8()?;
                let (correction, high) = if length & 0x80 != 0 { (Some(at.u8()?), high) } else { (None, 0) };
                for _ in 0..usize::from(length & 0x7f).saturating_add(2) {
                    let Some(same) = name.get(units.len()) else { break };
                    units.push(u16::from(same.wrapping_add(correction.unwrap_or(0))) | high);
                }
            }
        }
        flags <<= 2;
        bits = bits.saturating_sub(2);
    }
    Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}
