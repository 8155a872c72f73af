//! From a transaction's facts to entries of the queue.

use crate::care::{Schedules, Telling, Times};
use crate::fate::Keeping;
use mailward_core::limits::{QUEUE_RECIPIENTS_MAX, SCHEDULES_PER_MESSAGE};
use mailward_core::{AccountId, Address, NotifyOn, Timestamp};
use mailward_directory::routes::{Decided, Leading, RouteTable};
use mailward_gate::RelayPermit;
use mailward_message::header::{fields, header_end};
use mailward_smtp::params::{MailParameters, RecipientParameters};
use mailward_store::records::{Content, Envelope, Insider, Lane, Needs, NewRecipient, Queued};
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
    /// Who sends it without a login: a program of this host or an inside host.
    pub insider: Option<&'a Inside>,
    /// Whether it came from somebody who was asked who they are: it is signed, if its author's domain is ours.
    pub signed: bool,
    /// Now.
    pub now: Timestamp,
    /// How long it is tried.
    pub lifetime: Duration,
    /// When its sender hears that it is late, if it isn't a stranger's.
    pub warn_after: Duration,
    /// Which mail goes another way than by DNS, and is tried for another time.
    pub routes: &'a RouteTable,
    /// What is written about what is kept of it, if something is.
    pub keeping: Option<&'a Keeping>,
    /// What its sender, who is here, is told of it.
    pub telling: Option<&'a Telling>,
}

impl Transaction<'_> {
    /// Whether it came from somebody who was asked who they are. Of a stranger nobody knows whether the sender is one.
    const fn is_of_known_sender(&self) -> bool {
        self.submitter.is_some() || self.signed
    }
}

/// Somebody who sends without a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// By whom it is counted.
    pub who: Insider,
    /// For people: `uid 33 www-data`, `192.0.2.9`.
    pub name: String,
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
    queued_by(content, transaction, recipients, &Schedules::default())
}

/// The same, with lifetimes and warnings by sender and domain where schedules say so.
#[must_use]
pub fn queued_by(
    content: &Content,
    transaction: &Transaction<'_>,
    recipients: &[Addressed<'_>],
    schedules: &Schedules,
) -> Vec<Queued> {
    let mut known = HashSet::new();
    // In the order they were named, the few that are forwarded apart.
    let mut groups: Vec<(Option<&Address>, Vec<Led>)> = Vec::new();
    for recipient in recipients {
        let from = recipient.permit.forwarded();
        for address in recipient.permit.remote() {
            let Some(domain) = address.domain() else { continue };
            if !known.insert(address) {
                continue;
            }
            // Forwarded mail goes out from the alias; whoever its sender says it is from hasn't sent it by us.
            let decided = transaction.routes.decide(from.or(transaction.sender), address);
            let new = NewRecipient {
                address: address.clone(),
                notify: told(recipient.parameters.notify, transaction),
                original: original(recipient),
                lane: decided.as_ref().map_or_else(|| Lane::from(domain), |decided| decided.lane.clone()),
                due: transaction.now,
                held: None,
            };
            match groups.iter_mut().find(|(group, _)| *group == from) {
                Some((_, some)) => some.push((new, decided)),
                None => groups.push((from, vec![(new, decided)])),
            }
        }
    }
    let mut queued = Vec::new();
    for (forwarded, all) in groups {
        // Forwarded mail has many envelopes already, and nobody of ours sent it: it is tried as usual.
        let usual = Schedules::default();
        let schedules = if forwarded.is_some() { &usual } else { schedules };
        for (times, recipients) in by_times(all, transaction, schedules) {
            let envelope = envelope(content, transaction, forwarded, times);
            let parts = recipients.chunks(QUEUE_RECIPIENTS_MAX);
            queued.extend(parts.map(|some| Queued { envelope: envelope.clone(), recipients: some.to_vec() }));
        }
    }
    queued
}

/// What is told of a recipient, as it was asked for; no success to a sender that may be forged: whoever asks for it could
/// have others' mailboxes filled with what they write (attacks A6).
fn told(asked: Option<NotifyOn>, transaction: &Transaction<'_>) -> Option<NotifyOn> {
    asked.map(|notify| NotifyOn { success: notify.success && transaction.is_of_known_sender(), ..notify })
}

/// A recipient, and the route that leads there.
type Led = (NewRecipient, Option<Decided>);

/// ORCPT: what came with it, or the address of ours that leads there (RFC 3461 §5.2.7, RFC 6533 §3).
fn original(recipient: &Addressed<'_>) -> Option<String> {
    let given = recipient.parameters.original.as_ref().map(|(kind, address)| format!("{kind};{address}"));
    given.or_else(|| {
        let alias = recipient.permit.alias()?;
        let kind = if alias.is_ascii() { "rfc822" } else { "utf-8" };
        Some(format!("{kind};{alias}"))
    })
}

/// Recipients by how long they are tried: each of these is a message in the queue. Beyond so many, they are as usual.
fn by_times(all: Vec<Led>, transaction: &Transaction<'_>, schedules: &Schedules) -> BTreeMap<Times, Vec<NewRecipient>> {
    let usual = Times { lifetime: transaction.lifetime, warn_after: transaction.warn_after };
    let mut groups: BTreeMap<Times, Vec<NewRecipient>> = BTreeMap::new();
    for (recipient, decided) in all {
        let domain = recipient.address.domain();
        let mut times = domain.map_or(usual, |domain| schedules.times(transaction.sender, domain, usual));
        if let Some(decided) = decided {
            times = by_route(times, &decided.by);
        }
        if groups.len() >= SCHEDULES_PER_MESSAGE && !groups.contains_key(&times) {
            times = usual;
        }
        groups.entry(times).or_default().push(recipient);
    }
    groups
}

/// What a route says of times goes before what schedules say.
fn by_route(times: Times, by: &Leading) -> Times {
    Times {
        lifetime: by.lifetime.map_or(times.lifetime, Duration::from_secs),
        warn_after: match by.warn_after {
            None => times.warn_after,
            Some(0) => Duration::MAX,
            Some(secs) => Duration::from_secs(secs),
        },
    }
}

fn envelope(content: &Content, transaction: &Transaction<'_>, forwarded: Option<&Address>, times: Times) -> Envelope {
    let Transaction { sender, parameters, submitter, signed, now, .. } = *transaction;
    let Times { lifetime, warn_after } = times;
    // A stranger's sender may be forged: nobody is to hear from us that what they never sent is late (attacks A6).
    let warns = warn_after < lifetime && transaction.is_of_known_sender();
    let after = |time: Duration| Timestamp(now.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
    let header = content.bytes.get(..header_end(&content.bytes)).unwrap_or_default();
    Envelope {
        sender: sender.cloned(),
        give_back: parameters.ret,
        envid: parameters.envid.as_deref().map(str::to_owned),
        needs: Needs {
            require_tls: parameters.require_tls,
            // The envelope's word is stronger than the header's (RFC 8689 §4.1).
            tls_optional: !parameters.require_tls && tls_needs_not_be(header),
            signature: signed,
            ..needs(content, forwarded)
        },
        submitter,
        forwarded: forwarded.cloned(),
        arrived: now,
        warn: warns.then(|| after(warn_after)),
        expires: after(lifetime),
    }
}

/// What a message needs of servers by its bytes, forwarded from an address of ours or not: `smtputf8` and `eight_bit`, and
/// nothing else.
#[must_use]
pub fn needs(content: &Content, forwarded: Option<&Address>) -> Needs {
    let header = content.bytes.get(..header_end(&content.bytes)).unwrap_or_default();
    Needs {
        // The address that it is forwarded from is written into its header.
        smtputf8: !header.is_ascii() || forwarded.is_some_and(|address| !address.is_ascii()),
        // By a look at it: BODY= is only what a client said.
        eight_bit: !content.bytes.is_ascii(),
        ..Needs::default()
    }
}

/// Whether the header says `TLS-Required: No` (RFC 8689 §5); what says it twice, or anything else, says nothing.
fn tls_needs_not_be(header: &[u8]) -> bool {
    let mut said = fields(header).filter(|field| field.is("tls-required"));
    let no = said.next().is_some_and(|field| field.value.trim_ascii().eq_ignore_ascii_case(b"no"));
    no && said.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs_of(header: &str, require_tls: bool) -> Needs {
        let bytes = format!("{header}Subject: x\r\n\r\nTLS-Required: No\r\n").into_bytes();
        let structure = mailward_message::Structure::parse(&bytes).to_bytes();
        let parameters = MailParameters { require_tls, ..MailParameters::default() };
        let transaction = Transaction {
            sender: None,
            parameters: &parameters,
            submitter: None,
            insider: None,
            signed: false,
            now: Timestamp(0),
            lifetime: Duration::from_secs(1),
            warn_after: Duration::ZERO,
            routes: &RouteTable::default(),
            keeping: None,
            telling: None,
        };
        let times = Times { lifetime: transaction.lifetime, warn_after: transaction.warn_after };
        envelope(&Content::new(bytes.into(), structure.into()), &transaction, None, times).needs
    }

    #[test]
    fn how_it_must_travel_is_what_the_envelope_says_and_then_what_the_header_says() {
        for (header, require_tls, expected) in [
            ("", false, (false, false)),
            ("", true, (true, false)),
            ("TLS-Required: No\r\n", false, (false, true)),
            ("tls-required:  no \r\n", false, (false, true)),
            ("TLS-Required: No\r\n", true, (true, false)),
            ("TLS-Required: Yes\r\n", false, (false, false)),
            ("TLS-Required: No\r\nTLS-Required: No\r\n", false, (false, false)),
        ] {
            let needs = needs_of(header, require_tls);
            assert_eq!((needs.require_tls, needs.tls_optional), expected, "{header}");
        }
    }
}
