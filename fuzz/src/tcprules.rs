//! Files of tcprules: what they become are rules that can be followed, each from a line that is there.

use mailward_core::Listener;
use mailward_core::limits::RULES_MAX;
use mailward_core::rule::{Listeners, Rule};
use mailward_gate::tcprules::translate;

pub fn run(data: &[u8]) {
    let lines = data.split(|b| *b == b'\n').count();
    for at in [Listeners::of(&[Listener::Smtp]), Listeners::of(&[Listener::Pop3])] {
        let Ok(done) = translate(data, at) else { continue };
        assert!(done.rules.len() <= RULES_MAX + 2);
        for became in &done.rules {
            assert!((1..=lines).contains(&became.line));
            assert_eq!(Rule::parse(&became.rule.to_string()).as_ref(), Ok(&became.rule));
            assert_eq!(became.rule.at(), at);
        }
        assert!(done.left.iter().all(|left| (1..=lines).contains(&left.line)));
    }
}
