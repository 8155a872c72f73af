//! What is counted by day and domain, in memory, until it is added to what is kept on a shelf of the store.
//!
//! Counting costs a lock; what was counted is written now and then, in batches, each in one commit. What a crash takes is at
//! most what was counted since. What there is no room for is a number.

use crate::results::Day;
use bytes::Bytes;
use mailward_core::Domain;
use mailward_store::StoreError;
use mailward_store::api::ShelfStore;
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is counted of a domain's day.
pub trait Daily: Default + DeserializeOwned + Send + Sync {
    /// Where it is kept.
    const SHELF: Shelf;
    /// How many days after its own.
    const DAYS: u16;
    /// Days of domains that are counted in memory at once.
    const MOST: usize;
    /// Days of domains that one commit writes.
    const BATCH: usize;
    /// Adds what was counted later.
    fn merge(&mut self, later: &Self);
    /// As it is kept, JSON of at most `limits::SHELF_VALUE_MAX` bytes: what is too much for that is left out.
    fn value(&self) -> Vec<u8>;

    /// As it is kept.
    fn record(&self, day: Day, domain: &Domain) -> Shelved {
        let expires = Day(day.0.saturating_add(i64::from(Self::DAYS))).end();
        Shelved { key: key(day, domain), value: Bytes::from(self.value()), expires: Some(expires) }
    }

    /// What is kept, by its key and value; `None` if it can't be read.
    fn read(record: &Shelved) -> Option<(Day, Domain, Self)> {
        let (day, domain) = record.key.split_once('/')?;
        Some((Day::parse(day)?, Domain::parse(domain).ok()?, serde_json::from_slice(&record.value).ok()?))
    }
}

/// Where a domain's day is kept: ordered by day.
#[must_use]
pub fn key(day: Day, domain: &Domain) -> String {
    format!("{day}/{domain}")
}

/// Days of domains that are counted.
pub struct Book<T>(Mutex<Pages<T>>);

pub(crate) struct Pages<T> {
    pub(crate) days: HashMap<(Day, Domain), T>,
    /// What was to be counted of days for which there was no room.
    pub(crate) overlooked: u64,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { days: HashMap::new(), overlooked: 0 }
    }
}

impl<T> Default for Book<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> fmt::Debug for Book<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Book")
    }
}

impl<T: Daily> Pages<T> {
    /// Where a domain's day is counted, if there is room.
    fn place(&mut self, day: (Day, Domain)) -> Option<&mut T> {
        let room = self.days.len() < T::MOST;
        match self.days.entry(day) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(place) if room => Some(place.insert(T::default())),
            Entry::Vacant(_) => {
                self.overlooked = self.overlooked.saturating_add(1);
                None
            }
        }
    }
}

impl<T: Daily> Book<T> {
    pub(crate) fn pages(&self) -> MutexGuard<'_, Pages<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts something of a domain's day, if there is room.
    pub fn count(&self, day: Day, domain: Domain, add: impl FnOnce(&mut T)) {
        if let Some(place) = self.pages().place((day, domain)) {
            add(place);
        }
    }

    /// Adds what was counted to what is kept; answers how much there was no room for. Only one may do so at a time. What
    /// can't be written is counted on.
    ///
    /// # Errors
    /// What the store says.
    pub async fn write(&self, shelf: &dyn ShelfStore) -> Result<u64, StoreError> {
        let pages = std::mem::take(&mut *self.pages());
        let mut days: Vec<((Day, Domain), T)> = pages.days.into_iter().collect();
        while !days.is_empty() {
            let batch = days.split_off(days.len().saturating_sub(T::BATCH));
            if let Err(error) = add(shelf, &batch).await {
                let mut pages = self.pages();
                for (day, mut counted) in batch.into_iter().chain(days) {
                    if let Some(place) = pages.place(day) {
                        // What came meanwhile is newer.
                        counted.merge(place);
                        *place = counted;
                    }
                }
                return Err(error);
            }
        }
        Ok(pages.overlooked)
    }
}

/// Adds to what is kept, in one commit.
async fn add<T: Daily>(shelf: &dyn ShelfStore, batch: &[((Day, Domain), T)]) -> Result<(), StoreError> {
    let mut changes = Vec::with_capacity(batch.len());
    for ((day, domain), counted) in batch {
        let known = shelf.shelved(T::SHELF, key(*day, domain)).await?;
        let mut all = known.as_ref().and_then(T::read).map(|(_, _, known)| known).unwrap_or_default();
        all.merge(counted);
        changes.push(ShelfChange::Put(T::SHELF, all.record(*day, domain)));
    }
    shelf.change_shelf(changes).await
}
