//! What records are worth: the rules that keep a score from flattering.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects")]

use mailward_audit::{Area, Cap, Dimension, Probe, Record, Verdict, Weights, all, find, score};
use mailward_core::Timestamp;
use proptest::prelude::*;

fn record(area: Area, dimension: Dimension, weight: u8, verdict: Verdict) -> Record {
    Record {
        id: format!("{}-01", area.code()),
        area,
        dimension,
        weight,
        cap: None,
        probe: Probe::State,
        began: Timestamp(0),
        ended: Timestamp(0),
        verdict,
        said: "so it is".to_owned(),
        seen: Vec::new(),
    }
}

fn whole(area: Area, verdict: Verdict) -> Vec<Record> {
    Dimension::ALL.iter().map(|dimension| record(area, *dimension, 10, verdict)).collect()
}

#[test]
fn the_default_weights_of_the_twelve_sum_to_ten() {
    let twelve: u32 = Area::ALL.iter().take(12).map(|area| u32::from(area.weight())).sum();
    assert_eq!((twelve, Weights::default().sum()), (1_000, 1_500));
}

#[test]
fn the_configuration_names_the_areas_as_the_audit_does() {
    assert_eq!(Area::ALL.map(Area::key), mailward_core::config::AUDIT_AREAS);
}

#[test]
fn all_passed_is_a_thousand_and_nothing_tested_is_nothing() {
    let all: Vec<Record> = Area::ALL.iter().flat_map(|area| whole(*area, Verdict::Pass)).collect();
    assert_eq!(score(&all, &Weights::default(), &[]).total, 100_000);
    let none: Vec<Record> = Area::ALL.iter().flat_map(|area| whole(*area, Verdict::NotTested)).collect();
    assert_eq!(score(&none, &Weights::default(), &[]).total, 0);
}

#[test]
fn who_why_and_what_are_worth_twenty_thirty_and_fifty() {
    for (dimension, points) in [(Dimension::Who, 2_000), (Dimension::Why, 3_000), (Dimension::What, 5_000)] {
        let mut records = whole(Area::Logs, Verdict::Fail);
        records.iter_mut().find(|record| record.dimension == dimension).unwrap().verdict = Verdict::Pass;
        assert_eq!(score(&records, &Weights::default(), &[]).areas[0].sum, points);
    }
}

#[test]
fn a_heavy_control_counts_for_more_than_a_light_one() {
    let mut records = whole(Area::Files, Verdict::Pass);
    records.push(record(Area::Files, Dimension::What, 2, Verdict::Fail));
    // 10 of 12 parts of 50 points.
    assert_eq!(score(&records, &Weights::default(), &[]).areas[0].points[&Dimension::What], 4_166);
}

#[test]
fn what_does_not_apply_leaves_the_sum_and_what_is_not_tested_does_not() {
    let mut records = whole(Area::Backup, Verdict::Pass);
    records.push(record(Area::Backup, Dimension::What, 10, Verdict::NotApplicable));
    assert_eq!(score(&records, &Weights::default(), &[]).total, 100_000);
    records.push(record(Area::Backup, Dimension::What, 10, Verdict::NotTested));
    assert_eq!(score(&records, &Weights::default(), &[]).areas[0].points[&Dimension::What], 2_500);
}

#[test]
fn a_hole_caps_the_total_and_says_why() {
    let mut records: Vec<Record> = Area::ALL.iter().flat_map(|area| whole(*area, Verdict::Pass)).collect();
    let mut hole = record(Area::Services, Dimension::What, 10, Verdict::Fail);
    hole.cap = Some(Cap::Hole);
    hole.said = "relays for everybody".to_owned();
    records.push(hole);
    let score = score(&records, &Weights::default(), &[]);
    assert_eq!(score.total, 40_000);
    assert!(score.uncapped > 90_000);
    assert_eq!((score.caps[0].most, score.caps[0].why.as_str()), (400, "relays for everybody"));
}

#[test]
fn a_backup_that_nobody_knows_to_be_restorable_caps_the_total() {
    let all: Vec<Record> = Area::ALL.iter().flat_map(|area| whole(*area, Verdict::Pass)).collect();
    let with = |verdict| {
        let mut restored = record(Area::Backup, Dimension::What, 1, verdict);
        restored.cap = Some(Cap::Restore);
        score(&all.iter().cloned().chain([restored]).collect::<Vec<_>>(), &Weights::default(), &[]).total
    };
    for unknown in [Verdict::NotTested, Verdict::NotRun, Verdict::Error, Verdict::Partial(50), Verdict::Fail] {
        assert_eq!(with(unknown), 70_000, "{unknown:?}");
    }
    assert_eq!((with(Verdict::Pass), with(Verdict::NotApplicable)), (100_000, 100_000));
    // A hole is one that was found.
    let mut hole = record(Area::Services, Dimension::What, 1, Verdict::NotTested);
    hole.cap = Some(Cap::Hole);
    assert!(score(&all.iter().cloned().chain([hole]).collect::<Vec<_>>(), &Weights::default(), &[]).total > 90_000);
}

#[test]
fn an_overdue_action_caps_the_total() {
    let all: Vec<Record> = Area::ALL.iter().flat_map(|area| whole(*area, Verdict::Pass)).collect();
    let score = score(&all, &Weights::default(), &["LOG-09".to_owned()]);
    assert_eq!((score.total, score.uncapped, score.caps[0].id.as_str()), (80_000, 100_000, "LOG-09"));
}

#[test]
fn an_area_of_which_nothing_applies_leaves_the_total() {
    let mut records = whole(Area::Standby, Verdict::NotApplicable);
    records.extend(whole(Area::Logs, Verdict::Pass));
    let score = score(&records, &Weights::default(), &[]);
    assert_eq!((score.total, score.areas.len()), (100_000, 1));
}

/// Dimensions of areas that count for something.
fn dimensions(score: &mailward_audit::Score) -> usize {
    score.areas.iter().map(|area| area.points.len()).sum()
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Error),
        Just(Verdict::Fail),
        (1_u8..100).prop_map(Verdict::Partial),
        Just(Verdict::NotRun),
        Just(Verdict::NotTested),
        Just(Verdict::NotApplicable),
        Just(Verdict::Pass),
    ]
}

#[test]
fn nothing_that_caps_is_hidden_behind_a_parent_that_does_not() {
    for control in all().into_iter().filter(|control| control.cap.is_some()) {
        let Some(parent) = control.parent.and_then(find) else { continue };
        // It isn't run while its parent fails, so its parent's failure has to cost as much.
        assert!(parent.cap.is_some_and(|cap| Some(cap.most()) <= control.cap.map(Cap::most)), "{}", control.id);
    }
}

#[test]
fn every_parent_is_asked_and_none_is_its_own_forebear() {
    for control in all() {
        let mut above = control;
        for _ in 0..all().len() {
            let Some(id) = above.parent else { break };
            above = find(id).unwrap_or_else(|| panic!("{} has no parent {id}", above.id));
            assert_ne!(above.id, control.id);
        }
    }
}

#[test]
fn weights_that_sum_to_nothing_are_worth_nothing() {
    let all: Vec<Record> = Area::ALL.iter().flat_map(|area| whole(*area, Verdict::Pass)).collect();
    let nothing = Weights(Area::ALL.iter().map(|area| (*area, 0)).collect());
    assert_eq!((score(&all, &nothing, &[]).total, nothing.sum()), (0, 0));
    assert_eq!(score(&[], &Weights::default(), &[]).total, 0);
}

#[test]
fn who_counts_areas_otherwise_is_told_of_with_the_usual_sum() {
    assert_eq!(Weights::default().told(), None);
    assert_eq!(Weights([(Area::Logs, Area::Logs.weight())].into()).told(), None);
    let told = Weights([(Area::Logs, 0), (Area::Backup, 125)].into()).told().unwrap();
    assert!(told.starts_with("Areas count otherwise than usual: "), "{told}");
    let usual = mailward_audit::points(Area::Logs.weight().into());
    assert!(told.contains(&format!("{} 0 instead of {usual}", Area::Logs.title())), "{told}");
    assert!(told.contains(" 1.25 instead of ") && told.ends_with(" instead of 15"), "{told}");
}

#[test]
fn several_caps_are_told_and_the_lowest_holds() {
    let mut records: Vec<Record> = Area::ALL.iter().flat_map(|area| whole(*area, Verdict::Pass)).collect();
    for (id, cap) in [("BKP-02", Cap::Restore), ("SVC-04", Cap::Hole)] {
        let failed = record(Area::Backup, Dimension::What, 1, Verdict::Error);
        records.push(Record { id: id.to_owned(), cap: Some(cap), ..failed });
    }
    let score = score(&records, &Weights::default(), &["LOG-09".to_owned()]);
    let caps: Vec<(u16, &str)> = score.caps.iter().map(|cap| (cap.most, cap.id.as_str())).collect();
    assert_eq!((score.total, caps), (40_000, vec![(400, "SVC-04"), (700, "BKP-02"), (800, "LOG-09")]));
}

proptest! {
    /// Whatever weights and caps there are: no better answer lowers a total, no overdue action lifts one, nobody has more than there
    /// is, and leaving out what passed lifts nothing.
    #[test]
    fn no_answer_pays_but_a_better_one(
        given in prop::collection::vec((0_usize..18, 0_usize..3, 0_u8..=255, verdicts(), 0_usize..3), 1..60),
        weights in prop::collection::btree_map(0_usize..18, any::<u16>(), 0..18),
        which in any::<prop::sample::Index>(),
        better in verdicts(),
    ) {
        let weights = Weights(weights.into_iter().map(|(area, weight)| (Area::ALL[area], weight)).collect());
        let mut records: Vec<Record> = given
            .into_iter()
            .map(|(area, dimension, weight, verdict, cap)| Record {
                cap: [None, Some(Cap::Hole), Some(Cap::Restore)][cap],
                ..record(Area::ALL[area], Dimension::ALL[dimension], weight, verdict)
            })
            .collect();
        let before = score(&records, &weights, &[]);
        prop_assert!(before.total <= before.uncapped && before.uncapped <= 100_000);
        prop_assert!(score(&records, &weights, &["LOG-09".to_owned()]).total <= before.total.min(80_000));
        prop_assert!(before.areas.iter().all(|area| area.sum <= 10_000));
        let at = which.index(records.len());
        let was = records[at].verdict;
        records[at].verdict = better;
        let after = score(&records, &weights, &[]);
        match (was.share(), better.share()) {
            // What fails in part is worth more than what isn't known, and may cap where that doesn't.
            (Some(was_worth), Some(worth)) if worth >= was_worth && (was.is_failure() || !better.is_failure()) => {
                prop_assert!(after.total >= before.total, "{was:?} to {better:?}: {} to {}", before.total, after.total);
            }
            (Some(100), None) if records[at].cap.is_none() => {
                prop_assert!(after.uncapped <= before.uncapped || after.areas.len() < before.areas.len()
                    || dimensions(&after) < dimensions(&before));
            }
            _ => {}
        }
    }

    #[test]
    fn a_better_answer_never_lowers_a_score(
        given in prop::collection::vec((0_usize..18, 0_usize..3, 1_u8..=10, verdicts()), 1..60),
        which in 0_usize..60,
    ) {
        let mut records: Vec<Record> = given
            .into_iter()
            .map(|(area, dimension, weight, verdict)| record(Area::ALL[area], Dimension::ALL[dimension], weight, verdict))
            .collect();
        let before = score(&records, &Weights::default(), &[]).total;
        let at = which.rem_euclid(records.len());
        // What leaves the sum is not an answer; a better one is.
        prop_assume!(records[at].verdict != Verdict::NotApplicable);
        records[at].verdict = Verdict::Pass;
        let after = score(&records, &Weights::default(), &[]).total;
        prop_assert!(after >= before && after <= 100_000);
    }
}
