//! What the quarantine keeps, as values: messages that were accepted and that nobody sees.

use super::{Queued, Target};
use bytes::Bytes;
use mailward_core::{AccountId, BlobId, Network, QuarantineId, Timestamp};
use serde::{Deserialize, Serialize};

/// A message that is to be kept in the quarantine, or a part of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it goes if it is released.
    pub ways: Ways,
    /// Why it is there, and what else rooms above want to know: at most `limits::QUARANTINE_NOTE_MAX` bytes, which they alone
    /// read.
    pub note: Bytes,
    /// From then on it isn't there any more.
    pub expires: Timestamp,
    /// Who brought it, where that is somebody who may fill only a part of the quarantine: `limits::QUARANTINE_SOURCE_MESSAGES_MAX`
    /// and `limits::QUARANTINE_SOURCE_BYTES_MAX`. None: it counts for nobody.
    pub source: Option<Network>,
}

/// Where a message would go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// Mailboxes.
    pub targets: Vec<Target>,
    /// What would be owed to other hosts.
    pub queued: Vec<Queued>,
}

impl Ways {
    /// Whether it goes nowhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.queued.is_empty()
    }
}

/// A message in the quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its id; never given again.
    pub id: QuarantineId,
    /// Its bytes: there as long as it is.
    pub blob: BlobId,
    /// Their number.
    pub size: u64,
    /// When it came there.
    pub came: Timestamp,
    /// From then on it isn't there any more.
    pub expires: Timestamp,
    /// Where it goes if it is released.
    pub ways: Ways,
    /// See [`Kept::note`].
    pub note: Bytes,
}

/// For whom something is done with a message of the quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptFor {
    /// All.
    Everybody,
    /// One account here: what is kept for others stays.
    Account(AccountId),
}
