//! A stored message as the database knows it, and whether the pack agrees.

use super::files::PackFiles;
use super::{HEADER_LEN, Header, PackKey};
use crate::tx::unsigned;
use rusqlite::Row;
use std::os::unix::fs::FileExt;

/// A blob's row with its pack's key.
pub(crate) struct ContentRow {
    pub(crate) id: i64,
    pub(crate) pack: u32,
    pub(crate) place: u64,
    pub(crate) size: u64,
    pub(crate) hash: [u8; 32],
    pub(crate) key: PackKey,
}

/// Contents after an id, with their packs' keys.
pub(crate) const CONTENTS: &str =
    "SELECT b.id, b.pack, b.place, b.size, b.hash, p.key FROM blobs b JOIN packs p ON p.id = b.pack
     WHERE b.id > ?1 ORDER BY b.id LIMIT ?2";

impl ContentRow {
    /// From the columns id, pack, place, size, hash, key.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::with_key(row, PackKey(row.get(5)?))
    }

    /// From the columns id, pack, place, size, hash.
    pub(crate) fn with_key(row: &Row<'_>, key: PackKey) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            pack: row.get(1)?,
            place: unsigned(row.get(2)?),
            size: unsigned(row.get(3)?),
            hash: row.get(4)?,
            key,
        })
    }

    /// Reads the record and compares it with the row; says what is wrong, for people.
    pub(crate) fn check(&self, files: &PackFiles) -> Result<(), String> {
        let file = files.get(self.pack).map_err(|e| e.to_string())?;
        let mut head = [0u8; 64];
        file.read_exact_at(&mut head, self.place).map_err(|e| format!("the record can't be read: {e}"))?;
        let header = Header::decode(&head, &self.key).ok_or("there is no record's head")?;
        if header.length != self.size || header.hash != self.hash {
            return Err("the record is another message's".to_owned());
        }
        let size = usize::try_from(self.size).map_err(|_| "the record's size is impossible")?;
        let mut content = vec![0u8; size];
        file.read_exact_at(&mut content, self.place.saturating_add(HEADER_LEN))
            .map_err(|e| format!("the message can't be read: {e}"))?;
        if *blake3::hash(&content).as_bytes() != self.hash {
            return Err("the message's bytes are not those that were written".to_owned());
        }
        Ok(())
    }
}
