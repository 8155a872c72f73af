//! Domains, accounts and aliases change.

use super::mailboxes;
use crate::api::StoreError;
use crate::records::{AccountChange, AccountRecord, AliasChange, AliasRecord, DomainChange, DomainRecord};
use crate::sending::{forget_account, forget_domain};
use crate::spam;
use crate::tx::{Tx, int, unsigned};
use mailward_core::{AccountId, Domain, DomainId, Timestamp};
use rusqlite::{Row, params};
use std::sync::Arc;

pub(crate) const DOMAINS: &str = "SELECT id, name, enabled, catch_all, created FROM domains ORDER BY name";
pub(crate) const ACCOUNTS: &str =
    "SELECT id, domain, local, display_name, enabled, credential, quota_bytes, quota_messages, created
     FROM accounts ORDER BY domain, local";
pub(crate) const ALIASES: &str = "SELECT domain, local, targets, created FROM aliases ORDER BY domain, local";

pub(crate) fn domain(row: &Row<'_>) -> rusqlite::Result<DomainRecord> {
    let name: String = row.get(1)?;
    Ok(DomainRecord {
        id: DomainId(row.get(0)?),
        name: Domain::parse(&name)
            .map_err(|e| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(e)))?,
        enabled: row.get(2)?,
        catch_all: row.get(3)?,
        created: Timestamp(row.get(4)?),
    })
}

pub(crate) fn account(row: &Row<'_>) -> rusqlite::Result<AccountRecord> {
    Ok(AccountRecord {
        id: AccountId(row.get(0)?),
        domain: DomainId(row.get(1)?),
        local: row.get(2)?,
        display_name: row.get(3)?,
        enabled: row.get(4)?,
        credential: Arc::from(row.get::<_, Vec<u8>>(5)?),
        quota_bytes: unsigned(row.get(6)?),
        quota_messages: unsigned(row.get(7)?),
        created: Timestamp(row.get(8)?),
    })
}

pub(crate) fn alias(row: &Row<'_>) -> rusqlite::Result<AliasRecord> {
    let targets: String = row.get(2)?;
    Ok(AliasRecord {
        domain: DomainId(row.get(0)?),
        local: row.get(1)?,
        targets: targets.lines().map(str::to_owned).collect(),
        created: Timestamp(row.get(3)?),
    })
}

pub(crate) fn one_domain(tx: &Tx<'_>, id: DomainId) -> Result<DomainRecord, StoreError> {
    tx.row("SELECT id, name, enabled, catch_all, created FROM domains WHERE id = ?1", params![id.0], domain)?
        .ok_or(StoreError::NotFound("domain"))
}

fn one_account(tx: &Tx<'_>, id: AccountId) -> Result<AccountRecord, StoreError> {
    tx.row(
        "SELECT id, domain, local, display_name, enabled, credential, quota_bytes, quota_messages, created
         FROM accounts WHERE id = ?1",
        params![id.0],
        account,
    )?
    .ok_or(StoreError::NotFound("account"))
}

pub(crate) fn change_domain(tx: &mut Tx<'_>, change: &DomainChange) -> Result<DomainRecord, StoreError> {
    tx.touch_directory();
    match change {
        DomainChange::Add { name } => {
            let taken = tx.row("SELECT 1 FROM domains WHERE name = ?1", params![name.as_str()], |_| Ok(()))?;
            if taken.is_some() {
                return Err(StoreError::Exists(name.to_string()));
            }
            tx.execute("INSERT INTO domains (name, created) VALUES (?1, ?2)", params![name.as_str(), tx.now.0])?;
            one_domain(tx, DomainId(tx.last_id()))
        }
        DomainChange::Set { id, enabled, catch_all } => {
            one_domain(tx, *id)?;
            if let Some(enabled) = enabled {
                tx.execute("UPDATE domains SET enabled = ?2 WHERE id = ?1", params![id.0, enabled])?;
            }
            if let Some(catch_all) = catch_all {
                tx.execute("UPDATE domains SET catch_all = ?2 WHERE id = ?1", params![id.0, catch_all])?;
            }
            one_domain(tx, *id)
        }
        DomainChange::Remove { id } => {
            let found = one_domain(tx, *id)?;
            let used = tx.row(
                "SELECT 1 FROM accounts WHERE domain = ?1 UNION ALL SELECT 1 FROM aliases WHERE domain = ?1 LIMIT 1",
                params![id.0],
                |_| Ok(()),
            )?;
            if used.is_some() {
                return Err(StoreError::Refused("the domain still has users or aliases: remove them first"));
            }
            tx.execute("DELETE FROM dkim_keys WHERE domain = ?1", params![id.0])?;
            forget_domain(tx, *id)?;
            tx.execute("DELETE FROM domains WHERE id = ?1", params![id.0])?;
            Ok(found)
        }
    }
}

/// Refuses a local part that an account or an alias of the domain has.
fn free_local(tx: &Tx<'_>, domain: DomainId, local: &str, table: &'static str) -> Result<(), StoreError> {
    let sql = match table {
        "accounts" => "SELECT 1 FROM accounts WHERE domain = ?1 AND local = ?2",
        _ => "SELECT 1 FROM aliases WHERE domain = ?1 AND local = ?2",
    };
    match tx.row(sql, params![domain.0, local], |_| Ok(()))? {
        Some(()) => Err(StoreError::Exists(local.to_owned())),
        None => Ok(()),
    }
}

pub(crate) fn change_account(tx: &mut Tx<'_>, change: &AccountChange) -> Result<AccountRecord, StoreError> {
    tx.touch_directory();
    match change {
        AccountChange::Add { domain, local, display_name, credential, quota_bytes, quota_messages } => {
            one_domain(tx, *domain)?;
            free_local(tx, *domain, local, "accounts")?;
            free_local(tx, *domain, local, "aliases")?;
            tx.execute(
                "INSERT INTO accounts (domain, local, display_name, credential, quota_bytes, quota_messages, created)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    domain.0,
                    local,
                    display_name,
                    credential.as_ref(),
                    int(*quota_bytes),
                    int(*quota_messages),
                    tx.now.0
                ],
            )?;
            let id = AccountId(tx.last_id());
            let inbox = mailboxes::create_usual(tx, id)?;
            tx.execute(
                "INSERT INTO usage (account, inbox, quota_bytes, quota_messages) VALUES (?1, ?2, ?3, ?4)",
                params![id.0, inbox.0, int(*quota_bytes), int(*quota_messages)],
            )?;
            one_account(tx, id)
        }
        AccountChange::Set { id, display_name, enabled, credential, quota_bytes, quota_messages } => {
            let old = one_account(tx, *id)?;
            let quota_bytes = int(quota_bytes.unwrap_or(old.quota_bytes));
            let quota_messages = int(quota_messages.unwrap_or(old.quota_messages));
            tx.execute(
                "UPDATE accounts SET display_name = ?2, enabled = ?3, credential = ?4, quota_bytes = ?5,
                 quota_messages = ?6 WHERE id = ?1",
                params![
                    id.0,
                    display_name.as_ref().unwrap_or(&old.display_name),
                    enabled.unwrap_or(old.enabled),
                    credential.as_ref().unwrap_or(&old.credential).as_ref(),
                    quota_bytes,
                    quota_messages
                ],
            )?;
            tx.execute(
                "UPDATE usage SET quota_bytes = ?2, quota_messages = ?3 WHERE account = ?1",
                params![id.0, quota_bytes, quota_messages],
            )?;
            one_account(tx, *id)
        }
        AccountChange::Remove { id } => {
            let found = one_account(tx, *id)?;
            mailboxes::delete_all(tx, *id)?;
            forget_account(tx, *id)?;
            crate::quarantine::forget_account(tx, *id)?;
            spam::forget(tx, *id)?;
            tx.execute("DELETE FROM usage WHERE account = ?1", params![id.0])?;
            tx.execute("DELETE FROM accounts WHERE id = ?1", params![id.0])?;
            Ok(found)
        }
    }
}

pub(crate) fn change_alias(tx: &mut Tx<'_>, change: &AliasChange) -> Result<AliasRecord, StoreError> {
    tx.touch_directory();
    let find = "SELECT domain, local, targets, created FROM aliases WHERE domain = ?1 AND local = ?2";
    match change {
        AliasChange::Put { domain, local, targets } => {
            one_domain(tx, *domain)?;
            free_local(tx, *domain, local, "accounts")?;
            tx.execute(
                "INSERT INTO aliases (domain, local, targets, created) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (domain, local) DO UPDATE SET targets = ?3",
                params![domain.0, local, targets.join("\n"), tx.now.0],
            )?;
            tx.row(find, params![domain.0, local], alias)?.ok_or(StoreError::NotFound("alias"))
        }
        AliasChange::Remove { domain, local } => {
            let found = tx.row(find, params![domain.0, local], alias)?.ok_or(StoreError::NotFound("alias"))?;
            tx.execute("DELETE FROM aliases WHERE domain = ?1 AND local = ?2", params![domain.0, local])?;
            Ok(found)
        }
    }
}
