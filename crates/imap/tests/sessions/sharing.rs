//! ACL (RFC 4314): mailboxes of others, under `Shared/`.

use crate::harness::{Client, House, mail};

/// Alice's mailbox Team, with a message, shared with bob.
async fn shared(rights: &str) -> (House, Client, Client) {
    let house = House::new().await;
    let (mut alice, bob) = (house.login("alice").await, house.login("bob").await);
    assert!(alice.ask("CREATE Team").await[0].starts_with("OK [MAILBOXID (F"));
    house.deliver(Some("Team"), &mail("minutes", "body")).await;
    let set = alice.ask(&format!("SETACL Team bob@example.test {rights}")).await;
    assert!(set[0].starts_with("OK"), "{set:?}");
    (house, alice, bob)
}

const TEAM: &str = "Shared/alice@example.test/Team";

async fn answer(client: &mut Client, command: &str) -> String {
    client.ask(command).await.pop().unwrap()
}

#[tokio::test]
async fn a_shared_mailbox_is_used_as_far_as_its_rights_go() {
    let (_house, mut alice, mut bob) = shared("lr").await;
    let select = bob.ask(&format!("SELECT {TEAM}")).await;
    assert!(select.iter().any(|l| l == "* 1 EXISTS") && select.iter().any(|l| l.contains("[PERMANENTFLAGS ()]")));
    assert!(select.last().unwrap().starts_with("OK [READ-ONLY]"), "{select:?}");
    let fetch = bob.ask("FETCH 1 (BODY[HEADER.FIELDS (Subject)])").await;
    assert!(fetch[0].contains("Subject: minutes") && !fetch[0].contains("\\Seen"), "{fetch:?}");
    for refused in ["STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "MOVE 1 INBOX"] {
        assert!(answer(&mut bob, refused).await.starts_with("NO [READ-ONLY]"), "{refused}");
    }
    for refused in [
        format!("APPEND {TEAM} {{1+}}\r\nx"),
        format!("CREATE {TEAM}/Under"),
        format!("DELETE {TEAM}"),
        format!("RENAME {TEAM} {TEAM}2"),
        format!("GETACL {TEAM}"),
        format!("SETACL {TEAM} bob@example.test lrswipkxtea"),
        format!("SETMETADATA {TEAM} (/shared/comment \"x\")"),
    ] {
        assert!(answer(&mut bob, &refused).await.starts_with("NO [NOPERM]"), "{refused}");
    }
    assert!(answer(&mut bob, "COPY 1 INBOX").await.starts_with("OK [COPYUID"));
    alice.ask("SETACL Team bob@example.test lrswite").await;
    let select = bob.ask(&format!("SELECT {TEAM}")).await;
    assert!(select.last().unwrap().starts_with("OK [READ-WRITE]"));
    assert!(
        answer(&mut bob, &format!("APPEND {TEAM} (\\Flagged) {{14+}}\r\nSubject: b\r\n\r\n")).await.starts_with("OK")
    );
    assert!(answer(&mut bob, "STORE 1 +FLAGS (\\Deleted \\Seen)").await.starts_with("OK"));
    assert!(answer(&mut bob, "EXPUNGE").await.starts_with("OK"));
    alice.ask("SELECT Team").await;
    assert!(alice.ask("FETCH 1 FLAGS").await[0].contains("\\Flagged"));
}

#[tokio::test]
async fn what_isn_t_shared_isn_t_there() {
    let (_house, mut alice, mut bob) = shared("r").await;
    for (name, why) in [
        (TEAM, "without the right to see it"),
        ("Shared/alice@example.test/INBOX", "never shared"),
        ("Shared/alice@example.test/Nothing", "no such mailbox"),
        ("Shared/nobody@example.test/INBOX", "nobody"),
        ("Shared/bob@example.test/INBOX", "his own isn't others'"),
        ("Shared/alice@example.test", "a level"),
        ("Shared", "a level"),
    ] {
        for command in ["SELECT", "STATUS", "MYRIGHTS", "GETACL", "DELETE"] {
            let items = if command == "STATUS" { " (MESSAGES)" } else { "" };
            let said = answer(&mut bob, &format!("{command} {name}{items}")).await;
            assert!(said.starts_with("NO [NONEXISTENT]"), "{command} {name}: {why}: {said}");
        }
    }
    assert_eq!(bob.ask("LIST \"\" Shared*").await.len(), 1);
    for name in ["Shared", "Shared/x", "Shared/alice@example.test/New"] {
        let said = answer(&mut bob, &format!("CREATE {name}")).await;
        assert!(said.starts_with("NO [CANNOT]") || said.starts_with("NO [NOPERM]"), "{name}: {said}");
    }
    assert!(answer(&mut alice, "SETACL Team anyone lr").await.starts_with("NO [CANNOT]"));
    assert!(answer(&mut alice, "SETACL Team -bob@example.test lr").await.starts_with("NO [CANNOT]"));
    assert!(answer(&mut alice, "SETACL Team alice@example.test l").await.starts_with("NO [CANNOT]"));
}

#[tokio::test]
async fn a_list_tells_rights() {
    let (_house, mut alice, mut bob) = shared("lr").await;
    let list = bob.ask("LIST \"\" \"*\" RETURN (MYRIGHTS STATUS (MESSAGES))").await;
    assert!(list.contains(&"* LIST (\\Noselect \\HasChildren) \"/\" \"Shared\"".to_owned()), "{list:?}");
    assert!(list.contains(&format!("* LIST (\\HasNoChildren) \"/\" \"{TEAM}\"")), "{list:?}");
    assert!(list.contains(&format!("* MYRIGHTS \"{TEAM}\" lr")), "{list:?}");
    assert!(list.contains(&format!("* STATUS \"{TEAM}\" (MESSAGES 1)")), "{list:?}");
    assert!(list.contains(&"* MYRIGHTS \"INBOX\" lrswipkxteacd".to_owned()), "{list:?}");
    assert_eq!(bob.ask("LIST \"\" %").await.iter().filter(|l| l.contains("Shared")).count(), 1);
    assert!(bob.ask("SUBSCRIBE ".to_owned().as_str()).await[0].starts_with("BAD"));
    assert!(answer(&mut bob, &format!("SUBSCRIBE {TEAM}")).await.starts_with("OK"));
    assert!(bob.ask("LIST (SUBSCRIBED) \"\" *").await.iter().any(|l| l.ends_with(&format!("\"{TEAM}\""))));
    assert!(!alice.ask("LIST \"\" *").await.iter().any(|l| l.contains("Shared")));
}

#[tokio::test]
async fn rights_are_told_with_the_old_letters() {
    let (_house, mut alice, mut bob) = shared("lrc").await;
    alice
        .talk(
            "C: a GETACL Team
             S: * ACL \"Team\" \"alice@example.test\" lrswipkxteacd \"bob@example.test\" lrkxc
             S: a OK …
             C: b LISTRIGHTS Team bob@example.test
             S: * LISTRIGHTS \"Team\" \"bob@example.test\" \"\" l r s w i p k x t e a c d
             S: b OK …
             C: c LISTRIGHTS Team alice@example.test
             S: * LISTRIGHTS \"Team\" \"alice@example.test\" lrswipkxteacd
             S: c OK …
             C: d SETACL Team bob@example.test -k
             S: d OK …
             C: e DELETEACL Team nobody@example.test
             S: e NO [CANNOT] …",
        )
        .await;
    assert_eq!(bob.ask(&format!("MYRIGHTS {TEAM}")).await[0], format!("* MYRIGHTS \"{TEAM}\" lrxc"));
    assert!(answer(&mut alice, "DELETEACL Team bob@example.test").await.starts_with("OK"));
    assert!(answer(&mut bob, &format!("SELECT {TEAM}")).await.starts_with("NO [NONEXISTENT]"));
}

/// RFC 4314 §4: what the user may not change stays, what he may changes.
#[tokio::test]
async fn flags_change_as_far_as_rights_go() {
    let (_house, mut alice, mut bob) = shared("lrs").await;
    alice.ask("SELECT Team").await;
    alice.ask("STORE 1 FLAGS (\\Flagged \\Answered work)").await;
    bob.ask(&format!("SELECT {TEAM}")).await;
    assert!(answer(&mut bob, "STORE 1 +FLAGS (\\Deleted)").await.starts_with("NO [NOPERM]"));
    let stored = bob.ask("STORE 1 FLAGS (\\Seen \\Deleted play)").await;
    assert_eq!(stored[0], "* 1 FETCH (FLAGS (\\Answered \\Flagged \\Seen work))", "{stored:?}");
    let stored = bob.ask("STORE 1 FLAGS ()").await;
    assert_eq!(stored[0], "* 1 FETCH (FLAGS (\\Answered \\Flagged work))", "{stored:?}");
    alice.ask("SETACL Team bob@example.test +w").await;
    bob.ask(&format!("SELECT {TEAM}")).await;
    let stored = bob.ask("STORE 1 FLAGS (\\Draft play)").await;
    assert_eq!(stored.iter().find(|l| l.contains("FETCH")).unwrap(), "* 1 FETCH (FLAGS (\\Draft play))", "{stored:?}");
}

#[tokio::test]
async fn who_may_makes_mailboxes_below() {
    let (_house, mut alice, mut bob) = shared("lrkx").await;
    assert!(answer(&mut bob, &format!("CREATE {TEAM}/2026/May")).await.starts_with("OK"));
    assert!(alice.ask("LIST \"\" Team*").await.iter().any(|l| l.contains("\"Team/2026/May\"")));
    let mine = bob.ask(&format!("MYRIGHTS {TEAM}/2026/May")).await;
    assert!(mine[0].ends_with(" lrkxc"), "shared as the one above: {mine:?}");
    assert!(answer(&mut bob, &format!("RENAME {TEAM}/2026/May {TEAM}/June")).await.starts_with("OK"));
    assert!(answer(&mut bob, &format!("RENAME {TEAM}/June Mine")).await.starts_with("NO [CANNOT]"));
    assert!(answer(&mut bob, &format!("DELETE {TEAM}/June")).await.starts_with("OK"));
}

/// A right that is taken away is gone for sessions that are in the mailbox, too.
#[tokio::test]
async fn a_session_doesn_t_outlive_its_rights() {
    let (_house, mut alice, mut bob) = shared("lrswite").await;
    bob.ask(&format!("SELECT {TEAM}")).await;
    alice.ask("SETACL Team bob@example.test lr").await;
    assert!(answer(&mut bob, "STORE 1 +FLAGS (\\Deleted)").await.starts_with("NO [NOPERM]"));
    alice.ask("DELETEACL Team bob@example.test").await;
    bob.send("x FETCH 1 FLAGS\r\n").await;
    let end = bob.ends().await;
    assert!(end.iter().any(|l| l.starts_with("* BYE")) && !end.iter().any(|l| l.contains("FETCH")), "{end:?}");
}
