//! Greylisting (RFC 6647) of those who look bad: their mail is put off once, and taken when they come back with it.
//!
//! Who looks bad, and who is spared, is decided elsewhere: this room only remembers. What it remembers are numbers made of
//! network, sender and recipient with a key of the server's ([`SourceKey`]), so that the store doesn't tell who wrote to
//! whom. Networks are an IPv4 /24 and an IPv6 /64, as servers come back from another address of theirs.
//!
//! Questions are answered from memory. What changes is written in the background: a lone try at once, a flood in one
//! commit every `limits::GREYLIST_WRITE_PAUSE`. A kill between forgets it, and a server that was put off is put off once
//! more.

mod crowd;
mod memory;

use mailward_core::limits::{
    GREYLIST_ENTRIES_MAX, GREYLIST_WRITE_CHANGES, GREYLIST_WRITE_PAUSE, PAGE_ROWS_MAX, STOP_GRACE,
};
use mailward_core::{Address, Clock, Domain, Network, Secret, Shutdown, Timestamp};
use mailward_store::records::{Shelf, ShelfChange};
use mailward_store::{ShelfStore, StoreError};
use mailward_vault::{SourceKey, VaultError};
use memory::{Memory, record};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

pub use memory::{Remembered, State};

/// What is said to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreylistAnswer {
    /// It came back, now or before.
    Passes,
    /// It is to come again after so long.
    PutOff(Duration),
}

/// What an administrator takes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// What is remembered of a network and of networks within it.
    Network(Network),
    /// Everything.
    All,
}

/// Why what is remembered can't be had.
#[derive(Debug, thiserror::Error)]
pub enum GreylistError {
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key can be made from the server's secret.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Who was put off, and who came back.
pub struct Greylist {
    key: SourceKey,
    store: Arc<dyn ShelfStore>,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
    changed: Notify,
    /// One write at a time.
    writing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Greylist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Greylist")
    }
}

impl Greylist {
    /// Reads what was remembered, at most `limits::GREYLIST_ENTRIES_MAX`. What can't be read of a record is left out.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn open(
        store: Arc<dyn ShelfStore>,
        server: &Secret,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, GreylistError> {
        let key = SourceKey::new(server, "greylist")?;
        let (mut memory, mut after) = (Memory::default(), None);
        loop {
            let page = store.shelf(Shelf::Greylist, after.take(), PAGE_ROWS_MAX).await?;
            let whole = page.len() == PAGE_ROWS_MAX;
            after = page.last().map(|last| last.key.clone());
            memory.read(page);
            if !whole || memory.len() >= GREYLIST_ENTRIES_MAX {
                break;
            }
        }
        let memory = Mutex::new(memory);
        Ok(Arc::new(Self { key, store, clock, memory, changed: Notify::new(), writing: tokio::sync::Mutex::new(()) }))
    }

    /// Asks for one recipient (`None`: postmaster) of a message of somebody who looks bad. Who comes for the first time, or
    /// sooner than `wait` after it, is put off.
    pub fn ask(
        &self,
        ip: IpAddr,
        sender: Option<&Address>,
        recipient: Option<&Address>,
        wait: Duration,
    ) -> GreylistAnswer {
        let (network, text) = (network_of(ip), network_of(ip).to_string());
        let id = self.number(&["triplet", &text, &folded(sender, "<>"), &without_tag(recipient)]);
        let now = self.clock.now();
        let mut memory = self.memory();
        let answer = memory.ask(id, network, now, wait);
        self.wake(memory);
        answer
    }

    /// Notes that mail of a domain, proven to be the domain's (by SPF or a signature), was accepted from an address.
    pub fn came_well(&self, ip: IpAddr, domain: &Domain) {
        let (id, network) = self.history(ip, domain);
        let mut memory = self.memory();
        memory.pass(id, network, self.clock.now());
        self.wake(memory);
    }

    /// Whether proven mail of a domain was accepted from this neighbourhood within `limits::GREYLIST_PASS_TIME`.
    #[must_use]
    pub fn has_come_well(&self, ip: IpAddr, domain: &Domain) -> bool {
        let (id, _) = self.history(ip, domain);
        self.memory().has_passed(id, self.clock.now())
    }

    fn history(&self, ip: IpAddr, domain: &Domain) -> (u64, Network) {
        let network = Network::neighbours(ip);
        (self.number(&["history", &network.to_string(), domain.as_str()]), network)
    }

    /// No address holds a zero byte: where a text ends and the next begins counts.
    fn number(&self, texts: &[&str]) -> u64 {
        self.key.number(texts.join("\0").as_bytes())
    }

    /// What is remembered, the soonest to expire first, after one; at most `limits::PAGE_ROWS_MAX`.
    #[must_use]
    pub fn list(&self, after: Option<(Timestamp, u64)>) -> Vec<Remembered> {
        self.memory().list(after, self.clock.now(), PAGE_ROWS_MAX)
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.memory().len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets, for good when it answers. How much it was.
    ///
    /// # Errors
    /// The store can't be written; it is forgotten until the next start.
    pub async fn forget(&self, what: Forget) -> Result<usize, StoreError> {
        let count = self.memory().forget(what);
        while self.write().await? {}
        Ok(count)
    }

    /// Writes what changes, until the server stops, and at last the rest.
    pub async fn run(self: Arc<Self>, mut shutdown: Shutdown) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.fired() => break,
                () = self.changed.notified() => {}
            }
            // What couldn't be written stays to be written; the store itself tells of its trouble.
            let more = self.write().await.unwrap_or(true);
            if more {
                self.changed.notify_one();
            }
            tokio::select! {
                biased;
                () = shutdown.fired() => break,
                () = tokio::time::sleep(GREYLIST_WRITE_PAUSE) => {}
            }
        }
        let rest = async { while self.write().await.unwrap_or(false) {} };
        let _what_is_left = tokio::time::timeout(STOP_GRACE, rest).await;
    }

    /// Writes some of what changed, in one commit; whether there is more.
    async fn write(&self) -> Result<bool, StoreError> {
        let _alone = self.writing.lock().await;
        let (ids, changes) = {
            let mut memory = self.memory();
            let ids = memory.take_changed(GREYLIST_WRITE_CHANGES);
            let now = self.clock.now();
            let changes: Vec<_> =
                ids.iter().map(|id| ShelfChange::Put(Shelf::Greylist, record(*id, memory.get(*id), now))).collect();
            (ids, changes)
        };
        if ids.is_empty() {
            return Ok(false);
        }
        let written = self.store.change_shelf(changes).await;
        let mut memory = self.memory();
        match written {
            Ok(()) => Ok(memory.has_changed()),
            Err(error) => {
                memory.put_back(ids);
                Err(error)
            }
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change of it is whole before anything can panic.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, memory: MutexGuard<'_, Memory>) {
        let changed = memory.has_changed();
        drop(memory);
        if changed {
            self.changed.notify_one();
        }
    }
}

/// Within which addresses somebody comes back: an IPv4 /24, an IPv6 /64.
fn network_of(ip: IpAddr) -> Network {
    if ip.to_canonical().is_ipv4() { Network::neighbours(ip) } else { Network::host(ip) }
}

fn folded(address: Option<&Address>, none: &str) -> String {
    address.map_or_else(|| none.to_owned(), |a| format!("{}@{}", a.local().folded(), a.host()))
}

/// The recipient as the mailbox that it is: whoever writes to it with ten thousand tags writes to one (RFC 5233 §4).
fn without_tag(address: Option<&Address>) -> String {
    let Some(address) = address else { return "postmaster".to_owned() };
    let local = address.local().folded();
    let bare = local.split_once('+').map(|(bare, _)| bare).filter(|bare| !bare.is_empty());
    format!("{}@{}", bare.unwrap_or(&local), address.host())
}

#[cfg(test)]
mod tests;
