//! What users submit for other domains: into the queue in the commit that accepts, mended, and from nobody else.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at what it didn't expect"
)]

mod common;

use common::{House, Talk, address};
use mailward_core::{Listener, SendLimits};
use mailward_store::records::{GiveBack, NotifyOn, QueueFilter, QueuedMessage};
use mailward_store::{MailStore as _, QueueStore as _};

const HEAD: &str = "From: alice@s.example\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@s.example>\r\n";

async fn queued(house: &House) -> Vec<QueuedMessage> {
    house.store.local().queue_page(QueueFilter::default(), None, 100).await.unwrap().messages
}

/// Sends a message and answers what was said to its end.
async fn submit(talk: &mut Talk, to: &[&str], message: &str) -> String {
    talk.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
    for to in to {
        talk.expect(&format!("RCPT TO:<{to}>\r\n"), 250).await;
    }
    talk.expect("DATA\r\n", 354).await;
    talk.say(format!("{message}.\r\n")).await
}

#[tokio::test]
async fn mail_for_others_is_queued_in_the_commit_that_accepts_it() {
    let house = House::new().await;
    let mut talk = house.logged_in().await;
    let message = format!("{HEAD}Subject: x\r\n\r\nbody\r\n");
    let said = submit(&mut talk, &["bob@s.example", "u@t.example", "v@other.example", "u@t.example"], &message).await;
    assert!(said.starts_with("250 "), "{said}");
    let queue = queued(&house).await;
    assert_eq!(queue.len(), 1);
    let to: Vec<String> = queue[0].recipients.iter().map(|r| format!("{} {}", r.address, r.lane)).collect();
    assert_eq!(to, ["u@t.example t.example", "v@other.example other.example"], "each once");
    let envelope = &queue[0].envelope;
    assert_eq!(envelope.sender, Some(address("alice@s.example")));
    assert_eq!(envelope.expires.0 - envelope.arrived.0, 5 * 86_400_000);
    assert_eq!(envelope.warn.unwrap().0 - envelope.arrived.0, 4 * 3_600_000);
    assert!(envelope.submitter.is_some() && !envelope.needs.eight_bit && !envelope.needs.smtputf8);
    assert_eq!(house.inbox("bob").await.len(), 1);
}

#[tokio::test]
async fn an_alias_that_leads_elsewhere_is_sent_on_for_users_and_not_for_strangers() {
    let house = House::new().await;
    let mut talk = house.logged_in().await;
    let said = submit(&mut talk, &["mixed@s.example"], &format!("{HEAD}\r\nx\r\n")).await;
    assert!(said.starts_with("250 "), "{said}");
    assert_eq!(queued(&house).await[0].recipients[0].address, address("x@t.example"));
    assert_eq!(house.inbox("alice").await.len(), 1);
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<mixed@s.example>\r\n", 451).await;
    assert_eq!(queued(&house).await.len(), 1);
}

#[tokio::test]
async fn how_it_must_travel_goes_with_it() {
    let house = House::new().await;
    let mut talk = house.logged_in().await;
    for (parameter, header, expected) in [
        ("", "", (false, false)),
        (" REQUIRETLS", "", (true, false)),
        ("", "TLS-Required: No\r\n", (false, true)),
        (" REQUIRETLS", "TLS-Required: No\r\n", (true, false)),
    ] {
        talk.expect(&format!("MAIL FROM:<alice@s.example>{parameter}\r\n"), 250).await;
        talk.expect("RCPT TO:<u@t.example>\r\n", 250).await;
        // One of ours takes it as well.
        talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
        talk.expect("DATA\r\n", 354).await;
        assert!(talk.say(format!("{header}{HEAD}\r\nx\r\n.\r\n")).await.starts_with("250 "));
        let needs = queued(&house).await.last().unwrap().envelope.needs;
        assert_eq!((needs.require_tls, needs.tls_optional), expected, "{parameter} {header}");
    }
    assert_eq!(house.inbox("bob").await.len(), 4);
}

#[tokio::test]
async fn what_the_sender_wants_to_hear_goes_with_it() {
    let house = House::new().await;
    let mut talk = house.logged_in().await;
    talk.expect("MAIL FROM:<alice@s.example> RET=HDRS ENVID=QQ+3D1 BODY=8BITMIME\r\n", 250).await;
    talk.expect("RCPT TO:<u@t.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first@t.example\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    let said = talk.say(format!("{HEAD}\r\ngr\u{fc}n\r\n.\r\n")).await;
    assert!(said.starts_with("250 "), "{said}");
    let message = queued(&house).await.remove(0);
    assert_eq!(
        (message.envelope.give_back, message.envelope.envid.as_deref()),
        (Some(GiveBack::Headers), Some("QQ=1"))
    );
    assert!(message.envelope.needs.eight_bit && !message.envelope.needs.smtputf8);
    let recipient = &message.recipients[0];
    assert_eq!(recipient.notify, Some(NotifyOn { success: true, failure: false, delay: true }));
    assert_eq!(recipient.original.as_deref(), Some("rfc822;first@t.example"));
}

#[tokio::test]
async fn what_is_missing_is_added_and_bcc_is_taken_out() {
    let house = House::new().await;
    let mut talk = house.logged_in().await;
    let said =
        submit(&mut talk, &["bob@s.example"], "From: alice\r\nBcc: secret@t.example\r\nTo: bob\r\n\r\nx\r\n").await;
    assert!(said.starts_with("250 "), "{said}");
    let text = house.inbox("bob").await.remove(0);
    for part in ["Date: ", "Message-ID: <", "From: alice@s.example\r\n", "To: bob@s.example\r\n"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn nobody_writes_in_the_name_of_others() {
    let house = House::new().await;
    for (from, code) in [
        ("From: bob@s.example\r\n", "550 5.7.1 "),
        ("From: alice@s.example, bob@s.example\r\nSender: alice@s.example\r\n", "550 5.7.1 "),
        ("From: alice@s.example\r\nSender: bob@s.example\r\n", "550 5.7.1 "),
        ("From: \"bob@s.example\" <alice@s.example>\r\n", "550 5.7.1 "),
        ("From: alice@s.example\r\nResent-From: ceo@t.example\r\n", "550 5.7.1 "),
        ("From: alice@s.example\r\nFrom: bob@s.example\r\n", "550 5.6.0 "),
        ("To: bob@s.example\r\n", "550 5.6.0 "),
    ] {
        let mut talk = house.logged_in().await;
        let said = submit(&mut talk, &["u@t.example"], &format!("{from}\r\nx\r\n")).await;
        assert!(said.starts_with(code), "{from}: {said}");
    }
    assert!(queued(&house).await.is_empty());
    // Own addresses: with a tag, and by an alias that lists the account.
    for from in ["From: alice+tag@s.example\r\n", "From: both@s.example\r\n"] {
        let mut talk = house.logged_in().await;
        let said = submit(&mut talk, &["u@t.example"], &format!("{from}\r\nx\r\n")).await;
        assert!(said.starts_with("250 "), "{from}: {said}");
    }
}

#[tokio::test]
async fn an_address_that_names_no_domain_is_not_sent_to() {
    let house = House::new().await;
    let mut talk = house.logged_in().await;
    talk.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
    let said = talk.expect("RCPT TO:<u@[192.0.2.1]>\r\n", 550).await;
    assert!(said.starts_with("550 5.1.2 "), "{said}");
}

#[tokio::test]
async fn what_is_beyond_a_limit_gets_its_250_and_is_held() {
    let house = House::new().await;
    let care = house.context.care.as_ref().unwrap();
    care.set_limits(SendLimits { recipients_per_hour: 2, ..SendLimits::default() }, SendLimits::default());
    let mut talk = house.logged_in().await;
    for _ in 0..2 {
        let to = ["bob@s.example", "u@t.example", "v@t.example"];
        let said = submit(&mut talk, &to, &format!("{HEAD}\r\nx\r\n")).await;
        assert!(said.starts_with("250 "), "{said}");
    }
    let held: Vec<bool> = queued(&house).await.iter().map(|m| m.recipients.iter().all(|r| r.state.is_held())).collect();
    assert_eq!(held, [false, true]);
    assert_eq!(house.inbox("bob").await.len(), 2, "what stays here is delivered");
    let alert = house.logged("sending.limit");
    // What it says to the postmaster is `delivery::care`'s, who brings it there `alert`.
    assert!(
        alert.len() == 1 && alert[0].starts_with("alert ") && alert[0].contains("user=alice@s.example"),
        "{alert:?}"
    );
    assert!(house.logged("message.withheld").len() == 1);
}

#[tokio::test]
async fn users_and_relays_hear_of_success_and_strangers_do_not() {
    let house = House::new().await;
    let mut talk = house.logged_in().await;
    talk.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<bob@s.example> NOTIFY=SUCCESS ORCPT=rfc822;first@s.example\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    talk.expect(&format!("{HEAD}\r\nx\r\n.\r\n"), 250).await;
    let told = house.inbox("alice").await.remove(0);
    for part in
        ["Action: delivered", "Final-Recipient: rfc822; bob@s.example", "Original-Recipient: rfc822; first@s.example"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(house.inbox("bob").await.len(), 1);

    // From a relay: the one who gets it is confirmed, the one who can't isn't.
    let mut talk = house.greeted(Listener::Lmtp).await;
    talk.expect("MAIL FROM:<a@c.example> ENVID=E1\r\n", 250).await;
    talk.expect("RCPT TO:<small@s.example> NOTIFY=SUCCESS\r\n", 250).await;
    talk.expect("RCPT TO:<bob@s.example> NOTIFY=SUCCESS\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    assert_eq!(talk.codes("Subject: 1\r\n\r\nx\r\n.\r\n", 2).await, [250, 250]);
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<small@s.example> NOTIFY=SUCCESS\r\n", 250).await;
    talk.expect("RCPT TO:<bob@s.example> NOTIFY=SUCCESS\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    assert_eq!(talk.codes("Subject: 2\r\n\r\nx\r\n.\r\n", 2).await, [452, 250]);
    let mut told = Vec::new();
    for message in queued(&house).await {
        assert_eq!((message.envelope.sender.clone(), &message.recipients[0].address), (None, &address("a@c.example")));
        let bytes = house.store.read(message.blob, 0, message.size).await.unwrap();
        told.push(String::from_utf8(bytes.to_vec()).unwrap());
    }
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("small@s.example") && told[0].contains("bob@s.example") && told[0].contains("E1"));
    assert!(!told[1].contains("small@s.example") && told[1].contains("bob@s.example"));

    // A stranger may have written anybody's address there.
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<victim@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<bob@s.example> NOTIFY=SUCCESS\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    talk.expect("Subject: 3\r\n\r\nx\r\n.\r\n", 250).await;
    assert_eq!(queued(&house).await.len(), 2);
    assert_eq!(house.inbox("bob").await.len(), 4);
}
