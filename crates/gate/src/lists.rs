//! Lists in the DNS (RFC 5782): what they say of an address or a domain, and how well they are.
//!
//! A list is asked only while it is well: its test points answered as they must when they were looked at last
//! ([`check`]), and it doesn't rest after it was silent several times ([`health`]). Whatever else it answers than a code is
//! trouble of the list, never a listing. A list that isn't asked, or doesn't answer, says nothing about anybody.

mod check;
mod health;
mod record;

pub(crate) use check::{Outcome, check};
pub use health::{Fault, ListState};
pub(crate) use health::{Memory, Turn};
pub(crate) use record::{Recorded, key};

use crate::reputation::means::{Asker, Missing, latest};
use mailward_core::Domain;
use mailward_core::config::{self, ListKind, ListLine, ListTest};
use mailward_core::limits::LIST_ANSWERS_MAX;
use mailward_dns::{Name, NameError};
use serde::Serialize;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// That a list has something: one for each line of the configuration whose codes are among the answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The list.
    pub list: Domain,
    /// What it has: an address or a domain.
    pub about: String,
    /// Points: below 0 if that speaks in favour.
    pub weight: i32,
    /// The codes that count, 1 to `limits::LIST_ANSWERS_MAX`.
    pub codes: Vec<Ipv4Addr>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} (", self.about, self.list)?;
        for (at, code) in self.codes.iter().enumerate() {
            write!(f, "{}{code}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str(")")
    }
}

/// That a list said nothing about something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unanswered {
    /// The list.
    pub list: Domain,
    /// Why.
    pub why: Silence,
}

/// Why a list said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "code")]
pub enum Silence {
    /// It hasn't answered yet, or not in time.
    Late,
    /// The question failed.
    Failed,
    /// It answered that it doesn't answer us, or nothing that a list answers.
    Trouble(IpAddr),
    /// It isn't asked for a while, as it didn't answer several times.
    Resting,
    /// It is switched off, as its test points are wrong.
    Off,
    /// Its test points haven't been looked at yet.
    Untested,
    /// Too many questions are under way.
    NoTurn,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Silence::Late => f.write_str("no answer in time"),
            Silence::Failed => f.write_str("the question failed"),
            Silence::Trouble(code) => write!(f, "it answered {code}, which is no listing"),
            Silence::Resting => f.write_str("not asked for a while, as it was silent"),
            Silence::Off => f.write_str("switched off, as its test points are wrong"),
            Silence::Untested => f.write_str("not asked before its test points are looked at"),
            Silence::NoTurn => f.write_str("too many questions are under way"),
        }
    }
}

/// All lists that are asked.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) hosts: Vec<Arc<List>>,
    pub(crate) domains: Vec<Arc<List>>,
    pub(crate) links: Vec<Arc<List>>,
}

impl Table {
    /// By configuration; what is known of lists that were in the earlier table goes on.
    pub(crate) fn new(lists: &config::Lists, earlier: Option<&Self>) -> Self {
        let known = |zone: &Domain, kind| {
            let list = earlier.and_then(|table| table.all().find(|list| list.zone == *zone && list.kind == kind));
            list.map(|list| Arc::clone(&list.memory)).unwrap_or_default()
        };
        let group = |lines: &[ListLine], kind| {
            let mut lists: Vec<List> = Vec::new();
            for line in lines {
                match lists.iter_mut().find(|list| list.zone == line.zone) {
                    Some(list) => list.lines.push(line.clone()),
                    None => lists.push(List {
                        zone: line.zone.clone(),
                        kind,
                        within: line.within,
                        test: line.test.clone(),
                        lines: vec![line.clone()],
                        memory: known(&line.zone, kind),
                    }),
                }
            }
            lists.into_iter().map(Arc::new).collect()
        };
        Self {
            hosts: group(&lists.hosts, ListKind::Hosts),
            domains: group(&lists.domains, ListKind::Domains),
            links: group(&lists.links, ListKind::Links),
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<List>> {
        self.hosts.iter().chain(&self.domains).chain(&self.links)
    }
}

/// One list: a zone, asked once for all its lines. How long, and what has to be on it, its first line says.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) zone: Domain,
    pub(crate) kind: ListKind,
    pub(crate) lines: Vec<ListLine>,
    pub(crate) within: Duration,
    pub(crate) test: ListTest,
    pub(crate) memory: Arc<Memory>,
}

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Host(IpAddr),
    Domain(Domain),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Host(ip) => ip.fmt(f),
            Subject::Domain(domain) => domain.fmt(f),
        }
    }
}

/// What a list said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Codes, whether or not a line counts them; at least one.
    Yes(Vec<Ipv4Addr>, Instant),
    No(Instant),
    Nothing(Silence),
}

/// Answers that Spamhaus and others keep for what is wrong with the question: asked through a public resolver, asked too
/// often, a name that was mistyped.
const NO_LISTING: [u8; 3] = [127, 255, 255];

/// What the records of an answer say: codes, or the first that is none.
pub(crate) fn read(records: &[IpAddr]) -> Result<Vec<Ipv4Addr>, IpAddr> {
    let mut codes = Vec::new();
    for record in records {
        match record {
            IpAddr::V4(code) if code.is_loopback() && !code.octets().starts_with(&NO_LISTING) => codes.push(*code),
            other => return Err(*other),
        }
    }
    codes.sort_unstable();
    codes.dedup();
    codes.truncate(LIST_ANSWERS_MAX);
    Ok(codes)
}

impl List {
    /// The name at which it has something.
    pub(crate) fn name(&self, subject: &Subject) -> Result<Name, NameError> {
        match subject {
            Subject::Host(ip) => Name::listed(*ip, &self.zone),
            Subject::Domain(domain) => Name::under(domain.as_str(), &self.zone),
        }
    }

    /// Asks it, if it is well.
    pub(crate) async fn ask(&self, asker: &Asker<'_>, subject: &Subject) -> Said {
        if let Some(silence) = self.memory.shut(matches!(subject, Subject::Host(IpAddr::V6(_)))) {
            return Said::Nothing(silence);
        }
        let started = Instant::now();
        if !self.memory.may_ask(started, self.within) {
            return Said::Nothing(Silence::Resting);
        }
        let said = self.ask_anyway(asker, subject).await;
        self.memory.heard(&said, started);
        said
    }

    /// Asks it, however well it is.
    pub(crate) async fn ask_anyway(&self, asker: &Asker<'_>, subject: &Subject) -> Said {
        // What has no room before the zone's name can't be on the list.
        let Ok(name) = self.name(subject) else { return Said::No(latest()) };
        self.memory.counts.asked.fetch_add(1, Ordering::Relaxed);
        match asker.list(self.within, asker.lookup.listed(&name)).await {
            Ok(found) => match read(&found.records) {
                Ok(codes) => Said::Yes(codes, found.valid_until.into()),
                Err(other) => Said::Nothing(Silence::Trouble(other)),
            },
            Err(Missing::None { until, .. }) => Said::No(until),
            Err(Missing::Failed(_)) => Said::Nothing(Silence::Failed),
            Err(Missing::Late) => Said::Nothing(Silence::Late),
            Err(Missing::NoTurn(_)) => Said::Nothing(Silence::NoTurn),
        }
    }

    /// What codes mean, by the lines that count them.
    pub(crate) fn listed(&self, subject: &Subject, codes: &[Ipv4Addr]) -> Vec<Listed> {
        let of_line = |line: &ListLine| {
            let codes: Vec<Ipv4Addr> = codes.iter().copied().filter(|code| line.counts(*code)).collect();
            let listed = Listed { list: self.zone.clone(), about: subject.to_string(), weight: line.weight, codes };
            (!listed.codes.is_empty()).then_some(listed)
        };
        self.lines.iter().filter_map(of_line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::config::Lists;
    use proptest::prelude::*;

    fn table(hosts: &[&str]) -> Table {
        let hosts = hosts.iter().map(|line| ListLine::parse(line, ListKind::Hosts).unwrap()).collect();
        Table::new(&Lists { hosts, ..Lists::default() }, None)
    }

    #[test]
    fn lines_of_one_zone_are_one_list_and_count_their_own_codes() {
        let table = table(&["z.example 5 127.0.0.2-3 within=7", "y.example -1", "z.example 1 127.0.0.10"]);
        let list = &table.hosts[0];
        assert_eq!((table.hosts.len(), list.lines.len(), list.within.as_secs()), (2, 2, 7));
        let subject = Subject::Host("192.0.2.1".parse().unwrap());
        let codes: Vec<Ipv4Addr> = ["127.0.0.2", "127.0.0.4", "127.0.0.10"].map(|code| code.parse().unwrap()).into();
        let listed = list.listed(&subject, &codes);
        assert_eq!(listed.iter().map(|one| one.weight).collect::<Vec<_>>(), [5, 1]);
        assert_eq!(listed[0].to_string(), "192.0.2.1 on z.example (127.0.0.2)");
        assert!(list.listed(&subject, &codes[1..2]).is_empty());
    }

    #[test]
    fn what_is_no_code_is_trouble_whatever_stands_beside_it() {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        assert_eq!(read(&ips(&["127.0.0.3", "127.0.0.2", "127.0.0.3"])).unwrap().len(), 2);
        for bad in ["127.255.255.254", "127.255.255.1", "192.0.2.1", "0.0.0.0", "::1"] {
            assert_eq!(read(&ips(&["127.0.0.2", bad])), Err(bad.parse().unwrap()));
        }
        assert!(read(&ips(&["127.255.254.1"])).is_ok());
    }

    #[test]
    fn codes_of_one_answer_end_at_their_limit() {
        let many: Vec<IpAddr> = (0..=255).map(|n| IpAddr::V4(Ipv4Addr::new(127, 0, 0, n))).collect();
        assert_eq!(read(&many).unwrap().len(), LIST_ANSWERS_MAX);
    }

    proptest! {
        #[test]
        fn whatever_is_listed_has_a_code_in_range(bytes in any::<[u8; 4]>()) {
            let list = &table(&["z.example 5"]).hosts[0];
            let subject = Subject::Host("192.0.2.1".parse().unwrap());
            let counts = read(&[IpAddr::from(bytes)]).is_ok_and(|codes| !list.listed(&subject, &codes).is_empty());
            prop_assert_eq!(counts, bytes[0] == 127 && bytes[..3] != NO_LISTING);
        }
    }
}
