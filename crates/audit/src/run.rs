//! Runs controls: a few at a time, as most of them wait; an audit is never in the way of mail.

use crate::control::{Check, Control};
use crate::finding::{Finding, Verdict};
use crate::record::Record;
use crate::scene::Scene;
use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use mailward_core::limits::{AUDIT_AT_ONCE, AUDIT_CONTROL_TIME};
use mailward_core::{Clock, Shutdown};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Who is told how far it is.
pub trait Progress: Send {
    /// A control is begun: the how-manieth, of how many.
    fn begins(&mut self, control: &Control, number: usize, of: usize);
    /// And is over.
    fn ended(&mut self, record: &Record);
    /// Nothing is begun yet: why, in words.
    fn waits(&mut self, _why: &str) {}
}

/// Nobody is told.
impl Progress for () {
    fn begins(&mut self, _: &Control, _: usize, _: usize) {}
    fn ended(&mut self, _: &Record) {}
}

/// Runs `controls`, parents before their children whatever their order in the list, and returns a record of each in the list's
/// order. At most `limits::AUDIT_AT_ONCE` are answered at a time, and beside each other only those that may be ([`Needs`]). A stop
/// leaves the rest "not tested". A child of a control that isn't in the list is run.
pub async fn run(
    controls: &[&'static Control],
    scene: Arc<Scene>,
    clock: &dyn Clock,
    stop: &Shutdown,
    progress: &mut dyn Progress,
) -> Vec<Record> {
    let listed: BTreeSet<&'static str> = controls.iter().map(|control| control.id).collect();
    let mut waiting: Vec<&'static Control> = controls.to_vec();
    // Those with the longest queue first; otherwise in the list's order.
    waiting.sort_by_key(|control| control.needs);
    let mut done: BTreeMap<&'static str, Record> = BTreeMap::new();
    let mut going: Vec<&'static Control> = Vec::new();
    let mut answers = FuturesUnordered::new();
    loop {
        // One after the other: what is settled without asking may let its children go on.
        while let Some((place, parent)) = next(&waiting, &going, &listed, &done) {
            let control = waiting.remove(place);
            let number = done.len().saturating_add(going.len()).saturating_add(1);
            progress.begins(control, number, controls.len());
            let began = clock.now();
            let settled = match parent {
                _ if stop.is_fired() => Some(Finding::not_tested("the run was stopped before")),
                Some((id, Verdict::Fail | Verdict::Error | Verdict::NotRun)) => Some(Finding {
                    verdict: Verdict::NotRun,
                    said: format!("not run, because {id} failed"),
                    exhibits: Vec::new(),
                }),
                _ => None,
            };
            match settled {
                Some(finding) => {
                    let record = Record::new(control, began, clock.now(), finding);
                    progress.ended(&record);
                    done.insert(control.id, record);
                }
                None => {
                    going.push(control);
                    let scene = Arc::clone(&scene);
                    answers.push(async move { (control, began, one(control, scene).await) });
                }
            }
        }
        // Nothing goes, and what waits waits for itself.
        let Some((control, began, finding)) = answers.next().await else { break };
        going.retain(|other| other.id != control.id);
        let record = Record::new(control, began, clock.now(), finding);
        progress.ended(&record);
        done.insert(control.id, record);
    }
    controls.iter().filter_map(|control| done.remove(control.id)).collect()
}

/// A parent, and how it ended.
type Parent = Option<(&'static str, Verdict)>;

/// The first that may begin now: its place among those that wait, and its parent.
fn next(
    waiting: &[&'static Control],
    going: &[&'static Control],
    listed: &BTreeSet<&'static str>,
    done: &BTreeMap<&'static str, Record>,
) -> Option<(usize, Parent)> {
    if going.len() >= AUDIT_AT_ONCE {
        return None;
    }
    waiting.iter().enumerate().find_map(|(place, control)| {
        if !going.iter().all(|other| control.needs.goes_beside(other.needs)) {
            return None;
        }
        match control.parent.filter(|id| listed.contains(id)) {
            None => Some((place, None)),
            Some(id) => done.get(id).map(|record| (place, Some((id, record.verdict)))),
        }
    })
}

/// Runs one; a panic and a control that takes too long are errors.
async fn one(control: &'static Control, scene: Arc<Scene>) -> Finding {
    let looked = async {
        match control.check {
            Check::Look(look) => tokio::task::spawn_blocking(move || look(&scene)).await.map_err(drop),
            Check::Every(look) => tokio::task::spawn_blocking(move || look(&scene, control.area)).await.map_err(drop),
            Check::Ask(ask) => AssertUnwindSafe(ask(&scene)).catch_unwind().await.map_err(drop),
            Check::Stated { days } => Ok(crate::scene::stated(&scene, control.id, days)),
        }
    };
    match tokio::time::timeout(AUDIT_CONTROL_TIME, looked).await {
        Ok(Ok(finding)) => finding,
        Ok(Err(())) => Finding::error("the check broke off; this is a fault of the audit itself"),
        Err(_) => Finding::error(format!("no answer within {} seconds", AUDIT_CONTROL_TIME.as_secs())),
    }
}
