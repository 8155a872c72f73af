//! tar: ustar and what came before it, pax (POSIX.1-2001) and GNU's long names.

use crate::contents::Trait;
use crate::cursor::{digits, size};
use crate::holder::{Body, Entry, Holder, Listing, span};
use crate::names;
use bytes::Bytes;

const BLOCK: usize = 512;

/// What a header says of the one after it.
#[derive(Default)]
struct Before {
    names: Vec<String>,
    size: Option<u64>,
}

/// None: it doesn't begin with a header.
pub(super) fn open(bytes: &Bytes, most: usize) -> Option<Box<dyn Holder>> {
    let mut entries = Vec::new();
    let mut notes = Vec::new();
    let mut before = Before::default();
    let mut at = 0_usize;
    let mut seen = false;
    loop {
        let end = at.saturating_add(BLOCK);
        let Some(header) = bytes.get(at..end) else {
            if at < bytes.len() {
                notes.push(Trait::Damaged("it ends before its end".to_owned()));
            }
            break;
        };
        if header.iter().all(|byte| *byte == 0) {
            // Two empty blocks end it; a program that reads on over them finds what is behind.
            at = end;
            continue;
        }
        if !is_header(header) {
            if !seen {
                return None;
            }
            notes.push(Trait::Damaged("a header that can't be read".to_owned()));
            break;
        }
        seen = true;
        let said = number(header.get(124..136).unwrap_or_default()).unwrap_or(0);
        let kind = header.get(156).copied().unwrap_or(0);
        let special = matches!(kind, b'x' | b'g' | b'L' | b'K' | b'V');
        let length = if special { said } else { before.size.unwrap_or(said) };
        let body = span(end, length);
        at = end.saturating_add(padded(length));
        let content = bytes.get(body.clone()).unwrap_or_default();
        match kind {
            b'L' => add_name(&mut before, content),
            b'x' => pax(content, &mut before),
            b'g' | b'K' | b'V' => {}
            _ => {
                let Before { names: mut all, .. } = std::mem::take(&mut before);
                for name in own_names(header) {
                    // The short name may be what an old program takes.
                    names::add(&mut all, &name);
                }
                if let Some(entry) = entry(kind, all, length, body) {
                    entries.push(entry);
                }
            }
        }
        if entries.len() >= most {
            break;
        }
    }
    Some(Listing::boxed(bytes, notes, entries))
}

/// None: a directory or a device, which holds nothing.
fn entry(kind: u8, names: Vec<String>, length: u64, body: std::ops::Range<usize>) -> Option<Entry> {
    let plain = || Body::Plain(body.clone());
    let (traits, body, size) = match kind {
        b'1' | b'2' => (vec![Trait::Link], if length == 0 { Body::None } else { plain() }, length),
        b'3'..=b'6' if length == 0 => {
            if !names.iter().any(|name| names::leads_out(name)) {
                return None;
            }
            (Vec::new(), Body::None, 0)
        }
        b'S' => (vec![Trait::NotOpened("a file with holes".to_owned())], plain(), length),
        b'M' => (vec![Trait::MultiVolume], plain(), length),
        _ => (Vec::new(), plain(), length),
    };
    Some(Entry { names, traits, size: Some(size), body, ..Entry::default() })
}

/// Whether its checksum holds (as unsigned or, for old programs, as signed bytes).
pub(super) fn is_header(header: &[u8]) -> bool {
    let Some(said) = header.get(148..156).and_then(|field| digits(field, 8)) else { return false };
    let (mut unsigned, mut signed) = (0_i64, 0_i64);
    for (at, byte) in header.iter().take(BLOCK).enumerate() {
        let byte = if (148..156).contains(&at) { b' ' } else { *byte };
        unsigned = unsigned.saturating_add(i64::from(byte));
        signed = signed.saturating_add(i64::from(i8::from_ne_bytes([byte])));
    }
    header.len() >= BLOCK && (i64::try_from(said) == Ok(unsigned) || i64::try_from(said) == Ok(signed))
}

/// In octal digits, or as GNU has it in binary after a first bit.
fn number(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((first, rest)) if first & 0x80 != 0 => {
            Some(rest.iter().fold(0_u64, |sum, byte| sum.wrapping_shl(8) | u64::from(*byte)))
        }
        _ => digits(field, 8),
    }
}

fn padded(length: u64) -> usize {
    size(length.checked_next_multiple_of(512).unwrap_or(u64::MAX))
}

fn up_to_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The name in the header, after its prefix where it has one.
fn own_names(header: &[u8]) -> Vec<String> {
    let name = up_to_nul(header.get(..100).unwrap_or_default());
    let prefix = up_to_nul(header.get(345..500).unwrap_or_default());
    if header.get(257..263) == Some(b"ustar\0") && !prefix.is_empty() {
        names::readings(&[prefix, b"/", name].concat(), true)
    } else {
        names::readings(name, true)
    }
}

fn add_name(before: &mut Before, content: &[u8]) {
    for name in names::readings(up_to_nul(content), true) {
        names::add(&mut before.names, &name);
    }
}

/// Records of `length key=value` and a line end.
fn pax(mut records: &[u8], before: &mut Before) {
    while let Some(blank) = memchr::memchr(b' ', records) {
        let Some(length) = records.get(..blank).and_then(|length| digits(length, 10)) else { return };
        let Some(record) = records.get(blank.saturating_add(1)..size(length)) else { return };
        if let Some(equals) = memchr::memchr(b'=', record) {
            let (key, value) = record.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            let value = value.strip_suffix(b"\n").unwrap_or(value);
            match key {
                b"path" | b"GNU.sparse.name" => add_name(before, value),
                b"size" => before.size = digits(value, 10),
                _ => {}
            }
        }
        records = records.get(size(length)..).unwrap_or_default();
    }
}
