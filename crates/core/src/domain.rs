//! Domains: one canonical ASCII form.

use crate::limits::{DOMAIN_MAX, LABEL_MAX};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A domain name in its one canonical form: ASCII (A-labels), lower case, no root dot, letters, digits and inner
/// hyphens, labels of 1 to 63 bytes, at most 253 bytes in all, the last label not all digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// Why a domain was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Nothing, or nothing between two dots, or a dot at an end.
    #[error("a domain has no empty labels")]
    EmptyLabel,
    /// Over 253 bytes, or a label over 63.
    #[error("a domain has at most {DOMAIN_MAX} bytes, each label at most {LABEL_MAX}")]
    TooLong,
    /// Something other than letters, digits and inner hyphens.
    #[error("a domain has letters, digits and inner hyphens only")]
    Character,
    /// Non-ASCII where SMTPUTF8 wasn't asked for.
    #[error("a domain with characters outside ASCII needs SMTPUTF8")]
    NeedsUtf8,
    /// All digits at the end: an address without its brackets.
    #[error("an IP address is written in brackets")]
    Numeric,
    /// UTS 46 refused it.
    #[error("not a domain by IDNA")]
    Idna,
}

impl Domain {
    /// Canonicalises an ASCII domain; bytes over 127 are refused.
    ///
    /// # Errors
    /// [`DomainError`] says what can't stand.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        if !text.is_ascii() {
            return Err(DomainError::NeedsUtf8);
        }
        Self::parse_utf8(text)
    }

    /// Canonicalises a domain that may hold U-labels (RFC 6531 §3.3): UTS 46 mapped, once, here, so that policy
    /// sees what DNS would.
    ///
    /// # Errors
    /// [`DomainError`] says what can't stand.
    pub fn parse_utf8(text: &str) -> Result<Self, DomainError> {
        // Four bytes a character at most; longer can't fit once mapped.
        if text.len() > DOMAIN_MAX.saturating_mul(4) {
            return Err(DomainError::TooLong);
        }
        let plain =
            text.is_ascii() && !text.split('.').any(|l| l.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("xn--")));
        let ascii = if plain {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii_strict(text).map_err(|_| DomainError::Idna)?
        };
        if ascii.len() > DOMAIN_MAX {
            return Err(DomainError::TooLong);
        }
        let mut last = "";
        for label in ascii.split('.') {
            check_label(label)?;
            last = label;
        }
        if last.bytes().all(|b| b.is_ascii_digit()) {
            return Err(DomainError::Numeric);
        }
        Ok(Self(ascii))
    }

    /// The canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_label(label: &str) -> Result<(), DomainError> {
    if label.is_empty() {
        return Err(DomainError::EmptyLabel);
    }
    if label.len() > LABEL_MAX {
        return Err(DomainError::TooLong);
    }
    let inner = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !inner || label.starts_with('-') || label.ends_with('-') {
        return Err(DomainError::Character);
    }
    Ok(())
}

impl TryFrom<String> for Domain {
    type Error = DomainError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse_utf8(&text)
    }
}
impl std::str::FromStr for Domain {
    type Err = DomainError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_utf8(text)
    }
}
impl From<Domain> for String {
    fn from(domain: Domain) -> String {
        domain.0
    }
}
impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands after the `@`: a domain or an address literal (RFC 5321 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// `example.org`
    Domain(Domain),
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`
    Literal(IpAddr),
}

impl Host {
    /// Reads a domain, or an address literal in brackets.
    ///
    /// # Errors
    /// [`DomainError`] says what can't stand.
    pub fn parse(text: &str, utf8: bool) -> Result<Self, DomainError> {
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            return Self::literal(inner).map(Host::Literal);
        }
        if utf8 { Domain::parse_utf8(text) } else { Domain::parse(text) }.map(Host::Domain)
    }
    fn literal(inner: &str) -> Result<IpAddr, DomainError> {
        if let Some(v6) = inner.get(..5).filter(|p| p.eq_ignore_ascii_case("IPv6:")).and(inner.get(5..)) {
            return v6.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| DomainError::Numeric);
        }
        inner.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| DomainError::Numeric)
    }
    /// The domain, if it is one.
    #[must_use]
    pub const fn domain(&self) -> Option<&Domain> {
        match self {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Host::Domain(domain) => domain.fmt(f),
            Host::Literal(IpAddr::V4(v4)) => write!(f, "[{v4}]"),
            Host::Literal(IpAddr::V6(v6)) => write!(f, "[IPv6:{v6}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_whatever_the_case() {
        assert_eq!(Domain::parse("Example.ORG").map(String::from), Ok("example.org".to_owned()));
    }

    #[test]
    fn root_dots_hyphens_numbers_and_junk_are_refused() {
        for bad in
            ["", ".", "c.", ".c", "a..b", "-a", "a-", "a_b", "a b", "1.2.3.4", "a%00.s", "a\0b", "a\r\nb", "a,b", "a/b"]
        {
            assert!(Domain::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn unicode_is_mapped_once_and_only_when_asked_for() {
        assert_eq!(Domain::parse("münchen.example"), Err(DomainError::NeedsUtf8));
        assert_eq!(Domain::parse("t\u{3002}s"), Err(DomainError::NeedsUtf8));
        assert_eq!(Domain::parse_utf8("MÜNCHEN.example").map(String::from), Ok("xn--mnchen-3ya.example".to_owned()));
        assert_eq!(Domain::parse_utf8("t\u{3002}s").map(String::from), Ok("t.s".to_owned()));
    }

    #[test]
    fn labels_and_names_end_at_their_limits() {
        let label = "a".repeat(LABEL_MAX);
        assert!(Domain::parse(&label).is_ok());
        assert_eq!(Domain::parse(&"a".repeat(LABEL_MAX + 1)), Err(DomainError::TooLong));
        let long = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(long.len(), DOMAIN_MAX);
        assert!(Domain::parse(&long).is_ok());
        assert_eq!(Domain::parse(&format!("{long}a")), Err(DomainError::TooLong));
    }

    #[test]
    fn literals_are_addresses_and_nothing_else() {
        assert!(Host::parse("[192.0.2.1]", false).is_ok());
        assert!(Host::parse("[IPv6:::1]", false).is_ok());
        for bad in ["[::1]", "[IPv6:fe80::1%lo]", "[1.2.3]", "[]", "[example.org]", "[1.2.3.4"] {
            assert!(Host::parse(bad, true).is_err(), "{bad}");
        }
    }
}
