//! What the DNS is asked about a stranger, and what has to wait for what: with a DNS that answers nothing of a round before all
//! of it was asked.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it didn't expect")]

mod common;

use common::dns::{Facts, Rounds};
use common::{House, Weighing};
use mailward_core::Listener;
use mailward_core::config::{ListKind, ListLine};
use mailward_gate::rules::RuleBook;
use mailward_receive::Settings;
use std::sync::Arc;

const CLIENT: &str = "192.0.2.7";

/// A house that asks two lists of addresses and one of domains.
async fn house() -> (House, Arc<Facts>) {
    let mut weighing = Weighing::default();
    for list in ["one.example", "two.example"] {
        weighing.dns.make_list(list);
    }
    weighing.dns.address("test.names.example", "127.0.0.2");
    weighing.lists.hosts =
        ["one.example 2", "two.example 3"].iter().map(|line| ListLine::parse(line, ListKind::Hosts).unwrap()).collect();
    weighing.lists.domains = vec![ListLine::parse("names.example 2", ListKind::Domains).unwrap()];
    let dns = Arc::clone(&weighing.dns);
    (House::weighing(Settings::default(), RuleBook::default(), weighing).await, dns)
}

/// The commands of an ordinary server, one by one; when its mail was taken.
async fn ordinary(house: &House) {
    let mut talk = house.greeted_from(Listener::Smtp, CLIENT).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
    let message = "DATA\r\n";
    talk.expect(message, 354).await;
    talk.expect("From: a@c.example\r\nSubject: hello\r\n\r\nbody\r\n.\r\n", 250).await;
}

/// Before the greeting the name of the address and the way back from it, which is two by its nature; from MAIL to the first
/// recipient's 250 what SPF's own chain takes. All else is asked beside these.
#[tokio::test]
async fn no_more_than_one_round_trip_for_each_link_of_the_longest_chain() {
    let (house, dns) = house().await;
    let rounds = Rounds::new(&[
        // Connecting: its name, and every list.
        &["PTR 7.2.0.192.in-addr.arpa", "A 7.2.0.192.one.example", "A 7.2.0.192.two.example"],
        // Whether the name leads back; then what lists have of the name.
        &["A client.example"],
        &["A client.example.names.example"],
        // MAIL: greeting, sender and both of SPF's.
        &[
            "A client.example",
            "A client.example.names.example",
            "MX c.example",
            "A c.example.names.example",
            "TXT c.example",
            "TXT client.example",
        ],
        // Where the sender's mail would go, and what its record names: `v=spf1 mx -all`.
        &["A client.example", "MX c.example"],
        &["A client.example"],
    ]);
    *dns.rounds.lock().unwrap() = Some(Arc::clone(&rounds));
    ordinary(&house).await;
    assert_eq!(rounds.over(), 6, "{:?}", rounds.came());
    assert_eq!(rounds.came().len(), 6, "nothing was asked afterwards");
    assert!(house.logged("message.accepted").pop().unwrap().contains("spf=pass"));
}

#[tokio::test]
async fn who_comes_again_waits_for_spf_alone() {
    let (house, dns) = house().await;
    ordinary(&house).await;
    // The resolver remembers these too; this one doesn't.
    let rounds = Rounds::new(&[&["TXT c.example", "TXT client.example"], &["MX c.example"], &["A client.example"]]);
    *dns.rounds.lock().unwrap() = Some(Arc::clone(&rounds));
    ordinary(&house).await;
    assert_eq!(rounds.over(), 3, "{:?}", rounds.came());
}
