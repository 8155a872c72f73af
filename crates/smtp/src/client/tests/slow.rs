//! Servers that take their time. The clock is the test's: a wait that never ends would hang it.
use super::*;
use mailward_core::limits::{SEND_BUFFER, SEND_END_ALL_TIME, SEND_END_TIME, SEND_ENVELOPE_TIME};
use std::time::Duration;
use tokio::time::sleep;

const ALL: &str = "MAIL FROM:<>\r\nRCPT TO:<a@s.example>\r\nRCPT TO:<b@s.example>\r\nDATA\r\n";

/// Sends to two at a server that answers so far and then says nothing more, but reads.
async fn stalled(dialect: Dialect, turns: &[(&str, &str)]) -> Report {
    let (mut connection, mut peer) = connected(dialect, Security::Clear, "PIPELINING").await;
    let server = async {
        for (hear, say) in turns {
            peer.turn(hear, say).await;
        }
        peer.rest().await
    };
    let client = async {
        let report = connection.send(&to("a b"), &mut content(MESSAGE)).await;
        drop(connection);
        report
    };
    tokio::join!(client, server).0
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_left_wherever_it_does() {
    let (ours, _peer) = pair();
    let left = Connection::greet(ours, Dialect::Smtp, "c", Security::Clear).await;
    assert_eq!(left.unwrap_err(), Failure { at: Step::Greeting, cause: Cause::Timeout });
    let (ours, mut peer) = pair();
    peer.say("220 x\r\n").await;
    let left = Connection::greet(ours, Dialect::Smtp, "c", Security::Clear).await;
    assert_eq!(left.unwrap_err(), Failure { at: Step::Hello, cause: Cause::Timeout });
    for (answers, at) in [
        ("", Step::Mail),
        ("250 a\r\n", Step::Recipient),
        ("250 a\r\n250 b\r\n", Step::Recipient),
        ("250 a\r\n250 b\r\n250 c", Step::Recipient),
        ("250 a\r\n250 b\r\n250 c\r\n", Step::Data),
    ] {
        let report = stalled(Dialect::Smtp, &[(ALL, answers)]).await;
        assert_eq!(brief(&report), ["4 4.4.1"; 2], "{answers}");
        assert_eq!(report.broken, Some(Failure { at, cause: Cause::Timeout }));
    }
    let go = (ALL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n");
    let report = stalled(Dialect::Smtp, &[go, (DOTTED, "")]).await;
    assert_eq!(brief(&report), ["?", "?"]);
    assert_eq!(report.broken, Some(Failure { at: Step::Message, cause: Cause::Timeout }));
    let report = stalled(Dialect::Lmtp, &[go, (DOTTED, "250 a\r\n")]).await;
    assert_eq!(brief(&report), ["+250", "?"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_is_left() {
    let long = "0123456789.\r\n".repeat(16 * SEND_BUFFER / 13);
    let (mut connection, mut peer) = smtp("PIPELINING").await;
    let (transaction, mut message) = (to("a b"), content(&long));
    let server = async {
        peer.turn(ALL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n").await;
    };
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut message), server);
    assert_eq!(report.broken, Some(Failure { at: Step::Message, cause: Cause::Timeout }));
    assert_eq!(brief(&report), ["4 4.4.1"; 2]);
    drop(peer);
}

/// Attacks H6: each byte in time, and never an end.
#[tokio::test(start_paused = true)]
async fn a_server_that_drips_is_left() {
    // A reply.
    let (mut connection, mut peer) = smtp("").await;
    let drip = async {
        loop {
            sleep(Duration::from_secs(60)).await;
            if peer.wire.write_all(b"2").await.is_err() {
                return;
            }
        }
    };
    let client = async {
        let report = connection.send(&to("a"), &mut content(MESSAGE)).await;
        drop(connection);
        report
    };
    let (report, ()) = tokio::join!(client, drip);
    assert_eq!(report.broken, Some(Failure { at: Step::Mail, cause: Cause::Timeout }));

    // The envelope: every answer in time, but one by one.
    let names: Vec<_> = (0..100).map(|index| format!("r{index}")).collect();
    let pause = SEND_ENVELOPE_TIME / 50;
    let (mut connection, mut peer) = smtp("PIPELINING").await;
    let drip = async {
        while peer.wire.write_all(b"250 ok\r\n").await.is_ok() {
            sleep(pause).await;
        }
    };
    let client = async {
        let hold = connection.send(&to(&names.join(" ")), &mut content(MESSAGE)).await;
        drop(connection);
        hold
    };
    // The first answer must not be early.
    let drip = async {
        tokio::task::yield_now().await;
        drip.await;
    };
    let (report, ()) = tokio::join!(client, drip);
    assert_eq!(report.broken, Some(Failure { at: Step::Recipient, cause: Cause::TooSlow }));

    // The data: a little of it every two minutes.
    let long = "0123456789.\r\n".repeat(16 * SEND_BUFFER / 13);
    let (mut connection, mut peer) = smtp("PIPELINING").await;
    let server = async {
        peer.turn(ALL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n").await;
        let mut some = [0; 1_000];
        while peer.wire.read(&mut some).await.is_ok_and(|count| count > 0) {
            sleep(Duration::from_secs(120)).await;
        }
    };
    let client = async {
        let report = connection.send(&to("a b"), &mut content(&long)).await;
        drop(connection);
        report
    };
    let (report, ()) = tokio::join!(client, server);
    assert_eq!(report.broken, Some(Failure { at: Step::Message, cause: Cause::TooSlow }));
    assert_eq!(brief(&report), ["4 4.4.1"; 2]);

    // LMTP's answers to the end: each in time.
    let names: Vec<_> = (0..9).map(|index| format!("r{index}")).collect();
    let (mut connection, mut peer) = connected(Dialect::Lmtp, Security::Clear, "PIPELINING").await;
    let server = async {
        peer.hear("MAIL FROM:<>\r\n").await;
        peer.say(&format!("{}354 go\r\n", "250 ok\r\n".repeat(10))).await;
        let mut some = [0; 1_000];
        let mut answered = 0;
        while !some.windows(5).any(|five| five == b"dot\r\n") {
            assert!(peer.wire.read(&mut some).await.unwrap() > 0);
        }
        while peer.wire.write_all(b"250 ok\r\n").await.is_ok() {
            answered += 1;
            sleep(SEND_END_TIME - Duration::from_secs(1)).await;
        }
        answered
    };
    let client = async {
        let report = connection.send(&to(&names.join(" ")), &mut content(MESSAGE)).await;
        drop(connection);
        report
    };
    let (report, answered) = tokio::join!(client, server);
    assert!(report.accepted() > 1 && report.accepted() < names.len() && answered >= report.accepted());
    assert_eq!(report.outcomes.last(), Some(&Outcome::Unknown(report.broken.unwrap())));
    assert!(SEND_END_ALL_TIME < SEND_END_TIME * 9);
}

/// RFC 5321 §4.5.3.2.6: shorter waits make duplicates.
#[tokio::test(start_paused = true)]
async fn a_server_that_thinks_long_about_the_end_is_waited_for() {
    let (mut connection, mut peer) = smtp("PIPELINING").await;
    let server = async {
        peer.turn(ALL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n").await;
        peer.hear(DOTTED).await;
        sleep(SEND_END_TIME - Duration::from_secs(1)).await;
        peer.say("250 Ok\r\n").await;
    };
    let (transaction, mut message) = (to("a b"), content(MESSAGE));
    let (report, ()) = tokio::join!(connection.send(&transaction, &mut message), server);
    assert_eq!(brief(&report), ["+250", "+250"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_doesn_t_answer_holds_nobody_for_ever() {
    struct Stuck(bool);
    impl Content for Stuck {
        fn size(&self) -> u64 {
            20
        }
        async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
            if std::mem::take(&mut self.0) {
                return Ok(Some(Bytes::from_static(b"x\r\n")));
            }
            std::future::pending().await
        }
    }
    let (mut connection, mut peer) = smtp("PIPELINING").await;
    let report = connection.send(&to("a b"), &mut Stuck(false)).await;
    assert_eq!((brief(&report), report.broken), (vec!["4 4.3.0".to_owned(); 2], None));
    let (transaction, mut stuck) = (to("a b"), Stuck(true));
    let (report, ()) =
        tokio::join!(connection.send(&transaction, &mut stuck), peer.turn(ALL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n"));
    assert_eq!(brief(&report), ["4 4.3.0"; 2]);
    assert!(!report.broken.unwrap().is_of_host());
}
