//! What sends the queue: the DNS, the way, TLS, and the runner over them; and who forwards.

use crate::failure::Failure;
use mailward_core::config::Config;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{QUEUE_LINGER_TIME, QUEUE_SUSPECT_PAUSE};
use mailward_core::{Address, Clock, Domain, Secret, SystemClock};
use mailward_delivery::care::{Care, CareParts};
use mailward_delivery::queue::{
    BounceParts, Bouncer, Finder, Guide, MxGuide, OwnDoors, Parts, Policies, RoutedGuide, Runner,
};
use mailward_delivery::tls_reports::{self, Reporter};
use mailward_delivery::{Callout, Forwarder, ForwarderParts};
use mailward_directory::routes::Routes;
use mailward_directory::{Directory, Dkim};
use mailward_dns::{Lookup, Ourselves, Resolver};
use mailward_gate::{Gate, Inside, NobodyInside, Srs};
use mailward_store::LocalStore;
use mailward_sts::{Https, Ledger, Required, Sts};
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
    /// By routes, then by DNS and by what policies demand.
    pub(crate) fn new(
        config: &Config,
        hostname: &Domain,
        routes: &Arc<Routes>,
        lookup: Arc<dyn Lookup>,
        policies: Policies,
    ) -> Self {
        let mut ways = Self::unknown(config, hostname);
        let port = u16::try_from(config.queue.port).unwrap_or(25);
        let mx = MxGuide::new(Arc::clone(&lookup), ways.doors.ours.clone(), port).with(policies);
        let finder = Finder::new(Arc::clone(routes), lookup, ways.doors.clone(), config.queue.maildirs.clone());
        let finder = Arc::new(finder);
        let guide = Arc::new(RoutedGuide::new(Arc::clone(&finder), mx));
        ways.known = Some(Known { finder, guide });
        ways
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
    pub(crate) fn inside(&self, hostname: &Domain, reach: &Reach, events: &Events) -> Arc<dyn Inside> {
        let Some(known) = &self.known else { return Arc::new(NobodyInside) };
        let outbound = reach.outbound.clone();
        let clock = Arc::new(SystemClock);
        Arc::new(Callout::new(Arc::clone(&known.finder), hostname.clone(), outbound, clock, events.clone()))
    }
}

/// What sends, and the ways it goes.
pub(crate) struct Sent {
    pub(crate) ways: Ways,
    /// `None` if nothing is to be sent, and the DNS can't be asked.
    pub(crate) runner: Option<(Runner, Reporter)>,
}

impl Sent {
    /// Tells that mail for gateways is refused for now, if there are some and nobody who sends.
    pub(crate) fn tell_of_gateways(&self, routes: &Routes, events: &Events) {
        let count = routes.table().gateways().count();
        if self.runner.is_none() && count > 0 {
            let event = Event::alert("gateways.stopped").with("gateways", count);
            let event = event.with("reason", "the DNS can't be asked, so that nothing is sent");
            events.emit(event.with("mend", "give servers under [dns], or mend /etc/resolv.conf, and restart"));
        }
    }
}

/// Where policies and reports go by HTTPS.
const HTTPS_PORT: u16 = 443;

/// How other servers are reached: one cache of the DNS and one store of authorities for the whole server.
#[derive(Clone)]
pub(crate) struct Reach {
    /// `None` if nothing is to be sent, and the DNS can't be asked.
    pub(crate) lookup: Option<Arc<dyn Lookup>>,
    /// The same for what strangers cause to be asked, which takes no places from those who send.
    pub(crate) strangers: Option<Arc<dyn Lookup>>,
    pub(crate) outbound: Outbound,
}

/// What sending asks and signs with.
pub(crate) struct Means {
    pub(crate) reach: Reach,
    dkim: Arc<Dkim>,
    /// Who forwards, where the DNS can be asked.
    pub(crate) forwarder: Option<Arc<Forwarder>>,
}

/// Gets the means of sending, also where no new mail is taken for others: what is queued is still sent.
pub(crate) fn means(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    dkim: &Arc<Dkim>,
    secret: &Secret,
) -> Result<Means, Failure> {
    let outbound = Outbound::trusting_system();
    let resolver = match Resolver::new(&config.dns) {
        Ok(resolver) => resolver,
        Err(_) if !config.queue.send => {
            let reach = Reach { lookup: None, strangers: None, outbound };
            return Ok(Means { reach, dkim: Arc::clone(dkim), forwarder: None });
        }
        Err(error) => {
            let mend = "or set send = false under [queue], if nothing is to be sent";
            return Err(Failure::Refused(format!("the DNS can't be asked: {error}; {mend}")));
        }
    };
    let strangers: Arc<dyn Lookup> = Arc::new(resolver.for_strangers());
    let lookup: Arc<dyn Lookup> = Arc::new(resolver);
    let forwarder = Arc::new(Forwarder::new(ForwarderParts {
        srs: Srs::new(secret).map_err(|e| Failure::Refused(e.to_string()))?,
        dkim: Arc::clone(dkim),
        directory: Arc::clone(directory),
        shelf: store.clone(),
        lookup: Arc::clone(&lookup),
        hostname: hostname.clone(),
    }));
    let reach = Reach { lookup: Some(lookup), strangers: Some(strangers), outbound };
    Ok(Means { reach, dkim: Arc::clone(dkim), forwarder: Some(forwarder) })
}

/// Puts the ways and the runner together. Beside it goes who reports how TLS went.
pub(crate) fn sending(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    care: &Arc<Care>,
    means: Means,
    events: &Events,
) -> Result<Sent, Failure> {
    let Means { reach: Reach { lookup, outbound, .. }, dkim, forwarder } = means;
    let Some(lookup) = lookup else {
        return Ok(Sent { ways: Ways::unknown(config, hostname), runner: None });
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
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
    let ways = Ways::new(config, hostname, &directory.routes(), Arc::clone(&lookup), policies);
    let reporter = Reporter::new(tls_reports::Parts {
        ledger: Arc::clone(&ledger),
        shelf: store.clone(),
        directory: Arc::clone(directory),
        dkim: Some(Arc::clone(&dkim)),
        lookup: Arc::clone(&lookup),
        https,
        hostname: hostname.clone(),
        contact: report_contact(config, hostname)?,
        send: config.tls_reports.send && config.queue.send,
        clock: Arc::clone(&clock),
        events: events.clone(),
    });
    let guide = ways.known.as_ref().map(|known| Arc::clone(&known.guide));
    let guide = guide.ok_or_else(|| Failure::Bug("the ways have no guide".to_owned()))?;
    let runner = Runner::new(Parts {
        queue: store.clone(),
        mail: store.clone(),
        directory: Arc::clone(directory),
        guide,
        dkim: Some(dkim),
        forwarder,
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
        suspects: store.was_cut_off().then_some(QUEUE_SUSPECT_PAUSE),
    });
    Ok(Sent { ways, runner: Some((runner, reporter)) })
}

/// Whom reports are from.
pub(super) fn report_contact(config: &Config, hostname: &Domain) -> Result<Address, Failure> {
    match &config.tls_reports.contact {
        Some(contact) => Ok(contact.clone()),
        None => Address::parse(&format!("postmaster@{hostname}"), false)
            .map_err(|error| Failure::Bug(format!("postmaster@{hostname}: {error}"))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_directory::routes::{Gateway, GatewayCheck, Leads};
    use mailward_store::Options;
    use mailward_vault::Seal;

    #[tokio::test]
    async fn gateways_without_anybody_who_sends_are_told_of_and_get_no_mail() {
        let (dir, events) = (tempfile::tempdir().unwrap(), Events::memory());
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let routes = Routes::open(store, Seal::new(&Secret::new("a server's secret")).unwrap()).await.unwrap();
        let hostname = Domain::parse("mx.s.example").unwrap();
        let sent = Sent { ways: Ways::unknown(&Config::default(), &hostname), runner: None };
        sent.tell_of_gateways(&routes, &events);
        assert!(events.lines().is_empty(), "where there are none, nothing is amiss");
        let leads = Leads::parse(&["host".to_owned(), "192.0.2.9".to_owned()], None, None).unwrap();
        let domain = Domain::parse("in.example").unwrap();
        routes.put_gateway(Gateway { domain, leads, check: GatewayCheck::None }).await.unwrap();
        sent.tell_of_gateways(&routes, &events);
        assert!(events.lines().iter().any(|line| line.starts_with("alert gateways.stopped gateways=1 ")));
        let reach = Reach { lookup: None, strangers: None, outbound: Outbound::trusting_system() };
        assert!(!sent.ways.inside(&hostname, &reach, &events).passes_on());
    }
}
