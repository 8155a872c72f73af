//! What isn't counted.

use mailward_core::config::RateIgnored;
use mailward_core::{Address, Domain, Network};
use std::collections::HashSet;
use std::net::IpAddr;

/// The list, made ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    /// In small letters.
    addresses: HashSet<String>,
    domains: HashSet<Domain>,
    networks: HashSet<Network>,
    /// How many bits they have, each once: what one question looks up.
    prefixes: Vec<u8>,
}

impl Ignored {
    pub(super) fn of(all: &[RateIgnored]) -> Self {
        let mut ignored = Self::default();
        for one in all {
            match one {
                RateIgnored::Address(address) => drop(ignored.addresses.insert(folded(address))),
                RateIgnored::Domain(domain) => drop(ignored.domains.insert(domain.clone())),
                RateIgnored::Network(network) => {
                    ignored.networks.insert(*network);
                    if !ignored.prefixes.contains(&network.prefix()) {
                        ignored.prefixes.push(network.prefix());
                    }
                }
            }
        }
        ignored
    }

    pub(super) fn has_network_of(&self, ip: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| self.networks.contains(&Network::of(ip, *prefix)))
    }

    pub(super) fn has_sender(&self, sender: &Address) -> bool {
        sender.domain().is_some_and(|domain| self.domains.contains(domain))
            || (!self.addresses.is_empty() && self.addresses.contains(&folded(sender)))
    }

    pub(super) fn has_account(&self, account: &str) -> bool {
        if self.addresses.is_empty() && self.domains.is_empty() {
            return false;
        }
        Address::parse(account, true).is_ok_and(|address| self.has_sender(&address))
    }
}

fn folded(address: &Address) -> String {
    format!("{}@{}", address.local().folded(), address.host())
}
