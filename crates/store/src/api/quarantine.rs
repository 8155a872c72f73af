//! Messages that were accepted and that nobody sees.

use super::Pending;
use crate::records::{Accepted, KeptFor, Quarantined, ShelfChange};
use bytes::Bytes;
use mailward_core::{AccountId, MailboxId, QuarantineId, Timestamp, Uid};
use tokio::sync::watch;

/// The quarantine. Messages come there with the commit that accepts them (`Delivery::kept`), or out of a mailbox.
pub trait QuarantineStore: Send + Sync + 'static {
    /// Messages, the newest first: those that are kept for one account, or all. Only those older than `before`, at most `limit` (and never
    /// more than `limits::QUARANTINE_PAGE`). What is kept for other accounts isn't among an account's ways.
    fn quarantine(
        &self,
        account: Option<AccountId>,
        before: Option<QuarantineId>,
        limit: usize,
    ) -> Pending<'_, Vec<Quarantined>>;

    /// Accounts after one that something is kept for, in their order, each with the newest message of theirs; at most `limit` (and
    /// never more than `limits::QUARANTINE_PAGE`).
    fn quarantine_accounts(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Pending<'_, Vec<(AccountId, QuarantineId)>>;

    /// One message; `None` if it isn't there.
    fn quarantined(&self, id: QuarantineId) -> Pending<'_, Option<Quarantined>>;

    /// Lets a message go where it would have gone, in one commit in which it leaves the quarantine. What is owed to other hosts has as much
    /// time from now as it would have had. [`super::StoreError::NotFound`] if it isn't there, or isn't kept for that account;
    /// [`super::StoreError::OverQuota`] as in a delivery.
    ///
    /// The changes of shelves are made in the same commit, or nothing is: what is told of it, and what may be done but once
    /// ([`super::StoreError::NotFound`] if one removes what isn't there).
    fn release(&self, id: QuarantineId, whom: KeptFor, notes: Vec<ShelfChange>) -> Pending<'_, Accepted>;

    /// Takes a message out for good, with changes of shelves in the same commit. [`super::StoreError::NotFound`] if it isn't there,
    /// or isn't kept for that account.
    fn discard(&self, id: QuarantineId, whom: KeptFor, notes: Vec<ShelfChange>) -> Pending<'_, ()>;

    /// Takes out messages whose time is over, at most `limits::QUARANTINE_SWEEP`; answers how many.
    fn sweep_quarantine(&self) -> Pending<'_, usize>;

    /// Takes a message out of a mailbox into the quarantine and makes these changes of shelves, in one commit, all of it or
    /// nothing. [`super::StoreError::NotFound`] if it isn't there.
    fn withdraw(
        &self,
        from: MailboxId,
        uid: Uid,
        note: Bytes,
        expires: Timestamp,
        notes: Vec<ShelfChange>,
    ) -> Pending<'_, QuarantineId>;

    /// How many messages are there.
    fn quarantine_size(&self) -> Pending<'_, u64>;

    /// Rises when something comes there or leaves.
    fn watch_quarantine(&self) -> watch::Receiver<u64>;
}
