//! What a server offers: the words of an answer to EHLO, in any order, however often.

use mailward_core::limits::{SMTP_RECIPIENTS_MAX, SMTP_REPLY_MECHANISMS_MAX};
use mailward_smtp::client::{Answer, Extensions};

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(answer) = Answer::new(250, &text) else { panic!("a good code") };
    let offered = Extensions::parse(&answer);
    assert!(offered.recipients() >= 1 && offered.recipients() <= SMTP_RECIPIENTS_MAX);
    assert!(offered.auth.len() <= SMTP_REPLY_MECHANISMS_MAX);
    for (index, mechanism) in offered.auth.iter().enumerate() {
        assert!(!mechanism.is_empty() && !mechanism.contains(' ') && offered.mechanism(mechanism));
        assert!(!offered.auth[..index].contains(mechanism), "each once");
    }
    for limit in [offered.recipients_max, offered.recipient_domains_max, offered.messages_max].into_iter().flatten() {
        assert!((1..1_000_000).contains(&limit), "RFC 9422 has one to six digits");
    }
    // The order of the lines decides nothing but which of too many mechanisms are kept.
    let mut lines: Vec<&str> = answer.lines().collect();
    lines[1..].reverse();
    if let Some(turned) = Answer::new(250, &lines.join("\n")) {
        let mut turned = Extensions::parse(&turned);
        let mut offered = offered;
        if offered.auth.len() < SMTP_REPLY_MECHANISMS_MAX {
            turned.auth.sort();
            offered.auth.sort();
            assert_eq!(turned, offered);
        }
    }
}
