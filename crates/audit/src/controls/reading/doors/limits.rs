//! How much a reader may ask for at once.

use super::no_canary;
use crate::doors::{Seen, logged_in, quoted};
use crate::knock::{Kind, KnockError, Talk};
use crate::scene::{Door, Protocol, Scene};
use flate2::{Compress, Compression, FlushCompress};

/// A line without an end, longer than anybody's before a login.
const ENDLESS: usize = 64 * 1024 + 1;

/// What comes of something that must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    Taken,
    Silent,
}

async fn outcome(talk: &mut Talk, bytes: &[u8]) -> Result<Outcome, KnockError> {
    match talk.wire().send_hidden(bytes, &format!("({} bytes)", bytes.len())).await {
        Ok(()) => {}
        Err(KnockError::Closed) => return Ok(Outcome::Refused),
        Err(other) => return Err(other),
    }
    match talk.answer().await {
        Ok(answer) if matches!(answer.kind, Kind::Yes | Kind::More) => Ok(Outcome::Taken),
        Ok(_) | Err(KnockError::Closed) => Ok(Outcome::Refused),
        Err(KnockError::Late) => Ok(Outcome::Silent),
        Err(other) => Err(other),
    }
}

pub(super) async fn before_login(door: &Door) -> Result<Seen, KnockError> {
    let mut bad = Vec::new();
    let mut talk = Talk::secured(door).await?;
    let mut other = Talk::secured(door).await?;
    let start = match door.protocol {
        Protocol::Imap | Protocol::Imaps => {
            match talk.ask("LOGIN {1025}").await {
                Ok(answer) if answer.kind == Kind::More => bad.push("a literal of 1,025 bytes is taken".to_owned()),
                Ok(_) | Err(KnockError::Closed) => {}
                Err(other) => return Err(other),
            }
            format!("{}NOOP ", other.tag())
        }
        _ => "USER ".to_owned(),
    };
    let mut line = start.into_bytes();
    line.resize(ENDLESS, b'x');
    if outcome(&mut other, &line).await? == Outcome::Silent {
        bad.push("a line of 64 KiB without an end is held".to_owned());
    }
    Ok(Seen::unless(&bad, "literals and lines are limited before a login").heard(door, &talk).heard(door, &other))
}

pub(super) async fn literals(scene: &Scene, door: &Door) -> Result<Seen, KnockError> {
    let mut bad = Vec::new();
    let mut transcripts = Vec::new();
    for (count, size, words) in [(1_100, 1, "1,100 literals"), (300, 4_096, "300 literals of 4,096 bytes")] {
        let Some(mut talk) = logged_in(scene, door).await? else { return Ok(no_canary()) };
        talk.ask("EXAMINE INBOX").await?;
        let mut command = format!("{}SEARCH", talk.tag()).into_bytes();
        for _ in 0..count {
            command.extend_from_slice(format!(" SUBJECT {{{size}+}}\r\n").as_bytes());
            command.resize(command.len().saturating_add(size), b'x');
        }
        command.extend_from_slice(b"\r\n");
        let taken = outcome(&mut talk, &command).await?;
        transcripts.push(talk.transcript());
        match taken {
            Outcome::Refused => {}
            Outcome::Taken => bad.push(format!("{words} are taken")),
            Outcome::Silent => bad.push(format!("{words} are held")),
        }
    }
    let found = Seen::unless(&bad, "literals are limited in number and sum");
    Ok(transcripts.into_iter().fold(found, |found, transcript| found.showing(door.to_string(), transcript)))
}

pub(super) async fn brackets(door: &Door) -> Result<Seen, KnockError> {
    let mut talk = Talk::secured(door).await?;
    let mut line = format!("{}LIST ", talk.tag()).into_bytes();
    line.resize(5_000, b'(');
    let _ended = talk.wire().send_hidden(&line, "LIST ((((… (5,000 bytes)\n").await;
    let mut other = Talk::secured(door).await?;
    other.features().await?;
    let outcome = outcome(&mut talk, b"\r\n").await?;
    Ok(match outcome {
        Outcome::Refused => Seen::good("refused, and others are served meanwhile"),
        Outcome::Taken => Seen::bad("5,000 brackets are taken"),
        Outcome::Silent => Seen::bad("5,000 brackets are never answered"),
    }
    .heard(door, &talk)
    .heard(door, &other))
}

pub(super) async fn unpacks_little(scene: &Scene, door: &Door) -> Result<Seen, KnockError> {
    let Some(mut talk) = logged_in(scene, door).await? else { return Ok(no_canary()) };
    let features = talk.features().await?;
    if !features.iter().any(|feature| feature == "COMPRESS=DEFLATE") {
        return Ok(Seen::good("COMPRESS isn't offered").heard(door, &talk));
    }
    let begun = talk.ask("COMPRESS DEFLATE").await?;
    if begun.kind != Kind::Yes {
        return Ok(Seen::unknown(format!("COMPRESS doesn't begin: {}", begun.text())).heard(door, &talk));
    }
    let bomb = packed(8 * 1024 * 1024).ok_or(KnockError::Odd("packing doesn't work here"))?;
    let note = format!("(8 MiB in {} bytes)", bomb.len());
    let outcome = match talk.wire().send_hidden(&bomb, &note).await {
        Ok(()) => match talk.wire().some().await {
            Ok(_) | Err(KnockError::Closed) => Outcome::Refused,
            Err(KnockError::Late) => Outcome::Silent,
            Err(other) => return Err(other),
        },
        Err(KnockError::Closed) => Outcome::Refused,
        Err(other) => return Err(other),
    };
    Ok(match outcome {
        Outcome::Refused => Seen::good("a line of 8 MiB is refused before it ends"),
        _ => Seen::bad("a line of 8 MiB is held, out of a few kilobytes"),
    }
    .heard(door, &talk))
}

/// A line without an end, packed.
fn packed(length: usize) -> Option<Vec<u8>> {
    let mut line = b"c1 NOOP ".to_vec();
    line.resize(length, b'x');
    let mut packer = Compress::new(Compression::best(), false);
    let mut packed = Vec::with_capacity(64 * 1024);
    packer.compress_vec(&line, &mut packed, FlushCompress::Sync).ok()?;
    (usize::try_from(packer.total_in()).ok()? == line.len()).then_some(packed)
}

/// Names that lead out, hide a slash, hold NUL, or go deep.
fn names() -> Vec<(&'static str, Vec<u8>)> {
    let deep = vec!["a"; 1_000].join("/");
    vec![
        ("../", quoted("../../../../tmp/audit").into_bytes()),
        ("a path of the host", quoted("/etc/mailward-audit").into_bytes()),
        ("a hidden slash", quoted("&AC8-etc&AC8-mailward-audit").into_bytes()),
        ("NUL", b"\"audit\0x\"".to_vec()),
        ("1,000 levels", quoted(&deep).into_bytes()),
    ]
}

pub(super) async fn names_lead_nowhere(scene: &Scene, door: &Door) -> Result<Seen, KnockError> {
    let mut bad = Vec::new();
    let mut transcripts = Vec::new();
    // One session, as each login costs; a server may end it at any of these.
    let mut session = None;
    for (what, name) in names() {
        for command in ["CREATE", "SELECT"] {
            let mut talk = match session.take() {
                Some(talk) => talk,
                None => match logged_in(scene, door).await? {
                    Some(talk) => talk,
                    None => return Ok(no_canary()),
                },
            };
            let start = format!("{}{command} ", talk.tag());
            let answer = match talk.ask_raw(&[start.as_bytes(), name.as_slice(), b"\r\n"].concat()).await {
                Ok(answer) => answer,
                Err(KnockError::Closed) => {
                    transcripts.push(talk.transcript());
                    continue;
                }
                Err(other) => return Err(other),
            };
            if answer.kind == Kind::Yes {
                bad.push(format!("{command} of a name with {what} is taken"));
                let _removed = talk.ask(&format!("DELETE {}", String::from_utf8_lossy(&name))).await;
            }
            session = Some(talk);
        }
    }
    transcripts.extend(session.map(|talk| talk.transcript()));
    let found = Seen::unless(&bad, "no such name is made or opened");
    Ok(transcripts.into_iter().fold(found, |found, transcript| found.showing(door.to_string(), transcript)))
}
