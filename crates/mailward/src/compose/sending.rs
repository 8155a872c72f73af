//! What sends the queue: the DNS, the way, TLS, and the runner over them; and who forwards.

use crate::failure::Failure;
use mailward_core::config::Config;
use mailward_core::event::Events;
use mailward_core::limits::QUEUE_LINGER_TIME;
use mailward_core::{Domain, Secret, SystemClock};
use mailward_delivery::queue::{MxGuide, Parts, Runner};
use mailward_delivery::{Forwarder, ForwarderParts};
use mailward_directory::{Directory, Dkim};
use mailward_dns::{Ourselves, Resolver};
use mailward_gate::Srs;
use mailward_store::LocalStore;
use mailward_tls::outbound::Outbound;
use nix::ifaddrs::getifaddrs;
use std::net::IpAddr;
use std::sync::Arc;

/// What sends.
pub(crate) struct Sends {
    pub(crate) runner: Runner,
    pub(crate) forwarder: Arc<Forwarder>,
}

/// Puts it together, also where no new mail is taken for others: what is queued is still sent. `None` if nothing
/// is to be sent, and the DNS can't be asked.
pub(crate) fn sends(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    dkim: &Arc<Dkim>,
    secret: &Secret,
    events: &Events,
) -> Result<Option<Sends>, Failure> {
    let resolver = match Resolver::new(&config.dns) {
        Ok(resolver) => Arc::new(resolver),
        Err(_) if !config.queue.send => return Ok(None),
        Err(error) => {
            let mend = "or set send = false under [queue], if nothing is to be sent";
            return Err(Failure::Refused(format!("the DNS can't be asked: {error}; {mend}")));
        }
    };
    let ours = Ourselves {
        names: vec![hostname.clone()],
        addresses: addresses().unwrap_or_default(),
        loopback: config.queue.loopback,
    };
    let port = u16::try_from(config.queue.port).unwrap_or(25);
    let forwarder = Arc::new(Forwarder::new(ForwarderParts {
        srs: Srs::new(secret).map_err(|e| Failure::Refused(e.to_string()))?,
        dkim: Arc::clone(dkim),
        directory: Arc::clone(directory),
        shelf: store.clone(),
        lookup: resolver.clone(),
        hostname: hostname.clone(),
    }));
    let runner = Runner::new(Parts {
        queue: store.clone(),
        mail: store.clone(),
        directory: Arc::clone(directory),
        guide: Arc::new(MxGuide::new(resolver, ours, port)),
        dkim: Some(Arc::clone(dkim)),
        forwarder: Some(Arc::clone(&forwarder)),
        outbound: Outbound::trusting_system(),
        hostname: hostname.clone(),
        events: events.clone(),
        clock: Arc::new(SystemClock),
        connections: config.queue.connections,
        connections_per_lane: u32::try_from(config.queue.connections_per_host).unwrap_or(u32::MAX),
        lifetime: config.queue.lifetime(),
        linger: QUEUE_LINGER_TIME,
    });
    Ok(Some(Sends { runner, forwarder }))
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
