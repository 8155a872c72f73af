//! What was heard, by topic, and when it is to be told.

use crate::kinds::{self, Kind};
use crate::message::{Item, Message, State};
use crate::time::{after, between};
use mailward_core::Timestamp;
use mailward_core::event::{Happening, Words};
use mailward_core::limits::{
    ALERT_GATHER_TIME, ALERT_KEY_MAX, ALERT_LINE_MAX, ALERT_REPEAT_TIME, ALERT_REPEAT_TIME_MAX, ALERT_TOPICS_MAX,
    ALERTS_PER_HOUR,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// An hour, in which messages are counted.
const HOUR: Duration = Duration::from_secs(3_600);

/// Alerts of one kind about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The event's name.
    pub name: String,
    /// When it came first, and last.
    pub first: Timestamp,
    /// See `first`.
    pub last: Timestamp,
    /// How often it came in all.
    pub count: u64,
    /// How often since it was told.
    pub untold: u64,
    /// When it was told last.
    pub told: Option<Timestamp>,
    /// Not told again before.
    pub next: Timestamp,
    /// How long it is counted and not told after it was told, seconds.
    pub pause: u64,
    /// Whether it is so now; an alert that has no opposite stays so.
    pub on: bool,
    /// What was told of that.
    pub told_on: bool,
    /// Fields of the last one.
    pub fields: Vec<(String, String)>,
    /// Words of the last one.
    pub words: Option<Words>,
}

/// What is told of values together: each once, and that there are more than there is room for.
fn both(before: &str, value: &str) -> String {
    const MORE: &str = "…";
    if before.ends_with(MORE) || before.split(", ").any(|one| one == value) {
        return before.to_owned();
    }
    let room = ALERT_LINE_MAX.saturating_sub(before.chars().count());
    let value = if value.chars().count().saturating_add(5) > room { MORE } else { value };
    format!("{before}, {value}")
}

impl Topic {
    fn new(name: &str, at: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            first: at,
            last: at,
            count: 0,
            untold: 0,
            told: None,
            next: at,
            pause: ALERT_REPEAT_TIME.as_secs(),
            on: false,
            told_on: false,
            fields: Vec::new(),
            words: None,
        }
    }

    /// Whether there is something to tell, now or later.
    fn is_news(&self) -> bool {
        self.untold > 0 || self.on != self.told_on
    }

    fn is_strange(&self) -> bool {
        kinds::of(&self.name).strangers
    }

    fn rests_shortest(&self) -> bool {
        self.pause <= ALERT_REPEAT_TIME.as_secs()
    }

    /// It came (again).
    fn came(&mut self, heard: &Happening, now: Timestamp) {
        let soonest = after(now, ALERT_GATHER_TIME);
        match self.told {
            // Nobody remembers it: as if it were new.
            Some(told) if between(told.max(self.last), now) >= ALERT_REPEAT_TIME_MAX => {
                self.pause = ALERT_REPEAT_TIME.as_secs();
                self.next = soonest;
            }
            Some(_) if self.is_news() => {}
            Some(_) => self.next = self.next.max(soonest),
            None if self.untold == 0 => self.next = soonest,
            None => {}
        }
        let mut fields = heard.fields.clone();
        if let Some(name) = kinds::of(&self.name).gathers.filter(|_| self.untold > 0)
            && let Some((_, before)) = self.fields.iter().find(|(key, _)| key == name)
            && let Some((_, value)) = fields.iter_mut().find(|(key, _)| key == name)
        {
            *value = both(before, value);
        }
        self.count = self.count.saturating_add(1);
        self.untold = self.untold.saturating_add(1);
        self.last = now;
        self.on = true;
        self.fields = fields;
        self.words.clone_from(&heard.words);
    }

    /// It is over.
    fn went(&mut self, heard: &Happening, now: Timestamp) {
        self.on = false;
        self.last = now;
        self.fields.clone_from(&heard.fields);
        self.words.clone_from(&heard.words);
        // What comes and goes all the time is told in its pauses, like all that comes again.
        if self.told_on && self.rests_shortest() {
            self.next = self.next.min(after(now, ALERT_GATHER_TIME));
        }
    }

    /// What is told of it now; from now on it is told.
    fn tell(&mut self, now: Timestamp) -> Item {
        let kind = kinds::of(&self.name);
        let again = self.told.is_some_and(|told| between(told, self.last) < ALERT_REPEAT_TIME_MAX.saturating_mul(2));
        let state = match (self.on, again && self.told_on) {
            (false, _) => State::Over,
            (true, true) => State::Again,
            (true, false) => State::New,
        };
        let own = |key: &str| self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        let mend = match state {
            State::Over => None,
            State::New | State::Again => own("mend").or_else(|| Some(kind.mend.to_owned())),
        };
        let item = Item {
            event: self.name.clone(),
            state,
            says: kind.says.to_owned(),
            mend,
            fields: self.fields.iter().filter(|(name, _)| name != "mend").cloned().collect(),
            lines: self.words.as_ref().map(|words| words.lines.clone()).unwrap_or_default(),
            subject: self.words.as_ref().map(|words| words.subject.clone()),
            since: self.told.filter(|_| again).unwrap_or(self.first),
            last: self.last,
            count: self.untold.max(1),
        };
        let pause = Duration::from_secs(self.pause);
        if let (Some(told), true) = (self.told, self.on) {
            let soon = between(told, now) < pause.saturating_mul(2);
            let longer = pause.saturating_mul(2).min(ALERT_REPEAT_TIME_MAX);
            self.pause = if soon { longer } else { ALERT_REPEAT_TIME }.as_secs();
        }
        self.told = Some(now);
        self.told_on = self.on;
        self.untold = 0;
        self.next = after(now, Duration::from_secs(self.pause));
        item
    }
}

/// All topics.
#[derive(Debug, Default)]
pub struct Book {
    topics: BTreeMap<String, Topic>,
    /// Those that changed since they were noted.
    changed: BTreeSet<String>,
    /// When messages were made, within an hour.
    made: Made,
    number: u64,
}

/// When messages were made, within an hour: of what strangers can cause, and of everything else. Neither holds up the other.
#[derive(Debug, Default)]
struct Made {
    strange: VecDeque<Timestamp>,
    own: VecDeque<Timestamp>,
}

impl Made {
    const fn of(&self, strangers: bool) -> &VecDeque<Timestamp> {
        if strangers { &self.strange } else { &self.own }
    }

    /// From when on one more message may be made.
    fn may(&self, strangers: bool, now: Timestamp) -> Timestamp {
        let made = self.of(strangers);
        let recent = made.iter().filter(|made| between(**made, now) < HOUR).count();
        match made.front() {
            Some(first) if recent >= ALERTS_PER_HOUR => after(*first, HOUR),
            _ => now,
        }
    }

    /// One is made now.
    fn one(&mut self, strangers: bool, now: Timestamp) {
        let made = if strangers { &mut self.strange } else { &mut self.own };
        while made.front().is_some_and(|made| between(*made, now) >= HOUR) {
            made.pop_front();
        }
        made.push_back(now);
    }

    fn follow_clock(&mut self, now: Timestamp) {
        for made in [&mut self.strange, &mut self.own] {
            made.retain(|made| *made <= after(now, ALERT_GATHER_TIME));
        }
    }
}

/// What tells alerts of a kind apart, in one line.
fn key(name: &str, kind: &Kind, heard: &Happening) -> String {
    let mut key = name.to_owned();
    for by in kind.by {
        if let Some((_, value)) = heard.fields.iter().find(|(name, _)| name == by) {
            key.push(' ');
            key.push_str(value);
        }
    }
    key.chars().take(ALERT_KEY_MAX).collect()
}

impl Book {
    /// With what was noted.
    #[must_use]
    pub fn with(topics: impl IntoIterator<Item = (String, Topic)>) -> Self {
        let topics = topics.into_iter().take(ALERT_TOPICS_MAX).collect();
        Self { topics, ..Self::default() }
    }

    /// Every topic by its key.
    pub fn topics(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.topics.iter().map(|(key, topic)| (key.as_str(), topic))
    }

    /// Takes what was heard.
    pub fn hear(&mut self, heard: &Happening, now: Timestamp) {
        let kind = kinds::of(heard.name);
        if let Some(ended) = kind.ends {
            let key = key(ended, &kind, heard);
            if let Some(topic) = self.topics.get_mut(&key).filter(|topic| topic.on) {
                topic.went(heard, now);
                self.changed.insert(key);
            }
            return;
        }
        let key = key(heard.name, &kind, heard);
        if !self.topics.contains_key(&key) {
            self.make_room();
        }
        self.topics.entry(key.clone()).or_insert_with(|| Topic::new(heard.name, now)).came(heard, now);
        self.changed.insert(key);
    }

    /// The one that came longest ago goes: one that strangers can cause, and one that was told, if there is such a one.
    fn make_room(&mut self) {
        if self.topics.len() < ALERT_TOPICS_MAX {
            return;
        }
        let oldest = self.topics.iter().min_by_key(|(_, topic)| (!topic.is_strange(), topic.is_news(), topic.last));
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.topics.remove(&key);
            self.changed.insert(key);
        }
    }

    /// A clock that was set back must not silence what was told by the time it had.
    fn follow_clock(&mut self, now: Timestamp) {
        for topic in self.topics.values_mut() {
            let latest = after(now, Duration::from_secs(topic.pause).saturating_add(ALERT_GATHER_TIME));
            if topic.next > latest {
                topic.next = latest;
            }
        }
        self.made.follow_clock(now);
    }

    /// When the next message can be made; `None` if there is nothing to tell.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let due = |strangers: bool| {
            let news = self.topics.values().filter(|topic| topic.is_news() && topic.is_strange() == strangers);
            news.map(|topic| topic.next).min().map(|next| next.max(self.made.may(strangers, now)))
        };
        [due(false), due(true)].into_iter().flatten().min()
    }

    /// Makes a message of what is due, with what else is new.
    pub fn take(&mut self, now: Timestamp) -> Option<Message> {
        self.follow_clock(now);
        if self.due(now).is_none_or(|due| due > now) {
            return None;
        }
        let open = [false, true].map(|strangers| self.made.may(strangers, now) <= now);
        let may = |strangers: bool| if strangers { open[1] } else { open[0] };
        let ready =
            |topic: &Topic| topic.is_news() && may(topic.is_strange()) && (topic.next <= now || topic.told.is_none());
        let mut told: Vec<(bool, Timestamp, Item)> = Vec::new();
        for (key, topic) in self.topics.iter_mut().filter(|(_, topic)| ready(topic)) {
            told.push((topic.is_strange(), topic.last, topic.tell(now)));
            self.changed.insert(key.clone());
        }
        // What strangers can't cause comes first: of very much, the end is left out. Then what is new before what is known, in
        // the order in which it came.
        told.sort_by_key(|(strangers, last, item)| (*strangers, item.state != State::New, *last));
        self.number = self.number.wrapping_add(1);
        let id = format!("{:012x}{:04x}", now.0, self.number & 0xffff);
        let mut then = None;
        for class in [false, true] {
            if told.iter().any(|(strangers, ..)| *strangers == class) {
                self.made.one(class, now);
                let next = self.made.may(class, now);
                then = then.max(Some(next).filter(|next| *next > now));
            }
        }
        Some(Message::new(id, now, told.into_iter().map(|(_, _, item)| item).collect(), then))
    }

    /// Keys of what changed since the last time, with what they are now; `None` if they are gone.
    pub fn changes(&mut self) -> Vec<(String, Option<Topic>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|key| (self.topics.get(&key).cloned(), key)).map(|(topic, key)| (key, topic)).collect()
    }

    /// Whether something changed that wasn't noted.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Has keys noted once more.
    pub fn not_noted(&mut self, keys: impl IntoIterator<Item = String>) {
        self.changed.extend(keys);
    }
}
