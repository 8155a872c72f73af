//! Past every limit of a session.

use crate::harness::{House, Plan, mail};
use mailward_core::limits::{
    IMAP_COMMAND_TIME, IMAP_DEPTH_MAX, IMAP_ERRORS_MAX, IMAP_FETCH_BLOBS, IMAP_IDLE_TIME, IMAP_LINE_MAX,
    IMAP_LITERAL_MAX, IMAP_LITERALS_MAX, SASL_LINE_MAX, WRITE_TIME,
};
use mailward_imap::AppendMemory;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Attacks G1, G2, H2: the same bounds before login.
#[tokio::test]
async fn a_line_without_end_ends_the_session() {
    let house = House::new().await;
    let mut client = house.plain().await;
    client.send(format!("a NOOP {}", "(".repeat(SASL_LINE_MAX))).await;
    let lines = client.ends().await;
    assert!(lines[0].starts_with("a BAD") && lines[1].starts_with("* BYE"), "{lines:?}");
    let mut client = house.login("alice").await;
    client.send(format!("a NOOP {}", "(".repeat(IMAP_LINE_MAX))).await;
    let lines = client.ends().await;
    assert!(lines.last().unwrap().starts_with("* BYE"), "{lines:?}");
}

/// Attacks G3, G4.
#[tokio::test]
async fn literals_are_refused_by_size_and_number() {
    let house = House::new().await;
    let mut client = house.plain().await;
    client.talk("C: a LOGIN {5000}\nS: a NO [TOOBIG] …\nC: b LOGIN {4294967296}\nS: b NO [TOOBIG] …\nC: c LOGIN {-1}\nS: c BAD …").await;
    client.send("d LOGIN {5000+}\r\n").await;
    assert!(client.ends().await.last().unwrap().starts_with("* BYE"));

    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let text = format!("a SEARCH{}\r\n", " SUBJECT {1+}\r\nx".repeat(IMAP_LITERALS_MAX + 1));
    client.send(text).await;
    assert!(client.ends().await.last().unwrap().starts_with("* BYE"));

    let mut client = house.login("alice").await;
    client.talk(&format!("C: a SELECT {{{}}}\nS: a NO [TOOBIG] …\nC: b NOOP\nS: b OK …", IMAP_LITERAL_MAX + 1)).await;
}

#[tokio::test]
async fn depth_is_bounded_in_a_session_too() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let deep = format!("SEARCH {}ALL{}", "(".repeat(IMAP_DEPTH_MAX + 1), ")".repeat(IMAP_DEPTH_MAX + 1));
    assert!(client.ask(&deep).await[0].starts_with("BAD"));
    assert!(client.ask("NOOP").await[0].starts_with("OK"));
}

#[tokio::test]
async fn bad_commands_end_at_their_limit() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    for _ in 0..IMAP_ERRORS_MAX {
        client.send("a FOO\r\n").await;
    }
    let lines = client.ends().await;
    assert_eq!(lines.len(), IMAP_ERRORS_MAX + 1);
    assert!(lines.last().unwrap().starts_with("* BYE"));
}

/// Bytes that never come: the session ends at its deadline, whatever was asked.
#[tokio::test]
async fn silence_ends_at_its_limit() {
    let house = House::new().await;
    for (text, patience) in [("", IMAP_IDLE_TIME), ("a IDLE\r\n", IMAP_IDLE_TIME), ("a NOO", IMAP_COMMAND_TIME)] {
        let mut client = house.login("alice").await;
        client.ask("SELECT INBOX").await;
        client.send(text).await;
        if text.contains("IDLE") {
            client.talk("S: + …").await;
        }
        // Nothing else is under way now.
        tokio::time::sleep(Duration::from_millis(50)).await;
        tokio::time::pause();
        let started = tokio::time::Instant::now();
        let mut rest = Vec::new();
        client.stream.as_mut().unwrap().read_to_end(&mut rest).await.ok();
        let waited = started.elapsed();
        tokio::time::resume();
        assert!(rest.starts_with(b"* BYE"), "{text:?}: {:?}", String::from_utf8_lossy(&rest));
        assert!(waited <= patience && waited > patience / 2, "{text:?} {waited:?}");
    }
}

/// A client that asks for much and reads nothing holds one buffer, and not for ever.
#[tokio::test]
async fn a_client_that_doesn_t_read_is_cut_off() {
    let house = House::new().await;
    let message = mail("large", &"x".repeat(300_000));
    house.deliver(None, &message).await;
    let mut client = house.tls_wire(16 * 1024).await;
    client.ask(&format!("LOGIN alice@example.test {}", crate::harness::PASSWORD)).await;
    client.ask("SELECT INBOX").await;
    let fetches: String = (0..50).map(|n| format!("a{n} FETCH 1 BODY.PEEK[]\r\n")).collect();
    client.send(fetches).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!client.session.is_finished());
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    (&mut client.session).await.unwrap();
    assert!(started.elapsed() <= WRITE_TIME + Duration::from_secs(5), "{:?}", started.elapsed());
}

/// Attacks H1: a message must come at a pace.
#[tokio::test]
async fn a_message_that_drips_is_cut_off() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.talk("C: a APPEND INBOX {100000}\nS: + …").await;
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let mut stream = client.stream.take().unwrap();
    // A byte every ten seconds, which no silence limit would catch.
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        if stream.write_all(b"x").await.is_err() || stream.flush().await.is_err() || client.session.is_finished() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(600), "it drips on");
    }
    tokio::time::resume();
}

#[tokio::test]
async fn messages_on_their_way_share_their_memory() {
    let house = House::planned(Plan { memory: AppendMemory::new(150_000), ..Plan::default() }).await;
    let mut one = house.login("alice").await;
    let mut two = house.login("bob").await;
    one.talk("C: a APPEND INBOX {100000}\nS: + …").await;
    // The second waits for its room until the first is done.
    two.send("b APPEND INBOX {100000}\r\n").await;
    let message = mail("x", "");
    let filled = format!("{message}{}\r\n", "y".repeat(100_000 - message.len() - 2));
    assert_eq!(filled.len(), 100_000);
    one.send(format!("{filled}\r\n")).await;
    one.talk("S: a OK …").await;
    two.talk("S: + …").await;
    two.send(format!("{filled}\r\n")).await;
    two.talk("S: b OK …").await;
}

/// Attacks B5.
#[tokio::test]
async fn a_sasl_line_ends_at_its_limit() {
    let house = House::new().await;
    let mut client = house.tls().await;
    client.talk("C: a AUTHENTICATE PLAIN\nS: + …").await;
    client.send("A".repeat(SASL_LINE_MAX + 1)).await;
    let lines = client.ends().await;
    assert!(lines.len() == 1 && lines[0].starts_with("* BYE"), "{lines:?}");
}

/// More messages than one look-up answers come all the same, each once and in order.
#[tokio::test]
async fn a_fetch_goes_on_from_page_to_page() {
    let house = House::new().await;
    let many = IMAP_FETCH_BLOBS * 2 + 3;
    for n in 1..=many {
        house.deliver(None, &mail(&format!("s{n}"), "x")).await;
    }
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client.ask("STORE 5 +FLAGS.SILENT (\\Deleted)").await;
    client.ask("EXPUNGE").await;
    let answer = client.ask("FETCH 1:* (UID BODY[HEADER.FIELDS (SUBJECT)])").await;
    assert_eq!(answer.len(), many);
    for (index, line) in answer.iter().take(many - 1).enumerate() {
        let uid = if index < 4 { index + 1 } else { index + 2 };
        let subject = format!("Subject: s{uid}\r\n");
        assert!(
            line.starts_with(&format!("* {} FETCH (UID {uid} BODY[", index + 1)) && line.contains(&subject),
            "{line}"
        );
    }
    let found = client.ask("SEARCH HEADER Subject s1 UNDELETED").await;
    assert!(found[0].split(' ').count() > 30, "{found:?}");
    let found = client.ask(&format!("UID SEARCH SUBJECT s{many}")).await;
    assert_eq!(found[0], format!("* SEARCH {many}"));
}
