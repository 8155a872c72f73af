//! Compound files: documents of the old Office, objects in documents, what Outlook saves.

use super::{Look, base_name, cells, is_elsewhere, macros, mail_item, slides, words};
use crate::bytes::{find, from, le32, long, part, until_nul, utf16, windows};
use crate::compound::{Compound, Entry};
use crate::contents::{Trait, Wrapping};
use crate::kind::Kind;

/// Class of the equation editor's objects, `{0002CE02-0000-0000-C000-000000000046}`: its program is gone for good reason.
const EQUATION: [u8; 16] = [0x02, 0xce, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

pub(super) fn look(kind: Kind, bytes: &[u8], look: &mut Look<'_>) {
    let Some(file) = Compound::open(bytes) else {
        if kind == Kind::Excel {
            // A workbook from before compound files.
            cells::look(bytes, look);
        } else {
            look.remark(Trait::Damaged("its directory".to_owned()));
        }
        return;
    };
    look.room.short |= file.is_cut;
    macros::look(&file, look);
    let is_pooled = file.entries.iter().any(|e| e.is_storage && file.parent_name(e) == "ObjectPool");
    look.remark_if(is_pooled, Trait::Object);
    for entry in &file.entries {
        stream(kind, &file, entry, look);
    }
    if file.entries.iter().any(|e| e.class == EQUATION) {
        look.remark(Trait::Object);
        look.text("Equation.3");
    }
    match kind {
        Kind::Word => words::look(&file, look),
        Kind::Excel => {
            for name in ["Workbook", "Book"] {
                for entry in file.named(name) {
                    let stream = read(&file, entry, look);
                    cells::look(&stream, look);
                }
            }
        }
        Kind::PowerPoint => {
            for entry in file.named("PowerPoint Document") {
                let stream = read(&file, entry, look);
                slides::look(&stream, look);
            }
        }
        Kind::Msg => mail_item::look(&file, look),
        _ => {}
    }
}

/// A stream's bytes, counted.
pub(super) fn read(file: &Compound<'_>, entry: &Entry, look: &mut Look<'_>) -> Vec<u8> {
    let bytes = file.read(entry, look.max());
    look.count(bytes.len());
    bytes
}

/// What is the same in all of them: objects, links, encryption.
fn stream(kind: Kind, file: &Compound<'_>, entry: &Entry, look: &mut Look<'_>) {
    if entry.is_storage {
        look.remark_if(entry.name.starts_with("MBD0"), Trait::Object);
        return;
    }
    match entry.name.as_str() {
        "EncryptedPackage" | "EncryptionInfo" => look.remark(Trait::Encrypted),
        name if name.eq_ignore_ascii_case("\u{1}Ole10Native") => {
            look.remark(Trait::Object);
            let bytes = read(file, entry, look);
            native(from(&bytes, 4), look);
        }
        "\u{1}Ole" => {
            let bytes = read(file, entry, look);
            // Linked, not embedded: the moniker says to what.
            let is_link = le32(&bytes, 4).is_some_and(|flags| flags & 1 != 0);
            if is_link && let Some(target) = address(&bytes) {
                look.remark(Trait::Remote);
                look.text(&target);
            }
        }
        "Package" | "CONTENTS" | "EmbeddedOdf" => {
            look.remark(Trait::Object);
            let bytes = read(file, entry, look);
            look.inner(Vec::new(), bytes, Wrapping::Entry);
        }
        "Equation Native" => {
            look.remark(Trait::Object);
            look.text("Equation.3");
        }
        "\u{6}DataSpaces" => look.remark(Trait::Encrypted),
        _ if kind == Kind::Ole && file.parent_name(entry).is_empty() && entry.name == "Contents" => {
            let bytes = read(file, entry, look);
            look.inner(Vec::new(), bytes, Wrapping::Entry);
        }
        _ => {}
    }
}

/// An address in bytes, in one byte a character or two.
fn address(bytes: &[u8]) -> Option<String> {
    for start in ["http", "\\\\", "file:", "ftp:", "mhtml:", "script:"] {
        let wide: Vec<u8> = start.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let found = match (find(bytes, &wide), find(bytes, start.as_bytes())) {
            (Some(at), _) => utf16(from(bytes, at)),
            (None, Some(at)) => windows(until_nul(from(bytes, at))),
            (None, None) => continue,
        };
        let target = found.split('\0').next().unwrap_or_default().to_owned();
        if is_elsewhere(&target) || start == "script:" {
            return Some(target);
        }
    }
    None
}

/// A file that was dragged into a document (Packager): flags, label, path, its own path, its bytes. Begins behind the size.
pub(super) fn native(bytes: &[u8], look: &mut Look<'_>) {
    let Some((names, data)) = packaged(bytes) else {
        // Other programs' objects are only their bytes.
        look.inner(Vec::new(), bytes.to_vec(), Wrapping::Entry);
        return;
    };
    look.inner(names, data.to_vec(), Wrapping::Entry);
}

fn packaged(bytes: &[u8]) -> Option<(Vec<String>, &[u8])> {
    if !bytes.starts_with(b"\x02\0") {
        return None;
    }
    let label = until_nul(from(bytes, 2));
    let mut at = label.len().checked_add(3)?;
    let path = until_nul(from(bytes, at));
    at = at.checked_add(path.len())?.checked_add(1)?;
    // Two words nobody uses, then the path it was taken from, with its length.
    let own_len = long(le32(bytes, at.checked_add(4)?)?);
    at = at.checked_add(8)?;
    let own = until_nul(part(bytes, at, own_len)?);
    at = at.checked_add(own_len)?;
    let len = long(le32(bytes, at)?);
    let data = crate::bytes::upto(bytes, at.checked_add(4)?, len);
    let names = [label, path, own].iter().map(|n| base_name(&windows(n))).collect();
    Some((names, data))
}

/// Macros that Office puts beside a page, packed: `ActiveMime`, a head of varying length, zlib.
pub(super) fn active_mime(bytes: &[u8], look: &mut Look<'_>) {
    look.remark(Trait::Macro);
    let head = crate::bytes::head(bytes, 256);
    // The head's length is written in it, and often lies: what unpacks is right.
    for at in memchr::memchr_iter(b'\x78', head) {
        let out = look.inflate(from(bytes, at), true);
        if out.len() >= 64 {
            look.inner(Vec::new(), out, Wrapping::Entry);
            return;
        }
    }
}
