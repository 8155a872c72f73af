//! What of TLS a door takes, asked with first messages of our own: nothing is agreed on, so nothing has to be encrypted, and
//! versions and suites that no library of today speaks can be asked for.
//!
//! TLS 1.3 is asked with an empty list of key shares: a server that agrees to a suite and a group says so in its request to try
//! again (RFC 8446 §4.1.4, §4.2.8), and nothing of ours is needed.

mod heard;
mod hello;
mod manners;
pub mod suites;

pub use heard::{Exchange, Heard, ServerHello, Want, read};
pub use hello::Hello;
pub use manners::{Renegotiation, renegotiates, takes_early_data};

use super::{KnockError, Talk, at_once};
use crate::doors::Waiting;
use crate::scene::Door;
use futures_util::stream::{self, StreamExt as _};
use mailward_core::limits::KNOCK_FLIGHT_MAX;
use suites::Suite;

/// A version, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16);

impl Version {
    /// SSL 3.0 (RFC 6101; RFC 7568 forbids it).
    pub const SSL3: Version = Version(0x0300);
    /// TLS 1.0 (RFC 8996 forbids it).
    pub const TLS10: Version = Version(0x0301);
    /// TLS 1.1 (RFC 8996 forbids it).
    pub const TLS11: Version = Version(0x0302);
    /// TLS 1.2.
    pub const TLS12: Version = Version(0x0303);
    /// TLS 1.3.
    pub const TLS13: Version = Version(0x0304);
    /// The oldest first.
    pub const ALL: [Version; 5] = [Self::SSL3, Self::TLS10, Self::TLS11, Self::TLS12, Self::TLS13];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x0300 => "SSL 3.0",
            0x0301 => "TLS 1.0",
            0x0302 => "TLS 1.1",
            0x0303 => "TLS 1.2",
            0x0304 => "TLS 1.3",
            _ => "an unknown version",
        }
    }

    /// Whether it may be spoken today (RFC 9325 §3.1.1).
    pub const fn is_good(self) -> bool {
        matches!(self, Version::TLS12 | Version::TLS13)
    }
}

/// Groups of key exchange (RFC 8446 §4.2.7 and IANA's registry), the strongest last.
pub const GROUPS: [(u16, &str); 12] = [
    (0x0013, "secp192r1"),
    (0x0015, "secp224r1"),
    (0x0017, "secp256r1"),
    (0x0018, "secp384r1"),
    (0x0019, "secp521r1"),
    (0x001d, "x25519"),
    (0x001e, "x448"),
    (0x0100, "ffdhe2048"),
    (0x0101, "ffdhe3072"),
    (0x11eb, "SecP256r1MLKEM768"),
    (0x11ec, "X25519MLKEM768"),
    (0x11ed, "SecP384r1MLKEM1024"),
];

/// X25519MLKEM768.
pub const HYBRID: u16 = 0x11ec;

/// Asks with one first message, and hears the answer to it.
///
/// # Errors
/// [`KnockError`] where there is no answer that is one of TLS: not even a refusal. A connection that is closed without a word is a
/// refusal.
pub async fn ask(door: &Door, hello: &Hello<'_>) -> Result<Heard, KnockError> {
    let mut wire = Talk::up_to_tls(door).await?;
    let mut random = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| KnockError::Odd("there is no randomness here"))?;
    match wire.send(&hello.bytes(&door.name, random)).await {
        // Who refuses may be gone before we have said all.
        Ok(()) | Err(KnockError::Closed) => {}
        Err(other) => return Err(other),
    }
    let mut bytes = Vec::new();
    loop {
        match wire.some().await {
            Ok(more) => bytes.extend_from_slice(&more),
            Err(KnockError::Closed) => return Ok(read(&bytes)?.unwrap_or(Heard::Refused(None))),
            Err(other) => return Err(other),
        }
        match read(&bytes)? {
            Some(Heard::Agreed(agreed)) if agreed.is_partial(hello.want) => {}
            Some(heard) => return Ok(heard),
            None => {}
        }
        if bytes.len() > KNOCK_FLIGHT_MAX {
            return Err(KnockError::TooMuch("a first flight of TLS"));
        }
    }
}

/// Whether a version is taken, and with what.
///
/// # Errors
/// As [`ask`].
pub async fn takes(door: &Door, version: Version) -> Result<Option<ServerHello>, KnockError> {
    let suites = suites::of(version);
    let heard = ask(door, &Hello::new(version, &suites)).await?;
    Ok(heard.agreed(version))
}

/// The suites that are taken in a version, in the order in which the server picks them from a list that shrinks.
///
/// # Errors
/// As [`ask`].
pub async fn taken(door: &Door, version: Version) -> Result<Vec<&'static Suite>, KnockError> {
    let mut left = suites::of(version);
    let mut taken = Vec::new();
    // Each round takes one out of the list.
    while !left.is_empty() {
        let Some(agreed) = ask(door, &Hello::new(version, &left)).await?.agreed(version) else { break };
        let before = left.len();
        left.retain(|id| *id != agreed.suite);
        if left.len() == before {
            return Err(KnockError::Odd("it picks a suite that wasn't offered"));
        }
        taken.push(suites::find(agreed.suite).ok_or(KnockError::Odd("it picks a suite that wasn't offered"))?);
    }
    Ok(taken)
}

/// Whether the server picks by its own order, among suites that it takes; `None` if there is nothing to choose.
///
/// # Errors
/// As [`ask`].
pub async fn has_order(door: &Door, version: Version, taken: &[&Suite]) -> Result<Option<bool>, KnockError> {
    let one_way: Vec<u16> = taken.iter().map(|suite| suite.id).collect();
    if one_way.len() < 2 {
        return Ok(None);
    }
    let other_way: Vec<u16> = one_way.iter().rev().copied().collect();
    let first = ask(door, &Hello::new(version, &one_way)).await?.agreed(version);
    let second = ask(door, &Hello::new(version, &other_way)).await?.agreed(version);
    match (first, second) {
        (Some(first), Some(second)) => Ok(Some(first.suite == second.suite)),
        _ => Err(KnockError::Odd("it refuses what it took a moment ago")),
    }
}

/// The groups that are taken in a version.
///
/// # Errors
/// As [`ask`].
pub async fn groups(door: &Door, version: Version) -> Result<Vec<&'static str>, KnockError> {
    let mut each: Vec<Waiting<'_, Result<Option<&'static str>, KnockError>>> = Vec::new();
    for (id, name) in GROUPS {
        each.push(Box::pin(async move { Ok(takes_group(door, version, id).await?.then_some(name)) }));
    }
    let found: Vec<Result<Option<&'static str>, KnockError>> =
        stream::iter(each).buffered(at_once().div_euclid(2)).collect().await;
    found.into_iter().filter_map(Result::transpose).collect()
}

/// Whether one group is taken in a version.
///
/// # Errors
/// As [`ask`].
pub async fn takes_group(door: &Door, version: Version, group: u16) -> Result<bool, KnockError> {
    let mut suites = suites::of(version);
    if version != Version::TLS13 {
        // Suites that need no group would be picked whatever is offered.
        suites.retain(|id| suites::find(*id).is_some_and(Suite::has_curve));
    }
    let groups = [group];
    let mut hello = Hello::new(version, &suites);
    hello.groups = &groups;
    hello.want = Want::Exchange;
    let agreed = ask(door, &hello).await?.agreed(version);
    Ok(agreed.is_some_and(|agreed| match version {
        Version::TLS13 => agreed.group == Some(group),
        _ => matches!(agreed.exchange, Some(Exchange::Curve { group: used, .. }) if used == group),
    }))
}
