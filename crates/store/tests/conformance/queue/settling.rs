//! What came of recipients.

use super::*;
use mailward_core::AccountId;
use mailward_store::StoreError;

#[tokio::test]
async fn who_is_delivered_or_failed_leaves_and_the_last_takes_the_message_along() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test", "y@a.test", "z@b.test"]).await;
    let blob = w.store.queued_message(id).await.unwrap().blob;
    let two = vec![settled(id, 0, Outcome::Delivered), settled(id, 2, Outcome::Failed)];
    assert_eq!(w.store.settle(only(two)).await.unwrap(), SettleOutcome::default());
    assert_eq!(w.store.queued_message(id).await.unwrap().left, 1);
    assert_eq!(w.lanes(100).await, ["a.test"]);
    w.store.settle(only(vec![settled(id, 1, Outcome::Delivered)])).await.unwrap();
    assert!(matches!(w.store.queued_message(id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(w.store.read(blob, 0, 9).await, Err(StoreError::NotFound(_))));
    assert_eq!(w.store.queue_totals(9).await.unwrap(), QueueTotals::default());
    assert_eq!(w.store.next_due(HashSet::new()).await.unwrap(), NextDue::default());
}

#[tokio::test]
async fn a_failure_and_the_bounce_that_tells_it_are_one() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test"]).await;
    let fail = |tell| Settlement { recipients: vec![settled(id, 0, Outcome::Failed)], tell, ..Settlement::default() };
    // The bounce can't be delivered: the recipient is still there.
    let nobody = w.store.settle(fail(vec![bounce("bounce", AccountId(999))])).await;
    assert!(matches!(nobody, Err(StoreError::NotFound(_))));
    assert_eq!(w.everything().await, [(id, vec![0])]);
    let back = Envelope { sender: None, ..envelope() };
    let onward = Delivery {
        content: content("bounce for others"),
        targets: vec![],
        queued: vec![Queued { envelope: back, recipients: vec![recipient("list-owner@c.test")] }],
        kept: None,
    };
    let told = w.store.settle(fail(vec![bounce("bounce", w.alice), onward])).await.unwrap().told;
    assert_eq!((told.len(), told[0].delivered.len(), told[1].queued.len()), (2, 1, 1));
    assert_eq!(w.texts(&w.inbox(w.alice).await).await, ["bounce"]);
    assert_eq!(w.everything().await, [(told[1].queued[0], vec![0])]);
}

#[tokio::test]
async fn nobody_is_told_twice_of_a_recipient_that_is_gone() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test", "y@a.test"]).await;
    let fail = |numbers: &[u32]| Settlement {
        recipients: numbers.iter().map(|n| settled(id, *n, Outcome::Failed)).collect(),
        tell: vec![bounce("bounce", w.alice)],
        ..Settlement::default()
    };
    assert!(!w.store.settle(fail(&[0])).await.unwrap().untold);
    let again = w.store.settle(fail(&[0])).await.unwrap();
    assert_eq!((again.untold, again.missing, again.told), (true, vec![(id, 0)], vec![]));
    // One of two is still there: it has to be told.
    let both = w.store.settle(fail(&[0, 1])).await.unwrap();
    assert_eq!((both.untold, both.missing, both.told.len()), (false, vec![(id, 0)], 1));
    assert_eq!(w.inbox(w.alice).await.messages, 2);
}

#[tokio::test]
async fn a_bounce_may_hold_the_very_content_that_goes_with_it() {
    let w = world().await;
    let id = w.queue("same", &["x@a.test"]).await;
    let settlement = Settlement {
        recipients: vec![settled(id, 0, Outcome::Failed)],
        tell: vec![bounce("same", w.alice)],
        ..Settlement::default()
    };
    w.store.settle(settlement).await.unwrap();
    assert_eq!(w.texts(&w.inbox(w.alice).await).await, ["same"]);
}

#[tokio::test]
async fn attempts_are_remembered_the_last_one_is_the_answer() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test", "y@a.test"]).await;
    for n in 1..=3i64 {
        let mut deferred = settled(id, 0, Outcome::Deferred(at(100 + n)));
        deferred.attempt = Some(attempt(n, 451, &format!("try {n}")));
        w.store.settle(only(vec![deferred])).await.unwrap();
    }
    let found = w.store.queued_message(id).await.unwrap();
    let texts: Vec<&str> = found.recipients[0].history.iter().map(|a| a.text.as_str()).collect();
    assert_eq!((found.recipients[0].attempts, texts), (3, vec!["try 1", "try 2", "try 3"]));
    assert_eq!(found.recipients[0].answer, Some(attempt(3, 451, "try 3")));
    assert_eq!((found.recipients[1].attempts, &found.recipients[1].answer), (0, &None));
    // Nothing was tried: nothing is added.
    w.store.settle(only(vec![settled(id, 0, Outcome::Deferred(at(700)))])).await.unwrap();
    let found = w.store.queued_message(id).await.unwrap();
    assert_eq!((found.recipients[0].attempts, found.recipients[0].due), (3, at(700)));
}

#[tokio::test]
async fn who_is_held_meanwhile_stays_held_and_who_is_rerouted_stays_there() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test", "y@a.test"]).await;
    let one = |number| QueueFilter { recipient: Some(address(number)), ..QueueFilter::default() };
    w.store.steer(one("x@a.test"), Steer::Hold("stop".into()), None).await.unwrap();
    w.store.steer(one("y@a.test"), Steer::Reroute(lane("smart.test:587")), None).await.unwrap();
    let deferred = [0, 1].map(|n| settled(id, n, Outcome::Deferred(at(300))));
    w.store.settle(only(deferred.to_vec())).await.unwrap();
    let found = w.store.queued_message(id).await.unwrap().recipients;
    assert_eq!(found[0].state, RecipientState::Held("stop".into()));
    assert_eq!((&found[1].lane, found[1].due), (&lane("smart.test:587"), at(300)));
    assert_eq!(w.lanes(999).await, ["smart.test:587"]);
}

#[tokio::test]
async fn a_settlement_moves_recipients_to_another_lane_or_holds_them() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test", "y@a.test"]).await;
    let parts = vec![
        settled(id, 0, Outcome::Rerouted(lane("b.test"), at(150))),
        settled(id, 1, Outcome::Held("3 crashes".into())),
    ];
    w.store.settle(only(parts)).await.unwrap();
    assert_eq!(w.due("b.test", 150).await, [(id, vec![0])]);
    assert_eq!(w.lanes(999).await, ["b.test"]);
    let totals = w.store.queue_totals(9).await.unwrap();
    assert_eq!((totals.waiting, totals.held, totals.lanes), (1, 1, 2));
}
