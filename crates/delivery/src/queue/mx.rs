//! The usual way: a lane is a domain, its hosts are those of its MX records, and DANE or a policy says what they must prove.

use super::chance::Chance;
use super::trust::{self, Policies};
use super::way::{Guide, Way};
use mailward_core::Domain;
use mailward_dns::{Dane, Lookup, Ourselves, RouteError, dane, route};
use mailward_store::records::{EnhancedStatus, Lane};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Asks the DNS.
pub struct MxGuide {
    lookup: Arc<dyn Lookup>,
    ours: Ourselves,
    port: u16,
    chance: Chance,
    policies: Policies,
}

impl std::fmt::Debug for MxGuide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MxGuide").field("ours", &self.ours).field("port", &self.port).finish_non_exhaustive()
    }
}

impl MxGuide {
    /// Hosts listen on `port`: 25, but for trials.
    #[must_use]
    pub fn new(lookup: Arc<dyn Lookup>, ours: Ourselves, port: u16) -> Self {
        Self { lookup, ours, port, chance: Chance::default(), policies: Policies::default() }
    }

    /// The same, where policies are asked too.
    #[must_use]
    pub fn with(self, policies: Policies) -> Self {
        Self { policies, ..self }
    }

    async fn find(&self, lane: &Lane) -> Way {
        let Ok(domain) = Domain::parse(lane.as_str()) else {
            return Way::Nowhere(EnhancedStatus::of(5, 1, 2), format!("{lane} is no domain"));
        };
        let mut random = || self.chance.draw();
        let found = match route(&*self.lookup, &domain, &self.ours, &mut random).await {
            Ok(found) => found,
            Err(error) => return lost(&error),
        };
        let mut dane_says = Vec::with_capacity(found.hosts.len());
        for host in &found.hosts {
            dane_says.push(dane(&*self.lookup, host, self.port).await);
        }
        // Where DANE speaks for all hosts the domain isn't asked for another policy.
        let dane_has_all = dane_says.iter().all(|dane| matches!(dane, Dane::Required { .. }));
        let demanded = match self.policies.demanded(&domain, !dane_has_all).await {
            Ok(demanded) => demanded,
            Err(error) => {
                let text = format!("it isn't known what hosts of {domain} must prove: {error}");
                return Way::Later(EnhancedStatus::of(4, 3, 0), text);
            }
        };
        let mut hosts = Vec::with_capacity(found.hosts.len());
        let mut unknown = None;
        for (host, dane) in found.hosts.iter().zip(dane_says) {
            match trust::host(&domain, host, found.secure, self.port, dane, &demanded) {
                Ok(host) => hosts.push(host),
                // Not to be used until it is known what it must prove (RFC 7672 §2.1.2).
                Err(why) => {
                    self.policies.dane_unknown(&domain, &host.name, &why);
                    unknown = Some(format!("{}: {why}", host.name));
                }
            }
        }
        match unknown {
            Some(why) if hosts.is_empty() => Way::Later(EnhancedStatus::of(4, 7, 5), why),
            _ => Way::Hosts(hosts),
        }
    }
}

fn lost(error: &RouteError) -> Way {
    let text = error.to_string();
    match error {
        RouteError::NoDomain { .. } => Way::Nowhere(EnhancedStatus::of(5, 1, 2), text),
        RouteError::NullMx { .. } => Way::Nowhere(EnhancedStatus::of(5, 1, 10), text),
        RouteError::NoHost { .. } => Way::Nowhere(EnhancedStatus::of(5, 4, 4), text),
        RouteError::Loop { .. } => Way::Nowhere(EnhancedStatus::of(5, 4, 6), text),
        RouteError::Later { bogus: true, .. } => Way::Later(EnhancedStatus::of(4, 7, 0), text),
        RouteError::Later { .. } => Way::Later(EnhancedStatus::of(4, 4, 3), text),
    }
}

impl Guide for MxGuide {
    fn way<'a>(&'a self, lane: &'a Lane) -> Pin<Box<dyn Future<Output = Way> + Send + 'a>> {
        Box::pin(self.find(lane))
    }
}
