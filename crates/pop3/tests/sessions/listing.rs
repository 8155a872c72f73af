//! STAT, LIST and UIDL: what they say, and what they cost.

use crate::harness::*;
use mailward_core::limits::*;
use mailward_store::StoreError;

/// `leave on server`: nothing that a day's session does costs what the maildrop holds.
#[tokio::test]
async fn with_100_000_messages_left_on_the_server_a_session_is_cheap() {
    const MESSAGES: usize = 100_000;
    let house = House::new().await;
    house.fill(MESSAGES, |number| mail(&number.to_string(), "")).await;
    let octets = house.inbox().await.bytes;
    house.store.cost();
    let (mut client, task) = house.login().await;
    assert_eq!(client.ask("STAT").await, format!("+OK {MESSAGES} {octets}"));
    assert_eq!(house.store.cost(), (1, 0, 0), "a login and STAT read no message's row");
    let ids = client.lines("UIDL").await;
    assert_eq!(ids.len(), MESSAGES);
    assert!(ids[MESSAGES - 1].starts_with("100000 ") && ids[MESSAGES - 1].ends_with(".100000"));
    assert_eq!(house.store.cost(), (0, 0, 0), "nor does UIDL");
    for number in [99_999, 100_000] {
        assert_eq!(client.retr(number).await, mail(&number.to_string(), "").as_bytes());
    }
    let (questions, rows, _) = house.store.cost();
    assert_eq!((questions, rows), (2, 2), "and what is fetched is all that is read");
    let sizes = client.lines("LIST").await;
    assert_eq!(sizes.len(), MESSAGES);
    let sum: u64 = sizes.iter().map(|line| line.split_once(' ').unwrap().1.parse::<u64>().unwrap()).sum();
    assert_eq!(sum, octets);
    let (questions, rows, bytes) = house.store.cost();
    assert_eq!((questions, rows, bytes), (MESSAGES / POP3_LIST_ROWS, MESSAGES, 0), "LIST reads a page at a time");
    client.ask("QUIT").await;
    task.await.unwrap();

    let (mut client, _task) = house.login().await;
    assert_eq!(client.lines("UIDL").await, ids, "the same in the next session");
}

#[tokio::test]
async fn what_is_marked_is_in_no_count() {
    let house = House::new().await;
    for number in 1..=4 {
        house.deliver(mail("x", &"y".repeat(number))).await;
    }
    let (mut client, _task) = house.login().await;
    let size = mail("x", "").len();
    assert_eq!(client.ask("STAT").await, format!("+OK 4 {}", 4 * size + 10));
    client.ask("DELE 3").await;
    assert_eq!(client.ask("STAT").await, format!("+OK 3 {}", 3 * size + 7));
    let listed = [format!("1 {}", size + 1), format!("2 {}", size + 2), format!("4 {}", size + 4)];
    assert_eq!(client.lines("LIST").await, listed);
    assert_eq!(client.ask("LIST 4").await, format!("+OK 4 {}", size + 4));
    assert!(client.ask("LIST 3").await.starts_with("-ERR"));
    client.ask("RSET").await;
    assert_eq!(client.ask("STAT").await, format!("+OK 4 {}", 4 * size + 10));
}

/// Attacks G11: ids are never given twice, whatever happens meanwhile.
#[tokio::test]
async fn an_id_belongs_to_one_message_for_ever() {
    let house = House::new().await;
    let mut known = std::collections::HashMap::new();
    let mut delivered = 0;
    for round in 0..6 {
        for _ in 0..5 {
            delivered += 1;
            house.deliver(mail(&delivered.to_string(), "")).await;
        }
        let (mut client, task) = house.login().await;
        // IMAP takes some, and more come, while the session looks.
        let ids = client.lines("UIDL").await;
        delivered += 1;
        house.deliver(mail(&delivered.to_string(), "")).await;
        house.expunge(delivered - 3, delivered - 3).await;
        assert_eq!(client.lines("UIDL").await, ids, "a session's ids don't move");
        for line in &ids {
            let (number, id) = line.split_once(' ').unwrap();
            if client.ask(&format!("RETR {number}")).await.starts_with("-ERR") {
                continue;
            }
            let text = client.body().await;
            assert_eq!(known.entry(id.to_owned()).or_insert_with(|| text.clone()), &text, "{id}");
        }
        client.ask(&format!("DELE {}", round + 1)).await;
        // Every other session ends without QUIT.
        if round % 2 == 0 {
            client.ask("QUIT").await;
        }
        drop(client);
        task.await.unwrap();
    }
    assert!(known.len() >= 20);
}

#[tokio::test]
async fn what_imap_expunged_is_not_listed_and_the_rest_keeps_its_number() {
    let house = House::new().await;
    house.fill(2_500, |number| mail(&number.to_string(), "")).await;
    let (mut client, _task) = house.login().await;
    house.expunge(2, 1_500).await;
    house.expunge(2_500, 2_500).await;
    let sizes = client.lines("LIST").await;
    assert_eq!(sizes.len(), 1_000);
    assert!(sizes[0].starts_with("1 ") && sizes[1].starts_with("1501 ") && sizes[999].starts_with("2499 "));
    assert!(client.ask("LIST 2").await.starts_with("-ERR that message was deleted elsewhere"));
}

#[tokio::test]
async fn a_store_that_fails_in_a_listing_ends_the_session() {
    let house = House::new().await;
    house.fill(3_000, |number| mail(&number.to_string(), "")).await;
    let (mut client, task) = house.login().await;
    *house.store.fail.lock().unwrap() = Some((0, || StoreError::Closed));
    assert!(client.ask("LIST").await.starts_with("-ERR [SYS/TEMP] "), "where it can be said it is");
    *house.store.fail.lock().unwrap() = Some((1, || StoreError::Closed));
    client.send("LIST\r\n").await;
    let listed = client.rest().await;
    assert!(!listed.contains("\r\n.\r\n"), "half a listing has no end");
    task.await.unwrap();
    house.ended("store");
}

#[tokio::test]
async fn a_listing_that_nobody_reads_waits_in_one_buffer() {
    let house = House::new().await;
    house.fill(20_000, |number| mail(&number.to_string(), "")).await;
    let (mut client, task) = house.tls_with(2048).await;
    client.pass(PASSWORD).await;
    house.store.cost();
    client.send("LIST\r\n").await;
    client.line().await;
    tokio::time::pause();
    task.await.unwrap();
    house.ended("not-reading");
    let (_, rows, _) = house.store.cost();
    // What fits the output and TLS's buffer, at some ten bytes a row.
    assert!(rows < 15_000, "{rows} rows were read for a client that doesn't");
}
