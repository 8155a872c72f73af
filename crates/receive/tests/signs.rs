//! Signs that count for strangers and against them: what they say they are, and what the DNS says of it.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may stop at what it didn't expect"
)]

mod common;

use common::strangers::{MESSAGE, NAMELESS, listing, rcpt, rules, settings, usual};
use common::{House, Weighing, address};
use mailward_core::config::{self, ListKind, ListLine};
use mailward_core::limits::{SMTP_EMPTY_MAILS_MAX, UNKNOWN_RECIPIENTS_SIGN};
use mailward_gate::journal::Verdict;
use mailward_gate::rules::RuleBook;
use mailward_store::SendingStore as _;
use std::time::Duration;

#[tokio::test]
async fn a_sender_that_can_t_be_answered_is_refused_and_one_that_isn_t_known_put_off() {
    let (house, dns) = usual(settings(|_| {})).await;
    dns.mx("null.example", ".");
    dns.address("lame.example", "127.0.0.1");
    dns.fall_silent("dead.example");
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    for (from, wanted) in [
        ("a@null.example", "550 5.7.27 "),
        ("a@nowhere.example", "550 5.1.8 "),
        ("a@lame.example", "550 5.1.8 "),
        ("a@dead.example", "450 4.1.8 "),
        ("a@c.example", "250 "),
        ("", "250 "),
    ] {
        let reply = rcpt(&mut talk, from, "bob@s.example").await;
        assert!(reply.starts_with(wanted), "{from}: {reply}");
        assert!(rcpt(&mut talk, from, "postmaster@s.example").await.starts_with("250"), "{from}");
    }
    // Ours is there, whatever the DNS outside says of it; who forges it has no proof.
    assert!(rcpt(&mut talk, "alice@s.example", "bob@s.example").await.starts_with("250"));
}

#[tokio::test]
async fn mail_of_whom_a_user_wrote_to_isn_t_put_off() {
    let (house, dns) = usual(settings(|_| {})).await;
    dns.mx("friend.example", "client.example");
    dns.text("friend.example", "v=spf1 ip4:203.0.113.0/24 ?all");
    let mut user = house.logged_in().await;
    let said = user.deliver("alice@s.example", &["ann@friend.example"], &MESSAGE.replace("a@c", "alice@s")).await;
    assert!(said.starts_with("250"), "{said}");
    assert!(house.store.has_written_to(address("ann@friend.example")).await.unwrap());
    // From a host that looks bad, with a name that isn't proven: not put off, and nothing more.
    let mut talk = house.greets(NAMELESS, "localhost").await;
    assert!(rcpt(&mut talk, "bob@friend.example", "bob@s.example").await.starts_with("450"), "a colleague isn't known");
    assert!(talk.deliver("ann@friend.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    let logged = house.logged("message.accepted").pop().unwrap();
    assert!(logged.contains("score=4 ") && logged.contains("spared=correspondent"), "{logged}");
    // Proven, it counts in favour.
    dns.text("friend2.example", "v=spf1 ip4:198.51.100.0/24 -all");
    dns.mx("friend2.example", "client.example");
    user.deliver("alice@s.example", &["ann@friend2.example"], &MESSAGE.replace("a@c", "alice@s")).await;
    assert!(talk.deliver("ann@friend2.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    let logged = house.logged("message.accepted").pop().unwrap();
    assert!(logged.contains("score=-3 ") && logged.contains("correspondent-6"), "{logged}");
    // Denied, it counts for nothing.
    user.deliver("alice@s.example", &["a@c.example"], &MESSAGE.replace("a@c", "alice@s")).await;
    assert!(rcpt(&mut talk, "a@c.example", "bob@s.example").await.starts_with("550 5.7.23"), "8 points and SPF fail");
}

#[tokio::test]
async fn a_domain_that_came_well_from_there_isn_t_put_off() {
    let weighing = Weighing::default();
    let (dns, clock) = (weighing.dns.clone(), weighing.clock.clone());
    dns.text("shop.example", "v=spf1 ip4:198.51.100.0/24 -all");
    dns.mx("shop.example", "client.example");
    let house = House::weighing(settings(|_| {}), RuleBook::default(), weighing).await;
    let mut talk = house.greets(NAMELESS, "localhost").await;
    assert!(rcpt(&mut talk, "a@shop.example", "bob@s.example").await.starts_with("450"));
    clock.forward(Duration::from_secs(61));
    assert!(talk.deliver("a@shop.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    let mut neighbour = house.greets("198.51.100.99", "localhost").await;
    assert!(rcpt(&mut neighbour, "b@shop.example", "alice@s.example").await.starts_with("250"));
    assert!(rcpt(&mut neighbour, "b@c.example", "alice@s.example").await.starts_with("550"), "which SPF denies");
    assert!(rcpt(&mut neighbour, "", "alice@s.example").await.starts_with("450"));
}

#[tokio::test]
async fn who_calls_itself_by_our_name_isn_t_us() {
    let (house, _) = usual(settings(|guard| guard.refuse_at = 5)).await;
    for ours in ["mx.s.example", "s.example", "[192.0.2.1]"] {
        let mut talk = house.greets("192.0.2.7", ours).await;
        let reply = rcpt(&mut talk, "", "bob@s.example").await;
        assert!(reply.starts_with("550 5.7.1 Refused: the name in your greeting"), "{ours}: {reply}");
    }
}

/// A host whose greeting has SPF ask ten hosts of each of ten domains, or wait for ever.
#[tokio::test]
async fn what_a_client_greets_with_switches_no_verdict_on_its_sender_off() {
    let (house, dns) = usual(settings(|guard| guard.refuse_at = 4)).await;
    dns.mx("bank.example", "client.example");
    dns.text("bank.example", "v=spf1 ip4:203.0.113.0/24 -all");
    let terms: Vec<String> = (0..10).map(|n| format!("mx:m{n}.evil.example")).collect();
    dns.text("x.evil.example", &format!("v=spf1 {} -all", terms.join(" ")));
    for (domain, host) in (0..10).flat_map(|domain| (0..10).map(move |host| (domain, host))) {
        dns.mx(&format!("m{domain}.evil.example"), &format!("v{domain}-{host}.victim.example"));
    }
    dns.text("y.evil.example", "v=spf1 a:stalled.example -all");
    dns.stall("stalled.example");
    for hello in ["x.evil.example", "y.evil.example"] {
        let mut talk = house.greets("198.51.100.9", hello).await;
        let reply = rcpt(&mut talk, "ceo@bank.example", "bob@s.example").await;
        assert!(reply.starts_with("550 5.7.23"), "{hello}: {reply}");
        let refused = house.logged("recipient.refused").pop().unwrap();
        assert!(refused.contains("spf-fail+4"), "{refused}");
    }
}

#[tokio::test]
async fn a_sender_whose_spf_can_t_be_known_is_a_sign_and_never_refused_for_good_by_it() {
    let (house, dns) = listing(3, settings(|_| {}), RuleBook::default()).await;
    dns.mx("bank.example", "client.example");
    dns.text("bank.example", "v=spf1 include:gone.example -all");
    dns.fall_silent("gone.example");
    let mut talk = house.greets(NAMELESS, "bad.example").await;
    let reply = rcpt(&mut talk, "ceo@bank.example", "bob@s.example").await;
    assert!(reply.starts_with("451 4.4.3 "), "{reply}");
    assert_eq!(house.traced(&reply).await.entries[0].verdict, Verdict::Deferred);
    let reason = house.traced(&reply).await.entries.remove(0).reason;
    assert_eq!(reason, "score 8: no-reverse+2,listed:bl.example+3,spf-temperror+3");
    // Whom a user wrote to isn't spared for a name that can't be proven now.
    let mut user = house.logged_in().await;
    user.deliver("alice@s.example", &["ceo@bank.example"], &MESSAGE.replace("a@c", "alice@s")).await;
    let mut talk = house.greets("198.51.100.8", "localhost").await;
    assert!(rcpt(&mut talk, "ceo@bank.example", "bob@s.example").await.starts_with("450 4.7.1"));
    // Who looks well isn't put off, and a bounce is judged by what it has.
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    assert!(rcpt(&mut talk, "ceo@bank.example", "bob@s.example").await.starts_with("250"));
}

#[tokio::test]
async fn one_host_s_slow_senders_put_nobody_else_off() {
    let (house, dns) = usual(settings(|_| {})).await;
    dns.stall("slow.evil.example");
    let mut sessions = Vec::new();
    for session in 0..60 {
        let mut talk = house.greets("198.51.100.7", "x.slow.evil.example").await;
        for n in 0..SMTP_EMPTY_MAILS_MAX {
            talk.expect(&format!("MAIL FROM:<a@n{session}-{n}.slow.evil.example>\r\n"), 250).await;
            talk.expect("RSET\r\n", 250).await;
        }
        talk.expect(&format!("MAIL FROM:<a@n{session}.slow.evil.example>\r\n"), 250).await;
        sessions.push(talk);
    }
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    assert!(talk.deliver("a@c.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    let logged = house.logged("message.accepted").pop().unwrap();
    assert!(logged.contains("signs=hello-confirmed-1,spf-pass-1 spf=pass"), "{logged}");
}

#[tokio::test]
async fn the_store_is_asked_for_correspondents_only_of_who_looks_bad_and_once() {
    let (house, dns) = usual(settings(|_| {})).await;
    dns.mx("plain.example", "client.example");
    let asked = || house.store.correspondents.load(std::sync::atomic::Ordering::Relaxed);
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    assert!(talk.deliver("a@c.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    assert_eq!(asked(), 0);
    let mut talk = house.greets(NAMELESS, "localhost").await;
    talk.expect("MAIL FROM:<x@plain.example>\r\n", 250).await;
    for user in ["bob", "alice", "small"] {
        let reply = talk.say(format!("RCPT TO:<{user}@s.example>\r\n")).await;
        assert!(reply.starts_with("450"), "{user}: {reply}");
    }
    assert_eq!(asked(), 1);
}

/// Attacks A6.
#[tokio::test]
async fn who_asked_for_many_who_aren_t_here_has_it_against_it() {
    let (house, _) = usual(settings(|_| {})).await;
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    tokio::time::pause();
    for n in 0..UNKNOWN_RECIPIENTS_SIGN {
        talk.expect(&format!("RCPT TO:<guess{n}@s.example>\r\n"), 550).await;
    }
    tokio::time::resume();
    talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    talk.expect("x\r\n.\r\n", 250).await;
    let logged = house.logged("message.accepted").pop().unwrap();
    assert!(logged.contains("score=1 ") && logged.contains("unknown-recipients+3"), "{logged}");
}

/// Relaying denied and the like are no guesses.
#[tokio::test]
async fn only_who_isn_t_here_counts_as_unknown() {
    let (house, _) = usual(settings(|_| {})).await;
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    tokio::time::pause();
    for n in 0..=UNKNOWN_RECIPIENTS_SIGN {
        talk.expect(&format!("RCPT TO:<x{n}@t.example>\r\n"), 550).await;
    }
    tokio::time::resume();
    talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    talk.expect("x\r\n.\r\n", 250).await;
    let logged = house.logged("message.accepted").pop().unwrap();
    assert!(logged.contains("score=-2 ") && !logged.contains("unknown-recipients"), "{logged}");
}

/// Names are easily given: only whose they are proven to be has what an allow list says in their favour.
#[tokio::test]
async fn forged_names_on_allow_lists_of_domains_gain_nothing() {
    let mut weighing = Weighing::default();
    let dns = weighing.dns.clone();
    weighing.lists.domains = vec![ListLine::parse("wl.example -5", ListKind::Domains).unwrap()];
    for name in ["test", "bank.example", "c.example"] {
        dns.address(&format!("{name}.wl.example"), "127.0.0.2");
    }
    dns.mx("bank.example", "client.example");
    dns.text("bank.example", "v=spf1 ip4:203.0.113.0/24 ~all");
    let house = House::weighing(settings(|_| {}), RuleBook::default(), weighing).await;
    let mut talk = house.greets(NAMELESS, "bank.example").await;
    let reply = rcpt(&mut talk, "a@bank.example", "bob@s.example").await;
    assert!(reply.starts_with("450 4.7.1 Put off"), "{reply}");
    let reason = house.traced(&reply).await.entries.remove(0).reason;
    assert_eq!(reason, "greylisted, score 4: no-reverse+2,spf-softfail+2");
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    assert!(talk.deliver("a@c.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    let logged = house.logged("message.accepted").pop().unwrap();
    assert!(logged.contains("spf-pass-1,listed:wl.example-5"), "{logged}");
}

/// The firm's web host stands elsewhere, and is called as the firm.
#[tokio::test]
async fn a_host_that_a_domain_of_ours_leads_to_may_say_so() {
    let (house, dns) = usual(settings(|guard| guard.refuse_at = 5)).await;
    dns.host("s.example", "192.0.2.80");
    let mut talk = house.greets("192.0.2.80", "s.example").await;
    assert!(talk.deliver("", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    let logged = house.logged("message.accepted").pop().unwrap();
    assert!(logged.contains(" signs=hello-confirmed-1 "), "{logged}");
    dns.address("mx.s.example", "192.0.2.80");
    let mut talk = house.greets("192.0.2.80", "mx.s.example").await;
    assert!(rcpt(&mut talk, "", "bob@s.example").await.starts_with("550"), "this server's name is no other host's");
}

/// Whoever breaks their own reverse DNS is no better off than without a name.
#[tokio::test]
async fn a_name_that_can_t_be_looked_up_is_a_sign_and_rules_that_refuse_by_names_put_off() {
    let mut weighing = Weighing::default();
    weighing.dns.fall_silent("9.2.0.192.in-addr.arpa");
    weighing.lists = config::Lists::default();
    let book = rules(&["unnamed to alice@s.example refuse"]);
    let house = House::weighing(settings(|_| {}), book, weighing).await;
    let mut talk = house.greets("192.0.2.9", "any.example").await;
    let reply = rcpt(&mut talk, "", "alice@s.example").await;
    assert!(reply.starts_with("450 4.7.25 Your host's name"), "{reply}");
    assert!(house.traced(&reply).await.entries[0].reason.contains("can't be looked up"), "{reply}");
    assert!(talk.deliver("", &["bob@s.example"], MESSAGE).await.starts_with("250"), "a rule for others");
    let logged = house.logged("message.accepted").pop().unwrap();
    assert!(logged.contains("reverse-failed+1"), "{logged}");
}

/// What it greets with is the same for each of its messages, and so is what SPF says of it; that of another name isn't.
#[tokio::test]
async fn spf_of_a_greeting_is_asked_once_a_session() {
    let (house, dns) = usual(settings(|_| ())).await;
    for name in ["one.example", "two.example"] {
        dns.text(name, "v=spf1 -all");
    }
    let mut talk = house.greets("198.51.100.9", "one.example").await;
    for _ in 0..3 {
        rcpt(&mut talk, "a@c.example", "bob@s.example").await;
    }
    assert_eq!((dns.texts_asked("one.example"), dns.texts_asked("two.example")), (1, 0));
    for _ in 0..2 {
        talk.expect("EHLO two.example\r\n", 250).await;
        rcpt(&mut talk, "a@c.example", "bob@s.example").await;
    }
    assert_eq!((dns.texts_asked("one.example"), dns.texts_asked("two.example")), (1, 1));
    dns.fall_silent("three.example");
    talk.expect("EHLO three.example\r\n", 250).await;
    for _ in 0..2 {
        rcpt(&mut talk, "a@c.example", "bob@s.example").await;
    }
    assert_eq!(dns.texts_asked("three.example"), 2, "what wasn't known may be now");
}

#[tokio::test]
async fn spf_of_a_domain_is_asked_once_a_session_unless_its_record_asks_who_sends() {
    let (house, dns) = usual(settings(|_| ())).await;
    dns.text("plain.example", "v=spf1 -all");
    dns.text("asks.example", "v=spf1 exists:%{l}.who.asks.example -all");
    let mut talk = house.greets("198.51.100.9", "one.example").await;
    for sender in ["a@plain.example", "b@plain.example", "a@plain.example"] {
        rcpt(&mut talk, sender, "bob@s.example").await;
    }
    assert_eq!(dns.texts_asked("plain.example"), 1);
    for sender in ["a@asks.example", "b@asks.example"] {
        rcpt(&mut talk, sender, "bob@s.example").await;
    }
    assert_eq!(dns.texts_asked("asks.example"), 2);
    talk.expect("EHLO two.example\r\n", 250).await;
    rcpt(&mut talk, "a@plain.example", "bob@s.example").await;
    assert_eq!(dns.texts_asked("plain.example"), 2, "a record may ask what it greets with");
}
