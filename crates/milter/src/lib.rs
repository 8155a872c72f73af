//! # milter: programs beside the server that are asked about messages
//!
//! **For**: the mail server's side of the milter protocol, version 6 (and back to 2), at every stage: so that filters made
//! for sendmail and Postfix work unchanged. No policy, and nothing of SMTP: what a milter wants is told, and whoever asked
//! decides what is done.
//!
//! **In**: [`MilterLine`](mailward_core::config::MilterLine)s; of each session who connected ([`Client`]), greeting, sender,
//! recipients, and the bytes of the message. **Out**: [`Outcome`] of each command, and [`Changes`] of a message: verdict,
//! changes of header, body, sender and recipients, quarantine. [`Changes::apply`] makes the message that milters want.
//!
//! **How a session goes**: [`Milters::open`] makes a [`Session`]; nothing is connected to before the first
//! [`Session::mail`] (or [`Session::connect`]). Milters are asked one after the other, in their order; the first refusal is
//! the answer. Of a message each sees what those before it changed. A milter that accepted isn't asked again about the
//! message, or the session. After a fault its connection is given up, its default holds for the transaction, and the next one
//! connects anew.
//!
//! **Limits**: `limits::MILTER_*`. Each answer has a time (`command`, `timeout` of a line); a milter that says it is at work
//! gets more, up to `MILTER_MESSAGE_TIME` for a message, all milters together. Packets, changes, recipients, bodies and words
//! have their most.
//!
//! **Failure**: a milter that isn't there, is silent, talks nonsense, speaks unasked, or wants what it hadn't announced is a
//! [`Fault`], and its default holds: "try again later", unless its line says else. `milter.down` tells the administrator once,
//! `milter.recovered` that it judges again. What a milter writes is hostile as well: answers are checked to be refusals of one
//! line, fields to be one field, addresses to be addresses.
//!
//! **Standards**: there is none; the protocol is what sendmail's `libmilter` speaks (`mfapi.h`, `mfdef.h`). RFC 5321 §4.2 and
//! RFC 3463 for answers, RFC 5322 §2.1.1 and §2.2.3 for fields.

mod answer;
mod changes;
mod connection;
mod draft;
mod facts;
mod fault;
mod filter;
mod health;
mod macros;
pub mod packet;
mod reply;
mod session;
mod step;
pub mod terms;

pub use answer::Answer;
pub use changes::{Changes, Edit, NewRecipient, NewSender, Outcome, Refusal, Verdict};
pub use facts::{Client, LoggedIn, Party, Secured};
pub use fault::Fault;
pub use health::{Agreed, Health, State};
pub use macros::{Asked, Macros, Stage};
pub use reply::Reply;
pub use session::{Milters, Session};
