//! Mail from inside: programs of this host by their user, hosts of our networks by their address.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at what it didn't expect"
)]

mod common;

use common::{House, Talk, address};
use mailward_core::config::Grant;
use mailward_core::{Domain, Listener, Network, SendLimits};
use mailward_gate::InsideRules;
use mailward_gate::rules::RuleBook;
use mailward_receive::Settings;
use mailward_store::QueueStore as _;
use mailward_store::records::{QueueFilter, QueuedMessage};
use std::sync::Arc;

const BODY: &str = "Subject: x\r\n\r\ny\r\n.\r\n";

fn settings(rules: InsideRules) -> Settings {
    Settings { inside: Arc::new(rules), ..Settings::default() }
}

async fn queued(house: &House) -> Vec<QueuedMessage> {
    house.store.local().queue_page(QueueFilter::default(), None, 100).await.unwrap().messages
}

async fn text_of(house: &House, message: &QueuedMessage) -> String {
    use mailward_store::MailStore as _;
    let bytes = house.store.read(message.blob, 0, message.size).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn sent(talk: &mut Talk, from: &str, to: &str, message: &str) -> String {
    talk.expect(&format!("MAIL FROM:<{from}>\r\n"), 250).await;
    talk.expect(&format!("RCPT TO:<{to}>\r\n"), 250).await;
    talk.expect("DATA\r\n", 354).await;
    talk.say(message).await
}

#[tokio::test]
async fn a_program_needs_no_login_and_is_offered_none() {
    let house = House::new().await;
    let mut talk = house.program(33, Some("www-data")).await;
    let offered = talk.say("EHLO localhost\r\n").await;
    assert!(!offered.contains("AUTH") && !offered.contains("STARTTLS"), "{offered}");
    talk.expect("AUTH PLAIN AGFsaWNlQHMuZXhhbXBsZQB4\r\n", 503).await;
    let said = sent(&mut talk, "www-data@mx.s.example", "u@t.example", BODY).await;
    assert!(said.starts_with("250 "), "{said}");
    let queue = queued(&house).await;
    assert_eq!(queue[0].envelope.sender, Some(address("www-data@mx.s.example")));
    assert_eq!(queue[0].envelope.submitter, None);
    assert!(queue[0].envelope.needs.signature);
    let text = text_of(&house, &queue[0]).await;
    for part in [
        "Received: from localhost (local, uid 33 www-data)\r\n",
        "\r\nDate: ",
        "\r\nMessage-ID: <",
        "\r\nFrom: <www-data@mx.s.example>\r\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[tokio::test]
async fn a_user_sends_as_nobody_else() {
    let grants =
        ["www-data=shop@s.example", "33=*@other.s.example", "backup=*"].map(|g| Grant::parse(g).unwrap()).to_vec();
    let names = vec![Domain::parse("box.lan").unwrap()];
    let house = House::with(settings(InsideRules { grants, names, ..InsideRules::default() })).await;
    let mut talk = house.program(33, Some("www-data")).await;
    for own in [
        "www-data@mx.s.example",
        "WWW-Data+tag@mx.s.example",
        "www-data@localhost",
        "www-data@box.lan",
        "shop@s.example",
        "shop+1@s.example",
        "x@other.s.example",
        "",
    ] {
        talk.expect(&format!("MAIL FROM:<{own}>\r\n"), 250).await;
        talk.expect("RSET\r\n", 250).await;
    }
    for other in [
        "root@mx.s.example",
        "alice@s.example",
        "www-data@s.example",
        "shop2@s.example",
        "shop@t.example",
        "www-data@t.example",
        "www-data@[192.0.2.1]",
        "www-data@sub.mx.s.example",
    ] {
        let mut talk = house.program(33, Some("www-data")).await;
        talk.expect(&format!("MAIL FROM:<{other}>\r\n"), 553).await;
    }
    // Every field that says who it is from is asked of, as for users who log in.
    for forged in [
        "From: alice@s.example\r\n",
        "From: www-data@mx.s.example\r\nSender: root@mx.s.example\r\n",
        "From: \"alice@s.example\" <www-data@mx.s.example>\r\n",
    ] {
        let said = sent(&mut talk, "www-data@mx.s.example", "alice@s.example", &format!("{forged}{BODY}")).await;
        assert!(said.starts_with("550 5.7.1 "), "{forged}: {said}");
    }
    let mut talk = house.program(34, Some("backup")).await;
    talk.expect("MAIL FROM:<anything@s.example>\r\n", 250).await;
    talk.expect("RSET\r\n", 250).await;
    talk.expect("MAIL FROM:<x@t.example>\r\n", 553).await;
    // One whom the system has no name for, or one that can't stand in an address.
    for name in [None, Some("a b"), Some("a@s.example")] {
        let mut talk = house.program(4_711, name).await;
        talk.expect("MAIL FROM:<uid-4711@mx.s.example>\r\n", 250).await;
        talk.expect("RSET\r\n", 250).await;
        talk.expect("MAIL FROM:<a@s.example>\r\n", 553).await;
    }
}

#[tokio::test]
async fn root_and_the_server_s_user_send_as_every_address_of_ours() {
    let house = House::new().await;
    for uid in [0, 110] {
        let mut talk = house.program(uid, Some("anyone")).await;
        for ours in ["alice@s.example", "new@s.example", "root@mx.s.example", "cron@localhost"] {
            talk.expect(&format!("MAIL FROM:<{ours}>\r\n"), 250).await;
            talk.expect("RSET\r\n", 250).await;
        }
        talk.expect("MAIL FROM:<x@t.example>\r\n", 553).await;
    }
}

#[tokio::test]
async fn mail_for_users_of_this_host_finds_its_domain_and_root_s_the_postmaster() {
    let house = House::new().await;
    let mut talk = house.program(0, Some("root")).await;
    for (to, all) in
        [("alice@mx.s.example", 1), ("alice@localhost", 2), ("root@mx.s.example", 3), ("postmaster@localhost", 4)]
    {
        let said = sent(&mut talk, "root@mx.s.example", to, BODY).await;
        assert!(said.starts_with("250 "), "{to}: {said}");
        assert_eq!(house.inbox("alice").await.len(), all, "{to}");
    }
    talk.expect("MAIL FROM:<root@mx.s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<nobody@mx.s.example>\r\n", 550).await;
    talk.expect("RSET\r\n", 250).await;
    // From outside the host's name is no domain of ours.
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<alice@mx.s.example>\r\n", 550).await;
    talk.expect("RCPT TO:<root@s.example>\r\n", 550).await;
    // Nor is it forgotten what cron writes.
    let mut talk = house.program(0, Some("root")).await;
    let said = sent(
        &mut talk,
        "root@mx.s.example",
        "root@localhost",
        "From: root (Cron Daemon)\r\nTo: root\r\nBcc: x\r\n\r\ny\r\n.\r\n",
    )
    .await;
    assert!(said.starts_with("250 "), "{said}");
    let last = house.inbox("alice").await.pop().unwrap();
    assert!(last.contains("\r\nFrom: root@mx.s.example (Cron Daemon)\r\nTo: root@mx.s.example\r\n\r\n"), "{last}");
}

/// A house that hosts of a network may send out through.
async fn inside(any_sender: bool) -> House {
    let book = RuleBook::new(&[], &[Network::parse("192.0.2.0/24").unwrap()]);
    House::with_rules(settings(InsideRules { any_sender, ..InsideRules::default() }), book).await
}

#[tokio::test]
async fn what_an_inside_host_sends_out_is_mended_and_says_so() {
    let house = inside(false).await;
    let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.9").await;
    let said =
        sent(&mut talk, "printer@s.example", "u@t.example", &format!("From: Printer <printer@s.example>\r\n{BODY}"))
            .await;
    assert!(said.starts_with("250 "), "{said}");
    let text = text_of(&house, &queued(&house).await[0]).await;
    assert!(text.contains("Received: from client.example ([192.0.2.9], inside)\r\n"), "{text}");
    assert!(text.contains("\r\nDate: ") && text.contains("\r\nMessage-ID: <"), "{text}");
    assert!(queued(&house).await[0].envelope.needs.signature, "it is signed as a user's is");
    // What is for us comes as it is from anybody, whoever it says it is from.
    let said = sent(&mut talk, "", "alice@s.example", &format!("From: x@t.example\r\n{BODY}")).await;
    assert!(said.starts_with("250 "), "{said}");
    assert!(!house.inbox("alice").await[0].contains("Message-ID"));
}

#[tokio::test]
async fn an_inside_host_forges_no_author_unless_it_may() {
    for forged in ["From: x@t.example\r\n", "From: a@s.example\r\nSender: x@t.example\r\n", ""] {
        let house = inside(false).await;
        let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.9").await;
        let said = sent(&mut talk, "printer@s.example", "u@t.example", &format!("{forged}{BODY}")).await;
        assert!(said.starts_with("550 5."), "{forged}: {said}");
        let house = inside(true).await;
        let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.9").await;
        let said = sent(&mut talk, "x@t.example", "u@other.example", &format!("{forged}{BODY}")).await;
        assert!(said.starts_with("250 "), "{forged}: {said}");
        assert_eq!(queued(&house).await.len(), 1);
    }
}

#[tokio::test]
async fn programs_by_their_user_and_inside_hosts_by_their_address_have_a_user_s_limits() {
    let house = inside(false).await;
    house.care.set_limits(SendLimits { messages_per_day: 2, ..SendLimits::default() }, SendLimits::default());
    let held = async || {
        let queue = queued(&house).await;
        queue.iter().filter(|message| message.recipients[0].state.is_held()).count()
    };
    let web = ("www-data@mx.s.example", format!("From: www-data@mx.s.example\r\n{BODY}"));
    let printer = ("printer@s.example", format!("From: Printer <printer@s.example>\r\n{BODY}"));
    for (uid, name, held_then) in [(33, "www-data", 1), (34, "www-data", 2)] {
        // Another connection is the same user.
        for _ in 0..3 {
            let mut talk = house.program(uid, Some(name)).await;
            talk.expect("EHLO localhost\r\n", 250).await;
            let said = sent(&mut talk, web.0, "u@t.example", &web.1).await;
            assert!(said.starts_with("250 "), "{said}");
        }
        assert_eq!(held().await, held_then);
    }
    for (address, held_then) in [("192.0.2.9", 3), ("192.0.2.10", 4)] {
        for _ in 0..3 {
            let mut talk = house.greeted_from(Listener::Smtp, address).await;
            let said = sent(&mut talk, printer.0, "u@t.example", &printer.1).await;
            assert!(said.starts_with("250 "), "{said}");
        }
        assert_eq!(held().await, held_then);
    }
}
