//! What was found stays as it was found.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says what it expects"
)]

use mailward_audit::actions::{Actions, Exception};
use mailward_audit::evidence::{Archive, Counted, Run};
use mailward_audit::{Area, Dimension, Finding, Probe, Record, Statement, Statements, Verdict, Weights, find, score};
use mailward_core::limits::{AUDIT_KEEP_DAYS, AUDIT_RUN_MAX, AUDIT_SEALS_MAX};
use mailward_core::{Secret, Timestamp};
use mailward_vault::EvidenceKey;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const DAY: i64 = 86_400;

fn key() -> EvidenceKey {
    EvidenceKey::new(&Secret::new("the server's secret")).unwrap()
}

fn record(verdict: Verdict, excerpt: usize) -> Record {
    let finding = Finding { verdict, ..Finding::pass("so it is") }.showing("/etc/passwd", vec![b'x'; excerpt]);
    let control = find("PHY-WHO-1").unwrap();
    Record {
        area: Area::Logs,
        dimension: Dimension::What,
        probe: Probe::Host,
        ..Record::new(control, Timestamp(0), Timestamp(0), finding)
    }
}

fn run(day: i64, records: Vec<Record>) -> Run {
    let weights = Weights::default();
    Run {
        number: 0,
        version: "0.1.0".to_owned(),
        name: "mail.example.test".to_owned(),
        began: Timestamp::from_secs(day * DAY),
        ended: Timestamp::from_secs(day * DAY + 60),
        score: score(&records, &weights, &[]),
        overdue: Vec::new(),
        weights,
        records,
    }
}

/// Three runs, three days running.
fn three(data: &Path) -> Archive {
    let archive = Archive::in_data(data);
    for (day, verdict) in [(0, Verdict::Fail), (1, Verdict::Partial(50)), (2, Verdict::Pass)] {
        keep(&archive, run(day, vec![record(verdict, 10)]));
    }
    archive
}

/// Keeps a run, and with it what is to be done then.
fn keep(archive: &Archive, run: Run) -> Run {
    let mut actions = archive.actions().unwrap().unwrap_or_default();
    actions.heard(&run, &BTreeMap::new());
    archive.keep(run, &actions, &key()).unwrap()
}

/// Three runs, and in between somebody says something and somebody lets something be.
fn all_of_it(data: &Path) -> Archive {
    let archive = Archive::in_data(data);
    keep(&archive, run(0, vec![record(Verdict::Fail, 10)]));
    let (says, who) = ("rack 4".to_owned(), "ada@example.test".to_owned());
    let statement = Statement { share: Some(100), says, who, at: Timestamp::from_secs(90), until: None, file: None };
    archive.keep_statements(&Statements([("PHY-15".to_owned(), statement)].into()), at(90), &key()).unwrap();
    keep(&archive, run(1, vec![record(Verdict::Fail, 10)]));
    let mut actions = archive.actions().unwrap().unwrap();
    let (reason, approver) = ("next year".to_owned(), "bob@example.test".to_owned());
    let exception = Exception { reason, approver, at: at(DAY + 90), until: at(30 * DAY) };
    actions.except("PHY-WHO-1", exception).unwrap();
    archive.keep_actions(&actions, at(DAY + 90), &key()).unwrap();
    let mut reminders = archive.reminders().unwrap();
    assert_eq!(reminders.due(&actions, &BTreeMap::new(), &Weights::default(), at(29 * DAY)).len(), 1);
    archive.keep_reminders(&reminders, at(29 * DAY), &key()).unwrap();
    keep(&archive, run(2, vec![record(Verdict::Fail, 10)]));
    archive
}

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn faults(archive: &Archive, day: i64) -> Vec<String> {
    let verified = archive.verify(Some(key().public()), None, Timestamp::from_secs(day * DAY)).unwrap();
    verified.faults.into_iter().map(|fault| fault.what).collect()
}

#[test]
fn runs_are_numbered_counted_and_found_again() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    let history = archive.history().unwrap();
    assert_eq!(
        history.iter().map(|seal| (seal.number, seal.total)).collect::<Vec<_>>(),
        [(1, 0), (2, 50_000), (3, 100_000)]
    );
    assert_eq!(archive.newest().unwrap().unwrap().records[0].verdict, Verdict::Pass);
    assert_eq!(archive.run(1).unwrap().records[0].seen[0].bytes, 10);
    let verified = archive.verify(Some(key().public()), None, Timestamp::from_secs(3 * DAY)).unwrap();
    assert_eq!((verified.seals, verified.runs, verified.faults.len()), (3, 3, 0));
    assert_eq!(verified.newest.unwrap(), history[2].hash());
}

#[test]
fn a_score_is_counted_when_it_is_kept_whatever_it_says() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::in_data(data.path());
    let mut flattering = run(0, vec![record(Verdict::Fail, 1)]);
    flattering.score.total = 100_000;
    assert_eq!(archive.keep(flattering, &Actions::default(), &key()).unwrap().score.total, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_changed_byte_anywhere_is_found(which in 0_usize..7, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let data = tempfile::tempdir().unwrap();
        let archive = all_of_it(data.path());
        let name = [
            "seals", "00000001.json", "00000002.json", "00000003.json", "statements.json", "actions.json", "reminders.json",
        ][which];
        let path = data.path().join("audit").join(name);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        prop_assert!(!faults(&archive, 3).is_empty());
    }
}

#[test]
fn a_run_that_is_gone_is_missed_and_one_that_is_old_is_not() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    fs::remove_file(data.path().join("audit/00000002.json")).unwrap();
    assert_eq!(faults(&archive, 3), ["its file is gone"]);
    let keep = i64::from(AUDIT_KEEP_DAYS);
    assert_eq!(faults(&archive, keep + 3), Vec::<String>::new());
}

/// All files as they are now.
fn files(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(data.join("audit")).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// Makes them those, and no others.
fn make(data: &Path, files: &BTreeMap<String, Vec<u8>>) {
    let _none = fs::remove_dir_all(data.join("audit"));
    fs::create_dir_all(data.join("audit")).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(data.join("audit").join(name), bytes).unwrap());
}

#[test]
fn a_line_that_was_taken_out_put_in_or_moved_is_found() {
    let data = tempfile::tempdir().unwrap();
    let archive = all_of_it(data.path());
    let path = data.path().join("audit/seals");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 7);
    let all: Vec<usize> = (0..lines.len()).collect();
    let mut others = Vec::new();
    for at in 0..lines.len() {
        let with = |change: &dyn Fn(&mut Vec<usize>)| {
            let mut other = all.clone();
            change(&mut other);
            other
        };
        others.push(with(&|other| {
            other.remove(at);
        }));
        others.push(with(&|other| other.insert(at, at)));
        others.push(with(&|other| other.truncate(at)));
        if at > 0 {
            others.push(with(&|other| other.swap(at, at - 1)));
        }
    }
    for other in others {
        fs::write(&path, other.iter().map(|line| lines[*line]).collect::<String>()).unwrap();
        assert!(!faults(&archive, 3).is_empty(), "{other:?}");
    }
    fs::remove_file(&path).unwrap();
    assert!(!faults(&archive, 3).is_empty(), "all of it");
}

#[test]
fn an_old_copy_of_everything_is_found_by_whoever_wrote_down_a_seal_and_of_anything_less_by_anybody() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    let old = files(data.path());
    keep(&archive, run(3, vec![record(Verdict::Fail, 10)]));
    let now = files(data.path());
    let newest = archive.verify(None, None, at(4 * DAY)).unwrap().newest.unwrap();
    for name in ["seals", "actions.json", "00000004.json"] {
        let mut mixed = now.clone();
        match old.get(name) {
            Some(bytes) => drop(mixed.insert(name.to_owned(), bytes.clone())),
            None => drop(mixed.remove(name)),
        }
        make(data.path(), &mixed);
        assert!(!faults(&archive, 4).is_empty(), "{name}");
    }
    make(data.path(), &old);
    assert_eq!(faults(&archive, 4), Vec::<String>::new(), "this is what it was then");
    let found = archive.verify(Some(key().public()), Some(&newest), at(4 * DAY)).unwrap();
    assert_eq!(found.faults[0].what, format!("no seal has the hash {newest}"));
    make(data.path(), &now);
    assert_eq!(archive.verify(Some(key().public()), Some(&newest), at(4 * DAY)).unwrap().faults, []);
}

#[test]
fn what_is_not_as_it_was_sealed_is_neither_shown_nor_used_nor_sealed_again() {
    let data = tempfile::tempdir().unwrap();
    let archive = all_of_it(data.path());
    let whole = files(data.path());
    let spoil = |name: &str, bytes: &[u8]| {
        make(data.path(), &whole);
        fs::write(data.path().join("audit").join(name), bytes).unwrap();
    };
    // Somebody else's run, and one that nobody made, are no runs of ours.
    spoil("00000002.json", &whole["00000001.json"]);
    assert!(archive.run(2).unwrap_err().to_string().contains("has changed since it was sealed"));
    spoil("00000003.json", &whole["00000001.json"]);
    assert!(archive.newest().is_err());
    spoil("00000004.json", &whole["00000001.json"]);
    assert!(archive.run(4).is_err(), "it has no seal");
    assert_eq!(faults(&archive, 3), ["it was never sealed"]);

    spoil("actions.json", b"{}\n");
    assert!(archive.actions().is_err());
    assert!(archive.keep_actions(&Actions::default(), at(3 * DAY), &key()).is_err());
    assert!(archive.keep(run(3, vec![]), &Actions::default(), &key()).is_err());
    assert_eq!(archive.history().unwrap().len(), 3);
    spoil("statements.json", b"{}\n");
    assert!(archive.statements().is_err());
    assert!(archive.keep_statements(&Statements::default(), at(3 * DAY), &key()).is_err());
    spoil("reminders.json", b"{}\n");
    assert!(archive.reminders().is_err());
    make(data.path(), &whole);
    fs::remove_file(data.path().join("audit/statements.json")).unwrap();
    assert!(archive.statements().is_err());
    assert_eq!(faults(&archive, 3), ["statements.json is gone"]);
    // Before there was anything.
    make(data.path(), &[("statements.json".to_owned(), whole["statements.json"].clone())].into());
    assert!(archive.statements().is_err());
    assert_eq!(faults(&archive, 3), ["statements.json was never sealed"]);
}

#[test]
fn who_is_cut_off_at_any_step_has_kept_all_or_nothing() {
    let data = tempfile::tempdir().unwrap();
    let archive = all_of_it(data.path());
    let before = files(data.path());
    let kept = keep(&archive, run(3, vec![record(Verdict::Pass, 10)]));
    let after = files(data.path());
    // The steps of keeping, each of which may be the last, and may be cut short itself.
    let mut steps = vec![before.clone()];
    let mut step = |name: &str, bytes: &[u8]| {
        for part in [&bytes[..bytes.len() / 2], bytes] {
            let mut next = steps.last().unwrap().clone();
            next.insert(format!("{name}.new"), part.to_vec());
            steps.push(next);
        }
    };
    step("actions.json", &after["actions.json"]);
    step("00000004.json", &after["00000004.json"]);
    step("seals", &after["seals"]);
    let uncommitted = steps.len();
    for name in ["seals", "00000004.json", "actions.json"] {
        let mut next = steps.last().unwrap().clone();
        let bytes = next.remove(&format!("{name}.new")).unwrap();
        next.insert(name.to_owned(), bytes);
        steps.push(next);
    }
    assert_eq!(steps.last(), Some(&after));
    for (nth, step) in steps.iter().enumerate() {
        make(data.path(), step);
        assert_eq!(faults(&archive, 4), Vec::<String>::new(), "step {nth}");
        let (runs, is_open) = if nth < uncommitted { (3, true) } else { (4, false) };
        assert_eq!(archive.history().unwrap().len(), runs, "step {nth}");
        assert_eq!(archive.actions().unwrap().unwrap().0["PHY-WHO-1"].is_open(), is_open, "step {nth}");
        // And goes on from there, whatever lies around.
        assert_eq!(keep(&archive, run(4, vec![record(Verdict::Fail, 10)])).number, kept.number + u64::from(!is_open));
        assert_eq!(faults(&archive, 5), Vec::<String>::new(), "step {nth}");
        assert!(archive.actions().unwrap().unwrap().0["PHY-WHO-1"].is_open(), "step {nth}");
    }
}

#[test]
fn runs_that_were_signed_by_somebody_else_are_found() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::in_data(data.path());
    let thief = EvidenceKey::new(&Secret::new("a thief's")).unwrap();
    archive.keep(run(0, vec![record(Verdict::Pass, 1)]), &Actions::default(), &thief).unwrap();
    let theirs = "it is signed with a key that isn't this installation's";
    assert_eq!(faults(&archive, 1), [format!("line 1 of the seals, about actions.json: {theirs}"), theirs.to_owned()]);
}

#[test]
fn a_run_without_a_seal_is_replaced_by_the_next() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    fs::write(data.path().join("audit/00000004.json.new"), "cut o").unwrap();
    assert!(faults(&archive, 3).is_empty());
    assert_eq!(keep(&archive, run(3, vec![record(Verdict::Pass, 1)])).number, 4);
    assert!(faults(&archive, 4).is_empty());
}

#[test]
fn old_runs_are_deleted_and_their_seals_are_not() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    let keep = i64::from(AUDIT_KEEP_DAYS);
    let now = Timestamp::from_secs((keep + 1) * DAY + 120);
    assert_eq!(archive.prune(now).unwrap(), 2);
    assert_eq!((archive.history().unwrap().len(), archive.run(3).unwrap().number), (3, 3));
    assert!(archive.run(1).is_err());
    assert!(archive.verify(Some(key().public()), None, now).unwrap().faults.is_empty());
}

#[test]
fn a_run_is_never_larger_than_it_may_be_and_its_hashes_stay() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::in_data(data.path());
    let records = vec![record(Verdict::Pass, 4096); 400];
    let kept = archive.keep(run(0, records), &Actions::default(), &key()).unwrap();
    let size = fs::metadata(data.path().join("audit/00000001.json")).unwrap().len();
    assert!(size <= AUDIT_RUN_MAX as u64, "{size}");
    let cut = archive.run(1).unwrap();
    assert!(cut.records[0].seen[0].excerpt.len() < 4096);
    assert_eq!(cut.records[0].seen[0].sha256, kept.records[0].seen[0].sha256);
    assert!(faults(&archive, 1).is_empty());
}

#[test]
fn what_was_counted_before_is_not_counted_again_and_a_changed_byte_is_found_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    let now = Timestamp::from_secs(3 * DAY);
    let mut counted = Counted::default();
    let mut look = || archive.verify_anew(Some(key().public()), None, now, &mut counted).unwrap();
    assert_eq!((look().runs, look().faults.len()), (3, 0));
    let file = data.path().join("audit/00000002.json");
    let whole = fs::read(&file).unwrap();
    let mut changed = whole.clone();
    changed[40] ^= 1;
    fs::write(&file, &changed).unwrap();
    for _ in 0..2 {
        let faults = look().faults;
        assert_eq!((faults.len(), faults[0].number), (1, Some(2)), "{faults:?}");
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(look().faults, []);
}

#[test]
fn what_has_as_many_seals_as_there_may_be_says_so_and_loses_none() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    let seals = data.path().join("audit/seals");
    let text = fs::read_to_string(&seals).unwrap();
    let last = text.split_inclusive('\n').next_back().unwrap();
    let papers = text.lines().count() - 3;
    fs::write(&seals, format!("{text}{}", last.repeat(AUDIT_SEALS_MAX - papers - 3))).unwrap();
    assert_eq!(archive.history().unwrap().len(), AUDIT_SEALS_MAX - papers);
    let full = fs::read(&seals).unwrap();
    let refused = archive.keep(run(3, Vec::new()), &Actions::default(), &key()).unwrap_err().to_string();
    assert!(refused.contains("there can't be more"), "{refused}");
    assert_eq!(fs::read(&seals).unwrap(), full);
    fs::write(&seals, format!("{text}{}", last.repeat(AUDIT_SEALS_MAX))).unwrap();
    assert!(archive.history().is_err());
}
