//! Rows of what users send, as records.

use crate::api::StoreError;
use crate::records::{Frozen, Insider, Scope, SenderRecord, SentRecord};
use crate::tx::{Tx, unsigned};
use mailward_core::{AccountId, DomainId, Measure, PerMeasure, Timestamp};
use rusqlite::{Row, params};

macro_rules! sender_columns {
    ($rest:literal) => {
        concat!(
            "SELECT kind, id, messages_hour, messages_day, recipients_hour, recipients_day, new_hour, new_day, beyond, ",
            "frozen, why, unfinished FROM senders ",
            $rest
        )
    };
}
pub(super) const SENDERS: &str = sender_columns!("ORDER BY kind, id");
pub(super) const SENDER: &str = sender_columns!("WHERE kind = ?1 AND id = ?2");

/// What was sent up to an hour: along the primary key.
pub(super) const SENT: &str = "
    SELECT coalesce(sum(CASE WHEN hour = ?3 THEN messages END), 0),
           coalesce(sum(CASE WHEN hour > ?3 - 24 THEN messages END), 0),
           coalesce(sum(CASE WHEN hour = ?3 THEN recipients END), 0),
           coalesce(sum(CASE WHEN hour > ?3 - 24 THEN recipients END), 0),
           coalesce(sum(CASE WHEN hour = ?3 THEN fresh END), 0),
           coalesce(sum(CASE WHEN hour > ?3 - 24 THEN fresh END), 0),
           coalesce(sum(CASE WHEN hour > ?3 - 24 THEN held END), 0),
           coalesce(sum(CASE WHEN hour = ?3 THEN refused END), 0),
           coalesce(max(CASE WHEN hour < ?3 THEN fresh END), 0),
           coalesce(sum(hour < ?3), 0)
    FROM sent WHERE kind = ?1 AND id = ?2 AND hour <= ?3";

/// As the tables name it.
pub(super) const fn key(scope: Scope) -> (i64, i64) {
    match scope {
        Scope::Account(account) => (0, account.0),
        Scope::Domain(domain) => (1, domain.0),
        Scope::Insider(insider) => (2, insider.0),
    }
}

pub(super) fn sender(row: &Row<'_>) -> rusqlite::Result<SenderRecord> {
    let id = row.get(1)?;
    let limit = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(unsigned));
    let beyond: u8 = row.get(8)?;
    let frozen: Option<i64> = row.get(9)?;
    Ok(SenderRecord {
        scope: match row.get::<_, i64>(0)? {
            0 => Scope::Account(AccountId(id)),
            1 => Scope::Domain(DomainId(id)),
            _ => Scope::Insider(Insider(id)),
        },
        limits: PerMeasure {
            messages_per_hour: limit(2)?,
            messages_per_day: limit(3)?,
            recipients_per_hour: limit(4)?,
            recipients_per_day: limit(5)?,
            new_per_hour: limit(6)?,
            new_per_day: limit(7)?,
        },
        beyond: Measure::ALL.into_iter().filter(|measure| beyond & measure.bit() != 0).collect(),
        frozen: match frozen {
            None => None,
            Some(since) => Some(Frozen {
                since: Timestamp(since),
                why: row.get::<_, Option<String>>(10)?.unwrap_or_default(),
                unfinished: row.get(11)?,
            }),
        },
    })
}

/// What a sum over [`SENT`]'s columns says.
pub(super) fn sent(row: &Row<'_>) -> rusqlite::Result<SentRecord> {
    let number = |column: usize| Ok::<_, rusqlite::Error>(unsigned(row.get(column)?));
    Ok(SentRecord {
        sent: PerMeasure {
            messages_per_hour: number(0)?,
            messages_per_day: number(1)?,
            recipients_per_hour: number(2)?,
            recipients_per_day: number(3)?,
            new_per_hour: number(4)?,
            new_per_day: number(5)?,
        },
        held: number(6)?,
        refused: number(7)?,
        busiest: number(8)?,
        hours: number(9)?,
    })
}

pub(super) fn find(tx: &Tx<'_>, scope: Scope) -> Result<SenderRecord, StoreError> {
    let (kind, id) = key(scope);
    Ok(tx.row(SENDER, params![kind, id], sender)?.unwrap_or_else(|| SenderRecord::usual(scope)))
}

pub(super) fn must_exist(tx: &Tx<'_>, scope: Scope) -> Result<(), StoreError> {
    let (found, what) = match scope {
        Scope::Account(id) => (tx.row("SELECT 1 FROM accounts WHERE id = ?1", params![id.0], |_| Ok(()))?, "account"),
        Scope::Domain(id) => (tx.row("SELECT 1 FROM domains WHERE id = ?1", params![id.0], |_| Ok(()))?, "domain"),
        Scope::Insider(_) => return Err(StoreError::NotFound("account")),
    };
    found.ok_or(StoreError::NotFound(what))
}

/// A row that says nothing goes.
pub(super) fn tidy(tx: &Tx<'_>, scope: Scope) -> Result<(), StoreError> {
    let (kind, id) = key(scope);
    tx.execute(
        "DELETE FROM senders WHERE kind = ?1 AND id = ?2 AND frozen IS NULL AND beyond = 0 AND coalesce(messages_hour,
         messages_day, recipients_hour, recipients_day, new_hour, new_day) IS NULL",
        params![kind, id],
    )?;
    Ok(())
}

/// The account goes, and all that was counted of it.
pub(crate) fn forget_account(tx: &Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM known_recipients WHERE account = ?1", params![account.0])?;
    forget(tx, Scope::Account(account))
}

/// The domain goes, and all that was counted of it.
pub(crate) fn forget_domain(tx: &Tx<'_>, domain: DomainId) -> Result<(), StoreError> {
    forget(tx, Scope::Domain(domain))
}

fn forget(tx: &Tx<'_>, scope: Scope) -> Result<(), StoreError> {
    let (kind, id) = key(scope);
    tx.execute("DELETE FROM senders WHERE kind = ?1 AND id = ?2", params![kind, id])?;
    tx.execute("DELETE FROM sent WHERE kind = ?1 AND id = ?2", params![kind, id])?;
    Ok(())
}
