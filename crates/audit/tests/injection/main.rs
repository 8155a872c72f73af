//! Messages of the audit's own, at a made-up server: every control passes, fails, and says so when it can't tell.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test says what it expects"
)]

mod cases;
mod house;
mod inside;
mod pages;
#[path = "../doors/session.rs"]
#[allow(dead_code, reason = "shared with the tests of doors, which need more of it")]
mod session;
mod signing;
mod waiting;
