//! Whether the log tells what happened, and nothing that it must not.

use crate::control::{Control, Needs};
use crate::finding::Finding;
use crate::host::Missed;
use crate::inject::{By, Fate, Says, Trial, auth, injected, reading, reference, specimens};
use crate::knock::{Kind, KnockError, Talk};
use crate::scene::{Account, Scene};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::{AUDIT_LOG_LOOK, AUDIT_LOG_TIME};
use mailward_core::{Clock as _, SystemClock, Timestamp};
use tokio::time::Instant;

pub(in crate::controls) const INJECTION: &[Control] = &[
    injected!(
        Logs,
        "LOG-07",
        10,
        None,
        None,
        "Does the log tell of a failed login at once, with all that matters?",
        "An attack on passwords is seen in the log or not at all; without the address nobody can be shut out.",
        "A login with a made-up name fails where users read mail. Within 5 seconds the log must have a line with that name, and in it \
         the time, the address, the protocol, the mechanism, and the version of TLS; it counts by how many of the six are there.",
        "Have the log written to a file that the audit can read: `log.file = \"mailward.log\"`, and a restart.",
        "ISO/IEC 27001 Annex A (logging); Mailu #116",
        |scene| failed_login(scene),
    )
    .needing(Needs::Nothing),
    injected!(
        Logs,
        "LOG-08",
        10,
        None,
        None,
        "Can be told what became of every message?",
        "\"I sent it, they say that they never got it.\" Without a trail from the first byte to the mailbox nobody knows who is right.",
        "A message is sent to the audit's account: the log must have a line with the name that the reply gave. A recipient that nobody is is \
         refused: the trace must know the reference that the reply gave. A zip that needs a password is sent: if it is held back, what \
         was found in it must be told.",
        "Leave `log.level` at \"info\" (`mailward reload` takes it); `mailward trace` tells of refusals by itself.",
        "mailcow #5361, #5670",
        |scene| trail(scene),
    )
    .needing(Needs::Mail),
    injected!(
        Logs,
        "LOG-09",
        10,
        None,
        None,
        "Is no password in the log?",
        "Logs are copied, mailed and read by many. A password in them is known to all of these.",
        "The audit's account logs in, and another login fails with a made-up password. Neither password may be anywhere in the log \
         since the audit began, as it is or in base64; the name of the login that failed must be there, as a sign that it is the log.",
        "Mailward never writes one; if this fails, another program writes into that log.",
        "chasquid, which writes AUTH <redacted>; CWE-532",
        |scene| no_secrets(scene),
    )
    .needing(Needs::Account),
    injected!(
        Logs,
        "LOG-10",
        10,
        None,
        None,
        "Can a stranger write nothing of their own into the log?",
        "Who can begin a line in the log invents logins that never were, or hides one; escape sequences attack whoever reads it on a \
         terminal.",
        "ESC, NUL, line ends and signs that turn writing round are put into HELO, MAIL, a header field and the name of a login. Every \
         line of the log must begin with a time, hold no such sign as it is, and none may be the one that was forged.",
        "Mailward escapes them; if this fails, another program writes into that log.",
        "CWE-117",
        |scene| one_record(scene),
    )
    .needing(Needs::Mail),
];

/// Lines of the log since then that fit, as soon as one does; or none when the time is over.
async fn lines_with(trial: &Trial<'_>, since: Timestamp, part: &str) -> Result<Vec<String>, Missed> {
    let began = Instant::now();
    loop {
        let log = trial.canary.log(since).await?;
        let text = String::from_utf8_lossy(&log);
        let found: Vec<String> = text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect();
        if !found.is_empty() || began.elapsed() >= AUDIT_LOG_TIME {
            return Ok(found);
        }
        tokio::time::sleep(AUDIT_LOG_LOOK).await;
    }
}

/// A login that fails; by which address of ours.
async fn fails(scene: &Scene, user: &str, password: &[u8]) -> Result<(String, &'static str), Finding> {
    let Some(door) = reading(scene) else {
        return Err(Finding::not_applicable("the server has no door where users read mail"));
    };
    let tried = async {
        let mut talk = Talk::secured(door).await?;
        let ours = talk.wire().literal().trim_matches(['[', ']']).trim_start_matches("IPv6:").to_owned();
        // Whether it hangs up or says no: it mustn't be yes.
        match auth(&mut talk, user, password).await {
            Ok(Kind::Yes) => Err(KnockError::Odd("a login with a made-up name was taken")),
            Ok(_) | Err(KnockError::Closed) => Ok(ours),
            Err(error) => Err(error),
        }
    };
    match tried.await {
        Ok(ours) => Ok((ours, door.protocol.word())),
        Err(error) => Err(Finding::not_tested(format!("{door}: {error}"))),
    }
}

async fn failed_login(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let since = SystemClock.now();
    let name = trial.marker("LOG-07", "nobody");
    let (ours, protocol) = match fails(scene, &name, b"made-up").await {
        Ok(told) => told,
        Err(finding) => return finding,
    };
    let lines = match lines_with(&trial, since, &name).await {
        Ok(lines) => lines,
        Err(missed) => return missed.into(),
    };
    let Some(line) = lines.first() else {
        let within = AUDIT_LOG_TIME.as_secs();
        return Finding::fail(format!("a failed login of {name} isn't in the log within {within} seconds"));
    };
    let lower = line.to_ascii_lowercase();
    let has = [
        ("the time", has_time(line)),
        ("the user", true),
        ("the address", line.contains(&ours)),
        ("the protocol", lower.contains(protocol.trim_end_matches('s'))),
        ("the mechanism", lower.contains("plain")),
        ("the version of TLS", lower.contains("tls")),
    ];
    let missing: Vec<&str> = has.iter().filter(|(_, is)| !is).map(|(what, _)| *what).collect();
    let said = if missing.is_empty() {
        "the failed login is there, with all six".to_owned()
    } else {
        format!("the failed login is there, without {}", missing.join(", "))
    };
    let good = has.len().saturating_sub(missing.len());
    Finding::of(good, has.len(), said).showing("the line of the log", line.clone())
}

async fn trail(scene: &Scene) -> Finding {
    const ID: &str = "LOG-08";
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let since = SystemClock.now();
    let taken = trial.follow(ID, &specimens::plain(), &trial.plainly()).await;
    if !matches!(taken.fate, Fate::Arrived(_)) {
        let why = format!("a harmless message doesn't arrive, so there is nothing to trace: {}", taken.fate.words());
        return Finding::not_tested(why).showing(taken.name, taken.transcript);
    }
    let mut bad = Vec::new();
    let mut shown = String::new();
    match reference(&taken.said) {
        None => bad.push("the reply to a message names nothing to look for"),
        Some(name) => match lines_with(&trial, since, &name).await {
            Err(missed) => return missed.into(),
            Ok(lines) if lines.is_empty() => bad.push("a message that arrived isn't in the log"),
            Ok(lines) => shown.push_str(&lines.join("\n")),
        },
    }
    match refused_recipient(&trial).await {
        Err(error) => return Finding::not_tested(format!("{}: {error}", trial.door)),
        Ok(said) => match remembered(&trial, &said).await {
            Err(missed) => return missed.into(),
            Ok(None) => bad.push("a recipient that was refused can't be traced"),
            Ok(Some(told)) => shown.push_str(&format!("\n{told}")),
        },
    }
    let held = trial.follow(ID, &specimens::held_back(), &trial.plainly()).await;
    match &held.fate {
        Fate::Kept(why) if why.trim().is_empty() => bad.push("nothing tells why a message was kept"),
        Fate::Kept(why) => shown.push_str(&format!("\n{why}")),
        Fate::Refused(_) => match remembered(&trial, &held.said).await {
            Err(missed) => return missed.into(),
            Ok(None) => bad.push("a message that was refused can't be traced"),
            Ok(Some(told)) => shown.push_str(&format!("\n{told}")),
        },
        Fate::Arrived(_) => {}
        other => {
            return Finding::not_tested(format!(
                "nobody can tell what became of an archive with a password: {}",
                other.words()
            ));
        }
    }
    let finding = if bad.is_empty() {
        Finding::pass("what was taken, refused and held back can all be traced")
    } else {
        Finding::of(3_usize.saturating_sub(bad.len()), 3, bad.join("; "))
    };
    finding.showing("what is told", shown)
}

/// The reply to a recipient that nobody is.
async fn refused_recipient(trial: &Trial<'_>) -> Result<String, KnockError> {
    let mut talk = trial.session().await?;
    let sender = talk.ask("MAIL FROM:<>").await?;
    if sender.kind != Kind::Yes {
        return Err(KnockError::Refused("the sender that nobody is", sender.text()));
    }
    let us = trial.account.address.rsplit('@').next().unwrap_or_default();
    let answer = talk.ask(&format!("RCPT TO:<nobody-of-this-name-{}@{us}>", trial.scene.now.0)).await?;
    match answer.kind {
        Kind::No => Ok(answer.whole()),
        _ => Err(KnockError::Odd("a recipient that nobody is isn't refused")),
    }
}

/// What is remembered by the name that a reply gave.
async fn remembered(trial: &Trial<'_>, said: &str) -> Result<Option<String>, Missed> {
    let Some(name) = reference(said) else { return Ok(None) };
    let told = trial.canary.trace(&name).await?;
    Ok(Some(told).filter(|told| !told.trim().is_empty()))
}

async fn no_secrets(scene: &Scene) -> Finding {
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let since = SystemClock.now();
    let name = trial.marker("LOG-09", "nobody");
    let wrong = match made_up() {
        Ok(wrong) => wrong,
        Err(finding) => return finding,
    };
    if let Err(finding) = fails(scene, &name, wrong.as_bytes()).await {
        return finding;
    }
    if let Err(finding) = succeeds(scene, trial.account).await {
        return finding;
    }
    match lines_with(&trial, since, &name).await {
        Err(missed) => return missed.into(),
        Ok(lines) if lines.is_empty() => {
            return Finding::not_tested("the login that failed isn't in the log, so it may be another log");
        }
        Ok(_) => {}
    }
    let log = match trial.canary.log(scene.now).await {
        Ok(log) => log,
        Err(missed) => return missed.into(),
    };
    let right = trial.account.password.expose();
    let plain = |user: &str, password: &[u8]| {
        let mut all = format!("\0{user}\0").into_bytes();
        all.extend_from_slice(password);
        STANDARD.encode(all).into_bytes()
    };
    let secrets: [(&str, Vec<u8>); 6] = [
        ("the account's password", right.to_vec()),
        ("the account's password in base64", STANDARD.encode(right).into_bytes()),
        ("the account's login in base64", plain(&trial.account.address, right)),
        ("the wrong password", wrong.clone().into_bytes()),
        ("the wrong password in base64", STANDARD.encode(&wrong).into_bytes()),
        ("the wrong login in base64", plain(&name, wrong.as_bytes())),
    ];
    let found: Vec<&str> = secrets.iter().filter(|(_, secret)| holds(&log, secret)).map(|(what, _)| *what).collect();
    let said = format!("{} bytes of log were searched", log.len());
    if found.is_empty() {
        Finding::pass(format!("no password is in the log; {said}"))
    } else {
        Finding::fail(format!("in the log is {}; {said}", found.join(", ")))
    }
    .showing("what was searched", format!("{said} for {} things", secrets.len()))
}

/// Something that is nowhere else.
fn made_up() -> Result<String, Finding> {
    let mut bytes = [0_u8; 18];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Finding::not_tested("there is no randomness here"))?;
    Ok(STANDARD.encode(bytes).replace(['+', '/'], "x"))
}

async fn succeeds(scene: &Scene, account: &Account) -> Result<(), Finding> {
    let Some(door) = reading(scene) else {
        return Err(Finding::not_applicable("the server has no door where users read mail"));
    };
    let tried = async {
        let mut talk = Talk::secured(door).await?;
        auth(&mut talk, &account.address, account.password.expose()).await
    };
    match tried.await {
        Ok(Kind::Yes) => Ok(()),
        Ok(_) => Err(Finding::not_tested("the audit's account can't log in")),
        Err(error) => Err(Finding::not_tested(format!("{door}: {error}"))),
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// What a line that was forged would begin with.
const FORGED: &str = "2001-01-01T00:00:00.000Z info forged.line";

async fn one_record(scene: &Scene) -> Finding {
    const ID: &str = "LOG-10";
    let trial = match Trial::by(By::Stranger, scene) {
        Ok(trial) => trial,
        Err(finding) => return finding,
    };
    let since = SystemClock.now();
    let marker = trial.marker(ID, "line");
    let user = format!("{marker}\r\n{FORGED}\x1b[2J\u{202e}");
    if let Err(finding) = fails(scene, &user, b"made-up").await {
        return finding;
    }
    if let Err(error) = says_hostile(&trial, &marker).await {
        return Finding::not_tested(format!("{}: {error}", trial.door));
    }
    let plainly = trial.plainly();
    let fields = format!("{}X-Audit: {marker}\x1b[2J\u{202e}\r\n", plainly.fields);
    let _whatever = trial.follow(ID, &specimens::plain(), &Says { fields, ..plainly }).await;
    let lines = match lines_with(&trial, since, &marker).await {
        Ok(lines) => lines,
        Err(missed) => return missed.into(),
    };
    if lines.is_empty() {
        return Finding::not_tested("nothing of what was said is in the log, so it may be another log");
    }
    let log = match trial.canary.log(since).await {
        Ok(log) => log,
        Err(missed) => return missed.into(),
    };
    let wrong = wrong_lines(&log);
    let finding = match wrong.first() {
        None => Finding::pass(format!("{} lines tell of it, each whole and escaped", lines.len())),
        Some(first) => Finding::fail(format!("{} lines of the log aren't what they should be: {first}", wrong.len())),
    };
    let shown: String = lines.iter().map(|line| format!("{}\n", line.escape_debug())).collect();
    finding.showing("lines of the log", shown)
}

/// What can be wrong with lines of a log that somebody wrote into.
fn wrong_lines(log: &[u8]) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let text = String::from_utf8_lossy(line);
        let shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
        if text.starts_with(FORGED) {
            wrong.push(format!("a forged line: {shown}"));
        } else if text.chars().any(is_harmful) {
            wrong.push(format!("a sign that isn't escaped: {shown}"));
        } else if !has_time(&text) {
            wrong.push(format!("a line without a time: {shown}"));
        }
    }
    wrong
}

/// Control characters, and those that turn the direction of writing (Unicode Standard Annex #9).
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Whether a line begins with a time (RFC 3339).
fn has_time(line: &str) -> bool {
    let digits = |from: usize, to: usize| {
        line.get(from..to).is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    digits(0, 4) && line.get(4..5) == Some("-") && digits(5, 7) && line.get(10..11) == Some("T") && digits(11, 13)
}

/// Hostile words where a stranger has the word; whatever is answered.
async fn says_hostile(trial: &Trial<'_>, marker: &str) -> Result<(), KnockError> {
    let mut talk = trial.session().await?;
    for said in [
        format!("EHLO {marker}\x1b[2J\u{202e}.invalid\r\n"),
        format!("HELO {marker}\0\x07\r\n"),
        format!("MAIL FROM:<{marker}\x1b[2J\u{202e}@mailward-audit.invalid>\r\n"),
        format!("{marker}\r{FORGED}\r\n"),
    ] {
        match talk.ask_raw(said.as_bytes()).await {
            Ok(_) => {}
            // Some end the session there: then that was all.
            Err(KnockError::Closed | KnockError::Odd(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_into_a_log_is_found() {
        let good = "2026-01-02T03:04:05.678Z warn login.failed user=\"a\\r\\n2001\\u{1b}\"\n";
        assert!(wrong_lines(good.as_bytes()).is_empty());
        for (line, why) in [
            (format!("{FORGED}\n"), "forged"),
            ("2026-01-02T03:04:05.678Z info \x1b[2J\n".to_owned(), "escaped"),
            ("2026-01-02T03:04:05.678Z info \u{202e}x\n".to_owned(), "escaped"),
            ("2026-01-02T03:04:05.678Z info \0\n".to_owned(), "escaped"),
            ("and then this\n".to_owned(), "without a time"),
        ] {
            let wrong = wrong_lines(format!("{good}{line}").as_bytes());
            assert!(wrong.len() == 1 && wrong[0].contains(why), "{wrong:?}");
            assert!(!wrong[0].contains('\x1b'));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_log_breaks_the_reading(log in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            assert!(wrong_lines(&log).iter().all(|line| !line.chars().any(char::is_control)));
        }
    }
}
