//! What an audit needs of the server, and what is kept of it.

mod seen;
mod state;

use super::desk::{Desk, shown};
use crate::compose::audit::failing;
use crate::failure::Failure;
use mailward_audit::actions::{Actions, Exception};
use mailward_audit::evidence::{Archive, Counted, EvidenceError, Run};
use mailward_audit::probe::Vantage;
use mailward_audit::reminders::Reminder;
use mailward_audit::{Area, Audits, Newest, State, Statement, Verdict, Verified, Weights};
use mailward_core::{Clock as _, SystemClock};
use mailward_vault::EvidenceKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// What the server says of itself, what people said, what is to be done: see [`Known`].
    Known,
    /// The audit's own account.
    Canary { about: super::canary::Ask },
    /// Keep a run: a [`Run`] as JSON.
    Keep { run: String, owners: BTreeMap<Area, String> },
    /// A run of this number, or the newest.
    Run { number: Option<u64> },
    /// A line for each run.
    History,
    /// Whether all is as it was written; `seal`: a hash that somebody wrote down.
    Verify { seal: Option<String> },
    /// Keep what somebody said.
    Answer { control: String, statement: Statement },
    /// Sign what this installation saw of another host, and nothing else: see [`Vantage`].
    Sign { look: String },
    /// The store was checked to its last byte beside the server: note what came of it.
    Verified { verified: Verified },
    /// Let something be for a while.
    Except { control: String, exception: Exception },
}

/// What the server knows before a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) state: State,
    pub(crate) statements: mailward_audit::Statements,
    pub(crate) actions: Option<Actions>,
    /// Where it listens: listener and address.
    pub(crate) doors: Vec<(String, String)>,
}

/// The archive and the key that signs what goes into it.
#[derive(Clone, Debug)]
pub(crate) struct AuditDesk {
    archive: Archive,
    key: Arc<EvidenceKey>,
    /// Held from reading to writing: the daily run and one by hand may end together.
    writing: Arc<Mutex<()>>,
    /// Kept audits whose score this process has counted again, by what was counted.
    counted: Arc<Mutex<Counted>>,
    /// Whose turn it is to have an account.
    pub(super) turn: Arc<super::canary::Turn>,
}

impl From<EvidenceError> for Failure {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::Io { path, error } => Failure::io(path.display(), error),
            other => Failure::Refused(other.to_string()),
        }
    }
}

impl AuditDesk {
    /// Of a data directory, with the server's secret.
    pub(crate) fn of(data: &Path, secret: &mailward_core::Secret) -> Result<Self, Failure> {
        let key = EvidenceKey::new(secret).map_err(|error| Failure::Refused(error.to_string()))?;
        let (writing, counted, turn) = (Arc::default(), Arc::default(), Arc::default());
        Ok(Self { archive: Archive::in_data(data), key: Arc::new(key), writing, counted, turn })
    }

    /// Keeps a run, and what is to be done because of it.
    pub(crate) fn keep(&self, mut run: Run, owners: &BTreeMap<Area, String>) -> Result<Run, Failure> {
        let _alone = self.alone();
        let mut actions = self.archive.actions()?.unwrap_or_default();
        actions.heard(&run, owners);
        let now = SystemClock.now();
        run.overdue = actions.cap(now).into_iter().map(|action| action.control.clone()).collect();
        let kept = self.archive.keep(run, &self.key)?;
        self.archive.keep_actions(&actions)?;
        self.archive.prune(now)?;
        Ok(kept)
    }

    /// What is to be told of what is to be done. It counts as told once `tell` was called.
    pub(crate) fn remind(
        &self,
        deputies: &BTreeMap<Area, String>,
        weights: &Weights,
        tell: impl FnOnce(&[Reminder]),
    ) -> Result<(), Failure> {
        let _alone = self.alone();
        let Some(actions) = self.archive.actions()? else { return Ok(()) };
        let mut reminders = self.archive.reminders()?;
        let due = reminders.due(&actions, deputies, weights, SystemClock.now());
        if !due.is_empty() {
            tell(&due);
            self.archive.keep_reminders(&reminders)?;
        }
        Ok(())
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of audits that were kept. Every byte of them is hashed again; the same bytes aren't counted again.
    fn past(&self) -> Result<Audits, Failure> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let verified = self.archive.verify_anew(Some(self.key.public()), None, SystemClock.now(), &mut counted)?;
        drop(counted);
        let faults = verified.faults.into_iter().map(|fault| match fault.number {
            Some(number) => format!("audit {number}: {}", fault.what),
            None => fault.what,
        });
        let faults: Vec<String> = faults.collect();
        // One that can't be read is among the faults.
        let newest = self.archive.newest().ok().flatten();
        let secrets = newest.as_ref().map(Run::with_secrets).unwrap_or_default();
        let newest = newest.map(|run| Newest {
            number: run.number,
            ended: run.ended,
            asked: run.records.len(),
            failing: failing(&run.records).collect(),
            broken: run
                .records
                .iter()
                .filter(|record| record.verdict == Verdict::Error)
                .map(|record| record.id.clone())
                .collect(),
        });
        Ok(Audits { seals: verified.seals, runs: verified.runs, faults, newest, secrets, left: 0 })
    }

    fn answer(&self, ask: Ask) -> Result<Value, Failure> {
        let now = SystemClock.now();
        match ask {
            Ask::Known | Ask::Canary { .. } | Ask::Verified { .. } => {
                Err(Failure::Bug("not a matter of the archive".to_owned()))
            }
            Ask::Keep { run, owners } => {
                let run = serde_json::from_str(&run).map_err(|error| Failure::Refused(format!("the run: {error}")))?;
                let kept = self.keep(run, &owners)?;
                Ok(json!({ "number": kept.number, "score": kept.score, "overdue": kept.overdue }))
            }
            Ask::Run { number: Some(number) } => shown(self.archive.run(number)?),
            Ask::Run { number: None } => shown(self.archive.newest()?),
            Ask::History => shown(self.archive.history()?),
            Ask::Verify { seal } => shown(self.archive.verify(Some(self.key.public()), seal.as_deref(), now)?),
            Ask::Answer { control, statement } => {
                let _alone = self.alone();
                let mut statements = self.archive.statements()?;
                statements.0.insert(control, statement);
                self.archive.keep_statements(&statements)?;
                Ok(Value::Null)
            }
            Ask::Sign { look } => {
                let refused = |error: String| Failure::Refused(format!("the look: {error}"));
                let look = Vantage::parse(look.as_bytes()).and_then(|look| look.signed(&self.key)).map_err(refused)?;
                Ok(json!({ "line": look.line().map_err(refused)?, "key": look.key }))
            }
            Ask::Except { control, exception } => {
                let _alone = self.alone();
                let mut actions = self.archive.actions()?.unwrap_or_default();
                actions.except(&control, exception).map_err(|error| Failure::Refused(error.to_string()))?;
                self.archive.keep_actions(&actions)?;
                Ok(Value::Null)
            }
        }
    }
}

impl Desk {
    /// Does what the audit asks; the disk is waited for elsewhere.
    pub(super) async fn audit(&self, ask: Ask) -> Result<Value, Failure> {
        let ask = match ask {
            Ask::Known => return shown(self.audit_known().await?),
            Ask::Canary { about } => return self.canary(about).await,
            Ask::Verified { verified } => {
                self.note_verified(verified).await?;
                return Ok(Value::Null);
            }
            ask => ask,
        };
        let desk = self.audit.clone();
        let done = tokio::task::spawn_blocking(move || desk.answer(ask)).await;
        done.map_err(|error| Failure::Bug(error.to_string()))?
    }

    /// Keeps a run of the server's own.
    pub(crate) async fn audit_keep(&self, run: Run, owners: BTreeMap<Area, String>) -> Result<Run, Failure> {
        let desk = self.audit.clone();
        let kept = tokio::task::spawn_blocking(move || desk.keep(run, &owners)).await;
        kept.map_err(|error| Failure::Bug(error.to_string()))?
    }

    /// Controls that failed in the newest run.
    pub(crate) async fn audit_failing(&self) -> Result<BTreeSet<String>, Failure> {
        let desk = self.audit.clone();
        let newest = tokio::task::spawn_blocking(move || desk.archive.newest()).await;
        let newest = newest.map_err(|error| Failure::Bug(error.to_string()))??;
        Ok(newest.map(|run| failing(&run.records).collect()).unwrap_or_default())
    }

    /// What is known before a run.
    pub(crate) async fn audit_known(&self) -> Result<Known, Failure> {
        let server = self.server.as_ref();
        let doors = server.map(|server| server.doors().to_vec()).unwrap_or_default();
        Ok(Known {
            state: self.audit_state().await?,
            statements: self.audit.archive.statements()?,
            actions: self.audit.archive.actions()?,
            doors: doors.into_iter().map(|door| (door.listener.name().to_owned(), door.address)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what it expects")]
    use super::*;
    use mailward_audit::score;
    use mailward_core::{Secret, Timestamp};

    #[test]
    fn audits_that_end_together_are_all_kept() {
        let data = tempfile::tempdir().unwrap();
        let desk = AuditDesk::of(data.path(), &Secret::new("the server's secret")).unwrap();
        let run = || Run {
            number: 0,
            version: String::new(),
            name: String::new(),
            began: Timestamp(0),
            ended: SystemClock.now(),
            weights: Weights::default(),
            overdue: Vec::new(),
            score: score(&[], &Weights::default(), &[]),
            records: Vec::new(),
        };
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| desk.keep(run(), &BTreeMap::new()).unwrap());
            }
        });
        let past = desk.past().unwrap();
        assert_eq!((past.seals, past.runs, past.faults), (16, 16, Vec::new()));
    }
}
