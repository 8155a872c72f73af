//! What domains say that lets others tell whether mail is from them, and that it came by TLS.

use super::ask::{Is, Patience, domains, hosts, missing, texts, worst};
use super::hosts::of_each;
use crate::finding::Finding;
use crate::scene::Scene;
use mailward_core::{Domain, SpfResult};
use mailward_dns::{Lookup, Tlsa};
use mailward_inspect::dmarc::{Request, discover};
use mailward_inspect::spf::{Mechanism, Record, select};
use mailward_sts::{report_places, sts_id};

const NO_DOMAINS: &str = "there is no domain here yet";

/// The widest networks that a record may let send: a /16 and a /32.
const WIDEST_V4: u8 = 16;
/// As above.
const WIDEST_V6: u8 = 32;

pub(super) async fn spf(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| match texts(lookup, "", domain).await {
        Err(is) => is,
        Ok(texts) => spf_of(&texts),
    })
}

/// What the texts of a domain say of who may send.
pub(super) fn spf_of(texts: &[Vec<u8>]) -> Is {
    let terms = match select(texts) {
        Ok(None) => return Is::Bad("has no SPF record".to_owned()),
        Ok(Some(terms)) => terms,
        Err(fault) => return Is::Bad(fault.to_string()),
    };
    let record = match Record::parse(terms) {
        Ok(record) => record,
        Err(fault) => return Is::Bad(fault.to_string()),
    };
    for directive in &record.directives {
        let passes = directive.result == SpfResult::Pass;
        match &directive.mechanism {
            Mechanism::Ptr(_) => return Is::Bad("uses ptr, which nobody should (RFC 7208 section 5.5)".to_owned()),
            Mechanism::All if passes => return Is::Bad("lets everybody send".to_owned()),
            Mechanism::Ip4(_, bits) if passes && *bits < WIDEST_V4 => {
                return Is::Bad(format!("lets too many send: {}", directive.text));
            }
            Mechanism::Ip6(_, bits) if passes && *bits < WIDEST_V6 => {
                return Is::Bad(format!("lets too many send: {}", directive.text));
            }
            _ => {}
        }
    }
    let last = record.directives.iter().find(|directive| directive.mechanism == Mechanism::All);
    match (last.map(|directive| directive.result), &record.redirect) {
        (Some(SpfResult::Fail | SpfResult::SoftFail), _) => Is::Good("ends with a refusal".to_owned()),
        (None, Some(_)) => Is::Good("another domain's record decides".to_owned()),
        _ => Is::Bad("doesn't end with -all or ~all".to_owned()),
    }
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
            let is = published(lookup, &domain, &key.selector, &key.value).await;
            found.push((format!("{}._domainkey.{domain}", key.selector), is));
        }
    }
    worst(found, NO_DOMAINS)
}

/// Whether a key is published as it should be.
async fn published(lookup: &dyn Lookup, domain: &Domain, selector: &str, value: &str) -> Is {
    let texts = match texts(lookup, &format!("{selector}._domainkey"), domain).await {
        Ok(texts) => texts,
        Err(is) => return is,
    };
    let [text] = texts.as_slice() else {
        return Is::Bad(if texts.is_empty() { "isn't published" } else { "there is more than one record" }.to_owned());
    };
    let text = String::from_utf8_lossy(text);
    let tag = |record: &str, name: &str| {
        let tags = record.split(';').filter_map(|tag| tag.split_once('='));
        let of = tags.map(|(tag, value)| (tag.trim().to_owned(), value.split_ascii_whitespace().collect::<String>()));
        of.into_iter().find(|(tag, _)| tag == name).map(|(_, value)| value)
    };
    match (tag(&text, "p"), tag(value, "p")) {
        (Some(there), Some(ours)) if there != ours => Is::Bad("another key is published".to_owned()),
        (None, _) => Is::Bad("what is published is no key".to_owned()),
        _ if tag(&text, "t").is_some_and(|flags| flags.split(':').any(|flag| flag == "y")) => {
            Is::Bad("it is published as a test (t=y), so its signatures count for nothing".to_owned())
        }
        _ => Is::Good("published".to_owned()),
    }
}

pub(super) async fn dmarc(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| match discover(lookup, domain).await {
        Err(name) => Is::Unknown(format!("{name} can't be asked for now")),
        Ok(None) => Is::Bad("has no DMARC record".to_owned()),
        Ok(Some(policy)) if policy.request == Request::None =>
            Is::Bad(format!("asks for nothing ({}=none)", policy.tag)),
        Ok(Some(policy)) if policy.record.test => Is::Bad("only tries its policy out (t=y)".to_owned()),
        Ok(Some(policy)) if policy.record.reports.is_empty() => Is::Bad("wants no reports (rua)".to_owned()),
        Ok(Some(policy)) => Is::Good(format!("asks to {}", policy.request)),
    })
}

pub(super) async fn mta_sts(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| match texts(lookup, "_mta-sts", domain).await {
        Err(is) => is,
        Ok(texts) => match sts_id(&texts) {
            Some(id) => Is::Good(format!("policy {id}")),
            None => Is::Bad("has no MTA-STS record".to_owned()),
        },
    })
}

pub(super) async fn tls_reports(scene: &Scene) -> Finding {
    of_each!(scene, domains(scene), NO_DOMAINS, |lookup, domain| match texts(lookup, "_smtp._tls", domain).await {
        Err(is) => is,
        Ok(texts) => match report_places(&texts).first() {
            Some(place) => Is::Good(format!("to {place}")),
            None => Is::Bad("has no TLS-RPT record".to_owned()),
        },
    })
}

pub(super) async fn dane(scene: &Scene) -> Finding {
    let none = "no domain here has a mail host in the DNS";
    of_each!(scene, hosts(scene).await, none, |lookup, host| match lookup.tlsa(25, host).await {
        Err(error) => missing(&error),
        Ok(found) if !found.secure => Is::Bad("its TLSA records aren't proven, so nobody uses them".to_owned()),
        Ok(found) => match found.records.iter().find_map(Tlsa::usable) {
            Some(tlsa) => Is::Good(tlsa.to_string()),
            None => Is::Bad("none of its TLSA records can be used for mail".to_owned()),
        },
    })
}
