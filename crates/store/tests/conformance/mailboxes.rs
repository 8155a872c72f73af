//! Mailboxes.

use crate::support::*;
use mailward_core::limits::{KEYWORDS_MAX, PAGE_ROWS_MAX};
use mailward_store::StoreError;
use mailward_store::records::*;

#[tokio::test]
async fn a_new_account_has_the_usual_mailboxes_subscribed() {
    let w = world().await;
    let all = w.store.mailboxes(w.alice).await.unwrap();
    let names: Vec<_> = all.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]);
    assert_eq!(all[4].special_use.as_deref(), Some("\\Sent"));
    assert_eq!(w.store.subscriptions(w.alice).await.unwrap().len(), 6);
}

#[tokio::test]
async fn making_one_makes_those_above_it() {
    let w = world().await;
    let made = w.store.create_mailbox(w.alice, name("a/b/c"), Some("\\Archive".into())).await.unwrap();
    assert_eq!(made.special_use.as_deref(), Some("\\Archive"));
    for above in ["a", "a/b"] {
        assert!(w.store.mailbox(w.alice, name(above)).await.unwrap().selectable);
    }
    assert!(matches!(w.store.create_mailbox(w.alice, name("a/b"), None).await, Err(StoreError::Exists(_))));
}

#[tokio::test]
async fn a_deleted_mailbox_that_comes_back_has_another_uid_validity() {
    let w = world().await;
    let first = w.store.create_mailbox(w.alice, name("a"), None).await.unwrap();
    w.append(&first, &["x"], Flags::NONE).await;
    w.store.delete_mailbox(w.alice, name("a")).await.unwrap();
    assert!(matches!(w.store.mailbox(w.alice, name("a")).await, Err(StoreError::NotFound(_))));
    assert_eq!(w.store.usage(w.alice).await.unwrap().messages, 0);
    let second = w.store.create_mailbox(w.alice, name("a"), None).await.unwrap();
    assert!(second.uid_validity > first.uid_validity);
    assert_eq!(second.messages, 0);
}

#[tokio::test]
async fn a_deleted_mailbox_with_others_under_it_stays_a_name() {
    let w = world().await;
    let child = w.store.create_mailbox(w.alice, name("a/b"), None).await.unwrap();
    w.store.delete_mailbox(w.alice, name("a")).await.unwrap();
    let parent = w.store.mailbox(w.alice, name("a")).await.unwrap();
    assert!(!parent.selectable);
    assert!(w.store.append(parent.id.into(), vec![]).await.is_err());
    assert!(matches!(w.store.delete_mailbox(w.alice, name("a")).await, Err(StoreError::Refused(_))));
    assert_eq!(w.store.mailbox(w.alice, name("a/b")).await.unwrap().id, child.id);
    assert!(w.store.create_mailbox(w.alice, name("a"), None).await.unwrap().selectable);
}

#[tokio::test]
async fn renaming_takes_those_under_it_along_and_keeps_uids() {
    let w = world().await;
    let made = w.store.create_mailbox(w.alice, name("a/b"), None).await.unwrap();
    w.append(&made, &["x"], Flags::NONE).await;
    w.store.create_mailbox(w.alice, name("ab"), None).await.unwrap();
    w.store.rename_mailbox(w.alice, name("a"), name("z/y")).await.unwrap();
    let moved = w.store.mailbox(w.alice, name("z/y/b")).await.unwrap();
    assert_eq!((moved.id, moved.uid_validity, moved.messages), (made.id, made.uid_validity, 1));
    assert!(w.store.mailbox(w.alice, name("ab")).await.is_ok(), "a name that only begins alike stays");
    assert!(matches!(w.store.rename_mailbox(w.alice, name("z"), name("z/under")).await, Err(StoreError::Refused(_))));
    assert!(matches!(w.store.rename_mailbox(w.alice, name("z"), name("ab")).await, Err(StoreError::Exists(_))));
}

#[tokio::test]
async fn renaming_inbox_gives_its_messages_and_leaves_it() {
    let w = world().await;
    w.deliver("x", &[w.alice]).await;
    w.store.rename_mailbox(w.alice, name("INBOX"), name("old")).await.unwrap();
    assert_eq!(w.inbox(w.alice).await.messages, 0);
    assert_eq!(w.texts(&w.store.mailbox(w.alice, name("old")).await.unwrap()).await, ["x"]);
    assert!(matches!(w.store.delete_mailbox(w.alice, name("INBOX")).await, Err(StoreError::Refused(_))));
}

#[tokio::test]
async fn a_name_can_be_subscribed_that_is_no_mailbox() {
    let w = world().await;
    w.store.subscribe(w.alice, name("dream"), true).await.unwrap();
    w.store.subscribe(w.alice, name("Junk"), false).await.unwrap();
    let names: Vec<String> = w.store.subscriptions(w.alice).await.unwrap().into_iter().map(String::from).collect();
    assert_eq!(names, ["Archive", "Drafts", "INBOX", "Sent", "Trash", "dream"]);
}

#[tokio::test]
async fn another_account_has_its_own_mailboxes() {
    let w = world().await;
    w.store.create_mailbox(w.alice, name("a"), None).await.unwrap();
    assert!(matches!(w.store.mailbox(w.bob, name("a")).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn keywords_end_at_their_limit() {
    let w = world().await;
    w.deliver("x", &[w.alice]).await;
    let inbox = w.inbox(w.alice).await;
    let keyword = |n: usize| FlagChange {
        ranges: vec![UidRange::ALL],
        action: FlagAction::Add,
        flags: Flags::NONE,
        keywords: vec![format!("k{n}")],
        unchanged_since: None,
    };
    for n in 0..KEYWORDS_MAX {
        w.store.change_flags(inbox.id, keyword(n)).await.unwrap();
    }
    assert!(matches!(w.store.change_flags(inbox.id, keyword(KEYWORDS_MAX)).await, Err(StoreError::Limit(_))));
    assert_eq!(w.inbox(w.alice).await.keywords.len(), KEYWORDS_MAX);
}

#[tokio::test]
async fn a_page_of_messages_ends_at_its_limit() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    let texts: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    w.append(&inbox, &texts, Flags::NONE).await;
    assert_eq!(w.store.messages(inbox.id, vec![UidRange::ALL], 7).await.unwrap().len(), 7);
    const { assert!(PAGE_ROWS_MAX >= 40) };
    assert_eq!(w.store.messages(inbox.id, vec![UidRange::ALL], usize::MAX).await.unwrap().len(), 40);
}
