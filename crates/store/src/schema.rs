//! The database: its tables, how it is opened, how it grows from one version to the next.

mod spam;

use crate::api::StoreError;
use crate::quarantine;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// Version of the tables below, kept in `PRAGMA user_version`.
pub(crate) const VERSION: i64 = 7;

/// Version 1. Times are milliseconds since 1970, sizes bytes, flags and keywords bits.
const TABLES: &str = "
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE packs (
    id    INTEGER PRIMARY KEY,
    ends  INTEGER NOT NULL,              -- first byte after the last record the database knows
    key   BLOB    NOT NULL,              -- copy of the one in its head
    live  INTEGER NOT NULL DEFAULT 0,    -- bytes of records that some blob refers to, heads included
    -- Up to where the packs were known to be on stable storage before the batch that wrote `ends`; the row of the last
    -- pack counts.
    proven_pack INTEGER NOT NULL DEFAULT 0,
    proven_end  INTEGER NOT NULL DEFAULT 0
);

-- Message bytes; append-only, so that a delivery touches the last page only.
CREATE TABLE blobs (
    id        INTEGER PRIMARY KEY,
    hash      BLOB    NOT NULL,          -- BLAKE3 of the content
    pack      INTEGER NOT NULL,
    place     INTEGER NOT NULL,          -- of the record's head
    size      INTEGER NOT NULL,
    refs      INTEGER NOT NULL,          -- rows of messages and of the queue that show it
    structure BLOB    NOT NULL
);
-- The first eight bytes of the hash: a third of the size of an index over all of it.
CREATE TABLE blob_hashes (
    head INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    PRIMARY KEY (head, blob)
) WITHOUT ROWID;
CREATE INDEX blobs_pack ON blobs (pack, place);

CREATE TABLE domains (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT    NOT NULL UNIQUE,
    enabled   INTEGER NOT NULL DEFAULT 1,
    catch_all TEXT,
    created   INTEGER NOT NULL
);

CREATE TABLE accounts (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    domain         INTEGER NOT NULL REFERENCES domains (id),
    local          TEXT    NOT NULL,
    display_name   TEXT    NOT NULL,
    enabled        INTEGER NOT NULL DEFAULT 1,
    credential     BLOB    NOT NULL,
    quota_bytes    INTEGER NOT NULL DEFAULT 0,
    quota_messages INTEGER NOT NULL DEFAULT 0,
    created        INTEGER NOT NULL,
    UNIQUE (domain, local)
);

-- Apart from accounts: every delivery writes here, and these rows are small.
CREATE TABLE usage (
    account  INTEGER PRIMARY KEY REFERENCES accounts (id),
    bytes    INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    inbox    INTEGER NOT NULL,
    quota_bytes    INTEGER NOT NULL DEFAULT 0,
    quota_messages INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE aliases (
    domain  INTEGER NOT NULL REFERENCES domains (id),
    local   TEXT    NOT NULL,
    targets TEXT    NOT NULL,            -- one address a line
    created INTEGER NOT NULL,
    PRIMARY KEY (domain, local)
) WITHOUT ROWID;

CREATE TABLE mailboxes (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    account      INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid_next     INTEGER NOT NULL DEFAULT 1,
    mod_seq      INTEGER NOT NULL DEFAULT 1,
    messages     INTEGER NOT NULL DEFAULT 0,
    unseen       INTEGER NOT NULL DEFAULT 0,
    deleted      INTEGER NOT NULL DEFAULT 0,
    bytes        INTEGER NOT NULL DEFAULT 0,
    special_use  TEXT,
    selectable   INTEGER NOT NULL DEFAULT 1,
    UNIQUE (account, name)
);

CREATE TABLE keywords (
    mailbox INTEGER NOT NULL,
    bit     INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    PRIMARY KEY (mailbox, bit)
) WITHOUT ROWID;

CREATE TABLE subscriptions (
    account INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE messages (
    mailbox       INTEGER NOT NULL,
    uid           INTEGER NOT NULL,
    blob          INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    flags         INTEGER NOT NULL,
    keywords      INTEGER NOT NULL,
    mod_seq       INTEGER NOT NULL,
    came          INTEGER NOT NULL,            -- the modification sequence it came with: rises with the UIDs
    internal_date INTEGER NOT NULL,
    saved_date    INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;
-- Only of what changed since it came: the others are in the order of their UIDs. A delivery touches one page less.
CREATE INDEX messages_changed ON messages (mailbox, mod_seq) WHERE mod_seq <> came;

CREATE TABLE expunged (
    mailbox INTEGER NOT NULL,
    mod_seq INTEGER NOT NULL,
    uid     INTEGER NOT NULL,
    PRIMARY KEY (mailbox, mod_seq)
) WITHOUT ROWID;
";

/// What version 2 adds.
const TABLES_2: &str = "
-- UIDs that were given and are gone, neighbours merged: every UID below uid_next that is in no such run is there. So the
-- UIDs of a mailbox are known without reading its messages.
CREATE TABLE gone (
    mailbox INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    PRIMARY KEY (mailbox, first)
) WITHOUT ROWID;

-- Who else may do what with a mailbox (RFC 4314); rights are bits.
CREATE TABLE acl (
    mailbox INTEGER NOT NULL,
    account INTEGER NOT NULL,
    rights  INTEGER NOT NULL,
    PRIMARY KEY (mailbox, account)
) WITHOUT ROWID;
CREATE INDEX acl_account ON acl (account);

-- Annotations (RFC 5464). Mailbox 0 is the server, account 0 everybody: /shared entries.
CREATE TABLE metadata (
    mailbox INTEGER NOT NULL,
    account INTEGER NOT NULL,
    entry   TEXT    NOT NULL,
    value   BLOB    NOT NULL,
    PRIMARY KEY (mailbox, account, entry)
) WITHOUT ROWID;
";

/// What version 3 adds: the queue, and keys that sign.
const TABLES_3: &str = "
-- Ids are never given again: whoever has a message in work may hear that it is gone, never that it is another.
CREATE TABLE queue_messages (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    blob      INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    sender    TEXT,                      -- NULL: the null path
    give_back INTEGER NOT NULL,          -- RET: 0 not given, 1 full, 2 headers
    envid     TEXT,
    needs     INTEGER NOT NULL,          -- 1 SMTPUTF8, 2 REQUIRETLS, 4 8BITMIME, 8 TLS-Required: No, 16 signature
    submitter INTEGER,
    arrived   INTEGER NOT NULL,
    warn      INTEGER,
    expires   INTEGER NOT NULL,
    trials    INTEGER NOT NULL DEFAULT 0,
    remaining INTEGER NOT NULL,          -- its rows of queue_recipients
    waiting   INTEGER NOT NULL,          -- those of them that aren't held
    deadline  INTEGER                    -- when its sender hears something next; NULL while none of them waits
);
CREATE INDEX queue_deadline ON queue_messages (deadline) WHERE deadline IS NOT NULL;

CREATE TABLE queue_recipients (
    message  INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    address  TEXT    NOT NULL,
    notify   INTEGER,                    -- 1 success, 2 failure, 4 delay; NULL: not given
    original TEXT,
    lane     INTEGER NOT NULL,
    held     INTEGER NOT NULL,
    reason   TEXT,                       -- why it is held
    due      INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    refusals INTEGER NOT NULL DEFAULT 0, -- attempts that failed by its own fault, not its host's
    warned   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;
-- A lane's order of work.
CREATE INDEX queue_due ON queue_recipients (lane, due, message, number) WHERE held = 0;
CREATE INDEX queue_in_lane ON queue_recipients (lane, message, number);

-- Apart from recipients, as most are delivered at the first attempt. The last one of a recipient is its answer.
CREATE TABLE queue_attempts (
    message INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    host    TEXT    NOT NULL,
    code    INTEGER NOT NULL,
    status  INTEGER,                     -- class * 1000000 + subject * 1000 + detail
    text    TEXT    NOT NULL,
    PRIMARY KEY (message, number, attempt)
) WITHOUT ROWID;

-- A lane is here while anything is in it, or it is paused. Its id is a number that rises rather than its name, so that
-- lanes whose mail goes through at once, and which come and go, lie together at the ends of the indexes above: a commit
-- that touches many of them writes few pages, however long the queue.
CREATE TABLE queue_lanes (
    id       INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL UNIQUE,
    waiting  INTEGER NOT NULL DEFAULT 0,
    held     INTEGER NOT NULL DEFAULT 0,
    due      INTEGER,                    -- of the first that waits
    paused   INTEGER NOT NULL DEFAULT 0,
    blocked  INTEGER NOT NULL DEFAULT 0, -- not before then, as its host failed or is busy
    failures INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX queue_ready ON queue_lanes (max(due, blocked)) WHERE waiting > 0 AND paused = 0;

-- Keys that sign for domains; the private half is sealed by the vault.
CREATE TABLE dkim_keys (
    id        INTEGER PRIMARY KEY,
    domain    INTEGER NOT NULL REFERENCES domains (id),
    selector  TEXT    NOT NULL,
    algorithm TEXT    NOT NULL,
    public    BLOB    NOT NULL,
    sealed    BLOB    NOT NULL,
    state     INTEGER NOT NULL,            -- 0 to come, 1 signs, 2 retires
    created   INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    UNIQUE (domain, selector)
);
";

/// What version 4 adds.
const TABLES_4: &str = "
-- Small records of rooms above.
CREATE TABLE shelves (
    shelf   INTEGER NOT NULL,
    key     TEXT    NOT NULL,
    value   BLOB    NOT NULL,
    expires INTEGER,                     -- NULL: never
    PRIMARY KEY (shelf, key)
) WITHOUT ROWID;
CREATE INDEX shelves_expire ON shelves (shelf, expires) WHERE expires IS NOT NULL;
-- The address of ours that a message came to which is forwarded; NULL: it is not.
ALTER TABLE queue_messages ADD COLUMN forwarded TEXT;

-- What is set for accounts (kind 0) and domains (kind 1) that send, and what is going on.
CREATE TABLE senders (
    kind            INTEGER NOT NULL,          -- 0: an account, 1: a domain, 2: an insider, by its number
    id              INTEGER NOT NULL,
    messages_hour   INTEGER,                   -- limits; NULL: as configured, 0: none
    messages_day    INTEGER,
    recipients_hour INTEGER,
    recipients_day  INTEGER,
    new_hour        INTEGER,
    new_day         INTEGER,
    beyond          INTEGER NOT NULL DEFAULT 0,-- limits that the last message went beyond, as bits
    frozen          INTEGER,                   -- since when it is held whatever it sends; NULL: it isn't
    why             TEXT,
    unfinished      INTEGER NOT NULL DEFAULT 0,-- what waited when it was frozen isn't all held yet
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- What they sent to other domains, by the hour since 1970.
CREATE TABLE sent (
    kind       INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    hour       INTEGER NOT NULL,
    messages   INTEGER NOT NULL DEFAULT 0,
    recipients INTEGER NOT NULL DEFAULT 0,
    fresh      INTEGER NOT NULL DEFAULT 0,     -- recipients it never wrote to before
    held       INTEGER NOT NULL DEFAULT 0,     -- messages that went beyond a limit
    refused    INTEGER NOT NULL DEFAULT 0,     -- recipients that other hosts refused for good
    PRIMARY KEY (kind, id, hour)
) WITHOUT ROWID;

-- Whom an account wrote to, by a hash of the address, and on which day since 1970 at last, roughly.
CREATE TABLE known_recipients (
    account INTEGER NOT NULL,
    hash    INTEGER NOT NULL,
    day     INTEGER NOT NULL,
    PRIMARY KEY (account, hash)
) WITHOUT ROWID;
CREATE INDEX known_recipients_day ON known_recipients (day);
";

/// What version 5 adds: whether anybody wrote to an address is asked for every stranger.
const TABLES_5: &str = "
CREATE INDEX known_recipients_hash ON known_recipients (hash);
";

/// The one connection that writes.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.pragma_update(None, "page_size", 4096)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Database(format!("the file system doesn't carry a write-ahead log (mode {mode})")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(128);
    plan_once(&connection)?;
    migrate(&connection)?;
    Ok(connection)
}

/// Writes zeros behind the end of the log. SQLite writes over them as it goes, and a reader of the log stops at the
/// first frame whose checksum is wrong, so that zeros are never taken for frames.
pub(crate) fn grow_log(database: &Path, size: u64) -> Result<(), StoreError> {
    let path = format!("{}-wal", database.display());
    let io = |e| StoreError::Io(path.clone(), e);
    let file = match std::fs::OpenOptions::new().write(true).open(&path) {
        Ok(file) => file,
        // The log is made with the first write.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io(e)),
    };
    let zeros = vec![0u8; 1024 * 1024];
    let mut at = file.metadata().map_err(io)?.len();
    while at < size {
        let count = usize::try_from(size.saturating_sub(at)).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all_at(zeros.get(..count).unwrap_or(&zeros), at).map_err(io)?;
        at = at.saturating_add(count as u64);
    }
    file.sync_all().map_err(io)
}

/// A connection that reads.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -2 * 1024)?;
    connection.set_prepared_statement_cache_capacity(64);
    plan_once(&connection)?;
    Ok(connection)
}

/// A plan doesn't depend on values that are bound: SQLite would read `LIMIT ?` before it plans, and so parse and plan a
/// statement anew each time another value is bound to it. With a question of one row that is most of its cost.
fn plan_once(connection: &Connection) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        VERSION => Ok(()),
        0..VERSION => {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            if version < 1 {
                connection.execute_batch(TABLES)?;
            }
            if version < 2 {
                connection.execute_batch(TABLES_2)?;
                fill_gone(connection)?;
            }
            if version < 3 {
                connection.execute_batch(TABLES_3)?;
            }
            if version < 4 {
                connection.execute_batch(TABLES_4)?;
            }
            if version < 5 {
                connection.execute_batch(TABLES_5)?;
            }
            if version < 6 {
                connection.execute_batch(quarantine::TABLES)?;
                connection.execute_batch(spam::TABLES)?;
            }
            if version < 7 {
                connection.execute_batch(quarantine::TABLES_7)?;
            }
            connection.pragma_update(None, "user_version", VERSION)?;
            connection.execute_batch("COMMIT")?;
            Ok(())
        }
        newer => Err(StoreError::Database(format!(
            "the store has version {newer}, this program knows up to {VERSION}: use the program that wrote it, or a newer one"
        ))),
    }
}

/// Writes the table of UIDs that are gone from what is there: after a change of version, and after a salvage.
pub(crate) fn fill_gone(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("DELETE FROM gone", [])?;
    let mut mailboxes = connection.prepare("SELECT id, uid_next FROM mailboxes")?;
    let mut uids = connection.prepare("SELECT uid FROM messages WHERE mailbox = ?1 ORDER BY uid")?;
    let mut insert = connection.prepare("INSERT INTO gone (mailbox, first, last) VALUES (?1, ?2, ?3)")?;
    let mut rows = mailboxes.query([])?;
    while let Some(row) = rows.next()? {
        let (mailbox, end): (i64, i64) = (row.get(0)?, row.get(1)?);
        let mut expected = 1i64;
        let mut there = uids.query([mailbox])?;
        loop {
            let uid = match there.next()? {
                Some(row) => row.get(0)?,
                None => end,
            };
            if uid > expected {
                insert.execute([mailbox, expected, uid.saturating_sub(1)])?;
            }
            expected = uid.saturating_add(1);
            if uid >= end {
                break;
            }
        }
    }
    Ok(())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::DiskFull,
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                StoreError::Damaged(format!("mailward.db: {error}"))
            }
            _ => StoreError::Database(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarantine_of_the_version_before_is_kept_and_counts_for_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mailward.db");
        let old = open_writer(&path).unwrap();
        old.execute_batch(
            "DROP INDEX quarantine_sources; ALTER TABLE quarantine DROP COLUMN source; PRAGMA user_version = 6;
             INSERT INTO quarantine (blob, size, came, expires, ways, note) VALUES (1, 2, 3, 4, x'', x'');",
        )
        .unwrap();
        drop(old);
        let new = open_writer(&path).unwrap();
        let found: (i64, Option<String>) =
            new.query_row("SELECT size, source FROM quarantine", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(found, (2, None));
        let version: i64 = new.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(version, VERSION);
    }
}
