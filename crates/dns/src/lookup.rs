//! The words of a lookup: what is asked, what is found, and why nothing was.

use crate::name::{Name, NameError};
use mailward_core::{Domain, DomainError};
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

    /// Where a service of a domain is (RFC 2782), at names such as [`Name::service`] makes, as they stand there: unsorted, `.` (the
    /// service isn't there) included. Who has no words of its own for it doesn't know now.
    fn srv<'a>(&'a self, name: &'a Name) -> Answer<'a, Srv> {
        LookupError::unasked(name, Kind::Srv)
    }

    /// Who may certify names, at one name (RFC 8659 §4), as it stands there. The records that count for a name may stand above it:
    /// [`crate::caa`]. Who has no words of its own for it doesn't know now.
    fn caa<'a>(&'a self, name: &'a Name) -> Answer<'a, CaaRecord> {
        LookupError::unasked(name, Kind::Caa)
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

impl Mx {
    /// Whether it says, where it stands alone, that the domain takes no mail (RFC 7505 §3).
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.host.is_empty() || self.host == "."
    }

    /// Its host by name.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub fn host_name(&self) -> Result<Domain, String> {
        if self.is_null() {
            return Err("a null MX beside other MX records means nothing (RFC 7505)".to_owned());
        }
        Domain::parse(self.host.strip_suffix('.').unwrap_or(&self.host)).map_err(|error| match error {
            DomainError::Numeric => "an MX record names a host, not an address (RFC 1035 §3.3.9)".to_owned(),
            error => format!("not the name of a host: {error}"),
        })
    }
}

/// Where a service is (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Srv {
    /// Smaller ones are tried first.
    pub priority: u16,
    /// How often, beside others of the same priority.
    pub weight: u16,
    /// At which port.
    pub port: u16,
    /// The host as it stands there: may be `.` (there is no such service), or no host's name at all.
    pub target: String,
}

impl Srv {
    /// Whether it says that the domain hasn't this service.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.target.is_empty() || self.target == "."
    }

    /// Its host by name; `None`: it is none.
    #[must_use]
    pub fn host(&self) -> Option<Domain> {
        Domain::parse(self.target.strip_suffix('.').unwrap_or(&self.target)).ok()
    }
}

/// A CAA record as it stands in the DNS (RFC 8659 §4.1). For what it allows, see [`crate::caa`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CaaRecord {
    /// Whether who doesn't know the tag must not certify.
    pub critical: bool,
    /// Its tag, in lower case.
    pub tag: String,
    /// Its value: at most what a DNS answer has room for, 64 KiB. Bytes, not always text.
    pub value: Vec<u8>,
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
    /// Where a service is.
    Srv,
    /// Who may certify.
    Caa,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [Self::Mx, Self::A, Self::Aaaa, Self::Tlsa, Self::Txt, Self::Ptr, Self::Srv, Self::Caa];
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
            Kind::Srv => "SRV",
            Kind::Caa => "CAA",
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

    /// That nobody who could say was asked.
    fn unasked<'a, T: Send + 'a>(name: &Name, kind: Kind) -> Answer<'a, T> {
        let error = Self::Temporary { name: name.clone(), kind, why: "nobody is there to ask".to_owned() };
        Box::pin(std::future::ready(Err(error)))
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

/// No DNS at all, where none can be asked: every question fails for now.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDns;

impl NoDns {
    fn fails<'a, T>(name: Name, kind: Kind) -> Answer<'a, T> {
        Box::pin(async move { Err(LookupError::Temporary { name, kind, why: "there is no DNS to ask".to_owned() }) })
    }
}

impl Lookup for NoDns {
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx> {
        Self::fails(domain.into(), Kind::Mx)
    }
    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr> {
        Self::fails(host.into(), Kind::A)
    }
    fn tlsa<'a>(&'a self, _: u16, host: &'a Domain) -> Answer<'a, TlsaRecord> {
        Self::fails(host.into(), Kind::Tlsa)
    }
    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>> {
        Self::fails(name.clone(), Kind::Txt)
    }
    fn ptr(&self, address: IpAddr) -> Answer<'_, Domain> {
        Self::fails(Name::reverse(address), Kind::Ptr)
    }
    fn listed<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        Self::fails(name.clone(), Kind::A)
    }
    fn listed_v6<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        Self::fails(name.clone(), Kind::Aaaa)
    }
    fn mx_at<'a>(&'a self, name: &'a Name) -> Answer<'a, Mx> {
        Self::fails(name.clone(), Kind::Mx)
    }
    fn srv<'a>(&'a self, name: &'a Name) -> Answer<'a, Srv> {
        Self::fails(name.clone(), Kind::Srv)
    }
    fn caa<'a>(&'a self, name: &'a Name) -> Answer<'a, CaaRecord> {
        Self::fails(name.clone(), Kind::Caa)
    }
}
