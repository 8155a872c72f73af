//! Messages and their answers, as they should be.
use super::*;
use mailward_core::limits::{SEND_BUFFER, SEND_RECIPIENTS_DEFAULT};
use mailward_core::{GiveBack, NotifyOn};

/// Sends MESSAGE to a server with these extensions that says these things; the report, and whether the connection is
/// usable and quiet afterwards.
async fn sent(
    dialect: Dialect,
    offer: &str,
    transaction: &Transaction,
    turns: &[(&str, &str)],
) -> (Report, Connection<DuplexStream>, Peer) {
    let (mut connection, mut peer) = connected(dialect, Security::Clear, offer).await;
    let server = async {
        for (hear, say) in turns {
            peer.turn(hear, say).await;
        }
    };
    let mut content = content(MESSAGE);
    let (report, ()) = tokio::join!(connection.send(transaction, &mut content), server);
    assert_eq!(report.broken.is_none(), connection.is_usable());
    (report, connection, peer)
}

const ENVELOPE: &str = "MAIL FROM:<>\r\nRCPT TO:<a@s.example>\r\nRCPT TO:<b@s.example>\r\n";

#[tokio::test]
async fn a_message_is_sent_with_pipelining() {
    let turns =
        [(&*format!("{ENVELOPE}DATA\r\n"), "250 a\r\n250 b\r\n550 5.1.1 c\r\n354 d\r\n"), (DOTTED, "250 2.0.0 Ok\r\n")];
    let (report, ..) = sent(Dialect::Smtp, "PIPELINING", &to("a b"), &turns).await;
    assert_eq!(brief(&report), ["+250", "5 550"]);
    assert_eq!((report.accepted(), report.whole, report.broken), (1, None, None));
}

#[tokio::test]
async fn a_message_is_sent_command_by_command() {
    let turns = [
        ("MAIL FROM:<>\r\n", "250\r\n"),
        ("RCPT TO:<a@s.example>\r\n", "450 4.2.1 later\r\n"),
        ("RCPT TO:<b@s.example>\r\n", "251 will forward\r\n"),
        ("DATA\r\n", "354 d\r\n"),
        (DOTTED, "250-2.0.0 all\r\n250 2.0.0 Ok\r\n"),
    ];
    let (report, ..) = sent(Dialect::Smtp, "", &to("a b"), &turns).await;
    assert_eq!(brief(&report), ["4 450", "+250"]);
    let Outcome::Accepted(answer) = &report.outcomes[1] else { panic!("{report:?}") };
    assert_eq!(answer.to_string(), "250 2.0.0 all / 2.0.0 Ok");
}

#[tokio::test]
async fn a_message_is_sent_in_one_chunk() {
    let chunk = format!("BDAT {} LAST\r\n{MESSAGE}", MESSAGE.len());
    let turns = [(ENVELOPE, "250 a\r\n250 b\r\n250 c\r\n"), (&*chunk, "250 2.0.0 Ok\r\n")];
    let (report, ..) = sent(Dialect::Smtp, "PIPELINING CHUNKING", &to("a b"), &turns).await;
    assert_eq!(brief(&report), ["+250", "+250"]);
}

/// RFC 2033 §4.2.
#[tokio::test]
async fn lmtp_answers_for_each_recipient_that_was_taken() {
    let turns = [
        (
            "MAIL FROM:<>\r\nRCPT TO:<a@s.example>\r\nRCPT TO:<b@s.example>\r\nRCPT TO:<c@s.example>\r\nRCPT TO:<d@s.example>\r\nDATA\r\n",
            "250 a\r\n250 b\r\n550 c\r\n250 d\r\n250 e\r\n354 f\r\n",
        ),
        (DOTTED, "250 2.1.5 one\r\n452 4.2.2 full\r\n552 5.2.2 never\r\n"),
    ];
    let (report, ..) = sent(Dialect::Lmtp, "PIPELINING", &to("a b c d"), &turns).await;
    assert_eq!(brief(&report), ["+250", "5 550", "4 452 at the message", "5 552 at the message"]);
    assert_eq!((report.whole, report.broken), (None, None));
}

/// How many answers a refused BDAT has in LMTP is for each server to say: not asked.
#[tokio::test]
async fn lmtp_has_data_even_where_chunks_are_offered() {
    let turns = [(&*format!("{ENVELOPE}DATA\r\n"), "250 a\r\n250 b\r\n250 c\r\n452 4.3.1 full\r\n")];
    let (report, ..) = sent(Dialect::Lmtp, "PIPELINING CHUNKING", &to("a b"), &turns).await;
    assert_eq!(brief(&report), ["4 452 at DATA", "4 452 at DATA"]);
    assert_eq!(report.broken, None);
}

#[tokio::test]
async fn if_nobody_is_taken_no_message_goes_out() {
    let all = format!("{ENVELOPE}DATA\r\n");
    let turns = [(&*all, "250 a\r\n550 5.1.1 b\r\n450 c\r\n503 d\r\n")];
    let (report, connection, mut peer) = sent(Dialect::Smtp, "PIPELINING", &to("a b"), &turns).await;
    assert_eq!(brief(&report), ["5 550", "4 450"]);
    drop(connection);
    assert_eq!(peer.rest().await, "");
    let turns = [
        ("MAIL FROM:<>\r\n", "250 a\r\n"),
        ("RCPT TO:<a@s.example>\r\n", "550 b\r\n"),
        ("RCPT TO:<b@s.example>\r\n", "550 c\r\n"),
    ];
    let (report, connection, mut peer) = sent(Dialect::Smtp, "", &to("a b"), &turns).await;
    assert_eq!((brief(&report), report.whole), (vec!["5 550".to_owned(), "5 550".to_owned()], None));
    drop(connection);
    assert_eq!(peer.rest().await, "");
    let turns = [(ENVELOPE, "250 a\r\n550 b\r\n550 c\r\n")];
    let (_, connection, mut peer) = sent(Dialect::Smtp, "PIPELINING CHUNKING", &to("a b"), &turns).await;
    drop(connection);
    assert_eq!(peer.rest().await, "");
}

/// RFC 2920 §3.1: the server took nobody and asks for the message all the same.
#[tokio::test]
async fn a_message_for_nobody_is_ended_at_once() {
    let all = format!("{ENVELOPE}DATA\r\n");
    for mail in ["250", "550"] {
        let answers = format!("{mail} a\r\n550 b\r\n550 c\r\n354 d\r\n");
        let turns = [(&*all, &*answers), (".\r\n", "554 no recipients\r\n")];
        let (report, mut connection, mut peer) = sent(Dialect::Smtp, "PIPELINING", &to("a b"), &turns).await;
        assert_eq!(report.accepted(), 0);
        // The transaction is over: the next one needs no RSET.
        let next = [(&*all, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n"), (DOTTED, "250 Ok\r\n")];
        let server = async {
            for (hear, say) in next {
                peer.turn(hear, say).await;
            }
        };
        let (transaction, mut content) = (to("a b"), content(MESSAGE));
        let (report, ()) = tokio::join!(connection.send(&transaction, &mut content), server);
        assert_eq!(report.accepted(), 2);
    }
    // Where the empty message might go to somebody, or where nothing would answer it, the connection ends.
    for (dialect, answers) in [
        (Dialect::Smtp, "550 a\r\n250 b\r\n550 c\r\n354 d\r\n"),
        (Dialect::Lmtp, "250 a\r\n550 b\r\n550 c\r\n354 d\r\n"),
    ] {
        let (report, connection, mut peer) = sent(dialect, "PIPELINING", &to("a b"), &[(&all, answers)]).await;
        assert_eq!(report.broken.unwrap().cause, Cause::Malformed(Malformed::OutOfPlace));
        assert!(report.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Permanent(_))));
        drop(connection);
        assert_eq!(peer.rest().await, "");
    }
}

#[tokio::test]
async fn a_refused_sender_decides_for_all() {
    for (offer, turns) in [
        ("", vec![("MAIL FROM:<>\r\n", "451 4.7.1 not now\r\n")]),
        ("PIPELINING CHUNKING", vec![(ENVELOPE, "451 4.7.1 not now\r\n503 b\r\n503 c\r\n")]),
    ] {
        let (report, ..) = sent(Dialect::Smtp, offer, &to("a b"), &turns).await;
        assert_eq!(brief(&report), ["4 451 at MAIL FROM", "4 451 at MAIL FROM"]);
        assert_eq!(report.whole.unwrap().status().to_string(), "4.7.1");
        assert_eq!(report.broken, None);
    }
}

#[tokio::test]
async fn refused_data_decides_for_those_that_were_taken() {
    let all = format!("{ENVELOPE}DATA\r\n");
    let turns = [(&*all, "250 a\r\n550 b\r\n250 c\r\n452 4.3.1 full\r\n")];
    let (report, mut connection, mut peer) = sent(Dialect::Smtp, "PIPELINING", &to("a b"), &turns).await;
    assert_eq!(brief(&report), ["5 550", "4 452 at DATA"]);
    // The transaction was begun and not ended: the next one begins with RSET, in the same group.
    let next = async {
        peer.turn(&format!("RSET\r\n{all}"), "250 r\r\n550 5.7.1 no\r\n503 b\r\n503 c\r\n503 d\r\n").await;
    };
    let (transaction, mut message) = (to("a b"), content(MESSAGE));
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut message), next);
    assert_eq!(brief(&report), ["5 550 at MAIL FROM", "5 550 at MAIL FROM"]);
}

#[tokio::test]
async fn a_refused_message_decides_for_those_that_were_taken() {
    let (all, chunk) = (format!("{ENVELOPE}DATA\r\n"), format!("BDAT {} LAST\r\n{MESSAGE}", MESSAGE.len()));
    let dotted = [(&*all, "250 a\r\n450 b\r\n250 c\r\n354 d\r\n"), (DOTTED, "554 5.6.0 spam\r\n")];
    let counted = [(ENVELOPE, "250 a\r\n450 b\r\n250 c\r\n"), (&*chunk, "554 5.6.0 spam\r\n")];
    for (offer, turns, reset) in [("PIPELINING", dotted, false), ("PIPELINING CHUNKING", counted, true)] {
        let (report, mut connection, mut peer) = sent(Dialect::Smtp, offer, &to("a b"), &turns).await;
        assert_eq!(brief(&report), ["4 450", "5 554 at the message"]);
        // RFC 3030 §2: after BDAT that failed.
        let server = async {
            if reset {
                peer.turn("RSET\r\n", "250 Ok\r\n").await;
            }
        };
        let (done, ()) = tokio::join!(connection.reset(), server);
        done.unwrap();
        drop(connection);
        assert_eq!(peer.rest().await, "");
    }
}

/// RFC 5321 §4.5.3.1.10.
#[tokio::test]
async fn too_many_recipients_come_again_later() {
    for (answers, outcomes) in [
        ("250 b\r\n552 too many\r\n", ["+250", "4 552"]),
        ("250 b\r\n552 5.5.3 too many\r\n", ["+250", "4 552"]),
        ("250 b\r\n552 5.2.2 mailbox full\r\n", ["+250", "5 552"]),
        ("552 full\r\n250 c\r\n", ["5 552", "+250"]),
        ("250 b\r\n452 4.5.3 too many\r\n", ["+250", "4 452"]),
    ] {
        let (all, said) = (format!("{ENVELOPE}DATA\r\n"), format!("250 a\r\n{answers}354 d\r\n"));
        let turns = [(&*all, &*said), (DOTTED, "250 Ok\r\n")];
        let (report, ..) = sent(Dialect::Smtp, "PIPELINING", &to("a b"), &turns).await;
        assert_eq!(brief(&report), outcomes, "{answers}");
    }
}

#[tokio::test]
async fn what_the_server_offers_is_said() {
    let mut transaction = to("a");
    transaction.sender = ReversePath::Address(address("jö@c.example"));
    transaction.eight_bit = true;
    transaction.ret = Some(GiveBack::Headers);
    transaction.envid = Some("id +1".into());
    transaction.recipients[0].notify = Some(NotifyOn { success: true, failure: false, delay: true });
    transaction.recipients[0].original = Some(("rfc822".into(), "b+x@c.example".into()));
    transaction.recipients.push(Recipient { notify: Some(NotifyOn::default()), ..address("b@s.example").into() });
    let all = "MAIL FROM:<jö@c.example> SIZE=20 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+20+2B1\r\n\
               RCPT TO:<a@s.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bx@c.example\r\n\
               RCPT TO:<b@s.example> NOTIFY=NEVER\r\nDATA\r\n";
    let turns = [(all, "550 no\r\n503 b\r\n503 c\r\n503 d\r\n")];
    sent(Dialect::Smtp, "PIPELINING SIZE=99 8BITMIME SMTPUTF8 DSN", &transaction, &turns).await;
    // And what it doesn't offer isn't, where the message can go without.
    let turns = [("MAIL FROM:<> BODY=8BITMIME\r\n", "550 no\r\n")];
    transaction.sender = ReversePath::Null;
    sent(Dialect::Smtp, "8BITMIME", &transaction, &turns).await;
}

/// Attacks A4.
#[tokio::test]
async fn parameters_can_t_hide_commands() {
    let mut transaction = to("a b");
    transaction.envid = Some("x\r\nRSET\u{10a}".into());
    transaction.recipients[0].original = Some(("rfc822\r\nRSET".into(), "a".into()));
    transaction.recipients[1].original = Some(("rfc822".into(), "a\r\nRSET\n \0".into()));
    let all =
        "MAIL FROM:<> ENVID=xRSET\r\nRCPT TO:<a@s.example>\r\nRCPT TO:<b@s.example> ORCPT=rfc822;aRSET+20\r\nDATA\r\n";
    let turns = [(all, "550 no\r\n503 b\r\n503 c\r\n503 d\r\n")];
    sent(Dialect::Smtp, "PIPELINING DSN", &transaction, &turns).await;
    // Over their limits they are left out.
    transaction.envid = Some("x".repeat(101).into());
    transaction.recipients[0].original = Some(("rfc822".into(), "a".repeat(494).into()));
    transaction.recipients[1].original = Some(("rfc822".into(), "\r".into()));
    let all = format!("{ENVELOPE}DATA\r\n");
    sent(Dialect::Smtp, "PIPELINING DSN", &transaction, &[(&all, "550 no\r\n503 b\r\n503 c\r\n503 d\r\n")]).await;
}

#[tokio::test]
async fn what_the_server_can_t_take_is_known_before_it_hears_of_it() {
    let eight_bit = Transaction { eight_bit: true, ..to("a") };
    let header = Transaction { utf8_header: true, ..to("a") };
    let secret = Transaction { require_tls: true, ..to("a") };
    let sender = Transaction { sender: ReversePath::Address(address("jö@c.example")), ..to("a") };
    for (offer, transaction, code) in [
        ("", &eight_bit, "5.6.3"),
        ("8BITMIME", &header, "5.6.9"),
        ("8BITMIME", &sender, "5.6.7"),
        ("STARTTLS", &secret, "5.7.30"),
        // Offered in clear it promises nothing.
        ("REQUIRETLS", &secret, "5.7.30"),
        ("SIZE=19", &to("a"), "5.3.4"),
    ] {
        let (report, connection, mut peer) = sent(Dialect::Smtp, offer, transaction, &[]).await;
        assert_eq!(brief(&report), [format!("5 {code}")], "{offer}");
        assert_eq!(report.whole.unwrap().status().to_string(), code);
        assert!(report.broken.is_none());
        drop(connection);
        assert_eq!(peer.rest().await, "");
    }
    let turns = [("MAIL FROM:<> SIZE=20 REQUIRETLS\r\n", "550 no\r\n")];
    let (mut connection, mut peer) = connected(Dialect::Smtp, Security::Tls, "SIZE=20 REQUIRETLS").await;
    let mut message = content(MESSAGE);
    let (report, ()) = tokio::join!(connection.send(&secret, &mut message), peer.turn(turns[0].0, turns[0].1));
    assert_eq!(brief(&report), ["5 550 at MAIL FROM"]);
}

#[tokio::test]
async fn a_header_outside_ascii_is_no_8bit_body() {
    let transaction = Transaction { utf8_header: true, ..to("a") };
    let (mut connection, mut peer) = smtp("SMTPUTF8 8BITMIME").await;
    let server = async {
        peer.turn("MAIL FROM:<> SMTPUTF8\r\n", "250 a\r\n").await;
        peer.turn("RCPT TO:<a@s.example>\r\n", "250 b\r\n").await;
        peer.turn("DATA\r\n", "354 c\r\n").await;
        peer.turn("Subject: ä\r\n\r\nx\r\n.\r\n", "250 d\r\n").await;
    };
    let mut message = content("Subject: ä\r\n\r\nx\r\n");
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut message), server);
    assert_eq!(brief(&report), ["+250"]);
}

#[tokio::test]
async fn a_message_can_be_sent_by_a_task_of_its_own() {
    let (mut connection, mut peer) = smtp("").await;
    let task = tokio::spawn(async move { connection.send(&to("a"), &mut content(MESSAGE)).await });
    peer.turn("MAIL FROM:<>\r\n", "550 no\r\n").await;
    assert_eq!(brief(&task.await.unwrap()), ["5 550 at MAIL FROM"]);
}

#[tokio::test]
async fn only_the_recipients_that_need_smtputf8_fail_without_it() {
    let transaction = to("a ö b");
    let turns = [(&*format!("{ENVELOPE}DATA\r\n"), "250 a\r\n250 b\r\n250 c\r\n354 d\r\n"), (DOTTED, "250 Ok\r\n")];
    let (report, ..) = sent(Dialect::Smtp, "PIPELINING", &transaction, &turns).await;
    assert_eq!(brief(&report), ["+250", "5 5.6.7", "+250"]);
    assert_eq!(report.whole, None);
}

#[tokio::test]
async fn more_recipients_than_the_server_takes_wait_for_the_next_time() {
    let turns = [(&*format!("{ENVELOPE}DATA\r\n"), "250 a\r\n250 b\r\n250 c\r\n354 d\r\n"), (DOTTED, "250 Ok\r\n")];
    let (report, ..) = sent(Dialect::Smtp, "PIPELINING LIMITS=RCPTMAX=2", &to("a b c"), &turns).await;
    assert_eq!(brief(&report), ["+250", "+250", "4 4.5.3"]);
    assert_eq!(report.outcomes[2], Outcome::Temporary(Reason::Needs(Need::AnotherTransaction)));
    // A server that says nothing is given as many as every server must take.
    let names: Vec<_> = (0..=SEND_RECIPIENTS_DEFAULT).map(|index| format!("r{index}")).collect();
    let (mut connection, mut peer) = smtp("").await;
    let server = async {
        peer.turn("MAIL FROM:<>\r\n", "250 a\r\n").await;
        for name in &names[..SEND_RECIPIENTS_DEFAULT] {
            peer.turn(&format!("RCPT TO:<{name}@s.example>\r\n"), "550 no\r\n").await;
        }
    };
    let (transaction, mut message) = (to(&names.join(" ")), content(MESSAGE));
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut message), server);
    assert_eq!(report.outcomes.last(), Some(&Outcome::Temporary(Reason::Needs(Need::AnotherTransaction))));
}

/// RFC 9422 MAILMAX.
#[tokio::test]
async fn a_connection_takes_as_many_messages_as_the_server_says() {
    let turns = [(&*format!("{ENVELOPE}DATA\r\n"), "550 a\r\n503 b\r\n503 c\r\n503 d\r\n")];
    let (mut connection, mut peer) = smtp("PIPELINING LIMITS=MAILMAX=1").await;
    let (transaction, mut message) = (to("a b"), content(MESSAGE));
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut message), peer.turn(turns[0].0, turns[0].1));
    assert!(report.broken.is_none() && !connection.is_usable());
    let report = connection.send(&transaction, &mut content(MESSAGE)).await;
    assert_eq!(report.broken.unwrap().cause, Cause::Exhausted);
    assert_eq!(
        brief(&Report { broken: None, ..connection.send(&transaction, &mut content(MESSAGE)).await }),
        ["4 4.5.3", "4 4.5.3"]
    );
}

#[tokio::test]
async fn a_message_in_pieces_arrives_whole() {
    let long = "0123456789.\r\n".repeat(3 * SEND_BUFFER / 13);
    let pieces = [&long, "", "a\r", "\n", ".", "b\r\n", &long];
    let (mut content, mut counted) = (Pieces::new(&pieces), Pieces::new(&pieces));
    let size = content.size();
    let (mut connection, mut peer) = smtp("PIPELINING").await;
    let server = async {
        peer.turn("MAIL FROM:<>\r\nRCPT TO:<a@s.example>\r\nDATA\r\n", "250 a\r\n250 b\r\n354 c\r\n").await;
        peer.hear(&long).await;
        peer.hear("a\r\n..b\r\n").await;
        peer.hear(&long).await;
        peer.turn(".\r\n", "250 Ok\r\n").await;
    };
    let (transaction, offered) = (to("a"), connection.extensions().chunking);
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut content), server);
    assert!(brief(&report) == ["+250"] && !offered);
    let (mut connection, mut peer) = smtp("PIPELINING CHUNKING").await;
    let server = async {
        peer.turn("MAIL FROM:<>\r\nRCPT TO:<a@s.example>\r\n", "250 a\r\n250 b\r\n").await;
        peer.hear(&format!("BDAT {size} LAST\r\n")).await;
        peer.turn(&pieces.concat(), "250 Ok\r\n").await;
    };
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut counted), server);
    assert_eq!(brief(&report), ["+250"]);
}

#[tokio::test]
async fn what_a_server_can_t_do_though_it_offers_it_can_be_forgone() {
    let (mut connection, mut peer) = smtp("PIPELINING CHUNKING").await;
    connection.forgo_pipelining();
    connection.forgo_chunking();
    let server = async {
        peer.turn("MAIL FROM:<>\r\n", "250 a\r\n").await;
        peer.turn("RCPT TO:<a@s.example>\r\n", "250 b\r\n").await;
        peer.turn("DATA\r\n", "354 c\r\n").await;
        peer.turn(DOTTED, "250 d\r\n").await;
    };
    let (transaction, mut message) = (to("a"), content(MESSAGE));
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut message), server);
    assert_eq!(brief(&report), ["+250"]);
}

/// Both sides would wait for the other to read for ever: RFC 2920 §3.1.
#[tokio::test]
async fn a_large_group_of_commands_never_stands_still() {
    let (ours, wire) = tokio::io::duplex(256);
    let mut peer = Peer { wire };
    let names: Vec<_> = (0..900).map(|index| format!("r{index}")).collect();
    let server = async {
        peer.turn("", "220 x\r\n").await;
        peer.turn("EHLO c.example\r\n", "250-x\r\n250-LIMITS RCPTMAX=1000\r\n250 PIPELINING\r\n").await;
        peer.turn("MAIL FROM:<>\r\n", "250 a\r\n").await;
        for name in &names {
            // Nothing is read while this is written.
            peer.turn(&format!("RCPT TO:<{name}@s.example>\r\n"), &format!("550 5.1.1 {}\r\n", "no ".repeat(99))).await;
        }
        peer.turn("DATA\r\n", "503 z\r\n").await;
    };
    let client = async {
        let mut connection = Connection::greet(ours, Dialect::Smtp, "c.example", Security::Clear).await.unwrap();
        connection.send(&to(&names.join(" ")), &mut content(MESSAGE)).await
    };
    let (report, ()) = tokio::join!(client, server);
    assert!(report.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Permanent(_))) && report.broken.is_none());
}
