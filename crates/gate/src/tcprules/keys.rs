//! What stands before the colon, and in which order tcpserver asks for it.

use mailward_core::limits::TCPRULES_RANGE_MAX;
use mailward_core::rule::Who;
use mailward_core::{Domain, Network};
use std::net::{IpAddr, Ipv4Addr};

/// A key of the compiled file, or several that are one network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Addresses, by as many octets as are compared: 4 is one address. The network holds all of them.
    Addresses { octets: u8, network: Network },
    /// `=host`
    Host(Domain),
    /// `=.domain`
    Below(Domain),
    /// `=`
    AnyHost,
    /// The empty one.
    Everybody,
}

/// What an address of a line is.
pub(super) enum Keys {
    Some(Vec<Key>),
    /// Nothing that could fit here, and why.
    None(&'static str),
}

const NEVER: &str = "isn't written as tcpserver writes addresses: it never fits";

impl Key {
    /// Before which others tcpserver asks for it.
    pub(super) fn rank(&self) -> (u8, usize) {
        match self {
            Key::Addresses { octets: 4, .. } => (0, 0),
            Key::Host(_) => (1, 0),
            // Longer ones first.
            Key::Addresses { octets, .. } => (2, usize::from(4_u8.saturating_sub(*octets))),
            Key::Below(domain) => (3, usize::MAX.saturating_sub(domain.as_str().len())),
            Key::AnyHost => (4, 0),
            Key::Everybody => (5, 0),
        }
    }
    pub(super) fn who(&self) -> Who {
        match self {
            Key::Addresses { network, .. } => Who::Network(*network),
            Key::Host(domain) => Who::Name(domain.clone()),
            Key::Below(domain) => Who::Under(domain.clone()),
            Key::AnyHost | Key::Everybody => Who::Any,
        }
    }
}

/// The keys that tcprules makes of an address, `1.2.3.4`, `1.2.`, `1.2.3.4-9`, `=host`, `=.domain`, `=` or none.
///
/// # Errors
/// What tcprules stumbles over.
pub(super) fn read(address: &str) -> Result<Keys, &'static str> {
    if address.is_empty() {
        return Ok(Keys::Some(vec![Key::Everybody]));
    }
    if address.contains('@') {
        return Ok(Keys::None("what a client's ident says isn't asked here"));
    }
    if let Some(host) = address.strip_prefix('=') {
        let below = host.strip_prefix('.');
        return Ok(match (host, Domain::parse(below.unwrap_or(host))) {
            ("", _) => Keys::Some(vec![Key::AnyHost]),
            (_, Ok(domain)) if below.is_some() => Keys::Some(vec![Key::Below(domain)]),
            (_, Ok(domain)) if domain.as_str().contains('.') => Keys::Some(vec![Key::Host(domain)]),
            _ => Keys::None("is no name that a host in the DNS can have"),
        });
    }
    if address.contains('=') {
        return Ok(Keys::None(NEVER));
    }
    let keys: Vec<Key> = expanded(address)?.iter().filter_map(|text| addresses(text)).collect();
    Ok(if keys.is_empty() { Keys::None(NEVER) } else { Keys::Some(keys) })
}

/// The first range of an address, written out as tcprules.c does: `1.2.3.4-9` and `1.2-3.`.
fn expanded(address: &str) -> Result<Vec<String>, &'static str> {
    let Some((before, behind)) = address.split_once('-') else { return Ok(vec![address.to_owned()]) };
    let (left, bottom) = before.rsplit_once('.').map_or(("", before), |(left, bottom)| (left, bottom));
    let left = if before.contains('.') { format!("{left}.") } else { String::new() };
    let (top, right) = match behind.find('.').and_then(|at| behind.split_at_checked(at)) {
        Some((top, right)) => (top, right),
        None => (behind, ""),
    };
    let number = |text: &str| match text.parse::<u32>() {
        Ok(number) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(number),
        _ => Err("a range isn't made of numbers"),
    };
    let (bottom, top) = (number(bottom)?, number(top)?.min(255));
    let all = (bottom..=top).take(TCPRULES_RANGE_MAX);
    Ok(all.map(|octet| format!("{left}{octet}{right}")).collect())
}

/// One to three octets with a dot behind each, or four without the last dot; as numbers are written.
fn addresses(text: &str) -> Option<Key> {
    let (octets, whole) = match text.strip_suffix('.') {
        Some(prefix) => (prefix, false),
        None => (text, true),
    };
    let mut bytes = [0_u8; 4];
    let mut count = 0_usize;
    for octet in octets.split('.') {
        let byte: u8 = octet.parse().ok()?;
        // "010" and "+1" are never what tcpserver asks for.
        if byte.to_string() != octet {
            return None;
        }
        *bytes.get_mut(count)? = byte;
        count = count.checked_add(1)?;
    }
    let octets = u8::try_from(count).ok()?;
    let fits = if whole { octets == 4 } else { (1..=3).contains(&octets) };
    let ip = IpAddr::V4(Ipv4Addr::from(bytes));
    fits.then(|| Key::Addresses { octets, network: Network::of(ip, octets.saturating_mul(8)) })
}

/// The same keys, neighbours put together to as few networks as hold just them.
pub(super) fn merged(keys: Vec<Key>) -> Vec<Key> {
    let mut done: Vec<Key> = Vec::with_capacity(keys.len());
    for key in keys {
        let mut key = key;
        // As a carry in counting: two halves become a whole, and that may be a half again.
        while let Some(whole) = done.last().and_then(|last| joined(last, &key)) {
            done.pop();
            key = whole;
        }
        done.push(key);
    }
    done
}

/// Two halves of one network.
fn joined(first: &Key, second: &Key) -> Option<Key> {
    let (Key::Addresses { octets, network: a }, Key::Addresses { octets: same, network: b }) = (first, second) else {
        return None;
    };
    let wider = Network::of(a.first(), a.prefix().checked_sub(1)?);
    // What is too wide to relay stays in parts that aren't.
    let is_whole = octets == same && a.prefix() == b.prefix() && a != b && wider.contains(b.first());
    (is_whole && wider.prefix() >= 8).then_some(Key::Addresses { octets: *octets, network: wider })
}
