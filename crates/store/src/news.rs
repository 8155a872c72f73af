//! News of changes to whoever watches.

use crate::departed::Gone;
use crate::records::Shelf;
use mailward_core::{AccountId, BlobId, MailboxId, ModSeq};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What a commit changed.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) mailboxes: HashMap<MailboxId, ModSeq>,
    pub(crate) accounts: HashSet<AccountId>,
    pub(crate) directory: bool,
    /// Something was queued, or became due by hand.
    pub(crate) queue: bool,
    pub(crate) quarantine: bool,
    pub(crate) shelves: HashSet<Shelf>,
    pub(crate) contents: Contents,
}

/// Contents that came and went.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// New, and for the queue alone.
    pub(crate) owed: Vec<BlobId>,
    pub(crate) gone: Vec<Gone>,
}

/// Who watches what.
#[derive(Debug)]
pub(crate) struct News {
    mailboxes: Watched<MailboxId, ModSeq>,
    accounts: Watched<AccountId, u64>,
    directory: watch::Sender<u64>,
    queue: watch::Sender<u64>,
    quarantine: watch::Sender<u64>,
    shelves: Watched<Shelf, u64>,
}

impl News {
    pub(crate) fn new() -> Self {
        Self {
            mailboxes: Watched::default(),
            accounts: Watched::default(),
            directory: watch::Sender::new(0),
            queue: watch::Sender::new(0),
            quarantine: watch::Sender::new(0),
            shelves: Watched::default(),
        }
    }
    pub(crate) fn watch(&self, mailbox: MailboxId) -> watch::Receiver<ModSeq> {
        self.mailboxes.watch(mailbox, ModSeq(0))
    }
    pub(crate) fn watch_account(&self, account: AccountId) -> watch::Receiver<u64> {
        self.accounts.watch(account, 0)
    }
    pub(crate) fn watch_directory(&self) -> watch::Receiver<u64> {
        self.directory.subscribe()
    }
    pub(crate) fn watch_queue(&self) -> watch::Receiver<u64> {
        self.queue.subscribe()
    }
    pub(crate) fn watch_quarantine(&self) -> watch::Receiver<u64> {
        self.quarantine.subscribe()
    }
    pub(crate) fn watch_shelf(&self, shelf: Shelf) -> watch::Receiver<u64> {
        self.shelves.watch(shelf, 0)
    }
    pub(crate) fn tell(&self, touched: Touched) {
        if touched.queue {
            self.queue.send_modify(|version| *version = version.wrapping_add(1));
        }
        if touched.quarantine {
            self.quarantine.send_modify(|version| *version = version.wrapping_add(1));
        }
        if touched.directory {
            self.directory.send_modify(|version| *version = version.wrapping_add(1));
        }
        self.mailboxes.tell(touched.mailboxes, |now, news| *now = news);
        let accounts = touched.accounts.into_iter().map(|account| (account, ()));
        self.accounts.tell(accounts, |version, ()| *version = version.wrapping_add(1));
        let shelves = touched.shelves.into_iter().map(|shelf| (shelf, ()));
        self.shelves.tell(shelves, |version, ()| *version = version.wrapping_add(1));
    }
}

/// A value for each key that somebody watches.
#[derive(Debug)]
struct Watched<K, V>(Mutex<HashMap<K, watch::Sender<V>>>);

impl<K, V> Default for Watched<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V> Watched<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, watch::Sender<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn watch(&self, key: K, value: V) -> watch::Receiver<V> {
        let mut watched = self.lock();
        // Those nobody watches any more go when the table would grow: each costs as much as it saves.
        if watched.len() == watched.capacity() {
            watched.retain(|_, sender| sender.receiver_count() > 0);
        }
        watched.entry(key).or_insert_with(|| watch::Sender::new(value)).subscribe()
    }
    fn tell<N>(&self, news: impl IntoIterator<Item = (K, N)>, mut change: impl FnMut(&mut V, N)) {
        let watched = self.lock();
        if watched.is_empty() {
            return;
        }
        for (key, value) in news {
            if let Some(sender) = watched.get(&key) {
                sender.send_modify(|now| change(now, value));
            }
        }
    }
}
