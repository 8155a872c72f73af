//! Shortcuts: where they lead, as text, and what they bring along.

use super::{Look, is_elsewhere};
use crate::bytes::{from, le16, le32, long, until_nul, upto, utf16, windows};
use crate::contents::{Trait, Wrapping};
use crate::document::text::text_of;

/// Blocks behind a shortcut's strings.
const BLOCKS_MAX: usize = 64;
/// Bytes behind a shortcut that are a file: fewer are padding.
const BEHIND_MIN: usize = 64;

/// A shortcut of Windows (\[MS-SHLLINK\]).
pub(super) fn lnk(bytes: &[u8], look: &mut Look<'_>) {
    let Some(flags) = le32(bytes, 20) else {
        look.remark(Trait::Damaged("its head".to_owned()));
        return;
    };
    let has = |bit: u32| flags.wrapping_shr(bit) & 1 != 0;
    let mut at = 0x4c_usize;
    if has(0) {
        let len = usize::from(le16(bytes, at).unwrap_or_default());
        // Items of the shell have the names of folders and files in them.
        target(&letters(upto(bytes, at.saturating_add(2), len)), look);
        at = at.saturating_add(2).saturating_add(len);
    }
    if has(1) {
        let info = upto(bytes, at, le32(bytes, at).map_or(0, long));
        for offset in [0x10, 0x14, 0x18] {
            let Some(place) = le32(info, offset).map(long).filter(|p| *p >= 0x1c) else { continue };
            // A network's volume has its name behind a head of 20 bytes.
            let place = if offset == 0x14 { place.saturating_add(20) } else { place };
            target(&windows(until_nul(from(info, place))), look);
        }
        at = at.saturating_add(info.len().max(4));
    }
    let mut arguments = String::new();
    for bit in 2..=6_u32 {
        if !has(bit) {
            continue;
        }
        let count = usize::from(le16(bytes, at).unwrap_or_default());
        let len = if has(7) { count.saturating_mul(2) } else { count };
        let raw = upto(bytes, at.saturating_add(2), len);
        let text = if has(7) { utf16(raw) } else { windows(raw) };
        if bit == 5 {
            arguments.clone_from(&text);
        }
        target(&text, look);
        at = at.saturating_add(2).saturating_add(len);
    }
    // Whatever has arguments starts a program with them.
    look.remark_if(!arguments.trim().is_empty(), Trait::Launches);
    for _ in 0..BLOCKS_MAX {
        let Some(len) = le32(bytes, at).map(long).filter(|len| *len >= 4) else { break };
        let block = upto(bytes, at, len);
        // A path with variables of the environment, in both widths.
        if le32(block, 4) == Some(0xa000_0001) {
            let wide = utf16(upto(block, 268, 520));
            target(wide.split('\0').next().unwrap_or_default(), look);
        }
        at = at.saturating_add(len);
    }
    let behind = from(bytes, at.saturating_add(4));
    if behind.len() >= BEHIND_MIN {
        look.remark(Trait::Object);
        look.inner(Vec::new(), behind.to_vec(), Wrapping::Entry);
    }
}

fn target(text: &str, look: &mut Look<'_>) {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    look.remark_if(
        text.split_whitespace().any(|word| is_elsewhere(word.trim_matches(['"', '\'', '(', ')']))),
        Trait::Remote,
    );
    look.text(text);
}

/// Runs of letters in bytes, in either width.
fn letters(bytes: &[u8]) -> String {
    let mut out = String::new();
    for piece in bytes.split(|b| !matches!(b, 0x20..=0x7e)).filter(|p| p.len() >= 4) {
        out.push_str(&windows(piece));
        out.push(' ');
    }
    let wide: Vec<u8> = bytes
        .chunks_exact(2)
        .map(|pair| if pair.get(1) == Some(&0) { pair.first().copied().unwrap_or_default() } else { 0 })
        .collect();
    for piece in wide.split(|b| !matches!(b, 0x20..=0x7e)).filter(|p| p.len() >= 4) {
        out.push_str(&windows(piece));
        out.push(' ');
    }
    out
}

/// A shortcut that is text: its lines are what it does.
pub(super) fn url(bytes: &[u8], look: &mut Look<'_>) {
    let text = text_of(bytes);
    for line in text.lines() {
        let (key, value) = line.split_once('=').unwrap_or(("", line));
        let value = value.trim();
        // A link to a page waits for its click; a file of another host runs, and an icon there tells who is asked.
        let is_page = ["http:", "https:"].iter().any(|s| value.to_ascii_lowercase().starts_with(s));
        look.remark_if(is_elsewhere(value) && !is_page, Trait::Remote);
        let key = key.trim().to_ascii_lowercase();
        look.remark_if(matches!(key.as_str(), "exec" | "command") && !value.is_empty(), Trait::Launches);
    }
    let lower = text.to_ascii_lowercase();
    look.remark_if(lower.contains("file://") || lower.contains("<deeplink"), Trait::Launches);
    look.text(&text);
}
