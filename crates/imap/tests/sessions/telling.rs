//! What a session is told of changes, and what it must be told with it, so that whoever is cut off loses nothing.

use crate::harness::{Client, House, mail};

/// Two sessions in alice's INBOX with so many messages; the first has enabled QRESYNC.
async fn two_sessions(messages: usize) -> (House, Client, Client) {
    let house = House::new().await;
    for n in 1..=messages {
        house.deliver(None, &mail(&n.to_string(), "x")).await;
    }
    let (mut one, mut two) = (house.login("alice").await, house.login("alice").await);
    one.ask("ENABLE QRESYNC").await;
    one.ask("SELECT INBOX").await;
    two.ask("SELECT INBOX").await;
    (house, one, two)
}

fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.split_once(word).map(|(_, rest)| rest)
}

fn number(text: &str) -> u64 {
    text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// RFC 7162 §3.2.4: a server that knows QRESYNC tells UID and MODSEQ in whatever STORE makes of a message, from the
/// first command on that enables CONDSTORE.
#[tokio::test]
async fn a_store_by_numbers_tells_uids_once_mod_seqs_are_told() {
    let (_house, mut one, mut two) = two_sessions(2).await;
    two.ask("ENABLE CONDSTORE").await;
    for client in [&mut one, &mut two] {
        let plain = client.ask("STORE 1 -FLAGS (\\Flagged)").await;
        assert!(plain[0].starts_with("* 1 FETCH (UID 1 "), "{plain:?}");
        let silent = client.ask("STORE 2 -FLAGS.SILENT (\\Flagged)").await;
        assert!(silent[0].starts_with("* 2 FETCH (UID 2 MODSEQ ("), "{silent:?}");
    }
}

/// RFC 7162 §3.2.4: also where a FETCH sets `\Seen` by the way. Without its MODSEQ the client would be told of this
/// change again, or take the next one for it.
#[tokio::test]
async fn a_fetch_that_marks_as_seen_tells_the_mod_seq_of_it() {
    let (_house, mut one, _two) = two_sessions(1).await;
    let read = one.ask("FETCH 1 BODY[TEXT]").await;
    assert!(read[0].contains("FLAGS (\\Seen)") && read[0].contains("MODSEQ ("), "{read:?}");
    assert!(read[0].contains("UID 1"), "{read:?}");
    let told = number(after(&read[0], "MODSEQ (").unwrap());
    let now = one.ask("FETCH 1 MODSEQ").await;
    assert_eq!(number(after(&now[0], "MODSEQ (").unwrap()), told);
}

/// RFC 7162 §3.2: MODSEQs are told while a VANISHED with a lower one has to wait: then HIGHESTMODSEQ says how far the
/// client has come, or it would never hear of it if it were cut off now.
#[tokio::test]
async fn what_has_to_wait_is_not_passed_by_the_highest_mod_seq() {
    let (house, mut one, mut two) = two_sessions(3).await;
    two.ask("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    let before = number(after(&one.ask("NOOP").await[0], "MODSEQ (").unwrap());
    two.ask("EXPUNGE").await;
    let stored = one.ask("STORE 3 +FLAGS (\\Flagged)").await;
    let highest = stored.iter().rev().find_map(|line| after(line, "[HIGHESTMODSEQ ")).map(number);
    let highest = highest.unwrap_or_else(|| panic!("no HIGHESTMODSEQ in {stored:?}"));
    assert_eq!(highest, before);
    // Cut off now, and back with what it was told.
    let opened = one.ask("UNSELECT").await;
    assert!(opened.last().unwrap().starts_with("OK"), "{opened:?}");
    let mut again = house.login("alice").await;
    again.ask("ENABLE QRESYNC").await;
    let validity = again.ask("STATUS INBOX (UIDVALIDITY)").await;
    let validity = number(after(&validity[0], "UIDVALIDITY ").unwrap());
    let told = again.ask(&format!("SELECT INBOX (QRESYNC ({validity} {highest}))")).await;
    assert!(told.iter().any(|line| line == "* VANISHED (EARLIER) 1"), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("* 2 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (")), "{told:?}");
}

/// RFC 7162 §3.2.10.2: numbers in what is searched for stand until it is answered, in a UID SEARCH too.
#[tokio::test]
async fn nothing_vanishes_during_a_search_by_numbers() {
    let (_house, mut one, mut two) = two_sessions(3).await;
    two.ask("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    one.ask("NOOP").await;
    for search in ["UID SEARCH 2:3", "UID SEARCH NOT (OR 3 SUBJECT 9)", "UID SORT (ARRIVAL) UTF-8 2:3"] {
        two.ask("EXPUNGE").await;
        let found = one.ask(search).await;
        assert!(found.iter().all(|line| !line.starts_with("* VANISHED")), "{search}: {found:?}");
    }
    let found = one.ask("UID SEARCH UID 2:3").await;
    assert!(found.iter().any(|line| line == "* VANISHED 1"), "{found:?}");
}

/// A keyword that another session has made is searched for like any other flag, told or not.
#[tokio::test]
async fn a_search_finds_a_keyword_that_wasn_t_told_yet() {
    let (_house, mut one, mut two) = two_sessions(2).await;
    two.ask("STORE 2 +FLAGS.SILENT (Processed)").await;
    let found = one.ask("SEARCH UNKEYWORD Processed").await;
    assert!(found.iter().any(|line| line == "* SEARCH 1"), "{found:?}");
    two.ask("STORE 1 +FLAGS.SILENT (Urgent)").await;
    let found = one.ask("SEARCH KEYWORD Urgent").await;
    assert!(found.iter().any(|line| line == "* SEARCH 1"), "{found:?}");
}
