//! Which names there are to ask about, and how answers of several are put together.

use crate::finding::{Exhibit, Finding};
use crate::scene::Scene;
use mailward_core::Domain;
use mailward_core::limits::{AUDIT_NAMES_END, AUDIT_NAMES_MAX, AUDIT_NAMES_TIME};
use mailward_dns::{Lookup, LookupError, Mx, Name};
use std::future::Future;
use tokio::time::Instant;

/// What one domain or host is like.
pub(super) enum Is {
    /// As it should be, and how.
    Good(String),
    /// Not so, and why.
    Bad(String),
    /// Nobody knows now.
    Unknown(String),
}

/// Puts together what was found of several: one that is bad makes all bad; one that nobody knows about, unknown.
pub(super) fn worst(found: Vec<(String, Is)>, none: &str) -> Finding {
    if found.is_empty() {
        return Finding::not_applicable(none);
    }
    let all = found.len();
    let mut shown = Vec::new();
    let (mut bad, mut unknown) = (Vec::new(), Vec::new());
    for (name, is) in found {
        let (what, list) = match is {
            Is::Good(what) => (what, None),
            Is::Bad(what) => (what, Some(&mut bad)),
            Is::Unknown(what) => (what, Some(&mut unknown)),
        };
        if let Some(list) = list {
            list.push(format!("{name}: {what}"));
        }
        shown.push(Exhibit { input: name, output: what.into_bytes() });
    }
    match (bad.as_slice(), unknown.as_slice()) {
        ([], []) => Finding::pass(format!("so it is for {all}")),
        ([], unknown) => Finding::not_tested(unknown.join("; ")),
        (bad, _) => Finding::fail(bad.join("; ")),
    }
    .showing_all(shown)
}

/// How long names are asked for one control: no more are begun after `limits::AUDIT_NAMES_TIME`, and none is waited for beyond
/// `limits::AUDIT_NAMES_END`, as a control has to say in time what it knows.
pub(super) struct Patience(Instant);

impl Patience {
    pub(super) fn begins() -> Self {
        Self(Instant::now())
    }

    /// What is said of a name for which no time is left.
    pub(super) fn ends(&self) -> Option<Is> {
        (self.0.elapsed() > AUDIT_NAMES_TIME)
            .then(|| Is::Unknown("not asked any more, as the DNS answers slowly".to_owned()))
    }

    /// What comes of asking, if it comes in time.
    pub(super) async fn within<T>(&self, asked: impl Future<Output = T>) -> Result<T, Is> {
        let left = AUDIT_NAMES_END.saturating_sub(self.0.elapsed());
        let late = |_| Is::Unknown("no answer in time, as the DNS answers slowly".to_owned());
        tokio::time::timeout(left, asked).await.map_err(late)
    }
}

/// What is found where not even the names to ask about are known in time.
pub(super) fn unasked(is: Is) -> Finding {
    let (Is::Good(why) | Is::Bad(why) | Is::Unknown(why)) = is;
    Finding::not_tested(why)
}

/// Domains that mail is received for, at most `limits::AUDIT_NAMES_MAX`.
pub(super) fn domains(scene: &Scene) -> Result<Vec<Domain>, Finding> {
    let state = scene.state()?;
    let domains = state.domains.iter().take(AUDIT_NAMES_MAX).filter_map(|name| Domain::parse_utf8(name).ok());
    Ok(domains.collect())
}

/// Hosts that the domains' MX records name, each once.
pub(super) async fn hosts(scene: &Scene) -> Result<Vec<Domain>, Finding> {
    let lookup = scene.names()?;
    let mut hosts: Vec<Domain> = Vec::new();
    for domain in domains(scene)? {
        match lookup.mx(&domain).await {
            Ok(found) => {
                for host in found.records.iter().filter_map(|mx: &Mx| mx.host_name().ok()) {
                    if !hosts.contains(&host) && hosts.len() < AUDIT_NAMES_MAX {
                        hosts.push(host);
                    }
                }
            }
            Err(LookupError::NoName { .. } | LookupError::NoRecords { .. }) => {}
            Err(error) => return Err(Finding::not_tested(error.to_string())),
        }
    }
    Ok(hosts)
}

/// Texts at a name below a domain; none if there are none.
pub(super) async fn texts(lookup: &dyn Lookup, below: &str, domain: &Domain) -> Result<Vec<Vec<u8>>, Is> {
    let text = if below.is_empty() { domain.to_string() } else { format!("{below}.{domain}") };
    let name = Name::parse(&text).map_err(|error| Is::Bad(format!("{text}: {error}")))?;
    match lookup.txt(&name).await {
        Ok(found) => Ok(found.records),
        Err(LookupError::NoName { .. } | LookupError::NoRecords { .. }) => Ok(Vec::new()),
        Err(error @ LookupError::Bogus { .. }) => Err(Is::Bad(error.to_string())),
        Err(error) => Err(Is::Unknown(error.to_string())),
    }
}

/// What an answer that isn't there says of a name.
pub(super) fn missing(error: &LookupError) -> Is {
    match error {
        LookupError::NoName { .. } | LookupError::NoRecords { .. } | LookupError::Bogus { .. } => {
            Is::Bad(error.to_string())
        }
        _ => Is::Unknown(error.to_string()),
    }
}
