//! Ids: numbers that can't be mistaken for one another.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A domain we receive mail for.
    DomainId(i64)
);
id!(
    /// An account: somebody who reads mail. Never a system user.
    AccountId(i64)
);
id!(
    /// A mailbox of an account (RFC 9051 §2.3.1).
    MailboxId(i64)
);
id!(
    /// Message bytes in a pack, stored once however many mailboxes show them.
    BlobId(i64)
);
id!(
    /// A message in the queue; rising, never given again.
    QueueId(i64)
);
id!(
    /// A message in the quarantine; rising, never given again.
    QuarantineId(i64)
);
id!(
    /// Unique identifier of a message in its mailbox, 1 upwards, never reused (RFC 9051 §2.3.1.1).
    Uid(u32)
);
id!(
    /// Changes when UIDs of a mailbox name can't be kept (RFC 9051 §2.3.1.1).
    UidValidity(u32)
);
id!(
    /// Modification sequence of a mailbox, strictly rising (RFC 7162 §3.1). 63 bits.
    ModSeq(u64)
);
