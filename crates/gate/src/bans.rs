//! Bans: hosts and networks that get nothing, until when and why.
//!
//! A ban acts when [`Bans::add`] returns; [`Bans::run`] writes it to its shelf soon after, [`Bans::kept`] waits for that. The
//! question whether an address is banned takes as many looks as there are lengths of prefixes among the bans, whatever their
//! number. A ban that ended is remembered for a while: the next one of the same host is longer.

mod shelf;
mod spared;
mod table;

#[cfg(test)]
mod tests;

pub use shelf::reads_back;

use crate::keep::{Complaint, Keeper};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    BAN_MINUTES, BAN_NEWS_MAX, BAN_TIME_MAX, BAN_TIMES, BAN_WHY_MAX, BANS_ENDED_AT_ONCE, BANS_MAX, PAGE_ROWS_MAX,
};
use mailward_core::{Clock, Listener, Network, Shutdown, Timestamp};
use mailward_store::records::{Shelf, ShelfChange};
use mailward_store::{ShelfStore, StoreError};
use serde::{Deserialize, Serialize};
use shelf::{Kept, Key};
use spared::{SparedOnes, overlap};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use table::Table;
use tokio::sync::broadcast;

/// Where a ban acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanScope {
    /// At every door.
    All,
    /// Where users log in: who guesses passwords, or lives beside those who do, may still bring mail.
    Logins,
}

impl BanScope {
    /// Its word in lists and the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            BanScope::All => "all",
            BanScope::Logins => "logins",
        }
    }
    /// Whether it acts at a door.
    #[must_use]
    pub const fn covers(self, listener: Listener) -> bool {
        match self {
            BanScope::All => true,
            BanScope::Logins => listener.has_logins(),
        }
    }
}

/// Who banned somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BannedBy {
    /// For logins that failed.
    LoginGuard,
    /// For how much came.
    RateGuard,
    /// By hand.
    Administrator,
    /// For a moment, to see that it acts.
    Test,
}

impl BannedBy {
    /// Its word in lists and the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            BannedBy::LoginGuard => "login-guard",
            BannedBy::RateGuard => "rate-guard",
            BannedBy::Administrator => "administrator",
            BannedBy::Test => "test",
        }
    }
    /// Where such a ban acts.
    #[must_use]
    pub const fn scope(self) -> BanScope {
        match self {
            BannedBy::LoginGuard => BanScope::Logins,
            BannedBy::RateGuard | BannedBy::Administrator | BannedBy::Test => BanScope::All,
        }
    }
    /// Whether somebody wanted exactly this.
    #[must_use]
    pub const fn by_hand(self) -> bool {
        matches!(self, BannedBy::Administrator | BannedBy::Test)
    }
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who gets nothing.
    pub network: Network,
    /// From when.
    pub since: Timestamp,
    /// Until when; `None`: for good.
    pub until: Option<Timestamp>,
    /// By whom.
    pub by: BannedBy,
    /// Why, in words of ours or the administrator's; at most `limits::BAN_WHY_MAX` characters.
    pub why: String,
    /// Which one it is in a row.
    pub times: u32,
    /// Whether it holds also for those who are never banned by themselves.
    pub forced: bool,
    /// Connections that it stopped in this process.
    pub stopped: u64,
}

impl Ban {
    /// Where it acts.
    #[must_use]
    pub const fn scope(&self) -> BanScope {
        self.by.scope()
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn runs(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// How long a ban is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanTime {
    /// As `bans.time` says, and longer on repetition.
    Usual,
    /// So long, at most `limits::BAN_TIME_MAX`.
    For(Duration),
    /// For good.
    ForGood,
}

/// A ban that is to be.
#[derive(Clone, Debug)]
pub struct BanWish {
    /// Who is to get nothing.
    pub network: Network,
    /// Who says so.
    pub by: BannedBy,
    /// Why, in words.
    pub why: String,
    /// How long.
    pub time: BanTime,
    /// Also if it is somebody who is never banned by itself.
    pub force: bool,
}

/// Why somebody isn't banned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BanError {
    /// It is somebody who is never banned by itself; the words say why.
    #[error("{0} isn't banned: {1}")]
    Spared(Network, String),
    /// See `limits::BANS_MAX`.
    #[error("{0} isn't banned: there are {BANS_MAX} bans that last longer, as many as there may be")]
    Full(Network),
}

/// What happened to bans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BanNews {
    /// One began, or changed.
    Added(Ban),
    /// One is over: it ended or was lifted.
    Removed(Network),
}

/// All bans. One for the whole server.
pub struct Bans {
    clock: Arc<dyn Clock>,
    events: Events,
    state: RwLock<State>,
    keeper: Keeper<Key>,
}

struct State {
    table: Table,
    spared: SparedOnes,
    first: Duration,
    news: broadcast::Sender<BanNews>,
}

impl std::fmt::Debug for Bans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bans")
    }
}

impl Bans {
    /// Those that stand on the shelf.
    ///
    /// # Errors
    /// The store's. A record that can't be read is left out, and told.
    pub async fn open(
        shelf: Arc<dyn ShelfStore>,
        clock: Arc<dyn Clock>,
        events: Events,
    ) -> Result<Arc<Self>, StoreError> {
        let now = clock.now();
        let (mut table, mut spared) = (Table::new(BANS_MAX), SparedOnes::default());
        let mut after = None;
        loop {
            let page = shelf.shelf(Shelf::Bans, after, PAGE_ROWS_MAX).await?;
            for record in &page {
                match shelf::read(record) {
                    Some(Kept::Ban(ban)) => drop(table.put(ban, now)),
                    Some(Kept::Spared(ip, one)) => spared.put(ip, one),
                    None => events.emit(Event::alert("ban.unreadable").with("record", &record.key)),
                }
            }
            let Some(last) = page.into_iter().next_back() else { break };
            after = Some(last.key);
        }
        let first = Duration::from_secs(u64::try_from(BAN_MINUTES).unwrap_or(10).saturating_mul(60));
        let state = RwLock::new(State { table, spared, first, news: broadcast::channel(BAN_NEWS_MAX).0 });
        Ok(Arc::new(Self { clock, events, state, keeper: Keeper::new(shelf) }))
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        // Every change is whole before anything in it could panic.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an administrator may move: how long a first ban is, and whose networks are never banned by themselves. Bans of
    /// those that came by themselves are lifted.
    pub fn set(&self, first: Duration, never: Vec<Network>) {
        let now = self.clock.now();
        let mut state = self.state_mut();
        state.first = first;
        state.spared.never = never;
        let running = state.table.page(None, now, usize::MAX);
        let meant =
            |ban: &Ban| !ban.by.by_hand() && state.spared.never.iter().any(|never| overlap(never, &ban.network));
        let lifted: Vec<Network> = running.iter().filter(|ban| meant(ban)).map(|ban| ban.network).collect();
        for network in lifted {
            self.lift(&mut state, &network, "never to be banned");
        }
    }

    /// The ban that holds for an address at any door, if there is one.
    #[must_use]
    pub fn banned(&self, ip: IpAddr) -> Option<Ban> {
        self.state().table.stops(ip, None, self.clock.now(), false)
    }

    /// The ban that holds for an address at this door, if there is one.
    #[must_use]
    pub fn banned_at(&self, ip: IpAddr, listener: Listener) -> Option<Ban> {
        self.state().table.stops(ip, Some(listener), self.clock.now(), false)
    }

    /// Whether a connection from an address gets nothing at this door, or, without one, at any; it is counted.
    #[must_use]
    pub fn stops(&self, ip: IpAddr, listener: Option<Listener>) -> bool {
        self.state().table.stops(ip, listener, self.clock.now(), true).is_some()
    }

    /// Bans somebody, from now on. What the guards wish never makes a ban shorter or narrower; what an administrator wishes
    /// holds until it ends.
    ///
    /// # Errors
    /// [`BanError`].
    pub fn add(&self, wish: BanWish) -> Result<Ban, BanError> {
        let now = self.clock.now();
        let BanWish { network, by, why, time, force } = wish;
        let mut state = self.state_mut();
        if !force && let Some(why) = state.spared.why(&network, now) {
            return Err(BanError::Spared(network, why));
        }
        let old = state.table.get(&network);
        let running = old.as_ref().filter(|old| old.runs(now));
        let times = match (&old, running) {
            (_, Some(running)) => running.times,
            (Some(past), None) if !by.by_hand() => past.times.saturating_add(1),
            _ => 1,
        };
        let until = until(time, state.first, times, now);
        if let Some(running) = running
            && !by.by_hand()
            && (running.by.by_hand() || running.until.is_none_or(|there| until.is_some_and(|until| until <= there)))
        {
            return Ok(running.clone());
        }
        let why = why.chars().take(BAN_WHY_MAX).collect();
        let since = running.map_or(now, |running| running.since);
        let ban = Ban { network, since, until, by, why, times, forced: force, stopped: 0 };
        let Some(out) = state.table.put(ban.clone(), now) else { return Err(BanError::Full(network)) };
        for one in out {
            self.keeper.note(Key::Ban(one.network));
            state.tell(BanNews::Removed(one.network));
        }
        self.keeper.note(Key::Ban(network));
        state.tell(BanNews::Added(ban.clone()));
        drop(state);
        let event = Event::warn("ban.added").with("network", network).with("by", by.name()).with("why", &ban.why);
        let event = event.with("scope", ban.scope().name());
        let seconds = until.map(|until| until.0.saturating_sub(now.0).div_euclid(1_000));
        let event = event.with("seconds", seconds.map_or_else(|| "for good".to_owned(), |s| s.to_string()));
        self.events.emit(event.with("times", times));
        Ok(ban)
    }

    /// Lifts a ban of exactly this network, and forgets that there was one. Answers it.
    pub fn remove(&self, network: &Network) -> Option<Ban> {
        let lifted = self.lift(&mut self.state_mut(), network, "by hand");
        lifted.filter(|ban| ban.runs(self.clock.now()))
    }

    fn lift(&self, state: &mut State, network: &Network, why: &str) -> Option<Ban> {
        let ban = state.table.take(network)?;
        self.keeper.note(Key::Ban(*network));
        state.tell(BanNews::Removed(*network));
        self.events.emit(Event::info("ban.removed").with("network", network).with("why", why));
        Some(ban)
    }

    /// Bans that run, in the order of their networks after one, at most so many.
    #[must_use]
    pub fn list(&self, after: Option<&Network>, most: usize) -> Vec<Ban> {
        self.state().table.page(after, self.clock.now(), most)
    }

    /// All bans as they are now, and what comes after, nothing missed between. A receiver that lagged behind has to ask
    /// anew.
    #[must_use]
    pub fn subscribe(&self) -> (Vec<Ban>, broadcast::Receiver<BanNews>) {
        let state = self.state();
        (state.table.page(None, self.clock.now(), usize::MAX), state.news.subscribe())
    }

    /// Somebody works from this address who must not be shut out: it is never banned by itself for
    /// `limits::BAN_SPARED_TIME`, and bans that came by themselves are lifted.
    pub fn spare(&self, ip: IpAddr, who: &str) {
        let (ip, now) = (ip.to_canonical(), self.clock.now());
        if ip.is_loopback() || ip.is_unspecified() {
            return;
        }
        let mut state = self.state_mut();
        if state.spared.see(ip, who, now) {
            self.keeper.note(Key::Spared(ip));
        }
        for ban in state.table.covering(ip, now) {
            if !ban.by.by_hand() {
                self.lift(&mut state, &ban.network, &format!("{who} works from there"));
            }
        }
    }

    /// Why a network, or part of it, is never banned by itself.
    #[must_use]
    pub fn spared(&self, network: &Network) -> Option<String> {
        self.state().spared.why(network, self.clock.now())
    }

    /// Waits until everything up to now is on stable storage.
    ///
    /// # Errors
    /// The store's; what wasn't written is tried again by [`Bans::run`].
    pub async fn kept(&self) -> Result<(), StoreError> {
        self.keeper.kept(|key| self.change(key)).await
    }

    fn change(&self, key: &Key) -> ShelfChange {
        let state = self.state();
        let record = match key {
            Key::Ban(network) => state.table.get(network).map(|ban| shelf::ban(&ban)),
            Key::Spared(ip) => state.spared.get(*ip).map(|one| shelf::spared(*ip, one)),
        };
        ShelfChange::Put(Shelf::Bans, record.unwrap_or_else(|| shelf::gone(*key)))
    }

    /// Tells of bans that ended.
    pub fn end(&self) {
        let now = self.clock.now();
        let mut state = self.state_mut();
        for ban in state.table.end(now, BANS_ENDED_AT_ONCE) {
            state.tell(BanNews::Removed(ban.network));
            self.events.emit(Event::info("ban.ended").with("network", ban.network).with("stopped", ban.stopped));
        }
    }

    /// Writes what changes and tells what ends, until the server stops.
    pub async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let complaint = Complaint {
            event: "ban.unwritten",
            mend: "bans act, and are forgotten by a restart: see what ails the store",
        };
        let look = || {
            self.end();
            self.until_next_end()
        };
        self.keeper.run(|key| self.change(key), look, &self.events, complaint, shutdown).await;
    }

    fn until_next_end(&self) -> Duration {
        /// A clock that is set meanwhile is noticed so soon.
        const LOOK: Duration = Duration::from_secs(60);
        let now = self.clock.now();
        let left = self.state().table.next_end().map_or(i64::MAX, |until| until.0.saturating_sub(now.0));
        Duration::from_millis(u64::try_from(left).unwrap_or(0)).clamp(Duration::from_millis(10), LOOK)
    }
}

impl State {
    fn tell(&self, news: BanNews) {
        // Nobody listening is no fault.
        let _listeners = self.news.send(news);
    }
}

fn until(time: BanTime, first: Duration, times: u32, now: Timestamp) -> Option<Timestamp> {
    let length = match time {
        BanTime::ForGood => return None,
        BanTime::For(length) => length,
        BanTime::Usual => {
            let step = usize::try_from(times.saturating_sub(1)).unwrap_or(usize::MAX);
            let factor = BAN_TIMES.get(step).or(BAN_TIMES.last()).copied().unwrap_or(1);
            first.saturating_mul(factor)
        }
    };
    let length = i64::try_from(length.min(BAN_TIME_MAX).as_millis()).unwrap_or(i64::MAX);
    Some(Timestamp(now.0.saturating_add(length)))
}
