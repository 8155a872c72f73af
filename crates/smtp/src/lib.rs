//! # smtp: the protocol, both ways
//!
//! **For**: the grammar of SMTP, submission and LMTP, every reply, and the state machine of the server's side.
//! No socket and no policy: bytes go in, replies and questions come out ([`server::Session`]).
//!
//! **In**: bytes of a peer. **Out**: replies in one table ([`reply`]), typed envelopes, and messages that hold
//! nothing but CRLF lines without NUL.
//!
//! **Limits**: [`limits`](mailward_core::limits)`::{SMTP_COMMAND_LINE_MAX, SASL_LINE_MAX, SMTP_RECIPIENTS_MAX,
//! SMTP_UNKNOWN_RECIPIENTS_MAX, SMTP_ERRORS_MAX, SMTP_JUNK_BEFORE_HELLO_MAX, SMTP_JUNK_COMMANDS_MAX,
//! SMTP_PARAMETERS_MAX, SMTP_CHUNKS_MAX, SMTP_MESSAGES_PER_SESSION_MAX, AUTH_ATTEMPTS_MAX, SOURCE_ROUTE_MAX,
//! MESSAGE_SIZE_MAX}`. Memory: one input buffer of fixed size, and the message.
//!
//! **Failure**: what can't be read is answered with what was wrong, and the session goes on; where what follows
//! can't be told apart from commands, it ends.
//!
//! **Standards**: RFC 5321, 6409 (submission), 2033 (LMTP), 2920 (PIPELINING), 1870 (SIZE), 6152 (8BITMIME),
//! 6531 (SMTPUTF8), 3030 (CHUNKING), 3461 (DSN), 2034 and 3463 (enhanced codes), 3207 (STARTTLS), 4954 (AUTH),
//! 9422 (LIMITS).

pub mod body;
pub mod client;
pub mod command;
pub mod input;
pub mod params;
pub mod path;
pub mod reply;
pub mod server;
pub mod xtext;

pub use reply::Reply;
