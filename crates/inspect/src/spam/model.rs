//! The filter: what was learned, in memory, and how a message is judged by it and by all else.

use super::hash::TokenKey;
use super::judge::{Judged, judge};
use super::links::{LinkListed, LinkLists, link_domains};
use super::peers::Peers;
use super::reading::Reading;
use super::signs::signs;
use super::table::Table;
use super::tokens::tokens;
use crate::inspector::beside;
use crate::spf::SpfOutcome;
use crate::subject::{Direction, Subject};
use crate::verdict::{Action, Check, Finding, Verdict};
use mailward_core::config::SpamPoints;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{SPAM_LINKS_TIME, SPAM_USER_TIME, SPAM_USERS_MAX, SPAM_WORDS_MAX, SPAM_WORDS_MIN};
use mailward_core::{AccountId, Address, Clock, Secret, config};
use mailward_scan::Contents;
use mailward_store::{MailStore, SpamStore, StoreError};
use mailward_vault::VaultError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Whose account is called what; `None`: nobody's.
pub type Names = Arc<dyn Fn(AccountId) -> Option<Address> + Send + Sync>;

/// What the filter is made of.
pub struct SpamParts {
    /// What was learned.
    pub store: Arc<dyn SpamStore>,
    /// The mail that users move and flag, and news of the shelf that tells of it.
    pub mail: Arc<dyn MailStore>,
    /// The key to what is learned comes from it.
    pub key: TokenKey,
    /// What accounts are called, to know who is a trainer.
    pub names: Names,
    /// Lists of links' domains; `None`: none are asked.
    pub links: Option<Arc<dyn LinkLists>>,
    /// Settings.
    pub settings: config::Spam,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where it is told what goes wrong.
    pub events: Events,
}

impl std::fmt::Debug for SpamParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpamParts").finish_non_exhaustive()
    }
}

/// Why something can't be learned, or what was learned can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SpamError {
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key can be made from the server's secret.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A user's table, when it was needed last.
pub(super) struct User {
    pub(super) table: Arc<RwLock<Table>>,
    pub(super) used: u64,
}

/// Tables of users that are in memory, and who learned anything.
#[derive(Default)]
pub(super) struct Users {
    pub(super) tables: HashMap<AccountId, User>,
    /// Messages that each learned, as spam and as ham.
    pub(super) learned: HashMap<AccountId, (u64, u64)>,
    /// Counts needs.
    pub(super) needs: u64,
}

/// How much was learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Knowledge {
    /// Messages as spam.
    pub spam: u64,
    /// Messages as ham.
    pub ham: u64,
    /// Tokens that are known; of users only those in memory are counted.
    pub tokens: u64,
}

/// The spam filter.
pub struct Spam {
    pub(super) parts: SpamParts,
    settings: RwLock<Arc<config::Spam>>,
    pub(super) server: RwLock<Table>,
    pub(super) users: Mutex<Users>,
    peers: Peers,
    /// One learns at a time; nobody reads tables from the store meanwhile.
    pub(super) teaching: tokio::sync::Mutex<()>,
    /// Something was learned that isn't folded yet.
    pub(super) taught: Notify,
}

impl std::fmt::Debug for Spam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spam")
    }
}

/// A message that was read: what [`Spam::weigh`] weighs, together with what others find meanwhile.
#[derive(Debug)]
pub struct Read {
    settings: Arc<config::Spam>,
    reading: Reading,
    words: Vec<Finding>,
    listed: Vec<LinkListed>,
    others: Vec<Finding>,
}

/// The key that words become numbers with.
///
/// # Errors
/// No key can be made from the server's secret.
pub fn token_key(server: &Secret) -> Result<TokenKey, VaultError> {
    TokenKey::new(server)
}

impl Spam {
    /// Reads what the server learned. Users' tables are read when they are needed.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn open(parts: SpamParts) -> Result<Arc<Self>, SpamError> {
        let settings = RwLock::new(Arc::new(parts.settings.clone()));
        let owners = parts.store.spam_owners().await?;
        let server = super::learn::load(&*parts.store, None, &owners).await?;
        let learned = owners.iter().filter_map(|one| Some((one.owner?, (one.spam, one.ham)))).collect();
        Ok(Arc::new(Self {
            parts,
            settings,
            server: RwLock::new(server),
            users: Mutex::new(Users { learned, ..Users::default() }),
            peers: Peers::default(),
            teaching: tokio::sync::Mutex::new(()),
            taught: Notify::new(),
        }))
    }

    /// Other settings from now on.
    pub fn set(&self, settings: &config::Spam) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings.clone());
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<config::Spam> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How much the server, or a user, learned.
    #[must_use]
    pub fn knowledge(&self, owner: Option<AccountId>) -> Knowledge {
        let count = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
        let Some(account) = owner else {
            let server = self.server.read().unwrap_or_else(PoisonError::into_inner);
            return Knowledge { spam: server.spam, ham: server.ham, tokens: count(server.len()) };
        };
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let (spam, ham) = users.learned.get(&account).copied().unwrap_or_default();
        let tokens = users
            .tables
            .get(&account)
            .map_or(0, |user| count(user.table.read().unwrap_or_else(PoisonError::into_inner).len()));
        Knowledge { spam, ham, tokens }
    }

    /// Reads a message, and finds out what needs neither its files nor what others found. Nothing where it isn't judged: mail of
    /// those who are logged in. What isn't known in time says nothing.
    pub async fn read(&self, subject: &Subject) -> Option<Read> {
        if subject.direction != Direction::Incoming {
            return None;
        }
        let settings = self.settings();
        let (whose, key, links) = (subject.clone(), self.parts.key.clone(), self.parts.links.is_some());
        let read = beside(subject, move || {
            let reading = Reading::of(&whose.bytes, &whose.structure);
            let domains = if links { link_domains(&reading) } else { Vec::new() };
            let tokens = tokens(&whose.bytes, &whose.structure, &reading, &key);
            (reading, domains, tokens)
        });
        let (reading, domains, tokens) = read.await?;
        let asked = async {
            let Some(lists) = &self.parts.links else { return Vec::new() };
            if domains.is_empty() {
                return Vec::new();
            }
            timeout(SPAM_LINKS_TIME, lists.listed(subject.client, &domains)).await.unwrap_or_default()
        };
        let words = self.words(subject, &tokens);
        let (words, listed, others) =
            tokio::join!(words, asked, self.peers.ask(&settings.peers, subject, &self.parts.events));
        Some(Read { settings, reading, words, listed, others })
    }

    /// [`Spam::read`] and [`Spam::weigh`], where all that others found is there already.
    pub async fn score(&self, subject: &Subject, contents: Option<&Contents>, found: &[Finding]) -> Vec<Finding> {
        let read = self.read(subject).await;
        read.map(|read| Self::weigh(subject, read, contents, found)).unwrap_or_default()
    }

    /// What speaks for and against a message that was read, and what follows. `found`: what others found, whose points count as
    /// well; `contents`: what the scanner found.
    ///
    /// Each finding has its points; the last ones, of the rule `score`, have the action, for the recipients that they name.
    #[must_use]
    pub fn weigh(subject: &Subject, read: Read, contents: Option<&Contents>, found: &[Finding]) -> Vec<Finding> {
        let Read { settings, reading, words: mut mine, listed, others } = read;
        let proven = is_proven(subject, found);
        for sign in signs(subject, &reading, contents, proven) {
            mine.push(Finding::new(Check::Spam, sign.name(), Action::Deliver, sign.reason()).worth(sign.points()));
        }
        mine.extend(super::gtube::found(&reading));
        if let Some(gate) = of_gate(subject) {
            mine.push(gate);
        }
        for one in listed {
            let points = one.weight.saturating_mul(100);
            let evidence = format!("a link leads to {}: {}", one.domain, one.why);
            mine.push(Finding::new(Check::Spam, "link-listed", Action::Deliver, evidence).worth(points));
        }
        mine.extend(others);
        let decided = decide(&settings, subject, found, &mine);
        mine.extend(decided);
        mine
    }

    /// What the words say, to each recipient.
    async fn words(&self, subject: &Subject, tokens: &[u64]) -> Vec<Finding> {
        // Whoever learned something, by the recipients that are theirs alone.
        let mut own: Vec<(AccountId, Vec<usize>)> = Vec::new();
        let mut others = Vec::new();
        {
            let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
            for (at, recipient) in subject.recipients.iter().enumerate() {
                let account = match recipient.accounts.as_slice() {
                    [account] => Some(*account).filter(|account| users.learned.contains_key(account)),
                    _ => None,
                };
                let room = own.len() < SPAM_USERS_MAX;
                let known = account.and_then(|account| own.iter().position(|(known, _)| *known == account));
                match (account, known.and_then(|known| own.get_mut(known))) {
                    (_, Some((_, places))) => places.push(at),
                    (Some(account), None) if room => own.push((account, vec![at])),
                    _ => others.push(at),
                }
            }
        }
        let mut findings = Vec::new();
        for (account, places) in own {
            let Ok(Ok(table)) = timeout(SPAM_USER_TIME, self.table(account)).await else {
                self.parts.events.emit(Event::warn("spam.table_not_read").with("account", account.0));
                others.extend(places);
                continue;
            };
            let server = self.server.read().unwrap_or_else(PoisonError::into_inner);
            let user = table.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(judged) = judge(tokens, &server, Some(&user)) {
                findings.push(of_words(judged, &server, Some(&user)).only_for(places));
            }
        }
        if !others.is_empty() {
            let server = self.server.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(judged) = judge(tokens, &server, None) {
                let finding = of_words(judged, &server, None);
                findings.push(if findings.is_empty() && others.len() == subject.recipients.len() {
                    finding
                } else {
                    others.sort_unstable();
                    finding.only_for(others)
                });
            }
        }
        findings
    }
}

/// Points of words: a margin of one is five.
#[must_use]
pub fn points_of(judged: &Judged) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float ends at the type's ends")]
    let points = (judged.margin * 500.0).round() as i32;
    points.clamp(SPAM_WORDS_MIN, SPAM_WORDS_MAX)
}

fn of_words(judged: Judged, server: &Table, user: Option<&Table>) -> Finding {
    let mut evidence = format!(
        "spam by its words: {:.1} %; {} of {} tokens known; {} spam and {} ham learned",
        judged.probability() * 100.0,
        judged.known,
        judged.tokens,
        server.spam,
        server.ham
    );
    if let Some(user) = user {
        evidence.push_str(&format!(", and {} and {} by the recipient", user.spam, user.ham));
    }
    Finding::new(Check::Spam, "words", Action::Deliver, evidence).worth(points_of(&judged))
}

/// Whether the sender is proven to be the sender: SPF passed, or DMARC did.
fn is_proven(subject: &Subject, found: &[Finding]) -> bool {
    let dmarc = found.iter().any(|one| one.check == Check::Authentication && one.rule == "dmarc-pass");
    dmarc || subject.spf.as_ref().is_some_and(is_pass)
}

fn is_pass(outcome: &SpfOutcome) -> bool {
    outcome.result == mailward_core::SpfResult::Pass
}

/// What the gate saw counts half here: it was weighed there already. Who was written to is weighed by its own sign.
fn of_gate(subject: &Subject) -> Option<Finding> {
    let counted = subject.signs.iter().filter(|(word, _)| word != "correspondent");
    let sum = counted.clone().fold(0i32, |sum, (_, points)| sum.saturating_add(*points));
    let words: Vec<&str> = counted.map(|(word, _)| word.as_str()).collect();
    let points = sum.saturating_mul(50).clamp(-200, 400);
    (points != 0).then(|| Finding::new(Check::Spam, "gate", Action::Deliver, words.join(", ")).worth(points))
}

/// What follows for each recipient; nothing of those for whom nothing does.
fn decide(settings: &config::Spam, subject: &Subject, found: &[Finding], mine: &[Finding]) -> Vec<Finding> {
    let verdict = Verdict { findings: found.iter().chain(mine).cloned().collect() };
    let mut groups: Vec<(Action, i32, SpamPoints, Vec<usize>)> = Vec::new();
    for at in 0..subject.recipients.len() {
        let points = verdict.points_for(at);
        let (action, mark) = if settings.reject.reached(points) {
            (Action::Reject, settings.reject)
        } else if settings.junk.reached(points) {
            (Action::Junk, settings.junk)
        } else if settings.mark.reached(points) {
            (Action::Mark, settings.mark)
        } else {
            continue;
        };
        match groups.iter_mut().find(|group| (group.0, group.1) == (action, points)) {
            Some(group) => group.3.push(at),
            None => groups.push((action, points, mark, vec![at])),
        }
    }
    let all = subject.recipients.len();
    let finding = |(action, points, mark, places): (Action, i32, SpamPoints, Vec<usize>)| {
        let evidence = format!("{} points, {} from {mark} on", SpamPoints(Some(points)), action.name());
        let finding = Finding::new(Check::Spam, "score", action, evidence);
        if places.len() == all { finding } else { finding.only_for(places) }
    };
    groups.into_iter().map(finding).collect()
}
