//! The committer: one thread that owns all writes.
//!
//! It takes every job that waits, appends all their messages to the current pack, applies all their changes in one
//! transaction with a savepoint each, commits once while the pack is synced, and only when both are done answers each. No timer:
//! batches grow by themselves under load, and a lone message waits for nobody.

use crate::api::StoreError;
use crate::departed::Departed;
use crate::fault::{Instant as Point, Witness};
use crate::index::Bell;
use crate::news::{News, Touched};
use crate::pack::writer::PackWriter;
use crate::records::Content;
use crate::recovery;
use crate::space::Space;
use crate::syncer::Syncer;
use crate::tx::{BlobIds, Placed, Tx, prove};
use mailward_core::Clock;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{BATCH_BYTES_MAX, BATCH_REQUESTS_MAX};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot};

/// What answers the caller once it is known whether the batch was committed.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Changes rows, or learns why it can't be tried. Keeps nothing if it fails.
type Apply = Box<dyn FnOnce(Result<(&mut Tx<'_>, &[Placed]), StoreError>) -> Applied + Send>;

/// What applying a job came to.
pub(crate) struct Applied {
    keep: bool,
    answer: Answer,
}

/// How a job's contents go into the packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placing {
    /// Each once: what the store has is not written again.
    Once,
    /// The same, and on stable storage before the commit: what the job takes away for them can't be had again.
    Before,
    /// Written again though they are stored: their pack is being rewritten.
    Again,
    /// A new pack is begun first.
    NewPack,
}

/// One request to the committer.
pub(crate) struct Job {
    contents: Vec<Content>,
    placing: Placing,
    apply: Apply,
}

impl Job {
    /// A job, and where its answer comes.
    pub(crate) fn new<T: Send + 'static>(
        contents: Vec<Content>,
        placing: Placing,
        work: impl FnOnce(&mut Tx<'_>, &[Placed]) -> Result<T, StoreError> + Send + 'static,
    ) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, receiver) = oneshot::channel();
        // A caller that went away has no use for the answer: its session ended, the change stands.
        let apply: Apply = Box::new(move |start| match start.and_then(|(tx, placed)| work(tx, placed)) {
            Ok(value) => {
                Applied { keep: true, answer: Box::new(move |committed| drop(reply.send(committed.map(|()| value)))) }
            }
            Err(error) => Applied { keep: false, answer: Box::new(move |_| drop(reply.send(Err(error)))) },
        });
        (Self { contents, placing, apply }, receiver)
    }

    fn bytes(&self) -> usize {
        self.contents.iter().map(|c| c.bytes.len()).fold(0, usize::saturating_add)
    }
}

/// The thread's belongings.
pub(crate) struct Committer {
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) connection: Connection,
    pub(crate) ids: BlobIds,
    pub(crate) pack: PackWriter,
    pub(crate) syncer: Syncer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) news: Arc<News>,
    pub(crate) index: Arc<Bell>,
    pub(crate) departed: Arc<Departed>,
    pub(crate) space: Arc<Space>,
    pub(crate) closed: Arc<AtomicBool>,
    pub(crate) events: Events,
    pub(crate) witness: Option<Arc<dyn Witness>>,
}

impl Committer {
    /// Runs until every sender is gone, or until stable storage can't be trusted any more.
    pub(crate) fn run(mut self) {
        let mut held: Option<Job> = None;
        while let Some(first) = held.take().or_else(|| self.jobs.blocking_recv()) {
            let mut bytes = first.bytes();
            let mut batch = vec![first];
            while batch.len() < BATCH_REQUESTS_MAX {
                let Ok(next) = self.jobs.try_recv() else { break };
                bytes = bytes.saturating_add(next.bytes());
                if bytes > BATCH_BYTES_MAX {
                    held = Some(next);
                    break;
                }
                batch.push(next);
            }
            if self.closed.load(Ordering::Acquire) {
                batch.into_iter().for_each(refuse);
                continue;
            }
            self.commit(batch);
        }
        // Nothing is unproven after a clean end.
        if !self.closed.load(Ordering::Acquire) && self.pack.sync().is_ok() {
            let _kept = prove(&self.connection, &self.pack).and_then(|()| recovery::end(&self.connection));
        }
        // A clean end leaves no log behind that the next start must replay.
        let _left = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn commit(&mut self, batch: Vec<Job>) {
        let before = (self.pack.pack(), self.pack.end());
        let mut contents = Vec::with_capacity(batch.len());
        let mut applies = VecDeque::with_capacity(batch.len());
        for job in batch {
            contents.push((job.contents, job.placing));
            applies.push_back(job.apply);
        }
        let mut answers = Vec::with_capacity(applies.len());
        let outcome = self.write(contents, before, &mut applies, &mut answers);
        self.space.forget();
        match outcome {
            Ok(touched) => {
                self.index.committed(self.ids.last(), &touched.contents);
                // News first: whoever is answered finds what it changed already told.
                self.news.tell(touched);
                answers.into_iter().for_each(|answer| answer(Ok(())));
            }
            Err(failure) => self.undo(failure, before, applies, answers),
        }
    }

    /// Does a batch up to its commit; takes from `applies` what it has applied. On an error nothing of it stands.
    fn write(
        &mut self,
        contents: Vec<(Vec<Content>, Placing)>,
        before: (u32, u64),
        applies: &mut VecDeque<Apply>,
        answers: &mut Vec<Answer>,
    ) -> Result<Touched, Failure> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut tx = Tx::new(&self.connection, &mut self.ids, self.clock.now());
        let mut places = Vec::with_capacity(contents.len());
        for (contents, placing) in &contents {
            places.push(tx.place(&mut self.pack, contents, *placing)?);
        }
        witness(&self.witness, Point::BeforePackSync);
        // Bytes of a message that is new may be synced beside the commit: if power goes between the two, its rows are
        // taken out again and nobody was told of it. Bytes that replace others must be safe before their rows say so.
        let replaces = contents.iter().any(|(_, placing)| matches!(placing, Placing::Before | Placing::Again));
        drop(contents);
        if let Some(file) = self.pack.written().map_err(stable)? {
            self.syncer.begin(file)?;
        }
        if replaces {
            self.syncer.finish().map_err(stable)?;
            witness(&self.witness, Point::AfterPackSync);
        }
        for placed in &places {
            let Some(apply) = applies.pop_front() else { break };
            answers.push(tx.savepoint(|tx| {
                let applied = apply(Ok((tx, placed)));
                (applied.keep, applied.answer)
            })?);
        }
        let touched = tx.finish(&mut self.pack, before)?;
        self.departed.going(&touched.contents.gone);
        witness(&self.witness, Point::BeforeCommit);
        self.connection.execute_batch("COMMIT").map_err(|error| {
            // A full disk is found before anything is synced; after any other failure the log's state is unknown.
            let full = matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
            Failure { error: error.into(), fatal: !full }
        })?;
        witness(&self.witness, Point::AfterCommit);
        if !replaces {
            self.syncer.finish().map_err(stable)?;
            witness(&self.witness, Point::AfterPackSync);
        }
        Ok(touched)
    }

    fn undo(&mut self, mut failure: Failure, before: (u32, u64), applies: VecDeque<Apply>, answers: Vec<Answer>) {
        // A sync that was begun is waited for, whatever else failed.
        failure.fatal |= self.syncer.finish().is_err();
        if !self.connection.is_autocommit() {
            let _undone = self.connection.execute_batch("ROLLBACK");
        }
        self.pack.rewind(before.0, before.1);
        self.events.emit(Event::alert("store.failed").with("error", &failure.error));
        if failure.fatal {
            // After a failed sync nobody knows what is on the disk: stop rather than guess.
            self.closed.store(true, Ordering::Release);
            self.events.emit(
                Event::alert("store.closed")
                    .with("reason", "a sync failed: check the disk, then restart; what was acknowledged is safe"),
            );
        }
        for answer in answers {
            answer(Err(copy_of(&failure.error)));
        }
        for apply in applies {
            (apply(Err(copy_of(&failure.error))).answer)(Ok(()));
        }
    }
}

struct Failure {
    error: StoreError,
    /// Whether stable storage can't be trusted any more.
    fatal: bool,
}

impl<E: Into<StoreError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), fatal: false }
    }
}

/// A failure of the pack: any but a full disk leaves it unknown what is on stable storage.
fn stable(error: StoreError) -> Failure {
    Failure { fatal: !matches!(error, StoreError::DiskFull), error }
}

fn witness(witness: &Option<Arc<dyn Witness>>, point: Point) {
    if let Some(witness) = witness {
        witness.at(point);
    }
}

fn refuse(job: Job) {
    ((job.apply)(Err(StoreError::Closed)).answer)(Ok(()));
}

fn copy_of(error: &StoreError) -> StoreError {
    match error {
        StoreError::DiskFull => StoreError::DiskFull,
        StoreError::Closed => StoreError::Closed,
        StoreError::OverQuota => StoreError::OverQuota,
        StoreError::Damaged(what) => StoreError::Damaged(what.clone()),
        other => StoreError::Database(other.to_string()),
    }
}
