//! Servers that lie, flood, lead in circles or say nothing: each is bounded, and told as what it is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

use mailward_core::Domain;
use mailward_core::limits::{
    DNS_ALIASES_MAX, DNS_ANSWER_RECORDS_MAX, DNS_LOOKUPS_AT_ONCE, DNS_QUESTIONS_MAX, DNS_STRANGERS_AT_ONCE,
};
use mailward_dns::{Lookup, LookupError, Name, Resolver};
use mailward_dns_zone::proto::op::{Message, ResponseCode};
use mailward_dns_zone::proto::rr::rdata::{A, CNAME, MX, NULL, SOA, SRV, TXT};
use mailward_dns_zone::proto::rr::{Name as WireName, RData, Record, RecordType};
use mailward_dns_zone::{Raw, Reply, Zone, Zones};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn wire(text: &str) -> WireName {
    WireName::from_ascii(text).unwrap()
}

/// An answer with these records for the name that was asked for.
fn answer(question: &Message, ttl: u32, data: impl IntoIterator<Item = RData>) -> Reply {
    let mut message = question.clone().into_response();
    let name = question.queries[0].name().clone();
    message.add_answers(data.into_iter().map(|data| Record::from_rdata(name.clone(), ttl, data)));
    Reply::Message(Box::new(message))
}

fn asked(question: &Message) -> (String, RecordType) {
    (question.queries[0].name().to_ascii(), question.queries[0].query_type())
}

fn address(number: usize) -> RData {
    RData::A(A::from(std::net::Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap())))
}

async fn why(server: &Raw, name: &str) -> String {
    let mut config = server.config();
    config.timeout = 1;
    match Resolver::new(&config).unwrap().mx(&domain(name)).await {
        Err(LookupError::Temporary { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_large_answer_comes_whole_and_one_beyond_the_limit_not_at_all() {
    let server = Raw::start(|question| {
        let number = if asked(question).0 == "many." { DNS_ANSWER_RECORDS_MAX } else { DNS_ANSWER_RECORDS_MAX + 1 };
        answer(question, 300, (0..number).map(address))
    })
    .await;
    let resolver = Resolver::new(&server.config()).unwrap();
    let found = resolver.listed(&Name::parse("many").unwrap()).await.unwrap();
    assert_eq!(found.records.len(), DNS_ANSWER_RECORDS_MAX);
    let error = resolver.listed(&Name::parse("toomany").unwrap()).await.unwrap_err();
    assert!(matches!(&error, LookupError::Temporary { why, .. } if why.contains("records")), "{error:?}");
}

#[tokio::test]
async fn aliases_end_at_their_limit_over_many_answers_and_within_one() {
    let questions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&questions);
    let server = Raw::start(move |question| {
        count.fetch_add(1, Ordering::SeqCst);
        let (name, _) = asked(question);
        let label = name.split('.').next().unwrap();
        if let Some(left) = label.strip_prefix('n').and_then(|n| n.parse::<usize>().ok()) {
            return match left {
                0 => answer(question, 300, [RData::MX(MX::new(10, wire("mx.")))]),
                left => answer(question, 300, [RData::CNAME(CNAME(wire(&format!("n{}.", left - 1))))]),
            };
        }
        if label == "endless" {
            let next = format!("endless.x{name}");
            return answer(question, 300, [RData::CNAME(CNAME(wire(&next)))]);
        }
        // All at once.
        let mut message = question.clone().into_response();
        let mut at = question.queries[0].name().clone();
        for step in 0..DNS_ALIASES_MAX + 1 {
            let next = wire(&format!("in{step}."));
            message.add_answer(Record::from_rdata(at, 300, RData::CNAME(CNAME(next.clone()))));
            at = next;
        }
        message.add_answer(Record::from_rdata(at, 300, RData::MX(MX::new(10, wire("mx.")))));
        Reply::Message(Box::new(message))
    })
    .await;
    let resolver = Resolver::new(&server.config()).unwrap();
    let found = resolver.mx(&domain(&format!("n{DNS_ALIASES_MAX}"))).await.unwrap();
    assert_eq!(found.alias.unwrap().target.as_str(), "n0");
    for name in [format!("n{}", DNS_ALIASES_MAX + 1), "endless".to_owned(), "inside".to_owned()] {
        let before = questions.load(Ordering::SeqCst);
        assert!(why(&server, &name).await.contains("aliases"), "{name}");
        assert!(questions.load(Ordering::SeqCst) - before <= DNS_ALIASES_MAX + 2, "{name}");
    }
}

#[tokio::test]
async fn services_and_authorities_of_a_liar_are_bounded_and_junk_in_them_is_no_answer() {
    let server = Raw::start(|question| match asked(question).0.as_str() {
        "many." => answer(
            question,
            300,
            (0..=DNS_ANSWER_RECORDS_MAX).map(|n| RData::SRV(SRV::new(0, 0, 993, wire(&format!("h{n}."))))),
        ),
        "odd." => answer(
            question,
            300,
            [RData::SRV(SRV::new(0, 0, 0, WireName::from_labels([&b"\0\x1b[2J"[..], b"x"]).unwrap()))],
        ),
        "short." => {
            answer(question, 300, [RData::Unknown { code: asked(question).1, rdata: NULL::with(vec![0, 1, 2]) }])
        }
        _ => answer(question, 300, [RData::CNAME(CNAME(question.queries[0].name().clone()))]),
    })
    .await;
    let resolver = Resolver::new(&server.config()).unwrap();
    let name = |text: &str| Name::parse(text).unwrap();
    let error = resolver.srv(&name("many")).await.unwrap_err();
    assert!(matches!(&error, LookupError::Temporary { why, .. } if why.contains("records")), "{error:?}");
    let found = resolver.srv(&name("odd")).await.unwrap();
    assert!(found.records[0].host().is_none() && !found.records[0].target.chars().any(char::is_control));
    for lying in ["short", "self"] {
        assert!(resolver.srv(&name(lying)).await.unwrap_err().is_temporary(), "{lying}");
        assert!(resolver.caa(&name(lying)).await.unwrap_err().is_temporary(), "{lying}");
    }
}

#[tokio::test]
async fn a_name_with_two_aliases_or_one_of_itself_is_nonsense() {
    let server = Raw::start(|question| match asked(question).0.as_str() {
        "two." => answer(question, 300, [RData::CNAME(CNAME(wire("a."))), RData::CNAME(CNAME(wire("b.")))]),
        _ => answer(question, 300, [RData::CNAME(CNAME(question.queries[0].name().clone()))]),
    })
    .await;
    assert!(why(&server, "two").await.contains("several names"));
    assert!(why(&server, "self").await.contains("circle"));
}

#[tokio::test]
async fn records_of_other_names_and_other_sections_are_not_the_answer() {
    let server = Raw::start(|question| {
        let mut message = question.clone().into_response();
        let mine = || RData::MX(MX::new(10, wire("evil.")));
        message.add_answer(Record::from_rdata(wire("other."), 300, mine()));
        message.add_authority(Record::from_rdata(question.queries[0].name().clone(), 300, mine()));
        message.add_additional(Record::from_rdata(question.queries[0].name().clone(), 300, mine()));
        Reply::Message(Box::new(message))
    })
    .await;
    let resolver = Resolver::new(&server.config()).unwrap();
    let error = resolver.mx(&domain("mine")).await.unwrap_err();
    assert!(matches!(error, LookupError::NoRecords { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_to_another_question_or_of_junk_is_no_answer() {
    let server = Raw::start(|question| {
        if asked(question).0 == "junk." {
            return Reply::Bytes(vec![0xff; 600]);
        }
        let mut other = question.clone();
        other.queries[0].set_name(wire("other."));
        answer(&other, 300, [RData::MX(MX::new(10, wire("evil.")))])
    })
    .await;
    for name in ["mine", "junk"] {
        assert!(!why(&server, name).await.is_empty());
    }
}

#[tokio::test]
async fn silence_ends_and_is_not_asked_again_at_once() {
    let questions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&questions);
    let server = Raw::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::Silence
    })
    .await;
    let mut config = server.config();
    config.timeout = 1;
    let resolver = Resolver::new(&config).unwrap();
    let first = resolver.mx(&domain("silent")).await.unwrap_err();
    assert!(first.is_temporary() && first.to_string().contains("MX of silent"), "{first}");
    let asked = questions.load(Ordering::SeqCst);
    assert_eq!(resolver.mx(&domain("silent")).await.unwrap_err(), first);
    assert_eq!(questions.load(Ordering::SeqCst), asked);
}

#[tokio::test(start_paused = true)]
async fn a_whole_lookup_has_its_time_whatever_its_tries_take() {
    let server = Raw::start(|_| Reply::Silence).await;
    let mut config = server.config();
    config.timeout = 20;
    let error = Resolver::new(&config).unwrap().mx(&domain("silent")).await.unwrap_err();
    assert!(
        matches!(&error, LookupError::Temporary { why, .. } if why.contains("no whole answer within")),
        "{error:?}"
    );
}

#[tokio::test]
async fn more_lookups_than_may_be_on_their_way_wait_their_turn() {
    let server = Raw::start(|question| answer(question, 300, [address(1)])).await;
    let resolver = Resolver::new(&server.config()).unwrap();
    let all = (0..2 * DNS_LOOKUPS_AT_ONCE).map(|n| {
        let resolver = resolver.clone();
        tokio::spawn(async move { resolver.listed(&Name::parse(&format!("n{n}")).unwrap()).await })
    });
    for lookup in all.collect::<Vec<_>>() {
        assert_eq!(lookup.await.unwrap().unwrap().records.len(), 1);
    }
}

#[tokio::test]
async fn what_strangers_have_asked_takes_no_place_from_those_who_send() {
    let server = Raw::start(|question| {
        let name = question.queries[0].name().to_ascii();
        if name.ends_with("slow.") { Reply::Silence } else { answer(question, 300, [address(1)]) }
    })
    .await;
    let resolver = Resolver::new(&server.config()).unwrap();
    let strangers = resolver.for_strangers();
    let flood = (0..2 * DNS_STRANGERS_AT_ONCE).map(|n| {
        let strangers = strangers.clone();
        tokio::spawn(async move { strangers.listed(&Name::parse(&format!("n{n}.slow")).unwrap()).await })
    });
    let flood: Vec<_> = flood.collect();
    tokio::task::yield_now().await;
    assert_eq!(resolver.listed(&Name::parse("good").unwrap()).await.unwrap().records.len(), 1);
    assert_eq!(strangers.listed(&Name::parse("good").unwrap()).await.unwrap().records.len(), 1, "that is remembered");
    assert!(flood.iter().all(|one| !one.is_finished()));
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_server_that_isnt_there_is_temporary() {
    let server = Raw::start(|_| Reply::Silence).await;
    let mut config = server.config();
    drop(server);
    config.timeout = 1;
    let resolver = Resolver::new(&config).unwrap();
    assert!(resolver.mx(&domain("nobody")).await.unwrap_err().is_temporary());
}

#[tokio::test]
async fn a_second_server_answers_when_the_first_is_silent() {
    let silent = Raw::start(|_| Reply::Silence).await;
    let good = Raw::start(|question| answer(question, 300, [address(1)])).await;
    let mut config = silent.config();
    config.servers.push(good.address());
    config.timeout = 2;
    let resolver = Resolver::new(&config).unwrap();
    assert_eq!(resolver.listed(&Name::parse("a.example").unwrap()).await.unwrap().records.len(), 1);
}

#[tokio::test]
async fn times_are_kept_within_bounds() {
    let server = Raw::start(|question| {
        let (name, _) = asked(question);
        let ttl = if name.starts_with("for-ever") { u32::MAX >> 1 } else { 0 };
        if name.starts_with("gone") {
            let mut message = question.clone().into_response();
            message.metadata.response_code = ResponseCode::NXDomain;
            let soa = SOA::new(wire("ns."), wire("hostmaster."), 1, 1, 1, 1, u32::MAX >> 1);
            message.add_authority(Record::from_rdata(wire("gone."), u32::MAX >> 1, RData::SOA(soa)));
            return Reply::Message(Box::new(message));
        }
        answer(question, ttl, [RData::TXT(TXT::new(vec!["x".to_owned()]))])
    })
    .await;
    let resolver = Resolver::new(&server.config()).unwrap();
    let now = std::time::Instant::now();
    let long = resolver.txt(&Name::parse("for-ever").unwrap()).await.unwrap();
    assert!(long.valid_until <= std::time::Instant::now() + mailward_core::limits::DNS_TTL_MAX);
    let short = resolver.txt(&Name::parse("at-once").unwrap()).await.unwrap();
    assert!(short.valid_until >= now + mailward_core::limits::DNS_TTL_MIN);
    match resolver.txt(&Name::parse("gone").unwrap()).await {
        Err(LookupError::NoName { valid_until, .. }) => {
            assert!(valid_until <= std::time::Instant::now() + mailward_core::limits::DNS_NEGATIVE_TTL_MAX);
        }
        other => panic!("{other:?}"),
    }
}

/// A chain of signed answers whose every name lies in a zone of its own, each with keys and a delegation to be fetched.
#[tokio::test]
async fn a_lookup_costs_no_more_questions_than_its_limit() {
    let mut zones = Vec::new();
    for number in 0..=DNS_ALIASES_MAX {
        let (here, next) = (format!("z{number}."), format!("x.z{}.", number + 1));
        zones.push(Zone::signed(&here, &format!("x 300 IN CNAME {next}\n")));
    }
    let zones = Zones::start(&zones).await;
    let resolver = Resolver::new(&zones.config()).unwrap();
    assert!(resolver.mx(&domain("x.z0")).await.is_err());
    assert!(zones.questions() <= DNS_QUESTIONS_MAX, "{}", zones.questions());
}
