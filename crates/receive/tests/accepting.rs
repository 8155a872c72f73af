//! A message goes its way: from the first byte to a mailbox, through every door.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at what it didn't expect"
)]

mod common;

use common::{House, Talk, plain};
use mailward_core::Listener;
use mailward_smtp::client::{Connection, Dialect, Security, Transaction, Whole};
use mailward_smtp::path::ReversePath;
use mailward_tls::Wire;

const MESSAGE: &str = "From: a@c.example\r\nSubject: hello\r\n\r\nbody\r\n";

/// The same from Alice.
fn submitted() -> String {
    MESSAGE.replace("a@c.example", "alice@s.example")
}

#[tokio::test]
async fn a_message_is_stored_behind_its_trace_and_has_a_name() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    let reply = talk.deliver("a@c.example", &["Alice@S.example"], MESSAGE).await;
    let id = reply.trim_end().strip_prefix("250 2.0.0 Ok: ").unwrap().to_owned();
    let inbox = house.inbox("alice").await;
    assert_eq!(inbox.len(), 1);
    let trace = format!(
        "Return-Path: <a@c.example>\r\nReceived: from client.example ([192.0.2.7])\r\n\tby mx.s.example (Mailward) with \
         ESMTP\r\n\tid {id}\r\n\tfor <Alice@s.example>;\r\n\t"
    );
    assert!(inbox[0].starts_with(&trace), "{}", inbox[0]);
    assert!(inbox[0].ends_with(&format!("\r\n{MESSAGE}\r\n")), "{}", inbox[0]);
    let logged = house.logged("message.accepted");
    assert_eq!(logged.len(), 1);
    assert!(logged[0].contains(&format!("id={id}")) && logged[0].contains("sender=a@c.example"), "{logged:?}");
    talk.expect("QUIT\r\n", 221).await;
    assert!(talk.is_over().await);
}

#[tokio::test]
async fn a_pipelined_group_and_a_chunk_need_one_answer() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    let group = format!(
        "MAIL FROM:<>\r\nRCPT TO:<both@s.example>\r\nRCPT TO:<bob+tag@s.example>\r\nBDAT {} LAST\r\n{MESSAGE}QUIT\r\n",
        MESSAGE.len()
    );
    assert_eq!(talk.codes(group, 5).await, [250, 250, 250, 250, 221]);
    assert_eq!(house.inbox("alice").await.len(), 1);
    let bob = house.inbox("bob").await;
    assert_eq!(bob.len(), 1, "once, however many ways lead there");
    assert!(bob[0].starts_with("Return-Path: <>\r\n"), "{}", bob[0]);
    assert!(!bob[0].contains("for <"), "recipients don't learn of each other");
}

#[tokio::test]
async fn one_session_carries_many_messages() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    for number in 0..20 {
        let reply = talk.deliver("a@c.example", &["bob@s.example"], &format!("Subject: {number}\r\n\r\nx")).await;
        assert!(reply.starts_with("250"), "{reply}");
    }
    let inbox = house.inbox("bob").await;
    assert_eq!(inbox.len(), 20);
    assert!(inbox[7].contains("Subject: 7\r\n"));
}

#[tokio::test]
async fn postmaster_needs_no_domain() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    assert!(talk.deliver("a@c.example", &["postmaster"], MESSAGE).await.starts_with("250"));
    assert_eq!(house.inbox("alice").await.len(), 1);
}

#[tokio::test]
async fn a_user_logs_in_and_sends_to_a_neighbour() {
    let house = House::new().await;
    let mut talk = house.logged_in().await;
    assert!(talk.deliver("alice@s.example", &["bob@s.example"], &submitted()).await.starts_with("250"));
    let inbox = house.inbox("bob").await;
    assert!(inbox[0].contains("with ESMTPSA\r\n\t(TLSv1.3 TLS_"), "{}", inbox[0]);
}

#[tokio::test]
async fn submission_starts_tls_first() {
    let house = House::new().await;
    let mut talk = house.connect(Listener::Submission).await;
    talk.expect("", 220).await;
    let offers = talk.expect("EHLO c\r\n", 250).await;
    assert!(offers.contains("STARTTLS") && !offers.contains("AUTH"), "{offers}");
    talk.expect("MAIL FROM:<alice@s.example>\r\n", 530).await;
    talk.expect(&format!("AUTH PLAIN {}\r\n", plain("alice@s.example", common::PASSWORD)), 530).await;
    let mut talk = house.secure(talk).await;
    let offers = talk.expect("EHLO c\r\n", 250).await;
    assert!(offers.contains("250-AUTH ") && !offers.contains("STARTTLS"), "{offers}");
    talk.expect("MAIL FROM:<alice@s.example>\r\n", 530).await;
    talk.expect("AUTH LOGIN\r\n", 334).await;
    use base64::Engine as _;
    let encode = |text: &str| format!("{}\r\n", base64::engine::general_purpose::STANDARD.encode(text));
    talk.expect(&encode("alice@s.example"), 334).await;
    talk.expect(&encode(common::PASSWORD), 235).await;
    assert!(talk.deliver("alice+x@s.example", &["bob@s.example"], &submitted()).await.starts_with("250"));
}

/// Attacks A2.
#[tokio::test]
async fn a_login_sends_as_itself_only() {
    let house = House::new().await;
    let mut talk = house.logged_in().await;
    for other in ["bob@s.example", "postmaster@t.example", "alice@t.example"] {
        let reply = talk.expect(&format!("MAIL FROM:<{other}>\r\n"), 553).await;
        assert!(reply.starts_with("553 5.7.1 "), "{reply}");
    }
    talk.expect("MAIL FROM:<>\r\n", 250).await;
    assert_eq!(house.logged("sender.refused").len(), 3);
}

#[tokio::test]
async fn addresses_in_other_scripts_need_smtputf8() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<j\u{f6}rg@c.example>\r\n", 501).await;
    talk.expect("MAIL FROM:<j\u{f6}rg@c.example> SMTPUTF8 BODY=8BITMIME\r\n", 250).await;
    talk.expect("RCPT TO:<bob@s.example> NOTIFY=FAILURE ORCPT=rfc822;bob@s.example\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    assert!(talk.say("Subject: \u{fc}\r\n\r\nx\r\n.\r\n").await.starts_with("250"));
    let inbox = house.inbox("bob").await;
    assert!(inbox[0].starts_with("Return-Path: <j\u{f6}rg@c.example>\r\n") && inbox[0].contains("with UTF8SMTP\r\n"));
}

#[tokio::test]
async fn lmtp_answers_each_recipient_and_a_full_mailbox_fails_alone() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Lmtp).await;
    fill_small(&mut talk).await;
    assert_eq!(talk.codes("MAIL FROM:<>\r\nRCPT TO:<bob@s.example>\r\n", 2).await, [250, 250]);
    // Its sender asked before it was known to be full: found out by the commit.
    assert_eq!(
        talk.codes("RCPT TO:<small@s.example>\r\nRCPT TO:<both@s.example>\r\nDATA\r\n", 3).await,
        [250, 250, 354]
    );
    assert_eq!(talk.codes(format!("{MESSAGE}.\r\n"), 3).await, [250, 452, 250]);
    assert_eq!(house.inbox("bob").await.len(), 1, "once, though two lead there");
    assert_eq!(house.inbox("alice").await.len(), 1);
    assert_eq!(house.inbox("small").await.len(), 1);
    assert!(house.inbox("bob").await[0].contains("Received: from client.example (local)\r\n"));
    assert!(house.inbox("bob").await[0].contains("with LMTP\r\n"));
}

async fn fill_small(talk: &mut Talk) {
    assert!(talk.deliver("a@c.example", &["small@s.example"], MESSAGE).await.starts_with("250"));
}

#[tokio::test]
async fn over_quota_is_said_for_the_message_and_then_for_the_recipient() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    fill_small(&mut talk).await;
    let reply = talk.deliver("a@c.example", &["small@s.example", "bob@s.example"], MESSAGE).await;
    assert!(reply.starts_with("452 4.2.2 "), "{reply}");
    assert!(house.inbox("bob").await.is_empty(), "all or nothing");
    // The sender tries again.
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<small@s.example>\r\n", 452).await;
    talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    assert!(talk.say(format!("{MESSAGE}.\r\n")).await.starts_with("250"));
    assert_eq!(house.inbox("bob").await.len(), 1);
}

#[tokio::test]
async fn a_large_message_arrives_whole() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    let line = format!("{}\r\n", "x".repeat(76));
    let message = format!("Subject: large\r\n\r\n{}", line.repeat(40_000));
    talk.expect(&format!("MAIL FROM:<a@c.example> SIZE={}\r\n", message.len()), 250).await;
    talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    assert!(talk.say(format!("{message}.\r\n")).await.starts_with("250"));
    assert!(house.inbox("bob").await[0].ends_with(&message));
    assert_eq!(house.context.budget.left(), mailward_core::limits::MESSAGE_BYTES_IN_FLIGHT_MAX);
}

#[tokio::test]
async fn our_own_client_talks_to_our_own_server() {
    let house = House::new().await;
    let talk = house.connect(Listener::Smtp).await;
    let mut client = Connection::greet(talk.stream, Dialect::Smtp, "demo.example", Security::Clear).await.unwrap();
    let from = ReversePath::Address(common::address("a@c.example"));
    let to = [common::address("alice@s.example"), common::address("nobody@s.example")];
    let transaction = Transaction::new(from, to);
    let report = client.send(&transaction, &mut Whole::new(&b"Subject: x\r\n\r\n.one\r\n"[..])).await;
    assert!(report.outcomes[0].is_accepted() && report.broken.is_none(), "{report:?}");
    assert_eq!(report.outcomes[1].reason().unwrap().answer().unwrap().code(), 550);
    client.quit().await;
    assert!(house.inbox("alice").await[0].ends_with("\r\nSubject: x\r\n\r\n.one\r\n"));
}

#[tokio::test]
async fn real_sockets_carry_it_too() {
    let house = House::new().await;
    let dir = tempfile::tempdir().unwrap();
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unix = tokio::net::UnixListener::bind(dir.path().join("lmtp.sock")).unwrap();

    let client = tokio::net::TcpStream::connect(tcp.local_addr().unwrap()).await.unwrap();
    let (server, from) = tcp.accept().await.unwrap();
    let mut talk = Talk::over(client, house.serve(Wire::tcp(server), Listener::Smtp, Some(from.ip())));
    talk.expect("", 220).await;
    talk.expect("EHLO c.example\r\n", 250).await;
    assert!(talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await.starts_with("250"));
    let smuggled = talk.deliver("a@c.example", &["alice@s.example"], "x\r\n.\nMAIL FROM:<>\r\nNOOP").await;
    assert!(smuggled.starts_with("550 5.6.0 "), "{smuggled}");
    talk.expect("QUIT\r\n", 221).await;

    let client = tokio::net::UnixStream::connect(dir.path().join("lmtp.sock")).await.unwrap();
    let (server, _) = unix.accept().await.unwrap();
    let mut talk = Talk::over(client, house.serve(Wire::unix(server), Listener::Lmtp, None));
    talk.expect("", 220).await;
    talk.expect("LHLO c.example\r\n", 250).await;
    assert!(talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await.starts_with("250"));
    talk.expect("MAIL FROM:<a@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<u@t.example>\r\n", 550).await;
    assert_eq!(house.inbox("alice").await.len(), 2);
}
