//! Alerts as mail: into the administrator's mailbox, also when that is full, or by the queue to another host.

use crate::prepare;
use crate::queue::chance::Chance;
use crate::queue::notice::Writer;
use mailward_core::event::{Event, Events, Words};
use mailward_core::limits::ALERT_LINE_MAX;
use mailward_core::{Address, Clock, Domain, Timestamp};
use mailward_directory::{Directory, Resolution};
use mailward_message::date;
use mailward_store::api::{MailStore, QueueStore, StoreError};
use mailward_store::records::{Delivery, Needs, Settlement, Target};
use std::sync::Arc;
use std::time::Duration;

/// What a [`Postman`] is made of.
pub struct PostmanParts {
    /// Mailboxes.
    pub mail: Arc<dyn MailStore>,
    /// What is owed to other hosts.
    pub queue: Arc<dyn QueueStore>,
    /// Who is who.
    pub directory: Arc<Directory>,
    /// Our name.
    pub hostname: Domain,
    /// Where events go.
    pub events: Events,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long mail to others is tried.
    pub lifetime: Duration,
}

/// Brings alerts. They take no room of a quota (`limits::NOTICE_BYTES_BEYOND_QUOTA`).
pub struct Postman {
    queue: Arc<dyn QueueStore>,
    writer: Writer,
    clock: Arc<dyn Clock>,
}

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Names it; ours, of letters and digits.
    pub id: &'a str,
    /// Its date.
    pub made: Timestamp,
    /// One line; tamed here.
    pub subject: &'a str,
    /// Lines, which may have what an outsider wrote; tamed here, and broken where they are too long.
    pub lines: &'a [String],
}

/// Why an alert couldn't be brought.
#[derive(Debug, thiserror::Error)]
pub enum PostmanError {
    /// `postmaster` leads nowhere.
    #[error("there is no postmaster here: make one with `mailward alias add postmaster@DOMAIN ADDRESS`")]
    NoPostmaster,
    /// An address of ours that is nobody's.
    #[error("{0} isn't a user or an alias here")]
    Nobody(Address),
    /// It can't be written as a message.
    #[error("it can't be a message")]
    Letter,
    /// The store refused.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Postman {
    /// Does nothing yet.
    #[must_use]
    pub fn new(parts: PostmanParts) -> Self {
        let PostmanParts { mail, queue, directory, hostname, events, clock, lifetime } = parts;
        let writer = Writer { mail, directory, hostname, events, lifetime, chance: Chance::default() };
        Self { queue, writer, clock }
    }

    /// Brings a letter to these, or to the postmaster; once it is done, it is on stable storage.
    ///
    /// # Errors
    /// [`PostmanError`]; then nobody has it.
    pub async fn bring(&self, to: Option<&[Address]>, letter: &Letter<'_>) -> Result<(), PostmanError> {
        let text = message(self.writer.hostname.as_str(), "alert", to, letter);
        let tell = vec![self.delivery(to, text.into_bytes())?];
        self.queue.settle(Settlement { tell, ..Settlement::default() }).await?;
        Ok(())
    }

    /// Brings a letter to somebody whom it is about. Where it can't be brought, that is told in the log alone: others have it.
    pub async fn bring_also(&self, to: &Address, letter: &Letter<'_>) {
        if let Err(error) = self.bring(Some(std::slice::from_ref(to)), letter).await {
            let event = Event::warn("alert.unsent").with("way", "mail").with("message", letter.id).with("to", to);
            self.writer.events.emit(event.with("reason", error));
        }
    }

    /// A whole message to these, or to the postmaster, as it is committed.
    ///
    /// # Errors
    /// [`PostmanError`].
    pub(crate) fn delivery(&self, to: Option<&[Address]>, message: Vec<u8>) -> Result<Delivery, PostmanError> {
        let (targets, remote) = self.places(to)?;
        let eight_bit = !message.is_ascii();
        let content = prepare(message, 0).map_err(|_| PostmanError::Letter)?;
        let queued = self.writer.to_send(&remote, Needs { eight_bit, ..Needs::default() }, self.clock.now());
        Ok(Delivery { content, targets, queued: queued.into_iter().collect(), kept: None })
    }

    /// Mailboxes here, and addresses elsewhere.
    fn places(&self, to: Option<&[Address]>) -> Result<(Vec<Target>, Vec<Address>), PostmanError> {
        let Some(to) = to else { return self.writer.postmaster().ok_or(PostmanError::NoPostmaster) };
        let (mut local, mut remote) = (Vec::new(), Vec::new());
        for address in to {
            match self.writer.directory.resolve(address) {
                Resolution::Deliver { local: here, remote: there } => {
                    local.extend(here);
                    remote.extend(there);
                }
                Resolution::NotLocal => remote.push(address.clone()),
                Resolution::UnknownUser | Resolution::Disabled | Resolution::Loop => {
                    return Err(PostmanError::Nobody(address.clone()));
                }
            }
        }
        let mut targets = crate::queue::notice::inboxes(local);
        targets.sort_by_key(|target| target.account);
        targets.dedup_by_key(|target| target.account);
        remote.sort_by_key(ToString::to_string);
        remote.dedup();
        Ok((targets, remote))
    }
}

/// A letter as a message; `kind` begins its name.
pub(crate) fn message(hostname: &str, kind: &str, to: Option<&[Address]>, letter: &Letter<'_>) -> String {
    let readers = match to {
        None => format!("<postmaster@{hostname}>"),
        Some(to) => to.iter().map(|address| format!("<{address}>")).collect::<Vec<_>>().join(",\r\n "),
    };
    let Words { subject, .. } = Words::new(letter.subject, &[]);
    let (id, date) = (letter.id, date::format_header(letter.made));
    let mut text = format!(
        "From: Mailward <postmaster@{hostname}>\r\nTo: {readers}\r\nSubject: {subject}\r\nDate: {date}\r\n\
         Message-ID: <{kind}.{id}@{hostname}>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
    );
    for line in letter.lines {
        let characters: Vec<char> = line.chars().map(Words::seen).collect();
        if characters.is_empty() {
            text.push_str("\r\n");
        }
        for (number, piece) in characters.chunks(ALERT_LINE_MAX).enumerate() {
            text.push_str(if number > 0 { "    " } else { "" });
            text.extend(piece);
            text.push_str("\r\n");
        }
    }
    text
}

// RFC 5322 §2.1.1: four bytes a character, and the mark of a line that goes on.
const _: () = assert!(ALERT_LINE_MAX * 4 + 4 < 998, "a line fits");

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_message::header;
    use proptest::prelude::*;

    fn written(subject: &str, lines: &[String]) -> String {
        message("mx.s.example", "alert", None, &Letter { id: "1", made: Timestamp(0), subject, lines })
    }

    proptest! {
        /// Attacks A4, F6: what a client says it is stands in the alert.
        #[test]
        fn no_words_of_an_outsider_leave_their_line(said in "(\\PC|[\0-\u{1f}\u{7f}-\u{9f}\u{202e}]){0,60}") {
            let text = written(&said, &[said.clone(), "last".to_owned()]);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            prop_assert_eq!(header::fields(head.as_bytes()).count(), 9);
            let lines: Vec<&str> = body.split("\r\n").collect();
            prop_assert_eq!(lines.len(), 3);
            prop_assert_eq!(lines[1], "last");
            prop_assert!(!lines[0].chars().any(|c| c.is_control() || Words::seen(c) != c));
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_broken() {
        let text = written("Long", &["\u{10ffff}".repeat(ALERT_LINE_MAX * 2 + 1), String::new(), "end".to_owned()]);
        assert!(text.split("\r\n").all(|line| line.len() <= 998));
        assert!(text.ends_with("\r\n\r\nend\r\n"));
        assert_eq!(text.matches("\r\n    ").count(), 2);
    }
}
