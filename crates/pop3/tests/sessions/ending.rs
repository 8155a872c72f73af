//! QUIT and every other end.

use crate::harness::*;
use mailward_core::limits::{PAGE_ROWS_MAX, POP3_IDLE_TIME};
use mailward_directory::UserSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

#[tokio::test]
async fn mail_is_listed_fetched_and_deleted_at_quit() {
    let house = House::new().await;
    let (one, two) = (mail("one", ".\r\n..\r\nend\r\n"), mail("two", "no line end"));
    house.deliver(one.clone()).await;
    house.deliver(two.clone()).await;
    let (mut client, task) = house.login().await;
    assert_eq!(client.ask("STAT").await, format!("+OK 2 {}", one.len() + two.len()));
    assert!(client.ask("RETR 1").await.starts_with("+OK"));
    assert_eq!(client.body().await, one.as_bytes());
    client.ask("RETR 2").await;
    assert_eq!(client.body().await, format!("{two}\r\n").as_bytes());
    client.ask("TOP 1 1").await;
    assert_eq!(client.body().await, mail("one", ".\r\n").as_bytes());
    client.ask("TOP 1 99999999").await;
    assert_eq!(client.body().await, one.as_bytes());
    client.ask("UIDL").await;
    let ids = String::from_utf8(client.body().await).unwrap();
    assert!(client.ask("DELE 1").await.starts_with("+OK"));
    assert_eq!(house.left().await, 2, "nothing before QUIT");
    assert_eq!(client.ask("QUIT").await, "+OK bye");
    task.await.unwrap();
    assert_eq!(house.left().await, 1);
    house.ended("quit");

    let (mut client, _task) = house.login().await;
    client.ask("UIDL").await;
    let again = String::from_utf8(client.body().await).unwrap();
    let id = |text: &str, line: usize| text.lines().nth(line).unwrap().split_once(' ').unwrap().1.to_owned();
    assert_eq!(id(&again, 0), id(&ids, 1), "a message keeps its id");
}

#[tokio::test]
async fn a_session_that_breaks_off_deletes_nothing_and_frees_the_maildrop() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    let (mut first, task) = house.login().await;
    first.ask("DELE 1").await;
    let (mut second, _task) = house.tls().await;
    tokio::time::pause();
    assert!(second.pass(PASSWORD).await.starts_with("-ERR [IN-USE] "));
    tokio::time::resume();
    drop(first);
    task.await.unwrap();
    house.ended("gone");
    assert!(second.pass(PASSWORD).await.starts_with("+OK 1 messages"));
}

#[tokio::test]
async fn a_session_doesn_t_outlive_its_account() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    for command in ["RETR 1", "TOP 1 0", "LIST", "LIST 1", "QUIT"] {
        let (mut client, task) = house.login().await;
        client.ask("DELE 1").await;
        client.ask("RSET").await;
        if command == "QUIT" {
            client.ask("DELE 1").await;
        }
        let set = |enabled| UserSettings { enabled: Some(enabled), ..UserSettings::default() };
        house.context.directory.set_user(&ALICE.parse().unwrap(), set(false)).await.unwrap();
        client.send(&format!("{command}\r\n")).await;
        assert!(client.rest().await.starts_with("-ERR [AUTH] "), "{command}");
        task.await.unwrap();
        house.ended("account");
        house.context.directory.set_user(&ALICE.parse().unwrap(), set(true)).await.unwrap();
    }
    assert_eq!(house.left().await, 1, "nothing was deleted");
}

#[tokio::test]
async fn a_stop_is_told_and_deletes_nothing() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    let (mut client, task) = house.login().await;
    client.ask("DELE 1").await;
    house.stop.fire();
    assert!(client.rest().await.starts_with("-ERR [SYS/TEMP] "));
    task.await.unwrap();
    house.ended("stopping");
    assert_eq!(house.left().await, 1);
}

#[tokio::test]
async fn a_session_that_is_ended_alone_is_told_deletes_nothing_and_frees_the_maildrop() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    let (mut client, task) = house.login().await;
    client.ask("DELE 1").await;
    assert_eq!(house.context.gate.end_sessions(|_, address| address == ALICE).len(), 1);
    assert!(client.rest().await.starts_with("-ERR [SYS/TEMP] this session was ended"));
    task.await.unwrap();
    house.ended("ended");
    assert_eq!(house.left().await, 1);
    let (_client, _task) = house.login().await;
}

#[tokio::test]
async fn silence_after_login_ends_without_a_word_and_without_deleting() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    let (mut client, task) = house.login().await;
    client.ask("DELE 1").await;
    tokio::time::pause();
    let began = Instant::now();
    assert_eq!(client.rest().await, "");
    assert!(began.elapsed() >= POP3_IDLE_TIME);
    task.await.unwrap();
    tokio::time::resume();
    house.ended("idle");
    assert_eq!(house.left().await, 1);
    // Attacks G11: its lock has ended with it.
    let (mut client, _task) = house.login().await;
    assert_eq!(client.ask("UIDL 1").await.split('.').nth(1), Some("1"));
}

#[tokio::test]
async fn more_gaps_than_one_commit_takes_are_deleted_all_the_same() {
    let messages = 2 * PAGE_ROWS_MAX + 10;
    let house = House::new().await;
    house.fill(messages, |number| mail(&number.to_string(), "")).await;
    let (client, task) = house.login().await;
    let marks: String = (1..=messages).step_by(2).map(|number| format!("DELE {number}\r\n")).collect();
    // As the wire holds less than the answers.
    let (mut reader, mut writer) = tokio::io::split(client.wire);
    let sending = tokio::spawn(async move {
        writer.write_all(marks.as_bytes()).await.unwrap();
        writer.write_all(b"QUIT\r\n").await.unwrap();
        writer.flush().await.unwrap();
        writer
    });
    let mut answers = String::new();
    let _cut = reader.read_to_string(&mut answers).await;
    sending.await.unwrap();
    task.await.unwrap();
    assert_eq!(answers.matches("+OK deleted at QUIT\r\n").count(), messages / 2);
    assert!(answers.ends_with("+OK bye\r\n"));
    assert_eq!(house.left().await as usize, messages / 2);
}
