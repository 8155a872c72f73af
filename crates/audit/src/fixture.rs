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

    fn note(&self, name: &Name) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(name.as_str().to_owned());
    }
}

fn found<T>(records: Vec<T>) -> Result<Found<T>, LookupError> {
    let now = Instant::now();
    Ok(Found { records, secure: false, alias: None, valid_until: now.checked_add(TTL).unwrap_or(now) })
}

fn none<T>(name: &Name) -> Result<Found<T>, LookupError> {
    let now = Instant::now();
    let valid_until = now.checked_add(TTL).unwrap_or(now);
    Err(LookupError::NoName { name: name.clone(), secure: false, valid_until })
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
            let Some(hosts) = self.hosts.get(name.as_str()) else { return none(name) };
            found(hosts.iter().map(|host| Mx { preference: 10, host: host.clone() }).collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr> {
        Box::pin(async move {
            let name = Name::parse(&host.to_string())?;
            self.note(&name);
            none(&name)
        })
    }

    fn tlsa<'a>(&'a self, port: u16, host: &'a Domain) -> Answer<'a, TlsaRecord> {
        Box::pin(async move {
            let name = Name::tlsa(port, host)?;
            self.note(&name);
            none(&name)
        })
    }

    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>> {
        Box::pin(async move {
            self.note(name);
            match self.texts.get(name.as_str()) {
                Some(text) => found(vec![text.clone().into_bytes()]),
                // A name that others are below is there.
                None if self.texts.keys().any(|other| other.ends_with(&format!(".{}", name.as_str()))) => {
                    let valid_until = Instant::now().checked_add(TTL).unwrap_or_else(Instant::now);
                    Err(LookupError::NoRecords { name: name.clone(), kind: Kind::Txt, secure: false, valid_until })
                }
                None => none(name),
            }
        })
    }

    fn ptr(&self, address: IpAddr) -> Answer<'_, Domain> {
        Box::pin(async move {
            let name = Name::reverse(address);
            self.note(&name);
            none(&name)
        })
    }

    fn listed<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        Box::pin(async move {
            self.note(name);
            none(name)
        })
    }
}
