//! Who is reminded of what is to be mended.
//!
//! Each action is told of twice at most: when it is due within `limits::AUDIT_REMIND_DAYS`, to the area's owner; and when it is
//! overdue, to the owner and to who stands in for them. One that was opened again, or was given another day by an exception, is
//! another one. Reminders come together, at most once a day.

use crate::actions::{Action, Actions};
use crate::area::Area;
use crate::scene::day;
use crate::score::Weights;
use mailward_core::Timestamp;
use mailward_core::limits::{ALERT_LINES_MAX, AUDIT_REMIND_DAYS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const DAY: i64 = 86_400;

/// Time between two reminders, seconds: a day on which clocks are put forward, and what an audit may take more or less.
const REST: i64 = 22 * 3_600;

/// Lines of a letter beside those that name an action.
const OTHER_LINES: usize = 4;

/// How near its day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It comes within `limits::AUDIT_REMIND_DAYS`.
    Due,
    /// It is over.
    Overdue,
}

/// What was told of one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    /// When it was opened, the time that was told of.
    opened: Timestamp,
    /// When it had to be over then.
    until: Timestamp,
    /// The last stage that was told.
    stage: Stage,
}

/// What was told, by control, and when last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reminders {
    told: BTreeMap<String, Told>,
    last: Option<Timestamp>,
}

/// One action that somebody is to be reminded of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// The control that failed.
    pub control: String,
    /// How near its day is.
    pub stage: Stage,
    /// That day.
    pub until: Timestamp,
    /// What the control said last. Hostile in part.
    pub said: String,
    /// Who answers for it; empty if nobody does.
    pub owner: String,
    /// Who stands in for them; empty if nobody does.
    pub deputy: String,
}

/// What one person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Their address; `None`: what nobody answers for.
    pub to: Option<String>,
    /// How many actions are due soon.
    pub due: usize,
    /// How many are overdue.
    pub overdue: usize,
    /// One line.
    pub subject: String,
    /// The rest. Hostile in part.
    pub lines: Vec<String>,
}

impl Reminders {
    /// What is to be told now, the weightiest first; from then on it counts as told. Nothing if something was told within a day.
    pub fn due(
        &mut self,
        actions: &Actions,
        deputies: &BTreeMap<Area, String>,
        weights: &Weights,
        now: Timestamp,
    ) -> Vec<Reminder> {
        // A clock that was put back holds nothing up.
        let rests = self.last.is_some_and(|last| (0..REST).contains(&now.secs().saturating_sub(last.secs())));
        if rests {
            return Vec::new();
        }
        let open = actions.open(weights);
        self.told.retain(|id, _| open.iter().any(|action| action.control == *id));
        let mut due = Vec::new();
        for action in open {
            let Some(stage) = stage(action, now) else { continue };
            let (opened, until) = (action.opened, action.until());
            let before = self.told.get(&action.control).filter(|told| (told.opened, told.until) == (opened, until));
            if before.is_some_and(|told| told.stage >= stage) {
                continue;
            }
            self.told.insert(action.control.clone(), Told { opened, until, stage });
            due.push(Reminder {
                control: action.control.clone(),
                stage,
                until,
                said: action.said.clone(),
                owner: action.owner.clone(),
                deputy: deputies.get(&action.area).cloned().unwrap_or_default(),
            });
        }
        if !due.is_empty() {
            self.last = Some(now);
        }
        due
    }
}

/// The stage that an action is at; none where its day is far, or it was opened within a day: that was told then.
fn stage(action: &Action, now: Timestamp) -> Option<Stage> {
    if action.is_overdue(now) {
        return Some(Stage::Overdue);
    }
    let left = action.until().secs().saturating_sub(now.secs());
    let is_new = now.secs().saturating_sub(action.opened.secs()) < REST;
    (!is_new && left <= i64::from(AUDIT_REMIND_DAYS).saturating_mul(DAY)).then_some(Stage::Due)
}

/// What each person is told: owners of what is theirs, deputies of what is overdue.
pub fn letters(reminders: &[Reminder]) -> Vec<Letter> {
    let mut by_person: BTreeMap<&str, Vec<&Reminder>> = BTreeMap::new();
    for reminder in reminders {
        by_person.entry(&reminder.owner).or_default().push(reminder);
        if reminder.stage == Stage::Overdue && !reminder.deputy.is_empty() && reminder.deputy != reminder.owner {
            by_person.entry(&reminder.deputy).or_default().push(reminder);
        }
    }
    by_person.into_iter().map(|(who, theirs)| letter(who, &theirs)).collect()
}

fn letter(who: &str, theirs: &[&Reminder]) -> Letter {
    let count = |stage: Stage| theirs.iter().filter(|reminder| reminder.stage == stage).count();
    let (due, overdue) = (count(Stage::Due), count(Stage::Overdue));
    let whose = if who.is_empty() { "nobody's" } else { who };
    let soon = format!("{due} due within {AUDIT_REMIND_DAYS} days");
    let subject = match (due, overdue) {
        (0, overdue) => format!("What an audit found, {whose} to mend: {overdue} overdue"),
        (_, 0) => format!("What an audit found, {whose} to mend: {soon}"),
        (_, overdue) => format!("What an audit found, {whose} to mend: {overdue} overdue, {soon}"),
    };
    let most = ALERT_LINES_MAX.saturating_sub(OTHER_LINES);
    let mut lines: Vec<String> = theirs.iter().take(most).map(|reminder| reminder.line(who)).collect();
    if let more @ 1.. = theirs.len().saturating_sub(most) {
        lines.push(format!("and {more} more"));
    }
    lines.push(String::new());
    lines.push(
        "`mailward audit actions` lists them, and `mailward audit show --control ID` tells how to mend one.".to_owned(),
    );
    lines.push("What can't be mended needs an exception: `mailward audit actions --except ID`.".to_owned());
    Letter { to: (!who.is_empty()).then(|| who.to_owned()), due, overdue, subject, lines }
}

impl Reminder {
    /// One line, for its owner or for somebody else.
    fn line(&self, reader: &str) -> String {
        let when = match self.stage {
            Stage::Due => format!("due on {}", day(self.until)),
            Stage::Overdue => format!("overdue since {}", day(self.until)),
        };
        let whose = match self.owner.as_str() {
            "" => ", nobody answers for it".to_owned(),
            owner if owner == reader => String::new(),
            owner => format!(", {owner}'s to mend"),
        };
        format!("{} {when}{whose}: {}", self.control, self.said)
    }
}
