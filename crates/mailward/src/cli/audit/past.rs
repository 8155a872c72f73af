//! What audits found, and what became of it.

use super::table;
use super::{area, control, read};
use crate::control::audit::{Ask, Known};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use clap::Args;
use mailward_audit::actions::{Action, Actions, Exception};
use mailward_audit::evidence::{Run, Seal};
use mailward_audit::{Check, Record, Score, Verdict, Weights, all, points, score};
use mailward_core::limits::AUDIT_FILE_MAX;
use mailward_core::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read as _;

pub(super) fn ask(place: &Place, ask: Ask) -> Result<Value, Failure> {
    client::run(place, &Request::Audit { ask })
}

/// A run that was kept.
pub(super) fn run_of(place: &Place, number: u64) -> Result<Run, Failure> {
    read(ask(place, Ask::Run { number: Some(number) })?)
}

/// The newest.
pub(super) fn newest(place: &Place) -> Result<Run, Failure> {
    let run: Option<Run> = read(ask(place, Ask::Run { number: None })?)?;
    run.ok_or_else(|| Failure::Refused("no audit was kept yet; `mailward audit run` makes one".to_owned()))
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward audit show
  mailward audit show --failed
  mailward audit show --control SVC-04
  mailward audit show 12 --area network --json")]
pub(crate) struct Show {
    /// Which audit [usual: the newest]
    #[arg(value_name = "NUMBER")]
    number: Option<u64>,
    /// Only this area
    #[arg(long, value_name = "AREA")]
    area: Option<String>,
    /// Only what failed
    #[arg(long)]
    failed: bool,
    /// One control, with the evidence
    #[arg(long, value_name = "ID")]
    control: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        let only = self.area.as_deref().map(area).transpose()?;
        let run = match self.number {
            Some(number) => run_of(&place, number)?,
            None => newest(&place)?,
        };
        let wanted = |record: &&Record| {
            only.is_none_or(|only| record.area == only)
                && (!self.failed || record.verdict.is_failure())
                && self.control.as_ref().is_none_or(|id| record.id.eq_ignore_ascii_case(id))
        };
        let records: Vec<&Record> = run.records.iter().filter(wanted).collect();
        if let Some(id) = self.control.as_ref().filter(|_| records.is_empty()) {
            return Err(Failure::Refused(format!("audit number {} has no control {}", run.number, print::tame(id))));
        }
        if self.json {
            return print::json(
                &json!({ "number": run.number, "began": run.began, "score": run.score, "records": records }),
            );
        }
        match (self.control, records.as_slice()) {
            (Some(_), [record]) => table::whole(record),
            _ => {
                if only.is_none() && !self.failed {
                    table::summary(&run)?;
                }
                table::records(records.into_iter())
            }
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Runs are kept for 400 days, their lines for ever.

Examples:
  mailward audit history
  mailward audit history --json")]
pub(crate) struct History {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl History {
    pub(super) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        let history = ask(&place, Ask::History)?;
        if self.json {
            return print::json(&history);
        }
        let seals: Vec<Seal> = read(history)?;
        if seals.is_empty() {
            return print::line("no audit was kept yet; `mailward audit run` makes one");
        }
        let row = |seal: &Seal| {
            vec![seal.number.to_string(), seal.at.text(), points(seal.total), seal.failed.to_string(), seal.hash()]
        };
        let rows: Vec<Vec<String>> = seals.iter().map(row).collect();
        print::table(&["NUMBER", "AT", "POINTS", "FAILED", "SEAL"], &rows)
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "A file is what `mailward audit report --json`, `audit show --json` or `audit run --json` printed,
here or elsewhere. Its points are counted again.

Examples:
  mailward audit compare 12 13
  mailward audit compare 13 other-server.json"
)]
pub(crate) struct Compare {
    /// The earlier audit: its number, or a file
    #[arg(value_name = "BEFORE")]
    before: String,
    /// The later one
    #[arg(value_name = "AFTER")]
    after: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The part of an audit that is compared. `audit show --json` tells no weights.
#[derive(serde::Deserialize)]
struct Compared {
    score: Score,
    records: Vec<Record>,
    weights: Option<Weights>,
    #[serde(default)]
    overdue: Vec<String>,
}

impl Compared {
    /// Nobody's word is taken for what records are worth.
    fn counted(self) -> Result<Self, String> {
        let Some(weights) = &self.weights else { return Ok(self) };
        let (says, worth) = (self.score.total, score(&self.records, weights, &self.overdue).total);
        if says == worth {
            return Ok(self);
        }
        Err(format!("it says {} points, and its answers are worth {}", points(says), points(worth)))
    }
}

impl Compare {
    pub(super) fn run(self, place: &Where) -> Result<(), Failure> {
        let (before, after) = (compared(place, &self.before)?, compared(place, &self.after)?);
        if before.weights.as_ref().zip(after.weights.as_ref()).is_some_and(|(before, after)| before != after) {
            print::note("areas count otherwise in one than in the other: compare answers, not points");
        }
        let mut rows = Vec::new();
        let mut changes = Vec::new();
        for record in &after.records {
            let was = before.records.iter().find(|other| other.id == record.id).map(|other| other.verdict);
            if was != Some(record.verdict) {
                let was = was.map_or("not asked", Verdict::word);
                changes.push(
                    json!({ "control": record.id, "before": was, "after": record.verdict.word(), "said": record.said }),
                );
                rows.push(vec![
                    print::short(&record.id, 20),
                    was.to_owned(),
                    record.verdict.word().to_owned(),
                    print::short(&record.said, 80),
                ]);
            }
        }
        if self.json {
            let (before, after) = (before.score.total, after.score.total);
            return print::json(&json!({ "before": before, "after": after, "changes": changes }));
        }
        print::line(format_args!("{} points before, {} after", points(before.score.total), points(after.score.total)))?;
        match rows.as_slice() {
            [] => print::line("nothing changed"),
            rows => print::table(&["CONTROL", "BEFORE", "AFTER", "WHAT"], rows),
        }
    }
}

/// A number is an audit here, anything else a file.
fn compared(place: &Where, name: &str) -> Result<Compared, Failure> {
    if let Ok(number) = name.parse::<u64>() {
        let run = run_of(&place.find()?, number)?;
        return Ok(Compared {
            score: run.score,
            records: run.records,
            weights: Some(run.weights),
            overdue: run.overdue,
        });
    }
    let mut bytes = Vec::new();
    let file = File::open(name).map_err(|error| Failure::io(print::tame(name), error))?;
    file.take(AUDIT_FILE_MAX).read_to_end(&mut bytes).map_err(|error| Failure::io(print::tame(name), error))?;
    let refused = |why: String| Failure::Refused(format!("{}: {why}", print::tame(name)));
    let read: Compared = serde_json::from_slice(&bytes)
        .map_err(|error| refused(format!("{error}: it has to be what `mailward audit report --json` prints")))?;
    read.counted().map_err(refused)
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every control that fails opens an action; only a run in which it passes closes it. One that has to
stay as it is needs an exception: a reason, an approver who isn't the owner, and at most a year.

Examples:
  mailward audit actions
  mailward audit actions --all --json
  mailward audit actions --except PHY-04 --reason 'old board' --approver bob@example.org --days 90"
)]
pub(crate) struct Listing {
    /// Closed ones, too
    #[arg(long)]
    all: bool,
    /// Let a control be as it is for a while
    #[arg(long, value_name = "ID", requires_all = ["reason", "approver"])]
    except: Option<String>,
    /// Why
    #[arg(long, requires = "except")]
    reason: Option<String>,
    /// Who says so
    #[arg(long, requires = "except")]
    approver: Option<String>,
    /// For so many days
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=365))]
    days: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Listing {
    pub(super) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        let now = SystemClock.now();
        if let (Some(control), Some(reason), Some(approver)) = (self.except, self.reason, self.approver) {
            let until = Timestamp::from_secs(now.secs().saturating_add(i64::from(self.days).saturating_mul(86_400)));
            let exception = Exception { reason, approver, at: now, until };
            ask(&place, Ask::Except { control: control.to_ascii_uppercase(), exception })?;
            return print::line(format_args!("{} may stay as it is until {}", print::tame(&control), until.text()));
        }
        let known: Known = read(ask(&place, Ask::Known)?)?;
        let actions: Actions = known.actions.unwrap_or_default();
        let weights = crate::compose::audit::weights(&place.config().audit);
        let listed: Vec<&Action> = if self.all { actions.0.values().collect() } else { actions.open(&weights) };
        if self.json {
            return print::json(&listed);
        }
        if listed.is_empty() {
            return print::line("nothing is to be done");
        }
        let rows: Vec<Vec<String>> = listed.iter().map(|action| action_row(action, now)).collect();
        print::table(&["CONTROL", "AREA", "WEIGHT", "STATE", "DUE", "OWNER", "WHAT"], &rows)
    }
}

fn action_row(action: &Action, now: Timestamp) -> Vec<String> {
    let state = match &action.exception {
        _ if !action.is_open() => "closed",
        _ if action.is_overdue(now) => "OVERDUE",
        Some(_) if action.until() > action.due => "excepted",
        _ if action.reopened > 0 => "open again",
        _ => "open",
    };
    let day = |at: Timestamp| at.text().chars().take(10).collect::<String>();
    vec![
        action.control.clone(),
        action.area.key().to_owned(),
        action.weight.to_string(),
        state.to_owned(),
        day(action.until()),
        if action.owner.is_empty() { "nobody".to_owned() } else { print::tame(&action.owner) },
        print::short(&action.said, 60),
    ]
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every byte of what was kept is looked at, every score is counted again. Exit code 65: something was
changed. Write the newest seal down elsewhere: --seal finds an end that was cut off.

Examples:
  mailward audit verify
  mailward audit verify --seal 3f1c…"
)]
pub(crate) struct Verify {
    /// A seal that was written down
    #[arg(long, value_name = "HASH")]
    seal: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        let verified = ask(&place, Ask::Verify { seal: self.seal })?;
        let faults = verified.field("faults").as_array().cloned().unwrap_or_default();
        if self.json {
            print::json(&verified)?;
        } else {
            for fault in &faults {
                let number = fault
                    .field("number")
                    .as_u64()
                    .map_or_else(String::new, |number| format!("audit number {number}: "));
                print::line(format_args!("{number}{}", print::tame(fault.field("what").as_str().unwrap_or_default())))?;
            }
            print::line(format_args!(
                "{} audits, {} with their evidence; {} changes of what was said and what is to be done",
                verified.field("seals"),
                verified.field("runs"),
                verified.field("papers")
            ))?;
            if let Some(newest) = verified.field("newest").as_str() {
                print::line(format_args!("newest seal: {}", print::tame(newest)))?;
            }
        }
        match faults.len() {
            0 => Ok(()),
            faults => Err(Failure::Found(format!("{faults} things aren't as they were written"))),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward audit controls
  mailward audit controls SVC-04
  mailward audit controls --json")]
pub(crate) struct Controls {
    /// One of them, with everything there is to say
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Controls {
    pub(super) fn run(self) -> Result<(), Failure> {
        let controls = match &self.id {
            None => all(),
            Some(id) => vec![control(id)?],
        };
        if self.json {
            let told = controls.iter().map(|control| {
                json!({
                    "id": control.id, "area": control.area, "dimension": control.dimension, "weight": control.weight,
                    "cap": control.cap, "parent": control.parent, "probe": control.probe, "question": control.question,
                    "why": control.why, "verified": control.verified, "mend": control.mend, "source": control.source,
                    "stated": matches!(control.check, Check::Stated { .. }),
                })
            });
            return print::json(&told.collect::<Vec<Value>>());
        }
        if let (Some(_), [control]) = (&self.id, controls.as_slice()) {
            for (name, text) in [
                ("asked", control.question),
                ("why", control.why),
                ("how", control.verified),
                ("mend", control.mend),
                ("source", control.source),
            ] {
                print::line(format_args!("{name:<9} {text}"))?;
            }
            return print::line(format_args!("{:<9} {} of {}", "weight", control.weight, control.dimension.title()));
        }
        let star = |control: &mailward_audit::Control| if control.is_starred() { "*" } else { "" }.to_owned();
        let rows: Vec<Vec<String>> = controls
            .iter()
            .map(|control| {
                vec![control.id.to_owned(), control.weight.to_string(), star(control), control.question.to_owned()]
            })
            .collect();
        print::table(&["CONTROL", "WEIGHT", "*", "QUESTION"], &rows)?;
        print::line("\n*: while it fails, the total is at most 400")
    }
}
