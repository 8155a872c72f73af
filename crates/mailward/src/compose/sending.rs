//! What sends the queue: the DNS, the way, TLS, and the runner over them; and who forwards.

use crate::failure::Failure;
use mailward_core::config::Config;
use mailward_core::event::Events;
use mailward_core::limits::QUEUE_LINGER_TIME;
use mailward_core::{Address, Clock, Domain, Secret, SystemClock};
use mailward_delivery::care::{Care, CareParts};
use mailward_delivery::queue::{BounceParts, Bouncer, MxGuide, Parts, Policies, Runner};
use mailward_delivery::tls_reports::{self, Reporter};
use mailward_delivery::{Forwarder, ForwarderParts};
use mailward_directory::{Directory, Dkim};
use mailward_dns::{Lookup, Ourselves, Resolver};
use mailward_gate::{Gate, Srs};
use mailward_store::LocalStore;
use mailward_sts::{Https, Ledger, Required, Sts};
use mailward_tls::outbound::Outbound;
use nix::ifaddrs::getifaddrs;
use std::net::IpAddr;
use std::sync::Arc;

/// Where policies and reports go by HTTPS.
const HTTPS_PORT: u16 = 443;

/// What sending asks and signs with.
pub(crate) struct Means {
    lookup: Arc<dyn Lookup>,
    dkim: Arc<Dkim>,
    pub(crate) forwarder: Arc<Forwarder>,
}

/// Gets the means of sending, also where no new mail is taken for others: what is queued is still sent. `None` if nothing
/// is to be sent, and the DNS can't be asked.
pub(crate) fn means(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    dkim: &Arc<Dkim>,
    secret: &Secret,
) -> Result<Option<Means>, Failure> {
    let lookup: Arc<dyn Lookup> = match Resolver::new(&config.dns) {
        Ok(resolver) => Arc::new(resolver),
        Err(_) if !config.queue.send => return Ok(None),
        Err(error) => {
            let mend = "or set send = false under [queue], if nothing is to be sent";
            return Err(Failure::Refused(format!("the DNS can't be asked: {error}; {mend}")));
        }
    };
    let forwarder = Arc::new(Forwarder::new(ForwarderParts {
        srs: Srs::new(secret).map_err(|e| Failure::Refused(e.to_string()))?,
        dkim: Arc::clone(dkim),
        directory: Arc::clone(directory),
        shelf: store.clone(),
        lookup: Arc::clone(&lookup),
        hostname: hostname.clone(),
    }));
    Ok(Some(Means { lookup, dkim: Arc::clone(dkim), forwarder }))
}

/// Puts the runner together. Beside it goes who reports how TLS went.
pub(crate) fn runner(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    care: &Arc<Care>,
    means: Means,
    events: &Events,
) -> Result<(Runner, Reporter), Failure> {
    let Means { lookup, dkim, forwarder } = means;
    let ours = Ourselves {
        names: vec![hostname.clone()],
        addresses: addresses().unwrap_or_default(),
        loopback: config.queue.loopback,
    };
    let port = u16::try_from(config.queue.port).unwrap_or(25);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let outbound = Outbound::trusting_system();
    let https = Https::new(Arc::clone(&lookup), outbound.clone(), config.queue.loopback);
    let ledger = Arc::new(Ledger::new(Arc::clone(&clock)));
    let sts = Sts::new(mailward_sts::Parts {
        shelf: store.clone(),
        lookup: Arc::clone(&lookup),
        https: https.clone(),
        port: HTTPS_PORT,
        clock: Arc::clone(&clock),
        events: events.clone(),
    });
    let policies = Policies {
        sts: Some(Arc::new(sts)),
        required: Some(Required::new(store.clone())),
        ledger: Some(Arc::clone(&ledger)),
    };
    let reporter = Reporter::new(tls_reports::Parts {
        ledger: Arc::clone(&ledger),
        shelf: store.clone(),
        directory: Arc::clone(directory),
        dkim: Some(Arc::clone(&dkim)),
        lookup: Arc::clone(&lookup),
        https,
        hostname: hostname.clone(),
        contact: match &config.tls_reports.contact {
            Some(contact) => contact.clone(),
            None => Address::parse(&format!("postmaster@{hostname}"), false)
                .map_err(|error| Failure::Bug(format!("postmaster@{hostname}: {error}")))?,
        },
        send: config.tls_reports.send && config.queue.send,
        clock: Arc::clone(&clock),
        events: events.clone(),
    });
    let runner = Runner::new(Parts {
        queue: store.clone(),
        mail: store.clone(),
        directory: Arc::clone(directory),
        guide: Arc::new(MxGuide::new(lookup, ours, port).with(policies)),
        dkim: Some(dkim),
        forwarder: Some(forwarder),
        outbound,
        ledger: Some(ledger),
        hostname: hostname.clone(),
        events: events.clone(),
        clock,
        connections: config.queue.connections,
        connections_per_lane: u32::try_from(config.queue.connections_per_host).unwrap_or(u32::MAX),
        lifetime: config.queue.lifetime(),
        linger: QUEUE_LINGER_TIME,
        care: Some(Arc::clone(care)),
        cut_off: store.was_cut_off(),
    });
    Ok((runner, reporter))
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
