//! Inquiries: each question once, however many wait for it; remembered for a while; never more at once than are allowed; ended
//! when nobody waits any more.

use mailward_core::limits::{
    INQUIRIES_KEPT, INQUIRIES_MAX, INQUIRIES_PER_HOST_MAX, INQUIRIES_PER_NETWORK_MAX, INQUIRY_TIME,
};
use mailward_core::{Cache, Network};
use mailward_dns::NoTurn;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// What is found out piece by piece.
pub trait Findings: Clone + Send + Sync + 'static {
    /// Whether nothing more will come.
    fn is_whole(&self) -> bool;
    /// Makes it one to which nothing more will come.
    fn close(&mut self);
    /// Makes it one that nobody began to find out.
    fn not_asked(&mut self, _why: NoTurn) {}
}

/// Something that is being found out, or was. A clone is the same inquiry; when the last of them is dropped, it ends.
#[derive(Clone)]
pub struct Asked<T>(Source<T>);

#[derive(Clone)]
enum Source<T> {
    Known(Arc<T>),
    Coming { coming: watch::Receiver<Arc<T>>, _held: Arc<dyn Held> },
}

/// What runs as long as somebody has it.
trait Held: Send + Sync {}

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
            Source::Coming { coming, .. } => Arc::clone(&coming.borrow()),
        }
    }

    /// What is known when it is enough, or when the time is over.
    pub(crate) async fn until(&self, at_most: Duration, mut enough: impl FnMut(&T) -> bool) -> Arc<T> {
        if let Source::Coming { coming, .. } = &self.0 {
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
            Source::Coming { coming, .. } => coming.borrow().fmt(f),
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

/// Each host's inquiries are its own: nobody else's waits behind them.
type Place<K> = (K, Option<Network>);

struct State<K, T> {
    kept: Cache<K, Arc<T>>,
    running: HashMap<Place<K>, Running<T>>,
    /// How many of them run for one host, and for neighbours.
    by_network: HashMap<Network, usize>,
    /// Rises when what is remembered is forgotten: what was asked before isn't remembered then.
    age: u64,
    /// Of the next one.
    number: u64,
}

struct Running<T> {
    number: u64,
    coming: watch::Receiver<Arc<T>>,
    held: Weak<dyn Held>,
    networks: Option<[Network; 2]>,
}

impl<K: Clone + Eq + Hash, T> State<K, T> {
    fn of(&self, network: Network) -> usize {
        self.by_network.get(&network).copied().unwrap_or(0)
    }

    /// Why there is no room for one more, if there is none.
    fn full(&self, networks: Option<[Network; 2]>, most: usize) -> Option<NoTurn> {
        if let Some([host, neighbours]) = networks
            && (self.of(host) >= INQUIRIES_PER_HOST_MAX || self.of(neighbours) >= INQUIRIES_PER_NETWORK_MAX)
        {
            return Some(NoTurn::Host);
        }
        (self.running.len() >= most).then_some(NoTurn::All)
    }

    /// Frees a place, if it is still that of this one.
    fn free(&mut self, place: &Place<K>, number: u64) {
        if self.running.get(place).is_none_or(|running| running.number != number) {
            return;
        }
        let networks = self.running.remove(place).and_then(|running| running.networks);
        for network in networks.into_iter().flatten() {
            if let Some(count) = self.by_network.get_mut(&network) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.by_network.remove(&network);
                }
            }
        }
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, T: Findings> Inquiries<K, T> {
    pub(crate) fn new() -> Arc<Self> {
        Self::of(INQUIRIES_MAX)
    }

    fn of(most: usize) -> Arc<Self> {
        let kept = Cache::new(INQUIRIES_KEPT);
        let state = State { kept, running: HashMap::new(), by_network: HashMap::new(), age: 0, number: 0 };
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

    /// What is remembered, or the inquiry that runs for the same host, or a new one: `blank` is what is known at its start,
    /// `work` finds out the rest and answers how long it is remembered.
    ///
    /// # Errors
    /// So many run, in all or for the host and its neighbours, that nothing is asked: what is known then, and why.
    pub(crate) fn ask<F, W>(
        self: &Arc<Self>,
        key: K,
        client: Option<IpAddr>,
        mut blank: T,
        work: W,
    ) -> Result<Asked<T>, (Asked<T>, NoTurn)>
    where
        F: Future<Output = Duration> + Send + 'static,
        W: FnOnce(Arc<Notes<T>>) -> F,
    {
        let mut state = self.state();
        if let Some(known) = state.kept.get(&key, Instant::now().into_std()) {
            return Ok(Asked(Source::Known(known)));
        }
        let place = (key, client.map(Network::host));
        if let Some(running) = state.running.get(&place) {
            if let Some(held) = running.held.upgrade() {
                return Ok(Asked(Source::Coming { coming: running.coming.clone(), _held: held }));
            }
            // Nobody has it any more: it is about to end.
            let number = running.number;
            state.free(&place, number);
        }
        let networks = client.map(|ip| [Network::host(ip), Network::neighbours(ip)]);
        if let Some(why) = state.full(networks, self.most) {
            drop(state);
            blank.not_asked(why);
            blank.close();
            return Err((Asked::known(blank), why));
        }
        let (sender, coming) = watch::channel(Arc::new(blank));
        let (number, age) = (state.number, state.age);
        state.number = number.wrapping_add(1);
        let hold = Arc::new(Hold { all: Arc::clone(self), place: place.clone(), number, task: OnceLock::new() });
        let held: Arc<dyn Held> = Arc::clone(&hold) as Arc<dyn Held>;
        let running = Running { number, coming: coming.clone(), held: Arc::downgrade(&held), networks };
        state.running.insert(place.clone(), running);
        for network in networks.into_iter().flatten() {
            let count = state.by_network.entry(network).or_default();
            *count = count.saturating_add(1);
        }
        drop(state);
        let notes = Arc::new(Notes(sender));
        let end = End { all: Arc::clone(self), place: Some(place), number, notes: Arc::clone(&notes), age };
        let work = work(notes);
        let task = tokio::spawn(async move {
            // What takes longer stays unknown.
            let kept = tokio::time::timeout(INQUIRY_TIME, work).await.unwrap_or(Duration::ZERO);
            end.done(kept);
        });
        let _first = hold.task.set(task.abort_handle());
        Ok(Asked(Source::Coming { coming, _held: held }))
    }
}

/// What those share who have an inquiry: without them it ends.
struct Hold<K: Clone + Eq + Hash + Send + Sync + 'static, T: Findings> {
    all: Arc<Inquiries<K, T>>,
    place: Place<K>,
    number: u64,
    task: OnceLock<AbortHandle>,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, T: Findings> Held for Hold<K, T> {}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, T: Findings> Drop for Hold<K, T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
        self.all.state().free(&self.place, self.number);
    }
}

/// The end of an inquiry that runs: its place is free when this is dropped, whatever happened.
struct End<K: Clone + Eq + Hash + Send + Sync + 'static, T: Findings> {
    all: Arc<Inquiries<K, T>>,
    place: Option<Place<K>>,
    number: u64,
    notes: Arc<Notes<T>>,
    age: u64,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, T: Findings> End<K, T> {
    fn done(mut self, kept: Duration) {
        self.end(Some(kept));
    }

    fn end(&mut self, kept: Option<Duration>) {
        let Some(place) = self.place.take() else { return };
        // Nobody may find the inquiry gone and what it found not yet there.
        let mut state = self.all.state();
        self.notes.add(Findings::close);
        state.free(&place, self.number);
        if let Some(kept) = kept.filter(|kept| !kept.is_zero())
            && state.age == self.age
        {
            let known = Arc::clone(&self.notes.0.borrow());
            state.kept.insert(place.0, known, kept, Instant::now().into_std());
        }
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, T: Findings> Drop for End<K, T> {
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

    fn ask_of<K, F, W>(all: &Arc<Inquiries<K, Found>>, key: K, client: Option<IpAddr>, work: W) -> Asked<Found>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        F: Future<Output = Duration> + Send + 'static,
        W: FnOnce(Arc<Notes<Found>>) -> F,
    {
        all.ask(key, client, Found::default(), work).unwrap_or_else(|(blank, _)| blank)
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_ends_at_once() {
        let all: Arc<Inquiries<usize, Found>> = Inquiries::new();
        let host: Option<IpAddr> = Some("192.0.2.1".parse().unwrap());
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        struct Ends(Arc<AtomicUsize>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        for key in 0..10 * INQUIRIES_MAX {
            let ends = Ends(Arc::clone(&ended));
            let asked = ask_of(&all, key, host, |_| async move {
                let _ends = ends;
                std::future::pending().await
            });
            begun.fetch_add(usize::from(!asked.now().whole), Ordering::SeqCst);
            let clone = asked.clone();
            drop(asked);
            assert_eq!(all.state().running.len(), 1, "a clone is the same");
            drop(clone);
            assert!(all.state().running.is_empty());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(begun.load(Ordering::SeqCst), 10 * INQUIRIES_MAX);
        assert_eq!(ended.load(Ordering::SeqCst), 10 * INQUIRIES_MAX);
        assert!(all.state().by_network.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn neighbours_have_a_share_too() {
        let all: Arc<Inquiries<usize, Found>> = Inquiries::new();
        let ask = |key: usize, ip: String| ask_of(&all, key, ip.parse().ok(), |_| std::future::pending());
        let mut running = Vec::new();
        for key in 0..INQUIRIES_PER_NETWORK_MAX {
            running.push(ask(key, format!("2001:db8:0:{:x}::1", key / 4)));
        }
        assert!(running.iter().all(|asked| !asked.now().whole));
        assert!(ask(1_000, "2001:db8:0:ffff::1".to_owned()).now().whole);
        assert!(!ask(1_000, "2001:db8:1::1".to_owned()).now().whole);
    }

    #[tokio::test]
    async fn a_question_that_many_ask_is_asked_once_and_remembered() {
        let (all, go, runs) = (Inquiries::new(), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let ask = || {
            let (go, runs) = (Arc::clone(&go), Arc::clone(&runs));
            ask_of(&all, "a", None, |notes| async move {
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
            ask_of(&all, key, None, |notes| async move {
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
        let host: Option<IpAddr> = Some("2001:db8::1".parse().unwrap());
        let ask = |key, host| ask_of(&all, key, host, |_| std::future::pending());
        let running: Vec<_> = (0..INQUIRIES_PER_HOST_MAX).map(|key| ask(key, host)).collect();
        assert!(running.iter().all(|asked| !asked.now().whole));
        assert!(ask(100, host).now().whole);
        let other: Option<IpAddr> = Some("2001:db8:0:1::1".parse().unwrap());
        assert!(!ask(101, other).now().whole);
        assert!(!ask(0, other).now().whole, "what one host holds up holds up no other that asks the same");
        // Time ends them all; what has no answer isn't remembered.
        let began = Instant::now();
        assert!(running[0].wait(LONG).await.whole);
        assert_eq!(began.elapsed().as_secs(), INQUIRY_TIME.as_secs());
        assert!(ask(101, other).wait(LONG).await.whole);
        let last = ask(100, host);
        assert!(!last.now().whole);
        assert_eq!(all.state().by_network.len(), 2);
        drop(last);
        assert!(all.state().by_network.is_empty());
    }

    #[tokio::test]
    async fn a_panic_leaves_no_place_taken_and_nobody_waiting() {
        let all: Arc<Inquiries<usize, Found>> = Inquiries::of(1);
        let asked = ask_of(&all, 1, None, |_| async { panic!("a mistake of ours") });
        assert!(asked.wait(LONG).await.whole);
        assert!(all.state().running.is_empty());
        let again = ask_of(&all, 1, None, |_| async { LONG });
        assert!(again.wait(LONG).await.whole);
    }

    #[tokio::test]
    async fn what_was_asked_before_all_was_forgotten_is_not_remembered() {
        let all: Arc<Inquiries<usize, Found>> = Inquiries::new();
        let go = Arc::new(Notify::new());
        let wait = Arc::clone(&go);
        let old = ask_of(&all, 1, None, |notes| async move {
            wait.notified().await;
            notes.add(|found| found.pieces = 1);
            LONG
        });
        all.forget();
        go.notify_one();
        assert_eq!(old.wait(LONG).await.pieces, 1);
        let new = ask_of(&all, 1, None, |_| async { LONG });
        assert_eq!(new.wait(LONG).await.pieces, 0);
    }
}
