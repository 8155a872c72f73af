//! One SMTP or LMTP session of a load test, client side.

use super::Options;
use super::message::Maker;
use crate::bench::wire::{any_certificate, shown};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mailward_core::Secret;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// Longest reply that is read, bytes: EHLO's are the longest.
const REPLY_MAX: usize = 64 * 1024;

/// Where the server is.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What every session does.
pub(super) struct Plan {
    target: Target,
    pub(super) keep: bool,
    pipeline: bool,
    hello: Vec<u8>,
    tls: Option<(tokio_rustls::TlsConnector, ServerName<'static>)>,
    /// `AUTH PLAIN` with its response (RFC 4616), the whole line.
    auth: Option<Secret>,
}

impl Plan {
    pub(super) fn new(options: &Options, target: Target) -> Self {
        let name = ServerName::try_from(options.host.clone()).or_else(|_| ServerName::try_from("localhost")).ok();
        Self {
            target,
            keep: options.keep,
            pipeline: options.pipeline,
            hello: format!(
                "{} {}\r\n",
                if options.lmtp { "LHLO" } else { "EHLO" },
                options.hello.as_deref().unwrap_or("bench.invalid")
            )
            .into_bytes(),
            tls: name.filter(|_| options.starttls).map(|name| (any_certificate().into(), name)),
            auth: options.login.as_ref().map(|(user, password)| auth_plain(user, password)),
        }
    }
}

/// Why a message was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("connecting: {0}")]
    Connect(std::io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
    #[error("the server hung up {0}")]
    Closed(&'static str),
    #[error("no SMTP reply {0}")]
    NoReply(&'static str),
    #[error("{0}: {1}")]
    Refused(&'static str, String),
    /// Refused, and the session told RSET: another message may be tried.
    #[error("{0}: {1}")]
    RefusedButAlive(&'static str, String),
}

impl Failure {
    pub(super) fn session_lives(&self) -> bool {
        matches!(self, Self::RefusedButAlive(..))
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A session past its EHLO.
pub(super) struct Session {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    /// Bytes of `input` that were read as replies.
    used: usize,
    output: Vec<u8>,
    pipelining: bool,
}

impl Session {
    pub(super) async fn open(plan: &Plan) -> Result<Self, Failure> {
        let stream: Box<dyn Stream> = match &plan.target {
            Target::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(Failure::Connect)?;
                // Every write is a whole step of the dialogue: nothing is gained by waiting for more.
                stream.set_nodelay(true).map_err(Failure::Connect)?;
                Box::new(stream)
            }
            Target::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(Failure::Connect)?),
        };
        let mut session =
            Self { stream, input: Vec::with_capacity(1024), used: 0, output: Vec::new(), pipelining: false };
        session.expect("greeting", 2).await?;
        session.hello(plan).await?;
        if let Some((connector, name)) = &plan.tls {
            session.say(b"STARTTLS\r\n", "STARTTLS", 2).await?;
            let Self { stream, input, .. } = session;
            let stream = connector.connect(name.clone(), stream).await.map_err(Failure::Connect)?;
            session = Self { stream: Box::new(stream), input, used: 0, output: Vec::new(), pipelining: false };
            session.input.clear();
            session.hello(plan).await?;
        }
        if let Some(auth) = &plan.auth {
            session.say(auth.expose(), "AUTH", 2).await?;
        }
        Ok(session)
    }

    async fn hello(&mut self, plan: &Plan) -> Result<(), Failure> {
        self.stream.write_all(&plan.hello).await?;
        let reply = self.reply("EHLO").await?;
        if reply.first() != Some(&b'2') {
            return Err(Failure::Refused("EHLO", shown(reply)));
        }
        let offered = contains(reply, b"PIPELINING\r\n");
        self.pipelining = plan.pipeline && offered;
        Ok(())
    }

    /// One message, up to its 250.
    pub(super) async fn send(&mut self, plan: &Plan, maker: &Maker, number: u64) -> Result<(), Failure> {
        let result = self.transaction(maker, number).await;
        if let Err(Failure::Refused(step, text)) = result {
            if !plan.keep {
                return Err(Failure::Refused(step, text));
            }
            return match self.say(b"RSET\r\n", "RSET", 2).await {
                Ok(()) => Err(Failure::RefusedButAlive(step, text)),
                Err(_) => Err(Failure::Refused(step, text)),
            };
        }
        result
    }

    async fn transaction(&mut self, maker: &Maker, number: u64) -> Result<(), Failure> {
        self.output.clear();
        self.output.extend_from_slice(b"MAIL FROM:<");
        self.output.extend_from_slice(maker.from().as_bytes());
        self.output.extend_from_slice(b">\r\n");
        if !self.pipelining {
            self.flush().await?;
            self.expect("MAIL", 2).await?;
        }
        self.output.extend_from_slice(b"RCPT TO:<");
        maker.recipient(number, &mut self.output);
        self.output.extend_from_slice(b">\r\n");
        if !self.pipelining {
            self.flush().await?;
            self.expect("RCPT", 2).await?;
        }
        self.output.extend_from_slice(b"DATA\r\n");
        self.flush().await?;
        if self.pipelining {
            let mail = self.expect("MAIL", 2).await;
            let rcpt = self.expect("RCPT", 2).await;
            let data = self.expect("DATA", 3).await;
            let refused = mail.and(rcpt);
            if refused.is_err() && data.is_ok() {
                // RFC 2920 §3.1: the server took DATA although nobody is to get it; end it with nothing.
                self.stream.write_all(b".\r\n").await?;
                let _refused = self.reply("end of data").await?;
            }
            refused.and(data)?;
        } else {
            self.expect("DATA", 3).await?;
        }
        maker.message(number, &mut self.output);
        self.flush().await?;
        self.expect("end of data", 2).await
    }

    /// Ends the session as one should.
    pub(super) async fn quit(mut self) -> Result<(), Failure> {
        self.say(b"QUIT\r\n", "QUIT", 2).await
    }

    async fn say(&mut self, command: &[u8], step: &'static str, class: u8) -> Result<(), Failure> {
        self.stream.write_all(command).await?;
        self.expect(step, class).await
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        self.stream.write_all(&self.output).await?;
        self.stream.flush().await?;
        self.output.clear();
        Ok(())
    }

    /// Reads a reply, which must be of the class.
    async fn expect(&mut self, step: &'static str, class: u8) -> Result<(), Failure> {
        let reply = self.reply(step).await?;
        if reply.first().map(|c| c.wrapping_sub(b'0')) == Some(class) {
            Ok(())
        } else {
            Err(Failure::Refused(step, shown(reply)))
        }
    }

    /// The next whole reply, all its lines.
    async fn reply(&mut self, step: &'static str) -> Result<&[u8], Failure> {
        if self.used == self.input.len() {
            self.input.clear();
            self.used = 0;
        }
        loop {
            let rest = self.input.get(self.used..).unwrap_or_default();
            if let Some(length) = whole_reply(rest) {
                let start = self.used;
                self.used = start.saturating_add(length);
                return Ok(self.input.get(start..self.used).unwrap_or_default());
            }
            if rest.len() > REPLY_MAX {
                return Err(Failure::NoReply(step));
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(Failure::Closed(step));
            }
        }
    }
}

fn auth_plain(user: &str, password: &Secret) -> Secret {
    let response = [b"\0", user.as_bytes(), b"\0", password.expose()].concat();
    Secret::new(format!("AUTH PLAIN {}\r\n", BASE64_STANDARD.encode(response)).into_bytes())
}

/// Bytes of the first reply, if all of it is there: lines `250-…`, the last `250 …` (RFC 5321 §4.2.1).
fn whole_reply(input: &[u8]) -> Option<usize> {
    let mut end = 0_usize;
    for line in input.split_inclusive(|b| *b == b'\n') {
        if line.last() != Some(&b'\n') {
            return None;
        }
        end = end.saturating_add(line.len());
        if line.get(3) != Some(&b'-') {
            return Some(end);
        }
    }
    None
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_many_lines_is_one_reply() {
        let input = b"250-mx.example\r\n250-SIZE 1\r\n250 PIPELINING\r\n250 next\r\n";
        assert_eq!(whole_reply(input), Some(16 + 12 + 16));
        assert_eq!(whole_reply(b"250-mx.example\r\n250-SIZE"), None);
        assert_eq!(whole_reply(b""), None);
        assert_eq!(whole_reply(b"354 go"), None);
    }
}
