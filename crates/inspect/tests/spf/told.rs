//! What is found out, and its words.

use super::{CLIENT, Client, one, result, run};
use mailward_core::SpfResult;
use mailward_core::limits::{SPF_EXPLANATION_MAX, SPF_HELLO_MAX, SPF_RECORD_MAX};
use mailward_dns::Kind;
use mailward_dns_zone::{Data, Records};

#[test]
fn an_outcome_says_what_decided_and_where_it_stands() {
    let records = one("v=spf1 include:_spf.example.net -all").txt("_spf.example.net", "v=spf1 ip4:192.0.2.0/24 ?all");
    let passed = run(CLIENT.at(&records));
    assert_eq!(passed.result, SpfResult::Pass);
    assert_eq!(passed.mechanism.as_deref(), Some("include:_spf.example.net"));
    assert_eq!(passed.why, "include:_spf.example.net in the SPF record of example.org");
    assert_eq!(passed.text(), "spf=pass smtp.mailfrom=example.org");

    let failed = run(Client { ip: "198.51.100.1", ..CLIENT }.at(&records));
    assert_eq!((failed.result, failed.mechanism.as_deref()), (SpfResult::Fail, Some("-all")));
    assert_eq!(failed.text(), "spf=fail smtp.mailfrom=example.org");

    let none = run(CLIENT.at(&Records::default()));
    assert_eq!((none.result, none.why.as_str()), (SpfResult::None, "example.org has no SPF record"));
    let neutral = run(CLIENT.at(&one("v=spf1 ip4:198.51.100.1")));
    assert_eq!((neutral.result, neutral.mechanism.as_deref()), (SpfResult::Neutral, None));
    assert_eq!(neutral.why, "nothing in the SPF record of example.org fits");

    let wrong = run(CLIENT.at(&one("v=spf1 a:\"\\ -all")));
    assert_eq!(
        wrong.text(),
        "spf=permerror reason=\"example.org: its SPF record can't be read at a:\\\"\\\\: it doesn't end as a domain does\" smtp.mailfrom=example.org"
    );
}

#[test]
fn nobody_is_judged_by_what_the_client_greets_with() {
    let records = Records::default()
        .txt("mail.example.org", "v=spf1 exists:%{l}.%{o}.x.example -all exp=e.example")
        .address("postmaster.mail.example.org.x.example", "127.0.0.2");
    let nobody = Client { from: "", ..CLIENT };
    let outcome = run(nobody.at(&records));
    assert_eq!((outcome.result, outcome.text().as_str()), (SpfResult::Pass, "spf=pass smtp.helo=mail.example.org"));
    assert_eq!(run(nobody.greeting(&records)), outcome);
    let rooted = Client { hello: "Mail.Example.org.", ..nobody };
    assert_eq!(run(rooted.at(&records)), outcome);

    let records = records.txt("example.org", "v=spf1 -all");
    let (hello, sender) = run(async { (CLIENT.greeting(&records).await, CLIENT.at(&records).await) });
    assert_eq!((hello.result, sender.result), (SpfResult::Pass, SpfResult::Fail));
}

#[test]
fn what_is_no_domain_is_not_asked_about() {
    let records = Records::default();
    let long = "a".repeat(64) + ".example";
    for hello in ["localhost", "[192.0.2.1]", "192.0.2.1", "", "a..b", ".", "a b.example", &long, "gr\u{fc}n.\u{ad}"] {
        let outcome = run(Client { from: "", hello, ..CLIENT }.at(&records));
        assert_eq!((outcome.result, &outcome.domain), (SpfResult::None, &None), "{hello:?}");
        assert_eq!(outcome.text(), "spf=none");
    }
    assert_eq!(run(Client { from: "joe@[192.0.2.1]", ..CLIENT }.at(&records)).result, SpfResult::None);
    assert!(records.asked().is_empty());
    // A name with an underscore is nobody's host, and may have a record all the same.
    let records = records.txt("my_host.example", "v=spf1 -all");
    let outcome = run(Client { from: "", hello: "My_Host.example.", ..CLIENT }.at(&records));
    assert_eq!(outcome.text(), "spf=fail smtp.helo=\"my_host.example\"");
}

#[test]
fn international_names_are_asked_for_as_the_dns_has_them() {
    let records = Records::default()
        .txt("xn--mnchen-3ya.example", "v=spf1 exists:%{d}.x.example -all")
        .address("xn--mnchen-3ya.example.x.example", "127.0.0.2");
    let hello = Client { from: "", hello: "m\u{fc}nchen.example", ..CLIENT };
    assert_eq!(run(hello.at(&records)).result, SpfResult::Pass);
    let from = Client { from: "j\u{fc}rgen@m\u{fc}nchen.example", ..CLIENT };
    assert_eq!(run(from.at(&records)).result, SpfResult::Pass);
    // What needs a local part outside ASCII matches nothing (RFC 8616 §4), and costs no lookup.
    let records = one("v=spf1 exists:%{l}.x.example include:%{S}.example -all exp=why.example")
        .txt("why.example", "not from %{l}");
    let outcome = run(Client { from: "j\u{fc}rgen@example.org", ..CLIENT }.at(&records));
    assert_eq!((outcome.result, outcome.explanation), (SpfResult::Fail, None));
    assert_eq!(records.asked().len(), 2);
    let redirect = one("v=spf1 redirect=%{l}.example");
    assert_eq!(run(Client { from: "j\u{fc}@example.org", ..CLIENT }.at(&redirect)).result, SpfResult::Neutral);
}

#[test]
fn only_the_client_s_family_is_asked_for() {
    let records = one("v=spf1 a mx ptr:other.example -all")
        .address("example.org", "192.0.2.9")
        .mx("example.org", "mx.example.org")
        .address("mx.example.org", "192.0.2.1")
        .address("mx.example.org", "2001:db8::1");
    assert_eq!(result(&records), SpfResult::Pass);
    let mapped = Client { ip: "::ffff:192.0.2.1", ..CLIENT };
    assert_eq!(run(mapped.at(&records)), run(CLIENT.at(&records)));
    assert!(records.asked().iter().all(|(_, kind)| *kind != Kind::Aaaa));
    let before = records.asked().len();
    assert_eq!(run(Client { ip: "2001:db8::1", ..CLIENT }.at(&records)).result, SpfResult::Pass);
    assert!(records.asked()[before..].iter().all(|(_, kind)| *kind != Kind::A));
    // IPv4 as IPv6 is IPv4, which no ip6 mechanism is about.
    let records = one("v=spf1 ip6:::ffff:192.0.2.1 ip6:::/0 -all");
    assert_eq!(run(mapped.at(&records)).result, SpfResult::Fail);
    assert_eq!(run(Client { ip: "2001:db8::1", ..CLIENT }.at(&records)).result, SpfResult::Pass);
}

#[test]
fn a_null_mx_and_a_mail_host_that_is_an_address_match_nobody() {
    let records = one("v=spf1 mx -all").mx("example.org", ".").mx("example.org", "192.0.2.1");
    assert_eq!(result(&records), SpfResult::Fail);
}

#[test]
fn names_of_the_client_count_only_if_they_lead_back() {
    let lying = one("v=spf1 ptr -all").ptr("192.0.2.1", "mail.example.org").address("mail.example.org", "192.0.2.2");
    assert_eq!(result(&lying), SpfResult::Fail);
    let honest = one("v=spf1 ptr -all").ptr("192.0.2.1", "mail.example.org").address("mail.example.org", "192.0.2.1");
    assert_eq!(result(&honest), SpfResult::Pass);
    // Names elsewhere aren't even looked up, and are asked for once.
    let many = one("v=spf1 ptr ptr:a.example -all").ptr("192.0.2.1", "x.notexample.org").ptr("192.0.2.1", "y.example");
    assert_eq!(result(&many), SpfResult::Fail);
    assert_eq!(many.asked().len(), 2);
}

#[test]
fn an_explanation_is_the_domain_s_own_and_bounded() {
    let fails = |text: &str| {
        let records = one("v=spf1 -all exp=why.%{d}").with("why.example.org", Data::Txt(text.as_bytes().to_vec()));
        let outcome = run(CLIENT.at(&records));
        assert_eq!(outcome.result, SpfResult::Fail);
        outcome.explanation
    };
    let said = fails("%{i} isn't ours: https://why.example/%{S}?%{t}&%{r}");
    assert_eq!(said.as_deref(), Some("192.0.2.1 isn't ours: https://why.example/joe%40example.org?7&us.example"));
    assert_eq!(fails(&"x".repeat(SPF_RECORD_MAX)).map(|text| text.len()), Some(SPF_EXPLANATION_MAX));
    for hostile in ["no\r\n250 ok", "\u{1b}[2J", "gr\u{fc}n", "%", "%{x}", "", &"x".repeat(SPF_RECORD_MAX + 1)] {
        assert_eq!(fails(hostile), None, "{hostile:?}");
    }
    // What the client greets with is hostile as well.
    let records = one("v=spf1 -all exp=why.example").txt("why.example", "%{h}");
    let long = "h".repeat(2_000);
    let outcome = run(Client { hello: &long, ..CLIENT }.at(&records));
    assert_eq!(outcome.explanation.map(|text| text.len()), Some(SPF_HELLO_MAX));
    assert_eq!(run(Client { hello: "a\u{1b}]0;b", ..CLIENT }.at(&records)).explanation, None);
}
