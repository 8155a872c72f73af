//! Whether the spam filter learns from what users do.

use crate::control::Control;
use crate::doors::{IMAP, quoted};
use crate::finding::Finding;
use crate::host::Missed;
use crate::inject::{By, Fate, Trial, injected, specimens};
use crate::knock::{Answer, Kind, KnockError, Talk};
use crate::scene::Scene;
use mailward_core::limits::{AUDIT_LOG_LOOK, AUDIT_LOG_TIME};
use tokio::time::{Instant, sleep};

pub(in crate::controls) const LEARNING: &[Control] = &[injected!(
    Filtering,
    "FLT-08",
    5,
    None,
    None,
    "Does the spam filter learn when a user moves mail into Junk, and out of it?",
    "A filter that doesn't hear its users makes the same mistake every day, and they stop telling.",
    "A message arrives for the audit's account, which moves it by IMAP into Junk, and back. Within five seconds each time the server must have learned one \
     message more for that account: as spam, then as none.",
    "Mailward does so by itself: `mailward spam status` shows what was learned by whom; the mailbox needs the special use \\\\Junk.",
    "Mailu #1943; docker-mailserver #3145, #3099",
    |scene| learns(scene),
)];

async fn learns(scene: &Scene) -> Finding {
    const ID: &str = "FLT-08";
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let Some(door) = scene.doors(IMAP).first().copied() else {
        return Finding::not_applicable("the server has no door where IMAP is spoken");
    };
    let before = match trial.canary.learned().await {
        Ok(before) => before,
        Err(missed) => return missed.into(),
    };
    let sent = trial.follow(ID, &specimens::plain(), &trial.plainly()).await;
    if !sent.fate.is_in_inbox() || !matches!(sent.fate, Fate::Arrived(_)) {
        let why = format!("a harmless message doesn't arrive in INBOX: {}", sent.fate.words());
        return Finding::not_tested(why).showing(sent.name, sent.transcript);
    }
    let marker = trial.marker(ID, specimens::plain().name);
    let moved = async {
        let mut talk = match crate::doors::logged_in(scene, door).await? {
            Some(talk) => talk,
            None => return Err(KnockError::Odd("the audit has no account")),
        };
        move_to(&mut talk, "INBOX", "Junk", &marker).await?;
        let spam = learned(&trial, (before.0.saturating_add(1), before.1)).await;
        move_to(&mut talk, "Junk", "INBOX", &marker).await?;
        Ok((spam, talk.transcript()))
    };
    let (spam, transcript) = match moved.await {
        Ok(moved) => moved,
        Err(error) => return Finding::not_tested(format!("{door}: {error}")),
    };
    let ham = learned(&trial, (before.0, before.1.saturating_add(1))).await;
    let finding = match (spam, ham) {
        (Err(missed), _) | (_, Err(missed)) => missed.into(),
        (Ok(spam), Ok(ham)) => {
            let good = [spam, ham].iter().filter(|learned| **learned).count();
            let word = |learned| if learned { "is learned" } else { "isn't learned" };
            Finding::of(
                good,
                2,
                format!("what is moved into Junk {}, what is taken out of it {}", word(spam), word(ham)),
            )
        }
    };
    finding.showing(door.to_string(), transcript)
}

/// Whether so much is learned by then: messages as spam, and as none.
async fn learned(trial: &Trial<'_>, wanted: (u64, u64)) -> Result<bool, Missed> {
    let began = Instant::now();
    loop {
        if trial.canary.learned().await? == wanted {
            return Ok(true);
        }
        if began.elapsed() >= AUDIT_LOG_TIME {
            return Ok(false);
        }
        sleep(AUDIT_LOG_LOOK).await;
    }
}

/// Moves the message whose subject this is (RFC 6851).
async fn move_to(talk: &mut Talk, from: &str, to: &str, marker: &str) -> Result<(), KnockError> {
    asked(talk, &format!("SELECT {from}")).await?;
    let found = asked(talk, &format!("UID SEARCH SUBJECT {}", quoted(marker))).await?;
    let uid = searched(&found).ok_or(KnockError::Odd("the message isn't found where it arrived"))?;
    asked(talk, &format!("UID MOVE {uid} {to}")).await?;
    Ok(())
}

async fn asked(talk: &mut Talk, command: &str) -> Result<Answer, KnockError> {
    let answer = talk.ask(command).await?;
    match answer.kind {
        Kind::Yes => Ok(answer),
        _ => Err(KnockError::Refused("a command of IMAP", answer.text())),
    }
}

/// The first number that a search found (RFC 3501 §7.2.5, RFC 9051 §7.3.4).
fn searched(answer: &Answer) -> Option<u32> {
    let lines = answer.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned());
    let mut found = lines.filter(|line| line.starts_with("* SEARCH ") || line.starts_with("* ESEARCH "));
    let line = found.next()?;
    let numbers = line.split([' ', ',', ':']).filter_map(|word| word.parse::<u32>().ok());
    // ESEARCH names the tag first, in brackets; it is no number.
    numbers.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_of_a_search_is_read() {
        let of = |line: &str| searched(&Answer::imap(vec![line.as_bytes().to_vec(), b"a1 OK done".to_vec()]));
        assert_eq!(of("* SEARCH 7 9"), Some(7));
        assert_eq!(of("* ESEARCH (TAG \"a1\") UID ALL 12:14,20"), Some(12));
        assert_eq!(of("* SEARCH"), None);
        assert_eq!(of("* 3 EXISTS"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_line_breaks_the_reading(line in "(\\* SEARCH )?[ -~é\\x1b]{0,60}") {
            let _found = searched(&Answer::imap(vec![line.into_bytes()]));
        }
    }
}
