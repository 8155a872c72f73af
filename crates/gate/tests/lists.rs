//! Lists in the DNS, asked of a DNS server: good ones, slow ones, dead ones, liars.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

mod world;

use mailward_core::event::Events;
use mailward_core::limits::{
    INQUIRY_KEPT_PART, LIST_CHECK_TIME, LIST_HEAL_TIME, LIST_REST_TIME, LIST_RETRY_TIME, LIST_SILENCES_MAX,
};
use mailward_core::shutdown;
use mailward_gate::{Fault, ListState, Reverse, Silence, Standing};
use mailward_store::{LocalStore, Options};
use std::sync::Arc;
use std::time::Duration;
use world::{Has, LONG, World, domain, ip, lists, pass};

fn listed(standing: &Standing) -> Vec<(&str, i32, Vec<String>)> {
    let mut all: Vec<_> = standing
        .listed
        .iter()
        .map(|one| (one.list.as_str(), one.weight, one.codes.iter().map(ToString::to_string).collect()))
        .collect();
    all.sort();
    all
}

fn silent(standing: &Standing) -> Vec<(&str, Silence)> {
    standing.unanswered.iter().map(|one| (one.list.as_str(), one.why)).collect()
}

fn said(events: &Events, part: &str) -> usize {
    events.lines().iter().filter(|line| line.contains(part)).count()
}

/// Who names a sender.
const CLIENT: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 25));

#[tokio::test]
async fn several_lists_say_what_they_have_by_weight_and_code() {
    let world = World::start().await;
    for zone in ["zen.example", "other.example", "allow.example", "clean.example"] {
        world.list(zone);
    }
    world.listed("zen.example", "198.51.100.7", &["127.0.0.4", "127.0.0.10"]);
    world.listed("other.example", "198.51.100.7", &["127.0.0.9"]);
    world.listed("allow.example", "198.51.100.7", &["127.0.7.3"]);
    world.listed("zen.example", "2001:db8::7", &["127.0.0.2"]);
    let lines = [
        "zen.example 5 127.0.0.2-127.0.0.9",
        "zen.example 2 127.0.0.10-11",
        "other.example 3 127.0.0.2",
        "allow.example -4 127.0.*.2-3",
        "clean.example 9",
    ];
    let (reputation, events) = world.reputation(&lines, &[]);
    reputation.look_at_those_due().await;
    let standing = reputation.begin(ip("198.51.100.7")).wait(LONG).await;
    let codes = |code: &str| vec![code.to_owned()];
    assert_eq!(
        listed(&standing),
        [
            ("allow.example", -4, codes("127.0.7.3")),
            ("zen.example", 2, codes("127.0.0.10")),
            ("zen.example", 5, codes("127.0.0.4")),
        ]
    );
    assert_eq!((standing.weight(), standing.unanswered.len()), (3, 0));
    let standing = reputation.begin(ip("2001:db8::7")).wait(LONG).await;
    assert_eq!(listed(&standing), [("zen.example", 5, codes("127.0.0.2"))]);
    let standing = reputation.begin(ip("198.51.100.8")).wait(LONG).await;
    assert_eq!((standing.listed.len(), standing.unanswered.len()), (0, 0));
    assert_eq!(said(&events, "alert "), 0, "{:?}", events.lines());
    let info = &reputation.lists()[0];
    assert_eq!((info.lines.len(), info.state, info.asked, info.listed), (2, ListState::On, 3, 2));
}

#[tokio::test]
async fn an_answer_is_remembered_and_asked_for_once() {
    let world = World::start().await;
    world.list("zen.example");
    let (reputation, _) = world.reputation(&["zen.example 5"], &[]);
    reputation.look_at_those_due().await;
    world.asked();
    let many: Vec<_> = (0..50).map(|_| reputation.begin(ip("198.51.100.7"))).collect();
    for inquiry in &many {
        inquiry.wait(LONG).await;
    }
    // As IPv4 inside IPv6 it is the same client.
    reputation.begin(ip("::ffff:198.51.100.7")).wait(LONG).await;
    let mut asked = world.asked();
    asked.sort();
    assert_eq!(asked, ["A 7.100.51.198.zen.example", "PTR 7.100.51.198.in-addr.arpa"]);
}

#[tokio::test]
async fn addresses_that_no_host_on_the_internet_has_are_not_asked_about() {
    let world = World::start().await;
    world.list("zen.example");
    let (reputation, _) = world.reputation(&["zen.example 5"], &["zen.example 5"]);
    for address in ["127.0.0.1", "::1", "10.0.0.7", "192.168.1.1", "fd00::1", "fe80::1", "::ffff:127.0.0.9"] {
        let standing = reputation.begin(ip(address)).now();
        assert_eq!((&standing.reverse, standing.listed.len()), (&Reverse::Unknown, 0), "{address}");
        assert_eq!(reputation.hello(ip(address), &domain("a.example")).now().confirmed, None);
    }
    assert!(world.asked().is_empty());
}

#[tokio::test]
async fn no_list_is_asked_before_its_test_points_were_right() {
    let world = World::start().await;
    world.list("zen.example");
    world.listed("zen.example", "198.51.100.7", &["127.0.0.2"]);
    let (reputation, events) = world.reputation(&["zen.example 5"], &[]);
    let standing = reputation.begin(ip("198.51.100.7")).wait(LONG).await;
    assert_eq!((standing.listed.len(), silent(&standing)), (0, vec![("zen.example", Silence::Untested)]));
    reputation.look_at_those_due().await;
    // What was said before isn't remembered.
    assert_eq!(reputation.begin(ip("198.51.100.7")).wait(LONG).await.weight(), 5);
    assert_eq!(said(&events, "info list.asked list=zen.example"), 1);
}

#[tokio::test]
async fn a_list_that_answers_everything_is_off_and_on_again_when_it_heals() {
    let world = World::start().await;
    world.list("zen.example");
    let (reputation, events) = world.reputation(&["zen.example 5"], &["zen.example 5 test=none"]);
    reputation.look_at_those_due().await;
    world.set("zen.example", Has::All(ip("127.0.0.2")));
    assert_eq!(reputation.begin(ip("198.51.100.7")).wait(LONG).await.weight(), 5);
    pass(LIST_CHECK_TIME).await;
    reputation.look_at_those_due().await;
    world.remove("2.0.0.127.zen.example");
    // Nobody is judged by it, nor by what it said.
    for address in ["198.51.100.7", "198.51.100.8"] {
        let standing = reputation.begin(ip(address)).wait(LONG).await;
        assert_eq!((standing.weight(), silent(&standing)), (0, vec![("zen.example", Silence::Off)]), "{address}");
    }
    assert_eq!(reputation.sender(CLIENT, &domain("any.example")).wait(LONG).await.weight(), 0);
    assert_eq!(said(&events, "alert list.switched_off list=zen.example"), 2, "{:?}", events.lines());
    assert_eq!(said(&events, "it would list everybody"), 2);
    // The same state is told once.
    pass(LIST_HEAL_TIME).await;
    reputation.look_at_those_due().await;
    assert_eq!(said(&events, "alert list.switched_off"), 2);
    world.remove("zen.example");
    world.list("zen.example");
    pass(LIST_HEAL_TIME).await;
    reputation.look_at_those_due().await;
    assert_eq!(said(&events, "alert list.switched_on list=zen.example"), 2, "{:?}", events.lines());
    let standing = reputation.begin(ip("198.51.100.8")).wait(LONG).await;
    assert_eq!((standing.listed.len(), standing.unanswered.len()), (0, 0));
}

#[tokio::test]
async fn a_list_that_answers_nothing_or_refuses_or_was_given_up_is_off_with_its_reason() {
    let world = World::start().await;
    world.set("refuses.example", Has::All(ip("127.255.255.254")));
    world.set("parked.example", Has::All(ip("192.0.2.1")));
    world.set("lies6.example", Has::Records(Vec::new()));
    world.list("lies6.example");
    world.listed("lies6.example", "::ffff:7f00:1", &["127.0.0.2"]);
    world.listed("lies6.example", "198.51.100.7", &["127.0.0.2"]);
    world.listed("lies6.example", "2001:db8::7", &["127.0.0.2"]);
    let zones = ["nothing.example 1", "refuses.example 1", "parked.example 1", "lies6.example 1"];
    let (reputation, events) =
        world.reputation(&zones, &["untested.example 1 test=none", "named.example 1 test=x.example"]);
    world.addresses("x.example.named.example", &["127.0.1.2"]);
    reputation.look_at_those_due().await;
    let states: Vec<_> = reputation.lists().into_iter().map(|info| info.state).collect();
    let off = |why| ListState::Off { why };
    assert_eq!(
        states,
        [
            off(Fault::AnswersNothing),
            off(Fault::Refuses(ip("127.255.255.254"))),
            off(Fault::Strange(ip("192.0.2.1"))),
            ListState::On,
            ListState::On,
            ListState::On,
        ]
    );
    assert_eq!(said(&events, "dns.servers"), 1);
    assert_eq!(said(&events, "alert list.ipv6_off list=lies6.example"), 1);
    assert_eq!(reputation.begin(ip("198.51.100.7")).wait(LONG).await.weight(), 1);
    let standing = reputation.begin(ip("2001:db8::7")).wait(LONG).await;
    assert!(standing.weight() == 0 && silent(&standing).contains(&("lies6.example", Silence::Off)));
}

#[tokio::test]
async fn an_answer_that_is_no_code_is_no_listing_and_has_the_list_looked_at() {
    let world = World::start().await;
    world.list("zen.example");
    world.listed("zen.example", "198.51.100.7", &["127.255.255.254"]);
    world.listed("zen.example", "198.51.100.8", &["127.0.0.2", "203.0.113.1"]);
    let (reputation, events) = world.reputation(&["zen.example 5"], &[]);
    let (trigger, word) = shutdown::channel();
    let keeper = tokio::spawn(Arc::clone(&reputation).keep(word));
    while reputation.lists()[0].state != ListState::On {
        tokio::task::yield_now().await;
    }
    for (address, code) in [("198.51.100.7", "127.255.255.254"), ("198.51.100.8", "203.0.113.1")] {
        let standing = reputation.begin(ip(address)).wait(LONG).await;
        assert_eq!((standing.weight(), silent(&standing)), (0, vec![("zen.example", Silence::Trouble(ip(code)))]));
    }
    world.set("zen.example", Has::All(ip("127.255.255.254")));
    world.remove("2.0.0.127.zen.example");
    pass(LIST_RETRY_TIME).await;
    reputation.begin(ip("198.51.100.9")).wait(LONG).await;
    while said(&events, "alert list.switched_off") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(reputation.lists()[0].trouble, 3);
    trigger.fire();
    keeper.await.unwrap();
}

#[tokio::test]
async fn a_list_that_is_dead_counts_against_nobody_and_soon_costs_nobody_time() {
    let world = World::start().await;
    for zone in ["dead.example", "fails.example", "good.example"] {
        world.list(zone);
    }
    world.listed("good.example", "198.51.100.1", &["127.0.0.2"]);
    let lines = ["dead.example 5 within=1", "good.example 1", "fails.example 5"];
    let (reputation, events) = world.reputation(&lines, &[]);
    reputation.look_at_those_due().await;
    world.set("dead.example", Has::Silence);
    world.set("fails.example", Has::Failure);
    let inquiries: Vec<_> = (1..=LIST_SILENCES_MAX).map(|n| reputation.begin(ip(&format!("198.51.100.{n}")))).collect();
    for inquiry in &inquiries {
        let standing = inquiry.wait(LONG).await;
        assert_eq!(silent(&standing), [("dead.example", Silence::Late), ("fails.example", Silence::Failed)]);
    }
    // Who is listed elsewhere is listed.
    assert_eq!(inquiries[0].now().weight(), 1);
    assert_eq!(said(&events, "warn list.rests list=dead.example"), 1);
    assert_eq!(said(&events, "warn list.rests list=fails.example"), 1);
    world.asked();
    let standing = reputation.begin(ip("198.51.100.99")).wait(LONG).await;
    assert_eq!(silent(&standing), [("dead.example", Silence::Resting), ("fails.example", Silence::Resting)]);
    assert!(!world.asked().iter().any(|asked| asked.contains("dead.example") || asked.contains("fails.example")));
    // It comes back by itself.
    world.remove("dead.example");
    world.remove("fails.example");
    pass(LIST_REST_TIME).await;
    let standing = reputation.begin(ip("198.51.100.98")).wait(LONG).await;
    assert!(standing.unanswered.is_empty());
    assert_eq!(said(&events, "info list.answers"), 2);
    // What was missing isn't remembered for long.
    pass(INQUIRY_KEPT_PART).await;
    assert!(reputation.begin(ip("198.51.100.99")).wait(LONG).await.unanswered.is_empty());
}

#[tokio::test]
async fn who_waits_no_longer_has_what_is_there() {
    let world = World::start().await;
    for zone in ["slow.example", "good.example"] {
        world.list(zone);
    }
    world.listed("good.example", "198.51.100.7", &["127.0.0.2"]);
    let (reputation, _) = world.reputation(&["slow.example 5 within=15", "good.example 1"], &[]);
    reputation.look_at_those_due().await;
    world.set("slow.example", Has::Silence);
    let inquiry = reputation.begin(ip("198.51.100.7"));
    while inquiry.now().listed.is_empty() {
        tokio::task::yield_now().await;
    }
    let standing = inquiry.wait(Duration::ZERO).await;
    assert_eq!((standing.weight(), silent(&standing)), (1, vec![("slow.example", Silence::Late)]));
    // The name doesn't wait for the lists.
    assert_eq!(inquiry.reverse(LONG).await, Reverse::None);
}

#[tokio::test]
async fn an_answer_too_large_for_a_datagram_comes_whole() {
    let world = World::start().await;
    world.list("zen.example");
    let codes: Vec<String> = (2..200).map(|n| format!("127.0.0.{n}")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    world.listed("zen.example", "198.51.100.7", &codes);
    let (reputation, _) = world.reputation(&["zen.example 5 127.0.0.2"], &[]);
    reputation.look_at_those_due().await;
    world.asked();
    let standing = reputation.begin(ip("198.51.100.7")).wait(LONG).await;
    assert_eq!(listed(&standing), [("zen.example", 5, vec!["127.0.0.2".to_owned()])]);
    let twice = world.asked().iter().filter(|asked| asked.contains("zen.example")).count();
    assert!(twice >= 2, "once cut, once by TCP: {twice}");
}

#[tokio::test]
async fn what_is_known_of_lists_outlives_the_server() {
    let world = World::start().await;
    let dir = tempfile::tempdir().unwrap();
    let lines = ["good.example 1", "bad.example 1"];
    world.list("good.example");
    world.list("bad.example");
    world.listed("bad.example", "127.0.0.1", &["127.0.0.2"]);
    world.listed("good.example", "198.51.100.7", &["127.0.0.2"]);
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    let (reputation, events) = world.reputation_on(Some(store.clone()), &lines, &[]);
    let (trigger, word) = shutdown::channel();
    let keeper = tokio::spawn(Arc::clone(&reputation).keep(word));
    while reputation.lists().iter().any(|info| info.state == ListState::Untested) {
        tokio::task::yield_now().await;
    }
    assert_eq!(reputation.begin(ip("198.51.100.7")).wait(LONG).await.weight(), 1);
    trigger.fire();
    keeper.await.unwrap();
    let before = reputation.lists();
    assert_eq!(said(&events, "alert list.switched_off list=bad.example"), 1);
    drop(reputation);
    store.close().await;
    drop(store);
    // The next one asks those that were well at once, and tells nothing anew.
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    let (reputation, events) = world.reputation_on(Some(store.clone()), &lines, &[]);
    reputation.recall().await;
    assert_eq!(reputation.lists(), before);
    assert_eq!(reputation.begin(ip("198.51.100.7")).wait(LONG).await.weight(), 1);
    reputation.look_at_those_due().await;
    assert!(events.lines().is_empty(), "{:?}", events.lines());
    // Other lists by a reload: those that stay are as they were.
    world.list("new.example");
    reputation.set_lists(&lists(&["new.example 1", "bad.example 7"], &[]));
    reputation.recall().await;
    reputation.look_at_those_due().await;
    let states: Vec<_> = reputation.lists().into_iter().map(|info| (info.list.to_string(), info.state)).collect();
    let off = ListState::Off { why: Fault::AnswersEverything };
    assert_eq!(states, [("new.example".to_owned(), ListState::On), ("bad.example".to_owned(), off)]);
    assert_eq!(said(&events, "alert"), 0, "{:?}", events.lines());
    store.close().await;
}

#[tokio::test]
async fn an_administrator_sees_what_every_list_says_even_one_that_is_off() {
    let world = World::start().await;
    world.list("good.example");
    world.set("all.example", Has::All(ip("127.0.0.3")));
    world.set("dead.example", Has::Silence);
    world.domain_list("rhs.example");
    world.addresses("spam.example.rhs.example", &["127.0.1.2"]);
    let lines = ["good.example 5 127.0.0.2", "all.example 7", "dead.example 1 within=1"];
    let (reputation, _) = world.reputation(&lines[..2], &[]);
    reputation.look_at_those_due().await;
    reputation.set_lists(&lists(&lines, &["rhs.example 4"]));
    let trial = reputation.try_host(ip("127.0.0.2")).await;
    assert_eq!(trial.weight, 5, "{trial:?}");
    assert_eq!(trial.lists[1].codes, ["127.0.0.3".parse::<std::net::Ipv4Addr>().unwrap()]);
    assert_eq!(trial.lists[2].unanswered, Some(Silence::Late));
    let trial = reputation.try_domain(&domain("spam.example")).await;
    assert_eq!((trial.weight, trial.lists.len()), (4, 1));
}
