//! Networks, as an administrator writes them: `192.0.2.0/24`, `2001:db8::/48`, one address alone; and those that an address
//! is counted in.

use crate::limits::{
    HOST_PREFIX_V6, INSIDE_PREFIX_V4_MIN, INSIDE_PREFIX_V6_MIN, NEIGHBOURS_PREFIX_V4, NEIGHBOURS_PREFIX_V6,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network. One that [`Network::parse`] reads may be trusted with something: it is no wider than one organisation's can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// No bit is set behind the prefix. Never an IPv4 address that is mapped into IPv6.
    first: IpAddr,
    prefix: u8,
}

/// Why a text is no network that may be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address.
    #[error("{0:?} is not an IP address such as 192.0.2.0 or 2001:db8::")]
    Address(String),
    /// Not a number of bits.
    #[error("{0:?} is not a number of bits: write 192.0.2.0/24 or 2001:db8::/48")]
    Prefix(String),
    /// Bits are set behind the prefix.
    #[error("{0} has bits set behind its prefix: write {1}")]
    HostBits(String, Network),
    /// More than one organisation's.
    #[error("{0} is too wide: hosts of others would be in it; an {1} network here has at least {2} bits")]
    TooWide(String, &'static str, u8),
    /// `::ffff:192.0.2.0/120`.
    #[error("{0} is IPv4 written as IPv6: write it as IPv4")]
    Mapped(String),
    /// `0.0.0.0` or `::`.
    #[error("{0} means any address: name the network")]
    Any(String),
}

impl Network {
    /// Reads `address/bits`, or an address alone, which is a network of one.
    ///
    /// # Errors
    /// [`NetworkError`] says what is wrong and what to write. Too wide are IPv4 networks under
    /// `limits::INSIDE_PREFIX_V4_MIN` bits, and IPv6 networks under `limits::INSIDE_PREFIX_V6_MIN` but unique local ones
    /// (RFC 4193), which no other host can use towards us.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let network = Self::parse_any(text)?;
        let wide = |kind, least| Err(NetworkError::TooWide(text.to_owned(), kind, least));
        match network.first {
            ip if ip.is_unspecified() && network.is_host() => Err(NetworkError::Any(text.to_owned())),
            IpAddr::V4(_) if network.prefix < INSIDE_PREFIX_V4_MIN => wide("IPv4", INSIDE_PREFIX_V4_MIN),
            IpAddr::V6(v6)
                if network.prefix < INSIDE_PREFIX_V6_MIN && !(v6.is_unique_local() && network.prefix >= 7) =>
            {
                wide("IPv6", INSIDE_PREFIX_V6_MIN)
            }
            _ => Ok(network),
        }
    }

    /// The same, however wide it is: for what takes rights away, or gives none.
    ///
    /// # Errors
    /// [`NetworkError`], but for those of width.
    pub fn parse_any(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = address.parse().map_err(|_| NetworkError::Address(address.to_owned()))?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = match bits {
            None => most,
            Some(bits) => Some(bits)
                // `parse` would take "+24".
                .filter(|bits| bits.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|bits| bits.parse().ok())
                .filter(|bits| *bits <= most)
                .ok_or_else(|| NetworkError::Prefix(bits.to_owned()))?,
        };
        if let IpAddr::V6(v6) = ip
            && v6.to_ipv4_mapped().is_some()
        {
            return Err(NetworkError::Mapped(text.to_owned()));
        }
        let network = Self { first: cut(ip, prefix), prefix };
        if network.first != ip {
            return Err(NetworkError::HostBits(text.to_owned(), network));
        }
        Ok(network)
    }

    /// Who counts as one: an IPv4 address, also when it is mapped into IPv6, or the /64 that one IPv6 customer has at least.
    #[must_use]
    pub fn host(ip: IpAddr) -> Self {
        Self::around(ip, 32, HOST_PREFIX_V6)
    }

    /// Who counts as neighbours: the /24 of an IPv4 address, the /48 that one IPv6 site has (RFC 6177 §2).
    #[must_use]
    pub fn neighbours(ip: IpAddr) -> Self {
        Self::around(ip, NEIGHBOURS_PREFIX_V4, NEIGHBOURS_PREFIX_V6)
    }

    fn around(ip: IpAddr, v4: u8, v6: u8) -> Self {
        let ip = ip.to_canonical();
        let prefix = if ip.is_ipv4() { v4 } else { v6 };
        Self { first: cut(ip, prefix), prefix }
    }

    /// The network of so many bits that an address is in; of all its bits if there are no more.
    #[must_use]
    pub fn of(ip: IpAddr, prefix: u8) -> Self {
        Self::around(ip, prefix.min(32), prefix.min(128))
    }

    /// Its first address.
    #[must_use]
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// How many bits all its addresses share.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether it is one address alone.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        self.prefix == if self.first.is_ipv4() { 32 } else { 128 }
    }

    /// Whether an address is in it. An IPv4 address that is mapped into IPv6 is the IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.first.is_ipv4() && cut(ip, self.prefix) == self.first
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// Whether an address is one that a host on the Internet can have: not loopback, private, of this link, shared among a
/// carrier's customers, many hosts' or nobody's (RFC 6890). Networks for documentation count: what is written there is as good
/// as any other, and nobody has them.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            // RFC 6598.
            let shared = first == 100 && second & 0xc0 == 64;
            // "This network" (RFC 1122 §3.2.1.3), and what was never given out with the broadcast behind it.
            let nobodys = first == 0 || first >= 240;
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_multicast() || shared || nobodys)
        }
        IpAddr::V6(v6) => {
            let site_local = v6.segments().first().is_some_and(|first| first & 0xffc0 == 0xfec0);
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || site_local)
        }
    }
}

/// An address without the bits behind a prefix.
fn cut(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let behind = 32_u32.saturating_sub(u32::from(prefix));
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & u32::MAX.checked_shl(behind).unwrap_or(0)))
        }
        IpAddr::V6(v6) => {
            let behind = 128_u32.saturating_sub(u32::from(prefix));
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & u128::MAX.checked_shl(behind).unwrap_or(0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_its_hosts_and_no_other() {
        let net = network("192.0.2.128/25");
        assert!(net.contains(ip("192.0.2.128")) && net.contains(ip("192.0.2.255")));
        assert!(!net.contains(ip("192.0.2.127")) && !net.contains(ip("192.0.3.128")));
        let net = network("2001:db8:1::/48");
        assert!(net.contains(ip("2001:db8:1:ffff::1")) && !net.contains(ip("2001:db8:2::1")));
        assert_eq!(network("192.0.2.7").to_string(), "192.0.2.7/32");
        assert!(network("fd00::/8").contains(ip("fd12::1")));
    }

    #[test]
    fn ipv4_in_ipv6_s_clothes_is_ipv4() {
        assert!(network("192.0.2.0/24").contains(ip("::ffff:192.0.2.1")));
        // The other ways in which an IPv4 address was ever written as IPv6 are IPv6.
        for other in ["::192.0.2.1", "64:ff9b::192.0.2.1", "2002:c000:201::1", "::ffff:0:192.0.2.1"] {
            assert!(!network("192.0.2.0/24").contains(ip(other)), "{other}");
        }
        assert!(matches!(Network::parse("::ffff:192.0.2.0/120"), Err(NetworkError::Mapped(_))));
        assert!(!network("2001:db8::/32").contains(ip("192.0.2.1")));
    }

    #[test]
    fn what_no_host_on_the_internet_can_have_is_told_from_the_rest() {
        let inside = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
        ];
        for one in inside {
            assert!(!is_public(ip(one)), "{one}");
        }
        let outside =
            ["192.0.2.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2001:db8::1", "2a00::1", "::ffff:192.0.2.1"];
        for one in outside {
            assert!(is_public(ip(one)), "{one}");
        }
    }

    #[test]
    fn what_is_too_wide_or_unclear_is_refused_with_words() {
        for (text, words) in [
            (
                "0.0.0.0/0",
                "0.0.0.0/0 is too wide: hosts of others would be in it; an IPv4 network here has at least 8 bits",
            ),
            ("::/0", "::/0 is too wide: hosts of others would be in it; an IPv6 network here has at least 32 bits"),
            (
                "8.0.0.0/7",
                "8.0.0.0/7 is too wide: hosts of others would be in it; an IPv4 network here has at least 8 bits",
            ),
            (
                "2000::/3",
                "2000::/3 is too wide: hosts of others would be in it; an IPv6 network here has at least 32 bits",
            ),
            (
                "fc00::/6",
                "fc00::/6 is too wide: hosts of others would be in it; an IPv6 network here has at least 32 bits",
            ),
            ("192.0.2.1/24", "192.0.2.1/24 has bits set behind its prefix: write 192.0.2.0/24"),
            ("192.0.2.0/33", "\"33\" is not a number of bits: write 192.0.2.0/24 or 2001:db8::/48"),
            ("192.0.2.0/+24", "\"+24\" is not a number of bits: write 192.0.2.0/24 or 2001:db8::/48"),
            ("192.0.2.0/", "\"\" is not a number of bits: write 192.0.2.0/24 or 2001:db8::/48"),
            ("0.0.0.0", "0.0.0.0 means any address: name the network"),
            ("::", ":: means any address: name the network"),
            ("mail.example", "\"mail.example\" is not an IP address such as 192.0.2.0 or 2001:db8::"),
            ("192.0.2", "\"192.0.2\" is not an IP address such as 192.0.2.0 or 2001:db8::"),
        ] {
            assert_eq!(Network::parse(text).map_err(|e| e.to_string()), Err(words.to_owned()), "{text}");
        }
    }

    #[test]
    fn who_counts_as_one_and_who_as_neighbours() {
        for (of, host, neighbours) in [
            ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ] {
            assert_eq!(Network::host(ip(of)).to_string(), host);
            assert_eq!(Network::neighbours(ip(of)).to_string(), neighbours);
        }
        assert_eq!(Network::of(ip("192.0.2.7"), 128).to_string(), "192.0.2.7/32");
    }

    #[test]
    fn a_network_that_is_trusted_with_nothing_may_be_everything() {
        for text in ["0.0.0.0/0", "::/0", "8.0.0.0/7", "0.0.0.0/32"] {
            assert_eq!(Network::parse_any(text).map(|n| n.to_string()), Ok(text.to_owned()));
        }
        assert!(Network::parse_any("0.0.0.0/0").unwrap().contains(ip("203.0.113.9")));
        assert!(!Network::parse_any("0.0.0.0/0").unwrap().contains(ip("2001:db8::1")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-f:./+-]{0,40}") {
            if let Ok(network) = Network::parse(&text) {
                prop_assert_eq!(Network::parse(&network.to_string()), Ok(network));
            }
        }
        #[test]
        fn a_host_is_in_the_network_that_is_cut_from_it(bits in any::<u32>(), prefix in 8_u8..=32) {
            let host = IpAddr::V4(Ipv4Addr::from_bits(bits));
            let network = Network { first: cut(host, prefix), prefix };
            prop_assert!(network.contains(host));
            let other = IpAddr::V4(Ipv4Addr::from_bits(bits ^ 1_u32.rotate_left(u32::from(32_u8.saturating_sub(prefix)))));
            prop_assert!(!network.contains(other));
        }
    }
}
