//! What a check may cost us and others, whatever records say.

use super::{CLIENT, Client, one, result, run};
use futures_util::future::join_all;
use mailward_core::limits::{
    LOOKUP_TURN_TIME, SPF_HELLO_QUESTIONS_MAX, SPF_LOOKUP_TERMS_MAX, SPF_LOOKUPS_AT_ONCE, SPF_LOOKUPS_PER_HOST_MAX,
    SPF_NAMES_MAX, SPF_QUESTIONS_MAX, SPF_RECORD_MAX, SPF_TERMS_MAX, SPF_TIME, SPF_VOID_LOOKUPS_MAX, SPF_WORDS_MAX,
};
use mailward_core::{Network, SpfResult};
use mailward_dns::{InTurn, Turns};
use mailward_dns_zone::Records;
use mailward_inspect::spf::Identity;
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn includes_and_redirects_that_go_in_a_circle_end() {
    for record in
        ["v=spf1 include:example.org -all", "v=spf1 redirect=example.org", "v=spf1 include:%{d} redirect=%{d}"]
    {
        let records = one(record);
        let outcome = run(CLIENT.at(&records));
        assert_eq!(outcome.result, SpfResult::PermError);
        assert_eq!(records.asked().len(), SPF_LOOKUP_TERMS_MAX + 1);
    }
}

#[test]
fn terms_that_are_looked_up_end_at_their_limit() {
    let terms = |count: usize| {
        let hosts: Vec<String> = (0..count).map(|n| format!("a:h{n}.example")).collect();
        (0..count).fold(one(&format!("v=spf1 {} +all", hosts.join(" "))), |records, n| {
            records.address(&format!("h{n}.example"), "198.51.100.1")
        })
    };
    assert_eq!(result(&terms(SPF_LOOKUP_TERMS_MAX)), SpfResult::Pass);
    let records = terms(SPF_LOOKUP_TERMS_MAX + 1);
    assert_eq!(result(&records), SpfResult::PermError);
    assert_eq!(records.asked().len(), SPF_LOOKUP_TERMS_MAX + 1);
}

#[test]
fn a_flood_of_names_that_arent_there_ends_at_the_third() {
    let record = "v=spf1 a:x1.example exists:x2.example mx:x3.example a:x4.example a:x5.example +all";
    let records = one(record);
    let outcome = run(CLIENT.at(&records));
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(records.asked().len(), 1 + SPF_VOID_LOOKUPS_MAX + 1);
    assert!(outcome.why.ends_with("the last one x3.example"), "{}", outcome.why);
    assert_eq!(result(&one("v=spf1 a:x1.example ptr +all")), SpfResult::Pass);
    assert_eq!(result(&one("v=spf1 a:x1.example exists:x2.example ptr +all")), SpfResult::PermError);
}

#[test]
fn mail_hosts_beyond_the_limit_are_an_error_and_names_are_left_out() {
    let hosts = |count: usize| {
        (0..count).fold(one("v=spf1 mx -all"), |records, n| {
            records.mx("example.org", &format!("h{n}.example")).address(&format!("h{n}.example"), "192.0.2.1")
        })
    };
    assert_eq!(result(&hosts(SPF_NAMES_MAX)), SpfResult::Pass);
    let records = hosts(SPF_NAMES_MAX + 1);
    assert_eq!(result(&records), SpfResult::PermError);
    assert_eq!(records.asked().len(), 2);

    let names = |count: usize| {
        let records =
            (1..count).fold(one("v=spf1 ptr -all"), |records, n| records.ptr("192.0.2.1", &format!("h{n}.org")));
        records.ptr("192.0.2.1", "h.example.org").address("h.example.org", "192.0.2.1")
    };
    assert_eq!(result(&names(SPF_NAMES_MAX)), SpfResult::Pass);
    assert_eq!(result(&names(SPF_NAMES_MAX + 1)), SpfResult::Fail);
    // A macro asks for all of them, and no more.
    let records = (0..50).fold(one("v=spf1 exists:%{p}.example -all"), |records, n| {
        records.ptr("192.0.2.1", &format!("h{n}.example.net"))
    });
    assert_eq!(result(&records), SpfResult::Fail);
    assert_eq!(records.asked().len(), 1 + 1 + SPF_NAMES_MAX + 1);
}

/// Ten mechanisms of ten hosts each, none of which is there: what RFC 7208 allows.
fn greedy(domain: &str, records: Records) -> Records {
    let terms: Vec<String> = (0..SPF_LOOKUP_TERMS_MAX).map(|n| format!("mx:m{n}.{domain}")).collect();
    let records = records.txt(domain, &format!("v=spf1 {} -all", terms.join(" ")));
    (0..SPF_LOOKUP_TERMS_MAX).fold(records, |records, n| {
        (0..SPF_NAMES_MAX).fold(records, |records, host| {
            records.mx(&format!("m{n}.{domain}"), &format!("v{n}-{host}.victim.example"))
        })
    })
}

#[test]
fn a_message_costs_others_no_more_than_its_budget() {
    let records = greedy("example.org", Records::default());
    let outcome = run(CLIENT.at(&records));
    assert_eq!(outcome.result, SpfResult::PermError);
    assert!(outcome.why.contains("questions"), "{}", outcome.why);
    assert_eq!(records.asked().len(), SPF_QUESTIONS_MAX);
}

#[test]
fn a_greedy_greeting_takes_nothing_from_the_sender() {
    let records = greedy("x.evil.example", Records::default()).txt("bank.example", "v=spf1 mx -all");
    let records = records.mx("bank.example", "mx.bank.example").address("mx.bank.example", "198.51.100.1");
    let client = Client { ip: "192.0.2.1", hello: "x.evil.example", from: "ceo@bank.example" };
    let (hello, sender) = run(async { tokio::join!(client.greeting(&records), client.at(&records)) });
    assert_eq!(hello.result, SpfResult::PermError);
    assert_eq!(records.asked().len(), SPF_HELLO_QUESTIONS_MAX + 3);
    assert_eq!((sender.result, sender.identity), (SpfResult::Fail, Identity::MailFrom));
}

#[test]
fn one_host_s_checks_take_their_share_of_turns_and_others_are_judged_beside_them() {
    let records = one("v=spf1 a:h.example -all").txt("slow.example", "v=spf1 mx -all");
    let records = records.address("h.example", "198.51.100.1").slow("slow.example", SPF_TIME * 2);
    let turns = Turns::new(SPF_LOOKUPS_AT_ONCE, SPF_LOOKUPS_PER_HOST_MAX);
    let in_turn = |ip: &str| InTurn::new(&records, &turns, Network::host(ip.parse().unwrap()), LOOKUP_TURN_TIME);
    let (evil, honest) = (in_turn("203.0.113.9"), in_turn("192.0.2.1"));
    let slow = Client { ip: "203.0.113.9", hello: "x.example", from: "joe@slow.example" };
    let forged = Client { from: "ceo@example.org", ..slow };
    let (flood, forged, other) = run(async {
        tokio::join!(
            join_all((0..100).map(|_| slow.at(&evil))),
            async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                forged.at(&evil).await
            },
            async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                tokio::time::timeout(Duration::from_millis(1), CLIENT.at(&honest)).await.unwrap()
            },
        )
    });
    assert_eq!(records.most_at_once(), SPF_LOOKUPS_PER_HOST_MAX + 1);
    assert!(flood.iter().all(|outcome| outcome.result == SpfResult::TempError));
    assert_eq!(forged.result, SpfResult::TempError);
    assert!(forged.why.contains("as many questions as one host may cause"), "{}", forged.why);
    assert_eq!(other.result, SpfResult::Fail);
}

#[test]
fn records_without_measure_are_errors() {
    let wide = format!("v=spf1 {} +all", "ip4:198.51.100.1 ".repeat(400));
    assert_eq!(result(&one(&wide)), SpfResult::Pass);
    for huge in [
        format!("v=spf1 {}+all", " ".repeat(SPF_RECORD_MAX)),
        format!("v=spf1 {}+all", "all ".repeat(SPF_TERMS_MAX)),
        format!("v=spf1 exists:{} +all", "%{s}".repeat(1_000)),
    ] {
        let outcome = run(CLIENT.at(&one(&huge)));
        assert_eq!(outcome.result, SpfResult::PermError);
        assert!(outcome.why.len() <= SPF_WORDS_MAX);
    }
}

#[test]
fn a_slow_dns_is_waited_for_so_long_and_no_longer() {
    let slow = |seconds| {
        let records = (0..5)
            .fold(one("v=spf1 a:h0.example a:h1.example a:h2.example a:h3.example a:h4.example +all"), |all, n| {
                all.address(&format!("h{n}.example"), "198.51.100.1")
            });
        records.taking(Duration::from_secs(seconds))
    };
    let timed = |records: Records| {
        run(async move {
            let began = tokio::time::Instant::now();
            (CLIENT.at(&records).await.result, began.elapsed())
        })
    };
    assert_eq!(timed(slow(3)).0, SpfResult::Pass);
    let (result, took) = timed(slow(4));
    assert_eq!((result, took.as_secs()), (SpfResult::TempError, SPF_TIME.as_secs()));
    // What is slow after the result takes nothing from it.
    let records = one("v=spf1 -all exp=why.example").txt("why.example", "no").taking(Duration::from_secs(11));
    let outcome = run(CLIENT.at(&records));
    assert_eq!((outcome.result, outcome.explanation), (SpfResult::Fail, None));
}

#[test]
fn what_fails_for_now_is_a_temporary_error_wherever_it_decides() {
    for (record, failing) in [
        ("v=spf1 -all", "example.org"),
        ("v=spf1 a:h.example -all", "h.example"),
        ("v=spf1 mx:h.example -all", "h.example"),
        ("v=spf1 exists:h.example -all", "h.example"),
        ("v=spf1 include:h.example -all", "h.example"),
        ("v=spf1 redirect=h.example", "h.example"),
        ("v=spf1 mx:m.example -all", "h.example"),
    ] {
        let records = one(record).mx("m.example", "h.example").failing(failing, None);
        assert_eq!(result(&records), SpfResult::TempError, "{record}");
    }
    // A host that answers decides, whoever beside it doesn't.
    let records = one("v=spf1 mx -all").mx("example.org", "h.example").mx("example.org", "g.example");
    let records = records.address("g.example", "192.0.2.1").failing("h.example", None);
    assert_eq!(result(&records), SpfResult::Pass);
    // Names of the client that can't be had are none.
    let records = one("v=spf1 ptr -all").failing("1.2.0.192.in-addr.arpa", None);
    assert_eq!(result(&records), SpfResult::Fail);
    let records = one("v=spf1 ptr -all").ptr("192.0.2.1", "h.example.org").failing("h.example.org", None);
    assert_eq!(result(&records), SpfResult::Fail);
}

/// Records that lead to each other in every way there is.
fn any_world() -> impl Strategy<Value = Vec<String>> {
    let name = || {
        prop_oneof![
            (0_u8..6).prop_map(|n| format!("n{n}.example")),
            Just("%{p}.example".to_owned()),
            Just("%{d}".to_owned())
        ]
    };
    let term = (0_u8..12, name()).prop_map(|(kind, name)| match kind {
        0 | 1 => format!("include:{name}"),
        2 => format!("redirect={name}"),
        3 => format!("a:{name}"),
        4 | 5 => format!("mx:{name}"),
        6 => format!("exists:{name}"),
        7 => "ptr".to_owned(),
        8 => format!("exp={name}"),
        9 => "ip4:192.0.2.0/25".to_owned(),
        10 => "~all".to_owned(),
        _ => "-all".to_owned(),
    });
    let record = proptest::collection::vec(term, 0..8).prop_map(|terms| format!("v=spf1 {}", terms.join(" ")));
    proptest::collection::vec(record, 6)
}

proptest! {
    #[test]
    fn whatever_records_lead_to_a_check_ends_within_its_limits(world in any_world(), failing in proptest::option::of(0_usize..6), ip in any::<bool>()) {
        let mut records = Records::default();
        for (n, record) in world.iter().enumerate() {
            let name = format!("n{n}.example");
            records = records.txt(&name, record).mx(&name, "n0.example").mx(&name, "n1.example").ptr("192.0.2.1", &name);
            if n % 2 == 0 {
                records = records.address(&name, "192.0.2.1").address(&name, "2001:db8::1");
            }
        }
        if let Some(n) = failing {
            records = records.failing(&format!("n{n}.example"), None);
        }
        let ip = if ip { "192.0.2.1" } else { "2001:db8::1" };
        let client = Client { ip, hello: "n1.example", from: "joe@n0.example" };
        let sender = run(client.at(&records));
        prop_assert!(records.asked().len() <= SPF_QUESTIONS_MAX);
        let hello = run(client.greeting(&records));
        prop_assert!(records.asked().len() <= SPF_QUESTIONS_MAX + SPF_HELLO_QUESTIONS_MAX);
        for outcome in [hello, sender] {
            prop_assert!(outcome.why.len() <= SPF_WORDS_MAX && outcome.text().is_ascii());
            prop_assert!(outcome.explanation.is_none() || outcome.result == SpfResult::Fail);
        }
    }
}
