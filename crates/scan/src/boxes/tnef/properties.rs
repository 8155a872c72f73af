//! Lists of MAPI properties (MS-OXTNEF 2.1.3.4).

use crate::cursor::{Cursor, size32};
use crate::names;
use std::ops::Range;

pub(super) const OBJECT: u16 = 0x000d;
pub(super) const STRING8: u16 = 0x001e;
pub(super) const UNICODE: u16 = 0x001f;
pub(super) const BINARY: u16 = 0x0102;
/// Properties, and values of one, that are read: more than any program writes.
pub(super) const PROPERTIES_MAX: usize = 2_048;

/// One value of a property.
pub(super) struct Property {
    pub(super) id: u16,
    pub(super) kind: u16,
    /// Where it stands in the whole file.
    pub(super) value: Range<usize>,
    /// Of a string.
    pub(super) text: Option<String>,
}

/// The properties of a list that begins at `base` in its file, as far as they can be read. Of those with several values all.
pub(super) fn read(list: &[u8], base: usize) -> Vec<Property> {
    let mut found = Vec::new();
    let mut at = Cursor::new(list);
    let count = size32(at.u32().unwrap_or(0)).min(PROPERTIES_MAX);
    for _ in 0..count {
        if property(&mut at, base, &mut found).is_none() || found.len() >= PROPERTIES_MAX {
            break;
        }
    }
    found
}

fn property(at: &mut Cursor<'_>, base: usize, found: &mut Vec<Property>) -> Option<()> {
    let kind = at.u16()?;
    let id = at.u16()?;
    if id >= 0x8000 {
        // A named property: whose set it is, and its number or its name.
        at.skip(16)?;
        let by_name = at.u32()?;
        let length = size32(at.u32()?);
        if by_name == 1 {
            skip_padded(at, length)?;
        }
    }
    let plain = kind & !0x1000;
    let many = kind & 0x1000 != 0;
    let values = match plain {
        _ if many => size32(at.u32()?),
        STRING8 | UNICODE | BINARY | OBJECT => size32(at.u32()?),
        _ => 1,
    };
    for _ in 0..values.min(PROPERTIES_MAX) {
        let length = match plain {
            STRING8 | UNICODE | BINARY | OBJECT => size32(at.u32()?),
            // Numbers of up to four bytes take four, larger ones and times eight, names of classes sixteen.
            0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => 4,
            0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => 8,
            0x0048 => 16,
            _ => return None,
        };
        let start = at.position();
        let there = at.rest().get(..length.min(at.rest().len())).unwrap_or_default();
        let text = match plain {
            STRING8 => {
                names::readings(there.split(|byte| *byte == 0).next().unwrap_or_default(), false).into_iter().next()
            }
            UNICODE => Some(names::utf16_le(there)),
            _ => None,
        };
        let start = base.saturating_add(start);
        found.push(Property { id, kind: plain, value: start..start.saturating_add(length), text });
        skip_padded(at, length)?;
    }
    Some(())
}

/// Values are padded to fours.
fn skip_padded(at: &mut Cursor<'_>, length: usize) -> Option<()> {
    at.skip(length.checked_next_multiple_of(4)?)
}
