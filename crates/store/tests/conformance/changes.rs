//! What changed, and the news of it.

use crate::support::*;
use mailward_core::limits::PAGE_ROWS_MAX;
use mailward_core::{ModSeq, Uid};
use mailward_store::records::*;

#[tokio::test]
async fn changes_since_tells_new_changed_and_gone() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    w.append(&inbox, &["a", "b", "c"], Flags::NONE).await;
    let then = w.inbox(w.alice).await.mod_seq;
    w.store.expunge(inbox.id, vec![UidRange::one(Uid(1))], true).await.unwrap();
    let change = FlagChange {
        ranges: vec![UidRange::one(Uid(2))],
        action: FlagAction::Add,
        flags: Flags::SEEN,
        keywords: vec![],
        unchanged_since: None,
    };
    w.store.change_flags(inbox.id, change).await.unwrap();
    w.deliver("d", &[w.alice]).await;
    let changes = w.store.changes_since(inbox.id, then).await.unwrap();
    assert_eq!(changes.vanished, [Uid(1)]);
    assert_eq!(changes.changed.iter().map(|m| m.uid).collect::<Vec<_>>(), [Uid(2), Uid(4)]);
    assert_eq!(changes.mod_seq, Some(w.inbox(w.alice).await.mod_seq));
    assert!(!changes.more);
    let none = w.store.changes_since(inbox.id, changes.mod_seq.unwrap()).await.unwrap();
    assert!(none.changed.is_empty() && none.vanished.is_empty());
}

#[tokio::test]
async fn more_changes_than_a_page_come_in_pages_that_miss_none() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    let count = PAGE_ROWS_MAX + 500;
    for chunk in (0..count).collect::<Vec<_>>().chunks(2_000) {
        let messages = chunk
            .iter()
            .map(|n| NewMessage {
                content: content(&n.to_string()),
                flags: Flags::NONE,
                keywords: vec![],
                internal_date: None,
            })
            .collect();
        w.store.append(inbox.id.into(), messages).await.unwrap();
    }
    let (mut since, mut seen, mut pages) = (ModSeq(0), 0, 0);
    loop {
        let changes = w.store.changes_since(inbox.id, since).await.unwrap();
        seen += changes.changed.len();
        pages += 1;
        since = changes.mod_seq.unwrap();
        if !changes.more {
            break;
        }
    }
    assert_eq!((seen, pages), (count, 2));
}

#[tokio::test]
async fn whoever_watches_hears_of_it_and_only_of_their_mailbox() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    let mut watch = w.store.watch(inbox.id);
    let other = w.store.watch(w.inbox(w.bob).await.id);
    watch.mark_unchanged();
    w.deliver("x", &[w.alice]).await;
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow(), w.inbox(w.alice).await.mod_seq);
    assert_eq!(*other.borrow(), ModSeq(0));
}

#[tokio::test]
async fn expunge_takes_only_what_is_deleted() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    w.append(&inbox, &["a"], Flags::DELETED).await;
    w.append(&inbox, &["b"], Flags::NONE).await;
    let gone = w.store.expunge(inbox.id, vec![UidRange::ALL], false).await.unwrap();
    assert_eq!(gone.uids, [Uid(1)]);
    assert_eq!(w.texts(&w.inbox(w.alice).await).await, ["b"]);
    let opened = w.store.open(inbox.id).await.unwrap();
    assert_eq!((opened.uids, opened.mailbox.mod_seq), (vec![UidRange::one(Uid(2))], gone.mod_seq));
}

#[tokio::test]
async fn a_uid_is_never_used_again() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    w.append(&inbox, &["a"], Flags::NONE).await;
    w.store.expunge(inbox.id, vec![UidRange::ALL], true).await.unwrap();
    let again = w.append(&inbox, &["a"], Flags::NONE).await;
    assert_eq!(again.uids, [Uid(2)]);
}
