//! Flags and keywords.

use crate::support::*;
use mailward_core::{ModSeq, Uid};
use mailward_store::records::*;

#[tokio::test]
async fn flags_are_added_removed_and_replaced_and_counted() {
    let w = world().await;
    w.deliver("x", &[w.alice]).await;
    let inbox = w.inbox(w.alice).await;
    w.flag(&inbox, FlagAction::Add, Flags::SEEN.union(Flags::DELETED), &["$Label"]).await;
    let now = w.inbox(w.alice).await;
    assert_eq!((now.unseen, now.deleted, now.keywords.len()), (0, 1, 1));
    w.flag(&inbox, FlagAction::Remove, Flags::DELETED, &["$LABEL", "unknown"]).await;
    let now = w.inbox(w.alice).await;
    assert_eq!((now.unseen, now.deleted, now.keywords.len()), (0, 0, 1));
    let outcome = w.flag(&inbox, FlagAction::Replace, Flags::DRAFT, &["$label"]).await;
    assert_eq!((outcome.messages[0].flags, outcome.messages[0].keywords), (Flags::DRAFT, 1));
    assert_eq!(w.inbox(w.alice).await.unseen, 1);
}

#[tokio::test]
async fn what_doesn_t_change_keeps_its_modification_sequence() {
    let w = world().await;
    w.deliver("x", &[w.alice]).await;
    let inbox = w.inbox(w.alice).await;
    let outcome = w.flag(&inbox, FlagAction::Remove, Flags::SEEN, &[]).await;
    assert_eq!(outcome.before, outcome.after);
    assert_eq!(outcome.messages[0].mod_seq, inbox.mod_seq);
}

#[tokio::test]
async fn a_message_changed_since_is_left_and_named() {
    let w = world().await;
    w.deliver("x", &[w.alice]).await;
    w.deliver("y", &[w.alice]).await;
    let inbox = w.inbox(w.alice).await;
    let change = |uid: u32, since: ModSeq| FlagChange {
        ranges: vec![UidRange { first: Uid(uid), last: Uid(2) }],
        action: FlagAction::Add,
        flags: Flags::FLAGGED,
        keywords: vec![],
        unchanged_since: Some(since),
    };
    w.store.change_flags(inbox.id, change(2, inbox.mod_seq)).await.unwrap();
    let outcome = w.store.change_flags(inbox.id, change(1, inbox.mod_seq)).await.unwrap();
    assert_eq!(outcome.modified, [Uid(2)]);
    assert_eq!(outcome.messages.len(), 1);
    assert_eq!(outcome.messages[0].uid, Uid(1));
}

#[tokio::test]
async fn copies_carry_flags_keywords_and_dates() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    w.append(&inbox, &["x"], Flags::FLAGGED).await;
    w.flag(&inbox, FlagAction::Add, Flags::NONE, &["one", "two"]).await;
    let sent = w.store.mailbox(w.alice, name("Sent")).await.unwrap();
    w.append(&sent, &["other"], Flags::NONE).await;
    w.flag(&sent, FlagAction::Add, Flags::NONE, &["two"]).await;
    let outcome = w.store.copy(inbox.id, vec![UidRange::ALL], sent.id).await.unwrap();
    assert_eq!(outcome.uids, [(Uid(2), Uid(1))]);
    let sent = w.store.mailbox(w.alice, name("Sent")).await.unwrap();
    let copy = w.store.messages(sent.id, vec![UidRange::one(Uid(2))], 1).await.unwrap().remove(0);
    assert_eq!(sent.keywords, ["two", "one"]);
    let all = w.store.mailboxes(w.alice).await.unwrap();
    for mailbox in all {
        let alone = w.store.mailbox_by_id(mailbox.id).await.unwrap();
        assert_eq!(mailbox, alone, "among the others as by itself");
    }
    assert_eq!((copy.keywords, copy.flags, copy.internal_date.0), (0b11, Flags::FLAGGED, 1_000));
}
