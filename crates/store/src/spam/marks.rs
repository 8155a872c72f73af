//! What users say of spam by moving and flagging: noted in the commit that moves and flags, so that it can't be lost.

use super::lesson;
use crate::api::StoreError;
use crate::apply::mailboxes;
use crate::records::{Lesson, Mark, Shelf};
use crate::tx::Tx;
use mailward_core::limits::SPAM_MARKS_MAX;
use mailward_core::{AccountId, BlobId, MailboxId};
use rusqlite::{Row, params};

pub(super) const MARKS: &str = "SELECT id, account, blob, spam FROM spam_marks ORDER BY id LIMIT ?1";

pub(super) fn mark(row: &Row<'_>) -> rusqlite::Result<Mark> {
    Ok(Mark {
        id: row.get(0)?,
        account: AccountId(row.get(1)?),
        blob: BlobId(row.get(2)?),
        lesson: row.get::<_, Option<bool>>(3)?.map(lesson),
    })
}

/// Messages were moved or copied.
pub(crate) fn moved(
    tx: &mut Tx<'_>,
    from: MailboxId,
    to: MailboxId,
    account: AccountId,
    blobs: impl Iterator<Item = BlobId>,
) -> Result<(), StoreError> {
    let (from, to) = (special_use(tx, from)?, special_use(tx, to)?);
    let is = |special_use: &Option<String>, name: &str| {
        special_use.as_ref().is_some_and(|has| has.eq_ignore_ascii_case(name))
    };
    let said = match (is(&from, "\\Junk"), is(&to, "\\Junk")) {
        (false, true) => Lesson::Spam,
        (true, false) if !is(&to, "\\Trash") => Lesson::Ham,
        _ => return Ok(()),
    };
    for blob in blobs {
        note(tx, account, blob, Some(said))?;
    }
    Ok(())
}

/// A keyword of a message says something else than before.
pub(crate) fn flagged(
    tx: &mut Tx<'_>,
    mailbox: MailboxId,
    blob: BlobId,
    said: Option<Lesson>,
) -> Result<(), StoreError> {
    let account = mailboxes::owner(tx, mailbox)?;
    note(tx, account, blob, said)
}

fn special_use(tx: &Tx<'_>, mailbox: MailboxId) -> Result<Option<String>, StoreError> {
    let found = tx.row("SELECT special_use FROM mailboxes WHERE id = ?1", params![mailbox.0], |row| row.get(0))?;
    Ok(found.flatten())
}

fn note(tx: &mut Tx<'_>, account: AccountId, blob: BlobId, said: Option<Lesson>) -> Result<(), StoreError> {
    // They are numbered in order and taken from the front.
    let waiting =
        tx.row("SELECT coalesce(max(id) - min(id) + 1, 0) FROM spam_marks", [], |row| row.get::<_, i64>(0))?;
    if waiting.unwrap_or(0) >= i64::try_from(SPAM_MARKS_MAX).unwrap_or(i64::MAX) {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO spam_marks (account, blob, spam) VALUES (?1, ?2, ?3)",
        params![account.0, blob.0, said.map(|said| said == Lesson::Spam)],
    )?;
    tx.touch_shelf(Shelf::Trained);
    Ok(())
}

/// Bits of a mailbox's keywords that say something of spam.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words {
    spam: u64,
    ham: u64,
}

impl Words {
    /// By the keywords of a mailbox, in the order of their bits.
    pub(crate) fn of(keywords: &[String]) -> Self {
        let mut words = Self::default();
        for (at, keyword) in keywords.iter().enumerate() {
            let bit = u32::try_from(at).ok().and_then(|at| 1u64.checked_shl(at)).unwrap_or(0);
            if ["$Junk", "Junk"].iter().any(|word| keyword.eq_ignore_ascii_case(word)) {
                words.spam |= bit;
            } else if ["$NotJunk", "NonJunk", "NotJunk"].iter().any(|word| keyword.eq_ignore_ascii_case(word)) {
                words.ham |= bit;
            }
        }
        words
    }

    /// What a change says; `None`: nothing.
    pub(crate) const fn said(self, before: u64, after: u64) -> Option<Option<Lesson>> {
        let set = after & !before;
        let taken = before & !after;
        if set & self.spam != 0 {
            Some(Some(Lesson::Spam))
        } else if set & self.ham != 0 {
            Some(Some(Lesson::Ham))
        } else if taken & (self.spam | self.ham) != 0 && after & (self.spam | self.ham) == 0 {
            Some(None)
        } else {
            None
        }
    }
}
