//! # bench: load and yardsticks
//!
//! **For**: measuring. [`smtp_in`] sends messages to any SMTP or LMTP server and times the answers; [`imap`] and
//! [`pop3`] read from any server that speaks these, [`idle`] holds connections open; [`disk`] asks the disk what it can
//! do at all; [`mailbox`] asks the store what one more message costs in a large mailbox, [`gate`] the rate guard what a
//! decision does however many sources it remembers. [`corpus`] makes up the mail.
//!
//! **In**: options. **Out**: a report, for people or as JSON. Nothing here is part of the server.
//!
//! **Limits**: sessions and messages are what the options say; every wait of the load program has a time limit.
//!
//! **Failure**: a message that wasn't answered with 250 is counted and named, and makes the exit code non-zero. A reader
//! whose answer isn't whole ends there: half an answer is not a fast one.

pub(crate) mod corpus;
pub(crate) mod disk;
pub(crate) mod fill;
pub(crate) mod gate;
pub(crate) mod idle;
pub(crate) mod imap;
pub(crate) mod mailbox;
pub(crate) mod pop3;
pub(crate) mod smtp_in;
mod store;
mod timing;
pub(crate) mod wire;

use std::path::PathBuf;

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// An option makes no sense.
    #[error("{0}")]
    Option(String),
    /// The server's name has no address.
    #[error("{host}: {source}")]
    Resolve {
        /// As it was given.
        host: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// The disk to be measured refused.
    #[error("{path}: {source}")]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The store to be measured refused.
    #[error("store: {0}")]
    Store(#[from] mailward_store::StoreError),
    /// The runtime could not be started.
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
    /// The connection could not be made, or broke.
    #[error("{doing}: {source}")]
    Connection {
        /// What was done.
        doing: &'static str,
        /// What the operating system or TLS said.
        source: std::io::Error,
    },
    /// The server refused, or its answer is not whole.
    #[error("{doing}: {why}")]
    Server {
        /// The command.
        doing: String,
        /// What it said, or what is missing.
        why: String,
    },
    /// Some messages were not accepted; the report, already printed, says which.
    #[error("{failed} of {messages} messages were not accepted")]
    Failed {
        /// How many were not.
        failed: u64,
        /// Of how many.
        messages: u64,
    },
}

impl BenchError {
    /// The server did not do what it must.
    fn server(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Server { doing: doing.into(), why: why.into() }
    }
}
