//! # store: the durable heart
//!
//! **For**: keeping mail. `mailward.db` (SQLite, write-ahead log, `synchronous=FULL`) holds everything but message
//! bytes; `packs/NNNNNNNN.pack` hold those, append-only, each content once, readable without the database.
//!
//! **In**: deliveries, appends, what came of queued recipients, changes of flags, mailboxes and the directory. **Out**: records, bytes, and news
//! of changes. One committer thread owns all writes ([`committer`](self)); a few reader threads answer the rest.
//!
//! What is owed to other hosts is queued by the commit that accepts it ([`queue`](self)), which also counts what users
//! send ([`sending`](self)). What users say of spam by moving and flagging is noted by the commit that moves and flags
//! ([`spam`](self)).
//!
//! What SEARCH looks for is found by an index of its own, made in the background ([`index`](self)).
//!
//! **Durability**: a write answers after its bytes and rows are on stable storage: two syncs a batch, at the same time,
//! whatever the batch's size. A power cut at any instant loses nothing that was answered and shows nothing twice: rows
//! whose bytes didn't reach the disk belong to the last batch, which nobody was told of, and go at the next opening
//! ([`recovery`](self)).
//!
//! **Limits**: `limits::{PACK_*, BATCH_*, COMMIT_QUEUE_MAX, READERS, PAGE_ROWS_MAX, DISK_FREE_*, MAILBOXES_MAX,
//! KEYWORDS_MAX, QUEUE_*, SENT_*,
//! KNOWN_*, NOTICE_*, DKIM_KEYS_MAX, INDEX_*, SPAM_LEARNED_MAX, SPAM_MARKS_MAX, SPAM_TOKENS_MAX}`.
//!
//! **Failure**: a job that fails is undone alone. A full disk fails the batch and nothing else. A failed sync closes
//! the store: what is on the disk is then unknown, and only a restart finds out. On opening, what was written but
//! never acknowledged is put into `lost-and-found`.
//!
//! **Standards**: RFC 9051 §2.3 (UIDs, flags), RFC 7162 (modification sequences), RFC 6154 (special use),
//! RFC 8514 (saved dates), RFC 9208 (quota), RFC 5321 §6.1 (250 means safe), RFC 3461 (what a DSN needs to know).

#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod api;
mod apply;
pub mod behind;
mod committer;
mod departed;
pub mod fault;
mod index;
pub mod kept;
mod local;
pub mod maintenance;
mod news;
pub mod pack;
mod quarantine;
mod queue;
mod readers;
mod reads;
pub mod records;
mod recovery;
mod rows;
mod schema;
mod sending;
mod space;
mod spam;
mod syncer;
mod tx;

pub use api::{
    DirectoryStore, KeyStore, MailStore, Pending, QuarantineStore, QueueStore, SendingStore, ShelfStore, SpamStore,
    StoreError,
};
pub use local::{LocalStore, Options};
