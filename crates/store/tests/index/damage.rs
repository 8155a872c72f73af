//! Files that are cut, deleted, overwritten, or another store's; messages that can't be read.

use super::support::*;
use rusqlite::Connection;
use std::os::unix::fs::FileExt;
use std::path::Path;

async fn three() -> World {
    let w = World::new().await;
    for word in ["apple", "banana", "cherry"] {
        w.deliver(text(&format!("{word} {}", "filler ".repeat(500)))).await;
    }
    w.indexed().await;
    w
}

/// It is never wrong at once, and of use again in the end.
async fn mends(w: &World) {
    for word in ["apple", "banana", "cherry"] {
        w.never_wrong(word).await;
    }
    w.indexed().await;
    for word in ["apple", "banana", "cherry"] {
        assert_eq!(w.find(word).await, Some(w.holders(word).await), "{word}");
    }
    assert!(w.problems().is_empty(), "{:?}", w.problems());
}

#[tokio::test]
async fn an_index_cut_anywhere_is_made_anew() {
    let mut w = three().await;
    w.again(true, |_| {}).await;
    let length = std::fs::metadata(w.dir.path().join("index.db")).unwrap().len();
    for cut in [0, 1, 31, 32, 100, 4_095, 4_096, 4_097, length / 2, length - 4_096, length - 1] {
        w.again(true, |dir| {
            let file = std::fs::OpenOptions::new().write(true).open(dir.join("index.db")).unwrap();
            file.set_len(cut).unwrap();
        })
        .await;
        assert!(w.told("index.unusable"), "cut at {cut}");
        mends(&w).await;
    }
    w.close().await;
}

#[tokio::test]
async fn a_deleted_index_is_made_anew() {
    let mut w = three().await;
    w.again(true, |dir| std::fs::remove_file(dir.join("index.db")).unwrap()).await;
    mends(&w).await;
    // With what is left of its log.
    w.again(true, |dir| {
        std::fs::remove_file(dir.join("index.db")).unwrap();
        std::fs::write(dir.join("index.db-wal"), [7u8; 40_000]).unwrap();
        std::fs::write(dir.join("index.db-shm"), [7u8; 32_768]).unwrap();
    })
    .await;
    mends(&w).await;
    w.close().await;
}

#[tokio::test]
async fn what_is_no_index_is_replaced() {
    let mut w = three().await;
    for garbage in [vec![0u8; 40_000], vec![0xa5; 40_000], b"SQLite format 3\0".repeat(3_000)] {
        w.again(true, |dir| std::fs::write(dir.join("index.db"), &garbage).unwrap()).await;
        mends(&w).await;
    }
    w.again(true, |dir| {
        std::fs::remove_file(dir.join("index.db")).unwrap();
        Connection::open(dir.join("index.db")).unwrap().execute_batch("CREATE TABLE state (x)").unwrap();
    })
    .await;
    mends(&w).await;
    w.close().await;
}

#[tokio::test]
async fn another_store_s_index_is_not_believed() {
    let mut w = three().await;
    let mut other = World::new().await;
    for word in ["plum", "peach", "pear", "quince"] {
        other.deliver(text(word)).await;
    }
    other.indexed().await;
    other.close().await;
    w.again(true, |dir| {
        let _bytes = std::fs::copy(other.dir.path().join("index.db"), dir.join("index.db")).unwrap();
    })
    .await;
    mends(&w).await;
    assert_eq!(w.find("quince").await, Some(vec![]));
    w.close().await;
}

#[tokio::test]
async fn an_index_of_another_text_is_not_believed() {
    let mut w = three().await;
    for change in ["UPDATE state SET version = version - 1", "PRAGMA user_version = 9", "DELETE FROM state"] {
        w.again(true, |dir| Connection::open(dir.join("index.db")).unwrap().execute_batch(change).unwrap()).await;
        assert!(w.told("index.unusable"));
        mends(&w).await;
    }
    w.close().await;
}

/// Overwrites every page that FTS5 keeps entries in.
fn ruin_entries(dir: &Path) {
    let path = dir.join("index.db");
    let index = Connection::open(&path).unwrap();
    let pages: Vec<u64> = index
        .prepare("SELECT pageno FROM dbstat WHERE name = 'words_data'")
        .unwrap()
        .query_map([], |row| Ok(row.get::<_, u32>(0)?.into()))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    drop(index);
    assert!(!pages.is_empty());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in pages {
        file.write_all_at(&[0xa5; 4_096], (page - 1) * 4_096).unwrap();
    }
}

#[tokio::test]
async fn damage_that_a_question_meets_is_mended() {
    let mut w = three().await;
    w.again(true, ruin_entries).await;
    assert!(!w.problems().is_empty());
    assert_eq!(w.find("apple").await, None);
    // The damage is told of before the index is emptied; then there is something to wait for.
    while !w.told("alert index.damaged") {
        tokio::task::yield_now().await;
    }
    mends_in_time(&w).await;
    w.close().await;
}

#[tokio::test]
async fn damage_that_indexing_meets_is_mended() {
    let mut w = three().await;
    w.again(true, ruin_entries).await;
    w.deliver(text("plum")).await;
    while !w.told("alert index.damaged") {
        tokio::task::yield_now().await;
    }
    mends_in_time(&w).await;
    w.close().await;
}

/// As [`mends`], while the thread may not have begun anew.
async fn mends_in_time(w: &World) {
    while w.find("nowhere").await != Some(vec![]) {
        w.never_wrong("apple").await;
        tokio::task::yield_now().await;
    }
    mends(w).await;
}

#[tokio::test]
async fn a_message_that_can_t_be_read_is_always_a_candidate_and_tried_again_later() {
    let mut w = World::new().await;
    let good = w.deliver(text("apple")).await;
    w.indexed().await;
    w.gate.shut();
    let read = w.deliver(text("banana")).await;
    w.gate.holds().await;
    let torn = w.deliver(text("cherry")).await;
    let pack = w.dir.path().join("packs/00000001.pack");
    let whole = std::fs::read(&pack).unwrap();
    std::fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(64).unwrap();
    w.gate.open();
    w.indexed().await;
    assert!(w.stats().unindexed == 1 && w.told("index.unread"), "{:?}", w.events.lines());
    assert_eq!(w.find("nowhere").await, Some(vec![torn]));
    assert_eq!(w.find("apple").await, Some(vec![good, torn]));
    w.again(true, |_| std::fs::write(&pack, &whole).unwrap()).await;
    while w.stats().unindexed > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(w.find("cherry").await, Some(vec![torn]));
    assert_eq!(w.find("banana").await, Some(vec![read]));
    assert!(w.problems().is_empty(), "{:?}", w.problems());
    w.close().await;
}

#[tokio::test]
async fn a_store_whose_index_can_t_be_made_works() {
    let mut w = three().await;
    // A directory can't be opened, nor removed as a file.
    w.again(true, |dir| {
        std::fs::remove_file(dir.join("index.db")).unwrap();
        std::fs::create_dir(dir.join("index.db")).unwrap();
    })
    .await;
    w.deliver(text("plum")).await;
    assert_eq!(w.find("plum").await, None);
    while !w.told("warn index.failed") && !w.told("alert index.damaged") {
        tokio::task::yield_now().await;
    }
    // It ends within moments though the thread waits for better times.
    w.again(true, |dir| std::fs::remove_dir(dir.join("index.db")).unwrap()).await;
    mends(&w).await;
    w.close().await;
}
