//! Runs controls, one after the other: an audit is never in the way of mail.

use crate::control::{Check, Control};
use crate::finding::{Finding, Verdict};
use crate::record::Record;
use crate::scene::Scene;
use futures_util::FutureExt as _;
use mailward_core::limits::AUDIT_CONTROL_TIME;
use mailward_core::{Clock, Shutdown};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Who is told how far it is.
pub trait Progress: Send {
    /// A control is begun: the how-manieth, of how many.
    fn begins(&mut self, control: &Control, number: usize, of: usize);
    /// And is over.
    fn ended(&mut self, record: &Record);
}

/// Nobody is told.
impl Progress for () {
    fn begins(&mut self, _: &Control, _: usize, _: usize) {}
    fn ended(&mut self, _: &Record) {}
}

/// Runs `controls`, parents before their children whatever their order in the list, and returns a record of each in the list's
/// order. A stop leaves the rest "not tested". A child of a control that isn't in the list is run.
pub async fn run(
    controls: &[&'static Control],
    scene: Arc<Scene>,
    clock: &dyn Clock,
    stop: &Shutdown,
    progress: &mut dyn Progress,
) -> Vec<Record> {
    let mut done: BTreeMap<&'static str, Record> = BTreeMap::new();
    let mut number = 0_usize;
    // As many rounds as generations: a control waits until its parent is done.
    for _generation in 0..controls.len() {
        let before = done.len();
        for control in controls {
            if done.contains_key(control.id) {
                continue;
            }
            let parent = control.parent.filter(|id| controls.iter().any(|other| other.id == *id));
            let parent = match parent {
                None => None,
                Some(id) => match done.get(id) {
                    Some(record) => Some((id, record.verdict)),
                    None => continue,
                },
            };
            number = number.saturating_add(1);
            progress.begins(control, number, controls.len());
            let began = clock.now();
            let finding = match parent {
                _ if stop.is_fired() => Finding::not_tested("the run was stopped before"),
                Some((id, Verdict::Fail | Verdict::Error | Verdict::NotRun)) => Finding {
                    verdict: Verdict::NotRun,
                    said: format!("not run, because {id} failed"),
                    exhibits: Vec::new(),
                },
                _ => one(control, Arc::clone(&scene)).await,
            };
            let record = Record::new(control, began, clock.now(), finding);
            progress.ended(&record);
            done.insert(control.id, record);
        }
        if done.len() == before {
            break;
        }
    }
    controls.iter().filter_map(|control| done.remove(control.id)).collect()
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
