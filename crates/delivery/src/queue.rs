//! Sending what is owed to other hosts: visits to lanes that are due, and what their senders are told.
//!
//! A [`Runner`] asks the store which lanes are due and visits each: asks the [`Guide`] for the way, opens as many
//! connections as the lane may have, and gives each message after message. What came of a message's recipients is one
//! commit with the bounces that tell it. What is under way is known in memory only: after a crash it is due again.
//!
//! A host that can't be reached, or ends the session, rests ([`schedule::next_visit`]), its recipients wait for it; a
//! recipient that is refused for now waits by itself ([`schedule::next_attempt`]).

mod allowance;
mod bounce;
pub(crate) mod chance;
mod content;
mod feed;
mod in_work;
mod lane;
mod maildir;
mod mx;
pub(crate) mod notice;
mod outcome;
pub(crate) mod places;
mod reroute;
mod routed;
mod runner;
pub mod schedule;
mod suspicion;
mod trust;
pub(crate) mod visit;
mod way;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
pub(crate) mod tests;

pub use bounce::{BounceParts, Bounced, Bouncer};
pub use mx::MxGuide;
pub use reroute::reroute_step;
pub use routed::{Finder, OwnDoors, RoutedGuide};
pub use runner::{Parts, Runner};
pub use trust::Policies;
pub use way::{Access, Fit, Guide, Host, Named, Trust, Watched, Way};
