//! What sends the queue: the DNS, the way, TLS, and the runner over them.

use crate::failure::Failure;
use mailward_core::config::Config;
use mailward_core::event::Events;
use mailward_core::limits::QUEUE_LINGER_TIME;
use mailward_core::{Domain, SystemClock};
use mailward_delivery::Callout;
use mailward_delivery::queue::{Finder, Guide, MxGuide, OwnDoors, Parts, RoutedGuide, Runner};
use mailward_directory::routes::Routes;
use mailward_directory::{Directory, Dkim};
use mailward_dns::{Lookup, Ourselves, Resolver, ResolverError};
use mailward_gate::{Inside, NobodyInside};
use mailward_store::LocalStore;
use mailward_tls::outbound::Outbound;
use nix::ifaddrs::getifaddrs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// The ways that mail goes.
#[derive(Clone, Default)]
pub(crate) struct Ways {
    /// What leads to this server itself.
    pub(crate) doors: OwnDoors,
    /// See `queue.maildirs`.
    pub(crate) maildirs: Option<PathBuf>,
    /// `None` if the DNS can't be asked.
    pub(crate) known: Option<Known>,
}

/// Who finds ways.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) finder: Arc<Finder>,
    pub(crate) guide: Arc<dyn Guide>,
}

impl Ways {
    /// By routes, then by DNS.
    pub(crate) fn new(config: &Config, hostname: &Domain, routes: &Arc<Routes>) -> Result<Self, ResolverError> {
        let mut ways = Self::unknown(config, hostname);
        let lookup: Arc<dyn Lookup> = Arc::new(Resolver::new(&config.dns)?);
        let port = u16::try_from(config.queue.port).unwrap_or(25);
        let mx = MxGuide::new(Arc::clone(&lookup), ways.doors.ours.clone(), port);
        let finder = Finder::new(Arc::clone(routes), lookup, ways.doors.clone(), config.queue.maildirs.clone());
        let finder = Arc::new(finder);
        let guide = Arc::new(RoutedGuide::new(Arc::clone(&finder), mx));
        ways.known = Some(Known { finder, guide });
        Ok(ways)
    }

    /// What is known without the DNS.
    pub(crate) fn unknown(config: &Config, hostname: &Domain) -> Self {
        let ours = Ourselves {
            names: vec![hostname.clone()],
            addresses: addresses().unwrap_or_default(),
            loopback: config.queue.loopback,
        };
        let listen = &config.listen;
        let doors = [&listen.smtp, &listen.submission, &listen.submissions, &listen.lmtp];
        let ports = doors.into_iter().flatten().map(SocketAddr::port).collect();
        let doors = OwnDoors { ours, ports };
        Self { doors, maildirs: config.queue.maildirs.clone(), known: None }
    }

    /// Who asks inside servers.
    pub(crate) fn inside(&self, hostname: &Domain, events: &Events) -> Arc<dyn Inside> {
        let Some(known) = &self.known else { return Arc::new(NobodyInside) };
        let outbound = Outbound::trusting_system();
        let clock = Arc::new(SystemClock);
        Arc::new(Callout::new(Arc::clone(&known.finder), hostname.clone(), outbound, clock, events.clone()))
    }
}

/// Puts the runner together, also where no new mail is taken for others: what is queued is still sent. `None` if nothing
/// is to be sent, and the DNS can't be asked.
#[expect(clippy::too_many_arguments, reason = "what comes together here is for the runner alone")]
pub(crate) fn runner(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    routes: &Arc<Routes>,
    ways: &Ways,
    dkim: &Arc<Dkim>,
    events: &Events,
) -> Option<Runner> {
    let known = ways.known.as_ref()?;
    Some(Runner::new(Parts {
        queue: store.clone(),
        mail: store.clone(),
        directory: Arc::clone(directory),
        guide: Arc::clone(&known.guide),
        routes: Arc::clone(routes),
        dkim: Some(Arc::clone(dkim)),
        outbound: Outbound::trusting_system(),
        hostname: hostname.clone(),
        events: events.clone(),
        clock: Arc::new(SystemClock),
        connections: config.queue.connections,
        connections_per_lane: u32::try_from(config.queue.connections_per_host).unwrap_or(u32::MAX),
        lifetime: config.queue.lifetime(),
        linger: QUEUE_LINGER_TIME,
    }))
}

/// The ways that mail goes; where nothing is to be sent it is no matter that the DNS can't be asked.
pub(crate) fn ways(config: &Config, hostname: &Domain, routes: &Arc<Routes>) -> Result<Ways, Failure> {
    match Ways::new(config, hostname, routes) {
        Ok(ways) => Ok(ways),
        Err(_) if !config.queue.send => Ok(Ways::unknown(config, hostname)),
        Err(error) => {
            let mend = "or set send = false under [queue], if nothing is to be sent";
            Err(Failure::Refused(format!("the DNS can't be asked: {error}; {mend}")))
        }
    }
}

/// The host's own addresses on networks: a domain whose mail goes to one of them goes to us. Loopback is another matter.
fn addresses() -> nix::Result<Vec<IpAddr>> {
    let all = getifaddrs()?.filter_map(|interface| interface.address);
    let addresses = all.filter_map(|address| {
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    });
    Ok(addresses.filter(|address| !address.is_loopback()).collect())
}
