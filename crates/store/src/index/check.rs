//! Whether the index's claims are true, and how big it is. May run beside a server.

use super::read::{Text, Texts, blobs};
use super::schema::{self, identity};
use super::{FILE, IndexError, ask, files_of};
use crate::api::StoreError;
use crate::pack::content::{CONTENTS, ContentRow};
use crate::pack::files::PackFiles;
use crate::readers::Reader;
use crate::tx::unsigned;
use mailward_core::limits::{INDEX_SWEEP_ROWS, INDEX_VERIFY_SAMPLE};
use rusqlite::{Connection, params};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// How much is indexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Contents that have an entry.
    pub(crate) entries: u64,
    /// Contents that wait for theirs.
    pub(crate) waiting: u64,
    /// Contents that have none, and are read by every search.
    pub(crate) unindexed: u64,
    /// Size on the disk.
    pub(crate) bytes: u64,
}

/// Measures. Without an index that is believed every content waits.
pub(crate) fn measure(dir: &Path, mail: &Reader) -> Result<Measured, StoreError> {
    let path = dir.join(FILE);
    let bytes = files_of(&path).iter().filter_map(|file| std::fs::metadata(file).ok()).map(|m| m.len()).sum();
    let mut measured = Measured { bytes, ..Measured::default() };
    let mut upto = 0i64;
    if let Some((index, state)) = opened(&path, mail) {
        upto = state.upto;
        measured.entries = unsigned(state.entries);
        let count = index.query_row("SELECT count(*) FROM unindexed", [], |row| row.get(0));
        measured.unindexed = count.map_or(0, unsigned);
    }
    let waiting = mail.row("SELECT count(*) FROM blobs WHERE id > ?1", params![upto], |row| row.get(0))?;
    measured.waiting = unsigned(waiting.unwrap_or(0));
    Ok(measured)
}

/// Looks at the index as it is at one moment, which must be before that of `mail`'s: what was gone then has no entry
/// now.
fn opened(path: &Path, mail: &Reader) -> Option<(Connection, schema::State)> {
    let identity = identity(mail.connection()).ok()??;
    let index = crate::schema::open_reader(path).ok()?;
    let state = schema::state(&index, identity).ok()?;
    Some((index, state))
}

/// What is wrong with an index's claims: each with its place.
pub(crate) struct Claims(Option<(Connection, schema::State)>);

/// Takes down what an index claims. Ask before the moment of the database that it is compared with. An index that isn't
/// there, or wouldn't be believed, claims nothing.
pub(crate) fn claims(dir: &Path, mail: &Reader) -> Claims {
    let path = dir.join(FILE);
    let opened = opened(&path, mail).filter(|(index, _)| index.execute_batch("BEGIN").is_ok());
    let Some((index, _)) = opened else { return Claims(None) };
    let state = identity(mail.connection()).ok().flatten().and_then(|identity| schema::state(&index, identity).ok());
    Claims(state.map(|state| (index, state)))
}

impl Claims {
    /// Whether every content is where the index says, and whether entries have all of their text: all entries of a small
    /// store, of a large one some all over it. Calls `wrong` with what and where.
    pub(crate) fn check(&self, mail: &Reader, files: &Arc<PackFiles>, mut wrong: impl FnMut(String, String)) {
        let Some((index, state)) = &self.0 else { return };
        let found = structure(index, &mut wrong).and_then(|()| {
            covers(index, state, mail, &mut wrong)?;
            entries(index, state, mail, files, &mut wrong)
        });
        if let Err(error) = found {
            wrong(error.to_string(), FILE.to_owned());
        }
    }
}

fn structure(index: &Connection, wrong: &mut impl FnMut(String, String)) -> Result<(), IndexError> {
    let mut statement = index.prepare("PRAGMA integrity_check(100)")?;
    let said = statement.query_map([], |row| row.get::<_, String>(0))?;
    for line in said {
        let line = line?;
        if line != "ok" {
            wrong(line, FILE.to_owned());
        }
    }
    Ok(())
}

/// Ids of a page of a table, ascending.
fn page(index: &Connection, sql: &str, first: i64, last: i64) -> Result<HashSet<i64>, IndexError> {
    let mut statement = index.prepare_cached(sql)?;
    let ids = statement.query_map(params![first, last], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

fn covers(
    index: &Connection,
    state: &schema::State,
    mail: &Reader,
    wrong: &mut impl FnMut(String, String),
) -> Result<(), IndexError> {
    let mut after = 0i64;
    let limit = i64::try_from(INDEX_SWEEP_ROWS).unwrap_or(i64::MAX);
    loop {
        let blobs: Vec<i64> = mail.rows(
            "SELECT id FROM blobs WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
            params![after, state.upto, limit],
            |row| row.get(0),
        )?;
        let (Some(first), Some(last)) = (blobs.first(), blobs.last()) else { return Ok(()) };
        after = *last;
        let mut known = page(index, "SELECT rowid FROM words WHERE rowid BETWEEN ?1 AND ?2", *first, *last)?;
        known.extend(page(index, "SELECT blob FROM unindexed WHERE blob BETWEEN ?1 AND ?2", *first, *last)?);
        for blob in blobs.iter().filter(|blob| !known.contains(blob)) {
            wrong("the search index claims a content that it doesn't have".to_owned(), format!("content {blob}"));
        }
    }
}

fn entries(
    index: &Connection,
    state: &schema::State,
    mail: &Reader,
    files: &Arc<PackFiles>,
    wrong: &mut impl FnMut(String, String),
) -> Result<(), IndexError> {
    let mut texts = Texts::new(Arc::clone(files));
    let step = state.upto.checked_div(INDEX_VERIFY_SAMPLE).unwrap_or(0).max(1);
    let mut at = 0i64;
    let sql = "SELECT min(rowid) FROM (SELECT rowid FROM words WHERE rowid >= ?1 ORDER BY rowid LIMIT 1)";
    while let Some(blob) = index.prepare_cached(sql)?.query_row(params![at], |row| row.get::<_, Option<i64>>(0))? {
        at = blob.saturating_add(step);
        // A message whose bytes have changed is told of by whoever reads all of them.
        let content = mail.row(CONTENTS, params![blob.saturating_sub(1), 1], ContentRow::read)?;
        if content.is_none_or(|content| content.id != blob || content.check(files).is_err()) {
            continue;
        }
        let row = blobs(mail, blob, blob, 1)?.into_iter().next();
        let Some(Ok(Text::Of(text))) = row.map(|row| texts.of(mail, &row)) else { continue };
        for query in ask::queries(&text) {
            let found = index
                .prepare_cached("SELECT count(*) FROM words WHERE words MATCH ?1 AND rowid = ?2")?
                .query_row(params![query, blob], |row| row.get::<_, i64>(0))?;
            if found == 0 {
                wrong("the search index lacks text of a content".to_owned(), format!("content {blob}"));
                break;
            }
        }
    }
    Ok(())
}
