//! Giving up by hand: recipients of the queue fail, and their senders are told why.

use super::chance::Chance;
use super::in_work::InWork;
use super::notice::{Told, Writer};
use mailward_core::event::{Event, Events};
use mailward_core::{Clock, Domain, Timestamp};
use mailward_directory::Directory;
use mailward_store::api::{MailStore, QueueStore, StoreError};
use mailward_store::records::{Attempt, EnhancedStatus, Outcome, QueuedMessage, Settled, Settlement};
use std::sync::Arc;
use std::time::Duration;

/// Somebody decided so (RFC 3463 §3.1: nothing more is known of it).
const GIVEN_UP: EnhancedStatus = EnhancedStatus::of(5, 0, 0);

/// Gives up messages by hand.
#[derive(Clone)]
pub struct Bouncer {
    pub(super) queue: Arc<dyn QueueStore>,
    pub(super) writer: Arc<Writer>,
    pub(super) in_work: Arc<InWork>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What one is made of where nothing is sent meanwhile; else [`super::Runner::bouncer`] makes it.
pub struct BounceParts {
    /// What is owed.
    pub queue: Arc<dyn QueueStore>,
    /// Message bytes.
    pub mail: Arc<dyn MailStore>,
    /// Where notices for our own users go.
    pub directory: Arc<Directory>,
    /// Our name.
    pub hostname: Domain,
    /// Where events go.
    pub events: Events,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long notices to others are tried.
    pub lifetime: Duration,
}

/// What became of a message's recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounced {
    /// Recipients that were given up.
    pub recipients: u64,
    /// It is being sent right now, and was left as it is.
    pub busy: bool,
}

impl Bouncer {
    /// Where nothing is sent meanwhile.
    #[must_use]
    pub fn new(parts: BounceParts) -> Self {
        let BounceParts { queue, mail, directory, hostname, events, clock, lifetime } = parts;
        let writer = Writer { mail, directory, hostname, events, lifetime, chance: Chance::default() };
        Self { queue, writer: Arc::new(writer), in_work: Arc::default(), clock }
    }

    /// Gives up the recipients of a message that are named in it, held or not, in one commit with the notice that tells it.
    /// `words`, if there are any, are added to what the sender reads: an administrator's, at most
    /// `limits::BOUNCE_WORDS_MAX` bytes.
    ///
    /// # Errors
    /// What the store says.
    pub async fn bounce(&self, message: &QueuedMessage, words: Option<&str>) -> Result<Bounced, StoreError> {
        let Some(_held) = self.in_work.take_alone(message.id) else {
            return Ok(Bounced { recipients: 0, busy: true });
        };
        let now = self.clock.now();
        let mut settlement = Settlement::default();
        let mut told = Vec::with_capacity(message.recipients.len());
        for recipient in &message.recipients {
            let attempt = attempt(recipient.answer.as_ref(), words, now);
            told.push(Told::failed(recipient, &attempt));
            settlement.recipients.push(Settled {
                message: message.id,
                number: recipient.number,
                outcome: Outcome::Failed,
                attempt: Some(attempt),
                refused: false,
                warned: false,
            });
        }
        let named = settlement.recipients.len();
        let outcome = self.writer.settle(&*self.queue, message, settlement, &told, now).await?;
        let recipients = u64::try_from(named.saturating_sub(outcome.missing.len())).unwrap_or(u64::MAX);
        if recipients > 0 {
            let event = Event::info("message.bounced").with("queue", message.id).with("recipients", recipients);
            self.writer.events.emit(event);
        }
        Ok(Bounced { recipients, busy: false })
    }
}

/// Why it isn't delivered, in our own words, and what the other server said last.
fn attempt(answer: Option<&Attempt>, words: Option<&str>, now: Timestamp) -> Attempt {
    let mut text = "the administrator of this server stopped the delivery".to_owned();
    if let Some(words) = words {
        text.push_str(": ");
        text.push_str(words);
    }
    if let Some(answer) = answer.filter(|answer| answer.code > 0) {
        text.push_str(&format!("; the last answer was {} {}", answer.code, answer.text));
    }
    Attempt { at: now, host: String::new(), code: 0, status: Some(GIVEN_UP), text }
}
