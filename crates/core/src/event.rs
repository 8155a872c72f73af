//! Events: the one vocabulary of what happened, and the one place that turns it into log lines.
//!
//! An event has a `noun.verb` name and fields. A field that came from outside is escaped and cut here, once
//! (attacks H7): control characters, bidirectional overrides and quotes can't leave their field. Of what strangers can cause
//! as often as they like, the log takes so many lines and a count (attacks H8); alerts it takes always.

mod heard;
mod sample;

pub use heard::{Happening, Heard, Words};

use crate::limits::{LOG_FIELD_MAX, LOG_GATHER_TIME, LOG_QUEUE_MAX, LOG_SAMPLE_TIME};
use crate::peer::Peer;
use crate::time::{Clock, SystemClock, Timestamp};
use sample::{Sampler, Untold};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// How much an event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// What the service does.
    Info,
    /// What an administrator should know.
    Warn,
    /// What an administrator must act on.
    Alert,
}

impl Level {
    /// For `Inner::level`; rises with the order of levels.
    const fn rank(self) -> u8 {
        match self {
            Level::Debug => 0,
            Level::Info => 1,
            Level::Warn => 2,
            Level::Alert => 3,
        }
    }
    const fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Alert => "alert",
        }
    }
}

/// One event on its way to the log.
#[derive(Clone, Debug)]
pub struct Event {
    level: Level,
    name: &'static str,
    fields: String,
    /// It happened in a session that somebody connected for.
    of_peer: bool,
    words: Option<Box<Words>>,
}

impl Event {
    /// A new event; `name` is `noun.verb`.
    #[must_use]
    pub fn new(level: Level, name: &'static str) -> Self {
        Self { level, name, fields: String::with_capacity(128), of_peer: false, words: None }
    }
    /// `Level::Info`.
    #[must_use]
    pub fn info(name: &'static str) -> Self {
        Self::new(Level::Info, name)
    }
    /// `Level::Warn`.
    #[must_use]
    pub fn warn(name: &'static str) -> Self {
        Self::new(Level::Warn, name)
    }
    /// `Level::Alert`.
    #[must_use]
    pub fn alert(name: &'static str) -> Self {
        Self::new(Level::Alert, name)
    }
    /// `Level::Debug`.
    #[must_use]
    pub fn debug(name: &'static str) -> Self {
        Self::new(Level::Debug, name)
    }
    /// Adds a field. The key is ours; the value may be anybody's.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl std::fmt::Display) -> Self {
        self.fields.push(' ');
        self.fields.push_str(key);
        self.fields.push('=');
        push_escaped(&mut self.fields, &value.to_string());
        self
    }
    /// Adds session, address and listener. What strangers can cause in a session is told so often, and then counted
    /// (attacks H8).
    #[must_use]
    pub fn with_peer(self, peer: &Peer) -> Self {
        let mut told =
            self.with("session", peer.session).with("from", peer.address_text()).with("listener", peer.listener);
        told.of_peer = true;
        told
    }
    /// Adds words for people, for an alert: they go where alerts go, not into the log. Lines may have what an outsider
    /// wrote; they are cut and tamed here ([`Words::new`]).
    #[must_use]
    pub fn in_words(mut self, subject: &str, lines: &[String]) -> Self {
        self.words = Some(Box::new(Words::new(subject, lines)));
        self
    }
    /// A value as [`Event::with`] writes it.
    #[must_use]
    pub fn quoted(value: &str) -> String {
        let mut out = String::new();
        push_escaped(&mut out, value);
        out
    }
    /// The line without its time, as it is written.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {}{}", self.level.name(), self.name, self.fields)
    }
}

/// Writes a value so that it can't be taken for another field or line: bare if it is plain, else in quotes with
/// `\u{…}` escapes, cut at [`LOG_FIELD_MAX`] characters.
fn push_escaped(out: &mut String, value: &str) {
    let plain = !value.is_empty()
        && value.len() <= LOG_FIELD_MAX
        && value.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'='));
    if plain {
        out.push_str(value);
        return;
    }
    out.push('"');
    for (index, c) in value.chars().enumerate() {
        if index >= LOG_FIELD_MAX {
            out.push('…');
            break;
        }
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => {
                // Writing to a String can't fail.
                let _infallible = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    out.push('"');
}

/// Where events go. Cheap to clone; never blocks a session.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    /// [`Level::rank`] of the least important events that are told.
    level: AtomicU8,
    sink: Sink,
    dropped: AtomicU64,
    sampler: Arc<Sampler>,
    /// Who takes alerts.
    listener: OnceLock<heard::Listener>,
}

enum Sink {
    Thread(SyncSender<(Timestamp, Event)>),
    Memory(std::sync::Mutex<Vec<String>>),
    Nowhere,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Lines to `out` from a thread of their own: `2026-01-02T03:04:05.678Z info message.accepted key=value`.
    /// Lines that can't be written in time are counted, and the count is written.
    pub fn to_writer(level: Level, mut out: impl std::io::Write + Send + 'static) -> Self {
        let (tx, rx) = sync_channel::<(Timestamp, Event)>(LOG_QUEUE_MAX);
        let sampler = Arc::new(Sampler::default());
        let sampled = Arc::clone(&sampler);
        std::thread::spawn(move || {
            let mut lines = String::new();
            while let Some(first) = next_line(&rx, &sampled) {
                lines.clear();
                for line in &first {
                    push_line(&mut lines, line);
                }
                // What else happens in this moment shares the write, and needs not wake us for it.
                std::thread::sleep(LOG_GATHER_TIME);
                while let Ok(next) = rx.try_recv() {
                    push_line(&mut lines, &next);
                    if lines.len() > 64 * 1024 {
                        break;
                    }
                }
                // Also those of a kind of which nothing more comes, while others do.
                for untold in sampled.over(Instant::now()) {
                    push_line(&mut lines, &(SystemClock.now(), untold.into()));
                }
                // A log that can't be written must not stop the mail.
                let _lost = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
            }
        });
        Self::with(level, Sink::Thread(tx), sampler)
    }
    fn with(level: Level, sink: Sink, sampler: Arc<Sampler>) -> Self {
        let level = AtomicU8::new(level.rank());
        Self(Arc::new(Inner { level, sink, dropped: AtomicU64::new(0), sampler, listener: OnceLock::new() }))
    }
    /// Lines kept in memory, for tests.
    #[must_use]
    pub fn memory() -> Self {
        Self::with(Level::Debug, Sink::Memory(std::sync::Mutex::default()), Arc::default())
    }
    /// No log.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::with(Level::Alert, Sink::Nowhere, Arc::default())
    }
    /// From now on hears every event that is wanted, whatever level is written; at most `most` wait, more are counted.
    /// `None` if somebody hears already: there is one place that alerts go to. `wants` is asked for every event, and has to
    /// be quick.
    #[must_use]
    pub fn listen(&self, wants: fn(Level, &str) -> bool, most: usize) -> Option<Heard> {
        let (listener, heard) = heard::channel(wants, most);
        self.0.listener.set(listener).is_ok().then_some(heard)
    }
    /// What [`Events::memory`] kept.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match &self.0.sink {
            Sink::Memory(lines) => lines.lock().map(|l| l.clone()).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
    /// Changes how important an event must be to be told, from now on, for every clone.
    pub fn set_level(&self, level: Level) {
        self.0.level.store(level.rank(), Ordering::Relaxed);
    }
    /// Tells an event.
    pub fn emit(&self, event: Event) {
        if let Some(listener) = self.0.listener.get() {
            listener.offer(&event);
        }
        if event.level.rank() < self.0.level.load(Ordering::Relaxed) {
            return;
        }
        if event.of_peer && event.level != Level::Alert {
            let (told, before) = self.0.sampler.admit(event.name, Instant::now());
            if let Some(untold) = before {
                self.tell(untold.into());
            }
            if !told {
                return;
            }
        }
        self.tell(event);
    }
    fn tell(&self, event: Event) {
        match &self.0.sink {
            Sink::Thread(tx) => {
                if tx.try_send((SystemClock.now(), event)).is_err() {
                    self.0.dropped.fetch_add(1, Ordering::Relaxed);
                } else if self.0.dropped.load(Ordering::Relaxed) > 0 {
                    let dropped = self.0.dropped.swap(0, Ordering::Relaxed);
                    let told = tx.try_send((SystemClock.now(), Event::warn("log.dropped").with("lines", dropped)));
                    if told.is_err() {
                        self.0.dropped.fetch_add(dropped, Ordering::Relaxed);
                    }
                }
            }
            Sink::Memory(lines) => {
                if let Ok(mut lines) = lines.lock() {
                    lines.push(event.text());
                }
            }
            Sink::Nowhere => {}
        }
    }
}

impl From<Untold> for Event {
    fn from(untold: Untold) -> Self {
        Event::warn("log.sampled").with("event", untold.event).with("untold", untold.count)
    }
}

/// Waits for the next line, or for counts that nothing else brings; `None` once nobody is left to tell anything. Whatever
/// isn't told follows lines that were, so that after a silence of two windows nothing is owed, and the wait needs no end.
fn next_line(rx: &Receiver<(Timestamp, Event)>, sampled: &Sampler) -> Option<Vec<(Timestamp, Event)>> {
    match rx.recv_timeout(LOG_SAMPLE_TIME.saturating_mul(2)) {
        Ok(line) => return Some(vec![line]),
        Err(RecvTimeoutError::Disconnected) => return None,
        Err(RecvTimeoutError::Timeout) => {}
    }
    let owed = sampled.over(Instant::now());
    if owed.is_empty() {
        return rx.recv().ok().map(|line| vec![line]);
    }
    Some(owed.into_iter().map(|untold| (SystemClock.now(), untold.into())).collect())
}

fn push_line(lines: &mut String, (time, event): &(Timestamp, Event)) {
    lines.push_str(&time.text());
    lines.push(' ');
    lines.push_str(event.level.name());
    lines.push(' ');
    lines.push_str(event.name);
    lines.push_str(&event.fields);
    lines.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_from_outside_stays_in_its_field() {
        let line = Event::info("smtp.helo").with("name", "x\r\n1 alert disk.full a=\"b\" \u{1b}[2J\u{202e}").text();
        assert_eq!(line, "info smtp.helo name=\"x\\u{d}\\u{a}1 alert disk.full a=\\\"b\\\" \\u{1b}[2J\\u{202e}\"");
    }

    #[test]
    fn the_level_can_be_changed_while_events_come() {
        let events = Events::memory();
        events.set_level(Level::Warn);
        events.emit(Event::info("a.b"));
        events.emit(Event::warn("c.d"));
        events.set_level(Level::Info);
        events.emit(Event::info("e.f"));
        assert_eq!(events.lines(), ["warn c.d", "info e.f"]);
    }

    /// Attacks H8.
    #[test]
    fn what_a_peer_causes_is_sampled_and_what_we_do_ourselves_is_told() {
        let peer = Peer { session: 1, address: None, port: None, listener: crate::Listener::Smtp };
        let most = usize::try_from(crate::limits::LOG_SAMPLE_LINES).unwrap();
        let told = |event: &dyn Fn() -> Event| {
            let events = Events::memory();
            (0..most + 5).for_each(|_| events.emit(event()));
            events.lines().len()
        };
        assert_eq!(told(&|| Event::info("message.deferred").with_peer(&peer)), most);
        assert_eq!(told(&|| Event::info("message.deferred").with("lane", "x.example")), most + 5);
        assert_eq!(told(&|| Event::alert("message.deferred").with_peer(&peer)), most + 5, "alerts are always told");
        assert_eq!(told(&|| Event::info("message.accepted").with_peer(&peer)), most + 5);
    }

    #[test]
    fn a_long_field_is_cut_at_its_limit() {
        let line = Event::info("a.b").with("k", "é".repeat(LOG_FIELD_MAX + 1)).text();
        assert_eq!(line.matches('é').count(), LOG_FIELD_MAX);
        assert!(line.ends_with("…\""));
    }
}
