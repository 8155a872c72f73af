//! Who watches logins: asked before a secret is looked at, told what came of it.

use mailward_core::{AccountId, Address, Peer};
use mailward_vault::WrongMark;
use std::time::Duration;

/// A login that is tried, without its secret.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The user name, canonical, whether or not it is anybody's. From outside.
    pub user: &'a str,
    /// Whose it is, if it is anybody's. What a stranger can see must not hang on it (attacks A6, C4).
    pub account: Option<(AccountId, &'a Address)>,
    /// Who tries.
    pub peer: &'a Peer,
    /// Tells the password from others, where one came; SCRAM has none.
    pub mark: Option<&'a WrongMark>,
    /// The password is the account's: it was found right a short while ago.
    pub remembered: bool,
    /// The version of TLS that carries it, such as `TLSv1.3`; `None` where nobody says so.
    pub tls: Option<&'static str>,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Look at the secret.
    Go,
    /// Ask again ([`LoginWatch::again`]) after that time, in which no place for hashing is held.
    Wait(Duration),
    /// Answer as to a wrong password, at the same time, and look at nothing.
    Refuse,
}

/// Why a login was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The user or the secret was wrong, or the account takes no logins.
    Wrong,
    /// Something beside user and secret was wrong; the secret may have been right.
    Other,
    /// The client's message was none of the mechanism's: it tells nothing of any user.
    Malformed,
    /// [`Before::Refuse`] was the word.
    Refused,
    /// The client went away while it waited.
    Left,
    /// The client went away while the secret was looked at.
    Abandoned,
    /// We could not tell: too busy, or the store or the vault failed. Nobody's fault.
    Undecided,
}

/// Watches logins by every protocol and mechanism. Everything is answered from memory, at once.
///
/// Each attempt is [`LoginWatch::before`], perhaps [`LoginWatch::again`], and then exactly one of the two others.
pub trait LoginWatch: Send + Sync + 'static {
    /// A login is tried.
    fn before(&self, attempt: &Attempt<'_>) -> Before;
    /// The same one waited. Answers [`Before::Go`] or [`Before::Refuse`]; another wait is a refusal.
    fn again(&self, attempt: &Attempt<'_>) -> Before;
    /// It was a login.
    fn succeeded(&self, attempt: &Attempt<'_>);
    /// It was none.
    fn failed(&self, attempt: &Attempt<'_>, why: Failed);
    /// A message that names nobody was malformed.
    fn malformed(&self, peer: &Peer);
}

/// Lets everybody try.
#[derive(Clone, Copy, Debug, Default)]
pub struct NobodyWatches;

impl LoginWatch for NobodyWatches {
    fn before(&self, _: &Attempt<'_>) -> Before {
        Before::Go
    }
    fn again(&self, _: &Attempt<'_>) -> Before {
        Before::Go
    }
    fn succeeded(&self, _: &Attempt<'_>) {}
    fn failed(&self, _: &Attempt<'_>, _: Failed) {}
    fn malformed(&self, _: &Peer) {}
}
