//! Forward-confirmed reverse DNS: the name of an address that leads back to it (RFC 8601 §2.7.3, "iprev").

use crate::reputation::means::{Asker, Missing, latest};
use futures_util::future::join_all;
use mailward_core::Domain;
use mailward_core::limits::REVERSE_NAMES_MAX;
use mailward_dns::Name;
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;
use tokio::time::Instant;

/// What the DNS has as the name of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "name")]
pub enum Reverse {
    /// This name, whose addresses include it.
    Confirmed(Domain),
    /// This name, perhaps among others, none of which leads back. Whoever has the address writes what they like there.
    Unconfirmed(Domain),
    /// No name.
    None,
    /// Nobody knows now, or it isn't asked about.
    #[default]
    Unknown,
}

impl Reverse {
    /// The name, if it is confirmed.
    #[must_use]
    pub const fn confirmed(&self) -> Option<&Domain> {
        match self {
            Reverse::Confirmed(name) => Some(name),
            _ => None,
        }
    }

    /// The name, confirmed or not.
    #[must_use]
    pub const fn name(&self) -> Option<&Domain> {
        match self {
            Reverse::Confirmed(name) | Reverse::Unconfirmed(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Reverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reverse::Confirmed(name) => name.fmt(f),
            Reverse::Unconfirmed(name) => write!(f, "{name}, which doesn't lead back"),
            Reverse::None => f.write_str("no name"),
            Reverse::Unknown => f.write_str("unknown"),
        }
    }
}

/// Finds the name of an address, and until when it holds. The first of its names that leads back counts; at most
/// `limits::REVERSE_NAMES_MAX` are looked at.
pub(crate) async fn find(asker: &Asker<'_>, ip: IpAddr) -> (Reverse, Instant) {
    let found = match asker.name(asker.lookup.ptr(ip)).await {
        Ok(found) => found,
        Err(Missing::None { until, .. }) => return (Reverse::None, until),
        Err(_) => return (Reverse::Unknown, latest()),
    };
    let names: Vec<Domain> = found.records.into_iter().take(REVERSE_NAMES_MAX).collect();
    let answers = join_all(names.iter().map(|name| leads_to(asker, name, ip))).await;
    let mut until = Instant::from(found.valid_until);
    let (mut confirmed, mut unknown) = (None, false);
    for (name, (leads, holds)) in names.iter().zip(answers) {
        match leads {
            Leads::There if confirmed.is_none() => {
                confirmed = Some(name.clone());
                until = until.min(holds);
            }
            Leads::There => {}
            Leads::Elsewhere => until = until.min(holds),
            Leads::Unknown => unknown = true,
        }
    }
    let reverse = match (confirmed, names.into_iter().next()) {
        (Some(name), _) => Reverse::Confirmed(name),
        (None, _) if unknown => Reverse::Unknown,
        (None, Some(name)) => Reverse::Unconfirmed(name),
        (None, None) => Reverse::None,
    };
    (reverse, until)
}

/// Where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    There,
    Elsewhere,
    Unknown,
}

/// Whether an address is among those of a name. Only its own family is asked for.
pub(crate) async fn leads_to(asker: &Asker<'_>, name: &Domain, ip: IpAddr) -> (Leads, Instant) {
    let (name, ip) = (Name::from(name), ip.to_canonical());
    let answer = if ip.is_ipv4() { asker.lookup.listed(&name) } else { asker.lookup.listed_v6(&name) };
    match asker.name(answer).await {
        Ok(found) => {
            let there = found.records.iter().any(|address| address.to_canonical() == ip);
            (if there { Leads::There } else { Leads::Elsewhere }, found.valid_until.into())
        }
        Err(Missing::None { until, .. }) => (Leads::Elsewhere, until),
        Err(_) => (Leads::Unknown, latest()),
    }
}

/// Whether a name looks as if it had been made out of the address by a program, as providers name their customers'
/// lines: `p-192-0-2-1.dyn.example`, `1.2.0.192.pool.example`, `c0000201.example`. A sign only: some name good servers so.
#[must_use]
pub fn is_generated(name: &Domain, ip: IpAddr) -> bool {
    let text = name.as_str();
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let octets = v4.octets();
            let numbers: Vec<u32> = runs(text, |b| b.is_ascii_digit()).filter_map(|run| run.parse().ok()).collect();
            let forward: Vec<u32> = octets.iter().copied().map(u32::from).collect();
            let backward: Vec<u32> = forward.iter().rev().copied().collect();
            // Three are enough: the first or the last is often left out.
            let dotted = [&forward, &backward]
                .iter()
                .any(|all| numbers.windows(3).any(|window| all.windows(3).any(|part| part == window)));
            let of = |write: &dyn Fn(&u8) -> String, back: bool| -> String {
                if back { octets.iter().rev().map(write).collect() } else { octets.iter().map(write).collect() }
            };
            let hex = |octet: &u8| format!("{octet:02x}");
            let padded = |octet: &u8| format!("{octet:03}");
            let joined = [of(&hex, false), of(&hex, true), of(&padded, false), of(&padded, true)];
            dotted || joined.iter().any(|joined| text.contains(joined.as_str()))
        }
        IpAddr::V6(v6) => {
            let nibbles: String = v6.octets().iter().map(|octet| format!("{octet:02x}")).collect();
            // Half of it in one piece, or as many groups in a row as that.
            let pieces: String = text.chars().filter(|c| !matches!(c, '-' | '.')).collect();
            let halves = nibbles.split_at_checked(16).map(|(network, host)| [network.to_owned(), host.to_owned()]);
            let whole = halves.is_some_and(|halves| {
                halves.iter().any(|half| half.bytes().any(|b| b != b'0') && pieces.contains(half.as_str()))
            });
            let groups: Vec<u32> = text
                .split(['-', '.'])
                .map(|group| u32::from_str_radix(group, 16).ok().filter(|_| group.len() <= 4).unwrap_or(u32::MAX))
                .collect();
            let segments: Vec<u32> = v6.segments().iter().copied().map(u32::from).collect();
            whole || groups.windows(4).any(|window| segments.windows(4).any(|part| part == window))
        }
    }
}

/// Pieces of a text whose bytes are all of one sort.
fn runs(text: &str, sort: impl Fn(u8) -> bool + Copy) -> impl Iterator<Item = &str> {
    text.split(move |c: char| !u8::try_from(c).is_ok_and(sort)).filter(|run| !run.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn generated(name: &str, ip: &str) -> bool {
        is_generated(&Domain::parse(name).unwrap(), ip.parse().unwrap())
    }

    #[test]
    fn names_that_programs_make_are_told_from_names_that_people_give() {
        for name in [
            "192-0-2-17.dyn.example",
            "p17-2-0-192.example",
            "192.0.2.17.example",
            "host017.002.000.192.example",
            "192000002017.example",
            "ip-c0000211.example",
            "1102000c0.c0000211.example",
            "17.2.0.pool.example",
            "s2-17.0-2-17.example",
        ] {
            assert!(generated(name, "192.0.2.17"), "{name}");
            assert!(generated(name, "::ffff:192.0.2.17"), "{name}");
        }
        for name in ["mail.example.org", "mx17.example.org", "mail-192-0.example", "mx2-17.example", "o1.mail4.example"]
        {
            assert!(!generated(name, "192.0.2.17"), "{name}");
        }
        for name in [
            "2001-db8-0-1-2-3-4-5.dyn.example",
            "dyn-20010db800000001.example",
            "2a.0002000300040005.example",
            "5.4.3.2-2001-db8-0-1.example",
        ] {
            assert!(generated(name, "2001:db8:0:1:2:3:4:5"), "{name}");
        }
        for name in ["mail.example.org", "2001-db8.example", "a.b.c.d.e.f.example"] {
            assert!(!generated(name, "2001:db8:0:1:2:3:4:5"), "{name}");
        }
        // Zeros are in every name that has a few.
        assert!(!generated("0000000000000000.example", "2001:db8::"));
    }

    proptest! {
        #[test]
        fn what_is_made_of_an_address_is_seen(bytes in any::<[u8; 4]>(), word in "[a-z]{0,8}") {
            let [a, b, c, d] = bytes;
            let name = Domain::parse(&format!("x{word}-{a}-{b}-{c}-{d}.isp.example")).unwrap();
            prop_assert!(is_generated(&name, IpAddr::from(bytes)));
        }
    }
}
