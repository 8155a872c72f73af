//! From a transaction's facts to entries of the queue.

use mailward_core::limits::QUEUE_RECIPIENTS_MAX;
use mailward_core::{AccountId, Address, Timestamp};
use mailward_directory::routes::{Leading, RouteTable};
use mailward_gate::RelayPermit;
use mailward_message::header::header_end;
use mailward_smtp::params::{MailParameters, RecipientParameters};
use mailward_store::records::{Content, Envelope, Lane, Needs, NewRecipient, Queued};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// What the queue has to know of a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Transaction<'a> {
    /// The reverse path; `None` is the null path.
    pub sender: Option<&'a Address>,
    /// What came with MAIL.
    pub parameters: &'a MailParameters,
    /// Who logged in, if somebody did.
    pub submitter: Option<AccountId>,
    /// Now.
    pub now: Timestamp,
    /// How long it is tried.
    pub lifetime: Duration,
    /// When its sender hears that it is late.
    pub warn_after: Duration,
    /// Which mail goes another way than by DNS, and is tried for another time.
    pub routes: &'a RouteTable,
}

/// A recipient that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Addressed<'a> {
    /// Where its mail goes.
    pub permit: &'a RelayPermit,
    /// What came with RCPT.
    pub parameters: &'a RecipientParameters,
}

/// What is owed to other hosts of a message; nothing if all its recipients are here. An address that several recipients
/// lead to is there once, with the wishes of the first.
#[must_use]
pub fn queued(content: &Content, transaction: &Transaction<'_>, recipients: &[Addressed<'_>]) -> Vec<Queued> {
    let mut known = HashSet::new();
    // By how long they are tried: mostly one kind.
    let mut all: BTreeMap<(Duration, Duration), Vec<NewRecipient>> = BTreeMap::new();
    for recipient in recipients {
        for address in recipient.permit.remote() {
            let Some(domain) = address.domain() else { continue };
            if known.insert(address) {
                let decided = transaction.routes.decide(transaction.sender, address);
                let by = decided.as_ref().map(|decided| &*decided.by);
                all.entry(times(transaction, by)).or_default().push(NewRecipient {
                    address: address.clone(),
                    notify: recipient.parameters.notify,
                    original: recipient.parameters.original.as_ref().map(|(kind, address)| format!("{kind};{address}")),
                    lane: decided.as_ref().map_or_else(|| Lane::from(domain), |decided| decided.lane.clone()),
                    due: transaction.now,
                    held: None,
                });
            }
        }
    }
    let mut queued = Vec::new();
    for (times, recipients) in all {
        let envelope = envelope(content, transaction, times);
        let some = recipients.chunks(QUEUE_RECIPIENTS_MAX);
        queued.extend(some.map(|some| Queued { envelope: envelope.clone(), recipients: some.to_vec() }));
    }
    queued
}

/// How long a recipient is tried, and when its sender hears that it is late.
fn times(transaction: &Transaction<'_>, by: Option<&Leading>) -> (Duration, Duration) {
    let lifetime = by.and_then(|by| by.lifetime).map_or(transaction.lifetime, Duration::from_secs);
    let warn_after = match by.and_then(|by| by.warn_after) {
        None => transaction.warn_after,
        Some(0) => Duration::MAX,
        Some(secs) => Duration::from_secs(secs),
    };
    (lifetime, warn_after)
}

fn envelope(
    content: &Content,
    transaction: &Transaction<'_>,
    (lifetime, warn_after): (Duration, Duration),
) -> Envelope {
    let Transaction { sender, parameters, submitter, now, .. } = *transaction;
    let after = |time: Duration| Timestamp(now.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
    Envelope {
        sender: sender.cloned(),
        give_back: parameters.ret,
        envid: parameters.envid.as_deref().map(str::to_owned),
        needs: Needs {
            smtputf8: !content.bytes.get(..header_end(&content.bytes)).unwrap_or_default().is_ascii(),
            require_tls: false,
            // By a look at it: BODY= is only what a client said.
            eight_bit: !content.bytes.is_ascii(),
        },
        submitter,
        arrived: now,
        warn: (warn_after < lifetime).then(|| after(warn_after)),
        expires: after(lifetime),
    }
}
