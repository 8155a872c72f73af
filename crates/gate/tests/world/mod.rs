//! A DNS of the test's own: names with records, and zones that misbehave.
#![allow(dead_code, reason = "each test file uses its part")]

use mailward_core::config::{ListKind, ListLine, Lists};
use mailward_core::event::Events;
use mailward_core::{Clock, Domain, Timestamp};
use mailward_dns::{Name, Resolver};
use mailward_dns_zone::proto::op::{Message, ResponseCode};
use mailward_dns_zone::proto::rr::rdata::{A, AAAA, MX, PTR};
use mailward_dns_zone::proto::rr::{Name as WireName, RData, Record, RecordType};
use mailward_dns_zone::{Raw, Reply};
use mailward_gate::{Reputation, ReputationParts};
use mailward_store::ShelfStore;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a name has, or what is wrong with everything below it.
#[derive(Clone)]
pub(crate) enum Has {
    Records(Vec<RData>),
    /// Everything below it has this address.
    All(IpAddr),
    Silence,
    Failure,
}

#[derive(Default)]
struct Known {
    names: HashMap<String, Has>,
    asked: Vec<String>,
}

/// The server, and what it says.
pub(crate) struct World {
    known: Arc<Mutex<Known>>,
    server: Raw,
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// Long enough for whatever ends by itself.
pub(crate) const LONG: Duration = Duration::from_secs(120);

fn wire(name: &str) -> WireName {
    WireName::from_ascii(format!("{name}.")).unwrap()
}

pub(crate) fn address(text: &str) -> RData {
    match ip(text) {
        IpAddr::V4(v4) => RData::A(A::from(v4)),
        IpAddr::V6(v6) => RData::AAAA(AAAA::from(v6)),
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let known = Arc::new(Mutex::new(Known::default()));
        let mine = Arc::clone(&known);
        let server = Raw::start(move |question| answer(&mine, question)).await;
        Self { known, server }
    }

    pub(crate) fn set(&self, name: &str, has: Has) {
        self.known.lock().unwrap().names.insert(name.to_owned(), has);
    }
    pub(crate) fn remove(&self, name: &str) {
        self.known.lock().unwrap().names.remove(name);
    }
    pub(crate) fn addresses(&self, name: &str, addresses: &[&str]) {
        self.set(name, Has::Records(addresses.iter().map(|text| address(text)).collect()));
    }
    pub(crate) fn mx(&self, name: &str, hosts: &[&str]) {
        let records = hosts.iter().enumerate().map(|(at, host)| {
            let host = if *host == "." { WireName::root() } else { wire(host) };
            RData::MX(MX::new(u16::try_from(at).unwrap(), host))
        });
        self.set(name, Has::Records(records.collect()));
    }
    pub(crate) fn reverse(&self, address: &str, names: &[&str]) {
        let records = names.iter().map(|name| RData::PTR(PTR(wire(name)))).collect();
        self.set(Name::reverse(ip(address)).as_str(), Has::Records(records));
    }
    /// A list whose test points are right.
    pub(crate) fn list(&self, zone: &str) {
        self.listed(zone, "127.0.0.2", &["127.0.0.2"]);
    }
    pub(crate) fn listed(&self, zone: &str, address: &str, codes: &[&str]) {
        self.addresses(Name::listed(ip(address), &domain(zone)).unwrap().as_str(), codes);
    }
    pub(crate) fn domain_list(&self, zone: &str) {
        self.addresses(&format!("test.{zone}"), &["127.0.1.2"]);
    }
    /// Questions since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.known.lock().unwrap().asked)
    }

    /// Asks this DNS, remembering nothing in the resolver.
    pub(crate) fn resolver(&self) -> Resolver {
        let mut config = self.server.config();
        config.cache = 0;
        config.timeout = 1;
        Resolver::new(&config).unwrap()
    }
    pub(crate) fn reputation(&self, hosts: &[&str], domains: &[&str]) -> (Arc<Reputation>, Events) {
        self.reputation_on(None, hosts, domains)
    }
    pub(crate) fn reputation_on(
        &self,
        shelf: Option<Arc<dyn ShelfStore>>,
        hosts: &[&str],
        domains: &[&str],
    ) -> (Arc<Reputation>, Events) {
        let events = Events::memory();
        let reputation = Reputation::new(ReputationParts {
            lookup: Arc::new(self.resolver()),
            lists: &lists(hosts, domains),
            shelf,
            trial: false,
            clock: Arc::new(Noon),
            events: events.clone(),
        });
        (reputation, events)
    }
}

pub(crate) fn lists(hosts: &[&str], domains: &[&str]) -> Lists {
    let lines =
        |lines: &[&str], kind| lines.iter().map(|line| ListLine::parse(line, kind).unwrap()).collect::<Vec<_>>();
    Lists { hosts: lines(hosts, ListKind::Hosts), domains: lines(domains, ListKind::Domains), ..Lists::default() }
}

pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
}

fn answer(known: &Mutex<Known>, question: &Message) -> Reply {
    let (name, kind) = (question.queries[0].name().to_ascii(), question.queries[0].query_type());
    let name = name.trim_end_matches('.').to_owned();
    let mut known = known.lock().unwrap();
    known.asked.push(format!("{kind} {name}"));
    let mut message = question.clone().into_response();
    let mut at = name.as_str();
    let has = loop {
        match known.names.get(at) {
            Some(Has::Records(_)) if at != name => {}
            Some(has) => break Some(has),
            None => {}
        }
        match at.split_once('.') {
            Some((_, rest)) => at = rest,
            None => break None,
        }
    };
    match has {
        Some(Has::Silence) => return Reply::Silence,
        Some(Has::Failure) => message.metadata.response_code = ResponseCode::ServFail,
        Some(Has::Records(records)) => {
            for data in records.iter().filter(|data| data.record_type() == kind) {
                message.add_answer(Record::from_rdata(question.queries[0].name().clone(), 300, data.clone()));
            }
        }
        Some(Has::All(address)) if kind == RecordType::A => {
            let data = self::address(&address.to_string());
            message.add_answer(Record::from_rdata(question.queries[0].name().clone(), 300, data));
        }
        Some(Has::All(_)) => {}
        None => message.metadata.response_code = ResponseCode::NXDomain,
    }
    Reply::Message(Box::new(message))
}

/// Lets time pass for whatever waits for it, but not for the network.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
