//! Whole sessions over memory, with the real store, directory and TLS.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "a test stops at the first thing that isn't as it should be"
)]

mod ending;
mod entering;
mod harness;
mod listing;
mod reading;
mod store;
mod utf8;
