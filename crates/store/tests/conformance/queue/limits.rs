//! Past every limit of the queue.

use super::*;
use mailward_core::limits::*;
use mailward_store::StoreError;

async fn refused(w: &World, queued: Vec<Queued>) {
    let delivery = Delivery { content: content("too much"), targets: vec![], queued, kept: None };
    let error = w.store.deliver(delivery).await.unwrap_err();
    assert!(matches!(error, StoreError::Limit(_)), "{error}");
    assert_eq!(w.everything().await, []);
}

fn many(count: usize) -> Queued {
    Queued { envelope: envelope(), recipients: (0..count).map(|n| recipient(&format!("r{n}@a.test"))).collect() }
}

#[tokio::test]
async fn recipients_envelopes_and_texts_end_at_their_limits() {
    let w = world().await;
    refused(&w, vec![many(QUEUE_RECIPIENTS_MAX + 1)]).await;
    refused(&w, vec![queued(&["x@a.test"]); QUEUE_ENVELOPES_MAX + 1]).await;
    let envid = |envid: String| Queued { envelope: Envelope { envid: Some(envid), ..envelope() }, ..many(1) };
    refused(&w, vec![envid("e".repeat(QUEUE_ENVID_MAX + 1))]).await;
    refused(&w, vec![envid("a\r\nMAIL FROM:<>".into())]).await;
    let original = |original: String| {
        let to = NewRecipient { original: Some(original), ..recipient("x@a.test") };
        Queued { envelope: envelope(), recipients: vec![to] }
    };
    refused(&w, vec![original("o".repeat(QUEUE_ORIGINAL_MAX + 1))]).await;
    refused(&w, vec![original("rfc822;a\nb".into())]).await;
    assert_eq!(Lane::parse(&"l".repeat(QUEUE_LANE_MAX + 1)), Err(LaneError));
    for bad in ["", "a b", "a\r\nb", "é.test"] {
        assert_eq!(Lane::parse(bad), Err(LaneError));
    }
    w.enqueue("just so", many(QUEUE_RECIPIENTS_MAX)).await;
}

#[tokio::test]
async fn an_answer_of_the_queue_ends_though_more_was_asked_for() {
    let w = world().await;
    let ids = [w.enqueue("1", many(QUEUE_PAGE)).await, w.enqueue("2", many(1)).await];
    let due = w.store.due_in_lane(lane("a.test"), at(100), None, usize::MAX).await.unwrap();
    assert_eq!((due.messages.len(), due.next), (1, Some(DuePlace { due: at(100), message: ids[0] })));
    let late = w.store.late(at(500), None, usize::MAX).await.unwrap();
    assert_eq!((late.messages.len(), late.next), (1, Some(DuePlace { due: at(500), message: ids[0] })));
    let page = w.store.queue_page(QueueFilter::default(), None, usize::MAX).await.unwrap();
    assert_eq!((page.messages.len(), page.next), (1, Some(ids[0])));
    let step = w.store.steer(QueueFilter::default(), Steer::Hold("all".into()), None).await.unwrap();
    assert_eq!((step.changed, step.next), (QUEUE_PAGE as u64, Some(ids[0])));
    let step = w.store.steer(QueueFilter::default(), Steer::Hold("all".into()), step.next).await.unwrap();
    assert_eq!((step.changed, step.next), (1, None));
}

#[tokio::test]
async fn a_filter_that_nothing_fits_ends_its_look_and_goes_on() {
    let w = world().await;
    for n in 0..=QUEUE_SCAN_ROWS / QUEUE_RECIPIENTS_MAX {
        w.enqueue(&n.to_string(), many(QUEUE_RECIPIENTS_MAX)).await;
    }
    let none = QueueFilter { held: Some(true), ..QueueFilter::default() };
    let page = w.store.queue_page(none.clone(), None, 10).await.unwrap();
    assert_eq!((page.messages.len(), page.next.is_some()), (0, true));
    let page = w.store.queue_page(none, page.next, 10).await.unwrap();
    assert_eq!(page, QueuePage::default());
}

#[tokio::test]
async fn lanes_and_messages_that_are_named_end_at_their_limits() {
    let w = world().await;
    let domains: Vec<NewRecipient> = (0..=QUEUE_LANES_PAGE).map(|n| recipient(&format!("x@d{n}.test"))).collect();
    for part in domains.chunks(QUEUE_RECIPIENTS_MAX) {
        w.enqueue("t", Queued { envelope: envelope(), recipients: part.to_vec() }).await;
    }
    let lanes = w.store.due_lanes(at(100), usize::MAX, HashSet::new()).await.unwrap();
    assert_eq!(lanes.len(), QUEUE_LANES_PAGE);
    assert_eq!(w.store.queue_totals(usize::MAX).await.unwrap().largest.len(), QUEUE_LANES_PAGE);
    let named = (0..=PAGE_ROWS_MAX as i64).map(QueueId).collect();
    let page = w.store.queue_page(QueueFilter { messages: Some(named), ..QueueFilter::default() }, None, 1).await;
    assert!(matches!(page, Err(StoreError::Limit(_))));
}

#[tokio::test]
async fn a_settlement_ends_at_its_limit() {
    let w = world().await;
    let id = w.queue("t", &["x@a.test"]).await;
    let many = vec![settled(id, 0, Outcome::Delivered); QUEUE_SETTLE_MAX + 1];
    assert!(matches!(w.store.settle(only(many)).await, Err(StoreError::Limit(_))));
    assert_eq!(w.everything().await, [(id, vec![0])]);
}

#[tokio::test]
async fn what_hosts_say_is_cut_and_old_attempts_are_forgotten() {
    let w = world().await;
    let id = w.queue("t", &["x@a.test"]).await;
    for n in 0..=i64::from(QUEUE_ATTEMPTS_KEPT) {
        let mut deferred = settled(id, 0, Outcome::Deferred(at(200)));
        let text = "ä".repeat(QUEUE_TEXT_MAX);
        deferred.attempt = Some(Attempt { host: "h".repeat(QUEUE_HOST_MAX + 1), ..attempt(n, 451, &text) });
        w.store.settle(only(vec![deferred])).await.unwrap();
    }
    let reason = "r".repeat(QUEUE_REASON_MAX + 1);
    w.store.settle(only(vec![settled(id, 0, Outcome::Held(reason))])).await.unwrap();
    let found = w.store.queued_message(id).await.unwrap().recipients.remove(0);
    assert_eq!(found.attempts, QUEUE_ATTEMPTS_KEPT + 1);
    assert_eq!((found.history.len(), found.history[0].at), (QUEUE_ATTEMPTS_KEPT as usize, at(1)));
    let answer = found.answer.unwrap();
    assert_eq!((answer.text.len(), answer.host.len()), (QUEUE_TEXT_MAX, QUEUE_HOST_MAX));
    assert_eq!(found.state, RecipientState::Held("r".repeat(QUEUE_REASON_MAX)));
}

#[tokio::test]
async fn the_reason_of_a_lane_is_taken_from_its_oldest() {
    let w = world().await;
    let id = w.enqueue("t", many(QUEUE_SAMPLE + 1)).await;
    let all = (0u32..).take(QUEUE_SAMPLE + 1).map(|number| Settled {
        attempt: Some(attempt(150, 451, "later")),
        ..settled(id, number, Outcome::Deferred(at(300)))
    });
    w.store.settle(only(all.collect())).await.unwrap();
    let reason = w.store.queue_totals(1).await.unwrap().largest[0].reason.clone();
    assert_eq!(reason.map(|(_, count)| count), Some(QUEUE_SAMPLE as u64));
}
