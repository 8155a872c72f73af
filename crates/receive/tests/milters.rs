//! What milters want, and what becomes of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may stop at what it didn't expect"
)]

mod common;
#[path = "../../milter/tests/sessions/milter.rs"]
mod milter;

use common::strangers::{NAMELESS, rcpt, settings};
use common::{House, Talk, Weighing};
use mailward_core::Listener;
use mailward_core::config::{MilterDefault, MilterLine, Milters};
use mailward_gate::rules::RuleBook;
use mailward_milter::State;
use mailward_receive::Settings;
use mailward_store::QuarantineStore as _;
use milter::{Milter, go_on, packet};
use std::time::Duration;

const MESSAGE: &str = "From: a@c.example\r\nSubject: hello\r\n\r\nbody\r\n";

/// A milter that says this at the end of a message.
fn at_end(packets: &[(u8, &[u8])], last: u8) -> Milter {
    let mut end: Vec<u8> = packets.iter().flat_map(|(letter, data)| packet(*letter, data)).collect();
    end.extend(packet(last, b""));
    Milter::new("m", move |letter, _| Some(if letter == b'E' { end.clone() } else { packet(b'c', b"") }))
}

fn at(letter: u8, reply: u8, data: &'static [u8]) -> Milter {
    Milter::new("m", move |heard, _| if heard == letter { Some(packet(reply, data)) } else { go_on() })
}

async fn house(smtp: &[&Milter], submission: &[&Milter]) -> House {
    let lines = |milters: &[&Milter]| milters.iter().map(|milter| milter.line.clone()).collect::<Vec<MilterLine>>();
    let milters = Milters { smtp: lines(smtp), submission: lines(submission), lmtp: Vec::new() };
    House::with(Settings { milters, ..Settings::default() }).await
}

async fn over(mut talk: Talk) {
    talk.expect("QUIT\r\n", 221).await;
    assert!(talk.is_over().await);
    talk.task.await.unwrap();
}

#[tokio::test]
async fn a_milter_is_asked_about_what_we_would_take_and_nothing_else() {
    let milter = Milter::new("m", |_, _| go_on());
    let house = house(&[&milter], &[]).await;
    let mut idle = house.greeted(Listener::Smtp).await;
    idle.expect("NOOP\r\n", 250).await;
    over(idle).await;
    assert_eq!(milter.connections(), 0);
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<a@c.example> SIZE=100 BODY=8BITMIME\r\n", 250).await;
    talk.expect("RCPT TO:<nobody@s.example>\r\n", 550).await;
    talk.expect("RCPT TO:<x@t.example>\r\n", 550).await;
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    let reply = talk.expect(&format!("{MESSAGE}.\r\n"), 250).await;
    let id = reply.trim_end().strip_prefix("250 2.0.0 Ok: ").unwrap().to_owned();
    over(talk).await;
    milter.hears('Q', 1).await;
    assert_eq!(milter.letters(), "CHMRTLLNBEQ");
    let heard = milter.heard().join("\n");
    assert!(heard.contains("M <a@c.example>\0SIZE=100\0BODY=8BITMIME\0"), "{heard}");
    assert!(heard.contains("L From\0a@c.example\0") && heard.contains("B body\r\n"), "{heard}");
    assert!(heard.contains(&format!("D Ti\0{id}\0{{nrcpts}}\x001\0")), "{heard}");
    assert!(heard.contains("{daemon_name}\0MTA\0") && heard.contains("{client_addr}\x00192.0.2.7\0"), "{heard}");
    assert!(heard.contains("{client_port}\x004660\0"), "{heard}");
    assert!(heard.contains("C [192.0.2.7]\x004\x12\x34192.0.2.7\0"), "its port stands before its address: {heard}");
    assert!(!heard.contains("Received"), "what we write before it isn't the message");
    assert_eq!(house.inbox("alice").await.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_given_where_it_was_said() {
    for letter in *b"CHMRTLNBE" {
        let milter = at(letter, b'y', b"554 5.7.9 Go away\0");
        let house = house(&[&milter], &[]).await;
        let mut talk = house.greeted(Listener::Smtp).await;
        let mut codes = Vec::new();
        for line in ["MAIL FROM:<a@c.example>\r\n", "RCPT TO:<alice@s.example>\r\n", "DATA\r\n"] {
            codes.push(talk.say(line).await);
        }
        if codes[2].starts_with("354") {
            codes.push(talk.say(format!("{MESSAGE}.\r\n")).await);
        }
        let place = codes.iter().position(|code| code.starts_with("554 5.7.9 Go away")).unwrap();
        let wanted = match letter {
            b'C' | b'H' | b'M' => 0,
            b'R' => 1,
            b'T' => 2,
            _ => 3,
        };
        assert_eq!(place, wanted, "{codes:?}");
        over(talk).await;
        assert!(house.nothing_stored().await);
        assert!(house.logged("refused").iter().any(|line| line.contains("milter m: 554 5.7.9 Go away")));
    }
}

#[tokio::test]
async fn a_milter_that_ends_the_session_ends_it() {
    let milter = at(b'M', b'4', b"");
    let house = house(&[&milter], &[]).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 421).await;
    assert!(talk.is_over().await);
}

#[tokio::test]
async fn what_milters_change_is_what_is_stored() {
    let milter = at_end(
        &[
            (b'i', b"\0\0\0\x01X-First\0one\0"),
            (b'h', b"X-Last\0two\0"),
            (b'm', b"\0\0\0\x01Subject\0[marked] hello\0"),
            (b'b', b"new\nbody\r\n"),
        ],
        b'c',
    );
    let house = house(&[&milter], &[]).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await;
    let inbox = house.inbox("alice").await;
    let (trace, message) = inbox[0].split_at(inbox[0].find("X-First").unwrap());
    assert!(trace.starts_with("Return-Path: <a@c.example>\r\nReceived: "));
    assert_eq!(
        message,
        "X-First: one\r\nFrom: a@c.example\r\nSubject: [marked] hello\r\nX-Last: two\r\n\r\nnew\r\nbody\r\n"
    );
    assert_eq!(house.logged("message.filtered").len(), 1);
}

#[tokio::test]
async fn recipients_come_and_go_and_nobody_gets_a_right_by_it() {
    let milter = at_end(
        &[
            (b'-', b"<alice@s.example>\0"),
            (b'+', b"<bob@s.example>\0"),
            (b'+', b"<x@t.example>\0"),
            (b'+', b"<no@s.example>\0"),
        ],
        b'c',
    );
    let house = house(&[&milter], &[]).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    assert!(talk.deliver("a@c.example", &["alice@s.example", "small@s.example"], MESSAGE).await.starts_with("250"));
    assert_eq!((house.inbox("alice").await.len(), house.inbox("bob").await.len()), (0, 1));
    assert_eq!(house.inbox("small").await.len(), 1);
    let refused = house.logged("milter.recipient_refused");
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].contains("recipient=x@t.example"), "{refused:?}");
}

#[tokio::test]
async fn what_a_milter_redirects_to_somebody_who_is_refused_isn_t_lost() {
    for to in [b"<x@t.example>\0".as_slice(), b"<no@s.example>\0"] {
        let milter = at_end(&[(b'-', b"<alice@s.example>\0"), (b'+', to)], b'c');
        let house = house(&[&milter], &[]).await;
        let mut talk = house.greeted(Listener::Smtp).await;
        let reply = talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await;
        assert!(reply.starts_with("451 4.7.0"), "{reply}");
        assert!(house.nothing_stored().await && house.logged("message.discarded").is_empty());
        assert!(house.logged("message.refused")[0].contains("alone, who is refused"));
    }
}

#[tokio::test]
async fn limits_hold_for_whom_milters_add() {
    let milter = at_end(&[(b'+', b"<bob@s.example>\0"), (b'+', b"<both@s.example>\0")], b'c');
    let milters = Milters { smtp: vec![milter.line.clone()], ..Milters::default() };
    let house = House::with(Settings { milters, recipients: 2, ..Settings::default() }).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    assert!(talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await.starts_with("250"));
    assert_eq!((house.inbox("alice").await.len(), house.inbox("bob").await.len()), (1, 1));
    let refused = house.logged("milter.recipient_refused");
    assert!(refused.len() == 1 && refused[0].contains("recipient=both@s.example"), "{refused:?}");
    assert!(refused[0].contains("Too many recipients"), "{refused:?}");
}

#[tokio::test]
async fn nobody_gets_mail_by_a_milter_into_a_mailbox_that_is_full() {
    let milter = at_end(&[(b'+', b"<small@s.example>\0")], b'c');
    let milters = Milters { smtp: vec![milter.line.clone()], ..Milters::default() };
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    assert!(talk.deliver("a@c.example", &["small@s.example"], MESSAGE).await.starts_with("250"));
    assert!(talk.deliver("a@c.example", &["small@s.example"], MESSAGE).await.starts_with("452"));
    house.context.settings.store(std::sync::Arc::new(Settings { milters, ..Settings::default() }));
    let mut talk = house.greeted(Listener::Smtp).await;
    assert!(talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await.starts_with("250"));
    assert_eq!((house.inbox("alice").await.len(), house.inbox("small").await.len()), (1, 1));
    assert!(house.logged("milter.recipient_refused")[0].contains("mailbox full"));
}

#[tokio::test]
async fn what_a_milter_says_in_our_name_stays_and_what_others_said_isn_t_shown_to_it() {
    let milter = at_end(&[(b'i', b"\0\0\0\0Authentication-Results\0mx.s.example; dkim=pass\0")], b'c');
    let house = house(&[&milter], &[]).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    let message = format!(
        "Authentication-Results: MX.s.example; dmarc=pass\r\nAuthentication-Results: mx.c.example; spf=pass\r\n{MESSAGE}"
    );
    talk.deliver("a@c.example", &["alice@s.example"], &message).await;
    let heard = milter.heard().join("\n");
    assert!(!heard.contains("dmarc=pass") && heard.contains("spf=pass"), "{heard}");
    let inbox = house.inbox("alice").await;
    let ours = "Authentication-Results: mx.s.example; dkim=pass\r\nAuthentication-Results: mx.c.example; spf=pass\r\n";
    assert!(inbox[0].contains(ours) && !inbox[0].contains("dmarc=pass"), "{}", inbox[0]);
}

#[tokio::test]
async fn a_message_without_recipients_is_taken_and_told() {
    for milter in [at_end(&[(b'-', b"<alice@s.example>\0")], b'c'), at(b'R', b'd', b""), at(b'E', b'd', b"")] {
        let house = house(&[&milter], &[]).await;
        let mut talk = house.greeted(Listener::Smtp).await;
        assert!(talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await.starts_with("250"));
        assert!(house.nothing_stored().await);
        assert_eq!(house.logged("message.discarded").len(), 1);
        assert!(house.logged("message.accepted").is_empty());
        talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    }
}

#[tokio::test]
async fn another_sender_stands_in_the_trace() {
    let milter = at_end(&[(b'e', b"<other@d.example>\0")], b'c');
    let house = house(&[&milter], &[]).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await;
    let inbox = house.inbox("alice").await;
    assert!(inbox[0].starts_with("Return-Path: <other@d.example>\r\nReceived: from "), "{}", inbox[0]);
    assert!(inbox[0].ends_with(&format!("\r\n{MESSAGE}\r\n")) && inbox[0].matches("Return-Path").count() == 1);
}

#[tokio::test]
async fn a_user_doesn_t_become_another_by_a_milter() {
    let milter = at_end(&[(b'e', b"<bob@s.example>\0")], b'c');
    let house = house(&[], &[&milter]).await;
    let mut talk = house.logged_in().await;
    let message = MESSAGE.replace("a@c.example", "alice@s.example");
    let reply = talk.deliver("alice@s.example", &["bob@s.example"], &message).await;
    assert!(reply.starts_with("553 5.7.1"), "{reply}");
    assert!(house.nothing_stored().await);
}

#[tokio::test]
async fn what_is_to_be_kept_in_quarantine_isn_t_delivered() {
    let milter = at_end(&[(b'q', b"looks bad\0")], b'c');
    let house = house(&[&milter], &[]).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    assert!(talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await.starts_with("250"));
    assert!(house.nothing_stored().await);
    let kept = house.store.local().quarantine(None, None, 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    let note = String::from_utf8(kept[0].note.to_vec()).unwrap();
    assert!(note.contains("wants it in quarantine: looks bad"), "{note}");
    assert!(house.logged("message.judged")[0].contains("milter/m: wants it in quarantine: looks bad"));
}

#[tokio::test]
async fn users_have_milters_of_their_own_and_are_told_by_name() {
    let (smtp, submission) = (Milter::new("one", |_, _| go_on()), Milter::new("two", |_, _| go_on()));
    let house = house(&[&smtp], &[&submission]).await;
    let mut talk = house.logged_in().await;
    let message = MESSAGE.replace("a@c.example", "alice@s.example");
    assert!(talk.deliver("alice@s.example", &["bob@s.example"], &message).await.starts_with("250"));
    over(talk).await;
    assert_eq!(smtp.connections(), 0);
    let heard = submission.heard().join("\n");
    for part in
        ["{daemon_name}\0MSA\0", "{auth_type}\0PLAIN\0{auth_authen}\0alice@s.example\0", "{tls_version}\0TLSv1.3\0"]
    {
        assert!(heard.contains(part), "{part}: {heard}");
    }
    assert!(heard.contains("L Message-ID\0"), "it sees what is sent, mended: {heard}");
    let mut program = house.program(1_000, Some("dave")).await;
    program.expect("MAIL FROM:<dave@mx.s.example>\r\n", 250).await;
    assert!(submission.heard().contains(&"C localhost\0U".to_owned()));
    let mut lmtp = house.greeted(Listener::Lmtp).await;
    lmtp.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    assert_eq!((smtp.connections(), submission.connections()), (0, 2));
}

#[tokio::test]
async fn a_command_that_there_isn_t_is_refused_in_a_milter_s_words() {
    let milter = Milter::new("m", |letter, data| match letter {
        b'U' if data.starts_with(b"ENDS") => Some(packet(b'4', b"")),
        b'U' => Some(packet(b'y', b"502 5.5.1 Try the other door\0")),
        _ => go_on(),
    });
    let house = house(&[&milter], &[]).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("XYZ 1\r\n", 500).await;
    assert_eq!(milter.connections(), 0, "it costs a milter nothing before there is mail");
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    assert!(talk.say("XYZ 2\r\n").await.starts_with("502 5.5.1 Try the other door"));
    assert!(talk.say("MAIL\r\n").await.starts_with("501"), "what is only wrong isn't unknown");
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    talk.expect(&format!("{MESSAGE}.\r\n"), 250).await;
    talk.expect("ENDS\r\n", 421).await;
    assert!(talk.is_over().await);
    assert!(milter.heard().contains(&"U XYZ 2\0".to_owned()), "{:?}", milter.heard());
    assert_eq!(house.inbox("alice").await.len(), 1);
}

async fn lmtp(milter: &Milter) -> (House, Talk) {
    let milters = Milters { lmtp: vec![milter.line.clone()], ..Milters::default() };
    let house = House::with(Settings { milters, ..Settings::default() }).await;
    let talk = house.greeted(Listener::Lmtp).await;
    (house, talk)
}

/// Says who it is for and what it is; the codes.
async fn to(talk: &mut Talk, recipients: &[&str]) -> Vec<u16> {
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    for recipient in recipients {
        talk.expect(&format!("RCPT TO:<{recipient}@s.example>\r\n"), 250).await;
    }
    talk.expect("DATA\r\n", 354).await;
    talk.codes(format!("{MESSAGE}.\r\n"), recipients.len()).await
}

/// RFC 2033 §4.2.
#[tokio::test]
async fn by_lmtp_a_verdict_on_the_message_is_everybody_s_and_one_on_a_recipient_its_own() {
    let milter = Milter::new("m", |letter, data| match letter {
        b'R' if data.starts_with(b"<bob@") => Some(packet(b'y', b"550 5.7.9 Not Bob\0")),
        b'E' => Some(packet(b'y', b"554 5.7.9 Go away\0")),
        _ => go_on(),
    });
    let (house, mut talk) = lmtp(&milter).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    assert!(talk.say("RCPT TO:<bob@s.example>\r\n").await.starts_with("550 5.7.9 Not Bob"));
    talk.expect("RCPT TO:<small@s.example>\r\n", 250).await;
    talk.expect("DATA\r\n", 354).await;
    assert_eq!(talk.codes(format!("{MESSAGE}.\r\n"), 2).await, [554, 554], "for those two that were told yes");
    assert_eq!(to(&mut talk, &["alice"]).await, [554]);
    over(talk).await;
    milter.hears('Q', 1).await;
    assert_eq!(milter.letters(), "CHMRRRTLLNBEMRTLLNBEQ");
    let heard = milter.heard().join("\n");
    assert!(heard.contains("C localhost\0U") && heard.contains("{daemon_name}\0MTA\0"), "{heard}");
    assert!(house.nothing_stored().await);
}

#[tokio::test]
async fn by_lmtp_data_that_is_refused_has_one_reply() {
    let milter = at(b'T', b't', b"");
    let (house, mut talk) = lmtp(&milter).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    assert_eq!(talk.codes("RCPT TO:<alice@s.example>\r\nRCPT TO:<bob@s.example>\r\n", 2).await, [250, 250]);
    assert_eq!(talk.codes("DATA\r\n", 1).await, [451]);
    talk.expect("NOOP\r\n", 250).await;
    assert!(house.nothing_stored().await);
}

#[tokio::test]
async fn by_lmtp_whoever_was_told_yes_is_answered_whoever_gets_it() {
    let milter = at_end(&[(b'-', b"<alice@s.example>\0"), (b'+', b"<both@s.example>\0")], b'c');
    let (house, mut talk) = lmtp(&milter).await;
    assert_eq!(to(&mut talk, &["alice", "small"]).await, [250, 250]);
    talk.expect("NOOP\r\n", 250).await;
    for (user, count) in [("alice", 1), ("bob", 1), ("small", 1)] {
        assert_eq!(house.inbox(user).await.len(), count, "{user}");
    }
    let gone = at_end(&[(b'-', b"<alice@s.example>\0"), (b'-', b"<bob@s.example>\0")], b'c');
    let (house, mut talk) = lmtp(&gone).await;
    assert_eq!(to(&mut talk, &["alice", "bob"]).await, [250, 250]);
    talk.expect("NOOP\r\n", 250).await;
    assert!(house.nothing_stored().await);
    assert_eq!(house.logged("message.discarded").len(), 1);
}

#[tokio::test]
async fn by_lmtp_what_its_new_recipient_has_no_room_for_stays_with_who_brings_it() {
    let milter = at_end(&[(b'-', b"<alice@s.example>\0"), (b'+', b"<small@s.example>\0")], b'c');
    let (house, mut talk) = lmtp(&milter).await;
    assert_eq!(to(&mut talk, &["alice"]).await, [250]);
    assert_eq!(house.inbox("small").await.len(), 1);
    // It isn't known to be full before it is tried.
    assert_eq!(to(&mut talk, &["bob", "alice"]).await, [250, 452]);
    assert_eq!((house.inbox("alice").await.len(), house.inbox("bob").await.len()), (0, 1));
}

#[tokio::test]
async fn by_lmtp_what_is_to_be_kept_is_kept_and_taken() {
    let milter = at_end(&[(b'q', b"looks bad\0")], b'c');
    let (house, mut talk) = lmtp(&milter).await;
    assert_eq!(to(&mut talk, &["alice", "bob"]).await, [250, 250]);
    assert!(house.nothing_stored().await);
    assert_eq!(house.store.local().quarantine(None, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn how_milters_are_is_told_by_door() {
    let (there, gone) = (Milter::new("there", |_, _| go_on()), Milter::absent("gone"));
    let milters = Milters { smtp: vec![there.line.clone()], lmtp: vec![gone.line.clone()], ..Milters::default() };
    let house = House::with(Settings { milters: milters.clone(), ..Settings::default() }).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await;
    let told = house.context.filters.look_after(&milters).await;
    let told: Vec<_> = told.iter().map(|at| (at.door, &*at.health.milter, at.health.state, at.health.judged)).collect();
    assert_eq!(told, [("smtp", "there", State::Good, 1), ("lmtp", "gone", State::Failing, 0)]);
}

#[tokio::test]
async fn a_greeting_under_tls_is_told_again() {
    let milter = Milter::new("m", |_, _| go_on());
    let house = house(&[&milter], &[]).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await;
    let mut talk = house.secure(talk).await;
    talk.expect("EHLO again.example\r\n", 250).await;
    talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await;
    over(talk).await;
    milter.hears('Q', 1).await;
    assert_eq!(milter.letters(), "CHMRTLLNBEHMRTLLNBEQ");
    assert!(milter.heard().iter().any(|line| line.starts_with("D H{tls_version}\0TLSv1.3\0")));
}

#[tokio::test]
async fn a_milter_that_isn_t_there_defers_mail_or_is_passed_over() {
    let mut milter = Milter::absent("m");
    for (default, code) in [(MilterDefault::Tempfail, 451), (MilterDefault::Accept, 250), (MilterDefault::Reject, 550)]
    {
        milter.line.default = default;
        let house = house(&[&milter], &[]).await;
        let mut talk = house.greeted(Listener::Smtp).await;
        talk.expect("MAIL FROM:<a@c.example>\r\n", code).await;
        assert_eq!(house.logged("alert milter.down").len(), 1);
        if code == 250 {
            talk.expect("RSET\r\n", 250).await;
            assert!(talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await.starts_with("250"));
            assert_eq!(house.logged("milter.passed_over").len(), 1);
        }
    }
}

#[tokio::test]
async fn new_settings_hold_for_the_next_session() {
    let milter = at(b'M', b'r', b"");
    let house = house(&[], &[]).await;
    let mut before = house.greeted(Listener::Smtp).await;
    before.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    let milters = Milters { smtp: vec![milter.line.clone()], ..Milters::default() };
    house.context.settings.store(std::sync::Arc::new(Settings { milters: milters.clone(), ..Settings::default() }));
    let mut after = house.greeted(Listener::Smtp).await;
    after.expect("MAIL FROM:<a@c.example>\r\n", 550).await;
    assert_eq!(house.context.filters.health(&milters).len(), 1);
}

#[tokio::test]
async fn a_stranger_is_told_by_its_name() {
    let milter = Milter::new("m", |_, _| go_on());
    let milters = Milters { smtp: vec![milter.line.clone()], ..Milters::default() };
    let settings = Settings { milters, ..Settings::default() };
    let house = House::weighing(settings, RuleBook::default(), Weighing::default()).await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    let heard = milter.heard().join("\n");
    assert!(heard.contains("C client.example\x004") && heard.contains("_\0client.example [192.0.2.7]\0"), "{heard}");
}

#[tokio::test]
async fn mail_that_is_kept_speaks_for_nobody_s_next_mail() {
    let milter = at_end(&[(b'q', b"looks bad\0")], b'c');
    let weighing = Weighing::default();
    let (dns, clock) = (weighing.dns.clone(), weighing.clock.clone());
    dns.text("shop.example", "v=spf1 ip4:198.51.100.0/24 -all");
    dns.mx("shop.example", "client.example");
    let milters = Milters { smtp: vec![milter.line.clone()], ..Milters::default() };
    let settings = Settings { milters, ..settings(|_| {}) };
    let house = House::weighing(settings, RuleBook::default(), weighing).await;
    let mut talk = house.greets(NAMELESS, "localhost").await;
    assert!(rcpt(&mut talk, "a@shop.example", "bob@s.example").await.starts_with("450"));
    clock.forward(Duration::from_secs(61));
    let reply = talk.deliver("a@shop.example", &["bob@s.example"], MESSAGE).await;
    assert!(reply.starts_with("250"), "it is kept: {reply}");
    assert!(house.inbox("bob").await.is_empty());
    let mut neighbour = house.greets("198.51.100.99", "localhost").await;
    assert!(rcpt(&mut neighbour, "b@shop.example", "alice@s.example").await.starts_with("450"));
}
