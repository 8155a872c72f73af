//! Writing behind: what rooms above keep in memory and write now and then, so that nobody waits for the disk.

use crate::api::StoreError;
use mailward_core::Shutdown;
use mailward_core::event::{Event, Events};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How what is written behind goes: that it can't be written is told, once until it can.
pub struct Behind {
    events: Events,
    unwritten: &'static str,
    /// Whether the last attempt to write failed.
    failed: AtomicBool,
}

impl Behind {
    /// `unwritten`: the warning that tells it, whose field `why` has the store's words.
    #[must_use]
    pub fn new(events: Events, unwritten: &'static str) -> Self {
        Self { events, unwritten, failed: AtomicBool::new(false) }
    }

    /// What came of an attempt to write.
    pub fn tell(&self, outcome: Result<(), StoreError>) {
        let failed_before = self.failed.swap(outcome.is_err(), Ordering::Relaxed);
        if let Err(error) = outcome
            && !failed_before
        {
            self.events.emit(Event::warn(self.unwritten).with("why", error));
        }
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behind")
            .field("unwritten", &self.unwritten)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Writes after each `pause` until the word to stop. Whoever stops the server writes once more, when all sessions are over.
pub async fn now_and_then<W: Future<Output = ()>>(pause: Duration, mut shutdown: Shutdown, write: impl Fn() -> W) {
    loop {
        tokio::select! {
            biased;
            () = shutdown.fired() => return,
            () = tokio::time::sleep(pause) => write().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::shutdown;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn it_is_written_after_each_pause_until_the_word_to_stop() {
        let (trigger, stop) = shutdown::channel();
        let written = Cell::new(0);
        let write = async || {
            written.set(written.get() + 1);
            if written.get() == 3 {
                trigger.fire();
            }
        };
        let began = tokio::time::Instant::now();
        now_and_then(Duration::from_secs(10), stop, write).await;
        assert_eq!((written.get(), began.elapsed().as_secs()), (3, 30));
    }

    #[test]
    fn that_it_cannot_be_written_is_told_once_until_it_can() {
        let events = Events::memory();
        let behind = Behind::new(events.clone(), "x.unwritten");
        let ill = || Err(StoreError::Damaged("on purpose".to_owned()));
        for outcome in [ill(), ill(), Ok(()), ill()] {
            behind.tell(outcome);
        }
        let told: Vec<String> =
            events.lines().into_iter().filter(|line| line.starts_with("warn x.unwritten why=")).collect();
        assert_eq!(told.len(), 2, "{told:?}");
    }
}
