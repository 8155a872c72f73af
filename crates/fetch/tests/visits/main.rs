//! Whole visits over loopback: to our own POP3 and IMAP servers, and to servers that don't keep their word.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test stops at the first thing that isn't as it should be"
)]

mod administering;
mod hostile_imap;
mod hostile_pop3;
mod house;
mod judged;
mod provider;
mod scripted;
mod visiting;
