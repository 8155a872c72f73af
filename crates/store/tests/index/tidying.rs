//! Deleted mail, ids, compaction, and what `stats` and `verify` say.

use super::support::*;
use mailward_core::BlobId;
use mailward_store::maintenance::{compact, salvage};
use rusqlite::Connection;
use std::path::Path;

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

#[tokio::test]
async fn the_id_of_a_deleted_message_is_never_given_again() {
    let mut w = World::new().await;
    w.deliver(text("apple")).await;
    let mut highest = w.deliver(text("banana")).await;
    w.indexed().await;
    // Deleted while it runs, and over restarts with the index and without.
    for (round, index) in [None, Some(true), Some(false), Some(true), None].into_iter().enumerate() {
        w.expunge_blob(highest).await;
        if let Some(index) = index {
            w.again(index, |_| {}).await;
        }
        let word = format!("cherry {round}");
        let next = w.deliver(text(&word)).await;
        assert!(next > highest, "{next:?} after {highest:?}");
        w.never_wrong(&word).await;
        w.indexed().await;
        w.never_wrong(&word).await;
        w.never_wrong("banana").await;
        highest = next;
    }
    assert!(w.problems().is_empty(), "{:?}", w.problems());
    w.close().await;
}

#[tokio::test]
async fn an_id_given_again_while_the_index_was_away_is_not_taken_for_the_old_one() {
    let mut w = World::new().await;
    w.deliver(text("apple")).await;
    w.indexed().await;
    let away = tempfile::tempdir().unwrap();
    let backup = away.path().join("mailward.db");
    w.again(true, |dir| copy(&dir.join("mailward.db"), &backup)).await;
    let banana = w.deliver(text("banana")).await;
    w.indexed().await;
    w.again(false, |dir| {
        copy(&backup, &dir.join("mailward.db"));
        copy(&dir.join("index.db"), &away.path().join("index.db"));
        std::fs::remove_file(dir.join("index.db")).unwrap();
    })
    .await;
    let cherry = w.deliver(text("cherry")).await;
    assert_eq!(cherry, banana, "nobody knew of it");
    w.again(true, |dir| copy(&away.path().join("index.db"), &dir.join("index.db"))).await;
    w.never_wrong("cherry").await;
    w.indexed().await;
    assert_eq!(w.find("cherry").await, Some(vec![cherry]));
    assert_eq!(w.find("banana").await, Some(vec![]));
    w.close().await;
}

#[tokio::test]
async fn a_database_from_a_backup_doesn_t_meet_a_later_index() {
    let mut w = World::new().await;
    w.deliver(text("apple")).await;
    w.indexed().await;
    let backup = tempfile::tempdir().unwrap();
    let kept = backup.path().join("mailward.db");
    w.again(true, |dir| copy(&dir.join("mailward.db"), &kept)).await;
    let lost = w.deliver(text("banana")).await;
    w.indexed().await;
    w.again(true, |dir| copy(&kept, &dir.join("mailward.db"))).await;
    let next = w.deliver(text("cherry")).await;
    assert!(next > lost);
    w.never_wrong("cherry").await;
    w.indexed().await;
    assert_eq!(w.find("cherry").await, Some(vec![next]));
    assert_eq!(w.find("apple").await.unwrap().len(), 1);
    assert!(w.problems().is_empty(), "{:?}", w.problems());
    w.close().await;
}

#[tokio::test]
async fn entries_of_deleted_mail_go_with_its_bytes() {
    let mut w = World::new().await;
    for n in 0..30 {
        w.deliver(text(&format!("message {n} {}", "filler ".repeat(200)))).await;
    }
    w.indexed().await;
    assert_eq!(w.stats().indexed, 30);
    for row in w.rows().await.iter().filter(|row| row.uid.0 % 3 != 0) {
        w.expunge(row.uid).await;
    }
    let done = compact(w.store(), true).await.unwrap();
    assert_eq!(done.index_entries, 20);
    assert_eq!((w.stats().indexed, w.stats().index_waiting), (10, 0));
    assert_eq!(w.find("message").await.unwrap().len(), 10);
    for n in 0..30 {
        w.never_wrong(&format!("message {n} ")).await;
    }
    assert_eq!(compact(w.store(), true).await.unwrap().index_entries, 0);
    assert!(w.problems().is_empty(), "{:?}", w.problems());
    w.close().await;
}

#[tokio::test]
async fn in_the_background_entries_go_once_they_are_many() {
    let mut w = World::new().await;
    for n in 0..20 {
        w.deliver(text(&format!("message {n}"))).await;
    }
    w.indexed().await;
    let blobs = w.blobs().await;
    w.expunge_blob(blobs[3]).await;
    assert_eq!(compact(w.store(), false).await.unwrap().index_entries, 0, "one of twenty is little");
    // The count is kept over a restart.
    w.again(true, |_| {}).await;
    w.expunge_blob(blobs[4]).await;
    assert_eq!(compact(w.store(), false).await.unwrap().index_entries, 2);
    assert_eq!(compact(w.store(), false).await.unwrap().index_entries, 0);
    assert_eq!(w.stats().indexed, 18);
    w.close().await;
}

#[tokio::test]
async fn messages_that_move_to_another_pack_keep_their_entries() {
    let mut w = World::new().await;
    let mut keep = Vec::new();
    for n in 0..60 {
        let blob = w.deliver(text(&format!("word{n}word {}", "x".repeat(2_000)))).await;
        if n % 2 == 0 {
            w.expunge_blob(blob).await;
        } else {
            keep.push((n, blob));
        }
    }
    w.gate.shut();
    let late = w.deliver(text("late word")).await;
    // Its pack is rewritten while the index is at work on it.
    w.gate.open();
    assert!(compact(w.store(), true).await.unwrap().packs > 0);
    w.indexed().await;
    for (n, blob) in keep {
        assert_eq!(w.find(&format!("word{n}word")).await, Some(vec![blob]));
    }
    assert_eq!(w.find("late word").await, Some(vec![late]));
    assert!(w.problems().is_empty(), "{:?}", w.problems());
    w.close().await;
}

#[tokio::test]
async fn without_an_index_compaction_waits_for_none() {
    let mut w = World::new().await;
    let blob = w.deliver(text("apple")).await;
    w.again(false, |_| {}).await;
    w.expunge_blob(blob).await;
    assert_eq!(compact(w.store(), true).await.unwrap().index_entries, 0);
    w.close().await;
}

#[tokio::test]
async fn verify_sees_a_claim_that_isn_t_true_and_text_that_is_lacking() {
    let mut w = World::new().await;
    let first = w.deliver(text("apple")).await;
    let second = w.deliver(text("banana")).await;
    let third = w.deliver(text("cherry")).await;
    w.indexed().await;
    assert!(w.problems().is_empty(), "{:?}", w.problems());
    w.again(false, |dir| {
        let index = Connection::open(dir.join("index.db")).unwrap();
        index.execute("DELETE FROM words WHERE rowid = ?1", [first.0]).unwrap();
        index.execute("DELETE FROM words WHERE rowid = ?1", [second.0]).unwrap();
        index.execute("INSERT INTO words (rowid, text) VALUES (?1, 'banan')", [second.0]).unwrap();
    })
    .await;
    assert_eq!(
        w.problems(),
        [
            format!("content {first}: the search index claims a content that it doesn't have"),
            format!("content {second}: the search index lacks text of a content"),
        ]
    );
    w.expunge_blob(third).await;
    assert_eq!(w.problems().len(), 2, "an entry too many is none");
    w.close().await;
    // Deleted, it is made anew.
    std::fs::remove_file(w.dir.path().join("index.db")).unwrap();
    assert!(w.problems().is_empty());
}

#[tokio::test]
async fn stats_tell_what_is_indexed_and_what_waits() {
    let mut w = World::new().await;
    assert_eq!((w.stats().indexed, w.stats().index_waiting, w.stats().unindexed), (0, 0, 0));
    w.deliver(text("apple")).await;
    w.indexed().await;
    assert_eq!((w.stats().indexed, w.stats().index_waiting), (1, 0));
    assert!(w.stats().index_bytes > 0);
    w.again(false, |dir| std::fs::remove_file(dir.join("index.db")).unwrap()).await;
    w.deliver(text("banana")).await;
    assert_eq!((w.stats().indexed, w.stats().index_waiting, w.stats().index_bytes), (0, 2, 0));
    w.close().await;
}

#[tokio::test]
async fn after_a_salvage_the_index_is_made_anew() {
    let mut w = World::new().await;
    let apple = w.deliver(text("apple")).await;
    w.deliver(text("banana")).await;
    w.indexed().await;
    w.again(true, |dir| assert!(salvage(dir).unwrap().left.is_empty())).await;
    w.never_wrong("apple").await;
    w.indexed().await;
    assert_eq!(w.find("apple").await, Some(vec![apple]));
    assert_eq!(w.find("nowhere").await, Some(Vec::<BlobId>::new()));
    w.close().await;
}
