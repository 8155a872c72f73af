//! # probe: a mail server, seen from outside
//!
//! **For**: whoever answers for a mail server, Mailward or any other, and wants to know what strangers see of it. Nothing of the
//! server is needed but its name: no data directory, no login.
//!
//! **In**: an [`Aim`]: whom to look at, by which resolver, trusting whom, at what pace. **Out**: a [`Look`]: every port, what
//! every door says and takes, what the DNS has, and a [`Found`] for each [`Question`], with its evidence, the weightiest first.
//!
//! ```text
//! addresses ──► ports ──► doors: what they say, TLS ──► questions to doors ──► questions to the DNS ──► findings
//!                                                        (those last that servers answer with a ban)
//! ```
//!
//! It asks with the clients of [`crate::knock`] and judges with what the audit's controls judge with ([`crate::Control`]): one
//! server gets one verdict, whoever asks.
//!
//! **Nobody else is harmed**: recipients elsewhere are names under `.example` and `.invalid`, and no message is begun for them;
//! messages go to recipients that are named for it, and to nobody else. No password of anybody is said.
//!
//! **Limits**: `limits::PROBE_*`, `limits::KNOCK_*`.
//!
//! It ends within `limits::PROBE_LOOK_TIME`, whatever the host does; the last part of that is kept for names.
//!
//! **Failure**: what can't be found out is "not tested", never "passed". A host of which nothing can be reached is
//! [`ProbeError::Nobody`].

mod asking;
mod compare;
mod doors;
mod kept;
mod look;
mod names;
mod ports;
mod questions;
mod time;
mod vantage;
pub(crate) mod web;

pub use compare::changes;
pub use kept::{Kept, KeptError, MAY};
pub use look::{
    CertificateSeen, Change, DoorSeen, FORMAT, Found, Look, NamesSeen, PortSeen, PortState, RelaySeen, TlsSeen,
    VersionSeen,
};
pub use ports::{INSIDE, Port, Speaks, USUAL, parse as parse_ports, usual as usual_ports};
pub use questions::{QUESTIONS, Question, Topic};
pub use vantage::{Peers, VANTAGE, Vantage};
pub use web::{Page, read as read_page};

use crate::doors::{Us, Waiting};
use crate::finding::{Finding, Verdict};
use crate::knock::{Anchors, Pace};
use crate::record::Output;
use crate::scene::Door;
use asking::Asked;
use doors::{At, Trust, talk_to};
use futures_util::stream::{self, StreamExt as _};
use mailward_core::limits::{
    AUDIT_EXHIBITS_MAX, PROBE_ADDRESSES_MAX, PROBE_DOORS_AT_ONCE, PROBE_LOOK_TIME, PROBE_NAMES_MAX, PROBE_RATE,
    PROBE_SAID_MAX,
};
use mailward_core::{Clock, Domain};
use mailward_dns::Lookup;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use time::Until;

/// Whom to look at, and how.
#[derive(Clone)]
pub struct Aim {
    /// A host's name or an address.
    pub host: String,
    /// The name that certificates have to prove; the host unless given.
    pub name: Option<String>,
    /// A domain that it receives mail for; guessed unless given.
    pub domain: Option<Domain>,
    /// Where to look instead of at the addresses that the DNS has; at most `limits::PROBE_ADDRESSES_MAX`.
    pub addresses: Vec<IpAddr>,
    /// Which ports.
    pub ports: Vec<Port>,
    /// Whose certificates are trusted.
    pub anchors: Anchors,
    /// Who is asked for names; nobody, and what needs them isn't tested.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// Selectors of DKIM; at most `limits::PROBE_NAMES_MAX`.
    pub selectors: Vec<String>,
    /// Lists of addresses in the DNS; as many.
    pub lists: Vec<Domain>,
    /// Addresses of the server that get trial messages; as many.
    pub recipients: Vec<String>,
    /// What is left out.
    pub skip: Vec<Topic>,
    /// Connections a second, 1 to `limits::KNOCK_RATE_MAX`.
    pub rate: u32,
    /// How long it may take; `limits::PROBE_LOOK_TIME` unless given.
    pub time: Duration,
    /// The program that looks, with its version.
    pub by: String,
}

impl Aim {
    /// A host, with everything else as it is unless told.
    pub fn at(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            name: None,
            domain: None,
            addresses: Vec::new(),
            ports: usual_ports(),
            anchors: Anchors::default(),
            lookup: None,
            selectors: Vec::new(),
            lists: Vec::new(),
            recipients: Vec::new(),
            skip: Vec::new(),
            rate: PROBE_RATE,
            time: PROBE_LOOK_TIME,
            by: "mailward".to_owned(),
        }
    }
}

/// Who wants to know how far it is.
pub trait Watch {
    /// What is looked at now.
    fn looks_at(&mut self, what: &str);
}

impl Watch for () {
    fn looks_at(&mut self, _: &str) {}
}

/// Why there is no look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// It is neither.
    #[error("{0:?} is neither a host's name nor an address")]
    Host(String),
    /// Nobody knows where it is.
    #[error("{host} has no address: {why}")]
    NoAddress {
        /// The host.
        host: String,
        /// What the DNS said.
        why: String,
    },
    /// More of something than is looked at.
    #[error("there are more than {most} {what}")]
    TooMany {
        /// What.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// No port of any address is open.
    #[error("no port of {0} can be reached from here: nothing could be looked at")]
    Nobody(String),
}

/// Looks at a host. What it has for comparison with an earlier look is left out: see [`changes`].
///
/// # Errors
/// [`ProbeError`].
pub async fn look(aim: &Aim, clock: &dyn Clock, watch: &mut dyn Watch) -> Result<Look, ProbeError> {
    let pace = Pace::new(aim.rate);
    let mut found = pace.keep(Box::pin(looked(aim, clock, watch))).await?;
    found.connections = pace.made();
    Ok(found)
}

async fn looked(aim: &Aim, clock: &dyn Clock, watch: &mut dyn Watch) -> Result<Look, ProbeError> {
    let began = clock.now();
    bounded(aim)?;
    let lookup = aim.lookup.as_deref();
    let asks_names = lookup.is_some() && !aim.skip.contains(&Topic::Names);
    let (until, names_until) = Until::of(aim.time, asks_names);
    let (addresses, host) = addresses(aim).await?;
    let name = aim.name.clone().unwrap_or_else(|| aim.host.clone());
    let host = aim.name.as_deref().and_then(|name| Domain::parse(name).ok()).or(host);
    let domain = match (&aim.domain, &host) {
        (Some(domain), _) => Some(domain.clone()),
        (None, Some(host)) => names::guess_domain(lookup, host).await,
        (None, None) => None,
    };
    watch.looks_at("ports");
    let ports = ports::scan(&addresses, &aim.ports, until).await;
    if ports.iter().all(|port| port.state != PortState::Open) {
        return Err(ProbeError::Nobody(aim.host.clone()));
    }
    let trust = Trust { anchors: &aim.anchors, now: began, until };
    // Whom one asks about who has no domain: the address itself (RFC 5321 §4.1.3).
    let about = match (&domain, addresses.first()) {
        (Some(domain), _) => domain.to_string(),
        (None, Some(address)) => crate::knock::literal(*address),
        (None, None) => name.clone(),
    };
    let us = Us { recipient: format!("postmaster@{about}"), domain: about, now: began };
    watch.looks_at("doors");
    let mut at = talked(aim, &ports, &name, &us, trust).await;

    let asked = Asked {
        us,
        recipients: &aim.recipients,
        trust,
        ports: &ports,
        until,
        looked_inside: aim.ports.iter().any(|port| port.role.is_none()),
        name: &name,
    };
    let mut findings = Vec::new();
    let mut questions: Vec<&Question> = QUESTIONS.iter().filter(|one| one.topic != Topic::Names).collect();
    // Stable: within a topic in the order of the list.
    questions.sort_by_key(|question| question.topic);
    for question in questions {
        watch.looks_at(question.name);
        let finding = if aim.skip.contains(&question.topic) {
            Some(left_out())
        } else {
            Box::pin(asking::ask(&asked, &mut at, question.name)).await
        };
        findings.extend(finding.map(|finding| kept(question, finding)));
    }
    let mut seen = None;
    let is_mail = |at: &&At| at.seen.role == 25;
    let https = aim.ports.iter().find(|port| port.role == Some(443)).map_or(443, |port| port.number);
    let mut about = lookup.filter(|_| asks_names).map(|lookup| names::About {
        web: web::Web { lookup, port: https, anchors: &aim.anchors, now: began },
        until: names_until,
        ports: &ports,
        programs: None,
        host: host.as_ref(),
        domain: domain.as_ref(),
        addresses: &addresses,
        selectors: &aim.selectors,
        lists: &aim.lists,
        shown: at.iter().filter(is_mail).filter_map(|at| at.shown.as_ref()?.as_ref().ok()).collect(),
        shown_anywhere: at.iter().find_map(|at| at.shown.as_ref()?.as_ref().ok()),
    });
    if let Some(about) = &mut about {
        watch.looks_at("names");
        let seen = seen.insert(look::NamesSeen::default());
        // What is seen until then is told.
        let _late = names_until.within(Box::pin(names::see(about, seen))).await;
    }
    for question in QUESTIONS.iter().filter(|one| one.topic == Topic::Names) {
        watch.looks_at(question.name);
        let finding = match &about {
            Some(about) => Box::pin(names::ask(about, question.name)).await,
            None if aim.skip.contains(&Topic::Names) => Some(left_out()),
            None => Some(Finding::not_tested("the DNS isn't asked (--dns none)")),
        };
        findings.extend(finding.map(|finding| kept(question, finding)));
    }
    findings.sort_by_key(|found: &Found| (order(&found.verdict), !found.hole, std::cmp::Reverse(found.weight)));
    let millis = clock.now().0.saturating_sub(began.0);
    Ok(Look {
        format: FORMAT.to_owned(),
        by: aim.by.clone(),
        host: aim.host.clone(),
        name,
        domain: domain.map(|domain| domain.to_string()),
        began: began.text(),
        seconds: u64::try_from(millis.div_euclid(1_000)).unwrap_or(0),
        connections: 0,
        addresses,
        ports: ports.clone(),
        doors: at.into_iter().map(|at| at.seen).collect(),
        names: seen,
        summary: summary(&findings),
        findings,
        changes: None,
    })
}

fn left_out() -> Finding {
    Finding::not_tested("left out (--skip)")
}

/// Refuses what names more than is looked at.
fn bounded(aim: &Aim) -> Result<(), ProbeError> {
    let most = [
        ("addresses", aim.addresses.len(), PROBE_ADDRESSES_MAX),
        ("selectors", aim.selectors.len(), PROBE_NAMES_MAX),
        ("lists", aim.lists.len(), PROBE_NAMES_MAX),
        ("recipients", aim.recipients.len(), PROBE_NAMES_MAX),
    ];
    match most.into_iter().find(|(_, count, most)| count > most) {
        Some((what, _, most)) => Err(ProbeError::TooMany { what, most }),
        None => Ok(()),
    }
}

/// Where the host is, and its name if it has one. Of more than `limits::PROBE_ADDRESSES_MAX` the first are taken.
async fn addresses(aim: &Aim) -> Result<(Vec<IpAddr>, Option<Domain>), ProbeError> {
    let literal = aim.host.parse::<IpAddr>().ok();
    let host = match literal {
        Some(_) => None,
        None => Some(Domain::parse(&aim.host).map_err(|_| ProbeError::Host(look::plain(&aim.host)))?),
    };
    if !aim.addresses.is_empty() {
        return Ok((aim.addresses.clone(), host));
    }
    if let Some(literal) = literal {
        return Ok((vec![literal], None));
    }
    let no = |why: String| ProbeError::NoAddress { host: aim.host.clone(), why };
    let (Some(lookup), Some(host)) = (&aim.lookup, host) else {
        return Err(no("the DNS isn't asked; --address names one".to_owned()));
    };
    let mut found = lookup.addresses(&host).await.map_err(|error| no(error.to_string()))?.records;
    found.sort();
    found.dedup();
    found.truncate(PROBE_ADDRESSES_MAX);
    Ok((found, Some(host)))
}

/// Talks to every door that is open, `limits::PROBE_DOORS_AT_ONCE` at a time.
async fn talked(aim: &Aim, ports: &[PortSeen], name: &str, us: &Us, trust: Trust<'_>) -> Vec<At> {
    let looks_at_tls = !aim.skip.contains(&Topic::Tls);
    let mut each: Vec<Waiting<'_, At>> = Vec::new();
    for port in ports.iter().filter(|port| port.state == PortState::Open) {
        let speaks = Port { number: port.port, role: port.role }.speaks();
        if let (Some(Speaks::Door(protocol)), Some(role)) = (speaks, port.role) {
            let address = SocketAddr::new(port.address, port.port);
            let door = Door { protocol, address, name: name.to_owned() };
            each.push(Box::pin(talk_to(door, role, &us.domain, trust, looks_at_tls)));
        }
    }
    stream::iter(each).buffered(PROBE_DOORS_AT_ONCE).collect().await
}

/// The word for a verdict in JSON. What is true in part only isn't true.
const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail | Verdict::Partial(_) => "fail",
        Verdict::Error => "error",
        Verdict::NotRun | Verdict::NotTested => "not-tested",
        Verdict::NotApplicable => "not-applicable",
    }
}

/// What is to be done comes first.
fn order(verdict: &str) -> usize {
    ["fail", "error", "not-tested", "pass"].iter().position(|word| *word == verdict).unwrap_or(usize::MAX)
}

fn kept(question: &Question, finding: Finding) -> Found {
    let plain = |text: String| look::tamed(text.chars(), |c| c == '\n' || c == '\t');
    let evidence = finding.exhibits.into_iter().take(AUDIT_EXHIBITS_MAX).map(|exhibit| {
        let output = Output::of(exhibit);
        Output { input: plain(output.input), excerpt: plain(output.excerpt), ..output }
    });
    Found {
        name: question.name.to_owned(),
        control: question.control.map(str::to_owned),
        weight: question.weight(),
        hole: question.is_hole(),
        question: question.words().to_owned(),
        verdict: word(finding.verdict).to_owned(),
        said: look::tamed(finding.said.chars().take(PROBE_SAID_MAX), |c| c == '\n' || c == '\t'),
        mend: question.mend.to_owned(),
        evidence: evidence.collect(),
    }
}

fn summary(findings: &[Found]) -> BTreeMap<String, usize> {
    let words = ["pass", "fail", "error", "not-tested", "not-applicable"];
    let count = |fits: &dyn Fn(&Found) -> bool| findings.iter().filter(|found| fits(found)).count();
    let mut all: BTreeMap<String, usize> =
        words.into_iter().map(|word| (word.to_owned(), count(&|found| found.verdict == word))).collect();
    all.insert("mandatory_failed".to_owned(), count(&Found::is_mandatory_failure));
    all
}
