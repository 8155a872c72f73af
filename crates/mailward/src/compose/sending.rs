//! What sends the queue: the DNS, the way, TLS, and the runner over them.

use crate::failure::Failure;
use mailward_core::config::Config;
use mailward_core::event::Events;
use mailward_core::limits::QUEUE_LINGER_TIME;
use mailward_core::{Domain, SystemClock};
use mailward_delivery::care::{Care, CareParts};
use mailward_delivery::queue::{BounceParts, Bouncer, MxGuide, Parts, Runner};
use mailward_directory::{Directory, Dkim};
use mailward_dns::{Ourselves, Resolver};
use mailward_gate::Gate;
use mailward_store::LocalStore;
use mailward_tls::outbound::Outbound;
use nix::ifaddrs::getifaddrs;
use std::net::IpAddr;
use std::sync::Arc;

/// Puts the runner together, also where no new mail is taken for others: what is queued is still sent. `None` if nothing
/// is to be sent, and the DNS can't be asked.
pub(crate) fn runner(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    dkim: &Arc<Dkim>,
    care: &Arc<Care>,
    events: &Events,
) -> Result<Option<Runner>, Failure> {
    let resolver = match Resolver::new(&config.dns) {
        Ok(resolver) => resolver,
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
    Ok(Some(Runner::new(Parts {
        queue: store.clone(),
        mail: store.clone(),
        directory: Arc::clone(directory),
        guide: Arc::new(MxGuide::new(Arc::new(resolver), ours, port)),
        dkim: Some(Arc::clone(dkim)),
        outbound: Outbound::trusting_system(),
        hostname: hostname.clone(),
        events: events.clone(),
        clock: Arc::new(SystemClock),
        connections: config.queue.connections,
        connections_per_lane: u32::try_from(config.queue.connections_per_host).unwrap_or(u32::MAX),
        lifetime: config.queue.lifetime(),
        linger: QUEUE_LINGER_TIME,
        care: Some(Arc::clone(care)),
        cut_off: store.was_cut_off(),
    })))
}

/// What watches over what users send.
pub(crate) fn care(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    gate: &Arc<Gate>,
    events: &Events,
) -> Arc<Care> {
    let care = Care::new(CareParts {
        mail: store.clone(),
        queue: store.clone(),
        sending: store.clone(),
        shelf: store.clone(),
        directory: Arc::clone(directory),
        gate: Arc::clone(gate),
        hostname: hostname.clone(),
        events: events.clone(),
        clock: Arc::new(SystemClock),
        lifetime: config.queue.lifetime(),
    });
    care.set_limits(config.user_limits, config.domain_limits);
    care
}

/// What gives up by hand, beside a runner if there is one.
pub(crate) fn bouncer(
    runner: Option<&Runner>,
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    events: &Events,
) -> Bouncer {
    runner.map_or_else(
        || {
            Bouncer::new(BounceParts {
                queue: store.clone(),
                mail: store.clone(),
                directory: Arc::clone(directory),
                hostname: hostname.clone(),
                events: events.clone(),
                clock: Arc::new(SystemClock),
                lifetime: config.queue.lifetime(),
            })
        },
        Runner::bouncer,
    )
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
