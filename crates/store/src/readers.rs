//! Readers: a few threads, each with a connection of its own, so that no read waits for a commit.

use crate::api::{Pending, StoreError};
use crate::schema::open_reader;
use rusqlite::{Connection, OptionalExtension, Params, Row};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

type Question = Box<dyn FnOnce(&Reader) + Send>;

/// One thread's connection.
pub(crate) struct Reader(Connection);

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self(open_reader(path)?))
    }
    pub(crate) const fn connection(&self) -> &Connection {
        &self.0
    }
    pub(crate) fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.0.prepare_cached(sql)?.query_row(params, read).optional()?)
    }
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
    /// Row by row, for as long as `read` says so.
    pub(crate) fn each(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            if !read(row)? {
                break;
            }
        }
        Ok(())
    }
    /// Several reads of one moment; also cheaper than each by itself, which would lock and unlock the database's log.
    pub(crate) fn moment<T>(&self, read: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.0.prepare_cached("BEGIN")?.execute([])?;
        let value = read(self);
        self.0.prepare_cached("COMMIT")?.execute([])?;
        value
    }
}

/// Questions that nobody has taken yet; one thread is woken for each.
#[derive(Default)]
struct Asked {
    waiting: Mutex<Waiting>,
    came: Condvar,
}

#[derive(Default)]
struct Waiting {
    questions: VecDeque<Question>,
    /// No more are taken. Those that wait are answered.
    closed: bool,
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Waits for the next; `None` when there are none to come.
    fn next(&self) -> Option<Question> {
        let idle = |waiting: &mut Waiting| waiting.questions.is_empty() && !waiting.closed;
        let mut waiting = self.came.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        waiting.questions.pop_front()
    }
    /// Whether it will be answered.
    fn put(&self, question: Question) -> bool {
        let mut waiting = self.lock();
        if waiting.closed {
            return false;
        }
        waiting.questions.push_back(question);
        drop(waiting);
        self.came.notify_one();
        true
    }
    fn close(&self) {
        self.lock().closed = true;
        self.came.notify_all();
    }
}

/// The pool. Threads end when it is dropped.
pub(crate) struct Readers(Arc<Asked>);

impl Drop for Readers {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Readers {
    pub(crate) fn start(path: &Path, threads: usize) -> Result<Self, StoreError> {
        let asked = Arc::new(Asked::default());
        for number in 0..threads {
            let reader = Reader::open(path)?;
            let asked = Arc::clone(&asked);
            std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || {
                    while let Some(question) = asked.next() {
                        question(&reader);
                    }
                })
                .map_err(|e| StoreError::Io("starting a thread".to_owned(), e))?;
        }
        Ok(Self(asked))
    }

    /// Asks; the answer comes from one of the threads.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<'static, T> {
        let (reply, answer) = oneshot::channel();
        let boxed: Question = Box::new(move |reader| {
            if !reply.is_closed() {
                drop(reply.send(question(reader)));
            }
        });
        let sent = self.0.put(boxed);
        Box::pin(
            async move { if sent { answer.await.map_err(|_| StoreError::Closed)? } else { Err(StoreError::Closed) } },
        )
    }

    /// Takes no more questions.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}
