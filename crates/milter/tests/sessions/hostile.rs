//! Milters that lie, flood, and keep silent.

use crate::milter::{Milter, go_on, packet, terms};
use crate::{MESSAGE, envelope, session, transaction};
use mailward_core::config::MilterDefault;
use mailward_core::limits::{MILTER_MESSAGE_TIME, MILTER_PACKET_MAX, MILTER_PACKETS_MAX};
use mailward_milter::terms::steps;
use mailward_milter::{Changes, Fault, Outcome, Verdict};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The fault for which a transaction with this milter is refused.
async fn fault(milter: &Milter) -> Fault {
    let (mut session, ..) = session(&[&milter.line]);
    let refusal = match envelope(&mut session).await {
        Outcome::Refuse(refusal) => refusal,
        Outcome::Go => match session.message(MESSAGE).await.verdict {
            Verdict::Refuse(refusal) => refusal,
            other => panic!("{other:?}"),
        },
    };
    assert_eq!(refusal.answer.code(), 451);
    refusal.fault.unwrap()
}

fn says(letter: u8, answer: Vec<u8>) -> Milter {
    Milter::new("m", move |heard, _| if heard == letter { Some(answer.clone()) } else { go_on() })
}

#[tokio::test]
async fn garbage_is_a_fault_at_every_stage() {
    for letter in *b"CHMRTLNBE" {
        for garbage in [
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            packet(b'z', b""),
            packet(b'c', b"more"),
            packet(b'y', b"250 2.0.0 Ok\0"),
            packet(b'y', b"550 5.7.1 unended"),
            vec![0; 64],
            vec![0xff; 64],
        ] {
            let fault = fault(&says(letter, garbage.clone())).await;
            assert!(matches!(fault, Fault::Packet(_) | Fault::Malformed(_)), "{letter} {garbage:?}: {fault}");
        }
    }
}

#[tokio::test]
async fn a_packet_too_large_is_refused_before_it_has_come() {
    let head = |length: usize| u32::try_from(length).unwrap().to_be_bytes().to_vec();
    assert_eq!(fault(&says(b'M', head(MILTER_PACKET_MAX + 1))).await, Fault::Packet(MILTER_PACKET_MAX + 1));
    assert_eq!(fault(&says(b'M', head(0))).await, Fault::Packet(0));
}

#[tokio::test]
async fn a_reply_that_has_no_place_is_a_fault() {
    for (letter, reply, data) in [
        (b'C', b'd', b"".as_slice()),
        (b'H', b'd', b""),
        (b'M', b's', b""),
        (b'R', b's', b""),
        (b'N', b's', b""),
        (b'E', b's', b""),
        (b'M', b'h', b"A\0b\0"),
        (b'R', b'+', b"<x@b.example>\0"),
        (b'L', b'm', b"\0\0\0\x01A\0b\0"),
        (b'B', b'b', b"body"),
        (b'N', b'q', b"why\0"),
        (b'T', b'e', b"<x@b.example>\0"),
    ] {
        let fault = fault(&says(letter, packet(reply, data))).await;
        assert!(matches!(fault, Fault::OutOfPlace(..)), "{letter} {reply}: {fault}");
    }
    let unskipping =
        Milter::on_terms(
            "m",
            terms(6, 0, 0, &[]),
            |letter, _| {
                if letter == b'B' { Some(packet(b's', b"")) } else { go_on() }
            },
        );
    assert!(matches!(fault(&unskipping).await, Fault::OutOfPlace(..)));
    assert!(matches!(fault(&says(b'M', packet(b'f', b""))).await, Fault::Broken(_)));
}

#[tokio::test]
async fn a_change_that_was_not_announced_is_a_fault() {
    for (letter, data) in [
        (b'h', b"A\0b\0".as_slice()),
        (b'm', b"\0\0\0\x01A\0b\0"),
        (b'b', b"body"),
        (b'+', b"<x@b.example>\0"),
        (b'-', b"<x@b.example>\0"),
        (b'e', b"<x@b.example>\0"),
        (b'q', b"why\0"),
    ] {
        let end = [packet(letter, data), packet(b'c', b"")].concat();
        let milter = Milter::on_terms("m", terms(6, 0, 0, &[]), move |heard, _| {
            Some(if heard == b'E' { end.clone() } else { packet(b'c', b"") })
        });
        assert!(matches!(fault(&milter).await, Fault::NotAgreed(_)), "{letter}");
    }
}

#[tokio::test]
async fn whoever_speaks_unasked_is_not_believed() {
    for letter in *b"CHMRTLNB" {
        let twice = [packet(b'c', b""), packet(b'c', b"")].concat();
        assert_eq!(fault(&says(letter, twice)).await, Fault::Unasked, "{letter}");
    }
    let silent = Milter::on_terms("m", terms(6, 0, steps::SILENT_MAIL, &[]), |letter, _| {
        Some(if letter == b'R' { [packet(b'c', b""), packet(b'c', b"")].concat() } else { packet(b'c', b"") })
    });
    assert_eq!(
        fault(&silent).await,
        Fault::Unasked,
        "what it said to MAIL is taken for its word on RCPT, and found then"
    );
}

#[tokio::test]
async fn terms_that_were_not_offered_are_none() {
    for terms in [
        terms(7, 0, 0, &[]),
        terms(1, 0, 0, &[]),
        terms(6, 0x400, 0, &[]),
        terms(6, 0, 0x4000_0000, &[]),
        terms(6, 0x100, 0, &[(77, "j")]),
        packet(b'c', b""),
        packet(b'O', b"\0\0"),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"220 mail.example ESMTP\r\n".to_vec(),
    ] {
        let milter = Milter::on_terms("m", terms, |_, _| go_on());
        let fault = fault(&milter).await;
        assert!(matches!(fault, Fault::Terms(_) | Fault::Malformed(_) | Fault::Packet(_)), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_silent_is_waited_for_so_long_and_no_longer() {
    for letter in *b"CHMRTLNBE" {
        let mut milter = says(letter, Vec::new());
        (milter.line.command, milter.line.timeout) = (Duration::from_secs(7), Duration::from_secs(70));
        let began = Instant::now();
        assert!(matches!(fault(&milter).await, Fault::Late(_)), "{letter}");
        let waited = if letter == b'E' { 70 } else { 7 };
        assert_eq!(began.elapsed().as_secs(), waited, "{letter}");
    }
    let mute = Milter::on_terms("m", Vec::new(), |_, _| go_on());
    let began = Instant::now();
    assert!(matches!(fault(&mute).await, Fault::Late(_)));
    assert_eq!(began.elapsed(), mute.line.connect);
}

#[tokio::test(start_paused = true)]
async fn whoever_drips_is_waited_for_no_longer_than_who_is_silent() {
    let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
    drop(ours);
    let _gone = tokio::io::AsyncWriteExt::shutdown(&mut theirs).await;
    let directory = tempfile::TempDir::new().unwrap();
    let socket = directory.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        loop {
            // Of a packet of a thousand bytes, one a second.
            for byte in [0, 0, 3, 232].into_iter().chain([b'c'; 1_000]) {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if tokio::io::AsyncWriteExt::write_all(&mut stream, &[byte]).await.is_err() {
                    return;
                }
            }
        }
    });
    let line = mailward_core::config::MilterLine::parse(&format!("m unix:{} connect=9", socket.display())).unwrap();
    let (mut session, ..) = session(&[&line]);
    let began = Instant::now();
    assert!(
        matches!(session.connect().await, Outcome::Refuse(refusal) if matches!(refusal.fault, Some(Fault::Late(_))))
    );
    assert_eq!(began.elapsed().as_secs(), 9);
}

/// A milter that says again and again that it is at work, and never comes to an end.
#[tokio::test(start_paused = true)]
async fn progress_for_ever_has_an_end() {
    let directory = tempfile::TempDir::new().unwrap();
    let socket = directory.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut input = [0; 17];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut input).await.unwrap();
        // Nothing but the end is told to it.
        tokio::io::AsyncWriteExt::write_all(&mut stream, &terms(6, 0, 0x37f, &[])).await.unwrap();
        loop {
            tokio::time::sleep(Duration::from_secs(20)).await;
            if tokio::io::AsyncWriteExt::write_all(&mut stream, &packet(b'p', b"")).await.is_err() {
                return;
            }
        }
    });
    let line = mailward_core::config::MilterLine::parse(&format!("m unix:{} timeout=30", socket.display())).unwrap();
    let (mut session, ..) = session(&[&line]);
    assert_eq!(envelope(&mut session).await, Outcome::Go);
    let began = Instant::now();
    let changes = session.message(MESSAGE).await;
    assert!(matches!(&changes.verdict, Verdict::Refuse(refusal) if matches!(refusal.fault, Some(Fault::Late(_)))));
    assert_eq!(began.elapsed(), MILTER_MESSAGE_TIME);
}

#[tokio::test(start_paused = true)]
async fn progress_gives_time() {
    let works = Arc::new(AtomicBool::new(true));
    let milter = Milter::new("m", move |letter, _| {
        let first = letter == b'E' && works.swap(false, Ordering::SeqCst);
        Some(if first { [packet(b'p', b""), packet(b'p', b""), packet(b'a', b"")].concat() } else { packet(b'c', b"") })
    });
    let (mut session, ..) = session(&[&milter.line]);
    assert_eq!(transaction(&mut session).await, Changes::default());
}

#[tokio::test]
async fn a_flood_of_packets_has_an_end() {
    let flood = packet(b'p', b"").repeat(MILTER_PACKETS_MAX);
    for letter in [b'M', b'E'] {
        assert_eq!(fault(&says(letter, [flood.clone(), packet(b'c', b"")].concat())).await, Fault::Endless);
        let less = flood[5..].to_vec();
        let milter = says(letter, [less, packet(b'c', b"")].concat());
        let (mut session, ..) = session(&[&milter.line]);
        assert!(transaction(&mut session).await.is_taken());
    }
}

#[tokio::test]
async fn a_field_that_cannot_be_shown_is_not_passed_by() {
    let mut milter = Milter::new("m", |_, _| go_on());
    let message = |length: usize| [b"A: ".as_slice(), &vec![b'x'; length - 3], b"\r\n\r\nbody"].concat();
    let is_refused = |changes: &Changes| {
        matches!(&changes.verdict, Verdict::Refuse(refusal)
            if refusal.fault == Some(Fault::Unshowable(65_536)) && refusal.answer.code() == 554)
    };
    let (mut session, milters, events) = session(&[&milter.line]);
    envelope(&mut session).await;
    assert!(session.message(&message(65_535)).await.is_taken());
    envelope(&mut session).await;
    let changes = session.message(&message(65_536)).await;
    assert!(is_refused(&changes), "{changes:?}");
    assert!(events.lines().is_empty() && milters.health()[0].fault.is_none(), "it isn't the milter's fault");
    for default in [MilterDefault::Accept, MilterDefault::Reject] {
        milter.line.default = default;
        let (mut session, ..) = crate::session(&[&milter.line]);
        envelope(&mut session).await;
        let changes = session.message(&message(65_536)).await;
        assert!(is_refused(&changes), "whoever wrote it doesn't choose that nobody looks: {changes:?}");
        envelope(&mut session).await;
        assert!(session.message(&message(65_535)).await.is_taken(), "the next message has no part in it");
    }
}
