//! The rate guard: how much comes from one source, and what follows when it is too much.
//!
//! **In**: a message with those that it comes from ([`Subjects`]), recipients that were refused. **Out**: a [`RateVerdict`].
//! Incoming mail is counted by sending address, its domain, host and network; outgoing by user, by the domain of their address
//! and by the host that they send from. Each kind of source has three steps ([`mailward_core::RateStep`]), of messages, recipients and refused recipients.
//!
//! Beyond *warn* an event tells it once an hour. Beyond *block* more is put off until the window has less: what is put off doesn't
//! count for it, so that whoever waits gets through. Beyond *alarm*, for which all attempts count, everything of the source is
//! refused for [`RATE_ALARM_TIME`], and an alert says so.
//!
//! **A sender can be forged.** Those that are proven ([`Subjects::proven`]) are counted apart from those that aren't, and of these
//! each network that they come from: nobody has another's mail put off that comes from elsewhere.
//!
//! What was let come and isn't accepted after all is taken back: [`RateHold`].
//!
//! **Limits**: `limits::RATE_*`. A decision costs the same whatever is remembered: a few places of a table
//! are looked at, under the lock of one part of 64. What is remembered is bounded.
//!
//! **Failure**: counts are in memory; those that matter are written every `limits::RATE_WRITE_TIME` ([`keep`]) and read at the
//! start. If they can't be, it is told, and counting goes on.

mod counts;
mod hold;
mod ignore;
mod keep;
mod listed;
mod source;
mod table;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests;

pub(crate) use counts::Moment;
pub use hold::RateHold;
pub use listed::{RateInfo, RateReset};
pub use source::{OwnRates, RateKind, Subjects};
pub(crate) use table::{Counted, Slot, Table};

use arc_swap::ArcSwap;
use counts::Counts;
use ignore::Ignored;
use mailward_core::config::Rates as Config;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{RATE_ALARM_TIME, RATE_NAMED_MAX, RATE_SOURCES_MAX};
use mailward_core::{Clock, RateLimits, RateMeasure, RateStep, Secret, Timestamp};
use mailward_store::behind::Behind;
use mailward_vault::{SourceKey, VaultError};
use serde::{Deserialize, Serialize};
use source::{SOURCES, Source, Sources};
use std::collections::HashMap;
use std::sync::Arc;
use table::PARTS;

/// Sources that one part of the table names.
const NAMED_PER_PART: usize = RATE_NAMED_MAX.div_euclid(PARTS);
/// That it went beyond warn was told in this slot ([`Slot::PASSING`]).
const WARNED: u8 = 1;
/// The same of block.
const BLOCKED: u8 = 2;
/// An alarm is on, or was.
const ALARMED: u8 = 4;
/// It is on the list of those that are written down.
const KEPT: u8 = 8;

/// What is decided of a message, by how much came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RateVerdict {
    /// Nothing is against it.
    Pass,
    /// It passes; a source has gone beyond warn.
    Warn(RateHit),
    /// It is put off, or refused: [`RateHit::step`] tells.
    Refuse(RateHit),
}

/// Which source went beyond which step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateHit {
    /// What it is.
    pub kind: RateKind,
    /// It, in words.
    pub name: String,
    /// What was counted.
    pub measure: RateMeasure,
    /// The step.
    pub step: RateStep,
    /// What came in the window.
    pub count: u64,
    /// What may come.
    pub limit: u64,
}

impl std::fmt::Display for RateHit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, name, measure, step, count, limit } = self;
        write!(f, "rates.{} {name}: {} {count}/h, {} at {limit}/h", kind.name(), measure.name(), step.name())
    }
}

/// What is known of a source that went beyond warn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    kind: RateKind,
    /// At most 370 bytes, whoever wrote it.
    name: String,
    /// When it first did.
    since: Timestamp,
    /// Everything of it is refused until then.
    alarm: Option<Timestamp>,
}

impl Named {
    /// Until when everything of it is refused, if it is. A clock that was set back makes no alarm longer (attacks H9).
    fn alarmed_until(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.alarm = self.alarm.map(|alarm| alarm.min(until(now)));
        self.alarm.filter(|until| *until > now)
    }
}

/// What one part of the table keeps beside the counts.
#[derive(Default)]
struct Beside {
    named: HashMap<u64, Named>,
    /// Sources that are written down.
    kept: Vec<u64>,
    /// What is to be written is not what was.
    unwritten: bool,
}

/// What is configured, made ready.
struct Settings {
    config: Config,
    ignored: Ignored,
}

/// See the [module](self).
pub struct Rates {
    table: Table<Counts, Beside>,
    key: SourceKey,
    settings: ArcSwap<Settings>,
    clock: Arc<dyn Clock>,
    events: Events,
    behind: Behind,
    /// One writes at a time, so that what is written last is newest.
    writing: tokio::sync::Mutex<()>,
}

/// What one source says to a message.
struct Judged {
    measure: RateMeasure,
    step: RateStep,
    count: u64,
    limit: u64,
    /// It wasn't told yet.
    is_news: bool,
}

impl Rates {
    /// Counts nothing yet. The server's secret makes the numbers by which sources are remembered.
    ///
    /// # Errors
    /// [`VaultError`], which should not happen.
    pub fn new(
        config: &Config,
        clock: Arc<dyn Clock>,
        events: Events,
        secret: &Secret,
    ) -> Result<Arc<Self>, VaultError> {
        Self::with_room(RATE_SOURCES_MAX, config, clock, events, secret)
    }

    /// The same with room for so many sources.
    ///
    /// # Errors
    /// [`VaultError`], which should not happen.
    pub fn with_room(
        sources: usize,
        config: &Config,
        clock: Arc<dyn Clock>,
        events: Events,
        secret: &Secret,
    ) -> Result<Arc<Self>, VaultError> {
        Ok(Arc::new(Self {
            table: Table::new(sources),
            key: SourceKey::new(secret, "rates")?,
            settings: ArcSwap::from_pointee(Settings::of(config)),
            clock,
            behind: Behind::new(events.clone(), "rates.unwritten"),
            events,
            writing: tokio::sync::Mutex::default(),
        }))
    }

    /// Takes other steps, and another list of what isn't counted. Counts stay.
    pub fn set(&self, config: &Config) {
        self.settings.store(Arc::new(Settings::of(config)));
    }

    /// Counts a message that is about to be taken, with so many recipients, and decides. One that is refused counts as tried, and
    /// not as passed. Ask once a message, when its recipients are known.
    pub fn message(&self, of: &Subjects<'_>, recipients: u32) -> RateVerdict {
        let settings = self.settings.load();
        let sources = Sources::of(of, &settings.ignored, &self.key);
        self.decide(&settings, &sources, of, recipients)
    }

    /// The same for a message of which it isn't known yet whether it will be accepted.
    ///
    /// # Errors
    /// What is against it.
    pub fn hold(self: &Arc<Self>, of: &Subjects<'_>, recipients: u32) -> Result<RateHold, RateHit> {
        let settings = self.settings.load();
        let sources = Sources::of(of, &settings.ignored, &self.key);
        match self.decide(&settings, &sources, of, recipients) {
            RateVerdict::Refuse(hit) => Err(hit),
            RateVerdict::Pass | RateVerdict::Warn(_) => {
                let (now, _) = self.now();
                Ok(RateHold::new(Arc::clone(self), sources.numbers(), recipients, now.slot))
            }
        }
    }

    fn decide(&self, settings: &Settings, sources: &Sources<'_>, of: &Subjects<'_>, recipients: u32) -> RateVerdict {
        let verdict = self.count(settings, sources, of, |counts| {
            for (pair, count) in [
                (&mut counts.messages, 1),
                (&mut counts.tried_messages, 1),
                (&mut counts.recipients, recipients),
                (&mut counts.tried_recipients, recipients),
            ] {
                pair.add(count);
            }
        });
        if matches!(verdict, RateVerdict::Refuse(_)) {
            let (now, _) = self.now();
            self.take_back(sources.numbers(), now.slot, |counts, slots| {
                counts.messages.take_back(1, slots);
                counts.recipients.take_back(recipients, slots);
            });
        }
        verdict
    }

    /// Takes back what was counted in a slot of time.
    fn take_back(&self, numbers: [u64; SOURCES], counted: u32, back: impl Fn(&mut Counts, u32)) {
        let (now, _) = self.now();
        let Some(slots) = now.slot.checked_sub(counted) else { return };
        for number in numbers.into_iter().filter(|number| *number != 0) {
            if let Some(mut part) = self.table.part(number)
                && let Some(slot) = part.there(number, now.slot)
            {
                back(&mut slot.counts, slots);
            }
        }
    }

    /// Counts recipients that were refused for good, as they don't exist or may not be written to. Senders aren't blamed, as they can
    /// be forged: hosts, networks and users are.
    pub fn refused(&self, of: &Subjects<'_>, recipients: u32) -> RateVerdict {
        let settings = self.settings.load();
        let of = Subjects { from: None, ..*of };
        let sources = Sources::of(&of, &settings.ignored, &self.key);
        self.count(&settings, &sources, &of, |counts| counts.refused.add(recipients))
    }

    /// What [`Rates::message`] would refuse now: for whoever asks before there is a message, when a client connects or names a
    /// sender. If nothing bars it nothing is counted; else it is, as one that was tried, so that who goes on raises an alarm.
    pub fn barred(&self, of: &Subjects<'_>) -> Option<RateHit> {
        let settings = self.settings.load();
        let (now, time) = self.now();
        let one = |counts: &mut Counts| {
            counts.messages.add(1);
            counts.recipients.add(1);
        };
        for source in Sources::of(of, &settings.ignored, &self.key).all() {
            let limits = settings.limits(source, of);
            let is_barred = self.table.part(source.number).is_some_and(|mut part| {
                let Some(mut slot) = part.look(source.number, now.slot) else { return false };
                let alarm = part.beside.named.get_mut(&source.number).and_then(|named| named.alarmed_until(time));
                one(&mut slot.counts);
                let judged = judge(&slot.counts, &limits, alarm.is_some(), now);
                judged.is_some_and(|judged| judged.step >= RateStep::Block)
            });
            if !is_barred {
                continue;
            }
            let tried = |counts: &mut Counts| {
                counts.tried_messages.add(1);
                counts.tried_recipients.add(1);
            };
            let Some(judged) = self.count_one(source, &limits, now, time, tried, one) else { continue };
            let hit = source.hit(&judged);
            if judged.is_news {
                self.tell(&hit, of);
            }
            return Some(hit);
        }
        None
    }

    fn now(&self) -> (Moment, Timestamp) {
        let time = self.clock.now();
        (Moment::of(time), time)
    }

    /// Counts for every source, and answers the worst that any of them says.
    fn count(
        &self,
        settings: &Settings,
        sources: &Sources<'_>,
        of: &Subjects<'_>,
        add: impl Fn(&mut Counts),
    ) -> RateVerdict {
        let (now, time) = self.now();
        let mut worst: Option<RateHit> = None;
        for source in sources.all() {
            let limits = settings.limits(source, of);
            let Some(judged) = self.count_one(source, &limits, now, time, &add, |_| ()) else { continue };
            let hit = source.hit(&judged);
            if judged.is_news {
                self.tell(&hit, of);
            }
            if worst.as_ref().is_none_or(|worst| worst.step < hit.step) {
                worst = Some(hit);
            }
        }
        match worst {
            None => RateVerdict::Pass,
            Some(hit) if hit.step == RateStep::Warn => RateVerdict::Warn(hit),
            Some(hit) => RateVerdict::Refuse(hit),
        }
    }

    /// Counts for one source, and judges it as if some more had come.
    fn count_one(
        &self,
        source: &Source<'_>,
        limits: &RateLimits,
        now: Moment,
        time: Timestamp,
        add: impl Fn(&mut Counts),
        suppose: impl Fn(&mut Counts),
    ) -> Option<Judged> {
        let mut part = self.table.part(source.number)?;
        let (slot, beside) = part.place(source.number, now.slot)?;
        add(&mut slot.counts);
        keep::note(source.number, slot, beside);
        let alarmed = slot.flags & ALARMED != 0 && still_alarmed(source.number, slot, beside, time);
        let mut supposed = slot.counts;
        suppose(&mut supposed);
        let mut judged = judge(&supposed, limits, alarmed, now)?;
        let flag = match judged.step {
            RateStep::Warn => WARNED,
            RateStep::Block => BLOCKED,
            RateStep::Alarm => ALARMED,
        };
        judged.is_news = slot.flags & flag == 0;
        if judged.is_news {
            slot.flags |= flag | WARNED | Slot::<Counts>::PINNED;
            let alarm = (judged.step == RateStep::Alarm).then(|| until(time));
            beside.name(source, time, alarm);
        }
        Some(judged)
    }

    fn tell(&self, hit: &RateHit, of: &Subjects<'_>) {
        let name = match hit.step {
            RateStep::Warn => "rate.high",
            RateStep::Block => "rate.blocked",
            RateStep::Alarm => "rate.alarm",
        };
        let event = if hit.step == RateStep::Alarm { Event::alert(name) } else { Event::warn(name) };
        let event = event
            .with("kind", hit.kind.name())
            .with("source", &hit.name)
            .with("counted", hit.measure.name())
            .with("count", hit.count)
            .with("limit", hit.limit);
        let event = match of.ip {
            Some(ip) => event.with("from", ip.to_canonical()),
            None => event,
        };
        self.events.emit(match hit.step {
            RateStep::Alarm => event.with("refused_for_seconds", RATE_ALARM_TIME.as_secs()).with(
                "mend",
                "look at `mailward rates list`; if it should send so much: rates.ignore, and `mailward rates reset SOURCE`",
            ),
            RateStep::Warn | RateStep::Block => event,
        });
    }

    /// Bytes that the table of counts takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.bytes()
    }
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rates")
    }
}

impl Settings {
    fn of(config: &Config) -> Self {
        Self { ignored: Ignored::of(&config.ignore), config: config.clone() }
    }
}

impl Beside {
    /// Remembers what a source is, if there is room; for one with an alarm others go.
    fn name(&mut self, source: &Source<'_>, time: Timestamp, alarm: Option<Timestamp>) {
        self.unwritten = true;
        if let Some(named) = self.named.get_mut(&source.number) {
            named.alarm = alarm.or(named.alarm);
            return;
        }
        if self.named.len() >= NAMED_PER_PART {
            let oldest = self.named.iter().filter(|(_, named)| named.alarm.is_none_or(|until| until <= time));
            match oldest.min_by_key(|(_, named)| named.since).map(|(number, _)| *number) {
                Some(number) => drop(self.named.remove(&number)),
                None => return,
            }
        }
        let named = Named { kind: source.kind, name: source.name(), since: time, alarm };
        self.named.insert(source.number, named);
    }
}

/// When an alarm that begins now is over.
fn until(now: Timestamp) -> Timestamp {
    Timestamp::from_secs(now.secs().saturating_add(i64::try_from(RATE_ALARM_TIME.as_secs()).unwrap_or(i64::MAX)))
}

/// Whether an alarm is on; one that is over is taken off, and what was tried meanwhile forgotten, so that it begins anew only if
/// as much comes once more.
fn still_alarmed(number: u64, slot: &mut Slot<Counts>, beside: &mut Beside, time: Timestamp) -> bool {
    let Some(named) = beside.named.get_mut(&number) else {
        slot.flags &= !ALARMED;
        return false;
    };
    if named.alarmed_until(time).is_some() {
        return true;
    }
    named.alarm = None;
    beside.unwritten = true;
    slot.flags &= !ALARMED;
    slot.counts.tried_messages = slot.counts.messages;
    slot.counts.tried_recipients = slot.counts.recipients;
    false
}

/// What counts say by these steps: the worst of all measures.
fn judge(counts: &Counts, limits: &RateLimits, alarmed: bool, now: Moment) -> Option<Judged> {
    let mut worst: Option<Judged> = None;
    for measure in RateMeasure::ALL {
        let steps = limits.get(measure);
        let (passed, tried) = (counts.passed(measure).in_window(now), counts.tried(measure).in_window(now));
        for step in RateStep::ALL {
            let count = if step == RateStep::Alarm { tried } else { passed };
            let Some(limit) = steps.get(step).map(u64::from) else { continue };
            let is_beyond = count > limit || (alarmed && step == RateStep::Alarm);
            if is_beyond && worst.as_ref().is_none_or(|worst| worst.step < step) {
                worst = Some(Judged { measure, step, count, limit, is_news: false });
            }
        }
    }
    if alarmed && worst.as_ref().is_none_or(|worst| worst.step != RateStep::Alarm) {
        // Its step was taken away meanwhile: the alarm lasts all the same.
        let count = counts.tried(RateMeasure::Messages).in_window(now);
        let measure = RateMeasure::Messages;
        return Some(Judged { measure, step: RateStep::Alarm, count, limit: 0, is_news: false });
    }
    worst
}
