//! SEARCH with the store's index and without: the same answers, and less to read.

use crate::harness::{Client, House, mail};
use mailward_core::limits::IMAP_SEARCH_INDEXED_MAX;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::atomic::Ordering;

const WORDS: [&str; 12] = [
    "apple",
    "banana",
    "cherry",
    "Äpfel",
    "ΣΊΣΥΦΟΣ",
    "straße",
    "привет",
    "日本語",
    "mixed CASE",
    "a\"b",
    "plum",
    "ﬁsh",
];

async fn filled() -> House {
    let house = House::new().await;
    for n in 0..70_usize {
        let (one, other) = (WORDS[n % 7], WORDS[n % 12]);
        let body = format!("number{n} {}\r\n{}", one, if n == 41 { "Xylophonquartett" } else { "" });
        let subject = format!("=?utf-8?q?{}?=", other.bytes().map(|b| format!("={b:02X}")).collect::<String>());
        house.deliver(None, &mail(&subject, &body)).await;
    }
    house.store.indexed().await.unwrap();
    house
}

fn literal(word: &str) -> String {
    format!("{{{}+}}\r\n{word}", word.len())
}

/// Answers with the index and without it, and how many reads each took.
async fn both(house: &House, client: &mut Client, keys: &str) -> (Vec<String>, u64, u64) {
    let mut reads = [0; 2];
    let mut answers = Vec::new();
    for blind in [false, true] {
        house.blind.store(blind, Ordering::Relaxed);
        let before = house.reads.load(Ordering::Relaxed);
        let answer = client.ask(&format!("SEARCH {keys}")).await;
        reads[usize::from(blind)] = house.reads.load(Ordering::Relaxed) - before;
        assert!(answer[0].starts_with("* SEARCH") || answer[0].starts_with("* ESEARCH"), "{keys}: {answer:?}");
        answers.push(answer[0].clone());
    }
    let with = answers[0].split(") ").last().unwrap_or_default().to_owned();
    let without = answers[1].split(") ").last().unwrap_or_default().to_owned();
    assert_eq!(with, without, "SEARCH {keys} with the index and without it");
    (answers, reads[0], reads[1])
}

#[tokio::test]
async fn a_rare_word_is_read_where_it_is_and_nowhere_else() {
    let house = filled().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    for (keys, expected, reads) in [
        ("TEXT xylophonQUARTETT", "* SEARCH 42", 1),
        ("BODY number41", "* SEARCH 42", 1),
        ("TEXT nowhere", "* SEARCH", 0),
        ("HEADER Subject xylophon", "* SEARCH", 1),
        ("BODY xylophon FLAGGED", "* SEARCH", 0),
        ("OR TEXT xylophon TEXT number7 1:30", "* SEARCH 8", 1),
        ("NOT TEXT number TEXT xylophon", "* SEARCH", 1),
        ("RETURN (COUNT) NOT TEXT nowhere", "* ESEARCH (TAG", 0),
    ] {
        let (answers, with, without) = both(&house, &mut client, keys).await;
        assert!(answers[0].starts_with(expected), "{keys}: {answers:?}");
        assert_eq!(with, reads, "{keys}");
        assert!(without >= with, "{keys}");
    }
}

#[tokio::test]
async fn folding_is_the_same_with_the_index_and_without() {
    let house = filled().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    for word in ["ÄPFEL", "a\u{308}pfel", "σίσυφος", "STRAẞE", "ПРИВЕТ", "ｍｉｘｅｄ", "FISH", "本", "日本"]
    {
        for key in ["TEXT", "BODY", "SUBJECT"] {
            both(&house, &mut client, &format!("{key} {}", literal(word))).await;
        }
        let (answers, ..) = both(&house, &mut client, &format!("TEXT {}", literal(word))).await;
        assert!(answers[0].len() > "* SEARCH".len(), "{word}: {answers:?}");
    }
}

#[tokio::test]
async fn more_texts_than_the_index_is_asked_for_are_still_found() {
    let house = filled().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let many: String = (0..IMAP_SEARCH_INDEXED_MAX + 5).map(|n| format!("OR TEXT nothing{n} ")).collect();
    let (answers, ..) = both(&house, &mut client, &format!("{many}TEXT number69")).await;
    assert_eq!(answers[0], "* SEARCH 70");
}

#[tokio::test]
async fn what_comes_meanwhile_is_found_at_once() {
    let house = filled().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    for n in 0..20 {
        house.deliver(None, &mail("new", &format!("fresh{n}word"))).await;
        client.ask("NOOP").await;
        let (answers, ..) = both(&house, &mut client, &format!("TEXT fresh{n}word")).await;
        assert_eq!(answers[0], format!("* SEARCH {}", 71 + n));
    }
}

fn key() -> impl Strategy<Value = String> {
    let word = prop_oneof![select(&WORDS[..]).prop_map(str::to_owned), "[a-z0-9]{1,4}", Just("number1".to_owned())];
    let leaf = prop_oneof![
        6 => (select(&["TEXT", "BODY", "SUBJECT", "FROM", "HEADER X-None"][..]), word).prop_map(|(key, word)| format!("{key} {}", literal(&word))),
        1 => (1..60u32).prop_map(|n| format!("{n}:*")),
        1 => Just("UNSEEN".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| format!("NOT {key}")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("OR {one} {other}")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("({one} {other})")),
        ]
    })
}

#[test]
fn any_search_finds_the_same_with_the_index_and_without() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(filled());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
    let keys = proptest::collection::vec(key(), 1..4);
    let client = std::cell::RefCell::new(runtime.block_on(async {
        let mut client = house.login("alice").await;
        client.ask("SELECT INBOX").await;
        client
    }));
    runner
        .run(&keys, |keys| {
            runtime.block_on(both(&house, &mut client.borrow_mut(), &keys.join(" ")));
            Ok(())
        })
        .unwrap();
}
