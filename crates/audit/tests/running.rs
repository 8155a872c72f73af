//! How controls are run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what it expects")]

use mailward_audit::{
    Area, Asked, Check, Control, Dimension, Finding, Host, Needs, Probe, Progress, Record, Scene, Statement,
    Statements, Verdict, all, find, run, run_gently,
};
use mailward_core::limits::{AUDIT_AT_ONCE, AUDIT_CONTROL_TIME, AUDIT_EXHIBITS_MAX, AUDIT_SHARE, AUDIT_SPREAD};
use mailward_core::{Clock, Timestamp, shutdown};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    let words = ["Is it so?", "because", "by looking", "mend it", "ours"];
    Control::new(id, Area::Logs, 10, Probe::Host, check, words).below(parent)
}

/// One that waits for ten seconds.
const fn waits(id: &'static str, needs: Needs, check: Check) -> Control {
    control(id, None, check).needing(needs)
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
    let began = tokio::time::Instant::now();
    let found = verdicts(&[&PANICS, &HANGS, &CHILD], Statements::default()).await;
    assert_eq!(found.iter().map(|one| one.0).collect::<Vec<_>>(), [Verdict::Error, Verdict::Error, Verdict::Pass]);
    assert_eq!(found[1].1, format!("no answer within {} seconds", AUDIT_CONTROL_TIME.as_secs()));
    assert!(began.elapsed() >= AUDIT_CONTROL_TIME && began.elapsed() < AUDIT_CONTROL_TIME * 2);
}

/// Controls that are being answered.
static GOING: Mutex<Vec<&str>> = Mutex::new(Vec::new());

/// Waits, and tells which others were answered beside it.
fn watched(id: &'static str) -> Asked<'static> {
    Box::pin(async move {
        let mut beside = BTreeSet::new();
        GOING.lock().unwrap().push(id);
        for _second in 0..10 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            beside.extend(GOING.lock().unwrap().iter().filter(|other| **other != id).copied());
        }
        GOING.lock().unwrap().retain(|other| *other != id);
        Finding::pass(beside.into_iter().collect::<Vec<_>>().join(" "))
    })
}

macro_rules! watched {
    ($($name:ident $id:literal $needs:ident),* $(,)?) => {
        $(static $name: Control = waits($id, Needs::$needs, Check::Ask(|_| watched($id)));)*
    };
}
watched! {
    SERVER_1 "server-1" Server, ACCOUNT_1 "account-1" Account, ACCOUNT_2 "account-2" Account, BOTH "both" AccountAndMail,
    MAIL_1 "mail-1" Mail, MAIL_2 "mail-2" Mail, SERVER_2 "server-2" Server, HOST_1 "host-1" Host, HOST_2 "host-2" Host,
    HOST_3 "host-3" Host,
    FREE_1 "free-1" Nothing, FREE_2 "free-2" Nothing, FREE_3 "free-3" Nothing, FREE_4 "free-4" Nothing,
    FREE_5 "free-5" Nothing, FREE_6 "free-6" Nothing, FREE_7 "free-7" Nothing,
}

#[tokio::test(start_paused = true)]
async fn what_waits_waits_together_and_nothing_is_answered_beside_what_needs_the_same() {
    let all: [&'static Control; 10] =
        [&SERVER_1, &ACCOUNT_1, &ACCOUNT_2, &BOTH, &MAIL_1, &MAIL_2, &SERVER_2, &HOST_1, &HOST_2, &HOST_3];
    let began = tokio::time::Instant::now();
    let found = verdicts(&all, Statements::default()).await;
    // Three rounds of what may be together, and each of the two that may not.
    assert_eq!(began.elapsed().as_secs(), 50);
    let beside = |id: &str| -> BTreeSet<String> {
        let place = all.iter().position(|control| control.id == id).unwrap();
        found[place].1.split_whitespace().map(str::to_owned).collect()
    };
    for (one, never) in [
        ("account-1", &["account-2", "both"][..]),
        ("account-2", &["account-1", "both"]),
        ("both", &["account-1", "account-2", "mail-1", "mail-2"]),
        ("mail-1", &["mail-2", "both"]),
        ("host-1", &["host-2", "host-3"]),
    ] {
        assert!(never.iter().all(|other| !beside(one).contains(*other)), "{one} beside {:?}", beside(one));
        assert!(!beside(one).is_empty(), "{one} is answered alone");
    }
    assert_eq!((beside("server-1"), beside("server-2")), (BTreeSet::new(), BTreeSet::new()));
}

/// Takes a tenth of a second of the processor.
fn works(_: &Scene) -> Finding {
    let time = || Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)).unwrap();
    let began = time();
    while time().saturating_sub(began) < Duration::from_millis(100) {
        std::hint::black_box(());
    }
    Finding::pass("it is")
}
static WORKS: Control = control("works", None, Check::Look(works));
static LOOKS: Control = control("looks", None, Check::Look(|_| Finding::pass("it is")));
static ASKS: Control = waits("asks", Needs::Account, Check::Ask(|_| asks()));
static ASKS_ON: Control = waits("asks on", Needs::Account, Check::Ask(|_| asks()));

fn asks() -> Asked<'static> {
    Box::pin(async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Finding::pass("it is")
    })
}

/// Which were begun, and when.
struct Begun(tokio::time::Instant, Vec<(&'static str, Duration)>);
impl Progress for Begun {
    fn begins(&mut self, control: &Control, _: usize, _: usize) {
        self.1.push((control.id, self.0.elapsed()));
    }
    fn ended(&mut self, _: &Record) {}
    fn rests(&mut self, time: Duration) {
        self.1.push(("rests", time));
    }
}

#[tokio::test(start_paused = true)]
async fn who_took_a_lot_of_the_processor_looks_on_later_while_others_ask_on() {
    let (_trigger, stop) = shutdown::channel();
    let mut begun = Begun(tokio::time::Instant::now(), Vec::new());
    run_gently(&[&WORKS, &LOOKS, &ASKS, &ASKS_ON], scene(Statements::default()), &Still, &stop, &mut begun).await;
    assert_eq!(begun.1.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["asks", "works", "asks on", "rests", "looks"]);
    // A tenth of a second is the share of this time.
    let share = Duration::from_millis(100) * 100 / AUDIT_SHARE;
    assert!(begun.1[4].1 >= share && begun.1[4].1 <= AUDIT_SPREAD, "{:?}", begun.1);
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_little_has_it_at_once() {
    let (_trigger, stop) = shutdown::channel();
    let mut begun = Begun(tokio::time::Instant::now(), Vec::new());
    run(&[&WORKS, &LOOKS], scene(Statements::default()), &Still, &stop, &mut begun).await;
    assert_eq!(begun.1.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["works", "looks"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_rests_no_more() {
    let (trigger, stop) = shutdown::channel();
    let controls: [&'static Control; 2] = [&WORKS, &LOOKS];
    let began = tokio::time::Instant::now();
    let after_a_second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        trigger.fire();
    };
    let mut nobody = ();
    let (records, ()) =
        tokio::join!(run_gently(&controls, scene(Statements::default()), &Still, &stop, &mut nobody), after_a_second);
    assert_eq!((records[0].verdict, records[1].verdict), (Verdict::Pass, Verdict::NotTested));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_more_than_so_many_are_answered_at_a_time() {
    let all: [&'static Control; 7] = [&FREE_1, &FREE_2, &FREE_3, &FREE_4, &FREE_5, &FREE_6, &FREE_7];
    assert_eq!(all.len(), AUDIT_AT_ONCE + 1);
    let began = tokio::time::Instant::now();
    let found = verdicts(&all, Statements::default()).await;
    assert_eq!(began.elapsed().as_secs(), 20);
    assert_eq!(found[6].1, "", "the last one waits for a place");
    assert_eq!(found[0].1.split_whitespace().count(), AUDIT_AT_ONCE - 1);
}

#[test]
fn what_two_controls_may_do_to_each_other_is_the_same_both_ways() {
    use Needs::{Account, AccountAndMail, Host, Mail, Nothing, Server};
    let all = [Account, AccountAndMail, Mail, Host, Nothing, Server];
    for one in all {
        for other in all {
            assert_eq!(one.goes_beside(other), other.goes_beside(one), "{one:?} {other:?}");
        }
        assert_eq!(one.goes_beside(one), one == Nothing, "{one:?}");
        assert!(!Server.goes_beside(one), "{one:?}");
    }
    assert!(Account.goes_beside(Mail) && Mail.goes_beside(Host));
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
fn only_so_many_exhibits_are_kept() {
    let finding = (0..AUDIT_EXHIBITS_MAX + 9)
        .fold(Finding::pass("so it is"), |finding, number| finding.showing(number.to_string(), "x"));
    let record = Record::new(&FAILS, Timestamp(0), Timestamp(0), finding);
    assert_eq!((record.seen.len(), record.seen[0].input.as_str()), (AUDIT_EXHIBITS_MAX, "0"));
}

/// What fills doors, bans, or measures times; and nothing that logs in or brings mail says that it needs nothing.
#[test]
fn what_disturbs_others_says_so() {
    for (id, needs) in [
        ("DOS-01", Needs::Server),
        ("POP-16", Needs::Server),
        ("POP-08", Needs::Server),
        ("DOS-04", Needs::Server),
        ("POP-06", Needs::Account),
        ("POP-09", Needs::Account),
        ("POP-15", Needs::Account),
        ("SVC-07", Needs::AccountAndMail),
        ("AVS-03", Needs::Mail),
        ("NET-07", Needs::Nothing),
        ("FIL-05", Needs::Host),
    ] {
        assert_eq!(find(id).unwrap().needs, needs, "{id}");
    }
    for control in all() {
        let looks = !matches!(control.check, Check::Ask(_));
        assert_eq!(looks, control.needs == Needs::Host, "{}", control.id);
    }
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
