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
    /// All users of a domain here who send.
    #[serde(rename = "own_domain")]
    OwnDomain,
    /// A host that users send from.
    Client,
}

impl RateKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Address, Self::Domain, Self::Host, Self::Network, Self::Account, Self::OwnDomain, Self::Client];
    /// Its name, that of its key in `mailward.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Domain => "domain",
            Self::Host => "host",
            Self::Network => "network",
            Self::Account => "account",
            Self::OwnDomain => "own_domain",
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
            Self::OwnDomain => b'o',
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
    proof: Proof,
}

/// Whether it is proven that a source is what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// It is, or nobody could pretend to be it.
    Proven,
    /// It isn't: it counts for those neighbours only that it comes from, if that is known. Who forges a sender elsewhere has
    /// nothing put off that its owner sends.
    Unproven(Option<Network>),
}

#[derive(Clone, Copy)]
enum What<'a> {
    Address(&'a Address),
    Domain(&'a str),
    Network(Network),
    Account(&'a str),
}

/// Begins what follows the name of a sender that isn't proven.
const UNPROVEN: &str = " (not proven";

impl Source<'_> {
    /// It, for people.
    pub(super) fn name(&self) -> String {
        let unproven = match self.proof {
            Proof::Proven => String::new(),
            Proof::Unproven(None) => format!("{UNPROVEN})"),
            Proof::Unproven(Some(network)) => format!("{UNPROVEN}, from {network})"),
        };
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

/// Sources of one message, at most.
pub(super) const SOURCES: usize = 4;

/// The sources of one message.
pub(super) struct Sources<'a>([Option<Source<'a>>; SOURCES]);

impl<'a> Sources<'a> {
    pub(super) fn of(of: &Subjects<'a>, ignored: &Ignored, key: &SourceKey) -> Self {
        if of.ip.is_some_and(|ip| ignored.has_network_of(ip)) {
            return Self([None, None, None, None]);
        }
        let mut buffer = Vec::with_capacity(128);
        let mut make = |kind, what, proof| Some(make(kind, what, proof, key, &mut buffer));
        if !of.incoming {
            let account = of.account.filter(|account| !ignored.has_account(account));
            let domain = account.and_then(|account| own_domain(of.from, account, ignored));
            return Self([
                account.and_then(|account| make(RateKind::Account, What::Account(account), Proof::Proven)),
                domain.and_then(|domain| make(RateKind::OwnDomain, What::Domain(domain), Proof::Proven)),
                of.ip.and_then(|ip| make(RateKind::Client, What::Network(Network::host(ip)), Proof::Proven)),
                None,
            ]);
        }
        let from = of.from.filter(|from| !ignored.has_sender(from));
        let domain = from.and_then(Address::domain).map(Domain::as_str);
        let proof = if of.proven { Proof::Proven } else { Proof::Unproven(of.ip.map(Network::neighbours)) };
        Self([
            from.and_then(|from| make(RateKind::Address, What::Address(from), proof)),
            domain.and_then(|domain| make(RateKind::Domain, What::Domain(domain), proof)),
            of.ip.and_then(|ip| make(RateKind::Host, What::Network(Network::host(ip)), Proof::Proven)),
            of.ip.and_then(|ip| make(RateKind::Network, What::Network(Network::neighbours(ip)), Proof::Proven)),
        ])
    }

    /// Their numbers; 0 where there is none.
    pub(super) fn numbers(&self) -> [u64; SOURCES] {
        self.0.each_ref().map(|source| source.as_ref().map_or(0, |source| source.number))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Source<'a>> {
        self.0.iter().flatten()
    }
}

/// The domain that somebody here sends as: of notices and the like, which come from nobody, the user's own.
fn own_domain<'a>(from: Option<&'a Address>, account: &'a str, ignored: &Ignored) -> Option<&'a str> {
    match from {
        Some(from) if ignored.has_sender(from) => None,
        Some(from) => from.domain().map(Domain::as_str),
        None => account.rsplit_once('@').map(|(_, domain)| domain),
    }
}

fn make<'a>(kind: RateKind, what: What<'a>, proof: Proof, key: &SourceKey, buffer: &mut Vec<u8>) -> Source<'a> {
    buffer.clear();
    buffer.push(kind.letter());
    match proof {
        Proof::Proven => buffer.push(1),
        Proof::Unproven(network) => {
            buffer.push(0);
            // What a network is written with has one length for each family, which the first byte tells.
            network.into_iter().for_each(|network| write_network(network, buffer));
            buffer.push(0);
        }
    }
    match what {
        What::Address(address) => {
            buffer.extend(address.local().folded().bytes());
            buffer.push(b'@');
            match address.domain() {
                Some(domain) => buffer.extend(domain.as_str().bytes()),
                None => buffer.extend(address.host().to_string().bytes()),
            }
        }
        // A user's address may be written in capitals.
        What::Domain(domain) => buffer.extend(domain.bytes().map(|b| b.to_ascii_lowercase())),
        What::Network(network) => write_network(network, buffer),
        What::Account(account) => buffer.extend(account.to_lowercase().bytes()),
    }
    Source { kind, number: key.number(buffer).max(1), what, proof }
}

fn write_network(network: Network, buffer: &mut Vec<u8>) {
    match network.first() {
        IpAddr::V4(v4) => {
            buffer.push(4);
            buffer.extend(v4.octets());
        }
        IpAddr::V6(v6) => {
            buffer.push(6);
            buffer.extend(v6.octets());
        }
    }
    buffer.push(network.prefix());
}

/// What a text may name.
pub(super) struct NamedBy {
    /// Sources by their numbers.
    pub(super) numbers: Vec<(RateKind, u64)>,
    /// A sender, in small letters, that isn't proven wherever it comes from.
    unproven: Option<(RateKind, String)>,
}

impl NamedBy {
    /// Whether a source of this kind and name is the sender, not proven, from some network.
    pub(super) fn is_unproven(&self, kind: RateKind, name: &str) -> bool {
        let rest =
            |sender: &str| name.to_lowercase().strip_prefix(sender).is_some_and(|rest| rest.starts_with(UNPROVEN));
        self.unproven.as_ref().is_some_and(|(of, sender)| *of == kind && rest(sender))
    }
}

/// Everything that a text may name, for whoever wants to have it forgotten.
pub(super) fn named_by(text: &str, key: &SourceKey) -> Result<NamedBy, String> {
    let mut buffer = Vec::new();
    let mut number = |kind, what| (kind, make(kind, what, Proof::Proven, key, &mut buffer).number);
    if text.contains('@') {
        let address = Address::parse(text, true).map_err(|e| format!("{text:?}: {e}"))?;
        let text = address.to_string();
        let numbers =
            vec![number(RateKind::Address, What::Address(&address)), number(RateKind::Account, What::Account(&text))];
        return Ok(NamedBy { numbers, unproven: Some((RateKind::Address, text.to_lowercase())) });
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        let host = Network::host(ip);
        let numbers = vec![number(RateKind::Host, What::Network(host)), number(RateKind::Client, What::Network(host))];
        return Ok(NamedBy { numbers, unproven: None });
    }
    if text.contains('/') {
        let network = Network::parse_any(text).map_err(|e| e.to_string())?;
        let kinds = [RateKind::Host, RateKind::Client, RateKind::Network];
        let numbers = kinds.into_iter().map(|kind| number(kind, What::Network(network))).collect();
        return Ok(NamedBy { numbers, unproven: None });
    }
    let domain =
        Domain::parse_utf8(text).map_err(|e| format!("{text:?} is no address, domain, IP address or network: {e}"))?;
    let numbers = vec![
        number(RateKind::Domain, What::Domain(domain.as_str())),
        number(RateKind::OwnDomain, What::Domain(domain.as_str())),
    ];
    Ok(NamedBy { numbers, unproven: Some((RateKind::Domain, domain.as_str().to_owned())) })
}
