//! Into the mailboxes, in one commit; or, where each recipient has an answer of its own, each for itself if need be.

use crate::send_on::{Addressed, Transaction, queued};
use mailward_core::AccountId;
use mailward_gate::RelayPermit;
use mailward_store::api::{MailStore, StoreError};
use mailward_store::records::{Accepted, Content, Delivery, Flags, Target};

/// Puts a message where the permits lead: into INBOX of every account, once, and into the queue for what is to be sent
/// on, in one commit that is durable when this answers.
///
/// # Errors
/// What the store says; then nobody has it.
pub async fn deliver(
    store: &dyn MailStore,
    content: Content,
    transaction: &Transaction<'_>,
    recipients: &[Addressed<'_>],
) -> Result<Accepted, StoreError> {
    let targets = inboxes(accounts(recipients.iter().map(|recipient| recipient.permit)));
    let queued = queued(&content, transaction, recipients);
    store.deliver(Delivery { content, targets, queued, kept: None }).await
}

/// The same for LMTP, where each recipient gets a reply of its own (RFC 2033 §4.2): one commit for all if that can
/// be, else one for each, so that a full mailbox fails alone. One answer for each permit, in order. An account that
/// several permits lead to gets it once; where one permit leads to several accounts, it fails as a whole.
pub async fn deliver_each(
    store: &dyn MailStore,
    content: Content,
    permits: &[&RelayPermit],
) -> Vec<Result<(), StoreError>> {
    let all = accounts(permits.iter().copied());
    match store
        .deliver(Delivery { content: content.clone(), targets: inboxes(all), queued: Vec::new(), kept: None })
        .await
    {
        Ok(_) => return permits.iter().map(|_| Ok(())).collect(),
        Err(error) if permits.len() == 1 => return vec![Err(error)],
        Err(_) => {}
    }
    let mut done: Vec<AccountId> = Vec::new();
    let mut answers = Vec::with_capacity(permits.len());
    for permit in permits {
        let mut left = accounts([*permit]);
        left.retain(|account| !done.contains(account));
        if left.is_empty() {
            answers.push(Ok(()));
            continue;
        }
        let outcome = store
            .deliver(Delivery {
                content: content.clone(),
                targets: inboxes(left.clone()),
                queued: Vec::new(),
                kept: None,
            })
            .await;
        if outcome.is_ok() {
            done.append(&mut left);
        }
        answers.push(outcome.map(|_| ()));
    }
    answers
}

/// The accounts that permits lead to, each once, in order.
#[must_use]
pub fn accounts<'a>(permits: impl IntoIterator<Item = &'a RelayPermit>) -> Vec<AccountId> {
    let mut accounts: Vec<AccountId> =
        permits.into_iter().flat_map(|permit| permit.targets().iter().map(|target| target.account)).collect();
    // Sorted rather than searched: an alias may lead to a thousand, and a message has a thousand recipients.
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

pub(crate) fn inboxes(accounts: Vec<AccountId>) -> Vec<Target> {
    accounts.into_iter().map(|account| Target { account, mailbox: None, flags: Flags::NONE }).collect()
}
