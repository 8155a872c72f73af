//! The journal of refusals: what was refused or put off, to whom, why, so that an administrator can answer who asks.
//!
//! **In**: [`Refused`], at each refusal. **Out**: a [`Reference`] that stands in the reply, and what is found of it later
//! ([`Journal::find`]).
//!
//! **Limits**: the newest `limits::JOURNAL_RING` are in memory, for `limits::JOURNAL_TIME` they are on a shelf of the store, at most
//! `limits::JOURNAL_PER_HOUR` of each hour. Who is refused all day long isn't noted each time, but counted (attacks H8):
//! `JOURNAL_PER_HOST`, `JOURNAL_PER_SECOND`, `JOURNAL_SAMPLE`. Fields are cut at `JOURNAL_FIELD_MAX` bytes.
//!
//! **Failure**: noting never waits. What can't be written stays in memory, and is tried again; a kill loses what came in
//! the last `JOURNAL_WRITE_TIME`. What isn't there is said not to be there, with how many weren't noted.

mod entry;
mod find;
mod keep;
mod reference;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests;

pub use entry::{Entry, Refused, Stage, Verdict};
pub use find::{Asked, Found, What};
pub use reference::Reference;

use crate::rates::{Counted, Moment, Table};
use mailward_core::event::Events;
use mailward_core::limits::{JOURNAL_HOSTS, JOURNAL_PER_HOST, JOURNAL_PER_SECOND, JOURNAL_RING, JOURNAL_SAMPLE};
use mailward_core::{Clock, Network, Secret, Timestamp};
use mailward_store::api::ShelfStore;
use mailward_store::behind::Behind;
use mailward_vault::{SourceKey, VaultError};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the [module](self).
pub struct Journal {
    key: SourceKey,
    clock: Arc<dyn Clock>,
    shelf: Arc<dyn ShelfStore>,
    /// Makes references differ.
    counter: AtomicU64,
    hosts: Table<Noted, ()>,
    inner: Mutex<Inner>,
    behind: Behind,
    /// One writes at a time, so that what is written last is newest.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    /// The oldest first.
    ring: VecDeque<Arc<Entry>>,
    /// Of the ring, those that have to be written.
    unwritten: VecDeque<Arc<Entry>>,
    /// The second that is counted, and how many came in it.
    second: (i64, u32),
    hour: Hour,
    /// The one before, if its count has yet to be written.
    last_hour: Option<Hour>,
}

/// What came in one hour of the clock.
#[derive(Clone, Copy, Debug, Default)]
struct Hour {
    number: i64,
    /// Written, or waiting for it.
    written: usize,
    /// Not noted, or in memory only.
    left_out: u64,
    /// That count has changed since it was written.
    is_news: bool,
}

/// Refusals of one host.
#[derive(Clone, Copy, Default)]
struct Noted(u32);

impl Counted for Noted {
    fn roll(&mut self, _slots: u32) {
        self.0 = 0;
    }
    fn weight(&self) -> u64 {
        u64::from(self.0)
    }
}

impl Journal {
    /// Over a shelf of the store. The server's secret makes references that don't tell how many there are.
    ///
    /// # Errors
    /// [`VaultError`], which should not happen.
    pub fn new(
        shelf: Arc<dyn ShelfStore>,
        clock: Arc<dyn Clock>,
        events: Events,
        secret: &Secret,
    ) -> Result<Arc<Self>, VaultError> {
        Ok(Arc::new(Self {
            key: SourceKey::new(secret, "journal")?,
            counter: AtomicU64::new(u64::try_from(clock.now().0).unwrap_or(0) << 16),
            clock,
            shelf,
            hosts: Table::new(JOURNAL_HOSTS),
            inner: Mutex::default(),
            behind: Behind::new(events, "refusals.unwritten"),
            writing: tokio::sync::Mutex::default(),
        }))
    }

    /// Notes a refusal; answers the reference that its reply should have. It is memory only and never waits.
    pub fn note(&self, refused: &Refused<'_>) -> Reference {
        let now = self.clock.now();
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let reference = Reference::new(now, self.key.number(&count.to_le_bytes()));
        let is_too_many = refused.peer.address.is_some_and(|ip| self.is_too_many_of(ip, now));
        let mut inner = self.inner();
        inner.bring_to(now);
        if inner.is_too_many_in_second(now) || is_too_many {
            inner.hour.leave_out();
            return reference;
        }
        drop(inner);
        let entry = Arc::new(refused.entry(reference, now));
        let mut inner = self.inner();
        if inner.ring.len() >= JOURNAL_RING {
            inner.ring.pop_front();
        }
        inner.ring.push_back(Arc::clone(&entry));
        inner.write_later(entry);
        reference
    }

    /// Whether a host is refused so often that this time isn't noted. One of [`JOURNAL_SAMPLE`] is, all the same.
    fn is_too_many_of(&self, ip: IpAddr, now: Timestamp) -> bool {
        let host = Network::host(ip);
        let number = match host.first() {
            IpAddr::V4(v4) => self.key.number(&v4.octets()),
            IpAddr::V6(v6) => self.key.number(&v6.octets()),
        };
        let Some(mut part) = self.hosts.part(number) else { return false };
        let Some((slot, ())) = part.place(number, Moment::of(now).slot) else { return false };
        slot.counts.0 = slot.counts.0.saturating_add(1);
        is_beyond(slot.counts.0, JOURNAL_PER_HOST)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each step is whole: it stays true if a holder of the lock panicked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Journal")
    }
}

/// Whether the one of this number is left out, where only so many are all noted.
const fn is_beyond(number: u32, most: u32) -> bool {
    number > most && !number.is_multiple_of(JOURNAL_SAMPLE)
}

impl Inner {
    fn bring_to(&mut self, now: Timestamp) {
        let number = reference::hour_of(now);
        if self.hour.number != number {
            let last = std::mem::replace(&mut self.hour, Hour { number, ..Hour::default() });
            self.last_hour = Some(last).filter(|hour| hour.is_news).or(self.last_hour);
        }
    }

    fn is_too_many_in_second(&mut self, now: Timestamp) -> bool {
        if self.second.0 != now.secs() {
            self.second = (now.secs(), 0);
        }
        self.second.1 = self.second.1.saturating_add(1);
        is_beyond(self.second.1, JOURNAL_PER_SECOND)
    }
}

impl Hour {
    fn leave_out(&mut self) {
        self.left_out = self.left_out.saturating_add(1);
        self.is_news = true;
    }
}
