//! From a transaction's facts to entries of the queue.

use mailward_core::limits::QUEUE_RECIPIENTS_MAX;
use mailward_core::{AccountId, Address, Timestamp};
use mailward_gate::RelayPermit;
use mailward_message::header::header_end;
use mailward_smtp::params::{MailParameters, RecipientParameters};
use mailward_store::records::{Content, Envelope, Lane, Needs, NewRecipient, Queued};
use std::collections::HashSet;
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
/// lead to is there once, with the wishes of the first. What is forwarded from an address of ours has an envelope of its own
/// for each such address, as it goes out from there.
#[must_use]
pub fn queued(content: &Content, transaction: &Transaction<'_>, recipients: &[Addressed<'_>]) -> Vec<Queued> {
    let mut known = HashSet::new();
    // In the order they were named, the few that are forwarded apart.
    let mut groups: Vec<(Option<&Address>, Vec<NewRecipient>)> = Vec::new();
    for recipient in recipients {
        let from = recipient.permit.forwarded();
        for address in recipient.permit.remote() {
            let Some(domain) = address.domain() else { continue };
            if !known.insert(address) {
                continue;
            }
            let new = NewRecipient {
                address: address.clone(),
                notify: recipient.parameters.notify,
                original: original(recipient),
                lane: Lane::from(domain),
                due: transaction.now,
                held: None,
            };
            match groups.iter_mut().find(|(group, _)| *group == from) {
                Some((_, some)) => some.push(new),
                None => groups.push((from, vec![new])),
            }
        }
    }
    let mut queued = Vec::new();
    for (forwarded, all) in groups {
        let envelope = envelope(content, transaction, forwarded);
        queued.extend(
            all.chunks(QUEUE_RECIPIENTS_MAX)
                .map(|some| Queued { envelope: envelope.clone(), recipients: some.to_vec() }),
        );
    }
    queued
}

/// ORCPT: what came with it, or the address of ours that leads there (RFC 3461 §5.2.7, RFC 6533 §3).
fn original(recipient: &Addressed<'_>) -> Option<String> {
    let given = recipient.parameters.original.as_ref().map(|(kind, address)| format!("{kind};{address}"));
    given.or_else(|| {
        let alias = recipient.permit.alias()?;
        let kind = if alias.is_ascii() { "rfc822" } else { "utf-8" };
        Some(format!("{kind};{alias}"))
    })
}

fn envelope(content: &Content, transaction: &Transaction<'_>, forwarded: Option<&Address>) -> Envelope {
    let Transaction { sender, parameters, submitter, now, lifetime, warn_after } = *transaction;
    let after = |time: Duration| Timestamp(now.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
    Envelope {
        sender: sender.cloned(),
        give_back: parameters.ret,
        envid: parameters.envid.as_deref().map(str::to_owned),
        needs: Needs {
            // The address that it is forwarded from is written into its header.
            smtputf8: !content.bytes.get(..header_end(&content.bytes)).unwrap_or_default().is_ascii()
                || forwarded.is_some_and(|address| !address.is_ascii()),
            require_tls: false,
            // By a look at it: BODY= is only what a client said.
            eight_bit: !content.bytes.is_ascii(),
        },
        submitter,
        forwarded: forwarded.cloned(),
        arrived: now,
        warn: (warn_after < lifetime).then(|| after(warn_after)),
        expires: after(lifetime),
    }
}
