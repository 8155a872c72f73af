//! What has to be written to a shelf, soon, by somebody who doesn't make others wait for it.

use mailward_core::Shutdown;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{KEEP_PAUSE, KEEP_UNWRITTEN_MAX, SHELF_CHANGES_MAX};
use mailward_store::records::ShelfChange;
use mailward_store::{ShelfStore, StoreError};
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Keys of records that changed in memory.
pub(crate) struct Keeper<K> {
    shelf: Arc<dyn ShelfStore>,
    unwritten: Mutex<HashSet<K>>,
    /// One writes at a time, so that the newest is written last.
    writing: tokio::sync::Mutex<()>,
    changed: Notify,
}

/// How a keeper that can't write says so.
pub(crate) struct Complaint {
    pub(crate) event: &'static str,
    pub(crate) mend: &'static str,
}

impl<K: Copy + Eq + Hash> Keeper<K> {
    pub(crate) fn new(shelf: Arc<dyn ShelfStore>) -> Self {
        Self { shelf, unwritten: Mutex::default(), writing: tokio::sync::Mutex::new(()), changed: Notify::new() }
    }

    fn unwritten(&self) -> MutexGuard<'_, HashSet<K>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This one is to be written. Called after it changed, or under the lock that it is read under.
    pub(crate) fn note(&self, key: K) {
        let mut unwritten = self.unwritten();
        // Only a store that takes nothing lets them grow, and that is told.
        if unwritten.len() < KEEP_UNWRITTEN_MAX {
            unwritten.insert(key);
        }
        drop(unwritten);
        self.changed.notify_one();
    }

    /// Taken off before they are read: what changes after that is noted again.
    fn take(&self) -> Vec<K> {
        let mut unwritten = self.unwritten();
        let keys: Vec<K> = unwritten.iter().take(SHELF_CHANGES_MAX).copied().collect();
        for key in &keys {
            unwritten.remove(key);
        }
        keys
    }

    /// Waits until everything that was noted is on stable storage, as `change` tells it.
    pub(crate) async fn kept(&self, change: impl Fn(&K) -> ShelfChange) -> Result<(), StoreError> {
        let _turn = self.writing.lock().await;
        loop {
            let keys = self.take();
            if keys.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.shelf.change_shelf(keys.iter().map(&change).collect()).await {
                self.unwritten().extend(keys);
                return Err(error);
            }
        }
    }

    /// Writes what changes until the server stops. `look` is called after every change and says how long to wait for the
    /// next at most.
    pub(crate) async fn run(
        &self,
        change: impl Fn(&K) -> ShelfChange,
        look: impl Fn() -> Duration,
        events: &Events,
        complaint: Complaint,
        mut shutdown: Shutdown,
    ) {
        let mut told = false;
        loop {
            let pause = match self.kept(&change).await {
                Ok(()) => {
                    told = false;
                    look()
                }
                Err(error) => {
                    if !told {
                        let event = Event::alert(complaint.event).with("why", error);
                        events.emit(event.with("mend", complaint.mend));
                        told = true;
                    }
                    look().min(KEEP_PAUSE)
                }
            };
            tokio::select! {
                biased;
                () = shutdown.fired() => {
                    // What came in this moment; the store isn't closed yet.
                    let _last = self.kept(&change).await;
                    return;
                }
                () = tokio::time::sleep(pause) => {}
                () = self.changed.notified() => {}
            }
        }
    }
}
