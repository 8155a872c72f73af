//! QRESYNC (RFC 7162 §3.2): coming back and being told what changed, no more and no less.

use crate::harness::{Client, House, mail};

async fn house_with(messages: usize) -> House {
    let house = House::new().await;
    for n in 0..messages {
        house.deliver(None, &mail(&format!("m{n}"), "body")).await;
    }
    house
}

async fn resyncing(house: &House) -> Client {
    let mut client = house.login("alice").await;
    assert_eq!(client.ask("ENABLE QRESYNC").await[0], "* ENABLED CONDSTORE QRESYNC");
    client
}

/// UIDVALIDITY and HIGHESTMODSEQ out of a SELECT's answer.
fn state(lines: &[String]) -> (String, String) {
    let code = |name: &str| {
        let line = lines.iter().find(|l| l.contains(name)).unwrap();
        line.split(name).nth(1).unwrap().trim().split(']').next().unwrap().to_owned()
    };
    (code("[UIDVALIDITY"), code("[HIGHESTMODSEQ"))
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_what_changed() {
    let house = house_with(6).await;
    let mut away = resyncing(&house).await;
    let (validity, seq) = state(&away.ask("SELECT INBOX").await);
    away.ask("UNSELECT").await;
    let mut other = house.login("alice").await;
    other.ask("SELECT INBOX").await;
    other.ask("STORE 2 +FLAGS (\\Flagged)").await;
    other.ask("STORE 3,5 +FLAGS.SILENT (\\Deleted)").await;
    other.ask("EXPUNGE").await;
    house.deliver(None, &mail("new", "body")).await;
    let answer = away.ask(&format!("SELECT INBOX (QRESYNC ({validity} {seq}))")).await;
    let told: Vec<&String> = answer.iter().filter(|l| l.contains("FETCH") || l.contains("VANISHED")).collect();
    assert_eq!(told.len(), 3, "{answer:?}");
    assert_eq!(told[0], "* VANISHED (EARLIER) 3,5");
    assert!(told[1].starts_with("* 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ ("), "{told:?}");
    assert!(told[2].starts_with("* 5 FETCH (UID 7 FLAGS () MODSEQ ("), "{told:?}");
    assert!(answer.last().unwrap().starts_with("OK [READ-WRITE]"));
}

#[tokio::test]
async fn only_what_the_client_knows_is_told_to_it() {
    let house = house_with(6).await;
    let mut away = resyncing(&house).await;
    let (validity, seq) = state(&away.ask("SELECT INBOX").await);
    away.ask("STORE 1:6 +FLAGS.SILENT (\\Deleted)").await;
    away.ask("UID EXPUNGE 1,4:5").await;
    let answer = away.ask(&format!("SELECT INBOX (QRESYNC ({validity} {seq} 1:2,5,900))")).await;
    let told: Vec<&String> = answer.iter().filter(|l| l.contains("FETCH") || l.contains("VANISHED")).collect();
    assert_eq!(told.len(), 2, "{answer:?}");
    assert_eq!(told[0], "* VANISHED (EARLIER) 1,5");
    assert!(told[1].starts_with("* 1 FETCH (UID 2 FLAGS (\\Deleted)"), "{told:?}");
}

#[tokio::test]
async fn another_uidvalidity_tells_nothing() {
    let house = house_with(2).await;
    let mut client = resyncing(&house).await;
    let answer = client.ask("SELECT INBOX (QRESYNC (12 1))").await;
    assert!(!answer.iter().any(|l| l.contains("FETCH") || l.contains("VANISHED")), "{answer:?}");
}

#[tokio::test]
async fn who_hasn_t_enabled_it_may_not_use_it() {
    let house = house_with(2).await;
    let mut client = house.login("alice").await;
    assert!(client.ask("SELECT INBOX (QRESYNC (12 1))").await[0].starts_with("BAD"));
    client.ask("SELECT INBOX").await;
    assert!(client.ask("UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)").await[0].starts_with("BAD"));
}

#[tokio::test]
async fn what_goes_is_told_as_uids() {
    let house = house_with(6).await;
    let mut client = resyncing(&house).await;
    client.ask("SELECT INBOX").await;
    client.ask("STORE 2:4,6 +FLAGS.SILENT (\\Deleted)").await;
    let answer = client.ask("EXPUNGE").await;
    assert_eq!(answer[0], "* VANISHED 2:4,6");
    assert!(answer[1].starts_with("OK [HIGHESTMODSEQ "), "{answer:?}");
    // Sequence numbers have moved all the same.
    assert!(client.ask("FETCH 2 UID").await[0].starts_with("* 2 FETCH (UID 5)"));
}

#[tokio::test]
async fn a_fetch_of_changes_tells_what_is_gone() {
    let house = house_with(5).await;
    let mut client = resyncing(&house).await;
    let (_, seq) = state(&client.ask("SELECT INBOX").await);
    client.ask("STORE 2,4 +FLAGS.SILENT (\\Deleted)").await;
    client.ask("EXPUNGE").await;
    client.ask("STORE 1 +FLAGS.SILENT (\\Seen)").await;
    let answer = client.ask(&format!("UID FETCH 1:3 FLAGS (CHANGEDSINCE {seq} VANISHED)")).await;
    assert_eq!(answer[0], "* VANISHED (EARLIER) 2");
    assert!(answer[1].starts_with("* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ("), "{answer:?}");
    assert_eq!(answer.len(), 3, "{answer:?}");
}
