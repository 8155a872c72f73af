//! # dns-zone: DNS servers for tests
//!
//! **For**: tests, of this crate's neighbours and of the whole server; nothing that is delivered depends on it.
//!
//! **In**: zones as text. **Out**: [`Zones`], a server on loopback that plays the whole DNS: a signed root that delegates
//! to every zone, with the root's key in a file for `dns.trust_anchor`; and [`Raw`], a server that answers whatever a
//! closure says; and [`Texts`] and [`Records`], texts and records at names without any server.
//!
//! **Failure**: panics, as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "for tests: what goes wrong here is to stop them"
)]

mod raw;
mod records;
mod texts;
mod zones;

pub use hickory_server::proto;
pub use raw::{Raw, Reply};
pub use records::{Data, Records};
pub use texts::Texts;
pub use zones::{Fault, Zone, Zones};
