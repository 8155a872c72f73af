//! Attacks A1: every form in which somebody tried to have a server send mail to others' domains. S is `s.example`, T
//! `t.example`, and our address `192.0.2.1`.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at what it didn't expect"
)]

mod common;

use common::{House, Talk, plain};
use mailward_core::{Listener, Network};
use mailward_gate::rules::RuleBook;
use mailward_gate::{InsideRules, Sending};
use mailward_receive::Settings;
use std::sync::Arc;

/// One try: what is said before, the paths, and whether it is refused for its form already (501).
struct Probe {
    number: u8,
    from: &'static str,
    to: &'static str,
    form: bool,
}

const fn probe(number: u8, from: &'static str, to: &'static str) -> Probe {
    Probe { number, from, to, form: false }
}
const fn malformed(number: u8, from: &'static str, to: &'static str) -> Probe {
    Probe { number, from, to, form: true }
}

/// The battery: 1 to 17 in the order in which relay testers send them, then the research since.
const BATTERY: &[Probe] = &[
    probe(1, "<>", "<u@t.example>"),
    probe(2, "<a@t.example>", "<u@t.example>"),
    probe(3, "<a@s.example>", "<u@t.example>"),
    probe(4, "<a@[192.0.2.1]>", "<u@t.example>"),
    probe(5, "<a@[192.0.2.1]>", "<u%t.example@[192.0.2.1]>"),
    probe(6, "<a@[192.0.2.1]>", "<u%t.example@s.example>"),
    malformed(7, "<a@[192.0.2.1]>", "<\"u@t.example\">"),
    malformed(8, "<a@[192.0.2.1]>", "<\"u%t.example\">"),
    malformed(9, "<a@[192.0.2.1]>", "<u@t.example@[192.0.2.1]>"),
    probe(10, "<a@[192.0.2.1]>", "<\"u@t.example\"@[192.0.2.1]>"),
    malformed(11, "<a@[192.0.2.1]>", "<u@t.example@s.example>"),
    probe(12, "<a@[192.0.2.1]>", "<@[192.0.2.1]:u@t.example>"),
    probe(13, "<a@[192.0.2.1]>", "<@s.example:u@t.example>"),
    malformed(14, "<a@[192.0.2.1]>", "<t.example!u>"),
    probe(15, "<a@[192.0.2.1]>", "<t.example!u@[192.0.2.1]>"),
    probe(16, "<a@[192.0.2.1]>", "<t.example!u@s.example>"),
    probe(17, "<a@localhost>", "<u@t.example>"),
    malformed(18, "<a>", "<u@t.example>"),
    probe(19, "<postmaster@s.example>", "<u@t.example>"),
    probe(19, "<bounce@s.example>", "<u@t.example>"),
    probe(20, "<\"a\"@s.example>", "<\"u@t.example\"@s.example>"),
    malformed(20, "< a@s.example>", "<\"u@t.example\"@s.example>"),
    malformed(20, "<<a@s.example>>", "<\"u@t.example\"@s.example>"),
    malformed(21, "<>", "<u@t.example.>"),
    malformed(21, "<>", "<u@t.example%00.s.example>"),
    malformed(21, "<>", "<u@s.example%00t.example>"),
    probe(22, "<>", "<u@xn--t-0ga.example>"),
    malformed(22, "<>", "<u\u{ff20}t.example>"),
    malformed(22, "<>", "<u@t\u{3002}s.example>"),
    malformed(22, "<> SMTPUTF8", "<u\u{ff20}t.example>"),
    probe(22, "<> SMTPUTF8", "<u@t\u{3002}example>"),
    probe(22, "<> SMTPUTF8", "<u@\u{ff54}.example>"),
    probe(26, "<a@c.example>", "<out@s.example>"),
    probe(26, "<a@c.example>", "<mixed@s.example>"),
    probe(26, "<a@c.example>", "<u@t.example> ORCPT=rfc822;alice@s.example"),
];

/// The seventeen probes of the classic public relay tester, in its order, which it sends in one session.
const ABUSE_NET: [(&str, &str); 17] = [
    ("<spamtest@t.example>", "<u@t.example>"),
    ("<spamtest>", "<u@t.example>"),
    ("<>", "<u@t.example>"),
    ("<spamtest@s.example>", "<u@t.example>"),
    ("<spamtest@[192.0.2.1]>", "<u@t.example>"),
    ("<spamtest@s.example>", "<u%t.example@s.example>"),
    ("<spamtest@s.example>", "<u%t.example@[192.0.2.1]>"),
    ("<spamtest@s.example>", "<\"u@t.example\">"),
    ("<spamtest@s.example>", "<\"u%t.example\">"),
    ("<spamtest@s.example>", "<u@t.example@s.example>"),
    ("<spamtest@s.example>", "<\"u@t.example\"@s.example>"),
    ("<spamtest@s.example>", "<u@t.example@[192.0.2.1]>"),
    ("<spamtest@s.example>", "<@s.example:u@t.example>"),
    ("<spamtest@s.example>", "<@[192.0.2.1]:u@t.example>"),
    ("<spamtest@s.example>", "<t.example!u>"),
    ("<spamtest@s.example>", "<t.example!u@s.example>"),
    ("<spamtest@s.example>", "<t.example!u@[192.0.2.1]>"),
];

/// Tries one form; tells how it was refused. Panics if it wasn't, or if mail could follow.
async fn refused(talk: &mut Talk, probe: &Probe) -> u16 {
    let what = format!("{} {} -> {}", probe.number, probe.from, probe.to);
    let sender = talk.say(format!("MAIL FROM:{}\r\n", probe.from)).await;
    let recipient = talk.say(format!("RCPT TO:{}\r\n", probe.to)).await;
    let data = talk.say("DATA\r\n").await;
    assert!(data.starts_with("503 "), "{what}: {data}");
    talk.expect("RSET\r\n", 250).await;
    let answer = if sender.starts_with("250") { recipient } else { sender };
    let code: u16 = answer[..3].parse().unwrap();
    assert!(code >= 400, "{what}: {answer}");
    code
}

async fn run(house: &House, listener: Listener) {
    for probe in BATTERY {
        let mut talk = house.greeted(listener).await;
        let code = refused(&mut talk, probe).await;
        if listener != Listener::Submission {
            let expected: &[u16] = match probe {
                Probe { form: true, .. } => &[501],
                // An alias of ours that leads elsewhere: refused for now, and never sent.
                Probe { number: 26, .. } => &[451, 550],
                _ => &[550],
            };
            assert!(expected.contains(&code), "{}: {code}", probe.number);
        } else {
            assert!(code == 530 || (code == 501 && probe.form), "{}: {code}", probe.number);
        }
        talk.expect("QUIT\r\n", 221).await;
    }
    assert!(house.nothing_stored().await);
    assert_eq!(house.store.deliveries.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn no_stranger_relays_through_port_25() {
    run(&House::new().await, Listener::Smtp).await;
}

#[tokio::test]
async fn the_public_relay_tester_finds_no_relay() {
    let house = House::new().await;
    for listener in [Listener::Smtp, Listener::Lmtp, Listener::Submission] {
        let mut talk = house.greeted(listener).await;
        for (number, (from, to)) in ABUSE_NET.iter().enumerate() {
            if listener == Listener::Submission {
                // Without login every line is an error there, and the session would end in the middle.
                talk = house.greeted(listener).await;
            }
            talk.expect("RSET\r\n", 250).await;
            talk.say(format!("MAIL FROM:{from}\r\n")).await;
            let recipient = talk.say(format!("RCPT TO:{to}\r\n")).await;
            assert!(recipient.starts_with('5'), "{number} {from} {to}: {recipient}");
        }
    }
    assert!(house.nothing_stored().await);
}

#[tokio::test]
async fn nobody_relays_through_lmtp() {
    run(&House::new().await, Listener::Lmtp).await;
}

/// 27.
#[tokio::test]
async fn nobody_relays_through_submission_without_login() {
    run(&House::new().await, Listener::Submission).await;
}

#[tokio::test]
async fn a_login_sends_nothing_to_others_where_sending_is_off_and_is_told_so() {
    let house = House::with(Settings { sending: Sending::Off, ..Settings::default() }).await;
    let mut talk = house.logged_in().await;
    talk.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
    let reply = talk.expect("RCPT TO:<u@t.example>\r\n", 550).await;
    assert_eq!(reply, "550 5.7.1 This server doesn't send mail to other domains\r\n");
    talk.expect("RCPT TO:<out@s.example>\r\n", 550).await;
    talk.expect("RCPT TO:<mixed@s.example>\r\n", 550).await;
    talk.expect("DATA\r\n", 503).await;
    talk.expect("QUIT\r\n", 221).await;
    for probe in BATTERY {
        let mut talk = house.logged_in().await;
        let inside = Probe { number: probe.number, from: "<alice@s.example> SMTPUTF8", to: probe.to, form: probe.form };
        let code = refused(&mut talk, &inside).await;
        assert!(matches!(code, 501 | 550), "{}: {code}", probe.number);
        refused(&mut talk, probe).await;
    }
    assert!(house.nothing_stored().await);
}

/// 23.
#[tokio::test]
async fn a_name_in_the_greeting_gives_no_right() {
    let house = House::new().await;
    for name in ["s.example", "mx.s.example", "[127.0.0.1]", "localhost", "[192.0.2.1]", "[IPv6:::1]"] {
        for verb in ["EHLO", "HELO"] {
            let mut talk = house.connect(Listener::Smtp).await;
            talk.expect("", 220).await;
            talk.expect(&format!("{verb} {name}\r\n"), 250).await;
            assert_eq!(refused(&mut talk, &BATTERY[2]).await, 550);
        }
    }
}

/// 24.
#[tokio::test]
async fn rights_are_never_inherited() {
    let house = House::new().await;
    let probe = &BATTERY[2];

    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    talk.expect("RSET\r\n", 250).await;
    assert_eq!(refused(&mut talk, probe).await, 550, "after RSET");
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    talk.expect("EHLO s.example\r\n", 250).await;
    talk.expect("DATA\r\n", 503).await;
    assert_eq!(refused(&mut talk, probe).await, 550, "after a second EHLO");
    let mut talk = house.secure(talk).await;
    talk.expect("EHLO s.example\r\n", 250).await;
    assert_eq!(refused(&mut talk, probe).await, 550, "after STARTTLS");

    let mut talk = house.greeted(Listener::Submissions).await;
    talk.expect(&format!("AUTH PLAIN {}\r\n", plain("alice@s.example", "wrong")), 535).await;
    assert_eq!(refused(&mut talk, probe).await, 530, "after a failed login");
    assert!(house.nothing_stored().await);
}

/// 25.
#[tokio::test]
async fn strangers_can_t_say_that_they_are_somebody_else() {
    let house = House::new().await;
    let mut talk = house.connect(Listener::Smtp).await;
    talk.expect("", 220).await;
    talk.expect("PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n", 500).await;
    talk.expect("EHLO c.example\r\n", 250).await;
    talk.expect("XCLIENT ADDR=127.0.0.1 LOGIN=alice@s.example\r\n", 500).await;
    talk.expect("XFORWARD ADDR=127.0.0.1\r\n", 500).await;
    assert_eq!(refused(&mut talk, &BATTERY[2]).await, 550);
}

/// A house that hosts of networks may send out through.
async fn inside(any_sender: bool) -> House {
    inside_with(any_sender, Sending::On).await
}

async fn inside_with(any_sender: bool, sending: Sending) -> House {
    let book = RuleBook::new(&[], &["192.0.2.0/25", "2001:db8:1::/48"].map(|text| Network::parse(text).unwrap()));
    let rules = InsideRules { any_sender, ..InsideRules::default() };
    House::with_rules(Settings { inside: Arc::new(rules), sending, ..Settings::default() }, book).await
}

/// The whole battery once more with inside hosts allowed: from every address that isn't one, in every guise.
#[tokio::test]
async fn strangers_have_no_more_rights_because_some_hosts_are_inside() {
    for any_sender in [false, true] {
        let house = inside(any_sender).await;
        for outside in
            ["192.0.2.128", "198.51.100.1", "127.0.0.1", "::1", "2001:db8:2::1", "::192.0.2.7", "64:ff9b::c000:207"]
        {
            let mut talk = house.greeted_from(Listener::Smtp, outside).await;
            for probe in [&BATTERY[0], &BATTERY[2], &BATTERY[12], &BATTERY[17]] {
                refused(&mut talk, probe).await;
            }
        }
        for probe in BATTERY {
            let mut talk = house.greeted_from(Listener::Smtp, "192.0.2.200").await;
            refused(&mut talk, probe).await;
        }
        // What is said of an address, in a greeting or by words of proxies, isn't one.
        for name in ["[192.0.2.7]", "[IPv6:2001:db8:1::1]", "[IPv6:::ffff:192.0.2.7]", "192.0.2.7"] {
            let mut talk = house.greeted_from(Listener::Smtp, "198.51.100.1").await;
            talk.expect(&format!("EHLO {name}\r\n"), 250).await;
            talk.expect("XCLIENT ADDR=192.0.2.7\r\n", 500).await;
            talk.expect("XFORWARD ADDR=192.0.2.7\r\n", 500).await;
            talk.expect("PROXY TCP4 192.0.2.7 192.0.2.1 1 25\r\n", 500).await;
            assert_eq!(refused(&mut talk, &BATTERY[2]).await, 550, "{name}");
        }
        // Not on other doors: LMTP is no way out, and submission wants a login from everybody.
        for listener in [Listener::Lmtp, Listener::Submission] {
            let mut talk = house.greeted(listener).await;
            refused(&mut talk, &BATTERY[2]).await;
        }
        assert!(house.nothing_stored().await);
    }
}

/// An inside host may send out, and that is all: forms that are refused for users are refused for it.
#[tokio::test]
async fn an_inside_host_sends_out_as_an_address_of_ours_only() {
    let house = inside(false).await;
    for address in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8:1::7"] {
        let mut talk = house.greeted_from(Listener::Smtp, address).await;
        for ours in ["<alice@s.example>", "<printer@s.example>", "<>"] {
            talk.expect(&format!("MAIL FROM:{ours}\r\n"), 250).await;
            talk.expect("RCPT TO:<u@t.example>\r\n", 250).await;
            talk.expect("RCPT TO:<@s.example:u@t.example>\r\n", 250).await;
            talk.expect("RCPT TO:<u@[192.0.2.1]>\r\n", 550).await;
            talk.expect("RCPT TO:<u%t.example@s.example>\r\n", 550).await;
            talk.expect("RSET\r\n", 250).await;
        }
        // In another's name it is a stranger: it may bring mail for us, and relays nothing.
        for theirs in ["<a@t.example>", "<a@sub.s.example>", "<a@[192.0.2.7]>", "<a@localhost>"] {
            talk.expect(&format!("MAIL FROM:{theirs}\r\n"), 250).await;
            talk.expect("RCPT TO:<u@t.example>\r\n", 550).await;
            talk.expect("RCPT TO:<out@s.example>\r\n", 451).await;
            talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
            talk.expect("RSET\r\n", 250).await;
        }
        // 24: the right goes with its transaction.
        talk.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
        talk.expect("EHLO client.example\r\n", 250).await;
        talk.expect("RCPT TO:<u@t.example>\r\n", 503).await;
    }
    let off = inside_with(false, Sending::Off).await;
    let mut talk = off.greeted_from(Listener::Smtp, "192.0.2.7").await;
    talk.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<u@t.example>\r\n", 550).await;
}

/// Attacks A6: who is there and can't be reached looks like who isn't there.
#[tokio::test]
async fn a_disabled_user_looks_like_none() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    let nobody = talk.say("RCPT TO:<nobody@s.example>\r\n").await;
    let carol = talk.say("RCPT TO:<carol@s.example>\r\n").await;
    assert_eq!(nobody, carol);
    assert!(carol.starts_with("550 5.1.1 "), "{carol}");
    assert_eq!(talk.say("VRFY alice\r\n").await, talk.say("VRFY nobody\r\n").await);
    assert_eq!(house.logged("recipient.refused").len(), 2);
    assert_eq!(house.logged("the user is disabled").len(), 1, "the log knows");
}
