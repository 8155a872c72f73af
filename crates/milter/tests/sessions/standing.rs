//! Milters that aren't there, go, and come back.

use crate::milter::{Milter, go_on, packet, terms};
use crate::{MESSAGE, answer, client, envelope, refused, session, to, transaction};
use mailward_core::config::{MilterDefault, MilterLine};
use mailward_core::event::Events;
use mailward_core::limits::{MILTER_IDLE_MAX, MILTER_IDLE_TIME, MILTER_REST_TIME};
use mailward_milter::terms::actions;
use mailward_milter::{Changes, Fault, Milters, Outcome, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn everything() -> Vec<u8> {
    terms(6, actions::ALL & !actions::CHOOSE_MACROS, 0, &[])
}

#[tokio::test]
async fn what_holds_where_a_milter_isn_t_there_is_the_administrator_s_choice() {
    let mut milter = Milter::absent("m");
    for (default, told) in [
        (MilterDefault::Tempfail, "m: 451 4.3.0 A check isn't available; try again later"),
        (MilterDefault::Reject, "m: 550 5.7.1 Not accepted here"),
        (MilterDefault::Accept, "go"),
    ] {
        milter.line.default = default;
        let (mut session, _, events) = session(&[&milter.line]);
        let outcome = envelope(&mut session).await;
        assert_eq!(refused(&outcome), told);
        assert!(events.lines()[0].starts_with("alert milter.down milter=m "), "{:?}", events.lines());
        assert!(events.lines()[0].ends_with(&format!(" default={}", default.name())));
        if outcome == Outcome::Go {
            let changes = session.message(MESSAGE).await;
            assert!(changes.is_taken());
            assert!(matches!(&changes.passed_over[..], [(name, Fault::Connect(_))] if name == "m"));
        }
    }
}

#[tokio::test]
async fn the_administrator_hears_once_that_it_is_gone_and_once_that_it_is_back() {
    let milter = Milter::absent("m");
    let (mut session, milters, events) = session(&[&milter.line]);
    for _ in 0..3 {
        assert_ne!(envelope(&mut session).await, Outcome::Go);
    }
    assert_eq!(milters.health()[0].failed, 3);
    assert!(milters.health()[0].fault.as_ref().unwrap().contains("can't be connected to"));
    let alerts = |name: &str| events.lines().iter().filter(|line| line.contains(name)).count();
    assert_eq!(alerts("alert milter.down"), 1);
    milter.listen(everything(), |_, _| go_on());
    // It isn't tried again at once.
    assert_ne!(envelope(&mut session).await, Outcome::Go);
    assert_eq!(milter.connections(), 0);
    tokio::time::pause();
    tokio::time::advance(MILTER_REST_TIME).await;
    tokio::time::resume();
    assert_eq!(transaction(&mut session).await, Changes::default());
    assert_eq!((alerts("alert milter.down"), alerts("info milter.recovered milter=m")), (1, 1));
    assert_eq!(milters.health()[0].fault, None);
}

#[tokio::test]
async fn a_milter_that_decides_before_the_message_is_back_as_well() {
    for reply in *b"ar" {
        let fails = Arc::new(AtomicBool::new(true));
        let milter = Milter::new("m", move |letter, _| match letter {
            b'M' if fails.swap(false, Ordering::SeqCst) => None,
            b'M' => Some(packet(reply, b"")),
            _ => go_on(),
        });
        let (mut session, _, events) = session(&[&milter.line]);
        for _ in 0..2 {
            envelope(&mut session).await;
        }
        let lines = events.lines();
        assert!(
            lines[0].starts_with("alert milter.down") && lines[1].starts_with("info milter.recovered"),
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn a_milter_that_hangs_up_is_connected_to_anew_with_the_next_message() {
    for letter in *b"CHMRTLNBE" {
        let hangs_up = Arc::new(AtomicBool::new(true));
        let once = Arc::clone(&hangs_up);
        let milter =
            Milter::new(
                "m",
                move |heard, _| {
                    if heard == letter && once.swap(false, Ordering::SeqCst) { None } else { go_on() }
                },
            );
        let (mut session, _, events) = session(&[&milter.line]);
        let outcome = envelope(&mut session).await;
        let told = match outcome {
            Outcome::Go => answer(&session.message(MESSAGE).await.verdict),
            Outcome::Refuse(_) => refused(&outcome),
        };
        assert_eq!(told, "m: 451 4.3.0 A check isn't available; try again later", "{letter}");
        assert!(events.lines()[0].contains("it ended the connection"), "{:?}", events.lines());
        assert_eq!(transaction(&mut session).await, Changes::default(), "{letter}");
        assert_eq!(milter.connections(), 2);
    }
}

#[tokio::test]
async fn a_milter_that_failed_isn_t_asked_again_in_the_same_transaction() {
    let milter = Milter::new("m", |letter, _| if letter == b'R' { None } else { go_on() });
    let (mut session, ..) = session(&[&milter.line]);
    session.mail(&to("a@a.example"), None, None).await;
    for _ in 0..3 {
        assert_ne!(session.recipient(&to("b@b.example")).await, Outcome::Go);
    }
    assert_ne!(session.data("id").await, Outcome::Go);
    assert_eq!((milter.letters(), milter.connections()), ("CMR".to_owned(), 1));
}

#[tokio::test]
async fn how_a_milter_is_and_what_it_did_can_be_told() {
    let milter = Milter::new("m", |letter, data| match letter {
        b'R' if data.starts_with(b"<c@") => Some(packet(b'r', b"")),
        b'L' if data.ends_with(b"spam\0") => Some(packet(b'r', b"")),
        _ => go_on(),
    });
    let (mut session, milters, _) = session(&[&milter.line]);
    let told = &milters.health()[0];
    assert_eq!((told.state, &told.agreed, told.mean_ms), (State::Unknown, &None, None));
    assert!(transaction(&mut session).await.is_taken());
    envelope(&mut session).await;
    assert!(!session.message(b"Subject: spam\r\n\r\n").await.is_taken());
    envelope(&mut session).await;
    session.quit().await;
    let told = &milters.health()[0];
    assert_eq!((told.state, told.asked, told.judged, told.refused, told.failed), (State::Good, 3, 2, 4, 0));
    assert!(told.mean_ms.is_some());
    let agreed = told.agreed.as_ref().unwrap();
    assert_eq!((agreed.version, agreed.actions.len()), (6, 8));
    assert!(agreed.actions.contains(&"change the body") && !agreed.actions.contains(&"choose macros"));
}

#[tokio::test]
async fn how_a_milter_is_can_be_found_out_without_a_message() {
    let milter = Milter::absent("m");
    let (_, milters, events) = session(&[&milter.line]);
    let alerts = |name: &str| events.lines().iter().filter(|line| line.contains(name)).count();
    for _ in 0..2 {
        milters.look_after().await;
        let told = &milters.health()[0];
        assert_eq!((told.state, told.failed), (State::Failing, 0), "no message missed it");
    }
    assert_eq!(alerts("alert milter.down"), 1);
    milter.listen(everything(), |_, _| go_on());
    milters.look_after().await;
    let told = &milters.health()[0];
    assert_eq!((told.state, told.agreed.as_ref().unwrap().version, told.asked), (State::Good, 6, 0));
    assert_eq!(alerts("info milter.recovered"), 1);
    milter.hears('Q', 1).await;
    assert_eq!(milter.letters(), "Q");
    let mut session = milters.open(&client(), 1_000);
    assert!(transaction(&mut session).await.is_taken(), "it is asked at once, as it is known to be there");
}

#[tokio::test]
async fn that_a_milter_can_be_connected_to_does_not_make_it_well() {
    let milter = Milter::new("m", |letter, _| if letter == b'E' { None } else { go_on() });
    let (mut session, milters, events) = session(&[&milter.line]);
    assert!(!transaction(&mut session).await.is_taken());
    milters.look_after().await;
    assert_eq!(milters.health()[0].state, State::Failing);
    assert!(!events.lines().iter().any(|line| line.contains("milter.recovered")));
}

#[tokio::test]
async fn connections_serve_one_session_after_the_other_where_the_line_says_so() {
    let mut milter = Milter::new("m", |_, _| go_on());
    milter.line.reuse = true;
    let (mut first, milters, _) = session(&[&milter.line]);
    transaction(&mut first).await;
    first.quit().await;
    let mut second = milters.open(&client(), 1_000);
    transaction(&mut second).await;
    second.quit().await;
    milter.hears('K', 2).await;
    assert_eq!(milter.letters(), "CHMRRTLLLLNBEKCHMRRTLLLLNBEK");
    assert_eq!(milter.connections(), 1);
    tokio::time::pause();
    tokio::time::advance(MILTER_IDLE_TIME).await;
    tokio::time::resume();
    let mut third = milters.open(&client(), 1_000);
    third.connect().await;
    assert_eq!(milter.connections(), 2, "too old to be kept");
    let mut many: Vec<_> = (0..=MILTER_IDLE_MAX).map(|_| milters.open(&client(), 1_000)).collect();
    for session in &mut many {
        session.connect().await;
    }
    let before = milter.connections();
    for session in many {
        session.quit().await;
    }
    let mut again: Vec<_> = (0..=MILTER_IDLE_MAX).map(|_| milters.open(&client(), 1_000)).collect();
    for session in &mut again {
        session.connect().await;
    }
    assert_eq!(milter.connections(), before + 1, "so many are kept, and no more");
}

#[tokio::test]
async fn a_kept_connection_that_is_gone_is_made_anew() {
    let mut milter = Milter::new("m", |letter, _| if letter == b'E' { Some(packet(b'a', b"")) } else { go_on() });
    milter.line.reuse = true;
    let gone = Arc::new(AtomicBool::new(false));
    let goes = Arc::clone(&gone);
    let hangs = Milter::new(
        "h",
        move |letter, _| {
            if letter == b'C' && goes.swap(false, Ordering::SeqCst) { None } else { go_on() }
        },
    );
    let line = MilterLine { reuse: true, ..hangs.line.clone() };
    let (mut first, milters, events) = session(&[&line]);
    transaction(&mut first).await;
    first.quit().await;
    hangs.hears('K', 1).await;
    gone.store(true, Ordering::SeqCst);
    let mut second = milters.open(&client(), 1_000);
    assert_eq!(transaction(&mut second).await, Changes::default());
    assert_eq!(hangs.connections(), 2);
    assert!(events.lines().is_empty(), "{:?}", events.lines());
}

#[tokio::test]
async fn a_reload_keeps_what_is_known_of_milters_that_stay() {
    let (stays, goes) = (Milter::absent("stays"), Milter::absent("goes"));
    let (mut session, milters, events) = session(&[&stays.line, &goes.line]);
    envelope(&mut session).await;
    let renewed = milters.renewed(&[goes.line.clone(), stays.line.clone()]);
    let failed: Vec<_> = renewed.health().iter().map(|health| (health.milter.clone(), health.failed)).collect();
    assert_eq!(failed, [("goes".to_owned(), 0), ("stays".to_owned(), 1)]);
    assert!(renewed.renewed(&[]).is_empty() && !renewed.is_empty());
    assert!(Milters::new(&[], &events).open(&client(), 1_000).is_empty());
}

#[tokio::test]
async fn without_milters_nothing_is_asked() {
    let milters = Milters::new(&[], &Events::nowhere());
    let mut session = milters.open(&client(), 1_000);
    assert_eq!(transaction(&mut session).await, Changes::default());
    session.quit().await;
}

#[tokio::test]
async fn a_milter_behind_tcp_is_found_by_address_and_name() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for place in [format!("tcp:127.0.0.1:{port}"), format!("inet:{port}@localhost")] {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let line = MilterLine::parse(&format!("m {place}")).unwrap();
        let serve = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut offer = [0; 17];
            stream.read_exact(&mut offer).await.unwrap();
            // It wants to hear of nothing but the end.
            stream.write_all(&terms(6, 0, 0x37f, &[])).await.unwrap();
            let mut rest = Vec::new();
            let _over = stream.read_to_end(&mut rest).await;
            offer
        });
        let (mut session, ..) = session(&[&line]);
        assert_eq!(envelope(&mut session).await, Outcome::Go);
        session.quit().await;
        let offer = tokio::time::timeout(Duration::from_secs(20), serve).await.unwrap().unwrap();
        assert_eq!(&offer, b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\x30\x1f\xff\xff");
    }
}
