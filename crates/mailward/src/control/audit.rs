//! What an audit needs of the server, and what is kept of it.

mod seen;
mod state;

use super::desk::{Desk, shown};
use crate::compose::audit::{self as looking, failing};
use crate::failure::Failure;
use mailward_audit::actions::{Actions, Exception};
use mailward_audit::evidence::{Archive, Counted, EvidenceError, Run, Seal};
use mailward_audit::probe::Vantage;
use mailward_audit::reminders::Reminder;
use mailward_audit::{Area, Audits, Newest, State, Statement, Verdict, Verified, Weights, find};
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

/// What a running server says of an audit that somebody else made of it.
struct Told {
    name: String,
    weights: Weights,
    owners: BTreeMap<Area, String>,
}

/// The archive and the key that signs what goes into it.
#[derive(Clone, Debug)]
pub(crate) struct AuditDesk {
    archive: Archive,
    key: Arc<EvidenceKey>,
    /// Held from the first file to the last, by readers too: the daily run and one by hand may end together, and whoever looks in
    /// between sees half of it.
    alone: Arc<Mutex<()>>,
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
        let (alone, counted, turn) = (Arc::default(), Arc::default(), Arc::default());
        Ok(Self { archive: Archive::in_data(data), key: Arc::new(key), alone, counted, turn })
    }

    /// Keeps a run, and what is to be done because of it; the run with its number, and its seal's hash.
    fn keep(&self, mut run: Run, owners: &BTreeMap<Area, String>) -> Result<(Run, String), Failure> {
        let _alone = self.alone();
        let mut actions = self.archive.actions()?.unwrap_or_default();
        actions.heard(&run, owners);
        let now = SystemClock.now();
        run.overdue = actions.cap(now).into_iter().map(|action| action.control.clone()).collect();
        let kept = self.archive.keep(run, &actions, &self.key)?;
        self.archive.prune(now)?;
        let seal = self.archive.history()?.last().map(Seal::hash).unwrap_or_default();
        Ok((kept, seal))
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
        let now = SystemClock.now();
        let due = reminders.due(&actions, deputies, weights, now);
        if !due.is_empty() {
            tell(&due);
            self.archive.keep_reminders(&reminders, now, &self.key)?;
        }
        Ok(())
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of audits that were kept. Every byte of them is hashed again; the same bytes aren't counted again.
    fn past(&self) -> Result<Audits, Failure> {
        let _alone = self.alone();
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

    /// Keeps a run that somebody else made, of this server if it is told which one it is.
    fn keep_of(
        &self,
        run: &str,
        server: Option<Told>,
        owners: &BTreeMap<Area, String>,
    ) -> Result<(Run, String), Failure> {
        let mut run: Run = serde_json::from_str(run).map_err(|error| Failure::Refused(format!("the run: {error}")))?;
        run.check(server.as_ref().map(|server| server.name.as_str()), SystemClock.now())?;
        match server {
            None => self.keep(run, owners),
            // What areas count for, and who answers for them, is the server's to say.
            Some(server) => {
                run.weights = server.weights;
                self.keep(run, &server.owners)
            }
        }
    }

    fn answer(&self, ask: Ask, server: Option<Told>) -> Result<Value, Failure> {
        let now = SystemClock.now();
        // They come to the lock by themselves.
        if let Ask::Keep { run, owners } = ask {
            let (kept, _seal) = self.keep_of(&run, server, &owners)?;
            return Ok(json!({ "number": kept.number, "score": kept.score, "overdue": kept.overdue }));
        }
        let _alone = self.alone();
        match ask {
            Ask::Known | Ask::Canary { .. } | Ask::Verified { .. } | Ask::Keep { .. } => {
                Err(Failure::Bug("not a matter of the archive alone".to_owned()))
            }
            Ask::Run { number: Some(number) } => shown(self.archive.run(number)?),
            Ask::Run { number: None } => shown(self.archive.newest()?),
            Ask::History => shown(self.archive.history()?),
            Ask::Verify { seal } => shown(self.archive.verify(Some(self.key.public()), seal.as_deref(), now)?),
            Ask::Answer { control, statement } => {
                let refused = |what: String| Failure::Refused(format!("{control}: {what}"));
                let asked = find(&control).ok_or_else(|| refused("there is no such control".to_owned()))?;
                // Said when it is kept, whatever it says.
                let statement = Statement { at: now, ..statement };
                statement.check(asked).map_err(|error| refused(error.to_string()))?;
                let mut statements = self.archive.statements()?;
                statements.0.insert(asked.id.to_owned(), statement);
                self.archive.keep_statements(&statements, now, &self.key)?;
                Ok(Value::Null)
            }
            Ask::Sign { look } => {
                let refused = |error: String| Failure::Refused(format!("the look: {error}"));
                let look = Vantage::parse(look.as_bytes()).and_then(|look| look.signed(&self.key)).map_err(refused)?;
                Ok(json!({ "line": look.line().map_err(refused)?, "key": look.key }))
            }
            Ask::Except { control, exception } => {
                let mut actions = self.archive.actions()?.unwrap_or_default();
                let exception = Exception { at: now, ..exception };
                actions.except(&control, exception).map_err(|error| Failure::Refused(error.to_string()))?;
                self.archive.keep_actions(&actions, now, &self.key)?;
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
        let server = self.server.as_ref().map(|server| {
            let config = server.audit();
            let (weights, owners) = (looking::weights(&config), looking::people(&config.owners));
            Told { name: server.hostname().to_string(), weights, owners }
        });
        let desk = self.audit.clone();
        let done = tokio::task::spawn_blocking(move || desk.answer(ask, server)).await;
        done.map_err(|error| Failure::Bug(error.to_string()))?
    }

    /// Keeps a run of the server's own; with its seal's hash.
    pub(crate) async fn audit_keep(&self, run: Run, owners: BTreeMap<Area, String>) -> Result<(Run, String), Failure> {
        let desk = self.audit.clone();
        let kept = tokio::task::spawn_blocking(move || desk.keep(run, &owners)).await;
        kept.map_err(|error| Failure::Bug(error.to_string()))?
    }

    /// Controls that failed in the newest run.
    pub(crate) async fn audit_failing(&self) -> Result<BTreeSet<String>, Failure> {
        let desk = self.audit.clone();
        let newest = tokio::task::spawn_blocking(move || {
            let _alone = desk.alone();
            desk.archive.newest()
        })
        .await;
        let newest = newest.map_err(|error| Failure::Bug(error.to_string()))??;
        Ok(newest.map(|run| failing(&run.records).collect()).unwrap_or_default())
    }

    /// What is known before a run.
    pub(crate) async fn audit_known(&self) -> Result<Known, Failure> {
        let server = self.server.as_ref();
        let doors = server.map(|server| server.doors().to_vec()).unwrap_or_default();
        let desk = self.audit.clone();
        let papers = tokio::task::spawn_blocking(move || {
            let _alone = desk.alone();
            Ok::<_, EvidenceError>((desk.archive.statements()?, desk.archive.actions()?))
        });
        let (statements, actions) = papers.await.map_err(|error| Failure::Bug(error.to_string()))??;
        Ok(Known {
            state: self.audit_state().await?,
            statements,
            actions,
            doors: doors.into_iter().map(|door| (door.listener.name().to_owned(), door.address)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test says what it expects"
    )]
    use super::*;
    use mailward_audit::{Finding, Record, all, score};
    use mailward_core::limits::{AUDIT_CLOCK_SLACK, AUDIT_EXCEPTION_DAYS, AUDIT_PATH_MAX, AUDIT_RUN_TIME};
    use mailward_core::{Secret, Timestamp};

    const DAY: i64 = 86_400;

    fn desk() -> (tempfile::TempDir, AuditDesk) {
        let data = tempfile::tempdir().unwrap();
        let desk = AuditDesk::of(data.path(), &Secret::new("the server's secret")).unwrap();
        (data, desk)
    }

    fn later(seconds: i64) -> Timestamp {
        Timestamp::from_secs(SystemClock.now().secs() + seconds)
    }

    /// An audit of everything, made just now.
    fn made(verdict: Verdict) -> Run {
        let now = SystemClock.now();
        let finding = Finding { verdict, ..Finding::pass("so it is") };
        let records: Vec<Record> =
            all().iter().map(|control| Record::new(control, now, now, finding.clone())).collect();
        Run {
            number: 0,
            version: String::new(),
            name: "mail.example.test".to_owned(),
            began: now,
            ended: now,
            weights: Weights::default(),
            overdue: Vec::new(),
            score: score(&records, &Weights::default(), &[]),
            records,
        }
    }

    fn told() -> Told {
        let owners = [(Area::Physical, "ada@example.test".to_owned())].into();
        Told { name: "mail.example.test".to_owned(), weights: Weights::default(), owners }
    }

    /// What makes a run one that isn't kept.
    type Spoil = fn(&mut Run);

    fn keep(desk: &AuditDesk, run: &Run) -> Result<Value, Failure> {
        let run = serde_json::to_string(run).unwrap();
        desk.answer(Ask::Keep { run, owners: BTreeMap::new() }, Some(told()))
    }

    #[test]
    fn a_run_that_somebody_hands_in_is_whole_of_now_and_of_this_server() {
        let (_data, desk) = desk();
        let slack = i64::try_from(AUDIT_CLOCK_SLACK.as_secs()).unwrap();
        let at = |began: i64, ended: i64| {
            let mut run = made(Verdict::Pass);
            (run.began, run.ended) = (later(began), later(ended));
            run.records.iter_mut().for_each(|record| (record.began, record.ended) = (run.began, run.ended));
            run
        };
        let odd: [(&str, Spoil); 8] = [
            ("it has", |run| drop(run.records.pop())),
            ("it has", |run| run.records.truncate(1)),
            ("isn't asked so here", |run| run.records.swap(0, 1)),
            ("isn't asked so here", |run| run.records[0].weight = 255),
            ("isn't asked so here", |run| {
                run.records.iter_mut().for_each(|record| record.cap = None);
            }),
            ("isn't asked so here", |run| {
                let first = run.records[0].clone();
                run.records.iter_mut().for_each(|record| *record = first.clone());
            }),
            ("was answered at another time", |run| run.records[3].began = Timestamp(0)),
            ("this server is mail.example.test", |run| run.name = "better.example".to_owned()),
        ];
        for (why, spoil) in odd {
            let mut run = made(Verdict::Pass);
            spoil(&mut run);
            let refused = keep(&desk, &run).unwrap_err().to_string();
            assert!(refused.contains(why), "{why}: {refused}");
        }
        let long = i64::try_from(AUDIT_RUN_TIME.as_secs()).unwrap() + slack;
        for (began, ended) in [(-long - 9, -long - 5), (0, slack + 5), (DAY, DAY)] {
            let refused = keep(&desk, &at(began, ended)).unwrap_err().to_string();
            assert!(refused.contains("it ended at"), "{began} {ended}: {refused}");
        }
        assert_eq!(desk.past().unwrap().seals, 0, "nothing of it was kept");
        // A clock that was put back a little holds nothing up.
        keep(&desk, &at(slack - 5, slack - 5)).unwrap();
        assert_eq!(desk.past().unwrap().seals, 1);
    }

    #[test]
    fn what_areas_count_for_and_who_answers_for_them_is_the_servers_to_say() {
        let (_data, desk) = desk();
        let mut run = made(Verdict::Fail);
        run.weights = Weights([(Area::Logs, 0)].into());
        keep(&desk, &run).unwrap();
        let kept = desk.archive.newest().unwrap().unwrap();
        assert_eq!(kept.weights, Weights::default());
        assert_eq!(desk.archive.actions().unwrap().unwrap().0["PHY-15"].owner, "ada@example.test");
    }

    fn statement(share: Option<u8>) -> Statement {
        let (says, who) = ("so it is".to_owned(), "ada@example.test".to_owned());
        Statement { share, says, who, at: Timestamp(0), until: None, file: None }
    }

    #[test]
    fn an_answer_is_dated_by_who_keeps_it_and_is_to_a_question_that_people_answer() {
        let (_data, desk) = desk();
        let answer = |control: &str, statement: Statement| {
            desk.answer(Ask::Answer { control: control.to_owned(), statement }, None)
        };
        let ahead = Statement { at: later(400 * DAY), ..statement(Some(100)) };
        answer("phy-15", ahead).unwrap();
        let kept = desk.archive.statements().unwrap();
        assert!(kept.of("PHY-15").unwrap().at.secs() <= later(0).secs());
        let file = |name: &str, hash: &str| Some((name.to_owned(), hash.to_owned()));
        let hash = "0".repeat(64);
        for (control, wrong, why) in [
            ("SVC-04", statement(Some(100)), "isn't answered by people"),
            ("NO-01", statement(Some(100)), "no such control"),
            ("PHY-15", statement(Some(101)), "0 to 100"),
            ("PHY-15", Statement { who: "Ada".to_owned(), ..statement(Some(100)) }, "isn't an address"),
            ("PHY-15", Statement { says: "a\nb".to_owned(), ..statement(Some(100)) }, "one line"),
            ("PHY-15", Statement { says: " ".to_owned(), ..statement(None) }, "needs a reason"),
            ("PHY-WHY-1", statement(None), "applies everywhere"),
            ("BKP-02", statement(None), "applies everywhere"),
            ("PHY-15", Statement { file: file("a.pdf", "beef"), ..statement(Some(100)) }, "SHA-256"),
            (
                "PHY-15",
                Statement { file: file(&"a".repeat(AUDIT_PATH_MAX + 1), &hash), ..statement(Some(100)) },
                "at most",
            ),
        ] {
            let refused = answer(control, wrong).unwrap_err().to_string();
            assert!(refused.contains(why), "{control}: {refused}");
        }
        answer("PHY-15", Statement { file: file(&"a".repeat(AUDIT_PATH_MAX), &hash), ..statement(Some(100)) }).unwrap();
        answer("PHY-15", statement(None)).unwrap();
        assert_eq!(desk.archive.statements().unwrap().0.len(), 1);
    }

    #[test]
    fn an_exception_begins_when_it_is_approved() {
        let (_data, desk) = desk();
        keep(&desk, &made(Verdict::Fail)).unwrap();
        let except = |at: i64, until: i64| {
            let (reason, approver) = ("next year".to_owned(), "bob@example.test".to_owned());
            let exception = Exception { reason, approver, at: later(at), until: later(until) };
            desk.answer(Ask::Except { control: "PHY-15".to_owned(), exception }, None)
        };
        let year = i64::from(AUDIT_EXCEPTION_DAYS) * DAY;
        let refused = except(50 * year, 51 * year - DAY).unwrap_err().to_string();
        assert!(refused.contains("within 365 days"), "{refused}");
        except(0, year - DAY).unwrap();
    }

    #[test]
    fn what_was_changed_by_hand_is_neither_used_nor_sealed_again() {
        let (data, desk) = desk();
        keep(&desk, &made(Verdict::Fail)).unwrap();
        let file = data.path().join("audit/actions.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let actions: Actions = serde_json::from_str(&text).unwrap();
        let due = actions.0["PHY-15"].due.0.to_string();
        std::fs::write(&file, text.replace(&due, "99999999999999")).unwrap();
        let refused = keep(&desk, &made(Verdict::Fail)).unwrap_err().to_string();
        assert!(refused.contains("actions.json has changed since it was sealed"), "{refused}");
        assert_eq!(desk.past().unwrap().faults, ["actions.json has changed since it was sealed"]);
        std::fs::write(&file, text).unwrap();
        keep(&desk, &made(Verdict::Fail)).unwrap();
        assert_eq!(desk.past().unwrap().faults, Vec::<String>::new());
    }

    #[test]
    fn audits_that_end_together_are_all_kept_and_who_looks_meanwhile_finds_no_fault() {
        let (_data, desk) = desk();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| keep(&desk, &made(Verdict::Fail)).unwrap());
                scope.spawn(|| {
                    let answer = Ask::Answer { control: "PHY-15".to_owned(), statement: statement(Some(100)) };
                    desk.answer(answer, None).unwrap();
                });
                scope.spawn(|| assert_eq!(desk.past().unwrap().faults, Vec::<String>::new()));
            }
        });
        let past = desk.past().unwrap();
        assert_eq!((past.seals, past.runs, past.faults), (8, 8, Vec::new()));
    }
}
