//! The search index: which messages can hold a text, so that SEARCH reads only those.
//!
//! **For**: [`MailStore::find_text`](crate::MailStore::find_text). `index.db`, beside `mailward.db`, has for every
//! message its searchable text (`mailward_message::decode::searchable`) cut into trigrams, and for every trigram the
//! messages that have it (SQLite's FTS5, without the text itself).
//!
//! **In**: blobs, taken from the store by a thread of its own after their commit, in the order of their ids. **Out**:
//! candidates; whoever asks decodes them and looks.
//!
//! **Never wrong**: the index claims nothing but that every blob up to a certain id is in it, those apart that it lists
//! as unindexed. What it doesn't claim is a candidate. Its claims can't become false, as a blob never changes and its id
//! is never given again ([`crate::tx::BlobIds`]): ids go on after the highest that the index knows of, and where the index
//! can't say up to where that is, its id in `mailward.db` is changed, so that it is never believed again.
//!
//! **Durability**: entries and claim are written in one transaction that isn't synced: after a power cut the index may be
//! an older one, which claims less. It may be deleted at any time, and is made anew.
//!
//! **Limits**: `limits::{INDEX_*, SEARCH_FOLDED_MAX}`. While mail is committed the thread rests [`INDEX_REST`] times as
//! long as it works, and always has the lowest priority.
//!
//! **Failure**: nothing fails but the index, and the log says so: searches then read every message. A damaged index is
//! made anew, a full disk waited out.
//!
//! [`INDEX_REST`]: mailward_core::limits::INDEX_REST

mod ask;
mod bell;
mod build;
mod check;
mod owed;
mod read;
mod schema;
mod sweep;

pub(crate) use bell::Bell;
pub(crate) use check::{Measured, claims, measure};
pub(crate) use schema::forget;

use crate::api::{Pending, StoreError};
use crate::fault::Witness;
use crate::pack::files::PackFiles;
use crate::readers::Readers;
use crate::space::Space;
use build::Builder;
use mailward_core::BlobId;
use mailward_core::event::Events;
use mailward_core::limits::INDEX_READERS;
use rusqlite::Connection;
use schema::Identity;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use sweep::Request;
use tokio::sync::{oneshot, watch};

/// Its file in the store's directory.
pub(crate) const FILE: &str = "index.db";

/// What can be the matter with the index.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    /// Bytes on disk are not what was written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Of another store, of this one at another time, or of another version.
    #[error("it was not made from this store's messages as they are, or by another version")]
    Foreign,
    /// No room for it.
    #[error("the disk is nearly full")]
    Full,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<StoreError> for IndexError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::Full,
            other => Self::Other(other.to_string()),
        }
    }
}

/// What the store and the thread share.
struct Shared {
    bell: Arc<Bell>,
    identity: Option<Identity>,
    /// Who answers questions; nobody while there is no index to ask.
    readers: Mutex<Option<Arc<Readers>>>,
    /// What a reader met that the thread should look after.
    met: Mutex<Option<IndexError>>,
    requests: Mutex<Vec<Request>>,
    /// Every blob up to here is indexed or listed.
    upto: watch::Sender<BlobId>,
}

impl Shared {
    /// Lets questions be asked, or not.
    fn let_ask(&self, path: Option<&Path>) -> Result<(), StoreError> {
        let readers = path.map(|path| Readers::start(path, INDEX_READERS)).transpose()?;
        *locked(&self.readers) = readers.map(Arc::new);
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The index of an open store.
pub(crate) struct Index {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What was there when the store was opened.
pub(crate) struct Found {
    identity: Option<Identity>,
    connection: Option<Connection>,
    /// The highest blob id it knows of.
    pub(crate) upto: BlobId,
}

/// What of the store the thread uses.
pub(crate) struct Wiring {
    pub(crate) files: Arc<PackFiles>,
    pub(crate) space: Arc<Space>,
    pub(crate) events: Events,
    pub(crate) checkpoint_pages: u32,
    pub(crate) witness: Option<Arc<dyn Witness>>,
}

/// Looks what index there is, before the store gives any blob id. `wanted`: whether it will be used.
pub(crate) fn find(mail: &Connection, dir: &Path, wanted: bool, events: &Events) -> Result<Found, StoreError> {
    schema::find(mail, &dir.join(FILE), wanted, events)
}

impl Index {
    /// Starts the thread if the index is wanted.
    pub(crate) fn start(dir: &Path, found: Found, bell: Arc<Bell>, wiring: Wiring) -> Result<Self, StoreError> {
        let Found { identity, connection, upto } = found;
        let shared = Arc::new(Shared {
            bell,
            identity,
            readers: Mutex::default(),
            met: Mutex::default(),
            requests: Mutex::default(),
            upto: watch::Sender::new(upto),
        });
        if connection.is_some()
            && let Err(error) = shared.let_ask(Some(&dir.join(FILE)))
        {
            *locked(&shared.met) = Some(error.into());
        }
        let thread = identity.map(|identity| {
            let builder = Builder::new(dir, identity, connection, Arc::clone(&shared), wiring);
            std::thread::Builder::new()
                .name("store-index".to_owned())
                .spawn(move || builder.run())
                .map_err(|e| StoreError::Io("starting a thread".to_owned(), e))
        });
        Ok(Self { shared, thread: Mutex::new(thread.transpose()?) })
    }

    /// Those of the blobs that may hold a folded text, ascending; `None` if the index can't tell.
    pub(crate) fn find(&self, needle: String, among: Vec<BlobId>) -> Pending<'static, Option<Vec<BlobId>>> {
        let readers = locked(&self.shared.readers).clone();
        let (Some(readers), Some(identity), Some(query)) = (readers, self.shared.identity, ask::query(&needle)) else {
            return Box::pin(async { Ok(None) });
        };
        let shared = Arc::clone(&self.shared);
        let answer = readers.ask(move |reader| {
            Ok(ask::holders(reader, identity, &query, among).unwrap_or_else(|error| {
                // A search goes on without it.
                *locked(&shared.met) = Some(error);
                shared.bell.ring();
                None
            }))
        });
        // Taken from under the question, it is no help.
        Box::pin(async move { Ok(answer.await.unwrap_or(None)) })
    }

    /// Comes when every blob of now is indexed or listed; at once without an index.
    pub(crate) fn caught_up(&self) -> Pending<'static, ()> {
        let newest = self.shared.bell.newest();
        let mut upto = self.shared.upto.subscribe();
        let runs = locked(&self.thread).is_some();
        Box::pin(async move {
            if runs {
                upto.wait_for(|upto| *upto >= newest).await.map_err(|_| StoreError::Closed)?;
            }
            Ok(())
        })
    }

    /// Removes entries of blobs that are gone, if they are many, or `all`; answers how many once it is done.
    pub(crate) fn sweep(&self, all: bool) -> Pending<'static, u64> {
        let (told, removed) = oneshot::channel();
        if locked(&self.thread).is_some() {
            locked(&self.shared.requests).push(Request { all, told });
            self.shared.bell.ring();
        }
        // Without a thread, or if it can't, nothing was removed.
        Box::pin(async move { Ok(removed.await.unwrap_or(0)) })
    }

    /// Ends the thread.
    pub(crate) async fn close(&self) {
        self.end();
        let thread = locked(&self.thread).take();
        if let Some(thread) = thread {
            // One that panicked has left an older index behind.
            let _ended = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn end(&self) {
        self.shared.bell.stop();
        locked(&self.shared.readers).take();
        locked(&self.shared.requests).clear();
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.end();
    }
}

/// The files of an index.
fn files_of(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| PathBuf::from(format!("{}{suffix}", path.display())))
}
