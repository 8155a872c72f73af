//! From what a host said to what the store keeps.

use super::schedule::next_attempt;
use mailward_core::Timestamp;
use mailward_smtp::client::{Answer, Outcome as Said, Reason};
use mailward_store::records::{Attempt, EnhancedStatus, Outcome, QueuedMessage, QueuedRecipient, Settled};

/// Trying ended without a last word.
pub(crate) const EXPIRED: EnhancedStatus = EnhancedStatus::of(4, 4, 7);

/// What is decided for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It has it.
    Delivered(Attempt),
    /// Not yet.
    Wait(Attempt),
    /// The host is at fault, not the recipient: it waits for the host.
    WaitForHost(Attempt),
    /// Never.
    Fail(Attempt),
    /// It comes with another transaction.
    Again,
}

/// What an outcome means for a recipient.
pub(crate) fn decide(said: &Said, host: &str, now: Timestamp) -> Decision {
    let attempt = |code: u16, status: Option<EnhancedStatus>, text: String| Attempt {
        at: now,
        host: host.to_owned(),
        code,
        status,
        text,
    };
    let of_reason = |reason: &Reason| match reason.answer() {
        Some(answer) => attempt(answer.code(), Some(reason.status()), words(answer)),
        None => attempt(0, Some(reason.status()), reason.to_string()),
    };
    match said {
        Said::Accepted(answer) => Decision::Delivered(attempt(answer.code(), answer.enhanced(), words(answer))),
        Said::Temporary(Reason::Needs(_)) => Decision::Again,
        Said::Temporary(reason) if reason.is_of_host() => Decision::WaitForHost(of_reason(reason)),
        Said::Temporary(reason) => Decision::Wait(of_reason(reason)),
        Said::Permanent(reason) => Decision::Fail(of_reason(reason)),
        Said::Unknown(failure) => Decision::WaitForHost(attempt(
            0,
            Some(failure.status()),
            format!("{failure}; it may have the message: it comes again"),
        )),
    }
}

/// The lines of an answer as one.
fn words(answer: &Answer) -> String {
    answer.lines().collect::<Vec<_>>().join(" ")
}

/// How a decision is kept; a recipient whose time is over fails. `host_pause` is when the host is tried again.
pub(crate) fn settled(
    message: &QueuedMessage,
    recipient: &QueuedRecipient,
    decision: Decision,
    host_pause: Timestamp,
    chance: u64,
) -> Option<Settled> {
    let refused = matches!(decision, Decision::Wait(_));
    let (outcome, attempt) = match decision {
        Decision::Again => return None,
        Decision::Delivered(attempt) => (Outcome::Delivered, attempt),
        Decision::Fail(attempt) => (Outcome::Failed, attempt),
        Decision::Wait(attempt) => {
            let next = next_attempt(recipient.refusals.saturating_add(1), attempt.at, chance);
            (last_or(message, attempt.at, next), attempt)
        }
        Decision::WaitForHost(attempt) => (last_or(message, attempt.at, host_pause), attempt),
    };
    Some(Settled {
        message: message.id,
        number: recipient.number,
        outcome,
        attempt: Some(attempt),
        refused,
        warned: false,
    })
}

/// Waits until then, unless its time is over already.
fn last_or(message: &QueuedMessage, now: Timestamp, next: Timestamp) -> Outcome {
    if now >= message.envelope.expires {
        Outcome::Failed
    } else {
        Outcome::Deferred(next.min(message.envelope.expires))
    }
}
