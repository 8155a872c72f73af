//! The client's side: a connection to a server, over whatever carries bytes; no lookup, no queue, no TLS policy.
//!
//! ```text
//! Connection::greet ─► extensions ─► (starttls_begin ─► TLS by the caller ─► Resume::starttls_done) ─► (auth)
//!                                ─► send, send, … ─► quit
//! ```
//!
//! **What is sent** are lines that end with CRLF and hold no other CR or LF, and no NUL, whatever the message holds
//! (attacks A3): a first piece that isn't so is refused before MAIL, a later one breaks the connection before the end
//! of the message is sent, so that nothing is accepted. Addresses and parameters can't hold line ends (attacks A4).
//!
//! **What comes back** has limits in bytes, lines and time (attacks H6), and must keep in step: a reply that comes
//! before its command was sent ends the connection, as does what isn't SMTP. Before TLS and after it are two
//! connections that know nothing of each other, and bytes that come in clear behind the answer to STARTTLS end both
//! (attacks B2).
//!
//! **What is known afterwards** ([`Report`]): for each recipient whether the server has the message, may take it later,
//! never will, or whether nobody knows; with the server's words and the command they belong to. Commands that are sent
//! together (PIPELINING) and one by one give the same outcomes.
//!
//! **What is decided here**: what the message needs and the server doesn't offer ([`Need`]); DATA or BDAT. Whether to go
//! on without TLS, whom to believe, when to try again, is for the caller.

mod answer;
mod connection;
mod content;
mod extensions;
mod outcome;
pub mod parcel;
mod probe;
mod send;
mod transaction;
mod wire;

pub use answer::{Answer, AnswerReader, INPUT_SIZE, Malformed};
pub use connection::{Connection, Resume, StartTls};
pub use content::{Content, ContentFault, Whole};
pub use extensions::Extensions;
pub use outcome::{Cause, Failure, Need, Outcome, Reason, Report, Step};
pub use transaction::{Recipient, Transaction};

/// Which language is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SMTP, to servers and as submission: one answer to a message.
    Smtp,
    /// LMTP, RFC 2033: one answer for each recipient that was taken.
    Lmtp,
}

/// What protects the bytes on their way, as the caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Nothing.
    Clear,
    /// TLS.
    Tls,
}

#[cfg(test)]
mod tests;
