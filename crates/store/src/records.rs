//! What the store keeps, as values.

mod directory;
mod quarantine;
mod queue;
mod sending;
mod shelf;
mod spam;

pub use directory::{
    AccountChange, AccountRecord, AliasChange, AliasRecord, DkimChange, DkimKeyRecord, DkimState, DomainChange,
    DomainRecord, NewDkimKey,
};
pub use quarantine::{Kept, KeptFor, Quarantined, Ways};
pub use queue::{
    Attempt, DueLane, DuePage, DuePlace, EnhancedStatus, Envelope, GiveBack, Lane, LaneError, LaneNews, LaneTotal,
    LatePage, Needs, NewRecipient, NextDue, NotifyOn, Outcome, QueueFilter, QueuePage, QueueTotals, Queued,
    QueuedMessage, QueuedRecipient, RecipientState, SettleOutcome, Settled, Settlement, Steer, Steered,
};
pub use sending::{
    Exceeded, Frozen, Insider, LimitChanges, Meter, Metered, Scope, SenderRecord, SentRecord, Submitted, Withheld,
};
pub use shelf::{Shelf, ShelfChange, Shelved};
pub use spam::{Learned, Learning, Learnt, Lesson, Mark, PendingTokens, SpamOwner, TokenRow};

use bytes::Bytes;
use mailward_core::{
    AccountId, BlobId, MailboxId, MailboxName, ModSeq, QuarantineId, QueueId, Timestamp, Uid, UidValidity,
};
use serde::{Deserialize, Serialize};

/// A message's bytes with what is computed from them once, at delivery.
#[derive(Clone, Debug)]
pub struct Content {
    /// The whole message, CRLF line ends, as it will be served.
    pub bytes: Bytes,
    /// BLAKE3 of `bytes`.
    pub hash: [u8; 32],
    /// ENVELOPE, BODYSTRUCTURE and part offsets: `message`'s form, opaque to the store.
    pub structure: Bytes,
}

impl Content {
    /// Hashes the bytes.
    #[must_use]
    pub fn new(bytes: Bytes, structure: Bytes) -> Self {
        let hash = *blake3::hash(&bytes).as_bytes();
        Self { bytes, hash, structure }
    }
}

/// System flags as bits (RFC 9051 §2.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(pub u32);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// `\Seen`
    pub const SEEN: Flags = Flags(1);
    /// `\Answered`
    pub const ANSWERED: Flags = Flags(2);
    /// `\Flagged`
    pub const FLAGGED: Flags = Flags(4);
    /// `\Deleted`
    pub const DELETED: Flags = Flags(8);
    /// `\Draft`
    pub const DRAFT: Flags = Flags(16);
    /// Each flag with its name.
    pub const ALL: [(Flags, &'static str); 5] = [
        (Flags::ANSWERED, "\\Answered"),
        (Flags::FLAGGED, "\\Flagged"),
        (Flags::DELETED, "\\Deleted"),
        (Flags::SEEN, "\\Seen"),
        (Flags::DRAFT, "\\Draft"),
    ];
    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
    /// Both together.
    #[must_use]
    pub const fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
    /// These without those.
    #[must_use]
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

/// A message for one mailbox (APPEND).
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its bytes.
    pub content: Content,
    /// System flags.
    pub flags: Flags,
    /// Keywords by name; a mailbox has at most `limits::KEYWORDS_MAX` different ones.
    pub keywords: Vec<String>,
    /// INTERNALDATE; now if not given.
    pub internal_date: Option<Timestamp>,
}

/// A message for one or more accounts, for other hosts, or for both.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its bytes.
    pub content: Content,
    /// Where to; an account named twice gets it once per named mailbox.
    pub targets: Vec<Target>,
    /// What is owed to other hosts: one message in the queue for each envelope.
    pub queued: Vec<Queued>,
    /// What goes into the quarantine instead.
    pub kept: Option<Kept>,
}

impl Delivery {
    /// Its bytes, and all else.
    pub(crate) fn split(self) -> (Content, Places) {
        let Self { content, targets, queued, kept } = self;
        (content, Places { targets, queued, kept })
    }
}

/// A delivery without its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) targets: Vec<Target>,
    pub(crate) queued: Vec<Queued>,
    pub(crate) kept: Option<Kept>,
}

/// Where a message went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// One a target, in order.
    pub delivered: Vec<Delivered>,
    /// One an envelope, in order.
    pub queued: Vec<QueueId>,
    /// Where it is in the quarantine.
    pub kept: Option<QuarantineId>,
}

/// One place a delivery goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Whose.
    pub account: AccountId,
    /// Which mailbox; `None` is INBOX.
    pub mailbox: Option<MailboxName>,
    /// Flags it arrives with.
    pub flags: Flags,
}

/// Where a delivered copy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Whose.
    pub account: AccountId,
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// Its UID there.
    pub uid: Uid,
}

/// Where messages are put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A mailbox that was looked up.
    Mailbox(MailboxId),
    /// The one of that name when the messages are put there: nobody has to look it up before.
    Named(AccountId, MailboxName),
}

impl From<MailboxId> for Destination {
    fn from(mailbox: MailboxId) -> Self {
        Self::Mailbox(mailbox)
    }
}

/// UIDs that APPEND gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendOutcome {
    /// Of the mailbox.
    pub uid_validity: UidValidity,
    /// One a message, in order.
    pub uids: Vec<Uid>,
    /// Of the mailbox after it.
    pub mod_seq: ModSeq,
}

/// A mailbox as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxRecord {
    /// Its id.
    pub id: MailboxId,
    /// Whose.
    pub account: AccountId,
    /// Its name.
    pub name: MailboxName,
    /// Changes when UIDs can't be kept.
    pub uid_validity: UidValidity,
    /// The next message's UID.
    pub uid_next: Uid,
    /// Highest modification sequence.
    pub mod_seq: ModSeq,
    /// Messages.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Sum of message sizes, bytes.
    pub bytes: u64,
    /// `\Sent`, `\Trash`, … (RFC 6154), if it has one.
    pub special_use: Option<String>,
    /// False for a name that only holds others (`\Noselect`).
    pub selectable: bool,
    /// Keywords in use; a keyword's bit in [`MessageRecord::keywords`] is its index here.
    pub keywords: Vec<String>,
}

/// A message as a row: everything but its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// Its UID.
    pub uid: Uid,
    /// Its bytes.
    pub blob: BlobId,
    /// Its size, bytes.
    pub size: u64,
    /// System flags.
    pub flags: Flags,
    /// Keywords as bits over [`MailboxRecord::keywords`].
    pub keywords: u64,
    /// When it last changed.
    pub mod_seq: ModSeq,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
    /// When it came into this mailbox (RFC 8514).
    pub saved_date: Timestamp,
}

/// UIDs from `first` to `last`, both included, `first <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UidRange {
    /// First UID.
    pub first: Uid,
    /// Last UID.
    pub last: Uid,
}

impl UidRange {
    /// Every UID.
    pub const ALL: UidRange = UidRange { first: Uid(1), last: Uid(u32::MAX) };
    /// One UID.
    #[must_use]
    pub const fn one(uid: Uid) -> Self {
        Self { first: uid, last: uid }
    }
}

/// What changed in a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New or changed messages, by UID.
    pub changed: Vec<MessageRecord>,
    /// UIDs gone, ascending.
    pub vanished: Vec<Uid>,
    /// Up to here these are all the changes; ask from here next.
    pub mod_seq: Option<ModSeq>,
    /// Whether there are more; `changed` and `vanished` are then complete only up to `mod_seq`.
    pub more: bool,
    /// Keywords of the mailbox now.
    pub keywords: Vec<String>,
}

/// A message's bytes as the store knows them.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its id.
    pub id: BlobId,
    /// Its size, bytes.
    pub size: u64,
    /// BLAKE3 of the bytes.
    pub hash: [u8; 32],
    /// See [`Content::structure`].
    pub structure: Bytes,
}

/// A mailbox as a session opens it: one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The mailbox.
    pub mailbox: MailboxRecord,
    /// UIDs of its messages: ascending, not touching each other. As many as there are gaps, whatever the number of
    /// messages.
    pub uids: Vec<UidRange>,
}

/// What is wanted of messages beside their rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// [`Fetched::blob`].
    pub blob: bool,
    /// [`Fetched::bytes`].
    pub bytes: bool,
    /// Messages at most.
    pub rows: usize,
    /// Bytes of structures and messages together after which the answer ends early.
    pub most: u64,
}

/// A message with what was wanted of it.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its row.
    pub row: MessageRecord,
    /// Hash and structure, if wanted.
    pub blob: Option<Blob>,
    /// All its bytes, if wanted and the message is not larger than [`Wanted::most`].
    pub bytes: Option<Bytes>,
}

/// What an account may do with a mailbox of another (RFC 4314 §2.1), as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rights(pub u32);

impl Rights {
    /// None.
    pub const NONE: Rights = Rights(0);
    /// The mailbox is seen by LIST.
    pub const LOOKUP: Rights = Rights(1);
    /// It may be read.
    pub const READ: Rights = Rights(1 << 1);
    /// `\Seen` may be changed.
    pub const SEEN: Rights = Rights(1 << 2);
    /// Other flags may be changed.
    pub const WRITE: Rights = Rights(1 << 3);
    /// Messages may be put in.
    pub const INSERT: Rights = Rights(1 << 4);
    /// Mail may be sent to it; kept, without a meaning here.
    pub const POST: Rights = Rights(1 << 5);
    /// Mailboxes may be made under it.
    pub const CREATE: Rights = Rights(1 << 6);
    /// The mailbox may be deleted and renamed.
    pub const DELETE_MAILBOX: Rights = Rights(1 << 7);
    /// `\Deleted` may be changed.
    pub const DELETE_MESSAGES: Rights = Rights(1 << 8);
    /// Messages may be expunged.
    pub const EXPUNGE: Rights = Rights(1 << 9);
    /// Rights may be given and taken.
    pub const ADMINISTER: Rights = Rights(1 << 10);
    /// Each right with its letter, in the order of RFC 4314.
    pub const LETTERS: [(Rights, char); 11] = [
        (Rights::LOOKUP, 'l'),
        (Rights::READ, 'r'),
        (Rights::SEEN, 's'),
        (Rights::WRITE, 'w'),
        (Rights::INSERT, 'i'),
        (Rights::POST, 'p'),
        (Rights::CREATE, 'k'),
        (Rights::DELETE_MAILBOX, 'x'),
        (Rights::DELETE_MESSAGES, 't'),
        (Rights::EXPUNGE, 'e'),
        (Rights::ADMINISTER, 'a'),
    ];
    /// Every right: what an owner has.
    pub const ALL: Rights = Rights((1 << 11) - 1);
    /// Whether all of `other` are there.
    #[must_use]
    pub const fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }
    /// Both together.
    #[must_use]
    pub const fn union(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
    /// These without those.
    #[must_use]
    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }
}

/// An annotation (RFC 5464).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Whose, for `/private`; `None` is `/shared`.
    pub account: Option<AccountId>,
    /// Its name below `/private` or `/shared`, folded.
    pub entry: String,
    /// Its value.
    pub value: Bytes,
}

/// A change of an annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataChange {
    /// See [`Metadata::account`].
    pub account: Option<AccountId>,
    /// See [`Metadata::entry`].
    pub entry: String,
    /// Its new value; `None` takes it away.
    pub value: Option<Bytes>,
}

/// How flags change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagAction {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

/// A change of flags.
#[derive(Clone, Debug)]
pub struct FlagChange {
    /// Which messages (ascending, not overlapping).
    pub ranges: Vec<UidRange>,
    /// How.
    pub action: FlagAction,
    /// System flags.
    pub flags: Flags,
    /// Keywords by name.
    pub keywords: Vec<String>,
    /// Only messages not changed after this (RFC 7162 §3.1.3).
    pub unchanged_since: Option<ModSeq>,
}

/// What a change of flags did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagOutcome {
    /// Messages of the ranges as they are now (those left by `unchanged_since` not included), by UID.
    pub messages: Vec<MessageRecord>,
    /// Messages left because they changed after `unchanged_since`.
    pub modified: Vec<Uid>,
    /// Of the mailbox before and after; equal if nothing changed.
    pub before: Option<ModSeq>,
    /// See `before`.
    pub after: Option<ModSeq>,
    /// Keywords of the mailbox now.
    pub keywords: Vec<String>,
}

/// What a copy or move did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOutcome {
    /// Of the target.
    pub uid_validity: UidValidity,
    /// UID there and UID here, by UID there.
    pub uids: Vec<(Uid, Uid)>,
    /// Of the source after it (changes only on a move).
    pub mod_seq: ModSeq,
}

/// What an expunge did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expunged {
    /// UIDs gone, ascending.
    pub uids: Vec<Uid>,
    /// Of the mailbox after it.
    pub mod_seq: ModSeq,
}

/// What an account holds and may hold; a quota of 0 means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes held.
    pub bytes: u64,
    /// Messages held.
    pub messages: u64,
    /// Bytes allowed.
    pub quota_bytes: u64,
    /// Messages allowed.
    pub quota_messages: u64,
}

impl Usage {
    /// Whether a message of `size` bytes fits.
    #[must_use]
    pub const fn admits(&self, size: u64) -> bool {
        (self.quota_bytes == 0 || self.bytes.saturating_add(size) <= self.quota_bytes)
            && (self.quota_messages == 0 || self.messages < self.quota_messages)
    }
}
