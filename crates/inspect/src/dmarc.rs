//! DMARC: whether a message is from the domain that its `From` names, and what that domain asks for if it isn't (RFC 9989).
//!
//! [`evaluate`] takes what SPF and DKIM found out. The DNS is asked at most at `limits::DMARC_QUERIES_MAX` places for the
//! author's domain, and only below the author's organisation for others: nobody else's servers can hold an answer up or make
//! it unknown.
//!
//! **Limits**: [`DMARC_QUERIES_MAX`](mailward_core::limits::DMARC_QUERIES_MAX) and the others of `limits::DMARC_*`.
//!
//! **Not done**: failure reports (`ruf`): they bring what users write to strangers.

mod consent;
mod record;
mod walk;

pub use consent::takes_reports;
pub use record::{Psd, Record, Request};

use crate::authenticate::{Dkim, Verdict};
use crate::spf::SpfOutcome;
use mailward_core::limits::DMARC_TIME;
use mailward_core::{Domain, SpfResult};
use mailward_dns::{Lookup, LookupError, Name};
use std::fmt;
use tokio::time::{Instant, timeout_at};
use walk::{Unknown, Walks};

/// What came of it (RFC 9989 §9.1, RFC 8601 §2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DmarcResult {
    /// The domain has no policy.
    None,
    /// It is from the domain.
    Pass,
    /// It isn't, for all that it proves.
    Fail,
    /// It can't be known now.
    TempError,
}

impl DmarcResult {
    /// As a field says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
        }
    }
}

impl fmt::Display for DmarcResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The record that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whose it is.
    pub domain: Name,
    /// What it says.
    pub record: Record,
    /// What it asks for the author's domain.
    pub request: Request,
    /// The tag that says so: `p`, `sp` or `np`.
    pub tag: &'static str,
}

impl Policy {
    /// What is to be done with a message that fails: what is asked for, or one step less where the policy is only tried out
    /// (RFC 9989 §4.7, `t`).
    #[must_use]
    pub const fn wanted(&self) -> Request {
        if self.record.test { self.request.one_less() } else { self.request }
    }
}

/// Whether a message is from whom it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcOutcome {
    /// The result.
    pub result: DmarcResult,
    /// The author's domain.
    pub domain: Domain,
    /// The record that counts, if there is one.
    pub policy: Option<Policy>,
    /// What the domain wants done with this message: none unless it fails, and one step less if it only tries its policy
    /// out.
    pub disposition: Request,
    /// SPF passes for a domain of the author's organisation.
    pub aligned_spf: bool,
    /// A signature of the author's organisation holds.
    pub aligned_dkim: bool,
    /// Why, in one line: ASCII without quotes and control characters.
    pub why: String,
}

/// Judges what a message proves: whether one of the domains that it proves is the author's. Ends within
/// `limits::DMARC_TIME`.
pub async fn evaluate(lookup: &dyn Lookup, author: &Domain, spf: Option<&SpfOutcome>, dkim: &[Dkim]) -> DmarcOutcome {
    let mut outcome = DmarcOutcome {
        result: DmarcResult::None,
        domain: author.clone(),
        policy: None,
        disposition: Request::None,
        aligned_spf: false,
        aligned_dkim: false,
        why: String::new(),
    };
    let now = Instant::now();
    let deadline = now.checked_add(DMARC_TIME).unwrap_or(now);
    let judged = timeout_at(deadline, judge(lookup, spf, dkim, &mut outcome)).await;
    let (result, why) = match judged {
        Ok(Ok(result)) => result,
        Ok(Err(Unknown(name))) => (DmarcResult::TempError, format!("{name} can't be looked up now")),
        Err(_) => {
            let why = format!("the policy of {author} couldn't be looked up within {} s", DMARC_TIME.as_secs());
            (DmarcResult::TempError, why)
        }
    };
    // A greeting may be any name that the DNS can hold.
    let why = why.chars().map(|c| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '?' }).collect();
    (outcome.result, outcome.why) = (result, why);
    if let Some(policy) = outcome.policy.as_ref().filter(|_| result == DmarcResult::Fail) {
        outcome.disposition = policy.wanted();
    }
    outcome
}

/// The policy of a domain, for those who only want to know it.
///
/// # Errors
/// The name that can't be looked up now.
pub async fn discover(lookup: &dyn Lookup, author: &Domain) -> Result<Option<Policy>, Name> {
    let mut walks = Walks::new(lookup);
    policy(&mut walks, lookup, author).await.map_err(|Unknown(name)| name)
}

/// The organisation of a domain (RFC 9989 §4.10.2).
///
/// # Errors
/// The name that can't be looked up now.
pub async fn organization(lookup: &dyn Lookup, domain: &Domain) -> Result<Name, Name> {
    let walk = Walks::new(lookup).up(&Name::from(domain)).await;
    walk.map(|walk| walk.organization).map_err(|Unknown(name)| name)
}

async fn judge(
    lookup: &dyn Lookup,
    spf: Option<&SpfOutcome>,
    dkim: &[Dkim],
    outcome: &mut DmarcOutcome,
) -> Result<(DmarcResult, String), Unknown> {
    let mut walks = Walks::new(lookup);
    let author = outcome.domain.clone();
    outcome.policy = policy(&mut walks, lookup, &author).await?;
    let Some(policy) = &outcome.policy else {
        return Ok((DmarcResult::None, format!("{author} has no DMARC policy")));
    };
    let mut aligned = Aligned { author: Name::from(&author), organization: None, walks };
    let mut unknown = None;
    let (strict_spf, strict_dkim) = (policy.record.strict_spf, policy.record.strict_dkim);
    if let Some(spf) = spf
        && let Some(domain) = &spf.domain
        && (spf.result == SpfResult::Pass || spf.result == SpfResult::TempError)
    {
        match aligned.is(domain, strict_spf).await {
            Ok(true) if spf.result == SpfResult::Pass => outcome.aligned_spf = true,
            Ok(true) => unknown = unknown.or(Some(domain.clone())),
            Ok(false) => {}
            Err(Unknown(name)) => unknown = unknown.or(Some(name)),
        }
    }
    for signature in dkim {
        let Some((domain, _)) = &signature.signer else { continue };
        if outcome.aligned_dkim || !matches!(signature.verdict, Verdict::Pass | Verdict::TempError) {
            continue;
        }
        match aligned.is(&Name::from(domain), strict_dkim).await {
            Ok(true) if signature.verdict == Verdict::Pass => outcome.aligned_dkim = true,
            Ok(true) => unknown = unknown.or_else(|| Some(Name::from(domain))),
            Ok(false) => {}
            Err(Unknown(name)) => unknown = unknown.or(Some(name)),
        }
    }
    Ok(if outcome.aligned_spf || outcome.aligned_dkim {
        (DmarcResult::Pass, String::new())
    } else if let Some(name) = unknown {
        // RFC 9989 §5.3.6: nobody can say that it fails.
        (DmarcResult::TempError, format!("{name} can't be looked up now"))
    } else {
        (DmarcResult::Fail, format!("neither SPF nor DKIM proves that it is from {author}"))
    })
}

/// RFC 9989 §4.10.1.
async fn policy(walks: &mut Walks<'_>, lookup: &dyn Lookup, author: &Domain) -> Result<Option<Policy>, Unknown> {
    let name = Name::from(author);
    if let Some(record) = walks.record(&name).await? {
        let request = record.policy;
        return Ok((!record.void).then_some(Policy { domain: name, record, request, tag: "p" }));
    }
    let walk = walks.up(&name).await?;
    // The organisation's, or else that of the public suffix above it.
    let own = walk.found.iter().find(|(domain, _)| *domain == walk.organization);
    let Some((domain, record)) = own.or(walk.found.last()).cloned() else { return Ok(None) };
    if record.void {
        return Ok(None);
    }
    let below = record.below.map_or((record.policy, "p"), |request| (request, "sp"));
    let (request, tag) = match record.missing {
        Some(request) if request != below.0 && !exists(lookup, author).await? => (request, "np"),
        _ => below,
    };
    Ok(Some(Policy { domain, record, request, tag }))
}

/// Whether there is such a name, whatever stands at it (RFC 9989 §3.2.13, RFC 8020): any type of record tells.
async fn exists(lookup: &dyn Lookup, domain: &Domain) -> Result<bool, Unknown> {
    match lookup.mx(domain).await {
        Err(LookupError::NoName { .. }) => Ok(false),
        Err(error) if error.is_temporary() => Err(Unknown(Name::from(domain))),
        Ok(_) | Err(_) => Ok(true),
    }
}

/// Whether domains are the author's.
struct Aligned<'a> {
    author: Name,
    organization: Option<Name>,
    walks: Walks<'a>,
}

impl Aligned<'_> {
    /// RFC 9989 §4.4, §4.10.2.
    async fn is(&mut self, domain: &Name, strict: bool) -> Result<bool, Unknown> {
        if *domain == self.author {
            return Ok(true);
        }
        if strict {
            return Ok(false);
        }
        let organization = match &self.organization {
            Some(known) => known.clone(),
            None => {
                let found = self.walks.up(&self.author).await?.organization;
                self.organization = Some(found.clone());
                found
            }
        };
        // An organisation is above its domains: others needn't be asked about.
        if !domain.is_within(&organization) {
            return Ok(false);
        }
        Ok(self.walks.up(domain).await?.organization == organization)
    }
}

impl DmarcOutcome {
    /// Its part of an `Authentication-Results` field, without line ends (RFC 8601 §2.2, RFC 9989 §9.1).
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("dmarc={}", self.result);
        if !self.why.is_empty() && self.result != DmarcResult::None {
            text.push_str(&format!(" reason=\"{}\"", self.why));
        }
        text.push_str(&format!(" header.from={}", self.domain));
        if let Some(policy) = &self.policy {
            text.push_str(&format!(" polrec.p={} polrec.domain={}", policy.record.policy, policy.domain));
        }
        text
    }
}

#[cfg(test)]
mod tests;
