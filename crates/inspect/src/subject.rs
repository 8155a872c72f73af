//! What is judged: a message with everything that its session knows of it.

use crate::spf::SpfOutcome;
use bytes::Bytes;
use mailward_core::{AccountId, Address, Timestamp};
use mailward_message::Structure;
use std::net::IpAddr;
use std::sync::Arc;

/// Where a message comes from, and so where it may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From elsewhere, to somebody here (or to where an address here leads).
    Incoming,
    /// From somebody here, to at least one recipient elsewhere.
    Outgoing,
    /// From somebody here, to nobody but those here.
    Internal,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Incoming, Self::Outgoing, Self::Internal];

    /// As rules and logs have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
            Self::Internal => "internal",
        }
    }
}

/// A recipient that the session took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// As it was given; none: `<postmaster>`.
    pub address: Option<Address>,
    /// The accounts here that its mail goes to; empty: elsewhere.
    pub accounts: Vec<AccountId>,
}

/// A message that is to be judged. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Our trace fields and the message behind them, CRLF line ends, not dot-stuffed.
    pub bytes: Bytes,
    /// Bytes of our trace fields.
    pub trace: usize,
    /// Of all of `bytes`.
    pub structure: Arc<Structure>,
    /// Its name in replies, trace and log.
    pub id: Arc<str>,
    /// See there.
    pub direction: Direction,
    /// Who brings it; none: by a Unix socket, or a program of this host.
    pub client: Option<IpAddr>,
    /// The name the client gave itself.
    pub hello: Arc<str>,
    /// The client's name, if its addresses include the client's.
    pub reverse: Option<Arc<str>>,
    /// Whether the client is looked at as a stranger: not ours, not trusted by a rule. Of others neither SPF nor lists are asked.
    pub stranger: bool,
    /// The envelope's sender; none: `<>`.
    pub sender: Option<Address>,
    /// The envelope's recipients, in the order they were taken.
    pub recipients: Arc<[Recipient]>,
    /// Who is logged in.
    pub login: Option<AccountId>,
    /// SPF of the sender, or of the greeting if there is none; none: not asked.
    pub spf: Option<SpfOutcome>,
    /// What the gate saw: words of `gate::score` and lists, each with its points.
    pub signs: Arc<[(String, i32)]>,
    /// Somebody here wrote to the sender before.
    pub correspondent: bool,
    /// When it came.
    pub now: Timestamp,
}

impl Subject {
    /// The message as it came.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.bytes.get(self.trace..).unwrap_or_default()
    }
}
