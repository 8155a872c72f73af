//! The search index: it leads to what holds a text, never past it, whatever became of its file, of the messages, or of the
//! power.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

mod damage;
mod finding;
mod model;
mod owed;
mod power;
mod support;
mod tidying;
