//! What strangers meet: looked at before they are greeted, weighed at RCPT, put off or refused by what was seen of them.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may stop at what it didn't expect"
)]

mod common;

use common::dns::Facts;
use common::{House, Talk, Weighing, address};
use mailward_core::config::{self, ListKind, ListLine};
use mailward_core::limits::{
    EARLY_BYTES_MAX, JUDGEMENT_WAIT, RECEIVED_HOPS_MAX, SMTP_EMPTY_MAILS_MAX, SMTP_STRANGER_RECIPIENTS_MAX,
    SMTP_UNKNOWN_RECIPIENTS_BAD_MAX, TARPIT_MAX, UNKNOWN_RECIPIENTS_SIGN,
};
use mailward_core::{Listener, Timestamp};
use mailward_gate::journal::{Asked, Found, Verdict, What};
use mailward_gate::rules::{Rule, RuleBook};
use mailward_receive::Settings;
use mailward_store::SendingStore as _;
use mailward_tls::Wire;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const MESSAGE: &str = "From: a@c.example\r\nSubject: hello\r\n\r\nbody\r\n";
/// An address without a name.
const NAMELESS: &str = "198.51.100.7";

fn settings(change: impl FnOnce(&mut config::Guard)) -> Settings {
    let mut guard = config::Guard { greeting_delay: 0, ..config::Guard::default() };
    change(&mut guard);
    Settings { guard, ..Settings::default() }
}

fn rules(lines: &[&str]) -> RuleBook {
    let lines: Vec<Rule> = lines.iter().map(|line| Rule::parse(line).unwrap()).collect();
    RuleBook::new(&lines, &[])
}

/// A house with a list that has the address without a name, which weighs `weight`.
async fn listing(weight: i32, settings: Settings, rules: RuleBook) -> (House, Arc<Facts>) {
    let mut weighing = Weighing::default();
    weighing.dns.make_list("bl.example");
    weighing.dns.list(NAMELESS, "bl.example");
    weighing.lists.hosts = vec![ListLine::parse(&format!("bl.example {weight}"), ListKind::Hosts).unwrap()];
    let dns = weighing.dns.clone();
    (House::weighing(settings, rules, weighing).await, dns)
}

async fn usual(settings: Settings) -> (House, Arc<Facts>) {
    let weighing = Weighing::default();
    let dns = weighing.dns.clone();
    (House::weighing(settings, RuleBook::default(), weighing).await, dns)
}

impl House {
    /// Somebody who connects and says nothing yet.
    fn knocks(&self, from: &str) -> Talk {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        let ip: IpAddr = from.parse().unwrap();
        let task = self.serve(Wire::memory(theirs), Listener::Smtp, Some(ip));
        Talk::over(ours, task)
    }

    async fn greets(&self, from: &str, hello: &str) -> Talk {
        let mut talk = self.knocks(from);
        talk.expect("", 220).await;
        talk.expect(&format!("EHLO {hello}\r\n"), 250).await;
        talk
    }

    /// What the journal has under the reference in a reply.
    async fn traced(&self, reply: &str) -> Found {
        let reference = reply.trim_end().strip_suffix(')').unwrap().rsplit_once("(ref ").unwrap().1;
        let asked = Asked { what: What::parse(reference).unwrap(), put_off: false, since: None };
        let found = self.context.journal.as_ref().unwrap().find(&asked).await.unwrap();
        assert_eq!(found.entries.len(), 1, "{reply}");
        found
    }
}

/// RCPT for somebody in a transaction of its own.
async fn rcpt(talk: &mut Talk, from: &str, to: &str) -> String {
    talk.expect(&format!("MAIL FROM:<{from}>\r\n"), 250).await;
    let reply = talk.say(format!("RCPT TO:<{to}>\r\n")).await;
    talk.expect("RSET\r\n", 250).await;
    reply
}

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
async fn who_calls_itself_by_our_name_isn_t_us() {
    let (house, _) = usual(settings(|guard| guard.refuse_at = 5)).await;
    for ours in ["mx.s.example", "s.example", "[192.0.2.1]"] {
        let mut talk = house.greets("192.0.2.7", ours).await;
        let reply = rcpt(&mut talk, "", "bob@s.example").await;
        assert!(reply.starts_with("550 5.7.1 Refused: the name in your greeting"), "{ours}: {reply}");
    }
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
