//! Names that send no mail: what others are told of mail from there.

use super::ask::{Patience, domains, hosts};
use crate::finding::Finding;
use crate::names::{Is, spf_of, texts, worst};
use crate::scene::Scene;
use mailward_core::Domain;
use mailward_inspect::dmarc::{Request, discover};

/// A name below each domain that there is none of.
const NOBODY: &str = "nobody-of-this-name";

/// ENC-02.
pub(super) async fn nothing_is_sent(scene: &Scene) -> Finding {
    let lookup = match scene.names() {
        Ok(lookup) => lookup,
        Err(missed) => return missed.into(),
    };
    let ours = match domains(scene) {
        Ok(ours) => ours,
        Err(finding) => return finding,
    };
    let mut names: Vec<Domain> = match hosts(scene).await {
        Ok(hosts) => hosts,
        Err(finding) => return finding,
    };
    let own = scene.state.as_ref().and_then(|state| Domain::parse_utf8(state.name.as_deref()?).ok());
    names.extend(own.filter(|own| !names.contains(own)));
    // One that is a mail domain as well sends mail.
    names.retain(|name| !ours.contains(name));
    let (patience, mut found) = (Patience::begins(), Vec::new());
    for domain in &ours {
        if let Some(is) = patience.ends() {
            found.push((domain.to_string(), is));
            break;
        }
        let Ok(below) = Domain::parse(&format!("{NOBODY}.{domain}")) else { continue };
        let is = match discover(lookup, &below).await {
            Err(name) => Is::Unknown(format!("{name} can't be asked for now")),
            Ok(None) => Is::Bad("has no DMARC record above it".to_owned()),
            Ok(Some(policy)) if policy.request == Request::Reject => Is::Good("mail from there is refused".to_owned()),
            Ok(Some(policy)) => {
                Is::Bad(format!("mail from there isn't to be refused ({}={})", policy.tag, policy.request))
            }
        };
        found.push((below.to_string(), is));
    }
    for name in &names {
        if let Some(is) = patience.ends() {
            found.push((name.to_string(), is));
            break;
        }
        let is = match texts(lookup, "", name).await {
            Err(is) => is,
            Ok(texts) => spf_of(&texts),
        };
        found.push((name.to_string(), is));
    }
    worst(found, "there is no domain here yet")
}
