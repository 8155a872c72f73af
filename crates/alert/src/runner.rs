//! Hears, makes messages, and has every way bring them.

use crate::book::Book;
use crate::keep::{self, Left, Pending, WayState};
use crate::message::Message;
use crate::time::{after, between};
use crate::way::{Way, WayError};
use mailward_core::event::{Event, Events, Happening, Heard};
use mailward_core::limits::{
    ALERT_GATHER_TIME, ALERT_LAST_TIME, ALERT_NOTE_TIME, ALERT_RETRY_TIME, ALERT_RETRY_TIME_MAX, ALERT_TRIES,
    ALERT_WAY_TIME, ALERTS_HEARD_MAX, ALERTS_PENDING_MAX, SHELF_CHANGES_MAX,
};
use mailward_core::{Clock, Shutdown, Timestamp};
use mailward_store::{ShelfStore, StoreError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longest that the runner sleeps: the clock may jump.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// What a [`Runner`] is made of.
pub struct Parts {
    /// What is heard, since before there was a runner.
    pub heard: Heard,
    /// Where it is kept.
    pub shelf: Arc<dyn ShelfStore>,
    /// All ways that are configured.
    pub ways: Vec<Arc<dyn Way>>,
    /// Where events go.
    pub events: Events,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The handle of a runner. A clone is the same one's.
#[derive(Clone)]
pub struct Alerts {
    ways: Vec<Arc<dyn Way>>,
    clock: Arc<dyn Clock>,
    tell: Sender<Happening>,
}

/// What came of a trial by one way.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Outcome {
    /// The way's name.
    pub way: &'static str,
    /// Where it leads.
    pub to: String,
    /// Why it failed, if it did.
    pub failed: Option<String>,
}

impl Alerts {
    /// Sends a trial by every way at once, and tells what came of each. Takes `limits::ALERT_WAY_TIME` at most.
    pub async fn test(&self) -> Vec<Outcome> {
        let message = Arc::new(Message::trial(self.clock.now()));
        let mut tasks = JoinSet::new();
        for (place, way) in self.ways.iter().enumerate() {
            let (way, message) = (Arc::clone(way), Arc::clone(&message));
            tasks.spawn(async move { (place, bring(&*way, &message).await) });
        }
        let mut outcomes = BTreeMap::new();
        while let Some(ended) = tasks.join_next().await {
            if let Ok((place, result)) = ended {
                outcomes.insert(place, result);
            }
        }
        let outcome = |(place, way): (usize, &Arc<dyn Way>)| {
            let result = outcomes.remove(&place).unwrap_or_else(|| Err(WayError("it broke off by a fault".to_owned())));
            Outcome { way: way.name(), to: way.leads_to(), failed: result.err().map(|error| error.to_string()) }
        };
        self.ways.iter().enumerate().map(outcome).collect()
    }

    /// What there is to say after everything else has ended. Like an event that is heard.
    pub fn last_words(&self, event: &Event) {
        let _full = self.tell.try_send(Happening::of(event, self.clock.now()));
    }

    /// Names of all ways, with where they lead.
    #[must_use]
    pub fn ways(&self) -> Vec<(&'static str, String)> {
        self.ways.iter().map(|way| (way.name(), way.leads_to())).collect()
    }
}

/// One try, in its time.
async fn bring(way: &dyn Way, message: &Message) -> Result<(), WayError> {
    let late = || WayError(format!("it took longer than {} seconds", ALERT_WAY_TIME.as_secs()));
    timeout(ALERT_WAY_TIME, way.bring(message)).await.unwrap_or_else(|_| Err(late()))
}

/// See the [crate](crate).
pub struct Runner {
    heard: Heard,
    asked: Receiver<Happening>,
    shelf: Arc<dyn ShelfStore>,
    ways: Vec<Working>,
    events: Events,
    clock: Arc<dyn Clock>,
    book: Book,
    pending: VecDeque<Pending>,
    /// Messages and ways that changed since they were noted.
    changed_messages: BTreeSet<String>,
    changed_ways: BTreeSet<&'static str>,
    tasks: JoinSet<Done>,
    noting: bool,
    /// Not noted before.
    note_after: Timestamp,
}

struct Working {
    way: Arc<dyn Way>,
    state: WayState,
    busy: bool,
}

/// What a task has done.
enum Done {
    Brought {
        way: usize,
        id: String,
        result: Result<(), WayError>,
    },
    Noted {
        topics: Vec<String>,
        messages: BTreeSet<String>,
        ways: BTreeSet<&'static str>,
        result: Result<(), StoreError>,
    },
}

impl Runner {
    /// Does nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> (Self, Alerts) {
        let Parts { heard, shelf, ways, events, clock } = parts;
        let (tell, asked) = channel(ALERTS_HEARD_MAX);
        let alerts = Alerts { ways: ways.clone(), clock: Arc::clone(&clock), tell };
        let ways = ways.into_iter().map(|way| Working { way, state: WayState::default(), busy: false }).collect();
        let runner = Self {
            heard,
            asked,
            shelf,
            ways,
            events,
            clock,
            book: Book::default(),
            pending: VecDeque::new(),
            changed_messages: BTreeSet::new(),
            changed_ways: BTreeSet::new(),
            tasks: JoinSet::new(),
            noting: false,
            note_after: Timestamp(0),
        };
        (runner, alerts)
    }

    /// Works until the word to stop. What wasn't told by then is noted, and told after the next start.
    pub async fn run(mut self, mut shutdown: Shutdown) {
        self.remember().await;
        loop {
            let sleep = self.work();
            tokio::select! {
                () = shutdown.fired() => break,
                Some(heard) = self.heard.next() => self.hear(&heard),
                Some(heard) = self.asked.recv() => self.hear(&heard),
                Some(ended) = self.tasks.join_next() => self.ended(ended),
                () = tokio::time::sleep(sleep) => {}
            }
        }
        self.end().await;
    }

    /// Reads what was noted.
    async fn remember(&mut self) {
        let read = timeout(ALERT_WAY_TIME, keep::read(&*self.shelf)).await;
        let read = match read.unwrap_or(Err(StoreError::Closed)) {
            Ok(read) => read,
            Err(error) => {
                self.events.emit(Event::warn("alert.forgotten").with("reason", error));
                return;
            }
        };
        if read.unread > 0 {
            self.events.emit(Event::warn("alert.forgotten").with("records", read.unread));
        }
        self.book = Book::with(read.topics);
        for mut pending in read.pending.into_iter().take(ALERTS_PENDING_MAX) {
            pending.left.retain(|left| self.ways.iter().any(|working| working.way.name() == left.way));
            for left in &mut pending.left {
                // Whatever was wrong may be mended since.
                left.next = Timestamp(0);
            }
            self.pending.push_back(pending);
        }
        for (name, state) in read.ways {
            if let Some(working) = self.ways.iter_mut().find(|working| working.way.name() == name) {
                working.state = state;
            }
        }
        self.clear();
    }

    fn hear(&mut self, heard: &Happening) {
        let now = self.clock.now();
        self.book.hear(heard, now);
        let mut taken = 0usize;
        while taken < ALERTS_HEARD_MAX
            && let Some(heard) = self.heard.try_next()
        {
            self.book.hear(&heard, now);
            taken = taken.saturating_add(1);
        }
        let lost = self.heard.lost();
        if lost > 0 {
            let event = Event::alert("alert.lost").with("alerts", lost);
            self.book.hear(&Happening::of(&event, now), now);
        }
    }

    /// Does what is to be done now; how long there will be nothing.
    fn work(&mut self) -> Duration {
        let now = self.clock.now();
        // A clock that was set back must not hold anything up.
        self.note_after = self.note_after.min(after(now, ALERT_RETRY_TIME));
        for left in self.pending.iter_mut().flat_map(|pending| &mut pending.left) {
            left.next = left.next.min(after(now, ALERT_RETRY_TIME_MAX));
        }
        if let Some(message) = self.book.take(now) {
            self.add(message, now);
        }
        self.try_ways(now);
        self.note(now);
        let next_try = (self.pending.iter())
            .flat_map(|pending| &pending.left)
            .filter(|left| self.ways.iter().any(|working| !working.busy && working.way.name() == left.way))
            .map(|left| left.next);
        let note = (self.is_to_note() && !self.noting).then_some(self.note_after);
        let next = next_try.chain(self.book.due(now)).chain(note).min();
        next.map_or(SLEEP_MAX, |next| between(now, next).max(Duration::from_millis(1)).min(SLEEP_MAX))
    }

    /// A message is to go all ways.
    fn add(&mut self, message: Message, now: Timestamp) {
        // Nobody hears by a way that it fails.
        let only_of = |name: &str| {
            message.more == 0
                && message.items.iter().all(|item| {
                    item.event == "alert.failing"
                        && item.fields.iter().any(|(key, value)| key == "way" && value == name)
                })
        };
        let ways = self.ways.iter().map(|working| working.way.name()).filter(|name| !only_of(name));
        let left: Vec<Left> = ways.map(|way| Left { way: way.to_owned(), tries: 0, next: now }).collect();
        if left.is_empty() {
            self.events.emit(Event::warn("alert.untold").with("title", message.title()));
            return;
        }
        if self.pending.len() >= ALERTS_PENDING_MAX
            && let Some(oldest) = self.pending.pop_front()
        {
            for left in &oldest.left {
                self.give_up(&left.way, &oldest.message.id);
            }
            self.changed_messages.insert(oldest.message.id);
        }
        self.changed_messages.insert(message.id.clone());
        self.pending.push_back(Pending { message, left });
    }

    fn give_up(&mut self, name: &str, id: &str) {
        self.events.emit(Event::warn("alert.given_up").with("way", name).with("message", id));
        if let Some(working) = self.ways.iter_mut().find(|working| working.way.name() == name) {
            working.state.given_up = working.state.given_up.saturating_add(1);
            self.changed_ways.insert(working.way.name());
        }
    }

    /// Gives each way that is free its oldest message that is due.
    fn try_ways(&mut self, now: Timestamp) {
        for (place, working) in self.ways.iter_mut().enumerate().filter(|(_, working)| !working.busy) {
            let name = working.way.name();
            let due = |pending: &&Pending| pending.left.iter().any(|left| left.way == name && left.next <= now);
            let Some(pending) = self.pending.iter().find(due) else { continue };
            working.busy = true;
            let (way, message) = (Arc::clone(&working.way), pending.message.clone());
            self.tasks.spawn(async move {
                let result = bring(&*way, &message).await;
                Done::Brought { way: place, id: message.id, result }
            });
        }
    }

    fn ended(&mut self, ended: Result<Done, tokio::task::JoinError>) {
        match ended {
            Ok(Done::Brought { way, id, result }) => self.brought(way, &id, result),
            Ok(Done::Noted { topics, messages, ways, result }) => self.noted(topics, messages, ways, &result),
            // Which it was isn't known: each may be tried and noted again.
            Err(fault) => {
                self.events.emit(Event::warn("alert.broke_off").with("reason", fault));
                if self.tasks.is_empty() {
                    self.noting = false;
                    self.ways.iter_mut().for_each(|working| working.busy = false);
                }
            }
        }
    }

    fn brought(&mut self, place: usize, id: &str, result: Result<(), WayError>) {
        let now = self.clock.now();
        let Some(working) = self.ways.get_mut(place) else { return };
        let name = working.way.name();
        working.busy = false;
        self.changed_ways.insert(name);
        self.changed_messages.insert(id.to_owned());
        let pending = self.pending.iter_mut().find(|pending| pending.message.id == id);
        let left = pending.and_then(|pending| pending.left.iter_mut().find(|left| left.way == name));
        let state = &mut working.state;
        let Err(error) = result else {
            if let Some(left) = left {
                // Marked, and cleared away below.
                left.tries = u32::MAX;
            }
            state.told = Some(now);
            state.why = None;
            let failed = std::mem::take(&mut state.failures);
            if state.failing.take().is_some() && failed > 1 {
                self.events.emit(Event::info("alert.recovered").with("way", name));
            }
            self.events.emit(Event::info("alert.sent").with("way", name).with("message", id));
            self.clear();
            return;
        };
        self.events.emit(Event::warn("alert.unsent").with("way", name).with("message", id).with("reason", &error));
        state.failures = state.failures.saturating_add(1);
        state.failing.get_or_insert(now);
        state.why = Some(mailward_core::event::Words::new("", std::slice::from_ref(&error.0)).lines.concat());
        // One hiccup is none.
        if state.failures == 2 {
            self.events.emit(Event::alert("alert.failing").with("way", name).with("reason", &error));
        }
        let mut is_last = false;
        if let Some(left) = left {
            left.tries = left.tries.saturating_add(1);
            let pause = ALERT_RETRY_TIME.saturating_mul(5u32.saturating_pow(left.tries.saturating_sub(1)));
            left.next = after(now, pause.min(ALERT_RETRY_TIME_MAX));
            is_last = left.tries >= ALERT_TRIES;
            if is_last {
                left.tries = u32::MAX;
            }
        }
        if is_last {
            self.give_up(name, id);
        }
        self.clear();
    }

    /// Takes out what went all ways.
    fn clear(&mut self) {
        for pending in &mut self.pending {
            pending.left.retain(|left| left.tries < u32::MAX);
            if pending.left.is_empty() {
                self.changed_messages.insert(pending.message.id.clone());
            }
        }
        self.pending.retain(|pending| !pending.left.is_empty());
    }

    fn is_to_note(&self) -> bool {
        self.book.has_changes() || !self.changed_messages.is_empty() || !self.changed_ways.is_empty()
    }

    /// Notes what changed; one commit at a time, beside everything else.
    fn note(&mut self, now: Timestamp) {
        if self.noting || now < self.note_after || !self.is_to_note() {
            return;
        }
        let mut changes = Vec::new();
        let mut topics = Vec::new();
        for (key, topic) in self.book.changes() {
            if changes.len() < SHELF_CHANGES_MAX.saturating_div(2) {
                changes.push(keep::topic(&key, topic.as_ref()));
                topics.push(key);
            } else {
                self.book.not_noted([key]);
            }
        }
        let messages = std::mem::take(&mut self.changed_messages);
        for id in &messages {
            changes.push(keep::pending(id, self.pending.iter().find(|pending| pending.message.id == *id)));
        }
        let ways = std::mem::take(&mut self.changed_ways);
        for working in self.ways.iter().filter(|working| ways.contains(working.way.name())) {
            changes.push(keep::way(working.way.name(), &working.state));
        }
        self.noting = true;
        self.note_after = after(now, ALERT_NOTE_TIME);
        let shelf = Arc::clone(&self.shelf);
        self.tasks.spawn(async move {
            let result = shelf.change_shelf(changes).await;
            Done::Noted { topics, messages, ways, result }
        });
    }

    fn noted(
        &mut self,
        topics: Vec<String>,
        messages: BTreeSet<String>,
        ways: BTreeSet<&'static str>,
        result: &Result<(), StoreError>,
    ) {
        self.noting = false;
        if result.is_err() {
            // The store says itself that it fails. What isn't noted is still told.
            self.note_after = after(self.clock.now(), ALERT_RETRY_TIME);
            self.book.not_noted(topics);
            self.changed_messages.extend(messages);
            self.changed_ways.extend(ways);
        }
    }

    /// The last moment: what was just heard is told if there is time, and noted.
    async fn end(mut self) {
        while let Ok(heard) = self.asked.try_recv() {
            self.hear(&heard);
        }
        if let Some(heard) = self.heard.try_next() {
            self.hear(&heard);
        }
        let now = self.clock.now();
        // Nothing more will gather.
        if let Some(message) = self.book.take(after(now, ALERT_GATHER_TIME)) {
            self.add(message, now);
        }
        self.note_after = now;
        let _late = timeout(ALERT_LAST_TIME, async {
            self.try_ways(now);
            self.note(now);
            while let Some(ended) = self.tasks.join_next().await {
                // A store that has just failed won't do better in this moment.
                let failed = matches!(&ended, Ok(Done::Noted { result: Err(_), .. }));
                self.ended(ended);
                if !failed {
                    self.note_after = self.clock.now();
                    self.note(self.note_after);
                }
            }
        })
        .await;
    }
}
