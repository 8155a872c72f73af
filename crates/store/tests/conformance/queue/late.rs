//! Senders who are to hear something, whatever lanes do.

use super::*;
use mailward_core::Clock;
use mailward_store::Options;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Says what it was set to.
struct Hands(AtomicI64);
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        at(self.0.load(Ordering::Relaxed))
    }
}

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
    let end = w.store.queued_message(id).await.unwrap().envelope.expires.0;
    assert_eq!((late(&w, end - 1).await, late(&w, end).await), (vec![], vec![(id, vec![0])]));
}

#[tokio::test]
async fn what_is_held_is_never_late_and_what_is_released_is() {
    let w = world().await;
    let id = w.queue("text", &["x@a.test"]).await;
    w.store.steer(QueueFilter::default(), Steer::Hold("wait".into()), None).await.unwrap();
    assert_eq!(late(&w, 100_000).await, []);
    assert_eq!(w.store.next_due(HashSet::new()).await.unwrap(), NextDue::default());
    w.store.steer(QueueFilter::default(), Steer::Release, None).await.unwrap();
    assert_eq!(late(&w, 100_000).await, [(id, vec![0])]);
}

#[tokio::test]
async fn the_time_that_a_message_was_held_does_not_count() {
    let clock = Arc::new(Hands(AtomicI64::new(100)));
    let w = world_with(Options { clock: clock.clone(), index: false, ..Options::default() }).await;
    let limited = NewRecipient { held: Some("over the limit".into()), ..recipient("x@a.test") };
    let with = |warn| Queued {
        envelope: Envelope { warn, ..envelope() },
        recipients: vec![limited.clone(), recipient("y@b.test"), recipient("z@c.test")],
    };
    let (id, silent) = (w.enqueue("1", with(Some(at(500)))).await, w.enqueue("2", with(None)).await);
    let steer =
        |of: &str, action| w.store.steer(QueueFilter { lane: Some(lane(of)), ..QueueFilter::default() }, action, None);
    let times = async |id| {
        let envelope = w.store.queued_message(id).await.unwrap().envelope;
        (envelope.warn, envelope.expires)
    };
    clock.0.store(300, Ordering::Relaxed);
    steer("b.test", Steer::Hold("why".into())).await.unwrap();
    // Again, and led elsewhere: it is held since it was.
    clock.0.store(350, Ordering::Relaxed);
    steer("b.test", Steer::Hold("still".into())).await.unwrap();
    steer("b.test", Steer::Reroute(lane("d.test"))).await.unwrap();
    // Released long after its end: it has all of its time.
    clock.0.store(10_100, Ordering::Relaxed);
    steer("a.test", Steer::Release).await.unwrap();
    assert_eq!(times(id).await, (Some(at(10_500)), at(10_900)));
    assert_eq!(times(silent).await, (None, at(10_900)));
    assert_eq!((late(&w, 10_499).await, late(&w, 10_500).await), (vec![], vec![(id, vec![0, 2])]));
    assert_eq!(w.due("a.test", 10_100).await, [(id, vec![0]), (silent, vec![0])]);
    // The other one had 600 left, and has them when it is released later.
    clock.0.store(10_400, Ordering::Relaxed);
    steer("d.test", Steer::Release).await.unwrap();
    assert_eq!(times(id).await, (Some(at(10_600)), at(11_000)));
    steer("d.test", Steer::Release).await.unwrap();
    assert_eq!(times(id).await, (Some(at(10_600)), at(11_000)), "once");
    assert_eq!(w.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn what_never_ends_does_not_end_when_it_is_released() {
    let w = world().await;
    let endless = Envelope { warn: None, expires: at(i64::MAX), ..envelope() };
    let held = NewRecipient { held: Some("wait".into()), ..recipient("x@a.test") };
    let id = w.enqueue("t", Queued { envelope: endless, recipients: vec![held] }).await;
    w.store.steer(QueueFilter::default(), Steer::Release, None).await.unwrap();
    assert_eq!(w.store.queued_message(id).await.unwrap().envelope.expires, at(i64::MAX));
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
