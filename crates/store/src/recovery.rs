//! What happens on opening: nothing that was written is dropped without a trace.
//!
//! The database knows where each pack ends. Whatever lies behind that end (messages that were written but never
//! acknowledged, because power or process went before the commit) is put into `DATA/lost-and-found`, one file a
//! message named by its hash, and then cut off. Packs that the database doesn't know are treated alike.

use crate::api::StoreError;
use crate::apply::messages::take_out_of_blobs;
use crate::pack::content::ContentRow;
use crate::pack::files::{PackFiles, sync_dir};
use crate::pack::writer::PackWriter;
use crate::pack::{Found, HEADER_LEN, PACK_HEAD_LEN, PackKey, Scan};
use crate::tx::{BlobIds, PROVEN, Tx, head, prove, unsigned};
use mailward_core::event::{Event, Events};
use mailward_core::{BlobId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Notes that a process has the store open; whether the one before it didn't come to its end.
pub(crate) fn begin(connection: &Connection) -> Result<bool, StoreError> {
    let running = "SELECT value FROM meta WHERE key = 'running'";
    let cut_off = connection.query_row(running, [], |row| row.get(0)).optional()?.unwrap_or(false);
    // With a full disk it is opened all the same, and the next one doesn't learn of this one's end.
    let _noted = connection.execute(RUNNING, [true]);
    Ok(cut_off)
}

/// Notes that it comes to its end.
pub(crate) fn end(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(RUNNING, [false])?;
    Ok(())
}

const RUNNING: &str =
    "INSERT INTO meta (key, value) VALUES ('running', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/// Takes out what the last batch before a power cut put into the database though its bytes didn't reach the pack:
/// nobody was told that it was accepted. Only what lies behind the place up to which the packs are known to be
/// synced is looked at: one batch.
pub(crate) fn drop_unproven(
    connection: &Connection,
    files: &PackFiles,
    now: Timestamp,
    events: &Events,
) -> Result<(), StoreError> {
    let unproven = unproven(connection)?;
    let mut torn = Vec::new();
    for row in &unproven {
        if row.check(files).is_err() {
            torn.push(BlobId(row.id));
        }
    }
    if torn.is_empty() {
        return Ok(());
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut ids = BlobIds::after(connection, BlobId(0))?;
    let mut tx = Tx::new(connection, &mut ids, now);
    let taken = tx.savepoint(|tx| {
        let taken = take_out_of_blobs(tx, &torn);
        (taken.is_ok(), taken)
    })??;
    tx.write_live()?;
    connection.execute_batch("COMMIT")?;
    events.emit(
        Event::warn("store.torn")
            .with("messages", taken)
            .with("why", "never acknowledged: their senders send them again"),
    );
    Ok(())
}

/// Rows of the batch whose bytes may not all be on the disk.
fn unproven(connection: &Connection) -> Result<Vec<ContentRow>, StoreError> {
    let proven: Option<(i64, i64)> =
        connection.query_row(PROVEN, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((pack, end)) = proven else { return Ok(Vec::new()) };
    let rows = connection
        .prepare(
            "SELECT b.id, b.pack, b.place, b.size, b.hash, p.key FROM blobs b JOIN packs p ON p.id = b.pack
             WHERE b.pack > ?1 OR (b.pack = ?1 AND b.place >= ?2)",
        )?
        .query_map(params![pack, end], ContentRow::read)?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Opens the current pack for appending, after salvage.
pub(crate) fn open_packs(
    connection: &Connection,
    files: &Arc<PackFiles>,
    lost_and_found: &Path,
    pack_size: u64,
    events: &Events,
) -> Result<PackWriter, StoreError> {
    let known: BTreeMap<u32, (u64, PackKey)> = connection
        .prepare("SELECT id, ends, key FROM packs")?
        .query_map([], |row| Ok((row.get(0)?, (unsigned(row.get(1)?), PackKey(row.get(2)?)))))?
        .collect::<Result<_, _>>()?;
    let on_disk = files.list()?;
    let last_known = known.last_key_value().map(|(id, _)| *id);
    let current = last_known.unwrap_or(1);
    for pack in &on_disk {
        let ends = known.get(pack).map(|(ends, _)| *ends);
        if let Some((_, key)) = known.get(pack)
            && files.mend_head(*pack, *key)?
        {
            events.emit(Event::alert("store.head_mended").with("pack", files.path(*pack).display()).with(
                "do",
                "the disk changed bytes that were written: run `mailward store verify` and check the disk",
            ));
        }
        let length = std::fs::metadata(files.path(*pack)).map(|m| m.len()).unwrap_or(0);
        if ends.is_some_and(|ends| ends > length) {
            events.emit(
                Event::alert("store.pack_short")
                    .with("pack", files.path(*pack).display())
                    .with("bytes", length)
                    .with("expected", ends.unwrap_or(0))
                    .with("do", "run `mailward store verify`, then restore what it lists from a backup"),
            );
            continue;
        }
        if ends == Some(length) {
            continue;
        }
        let salvaged = salvage(connection, files, *pack, ends.unwrap_or(PACK_HEAD_LEN), lost_and_found)?;
        if salvaged > 0 {
            events.emit(
                Event::warn("store.salvaged")
                    .with("messages", salvaged)
                    .with("into", lost_and_found.display())
                    .with("why", "written but never acknowledged: their senders send them again"),
            );
        }
        if ends.is_none() && *pack != current {
            files.remove(*pack)?;
        }
    }
    let writer = PackWriter::open(Arc::clone(files), current, known.get(&current).copied(), pack_size)?;
    // What is here now was looked at, and `open` has synced it.
    prove(connection, &writer)?;
    Ok(writer)
}

/// Copies whole records after `from` that no blob has into lost-and-found; answers how many.
fn salvage(
    connection: &Connection,
    files: &PackFiles,
    pack: u32,
    from: u64,
    lost_and_found: &Path,
) -> Result<u64, StoreError> {
    let path = files.path(pack);
    let io = |e| StoreError::Io(path.display().to_string(), e);
    let file = File::open(&path).map_err(io)?;
    let mut salvaged = 0u64;
    // A pack that was begun and never written to may have no head yet.
    let Some(key) = files.key(pack)? else { return Ok(0) };
    for found in Scan::new(&file, from, key) {
        let Found::Record { offset, header } = found.map_err(io)? else { continue };
        let stored: Option<i64> = connection
            .prepare_cached(
                "SELECT b.id FROM blob_hashes h JOIN blobs b ON b.id = h.blob WHERE h.head = ?1 AND b.hash = ?2",
            )?
            .query_row(params![head(&header.hash), header.hash.as_slice()], |row| row.get(0))
            .optional()?;
        if stored.is_some() {
            continue;
        }
        let size = usize::try_from(header.length).map_err(|_| StoreError::Damaged(path.display().to_string()))?;
        let mut content = vec![0u8; size];
        file.read_exact_at(&mut content, offset.saturating_add(HEADER_LEN)).map_err(io)?;
        keep(lost_and_found, &header.hash, &content)?;
        salvaged = salvaged.saturating_add(1);
    }
    Ok(salvaged)
}

/// Writes one message into lost-and-found, durably; the same message again is the same file.
pub(crate) fn keep(lost_and_found: &Path, hash: &[u8; 32], content: &[u8]) -> Result<PathBuf, StoreError> {
    let io = |e| StoreError::Io(lost_and_found.display().to_string(), e);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(lost_and_found).map_err(io)?;
    let name: String = blake3::Hash::from_bytes(*hash).to_hex().to_string();
    let path = lost_and_found.join(format!("{name}.eml"));
    let part = lost_and_found.join(format!("{name}.part"));
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(io)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(io)?;
    std::fs::rename(&part, &path).map_err(io)?;
    sync_dir(lost_and_found)?;
    Ok(path)
}
