//! IMAP4rev2 (RFC 9051) and UTF8=ACCEPT (RFC 9755).

use crate::harness::{House, mail};

#[tokio::test]
async fn rev2_is_spoken_to_who_enables_it() {
    let house = House::new().await;
    house.deliver(None, &mail("one", "x")).await;
    let mut client = house.login("alice").await;
    assert_eq!(client.ask("ENABLE IMAP4rev2").await[0], "* ENABLED IMAP4rev2");
    let selected = client.ask("SELECT INBOX").await;
    assert!(!selected.iter().any(|l| l.contains("RECENT")), "{selected:?}");
    assert!(selected.contains(&"* LIST () \"/\" \"INBOX\"".to_owned()), "{selected:?}");
    let tag = client.ask("SEARCH ALL").await[0].clone();
    assert!(tag.starts_with("* ESEARCH (TAG \"") && tag.ends_with(" ALL 1"), "{tag}");
    assert!(client.ask("UID SEARCH SUBJECT nothing").await[0].ends_with("UID"), "an empty result has no ALL");
    assert_eq!(client.ask("STATUS INBOX (MESSAGES UIDNEXT UNSEEN DELETED SIZE)").await.len(), 2);
}

#[tokio::test]
async fn names_and_messages_in_utf8() {
    let house = House::new().await;
    let mut old = house.login("alice").await;
    assert!(old.ask("CREATE Entw&APw-rfe").await[0].starts_with("OK"));
    let mut client = house.login("alice").await;
    assert_eq!(client.ask("ENABLE UTF8=ACCEPT").await[0], "* ENABLED UTF8=ACCEPT");
    let list = client.ask("LIST \"\" \"Entw*\"").await;
    assert_eq!(list[0], "* LIST (\\HasNoChildren) \"/\" {9}\r\nEntw\u{fc}rfe");
    assert!(client.ask("CREATE \"Gr\u{fc}n & Blau\"").await[0].starts_with("OK"));
    assert!(old.ask("LIST \"\" \"Gr*\"").await[0].ends_with("\"Gr&APw-n &- Blau\""));
    let text = "Subject: Gr\u{fc}n\r\n\r\nx\r\n";
    let said = client.ask(&format!("APPEND INBOX (\\Seen) UTF8 (~{{{}+}}\r\n{text})", text.len())).await;
    assert!(said[0].starts_with("OK [APPENDUID"), "{said:?}");
    client.ask("SELECT INBOX").await;
    assert!(client.ask("FETCH 1 BODY.PEEK[]").await[0].contains("Subject: Gr\u{fc}n"));
    assert_eq!(client.ask("SEARCH SUBJECT \"GR\u{dc}N\"").await[0], "* SEARCH 1");
}
