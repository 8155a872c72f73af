//! What domains say that lets others tell whether mail is from them, and that it came by TLS.

use super::ask::{Patience, domains, hosts, unasked};
use super::hosts::of_each;
use crate::finding::Finding;
use crate::names::{self, Is, worst};
use crate::scene::Scene;
use mailward_core::Domain;

const NO_DOMAINS: &str = "there is no domain here yet";

pub(super) async fn spf(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| names::spf(lookup, domain).await)
}

pub(super) async fn dkim(scene: &Scene) -> Finding {
    let (state, lookup) = match (scene.state(), scene.names()) {
        (Ok(state), Ok(lookup)) => (state, lookup),
        (Err(missed), _) | (_, Err(missed)) => return missed.into(),
    };
    let patience = Patience::begins();
    let mut found = Vec::new();
    for domain in match domains(scene) {
        Ok(domains) => domains,
        Err(finding) => return finding,
    } {
        let keys = state.dkim.get(&domain.to_string()).map(Vec::as_slice).unwrap_or_default();
        if keys.is_empty() {
            found.push((domain.to_string(), Is::Bad("has no key that signs".to_owned())));
        }
        for key in keys {
            if let Some(is) = patience.ends() {
                found.push((domain.to_string(), is));
                break;
            }
            let is = patience.within(names::dkim(lookup, &domain, &key.selector, Some(&key.value))).await;
            found.push((format!("{}._domainkey.{domain}", key.selector), is.unwrap_or_else(|late| late)));
        }
    }
    worst(found, NO_DOMAINS)
}

pub(super) async fn dmarc(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| names::dmarc(lookup, domain).await)
}

pub(super) async fn mta_sts(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| names::mta_sts(lookup, domain).await)
}

pub(super) async fn tls_reports(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| names::tls_reports(lookup, domain).await)
}

pub(super) async fn dane(scene: &Scene) -> Finding {
    let none = "no domain here has a mail host in the DNS";
    of_each!(scene, hosts(scene).await, none, |lookup, host| names::dane(lookup, host).await)
}
