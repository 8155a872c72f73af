//! Cases of RFC 9989, one a line.

use super::*;
use mailward_core::limits::{DMARC_PLACES_MAX, DMARC_QUERIES_MAX, DMARC_RECORD_MAX, DMARC_TAGS_MAX};
use mailward_dns_zone::{Data, Records};
use proptest::prelude::*;
use std::time::Duration;

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn spf(result: SpfResult, name: &str) -> SpfOutcome {
    SpfOutcome {
        result,
        identity: crate::spf::Identity::MailFrom,
        domain: Some(Name::parse(name).unwrap()),
        explanation: None,
        mechanism: None,
        why: String::new(),
        personal: false,
    }
}

fn dkim(verdict: Verdict, name: &str) -> Dkim {
    Dkim { verdict, why: String::new(), signer: Some((domain(name), "s".to_owned())), mark: String::new() }
}

fn zone(texts: &[(&str, &str)]) -> Records {
    texts.iter().fold(Records::default(), |zone, (name, text)| zone.txt(&format!("_dmarc.{name}"), text))
}

fn judged(zone: &Records, author: &str, spf: Option<&SpfOutcome>, dkim: &[Dkim]) -> DmarcOutcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(evaluate(zone, &domain(author), spf, dkim))
}

/// What a domain asks for of a message that proves nothing.
fn asked(texts: &[(&str, &str)], author: &str) -> String {
    let outcome = judged(&zone(texts), author, None, &[]);
    match &outcome.policy {
        None => outcome.result.to_string(),
        Some(policy) => format!("{} {} {}={}", outcome.disposition, policy.domain, policy.tag, policy.request),
    }
}

#[test]
fn the_policy_is_that_of_the_domain_its_organisation_or_the_suffix_above() {
    let org = [("example.org", "v=DMARC1; p=quarantine; sp=reject")];
    for (texts, author, wanted) in [
        (&org[..], "example.org", "quarantine example.org p=quarantine"),
        (&org, "a.example.org", "reject example.org sp=reject"),
        (&org, "a.b.c.d.e.f.g.example.org", "reject example.org sp=reject"),
        (&org, "example.net", "none"),
        (&org, "notexample.org", "none"),
        (&[], "example.org", "none"),
        // Its own record counts, whatever stands above.
        (
            &[("a.example.org", "v=DMARC1; p=none"), ("example.org", "v=DMARC1; p=reject")],
            "a.example.org",
            "none a.example.org p=none",
        ),
        // Not the nearest, but the organisation's.
        (
            &[("b.example.org", "v=DMARC1; p=none"), ("example.org", "v=DMARC1; p=reject")],
            "a.b.example.org",
            "reject example.org p=reject",
        ),
        (
            &[("b.example.org", "v=DMARC1; p=none; psd=n"), ("example.org", "v=DMARC1; p=reject")],
            "a.b.example.org",
            "none b.example.org p=none",
        ),
        // A suffix speaks only where the organisation says nothing.
        (&[("org", "v=DMARC1; p=reject; psd=y")], "a.example.org", "reject org p=reject"),
        (
            &[("org", "v=DMARC1; p=reject; psd=y"), ("example.org", "v=DMARC1; p=none")],
            "a.example.org",
            "none example.org p=none",
        ),
        (&[("org", "v=DMARC1; p=reject; sp=none; psd=y")], "org", "reject org p=reject"),
        // RFC 9989 §4.10.2: an organisation below a suffix without a record of its own.
        (
            &[("co.example", "v=DMARC1; p=reject; psd=y"), ("x.shop.co.example", "v=DMARC1; p=none")],
            "a.x.shop.co.example",
            "reject co.example p=reject",
        ),
    ] {
        assert_eq!(asked(texts, author), wanted, "{author}: {texts:?}");
    }
}

/// Attacks D8.
#[test]
fn old_tags_and_several_records_and_nonsense_do_nothing() {
    for (text, wanted) in [
        ("v=DMARC1; p=reject; pct=0; rf=afrf; ri=1", "reject example.org p=reject"),
        ("v=DMARC1; p=reject; t=y", "quarantine example.org p=reject"),
        ("v=DMARC1; p=quarantine; t=y", "none example.org p=quarantine"),
        ("v=DMARC1; p=none; t=y", "none example.org p=none"),
        ("v=DMARC1; p=reject; t=n", "reject example.org p=reject"),
        ("v=DMARC1;p=Reject;", "reject example.org p=reject"),
        ("v = DMARC1 ; p = reject ; nonsense ; x=y=z ; =", "reject example.org p=reject"),
        ("v=DMARC1", "none"),
        ("v=DMARC1; sp=reject", "none"),
        ("v=DMARC1; rua=mailto:a@b.example", "none example.org p=none"),
        ("v=DMARC1; p=rejected; rua=mailto:a@b.example", "none example.org p=none"),
        ("v=DMARC1; p=reject; sp=x; rua=mailto:a@b.example", "none example.org p=none"),
        ("v=DMARC1; p=rejected", "none"),
        ("v=DMARC1; p=reject; np=", "none"),
        ("v=DMARC1; p=rejected; rua=,", "none"),
        ("v=dmarc1; p=reject", "none"),
        ("v=DMARC2; p=reject", "none"),
        ("p=reject; v=DMARC1", "none"),
        (" v=DMARC1; p=reject; p=none", "reject example.org p=reject"),
        ("v=spf1 -all", "none"),
        ("", "none"),
    ] {
        assert_eq!(asked(&[("example.org", text)], "example.org"), wanted, "{text:?}");
    }
    let two = [("example.org", "v=DMARC1; p=reject"), ("example.org", "v=DMARC1; p=none")];
    assert_eq!(asked(&two, "example.org"), "none");
    let beside = [("example.org", "v=DMARC1; p=reject"), ("example.org", "v=spf1 -all")];
    assert_eq!(asked(&beside, "example.org"), "reject example.org p=reject");
    let long = format!("v=DMARC1; p=reject; n={}", "x".repeat(DMARC_RECORD_MAX));
    assert_eq!(asked(&[("example.org", &long)], "example.org"), "none");
    assert!(Record::parse(&long.as_bytes()[..DMARC_RECORD_MAX]).is_some());
}

/// Attacks D8.
#[test]
fn a_subdomain_that_does_not_exist_has_the_policy_for_those() {
    let texts = [("example.org", "v=DMARC1; p=none; sp=quarantine; np=reject")];
    let request = |zone: &Records| judged(zone, "x.example.org", None, &[]).disposition;
    assert_eq!(request(&zone(&texts)), Request::Reject);
    assert_eq!(request(&zone(&texts).address("x.example.org", "192.0.2.1")), Request::Quarantine);
    assert_eq!(request(&zone(&texts).address("x.example.org", "2001:db8::1")), Request::Quarantine);
    assert_eq!(request(&zone(&texts).mx("x.example.org", "mx.example.org")), Request::Quarantine);
    // RFC 9989 §3.2.13: a name that is there is there, whatever stands at it.
    assert_eq!(request(&zone(&texts).txt("x.example.org", "there")), Request::Quarantine);
    let outcome = judged(&zone(&texts).failing("x.example.org", None), "x.example.org", None, &[]);
    assert_eq!((outcome.result, outcome.disposition), (DmarcResult::TempError, Request::None));
    assert_eq!(judged(&zone(&texts), "example.org", None, &[]).disposition, Request::None);
}

/// Attacks D8.
#[test]
fn the_walk_ends_after_eight_questions() {
    let long = "m.a.b.c.d.e.f.g.example.org";
    let zone = zone(&[]);
    assert_eq!(judged(&zone, long, None, &[]).result, DmarcResult::None);
    let asked: Vec<String> = zone.asked().into_iter().map(|(name, _)| name).collect();
    // RFC 9989 §4.10.
    assert_eq!(
        asked,
        [
            "_dmarc.m.a.b.c.d.e.f.g.example.org",
            "_dmarc.c.d.e.f.g.example.org",
            "_dmarc.d.e.f.g.example.org",
            "_dmarc.e.f.g.example.org",
            "_dmarc.f.g.example.org",
            "_dmarc.g.example.org",
            "_dmarc.example.org",
            "_dmarc.org"
        ]
    );
    assert_eq!(asked.len(), DMARC_QUERIES_MAX);
    let deepest = format!("{}example.org", "a.".repeat(121));
    let zone = super::tests::zone(&[("example.org", "v=DMARC1; p=reject")]);
    assert_eq!(judged(&zone, &deepest, None, &[]).disposition, Request::Reject, "no room for _dmarc at that name");
    assert!(zone.asked().len() <= DMARC_QUERIES_MAX);
}

#[test]
fn who_is_aligned_is_the_same_or_of_the_same_organisation() {
    let relaxed = ("example.org", "v=DMARC1; p=reject");
    let strict = ("example.org", "v=DMARC1; p=reject; adkim=s; aspf=s");
    let suffix = ("co.example", "v=DMARC1; p=none; psd=y");
    let apart = ("b.example.org", "v=DMARC1; p=none; psd=n");
    for (texts, author, proven, aligned) in [
        (&[relaxed][..], "example.org", "example.org", true),
        (&[relaxed], "example.org", "mail.example.org", true),
        (&[relaxed], "mail.example.org", "example.org", true),
        (&[relaxed], "a.example.org", "b.example.org", true),
        (&[relaxed], "example.org", "example.net", false),
        (&[relaxed], "example.org", "evilexample.org", false),
        (&[relaxed], "example.org", "org", false),
        (&[strict], "example.org", "example.org", true),
        (&[strict], "example.org", "mail.example.org", false),
        (&[strict], "mail.example.org", "example.org", false),
        (&[suffix, ("a.co.example", "v=DMARC1; p=reject")], "a.co.example", "b.co.example", false),
        (&[suffix, ("a.co.example", "v=DMARC1; p=reject")], "a.co.example", "x.a.co.example", true),
        (&[suffix], "m.a.co.example", "x.a.co.example", true),
        (&[suffix], "a.co.example", "co.example", false),
        (&[relaxed, apart], "example.org", "x.b.example.org", false),
        (&[relaxed, apart], "x.b.example.org", "b.example.org", true),
        (&[relaxed, apart], "x.b.example.org", "example.org", false),
    ] {
        let zone = zone(texts);
        let by_spf = judged(&zone, author, Some(&spf(SpfResult::Pass, proven)), &[]);
        let by_dkim = judged(&zone, author, None, &[dkim(Verdict::Fail, author), dkim(Verdict::Pass, proven)]);
        let wanted = if aligned { DmarcResult::Pass } else { DmarcResult::Fail };
        assert_eq!((by_spf.result, by_dkim.result), (wanted, wanted), "{author} by {proven}: {texts:?}");
        assert_eq!((by_spf.aligned_spf, by_spf.aligned_dkim), (aligned, false));
        assert_eq!((by_dkim.aligned_spf, by_dkim.aligned_dkim), (false, aligned));
    }
}

#[test]
fn what_does_not_pass_proves_nothing() {
    let zone = zone(&[("example.org", "v=DMARC1; p=reject")]);
    for result in [SpfResult::Fail, SpfResult::SoftFail, SpfResult::Neutral, SpfResult::None, SpfResult::PermError] {
        let outcome = judged(&zone, "example.org", Some(&spf(result, "example.org")), &[]);
        assert_eq!((outcome.result, outcome.disposition), (DmarcResult::Fail, Request::Reject), "{result}");
    }
    // Attacks D2, D5: a signature that holds and isn't to be believed is `policy`.
    for verdict in [Verdict::Fail, Verdict::Policy, Verdict::PermError] {
        let outcome = judged(&zone, "example.org", None, &[dkim(verdict, "example.org")]);
        assert_eq!(outcome.result, DmarcResult::Fail, "{verdict:?}");
    }
    let unread = Dkim { signer: None, ..dkim(Verdict::Pass, "example.org") };
    assert_eq!(judged(&zone, "example.org", None, &[unread]).result, DmarcResult::Fail);
}

#[test]
fn only_the_author_s_own_names_can_make_it_unknown() {
    let zone = zone(&[("example.org", "v=DMARC1; p=reject")]).failing("_dmarc.evil.example", None);
    let unknown = judged(&zone, "example.org", None, &[dkim(Verdict::TempError, "example.org")]);
    assert_eq!((unknown.result, unknown.disposition), (DmarcResult::TempError, Request::None));
    let unknown = judged(&zone, "example.org", Some(&spf(SpfResult::TempError, "m.example.org")), &[]);
    assert_eq!(unknown.result, DmarcResult::TempError);
    let passes = [dkim(Verdict::TempError, "example.org"), dkim(Verdict::Pass, "example.org")];
    assert_eq!(judged(&zone, "example.org", None, &passes).result, DmarcResult::Pass);
    // Somebody else's failing servers do nothing, and aren't asked.
    let others = [dkim(Verdict::TempError, "evil.example"), dkim(Verdict::Pass, "evil.example")];
    let outcome = judged(&zone, "example.org", Some(&spf(SpfResult::TempError, "evil.example")), &others);
    assert_eq!((outcome.result, outcome.disposition), (DmarcResult::Fail, Request::Reject));
    assert!(zone.asked().iter().all(|(name, _)| !name.contains("evil")));
    let silent = Records::default().failing("_dmarc.org", None);
    let outcome = judged(&silent, "a.example.org", None, &[]);
    assert_eq!((outcome.result, outcome.why.as_str()), (DmarcResult::TempError, "_dmarc.org can't be looked up now"));
}

#[test]
fn who_answers_late_is_waited_for_so_long_and_no_longer() {
    let zone = zone(&[("example.org", "v=DMARC1; p=reject")]).taking(DMARC_TIME + Duration::from_secs(1));
    let outcome = judged(&zone, "example.org", None, &[]);
    assert_eq!(outcome.result, DmarcResult::TempError);
    assert_eq!(outcome.why, "the policy of example.org couldn't be looked up within 15 s");
}

/// Attacks D10.
#[test]
fn reports_go_by_mail_and_to_a_few_places() {
    let places = |rua: &str| -> Vec<String> {
        let record = Record::parse(format!("v=DMARC1; p=none; rua={rua}").as_bytes()).unwrap();
        record.reports.iter().map(ToString::to_string).collect()
    };
    assert_eq!(places("mailto:a@b.example"), ["a@b.example"]);
    assert_eq!(places("mailto:a@b.example!10m , MAILTO:c%2Bd@e.example?subject=x"), ["a@b.example", "c+d@e.example"]);
    for bad in [
        "",
        "a@b.example",
        "https://b.example/",
        "mailto:",
        "mailto:a@[192.0.2.1]",
        "mailto:a%0d@b.example",
        "mailto:a%",
        "mailto:a%zz@b.example",
    ] {
        assert!(places(bad).is_empty(), "{bad}");
    }
    let many: Vec<String> = (0..=DMARC_PLACES_MAX).map(|n| format!("mailto:a{n}@b.example")).collect();
    assert_eq!(places(&many.join(",")).len(), DMARC_PLACES_MAX);
    let tags = |count: usize| format!("v=DMARC1{}; p=reject", "; x=y".repeat(count));
    assert_eq!(Record::parse(tags(DMARC_TAGS_MAX - 1).as_bytes()).unwrap().policy, Request::Reject);
    assert_eq!(Record::parse(tags(DMARC_TAGS_MAX).as_bytes()).unwrap().policy, Request::None);
}

#[test]
fn what_a_field_says_of_it_is_as_the_standard_has_it() {
    let zone = zone(&[("example.org", "v=DMARC1; p=none; sp=reject")]);
    let outcome = judged(&zone, "a.example.org", None, &[]);
    assert_eq!(
        outcome.text(),
        "dmarc=fail reason=\"neither SPF nor DKIM proves that it is from a.example.org\" header.from=a.example.org \
         polrec.p=none polrec.domain=example.org"
    );
    let odd = Records::default().txt("_dmarc.example.org", "v=DMARC1; p=reject").with("x", Data::Txt(Vec::new()));
    let greeting = SpfOutcome { domain: Name::parse("a\"b\\.example.org").ok(), ..spf(SpfResult::TempError, "x") };
    let outcome = judged(&odd, "example.org", Some(&greeting), &[]);
    assert_eq!(outcome.why, "a?b?.example.org can't be looked up now");
}

proptest! {
    #[test]
    fn no_record_makes_it_stop(text in prop::collection::vec(any::<u8>(), 0..200), tags in "v=DMARC1(; ?(p|sp|np|rua|t|psd|fo) ?= ?[a-z:@,!%?.0-9]{0,12}){0,6}") {
        let _read = Record::parse(&text);
        let record = Record::parse(tags.as_bytes()).unwrap();
        prop_assert!(!record.void || record.policy == Request::None);
        prop_assert!(record.reports.len() <= DMARC_PLACES_MAX);
    }

    #[test]
    fn an_organisation_is_the_domain_or_above_it(
        labels in prop::collection::vec("[a-c]", 1..12),
        records in prop::collection::vec((0usize..12, "(psd=[ynu])?"), 0..5),
    ) {
        let author = labels.join(".");
        let mut zone = Records::default();
        for (skip, psd) in records {
            let name = labels.get(skip.min(labels.len().saturating_sub(1))..).unwrap_or_default().join(".");
            zone = zone.txt(&format!("_dmarc.{name}"), &format!("v=DMARC1; p=reject; {psd}"));
        }
        let outcome = judged(&zone, &author, Some(&spf(SpfResult::Pass, &author)), &[]);
        prop_assert!(matches!(outcome.result, DmarcResult::Pass | DmarcResult::None));
        prop_assert!(zone.asked().len() <= DMARC_QUERIES_MAX);
        let name = Name::parse(&author).unwrap();
        if let Some(policy) = outcome.policy {
            prop_assert!(name.is_within(&policy.domain));
        }
    }
}
