//! Text, and tables in text.

use super::{Look, is_elsewhere, page};
use crate::bytes::{from, head};
use crate::contents::Trait;
use crate::kind::{Wide, wide};
use mailward_core::limits::SCAN_TEXT_MAX;
use mailward_message::decode;
use std::borrow::Cow;

/// Longest cell that is looked at for a formula, characters.
const CELL_MAX: usize = 4_096;

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let text = text_of(bytes);
    cells(&text, look);
    look.text(&text);
}

/// Text in its charset, as far as bytes tell it, and as much as is kept. UTF-16 by its mark or its NULs, UTF-8 if it is that,
/// otherwise Windows' Latin-1.
pub(super) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let (width, mark) = wide(bytes);
    let rest = from(bytes, mark);
    match width {
        Wide::Little => Cow::Owned(crate::bytes::utf16(head(rest, SCAN_TEXT_MAX.saturating_mul(2)))),
        Wide::Big => encoding_rs::UTF_16BE.decode_without_bom_handling(head(rest, SCAN_TEXT_MAX.saturating_mul(2))).0,
        Wide::No => {
            let rest = head(rest, SCAN_TEXT_MAX);
            let valid = match std::str::from_utf8(rest) {
                Ok(text) => text,
                Err(error) => std::str::from_utf8(head(rest, error.valid_up_to())).unwrap_or_default(),
            };
            // A character may have been cut at the end.
            if valid.len().saturating_add(3) >= rest.len() {
                return Cow::Borrowed(valid);
            }
            Cow::Owned(decode::charset(None, rest))
        }
    }
}

/// Cells of a table in text that a spreadsheet takes for a formula which starts a program.
fn cells(text: &str, look: &mut Look<'_>) {
    if !text.contains('|') && !text.contains("DDE") {
        return;
    }
    let is_found = text.lines().any(|line| {
        line.split([',', ';', '\t']).any(|cell| {
            let cell = cell.trim_start_matches([' ', '"']);
            cell.starts_with(['=', '+', '-', '@']) && is_exchange(cell)
        })
    });
    look.remark_if(is_found, Trait::Dde);
}

/// Whether a formula asks another program: `=cmd|'/c calc'!A0`, `DDE("cmd";"/c calc";"x")`.
pub(super) fn is_exchange(formula: &str) -> bool {
    let formula: String = formula.chars().take(CELL_MAX).collect();
    if formula.to_ascii_uppercase().contains("DDE(") {
        return true;
    }
    let Some((program, topic)) = formula.split_once('|') else { return false };
    let is_program = program.trim_end_matches(['\'', '"']).ends_with(|c: char| c.is_ascii_alphanumeric());
    is_program && (topic.starts_with('\'') || topic.contains('\'') && topic.contains('!'))
}

/// Files that have a spreadsheet load or compute: queries, SYLK, connections.
pub(super) fn sheet_link(bytes: &[u8], look: &mut Look<'_>) {
    let text = text_of(bytes);
    let upper = text.to_ascii_uppercase();
    if upper.trim_start().starts_with("ID;P") {
        look.remark_if(upper.contains("O;E") || upper.contains("EXEC(") || upper.contains("CALL("), Trait::Macro);
        look.remark_if(upper.contains("AUTO_OPEN") || upper.contains("AUTO_CLOSE"), Trait::MacroRuns);
        look.remark_if(
            text.lines().any(|line| line.split(';').any(|field| field.starts_with('E') && is_exchange(field))),
            Trait::Dde,
        );
    }
    let is_link = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '>' | '<')).any(is_elsewhere);
    look.remark_if(is_link, Trait::Remote);
    if text.trim_start().starts_with('<') {
        page::look(bytes, look);
    } else {
        look.text(&text);
    }
}
