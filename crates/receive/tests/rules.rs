//! Address rules, as clients meet them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::large_futures
)]

mod common;

use common::House;
use mailward_core::Listener;
use mailward_gate::rules::{Rule, RuleBook};
use mailward_receive::Settings;

async fn house(rules: &[&str]) -> House {
    let rules: Vec<Rule> = rules.iter().map(|text| Rule::parse(text).unwrap()).collect();
    House::with_rules(Settings::default(), RuleBook::new(&rules, &[])).await
}

#[tokio::test]
async fn bad_senders_and_bad_recipients_are_refused_in_the_rule_s_words() {
    let house = house(&[
        "192.0.2.7 from news@spam.example allow",
        "any from @spam.example refuse \"no news today\"",
        "any from @*.spam.example refuse",
        "any from <> to bob@s.example refuse",
    ])
    .await;
    let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.8").await;
    assert_eq!(talk.expect("MAIL FROM:<x@SPAM.example>\r\n", 550).await.trim_end(), "550 5.7.1 no news today");
    talk.expect("MAIL FROM:<x@a.spam.example>\r\n", 550).await;
    talk.expect("MAIL FROM:<>\r\n", 250).await;
    talk.expect("RCPT TO:<bob+x@s.example>\r\n", 550).await;
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    talk.expect("RSET\r\n", 250).await;
    talk.expect("MAIL FROM:<x@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
    let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.7").await;
    talk.expect("MAIL FROM:<news@spam.example>\r\n", 250).await;
    let lines = house.events.lines();
    let told = "rule.refused session=0 from=192.0.2.8 listener=smtp rule=\"rules.list 2: any from @spam.example refuse";
    assert!(lines.iter().any(|line| line.contains(told)), "{lines:?}");
}

#[tokio::test]
async fn a_host_that_may_relay_to_some_relays_to_them_and_to_nobody_else() {
    let house = house(&["192.0.2.7 to @t.example relay", "192.0.2.8 from shop@s.example relay recipients=2"]).await;
    let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.7").await;
    talk.expect("MAIL FROM:<printer@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<u@other.example>\r\n", 550).await;
    talk.expect("RCPT TO:<u@t.example>\r\n", 250).await;
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    // It forges nobody by it.
    talk.expect("DATA\r\n", 354).await;
    talk.expect("From: x@t.example\r\n\r\nx\r\n.\r\n", 550).await;
    talk.expect("MAIL FROM:<x@t.example>\r\n", 250).await;
    talk.expect("RCPT TO:<u@t.example>\r\n", 550).await;
    let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.8").await;
    talk.expect("MAIL FROM:<printer@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<u@t.example>\r\n", 550).await;
    talk.expect("RSET\r\n", 250).await;
    talk.expect("MAIL FROM:<shop@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<u@t.example>\r\n", 250).await;
    talk.expect("RCPT TO:<v@t.example>\r\n", 250).await;
    talk.expect("RCPT TO:<w@t.example>\r\n", 452).await;
    // Nor at other doors, whatever they say.
    let mut talk = house.greeted_from(Listener::Submission, "192.0.2.7").await;
    talk.expect("MAIL FROM:<printer@s.example>\r\n", 530).await;
    let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.9").await;
    talk.expect("EHLO [192.0.2.7]\r\n", 250).await;
    talk.expect("MAIL FROM:<shop@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<u@t.example>\r\n", 550).await;
}

#[tokio::test]
async fn what_a_recipient_is_told_apart_for_leaves_its_message_whole() {
    let house = house(&["192.0.2.7 to @t.example relay"]).await;
    let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.7").await;
    talk.expect("MAIL FROM:<printer@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<u@t.example>\r\n", 250).await;
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    talk.expect("From: printer@s.example\r\n\r\nx\r\n.\r\n", 250).await;
    assert!(house.inbox("alice").await[0].contains("([192.0.2.7], inside)"));
}
