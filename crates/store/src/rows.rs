//! Rows as records, and the statements that readers and the committer share.

use crate::records::{Flags, MailboxRecord, MessageRecord};
use crate::tx::unsigned;
use mailward_core::{AccountId, BlobId, MailboxId, MailboxName, ModSeq, Timestamp, Uid, UidValidity};
use rusqlite::Row;

/// Messages of a UID range, at most so many.
pub(crate) const MESSAGES_BY_UID: &str =
    "SELECT uid, blob, size, flags, keywords, mod_seq, internal_date, saved_date FROM messages
     WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid LIMIT ?4";

/// Messages whose flags changed after a modification sequence, at most so many, in its order.
pub(crate) const MESSAGES_CHANGED: &str =
    "SELECT uid, blob, size, flags, keywords, mod_seq, internal_date, saved_date FROM messages
     WHERE mailbox = ?1 AND mod_seq > ?2 AND mod_seq <> came ORDER BY mod_seq LIMIT ?3";

/// Messages unchanged since they came, from a UID on, at most so many: their modification sequences rise with their
/// UIDs.
pub(crate) const MESSAGES_AS_THEY_CAME: &str =
    "SELECT uid, blob, size, flags, keywords, mod_seq, internal_date, saved_date FROM messages
     WHERE mailbox = ?1 AND uid >= ?2 AND mod_seq = came ORDER BY uid LIMIT ?3";

pub(crate) fn message(row: &Row<'_>) -> rusqlite::Result<MessageRecord> {
    Ok(MessageRecord {
        uid: Uid(row.get(0)?),
        blob: BlobId(row.get(1)?),
        size: unsigned(row.get(2)?),
        flags: Flags(row.get(3)?),
        keywords: unsigned(row.get(4)?),
        mod_seq: ModSeq(unsigned(row.get(5)?)),
        internal_date: Timestamp(row.get(6)?),
        saved_date: Timestamp(row.get(7)?),
    })
}

/// Columns of a mailbox, in [`mailbox`]'s order; a `FROM` follows.
macro_rules! mailbox_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, name, uid_validity, uid_next, mod_seq, messages, unseen, deleted, bytes, special_use, ",
            "selectable",
            $rest
        )
    };
}
pub(crate) const MAILBOX_BY_ID: &str = mailbox_columns!(" FROM mailboxes WHERE id = ?1");
pub(crate) const MAILBOX_BY_NAME: &str = mailbox_columns!(" FROM mailboxes WHERE account = ?1 AND name = ?2");
pub(crate) const MAILBOXES_BY_ACCOUNT: &str = mailbox_columns!(" FROM mailboxes WHERE account = ?1 ORDER BY name");
/// With the rights of account 1 after the others.
pub(crate) const MAILBOXES_SHARED: &str = mailbox_columns!(
    ", (SELECT rights FROM acl WHERE mailbox = id AND acl.account = ?1) FROM mailboxes
     WHERE id IN (SELECT mailbox FROM acl WHERE acl.account = ?1) ORDER BY account, name"
);

/// A mailbox, its keywords still to come.
pub(crate) fn mailbox(row: &Row<'_>) -> rusqlite::Result<MailboxRecord> {
    Ok(MailboxRecord {
        id: MailboxId(row.get(0)?),
        account: AccountId(row.get(1)?),
        name: name(row.get(2)?, 2)?,
        uid_validity: UidValidity(row.get(3)?),
        uid_next: Uid(row.get(4)?),
        mod_seq: ModSeq(unsigned(row.get(5)?)),
        messages: row.get(6)?,
        unseen: row.get(7)?,
        deleted: row.get(8)?,
        bytes: unsigned(row.get(9)?),
        special_use: row.get(10)?,
        selectable: row.get(11)?,
        keywords: Vec::new(),
    })
}

/// A mailbox name from its column; one that isn't a name is damage.
pub(crate) fn name(text: String, column: usize) -> rusqlite::Result<MailboxName> {
    MailboxName::parse(&text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e)))
}

/// Keywords of a mailbox, by bit.
pub(crate) const KEYWORDS: &str = "SELECT bit, name FROM keywords WHERE mailbox = ?1 ORDER BY bit";

/// Names of the bits that are set.
pub(crate) fn keyword_names(names: &[String], bits: u64) -> impl Iterator<Item = &str> {
    names
        .iter()
        .enumerate()
        .filter(move |(bit, name)| {
            u32::try_from(*bit).ok().and_then(|b| bits.checked_shr(b)).is_some_and(|b| b & 1 == 1) && !name.is_empty()
        })
        .map(|(_, name)| name.as_str())
}
