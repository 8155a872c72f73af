//! Whole sessions over memory with a real store, told as the clients see them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    unreachable_pub,
    reason = "a test that panics has failed, which is what it is for"
)]

mod condstore;
mod entering;
mod faulty;
mod harness;
mod limits;
mod mailboxes;
mod reading;
mod searching;
mod several;
mod writing;
