//! Events that somebody takes to tell people of them: who listens, and what is heard.

use super::{Event, Level};
use crate::limits::{ALERT_FIELDS_MAX, ALERT_LINE_MAX, ALERT_LINES_MAX, ALERT_SUBJECT_MAX};
use crate::time::{Clock as _, SystemClock, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::{Receiver, Sender, channel as bounded};

/// What an event says to people. Nothing in it leaves its line, turns it around, or moves a terminal's cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// One line, at most `limits::ALERT_SUBJECT_MAX` characters, ASCII.
    pub subject: String,
    /// At most `limits::ALERT_LINES_MAX` lines of `limits::ALERT_LINE_MAX` characters.
    pub lines: Vec<String>,
}

impl Words {
    /// Takes words that may have what an outsider wrote (attacks F6, H7): cut at their limits, with a sign in place of each
    /// character that isn't one to be seen.
    #[must_use]
    pub fn new(subject: &str, lines: &[String]) -> Self {
        let subject = subject.chars().take(ALERT_SUBJECT_MAX);
        let subject = subject.map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
        let lines = lines.iter().take(ALERT_LINES_MAX);
        let lines = lines.map(|line| line.chars().take(ALERT_LINE_MAX).map(Self::seen).collect()).collect();
        Self { subject, lines }
    }

    /// The character, if it can be seen and leaves the order of others alone; else a sign in its place.
    #[must_use]
    pub fn seen(c: char) -> char {
        match c {
            c if c.is_control() => '\u{fffd}',
            // What turns a line around, breaks it, or isn't seen.
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}' => {
                '\u{fffd}'
            }
            c => c,
        }
    }
}

/// An event as whoever listens gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When it was told.
    pub at: Timestamp,
    /// How much it asks for.
    pub level: Level,
    /// `noun.verb`.
    pub name: &'static str,
    /// Its fields in their order, at most `limits::ALERT_FIELDS_MAX`. A character that isn't one to be seen stands as
    /// `\u{…}` in a value, so that nothing in it acts wherever it is shown; a value has at most some
    /// `limits::LOG_FIELD_MAX` characters of its own.
    pub fields: Vec<(String, String)>,
    /// Words for people, if it has some.
    pub words: Option<Words>,
}

impl Happening {
    /// The same, as of `at`.
    #[must_use]
    pub fn of(event: &Event, at: Timestamp) -> Self {
        let words = event.words.as_deref().cloned();
        Self { at, level: event.level, name: event.name, fields: fields(&event.fields), words }
    }
}

/// Reads fields back out of what [`Event::with`] wrote, which no value can have gone beyond.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while found.len() < ALERT_FIELDS_MAX
        && let Some((key, after)) = rest.trim_start().split_once('=')
    {
        let (value, after) = value(after);
        found.push((key.to_owned(), value));
        rest = after;
    }
    found
}

/// The value that a text begins with, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(' ').unwrap_or(text.len());
        let (value, after) = text.split_at_checked(end).unwrap_or((text, ""));
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                // A mark that stands for a character.
                Some('u') => value.push_str("\\u"),
                Some(c) => value.push(c),
                None => break,
            },
            c => value.push(c),
        }
    }
    (value, chars.as_str())
}

/// Whom events are offered to.
pub(super) struct Listener {
    wants: fn(Level, &str) -> bool,
    to: Sender<Happening>,
    lost: Arc<AtomicU64>,
}

/// What is heard, in its order.
#[derive(Debug)]
pub struct Heard {
    from: Receiver<Happening>,
    lost: Arc<AtomicU64>,
}

pub(super) fn channel(wants: fn(Level, &str) -> bool, most: usize) -> (Listener, Heard) {
    let (to, from) = bounded(most.max(1));
    let lost = Arc::new(AtomicU64::new(0));
    (Listener { wants, to, lost: Arc::clone(&lost) }, Heard { from, lost })
}

impl Listener {
    /// Never waits: whoever tells an event has other things to do.
    pub(super) fn offer(&self, event: &Event) {
        if (self.wants)(event.level, event.name) && self.to.try_send(Happening::of(event, SystemClock.now())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Heard {
    /// The next one; `None` once nobody can tell any more. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Happening> {
        self.from.recv().await
    }
    /// The next one, if one is there.
    pub fn try_next(&mut self) -> Option<Happening> {
        self.from.try_recv().ok()
    }
    /// How many there was no room for since the last time this was asked.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Events;
    use super::*;
    use proptest::prelude::*;

    fn alerts(level: Level, name: &str) -> bool {
        level == Level::Alert || name == "list.on"
    }

    #[test]
    fn alerts_are_heard_and_what_has_no_room_is_counted() {
        let events = Events::nowhere();
        let mut heard = events.listen(alerts, 2).unwrap();
        assert!(events.listen(alerts, 2).is_none(), "there is one place that alerts go to");
        events.emit(Event::info("smtp.helo").with("name", "x"));
        events.emit(Event::info("list.on").with("list", "a.example"));
        for n in 0..3 {
            events.emit(Event::alert("disk.full").with("n", n).in_words("Full", &["a\r\nb\u{202e}".to_owned()]));
        }
        assert_eq!(heard.try_next().unwrap().name, "list.on");
        let alert = heard.try_next().unwrap();
        assert_eq!(alert.fields, [("n".to_owned(), "0".to_owned())]);
        assert_eq!(alert.words.unwrap().lines, ["a\u{fffd}\u{fffd}b\u{fffd}"]);
        assert_eq!((heard.try_next(), heard.lost(), heard.lost()), (None, 2, 0));
    }

    #[test]
    fn words_are_cut_at_their_limits() {
        let words =
            Words::new(&"s".repeat(ALERT_SUBJECT_MAX + 1), &vec!["é".repeat(ALERT_LINE_MAX + 1); ALERT_LINES_MAX + 1]);
        assert_eq!(words.subject.chars().count(), ALERT_SUBJECT_MAX);
        assert_eq!(words.lines.len(), ALERT_LINES_MAX);
        assert_eq!(words.lines[0].chars().count(), ALERT_LINE_MAX);
    }

    #[test]
    fn fields_beyond_their_number_are_left_out() {
        let event = (0..=ALERT_FIELDS_MAX).fold(Event::alert("a.b"), |event, n| event.with("k", n));
        assert_eq!(Happening::of(&event, Timestamp(0)).fields.len(), ALERT_FIELDS_MAX);
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_field_or_acts_where_it_is_shown(
            values in proptest::collection::vec("(\\PC|[\0-\u{1f}\u{7f}-\u{9f}\u{202e}\" =\\\\u{}]){0,60}", 1..5),
        ) {
            let event = values.iter().fold(Event::alert("a.b"), |event, value| event.with("key", value));
            let heard = Happening::of(&event, Timestamp(0));
            prop_assert_eq!(heard.fields.len(), values.len());
            for ((key, value), given) in heard.fields.iter().zip(&values) {
                prop_assert_eq!(key, "key");
                prop_assert!(!value.chars().any(|c| c.is_control() || Words::seen(c) != c));
                if given.chars().all(|c| matches!(c, ' '..='~')) {
                    prop_assert_eq!(value, given);
                }
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,100}") {
            let _ = fields(&text);
        }
    }
}
