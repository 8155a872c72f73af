//! Visits to servers that keep their word: ours.

use crate::house::{House, PASSWORD, USER, joe, message, subject, x};
use crate::provider::Provider;
use mailward_core::Secret;
use mailward_core::limits::{FETCH_LEFT_MAX, FETCH_VISIT_MESSAGES};
use mailward_directory::NewPassword;
use mailward_fetch::{After, Protocol, Settings, SettingsChange, Tls, To};
use std::sync::atomic::Ordering;

const WAYS: [(Protocol, Tls); 4] = [
    (Protocol::Pop3, Tls::Tls),
    (Protocol::Pop3, Tls::Starttls),
    (Protocol::Imap, Tls::Tls),
    (Protocol::Imap, Tls::Starttls),
];

#[tokio::test(flavor = "multi_thread")]
async fn mail_comes_whole_by_every_way_and_is_gone_there() {
    for (protocol, tls) in WAYS {
        let house = House::new().await;
        let provider = Provider::new(&house).await;
        let port = provider.serve(protocol, tls).await;
        provider.put(message("one")).await;
        provider.put(message("two")).await;
        let state = house.fetch(Settings { tls, ..house.settings(protocol, port) }).await;
        assert_eq!((state.error, state.fetched, state.left), (None, 2, 0), "{protocol:?} {tls:?}");
        assert_eq!(house.subjects().await, ["one", "two"]);
        assert_eq!(provider.left().await, 0);
        let first = &house.inbox("joe").await[0];
        let body = message("one").split_once("\r\n").unwrap().1.to_owned();
        let (trace, rest) = first.split_at(first.len() - body.len());
        assert_eq!(rest, body, "byte for byte, but for Return-Path");
        let by = format!("by mx.here.example (Mailward, {} account x)", protocol.name());
        assert!(trace.starts_with("Return-Path: <sender@there.example>\r\nReceived: from [127.0.0.1] ([127.0.0.1])"));
        assert!(trace.contains(&by) && trace.contains("(TLSv1.3 ") && !trace.contains(" with "), "{trace}");
        assert_eq!(trace.matches("Return-Path").count(), 1);
        let state = house.again().await;
        assert_eq!((state.error, state.fetched), (None, 2), "nothing comes twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_there_is_fetched_once_also_after_a_restart() {
    for protocol in [Protocol::Pop3, Protocol::Imap] {
        let mut house = House::new().await;
        let provider = Provider::new(&house).await;
        let port = provider.serve(protocol, Tls::Tls).await;
        provider.put(message("one")).await;
        house.fetch_and_keep(house.settings(protocol, port)).await;
        house.restart().await;
        provider.put(message("two")).await;
        house.again().await;
        house.again().await;
        assert_eq!(house.subjects().await, ["one", "two"]);
        assert_eq!(provider.left().await, 2);
        // Then they shall go after all: they are looked at, deleted, and don't come again.
        let delete = SettingsChange { after: Some(After::Delete), ..SettingsChange::default() };
        house.accounts.change(&x(), delete, None).await.unwrap();
        assert_eq!(house.visited().await.error, None);
        assert_eq!((house.subjects().await.len(), provider.left().await), (2, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_ends_visits_until_there_is_another() {
    for protocol in [Protocol::Pop3, Protocol::Imap] {
        let house = House::new().await;
        let provider = Provider::new(&house).await;
        let port = provider.serve(protocol, Tls::Tls).await;
        provider.put(message("one")).await;
        let changed = NewPassword::Given(Secret::new("another-lantern-93-orchard"));
        provider.directory.set_password(&USER.parse().unwrap(), changed).await.unwrap();
        let state = house.fetch(house.settings(protocol, port)).await;
        assert!(state.stopped, "{state:?}");
        assert!(house.told("alert fetch.stopped account=x"));
        assert!(house.events.lines().iter().all(|line| !line.contains(PASSWORD)));
        let password = Secret::new("another-lantern-93-orchard");
        house.accounts.change(&x(), SettingsChange::default(), Some(&password)).await.unwrap();
        let state = house.visited().await;
        assert_eq!((state.stopped, state.error, state.fetched), (false, None, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_leaves_mail_there_and_the_rest_goes_on() {
    let house = House::new().await;
    let provider = Provider::new(&house).await;
    let port = provider.serve(Protocol::Pop3, Tls::Tls).await;
    house.quota("joe", 1).await;
    for to in ["joe", "joe", "ann"] {
        provider.put(format!("Delivered-To: {to}@here.example\r\n{}", message("x"))).await;
    }
    let to = To::Envelope { header: None, otherwise: joe() };
    let state = house.fetch(Settings { to, ..house.settings(Protocol::Pop3, port) }).await;
    assert_eq!((state.fetched, state.left), (2, 1), "{state:?}");
    assert_eq!((house.inbox("joe").await.len(), house.inbox("ann").await.len(), provider.left().await), (1, 1, 1));
    house.quota("joe", 0).await;
    house.again().await;
    assert_eq!((house.inbox("joe").await.len(), provider.left().await), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_delivered_anyway_is_not_fetched() {
    let house = House::new().await;
    let provider = Provider::new(&house).await;
    let port = provider.serve(Protocol::Imap, Tls::Tls).await;
    house.quota("joe", 1).await;
    for _ in 0..FETCH_LEFT_MAX + 5 {
        provider.put(message("x")).await;
    }
    let state = house.fetch(house.settings(Protocol::Imap, port)).await;
    assert_eq!((state.fetched, state.left), (1, u64::try_from(FETCH_LEFT_MAX + 4).unwrap()));
    assert!(state.note.unwrap().contains("a mailbox is full"));
    assert!(!house.told("fetch.left"), "that is told of what was fetched");
    house.quota("joe", 0).await;
    house.again().await;
    assert_eq!((house.inbox("joe").await.len(), provider.left().await), (FETCH_LEFT_MAX + 5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_for_a_full_mailbox_holds_up_nobody_else_s_and_is_fetched_once_until_there_is_room() {
    for protocol in [Protocol::Pop3, Protocol::Imap] {
        let house = House::new().await;
        let provider = Provider::new(&house).await;
        let port = provider.serve(protocol, Tls::Tls).await;
        house.quota("joe", 1).await;
        for _ in 0..FETCH_LEFT_MAX + 5 {
            provider.put(format!("Delivered-To: joe@here.example\r\n{}", message("x"))).await;
        }
        provider.put(format!("Delivered-To: ann@here.example\r\n{}", message("x"))).await;
        let to = To::Envelope { header: None, otherwise: joe() };
        let state = house.fetch(Settings { to, ..house.settings(protocol, port) }).await;
        let left = FETCH_LEFT_MAX + 4;
        assert_eq!((state.fetched, state.left), (2, u64::try_from(left).unwrap()), "{state:?}");
        assert_eq!(house.inbox("ann").await.len(), 1);
        let told = |house: &House| house.events.lines().iter().filter(|line| line.contains("fetch.left")).count();
        assert_eq!(told(&house), left);
        let state = house.again().await;
        assert_eq!((state.left, told(&house)), (u64::try_from(left).unwrap(), left), "none was fetched again");
        house.quota("joe", 0).await;
        house.again().await;
        assert_eq!((house.inbox("joe").await.len(), provider.left().await), (left + 1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_room_gets_what_is_for_several_at_once_and_the_others_later_and_nobody_twice() {
    for protocol in [Protocol::Pop3, Protocol::Imap] {
        let mut house = House::new().await;
        let provider = Provider::new(&house).await;
        let port = provider.serve(protocol, Tls::Tls).await;
        house.quota("joe", 1).await;
        provider.put(format!("Envelope-To: joe@here.example\r\n{}", message("to joe"))).await;
        provider.put(format!("Envelope-To: joe@here.example, ann@here.example\r\n{}", message("to both"))).await;
        let to = To::Envelope { header: None, otherwise: joe() };
        let state = house.fetch(Settings { to, ..house.settings(protocol, port) }).await;
        assert_eq!((state.fetched, state.left), (1, 1), "{state:?}");
        assert_eq!((house.inbox("joe").await.len(), house.inbox("ann").await.len()), (1, 1));
        house.again().await;
        house.restart().await;
        house.again().await;
        assert_eq!((house.inbox("ann").await.len(), provider.left().await), (1, 1));
        house.quota("joe", 0).await;
        let state = house.again().await;
        assert_eq!((state.error, state.left, provider.left().await), (None, 0, 0));
        assert_eq!((house.inbox("joe").await.len(), house.inbox("ann").await.len()), (2, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_envelope_says_who_gets_it_and_the_letter_never_does() {
    let house = House::new().await;
    let provider = Provider::new(&house).await;
    let port = provider.serve(Protocol::Imap, Tls::Tls).await;
    for (fields, subject) in [
        ("X-Original-To: ann@here.example\r\nDelivered-To: catch-all@elsewhere.example", "to ann"),
        ("X-Rcpt: joe@here.example\r\nDelivered-To: ann@here.example", "by our own field"),
        ("Envelope-To: ann@here.example, stranger@there.example, joe@here.example", "to both"),
        ("Delivered-To: nobody@here.example", "to nobody here"),
        ("Delivered-To: stranger@there.example", "to a stranger"),
        ("To: ann@here.example", "by the letter"),
    ] {
        provider.put(format!("{fields}\r\n{}", message(subject))).await;
    }
    let to = To::Envelope { header: Some("X-Rcpt".to_owned()), otherwise: joe() };
    let state = house.fetch(Settings { to, ..house.settings(Protocol::Imap, port) }).await;
    assert_eq!((state.error, state.fetched), (None, 6));
    let expected = ["by our own field", "to both", "to nobody here", "to a stranger", "by the letter"];
    assert_eq!(house.subjects().await, expected);
    let ann: Vec<String> = house.inbox("ann").await.iter().map(|message| subject(message)).collect();
    assert_eq!(ann, ["to ann", "to both"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_came_back_stays_and_is_told_of_once() {
    for protocol in [Protocol::Pop3, Protocol::Imap] {
        let house = House::new().await;
        let provider = Provider::new(&house).await;
        let port = provider.serve(protocol, Tls::Tls).await;
        house.message_size.store(5_000, Ordering::Relaxed);
        provider.put(format!("{}{}", message("large"), "x".repeat(5_000))).await;
        let by = format!("by mx.here.example (Mailward, {} account x)", protocol.name());
        provider.put(format!("Received: from [127.0.0.1]\r\n\t{by};\r\n\tnow\r\n{}", message("again"))).await;
        provider.put(message("small")).await;
        let state = house.fetch(house.settings(protocol, port)).await;
        assert_eq!((state.error, state.fetched, state.left), (None, 1, 2));
        assert!(house.told("limits.message_size") && house.told("mail loop"));
        assert_eq!((house.subjects().await, provider.left().await), (vec!["small".to_owned()], 2));
        // Once somebody asks, it is looked at again.
        house.message_size.store(50_000, Ordering::Relaxed);
        house.again().await;
        assert_eq!(house.subjects().await, ["small", "large"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_ends_at_its_messages_and_the_next_comes_at_once() {
    let house = House::new().await;
    let provider = Provider::new(&house).await;
    let port = provider.serve(Protocol::Pop3, Tls::Tls).await;
    for number in 0..FETCH_VISIT_MESSAGES + 1 {
        provider.put(message(&number.to_string())).await;
    }
    let state = house.fetch(house.settings(Protocol::Pop3, port)).await;
    assert_eq!(state.fetched, u64::try_from(FETCH_VISIT_MESSAGES).unwrap());
    assert_eq!(state.next, state.tried, "there is more");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_a_server_that_can_t_prove_its_name() {
    let house = House::new().await;
    let provider = Provider::new(&house).await;
    let port = provider.serve(Protocol::Pop3, Tls::Tls).await;
    provider.put(message("one")).await;
    // The system's authorities didn't sign it.
    let state = house.fetch(Settings { authority: None, ..house.settings(Protocol::Pop3, port) }).await;
    assert!(state.error.unwrap().contains("no TLS with 127.0.0.1"));
    assert_eq!(provider.left().await, 1);
}
