//! A host that listened and then failed, before it can have taken the message: the next one is tried at once (RFC 5321
//! §5.1). A host that fails again and again at this point would otherwise keep mail from those behind it until it expires.

use super::super::visit::{Visit, Wish};
use super::Work;
use mailward_core::limits::QUEUE_ADDRESSES_TRIED;
use mailward_smtp::client::{Failure, Outcome, Report};
use mailward_store::StoreError;
use mailward_store::records::{QueuedMessage, QueuedRecipient};

impl Work {
    /// Sends a message by the connection there is and, as long as hosts fail, by those behind it; answers whether the
    /// last connection is over. A connection that took mail before may only have had enough: its host is asked once more.
    pub(super) async fn send_by_hosts(&self, there: &mut Visit, message: QueuedMessage) -> Result<bool, StoreError> {
        let mut message = message;
        let wish = Wish::of(&message.envelope.needs);
        for _ in 0..QUEUE_ADDRESSES_TRIED {
            let mut elsewhere = Vec::new();
            let over = self.send(there, &message, &mut elsewhere).await?;
            let before = if there.used { there.passed.saturating_sub(1) } else { there.passed };
            let next = self.hosts.get(before..).unwrap_or_default();
            if elsewhere.is_empty() || next.is_empty() {
                return Ok(over);
            }
            // They wait for the host already, with what it did: should nobody else listen, or all of this break off, that
            // is what they have.
            let Ok(reached) = self.shared.visitor.visit(next, wish).await else { return Ok(true) };
            *there = Visit { passed: reached.passed.saturating_add(before), ..reached };
            message.recipients.retain(|recipient| elsewhere.contains(&recipient.number));
        }
        Ok(true)
    }
}

/// How often the host of these recipients will have failed them, if it fails now: at least once. Their next pause goes by
/// it, as that of a lane does whose host doesn't listen.
pub(super) fn failures(tried: &[&QueuedRecipient]) -> u32 {
    let failed = tried.iter().map(|recipient| recipient.attempts.saturating_sub(recipient.refusals)).min();
    failed.unwrap_or(0).saturating_add(1)
}

/// Puts the numbers of those behind `elsewhere` whom the host certainly hasn't given the message, as it failed: of those
/// that were tried now and those that weren't yet. Nobody, if their time is over: then they have just been given up.
pub(super) fn note(
    report: &Report,
    tried: &[&QueuedRecipient],
    left: &[&QueuedRecipient],
    in_time: bool,
    elsewhere: &mut Vec<u32>,
) {
    if !in_time || !report.broken.as_ref().is_some_and(Failure::is_of_host) {
        return;
    }
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Temporary(reason) if reason.is_of_host());
    let tried = tried.iter().zip(&report.outcomes).filter(|(_, outcome)| failed(outcome)).map(|(one, _)| one);
    elsewhere.extend(tried.chain(left).map(|recipient| recipient.number));
}
