//! Messages with UTF-8 in their headers, for clients that read it and for those that don't (RFC 6856, 6858).

use crate::harness::*;
use mailward_core::limits::*;

const WORD: &str = "=?utf-8?Q?gr=C3=BC=C3=9Fe?=";

fn greeting(body: &str) -> String {
    format!("From: Jøran <jøran@example.com>\r\nSubject: grüße\r\nX-Ä: ö\r\n\r\n{body}")
}

fn surrogate(body: &str) -> String {
    format!(
        "From: =?utf-8?Q?J=C3=B8ran_j=C3=B8ran=40example=2Ecom?=\r\n \
         <invalid@internationalized-address.invalid>\r\nSubject: {WORD}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_client_that_says_utf8_gets_messages_as_they_are() {
    let house = House::new().await;
    for body in ["", "bødy\r\n", &"ä line\r\n".repeat(20_000)] {
        house.deliver(greeting(body)).await;
    }
    let (mut client, _task) = house.login_after(&["UTF8", "LANG *"]).await;
    for (number, body) in [(1, String::new()), (2, "bødy\r\n".to_owned()), (3, "ä line\r\n".repeat(20_000))] {
        let text = greeting(&body);
        assert_eq!(client.ask(&format!("LIST {number}")).await, format!("+OK {number} {}", text.len()));
        assert_eq!(client.ask(&format!("RETR {number}")).await, format!("+OK {} octets", text.len()));
        assert!(client.body().await == text.as_bytes(), "{number}");
    }
}

#[tokio::test]
async fn other_clients_get_a_surrogate_with_the_same_body() {
    let house = House::new().await;
    // In memory and from the store.
    let bodies = ["bødy\r\n.\r\n".to_owned(), "ä line\r\n.\r\n".repeat(20_000)];
    for body in &bodies {
        house.deliver(greeting(body)).await;
    }
    let (mut client, _task) = house.login().await;
    for (number, body) in (1..).zip(&bodies) {
        let text = surrogate(body);
        assert_eq!(client.ask(&format!("RETR {number}")).await, format!("+OK {} octets", text.len()), "its own size");
        assert!(client.body().await == text.as_bytes(), "{number}");
        client.ask(&format!("TOP {number} 1")).await;
        let first = body.split_inclusive('\n').next().unwrap();
        assert_eq!(String::from_utf8(client.body().await).unwrap(), surrogate(first), "{number}");
    }
    client.ask("QUIT").await;
}

#[tokio::test]
async fn parts_of_a_large_message_are_rewritten_where_they_are() {
    let house = House::new().await;
    let part = |name: &str| {
        format!("--b\r\nContent-Disposition: attachment; {name}\r\n\r\n{}\r\n", "0123456789\r\n".repeat(10_000))
    };
    let message = |first: &str, second: &str| {
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}{}--b--\r\n", part(first), part(second))
    };
    house.deliver(message("filename=a", "filename=\"März.pdf\"")).await;
    let (mut client, _task) = house.login().await;
    let expected = message("filename=a", "filename*=utf-8''M%C3%A4rz.pdf")
        .replace("attachment; filename*", "attachment;\r\n filename*");
    assert!(client.retr(1).await == expected.as_bytes());
}

/// A structure that another version has made, or that can't be read, is made anew.
#[tokio::test]
async fn a_large_message_without_a_structure_is_the_same_message() {
    let house = House::new().await;
    let body = "a line\r\n".repeat(20_000);
    house.fill(1, |_| greeting(&body)).await;
    let (mut client, _task) = house.login().await;
    assert!(client.retr(1).await == surrogate(&body).as_bytes());
}

#[tokio::test]
async fn past_the_limit_a_client_is_told_what_it_needs() {
    let house = House::new().await;
    let subject = "ä".repeat(POP3_SURROGATE_MAX / 6);
    // A header of a part, as the message's own has a lower limit.
    let multipart = |header: &str| {
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{header}\r\n\r\nbody\r\n--b--\r\n")
    };
    let many = |fill: &str| {
        let part = format!("--b\r\nContent-Description: {}\r\n\r\nbody\r\n", fill.repeat(40_000));
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", part.repeat(6))
    };
    house.deliver(multipart(&format!("Content-Description: {subject}"))).await;
    house.deliver(many("ä")).await;
    // As long, and nothing to rewrite.
    let ascii = multipart(&format!("Content-Description: {}", "a".repeat(2 * HEADER_BYTES_MAX)));
    house.deliver(ascii.clone()).await;
    house.deliver(many("a")).await;
    let (mut client, task) = house.login().await;
    for command in ["RETR 1", "RETR 2", "TOP 1 0", "TOP 2 0"] {
        assert!(client.ask(command).await.starts_with("-ERR [UTF8] "), "{command}");
    }
    assert!(client.retr(3).await == ascii.as_bytes());
    assert!(client.retr(4).await == many("a").as_bytes());
    client.ask("QUIT").await;
    task.await.unwrap();
    let (mut client, _task) = house.login_after(&["UTF8"]).await;
    assert!(client.retr(2).await == many("ä").as_bytes());
}

#[tokio::test]
async fn what_is_not_utf_8_goes_out_as_it_came() {
    let house = House::new().await;
    let latin = b"Subject: gr\xfc\xdfe\r\n\r\nb\xf6dy\r\n";
    house.deliver(latin.as_slice()).await;
    let (mut client, _task) = house.login().await;
    assert_eq!(client.retr(1).await, latin);
}
