//! Names of entries: bytes of a charset that nobody tells.

use crate::contents::Trait;
use mailward_core::limits::{SCAN_NAME_MAX, SCAN_NAMES_MAX};
use std::borrow::Cow;

/// Bytes of a name that are read whole.
const READ_MAX: usize = 4 * SCAN_NAME_MAX;

/// The upper half of code page 437, which ZIP, ARJ and LHA mean where they say nothing (APPNOTE.TXT, appendix D).
const CP437: [char; 128] = [
    'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å', 'É', 'æ', 'Æ', 'ô', 'ö', 'ò', 'û',
    'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ', 'á', 'í', 'ó', 'ú', 'ñ', 'Ñ', 'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡',
    '«', '»', '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕', '╣', '║', '╗', '╝', '╜', '╛', '┐', '└', '┴', '┬', '├', '─',
    '┼', '╞', '╟', '╚', '╔', '╩', '╦', '╠', '═', '╬', '╧', '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█',
    '▄', '▌', '▐', '▀', 'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩', '≡', '±', '≥',
    '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', '\u{a0}',
];

/// Every reading of a name's bytes: UTF-8 where they are that, and code page 437 unless they are said to be UTF-8.
pub(crate) fn readings(bytes: &[u8], is_utf8: bool) -> Vec<String> {
    let mut names = Vec::new();
    let shorter = shortened(bytes);
    let bytes = shorter.as_ref();
    match std::str::from_utf8(bytes) {
        Ok(text) => add(&mut names, text),
        Err(_) if is_utf8 => add(&mut names, &String::from_utf8_lossy(bytes)),
        Err(_) => {}
    }
    if !is_utf8 && !bytes.is_ascii() {
        let text: String = bytes.iter().map(|byte| cp437(*byte)).collect();
        add(&mut names, &text);
    }
    names
}

/// Of a name that is far too long no more than is kept of it: its beginning and its end.
fn shortened(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.len() <= READ_MAX {
        return Cow::Borrowed(bytes);
    }
    let is_inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let (mut head, mut tail) = (SCAN_NAME_MAX, bytes.len().saturating_sub(SCAN_NAME_MAX));
    // Not through a character of UTF-8, if it is that.
    for _ in 0..3 {
        if is_inside(head) {
            head = head.saturating_sub(1);
        }
        if is_inside(tail) {
            tail = tail.saturating_add(1);
        }
    }
    Cow::Owned([bytes.get(..head).unwrap_or_default(), bytes.get(tail..).unwrap_or_default()].concat())
}

fn cp437(byte: u8) -> char {
    match byte.checked_sub(128) {
        None => char::from(byte),
        Some(high) => CP437.get(usize::from(high)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

/// A name in UTF-16, little endian, up to a NUL if there is one.
pub(crate) fn utf16_le(bytes: &[u8]) -> String {
    let units =
        bytes.chunks_exact(2).map(|pair| pair.iter().rev().fold(0_u16, |sum, byte| sum << 8 | u16::from(*byte)));
    utf16(units)
}

/// As [`utf16_le`], big endian.
pub(crate) fn utf16_be(bytes: &[u8]) -> String {
    utf16(bytes.chunks_exact(2).map(|pair| pair.iter().fold(0_u16, |sum, byte| sum << 8 | u16::from(*byte))))
}

fn utf16(units: impl Iterator<Item = u16>) -> String {
    char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Adds a name once, cut; a name with a NUL counts up to it as well.
pub(crate) fn add(names: &mut Vec<String>, name: &str) {
    if let Some((before, _)) = name.split_once('\0') {
        add_one(names, before);
    }
    add_one(names, name);
}

fn add_one(names: &mut Vec<String>, name: &str) {
    let name = cut(name);
    if !name.is_empty() && names.len() < SCAN_NAMES_MAX && !names.contains(&name) {
        names.push(name);
    }
}

/// At most `SCAN_NAME_MAX` bytes of a name. Its end says what it is, so that of a longer one the middle goes.
pub(crate) fn cut(name: &str) -> String {
    if name.len() <= SCAN_NAME_MAX {
        return name.to_owned();
    }
    let half = SCAN_NAME_MAX / 2;
    let mut head = half;
    while !name.is_char_boundary(head) {
        head = head.saturating_sub(1);
    }
    let mut tail = name.len().saturating_sub(half);
    while !name.is_char_boundary(tail) {
        tail = tail.saturating_add(1);
    }
    name.get(..head).unwrap_or_default().to_owned() + name.get(tail..).unwrap_or_default()
}

/// Whether a name leads out of the place where it is unpacked: `..`, from the root, another drive or another host.
pub(crate) fn leads_out(name: &str) -> bool {
    let drive = name.get(1..2) == Some(":") && name.starts_with(|c: char| c.is_ascii_alphabetic());
    drive || name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|step| step.trim_end_matches(' ') == "..")
}

/// What names themselves tell.
pub(crate) fn traits(names: &[String]) -> Vec<Trait> {
    if names.iter().any(|name| leads_out(name)) { vec![Trait::LeadsOut] } else { Vec::new() }
}

/// A name without the extension that a packer added, or with the one that it took: `x.tar.gz`, `x.tgz`.
pub(crate) fn unpacked(names: &[String], extensions: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for name in names {
        for (packed, plain) in extensions {
            let at = name.len().saturating_sub(packed.len());
            if name.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(packed)) && at > 0 {
                add(&mut found, &(name.get(..at).unwrap_or_default().to_owned() + plain));
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_s_bytes_are_read_in_every_way_that_a_program_may() {
        assert_eq!(readings(b"plain.txt", false), ["plain.txt"]);
        assert_eq!(readings("ä.exe".as_bytes(), false), ["ä.exe", "├ñ.exe"]);
        assert_eq!(readings("ä.exe".as_bytes(), true), ["ä.exe"]);
        assert_eq!(readings(b"\x84.exe", false), ["ä.exe"]);
        assert_eq!(readings(b"\x84.exe", true), ["\u{fffd}.exe"]);
        assert_eq!(readings(b"a.exe\0.txt", false), ["a.exe", "a.exe\0.txt"]);
        assert_eq!(utf16_le(b"a\0.\0\0\0x\0"), "a.");
        assert_eq!(utf16_be(b"\0a\0b"), "ab");
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_end() {
        let mut names = Vec::new();
        add(&mut names, &format!("{}.exe", "ü".repeat(2_000)));
        assert!(names[0].len() <= SCAN_NAME_MAX && names[0].starts_with("üü") && names[0].ends_with("ü.exe"));
        for n in 0..20 {
            add(&mut names, &n.to_string());
        }
        assert_eq!(names.len(), SCAN_NAMES_MAX);
    }

    #[test]
    fn names_that_lead_out_are_known() {
        for name in ["../a", "a/../../b", "..\\a", "/etc/passwd", "\\\\host\\share", "C:\\a", "c:a", "a/.. /b", ".."] {
            assert!(leads_out(name), "{name}");
        }
        for name in ["a", "a/b..c", "...", "ä:b", "a/./b", ""] {
            assert!(!leads_out(name), "{name}");
        }
    }

    #[test]
    fn what_was_packed_has_its_name_back() {
        let names = ["Bericht.TGZ".to_owned(), "x.gz".to_owned(), ".gz".to_owned(), "y".to_owned()];
        assert_eq!(unpacked(&names, &[(".tgz", ".tar"), (".gz", "")]), ["Bericht.tar", "x"]);
    }
}
