//! Who is never banned by itself.

use mailward_core::limits::{BAN_SPARED_MAX, BAN_SPARED_NOTE, BAN_SPARED_TIME};
use mailward_core::{Network, Timestamp};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Where somebody works from who must not be shut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spared {
    /// When they were last seen there.
    pub(super) at: Timestamp,
    /// Who they are, in words.
    pub(super) who: String,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct SparedOnes {
    /// By configuration.
    pub(super) never: Vec<Network>,
    seen: HashMap<IpAddr, Spared>,
}

impl SparedOnes {
    /// Why no address of a network, or not all of them, may be banned.
    pub(super) fn why(&self, network: &Network, now: Timestamp) -> Option<String> {
        if network.contains(Ipv6Addr::LOCALHOST.into()) || overlap(network, &Network::of(Ipv4Addr::LOCALHOST.into(), 8))
        {
            return Some("it is this host itself, or holds it".to_owned());
        }
        if let Some(never) = self.never.iter().find(|never| overlap(never, network)) {
            return Some(format!("{never} stands in bans.never or relay.from"));
        }
        let fresh = |spared: &Spared| age(spared.at, now) < BAN_SPARED_TIME;
        let (ip, spared) =
            self.seen.iter().find(|(ip, spared)| overlap(&Network::host(**ip), network) && fresh(spared))?;
        Some(format!("{} works from {ip}", spared.who))
    }

    /// Somebody was seen; whether that is worth noting.
    pub(super) fn see(&mut self, ip: IpAddr, who: &str, now: Timestamp) -> bool {
        let noted = self.seen.get(&ip).is_some_and(|old| old.who == who && age(old.at, now) < BAN_SPARED_NOTE);
        if noted {
            return false;
        }
        self.put(ip, Spared { at: now, who: who.to_owned() });
        true
    }

    pub(super) fn put(&mut self, ip: IpAddr, spared: Spared) {
        self.seen.insert(ip, spared);
        while self.seen.len() > BAN_SPARED_MAX {
            let oldest = self.seen.iter().min_by_key(|(ip, spared)| (spared.at, **ip)).map(|(ip, _)| *ip);
            let Some(oldest) = oldest else { return };
            self.seen.remove(&oldest);
        }
    }

    pub(super) fn get(&self, ip: IpAddr) -> Option<&Spared> {
        self.seen.get(&ip)
    }
}

pub(super) fn overlap(a: &Network, b: &Network) -> bool {
    a.contains(b.first()) || b.contains(a.first())
}

/// How long ago; nothing if a clock went back.
fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_addresses_are_spared_and_the_oldest_is_forgotten() {
        let mut ones = SparedOnes::default();
        let ip = |n: usize| IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + u32::try_from(n).unwrap()));
        for n in 0..=BAN_SPARED_MAX {
            assert!(ones.see(ip(n), "x", Timestamp(i64::try_from(n).unwrap())));
        }
        assert_eq!(ones.seen.len(), BAN_SPARED_MAX);
        assert_eq!(ones.why(&Network::host(ip(0)), Timestamp(0)), None);
        assert!(ones.why(&Network::host(ip(1)), Timestamp(0)).is_some());
    }
}
