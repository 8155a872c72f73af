//! # pop3: mail for clients that fetch and delete
//!
//! **For**: reading INBOX by POP3. [`machine`] is the protocol without I/O, [`command`] its grammar, [`dots`] its
//! multi-line answers, [`maildrop`] what a session sees, [`lock`] who may see it; [`serve`] is the thin session
//! around them. `ahead` reads messages before they are asked for, `surrogate` makes the form of a message for clients that
//! haven't said UTF8.
//!
//! **In**: bytes of anybody. **Out**: messages of those who proved who they are; deletions, at QUIT and only there.
//!
//! **What holds**: no login without TLS, and no APOP, which needs passwords in clear on disk. One session at a time in a
//! maildrop ([`lock`]). Numbers are those of the moment of login; unique ids are `UIDVALIDITY.UID` of INBOX, so
//! that they outlive sessions and restarts and are never given twice. A session that ends any other way than by
//! QUIT deletes nothing.
//!
//! **What it costs**: a login reads no message's row, however many there are; STAT and UIDL neither (STAT does once something
//! is marked). LIST reads sizes in pages as it is written. A RETR in order reads what will be asked for next as well, in one
//! question; replies of pipelined commands go out together.
//!
//! **Limits** (`mailward_core::limits`): `POP3_LINE_MAX`, `SASL_LINE_MAX`, `POP3_ERRORS_MAX`, `AUTH_ATTEMPTS_MAX`,
//! `POP3_PREAUTH_TIME`, `POP3_IDLE_TIME` (for a whole line, however its bytes trickle), `POP3_LOCK_WAIT`, `WRITE_TIME`,
//! `POP3_READ_BUFFER`, `WRITE_BUFFER_MAX` (messages and listings are written as fast as they are read; thrice that much waits
//! at most), `POP3_AHEAD_MAX`, `POP3_AHEAD_MESSAGES`, `POP3_LIST_ROWS`, `POP3_TOP_PIECE`, `POP3_PAUSE_TIME`,
//! `POP3_SURROGATE_MAX`, `POP3_MESSAGES_MAX`, `PAGE_ROWS_MAX` (ranges that one commit deletes).
//!
//! **On failure**: a store that doesn't answer is `-ERR [SYS/TEMP]`, one that is damaged `[SYS/PERM]`, and a client keeps
//! what it has; one that fails in the middle of a message or a listing ends the session, as nothing else would keep the
//! client from taking half of it for the whole.
//!
//! **Standards**: RFC 1939 (POP3), 2449 (CAPA, RESP-CODES, PIPELINING, EXPIRE, IMPLEMENTATION), 2595 §4 (STLS), 3206 (AUTH,
//! SYS/TEMP, SYS/PERM), 5034 (SASL), 6856 (UTF8, LANG), 6858 (messages for clients without UTF8), 8314 §3.3 (implicit TLS).

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should"))]

mod ahead;
pub mod command;
pub mod dots;
pub mod lock;
pub mod machine;
pub mod maildrop;
mod session;
mod surrogate;

pub use lock::Locks;
pub use session::{Context, serve};
