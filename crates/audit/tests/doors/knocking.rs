//! The clients themselves.

use crate::house::{Fault, House, NAME, Shows};
use crate::old_tls::Manners;
use crate::tls_bytes::{self, Picked};
use mailward_audit::knock::tls::{self, Exchange, Heard, Hello, Renegotiation, Version, suites};
use mailward_audit::knock::{Key, KnockError, Talk, certificate, judge};
use mailward_audit::{Door, Protocol, Scene, Verdict, find, run};
use mailward_core::limits::{
    AUDIT_CONTROL_TIME, KNOCK_ANSWER_TIME, KNOCK_CHAIN_MAX, KNOCK_CONNECT_TIME, KNOCK_FLIGHT_MAX, KNOCK_LINE_MAX,
    KNOCK_LINES_MAX, KNOCK_SESSION_TIME, KNOCK_TOTAL_MAX, KNOCK_TRANSCRIPT_MAX,
};
use mailward_core::{Clock as _, SystemClock, shutdown};
use proptest::prelude::*;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server that says this to whoever comes, and then listens.
pub(crate) async fn saying(words: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let words = words.clone();
            tokio::spawn(async move {
                let _gone = stream.write_all(&words).await;
                let mut space = [0; 1024];
                while stream.read(&mut space).await.is_ok_and(|count| count > 0) {}
            });
        }
    });
    address
}

fn door(protocol: Protocol, address: SocketAddr) -> Door {
    Door { protocol, address, name: NAME.to_owned() }
}

async fn refused(words: Vec<u8>) -> KnockError {
    Talk::open(&door(Protocol::Smtp, saying(words).await)).await.unwrap_err()
}

#[tokio::test]
async fn a_server_that_never_ends_a_line_an_answer_or_its_talk_is_left() {
    let line = [b"220 ".to_vec(), vec![b'x'; KNOCK_LINE_MAX * 2]].concat();
    assert_eq!(refused(line).await, KnockError::TooMuch("a line"));
    assert_eq!(refused(b"220-more\r\n".repeat(KNOCK_LINES_MAX + 2)).await, KnockError::TooMuch("lines"));
    let long = [b"220-".to_vec(), vec![b'x'; KNOCK_LINE_MAX - 100], b"\r\n".to_vec()].concat();
    assert_eq!(refused(long.repeat(KNOCK_TOTAL_MAX / KNOCK_LINE_MAX + 2)).await, KnockError::TooMuch("in all"));
}

#[tokio::test]
async fn a_first_flight_that_never_ends_is_left_and_a_chain_has_an_end() {
    let begun = [[2, 0xff, 0xff, 0xff].to_vec(), vec![0; 16_000]].concat();
    let more = tls_bytes::record(22, 0x0303, &[0; 16_000]);
    let words = [tls_bytes::record(22, 0x0303, &begun), more.repeat(KNOCK_FLIGHT_MAX / 16_000 + 2)].concat();
    let door = door(Protocol::Imaps, saying(words).await);
    assert_eq!(tls::takes(&door, Version::TLS12).await, Err(KnockError::TooMuch("a first flight of TLS")));
    let picked = Picked {
        version: 0x0303,
        suite: 0xc02f,
        compression: 0,
        extended_master_secret: true,
        secure_renegotiation: true,
        group: None,
        exchange: Vec::new(),
    };
    match tls::read(&tls_bytes::flight_with(&picked, KNOCK_CHAIN_MAX + 9)).unwrap() {
        Some(Heard::Agreed(hello)) => assert_eq!(hello.certificates.len(), KNOCK_CHAIN_MAX),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_nonsense_and_silence_are_told_apart() {
    assert!(
        matches!(refused(b"554 no\r\n".to_vec()).await, KnockError::Refused("the connection", said) if said == "554 no")
    );
    assert!(matches!(refused(b"\x1b]0;x\x07\r\n".to_vec()).await, KnockError::Odd(_)));
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_not_waited_for_forever() {
    let began = tokio::time::Instant::now();
    let (error, took) = (refused(Vec::new()).await, began.elapsed());
    let limit = match error {
        KnockError::Late => KNOCK_ANSWER_TIME,
        KnockError::Connect(_) => KNOCK_CONNECT_TIME,
        other => panic!("{other}"),
    };
    assert!(took >= limit && took < limit * 2, "{took:?}");
}

/// A server whose greeting goes on and on, slowly enough to be no flood and quickly enough to be no silence.
#[tokio::test(start_paused = true)]
async fn a_session_has_an_end_before_its_control_has() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while stream.write_all(b"220-not yet\r\n").await.is_ok() {
            tokio::time::sleep(KNOCK_ANSWER_TIME / 2).await;
        }
    });
    let scene = Scene { doors: vec![door(Protocol::Smtp, address)], ..House::new().scene() };
    let (_trigger, stop) = shutdown::channel();
    let began = tokio::time::Instant::now();
    let records = run(&[find("SVC-13").unwrap()], Arc::new(scene), &SystemClock, &stop, &mut ()).await;
    assert!(records[0].verdict == Verdict::NotTested && records[0].said.contains("in time"), "{}", records[0].said);
    assert!(began.elapsed() >= KNOCK_SESSION_TIME && began.elapsed() < AUDIT_CONTROL_TIME, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_transcript_has_both_sides_and_an_end_and_no_secret() {
    let mut house = House::new();
    house.door(Protocol::Imap, &[]).await;
    let mut talk = Talk::secured(&house.doors[0]).await.unwrap();
    talk.ask_hidden("LOGIN someone lantern", "LOGIN (somebody)").await.unwrap();
    let transcript = String::from_utf8(talk.transcript()).unwrap();
    assert!(transcript.contains("> a1 STARTTLS\r\n< a1 OK begin\r\n- TLS begins: TLSv1.3"), "{transcript}");
    assert!(transcript.contains("LOGIN (somebody)") && !transcript.contains("lantern"), "{transcript}");
    let long = "x".repeat(7_000);
    for _ in 0..6 {
        talk.ask(&format!("NOOP {long}")).await.unwrap();
    }
    assert!(talk.transcript().len() <= KNOCK_TRANSCRIPT_MAX, "{}", talk.transcript().len());
}

#[tokio::test]
async fn a_certificate_is_recorded_as_it_is_and_judged_apart() {
    for (shows, why) in [
        (Shows::Good, None),
        (Shows::Expired, Some("expired")),
        (Shows::OtherName, Some("not valid for name")),
        // Another authority, of the same name.
        (Shows::Untrusted, Some("BadSignature")),
    ] {
        let mut house = House::showing(shows);
        house.door(Protocol::Imaps, &[]).await;
        let mut talk = Talk::open(&house.doors[0]).await.unwrap();
        let shown = talk.wire().shown().unwrap().clone();
        let own = certificate(&shown.chain[0]).unwrap();
        assert_eq!((own.key, own.is_signed_well()), (Key::Curve(256), true));
        assert!(own.names.contains(&"localhost".to_owned()) && own.names.contains(&"127.0.0.1".to_owned()), "{own:?}");
        let judged = judge(&shown.chain, NAME, &house.scene().anchors, SystemClock.now());
        match (judged, why) {
            (Ok(()), None) => {}
            (Err(told), Some(why)) => assert!(told.to_string().contains(why), "{shows:?}: {told}"),
            (judged, _) => panic!("{shows:?}: {judged:?}"),
        }
    }
}

#[tokio::test]
async fn what_a_server_of_today_takes_is_found_also_after_starttls() {
    let mut house = House::new();
    house.door(Protocol::Imaps, &[]).await;
    house.door(Protocol::Smtp, &[]).await;
    house.door(Protocol::Pop3, &[]).await;
    for door in &house.doors {
        let mut taken = Vec::new();
        for version in Version::ALL {
            taken.extend(tls::takes(door, version).await.unwrap().map(|_hello| version));
        }
        assert_eq!(taken, [Version::TLS12, Version::TLS13], "{door}");
        let names = |suites: Vec<&suites::Suite>| suites.iter().map(|suite| suite.name).collect::<Vec<_>>();
        let new = names(tls::taken(door, Version::TLS13).await.unwrap());
        assert_eq!(new.len(), 3, "{new:?}");
        let old = names(tls::taken(door, Version::TLS12).await.unwrap());
        // Its key is one for ECDSA.
        assert!(old.len() == 3 && old.iter().all(|name| name.starts_with("TLS_ECDHE_ECDSA_WITH_")), "{old:?}");
        let groups = tls::groups(door, Version::TLS13).await.unwrap();
        assert_eq!(groups, ["secp256r1", "secp384r1", "x25519", "X25519MLKEM768"], "{door}");
    }
    let hello = tls::takes(&house.doors[0], Version::TLS12).await.unwrap().unwrap();
    assert!(hello.extended_master_secret && hello.secure_renegotiation && hello.compression == 0, "{hello:?}");
    assert_eq!(tls::renegotiates(&house.doors[1]).await, Ok(Renegotiation::Refused));
    assert_eq!(tls::takes_early_data(&house.doors[1]).await, Ok(false));
}

#[tokio::test]
async fn what_a_server_of_other_times_takes_is_found_too() {
    let mut house = House::new();
    let manners = Manners {
        versions: vec![0x0300, 0x0301, 0x0303],
        suites: vec![0x0005, 0x000a, 0x0033, 0xc013, 0xc02f],
        own_order: true,
        prime_bytes: 128,
        groups: vec![0x0017],
        ..Manners::good()
    };
    house.door_with(Protocol::Submissions, &[Fault::EarlyData, Fault::Renegotiates], Some(manners)).await;
    let door = &house.doors[0];
    let ssl = tls::takes(door, Version::SSL3).await.unwrap().unwrap();
    assert_eq!(suites::find(ssl.suite).unwrap().name, "TLS_RSA_WITH_RC4_128_SHA");
    assert!(tls::takes(door, Version::TLS11).await.unwrap().is_none());
    let taken: Vec<u16> = tls::taken(door, Version::TLS12).await.unwrap().iter().map(|suite| suite.id).collect();
    assert_eq!(taken, [0x0005, 0x000a, 0x0033, 0xc013, 0xc02f], "in its own order");
    let all: Vec<_> = taken.iter().filter_map(|id| suites::find(*id)).collect();
    assert_eq!(tls::has_order(door, Version::TLS12, &all).await, Ok(Some(true)));
    assert_eq!(tls::groups(door, Version::TLS12).await.unwrap(), ["secp256r1"]);
    assert_eq!(tls::renegotiates(door).await, Ok(Renegotiation::Begun));
}

#[test]
fn a_first_message_says_what_it_is_told_to() {
    for version in Version::ALL {
        let suites = suites::of(version);
        let bytes = Hello::new(version, &suites).bytes("mx.example.org", [1; 32]);
        let offered = tls_bytes::read(&bytes);
        let is_new = version == Version::TLS13;
        assert_eq!(offered.version, if is_new { 0x0303 } else { version.0 });
        assert_eq!(offered.versions, if is_new { vec![0x0304] } else { vec![] });
        assert_eq!((offered.shares, offered.compression.as_slice()), (0, [0].as_slice()));
        assert!(suites.iter().all(|suite| offered.suites.contains(suite)), "{offered:?}");
        assert_eq!(offered.suites.len(), suites.len() + usize::from(!is_new), "and the word for secure renegotiation");
        let has_extensions = version != Version::SSL3;
        assert_eq!(offered.name.as_deref(), has_extensions.then_some("mx.example.org"));
        assert_eq!(offered.groups.contains(&tls::HYBRID), has_extensions);
    }
    let bytes = Hello::new(Version::TLS12, &[0xc02f]).bytes("192.0.2.1", [1; 32]);
    assert_eq!(tls_bytes::read(&bytes).name, None, "an address is no name (RFC 6066)");
}

#[test]
fn a_flight_is_read_to_the_letter() {
    let picked = Picked {
        version: 0x0303,
        suite: 0xc02f,
        compression: 1,
        extended_master_secret: true,
        secure_renegotiation: false,
        group: None,
        exchange: tls_bytes::curve(0x001d, Some(0x0201)),
    };
    let heard = |picked: &Picked| match tls::read(&tls_bytes::flight(picked)).unwrap() {
        Some(Heard::Agreed(hello)) => *hello,
        other => panic!("{other:?}"),
    };
    let hello = heard(&picked);
    assert_eq!((hello.suite, hello.compression, hello.is_done), (0xc02f, 1, true));
    assert_eq!((hello.extended_master_secret, hello.secure_renegotiation), (true, false));
    assert_eq!(hello.exchange, Some(Exchange::Curve { group: 0x001d, signature: Some(0x0201) }));
    assert_eq!(hello.certificates, [b"a certificate".to_vec()]);
    let prime =
        heard(&Picked { suite: 0x0033, version: 0x0301, exchange: tls_bytes::prime(128, None), ..picked.clone() });
    assert_eq!(prime.exchange, Some(Exchange::Prime { bits: 1024, signature: None }));
    let again = heard(&Picked { version: 0x0304, suite: 0x1301, group: Some(tls::HYBRID), ..picked });
    assert_eq!((again.version, again.group), (0x0304, Some(tls::HYBRID)));
    assert_eq!(tls::read(&tls_bytes::alert(0x0303, 70)), Ok(Some(Heard::Refused(Some(70)))));
    assert!(tls::read(b"250 fine\r\n").is_err(), "text is no TLS");
    assert!(tls::read(b"2").is_err(), "and the first letter of it isn't either");
}

proptest! {
    #[test]
    fn a_flight_in_pieces_is_the_flight(cut in 0_usize..400) {
        let picked = Picked {
            version: 0x0303,
            suite: 0xc02f,
            compression: 0,
            extended_master_secret: true,
            secure_renegotiation: true,
            group: None,
            exchange: tls_bytes::curve(0x001d, Some(0x0403)),
        };
        let flight = tls_bytes::flight(&picked);
        let cut = cut.min(flight.len());
        // What is there of it is never something else than what it is.
        match tls::read(&flight[..cut]) {
            Ok(None) => prop_assert!(cut < flight.len()),
            Ok(Some(Heard::Agreed(hello))) => prop_assert_eq!(hello.suite, 0xc02f),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn whatever_bytes_come_nothing_breaks(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _read = tls::read(&bytes);
        let _none = certificate(&bytes);
    }

    #[test]
    fn a_flight_with_a_byte_changed_breaks_nothing(at in 0_usize..300, to in any::<u8>()) {
        let picked = Picked {
            version: 0x0301,
            suite: 0x0033,
            compression: 0,
            extended_master_secret: true,
            secure_renegotiation: true,
            group: None,
            exchange: tls_bytes::prime(64, None),
        };
        let mut flight = tls_bytes::flight(&picked);
        let at = at.min(flight.len() - 1);
        flight[at] = to;
        if let Ok(Some(Heard::Agreed(hello))) = tls::read(&flight) {
            prop_assert!(hello.certificates.iter().map(Vec::len).sum::<usize>() <= flight.len());
        }
    }
}
