//! MULTIAPPEND (RFC 3502), REPLACE (RFC 8508).

use crate::harness::{House, Plan, mail};

fn literal(text: &str) -> String {
    format!("{{{}+}}\r\n{text}", text.len())
}

#[tokio::test]
async fn several_messages_come_together_or_not_at_all() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    let (one, two) = (mail("one", "1"), mail("two", "2"));
    let both = format!(
        "APPEND Drafts (\\Seen) {} (\\Flagged x) \" 7-Feb-1994 22:43:04 -0800\" {}",
        literal(&one),
        literal(&two)
    );
    let said = client.ask(&both).await;
    assert!(said[0].starts_with("OK [APPENDUID ") && said[0].contains(" 1:2]"), "{said:?}");
    client.ask("SELECT Drafts").await;
    let told = client.ask("FETCH 1:2 (FLAGS INTERNALDATE)").await;
    assert!(told[0].contains("FLAGS (\\Seen)") && told[1].contains("FLAGS (\\Flagged x)"), "{told:?}");
    assert!(told[1].contains("\"08-Feb-1994 06:43:04 +0000\""), "{told:?}");
    let bad = format!("APPEND Drafts {} {}", literal(&one), literal("bare\nline"));
    assert!(client.ask(&bad).await.last().unwrap().starts_with("NO [CANNOT]"));
    assert!(client.ask("STATUS Drafts (MESSAGES)").await[0].ends_with("(MESSAGES 2)"), "none of them came");
}

#[tokio::test]
async fn several_messages_that_are_too_much_for_the_quota_leave_none() {
    let house = House::planned(Plan { quota_bytes: 200, ..Plan::default() }).await;
    let mut client = house.login("alice").await;
    let one = mail("one", "1");
    let said = client.ask(&format!("APPEND INBOX {} {}", literal(&one), literal(&one))).await;
    assert!(said[0].starts_with("NO [OVERQUOTA]"), "{said:?}");
    assert!(client.ask("STATUS INBOX (MESSAGES)").await[0].ends_with("(MESSAGES 0)"));
}

#[tokio::test]
async fn a_draft_is_replaced_in_one_step() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.ask(&format!("APPEND Drafts {}", literal(&mail("first", "x")))).await;
    client.ask("SELECT Drafts").await;
    let said = client.ask(&format!("REPLACE 1 Drafts (\\Draft) {}", literal(&mail("second", "x")))).await;
    assert!(said[0].starts_with("* OK [APPENDUID ") && said[0].contains(" 2]"), "{said:?}");
    assert_eq!(said[1..3], ["* 1 EXPUNGE", "* 1 EXISTS"]);
    assert!(said[3].starts_with("OK"));
    let told = client.ask("UID FETCH 2 (FLAGS BODY.PEEK[HEADER.FIELDS (Subject)])").await;
    assert!(told[0].contains("\\Draft") && told[0].contains("Subject: second"), "{told:?}");
    // Elsewhere: a draft that is sent.
    let said = client.ask(&format!("UID REPLACE 2 Sent {}", literal(&mail("sent", "x")))).await;
    assert!(said.last().unwrap().starts_with("OK"), "{said:?}");
    assert!(client.ask("STATUS Sent (MESSAGES)").await[0].ends_with("(MESSAGES 1)"));
    let gone = client.ask(&format!("UID REPLACE 2 Sent {}", literal(&mail("again", "x")))).await;
    assert!(gone[0].starts_with("NO [NONEXISTENT]"), "{gone:?}");
    assert!(client.ask("REPLACE 9 Sent {1+}\r\nx").await[0].starts_with("BAD"));
    assert!(client.ask(&format!("UID REPLACE 2 Nowhere {}", literal("x"))).await[0].starts_with("NO [TRYCREATE]"));
    client.ask("EXAMINE Sent").await;
    assert!(client.ask("REPLACE 1 Sent {1+}\r\nx").await[0].starts_with("NO [READ-ONLY]"));
}
