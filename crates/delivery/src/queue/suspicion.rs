//! Messages that may have ended the process (attacks H5).
//!
//! What ends the task that sends it is found at once. What ends the whole process leaves no trace, as nothing is written for
//! what is in work. So a runner that starts after a process was cut off notes a trial before it sends what was there then:
//! after the third the message is held. Those for which a trial was noted and nothing came of it are sent one at a time: so
//! none is suspected for the message beside it.

use mailward_core::limits::QUEUE_TRIALS_MAX;
use mailward_core::{QueueId, Timestamp};
use mailward_store::api::{QueueStore, StoreError};
use mailward_store::records::QueuedMessage;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Whom a runner suspects.
#[derive(Debug)]
pub(crate) struct Suspicion {
    /// What came before then; `None`: nothing.
    before: Option<Timestamp>,
    alone: Semaphore,
}

/// That a message may be sent; holds the place of those that are sent one at a time.
pub(crate) struct MaySend<'a> {
    _place: Option<SemaphorePermit<'a>>,
}

impl Suspicion {
    /// Of what came before a time, if at all.
    pub(crate) fn new(before: Option<Timestamp>) -> Self {
        Self { before, alone: Semaphore::new(1) }
    }

    /// Before a message is sent; `None`: it has ended too much already, and is to be held.
    pub(crate) async fn begins(
        &self,
        queue: &dyn QueueStore,
        message: &QueuedMessage,
    ) -> Result<Option<MaySend<'_>>, StoreError> {
        let is_suspect = self.before.is_some_and(|before| message.envelope.arrived <= before);
        if !is_suspect {
            return Ok(Some(MaySend { _place: None }));
        }
        // It never closes.
        let place = if message.trials > 0 { self.alone.acquire().await.ok() } else { None };
        // This one is the last that it is held for: it would be sent as often as the limit says without it.
        let trials = queue.mark_trial(message.id).await?;
        Ok((trials < QUEUE_TRIALS_MAX).then_some(MaySend { _place: place }))
    }

    /// How often a message ended what sent it, which it just did again.
    pub(crate) async fn trials(&self, queue: &dyn QueueStore, message: QueueId) -> Result<u32, StoreError> {
        match self.before {
            // Noted before; what came since the start wasn't.
            Some(before) => {
                let found = queue.queued_message(message).await?;
                if found.envelope.arrived <= before { Ok(found.trials) } else { queue.mark_trial(message).await }
            }
            None => queue.mark_trial(message).await,
        }
    }
}
