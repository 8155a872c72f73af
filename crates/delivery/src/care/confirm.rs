//! Confirmations that a sender asked for, of what is delivered here (NOTIFY=SUCCESS, RFC 3461 §5.2).

use super::{Care, Given};
use crate::queue::notice::Told;
use crate::send_on::Transaction;
use mailward_core::{Address, BlobId, NotifyOn, QueueId, Timestamp};
use mailward_smtp::params::RecipientParameters;
use mailward_store::records::{
    Content, Delivery, Envelope, Lane, Needs, QueuedMessage, QueuedRecipient, RecipientState,
};

impl Care {
    /// What is told the sender of recipients whose mail is delivered here, or who stand for several.
    pub(super) fn confirmations(
        &self,
        content: &Content,
        transaction: &Transaction<'_>,
        recipients: &[Given<'_>],
    ) -> Vec<Delivery> {
        let Some(sender) = transaction.sender else { return Vec::new() };
        let told: Vec<Told> = recipients
            .iter()
            .enumerate()
            .filter(|(_, given)| given.to.parameters.notify.is_some_and(|notify| notify.success))
            .filter_map(|(place, given)| self.arrived(place, given, transaction.now))
            .collect();
        if told.is_empty() {
            return Vec::new();
        }
        let size = u64::try_from(content.bytes.len()).unwrap_or(u64::MAX);
        self.writer.notices_about(&as_queued(size, transaction), sender, &told, &content.bytes, transaction.now)
    }

    /// What became of a recipient here; nothing if it is one at another host, which confirms it by itself.
    fn arrived(&self, place: usize, given: &Given<'_>, now: Timestamp) -> Option<Told> {
        let permit = given.to.permit;
        let expanded = stands_for_several(given);
        if permit.targets().is_empty() && !expanded {
            return None;
        }
        let address = match given.address {
            Some(address) => address.clone(),
            None => Address::parse(&format!("postmaster@{}", self.writer.hostname), false).ok()?,
        };
        let original = given.to.parameters.original.as_ref().map(|(kind, address)| format!("{kind};{address}"));
        let recipient = QueuedRecipient {
            number: u32::try_from(place).unwrap_or(u32::MAX),
            lane: Lane::from(address.domain().unwrap_or(&self.writer.hostname)),
            address,
            notify: given.to.parameters.notify,
            original,
            state: RecipientState::Waiting,
            due: now,
            attempts: 0,
            refusals: 0,
            answer: None,
            warned: false,
            history: Vec::new(),
        };
        Some(Told::arrived(recipient, expanded))
    }
}

/// Several mailboxes or addresses: their sender hears that it was sent on to them, not of each (RFC 3461 §5.2.7.3).
fn stands_for_several(given: &Given<'_>) -> bool {
    given.to.permit.targets().len().saturating_add(given.to.permit.remote().len()) > 1
}

/// What other hosts are asked to tell of recipients: of one that stood for several, no success any more. `None`: as it was
/// asked for.
pub(super) fn passed_on(recipients: &[Given<'_>]) -> Vec<Option<RecipientParameters>> {
    let changed = |given: &Given<'_>| {
        let notify = given.to.parameters.notify.filter(|notify| notify.success && stands_for_several(given))?;
        let notify = Some(NotifyOn { success: false, ..notify });
        Some(RecipientParameters { notify, ..given.to.parameters.clone() })
    };
    recipients.iter().map(changed).collect()
}

/// The message as a notice knows it.
fn as_queued(size: u64, transaction: &Transaction<'_>) -> QueuedMessage {
    QueuedMessage {
        id: QueueId(0),
        blob: BlobId(0),
        size,
        envelope: Envelope {
            sender: transaction.sender.cloned(),
            give_back: transaction.parameters.ret,
            envid: transaction.parameters.envid.as_deref().map(str::to_owned),
            needs: Needs {
                smtputf8: transaction.parameters.smtputf8,
                signature: transaction.signed,
                ..Needs::default()
            },
            submitter: transaction.submitter,
            forwarded: None,
            arrived: transaction.now,
            warn: None,
            expires: transaction.now,
        },
        trials: 0,
        left: 0,
        recipients: Vec::new(),
    }
}
