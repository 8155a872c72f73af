//! Servers and stores that don't do what they should.
use super::*;
use mailward_core::limits::SEND_BUFFER;

/// Sends MESSAGE to two; the server says its things and closes.
async fn against(dialect: Dialect, offer: &str, turns: &[(&str, &str)]) -> (Report, String) {
    let (mut connection, mut peer) = connected(dialect, Security::Clear, offer).await;
    let server = async {
        for (hear, say) in turns {
            peer.turn(hear, say).await;
        }
        peer.wire.shutdown().await.unwrap();
        peer
    };
    let client = async {
        let report = connection.send(&to("a b"), &mut content(MESSAGE)).await;
        assert!(report.broken.is_none() || !connection.is_usable());
        drop(connection);
        report
    };
    let (report, mut peer) = tokio::join!(client, server);
    (report, peer.rest().await)
}

const ALL: &str = "MAIL FROM:<>\r\nRCPT TO:<a@s.example>\r\nRCPT TO:<b@s.example>\r\nDATA\r\n";

#[tokio::test]
async fn a_code_out_of_place_ends_it_before_anything_is_accepted() {
    for answers in [
        "354 a\r\n250 b\r\n250 c\r\n354 d\r\n",
        "250 a\r\n354 b\r\n250 c\r\n354 d\r\n",
        "250 a\r\n250 b\r\n250 c\r\n250 d\r\n",
        "250 a\r\n250 b\r\n250 c\r\n334 d\r\n",
        // One answer too many puts every later one out of step.
        "250 a\r\n250 a\r\n250 b\r\n250 c\r\n354 d\r\n",
        "250 a\r\n250 b\r\n250 c\r\n354 d\r\n250 ok\r\n",
        "250 a\r\n250 b\r\n250-c\r\n354 d\r\n",
        "250 a\r\n250 b\r\n250 c\n354 d\r\n",
        "250 a\r\n250 b\r\n250 c\r\njunk\r\n",
    ] {
        let (report, rest) = against(Dialect::Smtp, "PIPELINING", &[(ALL, answers)]).await;
        assert_eq!(brief(&report), ["4 4.5.0", "4 4.5.0"], "{answers}");
        let broken = report.broken.unwrap();
        assert!(matches!(broken.cause, Cause::Malformed(_)) && broken.is_of_host());
        assert!(!rest.contains("Subject"), "{answers}");
    }
}

#[tokio::test]
async fn answers_before_their_commands_end_it() {
    for early in ["250 a\r\n250 b\r\n250 c\r\n354 d\r\n250 e\r\n", "250 a\r\n", "2"] {
        let (mut connection, mut peer) = smtp("PIPELINING").await;
        peer.say(early).await;
        peer.wire.shutdown().await.unwrap();
        let report = connection.send(&to("a"), &mut content(MESSAGE)).await;
        assert_eq!(report.broken.unwrap().cause, Cause::Malformed(Malformed::Early));
        drop(connection);
        assert_eq!(peer.rest().await, "");
    }
}

#[tokio::test]
async fn the_code_421_ends_it_anywhere_and_tells_against_the_host() {
    let bye = "421 4.3.2 bye\r\n";
    for (answers, outcomes) in [
        ("", ["4 421 at MAIL FROM"; 2]),
        ("250 a\r\n", ["4 421"; 2]),
        ("250 a\r\n550 5.1.1 b\r\n", ["5 550", "4 421"]),
        ("250 a\r\n250 b\r\n", ["4 421"; 2]),
        ("250 a\r\n250 b\r\n550 c\r\n", ["4 421 at DATA", "5 550"]),
        ("550 a\r\n", ["5 550 at MAIL FROM"; 2]),
    ] {
        let (report, rest) = against(Dialect::Smtp, "PIPELINING", &[(ALL, &format!("{answers}{bye}"))]).await;
        assert_eq!(brief(&report), outcomes, "{answers}");
        let broken = report.broken.unwrap();
        assert!(broken.is_of_host() && matches!(broken.cause, Cause::Closing(_)) && rest.is_empty());
    }
    let turns = [(ALL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n"), (DOTTED, bye)];
    let (report, _) = against(Dialect::Smtp, "PIPELINING", &turns).await;
    assert_eq!(brief(&report), ["4 421 at the message"; 2]);
    assert!(report.whole.unwrap().is_of_host() && report.broken.is_some());
    // In LMTP those behind it have no answer.
    let (report, _) = against(Dialect::Lmtp, "PIPELINING", &turns).await;
    assert_eq!(brief(&report), ["4 421 at the message", "?"]);
}

#[tokio::test]
async fn a_connection_lost_behind_the_end_may_have_delivered() {
    for last in ["", "2", "250-one\r\n", "junk\r\n", "354 more\r\n", "250-a\r\n550 b\r\n"] {
        let turns = [(ALL, "250 a\r\n250 b\r\n550 c\r\n354 d\r\n"), (DOTTED, last)];
        let (report, _) = against(Dialect::Smtp, "PIPELINING", &turns).await;
        assert_eq!(brief(&report), ["?", "5 550"], "{last:?}");
        assert!(report.broken.is_some());
    }
    let turns = [(ALL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n"), (DOTTED, "250 one\r\n")];
    let (report, _) = against(Dialect::Lmtp, "PIPELINING", &turns).await;
    assert_eq!(brief(&report), ["+250", "?"]);
}

/// The server says no before it has all of it: nothing more is sent, and its words are the answer.
#[tokio::test]
async fn a_no_in_the_middle_of_the_message_is_heard() {
    let long = "0123456789.\r\n".repeat(16 * SEND_BUFFER / 13);
    for (say, outcomes) in [
        ("552 5.3.4 too large\r\n", ["5 552 at the message"; 2]),
        ("451 4.3.0 disk\r\n", ["4 451 at the message"; 2]),
        ("421 4.3.2 bye\r\n", ["4 421 at the message"; 2]),
        // It can't have accepted what it hasn't seen.
        ("250 2.0.0 Ok\r\n", ["4 4.5.0"; 2]),
        ("junk\r\n", ["4 4.5.0"; 2]),
    ] {
        for closes in [false, true] {
            let (mut connection, mut peer) = smtp("PIPELINING").await;
            let server = async {
                peer.turn(ALL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n").await;
                peer.hear(&long[..1_000]).await;
                peer.say(say).await;
                // One that closes leaves its last words to be read.
                if closes { None } else { Some(peer) }
            };
            let client = async {
                let report = connection.send(&to("a b"), &mut content(&long)).await;
                drop(connection);
                report
            };
            let (report, peer) = tokio::join!(client, server);
            assert_eq!(brief(&report), outcomes, "{say}");
            assert!(report.broken.is_some());
            if let Some(mut peer) = peer {
                assert!(!peer.rest().await.ends_with("\r\n.\r\n"));
            }
        }
    }
    // In LMTP it is the first recipient's; the others weren't spoken of.
    let (mut connection, mut peer) = connected(Dialect::Lmtp, Security::Clear, "PIPELINING").await;
    let server = async {
        peer.turn(ALL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n").await;
        peer.turn(&long[..1_000], "552 5.2.2 full\r\n").await;
    };
    let (transaction, mut message) = (to("a b"), content(&long));
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut message), server);
    assert_eq!(brief(&report), ["5 552 at the message", "4 552 at the message"]);
}

/// Attacks A3: found in the first piece, nothing is said; found later, the end is never sent.
#[tokio::test]
async fn a_message_with_stray_line_ends_is_never_accepted() {
    for bad in ["a\n.\n", "a\r.\r\n", "\0\r\n", "a\r\r\n", "ä\r\n", "a\r"] {
        let (mut connection, mut peer) = smtp("PIPELINING").await;
        let report = connection.send(&to("a b"), &mut content(bad)).await;
        assert_eq!(brief(&report), ["5 5.6.0", "5 5.6.0"], "{bad:?}");
        assert!(report.broken.is_none() && connection.is_usable());
        drop(connection);
        assert_eq!(peer.rest().await, "");
        for (offer, envelope) in [("PIPELINING", ALL), ("PIPELINING CHUNKING", &ALL[..ALL.len() - 6])] {
            let (mut connection, mut peer) = smtp(offer).await;
            let server = async {
                peer.turn(
                    envelope,
                    if envelope == ALL {
                        "250 a\r\n250 b\r\n250 c\r\n354 d\r\n"
                    } else {
                        "250 a\r\n250 b\r\n250 c\r\n"
                    },
                )
                .await;
                peer.rest().await
            };
            let client = async {
                let report = connection.send(&to("a b"), &mut Pieces::new(&["good\r\n", "x", bad])).await;
                drop(connection);
                report
            };
            let (report, rest) = tokio::join!(client, server);
            assert_eq!(brief(&report), ["5 5.6.0", "5 5.6.0"], "{bad:?}");
            let broken = report.broken.unwrap();
            assert!(matches!(broken.cause, Cause::Content(_)) && !broken.is_of_host());
            assert!(!rest.contains("\r\n.\r\n") && !rest.contains(bad), "{rest:?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_can_t_give_the_message_is_nobody_else_s_fault() {
    let unreadable = || {
        let mut pieces = Pieces::new(&["good\r\n", "more\r\n"]);
        pieces.pieces[1] = Err(std::io::ErrorKind::InvalidData.into());
        pieces
    };
    let (longer, shorter) = (
        Pieces { size: 11, ..Pieces::new(&["good\r\n", "more\r\n"]) },
        Pieces { size: 13, ..Pieces::new(&["good\r\n", "more\r\n"]) },
    );
    for (chunking, mut pieces) in [
        (false, unreadable()),
        (true, unreadable()),
        (false, longer),
        (true, Pieces { size: 11, ..Pieces::new(&["good\r\n", "more\r\n"]) }),
        (false, shorter),
        (true, Pieces { size: 13, ..Pieces::new(&["good\r\n", "more\r\n"]) }),
    ] {
        let (mut connection, mut peer) = smtp(if chunking { "PIPELINING CHUNKING" } else { "PIPELINING" }).await;
        let size = usize::try_from(pieces.size).unwrap();
        let server = async {
            peer.hear(if chunking { &ALL[..ALL.len() - 6] } else { ALL }).await;
            peer.say(if chunking { "250 a\r\n250 b\r\n250 c\r\n" } else { "250 a\r\n250 b\r\n250 c\r\n354 d\r\n" })
                .await;
            peer.rest().await
        };
        let client = async {
            let report = connection.send(&to("a b"), &mut pieces).await;
            drop(connection);
            report
        };
        let (report, rest) = tokio::join!(client, server);
        assert_eq!(brief(&report), ["4 4.3.0", "4 4.3.0"]);
        assert!(!report.broken.unwrap().is_of_host());
        let data = rest.split_once("LAST\r\n").map_or(&*rest, |(_, data)| data);
        assert!(!rest.ends_with(".\r\n") && data.len() < size, "{rest:?}");
    }
    let (mut connection, _peer) = smtp("").await;
    let mut first = Pieces { size: 3, ..Pieces::new(&["good\r\n"]) };
    let report = connection.send(&to("a"), &mut first).await;
    assert_eq!((brief(&report), report.broken), (vec!["4 4.3.0".to_owned()], None));
}

#[tokio::test]
async fn a_call_given_up_half_way_leaves_a_connection_of_no_use() {
    let (mut connection, mut peer) = smtp("PIPELINING").await;
    {
        let (transaction, mut message) = (to("a"), content(MESSAGE));
        let send = connection.send(&transaction, &mut message);
        let heard = peer.hear("MAIL FROM:<>\r\n");
        tokio::select! {
            report = send => panic!("{report:?}"),
            () = heard => {}
        }
    }
    assert!(!connection.is_usable());
    let report = connection.send(&to("a"), &mut content(MESSAGE)).await;
    assert_eq!(report.broken.unwrap().cause, Cause::Abandoned);
    assert_eq!(brief(&Report { broken: None, ..connection.send(&to("a"), &mut content(MESSAGE)).await }), ["4 4.3.0"]);
    // Nothing is said any more, not even goodbye.
    let (_, rest) = tokio::join!(connection.quit(), peer.rest());
    assert_eq!(rest, "RCPT TO:<a@s.example>\r\nDATA\r\n");
}

#[tokio::test]
async fn a_server_that_refuses_rset_is_left() {
    let (mut connection, mut peer) = smtp("").await;
    let server = async {
        peer.turn("MAIL FROM:<>\r\n", "250 a\r\n").await;
        peer.turn("RCPT TO:<a@s.example>\r\n", "550 b\r\n").await;
        peer.turn("RSET\r\n", "502 what?\r\n").await;
    };
    let client = async {
        connection.send(&to("a"), &mut content(MESSAGE)).await;
        connection.send(&to("a"), &mut content(MESSAGE)).await
    };
    let (report, ()) = tokio::join!(client, server);
    assert_eq!(brief(&report), ["4 502 at RSET"]);
    assert!(report.broken.unwrap().is_of_host());
}
