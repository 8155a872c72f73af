//! Messages that nobody sees.

use crate::queue::queued;
use crate::support::*;
use bytes::Bytes;
use mailward_core::limits::{
    QUARANTINE_MESSAGES_MAX, QUARANTINE_NOTE_MAX, QUARANTINE_SOURCE_BYTES_MAX, QUARANTINE_SOURCE_MESSAGES_MAX,
    QUARANTINE_SWEEP,
};
use mailward_core::{AccountId, Clock, Network, QuarantineId, Timestamp};
use mailward_store::records::*;
use mailward_store::{Options, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Debug, Default)]
struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

fn kept(to: &[AccountId], queued: Vec<Queued>) -> Kept {
    let ways = Ways { targets: targets(to), queued };
    Kept { ways, note: Bytes::from_static(b"a virus"), expires: Timestamp(i64::MAX), source: None }
}

async fn keep(w: &World, text: &str, kept: Kept) -> QuarantineId {
    let delivery = Delivery { content: content(text), targets: vec![], queued: vec![], kept: Some(kept) };
    w.store.deliver(delivery).await.unwrap().kept.unwrap()
}

async fn ids(w: &World, account: Option<AccountId>) -> Vec<QuarantineId> {
    w.store.quarantine(account, None, usize::MAX).await.unwrap().into_iter().map(|one| one.id).collect()
}

#[tokio::test]
async fn what_is_kept_is_seen_by_nobody_and_counts_for_nobody() {
    let w = world().await;
    let mut news = w.store.watch_quarantine();
    news.mark_unchanged();
    let delivery = Delivery {
        content: content("bad"),
        targets: targets(&[w.bob]),
        queued: vec![],
        kept: Some(kept(&[w.alice], vec![])),
    };
    let accepted = w.store.deliver(delivery).await.unwrap();
    assert!(news.has_changed().unwrap());
    assert_eq!(w.texts(&w.inbox(w.bob).await).await, ["bad"], "another recipient's copy goes its way");
    assert_eq!(w.inbox(w.alice).await.messages, 0);
    assert_eq!(w.store.usage(w.alice).await.unwrap(), Usage::default());
    let id = accepted.kept.unwrap();
    let found = w.store.quarantined(id).await.unwrap().unwrap();
    assert_eq!((found.size, &found.note[..], &found.ways.targets), (3, &b"a virus"[..], &targets(&[w.alice])));
    assert_eq!(&w.store.read(found.blob, 0, 9).await.unwrap()[..], b"bad");
    assert_eq!(w.store.quarantine_size().await.unwrap(), 1);
    assert_eq!(w.problems(), [""; 0]);
}

#[tokio::test]
async fn what_is_released_goes_where_it_would_have_gone() {
    let w = world().await;
    let id = keep(&w, "held", kept(&[w.alice, w.bob], vec![queued(&["a@far.example", "b@far.example"])])).await;
    let accepted = w.store.release(id, KeptFor::Everybody, Vec::new()).await.unwrap();
    assert_eq!((accepted.delivered.len(), accepted.queued.len()), (2, 1));
    for account in [w.alice, w.bob] {
        assert_eq!(w.texts(&w.inbox(account).await).await, ["held"]);
    }
    let sent = w.store.queued_message(accepted.queued[0]).await.unwrap();
    assert_eq!(sent.recipients.len(), 2);
    assert_eq!(w.store.quarantined(id).await.unwrap(), None);
    assert!(matches!(w.store.release(id, KeptFor::Everybody, Vec::new()).await, Err(StoreError::NotFound(_))), "once");
    assert_eq!(w.problems(), [""; 0]);
}

#[tokio::test]
async fn one_account_s_part_is_its_own() {
    let w = world().await;
    let id = keep(&w, "held", kept(&[w.alice, w.bob], vec![queued(&["a@far.example"])])).await;
    let other = keep(&w, "other", kept(&[w.bob], vec![])).await;
    assert_eq!((ids(&w, Some(w.alice)).await, ids(&w, Some(w.bob)).await), (vec![id], vec![other, id]));
    let seen = w.store.quarantine(Some(w.alice), None, 9).await.unwrap();
    assert_eq!(seen[0].ways, Ways { targets: targets(&[w.alice]), queued: vec![] }, "nobody else is told");
    assert!(matches!(
        w.store.release(other, KeptFor::Account(w.alice), Vec::new()).await,
        Err(StoreError::NotFound(_))
    ));
    assert!(matches!(
        w.store.discard(other, KeptFor::Account(w.alice), Vec::new()).await,
        Err(StoreError::NotFound(_))
    ));
    assert_eq!(w.store.release(id, KeptFor::Account(w.alice), Vec::new()).await.unwrap().delivered.len(), 1);
    assert_eq!((ids(&w, Some(w.alice)).await, w.inbox(w.bob).await.messages), (vec![], 0));
    w.store.discard(id, KeptFor::Account(w.bob), Vec::new()).await.unwrap();
    let left = w.store.quarantined(id).await.unwrap().unwrap();
    assert_eq!((left.ways.targets.len(), left.ways.queued.len()), (0, 1), "what is owed elsewhere stays");
    w.store.discard(id, KeptFor::Everybody, Vec::new()).await.unwrap();
    assert_eq!(ids(&w, None).await, [other]);
    assert_eq!(w.problems(), [""; 0]);
}

#[tokio::test]
async fn a_full_account_gets_nothing_released_and_it_stays() {
    let w = world().await;
    let full = w.account("full", 3, 0).await;
    let id = keep(&w, "four", kept(&[w.alice, full], vec![])).await;
    assert!(matches!(w.store.release(id, KeptFor::Everybody, Vec::new()).await, Err(StoreError::OverQuota)));
    assert_eq!((w.inbox(w.alice).await.messages, ids(&w, None).await), (0, vec![id]));
    assert_eq!(w.problems(), [""; 0]);
}

#[tokio::test]
async fn what_is_owed_has_its_time_from_its_release_on() {
    let hand = Arc::new(Hand::default());
    hand.0.store(1_000, Ordering::SeqCst);
    let w = world_with(Options { clock: Arc::clone(&hand) as _, ..Options::default() }).await;
    let mut late = queued(&["a@far.example"]);
    late.envelope.arrived = Timestamp(1_000);
    late.envelope.warn = Some(Timestamp(2_000));
    late.envelope.expires = Timestamp(3_000);
    let id = keep(&w, "held", kept(&[], vec![late])).await;
    hand.0.store(50_000, Ordering::SeqCst);
    let accepted = w.store.release(id, KeptFor::Everybody, Vec::new()).await.unwrap();
    let sent = w.store.queued_message(accepted.queued[0]).await.unwrap();
    assert_eq!((sent.envelope.warn, sent.envelope.expires), (Some(Timestamp(51_000)), Timestamp(52_000)));
    assert_eq!(sent.recipients[0].due, Timestamp(50_000));
}

#[tokio::test]
async fn what_is_over_goes_some_at_a_time() {
    let hand = Arc::new(Hand::default());
    let w = world_with(Options { clock: Arc::clone(&hand) as _, ..Options::default() }).await;
    for number in 0..QUARANTINE_SWEEP + 1 {
        keep(&w, &number.to_string(), Kept { expires: Timestamp(10), ..kept(&[w.alice], vec![]) }).await;
    }
    let stays = keep(&w, "stays", kept(&[w.alice], vec![])).await;
    assert_eq!(w.store.sweep_quarantine().await.unwrap(), 0);
    hand.0.store(10, Ordering::SeqCst);
    assert_eq!(w.store.sweep_quarantine().await.unwrap(), QUARANTINE_SWEEP);
    assert_eq!(w.store.sweep_quarantine().await.unwrap(), 1);
    assert_eq!(ids(&w, Some(w.alice)).await, [stays]);
    assert_eq!(w.problems(), [""; 0]);
}

#[tokio::test]
async fn a_message_is_withdrawn_from_a_mailbox_and_can_come_back() {
    let w = world().await;
    w.deliver("late finding", &[w.alice, w.bob]).await;
    let inbox = w.inbox(w.alice).await;
    let uid = w.store.messages(inbox.id, vec![UidRange::ALL], 9).await.unwrap()[0].uid;
    let record = |value| Shelved { key: "run".to_owned(), value: Bytes::from_static(value), expires: None };
    let note = |value| vec![ShelfChange::Put(Shelf::Engines, record(value))];
    let why = Bytes::from_static(b"why");
    let id = w.store.withdraw(inbox.id, uid, why.clone(), Timestamp(i64::MAX), note(b"1")).await.unwrap();
    assert_eq!((w.inbox(w.alice).await.messages, w.inbox(w.bob).await.messages), (0, 1));
    assert_eq!(w.store.usage(w.alice).await.unwrap(), Usage::default());
    assert_eq!(w.problems(), [""; 0]);
    let again = w.store.withdraw(inbox.id, uid, why, Timestamp(0), note(b"2")).await;
    assert!(matches!(again, Err(StoreError::NotFound(_))));
    let noted = w.store.shelved(Shelf::Engines, "run".to_owned()).await.unwrap();
    assert_eq!(noted, Some(record(b"1")), "what is noted with it is noted if it is done");
    w.store.release(id, KeptFor::Account(w.alice), Vec::new()).await.unwrap();
    assert_eq!(w.texts(&w.inbox(w.alice).await).await, ["late finding"]);
    assert_eq!(w.problems(), [""; 0]);
}

#[tokio::test]
async fn what_is_kept_for_an_account_goes_with_it() {
    let w = world().await;
    let both = keep(&w, "both", kept(&[w.alice, w.bob], vec![])).await;
    keep(&w, "one", kept(&[w.alice], vec![])).await;
    w.store.change_account(AccountChange::Remove { id: w.alice }).await.unwrap();
    assert_eq!(ids(&w, None).await, [both]);
    assert_eq!(w.problems(), [""; 0]);
}

#[tokio::test]
async fn a_note_has_a_limit_and_what_goes_nowhere_isn_t_kept() {
    let w = world().await;
    let of = |kept| Delivery { content: content("x"), targets: vec![], queued: vec![], kept: Some(kept) };
    let long = Kept { note: Bytes::from(vec![b'x'; QUARANTINE_NOTE_MAX + 1]), ..kept(&[w.alice], vec![]) };
    assert!(matches!(w.store.deliver(of(long)).await, Err(StoreError::Limit(_))));
    assert!(matches!(w.store.deliver(of(kept(&[], vec![]))).await, Err(StoreError::Refused(_))));
    let most = Kept { note: Bytes::from(vec![b'x'; QUARANTINE_NOTE_MAX]), ..kept(&[w.alice], vec![]) };
    assert!(w.store.deliver(of(most)).await.is_ok());
}

#[tokio::test]
async fn what_outsiders_fill_has_a_limit() {
    let w = world().await;
    let mut all = tokio::task::JoinSet::new();
    for number in 0..QUARANTINE_MESSAGES_MAX {
        let (store, kept) = (Arc::clone(&w.store), kept(&[w.alice], vec![]));
        all.spawn(async move {
            let content = content(&number.to_string());
            store.deliver(Delivery { content, targets: vec![], queued: vec![], kept: Some(kept) }).await.map(|_| ())
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap().unwrap();
    }
    let more =
        Delivery { content: content("more"), targets: vec![], queued: vec![], kept: Some(kept(&[w.alice], vec![])) };
    assert!(matches!(w.store.deliver(more).await, Err(StoreError::QuarantineFull)));
}

#[tokio::test]
async fn one_network_fills_its_part_and_others_have_room() {
    let w = world().await;
    let of = |network: &str| Kept { source: Network::parse(network).ok(), ..kept(&[w.alice], vec![]) };
    let mut all = tokio::task::JoinSet::new();
    for number in 0..QUARANTINE_SOURCE_MESSAGES_MAX {
        let (store, kept) = (Arc::clone(&w.store), of("192.0.2.0/24"));
        all.spawn(async move {
            let content = content(&number.to_string());
            store.deliver(Delivery { content, targets: vec![], queued: vec![], kept: Some(kept) }).await.map(|_| ())
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap().unwrap();
    }
    let more = |kept| Delivery { content: content("more"), targets: vec![], queued: vec![], kept: Some(kept) };
    let refused = w.store.deliver(more(of("192.0.2.0/24"))).await.unwrap_err();
    assert!(matches!(&refused, StoreError::QuarantineShare(network) if network == "192.0.2.0/24"), "{refused}");
    let neighbour = w.store.deliver(more(of("192.0.3.0/24"))).await.unwrap().kept.unwrap();
    assert!(w.store.deliver(more(kept(&[w.alice], vec![]))).await.is_ok(), "what counts for nobody");
    w.store.discard(QuarantineId(neighbour.0 - 1), KeptFor::Everybody, Vec::new()).await.unwrap();
    assert!(w.store.deliver(more(of("192.0.2.0/24"))).await.is_ok(), "there is room again");
    assert_eq!(w.problems(), [""; 0]);
}

#[tokio::test]
async fn one_network_fills_its_part_of_the_bytes() {
    let w = world().await;
    // What is kept many times over counts as often, and is stored once.
    let text = "x".repeat(32 << 20);
    let of = |network: &str| Kept { source: Network::parse(network).ok(), ..kept(&[w.alice], vec![]) };
    let fit = QUARANTINE_SOURCE_BYTES_MAX / u64::try_from(text.len()).unwrap();
    for _ in 0..fit {
        keep(&w, &text, of("2001:db8::/48")).await;
    }
    let more = |kept| Delivery { content: content(&text), targets: vec![], queued: vec![], kept: Some(kept) };
    let refused = w.store.deliver(more(of("2001:db8::/48"))).await;
    assert!(matches!(refused, Err(StoreError::QuarantineShare(_))));
    assert!(w.store.deliver(more(of("2001:db8:1::/48"))).await.is_ok());
}

#[tokio::test]
async fn pages_go_back_in_time() {
    let w = world().await;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(keep(&w, &number.to_string(), kept(&[w.alice], vec![])).await);
    }
    all.reverse();
    let first = w.store.quarantine(None, None, 2).await.unwrap();
    assert_eq!([first[0].id, first[1].id], [all[0], all[1]]);
    let next = w.store.quarantine(Some(w.alice), Some(first[1].id), 9).await.unwrap();
    assert_eq!(next.iter().map(|one| one.id).collect::<Vec<_>>(), all[2..]);
}

#[tokio::test]
async fn accounts_are_found_with_the_newest_that_is_kept_for_them() {
    let w = world().await;
    assert_eq!(w.store.quarantine_accounts(None, 9).await.unwrap(), []);
    let both = keep(&w, "both", kept(&[w.alice, w.bob], vec![])).await;
    let bobs = keep(&w, "bob's", kept(&[w.bob], vec![])).await;
    keep(&w, "elsewhere", kept(&[], vec![queued(&["a@far.example"])])).await;
    let mut all = vec![(w.alice, both), (w.bob, bobs)];
    all.sort();
    assert_eq!(w.store.quarantine_accounts(None, 9).await.unwrap(), all);
    assert_eq!(w.store.quarantine_accounts(None, 1).await.unwrap(), all[..1]);
    assert_eq!(w.store.quarantine_accounts(Some(all[0].0), 9).await.unwrap(), all[1..]);
    w.store.discard(bobs, KeptFor::Everybody, Vec::new()).await.unwrap();
    assert!(w.store.quarantine_accounts(None, 9).await.unwrap().contains(&(w.bob, both)));
}

#[tokio::test]
async fn what_is_noted_with_a_release_is_there_with_it_or_neither_is() {
    let w = world().await;
    let record = |key: &str| Shelved { key: key.to_owned(), value: Bytes::from_static(b"x"), expires: None };
    let has = async |key: &str| w.store.shelved(Shelf::Digests, key.to_owned()).await.unwrap().is_some();
    w.store.change_shelf(vec![ShelfChange::Put(Shelf::Digests, record("word"))]).await.unwrap();
    let once = || {
        vec![ShelfChange::Remove(Shelf::Digests, "word".to_owned()), ShelfChange::Put(Shelf::Digests, record("done"))]
    };
    let small = w.account("small", 1, 0).await;
    let full = keep(&w, "held", kept(&[small], vec![])).await;
    assert!(matches!(w.store.release(full, KeptFor::Everybody, once()).await, Err(StoreError::OverQuota)));
    assert!(has("word").await && !has("done").await, "nothing was done");
    let (first, second) = (keep(&w, "1", kept(&[w.bob], vec![])).await, keep(&w, "2", kept(&[w.bob], vec![])).await);
    w.store.release(first, KeptFor::Account(w.bob), once()).await.unwrap();
    assert!(!has("word").await && has("done").await);
    assert!(matches!(w.store.release(second, KeptFor::Account(w.bob), once()).await, Err(StoreError::NotFound(_))));
    assert!(matches!(w.store.discard(second, KeptFor::Account(w.bob), once()).await, Err(StoreError::NotFound(_))));
    assert!(w.store.quarantined(second).await.unwrap().is_some(), "a word acts once");
    assert_eq!(w.texts(&w.inbox(w.bob).await).await, ["1"]);
    assert_eq!(w.problems(), [""; 0]);
}
