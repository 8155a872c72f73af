//! # web: pages
//!
//! **For**: the door for HTTP, and what is shown there: pages of the quarantine's links ([`mailward_delivery::digest`]), where a
//! user looks at a message that is kept from them, releases it, or has it removed. Other pages will grow here.
//!
//! **In**: a connection that the gate let in ([`serve`]), under TLS, or from a proxy on this host. **Out**: one answer, then the
//! connection is closed: there is nothing that a second request could be smuggled behind (attacks F15).
//!
//! GET and HEAD change nothing, as programs follow links in mail (attacks F8). POST acts, with a link's word that acts
//! once, and only if a browser doesn't say that another site sent it. No page has a script, loads anything, or may
//! stand in a frame; each answer says so ([`answer`]). What outsiders wrote is text (attacks F6). The `Host` field decides nothing.
//!
//! A word that is wrong, old or spent gets one answer, byte for byte ([`wrong`]).
//!
//! **Limits**: `limits::WEB_*`; places of its own beside the gate's, so that pages take none from mail.
//!
//! **Failure**: what can't be read is refused with a status; if the store fails, 503, and nothing was done.
//!
//! **Standards**: RFC 9110, 9112 (HTTP/1.1), RFC 6797 (HSTS), CSP Level 3, Fetch Metadata.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should"))]

mod answer;
mod page;
mod quarantine;
mod request;
mod serve;
mod wrong;

pub use serve::{Context, Parts, serve};

#[cfg(test)]
mod tests;
