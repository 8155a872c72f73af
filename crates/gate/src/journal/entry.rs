//! A refusal, as it comes and as it is kept.

use super::Reference;
use mailward_core::limits::JOURNAL_FIELD_MAX;
use mailward_core::{Listener, Peer, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// When in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Before the greeting.
    Connect,
    /// At EHLO or HELO.
    Hello,
    /// At a login.
    Login,
    /// At MAIL.
    Mail,
    /// At RCPT.
    Recipient,
    /// At DATA, before the message.
    Data,
    /// When the message was there.
    Message,
    /// At any other command, or at none.
    Session,
}

impl Stage {
    /// Its name, for people and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Hello => "hello",
            Self::Login => "login",
            Self::Mail => "mail",
            Self::Recipient => "recipient",
            Self::Data => "data",
            Self::Message => "message",
            Self::Session => "session",
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// For good (5xx).
    Refused,
    /// For now (4xx), as something failed or there is too much.
    Deferred,
    /// For now, to see whether it comes again: greylisting.
    PutOff,
    /// The connection was ended.
    Cut,
}

impl Verdict {
    /// Its name, for people and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::PutOff => "put-off",
            Self::Cut => "cut",
        }
    }
}

/// A refusal that just happens. Texts are whoever's: they are cut and kept as they are, and made harmless where they are shown.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// When in the session.
    pub stage: Stage,
    /// Who was refused.
    pub peer: &'a Peer,
    /// What it said its name is; `None` before.
    pub hello: Option<&'a str>,
    /// The sender, empty if it is nobody; `None` before MAIL.
    pub sender: Option<&'a str>,
    /// The recipient that was refused, if it was one; or the first of several.
    pub recipient: Option<&'a str>,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, for the administrator: rule, evidence, weights.
    pub reason: &'a str,
    /// The reply's code; 0: there was none.
    pub code: u16,
    /// The reply's words, with its enhanced code.
    pub reply: &'a str,
}

impl Refused<'_> {
    pub(super) fn entry(&self, reference: Reference, at: Timestamp) -> Entry {
        let field = |text: Option<&str>| text.map(cut);
        Entry {
            reference,
            at,
            stage: self.stage,
            listener: self.peer.listener,
            session: self.peer.session,
            ip: self.peer.address,
            hello: field(self.hello),
            sender: field(self.sender),
            recipient: field(self.recipient),
            verdict: self.verdict,
            reason: cut(self.reason),
            code: self.code,
            reply: cut(self.reply),
        }
    }
}

/// A refusal that was noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What the reply names.
    pub reference: Reference,
    /// When.
    pub at: Timestamp,
    /// When in the session.
    pub stage: Stage,
    /// The door.
    pub listener: Listener,
    /// The session's number, as the log has it.
    pub session: u64,
    /// From where; `None`: by a Unix socket.
    pub ip: Option<IpAddr>,
    /// What the client said its name is.
    pub hello: Option<String>,
    /// The sender, empty if it is nobody.
    pub sender: Option<String>,
    /// The recipient.
    pub recipient: Option<String>,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// The reply's code; 0: there was none.
    pub code: u16,
    /// The reply's words.
    pub reply: String,
}

/// A field, at most [`JOURNAL_FIELD_MAX`] bytes of it.
fn cut(text: &str) -> String {
    let mut end = text.len().min(JOURNAL_FIELD_MAX);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default().to_owned()
}
