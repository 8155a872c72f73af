//! Hosts that listen and then fail.

use super::house::House;
use super::sink::{Plan, Sink};
use mailward_tls::outbound::Proof;

const LANE: &str = "t.example";
const ALICE: &str = "alice@s.example";

#[tokio::test]
async fn a_host_that_fails_from_mail_on_leaves_its_mail_to_the_next_one() {
    let house = House::new().await;
    let closing = Sink::start(Plan { messages: 0, ..Plan::default() }).await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to_hosts(LANE, vec![closing.host(Proof::Nothing), sink.host(Proof::Nothing)]);
    house.queue(ALICE, &["ok@t.example", "never@t.example", "later@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.queue(ALICE, &["ok@t.example"], "Subject: 2\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!((closing.taken().len(), sink.taken().len()), (0, 2));
    let waiting = house.queued().await;
    assert_eq!((waiting.len(), waiting[0].recipients.len()), (1, 1));
    assert_eq!(waiting[0].recipients[0].address.to_string(), "later@t.example", "the one whom the next host put off");
}

#[tokio::test]
async fn what_a_host_may_have_taken_is_not_given_to_the_next_one() {
    let house = House::new().await;
    let dropping = Sink::start(Plan { drops: usize::MAX, ..Plan::default() }).await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to_hosts(LANE, vec![dropping.host(Proof::Nothing), sink.host(Proof::Nothing)]);
    house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!((dropping.taken().len(), sink.taken().len()), (1, 0));
    assert_eq!(house.queued().await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_has_had_enough_is_followed_by_another_one_to_the_same_host() {
    let house = House::new().await;
    let sink = Sink::start(Plan { messages: 1, ..Plan::default() }).await;
    let second = Sink::start(Plan::default()).await;
    house.leads_to_hosts(LANE, vec![sink.host(Proof::Nothing), second.host(Proof::Nothing)]);
    for number in 0..5 {
        house.queue(ALICE, &["ok@t.example"], &format!("Subject: {number}\r\n\r\n"), |_| {}).await;
    }
    house.turn().await;
    assert_eq!((sink.taken().len(), second.taken().len()), (5, 0));
    assert!(house.is_empty().await);
}

#[tokio::test]
async fn a_host_that_goes_on_failing_is_asked_less_and_less_often() {
    let house = House::new().await;
    let closing = Sink::start(Plan { messages: 0, ..Plan::default() }).await;
    house.leads_to(LANE, &closing);
    house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    let mut pauses = Vec::new();
    for _ in 0..6 {
        house.turn().await;
        let pause = house.queued().await[0].recipients[0].due.0 - house.now().0;
        pauses.push(pause / 60_000);
        house.forward(pause);
    }
    // 1, 2, 5, 10, 20, 30 minutes, each a tenth shorter or longer.
    for (pause, (least, most)) in pauses.iter().zip([(0, 1), (1, 2), (4, 5), (9, 11), (18, 22), (27, 33)]) {
        assert!((least..=most).contains(pause), "{pauses:?}");
    }
}

#[tokio::test]
async fn hosts_that_all_fail_are_tried_up_to_a_limit() {
    let house = House::new().await;
    let closing = Sink::start(Plan { messages: 0, ..Plan::default() }).await;
    house.leads_to_hosts(LANE, (0..20).map(|_| closing.host(Proof::Nothing)).collect());
    house.queue(ALICE, &["ok@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!(closing.connections(), 1 + mailward_core::limits::QUEUE_ADDRESSES_TRIED);
    assert_eq!(house.queued().await.len(), 1);
}
