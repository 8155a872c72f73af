//! FETCH, SEARCH: what is in the messages.

use crate::harness::{House, mail};
use std::sync::atomic::Ordering;

const MIXED: &str = "From: \"Bob B.\" <bob@example.test>\r\nTo: alice@example.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZQ==\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nX-A: 1\r\n\r\ninner body\r\n--b--\r\n";

#[tokio::test]
async fn a_message_is_read_in_every_way() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    house.deliver(None, &mail("one", "Hello")).await;
    let size = mail("one", "Hello").len();
    client
        .talk(&format!(
            "C: a SELECT INBOX
             S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
             S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] …
             S: * 1 EXISTS
             S: * 0 RECENT
             S: * OK [UIDVALIDITY …
             S: * OK [UIDNEXT 2] …
             S: * OK [HIGHESTMODSEQ …
             S: * OK [MAILBOXID (F…
             S: a OK [READ-WRITE] …
             C: b FETCH 1 (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])
             S: * 1 FETCH (UID 1 FLAGS () RFC822.SIZE {size} BODY[HEADER.FIELDS (SUBJECT)] {{16}}⏎Subject: one⏎⏎)
             S: b OK …
             C: c FETCH 1 ENVELOPE
             S: * 1 FETCH (ENVELOPE (\"Fri, 21 Nov 1997 09:55:06 -0600\" \"one\" ((\"Bob\" NIL \"bob\" \"example.test\")) …
             S: c OK …
             C: d FETCH 1 BODY[TEXT]<2.3>
             S: * 1 FETCH (BODY[TEXT]<2> {{3}}⏎llo FLAGS (\\Seen))
             S: d OK …
             C: e FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)
             S: * 1 FETCH (RFC822 {{{size}}}⏎From: …Hello⏎ RFC822.HEADER {{…}}⏎From: … RFC822.TEXT {{7}}⏎Hello⏎)
             S: e OK …
             C: f FETCH 1 INTERNALDATE
             S: * 1 FETCH (INTERNALDATE \"… +0000\")
             S: f OK …
             C: g FETCH 1:* (FLAGS)
             S: * 1 FETCH (FLAGS (\\Seen))
             S: g OK …
             C: h FETCH 2 FLAGS
             S: h BAD …
             C: i UID FETCH 5:* FLAGS
             S: * 1 FETCH (UID 1 FLAGS (\\Seen))
             S: i OK …
             C: j FETCH 1 BODY[]<1000.5>
             S: * 1 FETCH (BODY[]<1000> {{0}}⏎)
             S: j OK …
             C: k FETCH 1 BODY[7]
             S: * 1 FETCH (BODY[7] NIL)
             S: k OK …"
        ))
        .await;
}

#[tokio::test]
async fn parts_are_numbered_as_the_rfc_says() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    house.deliver(None, MIXED).await;
    client.ask("EXAMINE INBOX").await;
    let sections = [
        ("BODY[1]", "{12}⏎R3LDvMOfZQ=="),
        ("BODY[1.MIME]", "{78}⏎Content-Type: text/plain; charset=utf-8⏎Content-Transfer-Encoding: base64⏎⏎"),
        ("BODY[2.HEADER]", "{26}⏎Subject: inner⏎X-A: 1⏎⏎"),
        ("BODY[2.TEXT]", "{10}⏎inner body"),
        ("BODY[2.1]", "{10}⏎inner body"),
        ("BODY[2.HEADER.FIELDS (x-a)]", "{10}⏎X-A: 1⏎⏎"),
        ("BODY[2.HEADER.FIELDS.NOT (x-a)]", "{18}⏎Subject: inner⏎⏎"),
        ("BODY[3]", "NIL"),
        ("BODY[1.HEADER]", "NIL"),
    ];
    for (section, expected) in sections {
        let answer = client.ask(&format!("FETCH 1 {section}")).await;
        let expected = format!("* 1 FETCH ({section} {expected})").replace('⏎', "\r\n");
        assert_eq!(answer[0], expected);
    }
    let structure = client.ask("FETCH 1 BODYSTRUCTURE").await;
    assert!(structure[0].contains("(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 36 (NIL \"inner\""), "{structure:?}");
    // EXAMINE never sets \Seen.
    assert_eq!(client.ask("FETCH 1 FLAGS").await[0], "* 1 FETCH (FLAGS ())");
}

#[tokio::test]
async fn searches_find_what_they_say() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    house.deliver(None, &mail("first", "apples and pears")).await;
    house.deliver(None, MIXED).await;
    house.deliver(None, &mail("third", &"plums ".repeat(500))).await;
    client.ask("SELECT INBOX").await;
    client.ask("STORE 2 +FLAGS (\\Flagged $Work)").await;
    client.ask("STORE 3 +FLAGS (\\Seen)").await;
    for (keys, expected) in [
        ("ALL", "1 2 3"),
        ("1,3", "1 3"),
        ("NOT 2", "1 3"),
        ("UID 2:*", "2 3"),
        ("SEEN", "3"),
        ("UNSEEN", "1 2"),
        ("NEW", ""),
        ("OLD", "1 2 3"),
        ("KEYWORD $work", "2"),
        ("UNKEYWORD $Work", "1 3"),
        ("KEYWORD nothing", ""),
        ("LARGER 1000", "3"),
        ("SMALLER 1000", "1 2"),
        ("FLAGGED UNSEEN", "2"),
        ("OR FLAGGED SEEN", "2 3"),
        ("NOT OR FLAGGED SEEN", "1"),
        ("(FLAGGED) (NOT SEEN)", "2"),
        ("SUBJECT FIRST", "1"),
        ("CHARSET UTF-8 SUBJECT {7+}\r\nGRÜßE", "2"),
        ("CHARSET UTF-8 BODY {7+}\r\ngrüße", "2"),
        ("BODY \"and PEARS\"", "1"),
        ("BODY \"inner body\"", "2"),
        ("TEXT first", "1"),
        ("FROM \"bob b.\"", "2"),
        ("TO alice", "1 2 3"),
        ("CC alice", ""),
        ("HEADER Message-ID \"\"", "1 3"),
        ("SENTON 21-Nov-1997", "1 3"),
        ("SENTBEFORE 8-Feb-1994", "2"),
        ("SENTSINCE 8-Feb-1994", "1 3"),
        ("SINCE 1-Jan-2020", "1 2 3"),
        ("BEFORE 1-Jan-2020", ""),
        ("YOUNGER 3600", "1 2 3"),
        ("OLDER 3600", ""),
        ("SEEN BODY plums", "3"),
        ("1:2 TEXT plums", ""),
    ] {
        let answer = client.ask(&format!("SEARCH {keys}")).await;
        let expected = if expected.is_empty() { "* SEARCH".to_owned() } else { format!("* SEARCH {expected}") };
        assert_eq!(answer[0], expected, "{keys}");
    }
    client
        .talk(
            "C: a SEARCH CHARSET KOI8-R ALL
             S: a NO [BADCHARSET (…
             C: b SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN
             S: * ESEARCH (TAG \"b\") MIN 1 MAX 2 COUNT 2 ALL 1:2
             S: b OK …
             C: c UID SEARCH RETURN (COUNT) DELETED
             S: * ESEARCH (TAG \"c\") UID COUNT 0
             S: c OK …
             C: d SEARCH 9
             S: d BAD …",
        )
        .await;
}

#[tokio::test]
async fn a_large_message_comes_whole_and_in_parts() {
    let house = House::new().await;
    let body: String = (0..20_000).map(|n| format!("line {n}\r\n")).collect();
    let message = mail("large", &body);
    house.deliver(None, &message).await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let answer = client.ask("FETCH 1 BODY.PEEK[]").await;
    assert_eq!(answer[0], format!("* 1 FETCH (BODY[] {{{}}}\r\n{message})", message.len()));
    let answer = client.ask("FETCH 1 BODY.PEEK[]<100000.70000>").await;
    assert_eq!(answer[0], format!("* 1 FETCH (BODY[]<100000> {{70000}}\r\n{})", &message[100_000..170_000]));
}

#[tokio::test]
async fn an_empty_mailbox_has_nothing_to_fetch() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    for command in [
        "FETCH 1:* FLAGS",
        "UID FETCH 1:* FLAGS",
        "STORE 1:* +FLAGS (\\Seen)",
        "EXPUNGE",
        "CHECK",
        "UID COPY 1:* Trash",
    ] {
        let answer = client.ask(command).await;
        assert!(answer.len() == 1 && answer[0].starts_with("OK"), "{command}: {answer:?}");
    }
    assert_eq!(client.ask("SEARCH ALL").await[0], "* SEARCH");
}

#[tokio::test]
async fn a_message_that_can_t_be_read_is_refused_and_never_half_sent() {
    let house = House::new().await;
    house.deliver(None, &mail("large", &"x".repeat(150_000))).await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    house.torn.store(0, Ordering::Relaxed);
    client
        .talk(
            "C: a FETCH 1 (UID BODY.PEEK[])
             S: a NO [CORRUPTION] …
             C: b FETCH 1 (UID RFC822.SIZE)
             S: * 1 FETCH (UID 1 RFC822.SIZE …)
             S: b OK …",
        )
        .await;
    assert!(house.context.events.lines().iter().any(|line| line.starts_with("alert imap.fault")));
    // Torn in the middle: what was announced can't come, so the connection goes, without a tagged line.
    house.torn.store(100_000, Ordering::Relaxed);
    client.send("c FETCH 1 BODY.PEEK[]\r\n").await;
    assert!(client.ends().await.is_empty());
}
