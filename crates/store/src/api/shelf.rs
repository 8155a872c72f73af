//! Small records that rooms above keep.

use super::Pending;
use crate::records::{Accepted, Delivery, Shelf, ShelfChange, Shelved};
use tokio::sync::watch;

/// Small records, by shelf and key, that the rooms above keep here and alone interpret. Every write is durable when it
/// answers.
///
/// Keys have 1 to `limits::SHELF_KEY_MAX` bytes, values at most `limits::SHELF_VALUE_MAX`: else
/// [`super::StoreError::Limit`]. A record whose time is over is not there any more.
pub trait ShelfStore: Send + Sync + 'static {
    /// Rises with every change of this shelf. That a record's time is over is no change.
    fn shelf_version(&self, shelf: Shelf) -> watch::Receiver<u64>;

    /// Records after a key, ordered by the bytes of their keys, at most `limit` (and never more than
    /// `limits::PAGE_ROWS_MAX`).
    fn shelf(&self, shelf: Shelf, after: Option<String>, limit: usize) -> Pending<'_, Vec<Shelved>>;

    /// One record.
    fn shelved(&self, shelf: Shelf, key: String) -> Pending<'_, Option<Shelved>>;

    /// All changes (at most `limits::SHELF_CHANGES_MAX`) in one commit, in order, or none of them:
    /// [`super::StoreError::Exists`] if one adds what is there, [`super::StoreError::NotFound`] if one removes what isn't.
    fn change_shelf(&self, changes: Vec<ShelfChange>) -> Pending<'_, ()>;

    /// Delivers a message ([`super::MailStore::deliver`]) and makes these changes in the same commit, all of it or nothing:
    /// for whoever has to know after a crash that it did.
    fn deliver_noted(&self, delivery: Delivery, notes: Vec<ShelfChange>) -> Pending<'_, Accepted>;
}
