//! The whole of it: everything that is found out of a message, and what follows.
//!
//! What needs others is asked at the same time: the DNS for what the message proves, a worker for what it holds, the virus
//! scanners, lists and other filters; the spam filter reads it meanwhile. Rules and the spam filter then look at what came of it. Nothing here keeps a message, and nothing waits for longer than
//! what it asks has limits for.

use crate::antivirus::{Antivirus, Scanned};
use crate::authenticate::{self, Authentication, Lookups};
use crate::policy::Rulebook;
use crate::spam::Spam;
use crate::structure;
use crate::subject::{Direction, Subject};
use crate::verdict::{Action, Check, Finding, Verdict};
use arc_swap::ArcSwap;
use bytes::Bytes;
use mailward_core::config::{AmbiguousCare, Config, RescanEvery};
use mailward_core::limits::{
    BLOCKING_PREPARE_BYTES, INSPECT_LOOKUPS_AT_ONCE, INSPECT_LOOKUPS_PER_HOST_MAX, INSPECT_LOOKUPS_PER_NEIGHBOURS_MAX,
    INSPECT_POLICIES_AT_ONCE, INSPECT_POLICIES_PER_HOST_MAX, INSPECT_POLICIES_PER_NEIGHBOURS_MAX, INSPECT_TIME,
    LOOKUP_TURN_TIME,
};
use mailward_core::{Domain, Network, Timestamp};
use mailward_dns::{InTurn, Lookup, NoDns, Turns};
use mailward_message::Structure;
use mailward_message::ambiguity::{self, Ambiguity};
use mailward_scan::{Contents, Pool, ScanError, Shown};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::time::{Instant, timeout, timeout_at};

/// What a message is judged by.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What follows from authentication.
    pub authentication: authenticate::Policy,
    /// What follows where a message can be read in two ways.
    pub structure: AmbiguousCare,
    /// How often stored mail is looked at again.
    pub rescan: RescanEvery,
    /// At which hour, UTC.
    pub rescan_hour: u8,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            authentication: config.into(),
            structure: config.structure.ambiguous,
            rescan: config.antivirus.rescan,
            rescan_hour: config.antivirus.rescan_hour,
        }
    }
}

/// What an [`Inspector`] is made of.
pub struct Parts {
    /// Who answers for the DNS; none: nobody can be asked, and nothing follows from what isn't known.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// Who opens attachments.
    pub scanner: Pool,
    /// Who knows viruses.
    pub antivirus: Antivirus,
    /// Rules on what messages hold.
    pub rules: Rulebook,
    /// The spam filter.
    pub spam: Arc<Spam>,
    /// What follows, as it is now.
    pub settings: Arc<ArcSwap<Settings>>,
}

/// Judges messages.
pub struct Inspector {
    lookup: Option<Arc<dyn Lookup>>,
    /// Places for questions: mail of one host takes none from others'.
    keys: Turns,
    /// Those for policies: keys that answer slowly take none of them.
    policies: Turns,
    scanner: Pool,
    antivirus: Antivirus,
    rules: Rulebook,
    spam: Arc<Spam>,
    settings: Arc<ArcSwap<Settings>>,
}

/// What was found of a message.
#[derive(Clone, Debug, Default)]
pub struct Inspected {
    /// Everything that was found.
    pub verdict: Verdict,
    /// What it proves of its sender; none: it isn't from elsewhere.
    pub authentication: Option<Authentication>,
}

impl Inspector {
    /// Of its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { lookup, scanner, antivirus, rules, spam, settings } = parts;
        Arc::new(Self {
            lookup,
            keys: Turns::new(INSPECT_LOOKUPS_AT_ONCE, INSPECT_LOOKUPS_PER_HOST_MAX)
                .among_neighbours(INSPECT_LOOKUPS_PER_NEIGHBOURS_MAX),
            policies: Turns::new(INSPECT_POLICIES_AT_ONCE, INSPECT_POLICIES_PER_HOST_MAX)
                .among_neighbours(INSPECT_POLICIES_PER_NEIGHBOURS_MAX),
            scanner,
            antivirus,
            rules,
            spam,
            settings,
        })
    }

    /// The spam filter.
    #[must_use]
    pub const fn spam(&self) -> &Arc<Spam> {
        &self.spam
    }

    /// Judges a message. What isn't judged at `deadline`, or `limits::INSPECT_TIME` from now, has to come again.
    pub async fn inspect(&self, subject: &Subject, deadline: Instant) -> Inspected {
        let judged = timeout(INSPECT_TIME, timeout_at(deadline, self.judge(subject))).await;
        judged.ok().and_then(Result::ok).unwrap_or_else(|| unjudged("it took too long to judge it"))
    }

    /// What virus scanners say of a message that is stored here: of the whole of it, of its other readings, and of every file in
    /// it that the scanner opens, as of one that comes. Nothing else is asked.
    pub async fn look_at_stored(&self, bytes: Bytes, structure: Arc<Structure>, now: Timestamp) -> Stored {
        let subject = Subject {
            bytes,
            trace: 0,
            structure,
            id: Arc::from(""),
            direction: Direction::Internal,
            client: None,
            hello: Arc::from(""),
            reverse: None,
            stranger: false,
            sender: None,
            recipients: Arc::new([]),
            login: None,
            spf: None,
            signs: Arc::new([]),
            correspondent: false,
            now,
        };
        match timeout(INSPECT_TIME, self.see(&subject)).await {
            Ok(Some(seen)) => Stored::of(&self.antivirus, &seen),
            Ok(None) => Stored::Later("it can't be looked at".to_owned()),
            // Whoever else brings it would hear that it has to come again; it can't.
            Err(_) => Stored::Unscannable("it took too long to look at it".to_owned()),
        }
    }

    /// Everything that is seen by whoever needs nothing but the message.
    async fn see(&self, subject: &Subject) -> Option<Seen> {
        // The worker has it first: it works on another processor meanwhile.
        let (contents, doubted) = tokio::join!(self.contents(subject), self.doubts(subject));
        let Doubted { doubts, cut, scanned } = doubted?;
        let (contents, shown) =
            contents.map_or_else(|e| (Err(e), Shown::default()), |(contents, shown)| (Ok(contents), shown));
        let scanned = self.scan_shown(subject, scanned, &shown).await;
        Some(Seen { doubts, cut, contents, scanned })
    }

    async fn judge(&self, subject: &Subject) -> Inspected {
        let settings = self.settings.load_full();
        // What is worked out here comes before the worker is waited for.
        let (seen, read, authentication) =
            tokio::join!(self.see(subject), self.spam.read(subject), self.authenticate(subject, &settings));
        let Some(Seen { doubts, cut, contents, scanned }) = seen else { return unjudged("it can't be looked at") };
        let mut findings: Vec<Finding> = authentication.iter().flat_map(Authentication::findings).collect();
        findings.extend(structure::findings(&subject.structure, &doubts, cut, settings.structure));
        findings.extend(self.antivirus.findings(&scanned));
        let contents = match contents {
            Ok(contents) => Some(contents),
            Err(error) => {
                // It says nothing against the message, which comes again.
                findings.push(Finding::new(Check::Attachments, "not-looked-at", Action::Defer, error.to_string()));
                None
            }
        };
        let contents = match contents {
            Some(contents) => {
                let proven = authentication.as_ref().map(proven).unwrap_or_default();
                let (rules, whose) = (self.rules.clone(), subject.clone());
                let judged = beside(subject, move || (rules.judge(&whose, &contents, &proven), contents)).await;
                let Some((found, contents)) = judged else { return unjudged("rules can't be asked") };
                findings.extend(found);
                Some(contents)
            }
            None => None,
        };
        if let Some(read) = read {
            findings.extend(Spam::weigh(subject, read, contents.as_ref(), &findings));
        }
        Inspected { verdict: Verdict { findings }, authentication }
    }

    async fn authenticate(&self, subject: &Subject, settings: &Settings) -> Option<Authentication> {
        // What programs and servers of ours bring is believed, and mustn't wait for the DNS.
        if subject.direction != Direction::Incoming || !subject.stranger {
            return None;
        }
        let host = Network::host(subject.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let Some(lookup) = &self.lookup else {
            let policy = settings.authentication.without_dns();
            return authenticate::check(subject, &NoDns, &policy).await;
        };
        let in_turn = |turns| InTurn::new(&**lookup, turns, host, LOOKUP_TURN_TIME);
        let lookups = Lookups { keys: &in_turn(&self.keys), policies: &in_turn(&self.policies) };
        authenticate::check_by(subject, lookups, &settings.authentication).await
    }

    async fn contents(&self, subject: &Subject) -> Result<(Contents, Shown), ScanError> {
        let message = subject.bytes.slice(subject.trace.min(subject.bytes.len())..);
        if self.antivirus.is_empty() {
            return self.scanner.look(message, subject.client).await.map(|contents| (contents, Shown::default()));
        }
        self.scanner.look_and_show(message, subject.client).await
    }

    /// What could be read in two ways, and what virus scanners say of it and of its other readings: the scanner finds those by
    /// itself, they know only what they are given.
    async fn doubts(&self, subject: &Subject) -> Option<Doubted> {
        let (whose, no_engines) = (subject.clone(), self.antivirus.is_empty());
        let doubted = beside(subject, move || {
            let doubts = ambiguity::find(&whose.bytes, &whose.structure);
            let others = if no_engines { Readings::default() } else { Readings::of(&whose, &doubts) };
            (doubts, others)
        });
        let (doubts, Readings { files, cut }) = doubted.await?;
        Some(Doubted { doubts, cut, scanned: self.scan(subject, files).await })
    }

    /// Other readings are let go when they were brought.
    async fn scan(&self, subject: &Subject, others: Vec<Bytes>) -> Scanned {
        if self.antivirus.is_empty() {
            return Scanned::default();
        }
        let message = subject.bytes.slice(subject.trace.min(subject.bytes.len())..);
        let mut readings = vec![message];
        readings.extend(others);
        self.antivirus.look(&readings, subject.client).await
    }

    /// What virus scanners say, once they have also seen what they wouldn't find by themselves. Who found something already is
    /// asked no more.
    async fn scan_shown(&self, subject: &Subject, scanned: Scanned, shown: &Shown) -> Scanned {
        if *shown == Shown::default() || !scanned.found.is_empty() {
            return scanned;
        }
        scanned.and(self.antivirus.look_shown(shown, subject.client).await)
    }
}

/// What whoever needs nothing but the message has seen of it.
struct Seen {
    doubts: Vec<Ambiguity>,
    /// There are more ways to read it than were looked at.
    cut: bool,
    contents: Result<Contents, ScanError>,
    scanned: Scanned,
}

/// What virus scanners say of a message that is stored here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Somebody saw all of it, and nobody found anything.
    Clean,
    /// Something was found: what, each wanting to be kept or more.
    Found(Vec<Finding>),
    /// Nobody can say of all of it, and why. That isn't known to be for now.
    Unscannable(String),
    /// Nobody could look at it now, and why.
    Later(String),
}

impl Stored {
    fn of(antivirus: &Antivirus, seen: &Seen) -> Self {
        let Seen { cut, contents, scanned, .. } = seen;
        if !scanned.found.is_empty() {
            let wanted = |finding: &Finding| finding.action >= Action::Quarantine && finding.action != Action::Defer;
            return Self::Found(antivirus.findings(scanned).into_iter().filter(wanted).collect());
        }
        let contents = match contents {
            Ok(contents) => contents,
            Err(error) => return Self::Later(error.to_string()),
        };
        let mut clean = scanned.clean.iter();
        match (clean.next(), scanned.unscannable.first()) {
            (None, Some((engine, why))) => return Self::Unscannable(format!("{engine}: {why}")),
            (None, None) => {
                let nobody = || "no virus scanner is asked".to_owned();
                let why = scanned.failed.first().or_else(|| scanned.busy.first());
                return Self::Later(why.map_or_else(nobody, |(engine, why)| format!("{engine}: {why}")));
            }
            (Some(_), _) => {}
        }
        if *cut || scanned.cut {
            return Self::Unscannable("it can be read in more ways than were looked at".to_owned());
        }
        match contents.stopped.first() {
            Some(stopped) => Self::Unscannable(format!("not all of it could be opened: {stopped:?}")),
            None => Self::Clean,
        }
    }
}

/// It says nothing against the message, which comes again.
fn unjudged(why: &str) -> Inspected {
    let finding = Finding::new(Check::Attachments, "not-judged", Action::Defer, why);
    Inspected { verdict: Verdict { findings: vec![finding] }, authentication: None }
}

/// Works on a message: here if that takes no time to speak of, on a thread of its own if others would feel it. None: the
/// work broke off.
pub(crate) async fn beside<T: Send + 'static>(
    subject: &Subject,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if subject.bytes.len() < BLOCKING_PREPARE_BYTES {
        return Some(work());
    }
    tokio::task::spawn_blocking(work).await.ok()
}

/// Domains that a message proves to be from.
fn proven(authentication: &Authentication) -> Vec<Domain> {
    let signers = authentication.results.dkim.iter().filter(|dkim| dkim.verdict == authenticate::Verdict::Pass);
    let signers = signers.filter_map(|dkim| dkim.signer.as_ref().map(|(domain, _)| domain.clone()));
    authentication.proven().cloned().into_iter().chain(signers).collect()
}

/// What could be read in two ways.
struct Doubted {
    doubts: Vec<Ambiguity>,
    /// There are more readings than were looked at.
    cut: bool,
    /// What virus scanners say.
    scanned: Scanned,
}

/// What other programs would see in a message.
#[derive(Default)]
struct Readings {
    files: Vec<Bytes>,
    /// There is more than was looked at.
    cut: bool,
}

impl Readings {
    fn of(subject: &Subject, doubts: &[Ambiguity]) -> Self {
        if doubts.is_empty() {
            return Self::default();
        }
        let read = ambiguity::readings(&subject.bytes, &subject.structure, doubts);
        let files = read.files.into_iter().map(|file| Bytes::from(file.bytes)).collect();
        Self { files, cut: read.cut }
    }
}
