//! All that a message proves of who it is from: one entry.

use super::author::{Author, AuthorFault, author};
use super::policy::Policy;
use super::reading::Reading;
use super::results::{Results, Verdict};
use super::vouched;
use crate::dmarc::{self, DmarcOutcome, DmarcResult};
use crate::spf::{Identity, SpfOutcome};
use crate::subject::{Direction, Subject};
use bytes::Bytes;
use mailward_core::limits::BLOCKING_PREPARE_BYTES;
use mailward_core::{Domain, SpfResult};
use mailward_dns::Lookup;
use std::net::IpAddr;

/// What was found out of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// Who it says that it is from.
    pub author: Result<Author, AuthorFault>,
    /// SPF of whom the envelope names, or of the greeting if that is nobody; none: not asked.
    pub spf: Option<SpfOutcome>,
    /// Its signatures and its chain.
    pub results: Results,
    /// Whether it is from whom it says; none without an author.
    pub dmarc: Option<DmarcOutcome>,
    /// Who vouches for the author, where DMARC fails.
    pub vouched: Option<Domain>,
    /// The client's address, if its name leads back to it.
    pub reverse: Option<IpAddr>,
    /// Whether what follows from it is done: it comes from a stranger.
    pub counts: bool,
    /// What is done where a domain asks for something.
    pub(super) policy: Policy,
}

/// Who answers for what. Keys are where whoever writes a message says: their questions may take long, and those for policies
/// mustn't wait behind them (attacks D8).
#[derive(Clone, Copy)]
pub struct Lookups<'a> {
    /// For keys of signatures and seals.
    pub keys: &'a dyn Lookup,
    /// For what domains ask for.
    pub policies: &'a dyn Lookup,
}

impl std::fmt::Debug for Lookups<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lookups")
    }
}

/// Looks at a message that comes in by one DNS for all, as [`check_by`] does.
pub async fn check(subject: &Subject, lookup: &dyn Lookup, policy: &Policy) -> Option<Authentication> {
    check_by(subject, Lookups { keys: lookup, policies: lookup }, policy).await
}

/// Looks at a message that comes in; what users of ours send isn't looked at (`None`). Asks `lookups`, which for strangers are
/// [`mailward_dns::InTurn`], and ends within `limits::DKIM_KEYS_TIME` and `limits::DMARC_TIME`.
pub async fn check_by(subject: &Subject, lookups: Lookups<'_>, policy: &Policy) -> Option<Authentication> {
    if subject.direction != Direction::Incoming {
        return None;
    }
    let reading = read(subject.bytes.slice(subject.trace.min(subject.bytes.len())..)).await;
    let results = reading.verify(lookups.keys, subject.now).await;
    Some(check_with(subject, results, lookups.policies, policy).await)
}

/// The same for a message whose signatures are verified already.
pub async fn check_with(subject: &Subject, results: Results, lookup: &dyn Lookup, policy: &Policy) -> Authentication {
    let author = author(subject.message());
    // What RFC 9989 §4.4.2 takes: the sender's, or the greeting's if there is none.
    let spf = subject.spf.clone().filter(|spf| spf.identity == Identity::MailFrom || subject.sender.is_none());
    let dmarc = match &author {
        Ok(author) => Some(dmarc::evaluate(lookup, &author.domain, spf.as_ref(), &results.dkim).await),
        Err(_) => None,
    };
    let fails = dmarc.as_ref().filter(|dmarc| matches!(dmarc.result, DmarcResult::Fail | DmarcResult::TempError));
    let vouched = fails.and_then(|dmarc| vouched::by(&results.arc, &dmarc.domain, &policy.trusted_sealers)).cloned();
    Authentication {
        author,
        spf,
        results,
        dmarc,
        vouched,
        reverse: subject.client.filter(|_| subject.reverse.is_some()),
        counts: subject.stranger,
        policy: policy.clone(),
    }
}

/// Reads a whole message, where it hinders nobody if it is large.
pub async fn read(message: Bytes) -> Reading {
    let read = |message: &[u8]| {
        let mut reading = Reading::new();
        reading.push(message);
        reading
    };
    if message.len() < BLOCKING_PREPARE_BYTES {
        return read(&message);
    }
    let copy = message.clone();
    match tokio::task::spawn_blocking(move || read(&copy)).await {
        Ok(reading) => reading,
        Err(_) => read(&message),
    }
}

impl Authentication {
    /// The domain of the author, if a domain proved it.
    #[must_use]
    pub fn proven(&self) -> Option<&Domain> {
        self.dmarc.as_ref().filter(|dmarc| dmarc.result == DmarcResult::Pass).map(|dmarc| &dmarc.domain)
    }

    /// Whether a signature holds.
    #[must_use]
    pub fn signed(&self) -> bool {
        self.results.dkim.iter().any(|dkim| dkim.verdict == Verdict::Pass)
    }

    /// Whether the client may send in the sender's name.
    #[must_use]
    pub fn permitted(&self) -> bool {
        self.spf.as_ref().is_some_and(|spf| spf.result == SpfResult::Pass)
    }
}
