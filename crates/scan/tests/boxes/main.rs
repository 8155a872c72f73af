//! Containers, opened: what is found in each, and what ends the attempt.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may stop at what isn't as it should be"
)]

mod build;
mod zip;
