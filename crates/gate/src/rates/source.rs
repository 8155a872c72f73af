//! What is counted of a message: those that it comes from.

use super::ignore::Ignored;
use super::{Judged, RateHit};
use mailward_core::{Address, Domain, Network, RateLimits, RateSteps};
use mailward_vault::SourceKey;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateKind {
    /// A sending address elsewhere.
    Address,
    /// All addresses of a domain elsewhere.
    Domain,
    /// A host that brings mail.
    Host,
    /// Its neighbours.
    Network,
    /// A user who sends.
    Account,
    /// A host that users send from.
    Client,
}

impl RateKind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Address, Self::Domain, Self::Host, Self::Network, Self::Account, Self::Client];
    /// Its name, that of its key in `mailward.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Domain => "domain",
            Self::Host => "host",
            Self::Network => "network",
            Self::Account => "account",
            Self::Client => "client",
        }
    }
    /// Tells numbers of sources apart.
    const fn letter(self) -> u8 {
        match self {
            Self::Address => b'a',
            Self::Domain => b'd',
            Self::Host => b'h',
            Self::Network => b'n',
            Self::Account => b'u',
            Self::Client => b'c',
        }
    }
}

/// Limits of one host's own, as a rule gives them, instead of what is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnRates {
    /// Messages an hour; `None`: as configured.
    pub messages: Option<u32>,
}

impl OwnRates {
    pub(super) fn instead_of(self, limits: RateLimits) -> RateLimits {
        // Whoever set a limit wants to hear of it, and not of an alarm besides.
        let own = self.messages.map(|limit| RateSteps { warn: 0, block: limit, alarm: 0 });
        RateLimits { messages: own.unwrap_or(limits.messages), ..limits }
    }
}

/// Whom a message comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subjects<'a> {
    /// The sending address; `None` of notices, which come from nobody.
    pub from: Option<&'a Address>,
    /// Whether it is proven that its domain lets this host send: by SPF.
    pub proven: bool,
    /// The address of the user who logged in.
    pub account: Option<&'a str>,
    /// The client's address. `None`: it isn't counted, as it is exempt.
    pub ip: Option<IpAddr>,
    /// From elsewhere; else of a user, or of somebody inside, who sends.
    pub incoming: bool,
    /// What a rule says of this client.
    pub own: OwnRates,
}

/// A source: what it is, and its number.
pub(super) struct Source<'a> {
    pub(super) kind: RateKind,
    pub(super) number: u64,
    what: What<'a>,
    is_proven: bool,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Address(&'a Address),
    Domain(&'a Domain),
    Network(Network),
    Account(&'a str),
}

impl Source<'_> {
    /// It, for people.
    pub(super) fn name(&self) -> String {
        let unproven = if self.is_proven { "" } else { " (not proven)" };
        match self.what {
            What::Address(address) => format!("{address}{unproven}"),
            What::Domain(domain) => format!("{domain}{unproven}"),
            What::Network(network) if network.is_host() => network.first().to_string(),
            What::Network(network) => network.to_string(),
            What::Account(account) => account.to_owned(),
        }
    }

    pub(super) fn hit(&self, judged: &Judged) -> RateHit {
        let Judged { measure, step, count, limit, .. } = *judged;
        RateHit { kind: self.kind, name: self.name(), measure, step, count, limit }
    }
}

/// The sources of one message: four at most.
pub(super) struct Sources<'a>([Option<Source<'a>>; 4]);

impl<'a> Sources<'a> {
    pub(super) fn of(of: &Subjects<'a>, ignored: &Ignored, key: &SourceKey) -> Self {
        if of.ip.is_some_and(|ip| ignored.has_network_of(ip)) {
            return Self([None, None, None, None]);
        }
        let mut buffer = Vec::with_capacity(128);
        let mut make = |kind, what, is_proven| Some(make(kind, what, is_proven, key, &mut buffer));
        if !of.incoming {
            let account = of.account.filter(|account| !ignored.has_account(account));
            return Self([
                account.and_then(|account| make(RateKind::Account, What::Account(account), true)),
                of.ip.and_then(|ip| make(RateKind::Client, What::Network(Network::host(ip)), true)),
                None,
                None,
            ]);
        }
        let from = of.from.filter(|from| !ignored.has_sender(from));
        let domain = from.and_then(Address::domain);
        Self([
            from.and_then(|from| make(RateKind::Address, What::Address(from), of.proven)),
            domain.and_then(|domain| make(RateKind::Domain, What::Domain(domain), of.proven)),
            of.ip.and_then(|ip| make(RateKind::Host, What::Network(Network::host(ip)), true)),
            of.ip.and_then(|ip| make(RateKind::Network, What::Network(Network::neighbours(ip)), true)),
        ])
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Source<'a>> {
        self.0.iter().flatten()
    }
}

fn make<'a>(kind: RateKind, what: What<'a>, is_proven: bool, key: &SourceKey, buffer: &mut Vec<u8>) -> Source<'a> {
    buffer.clear();
    buffer.extend([kind.letter(), u8::from(is_proven)]);
    match what {
        What::Address(address) => {
            buffer.extend(address.local().folded().bytes());
            buffer.push(b'@');
            match address.domain() {
                Some(domain) => buffer.extend(domain.as_str().bytes()),
                None => buffer.extend(address.host().to_string().bytes()),
            }
        }
        What::Domain(domain) => buffer.extend(domain.as_str().bytes()),
        What::Network(network) => {
            match network.first() {
                IpAddr::V4(v4) => buffer.extend(v4.octets()),
                IpAddr::V6(v6) => buffer.extend(v6.octets()),
            }
            buffer.push(network.prefix());
        }
        What::Account(account) => buffer.extend(account.to_lowercase().bytes()),
    }
    Source { kind, number: key.number(buffer).max(1), what, is_proven }
}

/// Everything that a text may name, for whoever wants to have it forgotten.
pub(super) fn named_by(text: &str, key: &SourceKey) -> Result<Vec<(RateKind, u64)>, String> {
    let mut buffer = Vec::new();
    let mut number = |kind, what, is_proven| (kind, make(kind, what, is_proven, key, &mut buffer).number);
    if text.contains('@') {
        let address = Address::parse(text, true).map_err(|e| format!("{text:?}: {e}"))?;
        let text = address.to_string();
        return Ok(vec![
            number(RateKind::Address, What::Address(&address), true),
            number(RateKind::Address, What::Address(&address), false),
            number(RateKind::Account, What::Account(&text), true),
        ]);
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        let host = Network::host(ip);
        return Ok(vec![
            number(RateKind::Host, What::Network(host), true),
            number(RateKind::Client, What::Network(host), true),
        ]);
    }
    if text.contains('/') {
        let network = Network::parse_any(text).map_err(|e| e.to_string())?;
        return [RateKind::Host, RateKind::Client, RateKind::Network]
            .into_iter()
            .map(|kind| Ok(number(kind, What::Network(network), true)))
            .collect();
    }
    let domain =
        Domain::parse_utf8(text).map_err(|e| format!("{text:?} is no address, domain, IP address or network: {e}"))?;
    Ok(vec![
        number(RateKind::Domain, What::Domain(&domain), true),
        number(RateKind::Domain, What::Domain(&domain), false),
    ])
}
