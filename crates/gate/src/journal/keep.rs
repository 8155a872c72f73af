//! Refusals on the shelf: a record each, under its hour and reference, so that one is found at once and all since a time in order.
//! Beside them a record an hour says how many weren't noted.

use super::reference::hour_of;
use super::{Entry, Hour, Inner, Journal, Reference};
use bytes::Bytes;
use mailward_core::limits::{
    JOURNAL_PER_HOUR, JOURNAL_RING, JOURNAL_TIME, JOURNAL_WRITE_TIME, PAGE_ROWS_MAX, SHELF_CHANGES_MAX,
};
use mailward_core::{Shutdown, Timestamp};
use mailward_store::StoreError;
use mailward_store::behind::now_and_then;
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use std::sync::Arc;

/// Comes before every reference, in the order of keys.
const LEFT_OUT: &str = "#";

/// The key of a refusal.
pub(super) fn key(hour: i64, reference: Reference) -> String {
    format!("{}{}", prefix(hour), reference.digits())
}

/// What keys of an hour begin with. Hours have as many digits until the year 11,000 or so.
pub(super) fn prefix(hour: i64) -> String {
    format!("{:08}.", hour.max(0))
}

/// How many of an hour weren't noted, if that is what a record says.
pub(super) fn left_out(record: &Shelved) -> Option<u64> {
    record.key.ends_with(LEFT_OUT).then(|| postcard::from_bytes(&record.value).unwrap_or(0))
}

/// The refusal that a record is.
pub(super) fn entry(record: &Shelved) -> Option<Entry> {
    postcard::from_bytes(&record.value).ok()
}

fn expires(at: Timestamp) -> Option<Timestamp> {
    Some(Timestamp(at.0.saturating_add(i64::try_from(JOURNAL_TIME.as_millis()).unwrap_or(i64::MAX))))
}

impl Inner {
    /// Lets an entry be written, if its hour has room.
    pub(super) fn write_later(&mut self, entry: Arc<Entry>) {
        if self.hour.written >= JOURNAL_PER_HOUR {
            return self.hour.leave_out();
        }
        self.hour.written = self.hour.written.saturating_add(1);
        if self.unwritten.len() >= JOURNAL_RING {
            self.unwritten.pop_front();
            self.hour.leave_out();
        }
        self.unwritten.push_back(entry);
    }
}

impl Journal {
    /// Finds out how much of this hour is written: what a restart must not forget, for the hour's bound to hold.
    ///
    /// # Errors
    /// What the store says.
    pub async fn load(&self) -> Result<(), StoreError> {
        let number = hour_of(self.clock.now());
        let prefix = prefix(number);
        let of_hour = self.shelf.shelf(Shelf::Refusals, Some(prefix.clone()), PAGE_ROWS_MAX).await?;
        let of_hour: Vec<Shelved> = of_hour.into_iter().take_while(|record| record.key.starts_with(&prefix)).collect();
        let left_out = of_hour.iter().filter_map(left_out).sum();
        let written = of_hour.iter().filter(|record| self::left_out(record).is_none()).count();
        let mut inner = self.inner();
        inner.hour = Hour { number, written, left_out, is_news: false };
        Ok(())
    }

    /// Writes what isn't written, a commit for each thousand.
    ///
    /// # Errors
    /// What the store says; it will be tried again.
    pub async fn save(&self) -> Result<(), StoreError> {
        let _alone = self.writing.lock().await;
        loop {
            let (batch, changes) = self.batch();
            if changes.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.shelf.change_shelf(changes).await {
                let mut inner = self.inner();
                inner.hour.is_news = true;
                for entry in batch.into_iter().rev() {
                    inner.unwritten.push_front(entry);
                }
                let most = JOURNAL_RING.saturating_add(SHELF_CHANGES_MAX);
                inner.unwritten.truncate(most);
                return Err(error);
            }
        }
    }

    /// What is written next.
    fn batch(&self) -> (Vec<Arc<Entry>>, Vec<ShelfChange>) {
        let mut inner = self.inner();
        // Two are for counts.
        let many = inner.unwritten.len().min(SHELF_CHANGES_MAX.saturating_sub(2));
        let batch: Vec<Arc<Entry>> = inner.unwritten.drain(..many).collect();
        let hours = [inner.last_hour.take(), Some(inner.hour)];
        inner.hour.is_news = false;
        drop(inner);
        let put = |key: String, value: Vec<u8>, at| {
            ShelfChange::Put(Shelf::Refusals, Shelved { key, value: Bytes::from(value), expires: expires(at) })
        };
        let mut changes: Vec<ShelfChange> = batch
            .iter()
            .map(|entry| {
                // Texts of bounded length can always be written.
                let value = postcard::to_stdvec(&**entry).unwrap_or_default();
                put(key(hour_of(entry.at), entry.reference), value, entry.at)
            })
            .collect();
        for hour in hours.into_iter().flatten().filter(|hour| hour.is_news) {
            let value = postcard::to_stdvec(&hour.left_out).unwrap_or_default();
            let at = Timestamp::from_secs(hour.number.saturating_mul(3_600));
            changes.push(put(format!("{}{LEFT_OUT}", prefix(hour.number)), value, at));
        }
        (batch, changes)
    }

    /// Writes every `limits::JOURNAL_WRITE_TIME`, until the word to stop comes. Whoever stops the server saves once more, when all
    /// sessions are over ([`Journal::save_or_tell`]).
    pub async fn keep(self: Arc<Self>, shutdown: Shutdown) {
        now_and_then(JOURNAL_WRITE_TIME, shutdown, || self.save_or_tell()).await;
    }

    /// Writes; that it can't be is told, once until it can.
    pub async fn save_or_tell(&self) {
        self.behind.tell(self.save().await);
    }
}
