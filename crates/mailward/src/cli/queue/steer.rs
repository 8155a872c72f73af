//! What is done to the queue.

use super::Act;
use crate::control::Request;
use crate::control::client::Errand;
use crate::control::queue::{self, InLane, Page, PauseLeft, Totals, Which};
use crate::failure::Failure;
use crate::place::Place;
use crate::print;
use mailward_core::limits::{PAGE_ROWS_MAX, QUEUE_PAGE};
use mailward_core::{Clock as _, QueueId, SystemClock};
use mailward_store::records::{Lane, Steer, Steered};
use serde_json::json;
use std::collections::BTreeSet;

/// Lanes that are looked at for one that is paused; paused ones come first.
const LANES_LOOKED_AT: usize = 20;

/// Ids as many as one request may name; one portion without any if none are given.
pub(super) fn portions(ids: &[QueueId]) -> Vec<&[QueueId]> {
    if ids.is_empty() { vec![ids] } else { ids.chunks(PAGE_ROWS_MAX).collect() }
}

/// Lets go all of a user that is held; how many recipients.
pub(in crate::cli) fn release_user(place: &Place, user: mailward_core::Address) -> Result<u64, Failure> {
    let which = Which { user: Some(user), held: Some(true), ..Which::default() };
    let mut changed = 0;
    steps(&mut Errand::on(place)?, &which, &Steer::Release, &mut changed)?;
    Ok(changed)
}

/// Does something to what is meant, step by step until all is done.
pub(super) fn run(place: &Place, act: Act, action: Steer) -> Result<(), Failure> {
    let ids = act.ids.ids;
    let mut which = Which { all: act.all, ..act.filter.which(SystemClock.now()) };
    let mut errand = Errand::on(place)?;
    let mut changed = 0u64;
    let mut missing = Vec::new();
    let result = portions(&ids).into_iter().try_for_each(|ids| {
        which.messages = ids.to_vec();
        missing.extend(not_there(&mut errand, ids)?);
        steps(&mut errand, &which, &action, &mut changed)
    });
    if let Err(failure) = result {
        if changed > 0 {
            print::note(format_args!("{} before this", told(changed, &action)));
        }
        return Err(failure);
    }
    if act.json {
        print::json(&json!({ "action": queue::name(&action), "changed": changed, "missing": missing }))?;
    } else {
        print::line(told(changed, &action))?;
        hint(&mut errand, changed, &action, which.lane.as_ref())?;
    }
    if missing.is_empty() { Ok(()) } else { Err(queue::not_queued(&missing)) }
}

/// Those of these messages that aren't queued.
pub(super) fn not_there(errand: &mut Errand<'_>, ids: &[QueueId]) -> Result<BTreeSet<QueueId>, Failure> {
    let mut missing: BTreeSet<QueueId> = ids.iter().copied().collect();
    if missing.is_empty() {
        return Ok(missing);
    }
    let which = Which { messages: ids.to_vec(), ..Which::default() };
    let mut after = None;
    loop {
        let request = Request::QueueList { which: which.clone(), after, limit: QUEUE_PAGE };
        let page: Page = errand.run(&request)?;
        for message in &page.messages {
            missing.remove(&message.id);
        }
        after = page.next;
        if after.is_none() {
            return Ok(missing);
        }
    }
}

fn steps(errand: &mut Errand<'_>, which: &Which, action: &Steer, changed: &mut u64) -> Result<(), Failure> {
    let mut progress = print::Progress::new();
    let mut after = None;
    loop {
        let request = Request::QueueSteer { which: which.clone(), action: action.clone(), after };
        let step: Steered = errand.run(&request)?;
        *changed = changed.saturating_add(step.changed);
        after = step.next;
        let Some(id) = after else { return Ok(()) };
        progress.show(format_args!("{}, looked up to message {id}", told(*changed, action)));
    }
}

/// How many recipients what was done to.
fn told(changed: u64, action: &Steer) -> String {
    let recipients = match changed {
        0 => "no recipient".to_owned(),
        1 => "1 recipient".to_owned(),
        more => format!("{more} recipients"),
    };
    match action {
        Steer::Retry => format!("{recipients} to be tried now"),
        Steer::Hold(_) => format!("{recipients} held"),
        Steer::Release => format!("{recipients} released"),
        Steer::Remove => format!("{recipients} removed"),
        Steer::Reroute(to) => format!("{recipients} moved to lane {to}"),
    }
}

/// What whoever did this would wonder about next.
fn hint(errand: &mut Errand<'_>, changed: u64, action: &Steer, lane: Option<&Lane>) -> Result<(), Failure> {
    if changed == 0 {
        return print::line(match action {
            Steer::Retry => "nothing that fits waits; `mailward queue release` lets held ones go",
            Steer::Hold(_) => "nothing that fits waits",
            Steer::Release => "nothing that fits is held",
            Steer::Remove | Steer::Reroute(_) => "nothing fits",
        });
    }
    let lane = match action {
        Steer::Hold(_) | Steer::Remove => return Ok(()),
        Steer::Reroute(to) => Some(to),
        Steer::Retry | Steer::Release => lane,
    };
    let totals: Totals = errand.run(&Request::QueueTotals { largest: LANES_LOOKED_AT })?;
    let is_paused = |total: &&InLane| total.paused && lane.is_none_or(|lane| *lane == total.lane);
    if totals.paused {
        print::line("all is paused: nothing is tried before `mailward queue resume`")
    } else if let Some(paused) = totals.largest.iter().find(is_paused) {
        print::line(format_args!(
            "lane {0} is paused: nothing in it is tried before `mailward queue resume {0}`",
            paused.lane
        ))
    } else {
        Ok(())
    }
}

/// Pauses or resumes a lane or all.
pub(super) fn pause(place: &Place, lane: Option<Lane>, paused: bool, json: bool) -> Result<(), Failure> {
    let left: PauseLeft = Errand::on(place)?.run(&Request::QueuePause { lane: lane.clone(), paused })?;
    if json {
        return print::json(&left);
    }
    let what = lane.as_ref().map_or_else(|| "all lanes".to_owned(), |lane| format!("lane {lane}"));
    if paused {
        let again = lane.as_ref().map_or_else(String::new, |lane| format!(" {lane}"));
        print::line(format_args!("{what} paused until `mailward queue resume{again}`"))?;
        print::line("what is under way goes on; mail still expires: `mailward queue hold` keeps it longer")?;
    } else {
        print::line(format_args!("{what} resumed"))?;
    }
    if left.empty {
        print::line("nothing is queued there now; `mailward queue` tells which lanes there are")?;
    }
    if paused {
        return Ok(());
    }
    if left.all_paused {
        return print::line("but all is paused: nothing is tried before `mailward queue resume`");
    }
    if lane.is_none() && !left.paused.is_empty() {
        let names: Vec<&str> = left.paused.iter().map(Lane::as_str).collect();
        return print::line(format_args!("still paused by name: {}", names.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_ids_than_one_request_may_name_go_in_portions() {
        assert_eq!(portions(&[]).len(), 1);
        let ids: Vec<QueueId> = (1..=i64::try_from(PAGE_ROWS_MAX).unwrap() + 1).map(QueueId).collect();
        let sizes: Vec<usize> = portions(&ids).iter().map(|portion| portion.len()).collect();
        assert_eq!(sizes, [PAGE_ROWS_MAX, 1]);
        let request = Request::QueueSteer {
            which: Which { messages: vec![QueueId(i64::MAX); PAGE_ROWS_MAX], ..Which::default() },
            action: Steer::Remove,
            after: None,
        };
        let bytes = serde_json::to_vec(&request).unwrap().len();
        assert!(bytes < mailward_core::limits::CONTROL_REQUEST_MAX, "{bytes}");
    }

    #[test]
    fn what_was_done_is_told_with_how_often() {
        assert_eq!(told(0, &Steer::Retry), "no recipient to be tried now");
        assert_eq!(told(1, &Steer::Remove), "1 recipient removed");
        let lane = Lane::parse("backup.example.net").unwrap();
        assert_eq!(told(12, &Steer::Reroute(lane)), "12 recipients moved to lane backup.example.net");
    }
}
