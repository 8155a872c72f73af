//! Small records of rooms above change.

use super::messages;
use crate::api::{Pending, ShelfStore, StoreError};
use crate::committer::Placing;
use crate::local::LocalStore;
use crate::records::{Accepted, Delivery, Shelf, ShelfChange, Shelved};
use crate::tx::Tx;
use bytes::Bytes;
use mailward_core::Timestamp;
use mailward_core::limits::{PAGE_ROWS_MAX, SHELF_CHANGES_MAX, SHELF_KEY_MAX, SHELF_SWEEP, SHELF_VALUE_MAX};
use rusqlite::{Row, params};
use tokio::sync::watch;

const PAGE: &str = "SELECT key, value, expires FROM shelves WHERE shelf = ?1 AND key > ?2
     AND (expires IS NULL OR expires > ?3) ORDER BY key LIMIT ?4";
const ONE: &str = "SELECT key, value, expires FROM shelves WHERE shelf = ?1 AND key = ?2
     AND (expires IS NULL OR expires > ?3)";

fn shelved(row: &Row<'_>) -> rusqlite::Result<Shelved> {
    Ok(Shelved {
        key: row.get(0)?,
        value: Bytes::from(row.get::<_, Vec<u8>>(1)?),
        expires: row.get::<_, Option<i64>>(2)?.map(Timestamp),
    })
}

impl ShelfStore for LocalStore {
    fn shelf_version(&self, shelf: Shelf) -> watch::Receiver<u64> {
        self.news().watch_shelf(shelf)
    }

    fn shelf(&self, shelf: Shelf, after: Option<String>, limit: usize) -> Pending<'_, Vec<Shelved>> {
        let limit = i64::try_from(limit.min(PAGE_ROWS_MAX)).unwrap_or(i64::MAX);
        // No key is empty.
        let after = after.unwrap_or_default();
        let now = self.now();
        self.ask(move |reader| reader.rows(PAGE, params![shelf.number(), after, now.0, limit], shelved))
    }

    fn shelved(&self, shelf: Shelf, key: String) -> Pending<'_, Option<Shelved>> {
        let now = self.now();
        self.ask(move |reader| reader.row(ONE, params![shelf.number(), key, now.0], shelved))
    }

    fn change_shelf(&self, changes: Vec<ShelfChange>) -> Pending<'_, ()> {
        self.change(move |tx| change(tx, &changes))
    }

    fn deliver_noted(&self, delivery: Delivery, notes: Vec<ShelfChange>) -> Pending<'_, Accepted> {
        let (content, places) = delivery.split();
        self.submit(vec![content], Placing::Once, move |tx, placed| {
            let placed = placed.first().ok_or(StoreError::Refused("there is no message"))?;
            change(tx, &notes)?;
            messages::deliver(tx, placed, &places)
        })
    }
}

/// Applies changes.
pub(crate) fn change(tx: &mut Tx<'_>, changes: &[ShelfChange]) -> Result<(), StoreError> {
    if changes.len() > SHELF_CHANGES_MAX {
        return Err(StoreError::Limit("changes of shelves in one commit"));
    }
    for change in changes {
        let (shelf, key) = match change {
            ShelfChange::Put(shelf, record) | ShelfChange::Add(shelf, record) => {
                if record.value.len() > SHELF_VALUE_MAX {
                    return Err(StoreError::Limit("bytes of a record on a shelf"));
                }
                (*shelf, &record.key)
            }
            ShelfChange::Remove(shelf, key) => (*shelf, key),
        };
        if key.is_empty() || key.len() > SHELF_KEY_MAX {
            return Err(StoreError::Limit("length of a key on a shelf"));
        }
        tx.touch_shelf(shelf);
        let sweep = i64::try_from(SHELF_SWEEP).unwrap_or(i64::MAX);
        tx.execute(
            "DELETE FROM shelves WHERE shelf = ?1 AND key IN
             (SELECT key FROM shelves WHERE shelf = ?1 AND expires <= ?2 ORDER BY expires LIMIT ?3)",
            params![shelf.number(), tx.now.0, sweep],
        )?;
        let there = tx.row(ONE, params![shelf.number(), key, tx.now.0], |_| Ok(()))?.is_some();
        match change {
            ShelfChange::Add(..) if there => return Err(StoreError::Exists(key.clone())),
            ShelfChange::Remove(..) if !there => return Err(StoreError::NotFound("record")),
            ShelfChange::Put(_, record) | ShelfChange::Add(_, record) => {
                tx.execute(
                    "INSERT OR REPLACE INTO shelves (shelf, key, value, expires) VALUES (?1, ?2, ?3, ?4)",
                    params![shelf.number(), key, record.value.as_ref(), record.expires.map(|at| at.0)],
                )?;
            }
            ShelfChange::Remove(..) => {
                tx.execute("DELETE FROM shelves WHERE shelf = ?1 AND key = ?2", params![shelf.number(), key])?;
            }
        }
    }
    Ok(())
}
