//! What is told at once, and how it reads.

use crate::kinds;
use mailward_core::event::Words;
use mailward_core::limits::{ALERT_ITEMS_MAX, ALERT_ITEMS_WHOLE, ALERT_JSON_MAX};
use mailward_core::{Address, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What is told of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It came.
    New,
    /// It came again since it was told.
    Again,
    /// It is over.
    Over,
}

/// One topic in a message. No text in it has a character that acts where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The event's name, `noun.verb`.
    pub event: String,
    /// What is told of it.
    pub state: State,
    /// One sentence, without its full stop.
    pub says: String,
    /// What to do.
    pub mend: Option<String>,
    /// Of the last one. Values may be an outsider's words.
    pub fields: Vec<(String, String)>,
    /// Words of whoever told it, if there are some.
    pub lines: Vec<String>,
    /// Their subject.
    pub subject: Option<String>,
    /// From when on.
    pub since: Timestamp,
    /// When it came last.
    pub last: Timestamp,
    /// How often since it was told.
    pub count: u64,
}

/// What is told at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Names it; another each time.
    pub id: String,
    /// When it was made.
    pub made: Timestamp,
    /// What it tells.
    pub items: Vec<Item>,
    /// Topics that it has no room for.
    pub more: u64,
    /// When the next message may come, if there were too many.
    pub then: Option<Timestamp>,
    /// Whether it is a trial.
    pub test: bool,
}

impl Item {
    /// One line.
    #[must_use]
    pub fn title(&self) -> String {
        let title = self.subject.as_deref().unwrap_or(&self.says);
        match self.state {
            State::New => title.to_owned(),
            State::Again => format!("Again: {title}"),
            State::Over => format!("Over: {}", self.says),
        }
    }

    /// All of it, a line each.
    fn whole(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.lines.is_empty() {
            lines.push(format!("{}.", self.title()));
            lines.push(String::new());
            lines.extend(self.fields.iter().map(|(name, value)| format!("  {name}: {value}")));
            lines.push(format!("  event: {}", self.event));
        } else {
            lines.extend(self.lines.iter().cloned());
            lines.push(String::new());
        }
        if self.count > 1 || self.state != State::New {
            let (count, since, last) = (self.count, self.since.text(), self.last.text());
            lines.push(format!("  {count} times from {since} to {last}"));
        } else {
            lines.push(format!("  at {}", self.last.text()));
        }
        if let (Some(mend), true) = (&self.mend, self.lines.is_empty()) {
            lines.push(String::new());
            lines.push(format!("What to do: {mend}"));
        }
        lines
    }

    fn json(&self) -> Value {
        let fields: Map<String, Value> =
            self.fields.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
        json!({
            "event": self.event,
            "state": self.state,
            "title": self.title(),
            "mend": self.mend,
            "fields": fields,
            "lines": self.lines,
            "since": self.since.text(),
            "last": self.last.text(),
            "count": self.count,
        })
    }
}

impl Message {
    /// Of these items, in this order; of more than fit the number alone.
    pub(crate) fn new(id: String, made: Timestamp, mut items: Vec<Item>, then: Option<Timestamp>) -> Self {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let more = count(items.len().saturating_sub(ALERT_ITEMS_MAX));
        items.truncate(ALERT_ITEMS_MAX);
        for item in items.iter_mut().skip(ALERT_ITEMS_WHOLE) {
            item.lines.clear();
        }
        let mut message = Self { id, made, items, more, then, test: false };
        // Words go first, then fields, the last ones before the others.
        while message.size() > ALERT_JSON_MAX {
            if let Some(item) = message.items.iter_mut().rev().find(|item| !item.lines.is_empty()) {
                item.lines.clear();
            } else if let Some(item) = message.items.iter_mut().rev().find(|item| !item.fields.is_empty()) {
                item.fields.clear();
            } else if message.items.pop().is_some() {
                message.more = message.more.saturating_add(1);
            } else {
                break;
            }
        }
        message
    }

    /// What it tells of people, each in a message of its own that is for them.
    pub(crate) fn own_letters(&self) -> Vec<(Address, Self)> {
        let own = |(number, item): (usize, &Item)| {
            let field = kinds::of(&item.event).who?;
            let (_, who) = item.fields.iter().find(|(name, _)| name == field)?;
            let who = Address::parse(who, true).ok()?;
            let id = format!("{}p{number}", self.id);
            Some((who, Self { id, items: vec![item.clone()], more: 0, then: None, ..*self }))
        };
        self.items.iter().enumerate().filter_map(own).collect()
    }

    /// A trial.
    pub(crate) fn trial(made: Timestamp) -> Self {
        let kind = kinds::of("alert.test");
        let item = Item {
            event: kind.name.to_owned(),
            state: State::New,
            says: kind.says.to_owned(),
            mend: Some(kind.mend.to_owned()),
            fields: Vec::new(),
            lines: Vec::new(),
            subject: None,
            since: made,
            last: made,
            count: 1,
        };
        let test = Self::new(format!("{:012x}test", made.0), made, vec![item], None);
        Self { test: true, ..test }
    }

    /// Bytes that it takes as JSON; the host's name comes to it twice.
    fn size(&self) -> usize {
        self.json("").to_string().len()
    }

    fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// One line.
    #[must_use]
    pub fn title(&self) -> String {
        let first = self.items.first().map(Item::title).unwrap_or_default();
        let all = u64::try_from(self.items.len()).unwrap_or(u64::MAX).saturating_add(self.more);
        if all > 1 { format!("{all} alerts: {first}") } else { first }
    }

    /// All of it for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, item) in self.items.iter().enumerate() {
            if number >= ALERT_ITEMS_WHOLE {
                lines.push(format!("{} ({}, {} times)", item.title(), item.event, item.count));
                continue;
            }
            if number > 0 {
                lines.extend([String::new(), "-".repeat(40), String::new()]);
            }
            if !item.lines.is_empty() && self.items.len() > 1 {
                lines.extend([item.title(), String::new()]);
            }
            lines.extend(item.whole());
        }
        if self.more > 0 {
            lines.extend([String::new(), format!("And {} more: mailward alert list", self.more)]);
        }
        if let Some(then) = self.then {
            lines.push(String::new());
            lines.push(format!("So many alerts came that more like these are gathered until {}.", then.text()));
        }
        lines
    }

    /// All of it for mail.
    #[must_use]
    pub fn subject(&self) -> String {
        Words::new(&self.title(), &[]).subject
    }

    /// All of it for programs: one JSON object.
    #[must_use]
    pub fn json(&self, host: &str) -> Value {
        json!({
            "host": host,
            "id": self.id,
            "time": self.made.text(),
            "test": self.test,
            "title": self.title(),
            // What chats show of a message that is posted to them.
            "text": format!("{host}: {}\n{}", self.title(), self.text()),
            "alerts": self.items.iter().map(Item::json).collect::<Vec<_>>(),
            "more": self.more,
        })
    }
}
