//! Passwords in clear, and what is left of clear text once TLS runs.

use super::Seen;
use crate::knock::tls::{Hello, Version, suites};
use crate::knock::{Answer, Kind, KnockError, Offer, Talk};
use crate::scene::{Door, Protocol};

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

/// A command behind STARTTLS in the same segment.
pub(crate) async fn forgets_what_was_clear(door: &Door) -> Result<Seen, KnockError> {
    let mut talk = Talk::open(door).await?;
    let features = talk.features().await?;
    if !features.iter().any(|feature| feature == "STARTTLS" || feature == "STLS") {
        return Ok(Seen::nothing("TLS isn't offered, so nothing can be put before it").heard(door, &talk));
    }
    let is_imap = door.protocol == Protocol::Imap;
    let (both, goodbye): (&[u8], &[u8]) = match door.protocol {
        Protocol::Imap => (b"i1 STARTTLS\r\ni2 NOOP\r\n", b"i3 LOGOUT\r\n"),
        Protocol::Pop3 => (b"STLS\r\nCAPA\r\n", b"QUIT\r\n"),
        _ => (b"STARTTLS\r\nNOOP\r\n", b"QUIT\r\n"),
    };
    // First: is it answered in clear, after it was said that TLS begins?
    talk.wire().send(both).await?;
    let Some(line) = agreed(&mut talk, is_imap).await? else {
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
    talk.wire().send(both).await?;
    if agreed(&mut talk, is_imap).await?.is_none() {
        return Ok(Seen::good("it ends the session when something follows").heard(door, &talk));
    }
    let name = door.name.clone();
    match talk.wire().start_tls(&name, Offer::default()).await {
        Ok(_shown) => {}
        Err(error) => return Ok(Seen::unknown(error.to_string()).heard(door, &talk)),
    }
    let mut lines = Vec::new();
    if talk.wire().send(goodbye).await.is_ok() {
        while let Ok(line) = talk.wire().line().await {
            lines.push(line);
        }
    }
    let answered = match door.protocol {
        Protocol::Imap => lines.iter().any(|line| line.starts_with(b"i2 ")),
        // One reply, to QUIT; a reply may have several lines.
        Protocol::Pop3 => lines.len() > 1,
        _ => lines.iter().filter(|line| line.get(3) != Some(&b'-')).count() > 1,
    };
    Ok(if answered {
        Seen::bad("what was put behind STARTTLS in clear is answered under TLS")
    } else {
        Seen::good("what is put behind STARTTLS in clear is forgotten")
    }
    .heard(door, &talk))
}

/// The line that says that TLS begins; `None` if it doesn't.
async fn agreed(talk: &mut Talk, is_imap: bool) -> Result<Option<String>, KnockError> {
    let mut line = match talk.wire().line().await {
        Ok(line) => line,
        Err(KnockError::Closed) => return Ok(None),
        Err(other) => return Err(other),
    };
    // A reply of several lines ends with the one that has no hyphen.
    while !is_imap && line.get(3) == Some(&b'-') && line.first().is_some_and(u8::is_ascii_digit) {
        line = talk.wire().line().await?;
    }
    let lines = vec![line];
    let answer = if is_imap {
        Answer::imap(lines)
    } else if lines.first().is_some_and(|line| line.starts_with(b"+") || line.starts_with(b"-")) {
        Answer::pop3(lines)
    } else {
        Answer::smtp(lines)
    };
    Ok((answer.kind == Kind::Yes).then(|| answer.text()))
}
