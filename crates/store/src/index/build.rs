//! The thread that makes the index: takes what was committed, a batch at a time, and never stands in mail's way.

use super::read::{BlobRow, Text, Texts, blobs};
use super::schema::{self, Identity, State};
use super::sweep::Sweep;
use super::{FILE, IndexError, Shared, Wiring, locked};
use crate::fault::{Instant as Point, Witness};
use crate::readers::Reader;
use crate::space::Space;
use mailward_core::BlobId;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    INDEX_BATCH_BLOBS, INDEX_BATCH_TEXT, INDEX_CALM, INDEX_READ_TRIES, INDEX_REST, INDEX_RETRY_TIME,
};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pause before a message is read again that couldn't be.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// The thread's belongings.
pub(super) struct Builder {
    path: PathBuf,
    database: PathBuf,
    identity: Identity,
    shared: Arc<Shared>,
    space: Arc<Space>,
    events: Events,
    checkpoint_pages: u32,
    witness: Option<Arc<dyn Witness>>,
    index: Option<Connection>,
    mail: Option<Reader>,
    texts: Texts,
    sweep: Option<Sweep>,
    /// What is listed as unindexed is tried again once, from this id on.
    retry_after: Option<i64>,
    /// When an index was last made in the place of a damaged one.
    made_anew: Option<Instant>,
    /// Whether the log knows that indexing stands still.
    told: bool,
}

impl Builder {
    pub(super) fn new(
        dir: &Path,
        identity: Identity,
        index: Option<Connection>,
        shared: Arc<Shared>,
        wiring: Wiring,
    ) -> Self {
        let Wiring { files, space, events, checkpoint_pages, witness } = wiring;
        Self {
            path: dir.join(FILE),
            database: dir.join("mailward.db"),
            identity,
            shared,
            space,
            events,
            checkpoint_pages,
            witness,
            index,
            mail: None,
            texts: Texts::new(files),
            sweep: None,
            retry_after: Some(0),
            made_anew: None,
            told: false,
        }
    }

    /// Works until it is stopped.
    pub(super) fn run(mut self) {
        // Linux gives every thread a niceness of its own. Where it may not have another, it has that of the others.
        let _as_it_is = rustix::process::nice(19);
        let shared = Arc::clone(&self.shared);
        shared.bell.attend();
        if let Some(index) = &self.index {
            // With SQLite's own number it works as well.
            let _tuned = self.tune(index);
        }
        let mut commits = shared.bell.commits();
        let mut last_commit = Instant::now();
        while !shared.bell.is_stopped() {
            let started = Instant::now();
            match self.step() {
                Ok(true) => {
                    let now = shared.bell.commits();
                    if commits != now {
                        (commits, last_commit) = (now, Instant::now());
                    }
                    if last_commit.elapsed() < INDEX_CALM {
                        shared.bell.rest(started.elapsed().saturating_mul(INDEX_REST));
                    }
                }
                Ok(false) => {
                    self.let_go();
                    shared.bell.wait(|| self.is_needed());
                }
                Err(error) => self.recover(&error),
            }
        }
        self.end();
    }

    /// Holds no more than it must while there is nothing to do.
    fn let_go(&mut self) {
        self.texts.let_go();
        for connection in self.index.iter().chain(self.mail.as_ref().map(Reader::connection)) {
            // It costs the next message some reads.
            let _held = connection.execute_batch("PRAGMA shrink_memory");
        }
    }

    fn is_needed(&self) -> bool {
        self.shared.bell.newest() > *self.shared.upto.borrow()
            || !locked(&self.shared.requests).is_empty()
            || locked(&self.shared.met).is_some()
    }

    /// Does a little of what there is to do; `false` if there is nothing.
    fn step(&mut self) -> Result<bool, IndexError> {
        if let Some(error) = locked(&self.shared.met).take() {
            return Err(error);
        }
        let index = match self.index.take() {
            Some(index) => index,
            None => self.open()?,
        };
        let worked = self.work(&index);
        self.index = Some(index);
        worked
    }

    fn work(&mut self, index: &Connection) -> Result<bool, IndexError> {
        let mail = match self.mail.take() {
            Some(mail) => mail,
            None => Reader::open(&self.database)?,
        };
        let worked = self.work_with(index, &mail);
        self.mail = Some(mail);
        worked
    }

    fn work_with(&mut self, index: &Connection, mail: &Reader) -> Result<bool, IndexError> {
        if Sweep::step(&mut self.sweep, index, mail, self.identity, &self.shared)? {
            return Ok(true);
        }
        if self.shared.bell.newest() > *self.shared.upto.borrow() {
            self.batch(index, mail)?;
            return Ok(true);
        }
        self.retry(index, mail)
    }

    /// An index to go on with: the one that is there, or a new one in its place.
    fn open(&mut self) -> Result<Connection, IndexError> {
        let (index, state) = match schema::open(&self.path, self.identity) {
            Ok(opened) => opened,
            Err(error @ (IndexError::Damaged(_) | IndexError::Foreign)) => return Err(error),
            Err(_) if !self.path.exists() => (schema::create(&self.path, self.identity)?, State::default()),
            Err(error) => return Err(error),
        };
        self.tune(&index)?;
        self.shared.upto.send_replace(BlobId(state.upto));
        self.shared.let_ask(Some(&self.path))?;
        self.retry_after = Some(0);
        Ok(index)
    }

    fn tune(&self, index: &Connection) -> Result<(), IndexError> {
        Ok(index.pragma_update(None, "wal_autocheckpoint", self.checkpoint_pages)?)
    }

    /// Indexes what comes next.
    fn batch(&mut self, index: &Connection, mail: &Reader) -> Result<(), IndexError> {
        // What is left for mail isn't taken by its index.
        self.space.admit(INDEX_BATCH_TEXT as u64)?;
        // Whatever is committed up to here is seen by the question that follows.
        let newest = self.shared.bell.newest();
        let write = begin(index)?;
        let mut state = schema::state(&write, self.identity)?;
        self.forget(&write, &mut state)?;
        let rows = blobs(mail, state.upto.saturating_add(1), newest.0, INDEX_BATCH_BLOBS)?;
        let mut all = rows.len() < INDEX_BATCH_BLOBS;
        let mut length = 0usize;
        for row in &rows {
            if self.shared.bell.is_stopped() || length >= INDEX_BATCH_TEXT {
                all = false;
                break;
            }
            state.upto = row.id;
            if self.shared.bell.owed().contains(BlobId(row.id)) {
                list(&write, row)?;
                continue;
            }
            match self.text(mail, row) {
                Ok(Text::Of(text)) => {
                    length = length.saturating_add(text.len());
                    enter(&write, &mut state, row, &text)?;
                }
                Ok(Text::Gone) => {}
                Ok(Text::TooMuch) | Err(_) => list(&write, row)?,
            }
        }
        if all {
            state.upto = state.upto.max(newest.0);
        }
        state.gone = state.gone.saturating_add(i64::try_from(self.shared.bell.take_gone()).unwrap_or(i64::MAX));
        keep(&write, &state)?;
        self.witness(Point::BeforeIndexCommit);
        write.commit()?;
        self.witness(Point::AfterIndexCommit);
        self.shared.upto.send_replace(BlobId(state.upto));
        self.told = false;
        Ok(())
    }

    /// Takes contents off the list that were only in the queue and went. One that went between the moment its row was
    /// read and the one it was looked for may have an entry instead.
    fn forget(&self, write: &Transaction<'_>, state: &mut State) -> Result<(), IndexError> {
        for blob in self.shared.bell.owed().take_left() {
            if blob.0 <= state.upto && unlist(write, blob.0)? == 0 {
                state.gone = state.gone.saturating_add(1);
            }
        }
        Ok(())
    }

    fn witness(&self, point: Point) {
        if let Some(witness) = &self.witness {
            witness.at(point);
        }
    }

    /// A message's text; one that can't be read is tried some times more.
    fn text(&mut self, mail: &Reader, row: &BlobRow) -> Result<Text, Error> {
        let mut tries = 1;
        loop {
            let error = match self.texts.of(mail, row) {
                Ok(text) => return Ok(text),
                Err(error) => error,
            };
            // What ends early stays so.
            if error.kind() == ErrorKind::UnexpectedEof || tries >= INDEX_READ_TRIES || self.shared.bell.is_stopped() {
                self.events.emit(
                    Event::warn("index.unread")
                        .with("content", row.id)
                        .with("error", &error)
                        .with("do", "run `mailward store verify`"),
                );
                return Err(error);
            }
            tries = tries.saturating_add(1);
            self.texts.let_go();
            self.shared.bell.rest(READ_PAUSE);
        }
    }

    /// Tries again what is listed as unindexed, one at a time; `false` once all were tried.
    fn retry(&mut self, index: &Connection, mail: &Reader) -> Result<bool, IndexError> {
        let Some(after) = self.retry_after else { return Ok(false) };
        let write = begin(index)?;
        let mut state = schema::state(&write, self.identity)?;
        let next: Option<i64> = write
            .prepare_cached("SELECT min(blob) FROM unindexed WHERE blob > ?1")?
            .query_row(params![after], |row| row.get(0))?;
        self.retry_after = next;
        let Some(next) = next else { return Ok(false) };
        if self.shared.bell.owed().contains(BlobId(next)) {
            return Ok(true);
        }
        let row = blobs(mail, next, next, 1)?.into_iter().next();
        let text = row.as_ref().map_or(Ok(Text::Gone), |row| self.texts.of(mail, row));
        match (&row, text) {
            (Some(row), Ok(Text::Of(text))) => {
                enter(&write, &mut state, row, &text)?;
                unlist(&write, next)?;
            }
            (None, _) | (_, Ok(Text::Gone)) => {
                unlist(&write, next)?;
            }
            _ => {}
        }
        keep(&write, &state)?;
        write.commit()?;
        Ok(true)
    }

    /// After an error: says so once, and comes back later. A damaged index is made anew.
    fn recover(&mut self, error: &IndexError) {
        self.index = None;
        self.mail = None;
        self.sweep = None;
        locked(&self.shared.requests).clear();
        match error {
            IndexError::Damaged(_) | IndexError::Foreign => {
                let _none = self.shared.let_ask(None);
                self.events.emit(
                    Event::alert("index.damaged")
                        .with("file", self.path.display())
                        .with("error", error)
                        .with("why", "it is made anew, searches read every message meanwhile")
                        .with("do", "check the disk if it happens again"),
                );
                if self.made_anew.is_some_and(|at| at.elapsed() < INDEX_RETRY_TIME) {
                    self.shared.bell.rest(INDEX_RETRY_TIME);
                }
                self.made_anew = Some(Instant::now());
                self.shared.upto.send_replace(BlobId(0));
                // Without the files, the next step makes new ones.
                if let Err(error) = schema::remove(&self.path) {
                    self.pause("index.failed", &error);
                }
            }
            IndexError::Full => self.pause("index.paused", error),
            IndexError::Other(_) => self.pause("index.failed", error),
        }
    }

    fn pause(&mut self, name: &'static str, error: &IndexError) {
        if !std::mem::replace(&mut self.told, true) {
            self.events.emit(
                Event::warn(name)
                    .with("error", error)
                    .with("why", "searches read every message that isn't indexed; indexing is tried again"),
            );
        }
        self.shared.bell.rest(INDEX_RETRY_TIME);
    }

    /// Leaves one file behind, with what went counted in it.
    fn end(self) {
        let Some(index) = self.index else { return };
        let gone = i64::try_from(self.shared.bell.take_gone()).unwrap_or(i64::MAX);
        if gone > 0 {
            let _kept = index.execute("UPDATE state SET gone = gone + ?1", params![gone]);
        }
        let _left = index.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

/// A transaction that writes: what it reads first nobody changes.
pub(super) fn begin(index: &Connection) -> Result<Transaction<'_>, IndexError> {
    Ok(Transaction::new_unchecked(index, TransactionBehavior::Immediate)?)
}

fn enter(write: &Transaction<'_>, state: &mut State, row: &BlobRow, text: &str) -> Result<(), IndexError> {
    write.prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?.execute(params![row.id, text])?;
    state.entries = state.entries.saturating_add(1);
    Ok(())
}

fn list(write: &Transaction<'_>, row: &BlobRow) -> Result<(), IndexError> {
    write.prepare_cached("INSERT OR IGNORE INTO unindexed (blob) VALUES (?1)")?.execute(params![row.id])?;
    Ok(())
}

/// Answers how many were on the list.
fn unlist(write: &Transaction<'_>, blob: i64) -> Result<usize, IndexError> {
    Ok(write.prepare_cached("DELETE FROM unindexed WHERE blob = ?1")?.execute(params![blob])?)
}

pub(super) fn keep(write: &Transaction<'_>, state: &State) -> Result<(), IndexError> {
    write.prepare_cached("UPDATE state SET upto = ?1, entries = ?2, gone = ?3")?.execute(params![
        state.upto,
        state.entries,
        state.gone
    ])?;
    Ok(())
}
