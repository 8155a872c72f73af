//! What was learned of spam.

use crate::support::*;
use mailward_core::limits::{SPAM_FOLD_MAX, SPAM_TOKENS_MAX};
use mailward_core::{AccountId, MailboxName};
use mailward_store::StoreError;
use mailward_store::records::*;

fn lesson(message: u8, lesson: Option<Lesson>, weight: i32, tokens: &[u64]) -> Learning {
    Learning { owner: None, message: [message; 32], lesson, weight, tokens: tokens.to_vec() }
}

async fn tokens(w: &World, owner: Option<AccountId>) -> Vec<(u64, u32, u32, i32)> {
    while w.store.fold_tokens().await.unwrap() > 0 {}
    assert_eq!(w.store.pending_tokens(owner).await.unwrap(), []);
    let mut rows = Vec::new();
    loop {
        let after = rows.last().map(|row: &TokenRow| row.token);
        let page = w.store.spam_tokens(owner, after, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    let mut rows: Vec<_> = rows.into_iter().map(|row| (row.token, row.spam, row.ham, row.weight)).collect();
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn what_is_learned_twice_counts_once_and_is_taken_back_exactly() {
    let w = world().await;
    let changed = |spam, ham, weight| Learnt::Changed { spam, ham, weight };
    let high = u64::MAX - 3;
    assert_eq!(w.store.learn(lesson(1, Some(Lesson::Ham), -7, &[1, high])).await.unwrap(), changed(0, 1, -7));
    let before = tokens(&w, None).await;
    assert_eq!(before, [(1, 0, 1, -7), (high, 0, 1, -7)]);
    assert_eq!(w.store.learn(lesson(2, Some(Lesson::Spam), 9, &[1, 2])).await.unwrap(), changed(1, 0, 9));
    assert_eq!(w.store.learn(lesson(2, Some(Lesson::Spam), 5, &[1, 2])).await.unwrap(), Learnt::Already);
    assert_eq!(w.store.learned(None, [2; 32]).await.unwrap().unwrap().weight, 9);
    assert_eq!(tokens(&w, None).await, [(1, 1, 1, 2), (2, 1, 0, 9), (high, 0, 1, -7)]);
    assert_eq!(w.store.learn(lesson(2, Some(Lesson::Ham), -4, &[1, 2])).await.unwrap(), changed(-1, 1, -13));
    assert_eq!(tokens(&w, None).await, [(1, 0, 2, -11), (2, 0, 1, -4), (high, 0, 1, -7)]);
    assert_eq!(w.store.learn(lesson(2, None, 99, &[1, 2])).await.unwrap(), changed(0, -1, 4));
    assert_eq!(w.store.learn(lesson(2, None, 0, &[1, 2])).await.unwrap(), Learnt::Already);
    assert_eq!(tokens(&w, None).await, before);
    assert_eq!(w.store.spam_owners().await.unwrap(), [SpamOwner { owner: None, spam: 0, ham: 1 }]);
}

#[tokio::test]
async fn each_owner_learns_for_themselves_and_it_goes_with_them() {
    let w = world().await;
    let of = |owner, message| Learning { owner, ..lesson(message, Some(Lesson::Spam), 1, &[5]) };
    for owner in [None, Some(w.alice), Some(w.bob)] {
        w.store.learn(of(owner, 1)).await.unwrap();
    }
    w.store.learn(of(Some(w.alice), 2)).await.unwrap();
    assert_eq!(tokens(&w, Some(w.alice)).await, [(5, 2, 0, 2)]);
    assert_eq!(tokens(&w, None).await, [(5, 1, 0, 1)]);
    w.store.learn(of(Some(w.alice), 3)).await.unwrap();
    w.store.change_account(AccountChange::Remove { id: w.alice }).await.unwrap();
    assert_eq!(tokens(&w, Some(w.alice)).await, []);
    assert_eq!(tokens(&w, Some(w.bob)).await, [(5, 1, 0, 1)]);
    let nobody = w.store.learn(of(Some(w.alice), 4)).await;
    assert!(matches!(nobody, Err(StoreError::NotFound("account"))));
    w.store.drop_tokens(Some(w.bob), vec![5, 6]).await.unwrap();
    assert_eq!(tokens(&w, Some(w.bob)).await, []);
    w.store.forget_spam(None).await.unwrap();
    assert_eq!(w.store.learned(None, [1; 32]).await.unwrap(), None);
    assert_eq!(tokens(&w, None).await, []);
}

#[tokio::test]
async fn tokens_are_folded_in_so_many_at_once_and_a_message_has_no_more_than_its_limit() {
    let w = world().await;
    let many: Vec<u64> = (0..SPAM_TOKENS_MAX as u64).collect();
    w.store.learn(lesson(0, Some(Lesson::Spam), 1, &many)).await.unwrap();
    let more: Vec<u64> = (0..=SPAM_TOKENS_MAX as u64).collect();
    let beyond = w.store.learn(lesson(1, Some(Lesson::Spam), 1, &more)).await;
    assert!(matches!(beyond, Err(StoreError::Limit(_))));
    assert!(matches!(w.store.drop_tokens(None, more).await, Err(StoreError::Limit(_))));
    for message in 1..=SPAM_FOLD_MAX {
        w.store.learn(lesson(u8::try_from(message).unwrap(), Some(Lesson::Ham), -1, &[1])).await.unwrap();
    }
    assert_eq!(w.store.pending_tokens(None).await.unwrap().len(), SPAM_FOLD_MAX + 1);
    assert_eq!(w.store.fold_tokens().await.unwrap(), 1);
    assert_eq!(w.store.fold_tokens().await.unwrap(), 0);
    let rows = w.store.spam_tokens(None, Some(0), 1).await.unwrap();
    assert_eq!((rows[0].token, rows[0].spam, rows[0].ham), (1, 1, u32::try_from(SPAM_FOLD_MAX).unwrap()));
}

#[tokio::test]
async fn moving_and_flagging_says_what_users_think() {
    let w = world().await;
    let mailboxes = w.store.mailboxes(w.alice).await.unwrap();
    let junk = mailboxes.iter().find(|one| one.special_use.as_deref() == Some("\\Junk")).unwrap();
    let trash = mailboxes.iter().find(|one| one.special_use.as_deref() == Some("\\Trash")).unwrap();
    let inbox = w.inbox(w.alice).await;
    let all = || vec![UidRange::ALL];
    let said = async || {
        let marks = w.store.spam_marks(99).await.unwrap();
        w.store.unmark(marks.iter().map(|mark| mark.id).collect()).await.unwrap();
        assert!(marks.iter().all(|mark| mark.account == w.alice));
        marks.into_iter().map(|mark| mark.lesson).collect::<Vec<_>>()
    };
    w.deliver("one", &[w.alice]).await;
    let into = Target { account: w.alice, mailbox: Some(junk.name.clone()), flags: Flags::NONE };
    w.store
        .deliver(Delivery { content: content("two"), targets: vec![into], queued: vec![], kept: None })
        .await
        .unwrap();
    assert_eq!(said().await, [], "a verdict of ours is no lesson");
    let mut news = w.store.shelf_version(Shelf::Trained);
    news.mark_unchanged();
    w.store.move_messages(inbox.id, all(), junk.id).await.unwrap();
    assert!(news.has_changed().unwrap());
    assert_eq!(said().await, [Some(Lesson::Spam)]);
    w.store.move_messages(junk.id, all(), inbox.id).await.unwrap();
    assert_eq!(said().await, [Some(Lesson::Ham), Some(Lesson::Ham)]);
    w.store.copy(inbox.id, vec![UidRange::ALL], junk.id).await.unwrap();
    assert_eq!(said().await.len(), 2);
    w.store.move_messages(junk.id, all(), trash.id).await.unwrap();
    w.store.move_messages(trash.id, all(), inbox.id).await.unwrap();
    assert_eq!(said().await, []);
    let one = w.store.mailbox(w.alice, MailboxName::inbox()).await.unwrap();
    for (action, words, says) in [
        (FlagAction::Add, &["$Junk"][..], Some(Some(Lesson::Spam))),
        (FlagAction::Add, &["$Junk"], None),
        (FlagAction::Replace, &["$notjunk", "$work"], Some(Some(Lesson::Ham))),
        (FlagAction::Remove, &["$NotJunk"], Some(None)),
        (FlagAction::Add, &["work"], None),
        (FlagAction::Add, &["NonJunk"], Some(Some(Lesson::Ham))),
    ] {
        w.flag(&one, action, Flags::NONE, words).await;
        let said = said().await;
        assert_eq!(said.first().copied(), says, "{action:?} {words:?}");
    }
}
