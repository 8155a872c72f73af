//! Rules on what is written, and on what goes out.

use super::*;
use std::collections::BTreeMap;

fn dictionary(name: &str, words: &str) -> Dictionaries {
    BTreeMap::from([(name.to_owned(), Dictionary::parse(words.as_bytes()).unwrap())])
}

#[test]
fn card_numbers_that_go_out_wait_for_somebody_and_are_not_told_again() {
    let book = with_defaults(&["direction=outgoing anywhere=detect:card hold \"ask accounting\" at-least=2"]);
    let one = "mine is 4111 1111 1111 1111, again 4111-1111-1111-1111";
    let two = format!("{one} and 5500000000000004");
    assert_eq!(action(&book, &outgoing("Subject: a"), vec![written(one)]), Action::Deliver);
    let found = judge(&book, &outgoing("Subject: a"), vec![written(&two)]);
    assert_eq!(found.action_for(0), Action::Hold);
    assert_eq!(evidence(&found.findings), ["the message is outgoing and has numbers of payment cards: ask accounting"]);
    assert_eq!(action(&book, &plain(), vec![written(&two)]), Action::Deliver, "what comes in is the sender's affair");
    // In a subject, in a name, in a file: together they are two.
    let items = vec![file("5500000000000004.txt", Kind::PlainText)];
    assert_eq!(action(&book, &outgoing("Subject: 4111 1111 1111 1111"), items), Action::Hold);
}

#[test]
fn words_of_a_dictionary_are_found_whatever_their_case_accents_and_blanks() {
    let words = dictionary("projects", "Projekt Ödland\nGeheim\n");
    let config = config(&["direction=outgoing anywhere=dictionary:projects reject as=secret"]);
    let book = Rulebook::new(&config, words).unwrap();
    let of = |text: &str| action(&book, &outgoing("Subject: a"), vec![written(text)]);
    for found in ["projekt odland", "PROJEKT\r\n  O\u{308}DLAND!", "(geheim)", "streng \u{ff27}eheim", "ge\u{ad}heim"] {
        assert_eq!(of(found), Action::Reject, "{found:?}");
    }
    for not in ["geheimnis", "projekt", "odland projekt", "ungeheim", ""] {
        assert_eq!(of(not), Action::Deliver, "{not:?}");
    }
    assert_eq!(action(&book, &outgoing("Subject: =?utf-8?q?Geheim?="), Vec::new()), Action::Reject);
    assert_eq!(action(&book, &outgoing("Subject: a"), vec![file("geheim.pdf", Kind::Pdf)]), Action::Reject);
    let attached = Item { text: "GEHEIM".to_owned(), ..file("a.docx", Kind::Docx) };
    let found = judge(&book, &outgoing("Subject: a"), vec![attached]);
    assert!(
        found.findings[0].rule == "secret" && found.findings[0].evidence.contains("words of the dictionary projects")
    );
}

#[test]
fn different_words_are_counted_and_the_same_word_once() {
    let config = config(&["text=dictionary:d text=/x\\d/ hold at-least=4"]);
    let book = Rulebook::new(&config, dictionary("d", "a\nb\nc\n")).unwrap();
    let of = |text: &str| action(&book, &plain(), vec![written(text)]);
    assert_eq!(of("a a a a a x1 x1"), Action::Deliver);
    assert_eq!(of("a b x1 x2"), Action::Hold);
    assert_eq!(of("x1 x2 x3 x4 x5"), Action::Deliver, "of each at least one");
}

#[test]
fn text_of_a_file_is_asked_of_that_file_where_a_rule_says_which() {
    let book = only(&["ext=docx text=draft warn", "kind=text text!=public mark"]);
    let docx = |text: &str| Item { text: text.to_owned(), ..file("a.docx", Kind::Docx) };
    assert_eq!(action(&book, &plain(), vec![docx("a Draft")]), Action::Warn);
    assert_eq!(action(&book, &plain(), vec![docx("final"), written("draft, public")]), Action::Deliver);
    assert_eq!(action(&book, &plain(), vec![written("draft")]), Action::Mark);
}

#[test]
fn a_header_is_judged_as_it_is_meant_each_field_of_a_name() {
    let book = only(&["header=x-note:/^caf\u{e9}$/ junk", "subject=/^b+$/ mark"]);
    assert_eq!(action(&book, &subject("X-Note: =?iso-8859-1?q?Caf=E9?="), Vec::new()), Action::Junk);
    assert_eq!(action(&book, &subject("X-Note: a\r\nX-NOTE: caf\u{e9}"), Vec::new()), Action::Junk);
    assert_eq!(action(&book, &subject("Subject: a\r\nSubject: BBB"), Vec::new()), Action::Mark);
    assert_eq!(action(&book, &subject("X-Other: caf\u{e9}"), Vec::new()), Action::Deliver);
}

#[test]
fn what_is_found_in_text_is_of_the_check_of_content() {
    let found = judge(&only(&["subject=hello mark", "ext=exe mark"]), &plain(), vec![file("a.exe", Kind::Pe)]);
    let checks: Vec<&str> = found.findings.iter().map(|finding| finding.check.name()).collect();
    assert_eq!(checks, ["content", "attachments"]);
}
