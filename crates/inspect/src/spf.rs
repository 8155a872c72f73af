//! SPF: whether a client may send in a domain's name (RFC 7208), for both names that it gives: the one it greets with and
//! the one its message is from.
//!
//! [`check_host`] takes what a session knows; [`judge`] takes what the standard's function of that name does.
//!
//! **Limits**: [`SPF_TIME`](mailward_core::limits::SPF_TIME) and the others of `limits::SPF_*`. A record that goes beyond is
//! an error of its domain; time that runs out is one that may pass.
//!
//! **Not done**: the type SPF (RFC 7208 §3.1), and `Received-SPF` (§9.1): what was found stands in `Authentication-Results`.

mod evaluate;
mod macros;
mod record;

use evaluate::Check;
use mailward_core::limits::{SPF_HELLO_MAX, SPF_HELLO_QUESTIONS_MAX, SPF_QUESTIONS_MAX, SPF_TIME, SPF_WORDS_MAX};
use mailward_core::{Address, Domain, SpfResult, Timestamp};
use mailward_dns::{Lookup, Name};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;

pub use macros::{MacroFault, MacroString, Place, Values};
pub use record::{Directive, Hosts, Mechanism, Record, RecordFault, TermFault, select};

/// Whom a session asks about.
#[derive(Clone, Copy, Debug)]
pub struct SpfAsked<'a> {
    /// The client; one that is mapped into IPv6 is the IPv4 address.
    pub ip: IpAddr,
    /// What it greets with, as it came.
    pub hello: &'a str,
    /// Whom its message is from. `None`: nobody (`<>`), or only the greeting is to be judged; then it is `postmaster` of
    /// what it greets with (RFC 7208 §2.4).
    pub sender: Option<&'a Address>,
    /// Who we are, for explanations.
    pub hostname: &'a Domain,
    /// The time, for explanations.
    pub now: Timestamp,
}

/// The arguments of `check_host()` (RFC 7208 §4.1), and what macros may stand for.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    /// The client.
    pub ip: IpAddr,
    /// Before the sender's `@`, as it is meant, without quotes; `postmaster` if that is nothing (§4.3).
    pub local: &'a str,
    /// Behind it: whose record is asked for. May be no domain at all.
    pub domain: &'a str,
    /// What the client greets with; only its first `limits::SPF_HELLO_MAX` bytes count.
    pub hello: &'a str,
    /// Who we are.
    pub hostname: &'a Domain,
    /// The time.
    pub now: Timestamp,
    /// Which of the client's names it is.
    pub identity: Identity,
}

/// A name that a client gives (RFC 7208 §2.3, §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// What it greets with.
    Hello,
    /// Whom the message is from.
    MailFrom,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfOutcome {
    /// The result.
    pub result: SpfResult,
    /// Which name was judged.
    pub identity: Identity,
    /// Whose record was asked for; none if the name is no domain that could have one.
    pub domain: Option<Name>,
    /// How the domain explains a fail: what an outsider wrote, visible ASCII characters and blanks, at most
    /// `limits::SPF_EXPLANATION_MAX` bytes. To be quoted as theirs (RFC 7208 §6.2).
    pub explanation: Option<String>,
    /// What matched in the domain's record, as it stands there: visible ASCII, at most `limits::SPF_WORDS_MAX` bytes. None
    /// if nothing did.
    pub mechanism: Option<String>,
    /// Why, in one line: ASCII without control characters, at most `limits::SPF_WORDS_MAX` bytes. May quote records.
    pub why: String,
    /// Whether the sender's local part had a say in it: another sender of the same domain has to be asked about anew.
    pub personal: bool,
}

/// How many questions of a check may still be asked.
#[derive(Debug)]
pub struct Questions(AtomicUsize);

impl Default for Questions {
    fn default() -> Self {
        Self::at_most(SPF_QUESTIONS_MAX)
    }
}

impl Questions {
    const fn at_most(most: usize) -> Self {
        Self(AtomicUsize::new(most))
    }

    /// Takes one, if there is one left.
    pub(crate) fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// Judges whom a message is from; or, if it is from nobody, what the client greets with. Ends within `limits::SPF_TIME`.
pub async fn check_host(lookup: &dyn Lookup, asked: &SpfAsked<'_>) -> SpfOutcome {
    checked(lookup, asked, &Questions::default()).await
}

/// Judges what a client greets with, beside whom its message is from, which decides (RFC 7208 §2.4): so it has fewer
/// questions, `limits::SPF_HELLO_QUESTIONS_MAX`, and takes none from [`check_host`]. Ends within `limits::SPF_TIME`.
pub async fn check_hello(lookup: &dyn Lookup, asked: &SpfAsked<'_>) -> SpfOutcome {
    let greeting = SpfAsked { sender: None, ..*asked };
    checked(lookup, &greeting, &Questions::at_most(SPF_HELLO_QUESTIONS_MAX)).await
}

async fn checked(lookup: &dyn Lookup, asked: &SpfAsked<'_>, questions: &Questions) -> SpfOutcome {
    let SpfAsked { ip, hello, sender, hostname, now } = *asked;
    let hello = greeting(hello);
    let host = sender.map(|address| address.host().to_string());
    let given = Given {
        ip,
        local: sender.map_or("", |address| address.local().as_str()),
        domain: host.as_deref().unwrap_or(&hello),
        hello: &hello,
        hostname,
        now,
        identity: if sender.is_some() { Identity::MailFrom } else { Identity::Hello },
    };
    judge(lookup, &given, questions).await
}

/// RFC 8616 §4: as its A-labels, if it is a domain that is written in U-labels.
fn greeting(hello: &str) -> Cow<'_, str> {
    if hello.is_ascii() {
        return Cow::Borrowed(hello);
    }
    Domain::parse_utf8(hello).map_or(Cow::Borrowed(hello), |domain| Cow::Owned(domain.into()))
}

/// `check_host()` of RFC 7208 §4, with a budget of questions. Ends within `limits::SPF_TIME`.
pub async fn judge(lookup: &dyn Lookup, given: &Given<'_>, questions: &Questions) -> SpfOutcome {
    let outcome = |result, domain, why: String| SpfOutcome {
        result,
        identity: given.identity,
        domain,
        explanation: None,
        mechanism: None,
        why: short(&why),
        personal: false,
    };
    let Some(domain) = domain(given.domain) else {
        return outcome(SpfResult::None, None, "the name is no domain that could have an SPF record".to_owned());
    };
    let given = Given {
        ip: given.ip.to_canonical(),
        local: if given.local.is_empty() { "postmaster" } else { given.local },
        // Without the root's dot, which macros would double.
        domain: domain.as_str(),
        hello: cut(given.hello, SPF_HELLO_MAX),
        ..*given
    };
    let now = Instant::now();
    let deadline = now.checked_add(SPF_TIME).unwrap_or(now);
    let mut check = Check::new(lookup, &given, questions);
    let verdict = match tokio::time::timeout_at(deadline, Box::pin(check.host(domain.clone()))).await {
        Ok(verdict) => verdict,
        Err(_) => {
            let why =
                format!("what {domain} says of its senders couldn't be looked up within {} s", SPF_TIME.as_secs());
            return outcome(SpfResult::TempError, Some(domain), why);
        }
    };
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(stop) => {
            let personal = check.is_personal();
            return SpfOutcome { personal, ..outcome(stop.result(), Some(domain), stop.into_words()) };
        }
    };
    let explanation = match &verdict.explanation {
        Some(asked) if verdict.result == SpfResult::Fail => {
            // What doesn't come in time isn't given; the result stands (RFC 7208 §6.2).
            tokio::time::timeout_at(deadline, Box::pin(check.explanation(asked))).await.ok().flatten()
        }
        _ => None,
    };
    let mechanism = verdict.mechanism.as_deref().map(short);
    let personal = check.is_personal();
    SpfOutcome { explanation, mechanism, personal, ..outcome(verdict.result, Some(domain), verdict.why) }
}

/// RFC 7208 §4.3: more than one label, and none of it what an address has.
fn domain(text: &str) -> Option<Name> {
    let name = Name::parse(text).ok()?;
    let (_, last) = name.as_str().rsplit_once('.')?;
    let address = last.ends_with(']') || last.bytes().all(|byte| byte.is_ascii_digit());
    (!address).then_some(name)
}

fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// Fit for [`SpfOutcome`].
fn short(why: &str) -> String {
    why.chars().take(SPF_WORDS_MAX).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

impl SpfOutcome {
    /// Its part of an `Authentication-Results` field, without line ends (RFC 8601 §2.2, §2.7.2):
    /// `spf=pass smtp.mailfrom=example.org`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("spf={}", self.result);
        if matches!(self.result, SpfResult::TempError | SpfResult::PermError) {
            text.push_str(&format!(" reason={}", quoted(&self.why)));
        }
        if let Some(name) = &self.domain {
            let property = match self.identity {
                Identity::Hello => "smtp.helo",
                Identity::MailFrom => "smtp.mailfrom",
            };
            let value = if name.domain().is_some() { name.to_string() } else { quoted(name.as_str()) };
            text.push_str(&format!(" {property}={value}"));
        }
        text
    }
}

/// As a quoted string (RFC 5322 §3.2.4).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}
