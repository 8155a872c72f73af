//! Who looks after the lists: their test points, what is told of them, what is remembered.

use super::Reputation;
use crate::lists::Turn;
use crate::lists::{Fault, List, ListState, Outcome, Recorded, check, key};
use futures_util::stream::{self, StreamExt as _};
use mailward_core::config::ListKind;
use mailward_core::event::Event;
use mailward_core::limits::{LIST_CHECKS_AT_ONCE, LIST_RETRY_TIME};
use mailward_core::{Domain, Shutdown, Timestamp};
use mailward_store::records::{Shelf, ShelfChange};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// How a list is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListInfo {
    /// Its zone.
    pub list: Domain,
    /// What it is of.
    pub kind: ListKind,
    /// Its lines of the configuration.
    pub lines: Vec<String>,
    /// Whether it is asked.
    pub state: ListState,
    /// What is wrong, in words, if it is off.
    pub fault: Option<String>,
    /// Whether it is asked of IPv4 addresses alone, as it lists every IPv6 address.
    pub v6_off: bool,
    /// Whether it isn't asked for a while, as it was silent.
    pub rests: bool,
    /// Since when its state is so.
    pub since: Option<Timestamp>,
    /// When its test points were looked at last.
    pub checked: Option<Timestamp>,
    /// How often it was asked since it is used.
    pub asked: u64,
    /// How often it had something.
    pub listed: u64,
    /// How often it didn't answer.
    pub silent: u64,
    /// How often it answered what is no answer of a list.
    pub trouble: u64,
}

impl Reputation {
    /// Takes up what was known of lists when the server last ran: a list that was on is asked from the start. Does nothing
    /// for lists that were looked at since.
    ///
    /// What can't be read is left: the list is looked at as if it were new.
    pub async fn recall(&self) {
        let Some(shelf) = &self.shelf else { return };
        for list in self.table.load_full().all().filter(|list| list.memory.is_new()) {
            if let Ok(Some(record)) = shelf.shelved(Shelf::Lists, key(list)).await
                && let Some(recorded) = Recorded::read(&record)
            {
                recorded.recall(list);
            }
            list.memory.is_recalled();
        }
    }

    /// Looks at the lists' test points at once and then whenever it is time, until the server stops.
    pub async fn keep(self: Arc<Self>, mut shutdown: Shutdown) {
        loop {
            self.recall().await;
            self.look_at_those_due().await;
            let soonest = self.table.load().all().filter_map(|list| list.memory.due()).min();
            let again = async {
                match soonest {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.fired() => break,
                () = self.look.notified() => {}
                () = again => {}
            }
        }
        let lists: Vec<Arc<List>> = self.table.load().all().cloned().collect();
        self.remember(&lists).await;
    }

    /// Looks at the test points of every list whose time it is.
    pub async fn look_at_those_due(&self) {
        let now = Instant::now();
        let due: Vec<Arc<List>> =
            self.table.load().all().filter(|list| list.memory.due().is_none_or(|due| due <= now)).cloned().collect();
        if due.is_empty() {
            return;
        }
        // Each takes part at once: a slow one doesn't hold the others' news.
        stream::iter(&due)
            .for_each_concurrent(LIST_CHECKS_AT_ONCE, |list| async move { self.look_at(list).await })
            .await;
        self.remember(&due).await;
    }

    async fn look_at(&self, list: &List) {
        match check(list, &self.means.asker(None)).await {
            Outcome::Unknown => {
                list.memory.unsettled();
                let event = Event::info("list.unchecked").with("list", &list.zone);
                let wait = LIST_RETRY_TIME.as_secs();
                self.events.emit(event.with("why", "its test points can't be looked up now").with("again_in", wait));
            }
            Outcome::Known(state, v6_off) => {
                let before = list.memory.settle(state, v6_off, self.clock.now());
                let changed = before.state != state || before.v6_off != v6_off;
                if changed {
                    // What was said while it was otherwise doesn't count any more.
                    self.forget();
                }
                if let Some(event) = news(list, before.state, state) {
                    self.events.emit(event);
                }
                if v6_off && !before.v6_off && state == ListState::On {
                    let event = Event::alert("list.ipv6_off").with("list", &list.zone);
                    let event = event.with("why", "it lists an IPv6 address that must not be on any list");
                    self.events.emit(event.with("mend", Fault::AnswersEverything.mend()));
                }
            }
        }
    }

    /// Writes down how lists are.
    async fn remember(&self, lists: &[Arc<List>]) {
        let Some(shelf) = &self.shelf else { return };
        let now = self.clock.now();
        let record = |list: &Arc<List>| {
            let shelved = Recorded::of(list).shelved(list, now);
            shelved.map(|record| ShelfChange::Put(Shelf::Lists, record))
        };
        let changes: Vec<ShelfChange> = lists.iter().filter_map(record).collect();
        if !changes.is_empty()
            && let Err(error) = shelf.change_shelf(changes).await
        {
            self.events.emit(Event::warn("lists.unsaved").with("why", error));
        }
    }

    /// Tells if a list was sent to rest or came back, and has it looked at if it answered strangely.
    pub(super) fn tell_of(&self, list: &List) {
        match list.memory.turn() {
            Some(Turn::Rests) => {
                let event = Event::warn("list.rests").with("list", &list.zone);
                self.events.emit(event.with("why", "it didn't answer in time, several times in a row"));
            }
            Some(Turn::Answers) => self.events.emit(Event::info("list.answers").with("list", &list.zone)),
            None => {}
        }
        if list.memory.is_suspect() && list.memory.due().is_none_or(|due| due <= Instant::now()) {
            self.look.notify_one();
        }
    }

    /// How each list is, in the order of the configuration.
    #[must_use]
    pub fn lists(&self) -> Vec<ListInfo> {
        self.table.load().all().map(|list| info(list)).collect()
    }
}

fn info(list: &List) -> ListInfo {
    let (health, counts) = (list.memory.health(), &list.memory.counts);
    let fault = match health.state {
        ListState::Off { why } => Some(why.to_string()),
        ListState::On | ListState::Untested => None,
    };
    ListInfo {
        list: list.zone.clone(),
        kind: list.kind,
        lines: list.lines.iter().map(ToString::to_string).collect(),
        state: health.state,
        fault,
        v6_off: health.v6_off,
        rests: list.memory.rests(),
        since: health.since,
        checked: health.checked,
        asked: counts.asked.load(Ordering::Relaxed),
        listed: counts.listed.load(Ordering::Relaxed),
        silent: counts.silent.load(Ordering::Relaxed),
        trouble: counts.trouble.load(Ordering::Relaxed),
    }
}

/// What an administrator hears when a list is otherwise than before.
fn news(list: &List, before: ListState, now: ListState) -> Option<Event> {
    match (before, now) {
        (before, now) if before == now => None,
        (ListState::Untested, ListState::On) => Some(Event::info("list.asked").with("list", &list.zone)),
        (_, ListState::On) => Some(Event::alert("list.switched_on").with("list", &list.zone)),
        (_, ListState::Off { why }) => {
            let event = Event::alert("list.switched_off").with("list", &list.zone);
            Some(event.with("why", why).with("mend", why.mend()))
        }
        (_, ListState::Untested) => None,
    }
}
