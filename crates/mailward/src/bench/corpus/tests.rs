//! Made-up mail is mail, and what is said about it is true.

use super::*;
use mailward_message::Structure;
use mailward_message::decode::text_of;

const CORPUS: Corpus = Corpus { seed: 7, messages: 500, size: 4_096 };

fn every(corpus: &Corpus) -> impl Iterator<Item = Vec<u8>> {
    let corpus = *corpus;
    (0..corpus.messages).map(move |n| corpus.message(n).bytes)
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_seed_others() {
    let other = Corpus { seed: 8, ..CORPUS };
    for n in [0, 17, 499] {
        assert_eq!(CORPUS.message(n).bytes, CORPUS.message(n).bytes);
        assert_ne!(CORPUS.message(n).bytes, other.message(n).bytes);
    }
}

#[test]
fn every_message_is_lines_of_ascii_that_any_server_takes() {
    for bytes in every(&CORPUS) {
        assert!(bytes.is_ascii() && bytes.ends_with(b"\r\n"));
        let text = String::from_utf8(bytes).unwrap();
        for line in text.split_terminator("\r\n") {
            assert!(line.len() <= 200 && !line.contains(['\r', '\n']), "{line:?}");
        }
    }
}

#[test]
fn messages_are_of_the_size_asked_for_on_the_average() {
    for size in [2_500, 4_096, 20_000] {
        let corpus = Corpus { size, ..CORPUS };
        let sum: usize = every(&corpus).map(|b| b.len()).sum();
        let average = sum / 500;
        assert!((size * 8 / 10..size * 12 / 10).contains(&average), "{average} for {size}");
    }
}

#[test]
fn there_are_attachments_and_html_and_threads_and_other_scripts() {
    let texts: Vec<String> = every(&CORPUS).map(|b| String::from_utf8(b).unwrap()).collect();
    for (part, least) in [
        ("filename=", 30),
        ("text/html", 20),
        ("In-Reply-To:", 100),
        ("Subject: =?utf-8?", 10),
        ("charset=iso-8859-1", 5),
        ("base64", 50),
        ("DKIM-Signature:", 50),
    ] {
        let found = texts.iter().filter(|t| t.contains(part)).count();
        assert!((least..450).contains(&found), "{part} in {found}");
    }
    let ids: std::collections::BTreeSet<_> = (0..500).map(|n| CORPUS.id(n)).collect();
    assert_eq!(ids.len(), 500);
}

#[test]
fn a_reply_answers_an_older_message_under_its_subject() {
    let reply = (0..500).find(|n| CORPUS.above(*n).len() > 2).unwrap();
    let above = CORPUS.above(reply);
    assert!(above.is_sorted_by(|a, b| a > b) && above[0] < reply);
    assert_eq!(CORPUS.subject(reply), format!("Re: {}", CORPUS.subject(*above.last().unwrap())));
}

#[test]
fn the_words_to_search_for_are_where_they_are_said_to_be() {
    let facts = CORPUS.facts();
    assert_eq!(facts.rare.messages, 3);
    assert!(facts.many.messages > 50 && facts.few.messages < facts.many.messages);
    // Read with the house's own eyes: decoded text.
    let holds = |bytes: &[u8]| {
        let structure = Structure::parse(bytes);
        text_of(bytes, &structure).body.to_lowercase().contains(RARE)
    };
    assert_eq!(every(&CORPUS).filter(|b| holds(b)).count(), 3);
    assert_eq!(Corpus { messages: 1, ..CORPUS }.facts().rare.messages, 1);
}

#[test]
fn dates_rise_and_are_written_as_each_protocol_wants_them() {
    assert_eq!(rfc5322(FIRST_DAY), "Mon, 01 Jan 2024 00:00:00 +0000");
    assert_eq!(imap_date(FIRST_DAY), "01-Jan-2024 00:00:00 +0000");
    assert!((1..500).all(|n| CORPUS.message(n).date >= CORPUS.message(n - 1).date));
}
