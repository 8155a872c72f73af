//! Who is reminded of what is to be mended, and how often.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says what it expects"
)]

use mailward_audit::actions::{Action, Actions, Exception};
use mailward_audit::reminders::{Letter, Reminders, Stage, letters};
use mailward_audit::{Area, Weights, find};
use mailward_core::Timestamp;
use mailward_core::limits::{ALERT_LINES_MAX, AUDIT_REMIND_DAYS};
use std::collections::BTreeMap;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn at(day: i64) -> Timestamp {
    Timestamp::from_secs(day * DAY)
}

/// Opened on a day, due on another.
fn action(control: &str, owner: &str, opened: i64, due: i64) -> Action {
    Action {
        control: control.to_owned(),
        area: find(control).unwrap().area,
        weight: find(control).unwrap().weight,
        owner: owner.to_owned(),
        opened: at(opened),
        due: at(due),
        closed: None,
        reopened: 0,
        said: "it isn't so".to_owned(),
        exception: None,
    }
}

fn actions(all: &[Action]) -> Actions {
    Actions(all.iter().map(|action| (action.control.clone(), action.clone())).collect())
}

fn deputies() -> BTreeMap<Area, String> {
    [(Area::Physical, "cleo@example.test".to_owned())].into()
}

/// What is told at a time: controls with their stages.
fn told(reminders: &mut Reminders, actions: &Actions, now: Timestamp) -> Vec<(String, Stage)> {
    let due = reminders.due(actions, &deputies(), &Weights::default(), now);
    due.into_iter().map(|one| (one.control, one.stage)).collect()
}

#[test]
fn each_is_told_once_when_it_is_due_soon_and_once_when_it_is_overdue() {
    let open = actions(&[action("PHY-WHO-1", "ada@example.test", 0, 30)]);
    let mut reminders = Reminders::default();
    let mut heard = Vec::new();
    for day in 0..60 {
        for (control, stage) in told(&mut reminders, &open, at(day)) {
            heard.push((day, control, stage));
        }
    }
    let control = "PHY-WHO-1".to_owned();
    let soon = 30 - i64::from(AUDIT_REMIND_DAYS);
    assert_eq!(heard, [(soon, control.clone(), Stage::Due), (31, control, Stage::Overdue)]);
}

#[test]
fn what_was_opened_today_was_told_today() {
    let open = actions(&[action("PHY-WHO-1", "ada@example.test", 0, 7)]);
    let mut reminders = Reminders::default();
    assert_eq!(told(&mut reminders, &open, at(0)), []);
    assert_eq!(told(&mut reminders, &open, at(1)), [("PHY-WHO-1".to_owned(), Stage::Due)]);
}

#[test]
fn they_come_together_and_at_most_once_a_day() {
    let one = action("PHY-WHO-1", "ada@example.test", 0, 10);
    let other = action("NET-WHO-1", "bob@example.test", 0, 10);
    let mut reminders = Reminders::default();
    assert_eq!(told(&mut reminders, &actions(std::slice::from_ref(&one)), at(5)).len(), 1);
    let both = actions(&[one, other]);
    let later = |hours: i64| Timestamp::from_secs(5 * DAY + hours * HOUR);
    assert_eq!(told(&mut reminders, &both, later(1)), [], "the day isn't over");
    assert_eq!(told(&mut reminders, &both, later(21)), []);
    assert_eq!(
        told(&mut reminders, &both, later(24)),
        [("NET-WHO-1".to_owned(), Stage::Due)],
        "and it isn't forgotten"
    );
    // A clock that was put back doesn't silence anybody.
    let mut ahead = Reminders::default();
    assert_eq!(told(&mut ahead, &both, at(9)).len(), 2);
    let overdue = actions(&[action("PHY-WHO-1", "ada@example.test", 0, 2)]);
    assert_eq!(told(&mut ahead, &overdue, at(4)), [("PHY-WHO-1".to_owned(), Stage::Overdue)]);
}

#[test]
fn what_is_closed_is_quiet_and_what_comes_back_or_gets_another_day_is_told_anew() {
    let open = action("PHY-WHO-1", "ada@example.test", 0, 10);
    let mut reminders = Reminders::default();
    assert_eq!(told(&mut reminders, &actions(std::slice::from_ref(&open)), at(5)).len(), 1);
    let closed = Action { closed: Some(at(6)), ..open.clone() };
    assert_eq!(told(&mut reminders, &actions(&[closed]), at(12)), []);
    let again = Action { opened: at(20), due: at(27), reopened: 1, ..open.clone() };
    assert_eq!(told(&mut reminders, &actions(&[again]), at(22)).len(), 1);
    let exception = Exception {
        reason: "next year".to_owned(),
        approver: "bob@example.test".to_owned(),
        at: at(22),
        until: at(40),
    };
    let excepted = actions(&[Action { opened: at(20), due: at(27), exception: Some(exception), ..open }]);
    assert_eq!(told(&mut reminders, &excepted, at(30)), [], "it has time");
    assert_eq!(told(&mut reminders, &excepted, at(34)), [("PHY-WHO-1".to_owned(), Stage::Due)]);
    assert_eq!(told(&mut reminders, &excepted, at(41)), [("PHY-WHO-1".to_owned(), Stage::Overdue)]);
}

#[test]
fn what_was_told_survives_being_written_down() {
    let open = actions(&[action("PHY-WHO-1", "ada@example.test", 0, 10)]);
    let mut reminders = Reminders::default();
    assert_eq!(told(&mut reminders, &open, at(5)).len(), 1);
    let text = serde_json::to_string(&reminders).unwrap();
    let mut read: Reminders = serde_json::from_str(&text).unwrap();
    assert_eq!(told(&mut read, &open, at(7)), []);
}

fn letters_at(day: i64, all: &[Action]) -> BTreeMap<Option<String>, Letter> {
    let due = Reminders::default().due(&actions(all), &deputies(), &Weights::default(), at(day));
    letters(&due).into_iter().map(|letter| (letter.to.clone(), letter)).collect()
}

#[test]
fn owners_hear_of_theirs_and_deputies_of_what_is_overdue() {
    let all = [
        action("PHY-WHO-1", "ada@example.test", 0, 10),
        action("PHY-WHY-1", "ada@example.test", 0, 4),
        action("NET-WHO-1", "bob@example.test", 0, 4),
        action("LOG-WHO-1", "", 0, 9),
    ];
    let letters = letters_at(5, &all);
    let of = |who: &str| letters.get(&(!who.is_empty()).then(|| who.to_owned())).unwrap();
    assert_eq!(letters.len(), 4);
    let ada = of("ada@example.test");
    assert_eq!((ada.due, ada.overdue), (1, 1));
    assert!(ada.subject.contains("1 overdue") && ada.subject.contains("1 due within 7 days"), "{}", ada.subject);
    assert!(ada.lines.iter().any(|line| line == "PHY-WHY-1 overdue since 1970-01-05: it isn't so"), "{:?}", ada.lines);
    let cleo = of("cleo@example.test");
    assert_eq!((cleo.due, cleo.overdue), (0, 1));
    assert!(cleo.lines[0].contains("PHY-WHY-1") && cleo.lines[0].contains("ada@example.test's"), "{:?}", cleo.lines);
    assert!(!cleo.lines.iter().any(|line| line.contains("NET-WHO-1")), "what isn't theirs isn't told them");
    assert_eq!((of("bob@example.test").due, of("bob@example.test").overdue), (0, 1));
    assert!(of("").lines[0].contains("nobody answers for it"), "{:?}", of("").lines);
}

#[test]
fn a_letter_has_an_end() {
    let all: Vec<Action> = mailward_audit::all()
        .into_iter()
        .take(ALERT_LINES_MAX * 2)
        .map(|control| action(control.id, "ada@example.test", 0, 4))
        .collect();
    let letters = letters_at(5, &all);
    let ada = &letters[&Some("ada@example.test".to_owned())];
    assert_eq!(ada.overdue, ALERT_LINES_MAX * 2);
    assert_eq!(ada.lines.len(), ALERT_LINES_MAX);
    assert!(ada.lines.iter().any(|line| line.starts_with("and ") && line.ends_with(" more")), "{:?}", ada.lines);
}
