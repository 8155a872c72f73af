//! Small records of rooms above.

use crate::support::*;
use bytes::Bytes;
use mailward_core::limits::{SHELF_CHANGES_MAX, SHELF_KEY_MAX, SHELF_SWEEP, SHELF_VALUE_MAX};
use mailward_core::{Clock, Timestamp};
use mailward_store::records::*;
use mailward_store::{Options, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

fn record(key: &str, value: &str) -> Shelved {
    Shelved { key: key.to_owned(), value: Bytes::from(value.to_owned()), expires: None }
}

fn put(key: &str, value: &str) -> ShelfChange {
    ShelfChange::Put(Shelf::Routes, record(key, value))
}

async fn keys(w: &World, shelf: Shelf) -> Vec<String> {
    w.store.shelf(shelf, None, usize::MAX).await.unwrap().into_iter().map(|record| record.key).collect()
}

#[derive(Debug, Default)]
struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn records_are_put_found_and_taken_away() {
    let w = world().await;
    w.store.change_shelf(vec![put("b", "2"), put("a", "1"), put("b", "3")]).await.unwrap();
    w.store.change_shelf(vec![ShelfChange::Add(Shelf::Fetch, record("a", "elsewhere"))]).await.unwrap();
    assert_eq!(w.store.shelf(Shelf::Routes, None, 9).await.unwrap(), [record("a", "1"), record("b", "3")]);
    assert_eq!(w.store.shelf(Shelf::Routes, Some("a".to_owned()), 9).await.unwrap(), [record("b", "3")]);
    assert_eq!(w.store.shelf(Shelf::Routes, None, 1).await.unwrap(), [record("a", "1")]);
    assert_eq!(w.store.shelved(Shelf::Routes, "b".to_owned()).await.unwrap(), Some(record("b", "3")));
    assert_eq!(w.store.shelved(Shelf::Fetch, "b".to_owned()).await.unwrap(), None);
    w.store.change_shelf(vec![ShelfChange::Remove(Shelf::Routes, "a".to_owned())]).await.unwrap();
    assert_eq!(keys(&w, Shelf::Routes).await, ["b"]);
    for shelf in Shelf::ALL {
        w.store.change_shelf(vec![ShelfChange::Put(shelf, record("each its own", "x"))]).await.unwrap();
        assert!(keys(&w, shelf).await.contains(&"each its own".to_owned()));
    }
    assert_eq!(keys(&w, Shelf::Fetch).await, ["a", "each its own"]);
}

#[tokio::test]
async fn changes_are_made_together_or_not_at_all() {
    let w = world().await;
    w.store.change_shelf(vec![put("a", "1")]).await.unwrap();
    let twice = w.store.change_shelf(vec![put("b", "2"), ShelfChange::Add(Shelf::Routes, record("a", "3"))]).await;
    assert!(matches!(twice, Err(StoreError::Exists(key)) if key == "a"));
    let missing = w.store.change_shelf(vec![put("b", "2"), ShelfChange::Remove(Shelf::Routes, "c".to_owned())]).await;
    assert!(matches!(missing, Err(StoreError::NotFound("record"))));
    assert_eq!(w.store.shelf(Shelf::Routes, None, 9).await.unwrap(), [record("a", "1")]);
}

#[tokio::test]
async fn a_delivery_and_its_notes_are_one() {
    let w = world().await;
    let delivery = |text| Delivery { content: content(text), targets: targets(&[w.alice]), queued: vec![], kept: None };
    let note = || vec![ShelfChange::Add(Shelf::Fetch, record("seen", ""))];
    w.store.deliver_noted(delivery("first"), note()).await.unwrap();
    let again = w.store.deliver_noted(delivery("again"), note()).await;
    assert!(matches!(again, Err(StoreError::Exists(_))));
    assert_eq!(w.texts(&w.inbox(w.alice).await).await, ["first"]);
    let nobody = Delivery { targets: targets(&[mailward_core::AccountId(99)]), ..delivery("nobody's") };
    let other = vec![ShelfChange::Add(Shelf::Fetch, record("other", ""))];
    assert!(w.store.deliver_noted(nobody, other).await.is_err());
    assert_eq!(keys(&w, Shelf::Fetch).await, ["seen"]);
    assert_eq!(w.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_record_is_gone_when_its_time_is_over() {
    let clock = Arc::new(Hand(AtomicI64::new(1_000)));
    let w = world_with(Options { clock: clock.clone(), ..Options::default() }).await;
    let until = |key: &str, at| {
        ShelfChange::Add(Shelf::MtaSts, Shelved { expires: Some(Timestamp(at)), ..record(key, "policy") })
    };
    w.store.change_shelf(vec![until("a", 2_000), until("b", 3_000)]).await.unwrap();
    clock.0.store(2_000, Ordering::SeqCst);
    assert_eq!(keys(&w, Shelf::MtaSts).await, ["b"]);
    assert_eq!(w.store.shelved(Shelf::MtaSts, "a".to_owned()).await.unwrap(), None);
    let gone = w.store.change_shelf(vec![ShelfChange::Remove(Shelf::MtaSts, "a".to_owned())]).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))));
    w.store.change_shelf(vec![until("a", 4_000)]).await.unwrap();
    assert_eq!(keys(&w, Shelf::MtaSts).await, ["a", "b"]);
    // One change sweeps out more than it puts in, whatever its key.
    let many = (0..SHELF_SWEEP * 3).map(|n| until(&format!("old {n}"), 2_500)).collect();
    w.store.change_shelf(many).await.unwrap();
    clock.0.store(2_500, Ordering::SeqCst);
    w.store.change_shelf(vec![until("x", 9_000), until("y", 9_000)]).await.unwrap();
    clock.0.store(2_400, Ordering::SeqCst);
    assert_eq!(keys(&w, Shelf::MtaSts).await.len(), 4 + SHELF_SWEEP);
}

#[tokio::test]
async fn a_shelf_ends_at_its_limits() {
    let w = world().await;
    let limit = |changed: Result<(), StoreError>| matches!(changed, Err(StoreError::Limit(_)));
    let long = "k".repeat(SHELF_KEY_MAX);
    let large = "v".repeat(SHELF_VALUE_MAX);
    w.store.change_shelf(vec![put(&long, &large)]).await.unwrap();
    assert!(limit(w.store.change_shelf(vec![put(&format!("{long}k"), "")]).await));
    assert!(limit(w.store.change_shelf(vec![put("", "")]).await));
    assert!(limit(w.store.change_shelf(vec![put("k", &format!("{large}v"))]).await));
    let many = |count: usize| (0..count).map(|_| put("k", "v")).collect::<Vec<_>>();
    w.store.change_shelf(many(SHELF_CHANGES_MAX)).await.unwrap();
    assert!(limit(w.store.change_shelf(many(SHELF_CHANGES_MAX + 1)).await));
}

#[tokio::test]
async fn the_version_of_a_shelf_rises_with_its_changes_alone() {
    let w = world().await;
    let (mut routes, mut fetch) = (w.store.shelf_version(Shelf::Routes), w.store.shelf_version(Shelf::Fetch));
    routes.mark_unchanged();
    fetch.mark_unchanged();
    w.store.change_shelf(vec![put("a", "1")]).await.unwrap();
    assert!(routes.has_changed().unwrap());
    assert!(!fetch.has_changed().unwrap());
}
