//! Links of a digest: each leads one user to one message, once.
//!
//! The word in a link is known to the mail that has it, and to nobody else: the store keeps its keyed hash
//! ([`mailward_vault::LinkKey`]) with the account and the message that it is for. Whoever acts takes the record away in the same
//! commit, so that a word acts once, whatever else happens.

use super::DigestError;
use mailward_core::limits::LINK_DAYS;
use mailward_core::{AccountId, QuarantineId, Timestamp};
use mailward_store::api::{ShelfStore, StoreError};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_vault::LinkKey;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the key of these links is for; words of others are nothing here.
pub const PURPOSE: &str = "quarantine";

/// Makes and follows them.
pub struct Links {
    key: LinkKey,
    shelf: Arc<dyn ShelfStore>,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Links")
    }
}

/// A link that leads somewhere.
#[derive(Debug)]
pub struct Followed {
    /// Whose it is.
    pub account: AccountId,
    /// The message that it is about.
    pub message: QuarantineId,
    /// What spends it: fails if it is spent.
    pub spend: ShelfChange,
}

/// A new one.
pub(super) struct Made {
    pub(super) word: String,
    pub(super) keep: ShelfChange,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    account: AccountId,
    message: QuarantineId,
}

impl Links {
    /// With a key for [`PURPOSE`].
    #[must_use]
    pub fn new(key: LinkKey, shelf: Arc<dyn ShelfStore>) -> Self {
        Self { key, shelf }
    }

    pub(super) fn make(
        &self,
        account: AccountId,
        message: QuarantineId,
        now: Timestamp,
        goes: Timestamp,
    ) -> Result<Made, DigestError> {
        let link = self.key.make()?;
        // Numbers can always be written.
        let value = serde_json::to_vec(&Kept { account, message }).unwrap_or_default().into();
        let until = now.0.saturating_add(LINK_DAYS.saturating_mul(86_400_000)).min(goes.0);
        let record = Shelved { key: key(&link.name), value, expires: Some(Timestamp(until)) };
        Ok(Made { word: link.word, keep: ShelfChange::Add(Shelf::Digests, record) })
    }

    /// Where a word leads; none if it is wrong, old or spent: which of them isn't told.
    ///
    /// # Errors
    /// What the store says.
    pub async fn follow(&self, word: &str) -> Result<Option<Followed>, StoreError> {
        let Some(name) = self.key.name(word) else { return Ok(None) };
        let Some(record) = self.shelf.shelved(Shelf::Digests, key(&name)).await? else { return Ok(None) };
        let Ok(Kept { account, message }) = serde_json::from_slice(&record.value) else { return Ok(None) };
        Ok(Some(Followed { account, message, spend: ShelfChange::Remove(Shelf::Digests, key(&name)) }))
    }
}

fn key(name: &str) -> String {
    format!("link/{name}")
}
