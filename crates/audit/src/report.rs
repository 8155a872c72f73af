//! What an audit found, for people: a page that explains itself, and the same as data that can be given away.
//!
//! **In**: a [`Run`], the one before it, the seals of all, what is to be done. **Out**: text, by pure functions. The page
//! ([`Report::html`]) is one file of HTML without scripts and without anything from elsewhere; its first sheet is for whoever
//! decides, then comes what is to be done, then every question with its answer and its evidence. [`Report::without_names`] makes
//! of a report one that another organisation may see.
//!
//! **Limits**: those of runs (`limits::AUDIT_RUN_MAX`, `AUDIT_EXCERPT_MAX`); of an excerpt the page shows the first lines only.
//!
//! **Failure**: none. All text is hostile, whoever wrote it: the page has no element and no control character of anybody else's.

mod areas;
mod charts;
mod markup;
mod names;
mod page;
mod stand_ins;
mod todo;

pub use names::Names;
pub(crate) use stand_ins::given_away;

use crate::actions::Actions;
use crate::control::Control;
use crate::controls::find;
use crate::evidence::{Run, Seal};
use crate::finding::Verdict;
use crate::record::Record;
use crate::score::score;
use mailward_core::Timestamp;
use serde::Serialize;
use std::cmp::Reverse;

/// An audit, with what it is compared with and what became of it.
#[derive(Clone, Debug)]
pub struct Report {
    run: Run,
    before: Option<Run>,
    history: Vec<Seal>,
    actions: Actions,
    now: Timestamp,
    is_anonymous: bool,
}

/// Something that can go wrong here, and what mending it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk<'a> {
    /// What happens, in plain words: [`Control::why`].
    pub why: &'static str,
    /// The controls that failed for it, the first one first: areas share questions.
    pub records: Vec<&'a Record>,
    /// The most that the total can be while it is so, of 1,000.
    pub most: Option<u16>,
    /// Points that the total would have more without it, before any cap, in hundredths.
    pub gain: u32,
}

/// A line of the history as it is given away.
#[derive(Serialize)]
struct Past {
    number: u64,
    at: Timestamp,
    total: u32,
    failed: u32,
    seal: String,
}

/// A report as data: a run's members, and more.
#[derive(Serialize)]
struct Export<'a> {
    /// Whether names, addresses and evidence were left out.
    anonymous: bool,
    #[serde(flatten)]
    run: &'a Run,
    actions: &'a Actions,
    history: Vec<Past>,
}

impl Report {
    /// About `run`. `before`: the run before it, if it is still there; `history`: all seals, those after the run are left out;
    /// `now` tells what is overdue.
    pub fn new(run: Run, before: Option<Run>, history: Vec<Seal>, actions: Actions, now: Timestamp) -> Self {
        let history = history.into_iter().filter(|seal| seal.number <= run.number).collect();
        let before = before.filter(|before| before.number < run.number);
        Self { run, before, history, actions, now, is_anonymous: false }
    }

    /// The audit before this one: its number, and how many hundredths of points this one has more.
    pub fn change(&self) -> Option<(u64, i64)> {
        let before = self.history.iter().rfind(|seal| seal.number < self.run.number)?;
        Some((before.number, i64::from(self.run.score.total).saturating_sub(i64::from(before.total))))
    }

    /// The worst risks, at most so many: first those that cap the total, then those that cost most points. What wasn't tested and
    /// checks that broke are no risks that anybody knows of.
    pub fn worst(&self, most: usize) -> Vec<Risk<'_>> {
        let mut bare = self.run.records.clone();
        bare.iter_mut().for_each(|record| record.seen.clear());
        let have = score(&bare, &self.run.weights, &[]).uncapped;
        let mut risks: Vec<Risk<'_>> = Vec::new();
        for (at, record) in self.run.records.iter().enumerate() {
            let (Verdict::Fail | Verdict::Partial(_), Some(control)) = (record.verdict, find(&record.id)) else {
                continue;
            };
            let gain = self.gain(&mut bare, at).saturating_sub(have);
            let cap = record.cap.map(crate::Cap::most);
            match risks.iter_mut().find(|risk| risk.why == control.why) {
                Some(risk) => {
                    risk.records.push(record);
                    risk.gain = risk.gain.saturating_add(gain);
                    risk.most = risk.most.into_iter().chain(cap).min();
                }
                None => risks.push(Risk { why: control.why, records: vec![record], most: cap, gain }),
            }
        }
        risks.sort_by_key(|risk| (risk.most.unwrap_or(u16::MAX), Reverse(risk.gain)));
        risks.truncate(most);
        risks
    }

    /// What the whole would be worth if this one record were passed.
    fn gain(&self, records: &mut [Record], at: usize) -> u32 {
        let Some(record) = records.get_mut(at) else { return 0 };
        let was = std::mem::replace(&mut record.verdict, Verdict::Pass);
        let better = score(records, &self.run.weights, &[]).uncapped;
        if let Some(record) = records.get_mut(at) {
            record.verdict = was;
        }
        better
    }

    /// One file of HTML.
    pub fn html(&self) -> String {
        page::page(self)
    }

    /// Data that `mailward audit compare` takes: the run's own members, `actions`, `history`, and `anonymous`.
    ///
    /// # Errors
    /// Of the serialiser; none that anybody has seen.
    pub fn data(&self) -> Result<serde_json::Value, serde_json::Error> {
        let past = |seal: &Seal| Past {
            number: seal.number,
            at: seal.at,
            total: seal.total,
            failed: seal.failed,
            seal: seal.hash(),
        };
        serde_json::to_value(Export {
            anonymous: self.is_anonymous,
            run: &self.run,
            actions: &self.actions,
            history: self.history.iter().map(past).collect(),
        })
    }

    /// The same without names, addresses and evidence: each is replaced by a stand-in that is the same throughout. Hashes stay.
    #[must_use]
    pub fn without_names(&self, names: &Names) -> Self {
        stand_ins::anonymous(self, names)
    }

    /// What the run before said to the same control, if it said something else.
    fn before(&self, record: &Record) -> Option<Verdict> {
        let before = self.before.as_ref()?.records.iter().find(|before| before.id == record.id)?;
        (before.verdict != record.verdict).then_some(before.verdict)
    }
}

/// What is asked, where the program still knows; a run may be older.
fn question(record: &Record) -> &str {
    find(&record.id).map_or(record.id.as_str(), |control: &Control| control.question)
}

/// A verdict in words.
fn answer(verdict: Verdict) -> String {
    match verdict {
        Verdict::Partial(share) => format!("in part ({share} %)"),
        other => other.word().to_owned(),
    }
}
