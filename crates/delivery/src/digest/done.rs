//! What became of messages that were in the quarantine, so that it can be said when they are gone.

use mailward_core::limits::{QUARANTINE_DONE_TIME, QUARANTINE_LISTED_RECIPIENTS, SHELF_KEY_MAX};
use mailward_core::{QuarantineId, Timestamp};
use mailward_store::api::{ShelfStore, StoreError};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use serde::{Deserialize, Serialize};

/// Something that was done with one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// `released`, `discarded`, or `reported`: released as a false alarm.
    pub what: String,
    /// Who did it: an address, or `administrator`.
    pub by: String,
    /// How: `link` or `command`.
    pub how: String,
    /// For whom; none: for all.
    pub user: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Done {
    /// The change that notes it, for the commit that does it.
    #[must_use]
    pub fn note(&self, id: QuarantineId) -> ShelfChange {
        // Texts and a number can always be written.
        let value = serde_json::to_vec(self).unwrap_or_default().into();
        let time = i64::try_from(QUARANTINE_DONE_TIME.as_millis()).unwrap_or(i64::MAX);
        let key = format!("{}{}", prefix(id), self.user.as_deref().unwrap_or("*"));
        let expires = Some(Timestamp(self.at.0.saturating_add(time)));
        ShelfChange::Put(Shelf::Digests, Shelved { key: short(key), value, expires })
    }
}

/// What was done with a message, of the last `limits::QUARANTINE_DONE_TIME`: for `limits::QUARANTINE_LISTED_RECIPIENTS` users.
///
/// # Errors
/// What the store says.
pub async fn done(shelf: &dyn ShelfStore, id: QuarantineId) -> Result<Vec<Done>, StoreError> {
    let prefix = prefix(id);
    let page = shelf.shelf(Shelf::Digests, Some(prefix.clone()), QUARANTINE_LISTED_RECIPIENTS).await?;
    let ours = page.iter().take_while(|record| record.key.starts_with(&prefix));
    Ok(ours.filter_map(|record| serde_json::from_slice(&record.value).ok()).collect())
}

fn prefix(id: QuarantineId) -> String {
    format!("done/{:020}/", id.0)
}

/// An address has room in a key in any case: SMTP's are below 320 bytes. One that hasn't is cut.
fn short(mut key: String) -> String {
    while key.len() > SHELF_KEY_MAX {
        key.pop();
    }
    key
}
