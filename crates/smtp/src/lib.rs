//! # smtp: the protocol, both ways
//!
//! **For**: the grammar of SMTP, submission and LMTP, every reply, the state machine of the server's side
//! ([`server::Session`]: bytes go in, replies and questions come out), and the client's side ([`client::Connection`],
//! over whatever carries bytes). No socket and no policy.
//!
//! **In**: bytes of a peer; messages to send, piece by piece. **Out**: replies in one table ([`reply`]), typed envelopes,
//! and messages that hold nothing but CRLF lines without NUL; for what is sent, an outcome for each recipient.
//!
//! **Limits**: [`limits`](mailward_core::limits)`::{SMTP_COMMAND_LINE_MAX, SASL_LINE_MAX, SMTP_RECIPIENTS_MAX,
//! SMTP_UNKNOWN_RECIPIENTS_MAX, SMTP_ERRORS_MAX, SMTP_JUNK_BEFORE_HELLO_MAX, SMTP_JUNK_COMMANDS_MAX,
//! SMTP_PARAMETERS_MAX, SMTP_CHUNKS_MAX, SMTP_MESSAGES_PER_SESSION_MAX, AUTH_ATTEMPTS_MAX, SOURCE_ROUTE_MAX,
//! MESSAGE_SIZE_MAX}`. Memory: one input buffer of fixed size, and the message. The client: `SMTP_REPLY_*` and
//! `SEND_*`; one input buffer of fixed size, an envelope, a piece of the message and `SEND_BUFFER`.
//!
//! **Failure**: what can't be read is answered with what was wrong, and the session goes on; where what follows
//! can't be told apart from commands, it ends. The client's connection ends with the first reply that can't be
//! understood; who has the message then is in its report.
//!
//! **Standards**: RFC 5321, 6409 (submission), 2033 (LMTP), 2920 (PIPELINING), 1870 (SIZE), 6152 (8BITMIME),
//! 6531 (SMTPUTF8), 3030 (CHUNKING), 3461 (DSN), 2034 and 3463 (enhanced codes), 3207 (STARTTLS), 4954 (AUTH),
//! 9422 (LIMITS), 8689 (REQUIRETLS); the client also 4616 (PLAIN).

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
