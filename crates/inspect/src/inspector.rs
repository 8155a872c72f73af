//! The whole of it: everything that is found out of a message, and what follows.
//!
//! What needs others is asked at the same time: the DNS for what the message proves, a worker for what it holds, the virus
//! scanners. Rules and the spam filter look at what came of it. Nothing here keeps a message, and nothing waits for longer than
//! what it asks has limits for.

use crate::antivirus::Antivirus;
use crate::authenticate::{self, Authentication};
use crate::policy::Rulebook;
use crate::spam::Spam;
use crate::structure;
use crate::subject::{Direction, Subject};
use crate::verdict::{Action, Check, Finding, Verdict};
use arc_swap::ArcSwap;
use bytes::Bytes;
use mailward_core::config::{AmbiguousCare, Config};
use mailward_core::limits::{INSPECT_LOOKUPS_AT_ONCE, INSPECT_LOOKUPS_PER_HOST_MAX, LOOKUP_TURN_TIME};
use mailward_core::{Domain, Network};
use mailward_dns::{InTurn, Lookup, Turns};
use mailward_message::ambiguity::{self, Ambiguity};
use mailward_scan::{Contents, Pool, ScanError};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What a message is judged by.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What follows from authentication.
    pub authentication: authenticate::Policy,
    /// What follows where a message can be read in two ways.
    pub structure: AmbiguousCare,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self { authentication: config.into(), structure: config.structure.ambiguous }
    }
}

/// What an [`Inspector`] is made of.
pub struct Parts {
    /// Who answers for the DNS.
    pub lookup: Arc<dyn Lookup>,
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
    lookup: Arc<dyn Lookup>,
    /// Places for questions: mail of one host takes none from others'.
    turns: Turns,
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
            turns: Turns::new(INSPECT_LOOKUPS_AT_ONCE, INSPECT_LOOKUPS_PER_HOST_MAX),
            scanner,
            antivirus,
            rules,
            spam,
            settings,
        })
    }

    /// Judges a message.
    pub async fn inspect(&self, subject: &Subject) -> Inspected {
        let settings = self.settings.load_full();
        let doubts = ambiguity::find(&subject.bytes, &subject.structure);
        // The scanner finds other readings by itself; virus scanners know only what they are given.
        let others = if self.antivirus.is_empty() { Readings::default() } else { Readings::of(subject, &doubts) };
        let (authentication, contents, scanned) =
            tokio::join!(self.authenticate(subject, &settings), self.contents(subject), self.scan(subject, &others),);
        let mut findings: Vec<Finding> = authentication.iter().flat_map(Authentication::findings).collect();
        findings.extend(structure::findings(&subject.structure, &doubts, others.cut, settings.structure));
        findings.extend(scanned);
        let contents = match contents {
            Ok(contents) => Some(contents),
            Err(error) => {
                // It says nothing against the message, which comes again.
                findings.push(Finding::new(Check::Attachments, "not-looked-at", Action::Defer, error.to_string()));
                None
            }
        };
        if let Some(contents) = &contents {
            let proven = authentication.as_ref().map(proven).unwrap_or_default();
            findings.extend(self.rules.judge(subject, contents, &proven));
        }
        findings.extend(self.spam.score(subject, contents.as_ref(), &findings).await);
        Inspected { verdict: Verdict { findings }, authentication }
    }

    async fn authenticate(&self, subject: &Subject, settings: &Settings) -> Option<Authentication> {
        if subject.direction != Direction::Incoming {
            return None;
        }
        let host = Network::host(subject.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let lookup = InTurn::new(&*self.lookup, &self.turns, host, LOOKUP_TURN_TIME);
        authenticate::check(subject, &lookup, &settings.authentication).await
    }

    async fn contents(&self, subject: &Subject) -> Result<Contents, ScanError> {
        let message = subject.bytes.slice(subject.trace.min(subject.bytes.len())..);
        self.scanner.look(message).await
    }

    async fn scan(&self, subject: &Subject, others: &Readings) -> Vec<Finding> {
        if self.antivirus.is_empty() {
            return Vec::new();
        }
        let message = subject.bytes.slice(subject.trace.min(subject.bytes.len())..);
        let mut readings = vec![message];
        readings.extend(others.files.iter().cloned());
        self.antivirus.findings(&self.antivirus.look(&readings).await)
    }
}

/// Domains that a message proves to be from.
fn proven(authentication: &Authentication) -> Vec<Domain> {
    let signers = authentication.results.dkim.iter().filter(|dkim| dkim.verdict == authenticate::Verdict::Pass);
    let signers = signers.filter_map(|dkim| dkim.signer.as_ref().map(|(domain, _)| domain.clone()));
    authentication.proven().cloned().into_iter().chain(signers).collect()
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
