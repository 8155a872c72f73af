//! Stories about the whole program: the real binary, real sockets, one story a test.

#![cfg(test)]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod admin;
mod audit_doors;
mod audit_inside;
mod auditing;
mod battery;
mod bench;
mod content;
mod demo;
mod fetch;
mod pages;
mod queue;
mod routes;
mod scanner;
mod sending;
mod serve;
mod sessions;
mod support;
mod watching;
