//! Giving up by hand, and notices whose readers are full or gone.

use super::ALICE;
use super::house::{House, LANE, address};
use super::sink::{Plan, Sink};
use mailward_core::MailboxName;
use mailward_store::api::{MailStore as _, QueueStore as _};
use mailward_store::records::{QueueFilter, Steer};

const SMALL: &str = "small@s.example";

#[tokio::test]
async fn what_is_given_up_by_hand_bounces_with_the_administrator_s_words_and_the_last_answer() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(ALICE, &["later@t.example", "held@t.example", "stays@u.example"], "Subject: x\r\n\r\n", |_| {}).await;
    house.turn().await;
    let hold = QueueFilter { recipient: Some(address("held@t.example")), ..QueueFilter::default() };
    house.queue(ALICE, &["held@t.example"], "Subject: y\r\n\r\n", |q| q.recipients[0].held = Some("odd".into())).await;
    house.store.steer(hold, Steer::Hold("odd".into()), None).await.unwrap();
    let filter = QueueFilter { domain: address("x@t.example").domain().cloned(), ..QueueFilter::default() };
    let bouncer = house.runner.bouncer();
    let mut given_up = 0;
    for message in house.store.queue_page(filter, None, 100).await.unwrap().messages {
        given_up += bouncer.bounce(&message, Some("the account was abused")).await.unwrap().recipients;
    }
    assert_eq!(given_up, 2, "later@ and what was held; held@ of the first went");
    let bounces = house.inbox(ALICE).await;
    assert_eq!(bounces.len(), 2);
    for part in [
        "Action: failed",
        "Status: 5.0.0",
        "later@t.example",
        "the administrator of this server stopped",
        "the account was abused",
        "450 4.2.1 come again",
    ] {
        let words = bounces[0].split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(part), "{part}: {}", bounces[0]);
    }
    let left = house.queued().await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].recipients[0].address.to_string(), "stays@u.example");
    assert!(house.told("message.bounced"));
}

#[tokio::test]
async fn what_is_being_sent_is_left_alone() {
    let house = House::new().await;
    house.queue(ALICE, &["ok@t.example"], "Subject: x\r\n\r\n", |_| {}).await;
    let message = house.queued().await.remove(0);
    let busy = house.runner.shared.in_work.take(message.id).unwrap();
    let bouncer = house.runner.bouncer();
    assert!(bouncer.bounce(&message, None).await.unwrap().busy);
    assert_eq!((house.queued().await.len(), house.inbox(ALICE).await.len()), (1, 0));
    drop(busy);
    assert_eq!(bouncer.bounce(&message, None).await.unwrap().recipients, 1);
    // Somebody else has told it meanwhile.
    assert_eq!(bouncer.bounce(&message, None).await.unwrap().recipients, 0);
    assert_eq!(house.inbox(ALICE).await.len(), 1);
}

#[tokio::test]
async fn a_bounce_reaches_a_full_mailbox_and_beyond_a_bound_the_postmaster() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(SMALL, &["never@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.turn().await;
    assert_eq!(house.inbox(SMALL).await.len(), 1, "though its quota is one byte");
    // So many bytes that there is no room for another notice.
    let large = format!("Subject: 2\r\n\r\n{}", "y".repeat(90 * 1024));
    for _ in 0..60 {
        house.queue(SMALL, &["never@t.example"], &large, |_| {}).await;
    }
    house.turn().await;
    assert!(house.is_empty().await);
    let (small, alice) = (house.inbox(SMALL).await.len(), house.inbox(ALICE).await.len());
    assert_eq!(small + alice, 61, "the others are alice's, who stands in for the postmaster");
    assert!((30..60).contains(&small), "{small}");
    assert!(house.told("notice.redirected") && !house.told("notice.dropped"));
}

#[tokio::test]
async fn a_bounce_that_nobody_has_room_for_is_dropped_and_the_queue_goes_on() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.directory.put_alias(&address("postmaster@s.example"), vec![address(SMALL)]).await.unwrap();
    let large = format!("Subject: 2\r\n\r\n{}", "y".repeat(90 * 1024));
    for _ in 0..60 {
        house.queue(SMALL, &["never@t.example"], &large, |_| {}).await;
    }
    house.turn().await;
    assert!(house.is_empty().await && house.told("notice.dropped"));
    assert!(house.inbox(SMALL).await.len() < 60);
}

#[tokio::test]
async fn the_bounce_of_a_sender_who_is_gone_is_the_postmaster_s() {
    let house = House::new().await;
    let sink = Sink::start(Plan::default()).await;
    house.leads_to(LANE, &sink);
    house.queue(SMALL, &["never@t.example"], "Subject: 1\r\n\r\n", |_| {}).await;
    house.directory.remove_user(&address(SMALL)).await.unwrap();
    house.turn().await;
    assert!(house.is_empty().await);
    let told = house.inbox(ALICE).await;
    assert!(told.len() == 1 && told[0].contains("never@t.example") && told[0].contains(SMALL), "{told:?}");
    let alice = house.directory.account_id(&address(ALICE)).unwrap();
    assert_eq!(house.store.mailbox(alice, MailboxName::inbox()).await.unwrap().messages, 1);
}
