//! Who else may use a mailbox, and annotations.

use super::mailboxes;
use crate::api::StoreError;
use crate::records::{MetadataChange, Rights};
use crate::tx::{Tx, unsigned};
use mailward_core::limits::{ACL_ENTRIES_MAX, METADATA_ENTRIES_MAX, METADATA_VALUE_MAX};
use mailward_core::{AccountId, MailboxId};
use rusqlite::params;

/// Sets what an account may do with a mailbox of another; no rights take the entry away.
pub(crate) fn set_rights(
    tx: &mut Tx<'_>,
    mailbox: MailboxId,
    account: AccountId,
    rights: Rights,
) -> Result<(), StoreError> {
    let owner = mailboxes::owner(tx, mailbox)?;
    if owner == account {
        return Err(StoreError::Refused("the owner keeps all rights"));
    }
    let known = tx.row("SELECT 1 FROM usage WHERE account = ?1", params![account.0], |_| Ok(()))?;
    known.ok_or(StoreError::NotFound("account"))?;
    if rights == Rights::NONE {
        tx.execute("DELETE FROM acl WHERE mailbox = ?1 AND account = ?2", params![mailbox.0, account.0])?;
    } else {
        tx.execute(
            "INSERT INTO acl (mailbox, account, rights) VALUES (?1, ?2, ?3)
             ON CONFLICT (mailbox, account) DO UPDATE SET rights = ?3",
            params![mailbox.0, account.0, rights.0],
        )?;
        let count: i64 =
            tx.row("SELECT count(*) FROM acl WHERE mailbox = ?1", params![mailbox.0], |row| row.get(0))?.unwrap_or(0);
        if unsigned(count) > ACL_ENTRIES_MAX as u64 {
            return Err(StoreError::Limit("people that a mailbox is shared with"));
        }
    }
    tx.touch_account(owner);
    tx.touch_account(account);
    Ok(())
}

/// A new mailbox is shared as the one above it (RFC 4314 §3, `k`).
pub(super) fn inherit(tx: &Tx<'_>, from: MailboxId, to: MailboxId) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO acl (mailbox, account, rights) SELECT ?2, account, rights FROM acl WHERE mailbox = ?1",
        params![from.0, to.0],
    )?;
    Ok(())
}

/// Sets and removes annotations, all of them or none.
pub(crate) fn annotate(
    tx: &mut Tx<'_>,
    mailbox: Option<MailboxId>,
    changes: &[MetadataChange],
) -> Result<(), StoreError> {
    if let Some(mailbox) = mailbox {
        mailboxes::owner(tx, mailbox)?;
    }
    let mailbox = mailbox.map_or(0, |m| m.0);
    for change in changes {
        let account = change.account.map_or(0, |a| a.0);
        let Some(value) = &change.value else {
            tx.execute(
                "DELETE FROM metadata WHERE mailbox = ?1 AND account = ?2 AND entry = ?3",
                params![mailbox, account, change.entry],
            )?;
            continue;
        };
        if value.len() > METADATA_VALUE_MAX {
            return Err(StoreError::Limit("size of an annotation"));
        }
        tx.execute(
            "INSERT INTO metadata (mailbox, account, entry, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (mailbox, account, entry) DO UPDATE SET value = ?4",
            params![mailbox, account, change.entry, value.as_ref()],
        )?;
        let count: i64 = tx
            .row(
                "SELECT count(*) FROM metadata WHERE mailbox = ?1 AND account = ?2",
                params![mailbox, account],
                |row| row.get(0),
            )?
            .unwrap_or(0);
        if unsigned(count) > METADATA_ENTRIES_MAX as u64 {
            return Err(StoreError::Limit("annotations of a mailbox"));
        }
    }
    Ok(())
}

/// Takes away what belongs to a mailbox that goes.
pub(super) fn forget_mailbox(tx: &Tx<'_>, mailbox: MailboxId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM acl WHERE mailbox = ?1", params![mailbox.0])?;
    tx.execute("DELETE FROM metadata WHERE mailbox = ?1", params![mailbox.0])?;
    Ok(())
}

/// Takes away what belongs to an account that goes.
pub(super) fn forget_account(tx: &Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM acl WHERE account = ?1", params![account.0])?;
    tx.execute("DELETE FROM metadata WHERE account = ?1", params![account.0])?;
    Ok(())
}
