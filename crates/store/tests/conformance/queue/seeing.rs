//! The queue for people.

use super::*;
use mailward_core::Domain;

async fn three(w: &World) -> [QueueId; 3] {
    let submitted = Envelope { submitter: Some(w.alice), ..envelope() };
    let first = Queued { envelope: submitted, ..queued(&["Xaver@a.test", "y@b.test"]) };
    let null = Queued { envelope: Envelope { sender: None, arrived: at(200), ..envelope() }, ..queued(&["x@c.test"]) };
    let ids = [w.enqueue("1", first).await, w.enqueue("2", null).await, w.queue("3", &["x@a.test", "z@a.test"]).await];
    let mut greylisted = settled(ids[2], 0, Outcome::Deferred(at(300)));
    greylisted.attempt = Some(attempt(150, 451, "Greylisted, come again"));
    w.store.settle(only(vec![greylisted, settled(ids[2], 1, Outcome::Held("looked at".into()))])).await.unwrap();
    ids
}

#[tokio::test]
async fn every_part_of_a_filter_finds_what_fits_it() {
    let w = world().await;
    let [one, two, three] = three(&w).await;
    let f = QueueFilter::default;
    let find = |filter| w.page(filter);
    assert_eq!(find(f()).await, [(one, vec![0, 1]), (two, vec![0]), (three, vec![0, 1])]);
    assert_eq!(find(QueueFilter { messages: Some(HashSet::from([two, three])), ..f() }).await.len(), 2);
    assert_eq!(find(QueueFilter { before: Some(at(200)), ..f() }).await.len(), 2);
    assert_eq!(find(QueueFilter { lane: Some(lane("a.test")), ..f() }).await, [(one, vec![0]), (three, vec![0, 1])]);
    let domain = Domain::parse("b.test").ok();
    assert_eq!(find(QueueFilter { domain, ..f() }).await, [(one, vec![1])]);
    let recipient = Some(address("xaver@a.test"));
    assert_eq!(find(QueueFilter { recipient, ..f() }).await, [(one, vec![0])]);
    assert_eq!(find(QueueFilter { sender: Some(None), ..f() }).await, [(two, vec![0])]);
    let sender = Some(Some(address("ALICE@example.test")));
    assert_eq!(find(QueueFilter { sender, ..f() }).await.len(), 2);
    assert_eq!(find(QueueFilter { submitter: Some(w.alice), ..f() }).await, [(one, vec![0, 1])]);
    assert_eq!(find(QueueFilter { held: Some(true), ..f() }).await, [(three, vec![1])]);
    assert_eq!(find(QueueFilter { held: Some(false), ..f() }).await.len(), 3);
    for words in ["greylisted, COME", "451 4.7.1", "mx.far.example"] {
        assert_eq!(find(QueueFilter { answer: Some(words.into()), ..f() }).await, [(three, vec![0])], "{words}");
    }
    let none = QueueFilter { held: Some(true), lane: Some(lane("b.test")), ..f() };
    assert_eq!(find(none).await, []);
}

#[tokio::test]
async fn pages_end_and_go_on() {
    let w = world().await;
    let ids = three(&w).await;
    let page = w.store.queue_page(QueueFilter::default(), None, 2).await.unwrap();
    assert_eq!((page.messages.len(), page.next), (2, Some(ids[1])));
    let page = w.store.queue_page(QueueFilter::default(), page.next, 2).await.unwrap();
    assert_eq!((numbers(&page.messages), page.next), (vec![(ids[2], vec![0, 1])], None));
}

#[tokio::test]
async fn totals_tell_the_largest_lanes_and_the_reason_most_at_fault() {
    let w = world().await;
    three(&w).await;
    w.store.pause(Some(lane("z.test")), true).await.unwrap();
    let totals = w.store.queue_totals(2).await.unwrap();
    assert_eq!((totals.messages, totals.waiting, totals.held, totals.lanes), (3, 4, 1, 4));
    assert_eq!((totals.oldest, totals.paused), (Some(at(100)), false));
    let [paused, largest] = &totals.largest[..] else { panic!("{totals:?}") };
    assert_eq!((&paused.lane, paused.paused, paused.waiting, paused.oldest), (&lane("z.test"), true, 0, None));
    assert_eq!((&largest.lane, largest.waiting, largest.held), (&lane("a.test"), 2, 1));
    assert_eq!((largest.due, largest.oldest), (Some(at(100)), Some(at(100))));
    assert_eq!(largest.reason, Some((attempt(150, 451, "Greylisted, come again"), 1)));
}

#[tokio::test]
async fn the_same_code_is_the_same_reason_whatever_the_words() {
    let w = world().await;
    let id = w.queue("t", &["a@a.test", "b@a.test", "c@a.test"]).await;
    let deferred = |number, code, words: &str| Settled {
        attempt: Some(attempt(150 + i64::from(number), code, words)),
        ..settled(id, number, Outcome::Deferred(at(300)))
    };
    let parts = vec![deferred(0, 451, "id 17"), deferred(1, 421, "too many"), deferred(2, 451, "id 18")];
    w.store.settle(only(parts)).await.unwrap();
    let totals = w.store.queue_totals(1).await.unwrap();
    assert_eq!(totals.largest[0].reason, Some((attempt(152, 451, "id 18"), 2)));
}
