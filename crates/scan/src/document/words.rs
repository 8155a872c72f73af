//! The old Word: text and fields (\[MS-DOC\]).

use super::{Look, ole};
use crate::bytes::{from, le16, le32, long, upto, utf16};
use crate::compound::Compound;
use crate::contents::Trait;

/// Pieces of text of one document.
const PIECES_MAX: usize = 20_000;

pub(super) fn look(file: &Compound<'_>, look: &mut Look<'_>) {
    let Some(entry) = file.named("WordDocument").next() else { return };
    let main = ole::read(file, entry, look);
    let flags = le16(&main, 10).unwrap_or_default();
    look.remark_if(flags & 0x0100 != 0, Trait::Encrypted);
    let name = if flags & 0x0200 != 0 { "1Table" } else { "0Table" };
    let table = file.named(name).next().map(|entry| ole::read(file, entry, look)).unwrap_or_default();
    let mut text = pieces(&main, &table, look.text_room().max(64 * 1024)).unwrap_or_default();
    if text.is_empty() {
        // Word 6 and what is damaged: from the first character to the last.
        let (first, last) = (le32(&main, 24).map_or(0, long), le32(&main, 28).map_or(0, long));
        text = western(upto(&main, first, last.saturating_sub(first)));
    }
    fields(&text, look);
    let plain: String =
        text.chars().map(|c| if matches!(c, '\r' | '\u{7}' | '\u{b}' | '\u{c}') { '\n' } else { c }).collect();
    look.text(&plain.replace(|c: char| c.is_control() && c != '\n' && c != '\t', " "));
}

/// Text by the table of pieces: each is one byte a character or two.
fn pieces(main: &[u8], table: &[u8], max: usize) -> Option<String> {
    let (start, len) = (long(le32(main, 0x1a2)?), long(le32(main, 0x1a6)?));
    let mut clx = upto(table, start, len);
    while clx.first() == Some(&1) {
        clx = from(clx, usize::from(le16(clx, 1)?).checked_add(3)?);
    }
    if clx.first() != Some(&2) {
        return None;
    }
    let size = long(le32(clx, 1)?);
    let plan = upto(clx, 5, size);
    let count = plan.len().checked_sub(4)? / 12;
    let mut text = String::new();
    for number in 0..count.min(PIECES_MAX) {
        let place = |n: usize| le32(plan, n.saturating_mul(4)).map(long);
        let (first, next) = (place(number)?, place(number.saturating_add(1))?);
        let descriptor = count.saturating_add(1).saturating_mul(4).saturating_add(number.saturating_mul(8));
        let offset = le32(plan, descriptor.saturating_add(2))?;
        let characters = next.saturating_sub(first).min(max);
        let at = long(offset & 0x3fff_ffff);
        if offset & 0x4000_0000 != 0 {
            text.push_str(&western(upto(main, at / 2, characters)));
        } else {
            text.push_str(&utf16(upto(main, at, characters.saturating_mul(2))));
        }
        if text.len() > max {
            break;
        }
    }
    Some(text)
}

/// One byte a character, always: what looks like UTF-8 isn't.
fn western(bytes: &[u8]) -> String {
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
}

/// Fields stand between two control characters; the code comes first.
fn fields(text: &str, look: &mut Look<'_>) {
    for field in text.split('\u{13}').skip(1) {
        let code = field.split(['\u{14}', '\u{15}']).next().unwrap_or_default();
        code_of_field(code, look);
    }
}

/// What a field does, by its code.
pub(super) fn code_of_field(code: &str, look: &mut Look<'_>) {
    let mut words =
        code.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\u{201c}' | '\u{201d}')).filter(|w| !w.is_empty());
    let first = words.next().unwrap_or_default();
    let is = |name: &str| first.eq_ignore_ascii_case(name);
    if is("DDE") || is("DDEAUTO") {
        look.remark(Trait::Dde);
        look.text(code);
    } else if is("INCLUDETEXT") || is("LINK") || is("INCLUDE") || is("RD") || is("DATABASE") {
        let target = words.find(|word| super::is_elsewhere(&word.replace("\\\\", "\\")) || super::is_elsewhere(word));
        look.remark_if(target.is_some(), Trait::Remote);
    }
}
