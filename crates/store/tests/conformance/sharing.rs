//! Mailboxes that others may use, annotations, and messages with what is wanted of them.

use crate::support::*;
use bytes::Bytes;
use mailward_core::{AccountId, BlobId, Uid};
use mailward_store::StoreError;
use mailward_store::records::*;

#[tokio::test]
async fn what_is_shared_is_seen_by_whom_it_is_shared_with() {
    let w = world().await;
    let folder = w.store.create_mailbox(w.alice, name("Team"), None).await.unwrap();
    let rights = Rights::LOOKUP.union(Rights::READ);
    w.store.set_rights(folder.id, w.bob, rights).await.unwrap();
    assert_eq!(w.store.rights(folder.id).await.unwrap(), [(w.bob, rights)]);
    let seen = w.store.shared_with(w.bob).await.unwrap();
    assert_eq!(seen.iter().map(|(m, r)| (m.id, m.account, *r)).collect::<Vec<_>>(), [(folder.id, w.alice, rights)]);
    assert!(w.store.shared_with(w.alice).await.unwrap().is_empty());
    let under = w.store.create_mailbox(w.alice, name("Team/Minutes"), None).await.unwrap();
    assert_eq!(w.store.rights(under.id).await.unwrap(), [(w.bob, rights)], "a new one is shared as the one above");
    w.store.set_rights(folder.id, w.bob, Rights::NONE).await.unwrap();
    assert!(w.store.rights(folder.id).await.unwrap().is_empty());
    assert!(matches!(w.store.set_rights(folder.id, w.alice, rights).await, Err(StoreError::Refused(_))));
    assert!(matches!(w.store.set_rights(folder.id, AccountId(999), rights).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn rights_and_annotations_go_with_the_mailbox_and_with_the_account() {
    let w = world().await;
    let note = |account, value: &str| MetadataChange {
        account,
        entry: "comment".to_owned(),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    };
    let folder = w.store.create_mailbox(w.alice, name("Team"), None).await.unwrap();
    let inbox = w.inbox(w.alice).await;
    for mailbox in [folder.id, inbox.id] {
        w.store.set_rights(mailbox, w.bob, Rights::READ).await.unwrap();
        w.store.annotate(Some(mailbox), vec![note(None, "ours"), note(Some(w.bob), "bob's")]).await.unwrap();
    }
    w.store.delete_mailbox(w.alice, name("Team")).await.unwrap();
    let again = w.store.create_mailbox(w.alice, name("Team"), None).await.unwrap();
    assert!(w.store.rights(again.id).await.unwrap().is_empty());
    assert!(w.store.metadata(w.bob, Some(again.id)).await.unwrap().is_empty());
    w.store.change_account(AccountChange::Remove { id: w.bob }).await.unwrap();
    assert!(w.store.rights(inbox.id).await.unwrap().is_empty());
    let left = w.store.metadata(w.bob, Some(inbox.id)).await.unwrap();
    assert_eq!(left.iter().map(|m| m.account).collect::<Vec<_>>(), [None], "everybody's stays");
}

#[tokio::test]
async fn annotations_are_private_or_everybodys() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await.id;
    let change = |account, value: Option<&'static str>| MetadataChange {
        account,
        entry: "comment".to_owned(),
        value: value.map(|v| Bytes::from_static(v.as_bytes())),
    };
    w.store.annotate(Some(inbox), vec![change(Some(w.alice), Some("mine")), change(None, Some("ours"))]).await.unwrap();
    let seen = |list: Vec<Metadata>| list.into_iter().map(|m| (m.account, m.value)).collect::<Vec<_>>();
    let (mine, ours) = (Bytes::from_static(b"mine"), Bytes::from_static(b"ours"));
    assert_eq!(
        seen(w.store.metadata(w.alice, Some(inbox)).await.unwrap()),
        [(None, ours.clone()), (Some(w.alice), mine)]
    );
    assert_eq!(seen(w.store.metadata(w.bob, Some(inbox)).await.unwrap()), [(None, ours.clone())]);
    assert!(w.store.metadata(w.alice, None).await.unwrap().is_empty(), "the server's are apart");
    w.store.annotate(Some(inbox), vec![change(Some(w.alice), None)]).await.unwrap();
    assert_eq!(seen(w.store.metadata(w.alice, Some(inbox)).await.unwrap()), [(None, ours)]);
}

/// Attacks G10.
#[tokio::test]
async fn annotations_are_limited_and_fail_together() {
    use mailward_core::limits::{METADATA_ENTRIES_MAX, METADATA_VALUE_MAX};
    let w = world().await;
    let inbox = w.inbox(w.alice).await.id;
    let change = |n: usize, size: usize| MetadataChange {
        account: Some(w.alice),
        entry: format!("vendor/{n}"),
        value: Some(vec![b'x'; size].into()),
    };
    let large = w.store.annotate(Some(inbox), vec![change(0, 1), change(1, METADATA_VALUE_MAX + 1)]).await;
    assert!(matches!(large, Err(StoreError::Limit(_))));
    assert!(w.store.metadata(w.alice, Some(inbox)).await.unwrap().is_empty());
    let many = (0..=METADATA_ENTRIES_MAX).map(|n| change(n, 1)).collect();
    assert!(matches!(w.store.annotate(Some(inbox), many).await, Err(StoreError::Limit(_))));
    let fits = (0..METADATA_ENTRIES_MAX).map(|n| change(n, METADATA_VALUE_MAX)).collect();
    w.store.annotate(Some(inbox), fits).await.unwrap();
}

/// Attacks G10.
#[tokio::test]
async fn a_mailbox_is_shared_with_so_many_and_no_more() {
    use mailward_core::limits::ACL_ENTRIES_MAX;
    let w = world().await;
    let inbox = w.inbox(w.alice).await.id;
    for n in 0..ACL_ENTRIES_MAX {
        let friend = w.account(&format!("friend{n}"), 0, 0).await;
        w.store.set_rights(inbox, friend, Rights::READ).await.unwrap();
    }
    assert!(matches!(w.store.set_rights(inbox, w.bob, Rights::READ).await, Err(StoreError::Limit(_))));
    assert_eq!(w.store.rights(inbox).await.unwrap().len(), ACL_ENTRIES_MAX);
}

#[tokio::test]
async fn a_replacement_is_both_or_neither() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    w.append(&inbox, &["old"], Flags::NONE).await;
    let new = |text: &str| NewMessage {
        content: content(text),
        flags: Flags::DRAFT,
        keywords: Vec::new(),
        internal_date: None,
    };
    let outcome = w.store.replace((inbox.id, Uid(1)), inbox.id, new("new")).await.unwrap();
    assert_eq!(outcome.uids, [Uid(2)]);
    assert_eq!(w.texts(&w.inbox(w.alice).await).await, ["new"]);
    assert!(matches!(w.store.replace((inbox.id, Uid(1)), inbox.id, new("newer")).await, Err(StoreError::NotFound(_))));
    assert_eq!(w.texts(&w.inbox(w.alice).await).await, ["new"]);
    let full = w.account("full", 5, 0).await;
    let drafts = w.store.mailbox(full, name("Drafts")).await.unwrap();
    w.append(&drafts, &["12345"], Flags::NONE).await;
    assert!(matches!(w.store.replace((drafts.id, Uid(1)), drafts.id, new("123456")).await, Err(StoreError::OverQuota)));
    assert_eq!(w.texts(&drafts).await, ["12345"], "what can't be put in takes nothing out");
    w.store.replace((drafts.id, Uid(1)), drafts.id, new("1234")).await.unwrap();
}

#[tokio::test]
async fn a_fetch_answers_what_is_wanted_up_to_its_size() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    w.append(&inbox, &["aaaa", "bbbbbbbbbb", "cc", "dd"], Flags::NONE).await;
    let wanted = |blob, bytes, rows, most| Wanted { blob, bytes, rows, most };
    let ask = async |wanted| {
        let found = w.store.fetch(inbox.id, vec![UidRange::ALL], wanted).await.unwrap();
        found.into_iter().map(|f| (f.row.uid.0, f.blob.map(|b| b.size), f.bytes)).collect::<Vec<_>>()
    };
    let text = |t: &'static str| Some(Bytes::from_static(t.as_bytes()));
    assert_eq!(ask(wanted(false, false, 2, 0)).await, [(1, None, None), (2, None, None)]);
    assert_eq!(ask(wanted(false, true, 10, 4)).await, [(1, None, text("aaaa"))]);
    assert_eq!(ask(wanted(false, true, 10, 8)).await, [(1, None, text("aaaa"))], "the next would be too much");
    let rest =
        w.store.fetch(inbox.id, vec![UidRange { first: Uid(2), last: Uid(9) }], wanted(false, true, 10, 8)).await;
    let rest: Vec<_> = rest.unwrap().into_iter().map(|f| (f.row.uid.0, f.bytes)).collect();
    assert_eq!(rest, [(2, None), (3, text("cc")), (4, text("dd"))], "one too large for any answer comes without");
    assert_eq!(ask(wanted(true, false, 1, 1)).await, [(1, Some(4), None)]);
}

#[tokio::test]
async fn parts_of_messages_come_until_they_are_too_many_bytes() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    w.append(&inbox, &["aaaa", "bbbb", "cccc"], Flags::NONE).await;
    let rows = w.store.messages(inbox.id, vec![UidRange::ALL], 10).await.unwrap();
    let blobs: Vec<BlobId> = rows.iter().map(|m| m.blob).collect();
    let whole = |blobs: &[BlobId]| blobs.iter().map(|blob| (*blob, 0..u64::MAX)).collect::<Vec<_>>();
    assert_eq!(w.store.read_parts(whole(&blobs), 8).await.unwrap().len(), 2);
    assert_eq!(w.store.read_parts(whole(&blobs), 1).await.unwrap(), [Some(Bytes::from_static(b"aaaa"))]);
    let with_a_gap = vec![(BlobId(999), 0..9), (blobs[2], 1..3)];
    assert_eq!(w.store.read_parts(with_a_gap, 8).await.unwrap(), [None, Some(Bytes::from_static(b"cc"))]);
}

#[tokio::test]
async fn whoever_watches_an_account_is_told_of_its_mailboxes() {
    let w = world().await;
    let (mut alice, mut bob) = (w.store.watch_account(w.alice), w.store.watch_account(w.bob));
    let folder = w.store.create_mailbox(w.alice, name("Team"), None).await.unwrap();
    assert!(alice.has_changed().unwrap() && !bob.has_changed().unwrap());
    alice.borrow_and_update();
    w.deliver("hello", &[w.alice]).await;
    assert!(alice.has_changed().unwrap() && !bob.has_changed().unwrap());
    alice.borrow_and_update();
    w.store.set_rights(folder.id, w.bob, Rights::LOOKUP).await.unwrap();
    assert!(bob.has_changed().unwrap(), "what he sees has changed");
    bob.borrow_and_update();
    w.store.subscribe(w.bob, name("Anything"), true).await.unwrap();
    assert!(bob.has_changed().unwrap());
}
