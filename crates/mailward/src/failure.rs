//! Everything a command can fail with, and the exit code of each (sysexits.h).

use mailward_core::config::{ConfigError, ConfigErrors};
use std::fmt::Display;

/// Exit code for a command line that makes no sense.
pub(crate) const USAGE: u8 = 64;

/// Why a command failed. Its text says what was wrong, with what, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line asks for something that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A setting is possible but this host can't follow it: a port in use, a key that anybody can read.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was done to what.
        what: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] mailward_store::StoreError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] mailward_tls::TlsError),
    /// A measurement.
    #[error(transparent)]
    Bench(#[from] crate::bench::BenchError),
    /// The running server refused; code and text are its own.
    #[error("{text}")]
    Answered {
        /// Exit code.
        code: u8,
        /// What it said.
        text: String,
    },
    /// It can't be done as things stand, and the mend.
    #[error("{0}")]
    Refused(String),
    /// No server runs where one is needed, or it doesn't answer.
    #[error("{0}")]
    NoServer(String),
    /// What was looked for was found wrong: a damaged store.
    #[error("{0}")]
    Found(String),
    /// Rights are missing.
    #[error("{0}")]
    Rights(String),
    /// Should not happen.
    #[error("internal: {0}")]
    Bug(String),
}

impl Failure {
    /// What the operating system said to something.
    pub(crate) fn io(what: impl Display, source: std::io::Error) -> Self {
        Self::Io { what: what.to_string(), source }
    }
    /// The same for `nix`.
    pub(crate) fn sys(what: impl Display, source: nix::Error) -> Self {
        Self::io(what, source.into())
    }
    /// Exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Found(_) => 65,
            Failure::NoServer(_) => 69,
            Failure::Bug(_) => 70,
            Failure::Io { .. } => 74,
            Failure::Store(mailward_store::StoreError::InUse(_)) => 75,
            Failure::Store(_) => 74,
            Failure::Rights(_) => 77,
            Failure::Config(_) | Failure::Setting(_) | Failure::Tls(_) => 78,
            Failure::Answered { code, .. } => *code,
            Failure::Refused(_) | Failure::Bench(_) => 1,
        }
    }
}
