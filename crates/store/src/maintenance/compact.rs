//! Giving back the space of deleted mail: packs with much that is dead are written again without it.
//!
//! Live records are copied to the current pack a few at a time, through the committer like any other write; a
//! record's row is moved in the same commit, so that a crash at any instant leaves every row pointing at whole
//! bytes. A pack's file goes after the commit that forgets the pack.

use crate::api::StoreError;
use crate::committer::Placing;
use crate::local::LocalStore;
use crate::pack::writer::Place;
use crate::pack::{HEADER_LEN, PACK_HEAD_LEN};
use crate::records::Content;
use crate::tx::{int, unsigned};
use bytes::Bytes;
use mailward_core::event::{Event, Events};
use mailward_core::limits::PACK_DEAD_PERCENT;
use mailward_core::{BlobId, Shutdown};
use rusqlite::params;
use serde::Serialize;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

/// Bytes copied in one commit, so that mail waits little.
const PIECE: u64 = 1024 * 1024;
/// Time between two looks for packs to rewrite.
const INTERVAL: Duration = Duration::from_secs(600);

/// What compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// Packs rewritten and removed.
    pub packs: u64,
    /// Bytes copied.
    pub copied: u64,
    /// Bytes given back.
    pub freed: u64,
    /// Entries of deleted mail removed from the search index.
    pub index_entries: u64,
    /// Packs left as they are, as a record in them is damaged: run `verify`.
    pub damaged: Vec<u32>,
}

struct Pack {
    id: u32,
    ends: u64,
    live: u64,
}

/// Rewrites packs of which `PACK_DEAD_PERCENT` is dead; with `all`, every pack with anything dead, the current
/// one included. Entries of deleted mail go from the search index likewise. Other work goes on meanwhile.
///
/// # Errors
/// What the store says; what was done until then stands.
pub async fn compact(store: &LocalStore, all: bool) -> Result<Compacted, StoreError> {
    if all && current_has_dead(store).await? {
        store.submit(Vec::new(), Placing::NewPack, |_, _| Ok(())).await?;
    }
    let packs = store
        .ask(|reader| {
            reader.rows(
                "SELECT id, ends, live FROM packs WHERE id < (SELECT max(id) FROM packs) ORDER BY id",
                params![],
                |row| Ok(Pack { id: row.get(0)?, ends: unsigned(row.get(1)?), live: unsigned(row.get(2)?) }),
            )
        })
        .await?;
    let mut done = Compacted::default();
    for pack in packs {
        let dead = pack.ends.saturating_sub(PACK_HEAD_LEN).saturating_sub(pack.live);
        let share = if all { 0 } else { pack.ends.saturating_mul(PACK_DEAD_PERCENT).div_euclid(100).max(1) };
        if dead > 0 && dead >= share {
            rewrite(store, &pack, &mut done).await?;
        }
    }
    done.index_entries = store.index().sweep(all).await?;
    Ok(done)
}

/// Whether closing the current pack would let anything be given back.
async fn current_has_dead(store: &LocalStore) -> Result<bool, StoreError> {
    let head = int(PACK_HEAD_LEN);
    let last = store
        .ask(move |reader| {
            reader.row("SELECT ends - ?1 > live FROM packs ORDER BY id DESC LIMIT 1", params![head], |row| row.get(0))
        })
        .await?;
    Ok(last.unwrap_or(false))
}

/// One record still needed.
struct Live {
    id: BlobId,
    place: Place,
    size: u64,
    hash: [u8; 32],
}

async fn rewrite(store: &LocalStore, pack: &Pack, done: &mut Compacted) -> Result<(), StoreError> {
    let mut after = -1i64;
    loop {
        let id = pack.id;
        let live = store
            .ask(move |reader| {
                reader.rows(
                    "SELECT id, place, size, hash FROM blobs WHERE pack = ?1 AND place > ?2 ORDER BY place LIMIT 256",
                    params![id, after],
                    |row| {
                        Ok(Live {
                            id: BlobId(row.get(0)?),
                            place: Place { pack: id, offset: unsigned(row.get(1)?) },
                            size: unsigned(row.get(2)?),
                            hash: row.get(3)?,
                        })
                    },
                )
            })
            .await?;
        if live.is_empty() {
            break;
        }
        let mut piece = Vec::new();
        let mut bytes = 0u64;
        for record in live {
            if bytes > 0 && bytes.saturating_add(record.size) > PIECE {
                break;
            }
            after = int(record.place.offset);
            bytes = bytes.saturating_add(record.size);
            piece.push(record);
        }
        match copy(store, piece).await {
            Ok(()) => done.copied = done.copied.saturating_add(bytes),
            Err(StoreError::Damaged(_)) => {
                done.damaged.push(pack.id);
                return Ok(());
            }
            Err(other) => return Err(other),
        }
    }
    let id = pack.id;
    let forgotten = store
        .submit(Vec::new(), Placing::Once, move |tx, _| {
            tx.execute(
                "DELETE FROM packs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM blobs WHERE pack = ?1)",
                params![id],
            )
        })
        .await?;
    if forgotten == 1 {
        store.files().remove(id)?;
        done.packs = done.packs.saturating_add(1);
        done.freed = done.freed.saturating_add(pack.ends.saturating_sub(pack.live));
    }
    Ok(())
}

async fn copy(store: &LocalStore, piece: Vec<Live>) -> Result<(), StoreError> {
    let files = Arc::clone(store.files());
    let (piece, contents) = store
        .ask(move |_| {
            let mut contents = Vec::with_capacity(piece.len());
            for record in &piece {
                let damaged = || StoreError::Damaged(files.path(record.place.pack).display().to_string());
                let mut bytes = vec![0u8; usize::try_from(record.size).map_err(|_| damaged())?];
                files
                    .get(record.place.pack)?
                    .read_exact_at(&mut bytes, record.place.offset.saturating_add(HEADER_LEN))
                    .map_err(|_| damaged())?;
                let content = Content::new(Bytes::from(bytes), Bytes::new());
                if content.hash != record.hash {
                    return Err(damaged());
                }
                contents.push(content);
            }
            Ok((piece, contents))
        })
        .await?;
    store
        .submit(contents, Placing::Again, move |tx, placed| {
            piece.iter().zip(placed).try_for_each(|(record, placed)| tx.relocate(record.id, record.place, placed))
        })
        .await
}

/// Looks for packs to rewrite every ten minutes, until the server stops.
pub async fn compact_in_background(store: Arc<LocalStore>, events: Events, mut shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.fired() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        match compact(&store, false).await {
            Ok(done) if done.packs > 0 => events.emit(
                Event::info("store.compacted")
                    .with("packs", done.packs)
                    .with("freed", done.freed)
                    .with("copied", done.copied),
            ),
            Ok(done) if !done.damaged.is_empty() => events.emit(
                Event::alert("store.damaged")
                    .with("packs", format!("{:?}", done.damaged))
                    .with("do", "run `mailward store verify`"),
            ),
            Ok(_) => {}
            Err(StoreError::Closed) => return,
            Err(error) => events.emit(Event::warn("store.compact_failed").with("error", error)),
        }
    }
}
