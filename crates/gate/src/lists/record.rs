//! What is remembered of a list over a restart.

use super::List;
use super::health::Health;
use bytes::Bytes;
use mailward_core::Timestamp;
use mailward_core::config::ListKind;
use mailward_core::limits::LIST_RECORD_TIME;
use mailward_store::records::Shelved;
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;

/// The value of a record.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    health: Health,
    asked: u64,
    listed: u64,
    silent: u64,
    trouble: u64,
}

/// Where a list's record is.
pub(crate) fn key(list: &List) -> String {
    let kind = match list.kind {
        ListKind::Hosts => "hosts",
        ListKind::Domains => "domains",
        ListKind::Links => "links",
    };
    format!("{kind} {}", list.zone)
}

impl Recorded {
    pub(crate) fn of(list: &List) -> Self {
        let counts = &list.memory.counts;
        Self {
            health: list.memory.health(),
            asked: counts.asked.load(Ordering::Relaxed),
            listed: counts.listed.load(Ordering::Relaxed),
            silent: counts.silent.load(Ordering::Relaxed),
            trouble: counts.trouble.load(Ordering::Relaxed),
        }
    }

    /// As a record; `None` if it can't be written, which is a mistake of ours.
    pub(crate) fn shelved(&self, list: &List, now: Timestamp) -> Option<Shelved> {
        let value = Bytes::from(serde_json::to_vec(self).ok()?);
        let time = i64::try_from(LIST_RECORD_TIME.as_millis()).unwrap_or(i64::MAX);
        Some(Shelved { key: key(list), value, expires: Some(Timestamp(now.0.saturating_add(time))) })
    }

    /// From a record; `None` if it can't be read: then the list is looked at as a new one.
    pub(crate) fn read(record: &Shelved) -> Option<Self> {
        serde_json::from_slice(&record.value).ok()
    }

    /// Gives it back to the list, before its test points are looked at for the first time.
    pub(crate) fn recall(self, list: &List) {
        let counts = &list.memory.counts;
        counts.asked.fetch_add(self.asked, Ordering::Relaxed);
        counts.listed.fetch_add(self.listed, Ordering::Relaxed);
        counts.silent.fetch_add(self.silent, Ordering::Relaxed);
        counts.trouble.fetch_add(self.trouble, Ordering::Relaxed);
        list.memory.recall(self.health);
    }
}
