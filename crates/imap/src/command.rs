//! Commands as values: what a client asked for, already checked against every limit of the grammar.

use crate::sort::SortCriterion;
use crate::thread::ThreadAlgorithm;
use bytes::Bytes;
use mailward_core::{MailboxName, ModSeq, Secret, Timestamp};
use mailward_message::decode::EnvelopeField;
use mailward_store::records::{FlagAction, Flags, Rights};

/// A command with the tag its answer bears (RFC 3501 §2.2.1).
#[derive(Clone, Debug)]
pub struct Tagged {
    /// Printable ASCII, 1 to 64 bytes.
    pub tag: String,
    /// What is asked.
    pub command: Command,
}

/// Everything a client can ask (RFC 3501 §6 and the extensions that `capability` lists).
#[derive(Clone, Debug)]
pub enum Command {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// CHECK
    Check,
    /// LOGOUT
    Logout,
    /// ID (RFC 2971): what the client says of itself, as far as it is kept.
    Id(Vec<(String, Option<String>)>),
    /// STARTTLS
    StartTls,
    /// LOGIN
    Login {
        /// User name as it came.
        user: Bytes,
        /// Password.
        password: Secret,
    },
    /// AUTHENTICATE (RFC 4959 for the initial response)
    Authenticate {
        /// In capitals.
        mechanism: String,
        /// Decoded initial response; `=` is an empty one.
        initial: Option<Secret>,
    },
    /// ENABLE (RFC 5161), names in capitals
    Enable(Vec<String>),
    /// NAMESPACE (RFC 2342)
    Namespace,
    /// SELECT or EXAMINE
    Select {
        /// Which.
        mailbox: MailboxName,
        /// EXAMINE.
        read_only: bool,
        /// `(CONDSTORE)` was given.
        condstore: bool,
        /// `(QRESYNC (…))` was given.
        qresync: Option<Qresync>,
    },
    /// CREATE, with its special use (RFC 6154 §3)
    Create {
        /// Which.
        mailbox: MailboxName,
        /// `\Sent`, … as it came.
        special_use: Option<String>,
    },
    /// DELETE
    Delete(MailboxName),
    /// RENAME
    Rename {
        /// Old name.
        from: MailboxName,
        /// New name.
        to: MailboxName,
    },
    /// SUBSCRIBE or UNSUBSCRIBE
    Subscribe {
        /// Which.
        mailbox: MailboxName,
        /// Whether from now on.
        subscribed: bool,
    },
    /// LIST (RFC 3501, 5258, 5819, 6154)
    List(List),
    /// LSUB
    Lsub {
        /// Pattern with the reference before it, UTF-8.
        pattern: String,
    },
    /// STATUS
    Status {
        /// Which.
        mailbox: MailboxName,
        /// What of it.
        items: Vec<StatusItem>,
    },
    /// APPEND, of one message or more (RFC 3502)
    Append {
        /// Where to.
        mailbox: MailboxName,
        /// At least one.
        messages: Vec<NewMail>,
    },
    /// REPLACE and UID REPLACE (RFC 8508)
    Replace {
        /// The number is a UID.
        uid: bool,
        /// Which message goes.
        number: SetNumber,
        /// Where the new one goes.
        mailbox: MailboxName,
        /// What comes.
        message: NewMail,
    },
    /// GETACL (RFC 4314)
    GetAcl(MailboxName),
    /// SETACL
    SetAcl {
        /// Which.
        mailbox: MailboxName,
        /// Whose rights, as it came.
        identifier: String,
        /// Give, take or set.
        action: FlagAction,
        /// Which rights.
        rights: Rights,
    },
    /// DELETEACL
    DeleteAcl {
        /// Which.
        mailbox: MailboxName,
        /// Whose rights, as it came.
        identifier: String,
    },
    /// LISTRIGHTS
    ListRights {
        /// Which.
        mailbox: MailboxName,
        /// Whose rights, as it came.
        identifier: String,
    },
    /// MYRIGHTS
    MyRights(MailboxName),
    /// GETMETADATA (RFC 5464)
    GetMetadata(GetMetadata),
    /// SETMETADATA
    SetMetadata {
        /// Which; `None` is the server.
        mailbox: Option<MailboxName>,
        /// Entry and value; `None` takes it away.
        entries: Vec<(MetadataEntry, Option<Bytes>)>,
    },
    /// COMPRESS DEFLATE (RFC 4978)
    Compress,
    /// UNAUTHENTICATE (RFC 8437)
    Unauthenticate,
    /// NOTIFY (RFC 5465); no groups is NONE.
    Notify(Notify),
    /// GETQUOTAROOT (RFC 9208)
    GetQuotaRoot(MailboxName),
    /// GETQUOTA
    GetQuota(Bytes),
    /// SETQUOTA: understood, never allowed.
    SetQuota,
    /// IDLE (RFC 2177)
    Idle,
    /// CLOSE
    Close,
    /// UNSELECT (RFC 3691)
    Unselect,
    /// EXPUNGE, or UID EXPUNGE of a set (RFC 4315)
    Expunge(Option<SequenceSet>),
    /// SEARCH and UID SEARCH
    Search(Search),
    /// SORT and UID SORT (RFC 5256, 5267, 5957)
    Sort(Sort),
    /// THREAD and UID THREAD (RFC 5256)
    Thread(Thread),
    /// FETCH and UID FETCH
    Fetch(Fetch),
    /// STORE and UID STORE
    Store(Store),
    /// COPY, MOVE and their UID forms
    Copy {
        /// The set is of UIDs.
        uid: bool,
        /// Which messages.
        set: SequenceSet,
        /// Where to.
        mailbox: MailboxName,
        /// MOVE (RFC 6851).
        remove: bool,
    },
}

/// SELECT's QRESYNC parameter (RFC 7162 §3.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qresync {
    /// The UIDVALIDITY that the client knows.
    pub uid_validity: u32,
    /// The highest modification sequence that it knows.
    pub mod_seq: ModSeq,
    /// The UIDs that it knows; all of them if not given.
    pub known: Option<SequenceSet>,
}

/// A window of results (RFC 9394): the `first` to the `last`, from 1, counted from the start or from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// From 1.
    pub first: u32,
    /// At least `first`.
    pub last: u32,
    /// Counted from the end.
    pub from_end: bool,
}

/// A number of a sequence set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetNumber {
    /// 1 upwards.
    Number(u32),
    /// `*`: the highest there is.
    Star,
    /// `$`: what the last SEARCH saved (RFC 5182); always alone in its set.
    Saved,
}

/// Ranges as they came: unordered, overlapping, either end first. At most `limits::IMAP_SET_RANGES_MAX`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SequenceSet(pub Vec<(SetNumber, SetNumber)>);

/// LIST with what RFC 5258 and 5819 add.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Patterns with the reference before them, UTF-8.
    pub patterns: Vec<String>,
    /// `LIST "" ""`: only the delimiter is asked for.
    pub delimiter_only: bool,
    /// Select only subscribed names.
    pub subscribed_only: bool,
    /// Select only names with a special use.
    pub special_only: bool,
    /// Tell parents of selected names that don't match themselves.
    pub recursive: bool,
    /// Whether the extended form was used.
    pub extended: bool,
    /// Tell `\Subscribed`.
    pub return_subscribed: bool,
    /// Tell MYRIGHTS of each (RFC 8440).
    pub return_rights: bool,
    /// Tell STATUS of each.
    pub status: Vec<StatusItem>,
}

/// What STATUS tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the protocol's own words")]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    HighestModSeq,
    Size,
    Deleted,
    AppendLimit,
    MailboxId,
}

/// A message as APPEND brings it.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<String>,
    /// INTERNALDATE.
    pub date: Option<Timestamp>,
    /// The message.
    pub message: Bytes,
}

/// An entry's name below `/private` or `/shared`, in lower case (RFC 5464 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataEntry {
    /// `/shared`
    pub shared: bool,
    /// What follows, without the slash before it; empty for `/private` and `/shared` themselves.
    pub name: String,
}

/// GETMETADATA's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetMetadata {
    /// Which; `None` is the server.
    pub mailbox: Option<MailboxName>,
    /// Longest value that is told, bytes.
    pub max_size: Option<u64>,
    /// Levels below each entry that are told: 0, 1, or with `None` all.
    pub depth: Option<u32>,
    /// Which entries.
    pub entries: Vec<MetadataEntry>,
}

/// NOTIFY's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// Tell STATUS of everything at once.
    pub status: bool,
    /// What is to be told of what.
    pub groups: Vec<NotifyGroup>,
}

/// Mailboxes, and what of them is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyGroup {
    /// Which.
    pub mailboxes: NotifyMailboxes,
    /// What of them; none: nothing.
    pub events: NotifyEvents,
}

/// RFC 5465 §6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyMailboxes {
    /// The selected one; with `delayed`, expunges only when they may be told.
    Selected {
        /// SELECTED-DELAYED
        delayed: bool,
    },
    /// Where mail is delivered.
    Inboxes,
    /// All of the user's own.
    Personal,
    /// All that are subscribed.
    Subscribed,
    /// These and all under them.
    Subtree(Vec<MailboxName>),
    /// These.
    Mailboxes(Vec<MailboxName>),
}

/// RFC 5465 §5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifyEvents {
    /// MessageNew, MessageExpunge, FlagChange: whether messages are told of at all.
    pub messages: bool,
    /// FlagChange
    pub flags: bool,
    /// What is fetched of each new message of the selected mailbox.
    pub fetch: Vec<FetchItem>,
    /// MailboxName
    pub names: bool,
    /// SubscriptionChange
    pub subscriptions: bool,
}

/// STORE's arguments.
#[derive(Clone, Debug)]
pub struct Store {
    /// The set is of UIDs.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// Add, remove or replace.
    pub action: FlagAction,
    /// `.SILENT`
    pub silent: bool,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<String>,
    /// RFC 7162 §3.1.3.
    pub unchanged_since: Option<ModSeq>,
}

/// FETCH's arguments.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The set is of UIDs.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// What of them; macros are spelled out.
    pub items: Vec<FetchItem>,
    /// RFC 7162 §3.1.4.
    pub changed_since: Option<ModSeq>,
    /// RFC 7162 §3.2.6.
    pub vanished: bool,
    /// RFC 9394 §3.3.
    pub partial: Option<Partial>,
}

/// One thing to fetch (RFC 3501 §6.4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the protocol's own words")]
pub enum FetchItem {
    Flags,
    Uid,
    InternalDate,
    Rfc822Size,
    ModSeq,
    Envelope,
    Body,
    BodyStructure,
    Rfc822,
    Rfc822Header,
    Rfc822Text,
    Section(BodySection),
    /// `BINARY[part]<partial>` (RFC 3516)
    Binary(BodySection),
    /// `BINARY.SIZE[part]`
    BinarySize(Vec<u32>),
    /// RFC 8474
    EmailId,
    /// RFC 8474
    ThreadId,
    /// RFC 8514
    SaveDate,
    /// RFC 8970; with LAZY as without: it is made in no time.
    Preview,
}

/// `BODY[section]<partial>`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodySection {
    /// `BODY.PEEK`: `\Seen` is not set.
    pub peek: bool,
    /// Part numbers.
    pub path: Vec<u32>,
    /// What of the part.
    pub text: SectionText,
    /// First byte and how many.
    pub partial: Option<(u64, u64)>,
}

/// The end of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionText {
    /// All of it: `BODY[]`, `BODY[1.2]`.
    All,
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS` or, negated, `HEADER.FIELDS.NOT`
    Fields {
        /// Field names as they came.
        names: Vec<String>,
        /// `.NOT`
        negate: bool,
    },
    /// `TEXT`
    Text,
    /// `MIME`
    Mime,
}

/// SEARCH's arguments.
#[derive(Clone, Debug)]
pub struct Search {
    /// Answer UIDs.
    pub uid: bool,
    /// ESEARCH (RFC 4731) options; `None` is the plain answer.
    pub returns: Option<SearchReturn>,
    /// The program, in prefix order.
    pub program: Vec<SearchNode>,
}

/// SORT's arguments.
#[derive(Clone, Debug)]
pub struct Sort {
    /// Answer UIDs.
    pub uid: bool,
    /// ESORT (RFC 5267 §3) options; `None` is the plain answer.
    pub returns: Option<SearchReturn>,
    /// What to order by; the first decides first. At most `limits::IMAP_SORT_CRITERIA_MAX`.
    pub criteria: Vec<SortCriterion>,
    /// Which messages, as in SEARCH.
    pub program: Vec<SearchNode>,
}

/// THREAD's arguments.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Answer UIDs.
    pub uid: bool,
    /// How.
    pub algorithm: ThreadAlgorithm,
    /// Which messages, as in SEARCH.
    pub program: Vec<SearchNode>,
}

/// ESEARCH result options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the protocol's own words")]
pub struct SearchReturn {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
    /// RFC 5182
    pub save: bool,
    /// RFC 9394
    pub partial: Option<Partial>,
}

/// A search program, flat and in prefix order, so that no key of a stranger makes us recurse.
#[derive(Clone, Debug, PartialEq)]
pub enum SearchNode {
    /// All of the next so many.
    And(usize),
    /// One of the next two.
    Or,
    /// Not the next.
    Not,
    /// A key without children.
    Leaf(SearchKey),
}

/// A SEARCH key (RFC 3501 §6.4.4, RFC 5032, RFC 7162 §3.1.5).
#[derive(Clone, Debug, PartialEq)]
pub enum SearchKey {
    /// ALL, and OLD (nothing is ever recent here).
    All,
    /// NEW and RECENT.
    Nothing,
    /// A system flag that must be set or unset.
    Flag(Flags, bool),
    /// A keyword that must be set or unset.
    Keyword(String, bool),
    /// Message sequence numbers.
    Sequence(SequenceSet),
    /// UIDs.
    Uid(SequenceSet),
    /// Bytes, more than.
    Larger(u64),
    /// Bytes, fewer than.
    Smaller(u64),
    /// MODSEQ at least.
    ModSeq(ModSeq),
    /// INTERNALDATE's day, as it is written in UTC.
    Internal(DateTest),
    /// `Date:`'s day, as it is written there.
    Sent(DateTest),
    /// The day it came into the mailbox (RFC 8514), in UTC.
    Saved(DateTest),
    /// EMAILID (RFC 8474).
    EmailId(String),
    /// THREADID (RFC 8474).
    ThreadId(String),
    /// Seconds: INTERNALDATE within the last so many (YOUNGER), or not (OLDER).
    Within {
        /// How long ago.
        seconds: u32,
        /// YOUNGER.
        younger: bool,
    },
    /// A field of the envelope holds a text.
    Envelope {
        /// SUBJECT, FROM, TO, CC or BCC.
        field: EnvelopeField,
        /// Text, folded.
        text: String,
    },
    /// A header field holds a text; empty text: the field is there.
    Header {
        /// Field name.
        name: String,
        /// Text, folded.
        text: String,
    },
    /// The body holds a text.
    Body(String),
    /// Header or body hold a text.
    Text(String),
}

/// A test of a day: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateTest {
    /// Earlier than the day.
    Before(i64),
    /// That day.
    On(i64),
    /// That day or later.
    Since(i64),
}
