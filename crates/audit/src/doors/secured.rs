//! Passwords in clear, and what is left of clear text once TLS runs.

use super::Seen;
use crate::knock::tls::{Hello, Version, suites};
use crate::knock::{Answer, Kind, KnockError, Offer, Talk};
use crate::scene::{Door, Protocol};
use mailward_core::limits::KNOCK_LINES_MAX;

/// AUTH before TLS, and at the door for servers.
pub(crate) async fn no_login_in_clear(door: &Door) -> Result<Seen, KnockError> {
    let mut bad = Vec::new();
    let mut seen = Vec::new();
    let for_servers = matches!(door.protocol, Protocol::Smtp | Protocol::Lmtp);
    if !door.protocol.begins_with_tls() {
        let mut talk = Talk::open(door).await?;
        offered(&mut talk, "in clear", &mut bad).await?;
        seen.push(("in clear", talk.transcript()));
    }
    if for_servers {
        match Talk::secured(door).await {
            Ok(mut talk) => {
                offered(&mut talk, "at a door for servers", &mut bad).await?;
                seen.push(("under TLS", talk.transcript()));
            }
            Err(KnockError::Refused("STARTTLS", _)) => {}
            Err(other) => return Err(other),
        }
    }
    if seen.is_empty() {
        return Ok(Seen::good("TLS begins with the first byte"));
    }
    let found = Seen::unless(&bad, "no login is offered or begun");
    Ok(seen.into_iter().fold(found, |found, (how, transcript)| found.showing(format!("{door}, {how}"), transcript)))
}

async fn offered(talk: &mut Talk, how: &str, bad: &mut Vec<String>) -> Result<(), KnockError> {
    let features = talk.features().await?;
    // Without a way behind it, nothing is offered; some wrote `AUTH=` before there was a standard.
    let has_ways = |feature: &&String| {
        feature.strip_prefix("AUTH").is_some_and(|ways| ways.starts_with([' ', '=']) && ways.len() > 1)
    };
    if let Some(auth) = features.iter().find(has_ways) {
        bad.push(format!("{auth} is offered {how}"));
    }
    // Without a password: only whether one is asked for.
    match talk.ask("AUTH PLAIN").await {
        Ok(answer) if answer.kind == Kind::More => bad.push(format!("a password is asked for {how}")),
        Ok(_) | Err(KnockError::Closed) => {}
        Err(other) => return Err(other),
    }
    Ok(())
}

/// What is said to find out whether something behind STARTTLS is answered.
struct Behind {
    /// STARTTLS, and a command behind it, in one segment.
    both: &'static [u8],
    goodbye: &'static [u8],
    /// Whether one of the lines that come under TLS answers that command.
    answers: fn(&[Vec<u8>]) -> bool,
}

/// A word of ours that an answer to NOOP repeats (RFC 5804 §2.13).
const WORD: &str = "mailward-behind";

impl Behind {
    fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Imap => Self {
                both: b"i1 STARTTLS\r\ni2 NOOP\r\n",
                goodbye: b"i3 LOGOUT\r\n",
                answers: |lines| lines.iter().any(|line| line.starts_with(b"i2 ")),
            },
            Protocol::Pop3 => Self {
                both: b"STLS\r\nCAPA\r\n",
                goodbye: b"QUIT\r\n",
                // One reply, to QUIT.
                answers: |lines| lines.len() > 1,
            },
            Protocol::ManageSieve => Self {
                both: b"STARTTLS\r\nNOOP \"mailward-behind\"\r\n",
                goodbye: b"LOGOUT\r\n",
                // What it can, without being asked, ends with OK; so does the answer to LOGOUT. Who doesn't know NOOP says NO.
                answers: |lines| {
                    let first =
                        |line: &[u8]| line.split(|byte| b" (".contains(byte)).next().map(<[u8]>::to_ascii_uppercase);
                    let of = |word: &[u8]| {
                        lines.iter().filter(|line| first(line).is_some_and(|first| first == word)).count()
                    };
                    let repeats = lines.iter().any(|line| String::from_utf8_lossy(line).contains(WORD));
                    repeats || of(b"NO") > 0 || of(b"OK") > 2
                },
            },
            _ => Self {
                both: b"STARTTLS\r\nNOOP\r\n",
                goodbye: b"QUIT\r\n",
                // One reply, to QUIT; a reply may have several lines.
                answers: |lines| lines.iter().filter(|line| line.get(3) != Some(&b'-')).count() > 1,
            },
        }
    }
}

/// A command behind STARTTLS in the same segment.
pub(crate) async fn forgets_what_was_clear(door: &Door) -> Result<Seen, KnockError> {
    let mut talk = Talk::open(door).await?;
    let features = talk.features().await?;
    if !features.iter().any(|feature| feature == "STARTTLS" || feature == "STLS") {
        return Ok(Seen::nothing("TLS isn't offered, so nothing can be put before it").heard(door, &talk));
    }
    let behind = Behind::of(door.protocol);
    // First: is it answered in clear, after it was said that TLS begins?
    let Some(line) = agreed(&mut talk, door, &behind).await? else {
        return Ok(Seen::good("it ends the session, or refuses TLS, when something follows").heard(door, &talk));
    };
    let suites = suites::of(Version::TLS12);
    let hello = Hello::new(Version::TLS12, &suites).bytes(&door.name, [9; 32]);
    // A server that is gone already is no fault here.
    let _gone = talk.wire().send_hidden(&hello, "(a first message of TLS)").await;
    match talk.wire().some().await {
        Ok(bytes) if !matches!(bytes.first(), Some(20..=24)) => {
            let said = format!("after {line:?} it goes on in clear and answers what followed");
            return Ok(Seen::bad(said).heard(door, &talk).showing(format!("{door}, in clear"), bytes));
        }
        Ok(_) => {}
        Err(KnockError::Closed) => {
            return Ok(Seen::good("it ends the session when something follows").heard(door, &talk));
        }
        Err(other) => return Err(other),
    }
    // Then: is it answered under TLS?
    let mut talk = Talk::open(door).await?;
    talk.hello().await?;
    if agreed(&mut talk, door, &behind).await?.is_none() {
        return Ok(Seen::good("it ends the session when something follows").heard(door, &talk));
    }
    let name = door.name.clone();
    match talk.wire().start_tls(&name, Offer::default()).await {
        Ok(_shown) => {}
        Err(error) => return Ok(Seen::unknown(error.to_string()).heard(door, &talk)),
    }
    let mut lines = Vec::new();
    if talk.wire().send(behind.goodbye).await.is_ok() {
        while lines.len() < KNOCK_LINES_MAX
            && let Ok(line) = talk.wire().line().await
        {
            lines.push(line);
        }
    }
    Ok(if (behind.answers)(&lines) {
        Seen::bad("what was put behind STARTTLS in clear is answered under TLS")
    } else {
        Seen::good("what is put behind STARTTLS in clear is forgotten")
    }
    .heard(door, &talk))
}

/// Says both, and the line that says that TLS begins; `None` if it doesn't.
async fn agreed(talk: &mut Talk, door: &Door, behind: &Behind) -> Result<Option<String>, KnockError> {
    talk.wire().send(behind.both).await?;
    let answer = match door.protocol {
        Protocol::Imap => tagged(talk).await,
        _ => talk.answer().await,
    };
    match answer {
        Ok(answer) => Ok((answer.kind == Kind::Yes).then(|| answer.text())),
        Err(KnockError::Closed) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The first line, as the tag is one of its own.
async fn tagged(talk: &mut Talk) -> Result<Answer, KnockError> {
    Ok(Answer::imap(vec![talk.wire().line().await?]))
}
