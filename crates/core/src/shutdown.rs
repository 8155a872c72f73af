//! The word that the server stops, to every session.

use tokio::sync::watch;

/// Held by whoever may stop the server.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

/// Held by every session; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// A trigger and what it triggers.
#[must_use]
pub fn channel() -> (ShutdownTrigger, Shutdown) {
    let (tx, rx) = watch::channel(false);
    (ShutdownTrigger(tx), Shutdown(rx))
}

impl ShutdownTrigger {
    /// Tells everyone, once.
    pub fn fire(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Whether the word was given.
    #[must_use]
    pub fn is_fired(&self) -> bool {
        *self.0.borrow()
    }
    /// Waits for the word. Cancel-safe. Also ends if the trigger is gone.
    pub async fn fired(&mut self) {
        // An error means the trigger was dropped: nobody is left to stop us cleanly, so stop.
        let _gone = self.0.wait_for(|fired| *fired).await;
    }
}
