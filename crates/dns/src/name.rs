//! Names that may be asked for.

use mailward_core::Domain;
use mailward_core::limits::{DOMAIN_MAX, LABEL_MAX};
use std::fmt;
use std::net::IpAddr;

/// A name to ask for: ASCII (A-labels), lower case, without the root's dot. Wider than a [`Domain`]: labels may hold any
/// visible character but the dot, as `_mta-sts` and the names of SPF's macros do; those may hold blanks as well
/// ([`Name::of_macros`]). Labels have 1 to 63 bytes, the whole at most 253.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a name can't be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or nothing between two dots.
    #[error("a name in the DNS has no empty labels")]
    EmptyLabel,
    /// Over 253 bytes, or a label over 63.
    #[error("a name in the DNS has at most {DOMAIN_MAX} bytes, each label at most {LABEL_MAX}")]
    TooLong,
    /// A blank, a control character, or something outside ASCII.
    #[error("a name in the DNS is asked for in visible ASCII characters")]
    Character,
}

impl Name {
    /// Reads a name; a dot at its end is the root's, and dropped.
    ///
    /// # Errors
    /// [`NameError`] says what can't stand.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::read(text, |byte| byte.is_ascii_graphic())
    }

    /// The same, but with blanks: names that SPF's macros make (RFC 7208 §7.1, `%_`).
    ///
    /// # Errors
    /// [`NameError`] says what can't stand.
    pub fn of_macros(text: &str) -> Result<Self, NameError> {
        Self::read(text, |byte| byte.is_ascii_graphic() || byte == b' ')
    }

    fn read(text: &str, fits: impl Fn(u8) -> bool) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.len() > DOMAIN_MAX {
            return Err(NameError::TooLong);
        }
        for label in text.split('.') {
            if label.is_empty() {
                return Err(NameError::EmptyLabel);
            }
            if label.len() > LABEL_MAX {
                return Err(NameError::TooLong);
            }
            if !label.bytes().all(&fits) {
                return Err(NameError::Character);
            }
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// A name below a domain: `Name::under("_mta-sts", &domain)`.
    ///
    /// # Errors
    /// [`NameError`], also if both together are too long.
    pub fn under(labels: &str, domain: &Domain) -> Result<Self, NameError> {
        Self::parse(&format!("{labels}.{domain}"))
    }

    /// Where TLSA records of a TCP service are: `_25._tcp.mx.example.org` (RFC 6698 §3).
    ///
    /// # Errors
    /// [`NameError::TooLong`], if the host's name leaves no room for it.
    pub fn tlsa(port: u16, host: &Domain) -> Result<Self, NameError> {
        Self::under(&format!("_{port}._tcp"), host)
    }

    /// Where a service over TCP is told of: `_imaps._tcp.example.org` (RFC 2782, RFC 6186).
    ///
    /// # Errors
    /// [`NameError`], if the service's name is none or the domain's leaves no room for it.
    pub fn service(service: &str, domain: &Domain) -> Result<Self, NameError> {
        Self::under(&format!("_{service}._tcp"), domain)
    }

    /// Where an address's name is: `1.2.0.192.in-addr.arpa` (RFC 1035 §3.5), `….ip6.arpa` (RFC 3596 §2.5). An IPv4
    /// address inside an IPv6 one is asked for as what it is.
    #[must_use]
    pub fn reverse(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let zone = if address.is_ipv4() { "in-addr.arpa" } else { "ip6.arpa" };
        Self(format!("{}{zone}", turned(address)))
    }

    /// Where a list of addresses has this one (RFC 5782 §2.1, §2.4): `2.0.0.127.dnsbl.example`. An IPv4 address inside an
    /// IPv6 one is asked for as IPv6: it is the test point of lists.
    ///
    /// # Errors
    /// [`NameError::TooLong`], if the zone's name leaves no room for it.
    pub fn listed(address: IpAddr, zone: &Domain) -> Result<Self, NameError> {
        Self::parse(&format!("{}{zone}", turned(address)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is another name or below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.strip_suffix(&other.0).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }

    /// The name as a domain, if it is one: a host's name.
    #[must_use]
    pub fn domain(&self) -> Option<Domain> {
        Domain::parse(&self.0).ok()
    }
}

/// An address the other way round, as the DNS has them, with a dot at its end.
fn turned(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.")
        }
        IpAddr::V6(v6) => {
            let mut text = String::with_capacity(64);
            for byte in v6.octets().iter().rev() {
                text.push_str(&format!("{:x}.{:x}.", byte & 0xf, byte >> 4));
            }
            text
        }
    }
}

impl From<&Domain> for Name {
    fn from(domain: &Domain) -> Self {
        Self(domain.as_str().to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_services_and_of_addresses_are_where_the_standards_put_them() {
        let host = Domain::parse("mx.example.org").unwrap();
        assert_eq!(Name::tlsa(25, &host).unwrap().as_str(), "_25._tcp.mx.example.org");
        assert_eq!(Name::under("_MTA-STS", &host).unwrap().as_str(), "_mta-sts.mx.example.org");
        assert_eq!(Name::reverse("192.0.2.1".parse().unwrap()).as_str(), "1.2.0.192.in-addr.arpa");
        assert_eq!(Name::reverse("::ffff:192.0.2.1".parse().unwrap()).as_str(), "1.2.0.192.in-addr.arpa");
        assert_eq!(
            Name::reverse("2001:db8::567:89ab".parse().unwrap()).as_str(),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }

    #[test]
    fn lists_have_addresses_the_other_way_round() {
        let zone = Domain::parse("dnsbl.example").unwrap();
        let name = |address: &str| Name::listed(address.parse().unwrap(), &zone).unwrap().to_string();
        assert_eq!(name("127.0.0.2"), "2.0.0.127.dnsbl.example");
        // RFC 5782 §2.4 and §5.
        assert_eq!(
            name("2001:db8:1:2:3:4:567:89ab"),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.dnsbl.example"
        );
        assert_eq!(
            name("::ffff:7f00:2"),
            "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.dnsbl.example"
        );
        let long = Domain::parse(&format!("{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(62))).unwrap();
        assert_eq!(long.as_str().len(), 190);
        assert_eq!(Name::listed("::2".parse().unwrap(), &long), Err(NameError::TooLong));
        assert!(Name::listed("192.0.2.1".parse().unwrap(), &long).is_ok());
    }

    #[test]
    fn what_the_dns_has_no_room_for_is_not_asked() {
        let label = "a".repeat(LABEL_MAX);
        let long = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(long.len(), DOMAIN_MAX);
        assert!(Name::parse(&long).is_ok() && Name::parse(&format!("{long}.")).is_ok());
        assert_eq!(Name::parse(&format!("{long}a")), Err(NameError::TooLong));
        assert_eq!(Name::parse(&format!("{label}a.b")), Err(NameError::TooLong));
        assert_eq!(Name::tlsa(25, &Domain::parse(&long).unwrap()), Err(NameError::TooLong));
        for bad in ["", ".", "a..b", ".a"] {
            assert_eq!(Name::parse(bad), Err(NameError::EmptyLabel), "{bad:?}");
        }
        for bad in ["a b", "a\0b", "a\r\n", "m\u{fc}nchen.example"] {
            assert_eq!(Name::parse(bad), Err(NameError::Character), "{bad:?}");
        }
    }

    #[test]
    fn names_of_macros_have_blanks_and_nothing_else_that_isnt_seen() {
        assert_eq!(Name::of_macros("A b%20c.example").map(|name| name.to_string()), Ok("a b%20c.example".to_owned()));
        for bad in ["a\tb", "a\0b", "a\r\n", "m\u{fc}nchen.example", "a\x7f"] {
            assert_eq!(Name::of_macros(bad), Err(NameError::Character), "{bad:?}");
        }
        assert_eq!(Name::of_macros("a..b"), Err(NameError::EmptyLabel));
    }

    #[test]
    fn a_name_is_within_itself_and_those_above() {
        let within = |name: &str, other: &str| Name::parse(name).unwrap().is_within(&Name::parse(other).unwrap());
        assert!(within("a.example", "a.example") && within("b.a.example", "A.example"));
        assert!(!within("ba.example", "a.example") && !within("example", "a.example"));
    }

    proptest! {
        #[test]
        fn a_name_that_stands_is_the_same_when_read_again(text in ".{0,300}") {
            if let Ok(name) = Name::parse(&text) {
                prop_assert!(name.as_str().len() <= DOMAIN_MAX);
                prop_assert_eq!(Name::parse(name.as_str()), Ok(name.clone()));
            }
        }

        #[test]
        fn every_address_has_a_reverse_name(bytes in any::<[u8; 16]>(), v4 in any::<[u8; 4]>()) {
            for address in [IpAddr::from(bytes), IpAddr::from(v4)] {
                let name = Name::reverse(address);
                prop_assert_eq!(Name::parse(name.as_str()), Ok(name.clone()));
            }
        }
    }
}
