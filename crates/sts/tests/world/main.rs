//! Policies fetched from a web server by a zone's word, both of the test's own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::expect_used, clippy::string_slice, unreachable_pub, missing_docs)]

mod fetching;
mod host;
mod keeping;
