//! What was found in messages that weren't plainly delivered, so that an administrator can answer who asks.
//!
//! **In**: [`Remembered`], at each such message, by its name. **Out**: the same, for a week, with or without a running server.
//!
//! **Limits**: `limits::VERDICTS_PER_HOUR` of each hour of the clock (a restart begins its count anew), each of at most
//! `limits::VERDICT_BYTES_MAX` bytes, for `limits::VERDICTS_TIME`.
//!
//! **Failure**: remembering never waits. What can't be written waits in memory and is tried again; a kill forgets what came in
//! the last `limits::VERDICTS_WRITE_TIME`. The log has it all the same.

use crate::quarantine::Note;
use crate::verdict::Action;
use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::limits::{
    SHELF_CHANGES_MAX, SHELF_KEY_MAX, VERDICT_BYTES_MAX, VERDICTS_PER_HOUR, VERDICTS_TIME, VERDICTS_WRITE_TIME,
};
use mailward_core::{Clock, QuarantineId, Shutdown, Timestamp};
use mailward_store::StoreError;
use mailward_store::api::ShelfStore;
use mailward_store::behind::{Behind, now_and_then};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One message, and what was found in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// When it came.
    pub at: Timestamp,
    /// The strongest that was done with it, for any recipient.
    pub action: Action,
    /// Where it is, or was, in the quarantine.
    pub quarantine: Option<QuarantineId>,
    /// From whom to whom, and what was found. Outsiders wrote much of it.
    pub note: Note,
}

/// See the [module](self).
pub struct Verdicts {
    shelf: Arc<dyn ShelfStore>,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    behind: Behind,
    /// One writes at a time.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The oldest first.
    unwritten: VecDeque<Shelved>,
    /// The hour that is counted, and how many came in it.
    hour: (i64, usize),
}

impl Verdicts {
    /// Over a shelf of the store.
    #[must_use]
    pub fn new(shelf: Arc<dyn ShelfStore>, clock: Arc<dyn Clock>, events: Events) -> Arc<Self> {
        let (inner, writing) = (Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { shelf, clock, inner, behind: Behind::new(events, "verdicts.unwritten"), writing })
    }

    /// Remembers what was found in a message, if its hour has room. It is memory only and never waits.
    pub fn remember(&self, note: &Note, quarantine: Option<QuarantineId>) {
        if note.id.is_empty() || note.id.len() > SHELF_KEY_MAX {
            return;
        }
        let now = self.clock.now();
        let action = note.findings.iter().map(|finding| finding.action).max().unwrap_or_default();
        let remembered = Remembered { at: now, action, quarantine, note: note.within(VERDICT_BYTES_MAX) };
        let value = Bytes::from(serde_json::to_vec(&remembered).unwrap_or_default());
        let time = i64::try_from(VERDICTS_TIME.as_millis()).unwrap_or(i64::MAX);
        let expires = Some(Timestamp(now.0.saturating_add(time)));
        let mut inner = self.inner();
        let hour = now.secs().div_euclid(3_600);
        if inner.hour.0 != hour {
            inner.hour = (hour, 0);
        }
        // What waits for a disk that doesn't take it is bounded like an hour.
        if inner.hour.1 >= VERDICTS_PER_HOUR || inner.unwritten.len() >= VERDICTS_PER_HOUR {
            return;
        }
        inner.hour.1 = inner.hour.1.saturating_add(1);
        inner.unwritten.push_back(Shelved { key: note.id.clone(), value, expires });
    }

    /// What is remembered of the message of a name; none if it was plainly delivered, came too long ago, or was one of too
    /// many.
    ///
    /// # Errors
    /// What the store says.
    pub async fn find(&self, id: &str) -> Result<Option<Remembered>, StoreError> {
        if id.is_empty() || id.len() > SHELF_KEY_MAX {
            return Ok(None);
        }
        let waiting = self.inner().unwritten.iter().find(|one| one.key == id).cloned();
        let found = match waiting {
            Some(waiting) => Some(waiting),
            None => self.shelf.shelved(Shelf::Verdicts, id.to_owned()).await?,
        };
        Ok(found.and_then(|found| serde_json::from_slice(&found.value).ok()))
    }

    /// Writes what isn't written.
    ///
    /// # Errors
    /// What the store says; it will be tried again.
    pub async fn save(&self) -> Result<(), StoreError> {
        let _alone = self.writing.lock().await;
        loop {
            let batch: Vec<Shelved> = self.inner().unwritten.iter().take(SHELF_CHANGES_MAX).cloned().collect();
            if batch.is_empty() {
                return Ok(());
            }
            let many = batch.len();
            let changes = batch.into_iter().map(|one| ShelfChange::Put(Shelf::Verdicts, one)).collect();
            self.shelf.change_shelf(changes).await?;
            // It is found in memory until it is found on the shelf; what came meanwhile stands behind.
            drop(self.inner().unwritten.drain(..many));
        }
    }

    /// Writes now and then until the word to stop. Whoever stops the server saves once more, when all sessions are over
    /// ([`Verdicts::save_or_tell`]).
    pub async fn keep(self: Arc<Self>, shutdown: Shutdown) {
        now_and_then(VERDICTS_WRITE_TIME, shutdown, || self.save_or_tell()).await;
    }

    /// Writes; that it can't be is told, once until it can.
    pub async fn save_or_tell(&self) {
        self.behind.tell(self.save().await);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each step is whole: it stays true if a holder of the lock panicked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verdicts")
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests {
    use super::*;
    use crate::verdict::{Check, Finding};
    use mailward_store::{LocalStore, Options};
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Debug)]
    struct Hand(AtomicI64);
    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::SeqCst))
        }
    }

    fn note(id: &str) -> Note {
        let finding = Finding::new(Check::Attachments, "program", Action::Quarantine, "a.exe");
        Note { id: id.to_owned(), findings: vec![finding], ..Note::default() }
    }

    fn over(store: &Arc<LocalStore>, clock: &Arc<Hand>) -> Arc<Verdicts> {
        Verdicts::new(store.clone(), clock.clone(), Events::nowhere())
    }

    #[tokio::test]
    async fn what_was_found_is_remembered_over_a_restart_and_found_before_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let now = mailward_core::SystemClock.now().0;
        let clock = Arc::new(Hand(AtomicI64::new(now)));
        let verdicts = over(&store, &clock);
        verdicts.remember(&note("3kc1v5y0r0000"), Some(QuarantineId(7)));
        let found = verdicts.find("3kc1v5y0r0000").await.unwrap().unwrap();
        assert_eq!((found.at.0, found.action, found.quarantine), (now, Action::Quarantine, Some(QuarantineId(7))));
        verdicts.save().await.unwrap();
        assert_eq!(over(&store, &clock).find("3kc1v5y0r0000").await.unwrap().unwrap(), found);
        assert_eq!(verdicts.find("3kc1v5y0r0001").await.unwrap(), None);
        assert_eq!(verdicts.find("").await.unwrap(), None);
        assert_eq!(verdicts.find(&"x".repeat(SHELF_KEY_MAX + 1)).await.unwrap(), None);
        store.close().await;
    }

    #[tokio::test]
    async fn an_hour_has_room_for_so_many_and_the_next_one_for_as_many_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(mailward_core::SystemClock.now().0)));
        let verdicts = over(&store, &clock);
        let late = "late";
        for number in 0..VERDICTS_PER_HOUR {
            verdicts.remember(&note(&format!("id{number:06}")), None);
        }
        // Whether they are written or not.
        verdicts.remember(&note(late), None);
        assert_eq!(verdicts.find(late).await.unwrap(), None);
        verdicts.save().await.unwrap();
        verdicts.remember(&note(late), None);
        assert_eq!(verdicts.find(late).await.unwrap(), None);
        clock.0.fetch_add(3_600_000, Ordering::SeqCst);
        verdicts.remember(&note(late), None);
        assert!(verdicts.find(late).await.unwrap().is_some());
        assert!(verdicts.find("id000000").await.unwrap().is_some());
        store.close().await;
    }

    #[test]
    fn a_verdict_takes_no_more_than_its_bytes_whatever_was_found() {
        let evil = "\u{1b}".repeat(500);
        let finding = Finding::new(Check::Attachments, "program", Action::Quarantine, evil.clone());
        let note = Note { subject: evil, findings: vec![finding; 100], ..note("3kc1v5y0r0000") };
        let short = note.within(VERDICT_BYTES_MAX);
        assert!(serde_json::to_vec(&short).unwrap().len() <= VERDICT_BYTES_MAX);
        assert!(!short.findings.is_empty(), "something of what was found is left");
    }
}
