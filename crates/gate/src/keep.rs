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

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::shutdown;
    use mailward_store::Pending;
    use mailward_store::records::{Accepted, Delivery, Shelf, Shelved};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use tokio::sync::watch;

    /// A shelf that may take nothing.
    #[derive(Default)]
    struct Ill {
        well: AtomicBool,
        taken: AtomicUsize,
    }

    impl ShelfStore for Ill {
        fn shelf_version(&self, _: Shelf) -> watch::Receiver<u64> {
            watch::channel(0).1
        }
        fn shelf(&self, _: Shelf, _: Option<String>, _: usize) -> Pending<'_, Vec<Shelved>> {
            Box::pin(async { Ok(Vec::new()) })
        }
        fn shelved(&self, _: Shelf, _: String) -> Pending<'_, Option<Shelved>> {
            Box::pin(async { Ok(None) })
        }
        fn change_shelf(&self, changes: Vec<ShelfChange>) -> Pending<'_, ()> {
            Box::pin(async move {
                assert!(changes.len() <= SHELF_CHANGES_MAX);
                if !self.well.load(Ordering::SeqCst) {
                    return Err(StoreError::Damaged("on purpose".to_owned()));
                }
                self.taken.fetch_add(changes.len(), Ordering::SeqCst);
                Ok(())
            })
        }
        fn deliver_noted(&self, _: Delivery, _: Vec<ShelfChange>) -> Pending<'_, Accepted> {
            Box::pin(async { Err(StoreError::Damaged("no mail here".to_owned())) })
        }
    }

    fn change(key: &usize) -> ShelfChange {
        ShelfChange::Remove(Shelf::Bans, key.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_store_that_is_ill_didn_t_take_is_told_once_and_written_when_it_is_well() {
        let (shelf, events) = (Arc::new(Ill::default()), Events::memory());
        let keeper = Arc::new(Keeper::new(shelf.clone()));
        (0..SHELF_CHANGES_MAX + 1).for_each(|key| keeper.note(key));
        assert!(keeper.kept(change).await.is_err());
        let (trigger, word) = shutdown::channel();
        let running = tokio::spawn({
            let (keeper, events) = (keeper.clone(), events.clone());
            let complaint = Complaint { event: "test.unwritten", mend: "be well" };
            async move { keeper.run(change, || Duration::from_secs(3_600), &events, complaint, word).await }
        });
        tokio::time::sleep(KEEP_PAUSE * 3).await;
        assert_eq!(events.lines().len(), 1, "{:?}", events.lines());
        shelf.well.store(true, Ordering::SeqCst);
        tokio::time::sleep(KEEP_PAUSE * 2).await;
        assert_eq!(shelf.taken.load(Ordering::SeqCst), SHELF_CHANGES_MAX + 1);
        keeper.note(7);
        trigger.fire();
        running.await.unwrap();
        assert_eq!(shelf.taken.load(Ordering::SeqCst), SHELF_CHANGES_MAX + 2, "also in the last moment");
    }

    #[test]
    fn so_many_wait_to_be_written_and_no_more() {
        let keeper = Keeper::new(Arc::new(Ill::default()));
        (0..KEEP_UNWRITTEN_MAX + 1).for_each(|key| keeper.note(key));
        assert_eq!(keeper.unwritten().len(), KEEP_UNWRITTEN_MAX);
    }
}
