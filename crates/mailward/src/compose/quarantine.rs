//! The quarantine, while a server runs: what is kept too long goes.

use mailward_core::Shutdown;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{QUARANTINE_SWEEP, QUARANTINE_SWEEP_TIME};
use mailward_store::{QuarantineStore, StoreError};
use std::sync::Arc;

/// Takes out messages whose time is over, now and then, until the word to stop.
pub(super) async fn sweep(store: Arc<impl QuarantineStore>, events: Events, mut shutdown: Shutdown) {
    loop {
        match sweep_once(&*store).await {
            Ok(0) => {}
            Ok(gone) => events.emit(Event::info("quarantine.expired").with("messages", gone).with("by", "time")),
            Err(StoreError::Closed) => return,
            Err(error) => events.emit(Event::warn("quarantine.unswept").with("why", error)),
        }
        tokio::select! {
            biased;
            () = shutdown.fired() => return,
            () = tokio::time::sleep(QUARANTINE_SWEEP_TIME) => {}
        }
    }
}

/// All whose time is over, in commits of some; answers how many.
async fn sweep_once(store: &impl QuarantineStore) -> Result<usize, StoreError> {
    let mut gone = 0usize;
    loop {
        let some = store.sweep_quarantine().await?;
        gone = gone.saturating_add(some);
        if some < QUARANTINE_SWEEP {
            return Ok(gone);
        }
    }
}
