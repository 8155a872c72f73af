//! Learning: by whom, for whom, and back.

use crate::world::*;
use mailward_core::Address;
use mailward_core::config::{self, TrainAddress};
use mailward_core::limits::{SPAM_LEARNED_LEAST, SPAM_READ_MAX, SPAM_SENT_MAX, SPAM_TOKENS_SERVER_MAX};
use mailward_inspect::spam::{Learnt, Lesson, Table};
use mailward_store::records::{FlagAction, FlagChange, Flags, UidRange};
use mailward_store::{MailStore, SpamStore};

async fn rows(w: &World, owner: Option<mailward_core::AccountId>) -> Vec<(u64, u32, u32, i32)> {
    w.spam.settle().await.unwrap();
    let rows = w.store.spam_tokens(owner, None, usize::MAX).await.unwrap();
    rows.into_iter().map(|row| (row.token, row.spam, row.ham, row.weight)).collect()
}

#[tokio::test]
async fn what_is_learned_tells_mail_apart_and_nothing_is_said_before() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    w.teach(None, 0..SPAM_LEARNED_LEAST - 1).await;
    assert_eq!(w.words(&mail(Lesson::Spam, 1_000), w.alice).await, None, "too little is known");
    w.teach(None, SPAM_LEARNED_LEAST - 1..20).await;
    for number in 1_000..1_020 {
        assert!(w.words(&mail(Lesson::Spam, number), w.alice).await.unwrap() > 300);
        assert!(w.words(&mail(Lesson::Ham, number), w.alice).await.unwrap() < -100);
    }
}

#[tokio::test]
async fn learning_and_taking_back_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    w.teach(None, 0..12).await;
    let before = rows(&w, None).await;
    let told = w.spam.knowledge(None);
    let fresh = mail(Lesson::Spam, 77);
    // It changes its mind as often as it likes.
    for lesson in [Some(Lesson::Spam), Some(Lesson::Ham), Some(Lesson::Spam), Some(Lesson::Spam), None] {
        w.spam.learn(None, &fresh, lesson).await.unwrap();
    }
    assert_eq!(w.spam.learn(None, &fresh, None).await.unwrap(), Learnt::Already);
    assert_eq!(rows(&w, None).await, before);
    assert_eq!(w.spam.knowledge(None), told);
    let again = mail(Lesson::Spam, 3);
    assert_eq!(w.spam.learn(None, &again, Some(Lesson::Spam)).await.unwrap(), Learnt::Already);
    assert_eq!(rows(&w, None).await, before);
}

#[tokio::test]
async fn what_is_in_memory_is_what_is_stored_also_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    w.teach(None, 0..15).await;
    w.spam.settle().await.unwrap();
    // Not folded yet when the process is gone.
    w.teach(None, 15..18).await;
    w.teach(Some(w.alice), 18..20).await;
    assert!(!w.store.pending_tokens(None).await.unwrap().is_empty());
    let judged = w.words(&mail(Lesson::Spam, 99), w.alice).await.unwrap();
    let told = w.spam.knowledge(None);
    // The files as a kill would leave them, without a clean end.
    let image = tempfile::tempdir().unwrap();
    for entry in walk(dir.path()) {
        let to = image.path().join(entry.strip_prefix(dir.path()).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&entry, to).unwrap();
    }
    let again = world(image.path(), config::Spam::default()).await;
    assert_eq!(again.spam.knowledge(None), told);
    assert_eq!(again.words(&mail(Lesson::Spam, 99), again.alice).await.unwrap(), judged);
    again.spam.settle().await.unwrap();
    assert_eq!(again.words(&mail(Lesson::Spam, 99), again.alice).await.unwrap(), judged);
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test]
async fn a_user_s_word_is_theirs_alone_and_a_trainer_s_is_everybody_s() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    w.teach(None, 0..20).await;
    let server = rows(&w, None).await;
    let (wanted, other) = (mail(Lesson::Spam, 500), mail(Lesson::Ham, 501));
    // Alice likes what others don't, and says the worst of the rest.
    for number in 500..520 {
        w.spam.learn(Some(w.alice), &mail(Lesson::Spam, number), Some(Lesson::Ham)).await.unwrap();
        w.spam.learn(Some(w.alice), &mail(Lesson::Ham, number), Some(Lesson::Spam)).await.unwrap();
    }
    assert!(w.words(&wanted, w.alice).await.unwrap() < 0);
    assert!(w.words(&other, w.alice).await.unwrap() > 0);
    assert!(w.words(&wanted, w.bob).await.unwrap() > 300, "bob never hears of it");
    assert!(w.words(&other, w.bob).await.unwrap() < 0);
    assert_eq!(rows(&w, None).await, server);
    let trainers = vec![Address::parse("bob@example.test", false).unwrap()];
    w.spam.set(&config::Spam { trainers, ..config::Spam::default() });
    w.spam.learn(Some(w.bob), &mail(Lesson::Spam, 900), Some(Lesson::Spam)).await.unwrap();
    assert_ne!(rows(&w, None).await, server);
    assert_eq!(w.spam.knowledge(None).spam, 21);
    w.spam.forget(Some(w.alice)).await.unwrap();
    assert!(w.words(&wanted, w.alice).await.unwrap() > 300);
}

#[tokio::test]
async fn one_message_marked_by_a_user_who_said_nothing_else_turns_no_other_mail_into_spam() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    w.teach(None, 0..20).await;
    let missed = mail(Lesson::Ham, 700);
    w.spam.learn(Some(w.alice), &missed, Some(Lesson::Spam)).await.unwrap();
    let honest = "From: Carol <carol@home.example>\r\nTo: alice@example.test\r\nSubject: holidays\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <x@home.example>\r\n\r\nShall we go to the sea, or rather to the mountains? The children ask every day.\r\n";
    assert!(w.words(honest.as_bytes(), w.alice).await.unwrap() < 300);
}

#[tokio::test]
async fn moving_mail_into_junk_and_out_of_it_teaches() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    w.teach(None, 0..20).await;
    let mailboxes = w.store.mailboxes(w.alice).await.unwrap();
    let junk = mailboxes.iter().find(|one| one.special_use.as_deref() == Some("\\Junk")).unwrap();
    let inbox = w.mailbox(w.alice, "INBOX").await;
    w.deliver(&mail(Lesson::Spam, 300), w.alice).await;
    w.store.move_messages(inbox.id, vec![UidRange::ALL], junk.id).await.unwrap();
    w.spam.settle().await.unwrap();
    let told = w.spam.knowledge(Some(w.alice));
    assert_eq!((told.spam, told.ham), (1, 0));
    // They change their mind.
    w.store.move_messages(junk.id, vec![UidRange::ALL], inbox.id).await.unwrap();
    w.spam.settle().await.unwrap();
    let told = w.spam.knowledge(Some(w.alice));
    assert_eq!((told.spam, told.ham), (0, 1));
    let flag = async |action, word: &str| {
        let change = FlagChange {
            ranges: vec![UidRange::ALL],
            action,
            flags: Flags::NONE,
            keywords: vec![word.to_owned()],
            unchanged_since: None,
        };
        w.store.change_flags(inbox.id, change).await.unwrap();
        w.spam.settle().await.unwrap();
        let told = w.spam.knowledge(Some(w.alice));
        (told.spam, told.ham)
    };
    assert_eq!(flag(FlagAction::Add, "$Junk").await, (1, 0));
    assert_eq!(flag(FlagAction::Remove, "$Junk").await, (0, 0));
    assert_eq!(rows(&w, Some(w.alice)).await, []);
    // A message that is gone before it is learned is no trouble.
    w.store.move_messages(inbox.id, vec![UidRange::ALL], junk.id).await.unwrap();
    w.store.expunge(junk.id, vec![UidRange::ALL], true).await.unwrap();
    w.spam.settle().await.unwrap();
    assert!(w.store.spam_marks(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_sent_to_an_address_that_learns_is_learned_attached_or_whole() {
    let dir = tempfile::tempdir().unwrap();
    let lines = ["spam@example.test spam", "ham@example.test ham"];
    let train_addresses = lines.iter().map(|line| TrainAddress::parse(line).unwrap()).collect();
    let w = world(dir.path(), config::Spam { train_addresses, ..config::Spam::default() }).await;
    let at = |text: &str| w.spam.train_address(&Address::parse(text, false).unwrap());
    assert_eq!(at("spam@example.test"), Some(Lesson::Spam));
    assert_eq!(at("ham@example.test"), Some(Lesson::Ham));
    assert_eq!(at("alice@example.test"), None);
    let mut forwarded = String::from(
        "From: alice@example.test\r\nSubject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee below\r\n",
    );
    for number in 0..3 {
        forwarded.push_str("--b\r\nContent-Type: message/rfc822\r\n\r\n");
        forwarded.push_str(std::str::from_utf8(&mail(Lesson::Spam, number)).unwrap());
    }
    let whole = format!("{forwarded}--b--\r\n");
    assert_eq!(w.spam.learn_sent(w.alice, whole.as_bytes(), Lesson::Spam).await.unwrap(), 3);
    assert_eq!(w.spam.learn_sent(w.alice, whole.as_bytes(), Lesson::Spam).await.unwrap(), 0);
    assert_eq!(w.spam.learn_sent(w.alice, &mail(Lesson::Ham, 1), Lesson::Ham).await.unwrap(), 1);
    let told = w.spam.knowledge(Some(w.alice));
    assert_eq!((told.spam, told.ham), (3, 1));
    let mut many = forwarded.split("--b\r\nContent-Type: message").next().unwrap().to_owned();
    for number in 0..SPAM_SENT_MAX + 5 {
        many.push_str(&format!(
            "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: n{number}\r\n\r\nbuy {number}\r\n"
        ));
    }
    many.push_str("--b--\r\n");
    assert_eq!(w.spam.learn_sent(w.bob, many.as_bytes(), Lesson::Spam).await.unwrap(), SPAM_SENT_MAX);
}

#[tokio::test]
async fn the_way_a_message_came_is_no_part_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let w = world(dir.path(), config::Spam::default()).await;
    let message = mail(Lesson::Spam, 5);
    let mut came = b"Return-Path: <a@b.example>\r\nReceived: from a (a [192.0.2.1]) by b with ESMTP; Mon, 2 Nov 2026 10:00:00 +0000\r\nAuthentication-Results: b; spf=none\r\n".to_vec();
    came.extend_from_slice(&message);
    w.spam.learn(None, &came, Some(Lesson::Spam)).await.unwrap();
    assert_eq!(w.spam.learn(None, &message, Some(Lesson::Spam)).await.unwrap(), Learnt::Already);
    // What is behind the limit isn't looked at either.
    let mut long = message.clone();
    long.extend(std::iter::repeat_n(b'x', SPAM_READ_MAX));
    w.spam.learn(None, &long, Some(Lesson::Spam)).await.unwrap();
    long.extend_from_slice(b"more");
    assert_eq!(w.spam.learn(None, &long, Some(Lesson::Spam)).await.unwrap(), Learnt::Already);
}

#[test]
fn a_table_that_is_full_lets_go_of_what_tells_least() {
    let mut table = Table::default();
    let most = 1_000usize;
    // Some tokens come in every message, most in one alone.
    for number in 0..200u64 {
        let mut tokens: Vec<u64> = (1..=5).collect();
        tokens.extend((0..10).map(|n| 1_000 + number * 10 + n));
        table.learn(&tokens, if number % 2 == 0 { Lesson::Spam } else { Lesson::Ham }, number as u32);
    }
    assert!(table.len() > most);
    while table.len() > most {
        let some = table.excess(most, 300);
        assert!(!some.is_empty() && some.len() <= 300);
        assert!(some.iter().all(|token| *token > 5), "what is in every message stays");
        table.remove(&some);
    }
    assert!(table.len() <= most && table.len() >= most * 3 / 4);
    assert!(table.excess(most, 300).is_empty());
    const { assert!(SPAM_TOKENS_SERVER_MAX * 24 <= 100 << 20) };
}
