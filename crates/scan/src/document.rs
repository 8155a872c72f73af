//! What documents hold: what they do when they are opened, the objects in them, their text.

mod card;
mod cells;
mod macros;
mod mail_item;
mod office_xml;
mod ole;
mod onenote;
mod open_document;
mod package;
mod page;
mod pdf;
mod rtf;
mod shortcut;
mod slides;
mod text;
mod web_archive;
mod words;
mod xml;

#[cfg(test)]
mod tests;

use crate::contents::{Trait, Wrapping};
use crate::kind::{Family, Kind};
use crate::zipped::Part;
use mailward_core::limits::{
    DOCUMENT_BYTES_MAX, DOCUMENT_INNER_MAX, DOCUMENT_STREAM_MAX, SCAN_NAME_MAX, SCAN_NAMES_MAX, SCAN_TEXT_MAX,
    SCAN_UNPACKED_MAX,
};
use std::borrow::Cow;
use std::ops::Range;

/// What was found in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// What is remarkable about it, each once.
    pub traits: Vec<Trait>,
    /// Text in it, for rules; whoever keeps it cuts it.
    pub text: String,
    /// Files in it, to be opened further.
    pub inner: Vec<Inner>,
}

/// A file in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inner {
    /// Every name it may go by.
    pub names: Vec<String>,
    /// Its bytes, unwrapped.
    pub bytes: Vec<u8>,
    /// How it stood in the document.
    pub wrapping: Wrapping,
}

/// What may still be unwrapped. A look takes from it whatever it unpacks, text and inner files alike, and stops at
/// nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub items: usize,
    /// Whether something was left out because there was no room for it: the look sets it, and says so.
    pub short: bool,
}

impl Room {
    /// Takes so many bytes; `false`, and [`Room::short`] set, if that is more than is left.
    pub fn take(&mut self, bytes: u64) -> bool {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                true
            }
            None => {
                self.short = true;
                false
            }
        }
    }
}

/// Looks into a document of this kind. Total: any bytes give an answer; work grows with their number and the room. Packages
/// (Office Open XML, OpenDocument) give no inner files: their entries are those of a ZIP, and found by opening it.
#[must_use]
pub fn look(kind: Kind, bytes: &[u8], room: &mut Room) -> Looked {
    look_and_keep(kind, bytes, room).0
}

/// [`look`], and the parts of a package that it unpacked to their ends, at most `limits::SCAN_UNPACKED_MAX` bytes of them: whoever
/// opens the package then needn't do that again.
pub(crate) fn look_and_keep(kind: Kind, bytes: &[u8], room: &mut Room) -> (Looked, Vec<Kept>) {
    let left = room.bytes.min(DOCUMENT_BYTES_MAX);
    let mut look = Look { looked: Looked::default(), room, left, kept: Vec::new(), may_keep: SCAN_UNPACKED_MAX };
    match kind {
        Kind::Word | Kind::Excel | Kind::PowerPoint | Kind::Ole | Kind::OfficeEncrypted | Kind::Msg | Kind::Msi => {
            ole::look(kind, bytes, &mut look);
        }
        Kind::ActiveMime => ole::active_mime(bytes, &mut look),
        Kind::Docx | Kind::Xlsx | Kind::Pptx | Kind::Opc => package::look(bytes, &mut look),
        Kind::OpenDocument | Kind::Epub => open_document::look(bytes, &mut look),
        Kind::OfficeXml => office_xml::look(bytes, &mut look),
        Kind::Rtf => rtf::look(bytes, &mut look),
        Kind::Pdf => pdf::look(bytes, &mut look),
        Kind::Html | Kind::Svg | Kind::ScriptPage => page::look(bytes, &mut look),
        Kind::Mhtml => web_archive::look(bytes, &mut look),
        Kind::OneNote => onenote::look(bytes, &mut look),
        Kind::Lnk => shortcut::lnk(bytes, &mut look),
        Kind::UrlFile => shortcut::url(bytes, &mut look),
        Kind::SheetLink => text::sheet_link(bytes, &mut look),
        Kind::Calendar | Kind::Contact => card::look(bytes, &mut look),
        _ if matches!(kind.family(), Family::Text | Family::Script) => text::look(bytes, &mut look),
        _ => {}
    }
    (look.looked, look.kept)
}

/// A part of a package: where it lies packed by DEFLATE, and its bytes.
pub(crate) type Kept = (Range<usize>, Vec<u8>);

/// A look that is under way: what was found, and what may still be.
struct Look<'r> {
    looked: Looked,
    room: &'r mut Room,
    /// Bytes that may still be unpacked of this document.
    left: u64,
    /// See [`look_and_keep`].
    kept: Vec<Kept>,
    /// Bytes that may still be kept.
    may_keep: usize,
}

impl Look<'_> {
    /// Notes a trait, once.
    fn remark(&mut self, found: Trait) {
        if !self.looked.traits.contains(&found) {
            self.looked.traits.push(found);
        }
    }

    /// Notes a trait if something holds.
    fn remark_if(&mut self, holds: bool, found: Trait) {
        if holds {
            self.remark(found);
        }
    }

    /// Keeps text on lines of its own, as long as there is room.
    fn text(&mut self, text: &str) {
        let text = text.trim();
        let room = SCAN_TEXT_MAX.saturating_sub(self.looked.text.len());
        if text.is_empty() || room == 0 {
            return;
        }
        if !self.looked.text.is_empty() {
            self.looked.text.push('\n');
        }
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        self.looked.text.push_str(text.get(..end).unwrap_or_default());
    }

    /// How many characters of text are still wanted.
    fn text_room(&self) -> usize {
        SCAN_TEXT_MAX.saturating_sub(self.looked.text.len())
    }

    /// How many bytes of one stream may be unpacked.
    fn max(&self) -> usize {
        crate::bytes::longer(self.room.bytes.min(self.left)).min(DOCUMENT_STREAM_MAX)
    }

    /// Counts bytes that were unpacked with [`Look::max`]; as many as that may have been more.
    fn count(&mut self, len: usize) {
        self.room.short |= len >= self.max();
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        self.left = self.left.saturating_sub(len);
        let _enough = self.room.take(len);
    }

    /// Keeps a part that was unpacked, if that is small.
    fn keep(&mut self, part: Part<'_>) {
        if let Part { bytes: Cow::Owned(bytes), whole: Some(range) } = part
            && let Some(left) = self.may_keep.checked_sub(bytes.len())
        {
            self.may_keep = left;
            self.kept.push((range, bytes));
        }
    }

    /// Unpacks DEFLATE.
    fn inflate(&mut self, packed: &[u8], zlib: bool) -> Vec<u8> {
        let out = crate::zipped::inflate(packed, zlib, self.max());
        self.count(out.len());
        out
    }

    /// Gives a file to be opened further; empty ones aren't, and none is beyond the room.
    fn inner(&mut self, names: Vec<String>, bytes: Vec<u8>, wrapping: Wrapping) {
        if bytes.is_empty() {
            return;
        }
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.looked.inner.len() >= DOCUMENT_INNER_MAX.min(self.room.items) || len > self.left {
            self.room.short = true;
            return;
        }
        if self.room.take(len) {
            self.left = self.left.saturating_sub(len);
            let mut kept: Vec<String> = Vec::new();
            for name in names {
                let name: String = name.chars().take(SCAN_NAME_MAX / 4).collect();
                if !name.is_empty() && !kept.contains(&name) && kept.len() < SCAN_NAMES_MAX {
                    kept.push(name);
                }
            }
            self.looked.inner.push(Inner { names: kept, bytes, wrapping });
        }
    }
}

/// The last part of a path of any system.
fn base_name(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
}

/// Whether opening this address asks another host: web, files of other hosts.
fn is_elsewhere(target: &str) -> bool {
    let target = target.trim().to_ascii_lowercase();
    let bare = target.strip_prefix("mhtml:").unwrap_or(&target);
    ["http:", "https:", "ftp:", "smb:", "webdav:", "\\\\", "//", "file://///", "file:////", "file:\\\\", "file:///\\\\"]
        .iter()
        .any(|start| bare.starts_with(start))
        || bare
            .strip_prefix("file://")
            .is_some_and(|host| host.starts_with(|c: char| c.is_ascii_alphanumeric()) && !host.starts_with("localhost"))
}
