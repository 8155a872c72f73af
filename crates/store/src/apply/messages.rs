//! Messages come, are copied, moved and removed.

use super::gone;
use super::mailboxes::{self, keyword_bits};
use crate::api::StoreError;
use crate::quarantine;
use crate::queue::changes;
use crate::records::{
    Accepted, AppendOutcome, CopyOutcome, Delivered, Destination, Expunged, Flags, MailboxRecord, MessageRecord,
    NewMessage, Places, Queued, Target, UidRange, Ways,
};
use crate::rows;
use crate::spam;
use crate::tx::{Placed, Tx, int, unsigned};
use mailward_core::limits::{NOTICE_BYTES_BEYOND_QUOTA, NOTICE_MESSAGES_BEYOND_QUOTA};
use mailward_core::{AccountId, BlobId, MailboxId, MailboxName, ModSeq, QueueId, Timestamp, Uid, UidValidity};
use rusqlite::params;

/// A message row about to be made.
struct NewRow {
    blob: BlobId,
    size: u64,
    flags: Flags,
    keywords: u64,
    internal_date: Timestamp,
}

/// How far a delivery may go beyond the quota of its reader.
#[derive(Clone, Copy)]
pub(crate) struct Beyond {
    bytes: u64,
    messages: u64,
}

impl Beyond {
    /// Not at all.
    const NOTHING: Self = Self { bytes: 0, messages: 0 };
    /// What a user should hear of this server, also with a mailbox that is full.
    pub(crate) const NOTICE: Self = Self { bytes: NOTICE_BYTES_BEYOND_QUOTA, messages: NOTICE_MESSAGES_BEYOND_QUOTA };
}

/// Delivers to every target, queues every envelope and keeps what goes into the quarantine, or does nothing.
pub(crate) fn deliver(tx: &mut Tx<'_>, placed: &Placed, places: &Places) -> Result<Accepted, StoreError> {
    deliver_beyond(tx, placed, places, Beyond::NOTHING)
}

/// The same, maybe beyond a quota.
pub(crate) fn deliver_beyond(
    tx: &mut Tx<'_>,
    placed: &Placed,
    places: &Places,
    beyond: Beyond,
) -> Result<Accepted, StoreError> {
    let Places { targets, queued, kept } = places;
    changes::check(queued)?;
    let refs = targets.len().saturating_add(queued.len()).saturating_add(usize::from(kept.is_some()));
    if refs == 0 {
        // Accepted would mean safe, and there is nowhere that it would be.
        return Err(StoreError::Refused("a message that goes nowhere can't be accepted"));
    }
    let blob = if targets.is_empty() { tx.refer_owed(placed, refs)? } else { tx.refer(placed, refs)? };
    let mut accepted = go(tx, blob, placed.size, targets, queued, beyond)?;
    if let Some(kept) = kept {
        accepted.kept = Some(quarantine::keep(tx, blob, placed.size, kept)?);
    }
    Ok(accepted)
}

/// A message of the quarantine goes where it would have gone.
pub(crate) fn release(tx: &mut Tx<'_>, blob: BlobId, size: u64, ways: &Ways) -> Result<Accepted, StoreError> {
    let Ways { targets, queued } = ways;
    changes::check(queued)?;
    for _ in 0..targets.len().saturating_add(queued.len()) {
        tx.refer_again(blob)?;
    }
    go(tx, blob, size, targets, queued, Beyond::NOTHING)
}

/// What the quarantine has to know of a message in a mailbox: its content, its size, where it was.
pub(crate) fn withdrawn(tx: &Tx<'_>, mailbox: MailboxId, uid: Uid) -> Result<(BlobId, u64, Target), StoreError> {
    tx.row(
        "SELECT m.blob, m.size, m.flags, x.account, x.name FROM messages m JOIN mailboxes x ON x.id = m.mailbox
         WHERE m.mailbox = ?1 AND m.uid = ?2",
        params![mailbox.0, uid.0],
        |row| {
            let name: String = row.get(4)?;
            let target = Target {
                account: AccountId(row.get(3)?),
                mailbox: MailboxName::parse(&name).ok(),
                flags: Flags(row.get(2)?),
            };
            Ok((BlobId(row.get(0)?), unsigned(row.get(1)?), target))
        },
    )?
    .ok_or(StoreError::NotFound("message"))
}

/// A content, whose references are counted already, comes into mailboxes and into the queue.
fn go(
    tx: &mut Tx<'_>,
    blob: BlobId,
    size: u64,
    targets: &[Target],
    queued: &[Queued],
    beyond: Beyond,
) -> Result<Accepted, StoreError> {
    let mut delivered = Vec::with_capacity(targets.len());
    for target in targets {
        let inbox = charge_beyond(tx, target.account, size, 1, beyond)?;
        let mailbox = match &target.mailbox {
            None => inbox,
            Some(name) => named(tx, target.account, name)?.unwrap_or(inbox),
        };
        let row = NewRow { blob, size, flags: target.flags, keywords: 0, internal_date: tx.now };
        let (uid, _) = insert(tx, mailbox, &row)?;
        delivered.push(Delivered { account: target.account, mailbox, uid });
    }
    let mut ids = Vec::with_capacity(queued.len());
    for one in queued {
        ids.push(changes::enqueue(tx, blob, size, one)?);
    }
    Ok(Accepted { delivered, queued: ids, kept: None })
}

/// Counts bytes and messages against the account's quota and answers its INBOX.
fn charge(tx: &Tx<'_>, account: AccountId, bytes: u64, messages: u64) -> Result<MailboxId, StoreError> {
    charge_beyond(tx, account, bytes, messages, Beyond::NOTHING)
}

/// The same, maybe beyond the quota.
fn charge_beyond(
    tx: &Tx<'_>,
    account: AccountId,
    bytes: u64,
    messages: u64,
    beyond: Beyond,
) -> Result<MailboxId, StoreError> {
    let charged = tx.row(
        "UPDATE usage SET bytes = bytes + ?2, messages = messages + ?3 WHERE account = ?1
         RETURNING inbox, (quota_bytes > 0 AND bytes > quota_bytes + ?4)
             OR (quota_messages > 0 AND messages > quota_messages + ?5)",
        params![account.0, int(bytes), int(messages), int(beyond.bytes), int(beyond.messages)],
        |row| Ok((MailboxId(row.get(0)?), row.get::<_, bool>(1)?)),
    )?;
    match charged {
        None => Err(StoreError::NotFound("account")),
        Some((_, true)) => Err(StoreError::OverQuota),
        Some((inbox, false)) => Ok(inbox),
    }
}

fn insert(tx: &mut Tx<'_>, mailbox: MailboxId, new: &NewRow) -> Result<(Uid, ModSeq), StoreError> {
    let unseen = i64::from(!new.flags.contains(Flags::SEEN));
    let deleted = i64::from(new.flags.contains(Flags::DELETED));
    let (uid, mod_seq, account) = tx
        .row(
            "UPDATE mailboxes SET uid_next = uid_next + 1, mod_seq = mod_seq + 1, messages = messages + 1,
             bytes = bytes + ?2, unseen = unseen + ?3, deleted = deleted + ?4
             WHERE id = ?1 AND uid_next < 4294967295 RETURNING uid_next - 1, mod_seq, account",
            params![mailbox.0, int(new.size), unseen, deleted],
            |row| Ok((Uid(row.get(0)?), ModSeq(unsigned(row.get(1)?)), AccountId(row.get(2)?))),
        )?
        .ok_or(StoreError::NotFound("mailbox"))?;
    tx.execute(
        "INSERT INTO messages (mailbox, uid, blob, size, flags, keywords, mod_seq, came, internal_date, saved_date)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)",
        params![
            mailbox.0,
            uid.0,
            new.blob.0,
            int(new.size),
            new.flags.0,
            int(new.keywords),
            int(mod_seq.0),
            new.internal_date.0,
            tx.now.0
        ],
    )?;
    tx.touch(mailbox, account, mod_seq);
    Ok((uid, mod_seq))
}

/// Puts messages into one mailbox, all or none.
pub(crate) fn append(
    tx: &mut Tx<'_>,
    placed: &[Placed],
    to: &Destination,
    messages: &[NewMessage],
) -> Result<AppendOutcome, StoreError> {
    let mailbox = match to {
        Destination::Mailbox(mailbox) => *mailbox,
        Destination::Named(account, name) => named(tx, *account, name)?.ok_or(StoreError::NotFound("mailbox"))?,
    };
    let (account, uid_validity) = open(tx, mailbox)?;
    let mut uids = Vec::with_capacity(messages.len());
    let mut mod_seq = ModSeq(0);
    for (message, placed) in messages.iter().zip(placed) {
        charge(tx, account, placed.size, 1)?;
        let keywords = keyword_bits(tx, mailbox, &message.keywords, true)?;
        let blob = tx.refer(placed, 1)?;
        let row = NewRow {
            blob,
            size: placed.size,
            flags: message.flags,
            keywords,
            internal_date: message.internal_date.unwrap_or(tx.now),
        };
        let (uid, at) = insert(tx, mailbox, &row)?;
        uids.push(uid);
        mod_seq = at;
    }
    Ok(AppendOutcome { uid_validity, uids, mod_seq })
}

/// Puts a message into a mailbox and takes another out, both or neither (RFC 8508).
pub(crate) fn replace(
    tx: &mut Tx<'_>,
    placed: &[Placed],
    (from, uid): (MailboxId, Uid),
    to: MailboxId,
    message: &NewMessage,
) -> Result<AppendOutcome, StoreError> {
    let old = select(tx, from, &[UidRange::one(uid)])?;
    if old.is_empty() {
        return Err(StoreError::NotFound("message"));
    }
    // First out, then in: who is at his quota may still replace a draft by a shorter one.
    let (account, _) = open(tx, from)?;
    take_out(tx, from, &old, Some(account))?;
    append(tx, placed, &to.into(), std::slice::from_ref(message))
}

/// A mailbox that holds messages, by its name.
fn named(tx: &Tx<'_>, account: AccountId, name: &MailboxName) -> Result<Option<MailboxId>, StoreError> {
    tx.row(
        "SELECT id FROM mailboxes WHERE account = ?1 AND name = ?2 AND selectable",
        params![account.0, name.as_str()],
        |row| Ok(MailboxId(row.get(0)?)),
    )
}

/// Whose a mailbox is; it must hold messages.
fn open(tx: &Tx<'_>, mailbox: MailboxId) -> Result<(AccountId, UidValidity), StoreError> {
    tx.row("SELECT account, uid_validity FROM mailboxes WHERE id = ?1 AND selectable", params![mailbox.0], |row| {
        Ok((AccountId(row.get(0)?), UidValidity(row.get(1)?)))
    })?
    .ok_or(StoreError::NotFound("mailbox"))
}

/// Copies messages; with `remove`, takes them from where they were.
pub(crate) fn copy(
    tx: &mut Tx<'_>,
    from: MailboxId,
    ranges: &[UidRange],
    to: MailboxId,
    remove: bool,
) -> Result<CopyOutcome, StoreError> {
    let (from_account, _) = open(tx, from)?;
    let (to_account, uid_validity) = open(tx, to)?;
    let messages = select(tx, from, ranges)?;
    let names = mailboxes::keywords(tx, from)?;
    let mut uids = Vec::with_capacity(messages.len());
    for message in &messages {
        // A move within an account needs no room.
        if !(remove && from_account == to_account) {
            charge(tx, to_account, message.size, 1)?;
        }
        let set: Vec<String> = rows::keyword_names(&names, message.keywords).map(str::to_owned).collect();
        let keywords = keyword_bits(tx, to, &set, true)?;
        tx.refer_again(message.blob)?;
        let row = NewRow {
            blob: message.blob,
            size: message.size,
            flags: message.flags,
            keywords,
            internal_date: message.internal_date,
        };
        let (uid, _) = insert(tx, to, &row)?;
        uids.push((uid, message.uid));
    }
    spam::moved(tx, from, to, to_account, messages.iter().map(|message| message.blob))?;
    let mut mod_seq = mailboxes::mod_seq(tx, from)?;
    if remove {
        mod_seq = take_out(tx, from, &messages, (from_account != to_account).then_some(from_account))?;
    }
    Ok(CopyOutcome { uid_validity, uids, mod_seq })
}

/// Takes out every message that shows one of these blobs, of mailboxes, of the queue and of the quarantine; answers how many.
pub(crate) fn take_out_of_blobs(tx: &mut Tx<'_>, blobs: &[BlobId]) -> Result<u64, StoreError> {
    let mut taken = 0u64;
    // No index leads from a blob to its messages: this is asked once, after a power cut.
    let holders = tx.rows("SELECT mailbox, uid, blob FROM messages", [], |row| {
        Ok((MailboxId(row.get(0)?), Uid(row.get(1)?), BlobId(row.get(2)?)))
    })?;
    for (mailbox, uid, _) in holders.into_iter().filter(|(_, _, blob)| blobs.contains(blob)) {
        let (account, _) = open(tx, mailbox)?;
        let message = select(tx, mailbox, &[UidRange::one(uid)])?;
        take_out(tx, mailbox, &message, Some(account))?;
        taken = taken.saturating_add(1);
    }
    let queued =
        tx.rows("SELECT id, blob FROM queue_messages", [], |row| Ok((QueueId(row.get(0)?), BlobId(row.get(1)?))))?;
    for (message, _) in queued.into_iter().filter(|(_, blob)| blobs.contains(blob)) {
        changes::take_out(tx, message)?;
        taken = taken.saturating_add(1);
    }
    Ok(taken.saturating_add(quarantine::take_out_of_blobs(tx, blobs)?))
}

/// Removes messages of the ranges that are `\Deleted`, or with `any` all of them.
pub(crate) fn expunge(
    tx: &mut Tx<'_>,
    mailbox: MailboxId,
    ranges: &[UidRange],
    any: bool,
) -> Result<Expunged, StoreError> {
    let (account, _) = open(tx, mailbox)?;
    if !any && mailboxes::deleted(tx, mailbox)? == 0 {
        return Ok(Expunged { uids: Vec::new(), mod_seq: mailboxes::mod_seq(tx, mailbox)? });
    }
    let mut messages = select(tx, mailbox, ranges)?;
    messages.retain(|m| any || m.flags.contains(Flags::DELETED));
    let mod_seq = take_out(tx, mailbox, &messages, Some(account))?;
    Ok(Expunged { uids: messages.iter().map(|m| m.uid).collect(), mod_seq })
}

/// Takes rows out, remembers that they were there, and frees what only they showed.
fn take_out(
    tx: &mut Tx<'_>,
    mailbox: MailboxId,
    messages: &[MessageRecord],
    refund: Option<AccountId>,
) -> Result<ModSeq, StoreError> {
    let mut mod_seq = mailboxes::mod_seq(tx, mailbox)?;
    if messages.is_empty() {
        return Ok(mod_seq);
    }
    let (mut bytes, mut unseen, mut deleted) = (0u64, 0i64, 0i64);
    for message in messages {
        mod_seq = ModSeq(mod_seq.0.saturating_add(1));
        tx.execute("DELETE FROM messages WHERE mailbox = ?1 AND uid = ?2", params![mailbox.0, message.uid.0])?;
        tx.execute(
            "INSERT INTO expunged (mailbox, mod_seq, uid) VALUES (?1, ?2, ?3)",
            params![mailbox.0, int(mod_seq.0), message.uid.0],
        )?;
        tx.release(message.blob)?;
        bytes = bytes.saturating_add(message.size);
        unseen = unseen.saturating_add(i64::from(!message.flags.contains(Flags::SEEN)));
        deleted = deleted.saturating_add(i64::from(message.flags.contains(Flags::DELETED)));
    }
    gone::add(tx, mailbox, messages.iter().map(|m| m.uid))?;
    let count = messages.len() as u64;
    tx.execute(
        "UPDATE mailboxes SET mod_seq = ?2, messages = messages - ?3, bytes = bytes - ?4, unseen = unseen - ?5,
         deleted = deleted - ?6 WHERE id = ?1",
        params![mailbox.0, int(mod_seq.0), int(count), int(bytes), unseen, deleted],
    )?;
    let owner = mailboxes::owner(tx, mailbox)?;
    if let Some(account) = refund {
        tx.execute(
            "UPDATE usage SET bytes = bytes - ?2, messages = messages - ?3 WHERE account = ?1",
            params![account.0, int(bytes), int(count)],
        )?;
    }
    tx.touch(mailbox, owner, mod_seq);
    Ok(mod_seq)
}

/// Rows of the ranges, by UID.
pub(super) fn select(tx: &Tx<'_>, mailbox: MailboxId, ranges: &[UidRange]) -> Result<Vec<MessageRecord>, StoreError> {
    let mut messages = Vec::new();
    for range in ranges {
        messages.extend(tx.rows(
            rows::MESSAGES_BY_UID,
            params![mailbox.0, range.first.0, range.last.0, i64::MAX],
            rows::message,
        )?);
    }
    Ok(messages)
}

/// Removes every message of a mailbox that is about to go.
pub(super) fn expunge_if_selectable(tx: &mut Tx<'_>, mailbox: &MailboxRecord) -> Result<(), StoreError> {
    if mailbox.selectable {
        expunge(tx, mailbox.id, &[UidRange::ALL], true)?;
    }
    Ok(())
}
