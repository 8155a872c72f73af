//! Controls that knock at doors, at the doors of a server that can be told to do each thing wrong.

#![cfg(test)]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "a test says what it expects")]

mod cases;
mod house;
mod http;
mod imap;
mod knocking;
mod old_tls;
mod outside;
mod pop3;
mod probing;
mod session;
mod sieve;
mod smtp;
mod tls_bytes;
