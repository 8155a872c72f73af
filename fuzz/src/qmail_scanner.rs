//! Files of qmail-scanner: what they become are rules that can be followed, each from a line that is there.

use mailward_inspect::policy::{Rule, qmail_scanner};

pub fn run(data: &[u8]) {
    let Ok(done) = qmail_scanner::translate(data) else { return };
    let lines = data.split(|b| *b == b'\n').count();
    for became in &done.rules {
        assert!((1..=lines).contains(&became.line));
        assert_eq!(Rule::parse(&became.rule.to_string()).as_ref(), Ok(&became.rule));
    }
    assert!(done.left.iter().all(|left| (1..=lines).contains(&left.line)));
}
