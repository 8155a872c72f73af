//! Where a message ends, and how often it may have been passed on.

use super::{Grade, Seen, Us, Waiting, settled};
use crate::knock::{Answer, Kind, KnockError, Talk};
use crate::scene::Door;
use futures_util::stream::{self, StreamExt as _};
use mailward_core::limits::KNOCK_LINES_MAX;

/// What servers have been found to take for the end of a message, and what people call it.
const ENDS: [(&str, &[u8]); 11] = [
    ("LF . LF", b"\n.\n"),
    ("LF . CRLF", b"\n.\r\n"),
    ("CRLF . LF", b"\r\n.\n"),
    ("CRLF . CR", b"\r\n.\r"),
    ("CR . CR", b"\r.\r"),
    ("CR . CRLF", b"\r.\r\n"),
    ("CR . LF", b"\r.\n"),
    ("LF . CR", b"\n.\r"),
    ("CRLF NUL . CRLF", b"\r\n\0.\r\n"),
    ("CRLF . NUL CRLF", b"\r\n.\0\r\n"),
    ("CR CRLF . CR CRLF", b"\r\r\n.\r\r\n"),
];

/// Sessions at a time: some servers let one host bring little at once.
const AT_ONCE: usize = 4;

/// Hops that nobody's mail has.
const HOPS: usize = 101;

/// A message for every candidate, none of which may end it.
pub(crate) async fn ends_once(us: &Us, door: &Door) -> Result<Seen, KnockError> {
    let mut each: Vec<Waiting<'_, (&str, Seen)>> = Vec::new();
    for (name, end) in ENDS {
        each.push(Box::pin(async move { (name, settled(ends_at(us, door, name, end).await)) }));
    }
    let all: Vec<(&str, Seen)> = stream::iter(each).buffered(AT_ONCE).collect().await;
    let of = |grade: Grade| {
        let told = all.iter().filter(|(_, seen)| seen.grade == grade);
        told.map(|(name, seen)| format!("{name} {}", seen.said)).collect::<Vec<_>>()
    };
    let (bad, unknown) = (of(Grade::Bad), of(Grade::Unknown));
    let mut found = match (bad.is_empty(), unknown.first()) {
        (false, _) => Seen::bad(bad.join(", ")),
        (true, Some(first)) => Seen::unknown(format!("{} of {} can't be told: {first}", unknown.len(), all.len())),
        (true, None) => Seen::good(format!("none of {} ends a message", all.len())),
    };
    found.exhibits = all.into_iter().flat_map(|(_, seen)| seen.exhibits).collect();
    Ok(found)
}

async fn ends_at(us: &Us, door: &Door, name: &str, end: &[u8]) -> Result<Seen, KnockError> {
    let mut talk = match begun(us, door).await? {
        Ok(talk) => talk,
        Err(seen) => return Ok(seen),
    };
    let mut message = header(us, &format!("where a message ends ({name})"));
    message.extend_from_slice(b"\r\nThis is a trial by the server's own audit. Nothing has to be done about it.");
    message.extend_from_slice(end);
    message.extend_from_slice(b"NOOP\r\n\r\n.\r\n");
    talk.wire().send(&message).await?;
    let first = match talk.answer().await {
        Ok(answer) => answer,
        Err(KnockError::Closed) => return Ok(Seen::unknown("makes it hang up without a word").heard(door, &talk)),
        Err(other) => return Err(other),
    };
    // Whoever has split it has answered NOOP by now, and will answer what stands behind it.
    let mut more = Vec::new();
    if talk.wire().send(b"QUIT\r\n").await.is_ok() {
        loop {
            match talk.answer().await {
                Ok(answer) => more.push(answer),
                Err(KnockError::Closed) => break,
                Err(other) => return Err(other),
            }
            if more.len() > KNOCK_LINES_MAX {
                return Err(KnockError::TooMuch("lines"));
            }
        }
    }
    Ok(match (first.kind, more.len()) {
        (_, 2..) => Seen::bad("ends it, and what follows is taken for a command"),
        (Kind::Yes | Kind::No | Kind::Later, _) => Seen::good(first.text()),
        _ => Seen::unknown(format!("is answered with {}", first.text())),
    }
    .heard(door, &talk))
}

/// A message that was passed on too often.
pub(crate) async fn counts_hops(us: &Us, door: &Door) -> Result<Seen, KnockError> {
    let mut talk = match begun(us, door).await? {
        Ok(talk) => talk,
        Err(seen) => return Ok(seen),
    };
    let mut message = Vec::new();
    for hop in 0..HOPS {
        let field =
            format!("Received: from h{hop}.invalid by h{hop}.invalid with ESMTP; Thu, 1 Jan 2026 00:00:00 +0000\r\n");
        message.extend_from_slice(field.as_bytes());
    }
    message.extend_from_slice(&header(us, "a message that goes round in circles"));
    message.extend_from_slice(b"\r\nThis is a trial by the server's own audit.\r\n.\r\n");
    talk.wire().send(&message).await?;
    let answer = talk.answer().await?;
    Ok(match answer.kind {
        Kind::No => Seen::good(format!("refused: {}", answer.text())),
        Kind::Yes => Seen::bad(format!("a message that was passed on {HOPS} times is taken: {}", answer.text())),
        _ => Seen::unknown(format!("put off: {}", answer.text())),
    }
    .heard(door, &talk))
}

/// A session up to where the message's first byte is due; or why there is none.
async fn begun(us: &Us, door: &Door) -> Result<Result<Talk, Seen>, KnockError> {
    let mut talk = Talk::open(door).await?;
    talk.hello().await?;
    // The null sender: nothing is sent back to anybody, and it is nobody's name.
    let steps = ["MAIL FROM:<>".to_owned(), format!("RCPT TO:<{}>", us.recipient), "DATA".to_owned()];
    for (step, wanted) in steps.iter().zip([Kind::Yes, Kind::Yes, Kind::More]) {
        let answer: Answer = talk.ask(step).await?;
        if answer.kind != wanted {
            let why = format!("no message can be brought: {step} is answered with {}", answer.text());
            return Ok(Err(Seen::unknown(why).heard(door, &talk)));
        }
    }
    Ok(Ok(talk))
}

fn header(us: &Us, subject: &str) -> Vec<u8> {
    let (us, to, id) = (&us.domain, &us.recipient, us.now.0);
    format!(
        "From: Mailward audit <postmaster@{us}>\r\nTo: <{to}>\r\nSubject: Audit: {subject}\r\n\
         Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <audit.{id}@{us}>\r\nAuto-Submitted: auto-generated\r\n"
    )
    .into_bytes()
}
