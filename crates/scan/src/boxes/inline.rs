//! Files within text: uuencode and its base64 form (POSIX.1), yEnc (version 1.3), BinHex 4 (RFC 1741).

mod binhex;

use crate::contents::{Trait, Wrapping};
use crate::cursor::length;
use crate::holder::{Body, Entry, Holder, Listing};
use crate::meter::Meter;
use crate::names;
use bytes::Bytes;
use mailward_core::limits::SCAN_INLINE_MAX;
use mailward_message::decode::base64;

/// Longest line that begins a file, bytes.
const BEGIN_MAX: usize = 1_024;

/// The files in a text, if there is one.
pub(super) fn files(bytes: &Bytes, meter: &mut Meter<'_>) -> Option<Box<dyn Holder>> {
    let mut entries = Vec::new();
    uuencoded(bytes, &mut entries);
    yenc(bytes, &mut entries);
    binhex::find(bytes, &mut entries);
    if entries.is_empty() {
        return None;
    }
    for entry in &entries {
        if let Body::Made(made) = &entry.body
            && u64::try_from(made.len()).is_ok_and(|made| made > meter.bytes_left())
        {
            meter.take_bytes(length(made));
            return None;
        }
    }
    let mut notes = Vec::new();
    if entries.len() >= SCAN_INLINE_MAX {
        notes.push(Trait::NotOpened("more files in it than are looked at".to_owned()));
    }
    Some(Listing::boxed(bytes, notes, entries))
}

fn entry(name: &[u8], made: Vec<u8>) -> Entry {
    Entry {
        names: names::readings(name.trim_ascii(), false),
        wrapping: Wrapping::Inline,
        body: Body::Made(made),
        ..Entry::default()
    }
}

/// Lines from a place on, each with where the next begins.
fn line(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    let end = memchr::memchr(b'\n', rest);
    let line = rest.get(..end.unwrap_or(rest.len()))?;
    let next = at.saturating_add(line.len()).saturating_add(usize::from(end.is_some()));
    Some((line.strip_suffix(b"\r").unwrap_or(line), next))
}

/// Places where a line begins with this.
fn begins<'b>(bytes: &'b [u8], with: &'static [u8]) -> impl Iterator<Item = usize> + 'b {
    memchr::memmem::find_iter(bytes, with)
        .filter(|at| at.checked_sub(1).is_none_or(|before| matches!(bytes.get(before), Some(b'\n' | b'\r'))))
}

fn uuencoded(bytes: &[u8], entries: &mut Vec<Entry>) {
    let mut after = 0_usize;
    for start in begins(bytes, b"begin") {
        if start < after || entries.len() >= SCAN_INLINE_MAX {
            continue;
        }
        let Some((head, next)) = line(bytes, start) else { continue };
        let Some((is_base64, name)) = begin(head) else { continue };
        let (made, end) = if is_base64 { base64_lines(bytes, next) } else { uu_lines(bytes, next) };
        if !made.is_empty() {
            after = end;
            entries.push(entry(name, made));
        }
    }
}

/// `begin 644 name` or `begin-base64 644 name`.
fn begin(head: &[u8]) -> Option<(bool, &[u8])> {
    if head.len() > BEGIN_MAX {
        return None;
    }
    let rest = head.strip_prefix(b"begin")?;
    let (is_base64, rest) = match rest.strip_prefix(b"-base64") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest = rest.strip_prefix(b" ")?.trim_ascii_start();
    let mode = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let name = rest.get(mode..)?;
    ((3..=6).contains(&mode) && name.starts_with(b" ")).then_some((is_base64, name))
}

/// Lines that begin with their length, until one that can't be; blanks at their ends may be gone.
fn uu_lines(bytes: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let mut made = Vec::new();
    while let Some((line, next)) = line(bytes, at) {
        let Some((first, signs)) = line.split_first() else { break };
        let count = usize::from(first.wrapping_sub(b' ') & 63);
        if !(b' '..=b'`').contains(first) || count == 0 || signs.iter().any(|sign| !(b' '..=b'`').contains(sign)) {
            break;
        }
        at = next;
        let start = made.len();
        for four in signs.chunks(4).take(count.div_ceil(3)) {
            let number = (0..4).fold(0_u32, |sum, place| {
                let sign = four.get(place).copied().unwrap_or(b' ');
                sum << 6 | u32::from(sign.wrapping_sub(b' ') & 63)
            });
            let [_, three @ ..] = number.to_be_bytes();
            made.extend_from_slice(&three);
        }
        made.truncate(start.saturating_add(count));
    }
    (made, at)
}

fn base64_lines(bytes: &[u8], start: usize) -> (Vec<u8>, usize) {
    let rest = bytes.get(start..).unwrap_or_default();
    let length = memchr::memmem::find(rest, b"====").unwrap_or(rest.len());
    (base64(rest.get(..length).unwrap_or_default()), start.saturating_add(length))
}

fn yenc(bytes: &[u8], entries: &mut Vec<Entry>) {
    let mut after = 0_usize;
    for start in begins(bytes, b"=ybegin ") {
        if start < after || entries.len() >= SCAN_INLINE_MAX {
            continue;
        }
        let Some((head, mut at)) = line(bytes, start) else { continue };
        // The name is the last thing of its line and may have blanks.
        let name = memchr::memmem::find(head, b"name=").and_then(|name| head.get(name.saturating_add(5)..));
        let mut made = Vec::new();
        while let Some((line, next)) = line(bytes, at) {
            if line.starts_with(b"=yend") {
                break;
            }
            at = next;
            if line.starts_with(b"=ypart") {
                continue;
            }
            // Two dots at a line's beginning are one (RFC 3977 §3.1.1).
            let line = if line.starts_with(b"..") { line.get(1..).unwrap_or_default() } else { line };
            let mut escaped = false;
            for byte in line {
                match byte {
                    b'=' if !escaped => escaped = true,
                    byte => {
                        made.push(byte.wrapping_sub(if escaped { 106 } else { 42 }));
                        escaped = false;
                    }
                }
            }
        }
        after = at;
        if !made.is_empty() {
            entries.push(entry(name.unwrap_or_default(), made));
        }
    }
}
