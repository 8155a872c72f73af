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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::{base64, gif, zip};
    use crate::{Budget, open_and_show};
    use std::time::Duration;

    const NOTES: &[u8] = b"notes of the day, line after line\n";

    /// What is shown of a file that is attached.
    fn shown(file: &[u8], room: usize) -> Shown {
        let head = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n";
        let message = format!("{head}{}\r\n", base64(file));
        let elapsed = || Duration::ZERO;
        open_and_show(message.as_bytes(), Vec::new(), Budget::within_limits(&elapsed), room).1
    }

    fn zstandard(bytes: &[u8]) -> Vec<u8> {
        // One frame with a single raw block, of at most 255 bytes (RFC 8878 §3.1.1).
        let size = u8::try_from(bytes.len()).unwrap();
        let block = (u32::from(size) << 3 | 1).to_le_bytes();
        [b"\x28\xb5\x2f\xfd\x20", &[size][..], &block[..3], bytes].concat()
    }

    fn encoded(bytes: &[u8], name: &str) -> String {
        format!("begin-base64 644 {name}\n{}\n====\n", base64(bytes))
    }

    fn whole(files: &[&[u8]]) -> Shown {
        Shown { files: files.iter().map(|file| Bytes::copy_from_slice(file)).collect(), cut: false }
    }

    /// Attacks E3: a wrapping that virus scanners don't know hides nothing from them.
    #[test]
    fn what_scanners_of_viruses_do_not_open_they_are_shown_unwrapped() {
        assert_eq!(shown(&zstandard(NOTES), 1_000), whole(&[NOTES]));
        assert_eq!(shown(encoded(NOTES, "a").as_bytes(), 1_000), whole(&[NOTES]));
        assert_eq!(shown(&[gif(), zip(&[("a", NOTES)], true)].concat(), 1_000), whole(&[NOTES]));
        let inner = zip(&[("a", NOTES)], true);
        assert_eq!(shown(encoded(&inner, "a").as_bytes(), 1_000), whole(&[&inner]), "they open this one themselves");
        let inner = zstandard(NOTES);
        assert_eq!(shown(&zip(&[("a", &inner)], true), 1_000), whole(&[NOTES]));
    }

    #[test]
    fn what_they_open_themselves_or_nobody_asked_for_is_not_shown() {
        for file in [NOTES.to_vec(), zip(&[("a", NOTES)], true), zip(&[("a", NOTES)], false)] {
            assert_eq!(shown(&file, 1_000), Shown::default());
        }
        assert_eq!(shown(&zstandard(NOTES), 0), Shown::default());
    }

    #[test]
    fn no_more_is_shown_than_there_is_room_for_and_that_is_told() {
        let twice = encoded(NOTES, "a").repeat(2) + &encoded(b"other", "b");
        assert_eq!(shown(twice.as_bytes(), NOTES.len() + 5), whole(&[NOTES, b"other"]));
        assert_eq!(shown(twice.as_bytes(), NOTES.len()), Shown { cut: true, ..whole(&[NOTES]) });
        // A small one after one that is too large is shown all the same.
        assert_eq!(shown(twice.as_bytes(), 5), Shown { cut: true, ..whole(&[b"other"]) });
        let entries: Vec<Vec<u8>> =
            (0..=SCAN_SHOWN_FILES_MAX).map(|number| zstandard(format!("number {number}").as_bytes())).collect();
        let entries: Vec<(&str, &[u8])> = entries.iter().map(|entry| ("a.zst", entry.as_slice())).collect();
        let many = shown(&zip(&entries, false), 1_000_000);
        assert_eq!((many.files.len(), many.cut), (SCAN_SHOWN_FILES_MAX, true));
    }
}
