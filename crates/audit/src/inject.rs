//! What controls share that send messages of their own and follow them to where they end.
//!
//! **From where**: from this host, as a stranger at the door for servers, or as the audit's account at a door for users. Servers let
//! their own host off much of what strangers meet, so strangers come from an address that [`Canary::stranger`] names, and that the
//! server takes for a stranger's as long as the run takes. Controls about guessing and bans say what can't be seen from here.
//!
//! **Never a pass by refusing everything**: of each kind a harmless twin is sent as well, which has to arrive.

pub(crate) mod pack;
pub(crate) mod sink;
pub(crate) mod specimens;

/// A control of this kind, by what isn't the same in all. It is taken to log in and to bring mail; one that doesn't says what it needs.
macro_rules! injected {
    ($area:ident, $id:literal, $weight:literal, $cap:expr, $parent:expr, $question:literal, $why:literal, $verified:literal, $mend:expr, $source:literal, |$scene:ident| $check:expr $(,)?) => {
        $crate::control::Control::new(
            $id,
            $crate::area::Area::$area,
            $weight,
            $crate::control::Probe::Injection,
            $crate::control::Check::Ask(|$scene| Box::pin($check)),
            [$question, $why, $verified, $mend, $source],
        )
        .capped($cap)
        .below($parent)
    };
}

pub(crate) use injected;

use crate::canary::{Arrived, Canary};
use crate::doors::{Grade, NO_CANARY, SMTP, SUBMISSION, Waiting, our_domain};
use crate::finding::{Exhibit, Finding};
use crate::host::Missed;
use crate::knock::{Kind, KnockError, Talk};
use crate::scene::{Account, Door, Protocol, Scene};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, StreamExt as _};
use mailward_core::limits::KNOCK_SESSION_TIME;

/// Sessions at a time: some servers let one host bring little at once.
const AT_ONCE: usize = 5;

/// Who hands a message in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Another server that nobody knows.
    Stranger,
    /// The audit's account.
    User,
}

/// What is needed to send something and to follow it.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) account: &'a Account,
    pub(crate) canary: &'a dyn Canary,
    pub(crate) door: &'a Door,
    pub(crate) by: By,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Refused for good before its first byte: at which command, with which words.
    NotLet(String, String),
    /// Refused for good when it was there.
    Refused(String),
    /// Put off, at whichever command.
    PutOff(String),
    /// Taken, and kept in the quarantine: why.
    Kept(String),
    /// Taken, and in mailboxes.
    Arrived(Vec<Arrived>),
    /// Taken, and nowhere.
    Gone(String),
    /// Nobody can tell.
    Unknown(String),
}

impl Fate {
    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            Fate::NotLet(at, said) => format!("refused at {at}: {said}"),
            Fate::Refused(said) => format!("refused: {said}"),
            Fate::PutOff(said) => format!("put off: {said}"),
            Fate::Kept(why) => format!("kept in the quarantine: {why}"),
            Fate::Arrived(all) => {
                let folders: Vec<&str> = all.iter().map(|one| one.folder.as_str()).collect();
                format!("arrived in {}", folders.join(", "))
            }
            Fate::Gone(said) => format!("taken ({said}), and neither delivered nor kept"),
            Fate::Unknown(why) => why.clone(),
        }
    }

    /// Whether a user has it where they look.
    pub(crate) fn is_in_inbox(&self) -> bool {
        matches!(self, Fate::Arrived(all) if all.iter().any(|one| one.folder.eq_ignore_ascii_case("INBOX")))
    }

    /// The same, and a refusal before it was there is good, too.
    pub(crate) fn not_let_in(&self) -> Grade {
        match self {
            Fate::NotLet(..) => Grade::Good,
            other => other.stopped(),
        }
    }

    /// What keeps it out altogether is good, what lets it arrive anywhere is bad.
    pub(crate) fn stopped(&self) -> Grade {
        match self {
            Fate::Refused(_) | Fate::Kept(_) => Grade::Good,
            Fate::Arrived(_) => Grade::Bad,
            _ => Grade::Unknown,
        }
    }

    /// The same, and Junk is good, too, and a refusal before it was there.
    pub(crate) fn kept_from_inbox(&self) -> Grade {
        match self {
            Fate::Refused(_) | Fate::Kept(_) | Fate::NotLet(..) => Grade::Good,
            Fate::Arrived(_) if self.is_in_inbox() => Grade::Bad,
            Fate::Arrived(_) => Grade::Good,
            _ => Grade::Unknown,
        }
    }
}

/// A message that was sent and followed.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) name: String,
    pub(crate) fate: Fate,
    /// All of the last reply.
    pub(crate) said: String,
    pub(crate) transcript: Vec<u8>,
}

/// A message to send: what it is called, and its bytes from `MIME-Version` on.
pub(crate) struct Specimen {
    pub(crate) name: &'static str,
    pub(crate) content: Vec<u8>,
}

/// Who sends, and who says so in the header.
#[derive(Clone, Debug)]
pub(crate) struct Says {
    /// MAIL FROM, without brackets; empty: nobody, to whom nothing is sent back.
    pub(crate) sender: String,
    /// Fields before the others, with their line ends; From is among them.
    pub(crate) fields: String,
}

/// A domain that there can't be (RFC 2606 §2).
pub(crate) const NOBODY: &str = "mailward-audit.invalid";

impl<'a> Trial<'a> {
    /// What it takes; or why it can't be.
    ///
    /// # Errors
    /// What is found then.
    pub(crate) fn by(by: By, scene: &'a Scene) -> Result<Self, Finding> {
        let Some(account) = &scene.canary else { return Err(Finding::not_tested(NO_CANARY)) };
        let Some(canary) = account.inside.as_deref() else {
            return Err(Finding::not_tested("the server doesn't tell what becomes of the audit's messages"));
        };
        if scene.doors.is_empty() {
            return Err(Finding::not_tested(
                "no door is known: the server doesn't run, or couldn't say where it listens",
            ));
        }
        let doors = scene.doors(if by == By::Stranger { SMTP } else { SUBMISSION });
        let stranger = canary.stranger();
        let fits = |door: &&Door| by == By::User || stranger.is_none_or(|ip| ip.is_ipv4() == door.address.is_ipv4());
        match doors.iter().copied().find(fits) {
            None if !doors.is_empty() => {
                Err(Finding::not_tested("no door for servers can be reached from where a stranger would come"))
            }
            Some(door) => Ok(Self { scene, account, canary, door, by }),
            None if by == By::Stranger => Err(Finding::not_applicable("the server takes no mail from other servers")),
            None => Err(Finding::not_applicable("the server has no door where users hand in mail")),
        }
    }

    /// Something that no other message has in its header.
    pub(crate) fn marker(&self, id: &str, name: &str) -> String {
        let word: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        format!("audit.{}.{}.{word}", self.scene.now.0, id.to_ascii_lowercase())
    }

    /// How the audit names itself if nothing is to be seen in that.
    pub(crate) fn plainly(&self) -> Says {
        match self.by {
            By::Stranger => {
                Says { sender: String::new(), fields: format!("From: Mailward audit <audit@{NOBODY}>\r\n") }
            }
            By::User => {
                let address = &self.account.address;
                Says { sender: address.clone(), fields: format!("From: Mailward audit <{address}>\r\n") }
            }
        }
    }

    /// Sends a message to the audit's account and finds out where it is.
    pub(crate) async fn follow(&self, id: &str, specimen: &Specimen, says: &Says) -> Followed {
        let marker = self.marker(id, specimen.name);
        let message = self.message(&marker, &marker, says, &specimen.content);
        self.bring(specimen.name, &marker, &says.sender, &message).await
    }

    /// The same with a message that is written already, and has this marker in its header.
    pub(crate) async fn bring(&self, name: &str, marker: &str, sender: &str, message: &[u8]) -> Followed {
        let sent = tokio::time::timeout(KNOCK_SESSION_TIME, self.send(sender, message)).await;
        let (fate, said, transcript) = match sent {
            Err(_late) => (Fate::Unknown(KnockError::Late.to_string()), String::new(), Vec::new()),
            Ok(Err(error)) => (Fate::Unknown(error.to_string()), String::new(), Vec::new()),
            Ok(Ok(Sent { end: End::Taken(said), transcript })) => {
                let fate = match self.found(marker, &said).await {
                    Ok(fate) => fate,
                    Err(missed) => Fate::Unknown(missed.to_string()),
                };
                (fate, said, transcript)
            }
            Ok(Ok(Sent { end: End::Not(fate, said), transcript })) => (fate, said, transcript),
        };
        Followed { name: name.to_owned(), fate, said, transcript }
    }

    /// Where a message is that was taken: delivery is part of taking it, so that it is there at once.
    async fn found(&self, marker: &str, said: &str) -> Result<Fate, Missed> {
        let arrived = self.canary.arrived(marker).await?;
        if !arrived.is_empty() {
            return Ok(Fate::Arrived(arrived));
        }
        let kept = self.canary.quarantined(marker).await?;
        Ok(match kept.into_iter().next() {
            Some(kept) => Fate::Kept(kept.why),
            None => Fate::Gone(said.to_owned()),
        })
    }

    /// A message to the audit's account.
    pub(crate) fn message(&self, marker: &str, subject: &str, says: &Says, content: &[u8]) -> Vec<u8> {
        let us = our_domain(self.scene, self.door);
        let mut message = format!(
            "{}To: <{}>\r\nSubject: {subject}\r\nDate: {}\r\nMessage-ID: <{marker}@{us}>\r\nAuto-Submitted: auto-generated\r\n",
            says.fields,
            self.account.address,
            date(self.scene.now),
        )
        .into_bytes();
        message.extend_from_slice(content);
        message
    }

    /// A session in which mail may be handed in.
    pub(crate) async fn session(&self) -> Result<Talk, KnockError> {
        match self.by {
            By::Stranger => {
                let mut talk = Talk::open_from(self.canary.stranger(), self.door).await?;
                talk.hello().await?;
                Ok(talk)
            }
            By::User => logged_in(self.door, self.account).await,
        }
    }

    async fn send(&self, sender: &str, message: &[u8]) -> Result<Sent, KnockError> {
        let mut talk = self.session().await?;
        let steps = [
            ("MAIL", format!("MAIL FROM:<{sender}>"), Kind::Yes),
            ("RCPT", format!("RCPT TO:<{}>", self.account.address), Kind::Yes),
            ("DATA", "DATA".to_owned(), Kind::More),
        ];
        for (name, step, wanted) in steps {
            let answer = talk.ask(&step).await?;
            if answer.kind != wanted {
                let said = answer.text();
                let fate = match answer.kind {
                    Kind::No => Fate::NotLet(name.to_owned(), said),
                    Kind::Later => Fate::PutOff(said),
                    _ => Fate::Unknown(format!("{name} is answered with {said}")),
                };
                return Ok(Sent { end: End::Not(fate, answer.whole()), transcript: talk.transcript() });
            }
        }
        let shown = format!("(a message of {} bytes)\r\n.\r\n", message.len());
        // A server may refuse a message before its end and close: what it said is worth more than that it closed.
        let pushed = talk.wire().send_hidden(&stuffed(message), &shown).await;
        let answer = match talk.answer().await {
            Ok(answer) => answer,
            Err(error) => return Err(pushed.err().unwrap_or(error)),
        };
        let (said, whole) = (answer.text(), answer.whole());
        let end = match answer.kind {
            Kind::Yes => End::Taken(whole),
            Kind::No => End::Not(Fate::Refused(said), whole),
            Kind::Later => End::Not(Fate::PutOff(said), whole),
            _ => End::Not(Fate::Unknown(format!("answered with {said}")), whole),
        };
        let transcript = talk.transcript();
        Ok(Sent { end, transcript })
    }

    /// Sends all of them, and a harmless one of the kind; what was found, by `judge`.
    pub(crate) async fn ladder(
        &self,
        id: &str,
        specimens: Vec<Specimen>,
        harmless: Specimen,
        judge: fn(&Fate) -> Grade,
        good: &str,
    ) -> Finding {
        let says = self.plainly();
        let twin = self.follow(id, &harmless, &says).await;
        if !matches!(twin.fate, Fate::Arrived(_)) {
            let why =
                format!("a harmless message doesn't arrive either, so nothing can be told: {}", twin.fate.words());
            return Finding::not_tested(why).showing(twin.name, twin.transcript);
        }
        let mut each: Vec<Waiting<'_, Followed>> = Vec::new();
        for specimen in &specimens {
            let says = &says;
            each.push(Box::pin(async move { self.follow(id, specimen, says).await }));
        }
        let all: Vec<Followed> = stream::iter(each).buffered(AT_ONCE).collect().await;
        told(&all, judge, good)
    }
}

/// The worst counts: what came through is named, then what nobody can tell.
pub(crate) fn told(all: &[Followed], judge: fn(&Fate) -> Grade, good: &str) -> Finding {
    let of = |grade: Grade| -> Vec<String> {
        let some = all.iter().filter(|one| judge(&one.fate) == grade);
        some.map(|one| format!("{}: {}", one.name, one.fate.words())).collect()
    };
    let (bad, unknown) = (of(Grade::Bad), of(Grade::Unknown));
    let finding = if !bad.is_empty() {
        Finding::fail(format!("{} of {} came through: {}", bad.len(), all.len(), bad.join("; ")))
    } else if !unknown.is_empty() {
        Finding::not_tested(format!("of {} of {} nobody can tell: {}", unknown.len(), all.len(), unknown.join("; ")))
    } else {
        match of(Grade::Good).len() {
            0 => Finding::not_tested(format!("none of {} tells anything", all.len())),
            count => Finding::pass(format!("{good} ({count} of {})", all.len())),
        }
    };
    let list: String = all.iter().map(|one| format!("{}: {}\n", one.name, one.fate.words())).collect();
    let worst = all.iter().filter(|one| judge(&one.fate) != Grade::Good);
    let shown = worst.map(|one| Exhibit { input: one.name.clone(), output: one.transcript.clone() });
    finding.showing("what became of each", list).showing_all(shown)
}

/// How sending ended.
enum End {
    Taken(String),
    Not(Fate, String),
}

struct Sent {
    end: End,
    transcript: Vec<u8>,
}

/// A session of the account where users hand in mail.
///
/// # Errors
/// [`KnockError`]; [`KnockError::Refused`] if it isn't let in.
pub(crate) async fn logged_in(door: &Door, account: &Account) -> Result<Talk, KnockError> {
    let mut talk = Talk::secured(door).await?;
    talk.hello().await?;
    let answer = auth(&mut talk, &account.address, account.password.expose()).await?;
    match answer {
        Kind::Yes => Ok(talk),
        _ => Err(KnockError::Refused("the login of the audit's account", "AUTH PLAIN".to_owned())),
    }
}

/// AUTH PLAIN (RFC 4616) where SMTP is spoken, AUTHENTICATE PLAIN in IMAP, AUTH PLAIN in POP3; whether it was taken.
///
/// # Errors
/// [`KnockError`].
pub(crate) async fn auth(talk: &mut Talk, user: &str, password: &[u8]) -> Result<Kind, KnockError> {
    let mut plain = format!("\0{user}\0").into_bytes();
    plain.extend_from_slice(password);
    let plain = STANDARD.encode(plain);
    let begun = talk.begin_sasl("PLAIN").await?;
    if begun.kind != Kind::More {
        return Ok(begun.kind);
    }
    Ok(talk.reply(&plain, "(user and password)").await?.kind)
}

/// With a dot more before each line that begins with one, and the end (RFC 5321 §4.5.2).
pub(crate) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len().saturating_add(16));
    let mut fresh = true;
    for byte in message {
        if fresh && *byte == b'.' {
            out.push(b'.');
        }
        out.push(*byte);
        fresh = *byte == b'\n';
    }
    if !message.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

/// A time as messages have it (RFC 5322 §3.3), UTC.
pub(crate) fn date(at: mailward_core::Timestamp) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // `2026-01-02T03:04:05…`, which every time that there is has.
    let text = at.text();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or("01").to_owned();
    let month = part(5, 7).parse::<usize>().unwrap_or(1).saturating_sub(1);
    let month = MONTHS.get(month).copied().unwrap_or("Jan");
    format!("{} {month} {} {} +0000", part(8, 10), part(0, 4), part(11, 19))
}

/// The name that a reply ends with: a reference in brackets, or the name of a message that was taken.
pub(crate) fn reference(said: &str) -> Option<String> {
    let word = match said.rsplit_once("(ref ") {
        Some((_, after)) => after.split(')').next()?,
        None => said.split_whitespace().next_back()?,
    };
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    (word.len() >= 8 && word.len() <= 64 && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
        .then(|| word.to_owned())
}

/// The doors where users read mail and TLS can be had, IMAP first.
pub(crate) fn reading(scene: &Scene) -> Option<&Door> {
    const BEST: [Protocol; 4] = [Protocol::Imaps, Protocol::Imap, Protocol::Pop3s, Protocol::Pop3];
    BEST.iter().find_map(|protocol| scene.doors(&[*protocol]).first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_a_dot_ends_nothing() {
        assert_eq!(stuffed(b".\r\n.a\r\nb."), b"..\r\n..a\r\nb.\r\n.\r\n");
        assert_eq!(stuffed(b""), b"\r\n.\r\n");
    }

    #[test]
    fn what_a_reply_names_is_read_and_nothing_else() {
        assert_eq!(reference("550 5.7.1 No (ref 7K2Q-9XMT)").as_deref(), Some("7K2Q-9XMT"));
        assert_eq!(reference("250 2.0.0 Taken as 3kc1v5y0r0000").as_deref(), Some("3kc1v5y0r0000"));
        assert_eq!(reference("250 ok"), None);
        assert_eq!(reference(""), None);
        assert_eq!(reference("250 \u{1b}[2J\u{202e}evil\0name"), None);
    }

    #[test]
    fn a_date_is_one_of_a_message() {
        assert_eq!(date(mailward_core::Timestamp::from_secs(0)), "01 Jan 1970 00:00:00 +0000");
    }
}
