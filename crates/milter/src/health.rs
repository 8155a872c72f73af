//! How a milter is: told once when it goes and once when it comes back, and left alone for a while when it isn't there.

use crate::Fault;
use mailward_core::config::MilterLine;
use mailward_core::event::{Event, Events};
use mailward_core::limits::MILTER_REST_TIME;
use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    /// Why it couldn't be asked the last time; `None`: it could, or wasn't asked yet.
    pub fault: Option<String>,
    /// Messages it judged.
    pub judged: u64,
    /// Times that it couldn't be asked.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    fault: Option<String>,
    /// When nobody could connect to it, the last time.
    absent: Option<Instant>,
    judged: u64,
    failed: u64,
}

impl Watch {
    /// Whether it isn't worth trying now.
    pub(crate) fn rests(&self) -> bool {
        self.seen().absent.is_some_and(|since| since.elapsed() < MILTER_REST_TIME)
    }

    /// It couldn't be asked.
    pub(crate) fn failed(&self, line: &MilterLine, fault: &Fault, events: &Events) {
        let was_well = {
            let mut seen = self.seen();
            seen.failed = seen.failed.saturating_add(1);
            if !fault.is_its_own() {
                return;
            }
            if fault.is_absence() {
                seen.absent = Some(Instant::now());
            }
            seen.fault.replace(fault.to_string()).is_none()
        };
        let event = if was_well { Event::alert("milter.down") } else { Event::warn("milter.failed") };
        let event = event.with("milter", &line.name).with("at", &line.place).with("reason", fault);
        events.emit(event.with("default", line.default.name()));
    }

    /// It was connected to.
    pub(crate) fn is_there(&self) {
        self.seen().absent = None;
    }

    /// It gave its verdict on a message.
    pub(crate) fn judged(&self, line: &MilterLine, events: &Events) {
        {
            let mut seen = self.seen();
            seen.judged = seen.judged.saturating_add(1);
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
        Health {
            milter: line.name.clone(),
            place: line.place.to_string(),
            default: line.default.name(),
            fault: seen.fault.clone(),
            judged: seen.judged,
            failed: seen.failed,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
