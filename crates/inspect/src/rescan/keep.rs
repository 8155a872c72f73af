//! What is remembered: how far it came, what came of it the last times, and what an administrator released.

use super::record::{By, End, Run};
use crate::quarantine::Note;
use crate::verdict::{Action, Check};
use bytes::Bytes;
use mailward_core::limits::RESCAN_LET_GO_TIME;
use mailward_core::{BlobId, Timestamp};
use mailward_store::StoreError;
use mailward_store::api::ShelfStore;
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

const RUN: &str = "rescan.run";
const LAST: &str = "rescan.last";
const WHOLE: &str = "rescan.whole";
const SCHEDULED: &str = "rescan.scheduled";

/// What came of looking at stored mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Last {
    /// The last time, whatever was meant.
    pub last: Option<Run>,
    /// The last time that all mail was looked at to the end.
    pub whole: Option<Run>,
}

/// The shelf.
pub(super) struct Records(pub(super) Arc<dyn ShelfStore>);

fn put(key: &str, value: &impl Serialize, expires: Option<Timestamp>) -> ShelfChange {
    // Texts and numbers can always be written.
    let value = Bytes::from(serde_json::to_vec(value).unwrap_or_default());
    ShelfChange::Put(Shelf::Engines, Shelved { key: key.to_owned(), value, expires })
}

/// What is noted of one that isn't over.
pub(super) fn noted(run: &Run) -> ShelfChange {
    put(RUN, run, None)
}

impl Records {
    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let found = self.0.shelved(Shelf::Engines, key.to_owned()).await?;
        Ok(found.and_then(|found| serde_json::from_slice(&found.value).ok()))
    }

    pub(super) async fn note(&self, run: &Run) -> Result<(), StoreError> {
        let mut changes = vec![noted(run)];
        if run.by == By::Schedule && run.place.is_none() {
            changes.push(put(SCHEDULED, &run.began, None));
        }
        self.0.change_shelf(changes).await
    }

    /// One that a server before didn't bring to its end.
    pub(super) async fn unfinished(&self) -> Result<Option<Run>, StoreError> {
        self.read(RUN).await
    }

    /// When one by schedule began, the last time.
    pub(super) async fn scheduled(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(SCHEDULED).await
    }

    /// It is over.
    pub(super) async fn end(&self, run: &Run) -> Result<(), StoreError> {
        let mut changes = vec![put(LAST, run, None)];
        if run.scope.is_whole() && run.end == Some(End::Done) {
            changes.push(put(WHOLE, run, None));
        }
        if self.0.shelved(Shelf::Engines, RUN.to_owned()).await?.is_some() {
            changes.push(ShelfChange::Remove(Shelf::Engines, RUN.to_owned()));
        }
        self.0.change_shelf(changes).await
    }

    async fn last(&self) -> Result<Last, StoreError> {
        Ok(Last { last: self.read(LAST).await?, whole: self.read(WHOLE).await? })
    }

    /// Names that a content was released with.
    pub(super) async fn released(&self, blob: BlobId) -> Result<Vec<String>, StoreError> {
        Ok(self.read(&key(blob)).await?.unwrap_or_default())
    }
}

/// What came of looking at stored mail the last times, with or without a server.
///
/// # Errors
/// What the store says.
pub async fn last(shelf: Arc<dyn ShelfStore>) -> Result<Last, StoreError> {
    Records(shelf).last().await
}

/// Contents have numbers that are never given again.
fn key(blob: BlobId) -> String {
    format!("let-go.{blob}")
}

/// What is to be remembered when an administrator releases a message from the quarantine, so that it isn't taken out of its
/// mailbox for the same again. None: no virus scanner found anything in it.
#[must_use]
pub fn let_go(blob: BlobId, note: &Note, now: Timestamp) -> Option<ShelfChange> {
    let found =
        note.findings.iter().filter(|found| found.check == Check::Antivirus && found.action >= Action::Quarantine);
    let names: Vec<&str> = found.map(|found| found.rule.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let time = i64::try_from(RESCAN_LET_GO_TIME.as_millis()).unwrap_or(i64::MAX);
    Some(put(&key(blob), &names, Some(Timestamp(now.0.saturating_add(time)))))
}
