//! A DNS in memory: what stands at names, and names that nobody answers for.

use mailward_core::Domain;
use mailward_dns::{Answer, Found, Kind, Lookup, LookupError, Mx, Name, TlsaRecord};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

#[derive(Default)]
pub struct Facts {
    addresses: Mutex<HashMap<String, Vec<IpAddr>>>,
    mx: Mutex<HashMap<String, Vec<Mx>>>,
    texts: Mutex<HashMap<String, Vec<String>>>,
    names: Mutex<HashMap<IpAddr, Vec<Domain>>>,
    /// Names that texts were asked of.
    texts_asked: Mutex<Vec<String>>,
    /// Names for which nobody answers, and where an answer never comes.
    silent: Mutex<HashSet<String>>,
    /// What each answer takes, by the clock of the test.
    pub slow: Mutex<Duration>,
    /// Names below which an answer takes a minute.
    stalled: Mutex<HashSet<String>>,
    /// Answers come in rounds, if there are any.
    pub rounds: Mutex<Option<Arc<Rounds>>>,
}

/// Holds each answer until all questions of its round have come: who asks one after the other what could be asked at once
/// never gets an answer.
pub struct Rounds {
    planned: Vec<Vec<&'static str>>,
    came: Mutex<Vec<Vec<String>>>,
    over: watch::Sender<usize>,
}

impl Rounds {
    /// Questions as `KIND name`.
    pub fn new(planned: &[&[&'static str]]) -> Arc<Self> {
        let sorted = |round: &&[&'static str]| {
            let mut round = round.to_vec();
            round.sort_unstable();
            round
        };
        let planned = planned.iter().map(sorted).collect();
        Arc::new(Self { planned, came: Mutex::default(), over: watch::Sender::new(0) })
    }

    /// Comes back when the round of this question is over.
    async fn ask(&self, question: String) {
        let mut over = self.over.subscribe();
        let round = *over.borrow();
        {
            let mut came = self.came.lock().unwrap();
            if came.len() <= round {
                came.push(Vec::new());
            }
            came[round].push(question);
            came[round].sort_unstable();
            if self.planned.get(round).is_some_and(|planned| *planned == came[round]) {
                self.over.send_replace(round + 1);
            }
        }
        over.wait_for(|over| *over > round).await.unwrap();
    }

    /// What was asked, round by round.
    pub fn came(&self) -> Vec<Vec<String>> {
        self.came.lock().unwrap().clone()
    }

    /// How many rounds are over.
    pub fn over(&self) -> usize {
        *self.over.borrow()
    }
}

impl Facts {
    pub fn address(&self, name: &str, ip: &str) {
        self.addresses.lock().unwrap().entry(name.to_owned()).or_default().push(ip.parse().unwrap());
    }
    /// How often a text at a name was asked for.
    pub fn texts_asked(&self, name: &str) -> usize {
        self.texts_asked.lock().unwrap().iter().filter(|asked| *asked == name).count()
    }
    pub fn mx(&self, name: &str, host: &str) {
        let mx = Mx { preference: 10, host: host.to_owned() };
        self.mx.lock().unwrap().entry(name.to_owned()).or_default().push(mx);
    }
    pub fn text(&self, name: &str, text: &str) {
        self.texts.lock().unwrap().entry(name.to_owned()).or_default().push(text.to_owned());
    }
    /// A host whose name and address lead to each other.
    pub fn host(&self, name: &str, ip: &str) {
        self.address(name, ip);
        self.named(ip, name);
    }
    pub fn named(&self, ip: &str, name: &str) {
        let name = Domain::parse(name).unwrap();
        self.names.lock().unwrap().entry(ip.parse().unwrap()).or_default().push(name);
    }
    /// On a list, by its own zone.
    pub fn list(&self, ip: &str, zone: &str) {
        let IpAddr::V4(v4) = ip.parse().unwrap() else { panic!("IPv4 only") };
        let [a, b, c, d] = v4.octets();
        self.address(&format!("{d}.{c}.{b}.{a}.{zone}"), "127.0.0.2");
    }
    /// A list that is well (RFC 5782 §5).
    pub fn make_list(&self, zone: &str) {
        self.list("127.0.0.2", zone);
    }
    pub fn stall(&self, name: &str) {
        self.stalled.lock().unwrap().insert(name.to_owned());
    }
    pub fn fall_silent(&self, name: &str) {
        self.silent.lock().unwrap().insert(name.to_owned());
    }

    fn answer<'a, T: Clone + Send + 'a>(&self, name: Name, kind: Kind, found: Option<Vec<T>>) -> Answer<'a, T> {
        let text = name.to_string();
        let silent = self.silent.lock().unwrap().iter().any(|one| text == *one || text.ends_with(&format!(".{one}")));
        let stalled = self.stalled.lock().unwrap().iter().any(|one| text == *one || text.ends_with(&format!(".{one}")));
        let slow = if stalled { Duration::from_secs(60) } else { *self.slow.lock().unwrap() };
        let valid_until = Instant::now() + Duration::from_secs(60);
        let known = self.addresses.lock().unwrap().contains_key(&text)
            || self.mx.lock().unwrap().contains_key(&text)
            || self.texts.lock().unwrap().contains_key(&text);
        let rounds = self.rounds.lock().unwrap().clone();
        Box::pin(async move {
            if let Some(rounds) = rounds {
                rounds.ask(format!("{kind} {name}")).await;
            }
            tokio::time::sleep(slow).await;
            match found {
                _ if silent => Err(LookupError::Temporary { name, kind, why: "no answer".to_owned() }),
                Some(records) => Ok(Found { records, secure: false, alias: None, valid_until }),
                None if known => Err(LookupError::NoRecords { name, kind, secure: false, valid_until }),
                None => Err(LookupError::NoName { name, secure: false, valid_until }),
            }
        })
    }
}

impl Lookup for Facts {
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx> {
        let found = self.mx.lock().unwrap().get(domain.as_str()).cloned();
        self.answer(Name::from(domain), Kind::Mx, found)
    }
    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr> {
        let found = self.addresses.lock().unwrap().get(host.as_str()).cloned();
        self.answer(Name::from(host), Kind::A, found)
    }
    fn tlsa<'a>(&'a self, _: u16, host: &'a Domain) -> Answer<'a, TlsaRecord> {
        self.answer(Name::from(host), Kind::Tlsa, None)
    }
    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>> {
        self.texts_asked.lock().unwrap().push(name.to_string());
        let found = self.texts.lock().unwrap().get(&name.to_string()).cloned();
        let found = found.map(|all| all.into_iter().map(String::into_bytes).collect());
        self.answer(name.clone(), Kind::Txt, found)
    }
    fn ptr(&self, address: IpAddr) -> Answer<'_, Domain> {
        let found = self.names.lock().unwrap().get(&address).cloned();
        self.answer(Name::reverse(address), Kind::Ptr, found)
    }
    fn listed<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        let found = self.addresses.lock().unwrap().get(&name.to_string()).cloned();
        let found = found.map(|all| all.into_iter().filter(IpAddr::is_ipv4).collect::<Vec<_>>());
        self.answer(name.clone(), Kind::A, found.filter(|all| !all.is_empty()))
    }
}

/// As `192.0.2.7` in the tests' own words.
pub const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
