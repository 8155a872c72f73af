//! Any bytes as a message: what the spam filter learns it by, what it sees in it, where its links lead.

use bytes::Bytes;
use mailward_core::Timestamp;
use mailward_core::limits::{SPAM_LINK_DOMAINS_MAX, SPAM_TOKENS_MAX};
use mailward_inspect::spam::{Lesson, Reading, Table, TokenKey, judge, link_domains, signs, tokens};
use mailward_inspect::{Direction, Subject};
use mailward_message::Structure;
use std::collections::HashSet;
use std::sync::Arc;

pub fn run(data: &[u8]) {
    let structure = Structure::parse(data);
    let reading = Reading::of(data, &structure);
    let all = tokens(data, &structure, &reading, &TokenKey::fixed());
    assert!(all.len() <= SPAM_TOKENS_MAX);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "each once");
    assert!(link_domains(&reading).len() <= SPAM_LINK_DOMAINS_MAX);
    let mut table = Table::default();
    for number in 0..20u64 {
        table.learn(&[number, 1_000], if number % 2 == 0 { Lesson::Spam } else { Lesson::Ham }, 0);
    }
    table.learn(&all, Lesson::Spam, 1);
    assert!(judge(&all, &table, None).is_some_and(|judged| judged.margin.is_finite()));
    let subject = Subject {
        bytes: Bytes::copy_from_slice(data),
        trace: 0,
        structure: Arc::new(structure),
        id: Arc::from(""),
        direction: Direction::Incoming,
        client: None,
        hello: Arc::from(""),
        reverse: None,
        stranger: true,
        sender: None,
        recipients: Arc::from([]),
        login: None,
        spf: None,
        signs: Arc::from([]),
        correspondent: false,
        now: Timestamp(0),
    };
    let seen = signs(&subject, &reading, None, false);
    assert!(seen.is_sorted(), "each once, in order");
}
