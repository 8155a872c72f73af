//! The way mail goes to a domain: its hosts in the order to try them (RFC 5321 §5.1, RFC 7505).

use crate::lookup::{Found, Lookup, LookupError, Mx};
use futures_util::future::join_all;
use mailward_core::Domain;
use mailward_core::limits::{HOST_ADDRESSES_MAX, ROUTE_ADDRESSES_MAX, ROUTE_HOSTS_MAX};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

/// What this server is known by, so that it doesn't send mail to itself for ever.
#[derive(Clone, Debug, Default)]
pub struct Ourselves {
    /// Its names.
    pub names: Vec<Domain>,
    /// Its addresses on the network.
    pub addresses: Vec<IpAddr>,
    /// Whether hosts on loopback addresses may be sent to. Anyone can write `127.0.0.1` into their zone; off, such an
    /// address is one of ours. For trials, where the next server runs on the same host.
    pub loopback: bool,
}

impl Ourselves {
    fn has_name(&self, name: &Domain) -> bool {
        self.names.contains(name) || name.as_str() == "localhost"
    }
    fn has_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        (address.is_loopback() && !self.loopback) || self.addresses.iter().any(|own| own.to_canonical() == address)
    }
}

/// Where mail for a domain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailHosts {
    /// The hosts, in the order to try them: at least one, at most `limits::ROUTE_HOSTS_MAX`.
    pub hosts: Vec<MailHost>,
    /// Whether the domain has no MX record and is its own host.
    pub implicit: bool,
    /// Whether DNSSEC proved that these are the domain's hosts (RFC 7672 §2.2.1).
    pub secure: bool,
    /// What of the domain's hosts is not in the list, and why.
    pub left_out: Vec<LeftOut>,
    /// Until when the way may be used.
    pub valid_until: Instant,
}

/// One host that takes a domain's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailHost {
    /// Its name: as the MX record has it, or the domain itself.
    pub name: Domain,
    /// The MX record's preference; 0 for a domain that is its own host.
    pub preference: u16,
    /// Its addresses, the families in turn, IPv6 first: at least one, at most `limits::HOST_ADDRESSES_MAX`.
    pub addresses: Vec<IpAddr>,
    /// Names whose TLSA records hold for it, in the order to ask for them; none, if DNSSEC doesn't prove that it is the
    /// domain's host (RFC 7672 §2.2). See [`crate::dane`].
    pub tlsa_names: Vec<Domain>,
}

/// A host that is not in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The host as the zone has it. From outside: escape it where it is shown.
    pub host: String,
    /// Why, in words.
    pub why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.host, self.why)
    }
}

/// Why mail can't be sent to a domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The domain doesn't exist. For good (5.1.2).
    #[error("the domain {domain} does not exist")]
    NoDomain {
        /// The domain.
        domain: Domain,
    },
    /// The domain says that it takes no mail: null MX. For good (RFC 7505 §3: 5.1.10).
    #[error("the domain {domain} takes no mail: it says so in its DNS (null MX)")]
    NullMx {
        /// The domain.
        domain: Domain,
    },
    /// The domain has neither MX nor address, or none of its hosts has one. For good (5.1.2, 5.4.4).
    #[error("no host takes mail for {domain}{}", list(left_out))]
    NoHost {
        /// The domain.
        domain: Domain,
        /// Its hosts, and why none will do.
        left_out: Vec<LeftOut>,
    },
    /// Its best host is this server, which doesn't know it as one of its own. For good (5.4.6).
    #[error(
        "mail for {domain} would come back: its host {host} is this server, where {domain} is no local domain; add it here, or change its MX records"
    )]
    Loop {
        /// The domain.
        domain: Domain,
        /// The host that is us.
        host: Domain,
    },
    /// Nobody knows now, or DNSSEC validation failed: to be tried later (4.4.3, 4.7.0).
    #[error("no host of {domain} is known now: {why}")]
    Later {
        /// The domain.
        domain: Domain,
        /// What happened, in words.
        why: String,
        /// Whether DNSSEC validation failed.
        bogus: bool,
    },
}

impl RouteError {
    /// Whether it is to be tried again later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, RouteError::Later { .. })
    }
}

fn list(left_out: &[LeftOut]) -> String {
    let mut text = String::new();
    for (at, one) in left_out.iter().enumerate() {
        text.push_str(if at == 0 { ": " } else { "; " });
        text.push_str(&one.to_string());
    }
    text
}

/// Finds the way to a domain. `random` gives random numbers, for hosts of equal preference and addresses of one host
/// (RFC 5321 §5.1: they share the load).
///
/// An MX record whose host is an address or no host's name is left out (RFC 5321 §2.3.5, RFC 1035 §3.3.9). A host that is
/// an alias is followed: RFC 5321 §5.1 leaves it open, and much of the world does it; RFC 7672 §2.2.2 says what it means
/// for DANE. Hosts that can't be looked up now are left out while there are others.
///
/// # Errors
/// [`RouteError`]; only [`RouteError::Later`] is not for good.
pub async fn route(
    lookup: &dyn Lookup,
    domain: &Domain,
    ours: &Ourselves,
    random: &mut (dyn FnMut() -> u64 + Send),
) -> Result<MailHosts, RouteError> {
    let mut left_out = Vec::new();
    let mail = match lookup.mx(domain).await {
        Ok(found) => {
            let hosts = sort(domain, found.records, ours, random, &mut left_out)?;
            Mail { hosts, implicit: false, secure: found.secure, valid_until: found.valid_until }
        }
        Err(LookupError::NoRecords { .. }) if ours.has_name(domain) => {
            return Err(RouteError::Loop { domain: domain.clone(), host: domain.clone() });
        }
        Err(LookupError::NoRecords { secure, valid_until, .. }) => {
            let hosts = vec![(0, domain.clone())];
            Mail { hosts, implicit: true, secure, valid_until }
        }
        Err(error) => return Err(no_mx(domain, &error)),
    };
    resolve(lookup, domain, ours, random, mail, left_out).await
}

/// Hosts by name only.
struct Mail {
    hosts: Vec<(u16, Domain)>,
    implicit: bool,
    secure: bool,
    valid_until: Instant,
}

fn no_mx(domain: &Domain, error: &LookupError) -> RouteError {
    let domain = domain.clone();
    match error {
        LookupError::NoName { .. } => RouteError::NoDomain { domain },
        error => {
            RouteError::Later { domain, why: error.to_string(), bogus: matches!(error, LookupError::Bogus { .. }) }
        }
    }
}

/// MX records by preference, those that can't be used left out, cut at ourselves and at the limit.
fn sort(
    domain: &Domain,
    records: Vec<Mx>,
    ours: &Ourselves,
    random: &mut (dyn FnMut() -> u64 + Send),
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<(u16, Domain)>, RouteError> {
    // RFC 7505 §3: one record with the root as its host. Beside others it is an error of the zone, and left out.
    if let [only] = records.as_slice()
        && only.is_null()
    {
        return Err(RouteError::NullMx { domain: domain.clone() });
    }
    let mut hosts: Vec<(u16, Domain)> = Vec::with_capacity(records.len());
    for record in records {
        match record.host_name() {
            Ok(name) => hosts.push((record.preference, name)),
            Err(why) => leave_out(left_out, record.host, why),
        }
    }
    shuffle(&mut hosts, random);
    hosts.sort_by_key(|(preference, _)| *preference);
    // The same host twice is tried once, at its better preference.
    let mut seen = std::collections::HashSet::new();
    hosts.retain(|(_, name)| seen.insert(name.clone()));
    if let Some((at, own)) = hosts.iter().find(|(_, name)| ours.has_name(name)).cloned() {
        // RFC 5321 §5.1: ourselves and all that is not better. It would come back from there.
        hosts.retain(|(preference, _)| *preference < at);
        if hosts.is_empty() {
            return Err(RouteError::Loop { domain: domain.clone(), host: own });
        }
    }
    for (_, name) in hosts.iter().skip(ROUTE_HOSTS_MAX) {
        leave_out(left_out, name.to_string(), format!("only the {ROUTE_HOSTS_MAX} best hosts are looked at"));
    }
    hosts.truncate(ROUTE_HOSTS_MAX);
    Ok(hosts)
}

/// Keeps what is told of hosts as short as the list of hosts itself.
fn leave_out(left_out: &mut Vec<LeftOut>, host: String, why: String) {
    if left_out.len() < ROUTE_HOSTS_MAX {
        left_out.push(LeftOut { host, why });
    }
}

/// Looks the hosts up, all at once, and keeps those that have addresses to go to.
async fn resolve(
    lookup: &dyn Lookup,
    domain: &Domain,
    ours: &Ourselves,
    random: &mut (dyn FnMut() -> u64 + Send),
    mail: Mail,
    mut left_out: Vec<LeftOut>,
) -> Result<MailHosts, RouteError> {
    let answers = join_all(mail.hosts.iter().map(|(_, name)| lookup.addresses(name))).await;
    let (mut hosts, mut later, mut own) = (Vec::new(), None, None);
    let (mut room, mut valid_until) = (ROUTE_ADDRESSES_MAX, mail.valid_until);
    for ((preference, name), answer) in mail.hosts.into_iter().zip(answers) {
        if own.as_ref().is_some_and(|(at, _)| preference >= *at) {
            leave_out(&mut left_out, name.to_string(), "not better than this server itself".to_owned());
            continue;
        }
        let found = match answer {
            Ok(found) => found,
            Err(error) if mail.implicit && matches!(error, LookupError::NoRecords { .. }) => {
                leave_out(&mut left_out, name.to_string(), "neither MX nor address".to_owned());
                continue;
            }
            Err(error) => {
                leave_out(&mut left_out, name.to_string(), error.to_string());
                if error.is_temporary() {
                    later.get_or_insert(error);
                }
                continue;
            }
        };
        if found.records.iter().any(|address| ours.has_address(*address)) {
            // Hosts of the same preference that were before it in the list are as far from the mailbox as we are.
            hosts.retain(|host: &MailHost| host.preference < preference);
            own = Some((preference, name));
            continue;
        }
        let addresses = arrange(&found.records, random, room);
        if addresses.is_empty() {
            leave_out(&mut left_out, name.to_string(), "no address that mail could be sent to".to_owned());
            continue;
        }
        room = room.saturating_sub(addresses.len());
        valid_until = valid_until.min(found.valid_until);
        let tlsa_names = if mail.secure { tlsa_names(&name, &found) } else { Vec::new() };
        hosts.push(MailHost { name, preference, addresses, tlsa_names });
    }
    if !hosts.is_empty() {
        return Ok(MailHosts { hosts, implicit: mail.implicit, secure: mail.secure, left_out, valid_until });
    }
    let domain = domain.clone();
    // A better host that isn't known now may turn up: then it is no loop.
    if let Some(error) = later {
        let bogus = matches!(error, LookupError::Bogus { .. });
        return Err(RouteError::Later { domain, why: error.to_string(), bogus });
    }
    if let Some((_, host)) = own {
        return Err(RouteError::Loop { domain, host });
    }
    Err(RouteError::NoHost { domain, left_out })
}

/// RFC 7672 §2.2.2: proven addresses make the name at the end of the aliases the first to ask for, the host's own the
/// second; where only the alias at its own name is proven, that name alone.
fn tlsa_names(name: &Domain, found: &Found<IpAddr>) -> Vec<Domain> {
    match &found.alias {
        None if found.secure => vec![name.clone()],
        None => Vec::new(),
        Some(alias) if found.secure => {
            let mut names: Vec<Domain> = alias.target.domain().into_iter().collect();
            if !names.contains(name) {
                names.push(name.clone());
            }
            names
        }
        Some(alias) if alias.first_secure => vec![name.clone()],
        Some(_) => Vec::new(),
    }
}

/// Addresses that mail can be sent to, shuffled, the families in turn, so that neither crowds the other out at the limit.
fn arrange(addresses: &[IpAddr], random: &mut (dyn FnMut() -> u64 + Send), room: usize) -> Vec<IpAddr> {
    let mut v6: Vec<IpAddr> = Vec::new();
    let mut v4: Vec<IpAddr> = Vec::new();
    for address in addresses.iter().map(IpAddr::to_canonical).filter(is_somewhere) {
        let family = if address.is_ipv6() { &mut v6 } else { &mut v4 };
        if !family.contains(&address) {
            family.push(address);
        }
    }
    shuffle(&mut v6, random);
    shuffle(&mut v4, random);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut all = Vec::new();
    while all.len() < HOST_ADDRESSES_MAX.min(room) {
        let before = all.len();
        all.extend(v6.next());
        all.extend(v4.next());
        if all.len() == before {
            break;
        }
    }
    all.truncate(HOST_ADDRESSES_MAX.min(room));
    all
}

/// Whether an address is one host's at all: not "any", not many hosts', not everybody's.
fn is_somewhere(address: &IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && *address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Fisher and Yates. The remainder favours small numbers by less than one in 2^48 for lists of any length here.
fn shuffle<T>(list: &mut [T], random: &mut (dyn FnMut() -> u64 + Send)) {
    for last in (1..list.len()).rev() {
        let among = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        let chosen = random().checked_rem(among).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        list.swap(last, chosen.min(last));
    }
}
