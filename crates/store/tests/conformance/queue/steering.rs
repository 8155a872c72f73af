//! What somebody does by hand.

use super::*;

fn all() -> QueueFilter {
    QueueFilter::default()
}

async fn steer(w: &World, filter: QueueFilter, action: Steer) -> u64 {
    let steered = w.store.steer(filter, action, None).await.unwrap();
    assert_eq!(steered.next, None);
    steered.changed
}

#[tokio::test]
async fn retry_makes_what_waits_due_and_wakes_its_lane() {
    let w = world().await;
    let id = w.queue("t", &["x@a.test", "y@a.test"]).await;
    let settlement = Settlement {
        recipients: vec![settled(id, 0, Outcome::Deferred(at(i64::MAX))), settled(id, 1, Outcome::Held("wait".into()))],
        lanes: vec![LaneNews { lane: lane("a.test"), blocked: Some(at(i64::MAX)) }],
        ..Settlement::default()
    };
    w.store.settle(settlement).await.unwrap();
    let now = i64::MAX - 1;
    assert_eq!(w.lanes(now).await, Vec::<String>::new());
    let mut watch = w.store.watch_queue();
    watch.mark_unchanged();
    assert_eq!(steer(&w, all(), Steer::Retry).await, 1);
    assert!(watch.has_changed().unwrap());
    assert_eq!(w.due("a.test", now).await, [(id, vec![0])]);
}

#[tokio::test]
async fn hold_and_release() {
    let w = world().await;
    let id = w.queue("t", &["x@a.test", "y@b.test"]).await;
    let of_a = QueueFilter { lane: Some(lane("a.test")), ..all() };
    assert_eq!(steer(&w, of_a, Steer::Hold("why".into())).await, 1);
    assert_eq!(w.lanes(999).await, ["b.test"]);
    assert_eq!(steer(&w, all(), Steer::Hold("again".into())).await, 1, "one was held already");
    assert_eq!(steer(&w, all(), Steer::Release).await, 2);
    assert_eq!(steer(&w, all(), Steer::Release).await, 0);
    let found = w.store.queued_message(id).await.unwrap().recipients;
    assert!(found.iter().all(|r| r.state == RecipientState::Waiting));
    assert_eq!(w.lanes(i64::MAX).await.len(), 2);
}

#[tokio::test]
async fn a_message_that_crashed_is_free_again_when_it_is_released() {
    let w = world().await;
    let id = w.queue("t", &["x@a.test"]).await;
    w.store.mark_trial(id).await.unwrap();
    steer(&w, all(), Steer::Hold("it crashed".into())).await;
    steer(&w, all(), Steer::Release).await;
    assert_eq!(w.store.queued_message(id).await.unwrap().trials, 0);
}

#[tokio::test]
async fn remove_takes_out_what_fits_and_nothing_else() {
    let w = world().await;
    let one = w.queue("1", &["x@a.test", "y@b.test"]).await;
    w.queue("2", &["z@b.test"]).await;
    let of_b = QueueFilter { lane: Some(lane("b.test")), ..all() };
    assert_eq!(steer(&w, of_b, Steer::Remove).await, 2);
    assert_eq!(w.everything().await, [(one, vec![0])]);
    assert_eq!(w.store.queue_totals(9).await.unwrap().lanes, 1);
}

#[tokio::test]
async fn reroute_takes_them_to_another_lane() {
    let w = world().await;
    let id = w.queue("1", &["x@a.test", "y@b.test"]).await;
    let smart = lane("[192.0.2.7]:587");
    assert_eq!(steer(&w, all(), Steer::Reroute(smart.clone())).await, 2);
    let totals = w.store.queue_totals(9).await.unwrap();
    assert_eq!((totals.lanes, &totals.largest[0].lane, totals.largest[0].waiting), (1, &smart, 2));
    let page = w.store.due_in_lane(smart, at(i64::MAX), None, 9).await.unwrap();
    assert_eq!(numbers(&page.messages), [(id, vec![0, 1])]);
}

#[tokio::test]
async fn a_paused_lane_is_not_worked_on_and_stays_paused_when_it_is_empty() {
    let w = world().await;
    let id = w.queue("1", &["x@a.test", "y@b.test"]).await;
    w.store.pause(Some(lane("a.test")), true).await.unwrap();
    assert_eq!((w.lanes(100).await, w.due("a.test", 100).await), (vec!["b.test".to_owned()], vec![]));
    w.store.settle(only(vec![settled(id, 0, Outcome::Delivered)])).await.unwrap();
    let id = w.queue("2", &["x@a.test"]).await;
    assert_eq!(w.lanes(100).await, ["b.test"]);
    w.store.pause(Some(lane("a.test")), false).await.unwrap();
    assert_eq!(w.due("a.test", 100).await, [(id, vec![0])]);
    // Nothing is left of a pause of an empty lane.
    for paused in [true, false] {
        w.store.pause(Some(lane("empty.test")), paused).await.unwrap();
    }
    assert_eq!(w.store.queue_totals(9).await.unwrap().lanes, 2);
}

#[tokio::test]
async fn a_pause_of_all_stops_all_and_its_end_is_news() {
    let w = world().await;
    w.queue("1", &["x@a.test"]).await;
    w.store.pause(None, true).await.unwrap();
    assert_eq!((w.lanes(100).await, w.due("a.test", 100).await), (vec![], vec![]));
    assert_eq!(w.store.next_due(HashSet::new()).await.unwrap().lane, None);
    assert!(w.store.queue_totals(9).await.unwrap().paused);
    let mut watch = w.store.watch_queue();
    watch.mark_unchanged();
    w.store.pause(None, false).await.unwrap();
    assert!(watch.has_changed().unwrap());
    assert_eq!(w.lanes(100).await, ["a.test"]);
}

/// To fail by hand is to list and to settle: nothing is removed before it is told.
#[tokio::test]
async fn a_listed_recipient_is_failed_with_its_bounce() {
    let w = world().await;
    w.queue("the text", &["x@a.test"]).await;
    let page = w.store.queue_page(all(), None, 10).await.unwrap();
    let message = &page.messages[0];
    let text = w.store.read(message.blob, 0, message.size).await.unwrap();
    let settlement = Settlement {
        recipients: message.recipients.iter().map(|r| settled(message.id, r.number, Outcome::Failed)).collect(),
        tell: vec![bounce(&format!("undelivered: {}", String::from_utf8_lossy(&text)), w.alice)],
        ..Settlement::default()
    };
    w.store.settle(settlement).await.unwrap();
    assert_eq!(w.texts(&w.inbox(w.alice).await).await, ["undelivered: the text"]);
    assert_eq!(w.everything().await, []);
}
