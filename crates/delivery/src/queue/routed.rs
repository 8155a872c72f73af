//! The ways that routes and gateways tell, before those of the DNS.

use super::way::{Access, Guide, Host, Named, Trust, Way};
use mailward_core::limits::HOST_ADDRESSES_MAX;
use mailward_core::{Domain, EnhancedStatus};
use mailward_directory::routes::{Leading, Leads, Place, PlaceName, Places, RouteTls, Routes, is_routed};
use mailward_dns::{Lookup, Ourselves};
use mailward_smtp::client::Dialect;
use mailward_store::records::Lane;
use mailward_tls::outbound::Proof;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

/// The doors by which mail comes to this server: a route that leads there would go in circles.
#[derive(Clone, Debug, Default)]
pub struct OwnDoors {
    /// Names and addresses of this host.
    pub ours: Ourselves,
    /// Ports on which it takes mail.
    pub ports: Vec<u16>,
}

impl OwnDoors {
    /// Whether a host that a route names is this server, as far as it can be told without asking the DNS.
    #[must_use]
    pub fn is_ours(&self, place: &Place, usual_port: u16) -> bool {
        let port = place.port.unwrap_or(usual_port);
        match &place.name {
            PlaceName::Name(name) => self.ports.contains(&port) && self.has_name(name),
            PlaceName::Address(address) => self.leads_here(*address, port),
        }
    }

    fn has_name(&self, name: &Domain) -> bool {
        self.ours.names.contains(name) || name.as_str() == "localhost"
    }

    /// Other programs of this host may well be led to, at their own ports.
    fn leads_here(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        let own = address.is_loopback()
            || address.is_unspecified()
            || self.ours.addresses.iter().any(|own| own.to_canonical() == address);
        own && self.ports.contains(&port)
    }
}

/// Finds the hosts of routes.
pub struct Finder {
    lookup: Arc<dyn Lookup>,
    doors: OwnDoors,
    /// Directory that Maildirs of routes are below; none: there are none.
    maildirs: Option<PathBuf>,
    routes: Arc<Routes>,
}

impl std::fmt::Debug for Finder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finder").field("doors", &self.doors).field("maildirs", &self.maildirs).finish_non_exhaustive()
    }
}

impl Finder {
    /// `maildirs` is the directory that Maildirs of routes are below; without one no route leads to a Maildir.
    #[must_use]
    pub fn new(routes: Arc<Routes>, lookup: Arc<dyn Lookup>, doors: OwnDoors, maildirs: Option<PathBuf>) -> Self {
        Self { lookup, doors, maildirs, routes }
    }

    /// Routes and gateways.
    pub(crate) fn routes(&self) -> &Arc<Routes> {
        &self.routes
    }

    /// Where a route or gateway leads now.
    pub async fn way(&self, leading: &Leading) -> Way {
        match &leading.leads {
            Leads::Mx => Way::Elsewhere,
            Leads::Discard => Way::Discard(format!("discarded by {}", leading.owner)),
            Leads::Error { code, text } => {
                let (status, text) = status_and_text(*code, text);
                if *code >= 500 { Way::Nowhere(status, text) } else { Way::Later(status, text) }
            }
            Leads::Maildir(path) => {
                let below = self.maildirs.as_ref().and_then(|root| Some((root, path.strip_prefix(root).ok()?)));
                match below.filter(|(_, path)| !path.as_os_str().is_empty()) {
                    Some((root, path)) => Way::Maildir { root: root.clone(), path: path.to_owned() },
                    None => Way::Later(
                        EnhancedStatus::of(4, 3, 5),
                        format!("{} isn't below the directory that queue.maildirs names", path.display()),
                    ),
                }
            }
            Leads::Socket(path) => Way::Hosts(vec![Host {
                name: path.display().to_string(),
                tls_name: "localhost".to_owned(),
                addresses: Vec::new(),
                dialect: Dialect::Lmtp,
                proof: Proof::Nothing,
                trust: by_hand(&Proof::Nothing),
                access: Access { socket: Some(path.clone()), ..Access::default() },
            }]),
            Leads::Host(places) | Leads::Smarthost(places) | Leads::Lmtp(places) => self.hosts(leading, places).await,
        }
    }

    async fn hosts(&self, leading: &Leading, places: &Places) -> Way {
        let usual = leading.leads.places().map_or(25, |(_, port)| port);
        let login = match self.routes.password(leading) {
            Ok(password) => places.login.as_ref().map(|login| login.user.clone()).zip(password),
            Err(error) => return Way::Later(EnhancedStatus::of(4, 7, 8), error.to_string()),
        };
        let dialect = if matches!(leading.leads, Leads::Lmtp(_)) { Dialect::Lmtp } else { Dialect::Smtp };
        let (mut hosts, mut why) = (Vec::with_capacity(places.hosts.len()), Vec::new());
        for place in &places.hosts {
            let port = place.port.unwrap_or(usual);
            let addresses = match self.addresses(place, port).await {
                Ok(addresses) => addresses,
                Err(reason) => {
                    why.push(format!("{}: {reason}", place.host()));
                    continue;
                }
            };
            let name = place.host();
            let proof = match places.tls {
                RouteTls::Opportunistic => Proof::Nothing,
                RouteTls::StartTls | RouteTls::Tls => Proof::Names(vec![name.clone()]),
            };
            hosts.push(Host {
                tls_name: name.clone(),
                name,
                addresses,
                dialect,
                trust: by_hand(&proof),
                proof,
                access: Access { tls_first: places.tls == RouteTls::Tls, login: login.clone(), socket: None },
            });
        }
        // An administrator can mend it: no mail is given up for it before its time.
        if hosts.is_empty() { Way::Later(EnhancedStatus::of(4, 4, 4), why.join("; ")) } else { Way::Hosts(hosts) }
    }

    async fn addresses(&self, place: &Place, port: u16) -> Result<Vec<SocketAddr>, String> {
        let found = match &place.name {
            PlaceName::Address(address) => vec![*address],
            PlaceName::Name(name) => self.lookup.addresses(name).await.map_err(|e| e.to_string())?.records,
        };
        // A name that leads to us and elsewhere would still lead to us now and then.
        if found.iter().any(|address| self.doors.leads_here(*address, port)) {
            return Err("it is this server itself; mail would go in circles".to_owned());
        }
        let found = found.into_iter().take(HOST_ADDRESSES_MAX);
        Ok(found.map(|address| SocketAddr::new(address, port)).collect())
    }
}

/// Named by the administrator, who demands this of it: nobody forged it.
fn by_hand(proof: &Proof) -> Trust {
    Trust { name: Named::Proven, by_hand: Some(proof.clone()), ..Trust::default() }
}

/// The enhanced code that an error's text begins with, or the usual one for a policy (RFC 3463 §3.8).
fn status_and_text(code: u16, text: &str) -> (EnhancedStatus, String) {
    let class = if code >= 500 { 5 } else { 4 };
    let own = text.split_once(' ').and_then(|(first, rest)| Some((EnhancedStatus::parse(first)?, rest)));
    match own.filter(|(status, _)| status.class() == class) {
        Some((status, rest)) => (status, rest.to_owned()),
        None => (EnhancedStatus::of(class, 7, 1), text.to_owned()),
    }
}

/// Asks routes and gateways for their lanes, and another guide for the lanes of domains.
#[derive(Debug)]
pub struct RoutedGuide<G> {
    finder: Arc<Finder>,
    others: G,
}

impl<G: Guide> RoutedGuide<G> {
    /// `others` knows the ways to domains.
    #[must_use]
    pub const fn new(finder: Arc<Finder>, others: G) -> Self {
        Self { finder, others }
    }
}

impl<G: Guide> Guide for RoutedGuide<G> {
    fn way<'a>(&'a self, lane: &'a Lane) -> Pin<Box<dyn Future<Output = Way> + Send + 'a>> {
        if !is_routed(lane) {
            return self.others.way(lane);
        }
        Box::pin(async move {
            let leading = self.finder.routes.table().of_lane(lane).cloned();
            match leading {
                Some(leading) => self.finder.way(&leading).await,
                None => Way::Elsewhere,
            }
        })
    }
}
