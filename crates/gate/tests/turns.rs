//! Strangers who have the DNS asked more than they may, and those beside them.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, missing_docs, reason = "tests")]

use mailward_core::config::{ListKind, ListLine, Lists};
use mailward_core::event::Events;
use mailward_core::limits::{
    INQUIRIES_MAX, INQUIRIES_PER_HOST_MAX, LIST_LOOKUPS_AT_ONCE, LIST_LOOKUPS_PER_HOST_MAX, LIST_TIME,
    LOOKUP_TURN_TIME, NAME_LOOKUPS_AT_ONCE, NAME_LOOKUPS_PER_HOST_MAX,
};
use mailward_core::{Clock, Domain, Timestamp};
use mailward_dns_zone::Records;
use mailward_gate::{Asked, Reputation, ReputationParts, SenderDomain, SenderStanding, Silence};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(120);
const NEVER: Duration = Duration::from_secs(3_600);
const HONEST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
}

/// A host in a network of its own.
fn stranger(n: usize) -> IpAddr {
    let [high, low] = u16::try_from(n).unwrap().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(203, high, low, 1))
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// `good.example` is there; below `slow.example` nobody answers.
fn records() -> Records {
    Records::default()
        .mx("good.example", "mx.good.example")
        .address("mx.good.example", "203.0.113.25")
        .slow("slow.example", NEVER)
}

async fn house(records: Records, hosts: &[&str], domains: &[&str]) -> (Arc<Reputation>, Arc<Records>, Events) {
    let (records, events) = (Arc::new(records), Events::memory());
    let lines =
        |lines: &[&str], kind| lines.iter().map(|line| ListLine::parse(line, kind).unwrap()).collect::<Vec<_>>();
    let reputation = Reputation::new(ReputationParts {
        lookup: records.clone(),
        lists: &Lists {
            hosts: lines(hosts, ListKind::Hosts),
            domains: lines(domains, ListKind::Domains),
            ..Lists::default()
        },
        shelf: None,
        trial: false,
        clock: Arc::new(Noon),
        events: events.clone(),
    });
    reputation.look_at_those_due().await;
    (reputation, records, events)
}

fn names_slow(reputation: &Arc<Reputation>, ip: IpAddr, n: usize) -> Asked<SenderStanding> {
    reputation.sender(ip, &domain(&format!("n{n}.slow.example")))
}

#[tokio::test(start_paused = true)]
async fn one_host_that_names_slow_domains_keeps_nobody_else_from_being_known() {
    let (reputation, records, events) = house(records(), &[], &[]).await;
    let greedy = stranger(0);
    // MAIL and RSET, again and again: nobody waits for the answers, so nobody is asked any more.
    for n in 0..10 * INQUIRIES_MAX {
        drop(names_slow(&reputation, greedy, n));
        if n % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // And as many sessions as it likes that wait.
    let waiting: Vec<_> = (0..200).map(|n| names_slow(&reputation, greedy, n)).collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(records.most_at_once(), NAME_LOOKUPS_PER_HOST_MAX);
    // Also of the domain that the other asked about first.
    let held_up = reputation.sender(greedy, &domain("good.example"));
    assert_eq!(held_up.wait(LONG).await.domain, SenderDomain::Unknown, "its own matter: it may come again");
    let honest = reputation.sender(HONEST, &domain("good.example")).wait(Duration::from_secs(1)).await;
    assert_eq!(honest.domain, SenderDomain::Exists);
    assert!(waiting.iter().skip(INQUIRIES_PER_HOST_MAX).all(|asked| asked.now().domain == SenderDomain::Unknown));
    let told = events.lines().iter().filter(|line| line.contains("warn strangers.not_asked_about")).count();
    assert_eq!(told, 1, "{:?}", events.lines());
}

#[tokio::test(start_paused = true)]
async fn when_all_turns_are_taken_a_sender_isn_t_asked_about_and_that_isn_t_its_fault() {
    let (reputation, records, _) = house(records(), &[], &["rhs.example 4 test=none"]).await;
    let crowd = |first: usize, hosts: usize| {
        (0..hosts * INQUIRIES_PER_HOST_MAX)
            .map(|n| names_slow(&reputation, stranger(n / INQUIRIES_PER_HOST_MAX), first + n))
            .collect::<Vec<_>>()
    };
    let waiting = crowd(0, 40);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let honest = reputation.sender(HONEST, &domain("good.example")).wait(LONG).await;
    assert_eq!(honest.domain, SenderDomain::NotAsked);
    assert!(records.most_at_once() <= NAME_LOOKUPS_AT_ONCE + LIST_LOOKUPS_AT_ONCE);
    drop(waiting);
    // What wasn't asked isn't remembered.
    let honest = reputation.sender(HONEST, &domain("good.example")).wait(LONG).await;
    assert_eq!(honest.domain, SenderDomain::Exists);
    let _waiting = crowd(10_000, INQUIRIES_MAX / INQUIRIES_PER_HOST_MAX);
    let standing = reputation.sender(HONEST, &domain("other.example")).now();
    assert_eq!(standing.domain, SenderDomain::NotAsked);
    assert!(standing.unanswered.iter().all(|one| one.why == Silence::NoTurn));
}

#[tokio::test(start_paused = true)]
async fn a_list_isn_t_sent_to_rest_for_questions_that_waited_for_our_own_turn() {
    // It answers as late as it may.
    let late = LIST_TIME - Duration::from_millis(10);
    let records = Records::default().address("2.0.0.127.bl.example", "127.0.0.2").slow("bl.example", late);
    let (reputation, records, events) = house(records, &["bl.example 5"], &[]).await;
    let hosts = 3 * LIST_LOOKUPS_AT_ONCE;
    let all: Vec<_> = (0..hosts).map(|n| reputation.begin(stranger(n))).collect();
    let mut not_asked = 0;
    for asked in &all {
        let standing = asked.wait(LONG).await;
        assert!(standing.unanswered.iter().all(|one| one.why == Silence::NoTurn), "{standing:?}");
        not_asked += standing.unanswered.len();
    }
    assert!(not_asked < LIST_LOOKUPS_AT_ONCE && hosts - not_asked >= 2 * LIST_LOOKUPS_AT_ONCE, "{not_asked}");
    assert!(late * 2 < LOOKUP_TURN_TIME, "two thirds waited longer than the list's own time");
    assert!(!events.lines().iter().any(|line| line.contains("list.rests")), "{:?}", events.lines());
    assert!(!reputation.lists().iter().any(|list| list.rests || list.silent > 0));
    assert!(records.most_at_once() <= LIST_LOOKUPS_AT_ONCE + NAME_LOOKUPS_AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn one_host_has_lists_asked_so_often_at_once_and_others_still_hear_of_themselves() {
    let records = Records::default()
        .address("2.0.0.127.bl.example", "127.0.0.2")
        .address("7.2.0.192.bl.example", "127.0.0.2")
        .slow("slow.example", Duration::ZERO);
    let rhs: Vec<String> = (0..16).map(|n| format!("rhs{n}.example 1 test=none")).collect();
    let rhs: Vec<&str> = rhs.iter().map(String::as_str).collect();
    let records = (0..16).fold(records, |records, n| records.slow(&format!("slow.example.rhs{n}.example"), NEVER));
    let (reputation, records, _) = house(records, &["bl.example 5"], &rhs).await;
    let before = records.most_at_once();
    let _waiting: Vec<_> = (0..INQUIRIES_PER_HOST_MAX).map(|n| names_slow(&reputation, stranger(0), n)).collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(records.most_at_once() <= before.max(LIST_LOOKUPS_PER_HOST_MAX + NAME_LOOKUPS_PER_HOST_MAX));
    assert_eq!(reputation.begin(HONEST).wait(Duration::from_secs(1)).await.weight(), 5);
}
