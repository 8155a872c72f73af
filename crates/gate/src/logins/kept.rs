//! What is remembered of logins that failed: of each host, network, user, password, and of each user at a host.

use super::recent::{Different, Fading};
use mailward_core::{AccountId, Network, Timestamp};
use mailward_vault::WrongMark;

/// A login that is tried, as far as it counts here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried<'a> {
    pub(super) host: Network,
    pub(super) neighbours: Network,
    /// The part of the neighbours that one customer has at most: of IPv6 alone.
    pub(super) site: Option<Network>,
    /// Hash of the user's name, with the book's key.
    pub(super) user: u64,
    pub(super) account: Option<AccountId>,
    /// From a host that is trusted: never banned, and what fails there is no attack by strangers.
    pub(super) exempt: bool,
    /// The password is one that was found right lately.
    pub(super) remembered: bool,
    pub(super) mark: Option<&'a WrongMark>,
}

/// What follows from a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// Somebody is to be banned; why, in words.
    Ban(Network, String),
    /// The user is under attack, who has an account here: so many failures.
    Attacked(u32),
    /// Many users from one host or network: so many at least.
    SprayedFrom(Network, usize),
    /// One password on many users, from many hosts: so many of both at least.
    Sprayed(usize, usize),
    /// Many users once each, from many hosts: so many of both.
    Stuffed(u32, u32),
}

#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) failures: Fading,
    pub(super) users: Different,
    /// Logins whose secret is looked at now.
    pub(super) going: u32,
    /// Logins that wait before that.
    pub(super) waiting: u32,
    pub(super) told: bool,
}

#[derive(Debug, Default)]
pub(super) struct Neighbours {
    pub(super) failures: Fading,
    pub(super) users: Different,
    pub(super) hosts: Different,
    pub(super) told: bool,
}

#[derive(Debug, Default)]
pub(super) struct User {
    /// From hosts that the user never logged in from.
    pub(super) strangers: Fading,
    pub(super) told: Option<Timestamp>,
    /// When the last attempt was let try that came from a strange host, and from one near the user's own.
    pub(super) stranger_at: Option<Timestamp>,
    pub(super) near_at: Option<Timestamp>,
}

/// One user at one host.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Since the last login; they slow the next try down.
    pub(super) failures: Fading,
    /// Different wrong passwords, whoever logged in meanwhile.
    pub(super) guesses: Fading,
    /// Different passwords that weren't looked at.
    pub(super) unseen: Fading,
    /// Wrong passwords that came again.
    pub(super) repeats: Fading,
    pub(super) going: u32,
    pub(super) waiting: u32,
    pub(super) marks: Vec<Mark>,
}

#[derive(Debug)]
pub(super) struct Mark {
    pub(super) mark: WrongMark,
    /// It was found wrong. Otherwise something beside it was.
    pub(super) wrong: bool,
    /// Of this failure only a part was counted for the host.
    pub(super) withheld: bool,
}

/// One user at one host, refused for a while.
#[derive(Debug, Default)]
pub(super) struct Shut {
    pub(super) until: Option<Timestamp>,
    pub(super) times: usize,
}

#[derive(Debug, Default)]
pub(super) struct Password {
    /// Who tried it first, and where.
    pub(super) first: Option<(u64, Network)>,
    pub(super) users: Different,
    pub(super) hosts: Different,
    pub(super) told: bool,
}

#[derive(Debug, Default)]
pub(super) struct Stuffing {
    pub(super) users: Fading,
    pub(super) hosts: Fading,
    pub(super) told: bool,
}
