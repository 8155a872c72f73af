//! Rules for what messages hold: what is read comes back from its own words, and what a rule says of a message is bounded.

use mailward_inspect::policy::{Placed, Rule, Rulebook, Source};
use mailward_inspect::{Direction, Recipient, Subject};
use mailward_message::Structure;
use mailward_scan::{Contents, Item, Kind};
use std::sync::Arc;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    // What is judged is of the same hand as the rules.
    let words = lines.next().unwrap_or_default();
    let rules: Vec<Rule> = lines.take(10).filter_map(|line| Rule::parse(line).ok()).collect();
    for rule in &rules {
        let written = rule.to_string();
        assert!(!written.chars().any(char::is_control));
        assert_eq!(Rule::parse(&written).as_ref(), Ok(rule));
    }
    let book = Rulebook::default();
    let kept = rules.into_iter().zip(1..).map(|(rule, id)| Placed { source: Source::Kept(id), rule });
    book.set_kept(kept.collect());
    let bytes = bytes::Bytes::from(format!("Subject: {words}\r\n\r\n"));
    let structure = Arc::new(Structure::parse(&bytes));
    let subject = Subject {
        trace: 0,
        structure,
        id: "fuzz".into(),
        direction: Direction::Incoming,
        client: "192.0.2.1".parse().ok(),
        hello: "a.example".into(),
        reverse: None,
        stranger: true,
        sender: None,
        recipients: vec![Recipient { address: None, accounts: Vec::new() }].into(),
        login: None,
        spf: None,
        signs: Arc::new([]),
        correspondent: false,
        now: mailward_core::Timestamp(0),
        bytes,
    };
    let item = Item { names: vec![words.to_owned()], text: words.to_owned(), kind: Kind::Zip, ..Item::default() };
    let contents = Contents { items: vec![item.clone(), Item { parent: Some(0), ..item }], stopped: Vec::new() };
    let findings = book.judge(&subject, &contents, &[]);
    assert!(findings.len() <= book.all().len() + 1);
    assert!(findings.iter().all(|finding| finding.rule.bytes().all(|b| b.is_ascii_graphic())));
}
