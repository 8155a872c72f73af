//! Flags and keywords change.

use super::mailboxes::{self, keyword_bits};
use super::messages::select;
use crate::api::StoreError;
use crate::records::{FlagAction, FlagChange, FlagOutcome, Flags};
use crate::spam;
use crate::tx::{Tx, int};
use mailward_core::{MailboxId, ModSeq};
use rusqlite::params;

/// Changes flags of a mailbox's messages. Each changed message gets a modification sequence of its own, so that
/// a reader can ask for changes in pages.
pub(crate) fn change(tx: &mut Tx<'_>, mailbox: MailboxId, change: &FlagChange) -> Result<FlagOutcome, StoreError> {
    let before = mailboxes::mod_seq(tx, mailbox)?;
    // A keyword that is only taken away need not be known.
    let named = keyword_bits(tx, mailbox, &change.keywords, change.action != FlagAction::Remove)?;
    let mut outcome = FlagOutcome { before: Some(before), ..FlagOutcome::default() };
    let mut after = before;
    let (mut unseen, mut deleted) = (0i64, 0i64);
    let junk = match (change.keywords.as_slice(), change.action) {
        ([], FlagAction::Add | FlagAction::Remove) => spam::Words::default(),
        _ => spam::Words::of(&mailboxes::keywords(tx, mailbox)?),
    };
    for mut message in select(tx, mailbox, &change.ranges)? {
        if change.unchanged_since.is_some_and(|since| message.mod_seq > since) {
            outcome.modified.push(message.uid);
            continue;
        }
        let (flags, keywords) = match change.action {
            FlagAction::Add => (message.flags.union(change.flags), message.keywords | named),
            FlagAction::Remove => (message.flags.without(change.flags), message.keywords & !named),
            FlagAction::Replace => (change.flags, named),
        };
        if (flags, keywords) != (message.flags, message.keywords) {
            after = ModSeq(after.0.saturating_add(1));
            if let Some(said) = junk.said(message.keywords, keywords) {
                spam::flagged(tx, mailbox, message.blob, said)?;
            }
            unseen = unseen.saturating_add(delta(message.flags, flags, Flags::SEEN).saturating_neg());
            deleted = deleted.saturating_add(delta(message.flags, flags, Flags::DELETED));
            (message.flags, message.keywords, message.mod_seq) = (flags, keywords, after);
            tx.execute(
                "UPDATE messages SET flags = ?3, keywords = ?4, mod_seq = ?5 WHERE mailbox = ?1 AND uid = ?2",
                params![mailbox.0, message.uid.0, flags.0, int(keywords), int(after.0)],
            )?;
        }
        outcome.messages.push(message);
    }
    if after != before {
        tx.execute(
            "UPDATE mailboxes SET mod_seq = ?2, unseen = unseen + ?3, deleted = deleted + ?4 WHERE id = ?1",
            params![mailbox.0, int(after.0), unseen, deleted],
        )?;
        tx.touch(mailbox, mailboxes::owner(tx, mailbox)?, after);
    }
    outcome.after = Some(after);
    outcome.keywords = mailboxes::keywords(tx, mailbox)?;
    Ok(outcome)
}

/// 1 if the flag was set, -1 if it was taken away, else 0.
fn delta(before: Flags, after: Flags, flag: Flags) -> i64 {
    i64::from(after.contains(flag)).saturating_sub(i64::from(before.contains(flag)))
}
