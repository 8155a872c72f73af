//! NOTIFY (RFC 5465).

use crate::harness::{House, mail};

#[tokio::test]
async fn what_is_asked_for_is_told_unasked() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    let mut other = house.login("alice").await;
    client.ask("NOTIFY SET (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))").await;
    house.deliver(Some("Archive"), &mail("one", "x")).await;
    assert!(client.line().await.starts_with("* STATUS \"Archive\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY "));
    other.ask("CREATE Trips/Rome").await;
    let mut names = vec![client.line().await, client.line().await];
    names.sort();
    // The two mailboxes are new, and what is new is told with its counts.
    while names.iter().filter(|l| l.starts_with("* LIST")).count() < 2 {
        names.push(client.line().await);
    }
    assert!(names.contains(&"* LIST () \"/\" \"Trips\"".to_owned()), "{names:?}");
    other.ask("RENAME Trips/Rome Trips/Roma").await;
    let renamed = told(&mut client, "OLDNAME").await;
    assert_eq!(renamed, "* LIST () \"/\" \"Trips/Roma\" (\"OLDNAME\" (\"Trips/Rome\"))");
    other.ask("SUBSCRIBE Trips/Roma").await;
    assert_eq!(told(&mut client, "Subscribed").await, "* LIST (\\Subscribed) \"/\" \"Trips/Roma\"");
    other.ask("DELETE Trips/Roma").await;
    assert_eq!(told(&mut client, "NonExistent").await, "* LIST (\\NonExistent) \"/\" \"Trips/Roma\"");
    // A command in between is answered as ever.
    assert!(client.ask("NOOP").await.last().unwrap().starts_with("OK"));
}

async fn told(client: &mut crate::harness::Client, what: &str) -> String {
    loop {
        let line = client.line().await;
        assert!(!line.is_empty(), "the session ended before {what}");
        if line.contains(what) {
            return line;
        }
    }
}

#[tokio::test]
async fn the_selected_mailbox_is_told_without_idle() {
    let house = House::new().await;
    house.deliver(None, &mail("one", "x")).await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client
        .ask("NOTIFY SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (Subject)]) MessageExpunge FlagChange))")
        .await;
    house.deliver(None, &mail("two", "x")).await;
    assert_eq!(client.line().await, "* 2 EXISTS");
    assert!(client.line().await.starts_with("* 2 FETCH (UID 2 BODY[HEADER.FIELDS (Subject)] {"));
    let mut other = house.login("alice").await;
    other.ask("SELECT INBOX").await;
    other.ask("STORE 1 +FLAGS (\\Deleted)").await;
    assert!(client.line().await.starts_with("* 1 FETCH (UID 1 FLAGS (\\Deleted)"));
    other.ask("EXPUNGE").await;
    assert_eq!(client.line().await, "* 1 EXPUNGE");
    client.ask("NOTIFY NONE").await;
    house.deliver(None, &mail("three", "x")).await;
    assert_eq!(client.ask("NOOP").await[0], "* 2 EXISTS", "without NOTIFY it comes when it is asked for");
}

#[tokio::test]
async fn expunges_may_be_delayed_until_a_command() {
    let house = House::new().await;
    for n in 0..3 {
        house.deliver(None, &mail(&format!("m{n}"), "x")).await;
    }
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client.ask("NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))").await;
    let mut other = house.login("alice").await;
    other.ask("SELECT INBOX").await;
    other.ask("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    assert!(client.line().await.contains("\\Deleted"));
    other.ask("EXPUNGE").await;
    house.deliver(None, &mail("new", "x")).await;
    assert_eq!(client.line().await, "* 4 EXISTS", "numbers stand: the expunge waits");
    assert_eq!(client.ask("NOOP").await[0], "* 1 EXPUNGE");
}

#[tokio::test]
async fn status_tells_everything_at_once() {
    let house = House::new().await;
    house.deliver(Some("Sent"), &mail("one", "x")).await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let told = client.ask("NOTIFY SET STATUS (personal (MessageNew MessageExpunge))").await;
    assert!(told.iter().any(|l| l.starts_with("* STATUS \"Sent\" (MESSAGES 1 ")), "{told:?}");
    assert!(!told.iter().any(|l| l.contains("INBOX")), "the selected one is known: {told:?}");
}

#[tokio::test]
async fn what_isn_t_known_is_refused() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    let said = client.ask("NOTIFY SET (personal (AnnotationChange))").await;
    assert!(said[0].starts_with("NO [BADEVENT (MessageNew"), "{said:?}");
    assert!(client.ask("NOTIFY SET (selected (MailboxName))").await[0].starts_with("BAD"));
    assert!(client.ask("NOTIFY SET (personal (MessageNew (UID) MessageExpunge))").await[0].starts_with("BAD"));
}

#[tokio::test]
async fn a_mailbox_that_nothing_is_wanted_of_is_silent() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client.ask("NOTIFY SET (selected NONE) (mailboxes Sent NONE) (personal (MessageNew MessageExpunge))").await;
    house.deliver(None, &mail("one", "x")).await;
    house.deliver(Some("Sent"), &mail("two", "x")).await;
    house.deliver(Some("Archive"), &mail("three", "x")).await;
    assert!(client.line().await.starts_with("* STATUS \"Archive\""));
    assert_eq!(client.ask("NOOP").await.len(), 1);
}
