//! Learning: by an administrator's word, by users who move and flag, by what they send to addresses that learn.

use super::judge::step_without;
use super::model::{Spam, SpamError, User};
use super::reading::Reading;
use super::table::Table;
use super::tokens::{is_trace, tokens};
use aws_lc_rs::digest;
use bytes::Bytes;
use mailward_core::event::Event;
use mailward_core::limits::{
    SPAM_FIELDS_MAX, SPAM_FOLD_MAX, SPAM_FOLD_TIME, SPAM_MARKS_STEP, SPAM_PAGE_MAX, SPAM_READ_MAX, SPAM_SENT_MAX,
    SPAM_TOKENS_MAX, SPAM_TOKENS_SERVER_MAX, SPAM_TOKENS_USER_MAX, SPAM_TOKENS_USERS_MAX,
};
use mailward_core::{AccountId, Address, Shutdown};
use mailward_message::header::fields;
use mailward_message::{Structure, decode::part_bytes};
use mailward_store::records::{Learning, Learnt, Lesson, Mark, PendingTokens, Shelf, SpamOwner};
use mailward_store::{ShelfStore, SpamStore, StoreError};
use std::sync::{Arc, PoisonError, RwLock};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Reads a table.
pub(super) async fn load(
    store: &dyn SpamStore,
    owner: Option<AccountId>,
    owners: &[SpamOwner],
) -> Result<Table, StoreError> {
    let mut table = Table::default();
    if let Some(known) = owners.iter().find(|one| one.owner == owner) {
        (table.spam, table.ham) = (known.spam, known.ham);
    }
    let mut after = None;
    loop {
        let page = store.spam_tokens(owner, after, SPAM_PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.token);
        page.iter().for_each(|row| table.put(row));
    }
    for pending in store.pending_tokens(owner).await? {
        table.add(&pending);
    }
    Ok(table)
}

impl Spam {
    /// Learns a message for the server (`None`) or a user, or with no lesson forgets it; what they learned of it before is taken
    /// back exactly. What a trainer says is learned by the server as well.
    ///
    /// # Errors
    /// The store can't be written; nothing was learned then.
    pub async fn learn(
        &self,
        owner: Option<AccountId>,
        message: &[u8],
        lesson: Option<Lesson>,
    ) -> Result<Learnt, SpamError> {
        let message = message.get(..SPAM_READ_MAX).unwrap_or(message);
        let structure = Structure::parse(message);
        self.learn_parsed(owner, message, &structure, lesson).await
    }

    async fn learn_parsed(
        &self,
        owner: Option<AccountId>,
        message: &[u8],
        structure: &Structure,
        lesson: Option<Lesson>,
    ) -> Result<Learnt, SpamError> {
        let reading = Reading::of(message, structure);
        let tokens = tokens(message, structure, &reading, &self.parts.key);
        let hash = identity(message, structure);
        let trainer = owner.filter(|account| self.is_trainer(*account));
        let learnt = self.teach(owner, hash, tokens.clone(), lesson).await?;
        if trainer.is_some() {
            self.teach(None, hash, tokens, lesson).await?;
        }
        Ok(learnt)
    }

    fn is_trainer(&self, account: AccountId) -> bool {
        let settings = self.settings();
        if settings.trainers.is_empty() {
            return false;
        }
        (self.parts.names)(account).is_some_and(|name| settings.trainers.contains(&name))
    }

    async fn teach(
        &self,
        owner: Option<AccountId>,
        message: [u8; 32],
        tokens: Vec<u64>,
        lesson: Option<Lesson>,
    ) -> Result<Learnt, SpamError> {
        let user = match owner {
            Some(account) => Some(self.table(account).await?),
            None => None,
        };
        let _alone = self.teaching.lock().await;
        let before = self.parts.store.learned(owner, message).await?;
        if before.map(|one| one.lesson) == lesson {
            return Ok(Learnt::Already);
        }
        let weight = lesson.map_or(0, |lesson| {
            let server = self.server.read().unwrap_or_else(PoisonError::into_inner);
            let user = user.as_ref().map(|table| table.read().unwrap_or_else(PoisonError::into_inner));
            step_without(&tokens, &server, user.as_deref(), lesson, before.map_or(0, |before| before.weight))
        });
        let learning = Learning { owner, message, lesson, weight, tokens: tokens.clone() };
        let learnt = self.parts.store.learn(learning).await?;
        if let Learnt::Changed { spam, ham, weight } = learnt {
            let day = u32::try_from(self.parts.clock.now().0.div_euclid(DAY)).unwrap_or(0);
            let more = PendingTokens { spam, ham, weight, day, tokens };
            match (&user, owner) {
                (Some(table), Some(account)) => {
                    let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
                    table.add(&more);
                    table.count(spam, ham);
                    let learned = (table.spam, table.ham);
                    drop(table);
                    let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
                    users.learned.insert(account, learned);
                }
                _ => {
                    let mut table = self.server.write().unwrap_or_else(PoisonError::into_inner);
                    table.add(&more);
                    table.count(spam, ham);
                }
            }
            self.taught.notify_one();
        }
        Ok(learnt)
    }

    /// A user's table, from memory or the store.
    pub(super) async fn table(&self, account: AccountId) -> Result<Arc<RwLock<Table>>, SpamError> {
        if let Some(table) = self.in_memory(account) {
            return Ok(table);
        }
        let _alone = self.teaching.lock().await;
        if let Some(table) = self.in_memory(account) {
            return Ok(table);
        }
        let owners = self.parts.store.spam_owners().await?;
        let table = Arc::new(RwLock::new(load(&*self.parts.store, Some(account), &owners).await?));
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.needs = users.needs.saturating_add(1);
        let used = users.needs;
        users.tables.insert(account, User { table: Arc::clone(&table), used });
        loop {
            let size = |user: &User| user.table.read().unwrap_or_else(PoisonError::into_inner).len();
            let sum: usize = users.tables.values().map(size).fold(0, usize::saturating_add);
            if sum <= SPAM_TOKENS_USERS_MAX || users.tables.len() <= 1 {
                break;
            }
            let oldest = users.tables.iter().min_by_key(|(_, user)| user.used).map(|(account, _)| *account);
            if let Some(oldest) = oldest {
                users.tables.remove(&oldest);
            }
        }
        Ok(table)
    }

    fn in_memory(&self, account: AccountId) -> Option<Arc<RwLock<Table>>> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.needs = users.needs.saturating_add(1);
        let needs = users.needs;
        let user = users.tables.get_mut(&account)?;
        user.used = needs;
        Some(Arc::clone(&user.table))
    }

    /// Whether mail to an address is to be learned, and as what.
    #[must_use]
    pub fn train_address(&self, address: &Address) -> Option<Lesson> {
        let settings = self.settings();
        let found = settings.train_addresses.iter().find(|one| one.address == *address)?;
        Some(if found.spam { Lesson::Spam } else { Lesson::Ham })
    }

    /// Learns what a user who is logged in sent to such an address: the messages attached to it, or if there is none the message
    /// itself, which they redirected. Answers how many were learned anew.
    ///
    /// # Errors
    /// The store can't be written; what was learned before that stays.
    pub async fn learn_sent(&self, account: AccountId, message: &[u8], lesson: Lesson) -> Result<usize, SpamError> {
        let structure = Structure::parse(message);
        let mut learned = 0usize;
        let mut attached = false;
        // What is attached to what is attached belongs to that.
        let mut end = 0u64;
        let mut parts = Vec::new();
        for part in structure.parts().filter(|part| part.is_message()) {
            if part.header.start >= end && parts.len() < SPAM_SENT_MAX {
                end = part.body.end;
                parts.push(part.clone());
            }
        }
        for part in parts {
            attached = true;
            let inside = part_bytes(message, &part);
            let learnt = self.learn(Some(account), &inside, Some(lesson)).await?;
            learned = learned.saturating_add(usize::from(learnt != Learnt::Already));
        }
        if !attached {
            let learnt = self.learn(Some(account), message, Some(lesson)).await?;
            learned = learned.saturating_add(usize::from(learnt != Learnt::Already));
        }
        Ok(learned)
    }

    /// Forgets all that somebody learned.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn forget(&self, owner: Option<AccountId>) -> Result<(), SpamError> {
        let _alone = self.teaching.lock().await;
        self.parts.store.forget_spam(owner).await?;
        match owner {
            None => *self.server.write().unwrap_or_else(PoisonError::into_inner) = Table::default(),
            Some(account) => {
                let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
                users.tables.remove(&account);
                users.learned.remove(&account);
            }
        }
        Ok(())
    }

    /// Learns what users say by moving and flagging, and keeps the tables in order, until the server stops. `shelf` tells that
    /// there is something to learn.
    pub async fn keep(self: Arc<Self>, shelf: Arc<dyn ShelfStore>, mut shutdown: Shutdown) {
        let mut news = shelf.shelf_version(Shelf::Trained);
        loop {
            news.mark_unchanged();
            if let Err(error) = self.settle().await {
                self.parts.events.emit(
                    Event::warn("spam.not_learned")
                        .with("error", &error)
                        .with("mend", "what users said is kept and learned when the store takes it again"),
                );
                tokio::select! {
                    () = tokio::time::sleep(SPAM_FOLD_TIME) => continue,
                    _ = shutdown.fired() => return,
                }
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return },
                () = self.taught.notified() => {
                    // More may come at once: it is folded together.
                    tokio::select! {
                        () = tokio::time::sleep(SPAM_FOLD_TIME) => {}
                        _ = news.changed() => {}
                        _ = shutdown.fired() => return,
                    }
                }
                _ = shutdown.fired() => return,
            }
        }
    }

    /// Learns all marks, folds what was learned, and makes tables give way that are too large.
    ///
    /// # Errors
    /// The store can't be read or written; what wasn't done is done the next time.
    pub async fn settle(&self) -> Result<(), SpamError> {
        loop {
            let marks = self.parts.store.spam_marks(SPAM_MARKS_STEP).await?;
            if marks.is_empty() {
                break;
            }
            for mark in &marks {
                self.learn_mark(mark).await?;
            }
            self.parts.store.unmark(marks.iter().map(|mark| mark.id).collect()).await?;
        }
        self.fold().await
    }

    async fn learn_mark(&self, mark: &Mark) -> Result<(), SpamError> {
        let Some(blob) = self.parts.mail.blobs(vec![mark.blob]).await?.pop() else { return Ok(()) };
        let bytes: Bytes = match self.parts.mail.read(mark.blob, 0, SPAM_READ_MAX as u64).await {
            Ok(bytes) => bytes,
            // It went between the two questions.
            Err(StoreError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let structure = Structure::from_bytes(&blob.structure).unwrap_or_else(|_| Structure::parse(&bytes));
        match self.learn_parsed(Some(mark.account), &bytes, &structure, mark.lesson).await {
            // The account went.
            Err(SpamError::Store(StoreError::NotFound(_))) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Writes what was learned into the tables.
    async fn fold(&self) -> Result<(), SpamError> {
        loop {
            let _alone = self.teaching.lock().await;
            // Each step lets others learn and read between.
            if self.parts.store.fold_tokens().await? == 0 {
                break;
            }
        }
        self.shrink(None).await?;
        let accounts: Vec<AccountId> = {
            let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
            users.tables.keys().copied().collect()
        };
        for account in accounts {
            self.shrink(Some(account)).await?;
        }
        Ok(())
    }

    /// Takes tokens out of a table that has too many.
    async fn shrink(&self, owner: Option<AccountId>) -> Result<(), SpamError> {
        loop {
            let excess = match owner {
                None => {
                    let server = self.server.read().unwrap_or_else(PoisonError::into_inner);
                    server.excess(SPAM_TOKENS_SERVER_MAX, SPAM_TOKENS_MAX.saturating_mul(SPAM_FOLD_MAX))
                }
                Some(account) => match self.in_memory(account) {
                    Some(table) => {
                        let table = table.read().unwrap_or_else(PoisonError::into_inner);
                        table.excess(SPAM_TOKENS_USER_MAX, SPAM_TOKENS_MAX.saturating_mul(SPAM_FOLD_MAX))
                    }
                    None => Vec::new(),
                },
            };
            if excess.is_empty() {
                return Ok(());
            }
            for some in excess.chunks(SPAM_TOKENS_MAX) {
                let _alone = self.teaching.lock().await;
                self.parts.store.drop_tokens(owner, some.to_vec()).await?;
                match owner {
                    None => self.server.write().unwrap_or_else(PoisonError::into_inner).remove(some),
                    Some(account) => {
                        if let Some(table) = self.in_memory(account) {
                            table.write().unwrap_or_else(PoisonError::into_inner).remove(some);
                        }
                    }
                }
            }
        }
    }
}

/// What a message is known by: SHA-256 of what its sender wrote, without what hosts put before it on the way.
fn identity(message: &[u8], structure: &Structure) -> [u8; 32] {
    let message = message.get(..SPAM_READ_MAX).unwrap_or(message);
    let end = usize::try_from(structure.root().header.end).unwrap_or(usize::MAX);
    let header = message.get(..end).unwrap_or(message);
    let mut start = 0usize;
    for field in fields(header).take(SPAM_FIELDS_MAX) {
        if !is_trace(&String::from_utf8_lossy(field.name).to_ascii_lowercase()) {
            break;
        }
        start = field.whole.end;
    }
    let hash = digest::digest(&digest::SHA256, message.get(start..).unwrap_or_default());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}
