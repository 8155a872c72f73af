//! The audit's account, up to its limits.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test says what it expects")]

use super::*;
use crate::control::{Call, Request};
use bytes::Bytes;
use futures_util::future::join_all;
use mailward_core::Domain;
use mailward_core::config::Config;
use mailward_core::limits::AUDIT_ALIVE_EVERY;
use mailward_inspect::policy::Rulebook;
use mailward_message::Structure;
use mailward_store::records::{Content, Delivery, Flags, Kept, Target, Ways};
use mailward_store::{LocalStore, Options};
use std::time::Duration;

/// A desk, with an account of the audit's.
async fn house() -> (tempfile::TempDir, Desk, Address, AccountId) {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    let desk = Desk::over(store, dir.path(), &Config::default(), Rulebook::default()).await.unwrap();
    let name = Domain::parse("a.example").unwrap();
    desk.answer_call(Call::new(Request::DomainAdd { name })).await.unwrap();
    let made = desk.make_canary().await.unwrap().unwrap();
    let address: Address = made.address.parse().unwrap();
    let account = desk.account(&address).unwrap();
    (dir, desk, address, account)
}

/// Delivers messages, or keeps them in the quarantine.
async fn bring(desk: &Desk, account: AccountId, messages: Vec<String>, is_kept: bool) {
    let deliver = |text: String| {
        let content =
            Content::new(Bytes::from(text.clone()), Bytes::from(Structure::parse(text.as_bytes()).to_bytes()));
        let targets = vec![Target { account, mailbox: None, flags: Flags::NONE }];
        let (targets, kept) = if is_kept {
            let ways = Ways { targets, queued: Vec::new() };
            let (note, expires) = (Note::default().to_bytes(4_096).into(), Timestamp(i64::MAX));
            (Vec::new(), Some(Kept { ways, note, expires, source: None }))
        } else {
            (targets, None)
        };
        desk.store.deliver(Delivery { content, targets, queued: Vec::new(), kept })
    };
    // What is brought together comes in any order; the last comes last.
    let (last, others) = messages.split_last().unwrap();
    for done in join_all(others.iter().cloned().map(deliver)).await {
        done.unwrap();
    }
    deliver(last.clone()).await.unwrap();
}

/// As many as are looked at, and one more, each with a number.
fn one_too_many() -> Vec<String> {
    (0..=AUDIT_FOLLOWED_MAX).map(|number| format!("Subject: audit.{number}.\r\n\r\ntext\r\n")).collect()
}

#[tokio::test]
async fn of_many_messages_so_many_are_looked_at_and_all_go_with_the_account() {
    let (_dir, desk, address, account) = house().await;
    bring(&desk, account, one_too_many(), false).await;
    bring(&desk, account, one_too_many(), true).await;
    let (mut arrived, mut kept) = (0, 0);
    for number in [0, 1, AUDIT_FOLLOWED_MAX / 2, AUDIT_FOLLOWED_MAX - 1, AUDIT_FOLLOWED_MAX] {
        arrived += desk.canary_mail(account, &format!("audit.{number}.")).await.unwrap().len();
        kept += desk.canary_kept(account, &format!("audit.{number}.")).await.unwrap().len();
    }
    assert_eq!((arrived, kept), (4, 4), "the last of each isn't looked at");
    assert_eq!(desk.canary_mail(account, "Subject: audit.").await.unwrap().len(), AUDIT_FOLLOWED_MAX);
    desk.canary(Ask::Forget { address }).await.unwrap();
    assert_eq!(desk.store.quarantine(None, None, 10).await.unwrap().len(), 0, "nobody else would take it away");
}

#[tokio::test]
async fn of_a_long_header_so_much_is_looked_at() {
    let (_dir, desk, _address, account) = house().await;
    let most = usize::try_from(AUDIT_HEADER_MAX).unwrap();
    let line = format!("X-Filler: {}\r\n", "x".repeat(500));
    let with_marker_at = |at: usize| format!("{}Subject: audit.1.\r\n\r\n", line.repeat(at.div_ceil(line.len())));
    bring(&desk, account, vec![with_marker_at(most)], false).await;
    bring(&desk, account, vec![with_marker_at(most)], true).await;
    assert_eq!(desk.canary_mail(account, "audit.1.").await.unwrap().len(), 0);
    assert_eq!(desk.canary_kept(account, "audit.1.").await.unwrap().len(), 0);
    bring(&desk, account, vec![with_marker_at(most - 2 * line.len())], false).await;
    bring(&desk, account, vec![with_marker_at(most - 2 * line.len())], true).await;
    assert_eq!(desk.canary_mail(account, "audit.1.").await.unwrap().len(), 1);
    assert_eq!(desk.canary_kept(account, "audit.1.").await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_whose_audit_was_killed_goes_by_itself() {
    let (_dir, desk, address, _account) = house().await;
    // What was begun when it was made comes to its first wait.
    tokio::task::yield_now().await;
    tokio::time::pause();
    tokio::time::advance(AUDIT_RUN_TIME - Duration::from_secs(1)).await;
    tokio::time::resume();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(desk.directory.account_id(&address).is_some());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let gone = async {
        while desk.directory.account_id(&address).is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();
}

#[test]
fn the_log_begins_where_it_is_asked_for_and_hides_nothing_behind_that() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let at = |secs| Timestamp::from_secs(secs).text();
    let text = format!("{} info a\n{} info b\nforged \x1b\n{} info c\n", at(10), at(20), at(5));
    std::fs::write(&path, &text).unwrap();
    let told = end_of(&path, Timestamp::from_secs(20)).unwrap();
    assert!(told.starts_with(&at(20)) && told.contains("forged \x1b") && told.ends_with("info c\n"), "{told}");
    assert_eq!(end_of(&path, Timestamp::from_secs(0)).unwrap(), text);
    assert_eq!(end_of(&path, Timestamp::from_secs(30)).unwrap(), "");
    assert!(end_of(&dir.path().join("none"), Timestamp::from_secs(0)).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_turn_ends_with_the_word_or_with_silence() {
    let of = |local: &str| Address::parse(&format!("{AUDIT_LOCAL}{local}@example.test"), false).unwrap();
    let turn = Turn(tokio::sync::Mutex::new(Some(Holder { address: of("1"), heard: Instant::now() })));
    let is_taken = async || turn.0.lock().await.as_ref().is_some_and(Holder::is_alive);
    for _ in 0..10 {
        tokio::time::sleep(AUDIT_ALIVE_EVERY).await;
        turn.alive(&of("1")).await;
        assert!(is_taken().await);
    }
    // Another one's word doesn't count.
    let half = AUDIT_ALIVE_TIME / 2;
    tokio::time::sleep(half).await;
    turn.alive(&of("2")).await;
    assert!(is_taken().await);
    tokio::time::sleep(half).await;
    assert!(!is_taken().await);
}

#[test]
fn only_so_much_of_a_log_is_read_and_from_a_whole_line_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let line = format!("{} info x.y z={}\n", Timestamp::from_secs(20).text(), "z".repeat(1_000));
    let lines = usize::try_from(AUDIT_LOG_MAX).unwrap() / line.len() + 10;
    std::fs::write(&path, line.repeat(lines)).unwrap();
    let told = end_of(&path, Timestamp::from_secs(0)).unwrap();
    assert!(told.len() as u64 <= AUDIT_LOG_MAX && told.len() as u64 > AUDIT_LOG_MAX - 2_000, "{}", told.len());
    assert!(told.starts_with(&line), "it begins with a whole line");
}

#[test]
fn nobody_is_taken_for_the_audit_s_account_who_has_only_its_name() {
    let user = |address: &str, name: &str| UserInfo {
        address: Address::parse(address, false).unwrap(),
        display_name: name.to_owned(),
        enabled: true,
        has_password: true,
        quota_bytes: 0,
        quota_messages: 0,
        usage: None,
        created: Timestamp(0),
    };
    assert!(is_one(&user(&format!("{AUDIT_LOCAL}19c3@example.test"), NAME)));
    assert!(!is_one(&user("alice@example.test", NAME)));
    assert!(!is_one(&user(&format!("{AUDIT_LOCAL}19c3@example.test"), "Alice")));
}

#[test]
fn a_header_ends_before_the_text() {
    assert_eq!(header(b"Subject: a\r\n\r\nmarker"), "Subject: a\r\n");
    assert_eq!(header(b"\xff"), "\u{fffd}");
}
