//! Lists in the DNS: whether they answer us, and whether we are on one.

use crate::finding::Finding;
use crate::host::Missed;
use crate::names::{Is, worst};
use crate::scene::Scene;
use mailward_core::Domain;
use mailward_core::config::{ListKind, ListLine};
use mailward_core::limits::LISTS_MAX;
use mailward_dns::{Lookup, LookupError, Name};
use mailward_sts::is_public;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// Lists that most servers ask, for whoever asks none.
const USUAL: [&str; 2] = ["zen.spamhaus.org", "bl.spamcop.net"];
/// What has to be on a list of addresses, and what must not (RFC 5782 §5).
const ON_IT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const NEVER_ON_IT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Lists of addresses that speak against who is on them: those of the configuration, or else the usual ones.
fn zones(scene: &Scene) -> Result<Vec<Domain>, Missed> {
    let configured = match scene.state()?.settings.as_ref().map(|settings| settings.value("lists.hosts")).transpose()? {
        Some(Some(toml::Value::Array(lines))) => lines,
        _ => Vec::new(),
    };
    let lines =
        configured.iter().take(LISTS_MAX).filter_map(|line| ListLine::parse(line.as_str()?, ListKind::Hosts).ok());
    let zones: Vec<Domain> = lines.filter(|line| line.weight > 0).map(|line| line.zone).collect();
    if zones.is_empty() { Ok(USUAL.iter().filter_map(|zone| Domain::parse(zone).ok()).collect()) } else { Ok(zones) }
}

/// What a list says of an address: its codes; none where it isn't on it.
async fn said(lookup: &dyn Lookup, address: IpAddr, zone: &Domain) -> Result<Vec<IpAddr>, Is> {
    let name = Name::listed(address, zone).map_err(|error| Is::Bad(error.to_string()))?;
    match lookup.listed(&name).await {
        Ok(found) => match found.records.iter().find(|code| is_refusal(code)) {
            Some(code) => Err(Is::Bad(format!("it doesn't answer us ({code}): the resolver is one that it shuts out"))),
            None => Ok(found.records),
        },
        Err(LookupError::NoName { .. } | LookupError::NoRecords { .. }) => Ok(Vec::new()),
        Err(error @ LookupError::Bogus { .. }) => Err(Is::Bad(error.to_string())),
        Err(error) => Err(Is::Unknown(error.to_string())),
    }
}

/// 127.255.255.0/24: not an answer but why there is none. What isn't of 127.0.0.0/8 is no answer of a list at all.
fn is_refusal(code: &IpAddr) -> bool {
    match code {
        IpAddr::V4(code) => !code.is_loopback() || matches!(code.octets(), [127, 255, 255, _]),
        IpAddr::V6(_) => true,
    }
}

/// Whether a list is well: it has what has to be on it, and not what must not.
async fn well(lookup: &dyn Lookup, zone: &Domain) -> Is {
    match (said(lookup, ON_IT, zone).await, said(lookup, NEVER_ON_IT, zone).await) {
        (Ok(on), Ok(never)) if !on.is_empty() && never.is_empty() => Is::Good("answers as it should".to_owned()),
        (Ok(on), Ok(_)) if on.is_empty() => Is::Bad("hasn't what has to be on it (127.0.0.2)".to_owned()),
        (Ok(_), Ok(_)) => Is::Bad("has what must not be on it (127.0.0.1)".to_owned()),
        (Err(is), _) | (_, Err(is)) => is,
    }
}

/// NET-08.
pub(super) async fn resolvers(scene: &Scene) -> Finding {
    let (lookup, zones) = match (scene.names(), zones(scene)) {
        (Ok(lookup), Ok(zones)) => (lookup, zones),
        (Err(missed), _) | (_, Err(missed)) => return missed.into(),
    };
    let servers = match servers(scene) {
        Ok(servers) => servers,
        Err(missed) => return missed.into(),
    };
    let names = servers.iter().cloned().collect::<Vec<_>>().join(", ");
    let enough = match servers.len() {
        0 => Is::Bad("there are none".to_owned()),
        1 if !servers.iter().any(|server| is_here(server)) => Is::Bad(format!("{names} is the only one")),
        _ => Is::Good(names),
    };
    let mut found = vec![("resolvers".to_owned(), enough)];
    for zone in zones {
        let is = well(lookup, &zone).await;
        found.push((zone.to_string(), is));
    }
    worst(found, "there is nobody to ask")
}

/// Whom the server asks: what it is told, or else what the host is.
fn servers(scene: &Scene) -> Result<BTreeSet<String>, Missed> {
    const SYSTEM: &str = "/etc/resolv.conf";
    let settings = scene.state()?.settings.as_ref();
    if let Some(Some(toml::Value::Array(all))) = settings.map(|settings| settings.value("dns.servers")).transpose()? {
        return Ok(all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect());
    }
    Ok(nameservers(&scene.host.text(SYSTEM)?))
}

/// `nameserver` lines (resolv.conf(5)).
fn nameservers(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let addresses = lines.filter_map(|rest| rest.split_whitespace().next()?.parse::<IpAddr>().ok());
    addresses.map(|address| address.to_string()).collect()
}

/// One on this host asks by itself, and is there whenever we are.
fn is_here(server: &str) -> bool {
    let ip = server.parse::<IpAddr>().or_else(|_| server.parse::<std::net::SocketAddr>().map(|at| at.ip()));
    ip.is_ok_and(|ip| ip.is_loopback())
}

/// NET-16.
pub(super) async fn listed(scene: &Scene) -> Finding {
    let (lookup, zones) = match (scene.names(), zones(scene)) {
        (Ok(lookup), Ok(zones)) => (lookup, zones),
        (Err(missed), _) | (_, Err(missed)) => return missed.into(),
    };
    let host = match scene.state().map(|state| state.name.as_deref().and_then(|name| Domain::parse_utf8(name).ok())) {
        Ok(Some(host)) => host,
        Ok(None) => return Finding::not_tested("the server doesn't say its name"),
        Err(missed) => return missed.into(),
    };
    let addresses = match lookup.addresses(&host).await {
        Ok(found) => found.records,
        // That it hasn't got one is another control's to say.
        Err(error) => return Finding::not_tested(error.to_string()),
    };
    let addresses: Vec<IpAddr> = addresses.into_iter().filter(|address| is_public(*address)).collect();
    let mut found = Vec::new();
    for zone in &zones {
        // A list that is ill may have everybody on it, or nobody.
        if let is @ (Is::Bad(_) | Is::Unknown(_)) = well(lookup, zone).await {
            let why = match is {
                Is::Bad(why) | Is::Unknown(why) | Is::Good(why) => why,
            };
            found.push((zone.to_string(), Is::Unknown(why)));
            continue;
        }
        for address in &addresses {
            let is = match said(lookup, *address, zone).await {
                Ok(codes) if codes.is_empty() => Is::Good("isn't on it".to_owned()),
                Ok(codes) => Is::Bad(format!("is on it ({codes:?})")),
                Err(is) => is,
            };
            found.push((format!("{address} at {zone}"), is));
        }
    }
    if addresses.is_empty() {
        return Finding::not_applicable(format!("{host} has no public address that could be on a list"));
    }
    worst(found, "there is no list to ask")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn resolvers_are_read_and_nothing_else() {
        let text =
            "# nameserver 1.1.1.1\nnameserver 192.0.2.1 # x\nnameserver\t::1\nnameserver nobody\noptions edns0\n";
        assert_eq!(nameservers(text).into_iter().collect::<Vec<_>>(), ["192.0.2.1", "::1"]);
        assert!(is_here("::1") && is_here("127.0.0.53:53") && !is_here("192.0.2.1:53") && !is_here("x"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "(nameserver |[ -~\\n\\x1bé]){0,40}") {
            let _servers = nameservers(&text);
        }
    }
}
