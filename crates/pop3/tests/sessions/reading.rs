//! RETR and TOP.

use crate::harness::*;
use mailward_core::limits::*;
use mailward_store::StoreError;
use tokio::time::Instant;

#[tokio::test]
async fn a_message_that_imap_expunged_is_told_as_gone_and_numbers_stay() {
    let house = House::new().await;
    for subject in ["one", "two", "three"] {
        house.deliver(mail(subject, "")).await;
    }
    let (mut client, task) = house.login().await;
    house.expunge(2, 2).await;
    house.deliver(mail("four", "")).await;
    client.ask("RETR 3").await;
    assert_eq!(client.body().await, mail("three", "").as_bytes());
    assert!(client.ask("RETR 4").await.starts_with("-ERR no such message"));
    client.ask("DELE 1").await;
    client.ask("DELE 2").await;
    client.ask("DELE 3").await;
    assert_eq!(client.ask("QUIT").await, "+OK bye");
    task.await.unwrap();
    assert_eq!(house.left().await, 1, "what came during the session stays");
}

#[tokio::test]
async fn a_large_message_passes_a_narrow_wire_whole() {
    let house = House::new().await;
    let text = mail("large", &".a line of some length, with a dot before it\r\n".repeat(60_000));
    house.deliver(text.clone()).await;
    let (mut client, _task) = house.tls_with(1024).await;
    client.pass(PASSWORD).await;
    client.send("RETR 1\r\nSTAT\r\n").await;
    assert_eq!(client.line().await, format!("+OK {} octets", text.len()));
    assert!(client.body().await == text.as_bytes());
    assert_eq!(client.line().await, format!("+OK 1 {}", text.len()));
}

#[tokio::test]
async fn a_client_that_asks_and_doesn_t_read_goes() {
    let house = House::new().await;
    house.deliver(mail("large", &"a line\r\n".repeat(100_000))).await;
    let (mut client, task) = house.tls_with(2048).await;
    client.pass(PASSWORD).await;
    client.send("RETR 1\r\n").await;
    // The first bytes are there: the store has answered, and only the wire is waited for.
    client.line().await;
    tokio::time::pause();
    let began = Instant::now();
    task.await.unwrap();
    assert!(began.elapsed() >= WRITE_TIME);
    house.ended("not-reading");
}

#[tokio::test]
async fn messages_in_order_are_read_ahead_and_every_one_is_what_it_is() {
    let house = House::new().await;
    house.fill(300, |number| mail(&number.to_string(), &".dots\r\n".repeat(number))).await;
    let text = |number: usize| mail(&number.to_string(), &".dots\r\n".repeat(number)).into_bytes();
    let (mut client, _task) = house.login().await;
    house.store.cost();
    for number in 1..=300 {
        assert!(client.retr(number).await == text(number), "{number}");
    }
    let (questions, rows, bytes) = house.store.cost();
    assert_eq!(rows, 300, "each is read once");
    let most = bytes / usize::try_from(POP3_AHEAD_MAX).unwrap() * 2 + 300 / POP3_AHEAD_MESSAGES + 3;
    assert!(questions <= most, "{questions} questions");

    // Out of order nothing is read that isn't asked for.
    for number in [7, 3, 300, 5, 5, 200, 100] {
        assert!(client.retr(number).await == text(number), "{number}");
    }
    let (questions, rows, _) = house.store.cost();
    assert_eq!((questions, rows), (7, 7));
}

#[tokio::test]
async fn what_is_read_ahead_has_its_limits() {
    let house = House::new().await;
    let large = |number: usize| mail(&number.to_string(), &"x".repeat(20_000));
    house.fill(20, large).await;
    house.fill(200, |number| mail(&number.to_string(), "")).await;
    let (mut client, _task) = house.login().await;
    client.retr(1).await;
    house.store.cost();
    client.retr(2).await;
    let (questions, rows, bytes) = house.store.cost();
    assert_eq!((questions, rows), (1, 3), "what fits POP3_AHEAD_MAX");
    assert!(bytes <= usize::try_from(POP3_AHEAD_MAX).unwrap());
    client.retr(100).await;
    house.store.cost();
    client.retr(101).await;
    assert_eq!(house.store.cost().1, POP3_AHEAD_MESSAGES);
}

#[tokio::test]
async fn pipelined_commands_get_their_answers_in_order() {
    let house = House::new().await;
    house.fill(200, |number| mail(&number.to_string(), &"x\r\n".repeat(number * 7))).await;
    house.expunge(50, 50).await;
    let (mut client, _task) = house.login().await;
    house.expunge(60, 60).await;
    let mut asked = String::new();
    for number in 1..=199 {
        asked.push_str(&format!("RETR {number:020}\r\n"));
        if number % 10 == 0 {
            asked.push_str(&format!("DELE {number}\r\nDELE {}\r\nTOP {} 1\r\nNOOP\r\n", number + 5, number - 1));
        }
    }
    assert!(asked.len() > POP3_READ_BUFFER);
    client.send(&asked).await;
    for number in 1usize..=199 {
        // UID 50 was gone at login; UID 60, number 59, since.
        let subject = |number: usize| if number < 50 { number } else { number + 1 };
        let first = client.line().await;
        if number > 10 && number % 10 == 5 {
            assert_eq!(first, "-ERR no such message", "{number} was marked");
        } else if number == 59 {
            assert_eq!(first, "-ERR that message was deleted elsewhere");
        } else {
            let text = mail(&subject(number).to_string(), &"x\r\n".repeat(subject(number) * 7));
            assert_eq!(first, format!("+OK {} octets", text.len()), "{number}");
            assert!(client.body().await == text.as_bytes(), "{number}");
        }
        if number % 10 == 0 {
            assert_eq!(client.line().await, "+OK deleted at QUIT");
            assert_eq!(client.line().await, "+OK deleted at QUIT");
            if number - 1 == 59 {
                assert!(client.line().await.starts_with("-ERR"));
            } else {
                assert_eq!(client.line().await, "+OK");
                assert_eq!(
                    client.body().await,
                    mail(&subject(number - 1).to_string(), "x\r\n").as_bytes(),
                    "TOP {}",
                    number - 1
                );
            }
            assert_eq!(client.line().await, "+OK", "NOOP");
        }
    }
    assert_eq!(house.left().await, 198, "and nothing is deleted before QUIT");
}

/// Attacks G11: `TOP n 99999999`.
#[tokio::test]
async fn top_reads_what_it_shows() {
    let house = House::new().await;
    let text = mail("large", &"a line of text\r\n".repeat(100_000));
    house.deliver(text.clone()).await;
    let (mut client, _task) = house.login().await;
    house.store.cost();
    client.ask("TOP 1 0").await;
    assert_eq!(client.body().await, mail("large", "").as_bytes());
    let read = house.store.cost().2;
    assert!(read <= 2 * usize::try_from(POP3_TOP_PIECE).unwrap(), "{read} bytes read for a header");
    client.ask("TOP 1 2").await;
    assert_eq!(client.body().await, mail("large", "a line of text\r\na line of text\r\n").as_bytes());
    client.ask("TOP 1 99999999").await;
    assert!(client.body().await == text.as_bytes());
}

#[tokio::test]
async fn a_store_that_fails_is_said_before_a_message_and_ends_the_session_in_it() {
    let house = House::new().await;
    house.deliver(mail("small", "")).await;
    house.deliver(mail("large", &"a line\r\n".repeat(50_000))).await;
    let (mut client, task) = house.login().await;
    *house.store.fail.lock().unwrap() = Some((0, || StoreError::Closed));
    assert!(client.ask("RETR 1").await.starts_with("-ERR [SYS/TEMP] "));
    *house.store.fail.lock().unwrap() = Some((0, || StoreError::Damaged("a pack".to_owned())));
    assert!(client.ask("RETR 1").await.starts_with("-ERR [SYS/PERM] "));
    // Its row is found, the header too, and a piece; not the next one.
    *house.store.fail.lock().unwrap() = Some((3, || StoreError::Closed));
    client.send("RETR 2\r\n").await;
    let sent = client.rest().await;
    assert!(!sent.contains("\r\n.\r\n"), "half a message has no end");
    task.await.unwrap();
    house.ended("store");
}

#[tokio::test]
async fn a_client_that_pauses_goes_on_where_it_was() {
    let house = House::new().await;
    house.fill(20, |number| mail(&number.to_string(), "")).await;
    let (mut client, _task) = house.login().await;
    client.retr(1).await;
    client.retr(2).await;
    house.store.cost();
    tokio::time::pause();
    tokio::time::sleep(POP3_PAUSE_TIME * 2).await;
    tokio::time::resume();
    assert_eq!(client.retr(3).await, mail("3", "").as_bytes());
    assert_eq!(house.store.cost().0, 1, "what was read ahead was given back");
    assert_eq!(client.retr(4).await, mail("4", "").as_bytes());
    assert_eq!(house.store.cost().0, 0, "and is read ahead again");
}
