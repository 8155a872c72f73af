//! Logins that fail, and who is never banned.

use crate::address::Address;
use crate::limits::BAN_MINUTES;
use crate::network::Network;
use serde::{Serialize, Serializer};

/// Logins that fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logins {
    /// Whether they are counted, slowed and stopped.
    pub guard: bool,
}

impl Default for Logins {
    fn default() -> Self {
        Self { guard: true }
    }
}

/// Hosts that get nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bans {
    /// Minutes of a first ban.
    pub time: usize,
    /// Who is never banned by itself.
    #[serde(serialize_with = "as_texts")]
    pub never: Vec<Never>,
    /// Whether the supervisor keeps them in the host's firewall as well.
    pub firewall: bool,
}

impl Default for Bans {
    fn default() -> Self {
        Self { time: BAN_MINUTES, never: Vec::new(), firewall: false }
    }
}

/// Somebody who is never banned by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Never {
    /// Hosts of a network.
    Network(Network),
    /// The host that this account logged in from lately.
    Account(Address),
}

impl Never {
    /// Reads a network, an IP address, or the address of an account.
    ///
    /// # Errors
    /// What is wrong, in words. A network as wide as several organisations' is refused: see [`Network::parse`].
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Address::parse(text, true).map(Self::Account).map_err(|e| format!("{text:?}: {e}"));
        }
        Network::parse(text).map(Self::Network).map_err(|e| e.to_string())
    }
}

impl std::fmt::Display for Never {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Never::Network(network) => network.fmt(f),
            Never::Account(address) => address.fmt(f),
        }
    }
}

fn as_texts<S: Serializer>(all: &[Never], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_never_banned_is_read_and_written() {
        for text in ["192.0.2.0/24", "2001:db8::/48", "boss@example.org"] {
            assert_eq!(Never::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "boss", "0.0.0.0/0", "192.0.2.1/24", "@example.org"] {
            assert!(Never::parse(bad).is_err(), "{bad}");
        }
    }
}
