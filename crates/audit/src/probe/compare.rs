//! What is other than it was at an earlier look.

use super::look::{Change, DoorSeen, Look};
use mailward_core::limits::PROBE_CHANGES_MAX;
use std::collections::BTreeMap;

/// What is other, in the order of its names; at most `limits::PROBE_CHANGES_MAX`.
pub fn changes(before: &Look, now: &Look) -> Vec<Change> {
    let (before, mut now) = (facts(before), facts(now));
    let mut changes = Vec::new();
    for (what, was) in before {
        let is = now.remove(&what);
        if is.as_ref() != Some(&was) {
            changes.push(Change { what, was: Some(was), is });
        }
    }
    changes.extend(now.into_iter().map(|(what, is)| Change { what, was: None, is: Some(is) }));
    changes.sort_by(|a, b| a.what.cmp(&b.what));
    changes.truncate(PROBE_CHANGES_MAX);
    changes
}

/// A look as names and values. What is other at every look, as days that are left, isn't among them.
fn facts(look: &Look) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for address in &look.addresses {
        facts.insert(format!("address {address}"), "there".to_owned());
    }
    for port in &look.ports {
        facts.insert(format!("{} port {}", port.address, port.port), port.state.word().to_owned());
    }
    for door in &look.doors {
        of_door(door, &mut facts);
    }
    if let Some(names) = &look.names {
        let mut mx = names.mx.clone();
        mx.sort();
        let mut tlsa = names.tlsa.clone();
        tlsa.sort();
        let texts =
            [("spf", &names.spf), ("dmarc", &names.dmarc), ("mta-sts", &names.mta_sts), ("tls-rpt", &names.tls_rpt)];
        facts.insert("names mx".to_owned(), mx.join(", "));
        facts.insert("names tlsa".to_owned(), tlsa.join(", "));
        facts.insert("names caa".to_owned(), names.caa.join(", "));
        facts.insert("names programs".to_owned(), names.programs.join(", "));
        for (name, text) in texts {
            facts.insert(format!("names {name}"), text.clone().unwrap_or_else(|| "none".to_owned()));
        }
        for (address, of) in &names.reverse {
            facts.insert(format!("names of {address}"), of.join(", "));
        }
    }
    for found in &look.findings {
        facts.insert(found.name.clone(), found.verdict.clone());
    }
    facts
}

fn of_door(door: &DoorSeen, facts: &mut BTreeMap<String, String>) {
    let at = format!("{} {} {}", door.protocol, door.address, door.port);
    let mut add = |what: &str, is: Option<String>| {
        if let Some(is) = is {
            facts.insert(format!("{at} {what}"), is);
        }
    };
    let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(", "));
    add("features", list(&door.features));
    add("features under TLS", list(&door.features_tls));
    add("banner", door.banner.clone());
    if let Some(tls) = &door.tls {
        for version in &tls.versions {
            add(&version.version, Some(version.suites.join(", ")));
        }
    }
    if let Some(certificate) = &door.certificate {
        add("certificate", Some(format!("{} until {}", certificate.sha256, certificate.until)));
    }
}
