//! Keys that sign for domains change.

use super::directory::one_domain;
use crate::api::StoreError;
use crate::records::{DkimChange, DkimKeyRecord, DkimState};
use crate::tx::Tx;
use mailward_core::limits::DKIM_KEYS_MAX;
use mailward_core::{DomainId, Timestamp};
use rusqlite::{Row, params};
use std::sync::Arc;

pub(crate) const DKIM_KEYS: &str =
    "SELECT domain, selector, algorithm, public, sealed, state, created, since FROM dkim_keys
     ORDER BY domain, state, id";
pub(crate) const DKIM_KEYS_OF: &str = "SELECT domain, selector, algorithm, public, sealed, state, created, since
     FROM dkim_keys WHERE domain = ?1 ORDER BY state, id";

const NEXT: i64 = 0;
const ACTIVE: i64 = 1;
const RETIRING: i64 = 2;

const fn number(state: DkimState) -> i64 {
    match state {
        DkimState::Next => NEXT,
        DkimState::Active => ACTIVE,
        DkimState::Retiring => RETIRING,
    }
}

pub(crate) fn dkim_key(row: &Row<'_>) -> rusqlite::Result<DkimKeyRecord> {
    let state = match row.get(5)? {
        NEXT => DkimState::Next,
        ACTIVE => DkimState::Active,
        RETIRING => DkimState::Retiring,
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(5, other)),
    };
    Ok(DkimKeyRecord {
        domain: DomainId(row.get(0)?),
        selector: row.get(1)?,
        algorithm: row.get(2)?,
        public: Arc::from(row.get::<_, Vec<u8>>(3)?),
        sealed: Arc::from(row.get::<_, Vec<u8>>(4)?),
        state,
        created: Timestamp(row.get(6)?),
        since: Timestamp(row.get(7)?),
    })
}

pub(crate) fn change_dkim(tx: &mut Tx<'_>, change: &DkimChange) -> Result<Vec<DkimKeyRecord>, StoreError> {
    tx.touch_directory();
    let (DkimChange::Add { domain, .. } | DkimChange::Activate { domain } | DkimChange::Remove { domain, .. }) = change;
    one_domain(tx, *domain)?;
    match change {
        DkimChange::Add { keys, .. } => {
            let there = tx.rows(DKIM_KEYS_OF, params![domain.0], dkim_key)?;
            if there.len().saturating_add(keys.len()) > DKIM_KEYS_MAX {
                return Err(StoreError::Limit("DKIM keys of one domain"));
            }
            for key in keys {
                let taken = tx.row(
                    "SELECT 1 FROM dkim_keys WHERE domain = ?1 AND selector = ?2",
                    params![domain.0, key.selector],
                    |_| Ok(()),
                )?;
                if taken.is_some() {
                    return Err(StoreError::Exists(key.selector.clone()));
                }
                tx.execute(
                    "INSERT INTO dkim_keys (domain, selector, algorithm, public, sealed, state, created, since)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
                    params![
                        domain.0,
                        key.selector,
                        key.algorithm,
                        key.public.as_ref(),
                        key.sealed.as_ref(),
                        number(key.state),
                        tx.now.0
                    ],
                )?;
            }
        }
        DkimChange::Activate { .. } => {
            let next = tx.row(
                "SELECT 1 FROM dkim_keys WHERE domain = ?1 AND state = ?2 LIMIT 1",
                params![domain.0, NEXT],
                |_| Ok(()),
            )?;
            if next.is_none() {
                return Err(StoreError::NotFound("DKIM key to come"));
            }
            let turn = "UPDATE dkim_keys SET state = ?3, since = ?4 WHERE domain = ?1 AND state = ?2";
            tx.execute(turn, params![domain.0, ACTIVE, RETIRING, tx.now.0])?;
            tx.execute(turn, params![domain.0, NEXT, ACTIVE, tx.now.0])?;
        }
        DkimChange::Remove { selector, .. } => {
            let state = tx.row(
                "SELECT state FROM dkim_keys WHERE domain = ?1 AND selector = ?2",
                params![domain.0, selector],
                |row| row.get::<_, i64>(0),
            )?;
            match state {
                None => return Err(StoreError::NotFound("DKIM key")),
                Some(ACTIVE) => return Err(StoreError::Refused("the key signs: activate others first")),
                Some(_) => {}
            }
            tx.execute("DELETE FROM dkim_keys WHERE domain = ?1 AND selector = ?2", params![domain.0, selector])?;
        }
    }
    tx.rows(DKIM_KEYS_OF, params![domain.0], dkim_key)
}
