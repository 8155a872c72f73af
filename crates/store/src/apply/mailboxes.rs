//! Mailboxes are made, renamed, deleted and subscribed.

use super::sharing;
use crate::api::StoreError;
use crate::records::{MailboxRecord, UidRange};
use crate::rows;
use crate::tx::{Tx, int, unsigned};
use mailward_core::limits::{KEYWORD_LEN_MAX, KEYWORDS_MAX, MAILBOXES_MAX};
use mailward_core::{AccountId, MailboxId, MailboxName, ModSeq};
use rusqlite::params;

/// Special-use mailboxes (RFC 6154) that a new account has beside INBOX.
const USUAL: [(&str, &str); 5] =
    [("Archive", "\\Archive"), ("Drafts", "\\Drafts"), ("Junk", "\\Junk"), ("Sent", "\\Sent"), ("Trash", "\\Trash")];

/// INBOX and the usual mailboxes for a new account, subscribed; answers INBOX.
pub(super) fn create_usual(tx: &mut Tx<'_>, account: AccountId) -> Result<MailboxId, StoreError> {
    let inbox = insert(tx, account, "INBOX", None)?;
    subscribe_name(tx, account, "INBOX")?;
    for (name, special_use) in USUAL {
        insert(tx, account, name, Some(special_use))?;
        subscribe_name(tx, account, name)?;
    }
    Ok(inbox)
}

fn subscribe_name(tx: &Tx<'_>, account: AccountId, name: &str) -> Result<(), StoreError> {
    tx.execute("INSERT OR IGNORE INTO subscriptions (account, name) VALUES (?1, ?2)", params![account.0, name])?;
    Ok(())
}

/// A UIDVALIDITY that no mailbox of this store had before: the time, or one more than the last.
fn next_uid_validity(tx: &Tx<'_>) -> Result<u32, StoreError> {
    let now = tx.now.secs().clamp(1, i64::from(u32::MAX));
    tx.row(
        "INSERT INTO meta (key, value) VALUES ('uid_validity', ?1)
         ON CONFLICT (key) DO UPDATE SET value = max(value + 1, ?1) RETURNING value",
        params![now],
        |row| row.get(0),
    )?
    .ok_or(StoreError::Limit("UIDVALIDITY"))
}

fn insert(tx: &mut Tx<'_>, account: AccountId, name: &str, special_use: Option<&str>) -> Result<MailboxId, StoreError> {
    let uid_validity = next_uid_validity(tx)?;
    tx.execute(
        "INSERT INTO mailboxes (account, name, uid_validity, special_use) VALUES (?1, ?2, ?3, ?4)",
        params![account.0, name, uid_validity, special_use],
    )?;
    Ok(MailboxId(tx.last_id()))
}

/// A mailbox by name with its keywords.
pub(super) fn by_name(
    tx: &Tx<'_>,
    account: AccountId,
    name: &MailboxName,
) -> Result<Option<MailboxRecord>, StoreError> {
    let Some(mut found) = tx.row(rows::MAILBOX_BY_NAME, params![account.0, name.as_str()], rows::mailbox)? else {
        return Ok(None);
    };
    found.keywords = keywords(tx, found.id)?;
    Ok(Some(found))
}

/// Makes a mailbox and those above it that are missing.
pub(crate) fn create(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &MailboxName,
    special_use: Option<&str>,
) -> Result<MailboxRecord, StoreError> {
    let exists = tx.row("SELECT 1 FROM usage WHERE account = ?1", params![account.0], |_| Ok(()))?;
    exists.ok_or(StoreError::NotFound("account"))?;
    match by_name(tx, account, name)? {
        Some(found) if found.selectable => return Err(StoreError::Exists(name.to_string())),
        Some(found) => {
            // The name was kept for those under it; it becomes a mailbox again, with new UIDs.
            let uid_validity = next_uid_validity(tx)?;
            tx.execute(
                "UPDATE mailboxes SET selectable = 1, uid_validity = ?2, uid_next = 1, special_use = ?3 WHERE id = ?1",
                params![found.id.0, uid_validity, special_use],
            )?;
        }
        None => {
            let count: i64 = tx
                .row("SELECT count(*) FROM mailboxes WHERE account = ?1", params![account.0], |row| row.get(0))?
                .unwrap_or(0);
            if unsigned(count) >= MAILBOXES_MAX as u64 {
                return Err(StoreError::Limit("mailboxes of an account"));
            }
            let mut above = None;
            if let Some(parent) = name.parent() {
                above = Some(match by_name(tx, account, &parent)? {
                    Some(found) => found.id,
                    // As deep as a name may be: `limits::MAILBOX_LEVELS_MAX`.
                    None => create(tx, account, &parent, None)?.id,
                });
            }
            let id = insert(tx, account, name.as_str(), special_use)?;
            if let Some(above) = above {
                sharing::inherit(tx, above, id)?;
            }
        }
    }
    tx.touch_account(account);
    by_name(tx, account, name)?.ok_or(StoreError::NotFound("mailbox"))
}

/// Deletes a mailbox and its messages; keeps its name if others are under it.
pub(crate) fn delete(tx: &mut Tx<'_>, account: AccountId, name: &MailboxName) -> Result<(), StoreError> {
    if name.is_inbox() {
        return Err(StoreError::Refused("INBOX can't be deleted"));
    }
    let found = by_name(tx, account, name)?.ok_or(StoreError::NotFound("mailbox"))?;
    let under = !inferiors(tx, account, name)?.is_empty();
    if under && !found.selectable {
        return Err(StoreError::Refused("there are mailboxes under this name"));
    }
    super::messages::expunge_if_selectable(tx, &found)?;
    forget(tx, found.id)?;
    if under {
        tx.execute("UPDATE mailboxes SET selectable = 0, special_use = NULL WHERE id = ?1", params![found.id.0])?;
    } else {
        tx.execute("DELETE FROM mailboxes WHERE id = ?1", params![found.id.0])?;
    }
    tx.touch(found.id, account, ModSeq(found.mod_seq.0.saturating_add(1)));
    Ok(())
}

/// Removes what belongs to a mailbox that holds no messages any more.
fn forget(tx: &Tx<'_>, mailbox: MailboxId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM expunged WHERE mailbox = ?1", params![mailbox.0])?;
    tx.execute("DELETE FROM keywords WHERE mailbox = ?1", params![mailbox.0])?;
    tx.execute("DELETE FROM gone WHERE mailbox = ?1", params![mailbox.0])?;
    sharing::forget_mailbox(tx, mailbox)
}

/// Removes all of an account's mailboxes with their messages.
pub(super) fn delete_all(tx: &mut Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    for found in tx.rows(rows::MAILBOXES_BY_ACCOUNT, params![account.0], rows::mailbox)? {
        super::messages::expunge_if_selectable(tx, &found)?;
        forget(tx, found.id)?;
        tx.touch(found.id, account, ModSeq(found.mod_seq.0.saturating_add(1)));
    }
    sharing::forget_account(tx, account)?;
    tx.execute("DELETE FROM mailboxes WHERE account = ?1", params![account.0])?;
    tx.execute("DELETE FROM subscriptions WHERE account = ?1", params![account.0])?;
    Ok(())
}

/// Ids and names under a name.
fn inferiors(tx: &Tx<'_>, account: AccountId, name: &MailboxName) -> Result<Vec<(MailboxId, MailboxName)>, StoreError> {
    // '0' is the character after '/': names under `a` sort between `a/` and `a0`.
    tx.rows(
        "SELECT id, name FROM mailboxes WHERE account = ?1 AND name > ?2 || '/' AND name < ?2 || '0' ORDER BY name",
        params![account.0, name.as_str()],
        |row| Ok((MailboxId(row.get(0)?), rows::name(row.get(1)?, 1)?)),
    )
}

/// Renames a mailbox and all under it; INBOX gives its messages instead.
pub(crate) fn rename(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: &MailboxName,
    to: &MailboxName,
) -> Result<(), StoreError> {
    let found = by_name(tx, account, from)?.ok_or(StoreError::NotFound("mailbox"))?;
    if by_name(tx, account, to)?.is_some() {
        return Err(StoreError::Exists(to.to_string()));
    }
    if from.is_inbox() {
        let target = create(tx, account, to, None)?;
        super::messages::copy(tx, found.id, &[UidRange::ALL], target.id, true)?;
        return Ok(());
    }
    if to.is_under(from) {
        return Err(StoreError::Refused("a mailbox can't be moved under itself"));
    }
    let inferiors = inferiors(tx, account, from)?;
    let mut renamed = vec![(found.id, to.clone())];
    for (id, name) in inferiors {
        let rest = name.as_str().strip_prefix(from.as_str()).unwrap_or_default();
        let name = MailboxName::parse(&format!("{to}{rest}"))
            .map_err(|_| StoreError::Limit("length or levels of a mailbox name"))?;
        renamed.push((id, name));
    }
    if let Some(parent) = to.parent()
        && by_name(tx, account, &parent)?.is_none()
    {
        create(tx, account, &parent, None)?;
    }
    for (id, name) in renamed {
        tx.execute("UPDATE mailboxes SET name = ?2 WHERE id = ?1", params![id.0, name.as_str()])?;
    }
    tx.touch_account(account);
    Ok(())
}

/// Sets whether a name is subscribed.
pub(crate) fn subscribe(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &MailboxName,
    subscribed: bool,
) -> Result<(), StoreError> {
    tx.touch_account(account);
    if !subscribed {
        tx.execute("DELETE FROM subscriptions WHERE account = ?1 AND name = ?2", params![account.0, name.as_str()])?;
        return Ok(());
    }
    let count: i64 = tx
        .row("SELECT count(*) FROM subscriptions WHERE account = ?1", params![account.0], |row| row.get(0))?
        .unwrap_or(0);
    if unsigned(count) >= MAILBOXES_MAX as u64 {
        return Err(StoreError::Limit("subscriptions of an account"));
    }
    subscribe_name(tx, account, name.as_str())
}

// ---- what other modules ask of a mailbox ----

/// Whose it is.
pub(crate) fn owner(tx: &Tx<'_>, mailbox: MailboxId) -> Result<AccountId, StoreError> {
    tx.row("SELECT account FROM mailboxes WHERE id = ?1", params![mailbox.0], |row| Ok(AccountId(row.get(0)?)))?
        .ok_or(StoreError::NotFound("mailbox"))
}

/// Its modification sequence.
pub(super) fn mod_seq(tx: &Tx<'_>, mailbox: MailboxId) -> Result<ModSeq, StoreError> {
    tx.row("SELECT mod_seq FROM mailboxes WHERE id = ?1", params![mailbox.0], |row| Ok(ModSeq(unsigned(row.get(0)?))))?
        .ok_or(StoreError::NotFound("mailbox"))
}

/// Messages in it with `\Deleted`.
pub(super) fn deleted(tx: &Tx<'_>, mailbox: MailboxId) -> Result<u32, StoreError> {
    tx.row("SELECT deleted FROM mailboxes WHERE id = ?1", params![mailbox.0], |row| row.get(0))?
        .ok_or(StoreError::NotFound("mailbox"))
}

/// Its keywords, by bit.
pub(crate) fn keywords(tx: &Tx<'_>, mailbox: MailboxId) -> Result<Vec<String>, StoreError> {
    tx.rows(rows::KEYWORDS, params![mailbox.0], |row| row.get(1))
}

/// Bits of keywords (compared without case, RFC 9051 §2.3.2); with `learn`, new ones get a bit.
pub(super) fn keyword_bits(tx: &Tx<'_>, mailbox: MailboxId, wanted: &[String], learn: bool) -> Result<u64, StoreError> {
    if wanted.is_empty() {
        return Ok(0);
    }
    let mut known = keywords(tx, mailbox)?;
    let mut bits = 0u64;
    for keyword in wanted {
        let found = known.iter().position(|k| k.eq_ignore_ascii_case(keyword));
        let bit = match found {
            Some(bit) => bit,
            None if !learn => continue,
            None if keyword.len() > KEYWORD_LEN_MAX => return Err(StoreError::Limit("length of a keyword")),
            None if known.len() >= KEYWORDS_MAX => return Err(StoreError::Limit("keywords of a mailbox")),
            None => {
                tx.execute(
                    "INSERT INTO keywords (mailbox, bit, name) VALUES (?1, ?2, ?3)",
                    params![mailbox.0, int(known.len() as u64), keyword],
                )?;
                known.push(keyword.clone());
                known.len().saturating_sub(1)
            }
        };
        bits |= u32::try_from(bit).ok().and_then(|bit| 1u64.checked_shl(bit)).unwrap_or(0);
    }
    Ok(bits)
}
