//! Stories about what messages may hold.

mod containers;
mod defaults;
mod grammar;
mod kept;
mod migrated;
mod scopes;
mod texts;
mod work;

use super::*;
use crate::{Action, Direction, Finding, Recipient, Subject, Verdict};
use bytes::Bytes;
use mailward_core::config::{Config, ContentLine, FileCare};
use mailward_core::{AccountId, Address, Domain, Timestamp};
use mailward_message::Structure;
use mailward_scan::{Contents, Item, Kind, Stopped, Trait, Wrapping};
use std::sync::Arc;

/// 2027-01-15.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

fn rule(text: &str) -> Rule {
    Rule::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn config(rules: &[&str]) -> Config {
    let mut config = Config::default();
    config.content.rules = rules.iter().map(|line| ContentLine::parse(line).unwrap()).collect();
    config
}

/// These rules, and none by default.
fn only(rules: &[&str]) -> Rulebook {
    let mut config = config(rules);
    config.attachments.default = FileCare::Deliver;
    config.attachments.encrypted = FileCare::Deliver;
    config.attachments.macros = FileCare::Deliver;
    book_of(&config)
}

/// These rules, and those by default.
fn with_defaults(rules: &[&str]) -> Rulebook {
    book_of(&config(rules))
}

fn book_of(config: &Config) -> Rulebook {
    Rulebook::new(config, Dictionaries::new()).unwrap_or_else(|(place, error)| panic!("{place}: {error}"))
}

/// A message from a stranger to two people here.
fn subject(header: &str) -> Subject {
    let bytes = Bytes::from(format!("{header}\r\n\r\nHello\r\n"));
    let structure = Arc::new(Structure::parse(&bytes));
    let recipient = |text: &str, id| Recipient { address: Some(address(text)), accounts: vec![AccountId(id)] };
    Subject {
        bytes,
        trace: 0,
        structure,
        id: "M1".into(),
        direction: Direction::Incoming,
        client: Some("192.0.2.7".parse().unwrap()),
        hello: "mx.a.example".into(),
        reverse: None,
        stranger: true,
        sender: Some(address("x@a.example")),
        recipients: vec![recipient("joe@example.org", 1), recipient("ann@example.net", 2)].into(),
        login: None,
        spf: None,
        signs: Arc::new([]),
        correspondent: false,
        now: NOW,
    }
}

/// A message from joe@example.org to somebody elsewhere.
fn outgoing(header: &str) -> Subject {
    let elsewhere = Recipient { address: Some(address("c@customer.example")), accounts: Vec::new() };
    Subject {
        direction: Direction::Outgoing,
        stranger: false,
        sender: Some(address("joe@example.org")),
        login: Some(AccountId(1)),
        recipients: vec![elsewhere].into(),
        ..subject(header)
    }
}

fn plain() -> Subject {
    subject("Subject: hello")
}

fn file(name: &str, kind: Kind) -> Item {
    Item {
        names: if name.is_empty() { Vec::new() } else { vec![name.to_owned()] },
        kind,
        size: 1_000,
        wrapping: Wrapping::Part("2".to_owned()),
        ..Item::default()
    }
}

fn with(mut item: Item, traits: &[Trait]) -> Item {
    item.traits = traits.to_vec();
    item
}

fn within(parent: u32, mut item: Item) -> Item {
    item.parent = Some(parent);
    item.wrapping = Wrapping::Entry;
    item
}

fn written(text: &str) -> Item {
    Item { text: text.to_owned(), ..file("", Kind::PlainText) }
}

fn holding(items: Vec<Item>) -> Contents {
    Contents { items, stopped: Vec::new() }
}

fn judge(book: &Rulebook, subject: &Subject, items: Vec<Item>) -> Verdict {
    Verdict { findings: book.judge(subject, &holding(items), &[]) }
}

/// What becomes of a message for its first recipient.
fn action(book: &Rulebook, subject: &Subject, items: Vec<Item>) -> Action {
    judge(book, subject, items).action_for(0)
}

fn evidence(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.evidence.as_str()).collect()
}

#[test]
fn what_is_found_is_told_in_words() {
    let items = vec![file("invoices.zip", Kind::Zip), within(0, file("invoice.exe", Kind::Pe))];
    let found = with_defaults(&[]).judge(&plain(), &holding(items), &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].evidence,
        "invoice.exe in invoices.zip is a Windows program (pe): programs aren't taken by mail"
    );
    assert_eq!((found[0].rule.as_str(), found[0].action, &found[0].only), ("program", Action::Quarantine, &None));
    let deep: Vec<Item> = (0..6).map(|at| within(at, file(&format!("{at}.zip"), Kind::Zip))).collect();
    let items = [vec![file("a.zip", Kind::Zip)], deep, vec![within(6, file("", Kind::Elf))]].concat();
    let found = with_defaults(&[]).judge(&plain(), &holding(items), &[]);
    assert!(
        found[0].evidence.starts_with("file 8 in 5.zip in 4.zip in 3.zip in others is a Linux program"),
        "{found:?}"
    );
    let many = vec![file("a.exe", Kind::Pe), file("b.exe", Kind::Pe), file("c.exe", Kind::Pe)];
    let found = with_defaults(&[]).judge(&plain(), &holding(many), &[]);
    assert!(found.len() == 1 && found[0].evidence.contains("(and 2 more)"), "{found:?}");
}

#[test]
fn the_first_rule_that_says_which_files_decides_of_a_file() {
    let book = with_defaults(&["ext=mdb mark", "ext=mdb reject"]);
    assert_eq!(action(&book, &plain(), vec![file("a.mdb", Kind::Data)]), Action::Mark);
    assert_eq!(action(&book, &plain(), vec![file("a.mdb", Kind::Data), file("a.exe", Kind::Pe)]), Action::Quarantine);
}

#[test]
fn a_rule_on_other_things_opens_nothing() {
    for rule in ["larger=1 mark", "subject=hello mark", "smaller=1GiB junk", "from=@a.example mark", "ext!=pdf mark"] {
        let book = with_defaults(&[rule]);
        assert_eq!(action(&book, &plain(), vec![file("a.exe", Kind::Pe)]), Action::Quarantine, "{rule}");
        assert_ne!(action(&book, &plain(), vec![file("a.txt", Kind::PlainText)]), Action::Deliver, "{rule}");
    }
}

#[test]
fn an_exception_opens_what_it_names_and_nothing_more() {
    let book = with_defaults(&["ext=vbs deliver"]);
    let script = || with(file("a.vbs", Kind::VbScript), &[]);
    let found = judge(&book, &plain(), vec![script()]);
    assert_eq!(found.action_for(0), Action::Deliver);
    assert!(found.findings[0].evidence.contains("let through by a rule"), "{found:?}");
    assert_eq!(action(&book, &plain(), vec![script(), file("a.exe", Kind::Pe)]), Action::Quarantine);
    // An archive is one file, what is in it are others.
    let book = with_defaults(&["kind=zip deliver"]);
    let items = vec![with(file("a.zip", Kind::Zip), &[Trait::Encrypted]), within(0, file("a.exe", Kind::Data))];
    assert_eq!(action(&book, &plain(), items.clone()), Action::Quarantine);
    assert_eq!(action(&book, &plain(), items[..1].to_vec()), Action::Deliver);
}

#[test]
fn an_exception_holds_from_its_place_on() {
    let book = with_defaults(&["ext=exe reject", "client=192.0.2.0/24 deliver"]);
    assert_eq!(action(&book, &plain(), vec![file("a.exe", Kind::Pe)]), Action::Reject);
    assert_eq!(action(&book, &plain(), vec![file("a.scr", Kind::Pe)]), Action::Deliver);
    let book = with_defaults(&["client=192.0.2.0/24 deliver", "ext=exe reject"]);
    assert_eq!(action(&book, &plain(), vec![file("a.exe", Kind::Pe)]), Action::Deliver);
}

#[test]
fn every_name_of_a_file_is_judged() {
    let book = with_defaults(&[]);
    let mut two = file("a.txt", Kind::Data);
    two.names.push("a.scr".to_owned());
    assert_eq!(action(&book, &plain(), vec![two]), Action::Quarantine);
    for name in ["A.EXE", "a.exe.", "a.exe ", "x/y\\a.exe", "a.ex\u{ad}e", "a.exe::$DATA", "rechnung\u{202e}fdp.exe"] {
        assert_eq!(action(&book, &plain(), vec![file(name, Kind::Data)]), Action::Quarantine, "{name:?}");
    }
    assert_eq!(action(&book, &plain(), vec![file("exe", Kind::Data), file("a.exe.pdf", Kind::Pdf)]), Action::Deliver);
}

#[test]
fn each_condition_holds_as_it_says() {
    let item = || {
        let mut item = with(file("Plan 2027.PDF", Kind::Pdf), &[Trait::Script, Trait::Also(Kind::Zip)]);
        item.declared = "application/pdf".to_owned();
        item
    };
    let holds = |condition: &str| {
        action(&only(&[&format!("{condition} reject")]), &plain(), vec![file("a.zip", Kind::Zip), within(0, item())])
            == Action::Reject
    };
    for yes in [
        "name=plan*.pdf",
        "name=\"plan 2027.pdf\"",
        "name=x,*.pdf",
        "ext=pdf",
        "ext=.PDF",
        "kind=pdf",
        "family=document",
        "has=script,form",
        "type=application/*",
        "within=archive",
        "within=zip",
        "size=1000",
        "larger=999",
        "smaller=1001",
        "direction=incoming",
        "for=joe@example.org",
        "to=@example.org",
        "from=x@a.example",
        "sender=/^x@.*[.]example$/",
        "client=192.0.2.0/24",
        "subject=hello",
        "header=subject:/^h.llo$/",
        "long=subject:5",
        "message-larger=5",
        "kind!=pe",
        "subject!=goodbye",
        "direction!=outgoing",
        "name!=*.doc",
        "client!=local",
        "kind=zip within=archive",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in [
        "name=plan.pdf",
        "ext=zi",
        "kind=docx",
        "family=script",
        "has=macro",
        "type=text/*",
        "within=document",
        "size=999",
        "larger=1000",
        "smaller=1000",
        "direction=outgoing,internal",
        "for=@c.example",
        "to=bob@example.org",
        "from=<>",
        "sender=/^$/",
        "client=local",
        "client=192.0.3.0/24",
        "subject=hell",
        "header=to:/./",
        "long=subject:6",
        "message-larger=5KiB",
        "stopped=any",
        "subject!=hello",
        "ext!=pdf,zip",
        "kind=pdf within=top",
        "text=hello",
        "anywhere=gone",
    ] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn what_could_not_be_looked_through_is_never_clean() {
    for stopped in [Stopped::Depth, Stopped::Items, Stopped::Bytes, Stopped::Ratio, Stopped::Time, Stopped::Lost] {
        let contents = Contents { items: vec![file("a.txt", Kind::PlainText)], stopped: vec![stopped.clone()] };
        let verdict = Verdict { findings: with_defaults(&[]).judge(&plain(), &contents, &[]) };
        assert_eq!(verdict.action_for(1), Action::Quarantine);
        let word = format!("stopped={} reject", format!("{stopped:?}").to_lowercase());
        let verdict = Verdict { findings: only(&[&word]).judge(&plain(), &contents, &[]) };
        assert_eq!(verdict.action_for(1), Action::Reject, "{word}");
    }
}

#[test]
fn a_change_of_the_file_is_in_force_at_once_or_not_at_all() {
    let book = with_defaults(&[]);
    let judge = || action(&book, &plain(), vec![file("a.mp4", Kind::Video)]);
    assert_eq!(judge(), Action::Deliver);
    book.set(&config(&["ext=mp4 hold"]), Dictionaries::new()).unwrap();
    assert_eq!(judge(), Action::Hold);
    let (place, error) = book.set(&config(&["ext=mp4 deliver", "nonsense"]), Dictionaries::new()).unwrap_err();
    assert_eq!((place, error), (2, RuleError::Word("nonsense".to_owned())));
    let (place, error) = book.set(&config(&["text=dictionary:names hold"]), Dictionaries::new()).unwrap_err();
    assert_eq!((place, error), (1, RuleError::Dictionary("names".to_owned())));
    assert_eq!(judge(), Action::Hold, "nothing was taken of it");
}

#[test]
fn every_rule_is_explained_by_itself() {
    let book =
        with_defaults(&["ext=exe mark as=first", "for=@other.example reject", "ext=exe deliver until=2026-12-31"]);
    let told = book.explain(&plain(), &holding(vec![file("a.exe", Kind::Pe)]), &[]);
    assert_eq!(told[0].fits, ["a.exe has a name that ends in .exe"]);
    assert_eq!((told[1].out, told[2].out), (Some("it is for other people"), Some("it has expired")));
    let fits: Vec<String> = told.iter().filter(|one| !one.fits.is_empty()).map(|one| one.placed.name()).collect();
    assert_eq!(fits, ["first", "program", "name-exe"], "also what another decides before");
}
