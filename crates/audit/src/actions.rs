//! Corrective actions: what becomes of what an audit found.
//!
//! A control that fails opens one, with the owner of its area and a day by which it has to be over. Only a run in which the same
//! control passes, or in which it is seen that there is nothing left to ask, closes it. One that fails again is opened again, and counts how often. Who can't mend something may have
//! an exception approved, by somebody else than the owner, for at most a year. An overdue action of a mandatory control caps the
//! score ([`Actions::cap`]).

use crate::area::Area;
use crate::control::Probe;
use crate::controls;
use crate::evidence::Run;
use crate::finding::Verdict;
use crate::record::Record;
use crate::statements::same_person;
use mailward_core::Address;
use mailward_core::Timestamp;
use mailward_core::limits::{AUDIT_EXCEPTION_DAYS, AUDIT_WORDS_MAX};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const DAY: i64 = 86_400;

/// The most that the total can be while a mandatory control's action is overdue, of 1,000.
pub const OVERDUE_MOST: u16 = 800;

/// Days until an action has to be over, by its control's weight.
pub const fn days(weight: u8) -> i64 {
    match weight {
        8.. => 7,
        4..=7 => 30,
        _ => 90,
    }
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The control that failed.
    pub control: String,
    /// Its area.
    pub area: Area,
    /// Its weight.
    pub weight: u8,
    /// Who owns the area; empty if nobody does.
    pub owner: String,
    /// When it was opened, this time.
    pub opened: Timestamp,
    /// When it has to be over.
    pub due: Timestamp,
    /// When a run closed it.
    pub closed: Option<Timestamp>,
    /// How often it was opened again.
    pub reopened: u32,
    /// What the control said last.
    pub said: String,
    /// Why it may stay as it is.
    pub exception: Option<Exception>,
}

/// Leave to let something be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Why.
    pub reason: String,
    /// Who says so; never the owner.
    pub approver: String,
    /// When it was said.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// What is wrong with an exception.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExceptionError {
    /// Nothing to except.
    #[error("{0} has no open action; `mailward audit actions` lists those there are")]
    NoAction(String),
    /// A reason is needed.
    #[error("an exception needs a reason of at most {AUDIT_WORDS_MAX} characters")]
    Reason,
    /// Nobody grants themselves one.
    #[error("{0} owns the area; somebody else has to approve it")]
    Owner(String),
    /// Nobody can tell who that is.
    #[error("{0:?} isn't an address; who approves is somebody with one, such as bob@example.org")]
    Approver(String),
    /// It ends.
    #[error("an exception ends after today and within {AUDIT_EXCEPTION_DAYS} days")]
    Until,
}

impl Action {
    /// Whether it waits for something.
    pub const fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// When it has to be over: an exception gives time, unless who approved it has become the owner since.
    pub fn until(&self) -> Timestamp {
        let holds = self.exception.as_ref().filter(|exception| !same_person(&exception.approver, &self.owner));
        holds.map_or(self.due, |exception| exception.until.max(self.due))
    }

    /// Whether it should be over and isn't.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.is_open() && now > self.until()
    }
}

/// All of them, by control.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actions(pub BTreeMap<String, Action>);

impl Actions {
    /// What a run changes. Who answers for an area is asked of `owners`.
    pub fn heard(&mut self, run: &Run, owners: &BTreeMap<Area, String>) {
        for record in &run.records {
            match record.verdict {
                Verdict::Fail | Verdict::Error | Verdict::Partial(_) => self.failed(record, owners),
                // Somebody's word that it doesn't apply mends nothing: who won't mend it needs an exception.
                Verdict::NotApplicable if record.probe == Probe::Statement => {}
                Verdict::Pass | Verdict::NotApplicable => {
                    if let Some(action) = self.0.get_mut(&record.id).filter(|action| action.is_open()) {
                        action.closed = Some(record.ended);
                        action.exception = None;
                    }
                }
                // Nobody knows: what is open stays open.
                Verdict::NotRun | Verdict::NotTested => {}
            }
        }
        // Controls that are no more.
        self.0.retain(|id, _| controls::find(id).is_some());
    }

    fn failed(&mut self, record: &Record, owners: &BTreeMap<Area, String>) {
        let owner = owners.get(&record.area).cloned().unwrap_or_default();
        let due = Timestamp::from_secs(record.ended.secs().saturating_add(days(record.weight).saturating_mul(DAY)));
        match self.0.get_mut(&record.id) {
            Some(action) if action.is_open() => {
                action.said.clone_from(&record.said);
                action.owner = owner;
            }
            Some(action) => {
                action.reopened = action.reopened.saturating_add(1);
                (action.opened, action.due, action.closed) = (record.ended, due, None);
                action.said.clone_from(&record.said);
                action.owner = owner;
            }
            None => {
                let action = Action {
                    control: record.id.clone(),
                    area: record.area,
                    weight: record.weight,
                    owner,
                    opened: record.ended,
                    due,
                    closed: None,
                    reopened: 0,
                    said: record.said.clone(),
                    exception: None,
                };
                self.0.insert(record.id.clone(), action);
            }
        }
    }

    /// Grants an exception.
    ///
    /// # Errors
    /// [`ExceptionError`].
    pub fn except(&mut self, control: &str, exception: Exception) -> Result<(), ExceptionError> {
        let id = control.to_ascii_uppercase();
        let action = self
            .0
            .get_mut(&id)
            .filter(|action| action.is_open())
            .ok_or_else(|| ExceptionError::NoAction(control.to_owned()))?;
        let reason = exception.reason.trim();
        if reason.is_empty() || reason.chars().count() > AUDIT_WORDS_MAX {
            return Err(ExceptionError::Reason);
        }
        if Address::parse(&exception.approver, true).is_err() {
            return Err(ExceptionError::Approver(exception.approver));
        }
        if same_person(&exception.approver, &action.owner) {
            return Err(ExceptionError::Owner(exception.approver));
        }
        let lasts = exception.until.secs().saturating_sub(exception.at.secs());
        if lasts <= 0 || lasts > i64::from(AUDIT_EXCEPTION_DAYS).saturating_mul(DAY) {
            return Err(ExceptionError::Until);
        }
        action.exception = Some(exception);
        Ok(())
    }

    /// Those of an area.
    pub fn of(&self, area: Area) -> impl Iterator<Item = &Action> {
        self.0.values().filter(move |action| action.area == area)
    }

    /// Open ones: the weightiest area first, as the checklist of 2001 lists what was found, then the weightiest control, then the
    /// one that is due first.
    pub fn open(&self, weights: &crate::Weights) -> Vec<&Action> {
        let mut open: Vec<&Action> = self.0.values().filter(|action| action.is_open()).collect();
        open.sort_by_key(|action| {
            use std::cmp::Reverse;
            (Reverse(weights.of(action.area)), action.area, Reverse(action.weight), action.due, action.control.clone())
        });
        open
    }

    /// The mandatory controls whose actions are overdue: while there is one, the total is at most [`OVERDUE_MOST`].
    pub fn cap(&self, now: Timestamp) -> Vec<&Action> {
        self.0.values().filter(|action| action.weight >= 10 && action.is_overdue(now)).collect()
    }
}
