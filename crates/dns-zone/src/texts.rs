//! Texts at names, for those who look up nothing else, without a server.

use mailward_core::Domain;
use mailward_dns::{Answer, Found, Kind, Lookup, LookupError, Mx, Name, TlsaRecord};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// A DNS of texts.
#[derive(Debug, Default)]
pub struct Texts {
    texts: Mutex<HashMap<String, String>>,
    silent: AtomicBool,
    asked: AtomicUsize,
}

impl Texts {
    /// With these.
    #[must_use]
    pub fn of(texts: &[(&str, &str)]) -> Self {
        let new = Self::default();
        for (name, text) in texts {
            new.put(name, text);
        }
        new
    }
    /// One that never answers.
    #[must_use]
    pub fn silent() -> Self {
        let new = Self::default();
        new.fall_silent();
        new
    }
    /// Puts a text at a name.
    pub fn put(&self, name: &str, text: &str) {
        self.texts.lock().unwrap().insert(name.to_owned(), text.to_owned());
    }
    /// Answers nobody from now on.
    pub fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }
    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
    /// All of it.
    #[must_use]
    pub fn all(&self) -> Vec<(String, String)> {
        self.texts.lock().unwrap().iter().map(|(name, text)| (name.clone(), text.clone())).collect()
    }

    fn temporary(name: &Name, kind: Kind) -> LookupError {
        LookupError::Temporary { name: name.clone(), kind, why: "no answer".to_owned() }
    }
}

fn never<'a, T>(name: Name, kind: Kind) -> Answer<'a, T> {
    Box::pin(async move { Err(Texts::temporary(&name, kind)) })
}

impl Lookup for Texts {
    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let valid_until = Instant::now();
        let answer = match self.texts.lock().unwrap().get(name.as_str()) {
            _ if self.silent.load(Ordering::Relaxed) => Err(Self::temporary(name, Kind::Txt)),
            Some(text) => {
                Ok(Found { records: vec![text.clone().into_bytes()], secure: false, alias: None, valid_until })
            }
            None => Err(LookupError::NoName { name: name.clone(), secure: false, valid_until }),
        };
        Box::pin(async move { answer })
    }
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx> {
        never(Name::from(domain), Kind::Mx)
    }
    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr> {
        never(Name::from(host), Kind::A)
    }
    fn tlsa<'a>(&'a self, _: u16, host: &'a Domain) -> Answer<'a, TlsaRecord> {
        never(Name::from(host), Kind::Tlsa)
    }
    fn ptr(&self, address: IpAddr) -> Answer<'_, Domain> {
        never(Name::reverse(address), Kind::Ptr)
    }
    fn listed<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        never(name.clone(), Kind::A)
    }
}
