//! # alert: the one place that tells the administrator
//!
//! **For**: that whoever must act hears of it: once, soon, by a way that works.
//!
//! **In**: every event of level alert, whoever tells it, and those that say that one is over ([`wanted`]). **Out**: messages
//! ([`Message`]) by each way there is ([`Way`]): mail, a webhook, syslog, and what the composition root adds (a command that
//! the supervisor runs). Every way gets every message, beside the others.
//!
//! **Grouping** ([`Book`]): alerts of one kind about one thing are one topic. The first is told at once, with what else comes
//! within `limits::ALERT_GATHER_TIME`; the same again is counted, and told after an hour, two hours, and so on up to a day.
//! What has an opposite is told when it is over, too. More than `limits::ALERTS_PER_HOUR` messages are gathered into one; what
//! strangers can cause has a number of its own, so that they can't hold up the rest.
//!
//! **Kept** on a shelf of the store: what was told isn't told again after a restart, and what wasn't is. A store that fails
//! is no reason to say nothing: then it is only in memory.
//!
//! **Limits**: `limits::ALERT_*`, `limits::ALERTS_*`.
//!
//! **Failure**: a way that fails is tried again, at most `limits::ALERT_TRIES` times a message; that it fails is an alert of
//! its own, which the other ways bring. What was lost is counted, and the count is told.
//!
//! **Standards**: RFC 5424 (syslog), RFC 2104 (HMAC), RFC 3834 (`Auto-Submitted`).

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should"))]

mod book;
mod keep;
mod kinds;
mod message;
mod runner;
mod time;
mod way;

#[cfg(test)]
mod tests;

pub use book::{Book, Topic};
pub use keep::{Told, WayState, told};
pub use kinds::{known, wanted};
pub use message::{Item, Message, State};
pub use runner::{Alerts, Outcome, Parts, Runner};
pub use way::mail::ByMail;
pub use way::syslog::BySyslog;
pub use way::webhook::ByWebhook;
pub use way::{Brought, Way, WayError};
