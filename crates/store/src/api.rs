//! The store in the domain's words: what every implementation, on one host or in a cluster, must do. The
//! conformance suite in [`crate::conformance`] is the other half of this page.

mod quarantine;
mod queue;
mod sending;
mod shelf;
mod spam;

pub use quarantine::QuarantineStore;
pub use queue::QueueStore;
pub use sending::SendingStore;
pub use shelf::ShelfStore;
pub use spam::SpamStore;

use crate::records::{
    Accepted, AccountChange, AccountRecord, AliasChange, AliasRecord, AppendOutcome, Blob, Changes, CopyOutcome,
    Delivery, Destination, DkimChange, DkimKeyRecord, DomainChange, DomainRecord, Expunged, Fetched, FlagChange,
    FlagOutcome, MailboxRecord, MessageRecord, Metadata, MetadataChange, NewMessage, Opened, Rights, UidRange, Usage,
    Wanted,
};
use bytes::Bytes;
use mailward_core::{AccountId, BlobId, DomainId, MailboxId, MailboxName, ModSeq, Uid};
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use tokio::sync::watch;

/// A result that comes when the store has it. A write's comes after it is on stable storage.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What can go wrong. Shown to administrators; protocols turn it into their own replies.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such mailbox, account, domain, alias, message or blob; the word says which.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The name is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// The account may hold no more.
    #[error("the account is over its quota")]
    OverQuota,
    /// A named limit was met; the words say which.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// It can't be done, and why: INBOX can't be deleted, a parent of itself, …
    #[error("{0}")]
    Refused(&'static str),
    /// The quarantine holds as much as it may; nothing was written.
    #[error("the quarantine is full")]
    QuarantineFull,
    /// What this network brought fills its part of the quarantine; nothing was written.
    #[error("what {0} brought fills its part of the quarantine")]
    QuarantineShare(String),
    /// The file system is nearly full; nothing was written.
    #[error("the disk is nearly full")]
    DiskFull,
    /// The store stops, or has stopped after an error; nothing was written.
    #[error("the store is closed")]
    Closed,
    /// Another process has the store open.
    #[error("the store in {0} is in use by another process")]
    InUse(String),
    /// Bytes on disk are not what was written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The operating system refused.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
    /// The database refused.
    #[error("database: {0}")]
    Database(String),
}

/// Mail: mailboxes and messages. Every write is durable when it answers.
pub trait MailStore: Send + Sync + 'static {
    // ---- accepting ----

    /// Puts one message into the mailboxes of one or more accounts and into the queue, in one commit: all of it or
    /// nothing. A target whose account is over quota fails the whole with [`StoreError::OverQuota`]; a named mailbox
    /// that is gone becomes INBOX. More recipients of one envelope than `limits::QUEUE_RECIPIENTS_MAX`, or more
    /// envelopes than `limits::QUEUE_ENVELOPES_MAX`, are [`StoreError::Limit`]; an envelope without recipients is
    /// [`StoreError::Refused`].
    fn deliver(&self, delivery: Delivery) -> Pending<'_, Accepted>;

    /// Puts messages into one mailbox, all or none (IMAP APPEND and MULTIAPPEND). [`StoreError::NotFound`] also if it
    /// only holds others.
    fn append(&self, to: Destination, messages: Vec<NewMessage>) -> Pending<'_, AppendOutcome>;

    /// Whether a message of this size may be accepted now: [`StoreError::DiskFull`] under the watermark. Cheap:
    /// asked before every DATA.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] or [`StoreError::Closed`].
    fn admit(&self, size: u64) -> Result<(), StoreError>;

    // ---- mailboxes ----

    /// All mailboxes of an account, ordered by name.
    fn mailboxes(&self, account: AccountId) -> Pending<'_, Vec<MailboxRecord>>;
    /// One mailbox by name.
    fn mailbox(&self, account: AccountId, name: MailboxName) -> Pending<'_, MailboxRecord>;
    /// One mailbox by id, as it is now.
    fn mailbox_by_id(&self, mailbox: MailboxId) -> Pending<'_, MailboxRecord>;
    /// Makes a mailbox, and those above it that are missing.
    fn create_mailbox(
        &self,
        account: AccountId,
        name: MailboxName,
        special_use: Option<String>,
    ) -> Pending<'_, MailboxRecord>;
    /// Deletes a mailbox and its messages. INBOX is refused. A mailbox with others under it stays as a name that
    /// can't be selected (`selectable == false`).
    fn delete_mailbox(&self, account: AccountId, name: MailboxName) -> Pending<'_, ()>;
    /// Renames a mailbox and all under it. Renaming INBOX moves its messages to the new name and leaves it empty
    /// (RFC 9051 §6.3.6).
    fn rename_mailbox(&self, account: AccountId, from: MailboxName, to: MailboxName) -> Pending<'_, ()>;
    /// Sets whether a name is subscribed; the name need not exist as a mailbox.
    fn subscribe(&self, account: AccountId, name: MailboxName, subscribed: bool) -> Pending<'_, ()>;
    /// Subscribed names, ordered, whether or not they exist.
    fn subscriptions(&self, account: AccountId) -> Pending<'_, Vec<MailboxName>>;

    // ---- messages ----

    /// A mailbox with the UIDs of its messages.
    fn open(&self, mailbox: MailboxId) -> Pending<'_, Opened>;
    /// Messages of the ranges (ascending, not overlapping), in ascending order, at most `limit` (and never more
    /// than `limits::PAGE_ROWS_MAX`); ask again from the last UID + 1 for more.
    fn messages(&self, mailbox: MailboxId, ranges: Vec<UidRange>, limit: usize) -> Pending<'_, Vec<MessageRecord>>;
    /// The same with what is [`Wanted`] of each: all in one question. A message whose blob is gone is left out.
    fn fetch(&self, mailbox: MailboxId, ranges: Vec<UidRange>, wanted: Wanted) -> Pending<'_, Vec<Fetched>>;
    /// What changed after `since`: messages new or with changed flags, and UIDs that are gone, up to now.
    /// Answers at most `limits::PAGE_ROWS_MAX` changed messages; `more` tells that there are more.
    fn changes_since(&self, mailbox: MailboxId, since: ModSeq) -> Pending<'_, Changes>;
    /// Where the bytes and the structure of messages are, in the order asked for; a blob that is gone is left out.
    fn blobs(&self, blobs: Vec<BlobId>) -> Pending<'_, Vec<Blob>>;
    /// Bytes `start..end` (cut at the end of the message) of a message. Checked against the pack's hash only by
    /// `verify`; a short read is [`StoreError::Damaged`].
    fn read(&self, blob: BlobId, start: u64, end: u64) -> Pending<'_, Bytes>;
    /// The same for whoever has begun to read it: one of the last `limits::DEPARTED_MAX` messages that went can be read to its
    /// end as long as its pack is there.
    fn read_on(&self, blob: BlobId, start: u64, end: u64) -> Pending<'_, Bytes> {
        self.read(blob, start, end)
    }
    /// Parts of messages (cut at their ends), in the order asked for, until together they would exceed `most` bytes (the
    /// first always comes); of one that is gone `None`.
    fn read_parts(&self, parts: Vec<(BlobId, Range<u64>)>, most: u64) -> Pending<'_, Vec<Option<Bytes>>>;

    /// Those of `among` (at most `limits::PAGE_ROWS_MAX`) that may hold a text, ascending; `None` if the store can't tell.
    /// The text is folded (`mailward_message::decode::fold`), and held by a message whose `searchable` text has it.
    /// A message that is left out holds it nowhere; one that is named has to be read. A store without an index can
    /// never tell.
    fn find_text(&self, needle: String, among: Vec<BlobId>) -> Pending<'_, Option<Vec<BlobId>>> {
        drop((needle, among));
        Box::pin(async { Ok(None) })
    }

    /// Changes flags and keywords. With `unchanged_since`, messages changed later are left and listed.
    fn change_flags(&self, mailbox: MailboxId, change: FlagChange) -> Pending<'_, FlagOutcome>;
    /// Copies messages to another mailbox (same or other account), with flags and internal date.
    fn copy(&self, from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> Pending<'_, CopyOutcome>;
    /// Moves messages to another mailbox in one commit (RFC 6851).
    fn move_messages(&self, from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> Pending<'_, CopyOutcome>;
    /// Takes a message out and puts another in, both or neither (RFC 8508).
    fn replace(&self, old: (MailboxId, Uid), to: MailboxId, new: NewMessage) -> Pending<'_, AppendOutcome>;
    /// Removes messages: those of `ranges` that are `\Deleted` (IMAP), or with `any` all of `ranges` (POP3).
    fn expunge(&self, mailbox: MailboxId, ranges: Vec<UidRange>, any: bool) -> Pending<'_, Expunged>;

    /// News of one mailbox: the highest modification sequence that is committed. A session that sees it change
    /// asks [`MailStore::changes_since`].
    fn watch(&self, mailbox: MailboxId) -> watch::Receiver<ModSeq>;

    /// News of an account: rises with every change of its mailboxes, of what is in them, of its subscriptions, and of
    /// what others let it see.
    fn watch_account(&self, account: AccountId) -> watch::Receiver<u64>;

    // ---- shared ----

    /// Who else may do what with a mailbox, by account.
    fn rights(&self, mailbox: MailboxId) -> Pending<'_, Vec<(AccountId, Rights)>>;
    /// Sets what another account may do; [`Rights::NONE`] takes the entry away. The owner's rights can't be changed.
    fn set_rights(&self, mailbox: MailboxId, account: AccountId, rights: Rights) -> Pending<'_, ()>;
    /// Mailboxes of others that an account has rights to, with those rights, ordered by owner and name.
    fn shared_with(&self, account: AccountId) -> Pending<'_, Vec<(MailboxRecord, Rights)>>;

    /// Annotations of a mailbox, or with `None` of the server, that an account sees: its own and those of everybody.
    fn metadata(&self, account: AccountId, mailbox: Option<MailboxId>) -> Pending<'_, Vec<Metadata>>;
    /// Changes annotations, all of them or none.
    fn annotate(&self, mailbox: Option<MailboxId>, changes: Vec<MetadataChange>) -> Pending<'_, ()>;

    /// Bytes and messages an account holds, and how many it may.
    fn usage(&self, account: AccountId) -> Pending<'_, Usage>;
}

/// Who is who: the records behind the `directory` room, which alone interprets them.
pub trait DirectoryStore: Send + Sync + 'static {
    /// Rises with every change of domains, accounts and aliases.
    fn directory_version(&self) -> watch::Receiver<u64>;
    /// All domains.
    fn domains(&self) -> Pending<'_, Vec<DomainRecord>>;
    /// All accounts.
    fn accounts(&self) -> Pending<'_, Vec<AccountRecord>>;
    /// All aliases.
    fn aliases(&self) -> Pending<'_, Vec<AliasRecord>>;
    /// Adds, changes or removes a domain. Removing one that still has accounts or aliases is refused.
    fn change_domain(&self, change: DomainChange) -> Pending<'_, DomainRecord>;
    /// Adds, changes or removes an account. Adding makes INBOX and the usual special-use mailboxes in the same
    /// commit. Removing removes its mail.
    fn change_account(&self, change: AccountChange) -> Pending<'_, AccountRecord>;
    /// Adds, changes or removes an alias.
    fn change_alias(&self, change: AliasChange) -> Pending<'_, AliasRecord>;
}

/// Keys that sign for domains, sealed by `vault`. They go with their domain.
pub trait KeyStore: Send + Sync + 'static {
    /// Rises with every change of keys, and of the directory.
    fn keys_version(&self) -> watch::Receiver<u64>;
    /// DKIM keys of a domain, or of all, those to come first, then those that sign, each in the order they were made.
    fn dkim_keys(&self, domain: Option<DomainId>) -> Pending<'_, Vec<DkimKeyRecord>>;
    /// Changes the DKIM keys of a domain; answers them as they are then.
    fn change_dkim_keys(&self, change: DkimChange) -> Pending<'_, Vec<DkimKeyRecord>>;
}
