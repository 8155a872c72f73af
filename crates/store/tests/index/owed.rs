//! What is only in the queue has no entry.

use crate::support::*;
use bytes::Bytes;
use mailward_core::{Address, QueueId, Timestamp};
use mailward_message::Structure;
use mailward_store::records::*;
use mailward_store::{MailStore, QueueStore};

const SECRET: &str = "a word nobody else has: kumquat";

impl World {
    async fn queue(&self, words: &str) -> QueueId {
        let message = Bytes::from(text(words));
        let structure = Structure::parse(&message).to_bytes().into();
        let envelope = Envelope {
            sender: None,
            give_back: None,
            envid: None,
            needs: Needs::default(),
            submitter: None,
            forwarded: None,
            arrived: Timestamp(0),
            warn: None,
            expires: Timestamp(i64::MAX),
        };
        let address = Address::parse("x@there.example", false).unwrap();
        let lane = Lane::from(address.domain().unwrap());
        let recipient = NewRecipient { address, notify: None, original: None, lane, due: Timestamp(0), held: None };
        let queued = vec![Queued { envelope, recipients: vec![recipient] }];
        let delivery = Delivery { content: Content::new(message, structure), targets: vec![], queued, kept: None };
        self.store().deliver(delivery).await.unwrap().queued[0]
    }

    async fn sent(&self, message: QueueId) {
        let settled =
            Settled { message, number: 0, outcome: Outcome::Delivered, attempt: None, refused: false, warned: false };
        let settlement = Settlement { recipients: vec![settled], ..Settlement::default() };
        self.store().settle(settlement).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_only_in_the_queue_is_listed_while_it_is_there() {
    let w = World::new().await;
    let queued = w.queue("goes out").await;
    w.deliver(text("stays")).await;
    w.indexed().await;
    assert_eq!((w.stats().indexed, w.stats().unindexed), (1, 1));
    w.sent(queued).await;
    w.deliver(text("rings the bell")).await;
    w.indexed().await;
    assert_eq!((w.stats().indexed, w.stats().unindexed), (2, 0));
    assert_eq!(w.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn what_went_before_it_was_looked_at_leaves_nothing() {
    let w = World::new().await;
    w.deliver(text("first")).await;
    w.indexed().await;
    w.gate.shut();
    w.deliver(text("held")).await;
    w.gate.holds().await;
    let queued = w.queue("comes and goes").await;
    w.sent(queued).await;
    w.gate.open();
    w.deliver(text("last")).await;
    w.indexed().await;
    assert_eq!((w.stats().indexed, w.stats().unindexed), (3, 0));
    assert_eq!(w.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_mailbox_gets_of_the_queue_is_found() {
    let mut w = World::new().await;
    w.queue(SECRET).await;
    w.indexed().await;
    // The same bytes are one content.
    let blob = w.deliver(text(SECRET)).await;
    w.indexed().await;
    assert_eq!(w.find("kumquat").await, Some(vec![blob]));
    w.never_wrong("kumquat").await;
    // Opened again, it is like any other.
    w.again(true, |_| {}).await;
    w.indexed().await;
    w.never_wrong("kumquat").await;
    assert_eq!(w.problems(), Vec::<String>::new());
}
