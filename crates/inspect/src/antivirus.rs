//! Virus scanners of others: all of them are asked of each message, at the same time.
//!
//! **In**: a message's bytes, other readings of it, and files in it that engines wouldn't find. **Out**: [`Scanned`], and the [`Finding`]s it comes to.
//!
//! **Limits**: `limits::ANTIVIRUS_*`, `limits::CLAMD_ANSWER_MAX`, `limits::ICAP_*`.
//!
//! **Failure**: what isn't known to mean clean doesn't. An engine that can't be reached has failed, the others go on, and an
//! alert tells once. A message that no engine took is refused for now, or marked, as `antivirus.when_down` says; where there
//! was no turn for it, it is always refused for now. One that is larger than all of them take, or that all who took it were
//! late with, broke off at or spoke nonsense of, goes into quarantine: that may be its own doing, and nobody's mail but its own
//! suffers. So does one with more readings than are shown to them.
//!
//! **Standards**: clamd(8) of ClamAV, RFC 3507 (ICAP).

pub mod clamd;
mod engine;
pub mod icap;
mod together;
mod wire;

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::type_complexity,
    clippy::unnecessary_unwrap,
    reason = "tests may stop at what isn't as it should be"
)]
pub(crate) mod tests;

pub use engine::{Commands, EngineState, Health, NotRan, Ran};

use crate::verdict::{Action, Check, Finding};
use bytes::Bytes;
use engine::Engine;
use futures_util::future::join_all;
use mailward_core::config::{Antivirus as Settings, OnVirus, WhenDown};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{ANTIVIRUS_HEALTH_EVERY, ANTIVIRUS_READINGS_MAX};
use mailward_core::{Clock, Shutdown, Timestamp};
use mailward_scan::Shown;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What all engines say of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Engines that were asked.
    pub asked: usize,
    /// Those that saw all of it and found nothing.
    pub clean: Vec<Arc<str>>,
    /// What was found.
    pub found: Vec<Found>,
    /// Engines that work but couldn't look at this message, and why.
    pub unscannable: Vec<(Arc<str>, String)>,
    /// Engines that failed, and why.
    pub failed: Vec<(Arc<str>, String)>,
    /// Engines that had no turn for it, and why.
    pub busy: Vec<(Arc<str>, String)>,
    /// It has more readings than were shown to them.
    pub cut: bool,
}

/// Something that an engine found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The engine, as the configuration has it.
    pub engine: Arc<str>,
    /// What it calls it.
    pub name: String,
}

impl Scanned {
    /// With what the same engines say of more of the message: one that saw all of it has seen both.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.asked = self.asked.max(more.asked);
        self.clean.retain(|engine| more.clean.contains(engine));
        for (engine, why) in more.failed {
            if self.failed.iter().all(|(failed, _)| *failed != engine) {
                self.failed.push((engine, why));
            }
        }
        self.found.extend(more.found);
        self.unscannable.extend(more.unscannable);
        self.busy.extend(more.busy);
        self.cut |= more.cut;
        self
    }
}

/// What one engine says of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Clean,
    Found(Vec<String>),
    /// It works, but not on this one.
    Unscannable(String),
}

/// Why an engine says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Why {
    #[error("it can't be reached: {0}")]
    Unreachable(String),
    #[error("{0}")]
    Broken(String),
    #[error("it failed: {0}")]
    Failed(String),
    #[error("it failed: {0}")]
    Untaken(String),
    #[error("it didn't answer in time")]
    Late,
    #[error("too many messages wait for it")]
    NoTurn,
}

/// How an engine says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vital {
    /// Its name and version.
    pub version: String,
    /// Number of its signatures' version, if it tells.
    pub signatures: Option<u64>,
    /// When they were made, if it tells.
    pub made: Option<Timestamp>,
    /// How many bytes of a message it wishes for to say whether it wants the rest (ICAP), if it does.
    pub preview: Option<usize>,
}

/// The engines that there are. A clone asks the same ones.
#[derive(Clone)]
pub struct Antivirus(Arc<Inner>);

struct Inner {
    engines: Vec<Engine>,
    action: OnVirus,
    when_down: WhenDown,
    /// All of them failed, the last time.
    down: AtomicBool,
    events: Events,
}

impl Antivirus {
    /// Engines of a configuration. `commands` runs those that are programs; without it they fail.
    pub fn new(
        settings: &Settings,
        commands: Option<Arc<dyn Commands>>,
        clock: Arc<dyn Clock>,
        events: Events,
    ) -> Self {
        let engine = |(number, line): (usize, &mailward_core::config::EngineLine)| {
            Engine::new(number, line, settings.signatures_age, commands.clone(), clock.clone(), events.clone())
        };
        let engines = settings.engines.iter().enumerate().map(engine).collect();
        let (action, when_down) = (settings.action, settings.when_down);
        Self(Arc::new(Inner { engines, action, when_down, down: AtomicBool::new(false), events }))
    }

    /// Whether there is none to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.engines.is_empty()
    }

    /// What the engines say of a message: its bytes first, then other readings of it, of which at most
    /// `limits::ANTIVIRUS_READINGS_MAX` are brought; more are told. Of who brought it, one host and its neighbours have half
    /// of each engine's turns at most; none: nobody from elsewhere.
    pub async fn look(&self, readings: &[Bytes], client: Option<IpAddr>) -> Scanned {
        let shown = readings.get(..ANTIVIRUS_READINGS_MAX.saturating_add(1)).unwrap_or(readings);
        let heard = join_all(self.0.engines.iter().map(|engine| engine.look(shown, client))).await;
        let cut = !heard.is_empty() && shown.len() < readings.len();
        let mut scanned = Scanned { asked: heard.len(), cut, ..Scanned::default() };
        for (engine, heard) in self.0.engines.iter().zip(heard) {
            let name = engine.name().clone();
            match heard {
                Ok(Heard::Clean) => scanned.clean.push(name),
                Ok(Heard::Found(names)) => {
                    let found = |one| Found { engine: name.clone(), name: one };
                    scanned.found.extend(names.into_iter().map(found));
                }
                Ok(Heard::Unscannable(why)) => scanned.unscannable.push((name, why)),
                Err(why @ Why::NoTurn) => scanned.busy.push((name, why.to_string())),
                Err(why) => scanned.failed.push((name, why.to_string())),
            }
        }
        self.note(&scanned);
        scanned
    }

    /// What they say of files in a message that they wouldn't find in it. Where not all are shown nobody has seen all.
    pub async fn look_shown(&self, shown: &Shown, client: Option<IpAddr>) -> Scanned {
        let mut scanned = self.look(&together::brought(&shown.files), client).await;
        if shown.cut {
            let why = "more was unwrapped than virus scanners are shown";
            let clean = std::mem::take(&mut scanned.clean);
            scanned.unscannable.extend(clean.into_iter().map(|engine| (engine, why.to_owned())));
        }
        scanned
    }

    /// Tells when none is left, and when one is back.
    fn note(&self, scanned: &Scanned) {
        if !scanned.busy.is_empty() {
            return;
        }
        let down = scanned.asked > 0 && scanned.failed.len() == scanned.asked;
        if self.0.down.swap(down, Ordering::Relaxed) == down {
            return;
        }
        self.0.events.emit(if down {
            let mail = match self.0.when_down {
                WhenDown::Defer => "refused for now",
                WhenDown::DeliverWithMark => "delivered with a mark",
            };
            Event::alert("antivirus.down").with("engines", scanned.asked).with("mail", mail)
        } else {
            Event::info("antivirus.up")
        });
    }

    /// What follows of it.
    #[must_use]
    pub fn findings(&self, scanned: &Scanned) -> Vec<Finding> {
        let finding = |rule: &str, action, evidence: String| Finding::new(Check::Antivirus, rule, action, evidence);
        let virus = match self.0.action {
            OnVirus::Reject => Action::Reject,
            OnVirus::Quarantine => Action::Quarantine,
        };
        let mut all: Vec<Finding> = Vec::new();
        for Found { engine, name } in &scanned.found {
            let action = if is_a_guess(name) { Action::Quarantine } else { virus };
            all.push(finding(name, action, format!("found by {engine}")));
        }
        let nobody = scanned.clean.is_empty() && scanned.found.is_empty();
        for (engine, why) in &scanned.unscannable {
            let action = if nobody { Action::Quarantine } else { Action::Mark };
            all.push(finding("unscannable", action, format!("{engine}: {why}")));
        }
        if scanned.cut {
            let why =
                format!("of more than {ANTIVIRUS_READINGS_MAX} other ways to read it not all were shown to engines");
            all.push(finding("unscannable", Action::Quarantine, why));
        }
        let seen = !nobody || !scanned.unscannable.is_empty();
        for (engine, why) in &scanned.busy {
            let action = if seen { Action::Deliver } else { Action::Defer };
            all.push(finding("unscanned", action, format!("{engine}: {why}")));
        }
        for (engine, why) in &scanned.failed {
            // Another one has seen it.
            let action = match self.0.when_down {
                _ if seen => Action::Deliver,
                WhenDown::Defer => Action::Defer,
                WhenDown::DeliverWithMark => Action::Mark,
            };
            all.push(finding("unscanned", action, format!("{engine}: {why}")));
        }
        all
    }

    /// How each engine is, in the order of the configuration.
    #[must_use]
    pub fn states(&self) -> Vec<EngineState> {
        self.0.engines.iter().map(Engine::state).collect()
    }

    /// Asks each engine how it is, once.
    pub async fn check(&self) {
        join_all(self.0.engines.iter().map(Engine::check)).await;
    }

    /// Asks them so every `limits::ANTIVIRUS_HEALTH_EVERY`, until the word to stop.
    pub async fn keep(self, mut shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.fired() => return,
                () = self.check() => {}
            }
            tokio::select! {
                () = shutdown.fired() => return,
                () = tokio::time::sleep(ANTIVIRUS_HEALTH_EVERY) => {}
            }
        }
    }
}

impl std::fmt::Debug for Antivirus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.engines.iter().map(Engine::name)).finish()
    }
}

/// Names of what isn't known to be a virus: ClamAV's heuristics and what users may want to have, whoever the signature is of.
fn is_a_guess(name: &str) -> bool {
    let name = name.strip_suffix(".UNOFFICIAL").unwrap_or(name);
    ["Heuristics.", "PUA."].iter().any(|begins| name.starts_with(begins))
}
