//! A plain client: greets, starts TLS, logs in, sends. For the server's own first messages and for load programs;
//! it takes whatever carries bytes, and no policy: no queue, no second try, no lookup.
//!
//! What is sent holds CRLF lines only: a bare CR or LF is refused before a byte of the message goes out (attacks
//! A3), as are line ends in addresses, which [`Address`] can't hold. What was said before TLS is forgotten, and bytes
//! that came with the answer to STARTTLS end the connection (attacks B2). Replies have their limits too (attacks H6).

use crate::body::Fault;
use crate::command;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::{SMTP_COMMAND_LINE_MAX, SMTP_REPLY_LINES_MAX, SMTP_REPLY_TIME};
use mailward_core::{Address, Secret};
use memchr::{memchr, memchr3};
use std::fmt::Write as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// The server closed it.
    #[error("the server closed the connection")]
    Closed,
    /// `limits::SMTP_REPLY_TIME` passed.
    #[error("the server didn't answer in time")]
    Timeout,
    /// Not SMTP, or past a limit; the words say what.
    #[error("the server's answer can't be understood: {0}")]
    Malformed(&'static str),
    /// It said no.
    #[error("the server refused {command}: {reply}")]
    Refused {
        /// What was said.
        command: &'static str,
        /// What it answered.
        reply: Answer,
    },
    /// It doesn't offer what is needed.
    #[error("the server doesn't offer {0}")]
    NotOffered(&'static str),
    /// The message may not be sent as it is.
    #[error("the message {0}")]
    Message(&'static str),
    /// The name for EHLO can't stand there.
    #[error("{0:?} is no host name")]
    Name(String),
}

/// A reply of one or more lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Three digits.
    pub code: u16,
    /// Texts of the lines, without codes; from outside.
    pub lines: Vec<String>,
}

impl Answer {
    /// Whether it says yes or go on.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code < 400
    }
    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.code >= 400 && self.code < 500
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.lines.join(" / ").escape_debug())
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The answer to its end.
    pub answer: Answer,
    /// Recipients that were refused, with the answer to each.
    pub refused: Vec<(Address, Answer)>,
}

/// A connection to a server that has greeted us, and whom we have greeted.
#[derive(Debug)]
pub struct Client<S> {
    wire: S,
    unread: Vec<u8>,
    offers: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    /// Waits for the greeting and says EHLO with this name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn connect(wire: S, name: &str) -> Result<Self, ClientError> {
        let mut client = Self { wire, unread: Vec::new(), offers: Vec::new() };
        let greeting = client.answer().await?;
        expect("the connection", greeting)?;
        client.hello(name).await?;
        Ok(client)
    }

    /// Goes on over TLS after [`Client::start_tls`]: says EHLO again, as all that was said in clear is forgotten.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn resume(wire: S, name: &str) -> Result<Self, ClientError> {
        let mut client = Self { wire, unread: Vec::new(), offers: Vec::new() };
        client.hello(name).await?;
        Ok(client)
    }

    /// Whether the server offers an extension, by its keyword.
    #[must_use]
    pub fn offers(&self, keyword: &str) -> bool {
        self.offers.iter().any(|offer| offer.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(keyword)))
    }

    /// Says STARTTLS and gives the wire back for the handshake.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::NotOffered`] if the server has no TLS.
    pub async fn start_tls(mut self) -> Result<S, ClientError> {
        if !self.offers("STARTTLS") {
            return Err(ClientError::NotOffered("STARTTLS"));
        }
        self.write(b"STARTTLS\r\n").await?;
        expect("STARTTLS", self.answer().await?)?;
        if !self.unread.is_empty() {
            return Err(ClientError::Malformed("bytes in clear behind the answer to STARTTLS"));
        }
        Ok(self.wire)
    }

    /// Logs in with PLAIN (RFC 4616). Only call it over TLS or within the host.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::NotOffered`] if the server takes no PLAIN.
    pub async fn auth_plain(&mut self, user: &str, password: &Secret) -> Result<(), ClientError> {
        let plain = self.offers.iter().any(|offer| {
            let mut words = offer.split(' ');
            words.next().is_some_and(|w| w.eq_ignore_ascii_case("AUTH"))
                && words.any(|w| w.eq_ignore_ascii_case("PLAIN"))
        });
        if !plain {
            return Err(ClientError::NotOffered("AUTH PLAIN"));
        }
        let mut response = Vec::with_capacity(128);
        response.push(0);
        response.extend_from_slice(user.as_bytes());
        response.push(0);
        response.extend_from_slice(password.expose());
        let line = Secret::new(format!("AUTH PLAIN {}\r\n", STANDARD.encode(Secret::new(response).expose())));
        self.write(line.expose()).await?;
        expect("AUTH", self.answer().await?)
    }

    /// Sends a message; `from` `None` is the null path. Succeeds if one recipient at least was taken. Commands go out
    /// together where the server offers PIPELINING.
    ///
    /// # Errors
    /// [`ClientError::Message`] before anything is sent if the message holds a bare CR or LF or a NUL, or needs an
    /// extension that isn't offered; [`ClientError::Refused`]; what breaks the connection.
    pub async fn send(&mut self, from: Option<&Address>, to: &[Address], message: &[u8]) -> Result<Sent, ClientError> {
        let body = stuff(message).map_err(|fault| {
            ClientError::Message(match fault {
                Fault::BareCr => "holds a CR that doesn't belong to a CRLF",
                Fault::BareLf => "holds an LF that doesn't belong to a CRLF",
                _ => "holds a NUL",
            })
        })?;
        let utf8 = !from.is_none_or(Address::is_ascii) || !to.iter().all(Address::is_ascii);
        if utf8 && !self.offers("SMTPUTF8") {
            return Err(ClientError::NotOffered("SMTPUTF8"));
        }
        let mut mail = String::from("MAIL FROM:<");
        if let Some(from) = from {
            push(&mut mail, from);
        }
        mail.push('>');
        if self.offers("SIZE") {
            let _infallible = write!(mail, " SIZE={}", message.len());
        }
        if !message.is_ascii() && self.offers("8BITMIME") {
            mail.push_str(" BODY=8BITMIME");
        }
        if utf8 {
            mail.push_str(" SMTPUTF8");
        }
        mail.push_str("\r\n");
        let answers = self.envelope(mail, to).await?;
        self.transfer(answers, to, &body).await
    }

    /// Says goodbye; the answer doesn't matter.
    ///
    /// # Errors
    /// If the connection broke before.
    pub async fn quit(mut self) -> Result<(), ClientError> {
        self.write(b"QUIT\r\n").await?;
        let _bye = self.answer().await;
        // The other side may have closed already.
        let _closed = self.wire.shutdown().await;
        Ok(())
    }

    async fn hello(&mut self, name: &str) -> Result<(), ClientError> {
        let line = format!("EHLO {name}");
        if !matches!(command::parse(line.as_bytes()), Ok(command::Command::Hello(..))) {
            return Err(ClientError::Name(name.to_owned()));
        }
        self.write(format!("{line}\r\n").as_bytes()).await?;
        let answer = self.answer().await?;
        if !answer.is_positive() {
            return Err(ClientError::Refused { command: "EHLO", reply: answer });
        }
        self.offers = answer.lines.into_iter().skip(1).collect();
        Ok(())
    }

    /// MAIL, RCPT and DATA; the answers in that order. Without PIPELINING it stops at the first that makes the rest
    /// senseless.
    async fn envelope(&mut self, mail: String, to: &[Address]) -> Result<Vec<Answer>, ClientError> {
        let mut commands = vec![mail];
        for recipient in to {
            let mut line = String::from("RCPT TO:<");
            push(&mut line, recipient);
            line.push_str(">\r\n");
            commands.push(line);
        }
        commands.push("DATA\r\n".to_owned());
        let mut answers = Vec::with_capacity(commands.len());
        if self.offers("PIPELINING") {
            self.write(commands.concat().as_bytes()).await?;
            for _ in &commands {
                answers.push(self.answer().await?);
            }
            return Ok(answers);
        }
        let data = commands.pop();
        for line in commands {
            self.write(line.as_bytes()).await?;
            answers.push(self.answer().await?);
            if answers.first().is_some_and(|mail| !mail.is_positive()) {
                return Ok(answers);
            }
        }
        if answers.iter().skip(1).any(Answer::is_positive)
            && let Some(data) = data
        {
            self.write(data.as_bytes()).await?;
            answers.push(self.answer().await?);
        }
        Ok(answers)
    }

    async fn transfer(&mut self, answers: Vec<Answer>, to: &[Address], body: &[u8]) -> Result<Sent, ClientError> {
        let mut answers = answers.into_iter();
        let mail = answers.next().ok_or(ClientError::Malformed("no answer"))?;
        let recipients: Vec<Answer> = answers.by_ref().take(to.len()).collect();
        let data = answers.next();
        let go = data.as_ref().is_some_and(|data| data.code == 354);
        let taken = recipients.iter().any(Answer::is_positive);
        if !mail.is_positive() || !taken {
            if go {
                // The server took nobody and asks for data all the same: give it none.
                self.write(b".\r\n").await?;
                let _none = self.answer().await?;
            }
            self.reset().await?;
            if !mail.is_positive() {
                return Err(ClientError::Refused { command: "MAIL", reply: mail });
            }
            let reply = recipients.into_iter().next().ok_or(ClientError::Message("has no recipient"))?;
            return Err(ClientError::Refused { command: "RCPT", reply });
        }
        let data = data.ok_or(ClientError::Malformed("no answer"))?;
        if !go {
            self.reset().await?;
            return Err(ClientError::Refused { command: "DATA", reply: data });
        }
        self.write(body).await?;
        let answer = self.answer().await?;
        if !answer.is_positive() {
            return Err(ClientError::Refused { command: "the message", reply: answer });
        }
        let refused = to.iter().cloned().zip(recipients).filter(|(_, answer)| !answer.is_positive()).collect();
        Ok(Sent { answer, refused })
    }

    async fn reset(&mut self) -> Result<(), ClientError> {
        self.write(b"RSET\r\n").await?;
        expect("RSET", self.answer().await?)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let write = async {
            self.wire.write_all(bytes).await?;
            self.wire.flush().await
        };
        timeout(SMTP_REPLY_TIME, write).await.map_err(|_| ClientError::Timeout)??;
        Ok(())
    }

    /// Reads one reply, however many lines it has.
    async fn answer(&mut self) -> Result<Answer, ClientError> {
        timeout(SMTP_REPLY_TIME, self.lines()).await.map_err(|_| ClientError::Timeout)?
    }

    async fn lines(&mut self) -> Result<Answer, ClientError> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let (code, more, text) = reply_line(&line)?;
            if lines.len() >= SMTP_REPLY_LINES_MAX {
                return Err(ClientError::Malformed("too many lines"));
            }
            lines.push(text.to_owned());
            if !more {
                return Ok(Answer { code, lines });
            }
        }
    }

    async fn line(&mut self) -> Result<String, ClientError> {
        loop {
            if let Some(end) = memchr(b'\n', &self.unread) {
                let rest = self.unread.split_off(end.saturating_add(1));
                let line = std::mem::replace(&mut self.unread, rest);
                let line = String::from_utf8(line).map_err(|_| ClientError::Malformed("not text"))?;
                return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            if self.unread.len() > SMTP_COMMAND_LINE_MAX {
                return Err(ClientError::Malformed("a line too long"));
            }
            if self.wire.read_buf(&mut self.unread).await? == 0 {
                return Err(ClientError::Closed);
            }
        }
    }
}

/// Reads one line of a reply, without its end: code, whether more follow, text (RFC 5321 §4.2).
///
/// # Errors
/// [`ClientError::Malformed`].
pub fn reply_line(line: &str) -> Result<(u16, bool, &str), ClientError> {
    let (code, rest) = line.split_at_checked(3).ok_or(ClientError::Malformed("a line too short"))?;
    // Digits only: `parse` would take a sign.
    let digits = code.bytes().all(|b| b.is_ascii_digit());
    let code: u16 = code.parse().ok().filter(|_| digits).ok_or(ClientError::Malformed("no code"))?;
    if !(200..600).contains(&code) {
        return Err(ClientError::Malformed("a code out of range"));
    }
    match rest.split_at_checked(1) {
        Some(("-", text)) => Ok((code, true, text)),
        Some((" ", text)) => Ok((code, false, text)),
        None if rest.is_empty() => Ok((code, false, "")),
        _ => Err(ClientError::Malformed("no code")),
    }
}

fn expect(command: &'static str, answer: Answer) -> Result<(), ClientError> {
    if answer.is_positive() { Ok(()) } else { Err(ClientError::Refused { command, reply: answer }) }
}

fn push(line: &mut String, address: &Address) {
    // Writing to a String can't fail.
    let _infallible = write!(line, "{address}");
}

/// A message as DATA carries it: dots doubled at the beginning of lines, CRLF.CRLF at the end (RFC 5321 §4.5.2). A
/// last line without CRLF gets one.
///
/// # Errors
/// [`Fault::BareCr`], [`Fault::BareLf`] or [`Fault::Nul`].
pub fn stuff(message: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(message.len().saturating_add(64));
    let mut rest = message;
    while !rest.is_empty() {
        if rest.first() == Some(&b'.') {
            out.push(b'.');
        }
        let end = match memchr3(b'\r', b'\n', 0, rest) {
            None => rest.len(),
            Some(at) => match (rest.get(at), rest.get(at.saturating_add(1))) {
                (Some(b'\r'), Some(b'\n')) => at.saturating_add(2),
                (Some(b'\r'), _) => return Err(Fault::BareCr),
                (Some(b'\n'), _) => return Err(Fault::BareLf),
                _ => return Err(Fault::Nul),
            },
        };
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        out.extend_from_slice(line);
        rest = after;
    }
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    Ok(out)
}

#[cfg(test)]
mod tests;
