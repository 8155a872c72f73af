//! One engine: its turns, its connections, how it is.

use super::clamd::Session;
use super::icap::Client;
use super::{Heard, Vital, Why};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use mailward_core::config::EngineLine;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    ANTIVIRUS_AT_ONCE, ANTIVIRUS_COMMANDS_AT_ONCE, ANTIVIRUS_HEALTH_TIME, ANTIVIRUS_KEPT_MAX, ANTIVIRUS_KEPT_TIME,
    ANTIVIRUS_NAME_MAX, ANTIVIRUS_TIME, ANTIVIRUS_TURN_TIME, ANTIVIRUS_WAITING_MAX, ANTIVIRUS_WORDS_TOLD_MAX,
};
use mailward_core::{Clock, Timestamp};
use mailward_scan::Places;
use serde::Serialize;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::{Instant, timeout};

/// Runs engines that are programs.
pub trait Commands: Send + Sync {
    /// Runs the program of the engine that stands at this place in the configuration, with a message on its standard input.
    fn run(&self, engine: usize, message: Bytes) -> BoxFuture<'_, Result<Ran, NotRan>>;
}

/// Why a program says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRan {
    /// It wasn't run: it has seen nothing of the message.
    Refused(String),
    /// It was ended, or ended otherwise than by itself, which may be the message's doing.
    Ended(String),
}

/// A program that ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code.
    pub code: u8,
    /// What it wrote, cut; anything may be in it.
    pub output: String,
}

/// How an engine is, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineState {
    /// As the configuration has it.
    pub engine: String,
    /// See [`Health`].
    pub health: Health,
    /// What is wrong.
    pub why: Option<String>,
    /// Its name and version, if it says so.
    pub version: Option<String>,
    /// Number of its signatures' version, if it says so.
    pub signatures: Option<u64>,
    /// When they were made, milliseconds since 1970, if it says so.
    pub made: Option<Timestamp>,
    /// When it was last heard of, milliseconds since 1970.
    pub heard: Option<Timestamp>,
    /// Times that it was asked since the start: once for a message, and once more for files in it that are shown by themselves.
    pub asked: u64,
    /// Those it found something in.
    pub found: u64,
    /// Those it couldn't look at: too large for it, or it failed at them.
    pub unscannable: u64,
    /// Those it didn't take: it wasn't reached, or had no turn for them.
    pub failed: u64,
}

/// In one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing is known yet.
    #[default]
    Untested,
    /// It works.
    Good,
    /// It works with signatures that are old.
    Old,
    /// It doesn't work.
    Failing,
}

/// One engine.
pub(super) struct Engine {
    number: usize,
    name: Arc<str>,
    line: EngineLine,
    /// Milliseconds after which signatures are old.
    old_after: i64,
    commands: Option<Arc<dyn Commands>>,
    turns: Places,
    kept: Mutex<Vec<(Link, Instant)>>,
    known: Mutex<Known>,
    clock: Arc<dyn Clock>,
    events: Events,
}

/// A connection that is in step.
enum Link {
    Clamd(Session),
    Icap(Client),
}

#[derive(Default)]
struct Known {
    health: Health,
    why: Option<String>,
    old: bool,
    vital: Option<Vital>,
    heard: Option<Timestamp>,
    asked: u64,
    found: u64,
    unscannable: u64,
    failed: u64,
}

impl Engine {
    pub(super) fn new(
        number: usize,
        line: &EngineLine,
        signatures_hours: u64,
        commands: Option<Arc<dyn Commands>>,
        clock: Arc<dyn Clock>,
        events: Events,
    ) -> Self {
        let at_once = match line {
            EngineLine::Command { .. } => ANTIVIRUS_COMMANDS_AT_ONCE,
            _ => ANTIVIRUS_AT_ONCE,
        };
        let old_after = i64::try_from(signatures_hours).unwrap_or(i64::MAX).saturating_mul(3_600_000);
        Self {
            number,
            name: line.to_string().into(),
            line: line.clone(),
            old_after,
            commands,
            turns: Places::new(at_once, ANTIVIRUS_WAITING_MAX, ANTIVIRUS_WAITING_MAX / 2),
            kept: Mutex::default(),
            known: Mutex::default(),
            clock,
            events,
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it says of a message, all readings of it; the first that isn't clean decides. `client`: whose turn it is.
    pub(super) async fn look(&self, readings: &[Bytes], client: Option<IpAddr>) -> Result<Heard, Why> {
        let heard = match self.turns.take(client, ANTIVIRUS_TURN_TIME).await {
            Some(_turn) => timeout(ANTIVIRUS_TIME, self.look_at_all(readings)).await.unwrap_or(Err(Why::Late)),
            None => Err(Why::NoTurn),
        };
        let heard = heard.map(|heard| match heard {
            Heard::Found(names) => Heard::Found(names.into_iter().map(|name| cut(&name, ANTIVIRUS_NAME_MAX)).collect()),
            other => other,
        });
        let heard = heard.map_err(Why::cut);
        // What goes wrong with a message that it has taken may be the message's doing: it says nothing of the engine.
        let health = match &heard {
            Ok(_) => Some(None),
            Err(why) if why.is_the_engine_s() => Some(Some(why)),
            Err(_) => None,
        };
        if let Some(why) = health {
            self.note(why);
        }
        let heard = match heard {
            Err(why @ (Why::Broken(_) | Why::Failed(_) | Why::Late)) => Ok(Heard::Unscannable(why.to_string())),
            other => other,
        };
        let count = |count: &mut u64| *count = count.saturating_add(1);
        let mut known = self.known();
        count(&mut known.asked);
        match &heard {
            Ok(Heard::Clean) => {}
            Ok(Heard::Found(_)) => count(&mut known.found),
            Ok(Heard::Unscannable(_)) => count(&mut known.unscannable),
            Err(_) => count(&mut known.failed),
        }
        drop(known);
        heard
    }

    async fn look_at_all(&self, readings: &[Bytes]) -> Result<Heard, Why> {
        for reading in readings {
            match self.look_at(reading).await? {
                Heard::Clean => {}
                other => return Ok(other),
            }
        }
        Ok(Heard::Clean)
    }

    async fn look_at(&self, message: &Bytes) -> Result<Heard, Why> {
        if let EngineLine::Command { clean, infected, .. } = &self.line {
            return self.run(message, clean, infected).await;
        }
        let preview = self.preview().await?;
        if let Some(mut link) = self.take() {
            match self.over(&mut link, preview, message).await {
                // It was closed while nobody used it; that says nothing of the message.
                (Err(Why::Broken(_)), _) => {}
                (heard, stays) => {
                    self.keep(link, stays);
                    return heard;
                }
            }
        }
        let mut link = self.open().await.map_err(Why::untaken)?;
        let (heard, stays) = self.over(&mut link, preview, message).await;
        self.keep(link, stays);
        heard
    }

    /// How much of a message an ICAP server wishes for first, as it said when it was last asked; asked now, if it wasn't yet.
    async fn preview(&self) -> Result<Option<usize>, Why> {
        if !matches!(self.line, EngineLine::Icap { .. }) {
            return Ok(None);
        }
        let known = self.known().vital.as_ref().map(|vital| vital.preview);
        match known {
            Some(preview) => Ok(preview),
            // It has heard of no message yet.
            None => self.vital().await.map(|vital| vital.preview).map_err(Why::untaken),
        }
    }

    async fn open(&self) -> Result<Link, Why> {
        match &self.line {
            EngineLine::Clamd(place) => Session::open(place).await.map(Link::Clamd),
            EngineLine::Icap { at, .. } => Client::open(*at).await.map(Link::Icap),
            EngineLine::Command { .. } => Err(Why::Failed("a program has no connection".to_owned())),
        }
    }

    async fn over(&self, link: &mut Link, preview: Option<usize>, message: &[u8]) -> (Result<Heard, Why>, bool) {
        match (link, &self.line) {
            (Link::Clamd(session), _) => session.look(message).await,
            (Link::Icap(client), EngineLine::Icap { at, service }) => client.look(*at, service, preview, message).await,
            (Link::Icap(_), _) => (Err(Why::Failed("a connection of another engine".to_owned())), false),
        }
    }

    fn take(&self) -> Option<Link> {
        let mut kept = self.kept();
        let now = Instant::now();
        kept.retain(|(_, since)| now.saturating_duration_since(*since) < ANTIVIRUS_KEPT_TIME);
        kept.pop().map(|(link, _)| link)
    }

    fn keep(&self, link: Link, stays: bool) {
        let mut kept = self.kept();
        if stays && kept.len() < ANTIVIRUS_KEPT_MAX {
            kept.push((link, Instant::now()));
        }
    }

    async fn run(&self, message: &Bytes, clean: &[u8], infected: &[u8]) -> Result<Heard, Why> {
        let Some(commands) = &self.commands else { return Err(Why::Untaken("nobody here runs programs".to_owned())) };
        let ran = commands.run(self.number, message.clone()).await.map_err(|why| match why {
            NotRan::Refused(why) => Why::Untaken(why),
            NotRan::Ended(why) => Why::Failed(why),
        })?;
        if infected.contains(&ran.code) {
            return Ok(Heard::Found(vec![name_in(&ran.output)]));
        }
        if clean.contains(&ran.code) {
            return Ok(Heard::Clean);
        }
        Err(Why::Failed(format!("it ended with {}: {}", ran.code, ran.output.trim())))
    }

    /// Asks it how it is, and remembers that.
    async fn vital(&self) -> Result<Vital, Why> {
        let asking = async {
            let mut link = self.open().await?;
            let (vital, stays) = match (&mut link, &self.line) {
                (Link::Icap(client), EngineLine::Icap { at, service }) => client.vital(*at, service).await,
                (Link::Clamd(session), _) => session.vital().await,
                (Link::Icap(_), _) => (Err(Why::Late), false),
            };
            self.keep(link, stays);
            vital
        };
        let mut vital = timeout(ANTIVIRUS_HEALTH_TIME, asking).await.unwrap_or(Err(Why::Late)).map_err(Why::cut)?;
        vital.version = cut(&vital.version, ANTIVIRUS_WORDS_TOLD_MAX);
        self.known().vital = Some(vital.clone());
        Ok(vital)
    }

    /// Asks it how it is, and tells what has changed. A program isn't asked: only a message shows it.
    pub(super) async fn check(&self) {
        if matches!(self.line, EngineLine::Command { .. }) {
            return;
        }
        let vital = self.vital().await;
        self.note(vital.as_ref().err());
        let Ok(vital) = vital else { return };
        let age = vital.made.map(|made| self.clock.now().0.saturating_sub(made.0));
        let old = age.is_some_and(|age| age > self.old_after);
        let was = std::mem::replace(&mut self.known().old, old);
        if old != was {
            self.events.emit(if old {
                let hours = age.unwrap_or_default().div_euclid(3_600_000);
                Event::alert("antivirus.old").with("engine", &self.name).with("hours", hours)
            } else {
                Event::info("antivirus.renewed").with("engine", &self.name)
            });
        }
    }

    /// Notes whether it works, and tells when that has changed.
    fn note(&self, why: Option<&Why>) {
        let why = why.map(ToString::to_string);
        let was = {
            let mut known = self.known();
            known.heard = Some(self.clock.now());
            known.why.clone_from(&why);
            std::mem::replace(&mut known.health, if why.is_some() { Health::Failing } else { Health::Good })
        };
        match why {
            Some(why) if was != Health::Failing => {
                self.events.emit(Event::alert("antivirus.failing").with("engine", &self.name).with("why", why));
            }
            None if was == Health::Failing => {
                self.events.emit(Event::info("antivirus.recovered").with("engine", &self.name));
            }
            _ => {}
        }
    }

    pub(super) fn state(&self) -> EngineState {
        let known = self.known();
        let vital = known.vital.as_ref();
        EngineState {
            engine: self.name.to_string(),
            health: if known.health == Health::Good && known.old { Health::Old } else { known.health },
            why: known.why.clone(),
            version: vital.map(|vital| vital.version.clone()),
            signatures: vital.and_then(|vital| vital.signatures),
            made: vital.and_then(|vital| vital.made),
            heard: known.heard,
            asked: known.asked,
            found: known.found,
            unscannable: known.unscannable,
            failed: known.failed,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn kept(&self) -> MutexGuard<'_, Vec<(Link, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Why {
    /// With words of a bounded length: an engine's own may be among them.
    fn cut(self) -> Self {
        let cut = |text: String| cut(&text, ANTIVIRUS_WORDS_TOLD_MAX);
        match self {
            Self::Unreachable(text) => Self::Unreachable(cut(text)),
            Self::Broken(text) => Self::Broken(cut(text)),
            Self::Failed(text) => Self::Failed(cut(text)),
            Self::Untaken(text) => Self::Untaken(cut(text)),
            Self::Late => Self::Late,
            Self::NoTurn => Self::NoTurn,
        }
    }

    /// The same, of something that has taken nothing of a message.
    fn untaken(self) -> Self {
        match self {
            Self::Broken(text) | Self::Failed(text) => Self::Untaken(text),
            Self::Late => Self::Untaken(Self::Late.to_string()),
            other => other,
        }
    }

    /// Whether it can't be a message's doing.
    const fn is_the_engine_s(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Untaken(_))
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// The name of what a program has found, as scanners write it: what stands before ` FOUND` on a line, behind `: `.
fn name_in(output: &str) -> String {
    let lines = output.lines().filter_map(|line| line.trim_end().strip_suffix(" FOUND"));
    let name =
        lines.map(|line| line.rsplit_once(": ").map_or(line, |(_, name)| name).trim()).find(|name| !name.is_empty());
    name.unwrap_or(super::icap::answer::UNNAMED).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_s_finding_is_named_as_it_writes_it() {
        assert_eq!(name_in("stdin: Eicar-Signature FOUND\n\n--- SCAN SUMMARY ---\n"), "Eicar-Signature");
        assert_eq!(name_in("Eicar FOUND"), "Eicar");
        for none in ["", "found a virus", ":  FOUND"] {
            assert_eq!(name_in(none), "unnamed", "{none:?}");
        }
    }
}
