//! Removing entries of blobs that are gone. They do no harm: no message shows them. They take space.

use super::build::{begin, keep};
use super::schema::{self, Identity};
use super::{IndexError, Shared, locked};
use crate::readers::Reader;
use crate::tx::int;
use mailward_core::limits::{INDEX_GONE_PERCENT, INDEX_MERGE_PAGES, INDEX_SWEEP_ROWS};
use rusqlite::{Connection, params};
use std::collections::HashSet;
use tokio::sync::oneshot;

/// Somebody wants it done.
pub(super) struct Request {
    /// However few they are, and the space given back at once.
    pub(super) all: bool,
    /// Told how many were removed.
    pub(super) told: oneshot::Sender<u64>,
}

/// A sweep under way.
pub(super) struct Sweep {
    /// Entries up to here were looked at.
    after: i64,
    removed: u64,
    stage: Stage,
    requests: Vec<Request>,
}

enum Stage {
    Entries,
    /// What FTS5 has only marked as removed goes as its parts are merged; `true`: they were put in a row for it.
    Merging(bool),
}

/// Entries of a page.
const ENTRIES: &str = "SELECT rowid FROM words WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";

impl Sweep {
    /// Begins a sweep if one is wanted, or goes on with it; `false` if there is nothing to do.
    pub(super) fn step(
        sweep: &mut Option<Self>,
        index: &Connection,
        mail: &Reader,
        identity: Identity,
        shared: &Shared,
    ) -> Result<bool, IndexError> {
        let mut current = match sweep.take() {
            Some(current) => current,
            None => match Self::begin(index, identity, shared)? {
                Some(begun) => begun,
                None => return Ok(false),
            },
        };
        let ended = match current.stage {
            Stage::Entries => current.page(index, mail, identity)?,
            Stage::Merging(in_row) => current.merge(index, in_row)?,
        };
        if ended {
            for request in current.requests {
                // Who asked may have gone away.
                let _nobody = request.told.send(current.removed);
            }
        } else {
            *sweep = Some(current);
        }
        Ok(true)
    }

    fn begin(index: &Connection, identity: Identity, shared: &Shared) -> Result<Option<Self>, IndexError> {
        let requests = std::mem::take(&mut *locked(&shared.requests));
        if requests.is_empty() {
            return Ok(None);
        }
        let write = begin(index)?;
        let mut state = schema::state(&write, identity)?;
        state.gone = state.gone.saturating_add(i64::try_from(shared.bell.take_gone()).unwrap_or(i64::MAX));
        keep(&write, &state)?;
        write.commit()?;
        let share = state.entries.saturating_mul(INDEX_GONE_PERCENT).div_euclid(100);
        let many = state.gone > 0 && state.gone >= share;
        if !many && !requests.iter().any(|request| request.all) {
            // Their senders are dropped: nothing was removed.
            return Ok(None);
        }
        Ok(Some(Self { after: 0, removed: 0, stage: Stage::Entries, requests }))
    }

    /// Looks at a page of entries; `true` once it was the last and there is nothing to merge.
    fn page(&mut self, index: &Connection, mail: &Reader, identity: Identity) -> Result<bool, IndexError> {
        let write = begin(index)?;
        let entries: Vec<i64> = write
            .prepare_cached(ENTRIES)?
            .query_map(params![self.after, int(INDEX_SWEEP_ROWS as u64)], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            drop(write);
            return self.finish(index, mail, identity);
        };
        self.after = *last;
        let live = "SELECT id FROM blobs WHERE id BETWEEN ?1 AND ?2";
        let live: HashSet<i64> = mail.rows(live, params![first, last], |row| row.get(0))?.into_iter().collect();
        let mut state = schema::state(&write, identity)?;
        let before = self.removed;
        for blob in entries.into_iter().filter(|blob| !live.contains(blob)) {
            write.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute(params![blob])?;
            self.removed = self.removed.saturating_add(1);
        }
        state.entries = state.entries.saturating_sub(int(self.removed.saturating_sub(before)));
        keep(&write, &state)?;
        write.commit()?;
        Ok(false)
    }

    /// After the last page: the list of what isn't indexed, and the count.
    fn finish(&mut self, index: &Connection, mail: &Reader, identity: Identity) -> Result<bool, IndexError> {
        let write = begin(index)?;
        let listed: Vec<i64> = write
            .prepare_cached("SELECT blob FROM unindexed")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for blob in listed {
            if mail.row("SELECT 1 FROM blobs WHERE id = ?1", params![blob], |_| Ok(()))?.is_none() {
                write.prepare_cached("DELETE FROM unindexed WHERE blob = ?1")?.execute(params![blob])?;
            }
        }
        let mut state = schema::state(&write, identity)?;
        state.gone = 0;
        keep(&write, &state)?;
        write.commit()?;
        self.stage = Stage::Merging(false);
        Ok(self.removed == 0 || !self.requests.iter().any(|request| request.all))
    }

    /// Merges some pages; `true` once there are none.
    fn merge(&mut self, index: &Connection, in_row: bool) -> Result<bool, IndexError> {
        let pages = if in_row { INDEX_MERGE_PAGES } else { INDEX_MERGE_PAGES.saturating_neg() };
        let before = index.total_changes();
        index.prepare_cached("INSERT INTO words (words, rank) VALUES ('merge', ?1)")?.execute(params![pages])?;
        self.stage = Stage::Merging(true);
        // The command counts as one change itself.
        let merged = index.total_changes().saturating_sub(before) >= 2;
        if !merged && in_row {
            index.execute_batch("PRAGMA incremental_vacuum")?;
            return Ok(true);
        }
        Ok(false)
    }
}
