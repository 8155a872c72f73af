//! Verify sees what is wrong, salvage mends what can be mended, compaction gives space back, and opening keeps
//! what was never acknowledged.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]

use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::{AccountId, Domain, MailboxName, Uid};
use mailward_store::maintenance::{compact, salvage, stats, verify};
use mailward_store::pack::{HEADER_LEN, Header, PACK_HEAD_LEN, PackKey};
use mailward_store::records::*;
use mailward_store::{DirectoryStore, KeyStore, LocalStore, MailStore, Options, QueueStore, StoreError};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

async fn filled(dir: &Path, messages: u32) -> (Arc<LocalStore>, AccountId) {
    let store = LocalStore::open(dir, Options { pack_size: 4_000, ..Options::default() }).unwrap();
    let domain = store.change_domain(DomainChange::Add { name: Domain::parse("example.test").unwrap() }).await.unwrap();
    let add = AccountChange::Add {
        domain: domain.id,
        local: "alice".into(),
        display_name: String::new(),
        credential: [].into(),
        quota_bytes: 0,
        quota_messages: 0,
    };
    let alice = store.change_account(add).await.unwrap().id;
    for n in 0..messages {
        let content = Content::new(Bytes::from(format!("message {n} {}", "x".repeat(1_000))), Bytes::from_static(b"s"));
        let targets = vec![Target { account: alice, mailbox: None, flags: Flags::NONE }];
        store.deliver(Delivery { content, targets, queued: Vec::new(), kept: None }).await.unwrap();
    }
    (store, alice)
}

async fn texts(store: &LocalStore, account: AccountId) -> Vec<String> {
    let inbox = store.mailbox(account, MailboxName::inbox()).await.unwrap();
    let mut texts = Vec::new();
    for row in store.messages(inbox.id, vec![UidRange::ALL], usize::MAX).await.unwrap() {
        let bytes = store.read(row.blob, 0, 12).await.unwrap();
        texts.push(String::from_utf8(bytes.to_vec()).unwrap().split_once(" x").unwrap().0.to_owned());
    }
    texts
}

fn problems(dir: &Path) -> Vec<String> {
    verify(dir, |_, _| {}).unwrap().problems.into_iter().map(|p| format!("{}: {}", p.place, p.what)).collect()
}

#[tokio::test]
async fn a_whole_store_verifies_even_while_it_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 10).await;
    let verified = verify(dir.path(), |_, _| {}).unwrap();
    assert_eq!((verified.contents, verified.messages, verified.problems.len()), (10, 10, 0));
    assert_eq!(stats(dir.path()).unwrap().messages, 10);
    store.close().await;
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 0).await;
    assert!(matches!(LocalStore::open(dir.path(), Options::default()), Err(StoreError::InUse(_))));
    assert!(matches!(salvage(dir.path()), Err(StoreError::InUse(_))));
    store.close().await;
    assert!(store.admit(1).is_err());
    assert!(matches!(store.usage(AccountId(1)).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn deleted_mail_gives_its_space_back_and_the_rest_still_reads() {
    let dir = tempfile::tempdir().unwrap();
    let (store, alice) = filled(dir.path(), 20).await;
    let inbox = store.mailbox(alice, MailboxName::inbox()).await.unwrap();
    let even: Vec<UidRange> = (1..=10).map(|n| UidRange::one(Uid(n * 2))).collect();
    store.expunge(inbox.id, even, true).await.unwrap();
    let before = stats(dir.path()).unwrap();
    assert!(before.dead_bytes >= 10_000);
    let done = compact(&store, true).await.unwrap();
    assert!(done.packs > 0 && done.freed > 0 && done.damaged.is_empty(), "{done:?}");
    assert_eq!(stats(dir.path()).unwrap().dead_bytes, 0);
    let expect: Vec<String> = (0..20).step_by(2).map(|n| format!("message {n}")).collect();
    assert_eq!(texts(&store, alice).await, expect);
    assert!(problems(dir.path()).is_empty());
    store.close().await;
    drop(store);
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(texts(&store, alice).await, expect);
    store.close().await;
}

#[tokio::test]
async fn a_pack_with_little_dead_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, alice) = filled(dir.path(), 20).await;
    let inbox = store.mailbox(alice, MailboxName::inbox()).await.unwrap();
    store.expunge(inbox.id, vec![UidRange::one(Uid(1))], true).await.unwrap();
    assert_eq!(compact(&store, false).await.unwrap().packs, 0);
    store.close().await;
}

#[tokio::test]
async fn compacting_again_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, alice) = filled(dir.path(), 6).await;
    let inbox = store.mailbox(alice, MailboxName::inbox()).await.unwrap();
    store.expunge(inbox.id, vec![UidRange::one(Uid(6))], true).await.unwrap();
    assert!(compact(&store, true).await.unwrap().freed > 0);
    let packs = stats(dir.path()).unwrap().packs;
    assert_eq!(compact(&store, true).await.unwrap(), mailward_store::maintenance::Compacted::default());
    assert_eq!(stats(dir.path()).unwrap().packs, packs);
    store.close().await;
}

#[tokio::test]
async fn one_wrong_byte_is_found_and_salvage_takes_out_that_message_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, alice) = filled(dir.path(), 3).await;
    store.close().await;
    drop(store);
    let pack = std::fs::OpenOptions::new().write(true).open(dir.path().join("packs/00000001.pack")).unwrap();
    pack.write_all_at(b"X", PACK_HEAD_LEN + HEADER_LEN + 4).unwrap();
    let found = problems(dir.path());
    assert_eq!(found, ["pack 00000001 offset 64: the message's bytes are not those that were written"]);
    let done = salvage(dir.path()).unwrap();
    assert_eq!(done.lost, ["alice@example.test INBOX UID 1"]);
    assert!(done.left.is_empty(), "{:?}", done.left);
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(texts(&store, alice).await, ["message 1", "message 2"]);
    store.close().await;
}

#[tokio::test]
async fn a_damaged_database_is_rebuilt_and_what_it_forgot_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 300).await;
    store.close().await;
    drop(store);
    let path = dir.path().join("mailward.db");
    let database = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = database.metadata().unwrap().len();
    assert!(length > 30 * 4096);
    for page in 24..28 {
        database.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
    }
    let done = salvage(dir.path()).unwrap();
    assert!(done.damaged_database.as_ref().is_some_and(|kept| kept.exists()));
    assert!(done.left.is_empty(), "{:?}", done.left);
    assert!(problems(dir.path()).is_empty());
    // Every message is either where it was or in lost-and-found.
    let left = stats(dir.path()).unwrap().contents;
    assert_eq!(left + done.found, 300, "{done:?}");
}

#[tokio::test]
async fn keys_that_sign_are_carried_over_from_a_damaged_database() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 2).await;
    let domain = store.domains().await.unwrap()[0].id;
    let key = NewDkimKey {
        selector: "s".into(),
        algorithm: "rsa-sha256".into(),
        public: (*b"public").into(),
        sealed: (*b"sealed").into(),
        state: DkimState::Active,
    };
    let keys = store.change_dkim_keys(DkimChange::Add { domain, keys: vec![key] }).await.unwrap();
    store.close().await;
    drop(store);
    let path = dir.path().join("mailward.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    // Of another table, and all in one file.
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let page: u32 = database
        .query_row("SELECT rootpage FROM sqlite_master WHERE name = 'subscriptions'", [], |row| row.get(0))
        .unwrap();
    drop(database);
    let database = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    database.write_all_at(&[0xa5; 4096], u64::from(page - 1) * 4096).unwrap();
    assert!(salvage(dir.path()).unwrap().damaged_database.is_some());
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(store.dkim_keys(None).await.unwrap(), keys);
    store.close().await;
}

#[tokio::test]
async fn every_counter_that_is_wrong_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 2).await;
    store.close().await;
    drop(store);
    let database = rusqlite::Connection::open(dir.path().join("mailward.db")).unwrap();
    for (harm, expect) in [
        ("UPDATE mailboxes SET unseen = unseen + 1 WHERE name = 'INBOX'", "the mailbox counts"),
        ("UPDATE usage SET bytes = bytes + 1", "usage says"),
        ("UPDATE blobs SET refs = refs + 1 WHERE id = 1", "references are miscounted"),
        ("UPDATE packs SET live = live + 1", "live bytes are miscounted"),
        ("UPDATE messages SET size = size + 1 WHERE uid = 1", "size is not its content's"),
        ("UPDATE messages SET uid = 9 WHERE uid = 1", "lies beyond its mailbox's"),
        ("DELETE FROM blob_hashes WHERE blob = 1", "can't be found by its hash"),
        ("DELETE FROM usage", "no usage or no INBOX"),
        ("DELETE FROM blobs WHERE id = 1", "has no content"),
    ] {
        database.execute_batch("BEGIN").unwrap();
        database.execute_batch(harm).unwrap();
        database.execute_batch("COMMIT").unwrap();
        assert!(problems(dir.path()).iter().any(|p| p.contains(expect)), "{harm} isn't found");
    }
    let done = salvage(dir.path()).unwrap();
    assert!(done.left.is_empty(), "{:?}", done.left);
}

#[tokio::test]
async fn what_was_written_but_never_acknowledged_is_kept_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (store, alice) = filled(dir.path(), 1).await;
    store.close().await;
    drop(store);
    let content = b"written, then the power went";
    let header = Header { length: content.len() as u64, written: 0, hash: *blake3::hash(content).as_bytes() };
    let path = dir.path().join("packs/00000001.pack");
    let pack = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut head = [0; 64];
    pack.read_exact_at(&mut head, 0).unwrap();
    let key = PackKey::decode(&head).unwrap();
    let end = PACK_HEAD_LEN + HEADER_LEN + 1_000 + 10;
    pack.write_all_at(&header.encode(&key), end).unwrap();
    pack.write_all_at(content, end + HEADER_LEN).unwrap();
    // And a torn one behind it.
    pack.write_all_at(&header.encode(&key)[..40], end + HEADER_LEN + content.len() as u64).unwrap();
    let events = Events::memory();
    let store = LocalStore::open(dir.path(), Options { events: events.clone(), ..Options::default() }).unwrap();
    assert!(events.lines().iter().any(|l| l.contains("store.salvaged messages=1")), "{:?}", events.lines());
    let kept = dir.path().join(format!("lost-and-found/{}.eml", blake3::hash(content).to_hex()));
    assert_eq!(std::fs::read(kept).unwrap(), content);
    assert_eq!(texts(&store, alice).await, ["message 0"]);
    store.close().await;
    assert!(problems(dir.path()).is_empty());
}

#[tokio::test]
async fn a_damaged_head_of_a_pack_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, alice) = filled(dir.path(), 3).await;
    store.close().await;
    drop(store);
    let pack = std::fs::OpenOptions::new().write(true).open(dir.path().join("packs/00000001.pack")).unwrap();
    pack.write_all_at(&[0; 64], 0).unwrap();
    assert_eq!(problems(dir.path()), ["pack 00000001: the pack's head is damaged; the next start writes it again"]);
    let events = Events::memory();
    let store = LocalStore::open(dir.path(), Options { events: events.clone(), ..Options::default() }).unwrap();
    assert!(events.lines().iter().any(|l| l.contains("store.head_mended")));
    assert_eq!(texts(&store, alice).await.len(), 3);
    store.close().await;
    assert!(problems(dir.path()).is_empty());
}

#[tokio::test]
async fn nothing_in_the_store_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 1).await;
    for file in ["mailward.db", "mailward.db-wal", "index.db", "index.db-wal", "packs/00000001.pack", "packs", "lock"] {
        let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} has mode {mode:o}");
    }
    store.close().await;
}

/// Takes out what version 6 brought.
const BEFORE_VERSION_6: &str = "DROP TABLE quarantine; DROP TABLE quarantine_accounts; DROP TABLE spam_owners;
    DROP TABLE spam_learned; DROP TABLE spam_pending; DROP TABLE spam_tokens; DROP TABLE spam_marks;";
/// And version 5.
const BEFORE_VERSION_5: &str = "DROP INDEX known_recipients_hash;";

const BEFORE_VERSION_2: &str = "DROP TABLE gone; DROP TABLE acl; DROP TABLE metadata;";
const BEFORE_VERSION_3: &str = "DROP TABLE queue_messages; DROP TABLE queue_recipients; DROP TABLE queue_attempts;
    DROP TABLE queue_lanes; DROP TABLE dkim_keys;";
const BEFORE_VERSION_4: &str = "DROP TABLE shelves; DROP TABLE senders; DROP TABLE sent; DROP TABLE known_recipients;
    ALTER TABLE queue_messages DROP COLUMN forwarded;";

#[tokio::test]
async fn a_store_of_an_older_version_is_taken_over() {
    let older = [BEFORE_VERSION_2, BEFORE_VERSION_3, BEFORE_VERSION_4, BEFORE_VERSION_5, BEFORE_VERSION_6];
    for version in [1, 2, 3, 4, 5] {
        let older = older.iter().skip(version - 1).rev().copied().collect::<String>();
        let dir = tempfile::tempdir().unwrap();
        let (store, alice) = filled(dir.path(), 10).await;
        let inbox = store.mailbox(alice, MailboxName::inbox()).await.unwrap().id;
        let gone = [(2, 3), (7, 7), (10, 10)].map(|(first, last)| UidRange { first: Uid(first), last: Uid(last) });
        store.expunge(inbox, gone.to_vec(), true).await.unwrap();
        let before = store.open(inbox).await.unwrap();
        store.close().await;
        drop(store);
        let database = rusqlite::Connection::open(dir.path().join("mailward.db")).unwrap();
        database.execute_batch(&older).unwrap();
        database.pragma_update(None, "user_version", version as i64).unwrap();
        drop(database);
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        assert_eq!(store.open(inbox).await.unwrap(), before);
        assert_eq!(store.queue_totals(1).await.unwrap(), QueueTotals::default());
        assert_eq!(problems(dir.path()), Vec::<String>::new());
        store.close().await;
    }
}

#[tokio::test]
async fn verify_sees_uids_that_are_lost_or_listed_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (store, alice) = filled(dir.path(), 5).await;
    let inbox = store.mailbox(alice, MailboxName::inbox()).await.unwrap().id;
    store.expunge(inbox, vec![UidRange::one(Uid(3))], true).await.unwrap();
    store.close().await;
    let database = rusqlite::Connection::open(dir.path().join("mailward.db")).unwrap();
    for (harm, seen) in [
        ("DELETE FROM gone", "neither there nor listed"),
        ("UPDATE gone SET first = 2, last = 2", "listed as gone"),
        ("UPDATE gone SET last = 4", "listed as gone"),
    ] {
        database.execute_batch(harm).unwrap();
        assert!(problems(dir.path()).iter().any(|p| p.contains(seen)), "{harm}");
        database.execute("DELETE FROM gone", []).unwrap();
        database.execute("INSERT INTO gone VALUES (?1, 3, 3)", [inbox.0]).unwrap();
    }
    assert_eq!(problems(dir.path()), Vec::<String>::new());
}
