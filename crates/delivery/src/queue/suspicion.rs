//! Messages that may have ended the process (attacks H5).
//!
//! What ends the task that sends it is found at once. What ends the whole process leaves no trace, as nothing is written for
//! what is in work. So a runner that starts after a process was cut off notes a trial before it sends what was there then:
//! after the third the message is held. Those for which a trial was noted and nothing came of it wait until all others had
//! their chance, longer after each trial, and are sent one at a time: so none is suspected for the message beside it, nor
//! for a process that is killed again and again for reasons of its own, and what is hopeless keeps nobody waiting.

use mailward_core::limits::QUEUE_TRIALS_MAX;
use mailward_core::{QueueId, Timestamp};
use mailward_store::api::{QueueStore, StoreError};
use mailward_store::records::QueuedMessage;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Whom a runner suspects.
#[derive(Debug)]
pub(crate) struct Suspicion {
    /// What came before then, and the pause for each trial of it; `None`: nothing.
    before: Option<(Timestamp, Duration)>,
    alone: Semaphore,
}

/// What is to be done with a message.
pub(crate) enum Verdict<'a> {
    /// It is sent; holds the place of those that are sent one at a time.
    Send(Option<SemaphorePermit<'a>>),
    /// Not before then.
    Wait(Timestamp),
    /// It has ended too much already.
    Hold,
}

impl Suspicion {
    /// Of what came before a time, if at all, with the pause that a trial costs.
    pub(crate) fn new(before: Option<(Timestamp, Duration)>) -> Self {
        Self { before, alone: Semaphore::new(1) }
    }

    /// Before a message is sent, at a time.
    pub(crate) async fn begins(
        &self,
        queue: &dyn QueueStore,
        message: &QueuedMessage,
        now: Timestamp,
    ) -> Result<Verdict<'_>, StoreError> {
        let Some((before, pause)) = self.before.filter(|(before, _)| message.envelope.arrived <= *before) else {
            return Ok(Verdict::Send(None));
        };
        let pause = i64::try_from(pause.saturating_mul(message.trials).as_millis()).unwrap_or(i64::MAX);
        let begins = Timestamp(before.0.saturating_add(pause));
        if now < begins && message.trials < QUEUE_TRIALS_MAX {
            return Ok(Verdict::Wait(begins));
        }
        // It never closes.
        let place = if message.trials > 0 { self.alone.acquire().await.ok() } else { None };
        // This one is the last that it is held for: it would be sent as often as the limit says without it.
        let trials = queue.mark_trial(message.id).await?;
        Ok(if trials < QUEUE_TRIALS_MAX { Verdict::Send(place) } else { Verdict::Hold })
    }

    /// How often a message ended what sent it, which it just did again.
    pub(crate) async fn trials(&self, queue: &dyn QueueStore, message: QueueId) -> Result<u32, StoreError> {
        match self.before {
            // Noted before; what came since the start wasn't.
            Some((before, _)) => {
                let found = queue.queued_message(message).await?;
                if found.envelope.arrived <= before { Ok(found.trials) } else { queue.mark_trial(message).await }
            }
            None => queue.mark_trial(message).await,
        }
    }
}
