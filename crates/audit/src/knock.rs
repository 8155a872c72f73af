//! # knock: clients that knock at a mail server's doors
//!
//! **For**: asking any server, ours or another's, what it takes and what it refuses. No policy and no assumption about who
//! answers: what an answer means is the business of who asks.
//!
//! **In**: a [`Door`](crate::Door). **Out**: [`Talk`], a dialogue by lines over TCP or TLS, as SMTP, LMTP, IMAP and POP3 have it,
//! with a transcript; [`Shown`], what a server showed when TLS began, not judged; [`judge`], which judges it; [`tls`], a look at
//! what of TLS it takes that our own TLS doesn't speak, from SSL 3.0 on, by its first flight alone and without any cryptography;
//! [`page()`], one request by HTTP.
//!
//! **Limits**: `limits::KNOCK_*`, for each read: silence, line, total, and the time of a connection.
//!
//! **Failure**: [`KnockError`], whatever a server says; a transcript tells how far it came.
//!
//! **Standards**: RFC 5321, 3207, 2033 (SMTP, STARTTLS, LMTP), 9051 and 3501 (IMAP), 1939, 2449 and 2595 (POP3), 5804 (ManageSieve), 9112
//! (HTTP/1.1), 8446, 5246, 4346,
//! 2246 and 6101 (TLS 1.3 to SSL 3.0), 5746, 7627.

mod answer;
mod certificate;
mod pace;
mod page;
mod scram;
mod talk;
pub mod tls;
mod wire;

pub use answer::{Answer, Kind};
pub use certificate::{Anchors, Certificate, Key, Offer, Shown, Untrusted, certificate, judge};
pub use pace::Pace;
pub(crate) use pace::at_once;
pub use page::{Asking, Page, page};
pub use scram::{Binding, login as scram_login};
pub use talk::Talk;
pub use wire::Wire;
pub(crate) use wire::literal;

/// Why nothing could be found out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnockError {
    /// Nobody lets us in.
    #[error("no connection: {0}")]
    Connect(String),
    /// The other side closed.
    #[error("the connection was closed")]
    Closed,
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// One of `limits::KNOCK_*` was passed.
    #[error("it says too much: {0}")]
    TooMuch(&'static str),
    /// An answer that can't be understood.
    #[error("{0}")]
    Odd(&'static str),
    /// It refused what had to be done first: what that was, and what it said.
    #[error("{0} was refused: {1}")]
    Refused(&'static str, String),
    /// TLS didn't begin.
    #[error("TLS: {0}")]
    Tls(String),
}
