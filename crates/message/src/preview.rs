//! Previews: the first words of a message, for a list of messages (RFC 8970).
//!
//! Taken from the first part that a reader would be shown and that has words. Of a part only so many bytes are looked
//! at, so a preview costs the same whatever the message's size.

use crate::decode::{html_text, part_text};
use crate::structure::{Part, Structure};
use mailward_core::limits::{PREVIEW_BYTES_MAX, PREVIEW_CHARACTERS_MAX, PREVIEW_PARTS_MAX};
use std::ops::Range;

/// The preview of a message: one line, at most `limits::PREVIEW_CHARACTERS_MAX` characters, no control characters;
/// empty if the message has no text (RFC 8970 §3.2). The structure must be the message's own; another's gives
/// another text, no harm.
#[must_use]
pub fn preview(message: &[u8], structure: &Structure) -> String {
    let found = candidates(structure).into_iter().map(|part| {
        let range = range(part);
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        of_part(message.get(at(range.start)..at(range.end)).unwrap_or_default(), part)
    });
    found.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// The parts to try, the best first, at most `limits::PREVIEW_PARTS_MAX`: plain and HTML texts in the order they are
/// shown, of a `multipart/alternative` the plain one first; no attachments.
#[must_use]
pub fn candidates(structure: &Structure) -> Vec<&Part> {
    let mut found = Vec::new();
    let mut rest = vec![structure.root()];
    while let Some(part) = rest.pop() {
        if found.len() >= PREVIEW_PARTS_MAX {
            break;
        }
        if part.disposition.as_ref().is_some_and(|d| d.kind == "attachment") {
            continue;
        }
        if is_displayed(part) {
            found.push(part);
        }
        let before = rest.len();
        rest.extend(structure.children(part));
        let children = rest.get_mut(before..).unwrap_or_default();
        // The last is the next to be looked at.
        children.reverse();
        if part.is_multipart() && part.subtype == "alternative" {
            children.sort_by_key(|child| is_plain(child));
        }
    }
    found
}

/// The bytes of a message that [`of_part`] wants of a part, as offsets in the message.
#[must_use]
pub fn range(part: &Part) -> Range<u64> {
    let most = u64::try_from(PREVIEW_BYTES_MAX).unwrap_or(u64::MAX);
    part.body.start..part.body.end.min(part.body.start.saturating_add(most))
}

/// The preview that one part gives, from the bytes at its [`range`]; empty if it has no words.
#[must_use]
pub fn of_part(body: &[u8], part: &Part) -> String {
    let body = body.get(..PREVIEW_BYTES_MAX).unwrap_or(body);
    let here = Part { body: 0..u64::try_from(body.len()).unwrap_or(0), ..described(part) };
    let text = part_text(body, &here);
    let text = if is_plain(part) { text } else { html_text(&text) };
    // What others wrote is worth showing only if nothing else is there.
    let own = squeezed(text.lines().filter(|line| !line.trim_start().starts_with('>')));
    if own.is_empty() { squeezed(text.lines().map(|line| line.trim_start_matches(['>', ' ', '\t']))) } else { own }
}

/// What decoding a part needs of its description.
fn described(part: &Part) -> Part {
    Part { params: part.params.clone(), encoding: part.encoding.clone(), ..Part::default() }
}

fn is_plain(part: &Part) -> bool {
    part.is_text() && part.subtype == "plain"
}

fn is_displayed(part: &Part) -> bool {
    part.is_text() && matches!(part.subtype.as_str(), "plain" | "html")
}

/// Lines as one, blanks made one space, what can't be seen left out, cut to length.
fn squeezed<'t>(lines: impl Iterator<Item = &'t str>) -> String {
    let mut text = String::new();
    let mut characters = 0_usize;
    for character in lines.flat_map(|line| line.chars().chain(std::iter::once('\n'))) {
        let kept = match kind(character) {
            Kind::Blank if text.is_empty() || text.ends_with(' ') => continue,
            Kind::Blank => ' ',
            // Senders pad with joiners and blanks what shall be seen of a message; a joiner joins letters.
            Kind::Joiner if text.is_empty() || text.ends_with(' ') => continue,
            Kind::Unseen => continue,
            Kind::Joiner | Kind::Seen => character,
        };
        if characters >= PREVIEW_CHARACTERS_MAX {
            break;
        }
        text.push(kept);
        characters = characters.saturating_add(1);
    }
    text.truncate(text.trim_end().len());
    text
}

enum Kind {
    Seen,
    Blank,
    Joiner,
    Unseen,
}

fn kind(character: char) -> Kind {
    match character {
        _ if character.is_whitespace() => Kind::Blank,
        // U+2800 is Braille without dots: as empty as it looks.
        '\u{2800}' | '\u{3164}' => Kind::Blank,
        '\u{200c}' | '\u{200d}' => Kind::Joiner,
        // Soft hyphens, marks of direction (which could turn what stands after a preview around), and nothings.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' => Kind::Unseen,
        _ if character.is_control() => Kind::Unseen,
        _ => Kind::Seen,
    }
}

#[cfg(test)]
mod tests;
