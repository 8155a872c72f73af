//! What becomes of who guesses passwords, and of who doesn't.

use crate::canary::TriedBan;
use crate::control::{Control, Needs};
use crate::doors::{READING, made_so};
use crate::finding::Finding;
use crate::inject::{By, Trial, auth, injected, reading};
use crate::knock::{Kind, KnockError, Talk};
use crate::scene::{Door, Protocol, Scene};
use futures_util::future::try_join_all;
use mailward_core::limits::KNOCK_SESSION_TIME;
use std::time::Duration;
use tokio::time::Instant;

pub(in crate::controls) const INJECTION: &[Control] = &[
    injected!(
        Reading,
        "POP-07",
        10,
        None,
        None,
        "Is somebody slowed down who guesses passwords, at every door alike?",
        "A machine tries thousands of passwords a second where nobody slows it down; and it goes to the other door if only one does.",
        "Logins of a made-up name fail where users read mail, at most eight times, until one takes at least 0.9 seconds longer than the \
         first. Then one fails at a door of another protocol, which must take as long. Nobody is banned by that: from loopback hosts \
         never are, so whether bans come by themselves isn't seen.",
        made_so!("Mailward slows down by itself"),
        "docker-mailserver #1821, #1761",
        |scene| slows_down(scene),
    )
    .needing(Needs::Nothing),
    injected!(
        Reading,
        "POP-08",
        10,
        None,
        None,
        "Does a ban really shut out?",
        "A ban that is written where nothing is looked at is worse than none: everybody believes in it.",
        "An address that nobody uses (of loopback, never the one that everything uses) is banned for some seconds, every door is tried \
         from there before and meanwhile, and the ban is lifted.",
        "`mailward ban test` shows it door by door.",
        "docker-mailserver #3238, #3897; Mailu #1727, #1263",
        |scene| bans_act(scene),
    )
    .needing(Needs::Server),
    injected!(
        Reading,
        "POP-09",
        5,
        None,
        None,
        "Can a user still log in while somebody guesses at their password?",
        "Otherwise anybody can lock anybody out, for as long as they like.",
        "The audit's account logs in, four logins with wrong passwords fail, and it logs in again: that must be taken. Both come from \
         this host.",
        "Mailward lets known devices in; if this fails, look at `mailward trace ADDRESS`.",
        "docker-mailserver #1135",
        |scene| still_logs_in(scene),
    )
    .needing(Needs::Account),
    injected!(
        Reading,
        "POP-15",
        10,
        None,
        None,
        "Does a login that was right never make another one right?",
        "Servers remember logins, as looking at a password is slow. One that remembers too loosely lets one user in as another.",
        "Right after the audit's account has logged in, the same name with another password, another name with the same password, and the \
         name with something before and behind it are tried, at each door for readers: all must be refused. One-time codes aren't tried.",
        made_so!("Mailward keeps them apart"),
        "CVE-2025-30189; CVE-2026-27855",
        |scene| never_mixed(scene),
    )
    .needing(Needs::Account),
];

/// A login that takes so much longer than the first is one that was made to wait: it is less than the shortest wait that is of any use.
const SLOWED: Duration = Duration::from_millis(900);

/// Tries until then.
const TRIES: usize = 8;

/// A login at a door; whether it was taken, and how long the answer took.
async fn tried(door: &Door, user: &str, password: &[u8]) -> Result<(bool, Duration), KnockError> {
    let mut talk = Talk::secured(door).await?;
    if matches!(door.protocol, Protocol::Submission | Protocol::Submissions) {
        talk.hello().await?;
    }
    let began = Instant::now();
    match auth(&mut talk, user, password).await {
        Ok(Kind::Yes) => Ok((true, began.elapsed())),
        Ok(Kind::No | Kind::Later) | Err(KnockError::Closed) => Ok((false, began.elapsed())),
        Ok(_) => Err(KnockError::Odd("neither yes nor no to a login")),
        Err(error) => Err(error),
    }
}

async fn slows_down(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::User, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let Some(door) = reading(scene) else { return crate::doors::no_such_door() };
    let user = trial.marker("POP-07", "nobody");
    let looked = tokio::time::timeout(KNOCK_SESSION_TIME, slowed(door, trial.door, &user)).await;
    match looked {
        Err(_late) => Finding::not_tested(KnockError::Late.to_string()),
        Ok(Err(error)) => Finding::not_tested(error.to_string()),
        Ok(Ok(finding)) => finding,
    }
}

async fn slowed(door: &Door, other: &Door, user: &str) -> Result<Finding, KnockError> {
    let mut times = Vec::new();
    let mut told = String::new();
    for number in 0..TRIES {
        let (taken, took) = tried(door, user, format!("made-up-{number}").as_bytes()).await?;
        if taken {
            return Ok(Finding::fail(format!("{door}: a made-up name is let in")));
        }
        told.push_str(&format!("{door}: {} ms\n", took.as_millis()));
        times.push(took);
        let first = times.first().copied().unwrap_or_default();
        if took.saturating_sub(first) >= SLOWED {
            let (_, there) = tried(other, user, b"made-up-elsewhere").await?;
            told.push_str(&format!("{other}: {} ms\n", there.as_millis()));
            let finding = if there.saturating_sub(first) >= SLOWED {
                Finding::pass(format!("slowed down after {} failures, at {other} as well", times.len()))
            } else {
                Finding::fail(format!("slowed down at {door}, but not at {other}"))
            };
            return Ok(finding.showing("how long refusals took", told));
        }
    }
    Ok(Finding::fail(format!("{door}: {TRIES} failures of one name are answered as fast as the first"))
        .showing("how long refusals took", told))
}

async fn bans_act(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    match trial.canary.bans().await {
        Err(missed) => missed.into(),
        Ok(all) => judged(&all),
    }
}

fn judged(all: &[TriedBan]) -> Finding {
    let list: String = all
        .iter()
        .map(|one| format!("{}: {} before, {} while it was banned\n", one.door, one.before, one.banned))
        .collect();
    // A door that did nothing before the ban tells nothing by doing nothing.
    let through: Vec<&str> = all.iter().filter(|one| one.acts == Some(false)).map(|one| one.door.as_str()).collect();
    let acts = all.iter().filter(|one| one.acts == Some(true) && one.before != "shut").count();
    let untried = all.len().saturating_sub(acts).saturating_sub(through.len());
    let finding = if !through.is_empty() {
        Finding::fail(format!("who is banned is let in at {}", through.join(", ")))
    } else if acts == 0 {
        Finding::not_tested("no door could be tried from an address that is banned")
    } else if untried > 0 {
        Finding::pass(format!("bans act at {acts} doors; {untried} couldn't be tried"))
    } else {
        Finding::pass(format!("bans act at all {acts} doors"))
    };
    finding.showing("every door", list)
}

async fn still_logs_in(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let Some(door) = reading(scene) else { return crate::doors::no_such_door() };
    let (user, password) = (&trial.account.address, trial.account.password.expose());
    let steps = async {
        if !tried(door, user, password).await?.0 {
            return Ok(Finding::not_tested(format!("{door}: the audit's account can't log in")));
        }
        for number in 0..4 {
            if tried(door, user, format!("guess-{number}").as_bytes()).await?.0 {
                return Ok(Finding::fail(format!("{door}: a wrong password is taken")));
            }
        }
        let (again, took) = tried(door, user, password).await?;
        let told = format!("after four failures, in {} ms", took.as_millis());
        Ok(if again {
            Finding::pass(format!("{door}: the right password is taken {told}"))
        } else {
            Finding::fail(format!("{door}: the right password is refused {told}"))
        }
        .showing(door.to_string(), told))
    };
    match tokio::time::timeout(KNOCK_SESSION_TIME, steps).await {
        Err(_late) => Finding::not_tested(KnockError::Late.to_string()),
        Ok(Err::<Finding, KnockError>(error)) => Finding::not_tested(error.to_string()),
        Ok(Ok(finding)) => finding,
    }
}

async fn never_mixed(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let doors = scene.doors(READING);
    if doors.is_empty() {
        return crate::doors::no_such_door();
    }
    let (user, password) = (trial.account.address.as_str(), trial.account.password.expose());
    let (mut told, mut bad) = (String::new(), Vec::new());
    let steps = async {
        let mut tried_at = 0_usize;
        for door in doors {
            match mixed(door, user, password).await {
                // A door without TLS takes nobody.
                Err(KnockError::Refused("STARTTLS", _)) => {}
                Err(error) => return Err(format!("{door}: {error}")),
                Ok(None) => return Err(format!("{door}: the audit's account can't log in")),
                Ok(Some(taken)) => {
                    tried_at = tried_at.saturating_add(1);
                    told.push_str(&format!("{door}: {} logins that aren't right were taken\n", taken.len()));
                    bad.extend(taken.into_iter().map(|what| format!("{door}: {what} is taken")));
                }
            }
        }
        Ok(tried_at)
    };
    let finding = match tokio::time::timeout(KNOCK_SESSION_TIME, steps).await {
        Err(_late) => return Finding::not_tested(KnockError::Late.to_string()),
        Ok(Err(why)) => return Finding::not_tested(why),
        Ok(Ok(0)) => return Finding::not_tested("no door for readers has TLS, so nobody logs in"),
        Ok(Ok(count)) if bad.is_empty() => Finding::pass(format!("logins are kept apart at {count} doors")),
        Ok(Ok(_)) => Finding::fail(bad.join("; ")),
    };
    finding.showing("every door", told)
}

/// Logins that are almost right and were taken; `None` if not even the right one is.
async fn mixed(door: &Door, user: &str, password: &[u8]) -> Result<Option<Vec<&'static str>>, KnockError> {
    if !tried(door, user, password).await?.0 {
        return Ok(None);
    }
    let (local, domain) = user.split_once('@').unwrap_or((user, ""));
    let mut longer = password.to_vec();
    longer.push(b'x');
    let shorter = password.split_last().map_or(&[][..], |(_, rest)| rest);
    let wrong: [(&str, String, &[u8]); 4] = [
        ("a longer password", user.to_owned(), &longer),
        ("a shorter password", user.to_owned(), shorter),
        ("another name with the same password", format!("{local}-other@{domain}"), password),
        ("the name in a domain that isn't here", format!("{local}@other.invalid"), password),
    ];
    // All of them at once, as the login that was right is remembered for a while only, and each refusal has its pause.
    let tries = wrong.iter().map(|(what, user, password)| async move {
        Ok::<_, KnockError>(tried(door, user, password).await?.0.then_some(*what))
    });
    let taken = try_join_all(tries).await?;
    Ok(Some(taken.into_iter().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Verdict;

    #[test]
    fn a_door_that_nobody_could_try_proves_nothing() {
        let of = |door: &str, before: &str, acts| TriedBan {
            door: door.to_owned(),
            before: before.to_owned(),
            banned: "-".to_owned(),
            acts,
        };
        assert_eq!(judged(&[of("smtp", "answered", Some(true))]).verdict, Verdict::Pass);
        assert_eq!(
            judged(&[of("smtp", "answered", Some(true)), of("imap", "open", Some(false))]).verdict,
            Verdict::Fail
        );
        assert_eq!(judged(&[of("smtp", "shut", Some(true))]).verdict, Verdict::NotTested);
        assert_eq!(judged(&[of("smtp", "-", None)]).verdict, Verdict::NotTested);
        assert_eq!(judged(&[]).verdict, Verdict::NotTested);
    }
}
