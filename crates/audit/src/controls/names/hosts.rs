//! Domains, their mail hosts, and the addresses of these.

use super::ask::{Patience, domains, hosts, unasked};
use crate::finding::Finding;
use crate::names::{self, missing, worst};
use crate::scene::Scene;
use mailward_core::Domain;
use mailward_dns::LookupError;

pub(super) const NO_DOMAINS: &str = "there is no domain here yet";
const NO_HOSTS: &str = "no domain here has a mail host in the DNS";

pub(super) async fn resolver_validates(scene: &Scene) -> Finding {
    let lookup = match scene.names() {
        Ok(lookup) => lookup,
        Err(missed) => return missed.into(),
    };
    // The root and this domain are signed, so whatever is said of it is proven, also that it has no mail host.
    let Ok(signed) = Domain::parse("org") else { return Finding::error("no name to ask for") };
    let proven = match Patience::begins().within(lookup.mx(&signed)).await {
        Ok(Ok(found)) => found.secure,
        Ok(Err(LookupError::NoRecords { secure, .. } | LookupError::NoName { secure, .. })) => secure,
        Ok(Err(error @ LookupError::Bogus { .. })) => return Finding::fail(error.to_string()),
        Ok(Err(error)) => return Finding::not_tested(error.to_string()),
        Err(late) => return unasked(late),
    };
    if proven {
        Finding::pass("what is said of a signed domain is proven")
    } else {
        Finding::fail(
            "what is said of a signed domain isn't proven: dns.dnssec is off, or the resolver drops signatures",
        )
    }
}

/// Asks of each domain.
macro_rules! of_each {
    ($scene:ident, $names:expr, $none:expr, |$lookup:ident, $name:ident| $is:expr) => {{
        let $lookup = match $scene.names() {
            Ok(lookup) => lookup,
            Err(missed) => return missed.into(),
        };
        let patience = Patience::begins();
        let names: Vec<Domain> = match patience.within(async { $names }).await {
            Ok(Ok(names)) => names,
            Ok(Err(finding)) => return finding,
            Err(late) => return unasked(late),
        };
        let mut found = Vec::new();
        for $name in &names {
            if let Some(is) = patience.ends() {
                found.push(($name.to_string(), is));
                break;
            }
            let is = patience.within(async { $is }).await;
            found.push(($name.to_string(), is.unwrap_or_else(|late| late)));
        }
        worst(found, $none)
    }};
}
pub(super) use of_each;

pub(super) async fn domains_signed(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| names::signed(lookup, domain).await)
}

pub(super) async fn hosts_signed(scene: &Scene) -> Finding {
    of_each!(scene, hosts(scene).await, NO_HOSTS, |lookup, host| names::host_signed(lookup, host).await)
}

pub(super) async fn mx_sound(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| names::mx(lookup, domain).await)
}

pub(super) async fn ipv6(scene: &Scene) -> Finding {
    of_each!(scene, hosts(scene).await, NO_HOSTS, |lookup, host| names::ipv6(lookup, host).await)
}

pub(super) async fn reverse(scene: &Scene) -> Finding {
    let own = scene
        .state()
        .map_err(Finding::from)
        .map(|state| state.name.iter().filter_map(|name| Domain::parse_utf8(name).ok()).collect::<Vec<Domain>>());
    let lookup = match scene.names() {
        Ok(lookup) => lookup,
        Err(missed) => return missed.into(),
    };
    let patience = Patience::begins();
    let mut found = Vec::new();
    for host in match own {
        Ok(own) => own,
        Err(finding) => return finding,
    } {
        let addresses = match patience.within(lookup.addresses(&host)).await {
            Ok(Ok(addresses)) => addresses.records,
            Ok(Err(error)) => {
                found.push((host.to_string(), missing(&error)));
                continue;
            }
            Err(late) => {
                found.push((host.to_string(), late));
                continue;
            }
        };
        for address in addresses {
            let is = patience.within(names::leads_back(lookup, address, &host)).await;
            found.push((address.to_string(), is.unwrap_or_else(|late| late)));
        }
    }
    worst(found, "the server has no name")
}
