//! Domains, their mail hosts, and the addresses of these.

use super::ask::{Is, Patience, domains, hosts, missing, unasked, worst};
use crate::finding::Finding;
use crate::scene::Scene;
use mailward_core::Domain;
use mailward_dns::LookupError;
use mailward_sts::is_public;
use std::net::IpAddr;

const NO_DOMAINS: &str = "there is no domain here yet";
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
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| match lookup.mx(domain).await {
        Ok(found) if found.secure => Is::Good("signed".to_owned()),
        Ok(_) => Is::Bad("its zone isn't signed".to_owned()),
        Err(error) => missing(&error),
    })
}

pub(super) async fn hosts_signed(scene: &Scene) -> Finding {
    of_each!(scene, hosts(scene).await, NO_HOSTS, |lookup, host| match lookup.addresses(host).await {
        Ok(found) if found.secure => Is::Good("signed".to_owned()),
        Ok(_) => Is::Bad("its zone isn't signed".to_owned()),
        Err(error) => missing(&error),
    })
}

pub(super) async fn mx_sound(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| match lookup.mx(domain).await {
        Err(error) => missing(&error),
        Ok(found) => {
            let mut is = Is::Good(format!("{} hosts", found.records.len()));
            for mx in &found.records {
                let host = match mx.host_name() {
                    Ok(host) => host,
                    Err(why) => {
                        is = Is::Bad(format!("{:?}: {why}", mx.host));
                        break;
                    }
                };
                match lookup.addresses(&host).await {
                    Err(error) => is = missing(&error),
                    Ok(at) if at.alias.is_some() => is = Is::Bad(format!("{host} is an alias of another name")),
                    Ok(at) => match at.records.iter().find(|address| !is_public(**address)) {
                        Some(address) => is = Is::Bad(format!("{host} has {address}, which nobody outside can reach")),
                        None => continue,
                    },
                }
                break;
            }
            is
        }
    })
}

pub(super) async fn ipv6(scene: &Scene) -> Finding {
    of_each!(scene, hosts(scene).await, NO_HOSTS, |lookup, host| match lookup.addresses(host).await {
        Ok(found) if found.records.iter().any(IpAddr::is_ipv6) => Is::Good("has IPv6".to_owned()),
        Ok(_) => Is::Bad("has no AAAA record".to_owned()),
        Err(error) => missing(&error),
    })
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
            let is = patience.within(leads_back(lookup, address, &host)).await;
            found.push((address.to_string(), is.unwrap_or_else(|late| late)));
        }
    }
    worst(found, "the server has no name")
}

/// Whether an address's name is the server's, and leads back to the address.
async fn leads_back(lookup: &dyn mailward_dns::Lookup, address: IpAddr, host: &Domain) -> Is {
    let names = match lookup.ptr(address).await {
        Ok(names) => names.records,
        Err(error) => return missing(&error),
    };
    let Some(name) = names.iter().find(|name| *name == host).or_else(|| names.first()) else {
        return Is::Bad("has no name".to_owned());
    };
    if name != host {
        return Is::Bad(format!("is named {name}, and the server {host}"));
    }
    match lookup.addresses(name).await {
        Ok(found) if found.records.contains(&address) => Is::Good(format!("is named {name}")),
        Ok(_) => Is::Bad(format!("is named {name}, which has other addresses")),
        Err(error) => missing(&error),
    }
}
