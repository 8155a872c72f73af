//! For whom a rule is, how long, and from whom.

use super::*;
use crate::spf::{Identity, SpfOutcome};
use mailward_core::SpfResult;

fn program() -> Vec<Item> {
    vec![file("a.exe", Kind::Pe)]
}

#[test]
fn a_rule_for_some_is_for_them_alone() {
    let found = judge(&only(&["for=joe@example.org ext=exe reject"]), &plain(), program());
    assert_eq!(found.findings[0].only, Some(vec![0]));
    assert_eq!((found.action_for(0), found.action_for(1)), (Action::Reject, Action::Deliver));
    let found = judge(&with_defaults(&["for=@example.org ext=exe deliver"]), &plain(), program());
    assert_eq!((found.action_for(0), found.action_for(1)), (Action::Deliver, Action::Quarantine));
    let found = judge(&only(&["to!=@example.org ext=exe reject"]), &plain(), program());
    assert_eq!(found.findings[0].only, Some(vec![1]));
    assert_eq!(judge(&only(&["for=@other.example ext=exe reject"]), &plain(), program()).findings, []);
    let joe_then_ann = only(&["for=joe@example.org ext=exe mark", "ext=exe reject"]);
    let found = judge(&joe_then_ann, &plain(), program());
    assert_eq!((found.action_for(0), found.action_for(1)), (Action::Mark, Action::Reject));
}

#[test]
fn what_somebody_here_sends_is_theirs() {
    let book = with_defaults(&["for=joe@example.org ext=exe deliver"]);
    assert_eq!(action(&book, &outgoing("Subject: a"), program()), Action::Deliver);
    let ann = Subject { sender: Some(address("ann@example.net")), ..outgoing("Subject: a") };
    assert_eq!(action(&book, &ann, program()), Action::Quarantine);
    // Within the house, for whom it is sent by and whom it is sent to.
    let internal = Subject {
        direction: Direction::Internal,
        stranger: false,
        sender: Some(address("ann@example.net")),
        ..plain()
    };
    let found = judge(&book, &internal, program());
    assert_eq!((found.action_for(0), found.action_for(1)), (Action::Deliver, Action::Quarantine));
    // Nobody becomes somebody here by saying so from elsewhere.
    let forged =
        Subject { sender: Some(address("joe@example.org")), recipients: plain().recipients[1..].into(), ..plain() };
    assert_eq!(action(&book, &forged, program()), Action::Quarantine);
}

#[test]
fn a_rule_ends_with_its_last_day() {
    let book = with_defaults(&["ext=exe deliver until=2027-01-31"]);
    let at = |day: &str, more: i64| {
        let now = Timestamp(Timestamp::of_day(day).unwrap().0 + more);
        action(&book, &Subject { now, ..plain() }, program())
    };
    assert_eq!(at("2027-01-31", 0), Action::Deliver);
    assert_eq!(at("2027-02-01", -1), Action::Deliver);
    assert_eq!(at("2027-02-01", 0), Action::Quarantine);
}

#[test]
fn an_exception_for_a_sender_is_not_for_whoever_writes_its_name() {
    let book = with_defaults(&["from=x@a.example ext=exe deliver"]);
    let proven = |subject: &Subject, domains: &[&str]| {
        let domains: Vec<Domain> = domains.iter().map(|name| Domain::parse(name).unwrap()).collect();
        Verdict { findings: book.judge(subject, &holding(program()), &domains) }.action_for(0)
    };
    assert_eq!(proven(&plain(), &[]), Action::Quarantine);
    assert_eq!(proven(&plain(), &["b.example"]), Action::Quarantine);
    assert_eq!(proven(&plain(), &["sub.a.example"]), Action::Quarantine);
    assert_eq!(proven(&plain(), &["a.example"]), Action::Deliver);
    let spf = |result, identity| {
        let outcome = SpfOutcome {
            result,
            identity,
            domain: None,
            explanation: None,
            mechanism: None,
            why: String::new(),
            personal: false,
        };
        Subject { spf: Some(outcome), ..plain() }
    };
    assert_eq!(proven(&spf(SpfResult::Pass, Identity::MailFrom), &[]), Action::Deliver);
    assert_eq!(proven(&spf(SpfResult::Pass, Identity::Hello), &[]), Action::Quarantine);
    assert_eq!(proven(&spf(SpfResult::SoftFail, Identity::MailFrom), &[]), Action::Quarantine);
    assert_eq!(proven(&Subject { stranger: false, ..plain() }, &[]), Action::Deliver, "a host of ours");
    let trusting = with_defaults(&["from=x@a.example ext=exe deliver unproven"]);
    assert_eq!(action(&trusting, &plain(), program()), Action::Deliver);
    let by_text = with_defaults(&["sender=/@a/ ext=exe deliver"]);
    assert_eq!(action(&by_text, &plain(), program()), Action::Quarantine);
    // What forbids needs no proof.
    assert_eq!(action(&only(&["from=x@a.example ext=exe reject"]), &plain(), program()), Action::Reject);
}

/// Attacks C9.
#[test]
fn nothing_in_a_name_or_an_address_is_expanded() {
    for text in ["%{user}", "${jndi:ldap://x}", "*)(uid=*", "'; drop table--", "{{7*7}}", "%n%s"] {
        let line = format!("name=\"{text}.exe\" reject \"{}\"", text.replace('"', ""));
        let name = format!("{text}.exe");
        let found = judge(&only(&[&line]), &plain(), vec![file(&name, Kind::Pe)]);
        assert_eq!(found.action_for(0), Action::Reject, "{text}");
        assert!(found.findings[0].evidence.contains(text.trim_matches('*')), "{found:?}");
        let quoted = format!("\"{}\"@a.example", text.replace(['"', '\\'], ""));
        let subject = Subject { sender: Some(address(&quoted)), ..plain() };
        assert_eq!(action(&only(&["from=@a.example mark"]), &subject, program()), Action::Mark);
        assert_eq!(action(&only(&["from=user@a.example mark"]), &subject, program()), Action::Deliver);
    }
}
