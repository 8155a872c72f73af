//! Which addresses belong to the world: an outsider's word must not lead us into our own network (attacks F11).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one that hosts of the world have: not of this host, a network of its own, or nobody's
/// (RFC 6890 and what IANA adds to it). Addresses in others, mapped or translated, count as what they hold.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        // This network; shared by providers; protocol assignments; 6to4 relays; benchmarks; reserved and broadcast.
        || a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && b & 0xfe == 18)
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // NAT64 (RFC 6052), 6to4 (RFC 3056).
        (0x64, 0xff9b) => (c, d, e, f) == (0, 0, 0, 0) && v4(g, h),
        (0x2002, _) => v4(b, c),
        // Documentation, and what isn't for hosts: Teredo, benchmarks, ORCHID (RFC 2928).
        (0x2001, 0xdb8) => false,
        (0x2001, b) if b < 0x200 => false,
        (0x3fff, b) if b < 0x1000 => false,
        // All the world's hosts are in 2000::/3; mapped IPv4 addresses are written as such by nobody.
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_of_the_world_are_told_from_all_others() {
        for public in ["9.9.9.9", "192.0.66.1", "100.128.0.1", "2606:4700::1111", "2001:4860::8888", "2002:909:909::1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "127.0.0.1",
            "10.1.1.1",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:9.9.9.9",
            "64:ff9b::10.0.0.1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2001::1",
            "100::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    proptest! {
        #[test]
        fn an_address_within_another_is_no_more_public_than_by_itself(v4 in any::<u32>()) {
            let v4 = Ipv4Addr::from(v4);
            let [a, b, c, d] = v4.octets();
            let nat64: IpAddr = format!("64:ff9b::{v4}").parse().unwrap();
            let six: IpAddr = format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1").parse().unwrap();
            prop_assert_eq!(is_public(nat64), is_public(IpAddr::V4(v4)));
            prop_assert_eq!(is_public(six), is_public(IpAddr::V4(v4)));
        }
    }
}
