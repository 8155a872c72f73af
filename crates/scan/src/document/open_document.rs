//! OpenDocument (ISO/IEC 26300).

use super::xml::{self, Piece, Tag};
use super::{Look, is_elsewhere};
use crate::contents::Trait;
use crate::zipped;
use mailward_core::limits::DOCUMENT_ENTRIES_MAX;

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let entries = zipped::entries(bytes, DOCUMENT_ENTRIES_MAX);
    look.room.short |= entries.len() >= DOCUMENT_ENTRIES_MAX;
    let mut state = State::default();
    for entry in entries {
        let name = entry.name.to_ascii_lowercase();
        look.remark_if(entry.is_encrypted(), Trait::Encrypted);
        let is_module =
            name.starts_with(b"basic/") && !name.ends_with(b"script-lb.xml") && !name.ends_with(b"script-lc.xml");
        state.has_macros |= (is_module || name.starts_with(b"scripts/")) && !name.ends_with(b"/");
        let is_page = name.ends_with(b".xhtml") || name.ends_with(b".html");
        if !(name.ends_with(b".xml") || is_page) {
            continue;
        }
        let Some(part) = entry.read(look.max()) else { continue };
        look.count(part.len());
        let is_text = is_page || is_module || name.ends_with(b"content.xml");
        read(&part, is_text, &mut state, look);
    }
    state.finish(look);
}

/// What matters only together with something else.
#[derive(Default)]
pub(super) struct State {
    has_macros: bool,
    runs: bool,
}

impl State {
    /// Notes what was gathered.
    pub(super) fn finish(&self, look: &mut Look<'_>) {
        look.remark_if(self.has_macros, Trait::Macro);
        look.remark_if(self.runs, Trait::MacroRuns);
    }
}

/// One part.
pub(super) fn read(part: &[u8], is_text: bool, state: &mut State, look: &mut Look<'_>) {
    let xml = xml::utf8(part);
    let mut collected = String::new();
    for piece in xml::pieces(&xml) {
        match piece {
            Piece::Text(raw) => {
                if is_text && collected.len() < look.text_room() {
                    collected.push_str(&xml::resolved(raw));
                }
            }
            Piece::Tag(tag) if tag.closes => {
                if matches!(tag.name, b"p" | b"h" | b"table-row" | b"h1" | b"h2" | b"h3" | b"li" | b"div")
                    && !collected.ends_with('\n')
                {
                    collected.push('\n');
                }
            }
            Piece::Tag(tag) => opened(&tag, state, look),
        }
    }
    look.text(&collected);
}

fn opened(tag: &Tag<'_>, state: &mut State, look: &mut Look<'_>) {
    match tag.name {
        b"encryption-data" => look.remark(Trait::Encrypted),
        b"dde-connection-decl" | b"dde-source" | b"dde-link" => look.remark(Trait::Dde),
        b"table-cell" => {
            let formula = tag.attribute("formula").unwrap_or_default();
            look.remark_if(formula.to_ascii_uppercase().contains("=DDE("), Trait::Dde);
        }
        b"module" => state.has_macros = true,
        b"event-listener" => {
            let target = tag.attribute("href").unwrap_or_default();
            let event = tag.attribute("event-name").unwrap_or_default().to_ascii_lowercase();
            if target.starts_with("vnd.sun.star.script:") || tag.attribute("macro-name").is_some() {
                state.has_macros = true;
                state.runs |=
                    ["load", "open", "focus", "mouseover", "new", "start"].iter().any(|word| event.contains(word));
            }
        }
        b"section-source" | b"object" | b"floating-frame" | b"applet" | b"plugin" | b"object-ole" => {
            let target = tag.attribute("href").unwrap_or_default();
            look.remark_if(tag.name != b"section-source" && tag.name != b"floating-frame", Trait::Object);
            look.remark_if(is_elsewhere(&target), Trait::Remote);
        }
        b"script" => look.remark_if(tag.attribute("src").is_some(), Trait::Script),
        _ => {}
    }
}
