//! How controls are run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what it expects")]

use mailward_audit::{
    Area, Check, Control, Dimension, Finding, Host, Probe, Scene, Statement, Statements, Verdict, all, find, run,
};
use mailward_core::{Clock, Timestamp, shutdown};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const NOW: i64 = 1_800_000_000;

struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(NOW)
    }
}

fn scene(statements: Statements) -> Arc<Scene> {
    let root = tempfile::tempdir().unwrap();
    let host = Host::at(root.path(), false, Box::new(BTreeMap::new()));
    Arc::new(Scene { statements, ..Scene::of(host, Timestamp::from_secs(NOW)) })
}

const fn control(id: &'static str, parent: Option<&'static str>, check: Check) -> Control {
    Control {
        id,
        area: Area::Logs,
        dimension: Dimension::What,
        weight: 10,
        cap: None,
        parent,
        probe: Probe::Host,
        question: "Is it so?",
        why: "because",
        verified: "by looking",
        mend: "mend it",
        source: "ours",
        check,
    }
}

static CHILD: Control = control("X-2", Some("X-1"), Check::Look(|_| Finding::pass("it is")));
static GRANDCHILD: Control = control("X-3", Some("X-2"), Check::Look(|_| Finding::pass("it is")));
static FAILS: Control = control("X-1", None, Check::Look(|_| Finding::fail("it isn't")));
static PANICS: Control = control("X-4", None, Check::Look(|_| panic!("a fault")));
static HANGS: Control = control("X-5", None, Check::Ask(|_| Box::pin(std::future::pending())));
static STATED: Control = control("X-6", None, Check::Stated { days: 30 });

async fn verdicts(controls: &[&'static Control], statements: Statements) -> Vec<(Verdict, String)> {
    let (_trigger, stop) = shutdown::channel();
    let records = run(controls, scene(statements), &Still, &stop, &mut ()).await;
    records.into_iter().map(|record| (record.verdict, record.said)).collect()
}

#[tokio::test]
async fn the_children_of_what_failed_are_not_run_whatever_their_order() {
    let found = verdicts(&[&GRANDCHILD, &CHILD, &FAILS], Statements::default()).await;
    assert_eq!(found[2].0, Verdict::Fail);
    assert_eq!(found[1], (Verdict::NotRun, "not run, because X-1 failed".to_owned()));
    assert_eq!(found[0], (Verdict::NotRun, "not run, because X-2 failed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_or_hangs_is_an_error_and_the_run_goes_on() {
    let found = verdicts(&[&PANICS, &HANGS, &CHILD], Statements::default()).await;
    assert_eq!(found.iter().map(|one| one.0).collect::<Vec<_>>(), [Verdict::Error, Verdict::Error, Verdict::Pass]);
}

#[tokio::test]
async fn a_statement_holds_until_it_is_too_old() {
    let said = |days_ago: i64, until: Option<i64>| {
        let at = Timestamp::from_secs(NOW - days_ago * 86_400);
        let until = until.map(|days| Timestamp::from_secs(NOW + days * 86_400));
        let statement =
            Statement { share: Some(100), says: "yes".to_owned(), who: "Ada".to_owned(), at, until, file: None };
        Statements([("X-6".to_owned(), statement)].into())
    };
    for (statements, verdict) in [
        (Statements::default(), Verdict::NotTested),
        (said(29, None), Verdict::Pass),
        (said(31, None), Verdict::Fail),
        (said(1, Some(-1)), Verdict::Fail),
        // Nobody makes a statement last longer than it may.
        (said(31, Some(300)), Verdict::Fail),
    ] {
        assert_eq!(verdicts(&[&STATED], statements).await[0].0, verdict);
    }
}

#[tokio::test]
async fn what_a_stop_leaves_is_not_tested() {
    let (trigger, stop) = shutdown::channel();
    trigger.fire();
    let records = run(&[&FAILS], scene(Statements::default()), &Still, &stop, &mut ()).await;
    assert_eq!(records[0].verdict, Verdict::NotTested);
}

#[test]
fn the_catalogue_has_each_name_once_and_every_word_that_a_reader_needs() {
    let mut seen = BTreeSet::new();
    for control in all() {
        assert!(seen.insert(control.id), "{} is there twice", control.id);
        assert!(control.id.starts_with(control.area.code()), "{} isn't of its area", control.id);
        assert!(control.question.ends_with('?'), "{}: {}", control.id, control.question);
        for words in [control.why, control.verified, control.mend, control.source] {
            assert!(!words.is_empty(), "{} says nothing", control.id);
        }
        if let Some(parent) = control.parent {
            assert!(find(parent).is_some(), "{}: there is no {parent}", control.id);
        }
        let allowed: &[u8] = if control.dimension == Dimension::What { &[2, 5, 10] } else { &[4, 8, 10, 12] };
        assert!(allowed.contains(&control.weight), "{} weighs {}", control.id, control.weight);
    }
}
