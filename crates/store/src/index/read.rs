//! A message's searchable text, read from its pack.

use crate::api::StoreError;
use crate::pack::HEADER_LEN;
use crate::pack::files::PackFiles;
use crate::readers::Reader;
use crate::tx::{int, unsigned};
use mailward_message::Structure;
use mailward_message::decode::{searchable, text_ranges};
use rusqlite::{Row, params};
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that are read rather than stepped over.
const GAP: u64 = 32 * 1024;

/// A blob's row.
pub(super) struct BlobRow {
    pub(super) id: i64,
    pack: u32,
    place: u64,
    size: u64,
    structure: Vec<u8>,
}

/// Blobs of a range of ids, at most so many.
const BLOBS: &str =
    "SELECT id, pack, place, size, structure FROM blobs WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3";

pub(super) fn blobs(
    mail: &Reader,
    first: i64,
    last: i64,
    limit: usize,
) -> std::result::Result<Vec<BlobRow>, StoreError> {
    mail.rows(BLOBS, params![first, last, int(limit as u64)], |row: &Row<'_>| {
        Ok(BlobRow {
            id: row.get(0)?,
            pack: row.get(1)?,
            place: unsigned(row.get(2)?),
            size: unsigned(row.get(3)?),
            structure: row.get(4)?,
        })
    })
}

/// What became of a blob.
pub(super) enum Text {
    /// Its searchable text.
    Of(String),
    /// It has no text that an entry can be made of.
    TooMuch,
    /// It is gone.
    Gone,
}

/// Reads messages; holds the pack it read last. The store's own open files are not used: this thread may be kept from
/// running for long, and would keep others from them.
pub(super) struct Texts {
    files: Arc<PackFiles>,
    open: Option<(u32, File)>,
}

impl Texts {
    pub(super) fn new(files: Arc<PackFiles>) -> Self {
        Self { files, open: None }
    }

    /// Lets go of the pack: it may be removed.
    pub(super) fn let_go(&mut self) {
        self.open = None;
    }

    pub(super) fn of(&mut self, mail: &Reader, row: &BlobRow) -> Result<Text> {
        let read = match self.read(row) {
            // The pack may have been rewritten since the row was read: look where the message is now.
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let fresh = blobs(mail, row.id, row.id, 1).map_err(|e| Error::other(e.to_string()))?;
                match fresh.first() {
                    None => return Ok(Text::Gone),
                    Some(fresh) => self.read(fresh),
                }
            }
            read => read,
        };
        Ok(read?.map_or(Text::TooMuch, Text::Of))
    }

    /// Only what [`searchable`] looks at is read: nothing of an attachment.
    fn read(&mut self, row: &BlobRow) -> Result<Option<String>> {
        let mut message = vec![0u8; usize::try_from(row.size).map_err(Error::other)?];
        let file = self.file(row.pack)?;
        let mut fill = |start: u64, end: u64| {
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            let Some(part) = message.get_mut(at(start)..at(end)) else { return Ok(()) };
            file.read_exact_at(part, row.place.saturating_add(HEADER_LEN).saturating_add(start))
        };
        // As the scan of a search does it: anew, if it was made by another version.
        let Ok(structure) = Structure::from_bytes(&row.structure) else {
            fill(0, row.size)?;
            return Ok(searchable(&message, &Structure::parse(&message)));
        };
        let mut next = 0..0;
        for range in text_ranges(&structure) {
            if range.start >= next.start && range.start <= next.end.saturating_add(GAP) {
                next.end = next.end.max(range.end);
            } else {
                fill(next.start, next.end)?;
                next = range;
            }
        }
        fill(next.start, next.end)?;
        Ok(searchable(&message, &structure))
    }

    fn file(&mut self, pack: u32) -> Result<&File> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != pack) {
            self.open = Some((pack, File::open(self.files.path(pack))?));
        }
        self.open.as_ref().map(|(_, file)| file).ok_or_else(|| Error::from(ErrorKind::NotFound))
    }
}
