//! The word to stop: to every session, or to one alone.
//!
//! A [`Shutdown`] made by [`channel`] is the server's. Each session has one of its own ([`Shutdown::branch`]), which is
//! given the word when the server is, or when the session alone shall end. Whoever waits, waits in one place of its
//! own: thousands of sessions that read don't meet in a list that they share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Held by whoever may stop the server, or one session. Gives the word when it is dropped: nobody would be left to
/// give it.
#[derive(Debug)]
pub struct ShutdownTrigger(Gives);

#[derive(Debug)]
enum Gives {
    ToAll(Arc<Root>),
    ToOne(Shutdown),
}

/// Held by every session; cheap to clone. A clone hears the same word.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<Word>);

#[derive(Debug)]
struct Word {
    fired: AtomicBool,
    heard: Notify,
    root: Arc<Root>,
    /// In the root's list.
    place: usize,
}

/// What all have in common.
#[derive(Debug, Default)]
struct Root {
    fired: AtomicBool,
    list: Mutex<List>,
}

/// Everybody to be told. A place that is given back is taken again, so that the list is as long as sessions were many
/// at once.
#[derive(Debug, Default)]
struct List {
    places: Vec<Weak<Word>>,
    free: Vec<usize>,
}

/// A trigger and what it triggers.
#[must_use]
pub fn channel() -> (ShutdownTrigger, Shutdown) {
    let root = Arc::new(Root::default());
    let shutdown = root.branch();
    (ShutdownTrigger(Gives::ToAll(root)), shutdown)
}

impl ShutdownTrigger {
    /// Gives the word, once for all.
    pub fn fire(&self) {
        match &self.0 {
            Gives::ToAll(root) => root.fire(),
            Gives::ToOne(branch) => branch.fire(),
        }
    }
}

impl Drop for ShutdownTrigger {
    fn drop(&mut self) {
        self.fire();
    }
}

impl Root {
    fn list(&self) -> MutexGuard<'_, List> {
        // Each step under the lock is whole, so the list is good even if somebody panicked.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn branch(self: &Arc<Self>) -> Shutdown {
        let mut list = self.list();
        let place = list.free.pop().unwrap_or(list.places.len());
        let word = Word { fired: AtomicBool::new(false), heard: Notify::new(), root: Arc::clone(self), place };
        let branch = Shutdown(Arc::new(word));
        let told = Arc::downgrade(&branch.0);
        match list.places.get_mut(place) {
            Some(free) => *free = told,
            None => list.places.push(told),
        }
        drop(list);
        // Whoever gives the word sets the flag first and goes through the list then: either we see the one, or we are
        // seen in the other.
        if self.fired.load(Ordering::SeqCst) {
            branch.fire();
        }
        branch
    }

    fn fire(&self) {
        self.fired.store(true, Ordering::SeqCst);
        // Told outside the lock: the last to hold a branch gives its place back, and needs the lock for it.
        let told: Vec<Shutdown> = self.list().places.iter().filter_map(Weak::upgrade).map(Shutdown).collect();
        for branch in told {
            branch.fire();
        }
    }
}

impl Shutdown {
    /// One that hears the server's word, and that of the trigger that comes with it.
    #[must_use]
    pub fn branch(&self) -> (ShutdownTrigger, Self) {
        let branch = self.0.root.branch();
        (ShutdownTrigger(Gives::ToOne(branch.clone())), branch)
    }

    fn fire(&self) {
        self.0.fired.store(true, Ordering::SeqCst);
        self.0.heard.notify_waiters();
    }

    /// Whether the word was given.
    #[must_use]
    pub fn is_fired(&self) -> bool {
        self.0.fired.load(Ordering::SeqCst)
    }

    /// Whether the word was given, and to this session alone: the server goes on.
    #[must_use]
    pub fn is_fired_alone(&self) -> bool {
        self.is_fired() && !self.0.root.fired.load(Ordering::SeqCst)
    }

    /// Waits for the word. Cancel-safe. Also ends if the trigger is gone.
    pub async fn fired(&mut self) {
        // From here on a word is heard, so none is lost between the look and the wait.
        let heard = self.0.heard.notified();
        if !self.is_fired() {
            heard.await;
        }
    }

    /// Waits for something that the other side may hold up: `patience` long, or only `grace` once the word is given.
    /// `None` if that was too short.
    pub async fn patiently<T>(
        &mut self,
        patience: Duration,
        grace: Duration,
        something: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::pin!(something);
        tokio::select! {
            biased;
            done = timeout(patience, &mut something) => done.ok(),
            () = self.fired() => timeout(grace, something).await.ok(),
        }
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        let mut list = self.root.list();
        if let Some(told) = list.places.get_mut(self.place) {
            *told = Weak::new();
            list.free.push(self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(shutdown: &Shutdown) -> usize {
        shutdown.0.root.list().places.len()
    }

    #[tokio::test]
    async fn the_server_s_word_is_heard_by_all() {
        let (trigger, mut server) = channel();
        let (_held, mut waiting) = server.branch();
        let (_also_held, busy) = server.branch();
        let heard = tokio::spawn(async move { waiting.fired().await });
        tokio::task::yield_now().await;
        assert!(!server.is_fired() && !busy.is_fired());
        trigger.fire();
        heard.await.unwrap();
        server.fired().await;
        assert!(busy.is_fired() && !busy.is_fired_alone());
        let (_late, mut newcomer) = server.branch();
        newcomer.fired().await;
    }

    #[tokio::test]
    async fn the_word_to_one_is_heard_by_nobody_else() {
        let (_held, server) = channel();
        let (first_trigger, first) = server.branch();
        let (_second_held, second) = first.branch();
        let mut waiting = first.clone();
        let heard = tokio::spawn(async move { waiting.fired().await });
        tokio::task::yield_now().await;
        first_trigger.fire();
        heard.await.unwrap();
        assert!(first.is_fired_alone());
        assert!(!second.is_fired() && !server.is_fired());
    }

    #[tokio::test]
    async fn a_trigger_that_is_gone_is_a_word() {
        let (trigger, mut server) = channel();
        let (branch_trigger, mut branch) = server.branch();
        drop(branch_trigger);
        branch.fired().await;
        assert!(!server.is_fired());
        drop(trigger);
        server.fired().await;
    }

    #[test]
    fn places_of_those_who_went_are_taken_again() {
        let (_held, server) = channel();
        for _ in 0..1_000 {
            let _gone = (server.branch(), server.branch());
        }
        assert_eq!(places(&server), 3, "the server's own, and two at once");
    }

    #[test]
    fn nobody_who_comes_or_goes_while_the_word_is_given_misses_it() {
        for _ in 0..50 {
            let (trigger, server) = channel();
            let coming = std::thread::spawn({
                let server = server.clone();
                move || (0..200).map(|n| (n, server.branch())).filter(|(n, _)| n % 3 != 0).collect::<Vec<_>>()
            });
            trigger.fire();
            let there = coming.join().unwrap();
            assert!(there.iter().all(|(_, (_, branch))| branch.is_fired()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_with_its_time_and_soon_after_the_word() {
        let (patience, grace) = (Duration::from_secs(120), Duration::from_secs(1));
        let (trigger, mut server) = channel();
        assert_eq!(server.patiently(patience, grace, async { 7 }).await, Some(7));
        let began = tokio::time::Instant::now();
        assert_eq!(server.patiently(patience, grace, std::future::pending::<()>()).await, None);
        assert_eq!(began.elapsed(), patience);
        trigger.fire();
        assert_eq!(server.patiently(patience, grace, async { 7 }).await, Some(7));
        assert_eq!(server.patiently(patience, grace, std::future::pending::<()>()).await, None);
        assert_eq!(began.elapsed(), patience + grace);
    }
}
