//! # bench: load and yardsticks
//!
//! **For**: measuring. [`smtp_in`] sends messages to any SMTP or LMTP server and times the answers; [`disk`] asks the
//! disk what it can do at all; [`mailbox`] asks the store what one more message costs in a large mailbox.
//!
//! **In**: options. **Out**: a report, for people or as JSON. Nothing here is part of the server.
//!
//! **Limits**: sessions and messages are what the options say; every wait of the load program has a time limit.
//!
//! **Failure**: a message that wasn't answered with 250 is counted and named, and makes the exit code non-zero.

pub(crate) mod disk;
pub(crate) mod mailbox;
pub(crate) mod smtp_in;
mod store;
mod timing;

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
    /// Some messages were not accepted; the report, already printed, says which.
    #[error("{failed} of {messages} messages were not accepted")]
    Failed {
        /// How many were not.
        failed: u64,
        /// Of how many.
        messages: u64,
    },
}
