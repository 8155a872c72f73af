//! The rate guard: how much may come from one source.

use crate::address::Address;
use crate::domain::Domain;
use crate::limits;
use crate::network::Network;
use crate::rate::RateLimits;
use serde::{Serialize, Serializer};

/// How much may come from one source in an hour, by kinds of sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rates {
    /// A sending address of elsewhere.
    #[serde(serialize_with = "as_rules")]
    pub address: RateLimits,
    /// All addresses of a domain elsewhere.
    #[serde(serialize_with = "as_rules")]
    pub domain: RateLimits,
    /// A host that brings mail.
    #[serde(serialize_with = "as_rules")]
    pub host: RateLimits,
    /// Neighbours of it: its /24 or /48.
    #[serde(serialize_with = "as_rules")]
    pub network: RateLimits,
    /// A user who sends.
    #[serde(serialize_with = "as_rules")]
    pub account: RateLimits,
    /// All users of a domain here who send.
    #[serde(serialize_with = "as_rules")]
    pub own_domain: RateLimits,
    /// A host that users send from.
    #[serde(serialize_with = "as_rules")]
    pub client: RateLimits,
    /// What isn't counted.
    #[serde(serialize_with = "as_texts")]
    pub ignore: Vec<RateIgnored>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            address: limits::RATE_ADDRESS,
            domain: limits::RATE_DOMAIN,
            host: limits::RATE_HOST,
            network: limits::RATE_NETWORK,
            account: limits::RATE_ACCOUNT,
            own_domain: limits::RATE_OWN_DOMAIN,
            client: limits::RATE_CLIENT,
            ignore: Vec::new(),
        }
    }
}

/// What the rate guard doesn't count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RateIgnored {
    /// This sender, or this user.
    Address(Address),
    /// Senders and users of this domain.
    Domain(Domain),
    /// Whatever comes from this network.
    Network(Network),
}

impl RateIgnored {
    /// Reads an address, a domain, or a network.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            let address = Address::parse(text, true).map_err(|e| format!("{text:?}: {e}"))?;
            return match address.domain() {
                Some(_) => Ok(Self::Address(address)),
                None => Err(format!("{text:?}: must have a domain")),
            };
        }
        let numbers = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '/');
        if text.contains([':', '/']) || (text.chars().all(numbers) && text.ends_with(|c: char| c.is_ascii_digit())) {
            return Network::parse(text).map(Self::Network).map_err(|e| e.to_string());
        }
        Domain::parse_utf8(text)
            .map(Self::Domain)
            .map_err(|e| format!("{text:?} is no address, domain or network: {e}"))
    }
}

impl std::fmt::Display for RateIgnored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(domain) => domain.fmt(f),
            Self::Network(network) => network.fmt(f),
        }
    }
}

fn as_rules<S: Serializer>(limits: &RateLimits, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(limits.rules().iter().map(ToString::to_string))
}

fn as_texts<S: Serializer, T: ToString>(all: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_an_address_a_domain_or_a_network() {
        for text in ["news@example.org", "example.org", "192.0.2.0/24", "192.0.2.7/32", "2001:db8::/48"] {
            assert_eq!(RateIgnored::parse(text).unwrap().to_string(), text);
        }
        assert!(matches!(RateIgnored::parse("192.0.2.7"), Ok(RateIgnored::Network(_))));
        assert!(matches!(RateIgnored::parse("2001:db8::7"), Ok(RateIgnored::Network(_))));
        assert!(matches!(RateIgnored::parse("cafe.de"), Ok(RateIgnored::Domain(_))));
        for bad in ["", "@", "a@", "a@[192.0.2.1]", "192.0.2.0/33", "0.0.0.0/0", "a b.example", "192.0.2.300"] {
            assert!(RateIgnored::parse(bad).is_err(), "{bad}");
        }
    }
}
