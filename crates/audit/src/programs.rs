//! # programs: what mail programs are told of a domain
//!
//! **For**: controls and looks that ask whether programs find their settings, find the same everywhere, and are led to TLS from the
//! first byte alone. No policy of weights or verdicts.
//!
//! **In**: a domain, whom to ask in the DNS, whose certificates to trust. **Out**: [`Published`]: what SRV records (RFC 2782, RFC 6186 §3,
//! RFC 8314 §5.1), the page that Thunderbird and others ask for (autoconfig) and the one that Outlook asks for (autodiscover) say; and
//! what is good or bad in it. Apple's profiles have no place of their own where a program looks, so they aren't asked for.
//!
//! **Limits**: `limits::PROGRAM_*`, `limits::PROBE_PAGE_MAX`. Nobody's address is said: both pages are asked for the postmaster's.
//!
//! **Failure**: what couldn't be asked is [`Source::Unknown`], what is there and no program could use [`Source::Unusable`].

mod pages;

pub use pages::{autoconfig, autodiscover};

use crate::names::Is;
use crate::probe::web::{Unfetched, Web};
use mailward_core::Domain;
use mailward_core::limits::{PROBE_NAMES_TIME, PROGRAM_SETTINGS_MAX};
use mailward_dns::{Lookup, LookupError, Name, Srv};
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;

/// What a program does there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Reads by IMAP.
    Imap,
    /// Reads by POP3.
    Pop3,
    /// Hands in mail.
    Submission,
}

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Begins {
    /// With the first byte.
    AtOnce,
    /// By a command.
    ByCommand,
    /// Not at all.
    Never,
    /// As the program likes, or in words that nobody knows.
    Somehow,
}

/// Where a program is led.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Told {
    /// To do what.
    pub service: Service,
    /// The host, lower case, at most `limits::DOMAIN_MAX` characters. Hostile, but for what acts on a terminal.
    pub host: String,
    /// The port; 0 if none can be read.
    pub port: u16,
    /// How TLS begins there.
    pub begins: Begins,
}

impl Service {
    /// Its port with TLS from the first byte (RFC 8314 §7.3).
    pub const fn port(self) -> u16 {
        match self {
            Service::Imap => 993,
            Service::Pop3 => 995,
            Service::Submission => 465,
        }
    }

    /// The name of its SRV records: with TLS from the first byte, and without.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Service::Imap => ("imaps", "imap"),
            Service::Pop3 => ("pop3s", "pop3"),
            Service::Submission => ("submissions", "submission"),
        }
    }

    const ALL: [Self; 3] = [Self::Imap, Self::Pop3, Self::Submission];
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Service::Imap => "IMAP",
            Service::Pop3 => "POP3",
            Service::Submission => "submission",
        })
    }
}

impl Told {
    /// Whether it is TLS from the first byte, at the port for it.
    pub fn is_good(&self) -> bool {
        self.begins == Begins::AtOnce && self.port == self.service.port()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins = match self.begins {
            Begins::AtOnce => "TLS from the first byte",
            Begins::ByCommand => "STARTTLS",
            Begins::Never => "no TLS",
            Begins::Somehow => "TLS or not",
        };
        write!(f, "{} at {}:{} with {begins}", self.service, self.host, self.port)
    }
}

/// Why whether programs are led astray is no question.
pub(crate) const NOTHING_TOLD: &str =
    "mail programs are told nothing: there are no SRV records, and no page of settings";

/// What one source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This, and of which services it says that there are none.
    Tells(Vec<Told>, Vec<Service>),
    /// There is no such source.
    Nothing(String),
    /// It is there, and no program could use it.
    Unusable(String),
    /// Nobody knows now.
    Unknown(String),
}

/// What all sources say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) records: Source,
    pub(crate) autoconfig: Source,
    pub(crate) autodiscover: Source,
}

impl Published {
    /// Asks all of them at the same time, each within `limits::PROBE_NAMES_TIME`.
    pub(crate) async fn of(web: &Web<'_>, domain: &Domain) -> Self {
        let (records, autoconfig, autodiscover) = tokio::join!(
            in_time(records(web.lookup, domain)),
            in_time(pages::ask_autoconfig(web, domain)),
            in_time(pages::ask_autodiscover(web, domain))
        );
        Self { records, autoconfig, autodiscover }
    }

    pub(crate) fn sources(&self) -> [(&'static str, &Source); 3] {
        [("SRV", &self.records), ("autoconfig", &self.autoconfig), ("autodiscover", &self.autodiscover)]
    }

    /// As it stands there, for people.
    pub(crate) fn shown(&self) -> String {
        let lines = self.sources().map(|(name, source)| match source {
            Source::Tells(told, none) => {
                let told = told.iter().map(ToString::to_string);
                let none = none.iter().map(|service| format!("no {service}"));
                format!("{name}: {}", told.chain(none).collect::<Vec<_>>().join("; "))
            }
            Source::Nothing(why) | Source::Unusable(why) | Source::Unknown(why) => format!("{name}: {why}"),
        });
        lines.join("\n")
    }

    /// CLI-02: whether all that is told is TLS from the first byte; `None`: nothing is told at all.
    pub(crate) fn is_safe(&self) -> Option<Is> {
        let (mut bad, mut unknown, mut good) = (Vec::new(), Vec::new(), 0_usize);
        for (name, source) in self.sources() {
            match source {
                Source::Tells(told, _) => {
                    let weak = told.iter().filter(|one| !one.is_good());
                    bad.extend(weak.map(|one| format!("{name} tells of {one}")));
                    good = good.saturating_add(told.len());
                }
                Source::Nothing(_) => {}
                Source::Unusable(why) | Source::Unknown(why) => unknown.push(format!("{name}: {why}")),
            }
        }
        match (bad.is_empty(), unknown.is_empty(), good) {
            (false, ..) => Some(Is::Bad(bad.join(", "))),
            (true, false, _) => Some(Is::Unknown(unknown.join(", "))),
            (true, true, 0) => None,
            (true, true, good) => Some(Is::Good(format!("{good} settings, all with TLS from the first byte"))),
        }
    }

    /// CLI-01: whether every source is there, leads to the same, and to what is there. What `fits` doesn't know of a place is `None`.
    pub(crate) fn agrees(&self, fits: &dyn Fn(&Told) -> Option<Result<(), String>>) -> Is {
        let (mut bad, mut unknown) = (Vec::new(), Vec::new());
        let mut all: Vec<(&str, &[Told], &[Service])> = Vec::new();
        for (name, source) in self.sources() {
            match source {
                Source::Tells(told, none) => all.push((name, told, none)),
                Source::Nothing(why) | Source::Unusable(why) => bad.push(format!("{name}: {why}")),
                Source::Unknown(why) => unknown.push(format!("{name}: {why}")),
            }
        }
        for service in Service::ALL {
            let at = |told: &[Told]| -> BTreeSet<(String, u16)> {
                let safe = told.iter().filter(|one| one.service == service && one.begins == Begins::AtOnce);
                safe.map(|one| (one.host.clone(), one.port)).collect()
            };
            let mut first: Option<(&str, BTreeSet<(String, u16)>)> = None;
            for (name, told, none) in &all {
                let places = at(told);
                if places.is_empty() && (service != Service::Pop3 || none.contains(&service)) {
                    let others = all.iter().any(|(_, other, _)| !at(other).is_empty());
                    if service != Service::Pop3 || others {
                        bad.push(format!("{name} tells of no {service} with TLS from the first byte"));
                    }
                }
                if places.is_empty() {
                    continue;
                }
                match &first {
                    Some((other, known)) if *known != places => {
                        bad.push(format!(
                            "{name} leads {service} to {}, {other} to {}",
                            listed(&places),
                            listed(known)
                        ));
                    }
                    Some(_) => {}
                    None => first = Some((name, places)),
                }
            }
        }
        for one in all.iter().flat_map(|(_, told, _)| *told).collect::<BTreeSet<_>>() {
            if let Some(Err(why)) = fits(one) {
                bad.push(format!("{one}: {why}"));
            }
        }
        if !bad.is_empty() {
            Is::Bad(bad.join("; "))
        } else if !unknown.is_empty() {
            Is::Unknown(unknown.join("; "))
        } else {
            Is::Good("SRV records, autoconfig and autodiscover lead to the same".to_owned())
        }
    }
}

fn listed(places: &BTreeSet<(String, u16)>) -> String {
    places.iter().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(" and ")
}

async fn in_time(asked: impl Future<Output = Source>) -> Source {
    let late = || Source::Unknown(format!("no answer within {} seconds", PROBE_NAMES_TIME.as_secs()));
    tokio::time::timeout(PROBE_NAMES_TIME, Box::pin(asked)).await.unwrap_or_else(|_late| late())
}

/// What is at the name of a service: there, said not to be there, nothing said, or not known.
enum At {
    There(Vec<Srv>),
    SaidNo,
    Nothing,
    Bogus(String),
    Unknown(String),
}

async fn at(lookup: &dyn Lookup, service: &str, domain: &Domain) -> At {
    let name = match Name::service(service, domain) {
        Ok(name) => name,
        Err(error) => return At::Unknown(error.to_string()),
    };
    match lookup.srv(&name).await {
        // RFC 2782: alone, the root means that there is no such service.
        Ok(found) if found.records.iter().all(Srv::is_none) => At::SaidNo,
        Ok(found) => At::There(found.records),
        Err(LookupError::NoName { .. } | LookupError::NoRecords { .. }) => At::Nothing,
        Err(error @ LookupError::Bogus { .. }) => At::Bogus(error.to_string()),
        Err(error) => At::Unknown(error.to_string()),
    }
}

/// What SRV records tell.
async fn records(lookup: &dyn Lookup, domain: &Domain) -> Source {
    let (mut told, mut none) = (Vec::new(), Vec::new());
    for service in Service::ALL {
        let (safe, other) = service.names();
        for (name, begins) in [(safe, Begins::AtOnce), (other, Begins::ByCommand)] {
            match at(lookup, name, domain).await {
                At::There(found) => {
                    if told.len().saturating_add(found.len()) > PROGRAM_SETTINGS_MAX {
                        return Source::Unusable(format!("more than {PROGRAM_SETTINGS_MAX} places"));
                    }
                    told.extend(found.iter().map(|one| {
                        let host = pages::host(one.target.trim_end_matches('.'));
                        Told { service, host, port: one.port, begins }
                    }));
                }
                At::SaidNo if begins == Begins::AtOnce => none.push(service),
                At::SaidNo | At::Nothing => {}
                At::Bogus(why) => return Source::Unusable(why),
                At::Unknown(why) => return Source::Unknown(why),
            }
        }
    }
    if told.is_empty() && none.is_empty() {
        return Source::Nothing("there are no records".to_owned());
    }
    Source::Tells(told, none)
}

/// CLI-03: whether programs are told that there is nothing without TLS from the first byte (RFC 6186 §3.4).
pub(crate) async fn says_no_to_others(lookup: &dyn Lookup, domain: &Domain) -> Is {
    let (mut bad, mut unknown) = (Vec::new(), Vec::new());
    for service in Service::ALL {
        let (_, name) = service.names();
        match at(lookup, name, domain).await {
            At::SaidNo => {}
            At::Nothing => bad.push(format!("_{name}._tcp says nothing")),
            At::There(found) => {
                let led = found.iter().take(PROGRAM_SETTINGS_MAX);
                let led: Vec<_> = led.map(|one| format!("{}:{}", pages::host(&one.target), one.port)).collect();
                bad.push(format!("_{name}._tcp leads to {}", led.join(" and ")));
            }
            At::Bogus(why) => bad.push(why),
            At::Unknown(why) => unknown.push(why),
        }
    }
    if !bad.is_empty() {
        Is::Bad(bad.join("; "))
    } else if !unknown.is_empty() {
        Is::Unknown(unknown.join("; "))
    } else {
        Is::Good("programs are told that there is none".to_owned())
    }
}

impl From<Unfetched> for Source {
    fn from(why: Unfetched) -> Self {
        match why {
            Unfetched::NoHost(why) => Source::Nothing(why),
            Unfetched::Failed(why) => Source::Unusable(why),
            Unfetched::Unknown(why) => Source::Unknown(why),
        }
    }
}

#[cfg(test)]
mod tests;
