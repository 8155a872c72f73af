//! The states of a session, each with what is known in it and nothing else.

use crate::body::{ChunkBody, DataBody};
use crate::params::MailParameters;
use crate::path::ReversePath;
use crate::reply::Reply;
use mailward_core::foreign::Foreign;

/// What policy hands to a session to keep. The session never looks inside; it drops them when they end.
pub trait Rights {
    /// Proof of a login.
    type Login;
    /// A login that is going on.
    type Sasl;
    /// What was decided about the sender.
    type Sender;
    /// What was decided about a recipient: where its mail goes, and the right to put it there.
    type Recipient;
}

/// The other side said who it is.
#[derive(Clone, Debug)]
pub struct Greeted {
    /// The name given, fit to stand in a trace.
    pub name: Box<str>,
    /// EHLO or LHLO rather than HELO.
    pub extended: bool,
}

/// A transaction: sender, and recipients as far as they are given.
pub struct MailGiven<R: Rights> {
    /// Who sends it.
    pub greeted: Greeted,
    /// Where errors go.
    pub path: ReversePath,
    /// What came with it.
    pub parameters: MailParameters,
    /// What policy said of the sender.
    pub sender: R::Sender,
    /// What policy said of each recipient that was taken, in order.
    pub recipients: Vec<R::Recipient>,
}

/// A message that comes in chunks.
pub(super) struct Chunks<R: Rights> {
    pub(super) mail: MailGiven<R>,
    pub(super) body: ChunkBody,
    pub(super) count: usize,
}

pub(super) enum State<R: Rights> {
    /// Nothing said yet, or TLS just started.
    Fresh,
    /// Between transactions.
    Greeted(Greeted),
    /// In a transaction.
    Mail(Box<MailGiven<R>>),
    /// DATA was answered with 354.
    Data { mail: Box<MailGiven<R>>, body: DataBody },
    /// Within a chunk of `left` more bytes.
    Chunk { chunks: Box<Chunks<R>>, left: u64, last: bool },
    /// Between chunks of one message.
    BetweenChunks(Box<Chunks<R>>),
    /// Within a chunk that belongs to nothing: its bytes are read over, never read as commands (attacks B6).
    Skip { left: u64, reply: Reply, back: Box<State<R>> },
    /// Within AUTH.
    Auth { greeted: Greeted, sasl: R::Sasl },
    /// STARTTLS was answered with 220.
    TlsAgreed,
    /// Over.
    Closed(Closing),
}

/// Whether TLS is there or could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsState {
    Absent,
    Offered,
    Running,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// QUIT.
    Quit,
    /// `limits::SMTP_ERRORS_MAX`, or `limits::SMTP_JUNK_BEFORE_HELLO_MAX`.
    Errors,
    /// `limits::SMTP_JUNK_COMMANDS_MAX`.
    Junk,
    /// `limits::SMTP_UNKNOWN_RECIPIENTS_MAX`.
    UnknownRecipients,
    /// `limits::SMTP_DEFERRED_RECIPIENTS_MAX`.
    DeferredRecipients,
    /// As many messages as one session may have.
    Messages,
    /// `limits::AUTH_ATTEMPTS_MAX`.
    AuthFailures,
    /// Lines over `limits::SMTP_COMMAND_LINE_MAX`.
    LongLines,
    /// Attacks B1.
    BytesAfterStartTls,
    /// A message sent where none was asked for.
    BytesAfterData,
    /// Attacks B8.
    Foreign(Foreign),
    /// A chunk whose size can't be read.
    ChunkSize,
    /// Too slow.
    Timeout,
    /// It was let say nothing.
    ShutOut,
    /// Spoke before it was greeted.
    EarlyTalker,
    /// The server stops.
    Shutdown,
    /// A question that nobody answered: a fault of ours.
    Unanswered,
}

impl Closing {
    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Closing::Quit => "quit",
            Closing::Errors => "errors",
            Closing::Junk => "junk",
            Closing::UnknownRecipients => "unknown-recipients",
            Closing::DeferredRecipients => "deferred-recipients",
            Closing::Messages => "messages",
            Closing::AuthFailures => "auth-failures",
            Closing::LongLines => "long-lines",
            Closing::BytesAfterStartTls => "bytes-after-starttls",
            Closing::BytesAfterData => "bytes-after-data",
            Closing::Foreign(what) => what.name(),
            Closing::ChunkSize => "chunk-size",
            Closing::Timeout => "timeout",
            Closing::ShutOut => "shut-out",
            Closing::EarlyTalker => "early-talker",
            Closing::Shutdown => "shutdown",
            Closing::Unanswered => "unanswered",
        }
    }
    /// Whether the peer did what an honest client doesn't do.
    #[must_use]
    pub const fn is_hostile(self) -> bool {
        !matches!(
            self,
            Closing::Quit
                | Closing::DeferredRecipients
                | Closing::Messages
                | Closing::Timeout
                | Closing::Shutdown
                | Closing::Unanswered
        )
    }
}
