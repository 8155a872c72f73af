//! When which account is visited, and what follows from what came of it.

use crate::account::Name;
use crate::accounts::{Accounts, Kept, State};
use crate::connect::Net;
use crate::deliver::Desk;
use crate::error::Trouble;
use crate::judgement::Judge;
use crate::visit::{Came, Errand, House, memory, visit};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    FETCH_ALERT_AFTER, FETCH_FAILURE_MINUTES, FETCH_GATHER_TIME, FETCH_HICCUP_TIME, FETCH_JITTER_PERCENT,
    FETCH_REFUSALS_MAX, FETCH_SLEEP_MAX, FETCH_TEXT_MAX, FETCH_VISITS_AT_ONCE,
};
use mailward_core::{Clock, Domain, Shutdown, ShutdownTrigger, Timestamp};
use mailward_directory::Directory;
use mailward_dns::Lookup;
use mailward_store::MailStore;
use mailward_store::records::Shelf;
use mailward_tls::outbound::Outbound;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinSet};

/// What the runner is made of.
pub struct Parts {
    /// The accounts.
    pub accounts: Arc<Accounts>,
    /// Where mail goes.
    pub mail: Arc<dyn MailStore>,
    /// Whose mail it is.
    pub directory: Arc<Directory>,
    /// Addresses of servers; `None`: only those that are written as addresses are found.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// Which authorities are trusted, unless an account says others.
    pub outbound: Outbound,
    /// Our name.
    pub hostname: Domain,
    /// Where events go.
    pub events: Events,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Largest message that is taken, bytes, as it is at the moment.
    pub message_size: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Who judges messages; `None`: they come as they are.
    pub judge: Option<Judge>,
}

/// Visits the accounts when they are due, until it is told to stop.
pub struct Runner {
    accounts: Arc<Accounts>,
    house: House,
    chance: RandomState,
    /// Visits under way.
    visits: JoinSet<()>,
    /// Whose they are.
    under_way: HashMap<Id, UnderWay>,
}

struct UnderWay {
    name: Name,
    revision: u64,
    stop: ShutdownTrigger,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runner")
    }
}

impl Runner {
    /// Does nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { accounts, mail, directory, lookup, outbound, hostname, events, clock, message_size, judge } = parts;
        let shelf = Arc::clone(accounts.store());
        let desk = Desk { mail, shelf, directory, hostname, events, clock, judge };
        let house =
            House { desk, net: Net { lookup, outbound }, message_size, memory: memory(), waiting: Arc::default() };
        Self { accounts, house, chance: RandomState::new(), visits: JoinSet::new(), under_way: HashMap::new() }
    }

    /// Visits accounts until the word to stop. Visits under way end then where they are: what they delivered is noted.
    pub async fn run(mut self, mut shutdown: Shutdown) {
        let mut changes = self.accounts.store().shelf_version(Shelf::Fetch);
        loop {
            // Marked before it is read: what changes meanwhile is looked at again.
            let _version = *changes.borrow_and_update();
            let sleep = self.look(&shutdown).await;
            tokio::select! {
                () = shutdown.fired() => return,
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // Each fetched message is a change: one look for many.
                    tokio::select! {
                        () = shutdown.fired() => return,
                        () = tokio::time::sleep(FETCH_GATHER_TIME) => {}
                    }
                }
                Some(ended) = self.visits.join_next_with_id() => self.ended(ended).await,
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Starts what is due, ends what is no longer wanted; how long nothing will be due.
    async fn look(&mut self, shutdown: &Shutdown) -> Duration {
        let all = match self.accounts.read().await {
            Ok(all) => all,
            Err(error) => {
                self.house.desk.events.emit(Event::alert("fetch.stuck").with("error", error));
                return FETCH_HICCUP_TIME;
            }
        };
        let wanted = |under_way: &UnderWay| {
            all.iter()
                .any(|(name, kept, _)| *name == under_way.name && kept.revision == under_way.revision && !kept.paused)
        };
        for under_way in self.under_way.values().filter(|under_way| !wanted(under_way)) {
            under_way.stop.fire();
        }
        let now = self.house.desk.clock.now();
        let mut sleep = FETCH_SLEEP_MAX;
        let mut all = all;
        // Who has waited longest comes first, so that all come.
        all.sort_by_key(|(_, _, state)| state.next);
        for (name, kept, state) in all {
            if self.under_way.values().any(|under_way| under_way.name == name) {
                continue;
            }
            if !kept.is_due(&state, now) {
                if let Some(next) = state.next.filter(|_| !kept.paused && !state.stopped) {
                    let wait = u64::try_from(next.0.saturating_sub(now.0)).unwrap_or(0);
                    sleep = sleep.min(Duration::from_millis(wait));
                }
                continue;
            }
            if self.under_way.len() >= FETCH_VISITS_AT_ONCE {
                // The next one that ends makes room.
                continue;
            }
            self.start(name, kept, state, shutdown);
        }
        sleep
    }

    fn start(&mut self, name: Name, kept: Kept, state: State, shutdown: &Shutdown) {
        let (stop, mut word) = shutdown.branch();
        let (house, accounts) = (self.house.clone(), Arc::clone(&self.accounts));
        let (revision, draw) = (kept.revision, self.chance.hash_one((&name, self.house.desk.clock.now().0)));
        let whose = name.clone();
        let task = self.visits.spawn(async move {
            let one = one(&house, &accounts, &whose, &kept, state, draw);
            tokio::select! {
                () = word.fired() => {}
                () = one => {}
            }
        });
        self.under_way.insert(task.id(), UnderWay { name, revision, stop });
    }

    /// A visit is over; if it was by a fault of ours, the account rests like after any failure.
    async fn ended(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let (id, fault) = match ended {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), error.is_panic().then_some(error)),
        };
        let Some(UnderWay { name, .. }) = self.under_way.remove(&id) else { return };
        let Some(fault) = fault else { return };
        self.house.desk.events.emit(Event::alert("fetch.crashed").with("account", &name).with("error", &fault));
        let Ok(all) = self.accounts.read().await else { return };
        if let Some((name, kept, state)) = all.into_iter().find(|(other, _, _)| *other == name) {
            let trouble =
                Some(Trouble::Wire("the visit ended by a fault of this program; the log has more".to_owned()));
            let came = Came { trouble, ..Came::default() };
            conclude(&self.house, &self.accounts, &name, &kept, state, came, 0).await;
        }
    }
}

/// One visit, and what it leaves behind.
async fn one(house: &House, accounts: &Accounts, name: &Name, kept: &Kept, state: State, draw: u64) {
    let came = match accounts.password(name, kept) {
        Ok(password) => {
            let asked = state.revision != Some(kept.revision);
            let errand = Errand { name, settings: &kept.settings, password: &password, asked };
            visit(house, &errand).await
        }
        Err(error) => {
            let trouble = Trouble::Login(format!("its password can't be read here: {error}"));
            Came { trouble: Some(trouble), ..Came::default() }
        }
    };
    conclude(house, accounts, name, kept, state, came, draw).await;
}

async fn conclude(house: &House, accounts: &Accounts, name: &Name, kept: &Kept, state: State, came: Came, draw: u64) {
    let desk = &house.desk;
    let (state, events) = after(name, kept, state, came, desk.clock.now(), draw);
    for event in events {
        desk.events.emit(event);
    }
    if let Err(error) = accounts.note_state(name, &state).await {
        // It is due again then, and its back-off forgotten: no harm but for a visit too many.
        desk.events.emit(Event::alert("fetch.stuck").with("account", name).with("error", error));
        tokio::time::sleep(FETCH_HICCUP_TIME).await;
    }
}

/// What a visit makes of an account's state, and what is told of it.
fn after(name: &Name, kept: &Kept, mut state: State, came: Came, now: Timestamp, draw: u64) -> (State, Vec<Event>) {
    let mut events = Vec::new();
    let asked = state.revision != Some(kept.revision);
    state.revision = Some(kept.revision);
    state.tried = Some(now);
    state.fetched = state.fetched.saturating_add(came.fetched);
    (state.left, state.note) = (came.left, came.note.map(cut));
    state.stopped = false;
    let Some(trouble) = came.trouble else {
        if state.failing.is_some() {
            events.push(Event::info("fetch.recovered").with("account", name));
        }
        state =
            State { good: Some(now), failing: None, failures: 0, refusals: 0, error: None, alerted: false, ..state };
        state.next = Some(if came.more { now } else { later(now, jittered(kept.settings.every, draw)) });
        return (state, events);
    };
    if asked {
        (state.refusals, state.failures) = (0, 0);
    }
    let failing = *state.failing.get_or_insert(now);
    state.failures = state.failures.saturating_add(1);
    state.refusals = match trouble {
        Trouble::Login(_) | Trouble::LoginUnclear(_) => state.refusals.saturating_add(1),
        _ => 0,
    };
    state.stopped = match trouble {
        Trouble::Login(_) => true,
        Trouble::LoginUnclear(_) => state.refusals >= FETCH_REFUSALS_MAX,
        _ => false,
    };
    let words = cut(trouble.to_string());
    events.push(Event::warn("fetch.failed").with("account", name).with("reason", &words));
    if state.stopped {
        let mend = format!("mailward fetch change {name} --new-password, or mailward fetch resume {name}");
        events.push(Event::alert("fetch.stopped").with("account", name).with("reason", &words).with("mend", mend));
    } else if !state.alerted && now.0.saturating_sub(failing.0) >= millis(FETCH_ALERT_AFTER) {
        state.alerted = true;
        events.push(Event::alert("fetch.failing").with("account", name).with("reason", &words));
    }
    state.error = Some(words);
    let index = usize::try_from(state.failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let last = FETCH_FAILURE_MINUTES.last().copied().unwrap_or(1);
    let pause = FETCH_FAILURE_MINUTES.get(index).copied().unwrap_or(last);
    state.next = Some(later(now, jittered(pause.max(kept.settings.every), draw)));
    (state, events)
}

fn cut(text: String) -> String {
    if text.chars().count() <= FETCH_TEXT_MAX {
        text
    } else {
        text.chars().take(FETCH_TEXT_MAX).chain(['…']).collect()
    }
}

/// So many minutes, a little more or less.
fn jittered(minutes: u32, draw: u64) -> Duration {
    let whole = u64::from(minutes).saturating_mul(60_000);
    let span = whole.saturating_mul(u64::from(FETCH_JITTER_PERCENT)).div_euclid(100);
    let shift = draw.checked_rem(span.saturating_mul(2).saturating_add(1)).unwrap_or(0);
    Duration::from_millis(whole.saturating_sub(span).saturating_add(shift))
}

fn later(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(millis(time)))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Protocol, Settings, To};
    use mailward_core::limits::FETCH_EVERY_DEFAULT;

    fn kept() -> Kept {
        let to = To::One("joe@example.org".parse().unwrap());
        let settings = Settings::new(Protocol::Pop3, "pop.example.net".parse().unwrap(), "joe".to_owned(), to);
        Kept { settings, sealed: Vec::new(), paused: false, revision: 1 }
    }

    fn name() -> Name {
        Name::parse("joe").unwrap()
    }

    fn failed(trouble: Trouble) -> Came {
        Came { trouble: Some(trouble), ..Came::default() }
    }

    fn wire() -> Trouble {
        Trouble::Wire("no connection".to_owned())
    }

    fn minutes(from: Timestamp, to: Option<Timestamp>) -> i64 {
        to.unwrap().0.saturating_sub(from.0).div_euclid(60_000)
    }

    fn told(events: &[Event], what: &str) -> bool {
        events.iter().any(|event| event.text().contains(what))
    }

    #[test]
    fn failures_make_visits_rarer_and_a_good_one_makes_them_usual_again() {
        let (mut state, mut now) = (State::default(), Timestamp(0));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let (next, _) = after(&name(), &kept(), state, failed(wire()), now, u64::MAX / 2);
            pauses.push(minutes(now, next.next));
            (now, state) = (next.next.unwrap(), next);
        }
        let most = i64::from(*FETCH_FAILURE_MINUTES.last().unwrap());
        assert!(pauses.windows(2).all(|two| two[0] <= two[1] + 12), "{pauses:?}");
        assert!(pauses[0] >= i64::from(FETCH_EVERY_DEFAULT) - 1, "never sooner than usual: {pauses:?}");
        assert!(*pauses.last().unwrap() >= most * 9 / 10 && *pauses.last().unwrap() <= most * 11 / 10);
        let (good, events) = after(&name(), &kept(), state, Came::default(), now, 0);
        assert!(told(&events, "fetch.recovered"));
        assert_eq!((good.failures, good.failing, good.error.clone(), good.good), (0, None, None, Some(now)));
        assert!(minutes(now, good.next) < 6);
    }

    #[test]
    fn a_long_failure_is_alerted_once() {
        let (mut state, mut alerts, mut now) = (State::default(), 0, Timestamp(0));
        for _ in 0..20 {
            let (next, events) = after(&name(), &kept(), state, failed(wire()), now, 0);
            alerts += usize::from(told(&events, "alert fetch.failing"));
            (now, state) = (next.next.unwrap(), next);
        }
        assert!(now.0 > millis(FETCH_ALERT_AFTER) * 2);
        assert_eq!(alerts, 1);
    }

    #[test]
    fn a_refused_password_ends_visits_until_somebody_acts() {
        let refused = failed(Trouble::Login("wrong".to_owned()));
        let (state, events) = after(&name(), &kept(), State::default(), refused, Timestamp(0), 0);
        assert!(state.stopped && told(&events, "alert fetch.stopped"));
        let now = Timestamp(i64::MAX);
        assert!(!kept().is_due(&state, now));
        assert!(Kept { revision: 2, ..kept() }.is_due(&state, now), "changed, or asked for");
        assert!(!Kept { revision: 2, paused: true, ..kept() }.is_due(&state, now));
    }

    #[test]
    fn a_refusal_that_gives_no_reason_has_to_come_again() {
        let mut state = State::default();
        for count in 1..=FETCH_REFUSALS_MAX {
            let unclear = failed(Trouble::LoginUnclear("no".to_owned()));
            (state, _) = after(&name(), &kept(), state, unclear, Timestamp(0), 0);
            assert_eq!(state.stopped, count == FETCH_REFUSALS_MAX);
        }
        let (again, _) = after(&name(), &Kept { revision: 2, ..kept() }, state, failed(wire()), Timestamp(0), 0);
        assert_eq!((again.refusals, again.failures), (0, 1), "counted anew once somebody acted");
    }

    #[test]
    fn what_is_left_over_is_fetched_at_once() {
        let more = Came { more: true, fetched: 5, ..Came::default() };
        let (state, _) = after(&name(), &kept(), State::default(), more, Timestamp(7), 99);
        assert_eq!((state.next, state.fetched), (Some(Timestamp(7)), 5));
    }

    #[test]
    fn visits_spread_within_their_share() {
        let (least, most) = (Duration::from_secs(540), Duration::from_secs(660));
        let draws: Vec<_> = [0, 1, 12_345_678_901, u64::MAX].map(|draw| jittered(10, draw)).to_vec();
        assert!(draws.iter().all(|time| (least..=most).contains(time)), "{draws:?}");
        assert!(draws[0] != draws[2]);
    }

    #[test]
    fn a_server_s_words_are_cut() {
        let long = failed(Trouble::Wire("x".repeat(FETCH_TEXT_MAX * 2)));
        let (state, _) = after(&name(), &kept(), State::default(), long, Timestamp(0), 0);
        assert_eq!(state.error.unwrap().chars().count(), FETCH_TEXT_MAX + 1);
    }
}
