//! What users, and those inside, send to other domains.

use super::Pending;
use crate::records::{Delivery, LimitChanges, Meter, Scope, SenderRecord, SentRecord, Submitted};
use mailward_core::{AccountId, Address};

/// How much users send to other domains, how much they may, and who may not at all. Every write is durable when it answers.
///
/// An hour is one of the clock (UTC), a day this hour and the 23 before it. An account is *frozen* when what it sends to
/// others is held, however little it is.
pub trait SendingStore: Send + Sync + 'static {
    /// Delivers a message ([`super::MailStore::deliver`]), and notices that tell of it, in one commit, all of it or nothing.
    /// With a meter, what goes to other domains is counted for who sends and their domain in the same commit; if that is
    /// beyond a limit, or the account is frozen, those recipients are held, and counted nevertheless. A notice may exceed its
    /// reader's quota as those of a settlement do.
    fn accept(&self, message: Delivery, notices: Vec<Delivery>, meter: Option<Meter>) -> Pending<'_, Submitted>;

    /// Accounts and domains for which something is set or going on, accounts first, by id.
    fn senders(&self) -> Pending<'_, Vec<SenderRecord>>;
    /// What is set for one, and what is going on.
    fn sender(&self, scope: Scope) -> Pending<'_, SenderRecord>;
    /// What an account or a domain sent.
    fn sent(&self, scope: Scope) -> Pending<'_, SentRecord>;

    /// Whether anybody here wrote to an address of another domain within `limits::KNOWN_RECIPIENT_DAYS`, from an account or
    /// from inside. One row is looked at, by the hash of the address: of 2⁶⁴ another address has the same.
    fn has_written_to(&self, address: Address) -> Pending<'_, bool>;

    /// Sets limits of an account or domain: of each measure `None` leaves it, `Some(None)` is as configured.
    /// [`super::StoreError::NotFound`] if there is no such account or domain.
    fn set_send_limits(
        &self,
        scope: Scope,
        change: mailward_core::PerMeasure<Option<Option<u64>>>,
    ) -> Pending<'_, LimitChanges>;

    /// Freezes an account, and why; cut to `limits::QUEUE_REASON_MAX` bytes. `false` if it is frozen already: then the
    /// reason stays. What waits in the queue is not held by this: whoever does that says so with
    /// [`SendingStore::froze_all`] at its end, and until then the account is [`crate::records::Frozen::unfinished`].
    /// [`super::StoreError::NotFound`] if there is no such account.
    fn freeze(&self, account: AccountId, why: String) -> Pending<'_, bool>;
    /// All that waited of a frozen account is held.
    fn froze_all(&self, account: AccountId) -> Pending<'_, ()>;
    /// Lets an account send again; `false` if it wasn't frozen. What was counted against it is forgotten, except for the
    /// recipients that it knows: it isn't frozen again for what froze it.
    fn unfreeze(&self, account: AccountId) -> Pending<'_, bool>;
}
