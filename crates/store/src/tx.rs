//! One transaction of the committer: placing message bytes, changing rows, undoing one job alone.

use crate::api::StoreError;
use crate::committer::Placing;
use crate::departed::Gone;
use crate::news::Touched;
use crate::pack::writer::{PackWriter, Place};
use crate::pack::{HEADER_LEN, Header};
use crate::records::{Content, Shelf};
use bytes::Bytes;
use mailward_core::{AccountId, BlobId, MailboxId, ModSeq, Timestamp};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params};
use std::collections::HashMap;

/// Message bytes that are in a pack, with or without a row yet.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) hash: [u8; 32],
    pub(crate) size: u64,
    pub(crate) structure: Bytes,
    pub(crate) place: Place,
    /// The row found before the batch; it may be gone by the time this job is applied.
    known: Option<BlobId>,
    /// Whether another content of the batch is the same.
    repeated: bool,
}

/// Gives blobs their ids: each once, whatever becomes of the blob or of the batch. SQLite would give that of the highest
/// row again after it was deleted, and the search index would take the new content for the old one. (`AUTOINCREMENT`
/// would write a page more with each delivery.)
#[derive(Debug)]
pub(crate) struct BlobIds(i64);

impl BlobIds {
    /// Goes on after the highest id there is, the highest that is gone, and the highest that somebody else knows of.
    pub(crate) fn after(connection: &Connection, known: BlobId) -> Result<Self, StoreError> {
        let highest: i64 = connection.query_row(
            "SELECT max(coalesce((SELECT max(id) FROM blobs), 0), coalesce((SELECT value FROM meta WHERE key = 'blob_id'), 0))",
            [],
            |row| row.get(0),
        )?;
        Ok(Self(highest.max(known.0)))
    }
    /// The last one given.
    pub(crate) const fn last(&self) -> BlobId {
        BlobId(self.0)
    }
    fn give(&mut self) -> BlobId {
        self.0 = self.0.saturating_add(1);
        self.last()
    }
}

/// A transaction under way.
pub(crate) struct Tx<'c> {
    connection: &'c Connection,
    ids: &'c mut BlobIds,
    pub(crate) now: Timestamp,
    /// Places of this batch by hash.
    batch: HashMap<[u8; 32], Place>,
    touched: Touched,
    /// Live bytes gained and lost, by pack.
    live: HashMap<u32, i64>,
    /// What the job under way changed in the three above, to be undone with it.
    job_touched: Touched,
    job_live: HashMap<u32, i64>,
    /// The highest id of a blob that went, the highest of those that a job undone took out included.
    highest_gone: BlobId,
    /// Whether the batch wrote to a pack.
    wrote: bool,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(connection: &'c Connection, ids: &'c mut BlobIds, now: Timestamp) -> Self {
        Self {
            connection,
            ids,
            now,
            batch: HashMap::new(),
            touched: Touched::default(),
            live: HashMap::new(),
            job_touched: Touched::default(),
            job_live: HashMap::new(),
            highest_gone: BlobId(0),
            wrote: false,
        }
    }

    // ---- statements ----

    fn statement(&self, sql: &'static str) -> Result<CachedStatement<'_>, StoreError> {
        Ok(self.connection.prepare_cached(sql)?)
    }
    pub(crate) fn execute(&self, sql: &'static str, params: impl Params) -> Result<usize, StoreError> {
        Ok(self.statement(sql)?.execute(params)?)
    }
    pub(crate) fn row<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.statement(sql)?.query_row(params, read).optional()?)
    }
    pub(crate) fn rows<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.statement(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
    pub(crate) fn last_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    // ---- placing bytes ----

    /// Puts contents into the pack.
    pub(crate) fn place(
        &mut self,
        pack: &mut PackWriter,
        contents: &[Content],
        placing: Placing,
    ) -> Result<Vec<Placed>, StoreError> {
        if placing == Placing::NewPack {
            pack.rotate()?;
            self.wrote = true;
        }
        let again = placing == Placing::Again;
        let mut placed = Vec::with_capacity(contents.len());
        for content in contents {
            let size = content.bytes.len() as u64;
            let mut entry = Placed {
                hash: content.hash,
                size,
                structure: content.structure.clone(),
                place: Place { pack: 0, offset: 0 },
                known: None,
                repeated: false,
            };
            let known = if again { None } else { self.find(&content.hash, size)? };
            if let Some((id, place)) = known {
                entry.known = Some(id);
                entry.place = place;
            } else if let Some(place) = self.batch.get(&content.hash).filter(|_| !again) {
                entry.repeated = true;
                entry.place = *place;
            } else {
                self.wrote = true;
                let header = Header { length: size, written: self.now.0, hash: content.hash };
                entry.place = pack.append(&header, &content.bytes)?;
                self.batch.insert(content.hash, entry.place);
            }
            placed.push(entry);
        }
        Ok(placed)
    }

    fn find(&self, hash: &[u8; 32], size: u64) -> Result<Option<(BlobId, Place)>, StoreError> {
        self.row(
            "SELECT b.id, b.pack, b.place FROM blob_hashes h JOIN blobs b ON b.id = h.blob
             WHERE h.head = ?1 AND b.hash = ?2 AND b.size = ?3",
            params![head(hash), hash.as_slice(), int(size)],
            |row| Ok((BlobId(row.get(0)?), Place { pack: row.get(1)?, offset: unsigned(row.get(2)?) })),
        )
    }

    /// The row of placed bytes, with `refs` more references; makes it if it isn't there (any more).
    pub(crate) fn refer(&mut self, placed: &Placed, refs: usize) -> Result<BlobId, StoreError> {
        let refs = i64::try_from(refs).unwrap_or(i64::MAX);
        let known =
            if placed.repeated { self.find(&placed.hash, placed.size)?.map(|(id, _)| id) } else { placed.known };
        if let Some(id) = known
            && self.execute("UPDATE blobs SET refs = refs + ?2 WHERE id = ?1", params![id.0, refs])? == 1
        {
            return Ok(id);
        }
        // A row that was there when the bytes were looked for may be gone by now, and its pack with it.
        if known.is_some()
            && self.row("SELECT 1 FROM packs WHERE id = ?1", params![placed.place.pack], |_| Ok(()))?.is_none()
        {
            return Err(StoreError::Refused("the pack was being rewritten: try again"));
        }
        let id = self.ids.give();
        self.execute(
            "INSERT INTO blobs (id, hash, pack, place, size, refs, structure) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                id.0,
                placed.hash.as_slice(),
                placed.place.pack,
                int(placed.place.offset),
                int(placed.size),
                refs,
                placed.structure.as_ref()
            ],
        )?;
        self.execute("INSERT INTO blob_hashes (head, blob) VALUES (?1, ?2)", params![head(&placed.hash), id.0])?;
        self.count_live(placed.place.pack, placed.size, 1);
        Ok(id)
    }

    /// One more reference to a blob that some row shows.
    /// The same for the queue alone: a content that is new has nobody who could search it.
    pub(crate) fn refer_owed(&mut self, placed: &Placed, refs: usize) -> Result<BlobId, StoreError> {
        let before = self.ids.last();
        let blob = self.refer(placed, refs)?;
        if blob > before {
            self.job_touched.contents.owed.push(blob);
        }
        Ok(blob)
    }

    pub(crate) fn refer_again(&self, blob: BlobId) -> Result<(), StoreError> {
        self.execute("UPDATE blobs SET refs = refs + 1 WHERE id = ?1", params![blob.0])?;
        Ok(())
    }

    /// One reference less; the last takes the row with it, and its bytes are dead.
    pub(crate) fn release(&mut self, blob: BlobId) -> Result<(), StoreError> {
        let gone = self.row(
            "UPDATE blobs SET refs = refs - 1 WHERE id = ?1 RETURNING refs, pack, place, size, hash",
            params![blob.0],
            |row| {
                let place = Place { pack: row.get(1)?, offset: unsigned(row.get(2)?) };
                let gone = Gone { blob, place, size: unsigned(row.get(3)?) };
                Ok((row.get::<_, i64>(0)?, gone, row.get::<_, [u8; 32]>(4)?))
            },
        )?;
        if let Some((refs, gone, hash)) = gone
            && refs <= 0
        {
            self.execute("DELETE FROM blobs WHERE id = ?1", params![blob.0])?;
            self.execute("DELETE FROM blob_hashes WHERE head = ?1 AND blob = ?2", params![head(&hash), blob.0])?;
            self.count_live(gone.place.pack, gone.size, -1);
            self.job_touched.contents.gone.push(gone);
            self.highest_gone = self.highest_gone.max(blob);
        }
        Ok(())
    }

    /// Moves a blob's row to the place its bytes were written to again, unless it is gone or moved already.
    pub(crate) fn relocate(&mut self, blob: BlobId, from: Place, to: &Placed) -> Result<(), StoreError> {
        let moved = self.execute(
            "UPDATE blobs SET pack = ?2, place = ?3 WHERE id = ?1 AND pack = ?4 AND place = ?5",
            params![blob.0, to.place.pack, int(to.place.offset), from.pack, int(from.offset)],
        )?;
        if moved == 1 {
            self.count_live(from.pack, to.size, -1);
            self.count_live(to.place.pack, to.size, 1);
        }
        Ok(())
    }

    fn count_live(&mut self, pack: u32, size: u64, sign: i64) {
        let bytes = int(size.saturating_add(HEADER_LEN)).saturating_mul(sign);
        let live = self.job_live.entry(pack).or_default();
        *live = live.saturating_add(bytes);
    }

    // ---- news ----

    /// A mailbox changed; whoever watches it is told after the commit.
    pub(crate) fn touch(&mut self, mailbox: MailboxId, owner: AccountId, mod_seq: ModSeq) {
        self.job_touched.mailboxes.insert(mailbox, mod_seq);
        self.touch_account(owner);
    }
    /// Something of an account's mailboxes changed: a name, a subscription, who may use them, what is in them.
    pub(crate) fn touch_account(&mut self, account: AccountId) {
        self.job_touched.accounts.insert(account);
    }
    /// Domains, accounts or aliases changed.
    pub(crate) const fn touch_directory(&mut self) {
        self.job_touched.directory = true;
    }

    /// A record of this shelf changed.
    pub(crate) fn touch_shelf(&mut self, shelf: Shelf) {
        self.job_touched.shelves.insert(shelf);
    }

    /// Something was queued, or became due by hand.
    pub(crate) const fn touch_quarantine(&mut self) {
        self.job_touched.quarantine = true;
    }

    pub(crate) const fn touch_queue(&mut self) {
        self.job_touched.queue = true;
    }

    // ---- jobs and the end ----

    /// Runs one job; what it changed stands only if it says so.
    pub(crate) fn savepoint<T>(&mut self, job: impl FnOnce(&mut Self) -> (bool, T)) -> Result<T, StoreError> {
        self.execute("SAVEPOINT job", [])?;
        let (keep, value) = job(self);
        if !keep {
            self.execute("ROLLBACK TO job", [])?;
            self.job_touched = Touched::default();
            self.job_live.clear();
        }
        self.execute("RELEASE job", [])?;
        for (pack, bytes) in self.job_live.drain() {
            let live = self.live.entry(pack).or_default();
            *live = live.saturating_add(bytes);
        }
        self.touched.directory |= std::mem::take(&mut self.job_touched.directory);
        self.touched.queue |= std::mem::take(&mut self.job_touched.queue);
        self.touched.quarantine |= std::mem::take(&mut self.job_touched.quarantine);
        self.touched.contents.owed.append(&mut self.job_touched.contents.owed);
        self.touched.contents.gone.append(&mut self.job_touched.contents.gone);
        for (mailbox, mod_seq) in self.job_touched.mailboxes.drain() {
            self.touched.mailboxes.insert(mailbox, mod_seq);
        }
        self.touched.accounts.extend(self.job_touched.accounts.drain());
        self.touched.shelves.extend(self.job_touched.shelves.drain());
        Ok(value)
    }

    /// Writes what the database must know of the packs; the commit comes next. Everything before `proven` is known to
    /// be on stable storage, whatever becomes of this batch.
    pub(crate) fn finish(self, pack: &mut PackWriter, proven: (u32, u64)) -> Result<Touched, StoreError> {
        if self.wrote {
            for end in pack.take_closed().into_iter().chain([pack.end_of_pack()]) {
                self.execute(
                    "INSERT INTO packs (id, ends, key, proven_pack, proven_end) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (id) DO UPDATE SET ends = ?2, proven_pack = ?4, proven_end = ?5",
                    params![end.pack, int(end.end), end.key.0.as_slice(), proven.0, int(proven.1)],
                )?;
            }
        }
        self.write_live()
    }

    /// The same for a transaction that wrote to no pack.
    pub(crate) fn write_live(mut self) -> Result<Touched, StoreError> {
        for (pack, bytes) in std::mem::take(&mut self.live) {
            self.execute("UPDATE packs SET live = live + ?2 WHERE id = ?1", params![pack, bytes])?;
        }
        self.write_highest_gone()?;
        Ok(self.touched)
    }
}

impl Tx<'_> {
    /// Keeps the id of the last content if it went: no row tells any more that it was given.
    fn write_highest_gone(&self) -> Result<(), StoreError> {
        if self.highest_gone > BlobId(0) {
            self.execute(
                "INSERT INTO meta (key, value) SELECT 'blob_id', ?1 WHERE ?1 > coalesce((SELECT max(id) FROM blobs), 0)
                 ON CONFLICT (key) DO UPDATE SET value = max(value, ?1)",
                params![self.highest_gone.0],
            )?;
        }
        Ok(())
    }
}

/// Notes that the packs are on stable storage up to the end of the last.
pub(crate) fn prove(connection: &Connection, pack: &PackWriter) -> Result<(), StoreError> {
    let sql = "UPDATE packs SET proven_pack = ?1, proven_end = ?2 WHERE id = (SELECT max(id) FROM packs)";
    connection.prepare_cached(sql)?.execute(params![pack.pack(), int(pack.end())])?;
    Ok(())
}

/// Pack and place from which on bytes may not be on stable storage: `(proven_pack, proven_end)`.
pub(crate) const PROVEN: &str = "SELECT proven_pack, proven_end FROM packs ORDER BY id DESC LIMIT 1";

/// The first eight bytes of a hash, as an integer key.
pub(crate) fn head(hash: &[u8; 32]) -> i64 {
    hash.first_chunk::<8>().map_or(0, |head| i64::from_le_bytes(*head))
}

/// Sizes and places as the database keeps them.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// And back.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
