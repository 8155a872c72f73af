//! Which names there are to ask about, and how answers of several are put together.

use crate::finding::Finding;
use crate::names::Is;
use crate::scene::Scene;
use mailward_core::Domain;
use mailward_core::limits::{AUDIT_NAMES_END, AUDIT_NAMES_MAX, AUDIT_NAMES_TIME};
use mailward_dns::{LookupError, Mx};
use std::future::Future;
use tokio::time::Instant;

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

/// What is found, if it is in time.
pub(super) async fn in_time(asked: impl Future<Output = Finding>) -> Finding {
    Patience::begins().within(asked).await.unwrap_or_else(unasked)
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
