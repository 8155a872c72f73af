//! What ends at a limit, and what is shared: addresses, pages, parts, connections, crashes.

use super::ALICE;
use super::house::{House, LANE};
use super::sink::{Plan, Sink};
use crate::queue::places::Places;
use crate::queue::visit::Wish;
use crate::queue::way::Host;
use mailward_core::limits::{
    QUEUE_ADDRESSES_TRIED, QUEUE_BUSY_PAUSE, QUEUE_FEED, QUEUE_LANES_AT_ONCE, QUEUE_TRIALS_MAX,
};
use mailward_store::api::QueueStore as _;
use mailward_tls::outbound::Proof;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::test]
async fn no_more_addresses_are_tried_than_the_limit() {
    let house = House::new().await;
    let closed = Sink::start(Plan { greeting: "554 no\r\n", ..Plan::default() }).await;
    let sink = Sink::start(Plan::default()).await;
    for (dead, arrives) in [(QUEUE_ADDRESSES_TRIED, false), (QUEUE_ADDRESSES_TRIED - 1, true)] {
        let hosts: Vec<_> = (0..dead).map(|_| closed.host(Proof::Nothing)).chain([sink.host(Proof::Nothing)]).collect();
        house.leads_to_hosts(LANE, hosts);
        house.queue(ALICE, &["ok@t.example"], "Subject: x\r\n\r\n", |_| {}).await;
        house.turn().await;
        assert_eq!(house.is_empty().await, arrives);
        house.remove_all().await;
    }
    assert_eq!(sink.taken().len(), 1);
}

#[tokio::test]
async fn a_lane_longer_than_a_page_goes_out_whole() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    for number in 0..=QUEUE_FEED * 2 {
        house.queue(ALICE, &["ok@t.example"], &format!("Subject: {number}\r\n\r\n"), |_| {}).await;
    }
    house.turn().await;
    assert!(house.is_empty().await);
    assert_eq!(sink.taken().len(), QUEUE_FEED * 2 + 1);
    assert!(sink.connections() <= 5, "what the house allows a lane: {}", sink.connections());
}

#[tokio::test]
async fn a_host_that_takes_two_at_a_time_gets_two_at_a_time() {
    let house = House::new().await;
    let sink = Sink::start(Plan { offers: "LIMITS RCPTMAX=2", ..Plan::default() }).await;
    house.leads_to(LANE, &sink);
    let to: Vec<String> = (0..5).map(|number| format!("r{number}@t.example")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    house.queue(ALICE, &to, "Subject: x\r\n\r\n", |_| {}).await;
    house.turn().await;
    let sizes: Vec<usize> = sink.taken().iter().map(|taken| taken.recipients.len()).collect();
    assert_eq!(sizes, [2, 2, 1]);
    assert!(house.is_empty().await);
    assert_eq!(sink.connections(), 1);
}

#[tokio::test]
async fn more_lanes_than_are_visited_at_once_are_visited_after_one_another() {
    let mut house = House::new().await;
    // All lead to one host; how many connections one has is another story.
    Arc::get_mut(&mut house.runner.shared).unwrap().visitor.places = Places::new(100);
    let sink = Sink::start(Plan::default()).await;
    let lanes = QUEUE_LANES_AT_ONCE + 5;
    for number in 0..lanes {
        house.leads_to(&format!("d{number}.example"), &sink);
        house.queue(ALICE, &[&format!("ok@d{number}.example")], "Subject: x\r\n\r\n", |_| {}).await;
    }
    house.turn().await;
    assert!(house.is_empty().await);
    assert_eq!(sink.taken().len(), lanes);
    assert!(sink.most_at_once() <= 10, "what the house allows altogether: {}", sink.most_at_once());
}

/// Attacks H6: nobody has to have more than one host to be the host of many domains.
#[tokio::test]
async fn many_domains_that_name_one_silent_host_dont_keep_mail_from_others() {
    let house = House::new().await;
    let silent = Sink::start(Plan { greeting: "", ..Plan::default() }).await;
    let sink = Sink::start(Plan::default()).await;
    for number in 0..30 {
        house.leads_to(&format!("d{number}.evil.example"), &silent);
        house.queue(ALICE, &[&format!("ok@d{number}.evil.example")], "Subject: x\r\n\r\n", |_| {}).await;
    }
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["ok@t.example"], "Subject: x\r\n\r\n", |_| {}).await;
    let arrives = async {
        while sink.taken().is_empty() {
            assert!(silent.connections() <= 5, "more than the house allows one host: {}", silent.connections());
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = house.turn() => panic!("the silent host ended it"),
        () = arrives => {}
    }
    let lanes = house.store.queue_totals(40).await.unwrap().largest;
    assert!(lanes.len() >= 30 && lanes.iter().all(|lane| lane.failures == 0), "none of them failed: {lanes:?}");
}

#[tokio::test]
async fn a_lane_whose_host_has_its_connections_comes_again_soon() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["ok@t.example"], "Subject: x\r\n\r\n", |_| {}).await;
    let address = sink.host(Proof::Nothing).addresses[0];
    let places = &house.runner.shared.visitor.places;
    let taken: Vec<_> = (0..5).map(|_| places.take(address).unwrap()).collect();
    house.turn().await;
    assert_eq!(sink.connections(), 0);
    assert_eq!(house.lane(LANE).await.failures, 0);
    drop(taken);
    house.forward(2 * i64::try_from(QUEUE_BUSY_PAUSE.as_millis()).unwrap());
    house.turn().await;
    assert_eq!(sink.taken().len(), 1);
}

#[tokio::test]
async fn hosts_that_are_silent_one_after_the_other_hold_a_visit_no_longer_than_the_limit() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    let mut silent = Vec::new();
    for _ in 0..QUEUE_ADDRESSES_TRIED {
        silent.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let host =
        |listener: &TcpListener| Host { addresses: vec![listener.local_addr().unwrap()], ..sink.host(Proof::Nothing) };
    let hosts: Vec<Host> = silent.iter().map(host).collect();
    // From here on time is the test's, and runs whenever nothing else does.
    tokio::time::pause();
    let unreached = house.runner.shared.visitor.visit(&hosts, Wish::Usual).await.unwrap_err();
    assert_eq!(unreached.text, "none of its hosts was ready for mail in 10 minutes");
    assert!(!unreached.busy);
}

/// Attacks H5.
#[tokio::test]
async fn a_message_that_ends_its_task_again_and_again_is_held_and_the_others_go() {
    let house = House::poisoned("poison@t.example").await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["poison@t.example"], "Subject: bad\r\n\r\n", |_| {}).await;
    house.queue(ALICE, &["ok@t.example"], "Subject: good\r\n\r\n", |_| {}).await;
    house.turn().await;
    let left = house.queued().await;
    assert_eq!(left.len(), 1);
    assert!(left[0].recipients[0].state.is_held(), "{:?}", left[0]);
    assert_eq!(sink.asked("poison@t.example"), QUEUE_TRIALS_MAX as usize);
    assert_eq!(sink.asked("ok@t.example"), 1);
    assert!(house.told("message.crashed") && house.told("message.held"));
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_costs_nobody_an_attempt() {
    let house = House::lingering(Duration::from_secs(5)).await;
    let sink = Sink::start(Plan { messages: 1, silent: true, ..Plan::default() }).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["ok@t.example"], "Subject: 0\r\n\r\n", |_| {}).await;
    let later = async {
        while sink.hung_up() == 0 {
            tokio::task::yield_now().await;
        }
        house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
        while sink.taken().len() < 2 {
            tokio::task::yield_now().await;
            assert!(house.queued().await.iter().all(|message| message.recipients[0].attempts == 0));
        }
    };
    tokio::select! {
        () = later => {}
        () = house.turn() => {}
    }
    assert_eq!(sink.taken().len(), 2);
}

#[tokio::test]
async fn news_of_other_lanes_keep_no_connection() {
    let house = House::lingering(Duration::from_millis(300)).await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["ok@t.example"], "Subject: 0\r\n\r\n", |_| {}).await;
    let others = async {
        loop {
            let held = |q: &mut mailward_store::records::Queued| q.recipients[0].held = Some("not now".into());
            house.queue(ALICE, &["x@held.example"], "Subject: other\r\n\r\n", held).await;
        }
    };
    // The visit ends though news never does; with an end of the test's own, should it not.
    tokio::select! {
        () = house.turn() => {}
        () = others => {}
    }
    assert_eq!(sink.taken().len(), 1);
}
