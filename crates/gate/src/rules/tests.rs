//! Stories about rules: which decides, what isn't decided yet, and what is kept of them.

mod kept;

use super::index::walk;
use super::*;
use crate::rules::fit::Facts;
use mailward_core::{Address, Domain, Listener, Network};
use proptest::prelude::*;
use std::net::IpAddr;

fn book(rules: &[&str]) -> RuleBook {
    let rules: Vec<Rule> = rules.iter().map(|text| Rule::parse(text).unwrap()).collect();
    RuleBook::new(&rules, &[Network::parse("10.9.0.0/16").unwrap()])
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

/// What becomes of an address that has no name.
fn action(book: &RuleBook, from: &str) -> String {
    let client = Client { ip: ip(from), listener: Listener::Smtp, name: Name::None };
    let treatment = book.of(&client, Some(Some(&address("a@c.example"))), Some(&address("u@s.example")));
    treatment.action().to_string()
}

#[test]
fn the_first_rule_that_fits_decides() {
    let book = book(&["192.0.2.7 allow", "192.0.2.0/24 refuse", "2001:db8::/32 skip", "0.0.0.0/0 at imap refuse"]);
    assert_eq!(action(&book, "192.0.2.7"), "allow");
    assert_eq!(action(&book, "::ffff:192.0.2.7"), "allow", "IPv4 in IPv6's clothes is IPv4");
    assert_eq!(action(&book, "192.0.2.8"), "refuse");
    assert_eq!(action(&book, "2001:db8::1"), "skip");
    assert_eq!(action(&book, "198.51.100.1"), "allow", "a stranger");
    assert!(book.at_the_door(ip("198.51.100.1"), Listener::Imap).is_refused());
    let treatment = book.at_the_door(ip("192.0.2.8"), Listener::Smtp);
    assert_eq!(treatment.rule().unwrap().to_string(), "rules.list 2: 192.0.2.0/24 refuse");
}

#[test]
fn this_host_is_asked_for_no_reputation_unless_a_rule_says_so() {
    let nothing = book(&[]);
    for here in ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(action(&nothing, here), "skip", "{here}");
    }
    assert!(!nothing.at_the_door(None, Listener::Lmtp).is_checked());
    assert_eq!(action(&nothing, "10.9.1.1"), "relay");
    assert!(nothing.at_the_door(ip("192.0.2.1"), Listener::Smtp).is_checked());
    let stranger = book(&["127.0.0.9 allow", "10.9.1.0/24 allow"]);
    assert_eq!(action(&stranger, "127.0.0.9"), "allow");
    assert_eq!(action(&stranger, "127.0.0.1"), "skip");
    assert_eq!(action(&stranger, "10.9.1.1"), "allow", "the rules are asked before relay.from");
    assert_eq!(action(&stranger, "10.9.2.1"), "relay");
}

#[test]
fn loopback_in_relay_from_may_relay() {
    let book = RuleBook::new(&[], &[Network::parse("127.0.0.1").unwrap()]);
    assert!(book.at_the_door(ip("127.0.0.1"), Listener::Smtp).relays());
    assert!(!book.at_the_door(ip("127.0.0.2"), Listener::Smtp).relays());
}

/// Whoever breaks their own reverse DNS is no better off than without a name.
#[test]
fn where_a_rule_about_names_refuses_a_name_that_can_t_be_known_is_put_off() {
    let book = book(&[
        "192.0.2.1 allow",
        "unnamed from @c.example refuse",
        "*.bad.example to joe@s.example refuse",
        "any allow",
    ]);
    let (sender, other, joe) = (address("a@c.example"), address("a@d.example"), address("joe@s.example"));
    let of = |at: &str, name, from, to| {
        let treatment = book.of(&Client { ip: ip(at), listener: Listener::Smtp, name }, from, to);
        assert!(!treatment.is_refused());
        treatment.is_put_off()
    };
    let failed = |from, to| of("203.0.113.5", Name::Failed, from, to);
    assert!(failed(Some(Some(&sender)), None));
    assert!(failed(Some(Some(&other)), Some(&joe)));
    assert!(!failed(Some(Some(&other)), None), "the recipient isn't known yet");
    assert!(!failed(None, None));
    assert!(!of("192.0.2.1", Name::Failed, Some(Some(&sender)), Some(&joe)), "a rule before decides");
    assert!(!of("203.0.113.5", Name::NotAsked, Some(Some(&sender)), Some(&joe)), "nobody asks for such names");
    let refused =
        RuleBook::new(&[Rule::parse("*.bad.example refuse").unwrap(), Rule::parse("any refuse").unwrap()], &[]);
    let client = Client { ip: ip("203.0.113.5"), listener: Listener::Smtp, name: Name::Failed };
    assert!(refused.of(&client, None, None).is_refused() && !refused.of(&client, None, None).is_put_off());
}

#[test]
fn what_isn_t_known_yet_gives_and_takes_nothing() {
    let book =
        book(&["*.friend.example skip", "203.0.113.0/24 refuse", "any from @bad.example refuse", "192.0.2.0/24 relay"]);
    let friend = Domain::parse("mx.friend.example").unwrap();
    let bad = address("x@bad.example");
    let at = |name| Client { ip: ip("203.0.113.5"), listener: Listener::Smtp, name };
    assert!(!book.of(&at(Name::NotYetKnown), None, None).is_refused(), "it may be a friend");
    assert!(!book.of(&at(Name::NotYetKnown), None, None).is_decided());
    assert!(book.of(&at(Name::None), None, None).is_refused());
    assert!(book.of(&at(Name::Failed), None, None).is_refused(), "who makes their DNS fail gains nothing");
    assert_eq!(book.of(&at(Name::Confirmed(&friend)), None, None).action(), &Action::Skip);
    let inside = Client { ip: ip("192.0.2.1"), listener: Listener::Smtp, name: Name::None };
    let treatment = book.of(&inside, None, None);
    assert!(
        !treatment.relays() && treatment.may_relay() && treatment.rule().is_none(),
        "not before the sender is known"
    );
    assert!(!treatment.is_checked(), "whatever it turns out to be, it isn't asked for a reputation");
    assert!(book.of(&inside, Some(Some(&bad)), None).is_refused());
    assert!(book.of(&inside, Some(None), None).relays());
}

#[test]
fn who_is_refused_either_way_is_refused_at_once() {
    let book = book(&[
        "any from @bad.example refuse",
        "unnamed refuse",
        "203.0.113.0/24 refuse \"not you\"",
        "192.0.2.1 skip",
    ]);
    let treatment = book.at_the_door(ip("203.0.113.5"), Listener::Smtp);
    assert!(treatment.is_refused() && treatment.is_decided());
    assert_eq!(treatment.words(), Some("not you"));
    assert!(!book.at_the_door(ip("192.0.2.1"), Listener::Smtp).is_refused());
    assert!(!book.at_the_door(ip("198.51.100.1"), Listener::Smtp).is_refused());
}

#[test]
fn readers_have_no_names_and_no_envelopes() {
    let book =
        book(&["mail.example.net allow", "any from @x.example refuse", "unnamed refuse", "203.0.113.0/24 refuse"]);
    for listener in [Listener::Imap, Listener::Pop3s] {
        assert!(book.at_the_door(ip("203.0.113.5"), listener).is_refused());
        let treatment = book.at_the_door(ip("198.51.100.1"), listener);
        assert!(treatment.is_decided() && !treatment.is_refused());
    }
    assert!(!book.at_the_door(ip("203.0.113.5"), Listener::Smtp).is_decided());
}

#[test]
fn a_name_that_may_decide_is_waited_for_whatever_comes_of_it() {
    let book =
        book(&["*.bad.example refuse", "203.0.113.0/24 skip", "any from @x.example refuse", "192.0.2.0/24 skip"]);
    let treatment = book.at_the_door(ip("203.0.113.5"), Listener::Smtp);
    assert!(!treatment.is_checked() && treatment.waits_for_name(), "it is refused if that is its name");
    let named = Client { ip: ip("192.0.2.1"), listener: Listener::Smtp, name: Name::None };
    assert!(!book.of(&named, None, None).waits_for_name());
    assert!(!book.at_the_door(ip("203.0.113.5"), Listener::Submission).waits_for_name(), "none is asked for there");
}

#[test]
fn own_limits_count_when_somebody_connects_whatever_the_sender_will_be() {
    let book = book(&["any from @bad.example refuse", "192.0.2.0/24 allow connections=3 recipients=5"]);
    let limits = book.at_the_door(ip("192.0.2.1"), Listener::Smtp).limits();
    assert_eq!((limits.connections, limits.recipients), (Some(3), Some(5)));
    assert_eq!(book.at_the_door(ip("192.0.3.1"), Listener::Smtp).limits(), OwnLimits::default());
}

#[test]
fn rules_of_the_file_are_replaced_as_a_whole() {
    let book = book(&["192.0.2.7 refuse"]);
    let text = "[rules]\nlist = [\"192.0.2.8 refuse\"]\n[relay]\nfrom = \"198.51.100.0/24\"\n";
    book.set_file(&mailward_core::config::Config::parse(text, "mailward.toml").unwrap().config);
    assert_eq!((action(&book, "192.0.2.7").as_str(), action(&book, "192.0.2.8").as_str()), ("allow", "refuse"));
    assert_eq!((action(&book, "198.51.100.7").as_str(), action(&book, "10.9.0.1").as_str()), ("relay", "allow"));
}

#[test]
fn the_explanation_walks_past_what_doesn_t_fit_and_says_why() {
    let book =
        book(&["192.0.2.7 at imap refuse", "*.a.example skip", "any to list@s.example refuse", "192.0.2.0/24 refuse"]);
    let client = Client { ip: ip("192.0.2.7"), listener: Listener::Smtp, name: Name::None };
    let told = book.explain(&client, Some(None), None);
    let why: Vec<String> = told
        .passed
        .iter()
        .map(|passed| passed.why.map_or_else(|missing| missing.to_string(), |miss| miss.to_string()))
        .collect();
    assert_eq!(why, ["another listener", "another name", "the recipient isn't known yet"]);
    assert_eq!(told.fits.unwrap().to_string(), "rules.list 4: 192.0.2.0/24 refuse");
    assert!(told.treatment.is_refused(), "either way");
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let who = prop_oneof![
        Just("any".to_owned()),
        Just("unnamed".to_owned()),
        Just("local".to_owned()),
        "10\\.0\\.0\\.[0-3]",
        "10\\.0\\.0\\.0/(8|16|30|31)",
        "(0\\.0\\.0\\.0|::)/0",
        "2001:db8::[12]?/128",
        "(\\*\\.)?([ab]\\.)?c\\.example",
    ];
    let rest = "( at (smtp|imap|submission,smtp))?( from (<>|@b\\.c\\.example|@\\*\\.c\\.example|[xy]@c\\.example|x\\+1@c\\.example))?\
                ( to (@\\*\\.c\\.example|@c\\.example|y@b\\.c\\.example))? (allow|skip|relay|refuse)";
    (who, rest).prop_filter_map("can't be followed", |(who, rest)| Rule::parse(&format!("{who}{rest}")).ok())
}

fn any_address() -> impl Strategy<Value = Address> {
    "[xyX](\\+1)?(\\+2)?@(b\\.)?c\\.example".prop_map(|text| address(&text))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    /// The index against a walk from the first rule to the last, with whatever is known.
    #[test]
    fn the_index_answers_as_a_walk_does(
        rules in proptest::collection::vec(any_rule(), 0..30),
        from_ip in prop_oneof![Just(None), "10\\.0\\.0\\.[0-3]".prop_map(Some), "2001:db8::[123]".prop_map(Some), Just(Some("127.0.0.1".to_owned()))],
        listener in prop_oneof![Just(Listener::Smtp), Just(Listener::Imap), Just(Listener::Submission)],
        name in prop_oneof![Just("?".to_owned()), Just("-".to_owned()), Just("!".to_owned()), "([ab]\\.)?c\\.example"],
        from in proptest::option::of(proptest::option::of(any_address())),
        to in proptest::option::of(any_address()),
    ) {
        let book = RuleBook::new(&rules, &[]);
        let domain = Domain::parse(&name).ok();
        let name = match (name.as_str(), &domain) {
            (_, Some(domain)) => Name::Confirmed(domain),
            ("?", None) => Name::NotYetKnown,
            ("!", None) => Name::Failed,
            _ => Name::None,
        };
        let client = Client { ip: from_ip.map(|text| text.parse().unwrap()), listener, name };
        let from = from.as_ref().map(Option::as_ref);
        let found = book.of(&client, from, to.as_ref());
        let all = book.all();
        let walked = walk(all.iter(), &Facts { client, from, to: to.as_ref() });
        prop_assert_eq!(found.action(), walked.action());
        prop_assert_eq!(found.is_decided(), walked.is_decided());
        prop_assert_eq!(found.is_checked(), walked.is_checked());
        prop_assert_eq!(found.may_relay(), walked.may_relay());
        prop_assert_eq!(found.waits_for_name(), walked.waits_for_name());
        prop_assert_eq!(found.is_put_off(), walked.is_put_off());
        prop_assert_eq!(found.limits(), walked.limits());
        prop_assert_eq!(found.rule(), walked.rule());
    }

    /// What is decided stays so, whatever becomes known.
    #[test]
    fn what_is_decided_isn_t_changed_by_what_becomes_known(
        rules in proptest::collection::vec(any_rule(), 0..12),
        from_ip in "10\\.0\\.0\\.[0-3]",
        named in any::<bool>(),
        from in proptest::option::of(any_address()),
        to in any_address(),
    ) {
        let book = RuleBook::new(&rules, &[]);
        let domain = Domain::parse("a.c.example").unwrap();
        let name = if named { Name::Confirmed(&domain) } else { Name::None };
        let client = |name| Client { ip: ip(&from_ip), listener: Listener::Smtp, name };
        let steps = [
            book.at_the_door(ip(&from_ip), Listener::Smtp),
            book.of(&client(name), None, None),
            book.of(&client(name), Some(from.as_ref()), None),
            book.of(&client(name), Some(from.as_ref()), Some(&to)),
        ];
        let last = &steps[3];
        prop_assert!(last.is_decided());
        for step in &steps {
            if step.is_decided() {
                prop_assert_eq!(step.action().name(), last.action().name());
            } else {
                prop_assert!(!step.relays() && !step.is_refused());
            }
            prop_assert!(step.is_checked() || !last.is_checked());
            prop_assert!(step.may_relay() || !last.relays());
        }
    }
}

#[test]
fn thousands_of_rules_are_one_book() {
    let most = mailward_core::limits::RULES_FILE_MAX;
    let networks = (0..most).map(|n| format!("10.{}.{}.0/24 refuse", n / 250, n % 250));
    let senders = (0..most).map(|n| format!("any from @s{n}.example refuse"));
    let rules: Vec<Rule> = networks.chain(senders).map(|text| Rule::parse(&text).unwrap()).collect();
    let book = RuleBook::new(&rules, &[]);
    assert!(book.at_the_door(ip("10.3.249.1"), Listener::Smtp).is_refused());
    assert!(!book.at_the_door(ip("10.4.0.1"), Listener::Smtp).is_refused());
    let client = Client { ip: ip("192.0.2.1"), listener: Listener::Smtp, name: Name::None };
    assert!(book.of(&client, Some(Some(&address("x@s999.example"))), None).is_refused());
    assert!(!book.of(&client, Some(Some(&address("x@s1000.example"))), None).is_refused());
}
