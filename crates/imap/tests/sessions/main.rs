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

mod annotating;
mod appending;
mod believing;
mod compress;
mod condstore;
mod entering;
mod faulty;
mod harness;
mod indexed;
mod limits;
mod mailboxes;
mod model;
mod notifying;
mod page;
mod parts;
mod playing;
mod qresync;
mod reading;
mod rev2;
mod searching;
mod several;
mod sharing;
mod sorting;
mod telling;
mod watched;
mod writing;
