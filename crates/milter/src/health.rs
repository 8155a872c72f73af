//! How a milter is: told once when it goes and once when it comes back, left alone for a while when it isn't there, and
//! counted for whoever asks.

use crate::Fault;
use crate::terms::{Terms, actions};
use mailward_core::config::MilterLine;
use mailward_core::event::{Event, Events};
use mailward_core::limits::MILTER_REST_TIME;
use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How a milter is, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Its name.
    pub milter: String,
    /// Where it listens.
    pub place: String,
    /// What holds where it can't be asked.
    pub default: &'static str,
    /// In a word.
    pub state: State,
    /// Why it couldn't be asked the last time; `None`: it could, or wasn't asked yet.
    pub fault: Option<String>,
    /// What was agreed with it the last time; `None`: it was never connected to.
    pub agreed: Option<Agreed>,
    /// Messages that it was asked about, from their senders on.
    pub asked: u64,
    /// Those of them that it judged by what they hold.
    pub judged: u64,
    /// Times that it refused a connection, greeting, sender, recipient, DATA or message.
    pub refused: u64,
    /// Times that it couldn't be asked.
    pub failed: u64,
    /// How long it took on average for a message, from the first field to its verdict, milliseconds; `None`: it judged none.
    pub mean_ms: Option<u64>,
}

/// How a milter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has tried yet.
    Unknown,
    /// It answers.
    Good,
    /// It couldn't be asked the last time.
    Failing,
}

impl State {
    /// As it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "good",
            Self::Failing => "failing",
        }
    }
}

/// What was agreed with a milter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agreed {
    /// Of the protocol, 2 to 6.
    pub version: u32,
    /// What it may change, in words.
    pub actions: Vec<&'static str>,
}

#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    fault: Option<Fault>,
    /// When nobody could connect to it, the last time.
    absent: Option<Instant>,
    agreed: Option<Agreed>,
    asked: u64,
    judged: u64,
    refused: u64,
    failed: u64,
    /// Spent on those it judged.
    time: Duration,
}

impl Watch {
    /// Whether it isn't worth trying now.
    pub(crate) fn rests(&self) -> bool {
        self.seen().absent.is_some_and(|since| since.elapsed() < MILTER_REST_TIME)
    }

    /// It couldn't be asked.
    pub(crate) fn failed(&self, line: &MilterLine, fault: &Fault, events: &Events) {
        {
            let mut seen = self.seen();
            seen.failed = seen.failed.saturating_add(1);
        }
        self.is_ill(line, fault, events);
    }

    /// It isn't as it should be.
    fn is_ill(&self, line: &MilterLine, fault: &Fault, events: &Events) {
        if !fault.is_its_own() {
            return;
        }
        let was_well = {
            let mut seen = self.seen();
            if fault.is_absence() {
                seen.absent = Some(Instant::now());
            }
            seen.fault.replace(fault.clone()).is_none()
        };
        let event = if was_well { Event::alert("milter.down") } else { Event::warn("milter.failed") };
        let event = event.with("milter", &line.name).with("at", &line.place).with("reason", fault);
        events.emit(event.with("default", line.default.name()));
    }

    /// It was connected to, and this was agreed.
    pub(crate) fn is_there(&self, terms: &Terms) {
        let agreed = Agreed { version: terms.version, actions: actions::names(terms.actions) };
        let mut seen = self.seen();
        seen.absent = None;
        seen.agreed = Some(agreed);
    }

    /// Somebody connected to it, without a message.
    pub(crate) fn looked_after(&self, line: &MilterLine, found: Result<&Terms, &Fault>, events: &Events) {
        match found {
            Ok(terms) => {
                self.is_there(terms);
                // That it can be connected to says nothing of what else went wrong.
                if self.seen().fault.as_ref().is_some_and(Fault::is_absence) {
                    self.is_well(line, events);
                }
            }
            Err(fault) => self.is_ill(line, fault, events),
        }
    }

    /// It is asked about a message.
    pub(crate) fn asked(&self) {
        let mut seen = self.seen();
        seen.asked = seen.asked.saturating_add(1);
    }

    /// It refused something.
    pub(crate) fn refused(&self) {
        let mut seen = self.seen();
        seen.refused = seen.refused.saturating_add(1);
    }

    /// It gave its verdict on a message, after so long.
    pub(crate) fn judged(&self, line: &MilterLine, time: Duration, events: &Events) {
        {
            let mut seen = self.seen();
            seen.judged = seen.judged.saturating_add(1);
            seen.time = seen.time.saturating_add(time);
        }
        self.is_well(line, events);
    }

    /// It decided something.
    pub(crate) fn is_well(&self, line: &MilterLine, events: &Events) {
        if self.seen().fault.take().is_some() {
            events.emit(Event::info("milter.recovered").with("milter", &line.name).with("at", &line.place));
        }
    }

    pub(crate) fn told(&self, line: &MilterLine) -> Health {
        let seen = self.seen();
        let mean = seen.time.as_millis().checked_div(u128::from(seen.judged));
        let state = match (&seen.fault, &seen.agreed) {
            (Some(_), _) => State::Failing,
            (None, Some(_)) => State::Good,
            (None, None) => State::Unknown,
        };
        Health {
            milter: line.name.clone(),
            place: line.place.to_string(),
            default: line.default.name(),
            state,
            fault: seen.fault.as_ref().map(Fault::to_string),
            agreed: seen.agreed.clone(),
            asked: seen.asked,
            judged: seen.judged,
            refused: seen.refused,
            failed: seen.failed,
            mean_ms: mean.map(|mean| u64::try_from(mean).unwrap_or(u64::MAX)),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
