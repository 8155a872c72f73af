//! The words of a lookup: what is asked, what is found, and why nothing was.

use crate::name::{Name, NameError};
use mailward_core::Domain;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Instant;

/// A lookup on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Found<T>, LookupError>> + Send + 'a>>;

/// Whoever answers questions to the DNS: [`crate::Resolver`], or a test's own zone.
///
/// Aliases (CNAME, DNAME) are followed; [`Found::alias`] tells of them. Records come as the zone has them, in no order.
/// Each lookup ends within `limits::DNS_LOOKUP_TIME`.
pub trait Lookup: Send + Sync {
    /// Mail hosts of a domain, as they stand there: unsorted, null MX (RFC 7505) included. For the way mail goes, see
    /// [`crate::route`].
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx>;

    /// IPv6 and IPv4 addresses of a host, asked for at once. Secure only if both answers are. If one family fails for
    /// now and the other is found, what is found is given; if it is bogus, the whole answer is.
    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr>;

    /// TLSA records of a service on a TCP port (RFC 6698 §3), as they stand there. For what they demand, see
    /// [`crate::dane`].
    fn tlsa<'a>(&'a self, port: u16, host: &'a Domain) -> Answer<'a, TlsaRecord>;

    /// Texts at a name; the strings of one record are joined (RFC 7208 §3.3, RFC 8461 §3.1). Bytes, not always UTF-8.
    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>>;

    /// Names of an address. What isn't a host's name is left out; that a name leads back to the address is the caller's
    /// to ask.
    fn ptr(&self, address: IpAddr) -> Answer<'_, Domain>;

    /// IPv4 addresses at any name: DNS lists of addresses and domains (RFC 5782 §2), SPF (RFC 7208 §5).
    fn listed<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr>;

    /// IPv6 addresses at any name (RFC 7208 §5). Who answers for hosts alone need not say more: without words of its own,
    /// [`Lookup::addresses`] is asked, and names that are no host's have none.
    fn listed_v6<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        Box::pin(async move {
            let Some(host) = name.domain() else { return Err(LookupError::nothing_at(name, Kind::Aaaa)) };
            let mut found = self.addresses(&host).await?;
            found.records.retain(IpAddr::is_ipv6);
            if found.records.is_empty() { Err(LookupError::nothing_at(name, Kind::Aaaa)) } else { Ok(found) }
        })
    }

    /// Mail hosts at any name, as they stand there (RFC 7208 §5.4). Without words of its own, [`Lookup::mx`] is asked, and
    /// names that are no domain's have none.
    fn mx_at<'a>(&'a self, name: &'a Name) -> Answer<'a, Mx> {
        Box::pin(async move {
            let Some(domain) = name.domain() else { return Err(LookupError::nothing_at(name, Kind::Mx)) };
            self.mx(&domain).await
        })
    }
}

/// Records that are there: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The records.
    pub records: Vec<T>,
    /// Whether DNSSEC proved all of it, every alias on the way included, from a trust anchor down.
    pub secure: bool,
    /// The alias that stood at the name, if one did.
    pub alias: Option<Alias>,
    /// Until when it may be used, by the zone's own word within `limits::DNS_TTL_MIN` and `limits::DNS_TTL_MAX`.
    pub valid_until: Instant,
}

/// That a name is another's alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// Where the records were found: the last name of the chain.
    pub target: Name,
    /// Whether DNSSEC proved the alias that stands at the first name, whatever came after it (RFC 7672 §2.2.2 asks).
    pub first_secure: bool,
}

/// A mail host of a domain (RFC 1035 §3.3.9).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mx {
    /// Smaller ones are tried first.
    pub preference: u16,
    /// The host as it stands there: may be `.` (null MX), an address, or no host's name at all.
    pub host: String,
}

/// A TLSA record as it stands in the DNS (RFC 6698 §2.1): numbers that may mean nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsaRecord {
    /// Certificate usage.
    pub usage: u8,
    /// Selector.
    pub selector: u8,
    /// Matching type.
    pub matching: u8,
    /// Certificate association data: at most what a DNS answer has room for, 64 KiB.
    pub data: Vec<u8>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Mail hosts.
    Mx,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// What DANE demands.
    Tlsa,
    /// Texts.
    Txt,
    /// Names of an address.
    Ptr,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Mx => "MX",
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Tlsa => "TLSA",
            Kind::Txt => "TXT",
            Kind::Ptr => "PTR",
        })
    }
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The name doesn't exist (NXDOMAIN), or the one that it is an alias of.
    #[error("the DNS has no name {name}")]
    NoName {
        /// What was asked for.
        name: Name,
        /// Whether DNSSEC proved it.
        secure: bool,
        /// Until when that holds.
        valid_until: Instant,
    },
    /// The name exists and has no such records (NODATA).
    #[error("{name} has no {kind} record")]
    NoRecords {
        /// What was asked for.
        name: Name,
        /// Which records.
        kind: Kind,
        /// Whether DNSSEC proved it.
        secure: bool,
        /// Until when that holds.
        valid_until: Instant,
    },
    /// Nobody knows now: to be asked again later.
    #[error("{kind} of {name} can't be looked up now: {why}")]
    Temporary {
        /// What was asked for.
        name: Name,
        /// Which records.
        kind: Kind,
        /// What happened, in words.
        why: String,
    },
    /// DNSSEC validation failed: forged on the way, a zone whose signing is broken, or a server on the way that takes
    /// the signatures out. To be asked again later.
    #[error(
        "{kind} of {name} fails DNSSEC validation: {why}; see https://dnsviz.net/d/{name}/dnssec/ for the zone, and docs/dns.md if this is so for every signed domain"
    )]
    Bogus {
        /// What was asked for.
        name: Name,
        /// Which records.
        kind: Kind,
        /// What doesn't hold, in words.
        why: String,
    },
    /// No name that the DNS has room for.
    #[error("{0}")]
    Name(#[from] NameError),
}

impl LookupError {
    /// That there are no such records, by nobody's proof, and not to be kept.
    fn nothing_at(name: &Name, kind: Kind) -> Self {
        Self::NoRecords { name: name.clone(), kind, secure: false, valid_until: Instant::now() }
    }

    /// Whether the same question may have another answer soon: it failed, rather than being answered with "none".
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, LookupError::Temporary { .. } | LookupError::Bogus { .. })
    }

    /// Whether it is an answer that DNSSEC proved: there is no such thing.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        matches!(self, LookupError::NoName { secure: true, .. } | LookupError::NoRecords { secure: true, .. })
    }
}
