//! The queue in the embedded store: what a restart finds, what verify sees, what salvage mends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]

use bytes::Bytes;
use mailward_core::{QueueId, Timestamp};
use mailward_store::maintenance::{compact, salvage, stats, verify};
use mailward_store::pack::{HEADER_LEN, PACK_HEAD_LEN};
use mailward_store::records::*;
use mailward_store::{LocalStore, MailStore, Options, QueueStore};
use std::collections::HashSet;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

fn open(dir: &Path) -> Arc<LocalStore> {
    LocalStore::open(dir, Options { pack_size: 4_000, index: false, ..Options::default() }).unwrap()
}

fn queued(to: &[&str]) -> Queued {
    let recipients = to.iter().map(|text| {
        let address: mailward_core::Address = text.parse().unwrap();
        let lane = Lane::from(address.domain().unwrap());
        NewRecipient { address, notify: None, original: None, lane, due: Timestamp(100), held: None }
    });
    Queued {
        envelope: Envelope {
            sender: "alice@example.test".parse().ok(),
            give_back: None,
            envid: None,
            needs: Needs::default(),
            submitter: None,
            forwarded: None,
            arrived: Timestamp(100),
            warn: Some(Timestamp(500)),
            expires: Timestamp(900),
        },
        recipients: recipients.collect(),
    }
}

async fn queue(store: &LocalStore, n: u32, to: &[&str]) -> QueueId {
    let bytes = Bytes::from(format!("message {n} {}", "x".repeat(1_000)));
    let content = Content::new(bytes, Bytes::from_static(b"s"));
    store.deliver(Delivery { content, targets: vec![], queued: vec![queued(to)], kept: None }).await.unwrap().queued[0]
}

fn settled(message: QueueId, number: u32, outcome: Outcome) -> Settlement {
    let attempt = Attempt { at: Timestamp(150), host: "mx".into(), code: 451, status: None, text: "later".into() };
    let recipients = vec![Settled { message, number, outcome, attempt: Some(attempt), refused: false, warned: false }];
    Settlement { recipients, ..Settlement::default() }
}

fn problems(dir: &Path) -> Vec<String> {
    verify(dir, |_, _| {}).unwrap().problems.into_iter().map(|p| format!("{}: {}", p.place, p.what)).collect()
}

async fn everything(store: &LocalStore) -> Vec<QueuedMessage> {
    store.queue_page(QueueFilter::default(), None, usize::MAX).await.unwrap().messages
}

/// Three messages: one deferred and held in part, lanes paused and given a rest.
async fn filled(dir: &Path) -> (Arc<LocalStore>, [QueueId; 3]) {
    let store = open(dir);
    let ids = [
        queue(&store, 1, &["x@a.test", "y@b.test"]).await,
        queue(&store, 2, &["x@a.test"]).await,
        queue(&store, 3, &["x@c.test"]).await,
    ];
    store.settle(settled(ids[0], 0, Outcome::Deferred(Timestamp(300)))).await.unwrap();
    store.settle(settled(ids[0], 1, Outcome::Held("wait".into()))).await.unwrap();
    store.mark_trial(ids[1]).await.unwrap();
    store.pause(Some(Lane::parse("c.test").unwrap()), true).await.unwrap();
    let rest = LaneNews { lane: Lane::parse("a.test").unwrap(), blocked: Some(Timestamp(250)) };
    store.settle(Settlement { lanes: vec![rest], ..Settlement::default() }).await.unwrap();
    (store, ids)
}

#[tokio::test]
async fn a_restart_finds_all_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ids) = filled(dir.path()).await;
    let before = (everything(&store).await, store.queue_totals(9).await.unwrap());
    store.pause(None, true).await.unwrap();
    store.close().await;
    drop(store);
    let store = open(dir.path());
    assert!(store.queue_totals(9).await.unwrap().paused);
    store.pause(None, false).await.unwrap();
    assert_eq!((everything(&store).await, store.queue_totals(9).await.unwrap()), before);
    assert_eq!(store.mark_trial(ids[1]).await.unwrap(), 2);
    assert!(queue(&store, 4, &["x@a.test"]).await > ids[2]);
    store.close().await;
    assert_eq!(problems(dir.path()), Vec::<String>::new());
    let stats = stats(dir.path()).unwrap();
    assert_eq!((stats.queued, stats.queued_recipients), (4, 5));
}

#[tokio::test]
async fn an_id_is_not_given_again_after_a_restart_either() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = queue(&store, 1, &["x@a.test"]).await;
    store.settle(settled(first, 0, Outcome::Delivered)).await.unwrap();
    store.close().await;
    drop(store);
    let store = open(dir.path());
    assert!(queue(&store, 1, &["x@a.test"]).await > first);
    store.close().await;
}

#[tokio::test]
async fn a_rewritten_pack_keeps_what_is_queued() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ids) = filled(dir.path()).await;
    store.settle(settled(ids[1], 0, Outcome::Delivered)).await.unwrap();
    assert!(compact(&store, true).await.unwrap().freed > 0);
    let blob = store.queued_message(ids[0]).await.unwrap().blob;
    assert_eq!(&store.read(blob, 0, 9).await.unwrap()[..], b"message 1");
    store.close().await;
    assert_eq!(problems(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn every_row_and_counter_that_is_wrong_is_found_and_mended() {
    for (harm, expect) in [
        ("UPDATE queue_messages SET remaining = 9 WHERE id = 1", "recipients are miscounted"),
        ("UPDATE queue_messages SET waiting = 0 WHERE id = 2", "recipients are miscounted"),
        ("UPDATE queue_messages SET size = 1 WHERE id = 1", "size is not its content's"),
        ("UPDATE queue_messages SET deadline = 900 WHERE id = 1", "deadline is another"),
        ("UPDATE blobs SET refs = 2 WHERE id = 1", "references are miscounted"),
        ("DELETE FROM queue_messages WHERE id = 2", "recipient in the queue has no message"),
        ("DELETE FROM queue_recipients WHERE message = 2", "recipients are miscounted"),
        ("DELETE FROM queue_lanes WHERE name = 'a.test'", "lane isn't there"),
        ("UPDATE queue_lanes SET waiting = 9 WHERE name = 'a.test'", "a lane's recipients are miscounted"),
        ("UPDATE queue_lanes SET due = 999 WHERE name = 'a.test'", "its time isn't that of the first"),
        ("DELETE FROM queue_attempts", "last attempt isn't there"),
        ("UPDATE queue_recipients SET attempts = 0", "an attempt is of no recipient"),
        ("DELETE FROM blobs WHERE id = 3", "a message in the queue has no content"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = filled(dir.path()).await;
        store.close().await;
        drop(store);
        rusqlite::Connection::open(dir.path().join("mailward.db")).unwrap().execute_batch(harm).unwrap();
        let found = problems(dir.path());
        assert!(found.iter().any(|p| p.contains(expect)), "{harm}: {found:?}");
        let done = salvage(dir.path()).unwrap();
        assert!(done.left.is_empty(), "{harm}: {:?}", done.left);
        let store = open(dir.path());
        assert!(store.queue_totals(9).await.unwrap().largest[0].paused, "{harm}: the pause is lost");
        store.close().await;
    }
}

#[tokio::test]
async fn salvage_names_who_was_to_get_a_message_that_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path()).await;
    store.close().await;
    drop(store);
    let pack = std::fs::OpenOptions::new().write(true).open(dir.path().join("packs/00000001.pack")).unwrap();
    pack.write_all_at(b"X", PACK_HEAD_LEN + HEADER_LEN + 4).unwrap();
    let done = salvage(dir.path()).unwrap();
    assert_eq!(done.lost, ["queue 1 from alice@example.test to x@a.test, y@b.test"]);
    assert!(done.left.is_empty(), "{:?}", done.left);
    let store = open(dir.path());
    let left: Vec<QueueId> = everything(&store).await.iter().map(|m| m.id).collect();
    assert_eq!(left, [QueueId(2), QueueId(3)]);
    store.close().await;
}

#[tokio::test]
async fn a_damaged_database_keeps_what_can_be_read_of_the_queue() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..300 {
        queue(&store, n, &["x@a.test", "y@b.test"]).await;
    }
    store.close().await;
    drop(store);
    let path = dir.path().join("mailward.db");
    let database = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let pages = database.metadata().unwrap().len() / 4096;
    for page in pages - 4..pages {
        database.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
    }
    let done = salvage(dir.path()).unwrap();
    assert!(done.damaged_database.is_some() && done.left.is_empty(), "{:?}", done.left);
    // Every message is still owed, or kept aside.
    let store = open(dir.path());
    let left = store.queue_totals(9).await.unwrap().messages;
    assert_eq!(left + done.found, 300, "{done:?}");
    store.close().await;
}

/// A stalled destination with most of the queue hides nobody, and everything is found by what it is due for.
#[tokio::test]
async fn one_lane_with_thousands_does_not_stand_before_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let stalled: Vec<String> = (0..1_000).map(|n| format!("r{n}@stalled.test")).collect();
    let stalled: Vec<&str> = stalled.iter().map(String::as_str).collect();
    for n in 0..5 {
        queue(&store, n, &stalled).await;
    }
    let other = queue(&store, 9, &["x@other.test"]).await;
    let due = store.due_lanes(Timestamp(100), 10, HashSet::new()).await.unwrap();
    let waiting: Vec<(String, u64)> = due.into_iter().map(|due| (due.lane.to_string(), due.waiting)).collect();
    assert_eq!(waiting, [("stalled.test".to_owned(), 5_000), ("other.test".to_owned(), 1)]);
    let page = store.due_in_lane(Lane::parse("other.test").unwrap(), Timestamp(100), None, 10).await.unwrap();
    assert_eq!(page.messages[0].id, other);
    store.close().await;
}
