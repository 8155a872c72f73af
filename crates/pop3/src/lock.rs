//! One session at a time in a maildrop (RFC 1939 §4).

use mailward_core::AccountId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Which maildrops are in use by a POP3 session of this process. Clone = the same list.
///
/// IMAP and deliveries aren't kept out: numbers of a POP3 session come from the moment of its login and don't
/// move, so that nobody needs to wait for it. A lock lives no longer than its session, and a silent session no
/// longer than [`mailward_core::limits::POP3_IDLE_TIME`] (attacks G11).
#[derive(Clone, Debug, Default)]
pub struct Locks(Arc<Mutex<HashMap<AccountId, watch::Receiver<()>>>>);

/// A maildrop that is ours until this is dropped.
#[derive(Debug)]
pub struct Lock {
    locks: Locks,
    account: AccountId,
    /// Dropped with the lock, after it is off the list: whoever waits sees it close.
    _held: watch::Sender<()>,
}

impl Locks {
    /// Takes the maildrop, or gives what closes when it is free.
    fn take(&self, account: AccountId) -> Result<Lock, watch::Receiver<()>> {
        // A thread that panicked while it held the list left it whole: insert and remove are all it does.
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match held.entry(account) {
            Entry::Occupied(taken) => Err(taken.get().clone()),
            Entry::Vacant(place) => {
                let (sender, receiver) = watch::channel(());
                place.insert(receiver);
                Ok(Lock { locks: self.clone(), account, _held: sender })
            }
        }
    }

    /// Takes the maildrop, and waits for it at most so long; `None` if another session has it all the while.
    pub async fn wait(&self, account: AccountId, most: Duration) -> Option<Lock> {
        let until = Instant::now().checked_add(most).unwrap_or_else(Instant::now);
        loop {
            match self.take(account) {
                Ok(lock) => return Some(lock),
                // Nothing is ever sent: it ends when the lock is dropped.
                Err(mut freed) => {
                    if timeout_at(until, freed.changed()).await.is_err() {
                        return None;
                    }
                }
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut held = self.locks.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const MOMENT: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_and_each_its_own() {
        let locks = Locks::default();
        let first = locks.wait(AccountId(1), MOMENT).await.unwrap();
        let began = Instant::now();
        assert!(locks.clone().wait(AccountId(1), MOMENT).await.is_none());
        assert_eq!(began.elapsed(), MOMENT, "and waits no longer than a moment");
        assert!(locks.wait(AccountId(2), Duration::ZERO).await.is_some());
        drop(first);
        assert!(locks.wait(AccountId(1), Duration::ZERO).await.is_some());
        assert!(locks.0.lock().unwrap().is_empty(), "what is free takes no memory");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_gets_it_the_moment_it_is_free() {
        let locks = Locks::default();
        let first = locks.wait(AccountId(1), MOMENT).await.unwrap();
        let (waiting, began) = (locks.clone(), Instant::now());
        let second = tokio::spawn(async move { waiting.wait(AccountId(1), MOMENT).await });
        tokio::time::sleep(MOMENT / 2).await;
        drop(first);
        assert!(second.await.unwrap().is_some());
        assert_eq!(began.elapsed(), MOMENT / 2);
    }

    #[tokio::test]
    async fn of_many_that_wait_one_has_it_at_a_time_and_none_is_forgotten() {
        let locks = Locks::default();
        let inside = Arc::new(AtomicUsize::new(0));
        let first = locks.wait(AccountId(1), MOMENT).await.unwrap();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (locks, inside) = (locks.clone(), Arc::clone(&inside));
                tokio::spawn(async move {
                    let _lock = locks.wait(AccountId(1), Duration::from_secs(600)).await.unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
    }
}
