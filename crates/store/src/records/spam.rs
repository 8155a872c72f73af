//! What was learned of spam, as values.

use mailward_core::{AccountId, BlobId, Timestamp};

/// What a message was learned as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lesson {
    /// Nobody wants it.
    Spam,
    /// Somebody does.
    Ham,
}

/// One message to be learned, or to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learning {
    /// Whose it is; `None`: the server's.
    pub owner: Option<AccountId>,
    /// SHA-256 of the message as its sender wrote it.
    pub message: [u8; 32],
    /// As what; `None`: it is forgotten.
    pub lesson: Option<Lesson>,
    /// By how much the weights of its tokens change, all in all: what was learned before is taken back first.
    pub weight: i32,
    /// Its tokens, each once, at most `limits::SPAM_TOKENS_MAX`.
    pub tokens: Vec<u64>,
}

/// What is known of a message that was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// As what.
    pub lesson: Lesson,
    /// By how much the weights of its tokens changed.
    pub weight: i32,
    /// When.
    pub at: Timestamp,
}

/// What came of learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// It was learned so before, or wasn't known: nothing changed.
    Already,
    /// This is to be added to each of its tokens: messages learned as spam, as ham, and weight. Below 0: taken away.
    Changed {
        /// Messages learned as spam: -1, 0 or 1.
        spam: i32,
        /// Messages learned as ham: -1, 0 or 1.
        ham: i32,
        /// Weight.
        weight: i32,
    },
}

/// How much somebody learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpamOwner {
    /// `None`: the server.
    pub owner: Option<AccountId>,
    /// Messages that were learned as spam.
    pub spam: u64,
    /// As ham.
    pub ham: u64,
}

/// A token that was learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenRow {
    /// Its number.
    pub token: u64,
    /// Messages with it that were learned as spam.
    pub spam: u32,
    /// As ham.
    pub ham: u32,
    /// Its weight, above 0 for spam.
    pub weight: i32,
    /// Day since 1970 on which it was learned at last.
    pub seen: u32,
}

/// What is to be added to tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingTokens {
    /// Messages learned as spam: -1, 0 or 1.
    pub spam: i32,
    /// As ham.
    pub ham: i32,
    /// Weight.
    pub weight: i32,
    /// Day since 1970.
    pub day: u32,
    /// Of which tokens.
    pub tokens: Vec<u64>,
}

/// What a user said of a message, by moving or flagging it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its name for [`crate::SpamStore::unmark`].
    pub id: i64,
    /// Whose message it is.
    pub account: AccountId,
    /// Its bytes; they may be gone.
    pub blob: BlobId,
    /// What they said; `None`: they take it back.
    pub lesson: Option<Lesson>,
}
