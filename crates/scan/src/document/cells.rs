//! The old Excel: a stream of records (\[MS-XLS\]), of any version.

use super::Look;
use crate::bytes::{from, le16, upto};
use crate::contents::Trait;

/// Records of one stream that are looked at: what Excel's own limits allow is far less.
const RECORDS_MAX: usize = 5_000_000;

const NAME: u16 = 0x0018;
const FILE_PASS: u16 = 0x002f;
const CONTINUE: u16 = 0x003c;
const SHEET: u16 = 0x0085;
const STRINGS: u16 = 0x00fc;
const SUP_BOOK: u16 = 0x01ae;
const LABEL: u16 = 0x0204;
const STRING: u16 = 0x0207;

pub(super) fn look(stream: &[u8], look: &mut Look<'_>) {
    let (mut at, mut last) = (0_usize, 0_u16);
    let mut strings: Vec<&[u8]> = Vec::new();
    let (mut has_macros, mut runs) = (false, false);
    for _ in 0..RECORDS_MAX {
        let (Some(kind), Some(len)) = (le16(stream, at), le16(stream, at.saturating_add(2))) else { break };
        let data = upto(stream, at.saturating_add(4), usize::from(len));
        match kind {
            SHEET => has_macros |= data.get(5) == Some(&1),
            // The beginning of a stream of its own: a sheet of macros of its own.
            0x0809 | 0x0409 | 0x0209 | 0x0009 => has_macros |= le16(data, 2) == Some(0x0040),
            NAME => runs |= is_automatic(data),
            FILE_PASS => look.remark(Trait::Encrypted),
            SUP_BOOK => {
                let target: Vec<u8> = text(from(data, 2)).into_bytes();
                // A program and what to ask it, parted by a 3.
                look.remark_if(target.contains(&3), Trait::Dde);
                look.text(&String::from_utf8_lossy(&target).replace('\u{3}', " | "));
            }
            STRINGS => strings.push(from(data, 8)),
            CONTINUE if last == STRINGS => strings.push(data),
            LABEL => look.text(&text(from(data, 6))),
            STRING => look.text(&text(data)),
            _ => {}
        }
        if kind != CONTINUE {
            last = kind;
        }
        at = at.saturating_add(4).saturating_add(usize::from(len));
    }
    look.remark_if(has_macros, Trait::Macro);
    look.remark_if(has_macros && runs, Trait::MacroRuns);
    shared(&strings, look);
}

/// A defined name that Excel calls: a built-in one by its number, or spelled out.
fn is_automatic(data: &[u8]) -> bool {
    let is_built_in = le16(data, 0).is_some_and(|flags| flags & 0x20 != 0);
    let len = usize::from(data.get(3).copied().unwrap_or_default());
    let name = upto(data, 14, len.saturating_mul(2).saturating_add(1));
    // 1 is Auto_Open, 2 Auto_Close, 10 Auto_Activate, 11 Auto_Deactivate; before version 8 without a flag's byte.
    let is_call = |b: Option<&u8>| matches!(b, Some(1 | 2 | 10 | 11));
    if is_built_in && len == 1 {
        return is_call(name.get(1)) || name.first() != Some(&0) && is_call(name.first());
    }
    let plain: Vec<u8> = name.iter().filter(|b| **b != 0).map(u8::to_ascii_lowercase).collect();
    crate::bytes::holds(&plain, b"auto_open")
        || crate::bytes::holds(&plain, b"auto_close")
        || crate::bytes::holds(&plain, b"auto_activate")
}

/// A string with a count of two bytes and flags: one byte a character or two.
fn text(data: &[u8]) -> String {
    let Some(count) = le16(data, 0).map(usize::from) else { return String::new() };
    let is_wide = data.get(2).is_some_and(|flags| flags & 1 != 0);
    characters(upto(data, 3, if is_wide { count.saturating_mul(2) } else { count }), is_wide)
}

fn characters(bytes: &[u8], is_wide: bool) -> String {
    if is_wide { crate::bytes::utf16(bytes) } else { bytes.iter().map(|b| char::from(*b)).collect() }
}

/// The strings of all cells. One may go on in the next record, which then begins with flags of its own.
fn shared(records: &[&[u8]], look: &mut Look<'_>) {
    let (mut record, mut at) = (0_usize, 0_usize);
    while let Some(data) = records.get(record) {
        if look.text_room() == 0 {
            return;
        }
        let (Some(count), Some(flags)) = (le16(data, at), data.get(at.saturating_add(2))) else {
            record = record.saturating_add(1);
            at = 0;
            continue;
        };
        at = at.saturating_add(3);
        let mut after = 0_usize;
        if flags & 8 != 0 {
            after = after.saturating_add(usize::from(le16(data, at).unwrap_or_default()).saturating_mul(4));
            at = at.saturating_add(2);
        }
        if flags & 4 != 0 {
            after = after.saturating_add(crate::bytes::le32(data, at).map_or(0, crate::bytes::long));
            at = at.saturating_add(4);
        }
        let (mut left, mut is_wide, mut data) = (usize::from(count), flags & 1 != 0, *data);
        let mut all = String::new();
        loop {
            let size = if is_wide { left.saturating_mul(2) } else { left };
            let piece = upto(data, at, size);
            all.push_str(&characters(piece, is_wide));
            at = at.saturating_add(piece.len());
            left = left.saturating_sub(if is_wide { piece.len() / 2 } else { piece.len() });
            let next = record.saturating_add(1);
            if left == 0 || piece.len() >= size {
                break;
            }
            let Some(more) = records.get(next) else { break };
            record = next;
            data = more;
            is_wide = more.first().is_some_and(|flags| flags & 1 != 0);
            at = 1;
        }
        look.text(&all);
        at = at.saturating_add(after);
    }
}
