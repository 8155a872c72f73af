//! The quarantine's digest: mail that tells users, and administrators, what is kept that they weren't told of.
//!
//! A user's digest has links to look at a message, release it, or have it removed ([`link`]). What was told is noted in the
//! commit that brings the mail: nobody is told twice, and a crash loses nothing. Numbers of messages are never given again
//! and rise, so the note is the highest that was looked at.
//!
//! **Limits**: `limits::DIGEST_*`, `LINK_DAYS`.
//!
//! **Failure**: who can't have the mail now (a full mailbox) is told with the next digest. If the store fails, what was sent is
//! noted, and the rest is tried at the next look.

pub mod done;
mod letter;
pub mod link;
mod pace;

use crate::alerts::{Postman, PostmanError};
use crate::prepare;
use arc_swap::ArcSwap;
use letter::{Item, for_administrators, for_user};
use link::Links;
use mailward_core::config::{KeptClass, Origin, Quarantine};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    DIGEST_ACCOUNTS_PAGE, DIGEST_LOOK_TIME, DIGEST_LOOKED_MAX, DIGEST_MESSAGES_MAX, DIGEST_PAGE,
};
use mailward_core::{AccountId, Address, Clock, Domain, QuarantineId, Shutdown, Timestamp};
use mailward_directory::{Directory, Resolution};
use mailward_inspect::quarantine::Note;
use mailward_message::letter::Letter;
use mailward_store::api::{QuarantineStore, ShelfStore, StoreError};
use mailward_store::records::{Delivery, Flags, Quarantined, Shelf, ShelfChange, Shelved, Target};
use mailward_vault::VaultError;
use pace::Due;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// What digests are made of.
pub struct Parts {
    /// What is kept.
    pub quarantine: Arc<dyn QuarantineStore>,
    /// Where is noted who was told what.
    pub shelf: Arc<dyn ShelfStore>,
    /// Who is who.
    pub directory: Arc<Directory>,
    /// Our name.
    pub hostname: Domain,
    /// Links for users.
    pub links: Arc<Links>,
    /// What links begin with; none: users are told nothing.
    pub origin: Option<Origin>,
    /// Who brings it to administrators.
    pub postman: Postman,
    /// Who those are; inside none: the postmaster. None: nobody.
    pub administrators: Option<Option<Vec<Address>>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Events,
}

/// Makes digests when it is time, or when it is asked to.
pub struct Digests {
    parts: Parts,
    settings: ArcSwap<Quarantine>,
    /// Held by whoever sends, so that nobody is told twice.
    sending: Mutex<()>,
}

/// How many were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Users.
    pub users: usize,
    /// Whether the administrators were.
    pub administrators: bool,
}

/// Up to which message somebody was told.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    last: QuarantineId,
}

/// Why a digest failed.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No link could be made.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

const ADMINISTRATORS: &str = "told/administrators";
/// How long is remembered up to where somebody was told, milliseconds: longer than anything is kept (`quarantine.days` is at most
/// 365), so that nobody is told twice, and accounts that are gone leave nothing for good.
const TOLD_TIME: i64 = 400 * 86_400_000;

impl std::fmt::Debug for Digests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digests")
    }
}

impl Digests {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(parts: Parts, settings: &Quarantine) -> Self {
        Self { parts, settings: ArcSwap::from_pointee(settings.clone()), sending: Mutex::default() }
    }

    /// Takes other settings, from the next digest on.
    pub fn set(&self, settings: &Quarantine) {
        self.settings.store(Arc::new(settings.clone()));
    }

    /// Who follows links.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.parts.links
    }

    /// Where is noted what became of messages.
    #[must_use]
    pub fn shelf(&self) -> &dyn ShelfStore {
        &*self.parts.shelf
    }

    /// What users may release.
    #[must_use]
    pub fn users_release(&self) -> Vec<KeptClass> {
        self.settings.load().users_release.clone()
    }

    /// Sends what is due, until the word to stop.
    pub async fn run(self: Arc<Self>, mut shutdown: Shutdown) {
        let mut last_fault = String::new();
        loop {
            let sent = tokio::select! {
                biased;
                () = shutdown.fired() => return,
                sent = self.send_due() => sent,
            };
            let fault = sent.err().map(|error| error.to_string()).unwrap_or_default();
            if !fault.is_empty() && fault != last_fault {
                self.parts.events.emit(Event::warn("quarantine.digest_stuck").with("why", &fault));
            }
            last_fault = fault;
            tokio::select! {
                biased;
                () = shutdown.fired() => return,
                () = tokio::time::sleep(DIGEST_LOOK_TIME) => {}
            }
        }
    }

    /// Sends what it is time for.
    ///
    /// # Errors
    /// [`DigestError`]; it stays due.
    pub(crate) async fn send_due(&self) -> Result<(), DigestError> {
        let _alone = self.sending.lock().await;
        let settings = self.settings.load_full();
        let now = self.parts.clock.now();
        for (whose, pace) in [("users", settings.digest), ("administrators", settings.administrator_digest)] {
            let due = Due::at(pace, settings.digest_hour, now);
            let key = format!("due/{whose}");
            let Some(noted) = due.written() else { continue };
            let known = self.parts.shelf.shelved(Shelf::Digests, key.clone()).await?;
            if known.as_ref().is_some_and(|known| known.value == noted.as_bytes()) {
                continue;
            }
            // The first one comes when its hour does, not when the server starts with it.
            if known.as_ref().is_some_and(|known| due.follows(&known.value)) {
                match whose {
                    "users" => drop(self.tell_users(&settings, now).await?),
                    _ => drop(self.tell_administrators(now).await?),
                }
            }
            let record = Shelved { key, value: noted.into(), expires: None };
            self.parts.shelf.change_shelf(vec![ShelfChange::Put(Shelf::Digests, record)]).await?;
        }
        Ok(())
    }

    /// Sends now what is new, whatever the hour, to users and administrators alike: to those that get digests at all.
    ///
    /// # Errors
    /// [`DigestError`]; who was told before is.
    pub async fn send_now(&self) -> Result<Told, DigestError> {
        let _alone = self.sending.lock().await;
        let settings = self.settings.load_full();
        let now = self.parts.clock.now();
        let never = |pace| Due::at(pace, settings.digest_hour, now).written().is_none();
        let users = if never(settings.digest) { 0 } else { self.tell_users(&settings, now).await? };
        let administrators = !never(settings.administrator_digest) && self.tell_administrators(now).await?;
        Ok(Told { users, administrators })
    }

    /// Tells each user for whom something new is kept; answers how many were.
    async fn tell_users(&self, settings: &Quarantine, now: Timestamp) -> Result<usize, DigestError> {
        let Some(origin) = &self.parts.origin else {
            let event = Event::warn("quarantine.digest_off").with("why", "there are no pages for its links");
            self.parts.events.emit(event.with("mend", "set web.origin and a door for pages, and restart"));
            return Ok(0);
        };
        let (mut after, mut told) = (None, 0usize);
        loop {
            let page = self.parts.quarantine.quarantine_accounts(after, DIGEST_ACCOUNTS_PAGE).await?;
            let is_last = page.len() < DIGEST_ACCOUNTS_PAGE;
            for (account, newest) in page {
                after = Some(account);
                told = told.saturating_add(usize::from(self.tell_user(settings, origin, account, newest, now).await?));
            }
            if is_last {
                return Ok(told);
            }
        }
    }

    async fn tell_user(
        &self,
        settings: &Quarantine,
        origin: &Origin,
        account: AccountId,
        newest: QuarantineId,
        now: Timestamp,
    ) -> Result<bool, DigestError> {
        let key = format!("told/{:020}", account.0);
        let last = self.told(&key).await?;
        if newest.0 <= last {
            return Ok(false);
        }
        let Some(address) = self.parts.directory.address_of(account) else { return Ok(false) };
        if !matches!(self.parts.directory.resolve(&address), Resolution::Deliver { .. }) {
            return Ok(false);
        }
        let found = self.found(Some(account), last, |note| note.is_for_users(&settings.users_release)).await?;
        let id = format!("digest.{}.{}", account.0, newest.0);
        let reader = Reader { account, address: &address, origin, now };
        let Some(Written { delivery, mut notes, messages }) = self.written(&reader, found, &id, None)? else {
            return Ok(false);
        };
        notes.push(noted(key, newest, now));
        self.bring(delivery, notes, &address.to_string(), messages).await
    }

    /// Tells one user all that is kept for them and theirs to decide on, told before or not, whatever the hour, by links that
    /// last no longer than this. Nothing is noted: their next digest is what it would have been. Answers what the letter's
    /// `Message-ID` begins with; none if there is nothing to tell, or no page that links could lead to.
    ///
    /// # Errors
    /// [`DigestError`].
    pub async fn tell_for_trial(&self, account: AccountId, lasts: Duration) -> Result<Option<String>, DigestError> {
        let _alone = self.sending.lock().await;
        let (settings, now) = (self.settings.load_full(), self.parts.clock.now());
        let Some((origin, address)) = self.parts.origin.as_ref().zip(self.parts.directory.address_of(account)) else {
            return Ok(None);
        };
        let found = self.found(Some(account), 0, |note| note.is_for_users(&settings.users_release)).await?;
        let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp(now.0.saturating_add(lasts));
        let id = format!("digest.trial.{}.{}", account.0, now.0);
        let written = self.written(&Reader { account, address: &address, origin, now }, found, &id, Some(until))?;
        let Some(Written { delivery, notes, messages }) = written else { return Ok(None) };
        let is_there = self.bring(delivery, notes, &address.to_string(), messages).await?;
        Ok(is_there.then_some(id))
    }

    /// A user's letter, with what has to be noted for its links; none if there is nothing to tell. `until`: when they end at the
    /// latest.
    fn written(
        &self,
        reader: &Reader<'_>,
        found: Found,
        id: &str,
        until: Option<Timestamp>,
    ) -> Result<Option<Written>, DigestError> {
        let Reader { account, address, origin, now } = *reader;
        if found.items.is_empty() {
            return Ok(None);
        }
        let (mut notes, mut linked) = (Vec::new(), Vec::with_capacity(found.items.len()));
        for item in found.items {
            let goes = until.map_or(item.expires, |until| until.min(item.expires));
            let link = self.parts.links.make(account, item.id, now, goes)?;
            notes.push(link.keep);
            linked.push((item, link.word));
        }
        let words = for_user(&self.parts.hostname, origin, address, &linked, found.more);
        let letter = Letter {
            hostname: &self.parts.hostname,
            to: std::slice::from_ref(address),
            subject: &words.subject,
            date: now,
            id,
            text: &words.text,
            html: &words.html,
        };
        let Ok(content) = prepare(letter.written(), 0) else { return Ok(None) };
        // Into their own mailbox, wherever else their mail goes: whoever has a link can release.
        let targets = vec![Target { account, mailbox: None, flags: Flags::NONE }];
        let delivery = Delivery { content, targets, queued: Vec::new(), kept: None };
        Ok(Some(Written { delivery, notes, messages: linked.len() }))
    }

    /// Tells the administrators, if something new is kept.
    async fn tell_administrators(&self, now: Timestamp) -> Result<bool, DigestError> {
        let Some(to) = &self.parts.administrators else { return Ok(false) };
        let last = self.told(ADMINISTRATORS).await?;
        let found = self.found(None, last, |_| true).await?;
        let Some(newest) = found.items.first().map(|item| item.id) else { return Ok(false) };
        let (hostname, directory) = (&self.parts.hostname, &self.parts.directory);
        let words = for_administrators(hostname, &found.items, found.more, |account| directory.address_of(account));
        let postmaster = Address::parse(&format!("postmaster@{hostname}"), false).ok();
        let readers = to.clone().unwrap_or_else(|| postmaster.into_iter().collect());
        let id = format!("digest.all.{}", newest.0);
        let letter = Letter {
            hostname,
            to: &readers,
            subject: &words.subject,
            date: now,
            id: &id,
            text: &words.text,
            html: &words.html,
        };
        let delivery = match self.parts.postman.delivery(to.as_deref(), letter.written()) {
            Ok(delivery) => delivery,
            Err(PostmanError::Store(error)) => return Err(error.into()),
            Err(error) => {
                let event = Event::warn("quarantine.digest_failed").with("user", "administrators");
                self.parts.events.emit(event.with("why", error));
                return Ok(false);
            }
        };
        self.bring(delivery, vec![noted(ADMINISTRATORS.to_owned(), newest, now)], "administrators", found.items.len())
            .await
    }

    /// Brings a digest and notes it in one commit; answers whether it is there.
    async fn bring(
        &self,
        delivery: Delivery,
        notes: Vec<ShelfChange>,
        whom: &str,
        messages: usize,
    ) -> Result<bool, DigestError> {
        match self.parts.shelf.deliver_noted(delivery, notes).await {
            Ok(_) => {
                let event = Event::info("quarantine.digest_sent").with("user", whom).with("messages", messages);
                self.parts.events.emit(event);
                Ok(true)
            }
            Err(error @ (StoreError::OverQuota | StoreError::NotFound(_))) => {
                let event = Event::warn("quarantine.digest_failed").with("user", whom).with("why", error);
                self.parts.events.emit(event);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Up to which message somebody was told; 0: they never were.
    async fn told(&self, key: &str) -> Result<i64, StoreError> {
        let record = self.parts.shelf.shelved(Shelf::Digests, key.to_owned()).await?;
        let noted = record.and_then(|record| serde_json::from_slice::<Noted>(&record.value).ok());
        Ok(noted.map_or(0, |noted| noted.last.0))
    }

    /// What is kept that came after one, the newest first, as far as somebody is to be told of it.
    async fn found(
        &self,
        account: Option<AccountId>,
        last: i64,
        is_told: impl Fn(&Note) -> bool,
    ) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let (mut before, mut looked) = (None, 0usize);
        while looked < DIGEST_LOOKED_MAX {
            let page = self.parts.quarantine.quarantine(account, before, DIGEST_PAGE).await?;
            let is_last = page.len() < DIGEST_PAGE;
            for kept in &page {
                if kept.id.0 <= last {
                    return Ok(found);
                }
                before = Some(kept.id);
                looked = looked.saturating_add(1);
                found.take(kept, &is_told);
            }
            if is_last {
                break;
            }
        }
        Ok(found)
    }
}

/// Whom a digest is for, and when it is made.
struct Reader<'a> {
    account: AccountId,
    address: &'a Address,
    /// What links begin with.
    origin: &'a Origin,
    now: Timestamp,
}

/// A letter to a user.
struct Written {
    delivery: Delivery,
    /// For the commit that brings it.
    notes: Vec<ShelfChange>,
    /// How many it tells of.
    messages: usize,
}

/// What a digest tells of.
#[derive(Default)]
struct Found {
    items: Vec<Item>,
    /// How many there are that it has no room for.
    more: usize,
}

impl Found {
    fn take(&mut self, kept: &Quarantined, is_told: impl Fn(&Note) -> bool) {
        let note = Note::read(&kept.note).unwrap_or_default();
        if !is_told(&note) {
            return;
        }
        if self.items.len() < DIGEST_MESSAGES_MAX {
            self.items.push(Item::of(kept, &note));
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

fn noted(key: String, last: QuarantineId, now: Timestamp) -> ShelfChange {
    // A number can always be written.
    let value = serde_json::to_vec(&Noted { last }).unwrap_or_default().into();
    let expires = Some(Timestamp(now.0.saturating_add(TOLD_TIME)));
    ShelfChange::Put(Shelf::Digests, Shelved { key, value, expires })
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests;
