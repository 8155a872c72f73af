//! Engines of any kind, played by this test on loopback.

pub(crate) mod clamd;
mod icap;

use super::*;
use mailward_core::SystemClock;
use mailward_core::config::EngineLine;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What stands for a virus.
pub(crate) const BAD: &[u8] = b"X5O!-not-really";

/// A server that does with each connection what it is told; how many came.
pub(crate) async fn played<F, R>(play: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(play(stream));
        }
    });
    (at, count)
}

fn of(lines: &[String], more: impl FnOnce(&mut Settings)) -> (Antivirus, Events) {
    let engines = lines.iter().map(|line| EngineLine::parse(line).unwrap()).collect();
    let mut settings = Settings { engines, ..Settings::default() };
    more(&mut settings);
    let events = Events::memory();
    (Antivirus::new(&settings, None, Arc::new(SystemClock), events.clone()), events)
}

/// Two engines that don't exist.
fn nobody() -> Vec<String> {
    vec!["clamd unix:/nonexistent/clamd.ctl".to_owned(), "icap icap://127.0.0.1:1/av".to_owned()]
}

async fn look(antivirus: &Antivirus, message: &[u8]) -> Scanned {
    antivirus.look(&[Bytes::copy_from_slice(message)], None).await
}

fn strongest(antivirus: &Antivirus, scanned: &Scanned) -> Action {
    antivirus.findings(scanned).iter().map(|finding| finding.action).max().unwrap_or_default()
}

fn told(events: &Events, name: &str) -> usize {
    let name = format!(" {name}");
    events.lines().iter().filter(|line| line.contains(&format!("{name} ")) || line.ends_with(&name)).count()
}

pub(crate) fn is_bad(message: &[u8]) -> bool {
    message.windows(BAD.len()).any(|piece| piece == BAD)
}

#[tokio::test]
async fn without_engines_nothing_is_said() {
    let (antivirus, events) = of(&[], |_| {});
    let scanned = look(&antivirus, BAD).await;
    assert_eq!((&scanned, antivirus.findings(&scanned)), (&Scanned::default(), Vec::new()));
    assert!(antivirus.is_empty() && events.lines().is_empty());
}

#[tokio::test]
async fn all_engines_down_is_refused_for_now_and_told_once() {
    let (antivirus, events) = of(&nobody(), |_| {});
    for _ in 0..3 {
        let scanned = look(&antivirus, b"hello").await;
        assert_eq!((scanned.asked, scanned.failed.len()), (2, 2));
        assert_eq!(strongest(&antivirus, &scanned), Action::Defer);
    }
    assert_eq!((told(&events, "antivirus.down"), told(&events, "antivirus.failing")), (1, 2), "{:?}", events.lines());
    assert!(antivirus.states().iter().all(|state| state.health == Health::Failing && state.failed == 3));
}

#[tokio::test]
async fn mail_is_delivered_with_a_mark_where_the_administrator_wants_that() {
    let (antivirus, _) = of(&nobody(), |settings| settings.when_down = WhenDown::DeliverWithMark);
    let scanned = look(&antivirus, b"hello").await;
    assert_eq!(strongest(&antivirus, &scanned), Action::Mark);
}

#[tokio::test]
async fn one_engine_of_several_is_enough_and_its_return_is_told() {
    let (at, _) = played(clamd::honest).await;
    let (antivirus, events) = of(&[nobody().swap_remove(0), format!("clamd tcp:{at}")], |_| {});
    let scanned = look(&antivirus, b"hello").await;
    assert_eq!((scanned.clean.len(), scanned.failed.len()), (1, 1));
    assert_eq!(strongest(&antivirus, &scanned), Action::Deliver);
    let scanned = look(&antivirus, BAD).await;
    assert_eq!(strongest(&antivirus, &scanned), Action::Reject);
    assert_eq!((told(&events, "antivirus.down"), told(&events, "antivirus.failing")), (0, 1));
}

#[tokio::test]
async fn an_engine_that_is_back_is_told() {
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = place.local_addr().unwrap();
    drop(place);
    let (antivirus, events) = of(&[format!("clamd tcp:{at}")], |_| {});
    assert_eq!(look(&antivirus, b"hello").await.failed.len(), 1);
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(clamd::honest(stream));
        }
    });
    assert_eq!(look(&antivirus, b"hello").await.clean.len(), 1);
    assert_eq!((told(&events, "antivirus.recovered"), told(&events, "antivirus.up")), (1, 1), "{:?}", events.lines());
}

/// Attacks E1: what could be read differently is seen in every reading.
#[tokio::test]
async fn other_readings_of_a_message_are_brought_as_well_and_no_more_than_may_be() {
    let (at, _) = played(clamd::honest).await;
    let (antivirus, _) = of(&[format!("clamd tcp:{at}")], |_| {});
    let scanned = antivirus.look(&[Bytes::from_static(b"hello"), Bytes::from_static(BAD)], None).await;
    assert_eq!(scanned.found.len(), 1);
    let mut many = vec![Bytes::from_static(b"hello"); ANTIVIRUS_READINGS_MAX + 1];
    many.push(Bytes::from_static(BAD));
    // What isn't shown isn't clean.
    let scanned = antivirus.look(&many, None).await;
    assert!(scanned.found.is_empty() && scanned.cut);
    assert_eq!(strongest(&antivirus, &scanned), Action::Quarantine);
    many.truncate(ANTIVIRUS_READINGS_MAX + 1);
    let scanned = antivirus.look(&many, None).await;
    assert_eq!((scanned.cut, strongest(&antivirus, &scanned)), (false, Action::Deliver));
}

/// Attacks E3: what engines don't open themselves is seen by them, and what isn't shown isn't clean.
#[tokio::test]
async fn files_that_an_engine_would_not_find_are_brought_to_it_and_what_is_not_shown_is_not_clean() {
    let (at, _) = played(clamd::honest).await;
    let (antivirus, _) = of(&[format!("clamd tcp:{at}")], |_| {});
    let clean = look(&antivirus, b"hello").await;
    let shown = |file: &'static [u8], cut| Shown { files: vec![Bytes::from_static(file)], cut };
    let both = clean.clone().and(antivirus.look_shown(&shown(BAD, false), None).await);
    assert_eq!((both.asked, both.clean.len(), both.found.len()), (1, 0, 1));
    assert_eq!(strongest(&antivirus, &both), Action::Reject);
    let both = clean.clone().and(antivirus.look_shown(&shown(b"good", false), None).await);
    assert_eq!(strongest(&antivirus, &both), Action::Deliver);
    let both = clean.clone().and(antivirus.look_shown(&shown(b"good", true), None).await);
    assert_eq!((both.clean.len(), both.unscannable.len()), (0, 1));
    assert_eq!(strongest(&antivirus, &both), Action::Quarantine);
    // One that is gone in between has seen half of it.
    let (gone, _) = of(&nobody(), |_| {});
    let failed = gone.look_shown(&shown(b"good", false), None).await;
    assert_eq!(strongest(&antivirus, &clean.and(failed)), Action::Defer);
}

#[tokio::test]
async fn what_only_looks_like_a_virus_goes_into_quarantine() {
    let (antivirus, _) = of(&[], |_| {});
    let found = |name: &str| {
        let found = vec![Found { engine: "clamd".into(), name: name.to_owned() }];
        strongest(&antivirus, &Scanned { asked: 1, found, ..Scanned::default() })
    };
    assert_eq!(found("Win.Test.EICAR_HDB-1"), Action::Reject);
    for guess in ["Heuristics.Encrypted.Zip", "PUA.Win.Packer.Upx-1", "Heuristics.Phishing.Email.SpoofedDomain"] {
        assert_eq!(found(guess), Action::Quarantine, "{guess}");
    }
    let (antivirus, _) = of(&[], |settings| settings.action = OnVirus::Quarantine);
    let found = vec![Found { engine: "clamd".into(), name: "Eicar".to_owned() }];
    assert_eq!(strongest(&antivirus, &Scanned { found, ..Scanned::default() }), Action::Quarantine);
}

/// A program that stands for one on the host.
struct Program(Result<Ran, NotRan>);

impl Commands for Program {
    fn run(&self, engine: usize, message: Bytes) -> futures_util::future::BoxFuture<'_, Result<Ran, NotRan>> {
        assert_eq!((engine, &message[..]), (0, &b"hello"[..]));
        Box::pin(async { self.0.clone() })
    }
}

#[tokio::test]
async fn a_program_says_by_its_exit_code_what_it_found() {
    let ran = |code, output: &str| Ok(Ran { code, output: output.to_owned() });
    for (said, found, unscannable, failed) in [
        (ran(0, ""), vec![], 0, 0),
        (ran(7, "stdin: Eicar FOUND\n"), vec!["Eicar"], 0, 0),
        (ran(8, ""), vec!["unnamed"], 0, 0),
        (ran(1, "it broke"), vec![], 1, 0),
        (Err(NotRan::Ended("it was killed after 60 seconds".to_owned())), vec![], 1, 0),
        (Err(NotRan::Refused("it can't be started".to_owned())), vec![], 0, 1),
    ] {
        let engines = vec![EngineLine::parse("command infected=7,8 /usr/bin/scanner -").unwrap()];
        let settings = Settings { engines, ..Settings::default() };
        let program: Arc<dyn Commands> = Arc::new(Program(said.clone()));
        let antivirus = Antivirus::new(&settings, Some(program), Arc::new(SystemClock), Events::memory());
        let scanned = look(&antivirus, b"hello").await;
        let names: Vec<&str> = scanned.found.iter().map(|found| found.name.as_str()).collect();
        let others = (scanned.unscannable.len(), scanned.failed.len());
        assert_eq!((names, others), (found, (unscannable, failed)), "{said:?}");
    }
    let (antivirus, _) = of(&["command /usr/bin/scanner".to_owned()], |_| {});
    assert_eq!(look(&antivirus, b"hello").await.failed.len(), 1);
}

#[tokio::test]
async fn a_message_that_has_no_turn_is_refused_for_now_and_no_engine_is_down_by_it() {
    let (antivirus, events) = of(&nobody(), |settings| settings.when_down = WhenDown::DeliverWithMark);
    let busy = vec![("clamd".into(), "too many messages wait for it".to_owned())];
    let scanned = Scanned { asked: 1, busy, ..Scanned::default() };
    antivirus.note(&scanned);
    assert_eq!(strongest(&antivirus, &scanned), Action::Defer);
    assert!(events.lines().is_empty());
    let seen = Scanned { asked: 2, clean: vec!["icap".into()], ..scanned };
    assert_eq!(strongest(&antivirus, &seen), Action::Deliver);
}
