//! Messages read ahead: whoever asks for one after the other, as nearly every client does, gets many for one question to
//! the store.

use mailward_core::MailboxId;
use mailward_core::limits::{POP3_AHEAD_MAX, POP3_AHEAD_MESSAGES};
use mailward_store::records::{Fetched, UidRange, Wanted};
use mailward_store::{MailStore, StoreError};
use std::iter::Peekable;
use std::vec::IntoIter;

/// What was read and hasn't been asked for. At most [`POP3_AHEAD_MESSAGES`] messages of [`POP3_AHEAD_MAX`] bytes together.
#[derive(Default)]
pub(crate) struct Ahead {
    /// The number that keeps to the order.
    expected: Option<u32>,
    /// In the order of their UIDs, without a gap but for messages that are gone.
    messages: Option<Peekable<IntoIter<Fetched>>>,
}

impl Ahead {
    /// The message of this number; `uids` are its own and those after it. `None` if it is gone. Its bytes are in it
    /// unless they are more than [`POP3_AHEAD_MAX`].
    pub(crate) async fn message(
        &mut self,
        store: &dyn MailStore,
        mailbox: MailboxId,
        number: u32,
        uids: UidRange,
    ) -> Result<Option<Fetched>, StoreError> {
        let in_order = self.expected == Some(number);
        self.expected = number.checked_add(1);
        let mut messages = self.messages.take().filter(|_| in_order);
        while let Some(waiting) = &mut messages {
            match waiting.peek().map(|next| next.row.uid) {
                // It was marked, and not asked for.
                Some(uid) if uid < uids.first => drop(waiting.next()),
                Some(uid) => {
                    let found = waiting.next_if(|_| uid == uids.first);
                    self.messages = messages;
                    return Ok(found);
                }
                None => break,
            }
        }
        let rows = if in_order { POP3_AHEAD_MESSAGES } else { 1 };
        let wanted = Wanted { blob: false, bytes: true, rows, most: POP3_AHEAD_MAX };
        let mut messages = store.fetch(mailbox, vec![uids], wanted).await?.into_iter().peekable();
        let found = messages.next_if(|next| next.row.uid == uids.first);
        self.messages = in_order.then_some(messages);
        Ok(found)
    }

    /// Forgets what was read; the order counts on.
    pub(crate) fn drop_messages(&mut self) {
        self.messages = None;
    }
}
