//! A DNS of the audit's own, in memory: what it says is fixed here, and what it is asked is counted. With it the program's own engines
//! are tried on domains that do everything to make them ask too much.

use mailward_core::Domain;
use mailward_dns::{Answer, Found, Kind, Lookup, LookupError, Mx, Name, TlsaRecord};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long what it says may be kept: longer than any trial takes.
const TTL: Duration = Duration::from_secs(300);

/// Texts and mail hosts at names; every other name there isn't.
#[derive(Debug, Default)]
pub(crate) struct Fixture {
    texts: BTreeMap<String, String>,
    hosts: BTreeMap<String, Vec<String>>,
    asked: Mutex<Vec<String>>,
}

impl Fixture {
    /// With a text at a name, in lower case.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.texts.insert(name.to_owned(), text.to_owned());
        self
    }

    /// With mail hosts at a name.
    pub(crate) fn mail_hosts(mut self, name: &str, hosts: Vec<String>) -> Self {
        self.hosts.insert(name.to_owned(), hosts);
        self
    }

    /// Every name that was asked about, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// There is nothing of the kind: no such name, or one at which other records are, or below it.
    fn nothing<T>(&self, name: &Name, kind: Kind) -> Result<Found<T>, LookupError> {
        let now = Instant::now();
        let (name, valid_until) = (name.clone(), now.checked_add(TTL).unwrap_or(now));
        let mut known = self.texts.keys().chain(self.hosts.keys()).filter_map(|known| Name::parse(known).ok());
        if known.any(|known| known.is_within(&name)) {
            return Err(LookupError::NoRecords { name, kind, secure: false, valid_until });
        }
        Err(LookupError::NoName { name, secure: false, valid_until })
    }

    fn note(&self, name: &Name) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(name.as_str().to_owned());
    }
}

fn found<T>(records: Vec<T>) -> Result<Found<T>, LookupError> {
    let now = Instant::now();
    Ok(Found { records, secure: false, alias: None, valid_until: now.checked_add(TTL).unwrap_or(now) })
}

impl Lookup for Fixture {
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx> {
        Box::pin(async move {
            let name = Name::parse(&domain.to_string())?;
            self.mx_at(&name).await
        })
    }

    fn mx_at<'a>(&'a self, name: &'a Name) -> Answer<'a, Mx> {
        Box::pin(async move {
            self.note(name);
            let Some(hosts) = self.hosts.get(name.as_str()) else { return self.nothing(name, Kind::Mx) };
            found(hosts.iter().map(|host| Mx { preference: 10, host: host.clone() }).collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr> {
        Box::pin(async move {
            let name = Name::parse(&host.to_string())?;
            self.note(&name);
            self.nothing(&name, Kind::A)
        })
    }

    fn tlsa<'a>(&'a self, port: u16, host: &'a Domain) -> Answer<'a, TlsaRecord> {
        Box::pin(async move {
            let name = Name::tlsa(port, host)?;
            self.note(&name);
            self.nothing(&name, Kind::Tlsa)
        })
    }

    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>> {
        Box::pin(async move {
            self.note(name);
            match self.texts.get(name.as_str()) {
                Some(text) => found(vec![text.clone().into_bytes()]),
                None => self.nothing(name, Kind::Txt),
            }
        })
    }

    fn ptr(&self, address: IpAddr) -> Answer<'_, Domain> {
        Box::pin(async move {
            let name = Name::reverse(address);
            self.note(&name);
            self.nothing(&name, Kind::Ptr)
        })
    }

    fn listed<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        Box::pin(async move {
            self.note(name);
            self.nothing(name, Kind::A)
        })
    }
}
