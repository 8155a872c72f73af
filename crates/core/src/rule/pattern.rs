//! Patterns of senders and recipients.

use super::RuleError;
use crate::address::Address;
use crate::domain::Domain;
use std::fmt;

/// Addresses that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// The empty sender, of bounces (RFC 5321 §4.5.5).
    Null,
    /// This address, whatever its case, with or without a `+tag`.
    Address(Address),
    /// Every address of this domain.
    Domain(Domain),
    /// Every address of every domain below this one, and not of this one.
    Under(Domain),
}

impl Pattern {
    /// Reads `user@domain`, `@domain`, `@*.domain` or `<>`.
    ///
    /// # Errors
    /// [`RuleError::Pattern`].
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let bad = || RuleError::Pattern(text.to_owned());
        if text == "<>" {
            return Ok(Self::Null);
        }
        if let Some(domain) = text.strip_prefix("@*.") {
            return Domain::parse_utf8(domain).map(Self::Under).map_err(|_| bad());
        }
        if let Some(domain) = text.strip_prefix('@') {
            return Domain::parse_utf8(domain).map(Self::Domain).map_err(|_| bad());
        }
        Address::parse(text, true).map(Self::Address).map_err(|_| bad())
    }

    /// Whether an address (`None`: the empty one) is one of them.
    #[must_use]
    pub fn covers(&self, address: Option<&Address>) -> bool {
        match (self, address) {
            (Pattern::Null, address) => address.is_none(),
            (_, None) => false,
            (Pattern::Address(named), Some(address)) => {
                named.host() == address.host() && is_local_of(&named.local().folded(), &address.local().folded())
            }
            (Pattern::Domain(domain), Some(address)) => address.domain() == Some(domain),
            (Pattern::Under(domain), Some(address)) => address.domain().is_some_and(|below| is_below(below, domain)),
        }
    }
}

/// The same mailbox: a `+tag` is its owner's to add.
fn is_local_of(named: &str, local: &str) -> bool {
    local.strip_prefix(named).is_some_and(|tag| tag.is_empty() || tag.starts_with('+'))
}

/// Whether a name has at least one label more than another, which it ends with.
#[must_use]
pub fn is_below(name: &Domain, above: &Domain) -> bool {
    name.as_str().strip_suffix(above.as_str()).is_some_and(|labels| labels.ends_with('.'))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Null => f.write_str("<>"),
            Pattern::Address(address) => address.fmt(f),
            Pattern::Domain(domain) => write!(f, "@{domain}"),
            Pattern::Under(domain) => write!(f, "@*.{domain}"),
        }
    }
}
