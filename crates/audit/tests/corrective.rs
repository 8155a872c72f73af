//! What becomes of what was found.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says what it expects"
)]

use mailward_audit::actions::{Actions, Exception, ExceptionError};
use mailward_audit::evidence::Run;
use mailward_audit::{Area, Finding, Record, Verdict, Weights, find, score};
use mailward_core::Timestamp;
use mailward_core::limits::{AUDIT_EXCEPTION_DAYS, AUDIT_WORDS_MAX};
use std::collections::BTreeMap;

const DAY: i64 = 86_400;

fn at(day: i64) -> Timestamp {
    Timestamp::from_secs(day.saturating_mul(DAY))
}

/// A run on a day in which these controls ended so.
fn run(day: i64, found: &[(&str, Verdict)]) -> Run {
    let records: Vec<Record> = found
        .iter()
        .map(|(id, verdict)| {
            Record::new(find(id).unwrap(), at(day), at(day), Finding { verdict: *verdict, ..Finding::pass("so it is") })
        })
        .collect();
    Run {
        number: 1,
        version: String::new(),
        name: String::new(),
        began: at(day),
        ended: at(day),
        weights: Weights::default(),
        overdue: Vec::new(),
        score: score(&records, &Weights::default(), &[]),
        records,
    }
}

fn owners() -> BTreeMap<Area, String> {
    [(Area::Physical, "ada@example.test".to_owned())].into()
}

/// What is open, after these runs.
fn after(runs: &[(i64, Verdict)]) -> Actions {
    let mut actions = Actions::default();
    for (day, verdict) in runs {
        actions.heard(&run(*day, &[("PHY-WHY-1", *verdict)]), &owners());
    }
    actions
}

#[test]
fn a_failure_opens_an_action_that_only_a_pass_closes() {
    for verdict in [Verdict::Fail, Verdict::Error, Verdict::Partial(50)] {
        let actions = after(&[(0, verdict)]);
        let action = &actions.0["PHY-WHY-1"];
        assert_eq!((action.owner.as_str(), action.due, action.is_open()), ("ada@example.test", at(7), true));
    }
    assert!(after(&[(0, Verdict::Fail), (1, Verdict::NotTested), (2, Verdict::NotRun)]).0["PHY-WHY-1"].is_open());
    assert!(!after(&[(0, Verdict::Fail), (1, Verdict::Pass)]).0["PHY-WHY-1"].is_open());
    assert!(after(&[(0, Verdict::Pass), (1, Verdict::NotTested)]).0.is_empty());
}

#[test]
fn failing_again_does_not_give_more_time_and_coming_back_is_counted() {
    let still = after(&[(0, Verdict::Fail), (5, Verdict::Fail)]);
    assert_eq!((still.0["PHY-WHY-1"].due, still.0["PHY-WHY-1"].reopened), (at(7), 0));
    let again = after(&[(0, Verdict::Fail), (1, Verdict::Pass), (20, Verdict::Fail)]);
    assert_eq!((again.0["PHY-WHY-1"].due, again.0["PHY-WHY-1"].reopened), (at(27), 1));
}

#[test]
fn an_overdue_mandatory_control_caps_until_it_is_excepted() {
    let mut actions = after(&[(0, Verdict::Fail)]);
    assert!(actions.cap(at(7)).is_empty());
    assert_eq!(actions.cap(at(8)).len(), 1);
    let except = |approver: &str, reason: &str, days: i64| Exception {
        reason: reason.to_owned(),
        approver: approver.to_owned(),
        at: at(8),
        until: at(8 + days),
    };
    assert!(matches!(
        actions.except("PHY-WHY-1", except("Ada@example.test", "no money", 30)),
        Err(ExceptionError::Owner(_))
    ));
    assert!(matches!(
        actions.except("PHY-WHY-1", except("bob@example.test", "no money", i64::from(AUDIT_EXCEPTION_DAYS) + 1)),
        Err(ExceptionError::Until)
    ));
    for owner in [
        "ADA@example.test",
        " ada@example.test",
        "Ada <ada@example.test>",
        "ada+boss@example.test",
        "ada@example.test.",
    ] {
        let granted = actions.clone().except("PHY-WHY-1", except(owner, "no money", 30));
        assert!(matches!(granted, Err(ExceptionError::Owner(_) | ExceptionError::Approver(_))), "{owner}");
    }
    for nobody in ["bob", "", "the board"] {
        let granted = actions.clone().except("PHY-WHY-1", except(nobody, "no money", 30));
        assert!(matches!(granted, Err(ExceptionError::Approver(_))), "{nobody}");
    }
    assert!(matches!(
        actions.except("PHY-WHY-1", except("bob@example.test", "no money", 0)),
        Err(ExceptionError::Until)
    ));
    assert!(matches!(actions.except("PHY-WHY-1", except("bob@example.test", " ", 3)), Err(ExceptionError::Reason)));
    let long =
        |characters: usize| except("bob@example.test", &"\u{e9}".repeat(characters), i64::from(AUDIT_EXCEPTION_DAYS));
    assert!(matches!(actions.clone().except("PHY-WHY-1", long(AUDIT_WORDS_MAX + 1)), Err(ExceptionError::Reason)));
    assert!(actions.clone().except("PHY-WHY-1", long(AUDIT_WORDS_MAX)).is_ok());
    assert!(matches!(
        actions.except("PHY-WHY-2", except("bob@example.test", "no money", 3)),
        Err(ExceptionError::NoAction(_))
    ));
    actions.except("phy-why-1", except("bob@example.test", "no money this year", 30)).unwrap();
    assert!(actions.cap(at(38)).is_empty());
    assert_eq!(actions.cap(at(39)).len(), 1);
}

#[test]
fn what_somebody_says_does_not_apply_closes_nothing_and_what_is_seen_not_to_apply_does() {
    let heard = |id: &str| {
        let mut actions = Actions::default();
        for (day, verdict) in [(0, Verdict::Fail), (1, Verdict::NotApplicable)] {
            actions.heard(&run(day, &[(id, verdict)]), &owners());
        }
        actions.0[id].is_open()
    };
    assert!(heard("PHY-15"), "it is asked of people");
    assert!(!heard("PHY-02"), "the host is looked at");
}

#[test]
fn an_exception_gives_no_time_to_an_owner_who_approved_it_before_they_were_one() {
    let mut actions = after(&[(0, Verdict::Fail)]);
    let (reason, approver) = ("no money".to_owned(), "bob@example.test".to_owned());
    actions.except("PHY-WHY-1", Exception { reason, approver, at: at(6), until: at(36) }).unwrap();
    assert!(actions.cap(at(8)).is_empty());
    let bob = [(Area::Physical, "Bob@example.test".to_owned())].into();
    actions.heard(&run(8, &[("PHY-WHY-1", Verdict::Fail)]), &bob);
    assert_eq!(actions.cap(at(8)).len(), 1);
}

#[test]
fn open_ones_are_listed_by_weight_of_area_then_of_control() {
    let mut actions = Actions::default();
    let failed = ["STB-WHY-1", "PHY-WHO-2", "PHY-WHY-1", "AWR-WHO-1"].map(|id| (id, Verdict::Fail));
    actions.heard(&run(0, &failed), &owners());
    let order: Vec<&str> = actions.open(&Weights::default()).iter().map(|action| action.control.as_str()).collect();
    assert_eq!(order, ["AWR-WHO-1", "PHY-WHY-1", "PHY-WHO-2", "STB-WHY-1"]);
}
