//! Over the wire: servers that answer well, lie, flood, or say nothing.

use super::{CLIENT, Client};
use mailward_core::SpfResult;
use mailward_core::config::Dns;
use mailward_core::limits::{DNS_ANSWER_RECORDS_MAX, SPF_LOOKUP_TERMS_MAX};
use mailward_dns::Resolver;
use mailward_dns_zone::proto::op::Message;
use mailward_dns_zone::proto::rr::rdata::{A, TXT};
use mailward_dns_zone::proto::rr::{RData, Record, RecordType};
use mailward_dns_zone::{Fault, Raw, Reply, Zone, Zones};
use mailward_inspect::spf::SpfOutcome;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The greeting alone.
async fn greeting(config: &Dns, hello: &str) -> SpfOutcome {
    let resolver = Resolver::new(&Dns { timeout: 1, ..config.clone() }).unwrap();
    Client { from: "", hello, ..CLIENT }.at(&resolver).await
}

fn answer(question: &Message, data: impl IntoIterator<Item = RData>) -> Reply {
    let mut message = question.clone().into_response();
    let name = question.queries[0].name().clone();
    message.add_answers(data.into_iter().map(|data| Record::from_rdata(name.clone(), 300, data)));
    Reply::Message(Box::new(message))
}

fn text(text: &str) -> RData {
    let strings = text.as_bytes().chunks(255).map(|string| String::from_utf8(string.to_vec()).unwrap());
    RData::TXT(TXT::new(strings.collect()))
}

#[tokio::test]
async fn a_signed_zone_answers_for_both_families_and_for_odd_names() {
    let zones = Zones::start(&[
        Zone::signed(
            "example.",
            "mail 300 IN TXT \"v=spf1 a:_a.example mx:_m.example exi\" \"sts:%{ir}._e.example -all exp=_why.example\"
_a 300 IN A 198.51.100.1
_m 300 IN MX 10 mx.example.
mx 300 IN A 192.0.2.1
mx 300 IN AAAA 2001:db8::1
3.2.0.192._e 300 IN A 127.0.0.2
_why 300 IN TXT \"not %{i}\"
",
        ),
        Zone::signed("forged.", "").forged("www 300 IN TXT \"v=spf1 +all\"\n"),
    ])
    .await;
    let resolver = Resolver::new(&zones.config()).unwrap();
    let at = |ip| Client { ip, hello: "mail.example", from: "" };
    for (ip, mechanism) in
        [("192.0.2.1", "mx:_m.example"), ("2001:db8::1", "mx:_m.example"), ("192.0.2.3", "exists:%{ir}._e.example")]
    {
        let outcome = at(ip).at(&resolver).await;
        assert_eq!((outcome.result, outcome.mechanism.as_deref()), (SpfResult::Pass, Some(mechanism)), "{ip}");
    }
    let outcome = at("192.0.2.4").at(&resolver).await;
    assert_eq!((outcome.result, outcome.explanation.as_deref()), (SpfResult::Fail, Some("not 192.0.2.4")));

    let forged = greeting(&zones.config(), "www.forged").await;
    assert_eq!(forged.result, SpfResult::TempError, "{}", forged.why);
    assert!(forged.why.contains("DNSSEC"), "{}", forged.why);
    zones.fault("mail.example.", Some(RecordType::TXT), Fault::Refused);
    assert_eq!(greeting(&zones.config(), "mail.example").await.result, SpfResult::TempError);
    zones.fault("mail.example.", Some(RecordType::TXT), Fault::Silence);
    assert_eq!(greeting(&zones.config(), "mail.example").await.result, SpfResult::TempError);
}

#[tokio::test]
async fn names_that_macros_make_are_asked_for_as_they_are() {
    let server = Raw::start(|question| {
        let name = question.queries[0].name();
        let first = name.iter().next().unwrap_or_default();
        match question.queries[0].query_type() {
            RecordType::TXT => answer(question, [text("v=spf1 exists:a%_b%%%-;c.x.example -all")]),
            RecordType::A if first == b"a b%%20;c" => answer(question, [RData::A(A::new(127, 0, 0, 2))]),
            _ => answer(question, []),
        }
    })
    .await;
    assert_eq!(greeting(&server.config(), "mail.example").await.result, SpfResult::Pass);
}

#[tokio::test]
async fn a_server_that_leads_on_for_ever_is_asked_eleven_times() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let server = Raw::start(|question| {
        let count = ASKED.fetch_add(1, Ordering::SeqCst);
        answer(question, [text(&format!("v=spf1 include:n{count}.example redirect=r{count}.example"))])
    })
    .await;
    assert_eq!(greeting(&server.config(), "mail.example").await.result, SpfResult::PermError);
    assert_eq!(ASKED.load(Ordering::SeqCst), SPF_LOOKUP_TERMS_MAX + 1);
}

#[tokio::test]
async fn answers_that_are_huge_or_nonsense_never_pass() {
    let server = Raw::start(|question| {
        let name = question.queries[0].name().to_ascii();
        match name.split('.').next().unwrap() {
            "huge" => answer(question, [text(&format!("v=spf1 {} +all", "ip4:192.0.2.1 ".repeat(4_000)))]),
            "large" => answer(question, [text(&format!("v=spf1 {} -all", "ip4:198.51.100.1 ".repeat(300)))]),
            "several" => answer(question, (0..300).map(|n| text(&format!("v=spf1 ip4:192.0.2.{}", n % 256)))),
            "flood" => answer(question, (0..=DNS_ANSWER_RECORDS_MAX).map(|n| text(&format!("{n}")))),
            "bytes" => Reply::Bytes(vec![0xff; 600]),
            "binary" => answer(question, [RData::TXT(TXT::from_bytes(vec![b"v=spf1 +all\0", b"\xff\r\n"]))]),
            _ => Reply::Silence,
        }
    })
    .await;
    let config = server.config();
    for (hello, result) in [
        ("huge.example", SpfResult::PermError),
        ("large.example", SpfResult::Fail),
        ("several.example", SpfResult::PermError),
        ("flood.example", SpfResult::TempError),
        ("bytes.example", SpfResult::TempError),
        ("binary.example", SpfResult::PermError),
        ("silent.example", SpfResult::TempError),
    ] {
        let outcome = greeting(&config, hello).await;
        assert_eq!(outcome.result, result, "{hello}: {}", outcome.why);
    }
}
