//! The index's database: its tables, how it is opened, and whether it may be believed.

use super::{Found, IndexError, files_of};
use crate::api::StoreError;
use crate::pack::writer::random_key;
use crate::tx::int;
use mailward_core::BlobId;
use mailward_core::event::{Event, Events};
use mailward_core::limits::INDEX_BATCH_TEXT;
use mailward_message::decode::SEARCHABLE_VERSION;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Version of the tables below, kept in `PRAGMA user_version`.
const VERSION: i64 = 1;

const TABLES: &str = "
-- For each trigram the ids of the blobs whose text has it; neither text nor places are kept. Text is folded before.
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram case_sensitive 1'
);

-- One row: the claim. Every blob up to `upto` is in `words` or in `unindexed`, or is gone.
CREATE TABLE state (
    store   INTEGER NOT NULL,    -- `index_id` of the store it is of
    version INTEGER NOT NULL,    -- of the text
    upto    INTEGER NOT NULL,
    entries INTEGER NOT NULL,    -- in `words`
    gone    INTEGER NOT NULL     -- blobs that went since entries were last removed
);

-- What couldn't be read, or has more text than an entry is made of.
CREATE TABLE unindexed (blob INTEGER PRIMARY KEY);
";

/// What an index must have been made from to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    store: i64,
    version: i64,
}

/// The claim, and what is counted beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) upto: i64,
    pub(super) entries: i64,
    pub(super) gone: i64,
}

// ---- the id in mailward.db ----

const ID: &str = "SELECT value FROM meta WHERE key = 'index_id'";

/// The identity that an index of this store has now; `None`: none is believed.
pub(super) fn identity(mail: &Connection) -> Result<Option<Identity>, rusqlite::Error> {
    let id = mail.query_row(ID, [], |row| row.get(0)).optional()?;
    Ok(id.map(|store| Identity { store, version: SEARCHABLE_VERSION }))
}

/// See [`super::find`]. Where the index can't say up to which id it knows blobs, the store forgets it by its id: it might
/// claim an id that the store gives again.
pub(super) fn find(mail: &Connection, path: &Path, wanted: bool, events: &Events) -> Result<Found, StoreError> {
    let identity = identity(mail)?;
    if let Some(identity) = identity.filter(|_| path.exists()) {
        match open(path, identity) {
            Ok((connection, state)) => {
                let upto = BlobId(state.upto);
                return Ok(if wanted {
                    Found { identity: Some(identity), connection: Some(connection), upto }
                } else {
                    Found { identity: None, connection: None, upto }
                });
            }
            Err(error) => events.emit(
                Event::warn("index.unusable").with("error", error).with("why", "it is made anew from the messages"),
            ),
        }
    }
    let mut found = Found { identity: None, connection: None, upto: BlobId(0) };
    if !wanted {
        if identity.is_some() {
            forget(mail)?;
        }
        return Ok(found);
    }
    let fresh = Identity { store: random()?, version: SEARCHABLE_VERSION };
    mail.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('index_id', ?1)", params![fresh.store])?;
    found.identity = Some(fresh);
    // If it can't be made now, the thread tries again.
    found.connection = create(path, fresh).ok();
    Ok(found)
}

/// No index that is there now is believed any more.
pub(crate) fn forget(mail: &Connection) -> Result<(), StoreError> {
    mail.execute("DELETE FROM meta WHERE key = 'index_id'", [])?;
    Ok(())
}

fn random() -> Result<i64, StoreError> {
    let key = random_key()?;
    Ok(key.0.first_chunk::<8>().map_or(0, |bytes| i64::from_le_bytes(*bytes)))
}

// ---- the database ----

/// Opens an index that must be there, whole and this identity's.
pub(super) fn open(path: &Path, identity: Identity) -> Result<(Connection, State), IndexError> {
    not_cut(path)?;
    let connection = connect(path)?;
    let state = state(&connection, identity)?;
    Ok((connection, state))
}

/// The claim, if it is this identity's.
pub(super) fn state(connection: &Connection, identity: Identity) -> Result<State, IndexError> {
    let version: i64 = connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?;
    if version != VERSION {
        return Err(IndexError::Foreign);
    }
    connection
        .prepare_cached("SELECT upto, entries, gone FROM state WHERE store = ?1 AND version = ?2")?
        .query_row(params![identity.store, identity.version], |row| {
            Ok(State { upto: row.get(0)?, entries: row.get(1)?, gone: row.get(2)? })
        })
        .optional()?
        .ok_or(IndexError::Foreign)
}

/// Makes an index that claims nothing, in the place of what is there.
pub(super) fn create(path: &Path, identity: Identity) -> Result<Connection, IndexError> {
    remove(path)?;
    // SQLite gives its log the mode of the database.
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|e| IndexError::Other(format!("{}: {e}", path.display())))?;
    let connection = connect(path)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(TABLES)?;
    connection.execute(
        "INSERT INTO state (store, version, upto, entries, gone) VALUES (?1, ?2, 0, 0, 0)",
        params![identity.store, identity.version],
    )?;
    // What one batch adds is written at once: the text's length is more than its entries take.
    let hash_size = int(INDEX_BATCH_TEXT.saturating_mul(4) as u64);
    connection.execute("INSERT INTO words (words, rank) VALUES ('hashsize', ?1)", params![hash_size])?;
    connection.pragma_update(None, "user_version", VERSION)?;
    connection.execute_batch("COMMIT")?;
    Ok(connection)
}

/// Removes an index's files.
pub(super) fn remove(path: &Path) -> Result<(), IndexError> {
    for file in files_of(path) {
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(IndexError::Other(format!("{}: {e}", file.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, IndexError> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "page_size", 4096)?;
    // Only where nothing is written yet.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(IndexError::Other(format!("no write-ahead log (mode {mode})")));
    }
    // A commit isn't synced; the log is before its pages go into the database. So a power cut leaves an older state.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", -4 * 1024)?;
    Ok(connection)
}

/// Whether the file has all pages that its head tells of: SQLite would read some of those that aren't there as zeros.
/// A log that has them (the process was killed while it moved pages) saves nothing: the index is made anew.
fn not_cut(path: &Path) -> Result<(), IndexError> {
    let io = |e: std::io::Error| IndexError::Other(format!("{}: {e}", path.display()));
    let mut file = std::fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut head = [0u8; 32];
    file.read_exact(&mut head).map_err(|_| IndexError::Damaged("it is cut off".to_owned()))?;
    let page = head.get(16..18).and_then(|b| b.first_chunk::<2>()).map_or(0, |b| u16::from_be_bytes(*b));
    let pages = head.last_chunk::<4>().map_or(0, |b| u32::from_be_bytes(*b));
    if u64::from(page).saturating_mul(pages.into()) > length {
        return Err(IndexError::Damaged("it is cut off".to_owned()));
    }
    Ok(())
}
