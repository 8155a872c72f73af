//! Mail for inside servers' domains: taken from anybody, for recipients that the inside server takes, and for nobody else;
//! and routes that refuse.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it didn't expect")]

mod common;

use common::{House, address};
use mailward_core::{Domain, Listener};
use mailward_directory::routes::{ForWhom, FromWhom, Gateway, GatewayCheck, Leads, Route, RouteName};
use mailward_gate::{InsideAnswer, Offers};
use mailward_store::QueueStore as _;
use mailward_store::records::{NotifyOn, QueueFilter, QueuedMessage};
use std::sync::atomic::Ordering;

const MESSAGE: &str = "Subject: x\r\n\r\nbody";

fn words(line: &str) -> Leads {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    Leads::parse(&words, None, None).unwrap()
}

async fn house(check: GatewayCheck) -> House {
    let house = House::new().await;
    let domain = Domain::parse("in.example").unwrap();
    house.routes.put_gateway(Gateway { domain, leads: words("host 192.0.2.9"), check }).await.unwrap();
    house
}

async fn route(house: &House, to: &str, leads: &str, lifetime: Option<u64>) {
    let name = RouteName::parse(leads.split(' ').next().unwrap()).unwrap();
    let (to, from) = (ForWhom::parse(to).unwrap(), FromWhom::Anybody);
    let route = Route { name, to, from, leads: words(leads), lifetime, warn_after: None };
    house.routes.add(route, None).await.unwrap();
}

async fn queued(house: &House) -> Vec<QueuedMessage> {
    house.store.local().queue_page(QueueFilter::default(), None, 100).await.unwrap().messages
}

/// The answer to RCPT, from a stranger.
async fn asked(house: &House, to: &str) -> String {
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<x@far.example>\r\n", 250).await;
    talk.say(format!("RCPT TO:<{to}>\r\n")).await
}

#[tokio::test]
async fn a_stranger_s_mail_waits_for_the_inside_server_that_takes_it() {
    let house = house(GatewayCheck::Callout).await;
    house.inside.say("ann@in.example", InsideAnswer::Takes(Offers::ALL));
    let mut talk = house.greeted(Listener::Smtp).await;
    assert!(talk.deliver("x@far.example", &["ann@in.example"], MESSAGE).await.starts_with("250"));
    let waiting = queued(&house).await;
    assert_eq!(waiting[0].recipients[0].lane.as_str(), "gateway:in.example");
    assert_eq!(waiting[0].envelope.submitter, None);
}

#[tokio::test]
async fn a_stranger_has_no_confirmation_sent_to_whom_they_name_as_the_sender() {
    let house = house(GatewayCheck::None).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<victim@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<ann@in.example> NOTIFY=SUCCESS\r\n", 250).await;
    talk.expect("RCPT TO:<bob@in.example> NOTIFY=SUCCESS,FAILURE\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    talk.expect(&format!("{MESSAGE}\r\n.\r\n"), 250).await;
    let message = queued(&house).await.remove(0);
    let wishes: Vec<_> = message.recipients.iter().map(|to| to.notify.unwrap()).collect();
    assert_eq!(wishes, [NotifyOn::default(), NotifyOn { failure: true, ..NotifyOn::default() }]);
    assert_eq!(message.envelope.warn, None, "nor do they hear that it is late");
}

#[tokio::test]
async fn nothing_is_taken_that_the_inside_server_refuses_or_can_t_be_asked_about() {
    let house = house(GatewayCheck::Callout).await;
    house.inside.say("away@in.example", InsideAnswer::Unknown("no connection".to_owned()));
    assert!(asked(&house, "nobody@in.example").await.starts_with("550 5.1.1 "));
    assert!(asked(&house, "away@in.example").await.starts_with("451 4.4.1 "));
    assert!(queued(&house).await.is_empty());
    // A user of ours hears it in the session as well.
    let mut talk = house.logged_in().await;
    talk.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<nobody@in.example>\r\n", 550).await;
    talk.expect("RCPT TO:<anybody@t.example>\r\n", 250).await;
}

#[tokio::test]
async fn a_gateway_opens_no_relay() {
    for check in [GatewayCheck::Callout, GatewayCheck::List, GatewayCheck::None] {
        let house = house(check).await;
        for to in [
            "u@t.example",
            "u@sub.in.example",
            "u@xin.example",
            "u%t.example@in.example",
            "t.example!u@in.example",
            "\"u@t.example\"@in.example",
            "@in.example:u@t.example",
        ] {
            house.inside.say(&to.replace("@in.example:", ""), InsideAnswer::Takes(Offers::ALL));
            let answer = asked(&house, to).await;
            assert!(answer.starts_with("550"), "{check} {to}: {answer}");
        }
        // By LMTP another server brings what is for our own mailboxes.
        house.inside.say("ann@in.example", InsideAnswer::Takes(Offers::ALL));
        let mut talk = house.greeted(Listener::Lmtp).await;
        talk.expect("MAIL FROM:<>\r\n", 250).await;
        talk.expect("RCPT TO:<ann@in.example>\r\n", 550).await;
    }
}

#[tokio::test]
async fn by_a_list_only_who_is_on_it_gets_mail_and_the_postmaster() {
    let house = house(GatewayCheck::List).await;
    let domain = Domain::parse("in.example").unwrap();
    house.routes.list(&domain, &[address("ann@in.example")], true).await.unwrap();
    assert!(asked(&house, "Ann@in.example").await.starts_with("250"));
    assert!(asked(&house, "postmaster@in.example").await.starts_with("250"));
    assert!(asked(&house, "bob@in.example").await.starts_with("550"));
}

#[tokio::test]
async fn where_nobody_sends_nothing_is_taken_for_a_gateway_however_its_recipients_are_known() {
    for check in [GatewayCheck::Callout, GatewayCheck::List, GatewayCheck::None] {
        let house = house(check).await;
        house.inside.say("postmaster@in.example", InsideAnswer::Takes(Offers::ALL));
        house.inside.nobody_sends.store(true, Ordering::Relaxed);
        let answer = asked(&house, "postmaster@in.example").await;
        assert!(answer.starts_with("451 4.4.1 "), "{check}: {answer}");
        house.inside.nobody_sends.store(false, Ordering::Relaxed);
        assert!(asked(&house, "postmaster@in.example").await.starts_with("250"), "{check}");
    }
}

#[tokio::test]
async fn a_domain_of_ours_is_ours_whatever_a_gateway_says() {
    let house = House::new().await;
    let domain = Domain::parse("s.example").unwrap();
    let check = GatewayCheck::None;
    house.routes.put_gateway(Gateway { domain, leads: words("host 192.0.2.9"), check }).await.unwrap();
    assert!(asked(&house, "nobody@s.example").await.starts_with("550"));
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.deliver("x@far.example", &["bob@s.example"], MESSAGE).await;
    assert_eq!(house.inbox("bob").await.len(), 1);
}

#[tokio::test]
async fn a_message_that_is_too_large_for_the_inside_server_is_refused_here() {
    let house = house(GatewayCheck::Callout).await;
    house.inside.say("ann@in.example", InsideAnswer::Takes(Offers { size: Some(1_000), ..Offers::ALL }));
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<x@far.example> SIZE=1001\r\n", 250).await;
    talk.expect("RCPT TO:<ann@in.example>\r\n", 552).await;
    talk.expect("RSET\r\n", 250).await;
    let large = format!("Subject: x\r\n\r\n{}", "line\r\n".repeat(200));
    assert!(talk.deliver("x@far.example", &["ann@in.example", "bob@s.example"], &large).await.starts_with("552"));
    assert!(house.nothing_stored().await && queued(&house).await.is_empty());
    assert!(talk.deliver("x@far.example", &["ann@in.example"], MESSAGE).await.starts_with("250"));
}

/// Takes what a server of the last century does.
const PLAIN: Offers = Offers { size: None, utf8: false, eight_bit: false, require_tls: false };

#[tokio::test]
async fn what_the_inside_server_can_t_be_given_is_refused_here_and_bounces_to_nobody() {
    let house = house(GatewayCheck::Callout).await;
    house.inside.say("ann@in.example", InsideAnswer::Takes(PLAIN));
    house.inside.say("jörg@in.example", InsideAnswer::NotAscii);
    let talk = house.greeted(Listener::Smtp).await;
    let mut talk = house.secure(talk).await;
    talk.expect("EHLO client.example\r\n", 250).await;
    for (mail, to, answer) in [
        ("MAIL FROM:<x@far.example> REQUIRETLS", "ann", "550 5.7.30 "),
        ("MAIL FROM:<jörg@far.example> SMTPUTF8", "ann", "553 5.6.7 "),
        ("MAIL FROM:<x@far.example> SMTPUTF8", "jörg", "553 5.6.7 "),
    ] {
        talk.expect(&format!("{mail}\r\n"), 250).await;
        let said = talk.say(format!("RCPT TO:<{to}@in.example>\r\n")).await;
        assert!(said.starts_with(answer), "{mail}: {said}");
        talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
        talk.expect("RSET\r\n", 250).await;
    }
    for (message, answer) in
        [("Subject: jörg\r\n\r\nbody", "554 5.6.9 "), ("Subject: x\r\n\r\njörg", "554 5.6.3 "), (MESSAGE, "250 ")]
    {
        let said = talk.deliver("x@far.example", &["ann@in.example", "bob@s.example"], message).await;
        assert!(said.starts_with(answer), "{message}: {said}");
    }
    assert_eq!((queued(&house).await.len(), house.inbox("bob").await.len()), (1, 1));
    // A client may announce what isn't there: nothing needs it.
    talk.expect("MAIL FROM:<x@far.example> BODY=8BITMIME SMTPUTF8\r\n", 250).await;
    talk.expect("RCPT TO:<ann@in.example>\r\n", 250).await;
}

#[tokio::test]
async fn an_alias_of_ours_takes_nothing_for_whom_the_inside_server_refuses() {
    let house = House::forwarding().await;
    let domain = Domain::parse("in.example").unwrap();
    let gateway = Gateway { domain: domain.clone(), leads: words("host 192.0.2.9"), check: GatewayCheck::Callout };
    house.routes.put_gateway(gateway.clone()).await.unwrap();
    let targets = vec![address("alice@s.example"), address("x@t.example"), address("ann@in.example")];
    house.directory.put_alias(&address("team@s.example"), targets).await.unwrap();
    assert!(asked(&house, "team@s.example").await.starts_with("550 5.1.1 "));
    house.inside.say("ann@in.example", InsideAnswer::Unknown("no connection".to_owned()));
    assert!(asked(&house, "team@s.example").await.starts_with("451 4.4.1 "));
    let mut user = house.logged_in().await;
    user.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
    user.expect("RCPT TO:<team@s.example>\r\n", 451).await;
    house.inside.say("ann@in.example", InsideAnswer::Takes(Offers { size: Some(1_000), ..PLAIN }));
    user.expect("RCPT TO:<team@s.example>\r\n", 250).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<x@far.example> SIZE=1001\r\n", 250).await;
    talk.expect("RCPT TO:<team@s.example>\r\n", 552).await;
    talk.expect("RSET\r\n", 250).await;
    talk.expect("MAIL FROM:<jörg@far.example> SMTPUTF8\r\n", 250).await;
    talk.expect("RCPT TO:<team@s.example>\r\n", 553).await;
    // By a list as well; and where a route leads elsewhere, the gateway has no word.
    house.routes.put_gateway(Gateway { check: GatewayCheck::List, ..gateway }).await.unwrap();
    assert!(asked(&house, "team@s.example").await.starts_with("550"));
    house.routes.list(&domain, &[address("ann@in.example")], true).await.unwrap();
    assert!(asked(&house, "team@s.example").await.starts_with("250"));
    house.routes.list(&domain, &[address("ann@in.example")], false).await.unwrap();
    route(&house, "ann@in.example", "host 192.0.2.8", None).await;
    assert!(asked(&house, "team@s.example").await.starts_with("250"));
}

#[tokio::test]
async fn a_route_that_refuses_does_so_before_anything_is_taken() {
    let house = House::new().await;
    route(&house, "t.example", "error 553 5.1.8 we don't write to them", None).await;
    let mut talk = house.logged_in().await;
    talk.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
    let answer = talk.expect("RCPT TO:<u@t.example>\r\n", 553).await;
    assert!(answer.contains("we don't write to them"), "{answer}");
    // By an alias as well.
    talk.expect("RCPT TO:<out@s.example>\r\n", 553).await;
    talk.expect("RCPT TO:<u@other.example>\r\n", 250).await;
}

#[tokio::test]
async fn each_recipient_waits_where_its_route_leads_and_as_long_as_it_says() {
    let house = House::new().await;
    route(&house, "t.example", "host 192.0.2.9", Some(3_600)).await;
    let mut talk = house.logged_in().await;
    let from = "From: alice@s.example\r\n\r\nbody";
    talk.deliver("alice@s.example", &["u@t.example", "u@other.example", "v@t.example"], from).await;
    let mut waiting = queued(&house).await;
    waiting.sort_by_key(|message| message.envelope.expires);
    let lanes = |message: &QueuedMessage| -> Vec<String> {
        message.recipients.iter().map(|recipient| recipient.lane.to_string()).collect()
    };
    assert_eq!(
        waiting.iter().map(lanes).collect::<Vec<_>>(),
        [vec!["route:host", "route:host"], vec!["other.example"]]
    );
    let hour = waiting[0].envelope.expires.0 - waiting[0].envelope.arrived.0;
    assert_eq!(hour, 3_600_000);
    assert_eq!(waiting[0].envelope.warn, None, "it is given up before it would be late");
}
