//! Inquiries: each question once, however many wait for it; remembered for a while; never more at once than are allowed.

use mailward_core::limits::{INQUIRIES_KEPT, INQUIRIES_MAX, INQUIRIES_PER_HOST_MAX, INQUIRY_TIME};
use mailward_core::{Cache, Network};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What is found out piece by piece.
pub trait Findings: Clone + Send + Sync + 'static {
    /// Whether nothing more will come.
    fn is_whole(&self) -> bool;
    /// Makes it one to which nothing more will come.
    fn close(&mut self);
}

/// Something that is being found out, or was. A clone is the same inquiry; dropping it ends nothing.
#[derive(Clone)]
pub struct Asked<T>(Source<T>);

#[derive(Clone)]
enum Source<T> {
    Known(Arc<T>),
    Coming(watch::Receiver<Arc<T>>),
}

impl<T: Findings> Asked<T> {
    /// What is known when all is, or when the time is over. Costs nothing the second time.
    pub async fn wait(&self, at_most: Duration) -> Arc<T> {
        self.until(at_most, Findings::is_whole).await
    }

    /// What is known now.
    #[must_use]
    pub fn now(&self) -> Arc<T> {
        match &self.0 {
            Source::Known(known) => Arc::clone(known),
            Source::Coming(coming) => Arc::clone(&coming.borrow()),
        }
    }

    /// What is known when it is enough, or when the time is over.
    pub(crate) async fn until(&self, at_most: Duration, mut enough: impl FnMut(&T) -> bool) -> Arc<T> {
        if let Source::Coming(coming) = &self.0 {
            let mut coming = coming.clone();
            let waiting = coming.wait_for(|known| known.is_whole() || enough(known));
            // Late, or given up: what is known then is the answer.
            let _either = tokio::time::timeout(at_most, waiting).await.map(|found| found.is_ok());
        }
        self.now()
    }

    /// What is known already.
    pub(crate) fn known(value: T) -> Self {
        Self(Source::Known(Arc::new(value)))
    }
}

impl<T: fmt::Debug> fmt::Debug for Asked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Known(known) => known.fmt(f),
            Source::Coming(coming) => coming.borrow().fmt(f),
        }
    }
}

/// Where an inquiry writes what it finds.
pub(crate) struct Notes<T>(watch::Sender<Arc<T>>);

impl<T: Clone> Notes<T> {
    /// Adds to what is known.
    pub(crate) fn add(&self, change: impl FnOnce(&mut T)) {
        self.0.send_modify(|known| change(Arc::make_mut(known)));
    }
}

/// All inquiries of one kind.
pub(crate) struct Inquiries<K, T> {
    state: Mutex<State<K, T>>,
    most: usize,
}

struct State<K, T> {
    kept: Cache<K, Arc<T>>,
    running: HashMap<K, watch::Receiver<Arc<T>>>,
    /// How many of them are about one host's addresses.
    by_host: HashMap<Network, usize>,
    /// Rises when what is remembered is forgotten: what was asked before isn't remembered then.
    age: u64,
}

impl<K: Clone + Eq + Hash + Send + 'static, T: Findings> Inquiries<K, T> {
    pub(crate) fn new() -> Arc<Self> {
        Self::of(INQUIRIES_MAX)
    }

    fn of(most: usize) -> Arc<Self> {
        let kept = Cache::new(INQUIRIES_KEPT);
        let state = State { kept, running: HashMap::new(), by_host: HashMap::new(), age: 0 };
        Arc::new(Self { state: Mutex::new(state), most })
    }

    fn state(&self) -> MutexGuard<'_, State<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what is remembered.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.kept = Cache::new(INQUIRIES_KEPT);
        state.age = state.age.wrapping_add(1);
    }

    /// What is remembered, or the inquiry that runs, or a new one: `blank` is what is known at its start, `work` finds out the
    /// rest and answers how long it is remembered. If too many run, in all or about `host`, `blank` is all there will be.
    pub(crate) fn ask<F, W>(self: &Arc<Self>, key: K, host: Option<Network>, mut blank: T, work: W) -> Asked<T>
    where
        F: Future<Output = Duration> + Send + 'static,
        W: FnOnce(Arc<Notes<T>>) -> F,
    {
        let mut state = self.state();
        if let Some(known) = state.kept.get(&key, Instant::now().into_std()) {
            return Asked(Source::Known(known));
        }
        if let Some(coming) = state.running.get(&key) {
            return Asked(Source::Coming(coming.clone()));
        }
        let of_host = host.map_or(0, |host| state.by_host.get(&host).copied().unwrap_or(0));
        if state.running.len() >= self.most || of_host >= INQUIRIES_PER_HOST_MAX {
            blank.close();
            return Asked::known(blank);
        }
        let (sender, coming) = watch::channel(Arc::new(blank));
        state.running.insert(key.clone(), coming.clone());
        if let Some(host) = host {
            state.by_host.insert(host, of_host.saturating_add(1));
        }
        let age = state.age;
        drop(state);
        let notes = Arc::new(Notes(sender));
        let place = Place { all: Arc::clone(self), key: Some(key), host, notes: Arc::clone(&notes), age };
        let work = work(notes);
        tokio::spawn(async move {
            // What takes longer stays unknown.
            let kept = tokio::time::timeout(INQUIRY_TIME, work).await.unwrap_or(Duration::ZERO);
            place.done(kept);
        });
        Asked(Source::Coming(coming))
    }
}

/// The place of an inquiry that runs; it is free when this is dropped, whatever happened.
struct Place<K: Clone + Eq + Hash + Send + 'static, T: Findings> {
    all: Arc<Inquiries<K, T>>,
    key: Option<K>,
    host: Option<Network>,
    notes: Arc<Notes<T>>,
    age: u64,
}

impl<K: Clone + Eq + Hash + Send + 'static, T: Findings> Place<K, T> {
    fn done(mut self, kept: Duration) {
        self.end(Some(kept));
    }

    fn end(&mut self, kept: Option<Duration>) {
        let Some(key) = self.key.take() else { return };
        // Nobody may find the inquiry gone and what it found not yet there.
        let mut state = self.all.state();
        self.notes.add(Findings::close);
        state.running.remove(&key);
        if let Some(host) = self.host
            && let Some(count) = state.by_host.get_mut(&host)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.by_host.remove(&host);
            }
        }
        if let Some(kept) = kept
            && state.age == self.age
        {
            let known = Arc::clone(&self.notes.0.borrow());
            state.kept.insert(key, known, kept, Instant::now().into_std());
        }
    }
}

impl<K: Clone + Eq + Hash + Send + 'static, T: Findings> Drop for Place<K, T> {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    struct Found {
        pieces: u32,
        whole: bool,
    }

    impl Findings for Found {
        fn is_whole(&self) -> bool {
            self.whole
        }
        fn close(&mut self) {
            self.whole = true;
        }
    }

    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn a_question_that_many_ask_is_asked_once_and_remembered() {
        let (all, go, runs) = (Inquiries::new(), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let ask = || {
            let (go, runs) = (Arc::clone(&go), Arc::clone(&runs));
            all.ask("a", None, Found::default(), |notes| async move {
                runs.fetch_add(1, Ordering::SeqCst);
                notes.add(|found| found.pieces += 1);
                go.notified().await;
                notes.add(|found| found.pieces += 1);
                LONG
            })
        };
        let waiting = [ask(), ask(), ask()];
        // Whoever waits no longer has what is there.
        let part = waiting[0].until(LONG, |found| found.pieces == 1).await;
        assert_eq!(*part, Found { pieces: 1, whole: false });
        assert_eq!(*waiting[0].wait(Duration::ZERO).await, *part);
        go.notify_one();
        for asked in &waiting {
            assert_eq!(*asked.wait(LONG).await, Found { pieces: 2, whole: true });
        }
        assert_eq!(*ask().now(), Found { pieces: 2, whole: true });
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        all.forget();
        go.notify_one();
        assert_eq!(ask().wait(LONG).await.pieces, 2);
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn more_than_may_run_at_once_stay_unanswered_at_once() {
        let all: Arc<Inquiries<usize, Found>> = Inquiries::of(3);
        let ask = |key| {
            all.ask(key, None, Found::default(), |notes| async move {
                std::future::pending::<()>().await;
                notes.add(|found| found.pieces = 9);
                LONG
            })
        };
        let running: Vec<_> = (0..3).map(ask).collect();
        assert!(running.iter().all(|asked| !asked.now().whole));
        assert_eq!(*ask(3).now(), Found { pieces: 0, whole: true });
        assert!(!ask(2).now().whole, "one that runs is still joined");
        assert_eq!(all.state().running.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn one_host_has_its_share_and_places_come_back() {
        let all: Arc<Inquiries<usize, Found>> = Inquiries::new();
        let host = Some(Network::host("2001:db8::1".parse().unwrap()));
        let ask = |key, host| all.ask(key, host, Found::default(), |_| std::future::pending());
        let first = ask(0, host);
        for key in 1..INQUIRIES_PER_HOST_MAX {
            assert!(!ask(key, host).now().whole);
        }
        assert!(ask(100, host).now().whole);
        let other = Some(Network::host("2001:db8:0:1::1".parse().unwrap()));
        assert!(!ask(101, other).now().whole);
        // Time ends them all; what has no answer isn't remembered.
        assert!(first.wait(LONG).await.whole);
        assert!(ask(101, other).wait(LONG).await.whole);
        assert!(!ask(100, host).now().whole);
        assert_eq!(all.state().by_host.len(), 1);
    }

    #[tokio::test]
    async fn a_panic_leaves_no_place_taken_and_nobody_waiting() {
        let all: Arc<Inquiries<usize, Found>> = Inquiries::of(1);
        let asked = all.ask(1, None, Found::default(), |_| async { panic!("a mistake of ours") });
        assert!(asked.wait(LONG).await.whole);
        assert!(all.state().running.is_empty());
        let again = all.ask(1, None, Found::default(), |_| async { LONG });
        assert!(again.wait(LONG).await.whole);
    }

    #[tokio::test]
    async fn what_was_asked_before_all_was_forgotten_is_not_remembered() {
        let all: Arc<Inquiries<usize, Found>> = Inquiries::new();
        let go = Arc::new(Notify::new());
        let wait = Arc::clone(&go);
        let old = all.ask(1, None, Found::default(), |notes| async move {
            wait.notified().await;
            notes.add(|found| found.pieces = 1);
            LONG
        });
        all.forget();
        go.notify_one();
        assert_eq!(old.wait(LONG).await.pieces, 1);
        let new = all.ask(1, None, Found::default(), |_| async { LONG });
        assert_eq!(new.wait(LONG).await.pieces, 0);
    }
}
