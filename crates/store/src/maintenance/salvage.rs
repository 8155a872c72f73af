//! Rebuilding what can be rebuilt after damage.

use super::verify::verify;
use crate::api::StoreError;
use crate::pack::content::ContentRow;
use crate::pack::files::PackFiles;
use crate::pack::{Found, HEADER_LEN, PACK_HEAD_LEN, PackKey, Scan};
use crate::{index, local, quarantine, queue, recovery, schema};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params, params_from_iter};
use serde::Serialize;
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What salvage did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Salvaged {
    /// The damaged database, kept under this name, if a new one had to be built.
    pub damaged_database: Option<PathBuf>,
    /// Rows that were carried over into the new database.
    pub rows: u64,
    /// Messages that are lost: their mailbox and UID, or their id in the queue with sender and recipients.
    pub lost: Vec<String>,
    /// Messages found in packs that no mailbox shows, put into `lost-and-found`.
    pub found: u64,
    /// Problems that `verify` still sees afterwards; empty if the store is whole again.
    pub left: Vec<super::Problem>,
}

const TABLES: [&str; 26] = [
    "meta",
    "packs",
    "blobs",
    "blob_hashes",
    "domains",
    "dkim_keys",
    "shelves",
    "senders",
    "sent",
    "known_recipients",
    "accounts",
    "usage",
    "acl",
    "metadata",
    "aliases",
    "mailboxes",
    "keywords",
    "subscriptions",
    "messages",
    "expunged",
    "queue_messages",
    "queue_recipients",
    "queue_attempts",
    "queue_lanes",
    "quarantine",
    "quarantine_accounts",
];

/// Rebuilds the store in a directory that no server has open: carries over what can be read of a damaged
/// database, takes out messages whose bytes are gone, counts everything anew, and puts messages that nothing shows
/// into `lost-and-found`. The damaged database is kept.
///
/// # Errors
/// [`StoreError::InUse`] if a server runs; what the file system says.
pub fn salvage(dir: &Path) -> Result<Salvaged, StoreError> {
    let _lock = local::lock(dir)?;
    let database = dir.join("mailward.db");
    let mut done = Salvaged::default();
    if !whole(&database) {
        let kept = aside(&database)?;
        let fresh = schema::open_writer(&database)?;
        done.rows = carry_over(&kept, &fresh)?;
        done.damaged_database = Some(kept);
    }
    let connection = schema::open_writer(&database)?;
    // What was carried over may be less than what the search index was made from.
    index::forget(&connection)?;
    let files = PackFiles::new(dir.join("packs"));
    mend_heads(&connection, &files)?;
    done.lost = drop_lost(&connection, &files)?;
    count_anew(&connection, &files)?;
    done.found = keep_unknown(&connection, &files, &dir.join("lost-and-found"))?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    drop(connection);
    done.left = verify(dir, |_, _| {})?.problems;
    Ok(done)
}

/// Whether the database can be opened and its structure is sound.
fn whole(database: &Path) -> bool {
    schema::open_writer(database)
        .and_then(
            |connection| Ok(connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))?),
        )
        .is_ok_and(|said| said == "ok")
}

/// Moves the database and its log aside, under a name that isn't taken.
fn aside(database: &Path) -> Result<PathBuf, StoreError> {
    let mut number = 1u32;
    let kept = loop {
        let candidate = PathBuf::from(format!("{}.damaged-{number}", database.display()));
        if !candidate.exists() {
            break candidate;
        }
        number = number.saturating_add(1);
    };
    for suffix in ["", "-wal", "-shm"] {
        let from = format!("{}{suffix}", database.display());
        match std::fs::rename(&from, format!("{}{suffix}", kept.display())) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(StoreError::Io(from, e)),
            _ => {}
        }
    }
    Ok(kept)
}

/// Copies what can be read, table by table, from both ends until damage is met.
fn carry_over(damaged: &Path, fresh: &Connection) -> Result<u64, StoreError> {
    let Ok(old) = Connection::open_with_flags(damaged, OpenFlags::SQLITE_OPEN_READ_WRITE) else { return Ok(0) };
    let mut carried = 0u64;
    for table in TABLES {
        fresh.execute_batch("BEGIN")?;
        for order in ["", " ORDER BY 1 DESC"] {
            // A table that can't be read at all leaves the others to be tried.
            let Ok(mut statement) = old.prepare(&format!("SELECT * FROM {table}{order}")) else { continue };
            let columns = statement.column_count();
            let places = vec!["?"; columns].join(", ");
            // By name: an older version may have fewer.
            let names = statement.column_names().collect::<Vec<_>>().join(", ");
            let mut insert = fresh.prepare(&format!("INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})"))?;
            let Ok(mut rows) = statement.query([]) else { continue };
            while let Ok(Some(row)) = rows.next() {
                let values: Result<Vec<Value>, _> = (0..columns).map(|column| row.get(column)).collect();
                let Ok(values) = values else { continue };
                // A row that breaks a rule of the table is one more loss, not the end.
                carried = carried.saturating_add(insert.execute(params_from_iter(values)).unwrap_or(0) as u64);
            }
        }
        fresh.execute_batch("COMMIT")?;
    }
    Ok(carried)
}

/// Writes damaged heads of packs again, where the database knows their keys.
fn mend_heads(connection: &Connection, files: &PackFiles) -> Result<(), StoreError> {
    let on_disk = files.list()?;
    let known: Vec<(u32, [u8; 32])> = connection
        .prepare("SELECT id, key FROM packs")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (pack, key) in known {
        if on_disk.contains(&pack) {
            files.mend_head(pack, PackKey(key))?;
        }
    }
    Ok(())
}

/// Takes out blobs whose bytes are not there whole, and the messages that showed them.
fn drop_lost(connection: &Connection, files: &PackFiles) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT b.id, b.pack, b.place, b.size, b.hash, p.key FROM blobs b LEFT JOIN packs p ON p.id = b.pack",
    )?;
    let mut rows = statement.query([])?;
    let mut bad: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        let pack: u32 = row.get(1)?;
        // Without the database's copy of the key, the one in the pack's head has to do.
        let key: Option<[u8; 32]> = row.get(5)?;
        let Some(key) = key.map(PackKey).or_else(|| files.key(pack).ok().flatten()) else {
            bad.push(row.get(0)?);
            continue;
        };
        let content = ContentRow::with_key(row, key)?;
        if content.check(files).is_err() {
            bad.push(content.id);
        }
    }
    drop(rows);
    drop(statement);
    connection.execute_batch("BEGIN IMMEDIATE")?;
    // Ids of what goes are not given again.
    connection.execute_batch(
        "INSERT INTO meta (key, value) SELECT 'blob_id', coalesce(max(id), 0) FROM blobs WHERE true
         ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
    )?;
    for id in bad {
        connection.execute("DELETE FROM blobs WHERE id = ?1", params![id])?;
    }
    let mut lost = connection.prepare(
        "SELECT coalesce(d.name, '?'), coalesce(a.local, '?'), coalesce(x.name, '?'), m.uid FROM messages m
         LEFT JOIN mailboxes x ON x.id = m.mailbox LEFT JOIN accounts a ON a.id = x.account
         LEFT JOIN domains d ON d.id = a.domain WHERE m.blob NOT IN (SELECT id FROM blobs)",
    )?;
    let mut lost: Vec<String> = lost
        .query_map([], |row| {
            let (domain, local, mailbox): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(format!("{local}@{domain} {mailbox} UID {}", row.get::<_, u32>(3)?))
        })?
        .collect::<Result<_, _>>()?;
    lost.extend(queue::drop_lost(connection)?);
    lost.extend(quarantine::drop_lost(connection)?);
    connection.execute_batch("DELETE FROM messages WHERE blob NOT IN (SELECT id FROM blobs); COMMIT")?;
    Ok(lost)
}

/// Sets every counter to what the rows add up to, and gives every account its INBOX.
fn count_anew(connection: &Connection, files: &PackFiles) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    queue::count_anew(connection)?;
    connection.execute_batch(
        "DELETE FROM dkim_keys WHERE domain NOT IN (SELECT id FROM domains);
         DELETE FROM mailboxes WHERE account NOT IN (SELECT id FROM accounts);
         DELETE FROM messages WHERE mailbox NOT IN (SELECT id FROM mailboxes);
         DELETE FROM acl WHERE mailbox NOT IN (SELECT id FROM mailboxes) OR account NOT IN (SELECT id FROM accounts);
         DELETE FROM metadata WHERE (mailbox <> 0 AND mailbox NOT IN (SELECT id FROM mailboxes))
             OR (account <> 0 AND account NOT IN (SELECT id FROM accounts));
         INSERT OR IGNORE INTO mailboxes (account, name, uid_validity)
             SELECT a.id, 'INBOX', coalesce((SELECT value FROM meta WHERE key = 'uid_validity'), 1) + a.id FROM accounts a
             WHERE NOT EXISTS (SELECT 1 FROM mailboxes x WHERE x.account = a.id AND x.name = 'INBOX');
         INSERT OR REPLACE INTO meta (key, value)
             SELECT 'uid_validity', max(uid_validity) + 1 FROM mailboxes HAVING max(uid_validity) IS NOT NULL;
         DELETE FROM usage;
         DELETE FROM blobs WHERE id NOT IN (SELECT blob FROM messages UNION ALL SELECT blob FROM queue_messages
             UNION ALL SELECT blob FROM quarantine);
         CREATE TEMP TABLE shown (blob INTEGER PRIMARY KEY, n INTEGER NOT NULL);
         INSERT INTO shown SELECT blob, count(*) FROM
             (SELECT blob FROM messages UNION ALL SELECT blob FROM queue_messages UNION ALL SELECT blob FROM quarantine)
             GROUP BY blob;
         UPDATE blobs SET refs = (SELECT n FROM shown WHERE shown.blob = blobs.id);
         DROP TABLE shown;
         DELETE FROM blob_hashes;",
    )?;
    {
        let mut hashes = connection.prepare("SELECT id, hash FROM blobs")?;
        let mut insert = connection.prepare("INSERT INTO blob_hashes (head, blob) VALUES (?1, ?2)")?;
        let mut rows = hashes.query([])?;
        while let Some(row) = rows.next()? {
            let (id, hash): (i64, [u8; 32]) = (row.get(0)?, row.get(1)?);
            insert.execute(params![crate::tx::head(&hash), id])?;
        }
    }
    connection.execute_batch(
        "UPDATE messages SET size = (SELECT size FROM blobs b WHERE b.id = messages.blob);
         UPDATE mailboxes SET
             messages = (SELECT count(*) FROM messages m WHERE m.mailbox = mailboxes.id),
             unseen = (SELECT count(*) FROM messages m WHERE m.mailbox = mailboxes.id AND m.flags & 1 = 0),
             deleted = (SELECT count(*) FROM messages m WHERE m.mailbox = mailboxes.id AND m.flags & 8 <> 0),
             bytes = (SELECT coalesce(sum(size), 0) FROM messages m WHERE m.mailbox = mailboxes.id),
             uid_next = max(uid_next, 1 + (SELECT coalesce(max(uid), 0) FROM messages m WHERE m.mailbox = mailboxes.id)),
             mod_seq = max(mod_seq, (SELECT coalesce(max(mod_seq), 1) FROM messages m WHERE m.mailbox = mailboxes.id));
         INSERT INTO usage (account, bytes, messages, inbox, quota_bytes, quota_messages)
             SELECT a.id, (SELECT coalesce(sum(bytes), 0) FROM mailboxes x WHERE x.account = a.id),
                    (SELECT coalesce(sum(messages), 0) FROM mailboxes x WHERE x.account = a.id),
                    (SELECT id FROM mailboxes x WHERE x.account = a.id AND x.name = 'INBOX'),
                    a.quota_bytes, a.quota_messages FROM accounts a;",
    )?;
    crate::schema::fill_gone(connection)?;
    for pack in files.list()? {
        if let Some(key) = files.key(pack)? {
            let sql = "INSERT OR IGNORE INTO packs (id, ends, key) VALUES (?1, ?2, ?3)";
            connection.execute(sql, params![pack, crate::tx::int(PACK_HEAD_LEN), key.0.as_slice()])?;
        }
    }
    connection.execute_batch(
        "UPDATE packs SET live = (SELECT coalesce(sum(size + 64), 0) FROM blobs b WHERE b.pack = packs.id),
             ends = max(ends, (SELECT coalesce(max(place + size + 64), 0) FROM blobs b WHERE b.pack = packs.id));
         COMMIT",
    )?;
    Ok(())
}

/// Puts messages that are whole in a pack and that no row shows into lost-and-found.
fn keep_unknown(connection: &Connection, files: &PackFiles, lost_and_found: &Path) -> Result<u64, StoreError> {
    let mut known: HashSet<[u8; 32]> =
        connection.prepare("SELECT hash FROM blobs")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut kept = 0u64;
    for pack in files.list()? {
        let path = files.path(pack);
        let io = |e| StoreError::Io(path.display().to_string(), e);
        let file = File::open(&path).map_err(io)?;
        let Some(key) = files.key(pack)? else { continue };
        for found in Scan::new(&file, PACK_HEAD_LEN, key) {
            let Found::Record { offset, header } = found.map_err(io)? else { continue };
            if known.insert(header.hash) {
                let mut content = vec![0u8; usize::try_from(header.length).unwrap_or(0)];
                file.read_exact_at(&mut content, offset.saturating_add(HEADER_LEN)).map_err(io)?;
                recovery::keep(lost_and_found, &header.hash, &content)?;
                kept = kept.saturating_add(1);
            }
        }
    }
    Ok(kept)
}
