//! Stories about lines that are rules, and lines that aren't.

use super::*;
use crate::address::Address;
use crate::limits::RULE_LINE_MAX;
use proptest::prelude::*;

fn rule(text: &str) -> Rule {
    Rule::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refused(text: &str) -> String {
    Rule::parse(text).expect_err(text).to_string()
}

#[test]
fn a_rule_is_read_and_written_the_same() {
    for text in [
        "192.0.2.7 refuse",
        "192.0.2.0/24 refuse \"go away, \\\"please\\\"\"",
        "2001:db8::/32 at smtp skip",
        "0.0.0.0/0 at imap,imaps refuse",
        "mail.example.net allow recipients=5",
        "*.dialin.example.net at smtp refuse",
        "unnamed at smtp from @example.org refuse",
        "local skip",
        "any from <> to list@example.org refuse",
        "any from @*.spam.example refuse",
        "any from \"a b\"@spam.example refuse",
        "10.0.0.0/8 at smtp to @partner.example relay recipients=10",
        "10.0.0.0/8 at smtp relay connections=50 recipients=10",
        "10.0.0.0/8 allow connections=50 recipients=10 messages=500",
    ] {
        assert_eq!(rule(text).to_string(), text);
    }
    assert_eq!(rule("  Mail.Example.NET   at smtp  allow ").to_string(), "mail.example.net at smtp allow");
    assert_eq!(rule("192.0.2.7/32 allow").to_string(), "192.0.2.7 allow");
    assert_eq!(
        rule("any at smtp,submission,submissions,imap,imaps,pop3,pop3s,lmtp,https,http allow").to_string(),
        "any allow",
        "every listener is no condition"
    );
}

#[test]
fn what_isn_t_understood_is_told_with_what_to_write() {
    for (text, words) in [
        ("", "a rule is written WHO"),
        ("any", "what becomes of them isn't said"),
        ("any allow please", "\"please\" is no option"),
        ("any accept", "\"accept\" is no action"),
        ("any refuse go away", "words of a refusal stand in quotation marks"),
        ("any refuse \"\"", "1 to 300 printable"),
        ("any refuse \"gr\u{fc}n\"", "printable ASCII"),
        ("any refuse \"a\"\"b\"", "isn't closed"),
        ("any refuse \"a", "isn't closed"),
        ("any at", "nothing stands behind \"at\""),
        ("any at smtps allow", "\"smtps\" is no listener"),
        ("any at smtp,smtp allow", "\"smtp\" stands there twice"),
        ("any from spam.example refuse", "\"spam.example\" is no pattern"),
        ("any to <> refuse", "no message has an empty recipient"),
        ("any to a@b.example from c@d.example refuse", "\"from\" is no action"),
        ("everybody allow", "\"everybody\" is nobody"),
        ("*.*.example.net allow", "is nobody"),
        ("192.0.2.1/24 refuse", "write 192.0.2.0/24"),
        ("192.0.2 refuse", "is not an IP address"),
        ("::ffff:192.0.2.1 refuse", "write it as IPv4"),
        ("any relay", "addresses and networks only"),
        ("mail.example.net relay", "addresses and networks only"),
        ("0.0.0.0/0 relay", "too wide"),
        ("128.0.0.0/1 relay", "too wide"),
        ("::/0 relay", "too wide"),
        ("0.0.0.0 relay", "means any address"),
        ("10.0.0.1 at submission relay", "for the listener smtp"),
        ("10.0.0.1 at smtp,imap from @a.example refuse", "no senders and recipients at imap"),
        ("mail.example.net at imap refuse", "names aren't looked up at imap"),
        ("unnamed at smtp,submission refuse", "names aren't looked up at submission"),
        ("any refuse recipients=5", "who is refused has no limits"),
        ("10.0.0.1 skip messages=5", "messages=N is for allow"),
        ("mail.example.net allow messages=5", "by address and listener alone"),
        ("mail.example.net allow connections=5", "judged when somebody connects"),
        ("any from @a.example allow connections=5", "judged when somebody connects"),
        ("any allow connections=0", "a number from 1"),
        ("any allow connections=+5", "a number from 1"),
        ("any allow connections=100001", "a number from 1"),
        ("any allow connections=5 connections=6", "\"connections\" stands there twice"),
        ("any\tallow", "no control characters"),
    ] {
        let told = refused(text);
        assert!(told.contains(words), "{text:?}: {told}");
    }
}

#[test]
fn lines_and_words_end_at_their_limits() {
    let of = |words: usize| format!("any refuse \"{}\"", "a".repeat(words));
    assert!(Rule::parse(&of(RULE_WORDS_MAX)).is_ok());
    assert_eq!(Rule::parse(&of(RULE_WORDS_MAX + 1)), Err(RuleError::Words));
    let line = format!("any allow{}", " ".repeat(RULE_LINE_MAX - 9));
    assert!(Rule::parse(&line).is_ok());
    assert_eq!(Rule::parse(&format!("{line} ")), Err(RuleError::TooLong));
    assert!(Rule::parse(&format!("any allow connections={RULE_COUNT_MAX}")).is_ok());
}

#[test]
fn the_longest_rule_that_can_be_written_fits_its_line() {
    let label = "a".repeat(60);
    let domain = Domain::parse(&[label.as_str(); 4].join(".")).unwrap();
    let local = "b".repeat(crate::limits::LOCAL_PART_MAX);
    let host: String = domain.as_str().chars().rev().take(crate::limits::PATH_MAX - local.len() - 1).collect();
    let address = Address::parse(&format!("{local}@{}", host.trim_matches('.')), true).unwrap();
    let words = "\"".repeat(RULE_WORDS_MAX);
    let network = Network::host("2001:db8:1234:5678:1234:5678:1234:5678".parse().unwrap());
    let all = [Listener::Smtp, Listener::Submission, Listener::Submissions, Listener::Lmtp];
    // A name holds at one listener alone.
    for (who, at) in [(Who::Under(domain), &all[..1]), (Who::Network(network), &all[..])] {
        let action = Action::Refuse { words: Some(words.clone()) };
        let pattern = Some(Pattern::Address(address.clone()));
        let rule = Rule::new(who, Listeners::of(at), pattern.clone(), pattern, action, OwnLimits::default()).unwrap();
        assert_eq!(Rule::parse(&rule.to_string()), Ok(rule));
    }
}

#[test]
fn patterns_cover_what_they_say() {
    let covers = |pattern: &str, address: &str| {
        Pattern::parse(pattern).unwrap().covers(Address::parse(address, true).ok().as_ref())
    };
    assert!(covers("<>", "") && !covers("<>", "a@b.example") && !covers("@b.example", ""));
    assert!(covers("joe@b.example", "JOE@B.example") && covers("joe@b.example", "joe+news@b.example"));
    assert!(!covers("joe@b.example", "joel@b.example") && !covers("joe@b.example", "joe@a.b.example"));
    assert!(covers("@b.example", "x@b.example") && !covers("@b.example", "x@a.b.example"));
    assert!(covers("@*.b.example", "x@a.b.example") && !covers("@*.b.example", "x@b.example"));
    assert!(!covers("@*.b.example", "x@ab.example"));
}

pub(crate) fn any_rule() -> impl Strategy<Value = String> {
    let who = prop_oneof![
        Just("any".to_owned()),
        Just("unnamed".to_owned()),
        Just("local".to_owned()),
        "10\\.0\\.0\\.[0-3]",
        "10\\.0\\.0\\.0/(8|16|30)",
        "(\\*\\.)?[ab]\\.example",
    ];
    let at = "( at (smtp|imap|submission,smtp))?";
    let pattern = "(( from (<>|@a\\.example|x@a\\.example))?( to (@\\*\\.example|y@b\\.example))?)";
    let action = "(allow|skip|relay|refuse|refuse \"no [a-z]{1,5}\")";
    (who, at, pattern, action).prop_map(|(who, at, pattern, action)| format!("{who}{at}{pattern} {action}"))
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "\\PC{0,200}") {
        if let Ok(rule) = Rule::parse(&text) {
            prop_assert_eq!(Rule::parse(&rule.to_string()), Ok(rule));
        }
    }
    #[test]
    fn what_is_written_reads_back(text in any_rule()) {
        if let Ok(rule) = Rule::parse(&text) {
            prop_assert_eq!(rule.to_string(), text.replace("submission,smtp", "smtp,submission"));
        }
    }
}

#[test]
fn a_rule_that_refuses_everybody_is_known_for_that() {
    let is = |text: &str| Rule::parse(text).unwrap().shuts_everybody_out();
    for text in ["any refuse", "any refuse \"closed\"", "0.0.0.0/0 refuse", "::/0 refuse"] {
        assert!(is(text), "{text}");
    }
    assert!(is("any at smtp,submission,submissions,imap,imaps,pop3,pop3s,lmtp,https,http refuse"));
    for text in ["any allow", "any at smtp refuse", "any from @spam.example refuse", "any to a@b.example refuse"] {
        assert!(!is(text), "{text}");
    }
    for text in ["0.0.0.0/1 refuse", "unnamed at smtp refuse", "local refuse", "::/0 skip"] {
        assert!(!is(text), "{text}");
    }
}
