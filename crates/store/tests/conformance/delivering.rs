//! Accepting mail.

use crate::support::*;
use mailward_core::AccountId;
use mailward_store::StoreError;
use mailward_store::records::*;

#[tokio::test]
async fn a_delivered_message_is_there_once_and_whole() {
    let w = world().await;
    let delivered = w.deliver("hello", &[w.alice, w.bob]).await;
    assert_eq!(delivered.len(), 2);
    for account in [w.alice, w.bob] {
        let inbox = w.inbox(account).await;
        assert_eq!((inbox.messages, inbox.unseen, inbox.bytes), (1, 1, 5));
        assert_eq!(w.texts(&inbox).await, ["hello"]);
    }
    assert_eq!(w.store.usage(w.alice).await.unwrap(), Usage { bytes: 5, messages: 1, ..Usage::default() });
}

#[tokio::test]
async fn the_same_bytes_are_stored_once() {
    let w = world().await;
    w.deliver("same", &[w.alice]).await;
    w.deliver("same", &[w.bob]).await;
    let of = |m: Vec<MessageRecord>| m[0].blob;
    let a = of(w.store.messages(w.inbox(w.alice).await.id, vec![UidRange::ALL], 10).await.unwrap());
    let b = of(w.store.messages(w.inbox(w.bob).await.id, vec![UidRange::ALL], 10).await.unwrap());
    assert_eq!(a, b);
    // One of them goes, the other still reads.
    w.store.expunge(w.inbox(w.alice).await.id, vec![UidRange::ALL], true).await.unwrap();
    assert_eq!(w.texts(&w.inbox(w.bob).await).await, ["same"]);
    w.store.expunge(w.inbox(w.bob).await.id, vec![UidRange::ALL], true).await.unwrap();
    assert!(matches!(w.store.read(a, 0, 9).await, Err(StoreError::NotFound(_))));
    w.deliver("same", &[w.alice]).await;
    assert_eq!(w.texts(&w.inbox(w.alice).await).await, ["same"]);
}

#[tokio::test]
async fn all_targets_get_it_or_none() {
    let w = world().await;
    let full = w.account("full", 3, 0).await;
    for bad in [full, AccountId(999)] {
        let delivery =
            Delivery { content: content("four"), targets: targets(&[w.alice, bad]), queued: vec![], kept: None };
        let refused = w.store.deliver(delivery).await.unwrap_err();
        assert!(matches!(refused, StoreError::OverQuota | StoreError::NotFound(_)), "{refused}");
        assert_eq!(w.inbox(w.alice).await.messages, 0);
        assert_eq!(w.store.usage(w.alice).await.unwrap().bytes, 0);
    }
}

#[tokio::test]
async fn quota_counts_bytes_and_messages_and_gives_them_back() {
    let w = world().await;
    let two = w.account("two", 0, 2).await;
    w.deliver("1", &[two]).await;
    w.deliver("2", &[two]).await;
    let third =
        w.store.deliver(Delivery { content: content("3"), targets: targets(&[two]), queued: vec![], kept: None }).await;
    assert!(matches!(third, Err(StoreError::OverQuota)));
    let inbox = w.inbox(two).await;
    let copied = w.store.copy(inbox.id, vec![UidRange::ALL], inbox.id).await;
    assert!(matches!(copied, Err(StoreError::OverQuota)));
    // A move within the account needs no room.
    let trash = w.store.mailbox(two, name("Trash")).await.unwrap();
    w.store.move_messages(inbox.id, vec![UidRange::ALL], trash.id).await.unwrap();
    assert_eq!(w.store.usage(two).await.unwrap().messages, 2);
    w.store.expunge(trash.id, vec![UidRange::ALL], true).await.unwrap();
    w.deliver("3", &[two]).await;
}

#[tokio::test]
async fn a_message_goes_to_a_named_mailbox_or_to_inbox_if_that_is_gone() {
    let w = world().await;
    for (mailbox, expect) in [("Junk", "Junk"), ("Gone", "INBOX")] {
        let targets = vec![Target { account: w.alice, mailbox: Some(name(mailbox)), flags: Flags::SEEN }];
        w.store.deliver(Delivery { content: content(mailbox), targets, queued: vec![], kept: None }).await.unwrap();
        let found = w.store.mailbox(w.alice, name(expect)).await.unwrap();
        assert_eq!((found.messages, found.unseen), (1, 0));
    }
}

#[tokio::test]
async fn many_at_once_all_arrive() {
    let w = world().await;
    let mut waiting = Vec::new();
    for n in 0..300 {
        let delivery = Delivery {
            content: content(&format!("message {n}")),
            targets: targets(&[w.alice]),
            queued: vec![],
            kept: None,
        };
        waiting.push(tokio::spawn({
            let store = w.store.clone();
            async move { store.deliver(delivery).await.map(|d| d.delivered[0].uid) }
        }));
    }
    let mut uids = Vec::new();
    for task in waiting {
        uids.push(task.await.unwrap().unwrap().0);
    }
    uids.sort_unstable();
    assert_eq!(uids, (1..=300).collect::<Vec<u32>>());
    let mut texts = w.texts(&w.inbox(w.alice).await).await;
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 300);
}

#[tokio::test]
async fn a_part_of_a_message_can_be_read() {
    let w = world().await;
    w.deliver("0123456789", &[w.alice]).await;
    let message = &w.store.messages(w.inbox(w.alice).await.id, vec![UidRange::ALL], 1).await.unwrap()[0];
    assert_eq!(&w.store.read(message.blob, 2, 5).await.unwrap()[..], b"234");
    assert_eq!(&w.store.read(message.blob, 8, 500).await.unwrap()[..], b"89");
    assert!(w.store.read(message.blob, 50, 60).await.unwrap().is_empty());
    let blob = &w.store.blobs(vec![message.blob]).await.unwrap()[0];
    assert_eq!((blob.size, &blob.structure[..]), (10, &b"structure"[..]));
    assert_eq!(blob.hash, *blake3::hash(b"0123456789").as_bytes());
}

#[tokio::test]
async fn who_is_in_the_middle_of_a_message_reads_it_to_its_end_when_it_goes() {
    let w = world().await;
    w.deliver("first half, second half", &[w.alice]).await;
    let inbox = w.inbox(w.alice).await;
    let blob = w.store.messages(inbox.id, vec![UidRange::ALL], 1).await.unwrap()[0].blob;
    assert_eq!(w.store.read(blob, 0, 10).await.unwrap(), "first half");
    w.store.expunge(inbox.id, vec![UidRange::ALL], true).await.unwrap();
    assert_eq!(w.store.read_on(blob, 10, u64::MAX).await.unwrap(), ", second half");
    // It is nowhere else, and others are not there at all.
    assert!(w.store.blobs(vec![blob]).await.unwrap().is_empty());
    assert!(matches!(w.store.read(blob, 0, 9).await, Err(mailward_store::StoreError::NotFound("message"))));
    assert_eq!(w.store.read_parts(vec![(blob, 0..9)], 9).await.unwrap(), [None]);
    let never = w.store.read_on(mailward_core::BlobId(blob.0 + 1), 0, 1).await;
    assert!(matches!(never, Err(mailward_store::StoreError::NotFound("message"))));
}
