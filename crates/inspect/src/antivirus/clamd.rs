//! ClamAV's daemon (clamd(8)): INSTREAM within a session that is kept for the next message.
//!
//! Commands begin with `z` and end with a NUL, as answers do. Within `IDSESSION` each answer begins with the number of the
//! command it is to. A message goes in pieces of a length of four bytes, the highest first, and what follows; a piece of no
//! length ends it.

use super::wire::{self, Connection};
use super::{Heard, Vital, Why};
use mailward_core::Timestamp;
use mailward_core::config::EnginePlace;
use mailward_core::limits::CLAMD_ANSWER_MAX;
use mailward_message::date;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, split};

/// What `clamd` says of a message, or why it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It knows nothing in it.
    Clean,
    /// It has something in it, of this name.
    Found(String),
    /// It is larger than it takes (`StreamMaxLength`).
    TooLarge,
    /// It couldn't look, or says nothing that is known.
    Failed(String),
}

/// Reads an answer within a session, without its NUL: the number of the command, and what is said. `None`: it is no such
/// thing.
#[must_use]
pub fn numbered(answer: &[u8]) -> Option<(u32, &[u8])> {
    let colon = answer.iter().position(|byte| *byte == b':')?;
    let (number, rest) = (answer.get(..colon)?, answer.get(colon..)?);
    let digits = !number.is_empty() && number.len() <= 9 && number.iter().all(u8::is_ascii_digit);
    let number = str::from_utf8(number).ok().filter(|_| digits)?.parse().ok()?;
    Some((number, rest.strip_prefix(b": ")?))
}

/// Reads what is said of a message: `stream: OK`, `stream: NAME FOUND`, `WHAT ERROR`. Whatever isn't known to be good isn't.
#[must_use]
pub fn reply(said: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(said);
    if let Some(why) = text.strip_suffix(" ERROR") {
        if why.starts_with("INSTREAM size limit exceeded") {
            return Reply::TooLarge;
        }
        return Reply::Failed(why.to_owned());
    }
    match text.strip_prefix("stream: ") {
        Some("OK") => Reply::Clean,
        Some(found) => match found.strip_suffix(" FOUND") {
            Some(name) if !name.trim().is_empty() => Reply::Found(without_digest(name.trim())),
            _ => Reply::Failed(format!("it says {found:?}")),
        },
        None => Reply::Failed(format!("it says {text:?}")),
    }
}

/// `Name(44d88612fea8a8f36de82e1278abb02f:68)`, as `ExtendedDetectionInfo` has it, without what is in brackets.
fn without_digest(name: &str) -> String {
    let plain = name.strip_suffix(')').and_then(|name| name.rsplit_once('('));
    let is_digest = |inner: &str| inner.contains(':') && inner.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    plain.filter(|(name, inner)| !name.is_empty() && is_digest(inner)).map_or(name, |(name, _)| name).to_owned()
}

/// Reads what is said to `VERSION`: `ClamAV 1.4.3/27456/Wed Nov 25 10:20:30 2026`, what follows the first `/` if there are
/// signatures of ClamAV's own.
#[must_use]
pub fn version(said: &[u8]) -> Vital {
    let text = String::from_utf8_lossy(said);
    let mut parts = text.splitn(3, '/');
    let version = parts.next().unwrap_or_default().trim().to_owned();
    let signatures = parts.next().and_then(|number| number.trim().parse().ok()).filter(|number: &u64| *number > 0);
    let made = parts.next().and_then(|made| made_at(made.trim()));
    Vital { version, signatures, made: made.filter(|_| signatures.is_some()), preview: None }
}

/// A time as C's `ctime` has it, `Wed Nov  5 10:20:30 2026`: the daemon's own, without a zone, and read as UTC. Half a day is
/// little beside what signatures may be old.
fn made_at(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, month, day, time, year] = *words.as_slice() else { return None };
    date::parse(format!("{day} {month} {year} {time} +0000").as_bytes()).map(|date| date.timestamp)
}

/// A session. It is kept only while question and answer are in step.
pub(super) struct Session {
    connection: Connection,
    asked: u32,
    held: Vec<u8>,
}

impl Session {
    pub(super) async fn open(place: &EnginePlace) -> Result<Self, Why> {
        let mut connection = match place {
            EnginePlace::Unix(path) => wire::unix(path).await?,
            EnginePlace::Tcp(at) => wire::tcp(*at).await?,
        };
        connection.write_all(b"zIDSESSION\0").await.map_err(|error| Why::Broken(error.to_string()))?;
        Ok(Self { connection, asked: 0, held: Vec::new() })
    }

    /// What is in a message, and whether the session can be used again.
    pub(super) async fn look(&mut self, message: &[u8]) -> (Result<Heard, Why>, bool) {
        let (said, in_step) = self.ask(Command::Look(message)).await;
        let said = match said {
            Ok(said) => said,
            Err(why) => return (Err(why), false),
        };
        match reply(&said) {
            // It can't have heard the end of what it says is clean.
            Reply::Clean if !in_step => (Err(Why::Broken("it answered before it had the message".to_owned())), false),
            Reply::Clean => (Ok(Heard::Clean), true),
            Reply::Found(name) => (Ok(Heard::Found(vec![name])), in_step),
            Reply::TooLarge => {
                (Ok(Heard::Unscannable("it is larger than clamd takes (StreamMaxLength)".to_owned())), false)
            }
            Reply::Failed(why) => (Err(Why::Failed(why)), false),
        }
    }

    /// How it is.
    pub(super) async fn vital(&mut self) -> (Result<Vital, Why>, bool) {
        let (said, in_step) = self.ask(Command::Version).await;
        (said.map(|said| version(&said)), in_step)
    }

    async fn ask(&mut self, command: Command<'_>) -> (Result<Vec<u8>, Why>, bool) {
        self.asked = self.asked.saturating_add(1);
        let (mut from, mut to) = split(&mut self.connection);
        let held = &mut self.held;
        let hearing = async {
            loop {
                if let Some(end) = held.iter().position(|byte| *byte == 0) {
                    let answer = held.get(..end).unwrap_or_default().to_vec();
                    held.drain(..=end);
                    return Ok(answer);
                }
                if held.len() > CLAMD_ANSWER_MAX {
                    return Err(Why::Failed("its answer is too long".to_owned()));
                }
                wire::more(&mut from, held).await?;
            }
        };
        let (answer, in_step) = wire::while_asking(command.say(&mut to), hearing).await;
        match answer {
            Err(why) => (Err(why), false),
            // What it says of the session itself has no number.
            Ok(answer) => match numbered(&answer) {
                Some((number, said)) if number == self.asked => (Ok(said.to_vec()), in_step && self.held.is_empty()),
                Some(_) => (Err(Why::Failed("its answer is to another question".to_owned())), false),
                None => (Ok(answer), false),
            },
        }
    }
}

enum Command<'a> {
    Look(&'a [u8]),
    Version,
}

impl Command<'_> {
    async fn say(self, to: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        match self {
            Self::Version => to.write_all(b"zVERSION\0").await?,
            Self::Look(message) => {
                to.write_all(b"zINSTREAM\0").await?;
                for piece in wire::pieces(message) {
                    let length = u32::try_from(piece.len()).map_err(std::io::Error::other)?;
                    to.write_all(&length.to_be_bytes()).await?;
                    to.write_all(piece).await?;
                }
                to.write_all(&[0; 4]).await?;
            }
        }
        to.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_are_read_and_what_is_not_known_to_be_good_is_not() {
        for (said, means) in [
            ("stream: OK", Reply::Clean),
            ("stream: Win.Test.EICAR_HDB-1 FOUND", Reply::Found("Win.Test.EICAR_HDB-1".to_owned())),
            ("stream: Eicar(44d88612fea8a8f36de82e1278abb02f:68) FOUND", Reply::Found("Eicar".to_owned())),
            ("stream: Odd(name) FOUND", Reply::Found("Odd(name)".to_owned())),
            ("INSTREAM size limit exceeded. ERROR", Reply::TooLarge),
            ("stream: Can't allocate memory ERROR", Reply::Failed("stream: Can't allocate memory".to_owned())),
            ("COMMAND READ TIMED OUT ERROR", Reply::Failed("COMMAND READ TIMED OUT".to_owned())),
        ] {
            assert_eq!(reply(said.as_bytes()), means, "{said}");
        }
        for odd in
            ["", "OK", "stream: ok", "stream: OK ", "stream:  FOUND", "stream: x", "1: stream: OK", "stream: OK\n"]
        {
            assert!(matches!(reply(odd.as_bytes()), Reply::Failed(_)), "{odd:?}");
        }
        assert_eq!(numbered(b"12: stream: OK"), Some((12, &b"stream: OK"[..])));
        for odd in ["stream: OK", ": x", "1:x", "+1: x", "9999999999: x", "1 : x", ""] {
            assert_eq!(numbered(odd.as_bytes()), None, "{odd:?}");
        }
    }

    #[test]
    fn a_version_tells_how_old_the_signatures_are() {
        let vital = version(b"ClamAV 1.4.3/27456/Wed Nov 25 10:20:30 2026");
        assert_eq!((vital.version.as_str(), vital.signatures), ("ClamAV 1.4.3", Some(27_456)));
        assert_eq!(vital.made.unwrap().text(), "2026-11-25T10:20:30.000Z");
        assert_eq!(
            version(b"ClamAV 1.4.3/27456/Thu Nov  5 01:02:03 2026").made.unwrap().text(),
            "2026-11-05T01:02:03.000Z"
        );
        let bare = Vital { version: "ClamAV 1.4.3".to_owned(), ..Vital::default() };
        assert_eq!(version(b"ClamAV 1.4.3"), bare);
        assert_eq!(version(b"ClamAV 1.4.3/0/Thu Jan  1 00:00:00 1970"), bare);
        assert_eq!(version(b"ClamAV 1.4.3/7/whenever").made, None);
    }

    proptest! {
        /// Nothing but one answer means that a message is clean.
        #[test]
        fn any_answer_is_read(said: Vec<u8>) {
            let _version = version(&said);
            let _number = numbered(&said);
            prop_assert!(reply(&said) != Reply::Clean || said == b"stream: OK");
        }
        #[test]
        fn anything_that_ends_like_a_finding_is_one_or_a_failure(name in "[ -~]{0,60}") {
            let found = reply(format!("stream: {name} FOUND").as_bytes());
            prop_assert!(matches!(found, Reply::Found(_) | Reply::Failed(_)));
        }
    }
}
