//! Links of the quarantine's digest: what they do, how often, how long, and what is shown behind them.

use crate::canary::{Digest, Held};
use crate::control::{Control, Needs};
use crate::doors::made_so;
use crate::finding::Finding;
use crate::host::Missed;
use crate::inject::{By, Fate, NOBODY, Says, Trial, injected, specimens};
use crate::knock::{Asking, KnockError, Page, page};
use crate::scene::{Door, Protocol, Scene};
use mailward_core::limits::{AUDIT_LINK_ENDS, AUDIT_LINK_TIME};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

pub(in crate::controls) const DIGEST: &[Control] = &[injected!(
    Filtering,
    "FLT-10",
    10,
    None,
    None,
    "Does a link of the quarantine's digest ask before it acts, act once, end in time, and show what strangers wrote as text?",
    "Programs follow every link in mail: one that acts when it is opened lets the spam in. One that works for ever is used by whoever \
     finds the mail. A file's name that runs as a script acts for the user who looks at it.",
    "A message whose subject, sender and file's name are tags of HTML is brought to the audit's account and kept, and a digest is made \
     for that account alone, twice. A link of the first ends after four seconds: it must lead somewhere before and nowhere \
     afterwards. Links of the second are followed by GET and HEAD, which must change nothing; a link with another word must do nothing; \
     POST must release the message, and do nothing a second time. In the digest and on the page the tags must be text.",
    made_so!("Mailward's links are so by themselves (docs/quarantine.md)"),
    "CVE-2026-40873; CVE-2026-40871; mailcow PR #3007",
    |scene| links(scene),
)
.needing(Needs::Mail)];

/// Ends of tags that hostile text begins with, and a tag that runs something when its picture can't be had; a number tells which.
const TAGS: [(&str, &str); 3] = [
    ("the subject", "<img src=x onerror=a1>"),
    ("the sender's name", "<img src=x onerror=a2>"),
    ("a file's name", "<img src=x onerror=a3>"),
];

async fn links(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let Some(door) = scene.doors(&[Protocol::Https]).first().copied() else {
        return Finding::not_applicable("the server has no door for pages, so that no digest has links");
    };
    let mut tried = Tried { trial, door, marker: trial.marker("FLT-10", "digest"), bad: Vec::new(), said: Vec::new() };
    let finding = match tried.whole().await {
        Err(Stopped::Found(finding)) => finding,
        Err(Stopped::Blind(why)) if tried.bad.is_empty() => Finding::not_tested(why),
        Err(Stopped::Blind(_)) => Finding::fail(tried.bad.join("; ")),
        Ok(()) if tried.bad.is_empty() => Finding::pass(
            "a link ends, asks before it acts, acts once, and what strangers wrote is text in the digest and on its page",
        ),
        Ok(()) => Finding::fail(tried.bad.join("; ")),
    };
    finding.showing(door.to_string(), tried.said)
}

/// Why it didn't come to its end.
enum Stopped {
    /// This is the answer.
    Found(Finding),
    /// Nobody can tell, unless something bad was seen already.
    Blind(String),
}

impl From<Missed> for Stopped {
    fn from(missed: Missed) -> Self {
        Self::Blind(missed.to_string())
    }
}

impl From<KnockError> for Stopped {
    fn from(error: KnockError) -> Self {
        Self::Blind(error.to_string())
    }
}

struct Tried<'a> {
    trial: Trial<'a>,
    door: &'a Door,
    marker: String,
    /// What was seen that shouldn't be.
    bad: Vec<String>,
    said: Vec<u8>,
}

impl Tried<'_> {
    async fn whole(&mut self) -> Result<(), Stopped> {
        self.keep().await?;
        self.ends().await?;
        let digest = self.digest(AUDIT_LINK_TIME).await?;
        self.shown("the digest", &digest.html, TAGS.get(..2).unwrap_or_default());
        let link = Link::after(&digest.text, &self.marker).ok_or_else(no_link)?;
        self.looked_at(&link).await?;
        self.made_up(&link).await?;
        self.acts_once(&link).await
    }

    /// Has the message kept.
    async fn keep(&mut self) -> Result<(), Stopped> {
        let (trial, marker) = (self.trial, &self.marker);
        let [(_, subject), (_, name), (_, file)] = TAGS;
        let says = Says { sender: String::new(), fields: format!("From: \"\\\"> {name}\" <audit@{NOBODY}>\r\n") };
        let message = trial.message(
            marker,
            &format!("\"> {subject} {marker}"),
            &says,
            &specimens::named(&format!("\"> {file}.txt")),
        );
        let sent = trial.bring("a harmless file with a hostile name", marker, &says.sender, &message).await;
        self.said.extend(sent.transcript);
        if !matches!(sent.fate, Fate::Arrived(_)) {
            return Err(Stopped::Blind(format!("a harmless message doesn't arrive: {}", sent.fate.words())));
        }
        if !trial.canary.hold(marker, Held::ForUsers).await? {
            let why = "users may decide on nothing that is kept, so that no digest has links";
            return Err(Stopped::Found(Finding::not_applicable(why)));
        }
        if self.is_kept().await? { Ok(()) } else { Err(Stopped::Blind("the message can't be kept".to_owned())) }
    }

    /// Whether a link ends.
    async fn ends(&mut self) -> Result<(), Stopped> {
        let digest = self.digest(AUDIT_LINK_ENDS).await?;
        // It was made before that.
        let over = Instant::now().checked_add(AUDIT_LINK_ENDS).ok_or_else(no_link)?;
        let link = Link::after(&digest.text, &self.marker).ok_or_else(no_link)?;
        let before = self.ask("GET", &link, "").await?;
        if before.status != 200 {
            return Err(Stopped::Blind(format!("a new link is answered with {}", before.status)));
        }
        sleep_until(over).await;
        let (seen, done) = (self.ask("GET", &link, "").await?, self.ask("POST", &link, RELEASE).await?);
        for (what, page) in [("looked at", seen), ("used", done)] {
            if is_taken(&page) {
                self.bad.push(format!("a link that is over can be {what} ({})", page.status));
            }
        }
        self.still_kept("by a link that is over").await
    }

    /// Whether looking changes anything, and what is to be seen.
    async fn looked_at(&mut self, link: &Link) -> Result<(), Stopped> {
        let seen = self.ask("GET", link, "").await?;
        if seen.status != 200 {
            return Err(Stopped::Blind(format!("a link of the digest is answered with {}", seen.status)));
        }
        self.shown("its page", &String::from_utf8_lossy(&seen.content), &TAGS);
        for act in [RELEASE, "/report", "/delete"] {
            for method in ["GET", "HEAD"] {
                self.ask(method, link, act).await?;
            }
        }
        self.still_kept("when its links were only followed").await
    }

    /// Whether a word that was never given does anything.
    async fn made_up(&mut self, link: &Link) -> Result<(), Stopped> {
        for other in [link.near(), Link { word: "A".repeat(link.word.len()), ..link.clone() }] {
            for (method, act) in [("GET", ""), ("POST", RELEASE)] {
                let answer = self.ask(method, &other, act).await?;
                if is_taken(&answer) {
                    self.bad
                        .push(format!("{method} of a word that was never given is answered with {}", answer.status));
                }
            }
        }
        self.still_kept("by a word that was never given").await
    }

    async fn acts_once(&mut self, link: &Link) -> Result<(), Stopped> {
        let first = self.ask("POST", link, RELEASE).await?;
        if self.is_kept().await? || self.arrived().await? != 1 {
            self.bad.push(format!("POST ({}) doesn't release the message", first.status));
            return Ok(());
        }
        for act in [RELEASE, "/delete"] {
            let again = self.ask("POST", link, act).await?;
            if is_taken(&again) {
                self.bad.push(format!("a link that was used is taken again ({} for {act})", again.status));
            }
        }
        if self.arrived().await? != 1 {
            self.bad.push("a link that was used acts again".to_owned());
        }
        Ok(())
    }

    async fn digest(&mut self, lasts: Duration) -> Result<Digest, Stopped> {
        let digest = self.trial.canary.digest(lasts).await?;
        digest.ok_or_else(|| {
            Stopped::Blind("the server makes no digest of what is kept for the audit's account".to_owned())
        })
    }

    async fn ask(&mut self, method: &str, link: &Link, act: &str) -> Result<Page, KnockError> {
        let fields = match method {
            "POST" => format!("Origin: https://{}\r\nSec-Fetch-Site: same-origin\r\n", link.host),
            _ => String::new(),
        };
        let target = format!("{}{}{act}", link.path, link.word);
        let asking = Asking { method, target: &target, host: &link.host, fields: &fields, shown: None };
        let (page, transcript) = page(self.door, &asking).await?;
        // Whoever has the word can act: it isn't evidence.
        let told = String::from_utf8_lossy(&transcript).replace(&link.word, "(word)");
        self.said.extend_from_slice(told.as_bytes());
        self.said.push(b'\n');
        Ok(page)
    }

    async fn is_kept(&self) -> Result<bool, Missed> {
        Ok(!self.trial.canary.quarantined(&self.marker).await?.is_empty())
    }

    async fn arrived(&self) -> Result<usize, Missed> {
        Ok(self.trial.canary.arrived(&self.marker).await?.len())
    }

    /// What follows can't be told if it isn't.
    async fn still_kept(&mut self, how: &str) -> Result<(), Stopped> {
        if self.is_kept().await? && self.arrived().await? == 0 {
            return Ok(());
        }
        self.bad.push(format!("the message went {how}"));
        Err(Stopped::Blind("the message isn't kept any more".to_owned()))
    }

    /// What is shown of hostile text has to be text.
    fn shown(&mut self, place: &str, html: &str, tags: &[(&str, &str)]) {
        let html = html.to_ascii_lowercase();
        for (what, tag) in tags {
            if html.contains(tag) {
                self.bad.push(format!("{what} is a tag in {place}"));
            } else if !html.contains(&escaped(tag)) {
                self.bad.push(format!("{what} isn't in {place}"));
            }
        }
    }
}

const RELEASE: &str = "/release";

fn is_taken(page: &Page) -> bool {
    (200..300).contains(&page.status)
}

/// As it stands in a page.
fn escaped(tag: &str) -> String {
    tag.replace('<', "&lt;").replace('>', "&gt;")
}

fn no_link() -> Stopped {
    Stopped::Blind("the digest has no link for the message".to_owned())
}

/// Where a message is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    host: String,
    /// `/quarantine/`.
    path: &'static str,
    word: String,
}

impl Link {
    /// The first one behind this text.
    fn after(text: &str, marker: &str) -> Option<Self> {
        const PATH: &str = "/quarantine/";
        let (_, rest) = text.split_once(marker)?;
        let (_, rest) = rest.split_once("https://")?;
        let (host, rest) = rest.split_once(PATH)?;
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let word: String = rest.chars().take_while(|c| is_word(*c)).collect();
        let is_good = !host.is_empty() && host.chars().all(is_host) && (16..=256).contains(&word.len());
        is_good.then(|| Self { host: host.to_owned(), path: PATH, word })
    }

    /// With a word that differs in one letter.
    fn near(&self) -> Self {
        let mut word = self.word.clone();
        let first = if word.starts_with('A') { 'B' } else { 'A' };
        word.replace_range(..1, &first.to_string());
        Self { word, ..self.clone() }
    }
}

/// The host that the first link of a digest leads to, for fuzzing.
pub(crate) fn linked_host(text: &str) -> Option<String> {
    Link::after(text, "").map(|link| link.host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_link_of_the_message_is_taken_and_no_other() {
        let text = "1. other\n   Look at it: https://a.example/quarantine/AAAAAAAAAAAAAAAAAAAAAAAA\n2. mark\n   Look at it: \
                    https://a.example:444/quarantine/BBBBBBBBBBBBBBBBBBBB-_BB\n   Release it: https://a.example:444/quarantine/x/release\n";
        let link = Link::after(text, "mark").unwrap();
        assert_eq!((link.host.as_str(), link.word.as_str()), ("a.example:444", "BBBBBBBBBBBBBBBBBBBB-_BB"));
        assert_eq!(link.near().word, "ABBBBBBBBBBBBBBBBBBB-_BB");
        for none in
            ["mark", "mark https://a b/quarantine/AAAAAAAAAAAAAAAAAAAAAAAA", "mark https://a/quarantine/short", ""]
        {
            assert_eq!(Link::after(none, "mark"), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_digest_breaks_the_reading(text in "(mark|https://|/quarantine/|\\PC|[\\x00-\\x7f]){0,60}") {
            if let Some(link) = Link::after(&text, "mark") {
                prop_assert!(!link.host.contains(['\r', '\n', ' ']) && link.near().word != link.word);
            }
        }
    }
}
