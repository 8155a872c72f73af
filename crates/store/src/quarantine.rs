//! The quarantine: messages that were accepted and that nobody sees.
//!
//! A message has a row with where it would have gone, and a row for each account it is kept for, so that an account's are
//! found by an index. Its bytes are in the packs like any other's. It counts against nobody's quota until it is released.

use crate::api::{Pending, QuarantineStore, StoreError};
use crate::apply::{messages, shelf};
use crate::local::LocalStore;
use crate::readers::Reader;
use crate::records::{Accepted, Kept, KeptFor, Quarantined, ShelfChange, Target, Ways};
use crate::tx::{Tx, int, unsigned};
use bytes::Bytes;
use mailward_core::limits::{
    QUARANTINE_BYTES_MAX, QUARANTINE_MESSAGES_MAX, QUARANTINE_NOTE_MAX, QUARANTINE_PAGE, QUARANTINE_SOURCE_BYTES_MAX,
    QUARANTINE_SOURCE_MESSAGES_MAX, QUARANTINE_SWEEP, QUARANTINE_WAYS_MAX,
};
use mailward_core::{AccountId, BlobId, MailboxId, QuarantineId, Timestamp, Uid};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use std::collections::BTreeSet;
use tokio::sync::watch;

/// What version 6 of the database adds for it.
pub(crate) const TABLES: &str = "
-- Ids are never given again.
CREATE TABLE quarantine (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    blob    INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    came    INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ways    BLOB    NOT NULL,            -- where it goes if it is released, JSON
    note    BLOB    NOT NULL
);
CREATE INDEX quarantine_expires ON quarantine (expires);
-- What it holds is summed up whenever something comes there.
CREATE INDEX quarantine_sizes ON quarantine (size);
CREATE TABLE quarantine_accounts (
    account INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (account, message)
) WITHOUT ROWID;
CREATE INDEX quarantine_message ON quarantine_accounts (message);
";

/// What version 7 adds.
pub(crate) const TABLES_7: &str = "
-- The network that brought it, where that has a share of its own; what it holds is summed up whenever more of it comes.
ALTER TABLE quarantine ADD COLUMN source TEXT;
CREATE INDEX quarantine_sources ON quarantine (source, size) WHERE source IS NOT NULL;
";

const ONE: &str = "SELECT id, blob, size, came, expires, ways, note FROM quarantine WHERE id = ?1";
const ALL: &str =
    "SELECT id, blob, size, came, expires, ways, note FROM quarantine WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
const OF_ACCOUNT: &str = "SELECT q.id, q.blob, q.size, q.came, q.expires, q.ways, q.note FROM quarantine_accounts a
     JOIN quarantine q ON q.id = a.message WHERE a.account = ?3 AND a.message < ?1 ORDER BY a.message DESC LIMIT ?2";

const ACCOUNTS: &str = "SELECT account, max(message) FROM quarantine_accounts WHERE account > ?1
     GROUP BY account ORDER BY account LIMIT ?2";

impl QuarantineStore for LocalStore {
    fn quarantine(
        &self,
        account: Option<AccountId>,
        before: Option<QuarantineId>,
        limit: usize,
    ) -> Pending<'_, Vec<Quarantined>> {
        let before = before.map_or(i64::MAX, |id| id.0);
        let limit = int(limit.min(QUARANTINE_PAGE) as u64);
        self.ask(move |reader| page(reader, account, before, limit))
    }

    fn quarantine_accounts(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Pending<'_, Vec<(AccountId, QuarantineId)>> {
        let after = after.map_or(i64::MIN, |account| account.0);
        let limit = int(limit.min(QUARANTINE_PAGE) as u64);
        self.ask(move |reader| {
            reader.rows(ACCOUNTS, params![after, limit], |row| Ok((AccountId(row.get(0)?), QuarantineId(row.get(1)?))))
        })
    }

    fn quarantined(&self, id: QuarantineId) -> Pending<'_, Option<Quarantined>> {
        self.ask(move |reader| reader.row(ONE, params![id.0], quarantined))
    }

    fn release(&self, id: QuarantineId, whom: KeptFor, notes: Vec<ShelfChange>) -> Pending<'_, Accepted> {
        self.change(move |tx| {
            // First: whoever comes second with a word that is spent learns just that.
            shelf::change(tx, &notes)?;
            release(tx, id, whom)
        })
    }

    fn discard(&self, id: QuarantineId, whom: KeptFor, notes: Vec<ShelfChange>) -> Pending<'_, ()> {
        self.change(move |tx| {
            shelf::change(tx, &notes)?;
            let (found, _, rest) = part(tx, id, whom)?;
            leave(tx, &found, &rest)
        })
    }

    fn sweep_quarantine(&self) -> Pending<'_, usize> {
        self.change(|tx| {
            let over = tx.rows(
                "SELECT id, blob FROM quarantine WHERE expires <= ?1 ORDER BY expires LIMIT ?2",
                params![tx.now.0, int(QUARANTINE_SWEEP as u64)],
                |row| Ok((QuarantineId(row.get(0)?), BlobId(row.get(1)?))),
            )?;
            for (id, blob) in &over {
                take_out(tx, *id, *blob)?;
            }
            Ok(over.len())
        })
    }

    fn withdraw(
        &self,
        from: MailboxId,
        uid: Uid,
        note: Bytes,
        expires: Timestamp,
        notes: Vec<ShelfChange>,
    ) -> Pending<'_, QuarantineId> {
        self.change(move |tx| {
            shelf::change(tx, &notes)?;
            let (blob, size, target) = messages::withdrawn(tx, from, uid)?;
            let ways = Ways { targets: vec![target], queued: Vec::new() };
            tx.refer_again(blob)?;
            let id = keep(tx, blob, size, &Kept { ways, note, expires, source: None })?;
            messages::expunge(tx, from, &[crate::records::UidRange::one(uid)], true)?;
            Ok(id)
        })
    }

    fn quarantine_size(&self) -> Pending<'_, u64> {
        self.ask(|reader| {
            let count = reader.row("SELECT count(*) FROM quarantine", params![], |row| row.get::<_, i64>(0))?;
            Ok(unsigned(count.unwrap_or_default()))
        })
    }

    fn watch_quarantine(&self) -> watch::Receiver<u64> {
        self.news().watch_quarantine()
    }
}

fn page(reader: &Reader, account: Option<AccountId>, before: i64, limit: i64) -> Result<Vec<Quarantined>, StoreError> {
    let Some(account) = account else { return reader.rows(ALL, params![before, limit], quarantined) };
    let mut found = reader.rows(OF_ACCOUNT, params![before, limit, account.0], quarantined)?;
    for one in &mut found {
        one.ways.queued.clear();
        one.ways.targets.retain(|target| target.account == account);
    }
    Ok(found)
}

fn quarantined(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    let ways = serde_json::from_slice(row.get_ref(5)?.as_blob()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(5, Type::Blob, Box::new(error)))?;
    Ok(Quarantined {
        id: QuarantineId(row.get(0)?),
        blob: BlobId(row.get(1)?),
        size: unsigned(row.get(2)?),
        came: Timestamp(row.get(3)?),
        expires: Timestamp(row.get(4)?),
        ways,
        note: Bytes::from(row.get::<_, Vec<u8>>(6)?),
    })
}

/// Where a message would go, as bytes.
fn packed(ways: &Ways) -> Result<Vec<u8>, StoreError> {
    let bytes = serde_json::to_vec(ways).map_err(|error| StoreError::Database(error.to_string()))?;
    if bytes.len() > QUARANTINE_WAYS_MAX {
        return Err(StoreError::Limit("recipients of a message in the quarantine"));
    }
    Ok(bytes)
}

/// Keeps a message; its content counts the reference already.
pub(crate) fn keep(tx: &mut Tx<'_>, blob: BlobId, size: u64, kept: &Kept) -> Result<QuarantineId, StoreError> {
    if kept.note.len() > QUARANTINE_NOTE_MAX {
        return Err(StoreError::Limit("bytes of a note in the quarantine"));
    }
    if kept.ways.is_empty() {
        return Err(StoreError::Refused("a message that would go nowhere can't be kept"));
    }
    let held = tx.row("SELECT count(*), coalesce(sum(size), 0) FROM quarantine", params![], |row| {
        Ok((unsigned(row.get(0)?), unsigned(row.get(1)?)))
    })?;
    let (messages, bytes) = held.unwrap_or_default();
    if messages >= QUARANTINE_MESSAGES_MAX || bytes.saturating_add(size) > QUARANTINE_BYTES_MAX {
        return Err(StoreError::QuarantineFull);
    }
    let now = tx.now;
    let source = kept.source.map(|network| network.to_string());
    if let Some(source) = &source {
        let theirs = "SELECT count(*), coalesce(sum(size), 0) FROM quarantine WHERE source = ?1";
        let held = tx.row(theirs, params![source], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
        let (messages, bytes) = held.unwrap_or_default();
        if messages >= QUARANTINE_SOURCE_MESSAGES_MAX || bytes.saturating_add(size) > QUARANTINE_SOURCE_BYTES_MAX {
            return Err(StoreError::QuarantineShare(source.clone()));
        }
    }
    tx.execute(
        "INSERT INTO quarantine (blob, size, came, expires, ways, note, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![blob.0, int(size), now.0, kept.expires.0, packed(&kept.ways)?, kept.note.as_ref(), source],
    )?;
    let id = QuarantineId(tx.last_id());
    for account in accounts(&kept.ways) {
        tx.execute("INSERT INTO quarantine_accounts (account, message) VALUES (?1, ?2)", params![account.0, id.0])?;
    }
    tx.touch_quarantine();
    Ok(id)
}

fn accounts(ways: &Ways) -> BTreeSet<AccountId> {
    ways.targets.iter().map(|target| target.account).collect()
}

/// A message, what of it is somebody's, and what is left for the others.
fn part(tx: &Tx<'_>, id: QuarantineId, whom: KeptFor) -> Result<(Quarantined, Ways, Ways), StoreError> {
    let missing = StoreError::NotFound("message in the quarantine");
    let mut found = tx.row(ONE, params![id.0], quarantined)?.ok_or(missing)?;
    let ways = std::mem::take(&mut found.ways);
    let KeptFor::Account(account) = whom else { return Ok((found, ways, Ways::default())) };
    let (targets, others): (Vec<Target>, Vec<Target>) =
        ways.targets.into_iter().partition(|target| target.account == account);
    if targets.is_empty() {
        return Err(StoreError::NotFound("message in the quarantine"));
    }
    Ok((found, Ways { targets, queued: Vec::new() }, Ways { targets: others, queued: ways.queued }))
}

fn release(tx: &mut Tx<'_>, id: QuarantineId, whom: KeptFor) -> Result<Accepted, StoreError> {
    let (found, mut ways, rest) = part(tx, id, whom)?;
    let now = tx.now;
    for queued in &mut ways.queued {
        let envelope = &mut queued.envelope;
        let waited = now.0.saturating_sub(envelope.arrived.0).max(0);
        envelope.expires = Timestamp(envelope.expires.0.saturating_add(waited));
        envelope.warn = envelope.warn.map(|warn| Timestamp(warn.0.saturating_add(waited)));
        for recipient in &mut queued.recipients {
            recipient.due = recipient.due.max(now);
        }
    }
    let accepted = messages::release(tx, found.blob, found.size, &ways)?;
    leave(tx, &found, &rest)?;
    Ok(accepted)
}

/// What is left of a message stays; if nothing is, it goes.
fn leave(tx: &mut Tx<'_>, found: &Quarantined, rest: &Ways) -> Result<(), StoreError> {
    if rest.is_empty() {
        return take_out(tx, found.id, found.blob);
    }
    tx.execute("UPDATE quarantine SET ways = ?2 WHERE id = ?1", params![found.id.0, packed(rest)?])?;
    tx.execute("DELETE FROM quarantine_accounts WHERE message = ?1", params![found.id.0])?;
    for account in accounts(rest) {
        tx.execute(
            "INSERT INTO quarantine_accounts (account, message) VALUES (?1, ?2)",
            params![account.0, found.id.0],
        )?;
    }
    tx.touch_quarantine();
    Ok(())
}

/// A message goes, and its bytes with it unless somebody else has them.
pub(crate) fn take_out(tx: &mut Tx<'_>, id: QuarantineId, blob: BlobId) -> Result<(), StoreError> {
    if tx.execute("DELETE FROM quarantine WHERE id = ?1", params![id.0])? == 1 {
        tx.execute("DELETE FROM quarantine_accounts WHERE message = ?1", params![id.0])?;
        tx.release(blob)?;
        tx.touch_quarantine();
    }
    Ok(())
}

/// Takes out messages whose contents are among these, which a power cut took; answers how many.
pub(crate) fn take_out_of_blobs(tx: &mut Tx<'_>, blobs: &[BlobId]) -> Result<u64, StoreError> {
    let kept =
        tx.rows("SELECT id, blob FROM quarantine", [], |row| Ok((QuarantineId(row.get(0)?), BlobId(row.get(1)?))))?;
    let mut taken = 0u64;
    for (id, blob) in kept.into_iter().filter(|(_, blob)| blobs.contains(blob)) {
        take_out(tx, id, blob)?;
        taken = taken.saturating_add(1);
    }
    Ok(taken)
}

/// What is kept for an account goes with it.
pub(crate) fn forget_account(tx: &mut Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    let kept = tx.rows("SELECT message FROM quarantine_accounts WHERE account = ?1", params![account.0], |row| {
        row.get::<_, i64>(0)
    })?;
    for id in kept {
        let (found, _, rest) = part(tx, QuarantineId(id), KeptFor::Account(account))?;
        leave(tx, &found, &rest)?;
    }
    Ok(())
}

/// Names messages whose content is gone, for people; takes them out.
pub(crate) fn drop_lost(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut lost = connection
        .prepare("SELECT 'quarantine ' || id FROM quarantine WHERE blob NOT IN (SELECT id FROM blobs) ORDER BY id")?;
    let lost = lost.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    connection.execute_batch(
        "DELETE FROM quarantine WHERE blob NOT IN (SELECT id FROM blobs);
         DELETE FROM quarantine_accounts WHERE message NOT IN (SELECT id FROM quarantine);",
    )?;
    Ok(lost)
}
