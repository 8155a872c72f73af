//! Readers: a few threads, each with a connection of its own, so that no read waits for a commit.

use crate::api::{Pending, StoreError};
use crate::schema::open_reader;
use rusqlite::{Connection, OptionalExtension, Params, Row};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
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
    /// Several reads of one moment.
    pub(crate) fn moment<T>(&self, read: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.0.execute_batch("BEGIN")?;
        let value = read(self);
        self.0.execute_batch("COMMIT")?;
        value
    }
}

/// The pool. Threads end when it is dropped.
pub(crate) struct Readers(Mutex<Option<mpsc::Sender<Question>>>);

impl Readers {
    pub(crate) fn start(path: &Path, threads: usize) -> Result<Self, StoreError> {
        let (sender, questions) = mpsc::channel::<Question>();
        let questions = Arc::new(Mutex::new(questions));
        for number in 0..threads {
            let reader = Reader::open(path)?;
            let questions = Arc::clone(&questions);
            std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || {
                    loop {
                        let next = questions.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        match next {
                            Ok(question) => question(&reader),
                            Err(mpsc::RecvError) => return,
                        }
                    }
                })
                .map_err(|e| StoreError::Io("starting a thread".to_owned(), e))?;
        }
        Ok(Self(Mutex::new(Some(sender))))
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
        let sent = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.send(boxed).is_ok(),
            None => false,
        };
        Box::pin(
            async move { if sent { answer.await.map_err(|_| StoreError::Closed)? } else { Err(StoreError::Closed) } },
        )
    }

    /// Takes no more questions.
    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
