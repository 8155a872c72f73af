//! Names of clients, greetings and senders' domains, asked of a DNS server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

mod world;

use mailward_core::config::Lists;
use mailward_core::event::Events;
use mailward_core::limits::{REVERSE_NAMES_MAX, SENDER_HOSTS_MAX};
use mailward_dns::NoDns;
use mailward_dns_zone::proto::op::{Message, ResponseCode};
use mailward_dns_zone::proto::rr::rdata::PTR;
use mailward_dns_zone::proto::rr::{Name as WireName, RData, Record, RecordType};
use mailward_gate::{Reputation, ReputationParts, Reverse, SenderDomain};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::net::UdpSocket;
use world::{Has, LONG, Noon, World, address, domain, ip, lists};

/// Who names a sender.
const CLIENT: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 25));

#[tokio::test]
async fn a_name_counts_if_it_leads_back() {
    let world = World::start().await;
    world.reverse("198.51.100.1", &["mail.example"]);
    world.addresses("mail.example", &["198.51.100.99", "198.51.100.1"]);
    world.reverse("198.51.100.2", &["bank.example"]);
    world.addresses("bank.example", &["203.0.113.1"]);
    world.reverse("198.51.100.3", &["other.example", "second.example"]);
    world.addresses("second.example", &["198.51.100.3"]);
    world.reverse("2001:db8::4", &["six.example"]);
    world.addresses("six.example", &["2001:db8::4", "203.0.113.4"]);
    world.reverse("198.51.100.5", &["broken.example"]);
    world.set("broken.example", Has::Failure);
    world.reverse("198.51.100.6", &["six.example"]);
    world.set("7.100.51.198.in-addr.arpa", Has::Failure);
    let (reputation, _) = world.reputation(&[], &[]);
    for (address, reverse) in [
        ("198.51.100.1", Reverse::Confirmed(domain("mail.example"))),
        ("198.51.100.2", Reverse::Unconfirmed(domain("bank.example"))),
        ("198.51.100.3", Reverse::Confirmed(domain("second.example"))),
        ("2001:db8::4", Reverse::Confirmed(domain("six.example"))),
        ("198.51.100.5", Reverse::Unknown),
        ("198.51.100.6", Reverse::Unconfirmed(domain("six.example"))),
        ("198.51.100.7", Reverse::Unknown),
        ("198.51.100.8", Reverse::None),
    ] {
        let inquiry = reputation.begin(ip(address));
        assert_eq!(inquiry.reverse(LONG).await, reverse, "{address}");
        assert_eq!(inquiry.wait(LONG).await.reverse, reverse, "{address}");
    }
}

#[tokio::test]
async fn names_beyond_the_limit_are_not_looked_at() {
    let world = World::start().await;
    let names: Vec<String> = (0..=REVERSE_NAMES_MAX).map(|n| format!("n{n}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.reverse("198.51.100.1", &names);
    world.addresses(names[REVERSE_NAMES_MAX], &["198.51.100.1"]);
    world.reverse("198.51.100.2", &names[..REVERSE_NAMES_MAX]);
    world.addresses(names[REVERSE_NAMES_MAX - 1], &["198.51.100.2"]);
    let (reputation, _) = world.reputation(&[], &[]);
    assert_eq!(
        reputation.begin(ip("198.51.100.1")).wait(LONG).await.reverse,
        Reverse::Unconfirmed(domain("n0.example"))
    );
    let asked = world.asked().iter().filter(|asked| asked.starts_with("A ")).count();
    assert_eq!(asked, REVERSE_NAMES_MAX);
    let confirmed = Reverse::Confirmed(domain(names[REVERSE_NAMES_MAX - 1]));
    assert_eq!(reputation.begin(ip("198.51.100.2")).wait(LONG).await.reverse, confirmed);
}

#[tokio::test]
async fn a_name_made_of_the_address_is_a_sign_and_a_listed_name_counts_once_it_is_confirmed() {
    let world = World::start().await;
    world.domain_list("rhs.example");
    world.addresses("spam.example.rhs.example", &["127.0.1.2"]);
    world.reverse("198.51.100.7", &["ip-198-51-100-7.dyn.example"]);
    world.reverse("198.51.100.8", &["spam.example"]);
    world.reverse("198.51.100.9", &["spam.example"]);
    world.addresses("spam.example", &["198.51.100.8"]);
    let (reputation, _) = world.reputation(&[], &["rhs.example 4"]);
    reputation.look_at_those_due().await;
    let standing = reputation.begin(ip("198.51.100.7")).wait(LONG).await;
    assert!(standing.generated && standing.listed.is_empty());
    let standing = reputation.begin(ip("198.51.100.8")).wait(LONG).await;
    assert_eq!((standing.generated, standing.weight()), (false, 4));
    assert_eq!(standing.listed[0].to_string(), "spam.example on rhs.example (127.0.1.2)");
    // Anybody can write another's name there.
    assert_eq!(reputation.begin(ip("198.51.100.9")).wait(LONG).await.weight(), 0);
}

#[tokio::test]
async fn a_greeting_is_confirmed_by_its_addresses_and_looked_for_on_lists() {
    let world = World::start().await;
    world.domain_list("rhs.example");
    world.addresses("spam.example.rhs.example", &["127.0.1.2"]);
    world.addresses("mail.example", &["198.51.100.7", "2001:db8::7"]);
    world.set("broken.example", Has::Failure);
    let (reputation, _) = world.reputation(&[], &["rhs.example 4"]);
    reputation.look_at_those_due().await;
    for (address, name, confirmed, weight) in [
        ("198.51.100.7", "mail.example", Some(true), 0),
        ("2001:db8::7", "mail.example", Some(true), 0),
        ("198.51.100.8", "mail.example", Some(false), 0),
        ("198.51.100.7", "nowhere.example", Some(false), 0),
        ("198.51.100.7", "broken.example", None, 0),
        ("198.51.100.7", "spam.example", Some(false), 4),
    ] {
        let standing = reputation.hello(ip(address), &domain(name)).wait(LONG).await;
        assert_eq!((standing.confirmed, standing.weight()), (confirmed, weight), "{address} {name}");
    }
}

#[tokio::test]
async fn a_senders_domain_can_be_answered_or_not() {
    let world = World::start().await;
    world.domain_list("rhs.example");
    world.addresses("alone.example.rhs.example", &["127.0.1.2"]);
    world.mx("good.example", &["missing.example", "mx.example"]);
    world.addresses("mx.example", &["203.0.113.25"]);
    world.addresses("alone.example", &["2001:db8::25"]);
    world.mx("null.example", &["."]);
    world.mx("inside.example", &["in1.example", "in2.example", "in6.example"]);
    world.addresses("in1.example", &["127.0.0.1"]);
    world.addresses("in2.example", &["10.0.0.1", "192.168.0.1", "0.0.0.0"]);
    world.addresses("in6.example", &["::1", "fe80::1"]);
    world.mx("gone.example", &["missing.example"]);
    world.set("empty.example", Has::Records(Vec::new()));
    world.mx("later.example", &["missing.example", "broken.example"]);
    world.set("broken.example", Has::Failure);
    let many: Vec<String> = (0..=SENDER_HOSTS_MAX).map(|n| format!("m{n}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    world.mx("many.example", &many);
    world.addresses(many[SENDER_HOSTS_MAX], &["203.0.113.1"]);
    let (reputation, _) = world.reputation(&[], &["rhs.example 4"]);
    reputation.look_at_those_due().await;
    for (name, found) in [
        ("good.example", SenderDomain::Exists),
        ("alone.example", SenderDomain::Exists),
        ("null.example", SenderDomain::NullMx),
        ("inside.example", SenderDomain::Nowhere),
        ("gone.example", SenderDomain::Nowhere),
        ("empty.example", SenderDomain::Nowhere),
        ("many.example", SenderDomain::Nowhere),
        ("nothing.example", SenderDomain::NoDomain),
        ("later.example", SenderDomain::Unknown),
        ("broken.example", SenderDomain::Unknown),
    ] {
        let standing = reputation.sender(CLIENT, &domain(name)).wait(LONG).await;
        assert_eq!(standing.domain, found, "{name}");
        assert_eq!(standing.weight(), if name == "alone.example" { 4 } else { 0 }, "{name}");
    }
}

#[tokio::test]
async fn in_trials_a_mail_host_may_be_anywhere_and_without_a_dns_nothing_is_known() {
    let world = World::start().await;
    world.addresses("lab.example", &["10.0.0.1"]);
    let parts = |lookup: Arc<dyn mailward_dns::Lookup>| {
        Reputation::new(ReputationParts {
            lookup,
            lists: &Lists::default(),
            shelf: None,
            trial: true,
            clock: Arc::new(Noon),
            events: Events::nowhere(),
        })
    };
    let trial = parts(Arc::new(world.resolver()));
    assert_eq!(trial.sender(CLIENT, &domain("lab.example")).wait(LONG).await.domain, SenderDomain::Exists);
    let nobody = parts(Arc::new(NoDns));
    assert_eq!(nobody.sender(CLIENT, &domain("lab.example")).wait(LONG).await.domain, SenderDomain::Unknown);
    assert_eq!(nobody.begin(ip("198.51.100.7")).wait(LONG).await.reverse, Reverse::Unknown);
}

/// Answers nothing before all questions of a round have arrived: who asks one after the other never gets an answer.
async fn rounds(socket: UdpSocket, rounds: Vec<BTreeSet<String>>, answers: impl Fn(&Message) -> Vec<RData>) -> usize {
    let mut buffer = [0; 4_096];
    for (done, round) in rounds.iter().enumerate() {
        let (mut missing, mut waiting) = (round.clone(), Vec::new());
        while !missing.is_empty() {
            let received =
                tokio::time::timeout(std::time::Duration::from_secs(30), socket.recv_from(&mut buffer)).await;
            let Ok(Ok((length, from))) = received else { return done };
            let question = Message::from_vec(&buffer[..length]).unwrap();
            missing.remove(&words(&question));
            waiting.push((question, from));
        }
        for (question, from) in waiting {
            let mut message = question.clone().into_response();
            let name = question.queries[0].name().clone();
            let data = answers(&question);
            if data.is_empty() {
                message.metadata.response_code = ResponseCode::NXDomain;
            }
            message.add_answers(data.into_iter().map(|data| Record::from_rdata(name.clone(), 300, data)));
            message.metadata.id = question.metadata.id;
            socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
        }
    }
    rounds.len()
}

fn words(question: &Message) -> String {
    let query = &question.queries[0];
    format!("{} {}", query.query_type(), query.name().to_ascii().trim_end_matches('.'))
}

fn round(questions: &[&str]) -> BTreeSet<String> {
    questions.iter().map(|&question| question.to_owned()).collect()
}

#[tokio::test]
async fn everything_about_a_client_is_asked_at_once() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = mailward_core::config::Dns {
        servers: vec![socket.local_addr().unwrap()],
        dnssec: false,
        ..mailward_core::config::Dns::default()
    };
    let v6 = "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";
    let points: Vec<String> = ["a.example", "b.example", "c.example"]
        .iter()
        .flat_map(|zone| [format!("A 2.0.0.127.{zone}"), format!("A 1.0.0.127.{zone}"), format!("A {v6}.{zone}")])
        .collect();
    let expected = vec![
        points.into_iter().collect(),
        round(&[
            "PTR 7.100.51.198.in-addr.arpa",
            "A 7.100.51.198.a.example",
            "A 7.100.51.198.b.example",
            "A 7.100.51.198.c.example",
        ]),
        round(&["A mail.example"]),
    ];
    let server = tokio::spawn(rounds(socket, expected, |question| {
        let query = &question.queries[0];
        match query.query_type() {
            RecordType::PTR => vec![RData::PTR(PTR(WireName::from_ascii("mail.example.").unwrap()))],
            RecordType::A if words(question) == "A mail.example" => vec![address("198.51.100.7")],
            RecordType::A if words(question).starts_with("A 2.0.0.127") => vec![address("127.0.0.2")],
            RecordType::A if words(question).starts_with("A 7.100.51.198.b") => vec![address("127.0.0.2")],
            _ => Vec::new(),
        }
    }));
    let events = Events::memory();
    let reputation = Reputation::new(ReputationParts {
        lookup: Arc::new(mailward_dns::Resolver::new(&config).unwrap()),
        lists: &lists(&["a.example 1", "b.example 2", "c.example 4"], &[]),
        shelf: None,
        trial: false,
        clock: Arc::new(Noon),
        events: events.clone(),
    });
    reputation.look_at_those_due().await;
    let standing = reputation.begin(ip("198.51.100.7")).wait(LONG).await;
    assert_eq!(standing.reverse, Reverse::Confirmed(domain("mail.example")), "{:?}", events.lines());
    assert_eq!((standing.weight(), standing.unanswered.len()), (2, 0));
    assert_eq!(server.await.unwrap(), 3);
}
