//! Senders who are to hear something, whatever lanes do.

use super::*;

async fn late(w: &World, now: i64) -> Vec<(QueueId, Vec<u32>)> {
    let page = w.store.late(at(now), None, 100).await.unwrap();
    assert_eq!(page.next, None);
    numbers(&page.messages)
}

#[tokio::test]
async fn a_late_message_is_found_though_its_lane_rests_or_is_paused() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test", "y@b.test"]).await;
    let blocked = LaneNews { lane: lane("a.test"), blocked: Some(at(100_000)) };
    w.store.settle(Settlement { lanes: vec![blocked], ..Settlement::default() }).await.unwrap();
    w.store.pause(Some(lane("b.test")), true).await.unwrap();
    assert_eq!(late(&w, 499).await, []);
    assert_eq!(late(&w, 500).await, [(id, vec![0, 1])]);
}

#[tokio::test]
async fn who_was_warned_is_not_late_again_until_it_expires() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test", "y@a.test"]).await;
    let warned = |number| Settled { warned: true, ..settled(id, number, Outcome::Deferred(at(600))) };
    w.store.settle(only(vec![warned(0)])).await.unwrap();
    assert_eq!(late(&w, 500).await, [(id, vec![0, 1])], "the other one wasn't told yet");
    w.store.settle(only(vec![warned(1)])).await.unwrap();
    assert_eq!(late(&w, 899).await, []);
    assert_eq!(late(&w, 900).await, [(id, vec![0, 1])]);
    assert!(w.store.queued_message(id).await.unwrap().recipients.iter().all(|r| r.warned));
    assert_eq!(w.store.next_due(HashSet::new()).await.unwrap().deadline, Some(at(900)));
}

#[tokio::test]
async fn the_last_one_that_was_not_warned_takes_the_deadline_along() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test", "y@a.test"]).await;
    let warned = Settled { warned: true, ..settled(id, 0, Outcome::Deferred(at(600))) };
    w.store.settle(only(vec![warned])).await.unwrap();
    w.store.settle(only(vec![settled(id, 1, Outcome::Delivered)])).await.unwrap();
    assert_eq!(late(&w, 899).await, []);
    assert_eq!(late(&w, 900).await, [(id, vec![0])]);
}

#[tokio::test]
async fn who_comes_late_does_not_warn_twice_nor_never() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test", "y@a.test"]).await;
    let warned = Settled { warned: true, ..settled(id, 0, Outcome::Held("wait".into())) };
    w.store.settle(only(vec![warned, settled(id, 1, Outcome::Delivered)])).await.unwrap();
    assert_eq!(late(&w, 100_000).await, []);
    w.store.steer(QueueFilter::default(), Steer::Release, None).await.unwrap();
    assert_eq!((late(&w, 899).await, late(&w, 900).await), (vec![], vec![(id, vec![0])]));
}

#[tokio::test]
async fn what_is_held_is_never_late_and_what_is_released_is() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test"]).await;
    w.store.steer(QueueFilter::default(), Steer::Hold("wait".into()), None).await.unwrap();
    assert_eq!(late(&w, 100_000).await, []);
    assert_eq!(w.store.next_due(HashSet::new()).await.unwrap(), NextDue::default());
    w.store.steer(QueueFilter::default(), Steer::Release, None).await.unwrap();
    assert_eq!(late(&w, 500).await, [(id, vec![0])]);
}

#[tokio::test]
async fn a_message_that_warns_nobody_is_late_when_it_expires() {
    let w = world().await;
    let id = w.enqueue("t", Queued { envelope: Envelope { warn: None, ..envelope() }, ..queued(&["x@a.test"]) }).await;
    assert_eq!(late(&w, 899).await, []);
    assert_eq!(late(&w, 900).await, [(id, vec![0])]);
}

#[tokio::test]
async fn late_messages_come_in_pages_that_miss_none() {
    let w = world().await;
    let mut expect = Vec::new();
    for n in 0..5 {
        expect.push((w.queue(&n.to_string(), &["x@a.test", "y@a.test"]).await, vec![0, 1]));
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = w.store.late(at(500), after, 3).await.unwrap();
        seen.extend(numbers(&page.messages));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, expect);
}
