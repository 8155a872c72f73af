//! What messages become.

use crate::world::mail;
use mailward_core::limits::{SPAM_FORM_MAX, SPAM_LETTERS_MAX, SPAM_LINK_DOMAINS_MAX, SPAM_TEXT_MAX, SPAM_TOKENS_MAX};
use mailward_inspect::spam::{Lesson, Reading, TokenKey, link_domains, tokens};
use mailward_message::Structure;
use proptest::prelude::*;
use std::collections::HashSet;

fn of(message: &[u8]) -> HashSet<u64> {
    let structure = Structure::parse(message);
    let all = tokens(message, &structure, &Reading::of(message, &structure), &TokenKey::fixed());
    let set: HashSet<u64> = all.iter().copied().collect();
    assert_eq!(set.len(), all.len(), "each once");
    set
}

fn plain(text: &str) -> Vec<u8> {
    format!("Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n").into_bytes()
}

fn page(html: &str) -> Vec<u8> {
    format!("Subject: x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n").into_bytes()
}

#[test]
fn words_are_the_same_however_they_are_sent() {
    let words = "cheap pills from abroad";
    let straight = of(&plain(words));
    let base64 = b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nY2hlYXAgcGlsbHMgZnJvbSBhYnJvYWQ=\r\n";
    // Only what tells of the encoding differs.
    assert!(straight.difference(&of(base64)).count() <= 2);
    let hidden = of(&page("<p>che<!-- x -->ap <b>pills</b> from&#32;abroad</p>"));
    let shown = of(&page("<p>cheap <b>pills</b> from abroad</p>"));
    // More is written for what is shown: two of its sums.
    assert!(shown.difference(&hidden).count() <= 2);
    let torn = of(&plain("che\u{200b}ap pi\u{ad}lls from abroad"));
    assert!(straight.difference(&torn).count() <= 1, "the share of what isn't ASCII");
    assert_eq!(of(&plain("CHEAP pills")).difference(&of(&plain("cheap pills"))).count(), 1, "the share of capitals");
}

#[test]
fn messages_that_look_alike_share_tokens_though_no_word_is_the_same() {
    let (one, other) = (of(&plain("alpha beta gamma delta")), of(&plain("omega sigma theta iotaa")));
    let shouted = of(&plain("OMEGA SIGMA! THETA! $$ 1234"));
    assert!(one.intersection(&other).count() > one.intersection(&shouted).count());
    // Only the beginning is looked at: capitals behind it don't count.
    let long = "words and ".repeat(SPAM_FORM_MAX / 10 + 1);
    assert_eq!(of(&plain(&format!("{long} behind"))), of(&plain(&format!("{long} BEHIND"))));
}

#[test]
fn letters_of_a_subject_are_tokens_up_to_their_limit() {
    let titled = |title: &str| of(format!("Subject: {title}\r\n\r\nx\r\n").as_bytes());
    assert!(
        titled("v1agra").intersection(&titled("xv1agrax")).count()
            > titled("v1agra").intersection(&titled("letters")).count()
    );
    // One long word: of its own it is a beginning and a length.
    let long: String =
        (0..SPAM_LETTERS_MAX + 4).map(|n| char::from(b'a' + u8::try_from(n * n % 26).unwrap())).collect();
    assert_eq!(titled(&format!("{long}y")), titled(&format!("{long}z")));
    let short = &long[..20];
    assert_ne!(titled(&format!("{short}y")), titled(&format!("{short}z")));
}

#[test]
fn letters_of_who_wrote_it_are_tokens_up_to_their_limit() {
    let from = |name: &str| of(format!("From: \"{name}\" <a@b.example>\r\nSubject: x\r\n\r\nx\r\n").as_bytes());
    let shared = |one: &str, other: &str| from(one).intersection(&from(other)).count();
    assert!(shared("cheaploans", "xcheaploansx") > shared("cheaploans", "ourplumber"));
    let long: String =
        (0..SPAM_LETTERS_MAX + 4).map(|n| char::from(b'a' + u8::try_from(n * n % 26).unwrap())).collect();
    assert_eq!(from(&format!("{long}y")), from(&format!("{long}z")));
    let short = &long[..20];
    assert_ne!(from(&format!("{short}y")), from(&format!("{short}z")));
}

#[test]
fn neighbours_are_tokens_of_their_own() {
    let (one, other) = (of(&plain("alpha beta gamma")), of(&plain("gamma beta alpha")));
    assert_ne!(one, other);
    assert!(one.intersection(&other).count() >= 3);
}

#[test]
fn what_tells_mailboxes_apart_is_left_out() {
    let with = |extra: &str| of(format!("{extra}From: a@b.example\r\nSubject: x\r\n\r\nhello there\r\n").as_bytes());
    let none = with("");
    for extra in [
        "Delivered-To: joe@example.test\r\n",
        "Return-Path: <joe@example.test>\r\n",
        "X-Spam-Status: Yes, score=99\r\n",
        "Mailward-Verdict: junk\r\n",
        "Authentication-Results: here; spf=pass\r\n",
        "From joe Thu Nov  5 10:00:00 2026\r\n",
    ] {
        assert_eq!(with(extra), none, "{extra}");
    }
}

#[test]
fn another_key_makes_other_numbers() {
    let message = mail(Lesson::Spam, 1);
    let structure = Structure::parse(&message);
    let reading = Reading::of(&message, &structure);
    let secret = mailward_core::Secret::new("a server's secret");
    let own = TokenKey::new(&secret).unwrap();
    let ours: HashSet<u64> = tokens(&message, &structure, &reading, &own).into_iter().collect();
    assert!(ours.is_disjoint(&of(&message)));
    assert_eq!(format!("{own:?}"), "TokenKey");
}

#[test]
fn tokens_and_text_end_at_their_limits() {
    let many: String = (0..SPAM_TOKENS_MAX).map(|n| format!("w{n} ")).collect();
    assert_eq!(of(&plain(&many)).len(), SPAM_TOKENS_MAX);
    let mut long = "x ".repeat(SPAM_TEXT_MAX / 2);
    let before = of(&plain(&long));
    long.push_str("something else entirely");
    assert_eq!(of(&plain(&long)), before);
}

#[test]
fn links_lead_to_what_somebody_registered_and_not_to_more_than_so_many() {
    let reading = |message: &[u8]| Reading::of(message, &Structure::parse(message));
    let domains = |message: &[u8]| -> Vec<String> {
        link_domains(&reading(message)).into_iter().map(|domain| domain.as_str().to_owned()).collect()
    };
    let html = "<a href=\"https://www.shop.example.co.uk/x?y\">a</a> <img src='HTTP://img.example.co.uk:8080/p'> \
        <a href=https://user@evil.example/>b</a> http://192.0.2.1/ http://localhost/ http://b\u{fc}cher.example/";
    assert_eq!(domains(&page(html)), ["example.co.uk", "evil.example", "xn--bcher-kva.example"]);
    let many: String = (0..100).map(|n| format!("http://d{n}.example/ ")).collect();
    let found = domains(&plain(&many));
    assert_eq!(found.len(), SPAM_LINK_DOMAINS_MAX);
    assert_eq!((found[0].as_str(), found[SPAM_LINK_DOMAINS_MAX - 1].as_str()), ("d0.example", "d99.example"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_the_same_bytes_are_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert_eq!(of(&bytes), of(&bytes));
        let mut message = b"Content-Type: text/html\r\n\r\n".to_vec();
        message.extend_from_slice(&bytes);
        let structure = Structure::parse(&message);
        let _ = link_domains(&Reading::of(&message, &structure));
        prop_assert!(of(&message).len() <= SPAM_TOKENS_MAX);
    }

    #[test]
    fn text_of_any_writing_has_tokens(text in "\\PC{1,200}") {
        let _ = of(&plain(&text));
        let _ = of(&page(&text));
    }
}
