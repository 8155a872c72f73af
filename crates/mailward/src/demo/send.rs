//! A very small SMTP client, for messages to ourselves.

use crate::failure::Failure;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time for one reply.
const REPLY_TIME: Duration = Duration::from_secs(30);
/// Longest reply, bytes.
const REPLY_MAX: u64 = 64 * 1024;

/// A session with a server that is known to be ours.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects and says hello.
    pub(super) async fn connect(server: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(server).await.map_err(|e| Failure::io(server, e))?;
        let mut client = Self { stream: BufReader::new(stream) };
        client.expect("220").await?;
        client.command("EHLO localhost", "250").await?;
        Ok(client)
    }

    /// Sends one message; lines end with LF or CRLF.
    pub(super) async fn send(&mut self, from: &str, to: &[&str], message: &str) -> Result<(), Failure> {
        self.command(&format!("MAIL FROM:<{from}>"), "250").await?;
        for recipient in to {
            self.command(&format!("RCPT TO:<{recipient}>"), "250").await?;
        }
        self.command("DATA", "354").await?;
        let mut wire = String::with_capacity(message.len().saturating_add(1_024));
        for line in message.lines() {
            if line.starts_with('.') {
                wire.push('.');
            }
            wire.push_str(line);
            wire.push_str("\r\n");
        }
        wire.push('.');
        self.command(&wire, "250").await
    }

    /// Says goodbye.
    pub(super) async fn quit(mut self) -> Result<(), Failure> {
        self.command("QUIT", "221").await
    }

    async fn command(&mut self, line: &str, code: &str) -> Result<(), Failure> {
        let wire = format!("{line}\r\n");
        self.stream.write_all(wire.as_bytes()).await.map_err(lost)?;
        self.expect(code).await
    }

    async fn expect(&mut self, code: &str) -> Result<(), Failure> {
        loop {
            let mut line = String::new();
            let mut bounded = (&mut self.stream).take(REPLY_MAX);
            let read = timeout(REPLY_TIME, bounded.read_line(&mut line)).await;
            let read = read.map_err(|e| lost(e.into()))?.map_err(lost)?;
            if read == 0 {
                return Err(lost(io::ErrorKind::UnexpectedEof.into()));
            }
            if line.get(3..4) == Some("-") {
                continue;
            }
            if line.starts_with(code) {
                return Ok(());
            }
            return Err(Failure::Refused(format!("a sample message was refused: {}", line.trim_end())));
        }
    }
}

fn lost(error: io::Error) -> Failure {
    Failure::io("sending a sample message", error)
}
