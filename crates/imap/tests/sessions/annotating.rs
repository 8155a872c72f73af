//! METADATA (RFC 5464).

use crate::harness::House;
use mailward_core::limits::{METADATA_ENTRIES_MAX, METADATA_VALUE_MAX};

#[tokio::test]
async fn annotations_are_kept_and_told() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client
        .talk(
            "C: a SETMETADATA INBOX (/private/comment \"mine\" /shared/vendor/x/a {3+}
             C: yes /private/vendor/y/b \"deep\")
             S: a OK …
             C: b GETMETADATA INBOX /private/Comment
             S: * METADATA \"INBOX\" (\"/private/comment\" \"mine\")
             S: b OK …",
        )
        .await;
}

#[tokio::test]
async fn depth_and_size_choose() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.ask("SETMETADATA INBOX (/private/a \"1\" /private/a/b \"22\" /private/a/b/c \"333\" /shared/a \"4\")").await;
    let told = |lines: Vec<String>| lines[0].clone();
    assert_eq!(told(client.ask("GETMETADATA INBOX /private/a").await), "* METADATA \"INBOX\" (\"/private/a\" \"1\")");
    assert_eq!(
        told(client.ask("GETMETADATA (DEPTH 1) INBOX /private/a").await),
        "* METADATA \"INBOX\" (\"/private/a\" \"1\" \"/private/a/b\" \"22\")"
    );
    let all = client.ask("GETMETADATA (DEPTH infinity MAXSIZE 2) INBOX (/private /shared)").await;
    assert!(all[0].contains("/private/a/b\"") && !all[0].contains("/c\"") && all[0].contains("/shared/a"), "{all:?}");
    assert!(all[1].starts_with("OK [METADATA LONGENTRIES 3]"), "{all:?}");
    assert_eq!(told(client.ask("GETMETADATA INBOX /private/x").await), "* METADATA \"INBOX\" (\"/private/x\" NIL)");
    client.ask("SETMETADATA INBOX (/private/a NIL)").await;
    assert_eq!(told(client.ask("GETMETADATA INBOX /private/a").await), "* METADATA \"INBOX\" (\"/private/a\" NIL)");
}

#[tokio::test]
async fn private_ones_are_private_and_the_servers_are_the_administrators() {
    let house = House::new().await;
    let (mut alice, mut bob) = (house.login("alice").await, house.login("bob").await);
    assert!(alice.ask("SETMETADATA \"\" (/private/comment \"hers\")").await[0].starts_with("OK"));
    assert!(alice.ask("SETMETADATA \"\" (/shared/comment \"all\")").await[0].starts_with("NO [NOPERM]"));
    let own = alice.ask("GETMETADATA \"\" /private/comment").await;
    assert_eq!(own[0], "* METADATA \"\" (\"/private/comment\" \"hers\")");
    let other = bob.ask("GETMETADATA \"\" /private/comment").await;
    assert_eq!(other[0], "* METADATA \"\" (\"/private/comment\" NIL)");
}

/// Attacks G10.
#[tokio::test]
async fn annotations_are_bounded() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    let large = "x".repeat(METADATA_VALUE_MAX + 1);
    let said = client.ask(&format!("SETMETADATA INBOX (/private/a {{{}+}}\r\n{large})", large.len())).await;
    assert!(said[0].starts_with(&format!("NO [METADATA MAXSIZE {METADATA_VALUE_MAX}]")), "{said:?}");
    for n in 0..METADATA_ENTRIES_MAX {
        assert!(client.ask(&format!("SETMETADATA INBOX (/private/n{n} \"x\")")).await[0].starts_with("OK"));
    }
    assert!(client.ask("SETMETADATA INBOX (/private/more \"x\")").await[0].starts_with("NO [METADATA TOOMANY]"));
}

#[tokio::test]
async fn a_value_of_any_bytes_comes_back() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.send(b"a SETMETADATA INBOX (/private/bin ~{3+}\r\na\0b)\r\n").await;
    assert!(client.line().await.starts_with("a OK"));
    let told = client.ask("GETMETADATA INBOX /private/bin").await;
    assert_eq!(told[0], "* METADATA \"INBOX\" (\"/private/bin\" ~{3}\r\na\0b)");
}
