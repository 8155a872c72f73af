use super::*;
use crate::body::DataBody;
use proptest::prelude::*;

/// A server that says its lines, each after what it waits for.
async fn scripted(script: &'static [(&'static str, &'static str)]) -> Result<Sent, ClientError> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(async move {
        let (mut wire, mut seen) = (theirs, Vec::new());
        for (wait, say) in script {
            while !String::from_utf8_lossy(&seen).contains(wait) {
                if wire.read_buf(&mut seen).await.unwrap() == 0 {
                    return;
                }
            }
            seen.clear();
            wire.write_all(say.as_bytes()).await.unwrap();
        }
        // Reads on until the client goes.
        while wire.read_buf(&mut seen).await.is_ok_and(|n| n > 0) {}
    });
    let outcome = async {
        let mut client = Client::connect(ours, "client.example").await?;
        let to = [Address::parse("a@s.example", false).unwrap(), Address::parse("b@s.example", false).unwrap()];
        client.send(None, &to, b"Subject: x\r\n\r\n.dot").await
    }
    .await;
    server.abort();
    outcome
}

#[tokio::test]
async fn a_message_is_sent_with_pipelining() {
    let sent = scripted(&[
        ("", "220 x ESMTP\r\n"),
        ("EHLO client.example\r\n", "250-x\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"),
        (
            "MAIL FROM:<> SIZE=18\r\nRCPT TO:<a@s.example>\r\nRCPT TO:<b@s.example>\r\nDATA\r\n",
            "250 a\r\n250 b\r\n550 c\r\n354 d\r\n",
        ),
        ("Subject: x\r\n\r\n..dot\r\n.\r\n", "250 2.0.0 Ok\r\n"),
    ])
    .await
    .unwrap();
    assert_eq!(sent.answer.code, 250);
    assert_eq!(sent.refused.len(), 1);
}

#[tokio::test]
async fn a_message_is_sent_without_pipelining() {
    let sent = scripted(&[
        ("", "220 x\r\n"),
        ("EHLO", "250 x\r\n"),
        ("MAIL FROM:<>\r\n", "250\r\n"),
        ("RCPT TO:<a@s.example>\r\n", "250 b\r\n"),
        ("RCPT TO:<b@s.example>\r\n", "250 b\r\n"),
        ("DATA\r\n", "354 d\r\n"),
        ("\r\n.\r\n", "250-2.0.0 all\r\n250 2.0.0 Ok\r\n"),
    ])
    .await
    .unwrap();
    assert_eq!(sent.answer.lines, ["2.0.0 all", "2.0.0 Ok"]);
    assert!(sent.refused.is_empty());
}

#[tokio::test]
async fn if_nobody_is_taken_no_message_goes_out() {
    let outcome = scripted(&[
        ("", "220 x\r\n"),
        ("EHLO", "250-x\r\n250 PIPELINING\r\n"),
        ("DATA\r\n", "250 a\r\n550 5.1.1 b\r\n550 c\r\n503 d\r\n"),
        ("RSET\r\n", "250 Ok\r\n"),
    ])
    .await;
    assert!(matches!(outcome, Err(ClientError::Refused { command: "RCPT", reply }) if reply.code == 550));
}

/// Attacks H6.
#[tokio::test]
async fn a_server_that_never_ends_its_reply_is_left() {
    assert!(matches!(scripted(&[("", "junk\r\n")]).await, Err(ClientError::Malformed(_))));
    let (ours, mut theirs) = tokio::io::duplex(1024);
    tokio::spawn(async move { while theirs.write_all(b"220-x\r\n").await.is_ok() {} });
    assert!(matches!(Client::connect(ours, "c").await, Err(ClientError::Malformed("too many lines"))));
    let (ours, mut theirs) = tokio::io::duplex(1024);
    tokio::spawn(async move { while theirs.write_all(b"220 xxxxxxxxxx").await.is_ok() {} });
    assert!(matches!(Client::connect(ours, "c").await, Err(ClientError::Malformed("a line too long"))));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_left() {
    let (ours, _theirs) = tokio::io::duplex(1024);
    assert!(matches!(Client::connect(ours, "c").await, Err(ClientError::Timeout)));
}

/// Attacks B2.
#[tokio::test]
async fn bytes_behind_the_answer_to_starttls_end_it() {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    tokio::spawn(async move {
        theirs.write_all(b"220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n250 forged\r\n").await.unwrap();
        let mut seen = Vec::new();
        while theirs.read_buf(&mut seen).await.is_ok_and(|n| n > 0) {}
    });
    let client = Client::connect(ours, "c").await.unwrap();
    assert!(matches!(client.start_tls().await, Err(ClientError::Malformed(_))));
}

#[tokio::test]
async fn names_that_could_hide_a_command_are_refused() {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    theirs.write_all(b"220 x\r\n").await.unwrap();
    assert!(matches!(Client::connect(ours, "c\r\nQUIT").await, Err(ClientError::Name(_))));
}

/// Attacks A3, outbound.
#[test]
fn stray_line_ends_are_never_sent() {
    assert_eq!(stuff(b"a\n.\nb"), Err(Fault::BareLf));
    assert_eq!(stuff(b"a\r.\r\n"), Err(Fault::BareCr));
    assert_eq!(stuff(b"a\r"), Err(Fault::BareCr));
    assert_eq!(stuff(b"a\0"), Err(Fault::Nul));
    assert_eq!(stuff(b".\r\n..\r\n"), Ok(b"..\r\n...\r\n.\r\n".to_vec()));
    assert_eq!(stuff(b""), Ok(b".\r\n".to_vec()));
}

proptest! {
    #[test]
    fn no_reply_line_makes_it_panic(line in "([0-9]{3}[ -])?\\PC{0,40}") {
        if let Ok((code, _, text)) = reply_line(&line) {
            prop_assert!((200..600).contains(&code) && line.ends_with(text));
        }
    }

    #[test]
    fn what_is_stuffed_comes_back_the_same(lines in proptest::collection::vec("[.a]{0,4}", 0..10)) {
        let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let mut body = DataBody::new(Vec::new(), 10_000);
        let stuffed = stuff(message.as_bytes()).unwrap();
        let fed = body.feed(&stuffed);
        prop_assert!(fed.ended && fed.consumed == stuffed.len());
        prop_assert_eq!(body.finish(), Ok(message.into_bytes()));
    }
}
