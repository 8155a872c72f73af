//! What goes wrong with a milter.

use mailward_core::limits::MILTER_PACKETS_MAX;
use std::io;

/// Why a milter couldn't be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It isn't there.
    #[error("it can't be connected to: {0}")]
    Connect(String),
    /// It wasn't there a moment ago.
    #[error("it wasn't there a moment ago")]
    Resting,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// It ended the connection.
    #[error("it ended the connection")]
    Ended,
    /// It didn't answer in time.
    #[error("it didn't answer to {0} in time")]
    Late(&'static str),
    /// It sent a packet of an impossible length.
    #[error("it sent a packet of {0} bytes")]
    Packet(usize),
    /// It sent what can't be read.
    #[error("it sent {0}")]
    Malformed(&'static str),
    /// It wants what we didn't offer, or doesn't say what it has to.
    #[error("no terms with it: {0}")]
    Terms(&'static str),
    /// It sent something that has no place here.
    #[error("it answered {1} with {0}")]
    OutOfPlace(&'static str, &'static str),
    /// It spoke when nobody had asked.
    #[error("it spoke without being asked")]
    Unasked,
    /// It wants to change what it hadn't said it would.
    #[error("it never said that it would {0}")]
    NotAgreed(&'static str),
    /// It goes on and on.
    #[error("it sent over {MILTER_PACKETS_MAX} packets in one answer")]
    Endless,
    /// It changes too much.
    #[error("it wants too much: {0}")]
    TooMuch(&'static str),
    /// A field of the message is longer than a packet to this milter may be. Nobody's fault but the sender's.
    #[error("a header field of {0} bytes can't be shown to it")]
    Unshowable(usize),
}

impl Fault {
    /// What came of reading or writing.
    pub(crate) fn io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Ended,
            _ => Self::Broken(error.to_string()),
        }
    }

    /// Whether the milter is to blame.
    pub(crate) const fn is_its_own(&self) -> bool {
        !self.is_of_message() && !matches!(self, Self::Resting)
    }

    /// Whether whoever wrote the message is to blame: no milter is passed over for that.
    pub(crate) const fn is_of_message(&self) -> bool {
        matches!(self, Self::Unshowable(_))
    }

    /// Whether it was never reached.
    pub(crate) const fn is_absence(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Resting)
    }
}
