//! Sessions with milters that say what a test wants.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may stop at what it didn't expect"
)]

mod asking;
mod changing;
mod hostile;
mod milter;
mod standing;

use mailward_core::config::MilterLine;
use mailward_core::event::Events;
use mailward_milter::{Changes, Client, Milters, Outcome, Party, Session, Verdict};

pub(crate) const MESSAGE: &[u8] =
    b"From: a@a.example\r\nTo: b@b.example\r\nSubject: one\r\n two\r\nMessage-ID: <m@a.example>\r\n\r\nHello\r\n";
pub(crate) const SIZE: u64 = 1024 * 1024;

pub(crate) fn client() -> Client {
    Client {
        address: "192.0.2.1".parse().ok(),
        port: 4_000,
        hostname: "mail.example".into(),
        daemon: "MTA".into(),
        software: "Mailward".into(),
        ..Client::default()
    }
}

pub(crate) fn session(lines: &[&MilterLine]) -> (Session, Milters, Events) {
    let events = Events::memory();
    let lines: Vec<MilterLine> = lines.iter().map(|line| (*line).clone()).collect();
    let milters = Milters::new(&lines, &events);
    (milters.open(&client(), SIZE), milters, events)
}

pub(crate) fn to(address: &str) -> Party<'_> {
    Party { address, arguments: &[], is_local: true }
}

/// Everything before the message.
pub(crate) async fn envelope(session: &mut Session) -> Outcome {
    let arguments = ["SIZE=100".to_owned()];
    session.hello("mx.a.example", None).await;
    let sender = Party { address: "a@a.example", arguments: &arguments, is_local: false };
    for outcome in [session.mail(&sender, None, None).await, session.recipient(&to("b@b.example")).await] {
        if outcome != Outcome::Go {
            return outcome;
        }
    }
    session.recipient(&to("c@b.example")).await;
    session.data("id1").await
}

/// A whole message.
pub(crate) async fn transaction(session: &mut Session) -> Changes {
    assert_eq!(envelope(session).await, Outcome::Go);
    session.message(MESSAGE).await
}

pub(crate) fn answer(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Refuse(refusal) => format!("{}: {}", refusal.milter, refusal.answer),
        other => format!("{other:?}"),
    }
}

pub(crate) fn refused(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refuse(refusal) => format!("{}: {}", refusal.milter, refusal.answer),
        Outcome::Go => "go".to_owned(),
    }
}
