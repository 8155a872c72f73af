//! What was found stays as it was found.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says what it expects"
)]

use mailward_audit::evidence::{Archive, Counted, Run};
use mailward_audit::{Area, Dimension, Finding, Probe, Record, Verdict, Weights, find, score};
use mailward_core::limits::{AUDIT_KEEP_DAYS, AUDIT_RUN_MAX, AUDIT_SEALS_MAX};
use mailward_core::{Secret, Timestamp};
use mailward_vault::EvidenceKey;
use proptest::prelude::*;
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
        archive.keep(run(day, vec![record(verdict, 10)]), &key()).unwrap();
    }
    archive
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
    assert_eq!(archive.keep(flattering, &key()).unwrap().score.total, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_changed_byte_anywhere_is_found(which in 0_usize..4, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let data = tempfile::tempdir().unwrap();
        let archive = three(data.path());
        let name = ["seals", "00000001.json", "00000002.json", "00000003.json"][which];
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

#[test]
fn a_line_that_was_taken_out_or_put_in_is_found() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    let path = data.path().join("audit/seals");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for left in [[0, 2].as_slice(), &[1, 2], &[0, 1, 1, 2], &[1, 0, 2]] {
        fs::write(&path, left.iter().map(|line| lines[*line]).collect::<String>()).unwrap();
        assert!(!faults(&archive, 3).is_empty(), "{left:?}");
    }
    // A tail that is cut off is seen by whoever wrote down the newest seal.
    fs::write(&path, lines[..2].concat()).unwrap();
    let newest = archive.history().unwrap()[1].hash();
    let now = Timestamp::from_secs(3 * DAY);
    assert!(archive.verify(None, Some(&newest), now).unwrap().faults.is_empty());
    fs::write(&path, lines[..1].concat()).unwrap();
    assert!(!archive.verify(None, Some(&newest), now).unwrap().faults.is_empty());
}

#[test]
fn runs_that_were_signed_by_somebody_else_are_found() {
    let data = tempfile::tempdir().unwrap();
    let archive = Archive::in_data(data.path());
    archive
        .keep(run(0, vec![record(Verdict::Pass, 1)]), &EvidenceKey::new(&Secret::new("a thief's")).unwrap())
        .unwrap();
    assert_eq!(faults(&archive, 1), ["it is signed with a key that isn't this installation's"]);
}

#[test]
fn a_run_without_a_seal_is_replaced_by_the_next() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    fs::write(data.path().join("audit/00000004.json"), "cut o").unwrap();
    assert!(faults(&archive, 3).is_empty());
    assert_eq!(archive.keep(run(3, vec![record(Verdict::Pass, 1)]), &key()).unwrap().number, 4);
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
    let kept = archive.keep(run(0, records), &key()).unwrap();
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
fn only_so_many_seals_are_read() {
    let data = tempfile::tempdir().unwrap();
    let archive = three(data.path());
    let seals = data.path().join("audit/seals");
    let text = fs::read_to_string(&seals).unwrap();
    let first = text.split_inclusive('\n').next().unwrap();
    fs::write(&seals, first.repeat(AUDIT_SEALS_MAX + 5)).unwrap();
    assert_eq!(archive.history().unwrap().len(), AUDIT_SEALS_MAX);
}
