//! The last line of an answer (RFC 3501 §7.1, RFC 5530).

use super::io::End;
use mailward_store::StoreError;

/// What a command comes to: `OK`, `NO` or `BAD` with a code in brackets, if there is one, and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Ok(String),
    No(String),
    Bad(String),
}

impl Done {
    pub(crate) fn ok(text: impl Into<String>) -> Self {
        Self::Ok(text.into())
    }
    pub(crate) fn no(text: impl Into<String>) -> Self {
        Self::No(text.into())
    }
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::Bad(text.into())
    }
}

/// What stops a command before it comes to anything.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The session ends with it.
    End(End),
    /// The store says no.
    Store(StoreError),
    /// An answer, early.
    Done(Done),
    /// The tagged line was written already.
    Answered,
    /// An answer, and with it the end.
    Last(Done, End),
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}
impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
impl From<Done> for Stop {
    fn from(done: Done) -> Self {
        Self::Done(done)
    }
}

/// The answer to what the store said. What only an administrator can understand is kept from the client.
pub(crate) fn refused(error: &StoreError) -> Done {
    Done::No(match error {
        StoreError::NotFound(what) => format!("[NONEXISTENT] there is no such {what}"),
        StoreError::Exists(_) => "[ALREADYEXISTS] the name is taken".to_owned(),
        StoreError::OverQuota => "[OVERQUOTA] the account is over its quota".to_owned(),
        StoreError::Limit(what) => format!("[LIMIT] limit reached: {what}"),
        StoreError::Refused(why) => format!("[CANNOT] {why}"),
        StoreError::QuarantineFull | StoreError::QuarantineShare(_) => {
            "[UNAVAILABLE] the quarantine is full; its administrator is told".to_owned()
        }
        StoreError::DiskFull => "[UNAVAILABLE] the server's disk is nearly full; try again later".to_owned(),
        StoreError::Closed => "[UNAVAILABLE] the server stops; try again later".to_owned(),
        StoreError::Damaged(_) => "[CORRUPTION] the server can't read it; its administrator is told".to_owned(),
        StoreError::InUse(_) | StoreError::Io(..) | StoreError::Database(_) => {
            "[SERVERBUG] the server failed; its administrator is told".to_owned()
        }
    })
}

/// Whether an administrator has to know.
pub(crate) const fn is_fault(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged(_) | StoreError::InUse(_) | StoreError::Io(..) | StoreError::Database(_))
}
