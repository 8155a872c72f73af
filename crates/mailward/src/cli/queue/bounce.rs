//! `mailward queue bounce`: recipients are given up, their senders told.

use super::Act;
use super::steer::{not_there, portions};
use crate::control::Request;
use crate::control::care::BounceStep;
use crate::control::client::Errand;
use crate::control::queue::{self, Which};
use crate::failure::Failure;
use crate::place::Place;
use crate::print;
use mailward_core::limits::BOUNCE_WORDS_MAX;
use mailward_core::{Clock as _, QueueId, SystemClock};
use serde_json::json;

/// Messages that are named when they were being sent.
const BUSY_NAMED: usize = 10;

pub(super) fn run(place: &Place, act: Act, text: Option<String>, yes: bool) -> Result<(), Failure> {
    if let Some(text) = &text
        && (text.is_empty() || text.len() > BOUNCE_WORDS_MAX || text.chars().any(char::is_control))
    {
        return Err(Failure::Usage(format!("--text is one line of 1 to {BOUNCE_WORDS_MAX} bytes")));
    }
    if !yes {
        return Err(Failure::Usage(
            "this gives mail up for good and tells its senders: look with `mailward queue list` and the same filters, then say --yes"
                .to_owned(),
        ));
    }
    let ids = act.ids.ids;
    let mut which = Which { all: act.all, ..act.filter.which(SystemClock.now()) };
    let mut errand = Errand::on(place)?;
    let mut done = BounceStep::default();
    let mut missing: Vec<QueueId> = Vec::new();
    let result = portions(&ids).into_iter().try_for_each(|ids| {
        which.messages = ids.to_vec();
        missing.extend(not_there(&mut errand, ids)?);
        steps(&mut errand, &which, text.as_deref(), &mut done)
    });
    if let Err(failure) = result {
        if done.changed > 0 {
            print::note(format_args!("{} before this", told(done.changed)));
        }
        return Err(failure);
    }
    if act.json {
        let answer = json!({ "action": "bounce", "changed": done.changed, "busy": done.busy, "missing": missing });
        print::json(&answer)?;
    } else {
        print::line(told(done.changed))?;
        if !done.busy.is_empty() {
            let named: Vec<String> = done.busy.iter().take(BUSY_NAMED).map(ToString::to_string).collect();
            let count = done.busy.len();
            let more = if count > named.len() { " and more" } else { "" };
            print::line(format_args!(
                "{count} being sent right now, left as they are: {}{more}; run it again",
                named.join(", ")
            ))?;
        } else if done.changed == 0 && missing.is_empty() {
            print::line("nothing fits")?;
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(queue::not_queued(&missing)) }
}

fn steps(errand: &mut Errand<'_>, which: &Which, text: Option<&str>, done: &mut BounceStep) -> Result<(), Failure> {
    let mut progress = print::Progress::new();
    let mut after = None;
    loop {
        let request = Request::QueueBounce { which: which.clone(), text: text.map(str::to_owned), after };
        let step: BounceStep = errand.run(&request)?;
        done.changed = done.changed.saturating_add(step.changed);
        done.busy.extend(step.busy);
        after = step.next;
        let Some(id) = after else { return Ok(()) };
        progress.show(format_args!("{}, looked up to message {id}", told(done.changed)));
    }
}

fn told(changed: u64) -> String {
    match changed {
        0 => "no recipient bounced".to_owned(),
        1 => "1 recipient bounced".to_owned(),
        more => format!("{more} recipients bounced"),
    }
}
