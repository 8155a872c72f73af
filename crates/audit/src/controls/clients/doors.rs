//! What clients are told, compared with what is done.

use crate::area::Area;
use crate::control::{Check, Control, Needs, Probe};
use crate::doors::{Seen, each, made_so, no_such_door};
use crate::knock::{Kind, KnockError, Talk};
use crate::scene::{Door, Protocol, Scene};

/// Where a size is announced: by SMTP to servers, by IMAP to users.
const ANNOUNCING: &[Protocol] = &[Protocol::Smtp, Protocol::Imap, Protocol::Imaps];

pub(in crate::controls) const DOORS: &[Control] = &[Control {
    id: "CLI-14",
    weight: 2,
    question: "Is the size of messages that is announced the one that is held to?",
    why: "Where it isn't, a program sends a large message to its end and only then learns that it was too large.",
    verified: "SMTP: EHLO names SIZE; a sender that announces a byte more must be refused with 552, one that announces just so many \
               taken. IMAP, with the audit's account: APPENDLIMIT is named; an upload of a byte more must be refused before it is sent.",
    mend: made_so!("Both come from `limits.message_size` in mailward.toml (`mailward reload`)"),
    source: "RFC 1870 §4, §6; RFC 7889",
    check: Check::Ask(|scene| {
        Box::pin(each(scene, ANNOUNCING, no_such_door, |scene, door| match door.protocol {
            Protocol::Smtp => Box::pin(smtp(door)),
            _ => Box::pin(imap(scene, door)),
        }))
    }),
    needs: Needs::Account,
    ..Control::of(Area::Clients, Probe::Doors)
}];

async fn smtp(door: &Door) -> Result<Seen, KnockError> {
    let mut talk = Talk::open(door).await?;
    let features = talk.features().await?;
    let Some(most) = number(&features, "SIZE ") else {
        return Ok(Seen::bad("no size is announced").heard(door, &talk));
    };
    let over = talk.ask(&format!("MAIL FROM:<> SIZE={}", most.saturating_add(1))).await?;
    let _reset = talk.ask("RSET").await?;
    let just = talk.ask(&format!("MAIL FROM:<> SIZE={most}")).await?;
    Ok(match (over.kind, just.kind) {
        (Kind::No, Kind::Yes) => Seen::good(format!("{most} bytes are announced and held to")),
        (Kind::Yes, _) => Seen::bad(format!("{most} bytes are announced, and a byte more is taken")),
        (Kind::No, Kind::No) => Seen::bad(format!("{most} bytes are announced, and refused: {}", just.text())),
        _ => Seen::unknown(format!("a sender is put off: {} / {}", over.text(), just.text())),
    }
    .heard(door, &talk))
}

async fn imap(scene: &Scene, door: &Door) -> Result<Seen, KnockError> {
    let Some(mut talk) = crate::doors::logged_in(scene, door).await? else {
        return Ok(Seen::unknown(crate::doors::NO_CANARY));
    };
    let features = talk.features().await?;
    let Some(most) = number(&features, "APPENDLIMIT=") else {
        return Ok(Seen::bad("no size of uploads is announced").heard(door, &talk));
    };
    let over = talk.ask(&format!("APPEND INBOX {{{}}}", most.saturating_add(1))).await?;
    Ok(match over.kind {
        Kind::No => Seen::good(format!("{most} bytes are announced for uploads and held to")),
        Kind::More => Seen::bad(format!("{most} bytes are announced for uploads, and more is asked for")),
        _ => Seen::unknown(over.text()),
    }
    .heard(door, &talk))
}

fn number(features: &[String], name: &str) -> Option<u64> {
    features.iter().find_map(|feature| feature.strip_prefix(name)?.trim().parse().ok())
}
