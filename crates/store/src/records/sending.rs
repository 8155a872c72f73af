//! What users send to other domains, as values: how much, how much they may, and whether they may at all.

use super::Accepted;
use mailward_core::{AccountId, Domain, DomainId, Measure, PerMeasure, SendLimits, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Whose sending is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One account's.
    Account(AccountId),
    /// That of all accounts of a domain together.
    Domain(DomainId),
    /// That of a program of this host or of a host inside.
    Insider(Insider),
}

/// Somebody who sends without a login, by a number: a user of this host, or an inside host. None is an account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Insider(pub(crate) i64);

impl Insider {
    /// What comes below the numbers of all users.
    const HOSTS: i64 = -(1 << 33);

    /// The programs of a user of this host.
    #[must_use]
    pub fn program(uid: u32) -> Self {
        Self((-1_i64).saturating_sub(i64::from(uid)))
    }

    /// An inside host: an IPv4 address, or an IPv6 network of 64 bits, as a host can take any address of it.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(Self::HOSTS.saturating_sub(i64::from(address.to_bits()))),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                // Global ones are from 2^61 on, local ones below -2^48.
                Self(i64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

/// Who sends a message that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metered {
    /// An account, for which its domain counts as well.
    Account(AccountId),
    /// An insider, for whom the domain of the sender counts, if it is one of ours.
    Insider(Insider, Option<Domain>),
}

/// Limits that differ from what is configured; `None`: as configured, 0: no limit.
pub type LimitChanges = PerMeasure<Option<u64>>;

/// Says by whom a message is sent, and how much they and their domain may send where nothing else is set for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Who sends.
    pub who: Metered,
    /// What an account or an insider may send, unless it has limits of its own.
    pub user: SendLimits,
    /// What all who send for a domain may send together, unless it has limits of its own.
    pub domain: SendLimits,
}

/// Where a message went that was counted, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submitted {
    /// Where it went.
    pub accepted: Accepted,
    /// Where each notice that came with it went, in order.
    pub told: Vec<Accepted>,
    /// Why its recipients at other domains are held, if they are.
    pub held: Option<Withheld>,
    /// Limits that were within bounds before this message and aren't any more: each is told once.
    pub newly: Vec<Exceeded>,
    /// What the account or insider sent, this message included.
    pub sent: PerMeasure<u64>,
}

/// Why a message of a user is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// The account is frozen, and why.
    Frozen(String),
    /// It goes beyond a limit.
    Beyond(Exceeded),
}

/// A limit, and what goes beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Whose.
    pub scope: Scope,
    /// Of what.
    pub measure: Measure,
    /// How much may be sent.
    pub limit: u64,
    /// How much was.
    pub sent: u64,
}

impl std::fmt::Display for Withheld {
    /// As it stands beside a held recipient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Frozen(why) => write!(f, "the user is frozen: {why}"),
            Self::Beyond(exceeded) => exceeded.fmt(f),
        }
    }
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whose = match self.scope {
            Scope::Account(_) => "user",
            Scope::Domain(_) => "domain",
            Scope::Insider(_) => "program or host",
        };
        write!(f, "limit of the {whose}: {} {}, this is number {}", self.limit, self.measure, self.sent)
    }
}

/// An account that may not send to other domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Since when.
    pub since: Timestamp,
    /// Why; at most `limits::QUEUE_REASON_MAX` bytes.
    pub why: String,
    /// What waited of its mail when it was frozen isn't all held yet.
    pub unfinished: bool,
}

/// What is set for an account or a domain, and what is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderRecord {
    /// Whose.
    pub scope: Scope,
    /// Limits of its own.
    pub limits: LimitChanges,
    /// Limits that its last message went beyond.
    pub beyond: Vec<Measure>,
    /// Whether it is frozen.
    pub frozen: Option<Frozen>,
}

impl SenderRecord {
    /// Of somebody for whom nothing is set.
    #[must_use]
    pub fn usual(scope: Scope) -> Self {
        Self { scope, limits: LimitChanges::default(), beyond: Vec::new(), frozen: None }
    }

    /// What may be sent, where the rest is as configured.
    #[must_use]
    pub fn effective(&self, configured: &SendLimits) -> SendLimits {
        self.limits.map(|measure, own| own.unwrap_or_else(|| configured.get(measure)))
    }
}

/// What an account or a domain sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentRecord {
    /// In this hour, and in 24 hours.
    pub sent: PerMeasure<u64>,
    /// Messages of 24 hours that were held as they went beyond a limit.
    pub held: u64,
    /// Recipients that were refused for good in this hour.
    pub refused: u64,
    /// Most new recipients of any hour before this one.
    pub busiest: u64,
    /// Hours before this one in which anything was sent; at most `limits::SENT_HOURS_KEPT`.
    pub hours: u64,
}
