//! How many connections one host may have, whichever lanes lead to it: many domains may name one host as theirs, and one
//! that is silent would otherwise take all connections there are.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bits of an IPv6 address that one host can't choose for itself: a network is a /64 (RFC 4291 §2.5.4).
const NETWORK: u128 = !(u64::MAX as u128);

/// The places of all hosts. It has no more entries than there are connections, and attempts at one.
#[derive(Debug)]
pub(crate) struct Places {
    most: u32,
    taken: Mutex<HashMap<SocketAddr, u32>>,
}

impl Places {
    /// Never more than `most` connections to one host.
    pub(crate) fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), taken: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one connection to this address, given back when it is dropped; none if all are taken.
    pub(crate) fn take(self: &Arc<Self>, address: SocketAddr) -> Option<Place> {
        let host = host(address);
        let mut taken = self.lock();
        let count = taken.entry(host).or_default();
        if *count >= self.most {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Place { places: Arc::clone(self), host })
    }
}

/// The right to one connection.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    host: SocketAddr,
}

impl Place {
    /// Whether it is the last one: others may be waiting for it.
    pub(crate) fn is_scarce(&self) -> bool {
        self.places.lock().get(&self.host).is_some_and(|count| *count >= self.places.most)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        let left = taken.get(&self.host).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            taken.remove(&self.host);
        } else {
            taken.insert(self.host, left);
        }
    }
}

/// Who is behind an address. A port is a service of its own: only routes name ports, and those are the administrator's.
fn host(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip().to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & NETWORK)),
        ip @ IpAddr::V4(_) => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_has_its_share_and_gives_it_back() {
        let places = Places::new(2);
        let first = places.take(at("192.0.2.1:25")).unwrap();
        assert!(!first.is_scarce());
        let second = places.take(at("[::ffff:192.0.2.1]:25")).unwrap();
        assert!(first.is_scarce());
        assert!(places.take(at("192.0.2.1:25")).is_none());
        assert!(places.take(at("192.0.2.2:25")).is_some(), "another host");
        drop(first);
        let third = places.take(at("192.0.2.1:25"));
        assert!(third.is_some());
        drop((second, third));
        assert!(places.lock().is_empty());
    }

    #[test]
    fn one_network_is_one_host_however_many_addresses_it_has() {
        let places = Places::new(1);
        let _one = places.take(at("[2001:db8::1]:25")).unwrap();
        assert!(places.take(at("[2001:db8::ffff:2]:25")).is_none());
        assert!(places.take(at("[2001:db8:0:1::1]:25")).is_some());
    }
}
