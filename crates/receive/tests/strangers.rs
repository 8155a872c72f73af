//! What strangers meet: looked at before they are greeted, weighed at RCPT, put off or refused by what was seen of them.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may stop at what it didn't expect"
)]

mod common;

use common::strangers::{MESSAGE, NAMELESS, listing, rcpt, rules, settings, usual};
use common::{House, Weighing};
use mailward_core::Timestamp;
use mailward_core::config::{self, ListKind, ListLine};
use mailward_core::limits::{
    EARLY_BYTES_MAX, JUDGEMENT_WAIT, RECEIVED_HOPS_MAX, SMTP_EMPTY_MAILS_MAX, SMTP_STRANGER_RECIPIENTS_MAX,
    SMTP_UNKNOWN_RECIPIENTS_BAD_MAX, TARPIT_MAX,
};
use mailward_gate::journal::Verdict;
use mailward_gate::rules::RuleBook;
use mailward_receive::Settings;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn a_host_that_looks_well_is_greeted_at_once_and_its_mail_says_how_it_looked() {
    let (house, _) = usual(settings(|guard| guard.greeting_delay = 30)).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    assert!(began.elapsed() < Duration::from_secs(10), "it needn't wait for the delay of others");
    tokio::time::resume();
    assert!(talk.deliver("a@c.example", &["alice@s.example"], MESSAGE).await.starts_with("250"));
    let logged = house.logged("message.accepted").pop().unwrap();
    assert!(logged.contains(" score=-2 signs=hello-confirmed-1,spf-pass-1 spf=pass"), "{logged}");
}

/// RFC 5321 §4.3.1.
#[tokio::test]
async fn who_speaks_before_the_greeting_is_sent_away() {
    let (house, dns) = usual(settings(|guard| guard.greeting_delay = 30)).await;
    *dns.slow.lock().unwrap() = Duration::from_secs(60);
    let mut talk = house.knocks("192.0.2.7");
    let reply = talk.say("EHLO client.example\r\nMAIL FROM:<a@c.example>\r\n").await;
    assert!(reply.starts_with("554 5.5.1 You spoke before"), "{reply}");
    assert!(talk.is_over().await);
    assert_eq!(house.traced(&reply).await.entries[0].verdict, Verdict::Cut);
    let dropped = house.logged("connection.dropped").pop().unwrap();
    assert!(dropped.ends_with("reason=early-talker"), "{dropped}");
    // Another protocol gets no word, early or not (attacks B8).
    let mut talk = house.knocks("192.0.2.7");
    talk.write("GET / HTTP/1.1\r\n").await;
    assert!(talk.is_over().await);
}

#[tokio::test]
async fn an_early_talker_that_isn_t_refused_has_it_against_it() {
    let (house, _) = usual(settings(|guard| guard.refuse_early_talkers = false)).await;
    let mut talk = house.knocks("192.0.2.7");
    let group = "EHLO client.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<bob@s.example>\r\nQUIT\r\n";
    assert_eq!(talk.codes(group, 5).await, [220, 250, 250, 450, 221]);
    let refused = house.logged("recipient.refused").pop().unwrap();
    assert!(refused.contains("early-talker+5") && refused.contains("hasty+2"), "{refused}");
}

#[tokio::test]
async fn who_looks_bad_waits_for_the_greeting_and_may_not_speak_meanwhile() {
    let (house, _) = listing(5, settings(|guard| guard.greeting_delay = 2), RuleBook::default()).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let _talk = house.greets(NAMELESS, "bad.example").await;
    assert!(began.elapsed() >= Duration::from_secs(2));
    tokio::time::resume();
    let mut talk = house.knocks(NAMELESS);
    talk.write("EHLO bad.example\r\n").await;
    assert!(talk.reply().await.starts_with("554 5.5.1"));
}

#[tokio::test]
async fn who_looks_bad_is_put_off_and_comes_back() {
    let weighing = Weighing::default();
    let clock = weighing.clock.clone();
    let house = House::weighing(settings(|_| {}), RuleBook::default(), weighing).await;
    let mut talk = house.greets(NAMELESS, "localhost").await;
    let reply = rcpt(&mut talk, "", "bob@s.example").await;
    assert!(reply.starts_with("450 4.7.1 Put off"), "{reply}");
    let entry = house.traced(&reply).await.entries.remove(0);
    assert_eq!(entry.verdict, Verdict::PutOff);
    assert_eq!(entry.reason, "greylisted, score 4: no-reverse+2,hello-no-name+2");
    assert_eq!((entry.recipient.as_deref(), entry.sender.as_deref()), (Some("bob@s.example"), Some("")));
    assert!(rcpt(&mut talk, "", "bob@s.example").await.starts_with("450"), "too soon");
    assert!(rcpt(&mut talk, "", "nobody@s.example").await.starts_with("550 5.1.1"), "who isn't there isn't put off");
    clock.forward(Duration::from_secs(61));
    assert!(rcpt(&mut talk, "", "bob@s.example").await.starts_with("250"));
    assert!(rcpt(&mut talk, "", "alice@s.example").await.starts_with("450"), "each by itself");
    let off = house.context.settings.load().as_ref().clone();
    house
        .context
        .settings
        .store(Arc::new(Settings { guard: config::Guard { greylist_wait: 0, ..off.guard.clone() }, ..off }));
    let mut talk = house.greets(NAMELESS, "localhost").await;
    assert!(rcpt(&mut talk, "", "alice@s.example").await.starts_with("250"), "switched off");
}

/// Attacks A6.
#[tokio::test]
async fn who_is_refused_learns_nothing_and_can_still_complain() {
    let weighing = Weighing::default();
    weighing.dns.make_list("bl.example");
    weighing.dns.list(NAMELESS, "bl.example");
    let mut weighing = weighing;
    weighing.lists.hosts = vec![ListLine::parse("bl.example 8", ListKind::Hosts).unwrap()];
    let clock = weighing.clock.clone();
    let house = House::weighing(settings(|_| {}), RuleBook::default(), weighing).await;
    let mut talk = house.greets(NAMELESS, "bad.example").await;
    let words = |reply: &str| reply.split(" (ref ").next().unwrap().to_owned();
    let known = rcpt(&mut talk, "a@c.example", "alice@s.example").await;
    assert_eq!(words(&known), "550 5.7.1 Refused, as you are listed: bl.example");
    for other in ["nobody@s.example", "carol@s.example", "out@s.example"] {
        assert_eq!(words(&rcpt(&mut talk, "a@c.example", other).await), words(&known), "{other}");
    }
    let mut talk = house.greets(NAMELESS, "bad.example").await;
    for contact in ["postmaster@s.example", "Postmaster"] {
        assert!(rcpt(&mut talk, "a@c.example", contact).await.starts_with("450 4.7.1"), "{contact}");
    }
    clock.forward(Duration::from_secs(61));
    assert!(rcpt(&mut talk, "a@c.example", "postmaster@s.example").await.starts_with("250"));
    let entry = house.traced(&known).await.entries.remove(0);
    assert_eq!(entry.reason, "score 14: no-reverse+2,listed:bl.example+8,spf-fail+4");
}

#[tokio::test]
async fn rules_let_off_refuse_and_know_names() {
    let book = rules(&[
        "198.51.100.7 skip",
        "*.client.example refuse",
        "client.example from @c.example to bob@s.example refuse \"not Bob\"",
    ]);
    let (house, dns) = listing(20, settings(|guard| guard.greeting_delay = 30), book).await;
    dns.host("x.client.example", "192.0.2.8");
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let mut talk = house.greets(NAMELESS, "localhost").await;
    assert!(began.elapsed() < Duration::from_secs(10), "who is let off doesn't wait");
    tokio::time::resume();
    assert!(talk.deliver("a@nowhere.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    assert!(!house.logged("message.accepted").pop().unwrap().contains("score="));
    let mut talk = house.greets("192.0.2.8", "x.client.example").await;
    let reply = talk.say("MAIL FROM:<a@c.example>\r\n").await;
    assert!(reply.starts_with("550 5.7.1 Refused by a rule"), "{reply}");
    assert!(house.traced(&reply).await.entries[0].reason.contains("*.client.example"), "{reply}");
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    assert!(rcpt(&mut talk, "a@c.example", "bob@s.example").await.starts_with("550 5.7.1 not Bob (ref "));
    assert!(rcpt(&mut talk, "a@c.example", "alice@s.example").await.starts_with("250"));
}

#[tokio::test]
async fn ipv6_is_weighed_like_ipv4() {
    let (house, dns) = usual(settings(|_| {})).await;
    dns.host("six.example", "2001:db8:7::25");
    dns.mx("six.example", "six.example");
    dns.text("six.example", "v=spf1 ip6:2001:db8:7::/64 -all");
    let mut talk = house.greets("2001:db8:7::25", "six.example").await;
    assert!(rcpt(&mut talk, "a@six.example", "bob@s.example").await.starts_with("250"));
    let mut talk = house.greets("2001:db8:8::1", "[IPv6:2001:db8:7::25]").await;
    let reply = rcpt(&mut talk, "a@six.example", "bob@s.example").await;
    assert!(reply.starts_with("550 5.7."), "{reply}");
    let refused = house.logged("recipient.refused").pop().unwrap();
    assert!(refused.contains("no-reverse+2,hello-literal+4,spf-fail+4"), "{refused}");
}

#[tokio::test]
async fn a_stranger_sends_to_so_many_at_once_and_the_rest_later() {
    let (house, _) = usual(settings(|_| {})).await;
    let mut talk = house.knocks("192.0.2.7");
    talk.expect("", 220).await;
    let offers = talk.expect("EHLO client.example\r\n", 250).await;
    assert!(offers.contains(&format!("RCPTMAX={SMTP_STRANGER_RECIPIENTS_MAX} ")), "{offers}");
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    for n in 0..SMTP_STRANGER_RECIPIENTS_MAX {
        talk.expect(&format!("RCPT TO:<bob+{n}@s.example>\r\n"), 250).await;
    }
    talk.expect("RCPT TO:<bob@s.example>\r\n", 452).await;
}

/// Attacks A6, H3.
#[tokio::test]
async fn who_guesses_is_answered_later_and_later_and_cut_off() {
    let (house, _) = usual(settings(|_| {})).await;
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
    tokio::time::pause();
    let (mut waits, mut replies) = (Vec::new(), Vec::new());
    for n in 0..=SMTP_UNKNOWN_RECIPIENTS_BAD_MAX {
        let asked = tokio::time::Instant::now();
        replies.push(talk.say(format!("RCPT TO:<guess{n}@s.example>\r\n")).await);
        waits.push(asked.elapsed().as_secs());
    }
    assert_eq!(waits[..6], [0, 0, 1, 2, 3, 4]);
    assert!(waits.iter().all(|wait| *wait <= TARPIT_MAX.as_secs()), "{waits:?}");
    assert!(replies[0].starts_with("550 5.1.1 No such user here (ref "), "{replies:?}");
    assert!(replies.iter().all(|reply| reply.starts_with("550")), "it looks well: {replies:?}");
    tokio::time::resume();
    // Who looks bad is cut off sooner.
    let mut talk = house.greets(NAMELESS, "localhost").await;
    talk.expect("MAIL FROM:<>\r\n", 250).await;
    tokio::time::pause();
    let mut said = Vec::new();
    for n in 0..=SMTP_UNKNOWN_RECIPIENTS_BAD_MAX {
        said.push(talk.say(format!("RCPT TO:<guess{n}@s.example>\r\n")).await);
    }
    let last = said.pop().unwrap();
    assert!(last.starts_with("421 4.7.0 Too many refused recipients"), "{last}");
    assert!(said.iter().all(|reply| reply.starts_with("550")), "{said:?}");
    tokio::time::resume();
    // The trace tells what was heard.
    let entry = house.traced(&last).await.entries.remove(0);
    assert_eq!((entry.code, entry.verdict), (421, Verdict::Cut));
    assert!(entry.reason.ends_with("the last: no such user"), "{entry:?}");
}

#[tokio::test]
async fn a_dns_that_is_dead_refuses_nobody_for_good_and_delays_nobody_for_long() {
    let weighing = Weighing { lists: config::Lists::default(), ..Weighing::default() };
    let dns = weighing.dns.clone();
    let house = House::weighing(settings(|guard| guard.greeting_delay = 1), RuleBook::default(), weighing).await;
    for name in ["example", "arpa"] {
        dns.fall_silent(name);
    }
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    assert!(rcpt(&mut talk, "a@c.example", "bob@s.example").await.starts_with("450 4.1.8"));
    assert!(rcpt(&mut talk, "", "bob@s.example").await.starts_with("250"), "nothing speaks against it");
    // Nobody answers at all: it is greeted when its time is over.
    *dns.slow.lock().unwrap() = Duration::from_secs(60);
    let _greeted = house.greets("192.0.2.9", "client.example").await;
}

#[tokio::test]
async fn the_rate_guard_is_asked_for_strangers_and_for_users() {
    let mut weighing = Weighing::default();
    let text = "[rates]\nhost = [\"messages block 2/h\"]\naccount = [\"messages block 1/h\"]\n";
    weighing.rates = config::Config::parse(text, "mailward.toml").unwrap().config.rates;
    let house = House::weighing(settings(|_| {}), RuleBook::default(), weighing).await;
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    for _ in 0..2 {
        assert!(talk.deliver("a@c.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    }
    let reply = talk.say("MAIL FROM:<a@c.example>\r\n").await;
    assert!(reply.starts_with("450 4.7.1 Too much mail from you"), "{reply}");
    assert!(house.traced(&reply).await.entries[0].reason.contains("rates.host"));
    let mut talk = house.knocks("192.0.2.7");
    let reply = talk.reply().await;
    assert!(reply.starts_with("421 4.7.1 Too much mail from your network"), "{reply}");
    let mut user = house.logged_in().await;
    let own = MESSAGE.replace("a@c", "alice@s");
    assert!(user.deliver("alice@s.example", &["bob@s.example"], &own).await.starts_with("250"));
    user.expect("MAIL FROM:<alice@s.example>\r\n", 250).await;
    user.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
    let reply = user.expect("DATA\r\n", 450).await;
    assert!(house.traced(&reply).await.entries[0].reason.contains("rates.account"), "{reply}");
}

/// Mail that isn't accepted, and one recipient named many times, have nothing put off.
#[tokio::test]
async fn the_rate_guard_counts_what_is_accepted_and_each_recipient_once() {
    let mut weighing = Weighing::default();
    let text = "[rates]\naddress = [\"messages block 2/h\", \"recipients block 3/h\"]\n";
    weighing.rates = config::Config::parse(text, "mailward.toml").unwrap().config.rates;
    weighing.dns.host("other.example", "203.0.113.7");
    weighing.dns.mx("plain.example", "client.example");
    let house = House::weighing(settings(|_| {}), RuleBook::default(), weighing).await;
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    for _ in 0..3 {
        let reply = talk
            .deliver(
                "a@plain.example",
                &["bob@s.example"],
                &"Received: from a by b; now\r\n".repeat(RECEIVED_HOPS_MAX + 1),
            )
            .await;
        assert!(reply.starts_with("554 5.4.6"), "{reply}");
    }
    for _ in 0..3 {
        let mut gone = house.greets("192.0.2.7", "client.example").await;
        gone.expect("MAIL FROM:<a@plain.example>\r\n", 250).await;
        gone.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
        gone.expect("DATA\r\n", 354).await;
        gone.write("Subject: half of\r\n").await;
        drop(gone.stream);
        gone.task.await.unwrap();
    }
    let again = ["bob@s.example", "BOB@s.example", "bob@S.example", "Bob@s.example", "alice@s.example"];
    assert!(talk.deliver("a@plain.example", &again, MESSAGE).await.starts_with("250"));
    // Elsewhere the same name has counts of its own, as it proves nothing.
    let mut elsewhere = house.greets("203.0.113.7", "other.example").await;
    for _ in 0..2 {
        assert!(elsewhere.deliver("a@plain.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    }
    assert!(talk.deliver("a@plain.example", &["bob@s.example"], MESSAGE).await.starts_with("250"));
    talk.expect("MAIL FROM:<a@plain.example>\r\n", 250).await;
    talk.expect("RCPT TO:<bob@s.example>\r\n", 250).await;
    let reply = talk.expect("DATA\r\n", 450).await;
    assert!(house.traced(&reply).await.entries[0].reason.contains("rates.address"), "{reply}");
}

#[tokio::test]
async fn mail_again_and_again_without_a_recipient_ends_the_session() {
    let (house, _) = usual(settings(|_| {})).await;
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    for _ in 0..2 * SMTP_EMPTY_MAILS_MAX {
        assert!(rcpt(&mut talk, "a@c.example", "bob@s.example").await.starts_with("250"), "that is no such");
    }
    for n in 0..=SMTP_EMPTY_MAILS_MAX {
        talk.expect(&format!("MAIL FROM:<a@n{n}.example>\r\n"), 250).await;
        talk.expect("RSET\r\n", 250).await;
    }
    let reply = talk.expect("MAIL FROM:<a@c.example>\r\n", 421).await;
    assert!(house.traced(&reply).await.entries[0].reason.contains("without a recipient"), "{reply}");
    assert!(talk.is_over().await);
}

#[tokio::test]
async fn every_refusal_of_a_stranger_can_be_found_again() {
    let (house, _) = usual(settings(|_| {})).await;
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    let relay = rcpt(&mut talk, "a@c.example", "x@t.example").await;
    let unknown = rcpt(&mut talk, "a@c.example", "nobody@s.example").await;
    let disabled = rcpt(&mut talk, "a@c.example", "carol@s.example").await;
    let large = "X: ".to_owned() + &"y".repeat(900) + "\r\n";
    let message = large.repeat(2_000);
    let header = talk.deliver("a@c.example", &["bob@s.example"], &message).await;
    for (reply, reason) in [
        (&relay, "relaying denied"),
        (&unknown, "no such user"),
        (&disabled, "the user is disabled"),
        (&header, "header"),
    ] {
        let entry = house.traced(reply).await.entries.remove(0);
        assert!(entry.reason.contains(reason), "{reply}: {entry:?}");
        assert_eq!(entry.ip, "192.0.2.7".parse().ok());
        assert!(entry.at > Timestamp(0) && reply.starts_with(&entry.code.to_string()));
    }
    let words = |reply: &str| reply.split(" (ref ").next().unwrap().to_owned();
    assert_eq!(words(&unknown), words(&disabled), "who is disabled is nobody's business (attacks A6)");
    let mut user = house.logged_in().await;
    let denied = user.say("MAIL FROM:<bob@s.example>\r\n").await;
    assert!(house.traced(&denied).await.entries[0].reason.contains("may not send as"), "{denied}");
}

/// What the DNS can't say in its time doesn't count, and nobody waits longer for it.
#[tokio::test]
async fn a_decision_waits_so_long_and_no_longer() {
    let (house, dns) = usual(settings(|_| {})).await;
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    *dns.slow.lock().unwrap() = 10 * JUDGEMENT_WAIT;
    talk.expect("MAIL FROM:<a@late.example>\r\n", 250).await;
    tokio::time::pause();
    let asked = tokio::time::Instant::now();
    talk.expect("RCPT TO:<bob@s.example>\r\n", 450).await;
    assert!(asked.elapsed() <= JUDGEMENT_WAIT + Duration::from_secs(1), "{:?}", asked.elapsed());
}

/// Attacks H3.
#[tokio::test]
async fn of_who_speaks_too_early_little_is_read() {
    let (house, _) = listing(5, settings(|guard| guard.greeting_delay = 30), RuleBook::default()).await;
    let mut talk = house.knocks(NAMELESS);
    talk.write("X".repeat(8 * EARLY_BYTES_MAX)).await;
    assert!(talk.reply().await.starts_with("554 5.5.1"), "long before a line or the buffer ends");
    assert!(talk.is_over().await);
}

/// What the rate guard says at RCPT, and what a rule says at the door, is noted as it is heard.
#[tokio::test]
async fn whatever_ends_a_session_can_be_found_again() {
    let mut weighing = Weighing::default();
    let text = "[rates]\nhost = [\"refused block 1/h\"]\n";
    weighing.rates = config::Config::parse(text, "mailward.toml").unwrap().config.rates;
    let house = House::weighing(settings(|_| {}), rules(&["192.0.2.66 refuse"]), weighing).await;
    let mut talk = house.greets("192.0.2.7", "client.example").await;
    assert!(rcpt(&mut talk, "a@c.example", "x@s.example").await.starts_with("550 5.1.1"));
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    let reply = talk.say("RCPT TO:<y@s.example>\r\n").await;
    assert!(reply.starts_with("421 4.7.1 Too much mail from your network"), "{reply}");
    let entry = house.traced(&reply).await.entries.remove(0);
    assert_eq!((entry.code, entry.verdict, entry.recipient.as_deref()), (421, Verdict::Deferred, Some("y@s.example")));
    assert!(entry.reason.contains("rates.host") && entry.reason.ends_with("the last: no such user"), "{entry:?}");
    let mut talk = house.knocks("192.0.2.66");
    let reply = talk.reply().await;
    assert!(reply.starts_with("550 5.7.1 Refused by a rule"), "{reply}");
    assert!(house.traced(&reply).await.entries[0].reason.contains("192.0.2.66 refuse"));
}
