//! Whether one message can hold the server.

use crate::control::{Control, Needs};
use crate::doors::{IMAP, logged_in, made_so};
use crate::finding::Finding;
use crate::inject::{By, Fate, Specimen, Trial, injected, specimens};
use crate::knock::{Kind, KnockError};
use crate::scene::Scene;
use mailward_core::limits::KNOCK_SESSION_TIME;
use std::time::Duration;
use tokio::time::Instant;

pub(in crate::controls) const INJECTION: &[Control] = &[
    injected!(
        Denial,
        "DOS-04",
        5,
        None,
        None,
        "Is a message with 100,000 To fields done with at once?",
        "Servers have been found whose work grew with the square of the number of addresses: one message kept them busy for hours.",
        "Such a message is sent to the audit's account. The answer must come no more than a second later than that to a harmless one, and \
         a harmless one must arrive afterwards. Whether it is taken or refused doesn't matter.",
        made_so!("Mailward has a limit (`HEADER_FIELDS_MAX`)"),
        "CVE-2024-23184",
        |scene| quick(scene, "DOS-04", specimens::many_to),
    )
    .needing(Needs::Server),
    injected!(
        Denial,
        "DOS-05",
        5,
        None,
        None,
        "Is a field with a flood of parameters done with at once?",
        "Parameters may come in pieces, and putting them together has cost servers minutes for one message.",
        "A message whose Content-Type has 20,000 pieces of one parameter is sent to the audit's account. The answer must come no more \
         than a second later than that to a harmless one, and a harmless one must arrive afterwards.",
        made_so!("Mailward has a limit for parameters"),
        "CVE-2026-27859; RFC 2231",
        |scene| quick(scene, "DOS-05", specimens::many_parameters),
    )
    .needing(Needs::Server),
    injected!(
        Denial,
        "DOS-06",
        5,
        None,
        None,
        "Can a message within a message within a message be shown?",
        "Deep and broken nesting has brought servers down when a mail program asked what a message is made of.",
        "A message with 200 messages within each other, the innermost broken off, is sent to the audit's account. If it arrives, its \
         structure is asked for by IMAP (BODYSTRUCTURE): an answer must come, and the session go on.",
        made_so!("Mailward has a limit for nesting"),
        "CVE-2026-26312",
        |scene| nested(scene),
    )
    .needing(Needs::Server),
];

/// How much longer than a harmless message.
const SLACK: Duration = Duration::from_secs(1);

async fn quick(scene: &Scene, id: &str, specimen: fn() -> Specimen) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let says = trial.plainly();
    let began = Instant::now();
    let twin = trial.follow(id, &specimens::plain(), &says).await;
    let usual = began.elapsed();
    if !matches!(twin.fate, Fate::Arrived(_)) {
        let why = format!("a harmless message doesn't arrive, so nothing can be told: {}", twin.fate.words());
        return Finding::not_tested(why).showing(twin.name, twin.transcript);
    }
    let specimen = specimen();
    let began = Instant::now();
    let sent = trial.follow(id, &specimen, &says).await;
    let took = began.elapsed();
    let after = Specimen { name: "a harmless text afterwards", ..specimens::plain() };
    let after = trial.follow(id, &after, &says).await;
    let times = format!("{} ms, a harmless one {} ms", took.as_millis(), usual.as_millis());
    let finding = match (&sent.fate, &after.fate) {
        (_, fate) if !matches!(fate, Fate::Arrived(_)) => {
            Finding::fail(format!("a harmless message doesn't arrive any more: {}", fate.words()))
        }
        _ if took > usual.saturating_add(SLACK) => Finding::fail(format!("it took {times}: {}", sent.fate.words())),
        (Fate::PutOff(_) | Fate::Unknown(_), _) => {
            Finding::not_tested(format!("it wasn't looked at: {}", sent.fate.words()))
        }
        _ => Finding::pass(format!("it took {times}: {}", sent.fate.words())),
    };
    finding.showing(sent.name, sent.transcript)
}

async fn nested(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let says = trial.plainly();
    let twin = trial.follow("DOS-06", &specimens::plain(), &says).await;
    if !matches!(twin.fate, Fate::Arrived(_)) {
        let why = format!("a harmless message doesn't arrive, so nothing can be told: {}", twin.fate.words());
        return Finding::not_tested(why).showing(twin.name, twin.transcript);
    }
    let sent = trial.follow("DOS-06", &specimens::deep(), &says).await;
    let folder = match &sent.fate {
        Fate::Arrived(all) => all.first().map_or_else(|| "INBOX".to_owned(), |one| one.folder.clone()),
        Fate::Refused(_) | Fate::Kept(_) | Fate::NotLet(..) => {
            return Finding::pass(format!("it is held back: {}", sent.fate.words()))
                .showing(sent.name, sent.transcript);
        }
        other => return Finding::not_tested(other.words()).showing(sent.name, sent.transcript),
    };
    let doors = scene.doors(IMAP);
    let Some(door) = doors.first() else {
        return Finding::pass("it arrives, and nobody asks for structures without IMAP")
            .showing(sent.name, sent.transcript);
    };
    let shown = async {
        let Some(mut talk) = logged_in(scene, door).await? else {
            return Ok(Finding::not_tested(crate::doors::NO_CANARY));
        };
        let selected = talk.ask(&format!("SELECT {}", crate::doors::quoted(&folder))).await?;
        if selected.kind != Kind::Yes {
            return Ok(Finding::not_tested(format!("{door}: {folder} can't be opened")));
        }
        let structure = talk.ask("FETCH * (UID BODYSTRUCTURE)").await?;
        let alive = talk.ask("NOOP").await?;
        Ok(if alive.kind == Kind::Yes {
            Finding::pass(format!("it arrives, and its structure is told: {}", structure.text()))
        } else {
            Finding::fail(format!("{door}: the session breaks when its structure is asked for"))
        }
        .showing(door.to_string(), talk.transcript()))
    };
    match tokio::time::timeout(KNOCK_SESSION_TIME, shown).await {
        Ok(Ok(finding)) => finding,
        Ok(Err(KnockError::Closed)) => {
            Finding::fail(format!("{door}: the session ends when its structure is asked for"))
        }
        Ok(Err(KnockError::Late)) | Err(_) => {
            Finding::fail(format!("{door}: no answer comes when its structure is asked for"))
        }
        Ok(Err(error)) => Finding::not_tested(format!("{door}: {error}")),
    }
}
