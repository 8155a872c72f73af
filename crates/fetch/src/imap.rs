//! The client's side of IMAP4rev1 and IMAP4rev2, as far as fetching needs it. Messages are named by UID only: what others
//! do in the mailbox meanwhile moves no number under us.

pub mod answer;

use crate::account::{After, Tls};
use crate::error::Trouble;
use crate::maildrop::Listed;
use crate::wire::{Stream, Wire};
use answer::{Answer, Status, can, number};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::Secret;
use mailward_core::limits::{
    FETCH_LINE_MAX, FETCH_LISTED_MAX, FETCH_LITERAL_MAX, FETCH_LITERALS_MAX, FETCH_LOGOUT_TIME, FETCH_UIDS_AT_ONCE,
    FETCH_UNASKED_MAX,
};

/// A session with a mailbox open.
pub(crate) struct Imap {
    talk: Talk,
    uid_validity: u64,
    messages: u32,
    /// RFC 4315: what we marked can be expunged alone.
    uid_plus: bool,
    /// Messages that others marked to be deleted.
    others_deleted: bool,
    marked: Vec<u32>,
}

/// Commands and their answers.
struct Talk {
    wire: Wire,
    tag: u32,
}

/// How a command ended.
struct End {
    status: Status,
    code: Option<String>,
    words: String,
    /// Capabilities, if the last word told them.
    capabilities: Option<Vec<u8>>,
}

/// Before TLS: reads the greeting and asks for TLS. Nothing that was said here counts later.
pub(crate) async fn start_tls(wire: Wire) -> Result<Box<dyn Stream>, Trouble> {
    let mut talk = Talk { wire, tag: 0 };
    // PREAUTH would have us in without TLS: no server of a provider says so, but whoever stands between may.
    talk.greeting().await?;
    let capabilities = talk.capabilities().await?;
    if !can(&capabilities, "STARTTLS") {
        return Err(Trouble::Settings(
            "the server offers no TLS (STARTTLS): nothing is sent there in clear".to_owned(),
        ));
    }
    talk.done("STARTTLS", "STARTTLS").await?;
    talk.wire.into_stream()
}

impl Imap {
    /// Logs in over TLS and opens the mailbox.
    pub(crate) async fn login(
        wire: Wire,
        tls: Tls,
        (user, password): (&str, &Secret),
        mailbox: &str,
        after: After,
    ) -> Result<Self, Trouble> {
        let mut talk = Talk { wire, tag: 0 };
        if tls == Tls::Tls {
            talk.greeting().await?;
        }
        let before = talk.capabilities().await?;
        let told = talk.log_in(&before, user, password).await?;
        let capabilities = match told {
            Some(told) => told,
            None => talk.capabilities().await?,
        };
        let uid_plus = can(&capabilities, "UIDPLUS") || can(&capabilities, "IMAP4rev2");
        let mut imap = Self { talk, uid_validity: 0, messages: 0, uid_plus, others_deleted: false, marked: Vec::new() };
        imap.select(mailbox, after).await?;
        Ok(imap)
    }

    async fn select(&mut self, mailbox: &str, after: After) -> Result<(), Trouble> {
        let (mut validity, mut messages, mut sticky) = (None, 0u32, true);
        let end = self
            .talk
            .ask(&format!("SELECT {}", quoted(mailbox)), FETCH_LITERAL_MAX, |answer| {
                match answer {
                    Answer::Exists(count) => messages = count,
                    Answer::Status { code: Some(code), .. } if code.name == "UIDVALIDITY" => {
                        validity = number(code.value);
                    }
                    Answer::Status { code: Some(code), .. } if code.name == "UIDNOTSTICKY" => sticky = false,
                    _ => {}
                }
                Ok(())
            })
            .await?;
        if end.status != Status::Ok {
            return Err(Trouble::Settings(format!("the mailbox {mailbox:?} can't be opened: {}", end.words)));
        }
        if after == After::Delete && end.code.as_deref() == Some("READ-ONLY") {
            return Err(Trouble::Settings(format!(
                "nothing can be deleted in {mailbox:?}: the server opens it read-only"
            )));
        }
        let validity = validity.filter(|_| sticky);
        self.uid_validity = validity.ok_or_else(|| {
            Trouble::Settings(format!("the server gives no lasting numbers (UIDVALIDITY) to messages of {mailbox:?}"))
        })?;
        self.messages = messages;
        Ok(())
    }

    /// Every message with its identification and size, but those that are marked to be deleted and that `ours` doesn't
    /// know.
    pub(crate) async fn list(&mut self, ours: &(dyn Fn(&str) -> bool + Sync)) -> Result<Vec<Listed>, Trouble> {
        let mut listed = Vec::new();
        if self.messages == 0 {
            return Ok(listed);
        }
        let (validity, mut others) = (self.uid_validity, false);
        let end = self
            .talk
            .ask("UID FETCH 1:* (UID RFC822.SIZE FLAGS)", FETCH_LITERAL_MAX, |answer| {
                same_numbers(&answer, validity)?;
                let Answer::Fetch(found) = answer else { return Ok(()) };
                // Without a size it is news of flags only.
                let (Some(number), Some(size)) = (found.uid, found.size) else { return Ok(()) };
                let id = format!("{validity}.{number}");
                if found.deleted && !ours(&id) {
                    others = true;
                    return Ok(());
                }
                if listed.len() >= FETCH_LISTED_MAX {
                    return Err(Trouble::TooMany);
                }
                listed.push(Listed { number, id, size });
                Ok(())
            })
            .await?;
        self.others_deleted = others;
        end.good("UID FETCH")?;
        Ok(listed)
    }

    /// The message, of at most `most` bytes.
    pub(crate) async fn retrieve(&mut self, uid: u32, most: u64) -> Result<Option<Vec<u8>>, Trouble> {
        let (validity, mut message) = (self.uid_validity, None);
        let end = self
            .talk
            .ask(&format!("UID FETCH {uid} (UID BODY.PEEK[])"), most, |answer| {
                same_numbers(&answer, validity)?;
                if let Answer::Fetch(found) = answer
                    && found.uid == Some(uid)
                    && let Some(body) = found.body
                {
                    message = Some(body.into_owned());
                }
                Ok(())
            })
            .await?;
        end.good("UID FETCH")?;
        Ok(message)
    }

    /// Marks a message to be deleted.
    pub(crate) async fn delete(&mut self, uid: u32) -> Result<(), Trouble> {
        self.talk.done(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"), "UID STORE").await?;
        self.marked.push(uid);
        Ok(())
    }

    /// Deletes what was marked, and ends the session. What others marked is never deleted for them: without UIDPLUS
    /// nothing is then, and `false` comes back.
    pub(crate) async fn quit(mut self) -> Result<bool, Trouble> {
        let marked = std::mem::take(&mut self.marked);
        let whole = self.uid_plus || !self.others_deleted || marked.is_empty();
        if self.uid_plus {
            for some in marked.chunks(FETCH_UIDS_AT_ONCE) {
                let uids: Vec<String> = some.iter().map(u32::to_string).collect();
                self.talk.done(&format!("UID EXPUNGE {}", uids.join(",")), "UID EXPUNGE").await?;
            }
        } else if whole && !marked.is_empty() {
            self.talk.done("EXPUNGE", "EXPUNGE").await?;
        }
        self.talk.wire.hurry(FETCH_LOGOUT_TIME);
        // Everything is done: how it says goodbye is its own affair.
        let _bye = self.talk.ask("LOGOUT", FETCH_LITERAL_MAX, |_| Ok(())).await;
        Ok(whole)
    }
}

/// Numbers that change within a session mean other messages than we think.
fn same_numbers(answer: &Answer<'_>, validity: u64) -> Result<(), Trouble> {
    match answer {
        Answer::Status { code: Some(code), .. }
            if code.name == "UIDVALIDITY" && number(code.value) != Some(validity) =>
        {
            Err(Trouble::Nonsense("it numbers its messages anew (UIDVALIDITY) within a session".to_owned()))
        }
        _ => Ok(()),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl End {
    fn good(self, command: &'static str) -> Result<(), Trouble> {
        if self.status == Status::Ok { Ok(()) } else { Err(Trouble::Refused(command, self.words)) }
    }
}

impl Talk {
    async fn greeting(&mut self) -> Result<(), Trouble> {
        let frame = self.frame(FETCH_LITERAL_MAX).await?;
        match answer::answer(&frame) {
            Some(Answer::Status { tag: None, status: Status::Ok, .. }) => Ok(()),
            Some(Answer::Status { tag: None, status: Status::Bye, text, .. }) => {
                Err(Trouble::Refused("the connection", Trouble::words(text)))
            }
            _ => Err(Trouble::nonsense("as a greeting", &frame)),
        }
    }

    async fn capabilities(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut found = Vec::new();
        let end = self
            .ask("CAPABILITY", FETCH_LITERAL_MAX, |answer| {
                if let Answer::Capability(list) = answer {
                    found = list.to_vec();
                }
                Ok(())
            })
            .await?;
        end.good("CAPABILITY")?;
        Ok(found)
    }

    async fn log_in(&mut self, known: &[u8], user: &str, password: &Secret) -> Result<Option<Vec<u8>>, Trouble> {
        let end = if can(known, "AUTH=PLAIN") {
            let secret = [b"\0", user.as_bytes(), b"\0", password.expose()].concat();
            let secret = STANDARD.encode(secret);
            if can(known, "SASL-IR") {
                self.ask(&format!("AUTHENTICATE PLAIN {secret}"), FETCH_LITERAL_MAX, |_| Ok(())).await?
            } else {
                self.ask_twice("AUTHENTICATE PLAIN", &secret).await?
            }
        } else if can(known, "LOGINDISABLED") {
            return Err(Trouble::Settings(
                "the server takes no password (LOGINDISABLED, and no AUTH=PLAIN)".to_owned(),
            ));
        } else {
            let password = std::str::from_utf8(password.expose()).ok().filter(|p| p.is_ascii() && user.is_ascii());
            let Some(password) = password else {
                let why = "the server takes names and passwords in ASCII only (it has no AUTH=PLAIN)";
                return Err(Trouble::Settings(why.to_owned()));
            };
            self.ask(&format!("LOGIN {} {}", quoted(user), quoted(password)), FETCH_LITERAL_MAX, |_| Ok(())).await?
        };
        match (end.status, end.code.as_deref()) {
            (Status::Ok, _) => Ok(end.capabilities),
            // RFC 5530 §3.
            (Status::No, Some("AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED")) => {
                Err(Trouble::Login(end.words))
            }
            (Status::No, None) => Err(Trouble::LoginUnclear(end.words)),
            _ => Err(Trouble::Refused("the login", end.words)),
        }
    }

    /// A command whose end must be OK.
    async fn done(&mut self, command: &str, name: &'static str) -> Result<(), Trouble> {
        self.ask(command, FETCH_LITERAL_MAX, |_| Ok(())).await?.good(name)
    }

    /// Asks, and shows each answer until the end.
    async fn ask(
        &mut self,
        command: &str,
        literal: u64,
        each: impl FnMut(Answer<'_>) -> Result<(), Trouble> + Send,
    ) -> Result<End, Trouble> {
        let tag = self.begin(command).await?;
        self.answers(&tag, literal, each).await
    }

    /// Asks, waits until the server wants more, says it, and waits for the end.
    async fn ask_twice(&mut self, command: &str, more: &str) -> Result<End, Trouble> {
        let tag = self.begin(command).await?;
        let frame = self.frame(FETCH_LITERAL_MAX).await?;
        if answer::answer(&frame) != Some(Answer::Go) {
            return Err(Trouble::nonsense("to AUTHENTICATE", &frame));
        }
        self.wire.say(format!("{more}\r\n").as_bytes()).await?;
        self.answers(&tag, FETCH_LITERAL_MAX, |_| Ok(())).await
    }

    async fn begin(&mut self, command: &str) -> Result<String, Trouble> {
        self.tag = self.tag.wrapping_add(1);
        let tag = format!("f{}", self.tag);
        self.wire.say(format!("{tag} {command}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    async fn answers(
        &mut self,
        tag: &str,
        literal: u64,
        mut each: impl FnMut(Answer<'_>) -> Result<(), Trouble> + Send,
    ) -> Result<End, Trouble> {
        // What is asked for may be as long as what isn't.
        let most = FETCH_UNASKED_MAX.saturating_add(FETCH_LISTED_MAX);
        for _ in 0..most {
            let frame = self.frame(literal).await?;
            match answer::answer(&frame) {
                Some(Answer::Status { tag: Some(theirs), status, code, text }) if theirs == tag.as_bytes() => {
                    let capabilities = code.as_ref().filter(|code| code.name == "CAPABILITY");
                    return Ok(End {
                        status,
                        capabilities: capabilities.map(|code| code.value.to_vec()),
                        code: code.map(|code| code.name),
                        words: Trouble::words(text),
                    });
                }
                Some(Answer::Status { tag: None, status: Status::Bye, text, .. }) if !tag.is_empty() => {
                    return Err(Trouble::Wire(format!("the server ends the session: {}", Trouble::words(text))));
                }
                None | Some(Answer::Go | Answer::Status { tag: Some(_), .. }) => {
                    return Err(Trouble::nonsense("as an answer", &frame));
                }
                Some(answer) => each(answer)?,
            }
        }
        Err(Trouble::Nonsense(format!("more than {most} answers to one command")))
    }

    /// One answer with its literals, which together have at most `literal` bytes, and some.
    async fn frame(&mut self, literal: u64) -> Result<Vec<u8>, Trouble> {
        let mut frame = Vec::new();
        let (mut first, mut start) = (0usize, 0usize);
        let mut left = literal.saturating_add(FETCH_LITERAL_MAX);
        for _ in 0..=FETCH_LITERALS_MAX {
            self.wire.line(&mut frame, FETCH_LINE_MAX).await?;
            if first == 0 {
                first = frame.len();
            }
            let line = frame.get(start..).unwrap_or_default();
            let Some(size) = answer::literal(frame.get(..first).unwrap_or_default(), line) else { return Ok(frame) };
            if size > literal {
                return Err(Trouble::TooLarge(literal));
            }
            left = left.checked_sub(size).ok_or(Trouble::TooLarge(literal))?;
            let size = usize::try_from(size).map_err(|_| Trouble::TooLarge(literal))?;
            frame.extend_from_slice(b"\r\n");
            self.wire.bytes(&mut frame, size).await?;
            start = frame.len();
        }
        Err(Trouble::Nonsense(format!("more than {FETCH_LITERALS_MAX} literals in one answer")))
    }
}
