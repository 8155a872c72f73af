//! Runs controls: a few at a time, as most of them wait; an audit is never in the way of mail.

use crate::control::{Check, Control, Needs};
use crate::effort::{Effort, of_this_thread};
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
use std::time::Duration;

/// Who is told how far it is.
pub trait Progress: Send {
    /// A control is begun: the how-manieth, of how many.
    fn begins(&mut self, control: &Control, number: usize, of: usize);
    /// And is over.
    fn ended(&mut self, record: &Record);
    /// Nothing is begun yet: why, in words.
    fn waits(&mut self, _why: &str) {}
    /// Nothing is answered for so long, as the run has had its share of the processor.
    fn rests(&mut self, _time: Duration) {}
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
    answer(controls, scene, clock, stop, progress, None).await
}

/// As [`run`], for a list that is long: those that look at the host wait while the run has had more of the processor than
/// `limits::AUDIT_SHARE`, for `limits::AUDIT_SPREAD` at most. Its own thread's time is counted, so that has to do nothing else.
pub async fn run_gently(
    controls: &[&'static Control],
    scene: Arc<Scene>,
    clock: &dyn Clock,
    stop: &Shutdown,
    progress: &mut dyn Progress,
) -> Vec<Record> {
    answer(controls, scene, clock, stop, progress, Some(Effort::begin())).await
}

async fn answer(
    controls: &[&'static Control],
    scene: Arc<Scene>,
    clock: &dyn Clock,
    stop: &Shutdown,
    progress: &mut dyn Progress,
    mut effort: Option<Effort>,
) -> Vec<Record> {
    let listed: BTreeSet<&'static str> = controls.iter().map(|control| control.id).collect();
    let mut waiting: Vec<&'static Control> = controls.to_vec();
    // Those with the longest queue first; otherwise in the list's order.
    waiting.sort_by_key(|control| control.needs);
    let mut done: BTreeMap<&'static str, Record> = BTreeMap::new();
    let mut going: Vec<&'static Control> = Vec::new();
    let mut answers = FuturesUnordered::new();
    let mut stopped = stop.clone();
    loop {
        let rest = effort.as_ref().filter(|_| !stop.is_fired()).map_or(Duration::ZERO, Effort::rest);
        let rested = |control: &Control| rest.is_zero() || control.needs != Needs::Host;
        // One after the other: what is settled without asking may let its children go on.
        while let Some((place, parent)) = next(&waiting, &going, &listed, &done, rested) {
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
        let rests = !rest.is_zero() && !waiting.is_empty();
        if rests && answers.is_empty() {
            progress.rests(rest);
        }
        let answered = tokio::select! {
            biased;
            Some(answered) = answers.next() => answered,
            () = stopped.fired(), if rests => continue,
            () = tokio::time::sleep(rest), if rests => continue,
            // Nothing goes, and what waits waits for itself.
            else => break,
        };
        let (control, began, (finding, took)) = answered;
        if let Some(effort) = &mut effort {
            effort.add(took);
        }
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
    may: impl Fn(&Control) -> bool,
) -> Option<(usize, Parent)> {
    if going.len() >= AUDIT_AT_ONCE {
        return None;
    }
    waiting.iter().enumerate().find_map(|(place, control)| {
        if !may(control) || !going.iter().all(|other| control.needs.goes_beside(other.needs)) {
            return None;
        }
        match control.parent.filter(|id| listed.contains(id)) {
            None => Some((place, None)),
            Some(id) => done.get(id).map(|record| (place, Some((id, record.verdict)))),
        }
    })
}

/// Runs one; a panic and a control that takes too long are errors. And the processor time that it had in a thread of its own.
async fn one(control: &'static Control, scene: Arc<Scene>) -> (Finding, Duration) {
    let looked = async {
        match control.check {
            Check::Look(look) => apart(move || look(&scene)).await,
            Check::Every(look) => apart(move || look(&scene, control.area)).await,
            Check::Ask(ask) => {
                let answered = AssertUnwindSafe(ask(&scene)).catch_unwind().await.map_err(drop);
                answered.map(|finding| (finding, Duration::ZERO))
            }
            Check::Stated { days } => Ok((crate::scene::stated(&scene, control.id, days), Duration::ZERO)),
        }
    };
    let error = |why: String| (Finding::error(why), Duration::ZERO);
    match tokio::time::timeout(AUDIT_CONTROL_TIME, looked).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(())) => error("the check broke off; this is a fault of the audit itself".to_owned()),
        Err(_) => error(format!("no answer within {} seconds", AUDIT_CONTROL_TIME.as_secs())),
    }
}

/// Looks in a thread that may wait for a disk.
async fn apart(look: impl FnOnce() -> Finding + Send + 'static) -> Result<(Finding, Duration), ()> {
    let timed = move || {
        let before = of_this_thread();
        let finding = look();
        (finding, of_this_thread().saturating_sub(before))
    };
    tokio::task::spawn_blocking(timed).await.map_err(drop)
}
