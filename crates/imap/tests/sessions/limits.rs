//! Past every limit of a session.

use crate::harness::{House, Plan, mail};
use mailward_core::limits::{
    IMAP_COMMAND_TIME, IMAP_COPY_MAX, IMAP_DEPTH_MAX, IMAP_ERRORS_MAX, IMAP_IDLE_TIME, IMAP_LINE_MAX, IMAP_LITERAL_MAX,
    IMAP_LITERALS_MAX, SASL_LINE_MAX, WRITE_BUFFER_MAX, WRITE_TIME,
};
use mailward_core::{MailboxName, Uid};
use mailward_imap::{AppendMemory, CompressedSessions};
use mailward_store::MailStore as _;
use mailward_store::records::UidRange;
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
    // So many bytes of messages, and of what is kept beside them, are several pages of either.
    let many = 2 * WRITE_BUFFER_MAX / 600;
    for n in 1..=many {
        let header = format!("X-Long: {}\r\n", "y".repeat(600));
        house
            .deliver(None, &format!("Message-ID: <{}@x>\r\n{header}{}", "i".repeat(600), mail(&format!("s{n}"), "x")))
            .await;
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
    let answer = client.ask("FETCH 1:* (UID BODY.PEEK[])").await;
    assert_eq!(answer.len(), many);
    assert!(answer.iter().map(String::len).sum::<usize>() > 3 * WRITE_BUFFER_MAX / 2);
    for (index, line) in answer.iter().take(many - 1).enumerate() {
        let uid = if index < 4 { index + 1 } else { index + 2 };
        assert!(line.contains(&format!("(UID {uid} ")) && line.contains(&format!("Subject: s{uid}\r\n")), "{line}");
    }
    let found = client.ask("SEARCH HEADER Subject s1 UNDELETED").await;
    assert!(found[0].split(' ').count() > 30, "{found:?}");
    let found = client.ask(&format!("UID SEARCH SUBJECT s{many}")).await;
    assert_eq!(found[0], format!("* SEARCH {many}"));
}

/// COPY is all or nothing, so more than one commit may hold is refused; MOVE and EXPUNGE go on in steps.
#[tokio::test]
async fn one_copy_takes_so_many_messages_and_a_move_more_in_steps() {
    let house = House::new().await;
    house.deliver(None, &mail("one", "x")).await;
    let inbox = house.store.mailbox(house.account("alice"), MailboxName::inbox()).await.unwrap().id;
    let mut count = 1;
    while count <= IMAP_COPY_MAX {
        let more = u32::try_from(count.min(IMAP_COPY_MAX + 1 - count)).unwrap();
        if more == 0 {
            break;
        }
        house.store.copy(inbox, vec![UidRange { first: Uid(1), last: Uid(more) }], inbox).await.unwrap();
        count += more as usize;
    }
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let copied = client.ask("COPY 1:* Archive").await;
    assert!(copied[0].starts_with("NO [LIMIT]"), "{copied:?}");
    assert!(client.ask("STATUS Archive (MESSAGES)").await[0].ends_with("(MESSAGES 0)"), "none of them");
    client.ask("ENABLE QRESYNC").await;
    let moved = client.ask("MOVE 1:* Archive").await;
    assert_eq!(moved.iter().filter(|line| line.contains("[COPYUID ")).count(), 2, "in two steps");
    assert!(client.ask("STATUS Archive (MESSAGES)").await[0].ends_with(&format!("(MESSAGES {count})")));
}

/// RFC 9051 §6.4.3: all that is marked goes, whoever was told of it.
#[tokio::test]
async fn an_expunge_takes_what_came_last_too() {
    let house = House::new().await;
    house.deliver(None, &mail("one", "x")).await;
    for end in ["UID EXPUNGE 1:*", "EXPUNGE", "CLOSE"] {
        let mut one = house.login("alice").await;
        one.ask("SELECT INBOX").await;
        let mut two = house.login("alice").await;
        let text = mail("two", "x");
        two.ask(&format!("APPEND INBOX (\\Deleted) {{{}+}}\r\n{text}", text.len())).await;
        assert!(one.ask(end).await.last().unwrap().starts_with("OK"));
        let left = if end.starts_with("UID") { 2 } else { 1 };
        let status = two.ask("STATUS INBOX (MESSAGES)").await;
        // A set's star is the highest that the client knows.
        assert!(status[0].ends_with(&format!("(MESSAGES {left})")), "{end}: {status:?}");
    }
}

/// Attacks G6.
#[tokio::test]
async fn so_many_sessions_are_compressed_and_no_more() {
    let house = House::planned(Plan { compressed: CompressedSessions::new(1), ..Plan::default() }).await;
    let (mut one, mut two) = (house.login("alice").await, house.login("bob").await);
    assert!(one.ask("COMPRESS DEFLATE").await[0].starts_with("OK"));
    assert!(two.ask("COMPRESS DEFLATE").await[0].starts_with("NO [LIMIT]"));
    assert!(two.ask("NOOP").await[0].starts_with("OK"), "it goes on without");
    drop(one.stream.take());
    one.session.await.unwrap();
    assert!(two.ask("COMPRESS DEFLATE").await[0].starts_with("OK"), "the place is free again");
}
