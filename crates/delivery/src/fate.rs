//! What becomes of a message for each of its recipients, after it was judged.

use crate::care::{Given, Schedules};
use crate::deliver::accounts;
use crate::send_on::{Addressed, Transaction, queued_by};
use bytes::Bytes;
use mailward_core::{AccountId, MailboxName, Network, Timestamp};
use mailward_store::records::{Content, Delivery, Flags, Kept, Target, Ways};
use std::collections::HashSet;

/// What becomes of a message for one recipient; the strictest of an account's counts, whatever led to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It goes its way.
    #[default]
    Goes,
    /// Here it is filed as junk; to other hosts it isn't passed on, but kept.
    Junk,
    /// It is kept where the recipient doesn't see it.
    Kept,
}

/// What is written about messages that are kept.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// Why, and what an administrator wants to know: at most `limits::QUARANTINE_NOTE_MAX` bytes.
    pub note: Bytes,
    /// Until when.
    pub expires: Timestamp,
    /// Whose part of the quarantine it takes; none: nobody's.
    pub source: Option<Network>,
}

/// The mailbox that junk is filed in, which every account has from its beginning. Where it is gone, junk comes into INBOX: the
/// message says that it is junk.
pub const JUNK: &str = "Junk";

/// A recipient, and what becomes of the message for it.
pub(crate) type Fated<'a> = (Addressed<'a>, Fate);

/// Everything that becomes of a message, in one commit, but for accounts that have it already. Without `keeping` nothing is kept
/// that should be: it goes nowhere, and the store refuses to accept it.
pub(crate) fn delivery(
    content: Content,
    transaction: &Transaction<'_>,
    recipients: &[Fated<'_>],
    schedules: &Schedules,
    except: &HashSet<AccountId>,
) -> Delivery {
    let of = |fate: Fate| -> Vec<AccountId> {
        accounts(recipients.iter().filter(|(_, theirs)| *theirs == fate).map(|(recipient, _)| recipient.permit))
    };
    let mut done = except.clone();
    let mut places = |fate: Fate, mailbox: Option<MailboxName>| -> Vec<Target> {
        let new: Vec<AccountId> = of(fate).into_iter().filter(|account| done.insert(*account)).collect();
        new.into_iter().map(|account| Target { account, mailbox: mailbox.clone(), flags: Flags::NONE }).collect()
    };
    let kept = places(Fate::Kept, None);
    let mut targets = places(Fate::Junk, MailboxName::parse(JUNK).ok());
    targets.extend(places(Fate::Goes, None));
    let sent = |goes: bool| -> Vec<Addressed<'_>> {
        let theirs = recipients.iter().filter(|(_, fate)| (*fate == Fate::Goes) == goes);
        theirs.map(|(recipient, _)| *recipient).collect()
    };
    let queued = queued_by(&content, transaction, &sent(true), schedules);
    let ways = Ways { targets: kept, queued: queued_by(&content, transaction, &sent(false), schedules) };
    let kept = transaction.keeping.filter(|_| !ways.is_empty()).map(|keeping| Kept {
        ways,
        note: keeping.note.clone(),
        expires: keeping.expires,
        source: keeping.source,
    });
    Delivery { content, targets, queued, kept }
}

/// Those for whom it isn't kept: only they have it.
pub(crate) fn going<'g>(recipients: &[Given<'g>]) -> Vec<Given<'g>> {
    recipients.iter().filter(|given| given.fate != Fate::Kept).copied().collect()
}
