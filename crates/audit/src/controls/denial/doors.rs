//! What becomes of those who ask for too much.

mod crowd;

use crate::area::Area;
use crate::control::{Check, Control, Needs, Probe};
use crate::doors::{LINES, Seen, each, in_turn, made_so, no_such_door};
use crate::knock::{Kind, KnockError, Talk};
use crate::scene::{Door, Protocol};
use mailward_core::limits::KNOCK_JUNK;

pub(in crate::controls) use crowd::counts_connections;

pub(in crate::controls) const DOORS: &[Control] = &[
    Control {
        id: "DOS-01",
        weight: 10,
        question: "Can no single address take all connections of a door?",
        why: "One computer that opens connection after connection keeps everybody else out.",
        verified: "260 connections are held to each door for a moment, one door after the other, until one is refused. From loopback \
                   a server may count otherwise: where none is refused there, it isn't told. How many come in a minute isn't tried.",
        mend: "Set `limits.connections_per_address` in mailward.toml (200 unless you set it), then `mailward reload`.",
        source: "Postfix smtpd_client_connection_count_limit",
        check: Check::Ask(|scene| {
            Box::pin(in_turn(scene, LINES, no_such_door, |_, door| Box::pin(counts_connections(door))))
        }),
        needs: Needs::Server,
        ..Control::of(Area::Denial, Probe::Doors)
    },
    Control {
        id: "DOS-11",
        weight: 5,
        question: "Is a session ended that says nothing but nonsense?",
        why: "Each session costs memory and a place. Who plays with the server, or guesses at it, should pay for it.",
        verified: "At each door 150 commands are said that no standard has, and by SMTP 150 that do nothing; the session must be ended \
                   before.",
        mend: made_so!("Mailward ends such sessions"),
        source: "Postfix smtpd_hard_error_limit, smtpd_junk_command_limit",
        check: Check::Ask(|scene| Box::pin(each(scene, LINES, no_such_door, |_, door| Box::pin(ends_nonsense(door))))),
        needs: Needs::Nothing,
        ..Control::of(Area::Denial, Probe::Doors)
    },
];

async fn ends_nonsense(door: &Door) -> Result<Seen, KnockError> {
    let kinds: &[&str] = match door.protocol {
        Protocol::Imap | Protocol::Imaps | Protocol::Pop3 | Protocol::Pop3s => &["XNONSENSE"],
        _ => &["XNONSENSE", "NOOP"],
    };
    let mut bad = Vec::new();
    let mut good = Vec::new();
    let mut seen = Vec::new();
    for command in kinds {
        let mut talk = Talk::open(door).await?;
        talk.hello().await?;
        let after = ended_after(&mut talk, command).await?;
        seen.push(talk.transcript());
        match after {
            Some(count) => good.push(format!("{command} {count} times ends it")),
            None => bad.push(format!("{command} may be said {KNOCK_JUNK} times")),
        }
    }
    let found = Seen::unless(&bad, good.join(", "));
    Ok(seen.into_iter().fold(found, |found, transcript| found.showing(door.to_string(), transcript)))
}

/// After how many of them a session ends.
async fn ended_after(talk: &mut Talk, command: &str) -> Result<Option<usize>, KnockError> {
    for count in 1..=KNOCK_JUNK {
        match talk.ask(command).await {
            Ok(answer) if answer.code == Some(421) => return Ok(Some(count)),
            Ok(answer) if answer.kind == Kind::No && is_goodbye(&answer.lines) => return Ok(Some(count)),
            Ok(_) => {}
            Err(KnockError::Closed) => return Ok(Some(count)),
            Err(other) => return Err(other),
        }
    }
    Ok(None)
}

fn is_goodbye(lines: &[Vec<u8>]) -> bool {
    lines.iter().any(|line| line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"* BYE")))
}
