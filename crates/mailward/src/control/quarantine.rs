//! The quarantine: listed, looked at, released, discarded, and filled out of mailboxes.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::config::Quarantine;
use mailward_core::event::Event;
use mailward_core::limits::{
    QUARANTINE_HEADER_SHOWN_MAX, QUARANTINE_LISTED, QUARANTINE_LISTED_RECIPIENTS, QUARANTINE_NOTE_MAX,
    QUARANTINE_PARTS_SHOWN_MAX, QUARANTINE_PIECE, QUARANTINE_READ_MAX, QUARANTINE_TEXT_MAX, SPAM_READ_MAX,
};
use mailward_core::{Address, Clock as _, MailboxName, QuarantineId, SystemClock, Timestamp, Uid};
use mailward_delivery::digest::done::{Done, done};
use mailward_inspect::quarantine::{Look, Note, Sight, look};
use mailward_inspect::rescan;
use mailward_inspect::spam::Lesson;
use mailward_inspect::{Action, Check, Finding};
use mailward_message::{Structure, date};
use mailward_store::records::{KeptFor, Quarantined, UidRange};
use mailward_store::{MailStore as _, QuarantineStore as _, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Messages, the newest first: see [`Page`].
    List {
        /// Kept for them; none: all.
        user: Option<Address>,
        /// Older than that one.
        before: Option<QuarantineId>,
        /// At most so many, and never more than `limits::QUARANTINE_LISTED`.
        limit: usize,
    },
    /// One message: see [`Shown`].
    Show { id: QuarantineId },
    /// Bytes of one from a place on: see [`Piece`].
    Read { id: QuarantineId, from: u64 },
    /// Lets it go where it would have gone; with a user for that one alone.
    Release { id: QuarantineId, user: Option<Address> },
    /// Takes it out for good.
    Discard { id: QuarantineId },
    /// It was a false alarm: it is released, and learned as ham if the spam filter found it.
    Report { id: QuarantineId },
    /// Takes a message out of a mailbox into the quarantine.
    Withdraw { user: Address, mailbox: String, uid: u32 },
    /// Sends digests of what is new now: see [`mailward_delivery::digest::Told`].
    Digest,
}

/// Some of the quarantine.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Entry>,
    /// Where to go on; null if that was all.
    pub(crate) next: Option<QuarantineId>,
}

/// A message. Times are milliseconds since 1970. Outsiders wrote much of the note.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: QuarantineId,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) came: Timestamp,
    /// From then on it isn't there any more.
    pub(crate) expires: Timestamp,
    /// Users that it is kept for; in a list the first of them.
    pub(crate) users: Vec<Address>,
    /// Addresses elsewhere that it would go to; in a list the first of them.
    pub(crate) elsewhere: Vec<Address>,
    /// How many of both there are.
    pub(crate) recipients: usize,
    /// Whether only an administrator may release it.
    pub(crate) for_administrators: bool,
    /// Why it is there, and what is known of it.
    pub(crate) note: Note,
}

/// A message as it is looked at.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shown {
    #[serde(flatten)]
    pub(crate) entry: Entry,
    #[serde(flatten)]
    pub(crate) look: Look,
}

/// Some of its bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// Base64.
    pub(crate) bytes: String,
    /// Whether these are the last.
    pub(crate) last: bool,
}

/// What is said of a message that isn't there: what became of it, if that is known.
fn missing(done: &[Done]) -> Failure {
    let Some(last) = done.iter().max_by_key(|one| one.at) else {
        return StoreError::NotFound("message in the quarantine").into();
    };
    let Done { what, by, at, .. } = last;
    let what = if what == "reported" { "released as a false alarm" } else { what };
    Failure::Refused(format!(
        "no such message in the quarantine: it was {what} by {by} on {}",
        date::format_header(*at)
    ))
}

/// What is known of a message; `names`: at most so many recipients.
fn note_of(kept: &Quarantined, names: usize) -> Note {
    let mut note = Note::read(&kept.note).unwrap_or_else(|| Note {
        // Nobody knows what it is.
        administrators: true,
        ..Note::default()
    });
    note.recipients.truncate(names);
    note
}

impl Desk {
    /// Does it, for an administrator who works from somewhere.
    pub(super) async fn quarantine(&self, ask: Ask, administrator: Option<IpAddr>) -> Result<Value, Failure> {
        match ask {
            Ask::List { user, before, limit } => shown(self.kept_list(user, before, limit).await?),
            Ask::Show { id } => shown(self.kept_shown(id).await?),
            Ask::Read { id, from } => shown(self.kept_piece(id, from).await?),
            Ask::Release { id, user } => {
                let whom = match &user {
                    Some(user) => KeptFor::Account(self.account(user)?),
                    None => KeptFor::Everybody,
                };
                self.let_go(id, whom, user.as_ref(), "released", administrator).await?;
                Ok(Value::Null)
            }
            Ask::Discard { id } => {
                let note = note_of(&self.kept(id).await?, 0);
                self.store.discard(id, KeptFor::Everybody, vec![by_command("discarded", None).note(id)]).await?;
                self.tell_kept("quarantine.discarded", id, &note, administrator);
                Ok(Value::Null)
            }
            Ask::Report { id } => {
                let kept = self.kept(id).await?;
                let learned = note_of(&kept, 0).is_of_spam();
                // First, as what is released may be gone at once; and learned twice is learned once.
                if learned {
                    let most = u64::try_from(SPAM_READ_MAX).unwrap_or(u64::MAX);
                    let bytes = self.store.read(kept.blob, 0, kept.size.min(most)).await?;
                    let filter = self.spam_filter().await?;
                    filter.learn(None, &bytes, Some(Lesson::Ham)).await?;
                    filter.settle().await?;
                }
                self.let_go(id, KeptFor::Everybody, None, "reported", administrator).await?;
                Ok(json!({ "learned": learned }))
            }
            Ask::Withdraw { user, mailbox, uid } => {
                let id = self.withdraw(&user, &mailbox, uid, administrator).await?;
                Ok(json!({ "id": id }))
            }
            Ask::Digest => {
                let Some(server) = &self.server else {
                    return Err(Failure::Refused("no server runs: it sends what is due when it starts".to_owned()));
                };
                shown(server.digests().send_now().await.map_err(|error| Failure::Refused(error.to_string()))?)
            }
        }
    }

    pub(super) fn quarantine_settings(&self) -> Quarantine {
        self.server.as_ref().map_or_else(|| self.quarantine.clone(), |server| server.quarantine())
    }

    async fn kept(&self, id: QuarantineId) -> Result<Quarantined, Failure> {
        match self.store.quarantined(id).await? {
            Some(kept) => Ok(kept),
            None => Err(missing(&done(&*self.store, id).await?)),
        }
    }

    fn entry(&self, kept: &Quarantined, names: usize) -> Entry {
        let note = note_of(kept, names);
        let (targets, queued) = (&kept.ways.targets, &kept.ways.queued);
        let elsewhere = || queued.iter().flat_map(|queued| &queued.recipients).map(|recipient| &recipient.address);
        let users = targets.iter().filter_map(|target| self.directory.address_of(target.account));
        Entry {
            id: kept.id,
            size: kept.size,
            came: kept.came,
            expires: kept.expires,
            users: users.take(names).collect(),
            elsewhere: elsewhere().take(names).cloned().collect(),
            recipients: targets.len().saturating_add(elsewhere().count()),
            for_administrators: !note.is_for_users(&self.quarantine_settings().users_release),
            note,
        }
    }

    async fn kept_list(
        &self,
        user: Option<Address>,
        before: Option<QuarantineId>,
        limit: usize,
    ) -> Result<Page, Failure> {
        let account = user.as_ref().map(|user| self.account(user)).transpose()?;
        let limit = limit.min(QUARANTINE_LISTED);
        let found = self.store.quarantine(account, before, limit).await?;
        let next = found.last().map(|last| last.id).filter(|_| found.len() >= limit);
        let messages = found.iter().map(|kept| self.entry(kept, QUARANTINE_LISTED_RECIPIENTS)).collect();
        Ok(Page { messages, next })
    }

    async fn kept_shown(&self, id: QuarantineId) -> Result<Shown, Failure> {
        let kept = self.kept(id).await?;
        let most = u64::try_from(QUARANTINE_READ_MAX).unwrap_or(u64::MAX);
        let bytes = self.store.read(kept.blob, 0, kept.size.min(most)).await?;
        let sight =
            Sight { header: QUARANTINE_HEADER_SHOWN_MAX, text: QUARANTINE_TEXT_MAX, parts: QUARANTINE_PARTS_SHOWN_MAX };
        let mut look = look(&bytes, sight);
        look.cut |= kept.size > most;
        Ok(Shown { entry: self.entry(&kept, usize::MAX), look })
    }

    async fn kept_piece(&self, id: QuarantineId, from: u64) -> Result<Piece, Failure> {
        let kept = self.kept(id).await?;
        let from = from.min(kept.size);
        let end = kept.size.min(from.saturating_add(QUARANTINE_PIECE));
        let bytes = self.store.read(kept.blob, from, end).await?;
        Ok(Piece { bytes: STANDARD.encode(&bytes), last: end >= kept.size })
    }

    pub(super) async fn let_go(
        &self,
        id: QuarantineId,
        whom: KeptFor,
        user: Option<&Address>,
        what: &str,
        administrator: Option<IpAddr>,
    ) -> Result<(), Failure> {
        let kept = self.kept(id).await?;
        let mut note = note_of(&kept, 0);
        // What is released mustn't be taken out of its mailbox again for the same.
        let let_go = rescan::let_go(kept.blob, &note, SystemClock.now());
        let notes = let_go.into_iter().chain([by_command(what, user).note(id)]).collect();
        self.store.release(id, whom, notes).await.map_err(|error| match error {
            StoreError::OverQuota => Failure::Refused(
                "somebody it goes to is over their quota: `mailward user set ADDRESS --quota SIZE`, or release it \
                 for others with --user"
                    .to_owned(),
            ),
            error => error.into(),
        })?;
        note.recipients = user.map(ToString::to_string).into_iter().collect();
        self.tell_kept("quarantine.released", id, &note, administrator);
        Ok(())
    }

    async fn withdraw(
        &self,
        user: &Address,
        mailbox: &str,
        uid: u32,
        administrator: Option<IpAddr>,
    ) -> Result<QuarantineId, Failure> {
        let account = self.account(user)?;
        let name = MailboxName::parse(mailbox).map_err(|error| Failure::Usage(format!("{mailbox}: {error}")))?;
        let mailbox = self.store.mailbox(account, name).await?;
        let uid = Uid(uid);
        let found = self.store.messages(mailbox.id, vec![UidRange::one(uid)], 1).await?;
        let blob = found.first().ok_or(StoreError::NotFound("message in the mailbox"))?.blob;
        let described = self.store.blobs(vec![blob]).await?;
        let envelope = described.first().and_then(|blob| Structure::from_bytes(&blob.structure).ok());
        let envelope = envelope.map(|structure| structure.envelope().clone()).unwrap_or_default();
        let why = format!("an administrator took it out of the mailbox {} of {user}", mailbox.name);
        let finding = Finding::new(Check::Content, "withdrawn", Action::Quarantine, why);
        let note = Note::of_stored(&envelope, user, vec![finding]);
        let days = self.quarantine_settings().days;
        let time = Duration::from_secs(u64::try_from(days).unwrap_or(u64::MAX).saturating_mul(86_400));
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let expires = Timestamp(SystemClock.now().0.saturating_add(time));
        let bytes = note.to_bytes(QUARANTINE_NOTE_MAX).into();
        let id = self.store.withdraw(mailbox.id, uid, bytes, expires, Vec::new()).await?;
        self.tell_kept("quarantine.withdrawn", id, &note, administrator);
        Ok(id)
    }

    /// Tells the log who did what.
    fn tell_kept(&self, name: &'static str, id: QuarantineId, note: &Note, administrator: Option<IpAddr>) {
        let mut event = Event::info(name).with("quarantine", id).with("by", "administrator");
        if let Some(ip) = administrator {
            event = event.with("administrator_at", ip);
        }
        if !note.id.is_empty() {
            event = event.with("id", &note.id);
        }
        if let Some(whom) = note.recipients.first() {
            event = event.with("user", whom);
        }
        self.tell(event);
    }
}

/// What an administrator does by command.
fn by_command(what: &str, user: Option<&Address>) -> Done {
    Done {
        what: what.to_owned(),
        by: "administrator".to_owned(),
        how: "command".to_owned(),
        user: user.map(ToString::to_string),
        at: SystemClock.now(),
    }
}
