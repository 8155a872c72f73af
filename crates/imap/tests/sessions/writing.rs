//! APPEND, STORE, COPY, MOVE, EXPUNGE.

use crate::harness::{House, Plan, mail};

#[tokio::test]
async fn an_appended_message_is_there() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    let message = mail("draft", "text");
    client
        .talk(&format!(
            "C: a APPEND Drafts (\\Draft \\Seen) \"01-Feb-2020 10:00:00 +0100\" {{{}}}
             S: + …",
            message.len()
        ))
        .await;
    client.send(format!("{message}\r\n")).await;
    client
        .talk(
            "S: a OK [APPENDUID … 1] …
             C: b SELECT Drafts
             S: * FLAGS …
             S: * OK …
             S: * 1 EXISTS
             S: * 0 RECENT
             S: * OK [UIDVALIDITY …
             S: * OK [UIDNEXT …
             S: * OK [HIGHESTMODSEQ …
             S: * OK [MAILBOXID …
             S: b OK …
             C: c FETCH 1 (FLAGS INTERNALDATE)
             S: * 1 FETCH (FLAGS (\\Seen \\Draft) INTERNALDATE \"…1-Feb-2020 09:00:00 +0000\")
             S: c OK …",
        )
        .await;
    assert_eq!(
        client.ask("FETCH 1 BODY.PEEK[]").await[0],
        format!("* 1 FETCH (BODY[] {{{}}}\r\n{message})", message.len())
    );
    // Into the mailbox that is open: told at once.
    let answer = client.ask(&format!("APPEND Drafts {{{}+}}\r\n{message}", message.len())).await;
    assert_eq!(answer[0], "* 2 EXISTS");
    assert!(answer[1].starts_with("OK [APPENDUID "));
}

#[tokio::test]
async fn what_can_t_be_a_message_is_refused_with_its_reason() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    for (message, reason) in [
        ("Subject: x\n\nbody\n", "bare CR or LF"),
        ("Subject: x\r\n\r\na\0b\r\n", "NUL"),
        ("", "empty"),
        ("a\rb\r\n", "bare"),
    ] {
        let answer = client.ask(&format!("APPEND INBOX {{{}+}}\r\n{message}", message.len())).await;
        assert!(answer[0].starts_with("NO [CANNOT]") && answer[0].contains(reason), "{answer:?}");
    }
    let message = mail("x", "y");
    let answer = client.ask(&format!("APPEND Nowhere {{{}+}}\r\n{message}", message.len())).await;
    assert!(answer[0].starts_with("NO [TRYCREATE]"), "{answer:?}");
    assert!(client.ask("STATUS INBOX (MESSAGES)").await[0].ends_with("(MESSAGES 0)"));
}

#[tokio::test]
async fn a_message_too_large_is_refused_before_it_is_sent() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client
        .talk(
            "C: a APPEND INBOX {200001}
             S: a NO [TOOBIG] …
             C: b NOOP
             S: b OK …
             C: c APPEND INBOX {200001+}
             S: c BAD …
             S: * BYE …",
        )
        .await;
    assert!(client.ends().await.is_empty());
}

#[tokio::test]
async fn an_account_over_quota_is_told_so() {
    let house = House::planned(Plan { quota_bytes: 1024, ..Plan::default() }).await;
    let mut client = house.login("alice").await;
    let message = mail("x", &"y".repeat(900));
    client
        .talk(
            "C: q GETQUOTAROOT INBOX
             S: * QUOTAROOT \"INBOX\" \"\"
             S: * QUOTA \"\" (STORAGE 0 1)
             S: q OK …
             C: r SETQUOTA \"\" (STORAGE 5)
             S: r NO …",
        )
        .await;
    let first = client.ask(&format!("APPEND INBOX {{{}+}}\r\n{message}", message.len())).await;
    let second = client.ask(&format!("APPEND INBOX {{{}+}}\r\n{message}", message.len())).await;
    assert!(second[0].starts_with("NO [OVERQUOTA]"), "{first:?} {second:?}");
}

#[tokio::test]
async fn flags_change_and_are_told() {
    let house = House::new().await;
    for n in 1..=3 {
        house.deliver(None, &mail(&n.to_string(), "x")).await;
    }
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client
        .talk(
            "C: a STORE 1:2 +FLAGS (\\Seen \\Flagged)
             S: * 1 FETCH (FLAGS (\\Flagged \\Seen))
             S: * 2 FETCH (FLAGS (\\Flagged \\Seen))
             S: a OK …
             C: b STORE 2 -FLAGS.SILENT (\\Seen)
             S: b OK …
             C: c UID STORE 2 FLAGS ($Todo)
             S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Todo)
             S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Todo \\*)] …
             S: * 2 FETCH (UID 2 FLAGS ($Todo))
             S: c OK …
             C: d FETCH 1:3 FLAGS
             S: * 1 FETCH (FLAGS (\\Flagged \\Seen))
             S: * 2 FETCH (FLAGS ($Todo))
             S: * 3 FETCH (FLAGS ())
             S: d OK …
             C: e STORE 4 +FLAGS (\\Seen)
             S: e BAD …
             C: f EXAMINE INBOX
             S: * OK [CLOSED] …
             S: * FLAGS …
             S: * OK [PERMANENTFLAGS ()] …
             S: * 3 EXISTS
             S: * 0 RECENT
             S: * OK [UIDVALIDITY …
             S: * OK [UIDNEXT …
             S: * OK [HIGHESTMODSEQ …
             S: * OK [MAILBOXID …
             S: f OK [READ-ONLY] …
             C: g STORE 1 +FLAGS (\\Deleted)
             S: g NO …
             C: h EXPUNGE
             S: h NO …
             C: i UID MOVE 1 Trash
             S: i NO …",
        )
        .await;
}

#[tokio::test]
async fn deleted_messages_go_when_they_are_expunged() {
    let house = House::new().await;
    for n in 1..=6 {
        house.deliver(None, &mail(&n.to_string(), "x")).await;
    }
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client.ask("STORE 1,3,5 +FLAGS.SILENT (\\Deleted)").await;
    client
        .talk(
            "C: a UID EXPUNGE 1:2
             S: * 1 EXPUNGE
             S: a OK …
             C: b EXPUNGE
             S: * 2 EXPUNGE
             S: * 3 EXPUNGE
             S: b OK …
             C: c UID SEARCH ALL
             S: * SEARCH 2 4 6
             S: c OK …
             C: d STORE 1 +FLAGS.SILENT (\\Deleted)
             S: d OK …
             C: e UNSELECT
             S: e OK …
             C: f STATUS INBOX (MESSAGES DELETED UNSEEN UIDNEXT)
             S: * STATUS \"INBOX\" (MESSAGES 3 DELETED 1 UNSEEN 3 UIDNEXT 7)
             S: f OK …",
        )
        .await;
    client.ask("SELECT INBOX").await;
    assert_eq!(client.ask("CLOSE").await.len(), 1);
    assert!(client.ask("STATUS INBOX (MESSAGES)").await[0].ends_with("(MESSAGES 2)"));
    assert!(client.ask("FETCH 1 FLAGS").await[0].starts_with("BAD"));
}

#[tokio::test]
async fn messages_are_copied_and_moved_with_their_uids_told() {
    let house = House::new().await;
    for n in 1..=4 {
        house.deliver(None, &mail(&n.to_string(), "x")).await;
    }
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    client.ask("STORE 2 +FLAGS.SILENT (\\Flagged $Kept)").await;
    client
        .talk(
            "C: a COPY 2:3 Archive
             S: a OK [COPYUID … 2:3 1:2] …
             C: b UID MOVE 1,4 Trash
             S: * OK [COPYUID … 1,4 1:2] …
             S: * 1 EXPUNGE
             S: * 3 EXPUNGE
             S: b OK …
             C: c COPY 1 Nowhere
             S: c NO [TRYCREATE] …
             C: d UID SEARCH ALL
             S: * SEARCH 2 3
             S: d OK …
             C: e UID COPY 99 Trash
             S: e OK …",
        )
        .await;
    client.ask("SELECT Archive").await;
    assert_eq!(client.ask("FETCH 1 FLAGS").await[0], "* 1 FETCH (FLAGS (\\Flagged $Kept))");
}
