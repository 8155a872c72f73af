//! Attacks A3, B1, B6, B8 through whole sessions: what one message holds never becomes another message or a command.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at what it didn't expect"
)]

mod common;

use common::House;
use mailward_core::Listener;

/// What some server, somewhere, took for the end of data.
const ENDS: [&str; 14] = [
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r\n.\r",
    "\r.\r",
    "\r.\r\n",
    "\r.\n",
    "\n.\r",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\r\r\n.\r\r\n",
    "\n\n.\n\n",
    "\r\n\n.\r\n",
    "\r\n.\r\r\n",
];

fn message(end: &str) -> String {
    format!(
        "Subject: outer\r\n\r\nouter{end}MAIL FROM:<admin@s.example>\r\nRCPT TO:<bob@s.example>\r\nDATA\r\n\
         Subject: forged\r\n\r\nforged\r\n"
    )
}

#[tokio::test]
async fn nothing_is_smuggled_through_data() {
    let house = House::new().await;
    for listener in [Listener::Smtp, Listener::Lmtp] {
        for end in ENDS {
            let mut talk = house.greeted(listener).await;
            let reply = talk.deliver("a@c.example", &["alice@s.example"], &message(end)).await;
            assert!(reply.starts_with("550 5.6.0 "), "{end:?}: {reply}");
            talk.expect("NOOP\r\n", 250).await;
            // A good message of the same session isn't harmed.
            assert!(talk.deliver("a@c.example", &["bob@s.example"], "Subject: good\r\n\r\nx").await.starts_with("250"));
        }
    }
    assert!(house.inbox("alice").await.is_empty());
    let bob = house.inbox("bob").await;
    assert!(bob.len() == 2 * ENDS.len() && bob.iter().all(|message| message.contains("Subject: good")));
    assert_eq!(house.logged("message.refused").len(), 2 * ENDS.len());
}

#[tokio::test]
async fn nothing_is_smuggled_through_chunks() {
    let house = House::new().await;
    for end in ENDS {
        let mut talk = house.greeted(Listener::Smtp).await;
        let message = message(end);
        let group = format!(
            "MAIL FROM:<a@c.example>\r\nRCPT TO:<alice@s.example>\r\nBDAT {} LAST\r\n{message}NOOP\r\n",
            message.len()
        );
        assert_eq!(talk.codes(group, 4).await, [250, 250, 550, 250], "{end:?}");
    }
    assert!(house.nothing_stored().await);
}

#[tokio::test]
async fn it_doesn_t_matter_where_the_packets_are_cut() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    for end in ["\n.\r\n", "\r\n.\n", "\r.\r\n"] {
        talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
        talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
        talk.expect("DATA\r\n", 354).await;
        for byte in message(end).bytes() {
            talk.write([byte]).await;
            tokio::task::yield_now().await;
        }
        let reply = talk.say("\r\n.\r\n").await;
        assert!(reply.starts_with("550 5.6.0 "), "{end:?}: {reply}");
    }
    assert!(house.nothing_stored().await);
}

/// Attacks B1.
#[tokio::test]
async fn clear_text_behind_starttls_drops_the_session() {
    let house = House::new().await;
    for listener in [Listener::Smtp, Listener::Submission] {
        let mut talk = house.greeted(listener).await;
        talk.expect("STARTTLS\r\nMAIL FROM:<evil@t.example>\r\n", 554).await;
        assert!(talk.is_over().await);
    }
    assert_eq!(house.logged("reason=bytes-after-starttls").len(), 2);
    // Sent a moment later, it is part of the handshake, which it breaks.
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("STARTTLS\r\n", 220).await;
    talk.write("MAIL FROM:<evil@t.example>\r\nRCPT TO:<alice@s.example>\r\nDATA\r\n").await;
    // What comes back is an alert of TLS at most, never a reply.
    let mut said = Vec::new();
    let _end = tokio::io::AsyncReadExt::read_to_end(&mut talk.stream, &mut said).await;
    assert!(!said.windows(3).any(|code| matches!(code, b"250" | b"354" | b"503")), "{said:?}");
}

/// Attacks B6.
#[tokio::test]
async fn chunks_and_starttls_don_t_mix() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    assert_eq!(talk.codes("MAIL FROM:<a@c.example>\r\nRCPT TO:<alice@s.example>\r\n", 2).await, [250, 250]);
    // As bytes of a chunk it is text; between chunks it is refused; after a chunk that failed, its bytes are skipped.
    assert_eq!(talk.codes("BDAT 10\r\nSTARTTLS\r\nSTARTTLS\r\n", 2).await, [250, 503]);
    assert_eq!(talk.codes("BDAT 4 LAST\r\na\nb\n", 1).await, [550]);
    assert_eq!(talk.codes("BDAT 10 LAST\r\nSTARTTLS\r\nBDAT 6\r\nQUIT\r\nNOOP\r\n", 3).await, [503, 503, 250]);
    let mut talk = house.secure(talk).await;
    talk.expect("BDAT 6 LAST\r\nQUIT\r\n", 503).await;
    talk.expect("EHLO c.example\r\n", 250).await;
    assert_eq!(talk.codes("MAIL FROM:<a@c.example>\r\nRCPT TO:<alice@s.example>\r\n", 2).await, [250, 250]);
    assert_eq!(talk.codes("BDAT 12 LAST\r\nSubject: x\r\n", 1).await, [250]);
    assert_eq!(house.inbox("alice").await.len(), 1);
    let mut talk = house.greeted(Listener::Smtp).await;
    assert_eq!(talk.codes("BDAT 99999999999999999999 LAST\r\nMAIL FROM:<>\r\n", 1).await, [501]);
    assert!(talk.is_over().await);
}

/// Attacks B6: the peer goes in the middle of a chunk.
#[tokio::test]
async fn a_peer_that_goes_in_the_middle_leaves_nothing() {
    let house = House::new().await;
    for tls in [false, true] {
        for half in
            ["BDAT 1000 LAST\r\nSubject: x\r\n", "DATA\r\nSubject: x\r\n\r\nhalf\r\n.", "BDAT 12\r\nSubject: x\r\n"]
        {
            let mut talk = house.greeted(Listener::Smtp).await;
            if tls {
                talk = house.secure(talk).await;
                talk.expect("EHLO c\r\n", 250).await;
            }
            assert_eq!(talk.codes("MAIL FROM:<a@c.example>\r\nRCPT TO:<alice@s.example>\r\n", 2).await, [250, 250]);
            talk.write(half).await;
            drop(talk.stream);
            talk.task.await.unwrap();
        }
    }
    assert!(house.nothing_stored().await);
    assert_eq!(house.context.gate.open(), 0, "every place is free again");
    assert_eq!(house.context.budget.left(), mailward_core::limits::MESSAGE_BYTES_IN_FLIGHT_MAX);
}

/// Attacks B8.
#[tokio::test]
async fn browsers_are_dropped_without_a_word() {
    let house = House::new().await;
    for request in [
        "POST / HTTP/1.1\r\nHost: mx.s.example\r\nContent-Length: 60\r\n\r\nEHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@s.example>\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut talk = house.connect(Listener::Smtp).await;
        talk.expect("", 220).await;
        talk.write(request).await;
        assert!(talk.is_over().await);
    }
    assert_eq!(house.logged("reason=http").len(), 2);
}
