//! Containers, opened: what is found in each, and what ends the attempt.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests may stop at what isn't as it should be"
)]

mod budget;
mod build;
mod disks;
mod inline;
mod limits;
mod mail;
mod old;
mod packed;
mod properties;
mod seven;
mod zip;
