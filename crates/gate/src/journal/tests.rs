//! Stories about the journal of refusals.

use super::*;
use crate::hand::Hand;
use mailward_core::limits::{JOURNAL_FIELD_MAX, JOURNAL_PER_HOUR, JOURNAL_READ_MAX, JOURNAL_SHOWN_MAX, PAGE_ROWS_MAX};
use mailward_core::{Listener, Peer};
use mailward_store::records::{Accepted, Delivery, Shelf, ShelfChange, Shelved};
use mailward_store::{LocalStore, Options};
use mailward_store::{Pending, StoreError};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

const HOUR: i64 = 3_600_000;
const BEGIN: i64 = 490_555 * HOUR;

struct World {
    journal: Arc<Journal>,
    store: Arc<LocalStore>,
    clock: Arc<Hand>,
}

impl World {
    async fn at(dir: &Path, time: i64) -> Self {
        let clock = Hand::at(time);
        let store = LocalStore::open(dir, Options { clock: clock.clone(), ..Options::default() }).unwrap();
        let secret = Secret::new("a server's secret");
        let journal = Journal::new(store.clone(), clock.clone(), Events::memory(), &secret).unwrap();
        journal.load().await.unwrap();
        Self { journal, store, clock }
    }
    async fn closed(self) {
        self.store.close().await;
    }
    fn pass(&self, millis: i64) {
        self.clock.pass(millis);
    }
    async fn find(&self, what: &str) -> Found {
        let what = if what.is_empty() { What::All } else { What::parse(what).unwrap() };
        self.journal.find(&Asked { what, put_off: false, since: None }).await.unwrap()
    }
}

fn peer(ip: [u8; 4]) -> Peer {
    Peer { session: 17, address: Some(Ipv4Addr::from(ip).into()), port: None, listener: Listener::Smtp }
}

fn refused(peer: &Peer) -> Refused<'_> {
    Refused {
        stage: Stage::Recipient,
        peer,
        hello: Some("mail.sender.example"),
        sender: Some("ann@sender.example"),
        recipient: Some("Joe@example.org"),
        verdict: Verdict::Refused,
        reason: "no such user",
        code: 550,
        reply: "5.1.1 No such user here",
    }
}

#[tokio::test]
async fn what_was_refused_is_found_by_whatever_is_known_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path(), BEGIN).await;
    let (one, other) = (peer([192, 0, 2, 7]), peer([198, 51, 100, 7]));
    let reference = world.journal.note(&refused(&one));
    world.pass(1_000);
    let later = world.journal.note(&Refused {
        verdict: Verdict::PutOff,
        sender: Some(""),
        recipient: Some("ann@example.org"),
        hello: None,
        ..refused(&other)
    });
    for _ in 0..2 {
        for what in ["192.0.2.7", "192.0.2.0/24", "ann@SENDER.example", "<joe@example.org>", "sender.example"] {
            let found = world.find(what).await;
            assert_eq!(found.entries.len(), 1, "{what}");
            assert_eq!(found.entries[0].reference, reference, "{what}");
        }
        assert_eq!(world.find(&reference.to_string()).await.entries[0].reason, "no such user");
        let all = world.find("").await;
        assert_eq!(all.entries.iter().map(|entry| entry.reference).collect::<Vec<_>>(), [later, reference]);
        let put_off = Asked { what: What::All, put_off: true, since: None };
        assert_eq!(world.journal.find(&put_off).await.unwrap().entries.len(), 1);
        let since = Asked { what: What::All, put_off: false, since: Some(Timestamp(BEGIN + 1)) };
        assert_eq!(world.journal.find(&since).await.unwrap().entries[0].reference, later);
        assert!(world.find("nobody@example.org").await.entries.is_empty());
        // The same from the shelf beside the memory: each once.
        world.journal.save().await.unwrap();
    }
    world.closed().await;
}

#[tokio::test]
async fn it_survives_a_restart_and_goes_after_a_week() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path(), BEGIN).await;
    let host = peer([192, 0, 2, 7]);
    let written = world.journal.note(&refused(&host));
    world.journal.save().await.unwrap();
    let lost = world.journal.note(&refused(&host));
    assert_ne!(written, lost);
    // Killed: what wasn't written is gone, and nothing is made up for it.
    world.closed().await;
    let world = World::at(dir.path(), BEGIN + 24 * HOUR).await;
    assert_eq!(world.find(&written.to_string()).await.entries.len(), 1);
    assert!(world.find(&lost.to_string()).await.entries.is_empty());
    world.closed().await;
    let world = World::at(dir.path(), BEGIN + 7 * 24 * HOUR + 1).await;
    let found = world.find(&written.to_string()).await;
    assert!(found.entries.is_empty());
    assert_eq!(found.remembered_since, Timestamp(BEGIN + 1));
    world.closed().await;
}

#[tokio::test]
async fn who_is_refused_all_day_long_is_counted_and_leaves_room_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path(), BEGIN).await;
    let host = peer([192, 0, 2, 7]);
    for _ in 0..100_000 {
        world.pass(10);
        world.journal.note(&refused(&host));
    }
    let reference = world.journal.note(&refused(&peer([198, 51, 100, 7])));
    world.journal.save().await.unwrap();
    let found = world.find("192.0.2.7").await;
    assert!(found.more && found.entries.len() == JOURNAL_SHOWN_MAX);
    let noted = 100 + (100_000 - 100) / 100;
    assert_eq!(found.left_out, 100_000 - noted);
    assert_eq!(world.find(&reference.to_string()).await.entries.len(), 1);
    let rows = world.store.shelf(Shelf::Refusals, None, 10_000).await.unwrap();
    assert_eq!(u64::try_from(rows.len()).unwrap(), noted + 2, "one row counts the others");
    world.closed().await;
}

#[tokio::test]
async fn an_hour_and_a_second_have_room_for_so_many_whoever_they_are_of() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path(), BEGIN).await;
    let journal = Arc::clone(&world.journal);
    let note = |number: u32| {
        let [_, a, b, c] = number.to_be_bytes();
        journal.note(&refused(&peer([10, a, b, c])))
    };
    // All in one second.
    (0..1_000).map(note).for_each(|reference| assert_eq!(reference.digits().len(), 8));
    let found = world.find("").await;
    assert_eq!(found.left_out, 800 - 8);
    // Over the hour.
    for number in 1_000..6_000 {
        world.pass(500);
        note(number);
    }
    world.journal.save().await.unwrap();
    let rows = world.store.shelf(Shelf::Refusals, None, 10_000).await.unwrap();
    assert_eq!(rows.len(), JOURNAL_PER_HOUR + 1);
    drop(journal);
    world.closed().await;
    // A restart doesn't open the hour anew.
    let world = World::at(dir.path(), BEGIN + HOUR - 1).await;
    world.journal.note(&refused(&peer([10, 255, 0, 1])));
    world.journal.save().await.unwrap();
    assert_eq!(world.store.shelf(Shelf::Refusals, None, 10_000).await.unwrap().len(), JOURNAL_PER_HOUR + 1);
    assert_eq!(world.find("10.255.0.1").await.entries.len(), 1, "it is in memory all the same");
    world.pass(2);
    world.journal.note(&refused(&peer([10, 255, 0, 2])));
    world.journal.save().await.unwrap();
    assert_eq!(world.store.shelf(Shelf::Refusals, None, 10_000).await.unwrap().len(), JOURNAL_PER_HOUR + 2);
    world.closed().await;
}

#[tokio::test]
async fn memory_has_the_newest_and_fields_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path(), BEGIN).await;
    let long = "ä".repeat(100_000);
    let host = peer([192, 0, 2, 7]);
    world.journal.note(&Refused { hello: Some(&long), reason: &long, ..refused(&host) });
    let found = world.find("192.0.2.7").await;
    assert_eq!(found.entries[0].hello.as_ref().map(String::len), Some(JOURNAL_FIELD_MAX));
    assert_eq!(found.entries[0].reason.len(), JOURNAL_FIELD_MAX);
    for number in 0..u32::try_from(JOURNAL_RING).unwrap() + 500 {
        world.pass(100);
        let [_, a, b, c] = number.to_be_bytes();
        world.journal.note(&refused(&peer([10, a, b, c])));
    }
    assert_eq!(world.journal.inner().ring.len(), JOURNAL_RING);
    assert!(world.journal.inner().unwritten.len() <= JOURNAL_RING);
    world.closed().await;
}

#[test]
fn a_question_is_read_by_its_form() {
    let reads = |text: &str| What::parse(text).unwrap();
    assert!(matches!(reads("7k2q-9xmt"), What::Reference(_)));
    assert!(matches!(reads("joe@example.org"), What::Address(_)));
    assert!(matches!(reads("example.org"), What::Domain(_)));
    assert!(matches!(reads("2001:db8::1"), What::Network(_)));
    assert!(matches!(reads("192.0.2.0/24"), What::Network(_)));
    for bad in ["", "@", "192.0.2.0/99", "two words"] {
        assert!(What::parse(bad).is_err(), "{bad}");
    }
}

/// A shelf without an end.
struct Endless(AtomicUsize);

impl ShelfStore for Endless {
    fn shelf_version(&self, _: Shelf) -> tokio::sync::watch::Receiver<u64> {
        tokio::sync::watch::channel(0).1
    }
    fn shelf(&self, _: Shelf, _: Option<String>, limit: usize) -> Pending<'_, Vec<Shelved>> {
        assert_eq!(limit, PAGE_ROWS_MAX);
        self.0.fetch_add(limit, Ordering::Relaxed);
        let record = Shelved { key: format!("{:08}.x", BEGIN / HOUR), value: bytes::Bytes::new(), expires: None };
        Box::pin(async move { Ok(vec![record; limit]) })
    }
    fn shelved(&self, _: Shelf, _: String) -> Pending<'_, Option<Shelved>> {
        Box::pin(async { Err(StoreError::Closed) })
    }
    fn change_shelf(&self, _: Vec<ShelfChange>) -> Pending<'_, ()> {
        Box::pin(async { Err(StoreError::Closed) })
    }
    fn deliver_noted(&self, _: Delivery, _: Vec<ShelfChange>) -> Pending<'_, Accepted> {
        Box::pin(async { Err(StoreError::Closed) })
    }
}

#[tokio::test]
async fn looking_ends_though_the_shelf_doesn_t() {
    let shelf = Arc::new(Endless(AtomicUsize::new(0)));
    let clock = Hand::at(BEGIN);
    let journal = Journal::new(shelf.clone(), clock, Events::memory(), &Secret::new("a server's secret")).unwrap();
    let found = journal.find(&Asked { what: What::All, put_off: false, since: None }).await.unwrap();
    assert!(found.entries.is_empty());
    assert_eq!(shelf.0.load(Ordering::Relaxed), JOURNAL_READ_MAX);
}
