//! Into the queue, with the commit that accepts.

use super::*;
use mailward_core::AccountId;
use mailward_store::StoreError;

#[tokio::test]
async fn a_mailbox_and_the_queue_get_it_in_one_commit_or_neither_does() {
    let w = world().await;
    let both = |account| Delivery {
        content: content("both"),
        targets: targets(&[account]),
        queued: vec![queued(&["x@far.example"])],
        kept: None,
    };
    assert!(matches!(w.store.deliver(both(AccountId(999))).await, Err(StoreError::NotFound(_))));
    assert_eq!(w.everything().await, []);
    let accepted = w.store.deliver(both(w.alice)).await.unwrap();
    assert_eq!((accepted.delivered.len(), accepted.queued.len()), (1, 1));
    assert_eq!(w.everything().await, [(accepted.queued[0], vec![0])]);
    assert_eq!(w.inbox(w.alice).await.messages, 1);
}

#[tokio::test]
async fn what_came_with_it_comes_back() {
    let w = world().await;
    let to = NewRecipient {
        notify: Some(NotifyOn { success: true, failure: false, delay: true }),
        original: Some("rfc822;bob+x@far.example".into()),
        ..recipient("\"b b\"@far.example")
    };
    let held = NewRecipient { held: Some("over the limit".into()), ..recipient("jörg@far.example") };
    let given = Queued {
        envelope: Envelope {
            give_back: Some(GiveBack::Headers),
            envid: Some("QQ+1".into()),
            needs: Needs { smtputf8: true, require_tls: true, eight_bit: true, tls_optional: true, signature: true },
            submitter: Some(w.alice),
            forwarded: Some(Address::parse("all@s.example", false).unwrap()),
            ..envelope()
        },
        recipients: vec![to, held],
    };
    let id = w.enqueue("text", given.clone()).await;
    let found = w.store.queued_message(id).await.unwrap();
    assert_eq!((found.id, found.size, found.trials, found.left), (id, 4, 0, 2));
    assert_eq!(found.envelope, given.envelope);
    assert_eq!(&w.store.read(found.blob, 0, 99).await.unwrap()[..], b"text");
    let states = [RecipientState::Waiting, RecipientState::Held("over the limit".into())];
    for (number, (new, there)) in given.recipients.iter().zip(&found.recipients).enumerate() {
        assert_eq!(there.number as usize, number);
        assert_eq!((&there.address, &there.lane, there.due), (&new.address, &new.lane, new.due));
        assert_eq!((&there.notify, &there.original), (&new.notify, &new.original));
        assert_eq!(there.state, states[number]);
        assert_eq!((there.attempts, &there.answer, there.warned), (0, &None, false));
    }
}

#[tokio::test]
async fn the_null_path_is_not_an_address() {
    let w = world().await;
    let id =
        w.enqueue("b", Queued { envelope: Envelope { sender: None, ..envelope() }, ..queued(&["x@a.test"]) }).await;
    assert_eq!(w.store.queued_message(id).await.unwrap().envelope.sender, None);
}

#[tokio::test]
async fn a_message_that_goes_nowhere_is_not_accepted() {
    let w = world().await;
    for queued in [vec![], vec![queued(&[])]] {
        let nowhere = Delivery { content: content("lost"), targets: vec![], queued, kept: None };
        assert!(matches!(w.store.deliver(nowhere).await, Err(StoreError::Refused(_))));
    }
    assert_eq!(w.everything().await, []);
}

#[tokio::test]
async fn one_content_is_there_as_long_as_any_envelope_or_mailbox_has_it() {
    let w = world().await;
    let delivery = Delivery {
        content: content("shared"),
        targets: targets(&[w.alice]),
        queued: vec![queued(&["x@a.test"]), queued(&["y@b.test"])],
        kept: None,
    };
    let ids = w.store.deliver(delivery).await.unwrap().queued;
    let blob = w.store.queued_message(ids[0]).await.unwrap().blob;
    assert_eq!(w.store.queued_message(ids[1]).await.unwrap().blob, blob);
    w.store.expunge(w.inbox(w.alice).await.id, vec![UidRange::ALL], true).await.unwrap();
    w.store.settle(only(vec![settled(ids[0], 0, Outcome::Delivered)])).await.unwrap();
    assert_eq!(&w.store.read(blob, 0, 99).await.unwrap()[..], b"shared");
    w.store.settle(only(vec![settled(ids[1], 0, Outcome::Failed)])).await.unwrap();
    assert!(matches!(w.store.read(blob, 0, 99).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn an_id_is_never_given_again() {
    let w = world().await;
    let first = w.queue("1", &["x@a.test"]).await;
    w.store.settle(only(vec![settled(first, 0, Outcome::Delivered)])).await.unwrap();
    let second = w.queue("2", &["x@a.test"]).await;
    assert!(second > first);
    let late = w.store.settle(only(vec![settled(first, 0, Outcome::Failed)])).await.unwrap();
    assert_eq!(late.missing, [(first, 0)]);
    assert_eq!(w.everything().await, [(second, vec![0])]);
}

#[tokio::test]
async fn whoever_watches_hears_of_it() {
    let w = world().await;
    let mut watch = w.store.watch_queue();
    watch.mark_unchanged();
    w.deliver("to a mailbox only", &[w.alice]).await;
    assert!(!watch.has_changed().unwrap());
    w.queue("out", &["x@a.test"]).await;
    assert!(watch.has_changed().unwrap());
}
