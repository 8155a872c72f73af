//! What header and text say beside each other.

use mailward_inspect::spam::{Lesson, Reading, Table, TokenKey, judge, points_of, tokens};
use mailward_message::Structure;

fn of(message: &str) -> Vec<u64> {
    let message = message.replace('\n', "\r\n");
    let structure = Structure::parse(message.as_bytes());
    tokens(message.as_bytes(), &structure, &Reading::of(message.as_bytes(), &structure), &TokenKey::fixed())
}

/// Words of a kind, as many of its hundred as wanted, in ever other orders.
fn words(kind: &str, many: usize, step: usize) -> String {
    (0..many).map(|n| format!("{kind}{} ", (n * step) % 101)).collect()
}

fn letter(host: &str, number: usize, text: &str) -> String {
    format!(
        "Received: from mail.{host} by mx.example.test; Mon, 2 Nov 2026 10:00:00 +0000\nFrom: \"{host}\" <n{number}@{host}>\n\
         Subject: from {host}\nDate: Mon, 02 Nov 2026 10:00:00 +0000\nMessage-ID: <{number}@{host}>\n\n{text}\n"
    )
}

/// Who learned thirty of each kind: each kind comes from its own host and has its own words.
fn taught() -> Table {
    let mut table = Table::default();
    for number in 1..=30 {
        table.learn(&of(&letter("loans.example", number, &words("cheap", 90, number))), Lesson::Spam, 0);
        table.learn(&of(&letter("friends.example", number, &words("garden", 90, number))), Lesson::Ham, 0);
    }
    table
}

fn points(table: &Table, message: &str) -> i32 {
    points_of(&judge(&of(message), table, None).unwrap())
}

#[test]
fn a_short_header_isn_t_drowned_by_a_long_text_that_says_nothing() {
    let table = taught();
    for many in [10, 100, 1_000] {
        let unknown: String = (0..many).map(|n| format!("new{n} ")).collect();
        assert!(points(&table, &letter("loans.example", 99, &unknown)) >= 400, "{many}");
        assert!(points(&table, &letter("friends.example", 99, &unknown)) <= 0, "{many}");
    }
}

#[test]
fn good_words_in_the_text_speak_for_the_text_alone() {
    let table = taught();
    let few = points(&table, &letter("loans.example", 99, &words("garden", 100, 7)));
    // Neighbours in every order that was learned: all that the text of a friend can say.
    let all: String = (1..=30).map(|step| words("garden", 90, step)).collect();
    let many = points(&table, &letter("loans.example", 99, &all));
    let spam = points(&table, &letter("loans.example", 99, &words("cheap", 100, 7)));
    let ham = points(&table, &letter("friends.example", 99, &all));
    assert!(few > 0 && many > 0, "{few}, {many}: host, name and subject still say what it is");
    assert!(spam > many && ham < 0, "{spam}, {ham}");
}

#[test]
fn who_knows_much_spam_and_few_honest_letters_doesn_t_take_other_honest_ones_for_spam() {
    let mut table = Table::default();
    // A language has more words than twelve letters, and spam has most of them sooner or later. None of the twelve was written with
    // the program that other honest people use as well as spammers do.
    let text =
        |number: usize| -> String { (0..80).map(|n| format!("w{} ", (number * 977 + n * n * 31) % 801)).collect() };
    let mailed = |letter: String| format!("X-Mailer: Everybody's Mail 3\nX-Priority: 3\n{letter}");
    for number in 0..300 {
        let spam = text(number) + &words("cheap", 10, number + 1);
        table.learn(&of(&mailed(letter(&format!("h{number}.example"), number, &spam))), Lesson::Spam, 0);
    }
    for number in 1_000..1_012 {
        table.learn(&of(&letter(&format!("friend{number}.example"), number, &text(number))), Lesson::Ham, 0);
    }
    for number in 2_000..2_040 {
        let told = points(&table, &mailed(letter(&format!("other{number}.example"), number, &text(number))));
        assert!(told < 400, "{number}: {told}");
    }
}
