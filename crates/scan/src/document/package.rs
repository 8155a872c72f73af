//! Office Open XML (ECMA-376) and other packages: what their parts say, whatever they are called.

use super::xml::{self, Piece, Tag};
use super::{Look, is_elsewhere, macros, text, words};
use crate::bytes::trim_start;
use crate::compound::{self, Compound};
use crate::contents::Trait;
use crate::zipped;
use mailward_core::limits::DOCUMENT_ENTRIES_MAX;

/// Characters of one field's code that are kept.
const CODE_MAX: usize = 4_096;

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let entries = zipped::entries(bytes, DOCUMENT_ENTRIES_MAX);
    look.room.short |= entries.len() >= DOCUMENT_ENTRIES_MAX;
    let mut signs = Signs::default();
    for entry in entries {
        if entry.is_encrypted() {
            look.remark(Trait::Encrypted);
            continue;
        }
        let name = entry.name.to_ascii_lowercase();
        let within = |folder: &[u8]| crate::bytes::holds(&name, folder);
        look.remark_if(within(b"embeddings/") || within(b"activex/"), Trait::Object);
        signs.has_sheets_of_macros |= within(b"macrosheets/");
        let Some(unpacked) = entry.read_part(look.max()) else { continue };
        let part = &*unpacked.bytes;
        look.count(part.len());
        if part.starts_with(compound::MAGIC) {
            if let Some(file) = Compound::open(part) {
                look.room.short |= file.is_cut;
                macros::look(&file, look);
            }
        } else if trim_start(&xml::utf8(crate::bytes::head(part, 256))).starts_with(b"<") {
            read(part, &mut signs, look);
        } else if name.ends_with(b".bin") && within(b"workbook") {
            // The binary form: names in two bytes a character.
            let plain: Vec<u8> = part.iter().filter(|b| **b != 0).map(u8::to_ascii_lowercase).collect();
            signs.is_automatic |= is_automatic(&String::from_utf8_lossy(&plain));
        }
        look.keep(unpacked);
    }
    look.remark_if(signs.has_sheets_of_macros, Trait::Macro);
    look.remark_if(signs.has_sheets_of_macros && signs.is_automatic, Trait::MacroRuns);
    if signs.calls_back && look.looked.traits.contains(&Trait::Macro) {
        look.remark(Trait::MacroRuns);
    }
}

/// What matters only together with something else.
#[derive(Default)]
pub(super) struct Signs {
    has_sheets_of_macros: bool,
    is_automatic: bool,
    calls_back: bool,
}

fn is_automatic(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auto_open", "auto_close", "auto_activate", "auto_deactivate"].iter().any(|auto| name.contains(auto))
}

/// One part: its text, its fields, its formulas, where it leads to.
pub(super) fn read(part: &[u8], signs: &mut Signs, look: &mut Look<'_>) {
    let xml = xml::utf8(part);
    let (mut collected, mut code, mut inside) = (String::new(), String::new(), Inside::Nothing);
    for piece in xml::pieces(&xml) {
        match piece {
            Piece::Text(raw) => match inside {
                Inside::Text if collected.len() < look.text_room() => collected.push_str(&xml::resolved(raw)),
                Inside::Code if code.len() < CODE_MAX => code.push_str(&xml::resolved(raw)),
                Inside::Formula => look.remark_if(text::is_exchange(&xml::resolved(raw)), Trait::Dde),
                _ => {}
            },
            Piece::Tag(tag) => {
                if tag.closes {
                    if matches!(tag.name, b"p" | b"si" | b"row" | b"tr" | b"Row" | b"is") && !collected.ends_with('\n')
                    {
                        collected.push('\n');
                    }
                    inside = Inside::Nothing;
                    continue;
                }
                inside = opened(&tag, &mut code, &mut collected, signs, look);
            }
        }
    }
    words::code_of_field(&code, look);
    look.text(&collected);
}

#[derive(Clone, Copy)]
enum Inside {
    Nothing,
    Text,
    Code,
    Formula,
}

fn opened(tag: &Tag<'_>, code: &mut String, collected: &mut String, signs: &mut Signs, look: &mut Look<'_>) -> Inside {
    match tag.name {
        b"t" | b"Data" => return Inside::Text,
        b"instrText" | b"delInstrText" => return Inside::Code,
        b"f" | b"formula1" => return Inside::Formula,
        b"fldChar" => {
            // Where a field begins, where its code ends, where it ends: what was collected is a whole code.
            words::code_of_field(code, look);
            code.clear();
        }
        b"fldSimple" => words::code_of_field(&tag.attribute("instr").unwrap_or_default(), look),
        b"ddeLink" => {
            look.remark(Trait::Dde);
            let value = |name: &str| tag.attribute(name).unwrap_or_default();
            look.text(&format!("{} | {}", value("ddeService"), value("ddeTopic")));
        }
        b"Cell" => look.remark_if(text::is_exchange(&tag.attribute("Formula").unwrap_or_default()), Trait::Dde),
        b"Relationship" => relationship(tag, look),
        b"definedName" => signs.is_automatic |= is_automatic(&tag.attribute("name").unwrap_or_default()),
        b"NamedRange" => signs.is_automatic |= is_automatic(&tag.attribute("Name").unwrap_or_default()),
        b"customUI" => signs.calls_back |= tag.attribute("onLoad").is_some(),
        b"oleObj" | b"oleObject" | b"OLEObject" | b"altChunk" => look.remark(Trait::Object),
        b"hlinkClick" | b"hlinkHover" | b"hlinkMouseOver" => {
            let action = tag.attribute("action").unwrap_or_default();
            look.remark_if(
                action.starts_with("ppaction://program") || action.starts_with("ppaction://macro"),
                Trait::Launches,
            );
        }
        b"br" | b"tab" | b"cr" => collected.push(' '),
        _ => {}
    }
    Inside::Nothing
}

/// Where a part leads to. Links that wait for a click, and pictures of the web, load nothing; nor do the sources of a workbook's
/// cells until somebody says so.
fn relationship(tag: &Tag<'_>, look: &mut Look<'_>) {
    let is_external = tag.attribute("TargetMode").is_some_and(|mode| mode.eq_ignore_ascii_case("external"));
    if !is_external {
        return;
    }
    let target = tag.attribute("Target").unwrap_or_default();
    look.text(&target);
    let kind = tag.attribute("Type").unwrap_or_default();
    let kind = kind.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_web = target.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"));
    let waits = match kind.as_str() {
        "hyperlink" => true,
        "image" => is_web,
        _ => {
            kind.contains("externallink")
                || kind.contains("linkedmedia")
                || matches!(kind.as_str(), "video" | "audio" | "media")
        }
    };
    look.remark_if(!waits && is_elsewhere(&target), Trait::Remote);
}
