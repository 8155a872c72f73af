//! The audit's own account, and what the server tells of what becomes of its mail. Whoever composes the audit makes the account
//! for the run and takes it away afterwards; a control only ever sees what is asked here.

use crate::host::Missed;
use mailward_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

/// An answer that is waited for.
pub type Answered<'a, T> = Pin<Box<dyn Future<Output = Result<T, Missed>> + Send + 'a>>;

/// What the server tells of the audit's account. Whatever it can't tell is [`Missed`], and what needs it isn't tested.
pub trait Canary: fmt::Debug + Send + Sync {
    /// The address of this host by which the server takes who comes for a stranger, with all checks and no rights; `None`: it
    /// makes no difference. An address of the other version of IP can't be used at a door.
    fn stranger(&self) -> Option<IpAddr>;

    /// Messages in the account's mailboxes whose header has this text.
    fn arrived<'a>(&'a self, marker: &'a str) -> Answered<'a, Vec<Arrived>>;

    /// Messages that are kept for the account in the quarantine and whose header has this text.
    fn quarantined<'a>(&'a self, marker: &'a str) -> Answered<'a, Vec<Kept>>;

    /// What is remembered of what a reply named: `7K2Q-9XMT` of one that was refused, the name of a message that was taken. In
    /// words; empty where nothing is remembered.
    fn trace<'a>(&'a self, reference: &'a str) -> Answered<'a, String>;

    /// The log from this time on, as it is written: at most `limits::AUDIT_LOG_MAX`, the newest.
    fn log(&self, since: Timestamp) -> Answered<'_, Vec<u8>>;

    /// Has an address that nobody uses banned for a moment, tries every door from there, and lifts the ban.
    fn bans(&self) -> Answered<'_, Vec<TriedBan>>;

    /// How many messages the spam filter learned from the account: as spam, and as none.
    fn learned(&self) -> Answered<'_, (u64, u64)>;

    /// From now on, what the account writes to one address that nobody has is sent to this port of loopback, over SMTP: where TLS is
    /// demanded, under it and to nobody else than 127.0.0.1, else as it can be had; the address.
    fn sink(&self, port: u16, demands_tls: bool) -> Answered<'_, String>;

    /// From now on, what anybody writes to an address of the server that nobody else has is forwarded to this port of loopback, over
    /// SMTP; the address.
    fn forward(&self, port: u16) -> Answered<'_, String>;

    /// Takes a message of the account's mailboxes, whose header has this text, into the quarantine, as if it had been kept when it
    /// came; false: users here may decide on nothing.
    fn hold<'a>(&'a self, marker: &'a str, held: Held) -> Answered<'a, bool>;

    /// Lets one go that is kept for the account, as an administrator does; whether there was one.
    fn release<'a>(&'a self, marker: &'a str) -> Answered<'a, bool>;

    /// Makes a digest of what is kept for the account, for it alone and whatever the hour, by links that end after this time, and
    /// takes it out of the account's mailbox; `None`: nothing is told, or there are no pages for its links.
    fn digest(&self, lasts: Duration) -> Answered<'_, Option<Digest>>;

    /// Takes back what the run left: mail, what is kept of it, and the account itself.
    fn forget(&self) -> Answered<'_, ()>;
}

/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The mailbox.
    pub folder: String,
    /// Its header, as it is kept. Hostile.
    pub header: Vec<u8>,
}

/// A message in the quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What was found in it, in words. Hostile in part.
    pub why: String,
}

/// Why a message is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// For a reason for which users are shown what is kept, and may decide.
    ForUsers,
    /// For a virus.
    ForVirus,
}

/// A digest of the quarantine, decoded. Hostile in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

/// What one door did with an address that is banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedBan {
    /// Which door.
    pub door: String,
    /// What it did before the ban, in a word.
    pub before: String,
    /// And while it ran.
    pub banned: String,
    /// Whether the ban acts there; `None`: it couldn't be tried.
    pub acts: Option<bool>,
}
