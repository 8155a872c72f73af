//! Parts decoded (BINARY, RFC 3516), previews (RFC 8970), ids (RFC 8474) and dates of saving (RFC 8514).

use crate::harness::{House, mail};

const MULTIPART: &str = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nca=C3=A9 =\r\nau lait\r\n--b\r\n\
Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nYQBi\r\n--b\r\n\
Content-Type: application/x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nodd\r\n--b--\r\n";

#[tokio::test]
async fn parts_are_served_decoded() {
    let house = House::new().await;
    house.deliver(None, MULTIPART).await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let told = client.ask("FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1] BINARY.SIZE[2])").await;
    assert_eq!(told[0], "* 1 FETCH (BINARY[1] {12}\r\nca\u{e9} au lait BINARY.SIZE[1] 12 BINARY.SIZE[2] 3)");
    let told = client.ask("FETCH 1 BINARY.PEEK[2]").await;
    assert_eq!(told[0], "* 1 FETCH (BINARY[2] ~{3}\r\na\0b)");
    let told = client.ask("FETCH 1 BINARY.PEEK[1]<2.3>").await;
    assert_eq!(told[0], "* 1 FETCH (BINARY[1]<2> {3}\r\n\u{e9} )");
    assert_eq!(client.ask("FETCH 1 BINARY.PEEK[7]").await[0], "* 1 FETCH (BINARY[7] NIL)");
    assert!(client.ask("FETCH 1 BINARY.PEEK[3]").await[0].starts_with("NO [UNKNOWN-CTE]"));
    assert!(client.ask("FETCH 1 FLAGS").await[0].contains("FLAGS ()"), "PEEK leaves it unseen");
    let told = client.ask("FETCH 1 BINARY[1]").await;
    assert!(told[0].contains("\\Seen"), "{told:?}");
    assert!(client.ask("FETCH 1 FLAGS").await[0].contains("\\Seen"));
}

#[tokio::test]
async fn a_large_part_is_served_decoded_too() {
    use base64::Engine as _;
    let house = House::new().await;
    let body = base64::engine::general_purpose::STANDARD.encode(vec![7u8; 120_000]);
    let lines: Vec<&str> = body.as_bytes().chunks(76).map(|c| std::str::from_utf8(c).unwrap()).collect();
    house
        .deliver(
            None,
            &format!("Content-Transfer-Encoding: base64\r\nContent-Type: a/b\r\n\r\n{}\r\n", lines.join("\r\n")),
        )
        .await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    assert_eq!(client.ask("FETCH 1 BINARY.SIZE[1]").await[0], "* 1 FETCH (BINARY.SIZE[1] 120000)");
    let told = client.ask("FETCH 1 BINARY.PEEK[1]<119990.100>").await;
    assert_eq!(told[0], format!("* 1 FETCH (BINARY[1]<119990> {{10}}\r\n{})", "\u{7}".repeat(10)));
}

#[tokio::test]
async fn a_preview_is_the_beginning_of_the_text() {
    let house = House::new().await;
    house.deliver(None, &mail("one", "Hello there,\r\n  this is it.")).await;
    house.deliver(None, MULTIPART).await;
    house.deliver(None, "Content-Type: image/png\r\n\r\nx\r\n").await;
    let mut client = house.login("alice").await;
    client.ask("SELECT INBOX").await;
    let told = client.ask("FETCH 1:3 (UID PREVIEW (LAZY))").await;
    assert_eq!(told[0], "* 1 FETCH (UID 1 PREVIEW \"Hello there, this is it.\")");
    assert_eq!(told[1], "* 2 FETCH (UID 2 PREVIEW {12}\r\nca\u{e9} au lait)");
    assert_eq!(told[2], "* 3 FETCH (UID 3 PREVIEW \"\")");
}

#[tokio::test]
async fn ids_stay_with_content_and_mailbox() {
    let house = House::new().await;
    house.deliver(None, &mail("one", "x")).await;
    house.deliver(None, &mail("two", "x")).await;
    let mut client = house.login("alice").await;
    let made = client.ask("CREATE Kept").await;
    let mailbox = made[0].split("MAILBOXID (").nth(1).unwrap().split(')').next().unwrap().to_owned();
    client.ask("SELECT INBOX").await;
    client.ask("COPY 1 Kept").await;
    let id = |line: &str| line.split("EMAILID (").nth(1).unwrap().split(')').next().unwrap().to_owned();
    let here = client.ask("FETCH 1:2 (EMAILID THREADID)").await;
    assert!(here[0].contains("THREADID NIL"), "{here:?}");
    let one = id(&here[0]);
    assert_ne!(one, id(&here[1]));
    assert_eq!(client.ask(&format!("SEARCH EMAILID {one}")).await[0], "* SEARCH 1");
    assert_eq!(client.ask("SEARCH THREADID T1").await[0], "* SEARCH");
    client.ask("RENAME Kept Renamed").await;
    let selected = client.ask("SELECT Renamed").await;
    assert!(selected.iter().any(|l| l.starts_with(&format!("* OK [MAILBOXID ({mailbox})]"))), "{selected:?}");
    assert_eq!(
        client.ask("STATUS Renamed (MAILBOXID)").await[0],
        format!("* STATUS \"Renamed\" (MAILBOXID ({mailbox}))")
    );
    assert_eq!(id(&client.ask("FETCH 1 EMAILID").await[0]), one, "a copy is the same mail");
}

#[tokio::test]
async fn the_date_of_saving_is_kept() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.ask("APPEND INBOX \" 7-Feb-1994 22:43:04 -0800\" {14+}\r\nSubject: x\r\n\r\n").await;
    client.ask("SELECT INBOX").await;
    let told = client.ask("FETCH 1 (SAVEDATE INTERNALDATE)").await;
    assert!(told[0].contains("SAVEDATE \"") && told[0].contains("INTERNALDATE \"08-Feb-1994"), "{told:?}");
    assert!(!told[0].contains("SAVEDATE \"08-Feb-1994"), "{told:?}");
    for (search, found) in [
        ("SAVEDSINCE 1-Jan-2020", "* SEARCH 1"),
        ("SAVEDBEFORE 1-Jan-2020", "* SEARCH"),
        ("SAVEDON 8-Feb-1994", "* SEARCH"),
        ("SAVEDATESUPPORTED", "* SEARCH 1"),
    ] {
        assert_eq!(client.ask(&format!("SEARCH {search}")).await[0], found, "{search}");
    }
}
