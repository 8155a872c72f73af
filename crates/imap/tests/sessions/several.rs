//! Several sessions in one mailbox, IDLE, and the end of the server.

use crate::harness::{House, mail};
use mailward_directory::UserSettings;

#[tokio::test]
async fn news_come_with_the_next_command() {
    let house = House::new().await;
    for n in 1..=3 {
        house.deliver(None, &mail(&n.to_string(), "x")).await;
    }
    let mut one = house.login("alice").await;
    let mut two = house.login("alice").await;
    one.ask("SELECT INBOX").await;
    two.ask("SELECT INBOX").await;
    one.ask("STORE 2 +FLAGS.SILENT (\\Seen)").await;
    house.deliver(None, &mail("4", "x")).await;
    two.talk("C: a NOOP\nS: * 2 FETCH (UID 2 FLAGS (\\Seen))\nS: * 4 EXISTS\nS: a OK …").await;
    // One's own silent change isn't told to oneself; the delivery is.
    one.talk("C: a NOOP\nS: * 4 EXISTS\nS: a OK …\nC: b NOOP\nS: b OK …").await;
}

/// RFC 3501 §7.4.1: numbers stand while FETCH, STORE and SEARCH are answered.
#[tokio::test]
async fn an_expunge_by_another_waits_until_numbers_may_move() {
    let house = House::new().await;
    for n in 1..=3 {
        house.deliver(None, &mail(&n.to_string(), "x")).await;
    }
    let mut one = house.login("alice").await;
    let mut two = house.login("alice").await;
    one.ask("SELECT INBOX").await;
    two.ask("SELECT INBOX").await;
    one.ask("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    one.ask("EXPUNGE").await;
    two.talk(
        "C: a FETCH 1:3 UID
         S: * 2 FETCH (UID 2)
         S: * 3 FETCH (UID 3)
         S: a NO [EXPUNGEISSUED] …
         C: b FETCH 2 UID
         S: * 2 FETCH (UID 2)
         S: b OK …
         C: c STORE 3 +FLAGS (\\Seen)
         S: * 3 FETCH (FLAGS (\\Seen))
         S: c OK …
         C: d SEARCH ALL
         S: * SEARCH 1 2 3
         S: d OK …
         C: e FETCH 1 BODY[]
         S: e NO [EXPUNGEISSUED] …
         C: f UID FETCH 1 BODY[]
         S: * 1 EXPUNGE
         S: f OK …
         C: g FETCH 1 UID
         S: * 1 FETCH (UID 2)
         S: g OK …",
    )
    .await;
}

#[tokio::test]
async fn idle_tells_at_once() {
    let house = House::new().await;
    house.deliver(None, &mail("1", "x")).await;
    let mut one = house.login("alice").await;
    let mut two = house.login("alice").await;
    one.ask("SELECT INBOX").await;
    two.ask("SELECT INBOX").await;
    one.talk("C: a IDLE\nS: + …").await;
    house.deliver(None, &mail("2", "x")).await;
    one.talk("S: * 2 EXISTS").await;
    two.ask("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    one.talk("S: * 1 FETCH (UID 1 FLAGS (\\Deleted))").await;
    two.ask("EXPUNGE").await;
    one.talk("S: * 1 EXPUNGE\nC: DONE\nS: a OK …\nC: b IDLE\nS: + …\nC: foo\nS: b BAD …\nC: c NOOP\nS: c OK …").await;
}

#[tokio::test]
async fn idle_without_a_mailbox_waits_and_ends() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.talk("C: a IDLE\nS: + …\nC: done\nS: a OK …").await;
}

#[tokio::test]
async fn a_mailbox_deleted_by_another_ends_the_sessions_in_it() {
    let house = House::new().await;
    let mut one = house.login("alice").await;
    let mut two = house.login("alice").await;
    one.ask("CREATE Short").await;
    two.ask("SELECT Short").await;
    one.ask("DELETE Short").await;
    let answer = two.ask("FETCH 1:* FLAGS").await;
    assert!(answer.len() == 1, "{answer:?}");
    let rest = two.ends().await;
    assert!(rest.len() == 1 && rest[0].starts_with("* BYE"), "{rest:?}");
}

#[tokio::test]
async fn idle_ends_with_its_mailbox() {
    let house = House::new().await;
    let mut one = house.login("alice").await;
    let mut two = house.login("alice").await;
    one.ask("CREATE Short").await;
    two.ask("SELECT Short").await;
    two.talk("C: a IDLE\nS: + …").await;
    one.ask("DELETE Short").await;
    two.talk("S: a NO …\nS: * BYE …").await;
}

#[tokio::test]
async fn a_disabled_account_s_sessions_end() {
    let house = House::new().await;
    let mut waiting = house.login("alice").await;
    let mut idle = house.login("alice").await;
    idle.ask("SELECT INBOX").await;
    idle.talk("C: a IDLE\nS: + …").await;
    let alice = "alice@example.test".parse().unwrap();
    let disabled = UserSettings { enabled: Some(false), ..UserSettings::default() };
    house.context.directory.set_user(&alice, disabled).await.unwrap();
    waiting.talk("C: a LIST \"\" *\nS: * BYE …").await;
    idle.talk("C: DONE\nS: a OK …\nC: b NOOP\nS: * BYE …").await;
    assert!(idle.ends().await.is_empty());
}

#[tokio::test]
async fn everybody_is_told_when_the_server_stops() {
    let house = House::new().await;
    let guest = house.plain().await;
    let mut idle = house.login("alice").await;
    idle.ask("SELECT INBOX").await;
    idle.talk("C: a IDLE\nS: + …").await;
    let waiting = house.login("bob").await;
    house.trigger.fire();
    for client in [guest, idle, waiting] {
        let lines = client.ends().await;
        assert!(lines.last().is_some_and(|l| l.starts_with("* BYE")), "{lines:?}");
    }
}

#[tokio::test]
async fn commands_sent_together_are_answered_in_order() {
    let house = House::new().await;
    house.deliver(None, &mail("1", "x")).await;
    let mut client = house.login("alice").await;
    client.send("a SELECT INBOX\r\nb FETCH 1 UID\r\nc UID SEARCH ALL\r\nd LOGOUT\r\n").await;
    let lines = client.ends().await;
    let tagged: Vec<&str> = lines.iter().filter(|l| !l.starts_with('*')).map(|l| &l[..4]).collect();
    assert_eq!(tagged, ["a OK", "b OK", "c OK", "d OK"]);
}
