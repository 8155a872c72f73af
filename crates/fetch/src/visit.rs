//! One visit: log in, list, fetch what is new, deliver each in a commit of its own, delete what is safe here.

use crate::account::{After, Name, Settings, To};
use crate::accounts::stays_here;
use crate::connect::Net;
use crate::deliver::{Desk, Left, Noting, Partly, Source, deliver};
use crate::error::Trouble;
use crate::maildrop::{Listed, Maildrop, Secure};
use crate::noted::{Key, Note, Noted, digest};
use crate::waiting::{Wait, Waiting};
use mailward_core::event::Event;
use mailward_core::limits::{FETCH_BYTES_IN_FLIGHT_MAX, FETCH_LEFT_MAX, FETCH_VISIT_MESSAGES, FETCH_VISIT_TIME};
use mailward_core::{AccountId, Secret};
use mailward_store::records::{Shelf, ShelfChange, Usage};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// What every visit needs.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) desk: Desk,
    pub(crate) net: Net,
    /// Largest message that is taken, bytes, as it is now.
    pub(crate) message_size: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Memory for messages of all visits, KiB.
    pub(crate) memory: Arc<Semaphore>,
    /// Messages that wait for room here.
    pub(crate) waiting: Arc<Waiting>,
}

/// What a visit is for.
pub(crate) struct Errand<'a> {
    pub(crate) name: &'a Name,
    pub(crate) settings: &'a Settings,
    pub(crate) password: &'a Secret,
    /// Whether an administrator asked for it: what was refused is tried again.
    pub(crate) asked: bool,
}

/// What came of a visit.
#[derive(Debug, Default)]
pub(crate) struct Came {
    /// Messages delivered.
    pub(crate) fetched: u64,
    /// Messages left there that can't be taken.
    pub(crate) left: u64,
    /// What should be known of it.
    pub(crate) note: Option<String>,
    /// Whether there are more to fetch at once.
    pub(crate) more: bool,
    /// Why it ended early.
    pub(crate) trouble: Option<Trouble>,
}

/// Memory for all visits' messages.
pub(crate) fn memory() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(FETCH_BYTES_IN_FLIGHT_MAX.div_euclid(1024)))
}

/// Visits an account. Whatever comes of it, what was fetched until then is here, and noted. May be dropped at any time.
pub(crate) async fn visit(house: &House, errand: &Errand<'_>) -> Came {
    let mut came = Came::default();
    let outcome = timeout(FETCH_VISIT_TIME, Box::pin(Visit::run(house, errand, &mut came))).await;
    came.trouble = match outcome {
        Ok(outcome) => outcome.err(),
        Err(_) => Some(Trouble::Wire(format!("it wasn't over within {} s", FETCH_VISIT_TIME.as_secs()))),
    };
    came
}

struct Visit<'a> {
    house: &'a House,
    errand: &'a Errand<'a>,
    came: &'a mut Came,
    noted: Noted,
    secure: Secure,
    /// What the server lists, by our name for it.
    listed: HashSet<Key>,
    /// How often it gives a name.
    names: HashMap<String, u32>,
    /// What was deleted, if the session ends well.
    deleted: Vec<Key>,
    /// Accounts here that had no room for a message of this visit, as they were found.
    full: HashMap<AccountId, Usage>,
}

/// What follows for a message that was looked at.
enum Then {
    /// It is safe here, noted so, and may go there.
    Safe(Key),
    /// It stays.
    Stays,
    /// It is gone already.
    Gone,
}

impl Visit<'_> {
    async fn run(house: &House, errand: &Errand<'_>, came: &mut Came) -> Result<(), Trouble> {
        let noted = Noted::read(&*house.desk.shelf, errand.name, errand.settings).await?;
        let (mut maildrop, secure) = Maildrop::open(&house.net, errand.settings, errand.password).await?;
        let ours = |id: &str| noted.get(&noted.key(id)).is_some_and(|note| note.taken().is_some());
        let messages = maildrop.list(&ours).await?;
        let listed = messages.iter().map(|message| noted.key(&message.id)).collect();
        let mut names = HashMap::new();
        for message in &messages {
            let count: &mut u32 = names.entry(message.id.clone()).or_default();
            *count = count.saturating_add(1);
        }
        let mut visit =
            Visit { house, errand, came, noted, secure, listed, names, deleted: Vec::new(), full: HashMap::new() };
        visit.house.waiting.keep(visit.errand.name, &visit.listed);
        let outcome = visit.walk(&mut maildrop, &messages).await;
        let whole = match outcome {
            // Nothing more can be delivered; what was delivered may still be deleted.
            Err(Trouble::Store(error)) => {
                let _ended = maildrop.quit().await;
                return Err(Trouble::Store(error));
            }
            other => other?,
        };
        if maildrop.quit().await? {
            visit.noted.deleted(&*house.desk.shelf, &visit.deleted).await?;
        } else {
            visit.came.note = Some(
                "what was fetched is marked and not deleted: others marked messages, and the server can't delete some \
                 of them alone (UIDPLUS)"
                    .to_owned(),
            );
        }
        if whole {
            let kept = errand.settings.after == After::Keep;
            let now = house.desk.clock.now();
            visit.noted.tidy(&*house.desk.shelf, &visit.listed, kept, now).await?;
        }
        Ok(())
    }

    /// Looks at one message after the other; whether at all of them.
    async fn walk(&mut self, maildrop: &mut Maildrop, messages: &[Listed]) -> Result<bool, Trouble> {
        let began = Instant::now();
        let (mut fetched, mut later, mut waiting) = (0usize, 0usize, 0usize);
        for message in messages {
            let Some(known) = self.wanted(message) else { continue };
            if (self.house.message_size)() < message.size {
                self.refuse(message, self.noted.key(&message.id), "it is larger than limits.message_size").await?;
                continue;
            }
            if known.is_none() && self.must_wait(message).await {
                // Told of when it was fetched, or not worth it: the note says so.
                self.came.left = self.came.left.saturating_add(1);
                self.came.note = Some(format!("message {} of {} bytes: a mailbox is full", message.id, message.size));
                waiting = waiting.saturating_add(1);
                continue;
            }
            // Half of the time: the end of the session needs some, and its deletions hang on it.
            if fetched >= FETCH_VISIT_MESSAGES || began.elapsed() > FETCH_VISIT_TIME.div_f32(2.0) {
                self.came.more = true;
                return Ok(false);
            }
            fetched = fetched.saturating_add(1);
            match self.take(maildrop, message, known).await {
                Ok(Then::Safe(key)) if self.errand.settings.after == After::Delete => {
                    maildrop.delete(message).await?;
                    self.deleted.push(key);
                }
                Ok(_) => {}
                Err(Left::Refused(why)) => {
                    let key = self.noted.key(&message.id);
                    self.refuse(message, key, &why).await?;
                }
                Err(Left::Later(why, wait)) => {
                    self.leave(message, &why);
                    if wait.is_some_and(|wait| self.remember(message, wait)) {
                        waiting = waiting.saturating_add(1);
                        continue;
                    }
                    later = later.saturating_add(1);
                    if later >= FETCH_LEFT_MAX {
                        return Ok(false);
                    }
                }
                Err(Left::Trouble(trouble)) => return Err(trouble),
            }
        }
        Ok(later == 0 && waiting == 0)
    }

    /// Whether it is known without fetching a message that there is no room for it.
    async fn must_wait(&mut self, message: &Listed) -> bool {
        if self.is_ambiguous(message) {
            return false;
        }
        if let Some(wait) = self.house.waiting.get(self.errand.name, &self.noted.key(&message.id)) {
            return self.is_full(wait.account, wait.size).await;
        }
        let To::One(address) = &self.errand.settings.to else { return false };
        let Ok(permit) = stays_here(&self.house.desk.directory, address) else { return false };
        match mailward_delivery::accounts([&permit]).as_slice() {
            // With what is written before it, it is larger still.
            [only] => self.is_full(*only, message.size).await,
            _ => false,
        }
    }

    async fn is_full(&mut self, account: AccountId, size: u64) -> bool {
        if self.full.get(&account).is_some_and(|usage| !usage.admits(size)) {
            return true;
        }
        match self.house.desk.mail.usage(account).await {
            Ok(usage) if !usage.admits(size) => {
                self.full.insert(account, usage);
                true
            }
            // What can't be asked now is found out by delivering.
            Ok(_) | Err(_) => false,
        }
    }

    /// Remembers what a message waits for, if its name is its alone and there is room to.
    fn remember(&self, message: &Listed, wait: Wait) -> bool {
        !self.is_ambiguous(message) && self.house.waiting.put(self.errand.name, self.noted.key(&message.id), wait)
    }

    /// Whether a message has to be looked at, and what is known of it. `None`: it hasn't.
    fn wanted(&mut self, message: &Listed) -> Option<Option<Note>> {
        if self.is_ambiguous(message) {
            // Two messages of one name may be the same, or not: their bytes tell (RFC 1939 §7).
            return Some(None);
        }
        let known = self.noted.get(&self.noted.key(&message.id));
        match known {
            Some(Note::Refused) if !self.errand.asked => {
                self.came.left = self.came.left.saturating_add(1);
                None
            }
            Some(Note::Refused) => Some(None),
            // It stays there; another size would mean that the name was given again.
            Some(note)
                if self.errand.settings.after == After::Keep
                    && note.taken().is_some_and(|(_, size)| size == message.size) =>
            {
                None
            }
            known => Some(known),
        }
    }

    fn is_ambiguous(&self, message: &Listed) -> bool {
        self.names.get(&message.id).is_some_and(|count| *count > 1)
    }

    /// Fetches a message and delivers it, unless it is here. One that is noted is looked at before it is deleted: if the
    /// server gave its name to another, that one comes.
    async fn take(&mut self, maildrop: &mut Maildrop, message: &Listed, known: Option<Note>) -> Result<Then, Left> {
        let trouble = Left::Trouble;
        let most = message.size.saturating_mul(2).saturating_add(64 * 1024).min((self.house.message_size)());
        let house = self.house;
        let _memory = reserve(house, message.size).await;
        let raw = match maildrop.retrieve(message, most).await {
            Ok(Some(raw)) => raw,
            Ok(None) => return Ok(Then::Gone),
            Err(error @ Trouble::TooLarge(_)) => {
                // The rest of it is on its way: the session is over, and the next one must not stumble again.
                let key = self.noted.key(&message.id);
                self.refuse(message, key, "it is far larger than the server says").await.map_err(trouble)?;
                return Err(trouble(error));
            }
            Err(error) => return Err(trouble(error)),
        };
        let digest = digest(&raw);
        let note = Note::Taken(digest, message.size);
        let (key, known) = if self.is_ambiguous(message) {
            let key = self.noted.key_of_bytes(&message.id, &digest);
            self.listed.insert(key);
            (key, self.noted.get(&key))
        } else {
            (self.noted.key(&message.id), known)
        };
        let now = self.house.desk.clock.now();
        let shelf = Arc::clone(&self.house.desk.shelf);
        match known.map(|known| (known, known.taken())) {
            Some((_, Some((before, size)))) if before == digest => {
                if size != message.size {
                    self.noted.put(&*shelf, key, note, now).await.map_err(|error| trouble(error.into()))?;
                }
                Ok(Then::Safe(key))
            }
            Some((Note::Refused, _)) => Ok(Then::Stays),
            None if self.noted.is_renamed(&digest, &self.listed) => {
                self.noted.put(&*shelf, key, note, now).await.map_err(|error| trouble(error.into()))?;
                Ok(Then::Safe(key))
            }
            known => {
                let new = self.noted.taking(&key, note);
                // A note that is replaced, of what was refused or had its name before, is put over the old one.
                let replaces = known.is_some() || self.noted.get(&key).is_some();
                let change = match new {
                    ShelfChange::Add(Shelf::Fetch, record) if replaces => ShelfChange::Put(Shelf::Fetch, record),
                    new => new,
                };
                let source = Source { name: self.errand.name, settings: self.errand.settings, secure: &self.secure };
                let noting = Noting { all: change, noted: &self.noted, key, digest, size: message.size };
                if let Some(Partly { got, wait }) = deliver(&self.house.desk, &source, &raw, noting).await? {
                    for account in got {
                        self.noted.had(&key, account, digest, message.size);
                    }
                    return Err(Left::Later("a mailbox is full; the others have it".to_owned(), Some(wait)));
                }
                self.noted.took(key, note);
                self.house.waiting.forget(self.errand.name, &key);
                self.came.fetched = self.came.fetched.saturating_add(1);
                Ok(Then::Safe(key))
            }
        }
    }

    /// Notes that a message can't be taken, so that it is told of once a day and not at each visit.
    async fn refuse(&mut self, message: &Listed, key: Key, why: &str) -> Result<(), Trouble> {
        self.leave(message, why);
        let shelf = Arc::clone(&self.house.desk.shelf);
        Ok(self.noted.put(&*shelf, key, Note::Refused, self.house.desk.clock.now()).await?)
    }

    fn leave(&mut self, message: &Listed, why: &str) {
        self.came.left = self.came.left.saturating_add(1);
        self.came.note = Some(format!("message {} of {} bytes: {why}", message.id, message.size));
        let event = Event::warn("fetch.left").with("account", self.errand.name).with("message", &message.id);
        self.house.desk.events.emit(event.with("size", message.size).with("reason", why));
    }
}

/// Room for a message, its frame, and both that are made of it: without and with what was found. One that is larger than all there is goes alone.
async fn reserve(house: &House, size: u64) -> Option<SemaphorePermit<'_>> {
    let all = FETCH_BYTES_IN_FLIGHT_MAX.div_euclid(1024);
    let kib = usize::try_from(size.div_euclid(1024)).unwrap_or(usize::MAX).saturating_mul(3).saturating_add(64);
    let wanted = u32::try_from(kib.min(all)).unwrap_or(u32::MAX);
    // Nobody closes it.
    house.memory.acquire_many(wanted).await.ok()
}
