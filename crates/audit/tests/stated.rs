//! What people say: every question of theirs is answered by yes, by no, in part, by "not here", and by nobody.

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test says what it expects")]

use mailward_audit::{Check, Control, Host, Probe, Scene, Statement, Statements, Verdict, all, run};
use mailward_core::{SystemClock, Timestamp, shutdown};
use std::collections::BTreeMap;
use std::sync::Arc;

const NOW: i64 = 1_800_000_000;

fn ours() -> Vec<(&'static Control, i64)> {
    all()
        .into_iter()
        .filter_map(|control| match control.check {
            Check::Stated { days } => Some((control, i64::from(days))),
            _ => None,
        })
        .collect()
}

async fn verdict(control: &'static Control, share: Option<Option<u8>>, days_ago: i64) -> Verdict {
    let at = Timestamp::from_secs(NOW - days_ago * 86_400);
    let statement = |share| {
        let statement = Statement {
            share,
            says: "so it is\u{1b}[2J".to_owned(),
            who: "Ada".to_owned(),
            at,
            until: None,
            file: None,
        };
        (control.id.to_owned(), statement)
    };
    let statements = Statements(share.map(statement).into_iter().collect());
    let host = Host::at("/nowhere", false, Box::new(BTreeMap::new()));
    let scene = Scene { statements, ..Scene::of(host, Timestamp::from_secs(NOW)) };
    let (_trigger, stop) = shutdown::channel();
    run(&[control], Arc::new(scene), &SystemClock, &stop, &mut ()).await[0].verdict
}

#[tokio::test]
async fn every_question_to_people_is_answered_by_them_alone_and_for_a_while() {
    assert!(ours().len() >= 32, "{}", ours().len());
    for (control, days) in ours() {
        assert_eq!(control.probe, Probe::Statement, "{}", control.id);
        assert_eq!(verdict(control, Some(Some(100)), 1).await, Verdict::Pass, "{}", control.id);
        assert_eq!(verdict(control, Some(Some(0)), 1).await, Verdict::Fail, "{}", control.id);
        assert_eq!(verdict(control, Some(Some(40)), 1).await, Verdict::Partial(40), "{}", control.id);
        // What caps the total isn't talked away.
        let left_out = if control.cap.is_some() { Verdict::NotTested } else { Verdict::NotApplicable };
        assert_eq!(verdict(control, Some(None), 1).await, left_out, "{}", control.id);
        assert_eq!(verdict(control, None, 1).await, Verdict::NotTested, "{}", control.id);
        assert_eq!(verdict(control, Some(Some(100)), days).await, Verdict::Pass, "{}", control.id);
        assert_eq!(verdict(control, Some(Some(100)), days + 1).await, Verdict::Fail, "{}: it is too old", control.id);
    }
}

#[tokio::test]
async fn what_every_area_is_asked_applies_everywhere_and_no_answer_is_of_tomorrow() {
    let every: Vec<&'static Control> = all()
        .into_iter()
        .filter(|control| control.probe == Probe::Statement)
        .filter(|control| !stated(control))
        .collect();
    assert_eq!(every.len(), 54, "three of each area");
    for control in every {
        assert_eq!(verdict(control, Some(None), 1).await, Verdict::NotTested, "{}", control.id);
        assert_eq!(verdict(control, Some(Some(0)), 1).await, Verdict::Fail, "{}", control.id);
    }
    for (control, _days) in ours() {
        assert_eq!(verdict(control, Some(Some(100)), -2).await, Verdict::Fail, "{}: it is yet to come", control.id);
    }
}

fn stated(control: &Control) -> bool {
    matches!(control.check, Check::Stated { .. })
}
