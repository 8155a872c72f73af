//! What administrators see of sessions, and how they end them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at what it didn't expect")]

mod common;

use common::House;
use mailward_core::Listener;
use mailward_gate::{Activity, SessionInfo};
use std::time::Duration;

/// The one session there is, once it is as expected.
async fn seen(house: &House, expected: impl Fn(&SessionInfo) -> bool) -> SessionInfo {
    let look = async {
        loop {
            match house.context.gate.sessions().as_slice() {
                [session] if expected(session) => return session.clone(),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect("it is seen in time")
}

#[tokio::test]
async fn a_session_is_seen_with_the_name_it_gives_and_the_program_that_writes() {
    let house = House::new().await;
    let mut talk = house.connect(Listener::Submission).await;
    talk.expect("", 220).await;
    seen(&house, |s| s.activity == Activity::Greeting && s.client.is_none()).await;
    talk.expect("EHLO [192.0.2.99]\r\n", 250).await;
    seen(&house, |s| s.client.as_deref() == Some("[192.0.2.99]")).await;
    let mut talk = house.secure(talk).await;
    talk.expect("EHLO laptop.example\r\n", 250).await;
    let session = seen(&house, |s| s.client.as_deref() == Some("laptop.example")).await;
    assert_eq!(session.tls.unwrap().0, "TLSv1.3");
    let login = common::plain("alice@s.example", common::PASSWORD);
    talk.expect(&format!("AUTH PLAIN {login}\r\n"), 235).await;
    for (field, shown) in
        [("Subject: x\r\n", "laptop.example"), ("User-Agent: Pigeon\r\n Post/7\u{1b}[1\r\n", "Pigeon Post/7\u{fffd}[1")]
    {
        let mail = "MAIL FROM:<alice@s.example>\r\nRCPT TO:<bob@s.example>\r\nDATA\r\n";
        assert_eq!(talk.codes(mail, 3).await, [250, 250, 354]);
        talk.expect(&format!("From: <alice@s.example>\r\n{field}\r\nx\r\n.\r\n"), 250).await;
        let session = seen(&house, |s| s.client.as_deref() == Some(shown)).await;
        assert_eq!(session.user.as_deref(), Some("alice@s.example"));
    }
}

#[tokio::test]
async fn a_session_that_is_ended_hears_421_and_the_others_go_on() {
    let house = House::new().await;
    let mut waiting = house.greeted(Listener::Smtp).await;
    let mut sending = house.greeted(Listener::Smtp).await;
    let mut other = house.greeted(Listener::Smtp).await;
    let begin = "MAIL FROM:<a@c.example>\r\nRCPT TO:<bob@s.example>\r\nDATA\r\n";
    assert_eq!(sending.codes(begin, 3).await, [250, 250, 354]);
    for session in [0, 1] {
        house.context.gate.end_session(session).unwrap();
    }
    for talk in [&mut waiting, &mut sending] {
        assert!(talk.reply().await.starts_with("421 4.3.2 This session was ended"));
        assert!(talk.is_over().await);
    }
    other.expect("NOOP\r\n", 250).await;
    assert!(house.nothing_stored().await);
}
