//! CONDSTORE (RFC 7162 §3.1).

use crate::harness::{Client, House, mail};

fn number_after(text: &str, word: &str) -> u64 {
    let rest = &text[text.find(word).unwrap_or_else(|| panic!("{word} in {text}")) + word.len()..];
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

async fn mod_seq(client: &mut Client, message: u32) -> u64 {
    number_after(&client.ask(&format!("FETCH {message} MODSEQ")).await[0], "MODSEQ (")
}

async fn house_with(messages: usize) -> (House, Client) {
    let house = House::new().await;
    for n in 1..=messages {
        house.deliver(None, &mail(&n.to_string(), "x")).await;
    }
    let client = house.login("alice").await;
    (house, client)
}

#[tokio::test]
async fn numbers_rise_with_changes_and_are_told_once_asked_for() {
    let (_house, mut client) = house_with(3).await;
    let select = client.ask("SELECT INBOX (CONDSTORE)").await;
    let highest = number_after(&select.join("\n"), "[HIGHESTMODSEQ ");
    assert_eq!(mod_seq(&mut client, 3).await, highest);
    let stored = client.ask("STORE 1 +FLAGS (\\Seen)").await;
    let after = number_after(&stored[0], "MODSEQ (");
    assert!(after > highest, "{stored:?}");
    let silent = client.ask("STORE 2 +FLAGS.SILENT (\\Seen)").await;
    assert!(silent[0].starts_with("* 2 FETCH (UID 2 MODSEQ ("), "{silent:?}");
    let changed = client.ask(&format!("FETCH 1:* FLAGS (CHANGEDSINCE {highest})")).await;
    assert_eq!(changed.len(), 3);
    assert!(changed[0].starts_with(&format!("* 1 FETCH (FLAGS (\\Seen) MODSEQ ({after}))")), "{changed:?}");
    let found = client.ask(&format!("SEARCH MODSEQ {after}")).await;
    assert!(found[0].starts_with("* SEARCH 1 2 (MODSEQ "), "{found:?}");
    assert_eq!(client.ask("SEARCH MODSEQ 999999999").await[0], "* SEARCH");
    let status = client.ask("STATUS INBOX (HIGHESTMODSEQ)").await;
    assert!(number_after(&status[0], "HIGHESTMODSEQ ") > after);
}

#[tokio::test]
async fn a_store_leaves_what_others_changed() {
    let (house, mut one) = house_with(3).await;
    let mut two = house.login("alice").await;
    one.ask("SELECT INBOX").await;
    two.ask("SELECT INBOX").await;
    one.ask("ENABLE CONDSTORE").await;
    let before = mod_seq(&mut one, 3).await;
    two.ask("STORE 2 +FLAGS (\\Flagged)").await;
    let stored = one.ask(&format!("STORE 1:3 (UNCHANGEDSINCE {before}) +FLAGS (\\Deleted)")).await;
    assert!(stored.last().unwrap().starts_with("OK [MODIFIED 2]"), "{stored:?}");
    assert!(stored.iter().any(|l| l.starts_with("* 1 FETCH (UID 1 FLAGS (\\Deleted) MODSEQ (")), "{stored:?}");
    assert!(stored.iter().any(|l| l.starts_with("* 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (")), "{stored:?}");
    let stored = one.ask("UID STORE 1:* (UNCHANGEDSINCE 0) +FLAGS (\\Seen)").await;
    assert!(stored.last().unwrap().starts_with("OK [MODIFIED 1:3]"), "{stored:?}");
}

#[tokio::test]
async fn the_first_use_tells_the_highest_number() {
    let (_house, mut client) = house_with(1).await;
    client.ask("SELECT INBOX").await;
    let plain = client.ask("FETCH 1 FLAGS").await;
    assert!(!plain[0].contains("MODSEQ"));
    let first = client.ask("FETCH 1 (MODSEQ)").await;
    assert!(first[0].starts_with("* OK [HIGHESTMODSEQ "), "{first:?}");
    let later = client.ask("STORE 1 +FLAGS (\\Seen)").await;
    assert!(later[0].contains("MODSEQ ("), "{later:?}");
    assert_eq!(client.ask("ENABLE CONDSTORE").await[0], "* ENABLED");
}

#[tokio::test]
async fn an_expunge_tells_the_number_it_made() {
    let (_house, mut client) = house_with(2).await;
    client.ask("SELECT INBOX (CONDSTORE)").await;
    client.ask("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    let expunged = client.ask("EXPUNGE").await;
    assert!(expunged.last().unwrap().starts_with("OK [HIGHESTMODSEQ "), "{expunged:?}");
    let enabled = client.ask("ENABLE CONDSTORE X-NOTHING").await;
    assert_eq!(enabled[0], "* ENABLED");
}
