//! The spam filter over a store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::cast_possible_truncation
)]

mod evaluation;
mod judging;
mod learning;
mod peers;
mod scoring;
mod tokens;
mod world;
