//! What a runner finds.

use super::*;
use mailward_store::StoreError;

#[tokio::test]
async fn lanes_come_by_the_time_they_are_due_and_those_in_work_are_left_out() {
    let w = world().await;
    for (text, due) in [("x@b.test", 300), ("x@a.test", 200), ("y@a.test", 400), ("x@c.test", 999)] {
        let to = NewRecipient { due: at(due), ..recipient(text) };
        w.enqueue(text, Queued { envelope: envelope(), recipients: vec![to] }).await;
    }
    assert_eq!(w.lanes(100).await, Vec::<String>::new());
    assert_eq!(w.lanes(200).await, ["a.test"]);
    assert_eq!(w.lanes(400).await, ["a.test", "b.test"]);
    let due = w.store.due_lanes(at(400), 1, HashSet::from([lane("a.test")])).await.unwrap();
    assert_eq!(due, [DueLane { lane: lane("b.test"), due: at(300), waiting: 1, failures: 0 }]);
    let next = w.store.next_due(HashSet::new()).await.unwrap();
    assert_eq!(next, NextDue { lane: Some(at(200)), deadline: Some(at(500)) });
    let others = w.store.next_due(HashSet::from(["a.test", "b.test"].map(lane))).await.unwrap();
    assert_eq!(others.lane, Some(at(999)));
}

#[tokio::test]
async fn an_empty_queue_has_nothing_to_wait_for() {
    let w = world().await;
    assert_eq!(w.store.next_due(HashSet::new()).await.unwrap(), NextDue::default());
    assert_eq!(w.store.due_in_lane(lane("a.test"), at(999), None, 10).await.unwrap(), DuePage::default());
}

#[tokio::test]
async fn a_message_comes_with_its_recipients_of_the_lane_and_no_others() {
    let w = world().await;
    let one = w.queue("1", &["x@a.test", "x@b.test", "y@a.test"]).await;
    let two = w.queue("2", &["z@a.test"]).await;
    assert_eq!(w.due("a.test", 100).await, [(one, vec![0, 2]), (two, vec![0])]);
    assert_eq!(w.due("b.test", 100).await, [(one, vec![1])]);
    let held = settled(one, 2, Outcome::Held("looked at".into()));
    w.store.settle(only(vec![held, settled(one, 0, Outcome::Deferred(at(300)))])).await.unwrap();
    assert_eq!(w.due("a.test", 299).await, [(two, vec![0])]);
    assert_eq!(w.due("a.test", 300).await, [(two, vec![0]), (one, vec![0])]);
}

#[tokio::test]
async fn pages_of_a_lane_never_part_a_message_nor_miss_or_repeat_one() {
    let w = world().await;
    let mut expect = Vec::new();
    for n in 0..7 {
        let to: Vec<String> = (0..3).map(|r| format!("r{r}@a.test")).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        expect.push((w.queue(&n.to_string(), &to).await, vec![0, 1, 2]));
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = w.store.due_in_lane(lane("a.test"), at(100), after, 4).await.unwrap();
        assert!(page.messages.len() <= 2, "{page:?}");
        seen.extend(numbers(&page.messages));
        // Others come meanwhile; they are due no earlier, and later in line.
        if seen.len() == 2 {
            expect.push((w.queue("meanwhile", &["r@a.test"]).await, vec![0]));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, expect);
}

#[tokio::test]
async fn recipients_of_one_message_with_different_times_come_together_once_all_are_due() {
    let w = world().await;
    let one = w.queue("1", &["x@a.test", "y@a.test"]).await;
    let two = w.queue("2", &["x@a.test"]).await;
    w.store.settle(only(vec![settled(one, 1, Outcome::Deferred(at(200)))])).await.unwrap();
    assert_eq!(w.due("a.test", 200).await, [(one, vec![0, 1]), (two, vec![0])]);
}

#[tokio::test]
async fn a_lane_whose_host_failed_rests_and_its_success_ends_that() {
    let w = world().await;
    w.queue("1", &["x@a.test", "x@b.test"]).await;
    let fail = |until| Settlement {
        lanes: vec![LaneNews { lane: lane("a.test"), blocked: Some(at(until)) }],
        ..Settlement::default()
    };
    w.store.settle(fail(300)).await.unwrap();
    w.store.settle(fail(400)).await.unwrap();
    assert_eq!(w.lanes(399).await, ["b.test"]);
    assert_eq!(w.due("a.test", 399).await, []);
    let due = w.store.due_lanes(at(400), 10, HashSet::from([lane("b.test")])).await.unwrap();
    assert_eq!(due, [DueLane { lane: lane("a.test"), due: at(400), waiting: 1, failures: 2 }]);
    let next = w.store.next_due(HashSet::from([lane("b.test")])).await.unwrap();
    assert_eq!(next.lane, Some(at(400)));
    let answered =
        Settlement { lanes: vec![LaneNews { lane: lane("a.test"), blocked: None }], ..Settlement::default() };
    w.store.settle(answered).await.unwrap();
    let due = w.store.due_lanes(at(100), 10, HashSet::from([lane("b.test")])).await.unwrap();
    assert_eq!((due[0].due, due[0].failures), (at(100), 0));
}

#[tokio::test]
async fn a_lane_pauses_without_a_failure_of_its_host() {
    let w = world().await;
    w.queue("1", &["x@a.test"]).await;
    let pause = |until| Settlement { pauses: vec![(lane("a.test"), at(until))], ..Settlement::default() };
    w.store.settle(pause(300)).await.unwrap();
    // A rest that is longer isn't cut.
    w.store.settle(pause(200)).await.unwrap();
    assert!(w.lanes(299).await.is_empty());
    let due = w.store.due_lanes(at(300), 10, HashSet::new()).await.unwrap();
    assert_eq!(due, [DueLane { lane: lane("a.test"), due: at(300), waiting: 1, failures: 0 }]);
}

#[tokio::test]
async fn what_is_postponed_waits_and_is_no_better_known() {
    let w = world().await;
    let id = w.queue("suspect", &["x@a.test", "y@a.test", "z@b.test"]).await;
    w.store.settle(only(vec![settled(id, 1, Outcome::Deferred(at(900)))])).await.unwrap();
    w.store.mark_trial(id).await.unwrap();
    w.store.postpone(id, at(500)).await.unwrap();
    assert_eq!(w.store.next_due(HashSet::new()).await.unwrap().lane, Some(at(500)));
    let there = w.store.queued_message(id).await.unwrap();
    assert_eq!(there.recipients.iter().map(|r| r.due).collect::<Vec<_>>(), [at(500), at(900), at(500)]);
    assert_eq!(there.trials, 1);
    // Not earlier than it was, not those that are held, and not what isn't there.
    w.store.postpone(id, at(400)).await.unwrap();
    assert_eq!(w.store.next_due(HashSet::new()).await.unwrap().lane, Some(at(500)));
    w.store.postpone(QueueId(999), at(400)).await.unwrap();
    assert_eq!(w.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn trials_are_counted_until_something_is_settled() {
    let w = world().await;
    let id = w.queue("poison", &["x@a.test"]).await;
    for expect in 1..=3 {
        assert_eq!(w.store.mark_trial(id).await.unwrap(), expect);
    }
    assert_eq!(w.store.due_in_lane(lane("a.test"), at(100), None, 1).await.unwrap().messages[0].trials, 3);
    w.store.settle(only(vec![settled(id, 0, Outcome::Deferred(at(200)))])).await.unwrap();
    assert_eq!(w.store.mark_trial(id).await.unwrap(), 1);
    assert!(matches!(w.store.mark_trial(QueueId(999)).await, Err(StoreError::NotFound(_))));
}
