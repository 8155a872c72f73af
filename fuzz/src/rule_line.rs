//! Address rules: what is read comes back from its own words, and nobody relays by more than an organisation's network.

use mailward_core::rule::{Action, Rule, Who};
use mailward_core::{Listener, Network};
use mailward_gate::rules::RuleBook;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let rules: Vec<Rule> = text.split('\n').take(20).filter_map(|line| Rule::parse(line).ok()).collect();
    for rule in &rules {
        let written = rule.to_string();
        assert!(!written.chars().any(char::is_control));
        assert_eq!(Rule::parse(&written).as_ref(), Ok(rule));
        if *rule.action() == Action::Relay {
            assert!(matches!(rule.who(), Who::Network(network) if Network::parse(&network.to_string()).is_ok()));
        }
    }
    let book = RuleBook::new(&rules, &[]);
    for listener in [Listener::Smtp, Listener::Imap] {
        for ip in [None, "192.0.2.1".parse().ok(), "2001:db8::1".parse().ok()] {
            let found = book.at_the_door(ip, listener);
            assert!(!found.is_refused() || !found.relays());
            assert!(found.is_decided() || (!found.is_refused() && !found.relays()));
        }
    }
}
