//! The conformance suite: what every implementation of the store must do, as stories. A new implementation adds
//! a line to `implementations!` and passes all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod changes;
mod delivering;
mod directory;
mod flags;
mod keys;
mod mailboxes;
mod model;
mod quarantine;
mod queue;
mod searching;
mod sending;
mod sharing;
mod shelf;
mod spam;
mod support;
