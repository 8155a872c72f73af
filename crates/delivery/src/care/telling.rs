//! What a sender here is told of a message that doesn't go its way like any other: it waits, or somebody has a doubt.

use super::Care;
use crate::alerts::{Letter, message};
use crate::prepare;
use crate::queue::notice::inboxes;
use crate::send_on::Transaction;
use mailward_directory::Resolution;
use mailward_store::records::{Delivery, Flags, Target};

/// A word to the sender, in the commit that accepts the message. Lines may have what somebody else wrote: they are tamed
/// and broken as those of an alert are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// One line of ASCII.
    pub subject: String,
    /// What is said.
    pub lines: Vec<String>,
}

impl Care {
    /// As it is delivered: into mailboxes here, of the user who submitted it, or of the sender that an insider gave. Nobody
    /// else is told anything, and of what has no sender nobody is.
    pub(super) fn told(&self, transaction: &Transaction<'_>) -> Option<Delivery> {
        let (telling, sender) = (transaction.telling?, transaction.sender?);
        let targets = match transaction.submitter {
            Some(account) => vec![Target { account, mailbox: None, flags: Flags::NONE }],
            None if transaction.insider.is_some() => match self.directory.resolve(sender) {
                Resolution::Deliver { local, .. } => inboxes(local),
                _ => Vec::new(),
            },
            None => Vec::new(),
        };
        if targets.is_empty() {
            return None;
        }
        let (id, made) = (self.writer.id(), transaction.now);
        let letter = Letter { id: &id, made, subject: &telling.subject, lines: &telling.lines };
        let text = message(self.writer.hostname.as_str(), "told", Some(std::slice::from_ref(sender)), &letter);
        let content = prepare(text.into_bytes(), 0).ok()?;
        Some(Delivery { content, targets, queued: Vec::new(), kept: None })
    }
}
