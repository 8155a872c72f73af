//! Files that virus scanners are shown by themselves: they know more viruses than wrappings, and what they don't open they call
//! clean.

use crate::codec::Codec;
use crate::contents::{Item, Wrapping};
use crate::kind::Kind;
use bytes::Bytes;
use mailward_core::limits::SCAN_SHOWN_FILES_MAX;
use std::collections::BTreeSet;

/// Files of a message that came out of what virus scanners seldom open, in order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Their bytes, at most `limits::SCAN_SHOWN_FILES_MAX` of them.
    pub files: Vec<Bytes>,
    /// There are more, or larger ones, than there was room for.
    pub cut: bool,
}

/// Chooses them.
pub(crate) struct Showing {
    shown: Shown,
    /// Bytes that may still be shown; none: nobody looks.
    room: Option<usize>,
    seen: BTreeSet<[u8; 32]>,
}

impl Showing {
    /// So many bytes at most; 0: none are wanted.
    pub(crate) fn new(room: usize) -> Self {
        Self { shown: Shown::default(), room: (room > 0).then_some(room), seen: BTreeSet::new() }
    }

    /// Takes a file that was found in another one, if scanners may not have found it there. `seldom`: for how it was packed.
    pub(crate) fn take(&mut self, item: &Item, within: Option<&Item>, seldom: bool, bytes: &Bytes) {
        let Some(room) = &mut self.room else { return };
        // Parts of the message itself, and its other readings, are brought by whoever asks.
        let Some(within) = within else { return };
        let is_hidden = seldom || matches!(item.wrapping, Wrapping::Reading(_)) || !opens(within.kind);
        if !is_hidden || bytes.is_empty() || (item.hash != [0; 32] && !self.seen.insert(item.hash)) {
            return;
        }
        match room.checked_sub(bytes.len()) {
            Some(left) if self.shown.files.len() < SCAN_SHOWN_FILES_MAX => {
                *room = left;
                self.shown.files.push(bytes.clone());
            }
            _ => self.shown.cut = true,
        }
    }

    pub(crate) fn end(self) -> Shown {
        self.shown
    }
}

/// Whether every virus scanner can be relied on to open this, by the methods that [`unpacks`] names.
fn opens(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Mail
            | Kind::Zip
            | Kind::Jar
            | Kind::Apk
            | Kind::Msix
            | Kind::Docx
            | Kind::Xlsx
            | Kind::Pptx
            | Kind::OpenDocument
            | Kind::Epub
            | Kind::Opc
            | Kind::Gzip
            | Kind::Bzip2
            | Kind::Xz
            | Kind::Tar
            | Kind::SevenZip
            | Kind::Cab
            | Kind::Iso
            | Kind::Tnef
    )
}

/// Whether every virus scanner can be relied on to unpack this, where it is usual.
pub(crate) const fn unpacks(codec: Codec) -> bool {
    matches!(codec, Codec::Copy | Codec::Deflate | Codec::Gzip | Codec::Bzip2 | Codec::Xz)
}
