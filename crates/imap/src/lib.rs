//! # imap: mail, read and sorted
//!
//! **For**: IMAP sessions, rev1 and rev2. One parser ([`parse`]), one reader of bytes ([`frame`]), the states of a session as
//! types, and a thin loop ([`serve`]) around them.
//!
//! **In**: bytes of a client, news of the store. **Out**: replies; changes to the store, told only once they are
//! durable.
//!
//! ```text
//! Wire ─► frame (bytes to whole commands, bounded) ─► parse (Command) ─► session (state, store) ─► respond ─► Wire
//! ```
//!
//! **Limits**: `core::limits::IMAP_*`, `WRITE_BUFFER_MAX`, `WRITE_TIME`, `AUTH_ATTEMPTS_MAX`,
//! `SESSIONS_PER_ACCOUNT_MAX`, `MESSAGE_BYTES_IN_FLIGHT_MAX`, `DATA_GRACE_TIME`, `DATA_IDLE_TIME`, `MIN_DATA_RATE`.
//! A literal is refused by its announced size before memory is given for it. A FETCH holds one write buffer and one page
//! of structures and bytes, no larger than that buffer, whatever it asks for; a client that doesn't read is cut off after
//! `WRITE_TIME`. What a client packs (COMPRESS) is unpacked no faster than it is read. SORT and THREAD hold a few hundred
//! bytes a message, counted against `IMAP_SORT_BYTES_MAX` and, all together, its sum.
//!
//! **Failure**: a command that can't be read gets `BAD` with its tag and changes nothing; a store that can't answer
//! gets `NO [UNAVAILABLE]` (or the code that fits), the session lives on. A message that can't be read to its end
//! while its literal is being sent ends the session: a client must not take half a message for a whole one. On a
//! stop every session gets `* BYE`.
//!
//! **Standards**: RFC 3501 (IMAP4rev1) and 9051 (IMAP4rev2) on one engine; the extensions are a table, [`capability`],
//! each with its standard and the test that shows it.

pub mod capability;
mod collate;
pub mod command;
pub mod frame;
mod glob;
pub mod mutf7;
pub mod parse;
mod respond;
mod seq;
mod serve;
mod session;
pub mod sort;
pub mod thread;

use arc_swap::ArcSwap;
use mailward_core::event::Events;
use mailward_core::limits::{
    IMAP_COMPRESSED_MAX, IMAP_SORT_BYTES_SUM_MAX, MESSAGE_BYTES_IN_FLIGHT_MAX, MESSAGE_SIZE_MAX,
};
use mailward_core::{Clock, Domain, Shutdown};
use mailward_directory::{Authenticator, Directory};
use mailward_gate::Gate;
use mailward_store::MailStore;
use mailward_tls::Acceptor;
use std::sync::Arc;
use tokio::sync::Semaphore;

pub use serve::serve;

/// What an administrator may move while sessions run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest message that APPEND takes, bytes; told as APPENDLIMIT.
    pub message_size: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { message_size: MESSAGE_SIZE_MAX }
    }
}

/// Everything a session needs of the house; one for all sessions.
pub struct Context {
    /// This host's name, for the greeting.
    pub hostname: Domain,
    /// Where mail is.
    pub store: Arc<dyn MailStore>,
    /// Who is who.
    pub directory: Arc<Directory>,
    /// Who may log in.
    pub auth: Arc<Authenticator>,
    /// For STARTTLS; without it nobody can log in on a plain connection.
    pub acceptor: Option<Acceptor>,
    /// How many may be logged in.
    pub gate: Arc<Gate>,
    /// Where events go.
    pub events: Events,
    /// The word to stop.
    pub shutdown: Shutdown,
    /// Read anew for each command.
    pub settings: Arc<ArcSwap<Settings>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Memory for messages on their way in.
    pub memory: AppendMemory,
    /// How many sessions may be compressed.
    pub compressed: CompressedSessions,
    /// Memory for what SORT and THREAD gather.
    pub sort_memory: SortMemory,
}

/// Places for sessions that use COMPRESS (`limits::IMAP_COMPRESSED_MAX`). A clone is the same one.
#[derive(Clone, Debug)]
pub struct CompressedSessions(Arc<Semaphore>);

impl Default for CompressedSessions {
    fn default() -> Self {
        Self::new(IMAP_COMPRESSED_MAX)
    }
}

impl CompressedSessions {
    /// So many places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }
}

/// Bytes that the messages of all APPENDs may hold together while they arrive
/// (`limits::MESSAGE_BYTES_IN_FLIGHT_MAX`). A clone is the same one.
#[derive(Clone, Debug)]
pub struct AppendMemory(Arc<Semaphore>);

impl Default for AppendMemory {
    fn default() -> Self {
        Self::new(MESSAGE_BYTES_IN_FLIGHT_MAX)
    }
}

impl AppendMemory {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }
}

/// Bytes that all SORTs and THREADs may hold together (`limits::IMAP_SORT_BYTES_SUM_MAX`), beyond the first ones that
/// each may take anyway. A clone is the same one.
#[derive(Clone, Debug)]
pub struct SortMemory(Arc<Semaphore>);

impl Default for SortMemory {
    fn default() -> Self {
        Self::new(IMAP_SORT_BYTES_SUM_MAX)
    }
}

impl SortMemory {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }
}
