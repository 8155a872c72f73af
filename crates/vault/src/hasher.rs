//! Hashing on threads of its own, a few at a time (attacks C13).

use crate::credential::Credential;
use crate::error::VaultError;
use mailward_core::Secret;
use mailward_core::limits::{HASHES_AT_ONCE, HASHES_WAITING_MAX};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Computes password hashes: [`HASHES_AT_ONCE`] at a time, [`HASHES_WAITING_MAX`] waiting in order. Whoever goes
/// away while waiting frees the place; a hash that runs keeps its place until it ends.
#[derive(Clone, Debug)]
pub struct Hasher {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// With the house's limits.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(HASHES_AT_ONCE, HASHES_WAITING_MAX)
    }

    /// With limits of the caller's.
    #[must_use]
    pub fn with_limits(at_once: usize, waiting: usize) -> Self {
        let admitted = at_once.saturating_add(waiting).min(Semaphore::MAX_PERMITS);
        Self {
            running: Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS))),
            admitted: Arc::new(Semaphore::new(admitted)),
        }
    }

    /// Makes a credential from a password.
    ///
    /// # Errors
    /// [`VaultError::Unfit`], [`VaultError::Busy`], [`VaultError::Hashing`], [`VaultError::Randomness`].
    pub async fn derive(&self, password: &Secret) -> Result<Credential, VaultError> {
        let password = password.clone();
        self.run(move || Credential::derive(&password)).await
    }

    /// Whether this is the credential's password. `None` stands for a user who doesn't exist or has no password: the
    /// same work, and never true.
    ///
    /// # Errors
    /// [`VaultError::Busy`], [`VaultError::Hashing`].
    pub async fn verify(&self, credential: Option<Credential>, password: &Secret) -> Result<bool, VaultError> {
        let real = credential.is_some();
        let credential = credential.unwrap_or_else(Credential::of_nobody);
        let password = password.clone();
        self.run(move || credential.verify(&password)).await.map(|same| same && real)
    }

    async fn run<T, F>(&self, work: F) -> Result<T, VaultError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, VaultError> + Send + 'static,
    {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| VaultError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| VaultError::Hashing)?;
        // The permits go with the work: a client that hangs up must not make room for another hash beside this one.
        let permits: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (admitted, running);
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permits);
            result
        })
        .await
        .map_err(|_| VaultError::Hashing)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn it_verifies_what_it_made() {
        let hasher = Hasher::new();
        let credential = hasher.derive(&Secret::new("correct horse")).await.unwrap();
        assert_eq!(hasher.verify(Some(credential.clone()), &Secret::new("correct horse")).await, Ok(true));
        assert_eq!(hasher.verify(Some(credential), &Secret::new("wrong horse")).await, Ok(false));
        assert_eq!(hasher.verify(None, &Secret::new("correct horse")).await, Ok(false));
    }

    #[tokio::test]
    async fn an_unfit_password_gives_no_credential() {
        assert_eq!(Hasher::new().derive(&Secret::new("a\0b")).await, Err(VaultError::Unfit));
    }

    /// Attacks C13: parallel logins neither take more memory than the limit nor queue without end.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_login_too_many_is_busy_at_once_and_never_more_hashes_run_than_may() {
        let hasher = Hasher::new();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let gate = Arc::new(std::sync::Barrier::new(HASHES_AT_ONCE + 1));
        let mut tasks = Vec::new();
        for index in 0..HASHES_AT_ONCE + HASHES_WAITING_MAX {
            let (one, now, most, gate) = (hasher.clone(), now.clone(), most.clone(), gate.clone());
            tasks.push(tokio::spawn(async move {
                one.run(move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    if index < HASHES_AT_ONCE {
                        gate.wait();
                    }
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                })
                .await
            }));
            // In order, so that the first ones are those that run.
            while hasher.admitted.available_permits() != HASHES_AT_ONCE + HASHES_WAITING_MAX - index - 1 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(hasher.verify(None, &Secret::new("one more")).await, Err(VaultError::Busy));
        tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        assert_eq!(most.load(Ordering::SeqCst), HASHES_AT_ONCE);
        assert_eq!(hasher.verify(None, &Secret::new("one more")).await, Ok(false), "room again");
    }

    #[tokio::test]
    async fn whoever_hangs_up_while_waiting_frees_the_place() {
        let hasher = Hasher::new();
        let _running =
            Arc::clone(&hasher.running).acquire_many_owned(u32::try_from(HASHES_AT_ONCE).unwrap()).await.unwrap();
        let before = hasher.admitted.available_permits();
        let password = Secret::new("x");
        let waiting = hasher.verify(None, &password);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), waiting).await.is_err());
        assert_eq!(hasher.admitted.available_permits(), before);
    }
}
