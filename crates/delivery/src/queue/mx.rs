//! The usual way: a lane is a domain, its hosts are those of its MX records, and DANE says what they must prove.

use super::chance::Chance;
use super::way::{Access, Guide, Host, Way};
use mailward_core::Domain;
use mailward_dns::{Dane, Lookup, MailHost, Ourselves, RouteError, dane, route};
use mailward_smtp::client::Dialect;
use mailward_store::records::{EnhancedStatus, Lane};
use mailward_tls::outbound::Proof;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

/// Asks the DNS.
pub struct MxGuide {
    lookup: Arc<dyn Lookup>,
    ours: Ourselves,
    port: u16,
    chance: Chance,
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
        Self { lookup, ours, port, chance: Chance::default() }
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
        let mut hosts = Vec::with_capacity(found.hosts.len());
        let mut unknown = None;
        for host in &found.hosts {
            match self.host(&domain, host).await {
                Ok(host) => hosts.push(host),
                // Not to be used until it is known what it must prove (RFC 7672 §2.1.2).
                Err(why) => unknown = Some(format!("{}: {why}", host.name)),
            }
        }
        match unknown {
            Some(why) if hosts.is_empty() => Way::Later(EnhancedStatus::of(4, 7, 5), why),
            _ => Way::Hosts(hosts),
        }
    }

    async fn host(&self, domain: &Domain, host: &MailHost) -> Result<Host, String> {
        let (tls_name, proof) = match dane(&*self.lookup, host, self.port).await {
            Dane::NotOffered => (host.name.to_string(), Proof::Nothing),
            Dane::EncryptOnly { name } => (name.to_string(), Proof::Encrypted),
            Dane::Required { name, records } => (name.to_string(), Proof::Dane(records, vec![name, domain.clone()])),
            Dane::Unknown(why) => return Err(why),
        };
        let addresses = host.addresses.iter().map(|address| SocketAddr::new(*address, self.port)).collect();
        Ok(Host {
            name: host.name.to_string(),
            tls_name,
            addresses,
            dialect: Dialect::Smtp,
            proof,
            access: Access::default(),
        })
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
