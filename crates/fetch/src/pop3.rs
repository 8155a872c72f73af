//! The client's side of POP3, as far as fetching needs it.

pub mod answer;

use crate::account::Tls;
use crate::error::Trouble;
use crate::maildrop::Listed;
use crate::wire::{Stream, Wire};
use answer::{Capabilities, Status};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::Secret;
use mailward_core::limits::{FETCH_CAPABILITIES_MAX, FETCH_LINE_MAX, FETCH_LISTED_MAX};
use std::collections::HashMap;

/// A session, logged in.
pub(crate) struct Pop3 {
    wire: Wire,
}

/// Before TLS: reads the greeting and asks for TLS. Nothing that was said here counts later.
pub(crate) async fn start_tls(mut wire: Wire) -> Result<Box<dyn Stream>, Trouble> {
    status(&mut wire, "the connection").await?;
    let capabilities = capabilities(&mut wire).await?;
    if !capabilities.stls {
        return Err(Trouble::Settings("the server offers no TLS (STLS): nothing is sent there in clear".to_owned()));
    }
    wire.say(b"STLS\r\n").await?;
    status(&mut wire, "STLS").await?;
    wire.into_stream()
}

impl Pop3 {
    /// Logs in over TLS.
    pub(crate) async fn login(mut wire: Wire, tls: Tls, user: &str, password: &Secret) -> Result<Self, Trouble> {
        if tls == Tls::Tls {
            status(&mut wire, "the connection").await?;
        }
        let known = capabilities(&mut wire).await?;
        if known.plain {
            let secret = [b"\0", user.as_bytes(), b"\0", password.expose()].concat();
            wire.say(format!("AUTH PLAIN {}\r\n", STANDARD.encode(secret)).as_bytes()).await?;
        } else {
            wire.say(format!("USER {user}\r\n").as_bytes()).await?;
            status(&mut wire, "USER").await?;
            wire.say(&[b"PASS ", password.expose(), b"\r\n"].concat()).await?;
        }
        let line = line(&mut wire).await?;
        match answer::status(&line) {
            Some(Status::Ok(_)) => Ok(Self { wire }),
            Some(Status::Err(code, said)) => Err(refusal(code.as_deref(), known.auth_codes, said)),
            Some(Status::Go) | None => Err(Trouble::nonsense("to a login", &line)),
        }
    }

    /// Every message with its identification and size. Those without one aren't there.
    pub(crate) async fn list(&mut self) -> Result<Vec<Listed>, Trouble> {
        let mut sizes = HashMap::new();
        self.wire.say(b"LIST\r\n").await?;
        status(&mut self.wire, "LIST").await?;
        let mut lines = 0usize;
        while let Some(line) = self.listed(&mut lines).await? {
            let (number, size) = answer::size(&line).ok_or_else(|| Trouble::nonsense("to LIST", &line))?;
            sizes.insert(number, size);
        }
        self.wire.say(b"UIDL\r\n").await?;
        status(&mut self.wire, "UIDL").await?;
        let (mut lines, mut listed) = (0usize, Vec::new());
        while let Some(line) = self.listed(&mut lines).await? {
            let (number, id) = answer::id(&line).ok_or_else(|| Trouble::nonsense("to UIDL", &line))?;
            // Each number once, whatever the server says: the second would be deleted with the first.
            if let Some(size) = sizes.remove(&number) {
                listed.push(Listed { number, id: String::from_utf8_lossy(id).into_owned(), size });
            }
        }
        Ok(listed)
    }

    async fn listed(&mut self, lines: &mut usize) -> Result<Option<Vec<u8>>, Trouble> {
        let line = line(&mut self.wire).await?;
        *lines = lines.saturating_add(1);
        if line != b"." && *lines > FETCH_LISTED_MAX {
            return Err(Trouble::TooMany);
        }
        Ok(answer::unstuffed(&line).map(<[u8]>::to_vec))
    }

    /// The message, of at most `most` bytes.
    pub(crate) async fn retrieve(&mut self, number: u32, most: u64) -> Result<Option<Vec<u8>>, Trouble> {
        self.wire.say(format!("RETR {number}\r\n").as_bytes()).await?;
        let first = line(&mut self.wire).await?;
        match answer::status(&first) {
            Some(Status::Ok(_)) => {}
            Some(Status::Err(..)) => return Ok(None),
            Some(Status::Go) | None => return Err(Trouble::nonsense("to RETR", &first)),
        }
        let room = usize::try_from(most).unwrap_or(usize::MAX);
        let mut message = Vec::new();
        loop {
            let start = message.len();
            // With its line end and a stuffed dot.
            let left = room.saturating_sub(start).saturating_add(3);
            self.wire.line(&mut message, left).await.map_err(|trouble| match trouble {
                Trouble::Nonsense(_) => Trouble::TooLarge(most),
                other => other,
            })?;
            match message.get(start..) {
                Some(b".") => {
                    message.truncate(start);
                    return Ok(Some(message));
                }
                Some([b'.', ..]) => {
                    message.remove(start);
                }
                _ => {}
            }
            message.extend_from_slice(b"\r\n");
            if message.len() > room {
                return Err(Trouble::TooLarge(most));
            }
        }
    }

    /// Marks a message to be deleted when the session ends well.
    pub(crate) async fn delete(&mut self, number: u32) -> Result<(), Trouble> {
        self.wire.say(format!("DELE {number}\r\n").as_bytes()).await?;
        status(&mut self.wire, "DELE").await
    }

    /// Ends the session; only now are messages deleted (RFC 1939 §6).
    pub(crate) async fn quit(mut self) -> Result<(), Trouble> {
        self.wire.say(b"QUIT\r\n").await?;
        status(&mut self.wire, "QUIT").await
    }
}

fn refusal(code: Option<&str>, codes: bool, said: &[u8]) -> Trouble {
    let words = Trouble::words(said);
    match code {
        Some("AUTH") => Trouble::Login(words),
        // IN-USE, LOGIN-DELAY, SYS/TEMP, SYS/PERM; and none where there would be one (RFC 3206 §4).
        Some(_) => Trouble::Refused("the login", words),
        None if codes => Trouble::Refused("the login", words),
        None => Trouble::LoginUnclear(words),
    }
}

async fn line(wire: &mut Wire) -> Result<Vec<u8>, Trouble> {
    let mut line = Vec::new();
    wire.line(&mut line, FETCH_LINE_MAX).await?;
    Ok(line)
}

async fn status(wire: &mut Wire, command: &'static str) -> Result<(), Trouble> {
    let line = line(wire).await?;
    match answer::status(&line) {
        Some(Status::Ok(_)) => Ok(()),
        Some(Status::Err(_, said)) => Err(Trouble::Refused(command, Trouble::words(said))),
        Some(Status::Go) | None => Err(Trouble::nonsense("as an answer", &line)),
    }
}

/// What the server can; nothing if it doesn't know CAPA.
async fn capabilities(wire: &mut Wire) -> Result<Capabilities, Trouble> {
    let mut found = Capabilities::default();
    wire.say(b"CAPA\r\n").await?;
    let first = line(wire).await?;
    match answer::status(&first) {
        Some(Status::Ok(_)) => {}
        Some(Status::Err(..)) => return Ok(found),
        Some(Status::Go) | None => return Err(Trouble::nonsense("to CAPA", &first)),
    }
    for _ in 0..FETCH_CAPABILITIES_MAX {
        let line = line(wire).await?;
        match answer::unstuffed(&line) {
            None => return Ok(found),
            Some(line) => found.add(line),
        }
    }
    Err(Trouble::Nonsense(format!("more than {FETCH_CAPABILITIES_MAX} capabilities")))
}
