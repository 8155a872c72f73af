//! What users send to addresses that teach the spam filter: it is learned, and goes nowhere.

use super::{Host, House};
use crate::replies;
use mailward_core::AccountId;
use mailward_core::event::Event;
use mailward_inspect::spam::{Lesson, SpamError};
use mailward_smtp::Reply;
use mailward_smtp::server::MessageTicket;

impl Host<'_> {
    /// Learns from a message of somebody who is logged in, and takes the addresses that it was sent to for that out of its
    /// recipients. `Ok(true)`: it had no others.
    ///
    /// # Errors
    /// It couldn't be learned: nobody gets it, and it may be sent again.
    pub(super) async fn learned(
        &self,
        ticket: &mut MessageTicket<'_, House>,
        account: Option<AccountId>,
        message: &[u8],
        id: &str,
    ) -> Result<bool, Reply> {
        let (Some(inspector), Some(account)) = (&self.context.inspector, account) else { return Ok(false) };
        let spam = inspector.spam();
        let lesson_of = |taken: &super::Taken| taken.address.as_ref().and_then(|address| spam.train_address(address));
        let lessons: Vec<Lesson> = ticket.mail().recipients.iter().filter_map(lesson_of).collect();
        let Some(lesson) = lessons.first().copied() else { return Ok(false) };
        if lessons.iter().any(|other| *other != lesson) {
            // It can't be both.
            return Err(Reply::CONTENT_REFUSED.with("one message can't be learned as spam and as not spam"));
        }
        let learned = spam.learn_sent(account, message, lesson).await.map_err(|error| {
            let event = Event::warn("spam.not_learned").with("id", id).with("reason", &error);
            self.context.events.emit(event);
            match error {
                SpamError::Store(error) => replies::store(&error),
                SpamError::Vault(_) => Reply::LOCAL_ERROR,
            }
        })?;
        let event = Event::info("spam.learned").with("id", id).with("account", account.0).with("messages", learned);
        self.context.events.emit(event.with("as", if lesson == Lesson::Spam { "spam" } else { "ham" }));
        ticket.envelope().recipients.retain(|taken| lesson_of(taken).is_none());
        Ok(ticket.mail().recipients.is_empty())
    }
}
