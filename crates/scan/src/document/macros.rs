//! Macros in Visual Basic: their source, and whether they run by themselves (\[MS-OVBA\]).

use super::Look;
use crate::bytes::{find, from, le16, windows};
use crate::compound::Compound;
use crate::contents::Trait;
use std::collections::BTreeSet;

/// A chunk's bytes, unpacked (\[MS-OVBA\] §2.4.1).
const CHUNK: usize = 4_096;
/// What every module's source begins with, as it is packed: the first eight letters stand as they are.
const SOURCE: &[u8] = b"\0Attribut";

/// Procedures that run without anybody calling them, lower case.
#[rustfmt::skip]
const AUTOMATIC: &[&str] = &[
    "autoexec", "autoopen", "auto_open", "autoclose", "auto_close", "autoexit", "autonew", "auto_exec", "auto_exit", "auto_new",
    "auto_add", "auto_remove", "auto_activate", "auto_deactivate",
    "document_open", "documentopen", "document_close", "document_new", "document_beforeclose", "documentchange", "document_contentcontrolonenter",
    "document_beforesave", "document_beforeprint", "workbook_open", "workbook_activate", "workbook_beforeclose", "workbook_close",
    "workbook_deactivate", "workbook_windowactivate", "workbook_sheetactivate", "workbook_beforesave", "workbook_beforeprint",
    "workbook_sheetcalculate", "worksheet_activate", "worksheet_calculate", "worksheet_selectionchange", "worksheet_change",
    "presentation_open", "onslideshowpagechange", "slideshow_begin", "app_presentationopen", "userform_initialize", "userform_activate",
    "class_initialize", "application_startup", "application_quit", "application_newmail", "_gotfocus", "_painted", "_painting",
    "_layout", "_mousehover", "_mousemove", "_resize", "_beforenavigate2", "_documentcomplete", "_downloadcomplete", "_navigatecomplete2",
    "_onload", "_onconnecting",
];

/// Looks for projects in a compound file, in whatever storage.
pub(super) fn look(file: &Compound<'_>, look: &mut Look<'_>) {
    let projects: BTreeSet<Option<usize>> =
        file.entries.iter().filter(|e| is_project(&e.name)).map(|e| e.parent).collect();
    let (mut modules, mut read, mut has_code, mut runs) = (0_usize, 0_usize, false, false);
    for entry in file.entries.iter().filter(|e| !e.is_storage) {
        let is_within = projects.contains(&entry.parent) || file.parent_name(entry).eq_ignore_ascii_case("VBA");
        // What no directory leads to may have been taken out of it to hide.
        if !is_within && entry.parent.is_some() {
            continue;
        }
        let bytes = file.read(entry, look.max());
        look.count(bytes.len());
        if is_project(&entry.name) {
            runs |= automatic(&bytes);
            continue;
        }
        if entry.name.eq_ignore_ascii_case("dir")
            || entry.name.to_ascii_uppercase().starts_with("__SRP_")
            || bytes.is_empty()
        {
            continue;
        }
        let source = source(&bytes, look.max());
        look.count(source.len());
        modules = modules.saturating_add(usize::from(is_within || !source.is_empty()));
        if source.is_empty() {
            continue;
        }
        read = read.saturating_add(1);
        if is_code(&source) {
            has_code = true;
            runs |= automatic(&source);
            look.text(&windows(&source));
        }
    }
    // Excel writes modules without a line of code into every workbook. A module whose source was taken out still runs.
    look.remark_if(has_code || runs || modules > read, Trait::Macro);
    look.remark_if(runs, Trait::MacroRuns);
}

fn is_project(name: &str) -> bool {
    name.eq_ignore_ascii_case("_VBA_PROJECT")
}

/// A module's source: the last packed container in it that begins as source does.
fn source(stream: &[u8], max: usize) -> Vec<u8> {
    // Before the letters: the container's sign, a chunk's head, and the flags of the first eight.
    find(stream, SOURCE)
        .and_then(|at| at.checked_sub(3))
        .map(|at| decompress(from(stream, at), max))
        .unwrap_or_default()
}

/// Whether source has anything but attributes, options and remarks.
fn is_code(source: &[u8]) -> bool {
    source.split(|b| *b == b'\n' || *b == b'\r').map(<[u8]>::trim_ascii).any(|line| {
        let is = |start: &[u8]| line.get(..start.len()).is_some_and(|l| l.eq_ignore_ascii_case(start));
        !line.is_empty() && !is(b"attribute ") && !is(b"option ") && !is(b"'") && !is(b"rem ")
    })
}

/// Whether a procedure is called as those that run by themselves.
pub(super) fn automatic(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    AUTOMATIC.iter().any(|name| {
        let finder = memchr::memmem::Finder::new(name.as_bytes());
        finder.find_iter(&lower).any(|at| {
            let is_word = |place: Option<usize>| {
                place.and_then(|p| lower.get(p)).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
            };
            let begins = name.starts_with('_') || !is_word(at.checked_sub(1));
            begins && !is_word(at.checked_add(name.len()))
        })
    })
}

/// Unpacks a container of \[MS-OVBA\] §2.4.1; what came out before a fault is what there is.
pub(super) fn decompress(packed: &[u8], max: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if packed.first() != Some(&1) {
        return out;
    }
    let mut at = 1_usize;
    while let Some(head) = le16(packed, at) {
        if out.len() >= max {
            break;
        }
        let end = at.saturating_add(usize::from(head & 0xfff)).saturating_add(3).min(packed.len());
        let chunk = packed.get(at.saturating_add(2)..end).unwrap_or_default();
        if head & 0x8000 == 0 {
            out.extend_from_slice(crate::bytes::head(chunk, CHUNK));
        } else {
            unpack_chunk(chunk, &mut out);
        }
        at = end;
    }
    out.truncate(max);
    out
}

fn unpack_chunk(chunk: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut at = 0_usize;
    while let Some(flags) = chunk.get(at) {
        at = at.saturating_add(1);
        for bit in 0..8_u32 {
            if out.len().saturating_sub(start) >= CHUNK {
                return;
            }
            if flags.wrapping_shr(bit) & 1 == 0 {
                let Some(byte) = chunk.get(at) else { return };
                out.push(*byte);
                at = at.saturating_add(1);
                continue;
            }
            let Some(token) = le16(chunk, at) else { return };
            at = at.saturating_add(2);
            let done = out.len().saturating_sub(start);
            // As many bits tell how far back as it takes to reach the chunk's beginning, at least four.
            let bits = (usize::BITS.saturating_sub(done.saturating_sub(1).leading_zeros())).clamp(4, 12);
            let mask = 0xffff_u16.wrapping_shr(bits);
            let len = usize::from(token & mask).saturating_add(3);
            let back = usize::from((token & !mask).wrapping_shr(16_u32.saturating_sub(bits))).saturating_add(1);
            let Some(mut from) = out.len().checked_sub(back).filter(|from| *from >= start) else { return };
            for _ in 0..len.min(CHUNK.saturating_sub(done)) {
                let Some(byte) = out.get(from).copied() else { return };
                out.push(byte);
                from = from.saturating_add(1);
            }
        }
    }
}
