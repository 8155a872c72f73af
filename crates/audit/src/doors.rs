//! What controls that knock at doors share: every door is asked, the worst answer counts.
//!
//! **From where**: these controls knock from this host, mostly over loopback. What Mailward grants to strangers it grants there
//! too, and no more: loopback may relay and log in as others may, unless `relay.from` or a rule names it. So what is refused there
//! is refused elsewhere, and what is taken there may be a right of loopback's own; that is said. What can't be seen from there is
//! what is done to strangers for how they look: bans never hit loopback, connections of its network aren't counted (those of its
//! address are), and the DNS knows nothing of it.

pub(crate) mod certificates;
pub(crate) mod ciphers;
pub(crate) mod clear;
pub(crate) mod commands;
pub(crate) mod content;
pub(crate) mod relay;
pub(crate) mod secured;

use crate::finding::{Exhibit, Finding};
use crate::knock::{Kind, KnockError, Talk};
use crate::scene::{Door, Protocol, Scene};
use futures_util::stream::{self, StreamExt as _};
use mailward_core::Timestamp;
use mailward_core::limits::{KNOCK_AT_ONCE, KNOCK_SESSION_TIME};
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Where other servers bring mail, and where ours may come from behind.
pub(crate) const SMTP: &[Protocol] = &[Protocol::Smtp];
/// Where users hand in mail.
pub(crate) const SUBMISSION: &[Protocol] = &[Protocol::Submission, Protocol::Submissions];
/// Wherever a kind of SMTP is spoken.
pub(crate) const SENDING: &[Protocol] = &[Protocol::Smtp, Protocol::Submission, Protocol::Submissions, Protocol::Lmtp];
/// Where users read mail.
pub(crate) const READING: &[Protocol] = &[Protocol::Imap, Protocol::Imaps, Protocol::Pop3, Protocol::Pop3s];
/// Where IMAP is spoken.
pub(crate) const IMAP: &[Protocol] = &[Protocol::Imap, Protocol::Imaps];
/// Where a dialogue by lines is held.
pub(crate) const LINES: &[Protocol] = &[
    Protocol::Smtp,
    Protocol::Submission,
    Protocol::Submissions,
    Protocol::Lmtp,
    Protocol::Imap,
    Protocol::Imaps,
    Protocol::Pop3,
    Protocol::Pop3s,
    Protocol::ManageSieve,
];
/// Where TLS may begin.
pub(crate) const TLS: &[Protocol] = &[
    Protocol::Smtp,
    Protocol::Submission,
    Protocol::Submissions,
    Protocol::Imap,
    Protocol::Imaps,
    Protocol::Pop3,
    Protocol::Pop3s,
    Protocol::Https,
    Protocol::ManageSieve,
];

/// What one door's answers amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grade {
    Bad,
    Unknown,
    Good,
    /// The question makes no sense at this door.
    Nothing,
}

/// What was seen at one door.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) grade: Grade,
    pub(crate) said: String,
    pub(crate) exhibits: Vec<Exhibit>,
}

impl Seen {
    fn new(grade: Grade, said: impl Into<String>) -> Self {
        Self { grade, said: said.into(), exhibits: Vec::new() }
    }
    pub(crate) fn good(said: impl Into<String>) -> Self {
        Self::new(Grade::Good, said)
    }
    pub(crate) fn bad(said: impl Into<String>) -> Self {
        Self::new(Grade::Bad, said)
    }
    pub(crate) fn unknown(said: impl Into<String>) -> Self {
        Self::new(Grade::Unknown, said)
    }
    pub(crate) fn nothing(said: impl Into<String>) -> Self {
        Self::new(Grade::Nothing, said)
    }
    /// Good if there is nothing to say against it.
    pub(crate) fn unless(bad: &[String], good: impl Into<String>) -> Self {
        if bad.is_empty() { Self::good(good) } else { Self::bad(bad.join("; ")) }
    }
    pub(crate) fn showing(mut self, input: impl Into<String>, output: impl Into<Vec<u8>>) -> Self {
        self.exhibits.push(Exhibit { input: input.into(), output: output.into() });
        self
    }
    /// With what was said in a dialogue.
    pub(crate) fn heard(self, door: &Door, talk: &Talk) -> Self {
        self.showing(door.to_string(), talk.transcript())
    }
}

/// What can't be found out isn't tested; a door without TLS has nothing to ask about it.
impl From<KnockError> for Seen {
    fn from(error: KnockError) -> Self {
        match error {
            KnockError::Refused("STARTTLS", said) => Self::nothing(format!("there is no TLS ({said})")),
            other => Self::unknown(other.to_string()),
        }
    }
}

/// Either way out of a look at a door.
pub(crate) fn settled(looked: Result<Seen, KnockError>) -> Seen {
    looked.unwrap_or_else(Seen::from)
}

/// Something that is waited for, of a kind that several can stand in a list.
pub(crate) type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A look at one door.
pub(crate) type Looked<'a> = Waiting<'a, Result<Seen, KnockError>>;

/// Looks at every door of these protocols at the same time; `none` is found where there is no such door.
pub(crate) async fn each(
    scene: &Scene,
    protocols: &[Protocol],
    none: fn() -> Finding,
    look: for<'a> fn(&'a Scene, &'a Door) -> Looked<'a>,
) -> Finding {
    looked(scene, protocols, none, look, KNOCK_AT_ONCE).await
}

/// The same, one door after the other: where what is asked of one is felt at all.
pub(crate) async fn in_turn(
    scene: &Scene,
    protocols: &[Protocol],
    none: fn() -> Finding,
    look: for<'a> fn(&'a Scene, &'a Door) -> Looked<'a>,
) -> Finding {
    looked(scene, protocols, none, look, 1).await
}

async fn looked(
    scene: &Scene,
    protocols: &[Protocol],
    none: fn() -> Finding,
    look: for<'a> fn(&'a Scene, &'a Door) -> Looked<'a>,
    at_once: usize,
) -> Finding {
    if scene.doors.is_empty() {
        return Finding::not_tested("no door is known: the server doesn't run, or couldn't say where it listens");
    }
    let doors = scene.doors(protocols);
    if doors.is_empty() {
        return none();
    }
    let mut looks: Vec<Waiting<'_, (&Door, Seen)>> = Vec::new();
    for door in doors {
        looks.push(Box::pin(async move {
            let looked = tokio::time::timeout(KNOCK_SESSION_TIME, look(scene, door)).await;
            (door, looked.map_or_else(|_late| Seen::from(KnockError::Late), settled))
        }));
    }
    joined(stream::iter(looks).buffered(at_once).collect().await)
}

/// The worst counts, and is told with where it was seen.
pub(crate) fn joined(seen: Vec<(&Door, Seen)>) -> Finding {
    let of = |grade: Grade| {
        let told = seen.iter().filter(|(_, seen)| seen.grade == grade);
        told.map(|(door, seen)| format!("{door}: {}", seen.said)).collect::<Vec<_>>()
    };
    let (bad, unknown, good) = (of(Grade::Bad), of(Grade::Unknown), of(Grade::Good));
    let finding = if !bad.is_empty() {
        Finding::fail(bad.join(" / "))
    } else if !unknown.is_empty() {
        Finding::not_tested(unknown.join(" / "))
    } else if !good.is_empty() {
        Finding::pass(good.join(" / "))
    } else {
        Finding::not_tested(of(Grade::Nothing).join(" / "))
    };
    // What speaks against it comes first, as only so many are kept.
    let mut seen: Vec<Seen> = seen.into_iter().map(|(_, seen)| seen).collect();
    seen.sort_by_key(|seen| seen.grade != Grade::Bad);
    finding.showing_all(seen.into_iter().flat_map(|seen| seen.exhibits))
}

/// A domain of the server, or what it calls itself.
pub(crate) fn our_domain<'a>(scene: &'a Scene, door: &'a Door) -> &'a str {
    let told = scene.state.as_ref().and_then(|state| state.domains.first());
    told.map_or(door.name.as_str(), String::as_str)
}

/// Whom what is said at a door is about.
#[derive(Clone, Debug)]
pub(crate) struct Us {
    /// A domain of the server.
    pub(crate) domain: String,
    /// Who gets the messages that are sent.
    pub(crate) recipient: String,
    /// When the look began.
    pub(crate) now: Timestamp,
}

impl Us {
    /// Messages go to the account that is there for it, or else to whom every server has.
    pub(crate) fn of(scene: &Scene, door: &Door) -> Self {
        let domain = our_domain(scene, door).to_owned();
        let recipient = match &scene.canary {
            Some(account) => account.address.clone(),
            None => format!("postmaster@{domain}"),
        };
        Self { domain, recipient, now: scene.now }
    }
}

/// What is found where there is no door of the kind: nothing can be wrong with it.
pub(crate) fn no_such_door() -> Finding {
    Finding::not_applicable("the server has no such door")
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol.word(), self.address)
    }
}

impl Protocol {
    /// Its name in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Protocol::Smtp => "smtp",
            Protocol::Submission => "submission",
            Protocol::Submissions => "submissions",
            Protocol::Imap => "imap",
            Protocol::Imaps => "imaps",
            Protocol::Pop3 => "pop3",
            Protocol::Pop3s => "pop3s",
            Protocol::Lmtp => "lmtp",
            Protocol::Https => "https",
            Protocol::ManageSieve => "managesieve",
        }
    }
}

/// How to mend what nobody can set: what Mailward does of itself, and who it is that doesn't.
macro_rules! made_so {
    ($does:literal) => {
        concat!(
            $does,
            "; if this fails, another program answers at that port (`ss -ltnp` names it), or something on the way changes what is \
             said (`nft list ruleset` shows redirects; a firewall's mail inspection and virus scanners in front do it, too)."
        )
    };
}
pub(crate) use made_so;

/// Why what needs a login isn't tested.
pub(crate) const NO_CANARY: &str = "this needs a login, and the audit has no account to try with";

/// A session of IMAP under TLS in which the audit's account is logged in; `None` without such an account.
///
/// # Errors
/// [`KnockError`]; [`KnockError::Refused`] if it isn't let in.
pub(crate) async fn logged_in(scene: &Scene, door: &Door) -> Result<Option<Talk>, KnockError> {
    let Some(account) = &scene.canary else { return Ok(None) };
    let mut talk = Talk::secured(door).await?;
    let password = String::from_utf8_lossy(account.password.expose()).into_owned();
    let (user, word) = (quoted(&account.address), quoted(&password));
    let answer = talk.ask_hidden(&format!("LOGIN {user} {word}"), "LOGIN (the audit's account)").await?;
    match answer.kind {
        Kind::Yes => Ok(Some(talk)),
        _ => Err(KnockError::Refused("the login of the audit's account", answer.text())),
    }
}

/// A quoted string of IMAP (RFC 9051 §4.3).
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static OPEN: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);

    /// Looks for a while, and counts who looks meanwhile.
    fn crowded<'a>(_: &'a Scene, _: &'a Door) -> Looked<'a> {
        Box::pin(async {
            MOST.fetch_max(OPEN.fetch_add(1, Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            OPEN.fetch_sub(1, Ordering::Relaxed);
            Ok(Seen::good("so it is"))
        })
    }

    #[tokio::test]
    async fn however_many_doors_there_are_so_many_are_looked_at_at_once() {
        let host = Host::at("/nowhere", false, Box::new(BTreeMap::new()));
        let mut scene = Scene::of(host, Timestamp(0));
        for port in 1..=u16::try_from(3 * KNOCK_AT_ONCE).unwrap_or(u16::MAX) {
            let address = ([127, 0, 0, 1], port).into();
            scene.doors.push(Door { protocol: Protocol::Imaps, address, name: String::new() });
        }
        let found = each(&scene, &[Protocol::Imaps], no_such_door, crowded).await;
        assert_eq!((found.verdict, MOST.load(Ordering::Relaxed)), (crate::Verdict::Pass, KNOCK_AT_ONCE));
        MOST.store(0, Ordering::Relaxed);
        in_turn(&scene, &[Protocol::Imaps], no_such_door, crowded).await;
        assert_eq!(MOST.load(Ordering::Relaxed), 1);
    }
}
