//! Finding text: a store may tell who can hold a text, or that it can't tell; it never leaves out who does.

use crate::support::*;
use mailward_core::{BlobId, Uid};
use mailward_message::decode::fold;
use mailward_store::records::UidRange;

async fn blobs(w: &World) -> Vec<BlobId> {
    let inbox = w.inbox(w.alice).await;
    let rows = w.store.messages(inbox.id, vec![UidRange::ALL], usize::MAX).await.unwrap();
    rows.into_iter().map(|row| row.blob).collect()
}

/// Whatever the store says now, nobody who holds the text is missing, and nobody is named who wasn't asked about.
async fn find(w: &World, text: &str, holders: &[BlobId], among: &[BlobId]) {
    let Some(found) = w.store.find_text(fold(text), among.to_vec()).await.unwrap() else { return };
    assert!(holders.iter().all(|blob| found.contains(blob)), "{text}: {holders:?} not all in {found:?}");
    assert!(found.iter().all(|blob| among.contains(blob)), "{text}: {found:?} not all in {among:?}");
    assert!(found.is_sorted());
}

#[tokio::test]
async fn who_holds_a_text_is_never_left_out() {
    let w = world().await;
    for n in 0..30 {
        w.deliver(&format!("Subject: message {n}\r\n\r\nThe W\u{d6}RD{n}x of it\r\n"), &[w.alice]).await;
        let among = blobs(&w).await;
        for (at, blob) in among.iter().enumerate() {
            find(&w, &format!("w\u{f6}rd{at}X"), &[*blob], &among).await;
        }
        find(&w, "the word", &[], &among).await;
        find(&w, "subject: MESSAGE", &among, &among).await;
        find(&w, "x", &[], &among).await;
        find(&w, "message", &among[..n / 2], &among[..n / 2]).await;
    }
}

#[tokio::test]
async fn a_content_that_comes_again_is_found_again() {
    let w = world().await;
    let inbox = w.inbox(w.alice).await;
    for round in 0..5 {
        w.deliver("Subject: s\r\n\r\nalways the same\r\n", &[w.alice]).await;
        w.deliver(&format!("Subject: s\r\n\r\nround{round} another\r\n"), &[w.alice]).await;
        let among = blobs(&w).await;
        find(&w, "the same", &among[..1], &among).await;
        find(&w, &format!("round{round}"), &among[1..], &among).await;
        w.store.expunge(inbox.id, vec![UidRange { first: Uid(1), last: Uid(u32::MAX) }], true).await.unwrap();
        find(&w, "the same", &[], &among).await;
    }
}

#[tokio::test]
async fn what_is_copied_to_others_is_found_there() {
    let w = world().await;
    w.deliver("Subject: s\r\n\r\nto be moved\r\n", &[w.alice, w.bob]).await;
    let among = blobs(&w).await;
    let (from, to) = (w.inbox(w.alice).await, w.store.mailbox(w.alice, name("Archive")).await.unwrap());
    w.store.move_messages(from.id, vec![UidRange::ALL], to.id).await.unwrap();
    find(&w, "to be moved", &among, &among).await;
}
