//! What of alerts is kept on the shelf: topics, messages that wait, and how ways go.

use crate::book::Topic;
use crate::message::Message;
use bytes::Bytes;
use mailward_core::Timestamp;
use mailward_core::limits::{ALERT_TOPIC_DAYS, ALERT_TOPICS_MAX, ALERTS_PENDING_MAX, PAGE_ROWS_MAX};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_store::{ShelfStore, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const TOPIC: &str = "topic/";
const MESSAGE: &str = "message/";
const WAY: &str = "way/";

/// A message and the ways that it hasn't gone yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pending {
    pub(crate) message: Message,
    pub(crate) left: Vec<Left>,
}

/// A way that a message hasn't gone yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Left {
    pub(crate) way: String,
    pub(crate) tries: u32,
    /// Not tried again before.
    pub(crate) next: Timestamp,
}

/// How a way goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WayState {
    /// When it brought a message last.
    pub told: Option<Timestamp>,
    /// Since when it fails, if it does.
    pub failing: Option<Timestamp>,
    /// Why it failed last.
    pub why: Option<String>,
    /// Tries in a row that failed.
    pub failures: u64,
    /// Messages that were given up.
    pub given_up: u64,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Topics by their keys, ordered.
    pub topics: Vec<(String, Topic)>,
    /// Ways by their names, ordered.
    pub ways: Vec<(String, WayState)>,
    /// Messages that wait, the oldest first, with the ways that they wait for.
    pub waiting: Vec<(Message, Vec<String>)>,
}

/// Reads all of it.
pub(crate) struct Read {
    pub(crate) topics: Vec<(String, Topic)>,
    pub(crate) ways: Vec<(String, WayState)>,
    pub(crate) pending: Vec<Pending>,
    /// Records that can't be read.
    pub(crate) unread: usize,
}

pub(crate) async fn read(shelf: &dyn ShelfStore) -> Result<Read, StoreError> {
    let mut read = Read { topics: Vec::new(), ways: Vec::new(), pending: Vec::new(), unread: 0 };
    // All that there can be, and what was given up and not swept yet.
    let most = ALERT_TOPICS_MAX.saturating_add(ALERTS_PENDING_MAX).saturating_mul(2).min(PAGE_ROWS_MAX);
    for record in shelf.shelf(Shelf::Alerts, None, most).await? {
        let whole = if let Some(key) = record.key.strip_prefix(TOPIC) {
            parsed(&record.value).map(|topic| read.topics.push((key.to_owned(), topic)))
        } else if record.key.starts_with(MESSAGE) {
            parsed(&record.value).map(|pending| read.pending.push(pending))
        } else if let Some(name) = record.key.strip_prefix(WAY) {
            parsed(&record.value).map(|way| read.ways.push((name.to_owned(), way)))
        } else {
            None
        };
        if whole.is_none() {
            read.unread = read.unread.saturating_add(1);
        }
    }
    Ok(read)
}

fn parsed<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).ok()
}

/// What was told, when, by which way.
///
/// # Errors
/// What the store says.
pub async fn told(shelf: &dyn ShelfStore) -> Result<Told, StoreError> {
    let Read { topics, ways, pending, .. } = read(shelf).await?;
    let waiting = pending.into_iter().map(|p| (p.message, p.left.into_iter().map(|left| left.way).collect()));
    Ok(Told { topics, ways, waiting: waiting.collect() })
}

fn put(key: String, value: &impl Serialize, expires: Option<Timestamp>) -> ShelfChange {
    // Types of ours that are made of texts and numbers.
    let value = serde_json::to_vec(value).unwrap_or_default();
    ShelfChange::Put(Shelf::Alerts, Shelved { key, value: Bytes::from(value), expires })
}

/// Whether or not it was there, it isn't any more.
fn gone(key: String) -> ShelfChange {
    ShelfChange::Put(Shelf::Alerts, Shelved { key, value: Bytes::from_static(b"0"), expires: Some(Timestamp(0)) })
}

pub(crate) fn topic(key: &str, topic: Option<&Topic>) -> ShelfChange {
    let key = format!("{TOPIC}{key}");
    match topic {
        Some(topic) => {
            let kept = i64::try_from(ALERT_TOPIC_DAYS).unwrap_or(i64::MAX).saturating_mul(86_400_000);
            put(key, topic, Some(Timestamp(topic.last.0.saturating_add(kept))))
        }
        None => gone(key),
    }
}

pub(crate) fn pending(id: &str, pending: Option<&Pending>) -> ShelfChange {
    let key = format!("{MESSAGE}{id}");
    pending.map_or_else(|| gone(key.clone()), |pending| put(key.clone(), pending, None))
}

pub(crate) fn way(name: &str, state: &WayState) -> ShelfChange {
    put(format!("{WAY}{name}"), state, None)
}
