//! One connection: bytes and lines, in clear or under TLS, with limits and a transcript.

use super::certificate::{Offer, Shown};
use super::{KnockError, pace};
use mailward_core::limits::{
    KNOCK_ANSWER_TIME, KNOCK_CONNECT_TIME, KNOCK_LINE_MAX, KNOCK_SESSION_TIME, KNOCK_TOTAL_MAX, KNOCK_TRANSCRIPT_MAX,
};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;

/// A connection that we made.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    /// Read and not taken yet.
    pending: Vec<u8>,
    /// Bytes read in all.
    read: usize,
    ends: Instant,
    transcript: Vec<u8>,
    shown: Option<Shown>,
    literal: String,
}

#[derive(Debug)]
enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

impl Wire {
    /// Connects, within `limits::KNOCK_CONNECT_TIME`.
    ///
    /// # Errors
    /// [`KnockError::Connect`].
    pub async fn connect(address: SocketAddr) -> Result<Self, KnockError> {
        Self::connect_from(None, address).await
    }

    /// The same from an address of ours.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_from(ours: Option<IpAddr>, address: SocketAddr) -> Result<Self, KnockError> {
        pace::turn().await;
        let connecting = async {
            let Some(ours) = ours else { return TcpStream::connect(address).await };
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.bind(SocketAddr::new(ours, 0))?;
            socket.connect(address).await
        };
        let stream = timeout(KNOCK_CONNECT_TIME, connecting)
            .await
            .map_err(|_late| KnockError::Connect("not within the time for it".to_owned()))?
            .map_err(|error| KnockError::Connect(error.to_string()))?;
        // Only a matter of speed.
        let _slower = stream.set_nodelay(true);
        let ours = stream.local_addr().map_err(|error| KnockError::Connect(error.to_string()))?;
        let now = Instant::now();
        Ok(Self {
            literal: literal(ours.ip()),
            stream: Stream::Clear(stream),
            pending: Vec::new(),
            read: 0,
            ends: now.checked_add(KNOCK_SESSION_TIME).unwrap_or(now),
            transcript: Vec::new(),
            shown: None,
        })
    }

    /// Our own address as the other side sees it, unless something between changes it, as SMTP writes it (RFC 5321 §4.1.3).
    pub fn literal(&self) -> &str {
        &self.literal
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// [`KnockError::Closed`], [`KnockError::Late`].
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), KnockError> {
        self.note(b"> ", bytes);
        self.push(bytes).await
    }

    /// Sends bytes that the transcript has to keep to itself: it has `shown` instead.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub async fn send_hidden(&mut self, bytes: &[u8], shown: &str) -> Result<(), KnockError> {
        self.note(b"> ", shown.as_bytes());
        self.push(bytes).await
    }

    async fn push(&mut self, bytes: &[u8]) -> Result<(), KnockError> {
        let until = self.until();
        let writing = async {
            match &mut self.stream {
                Stream::Clear(stream) => stream.write_all(bytes).await,
                Stream::Tls(stream) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
                Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
            }
        };
        match timeout_at(until, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_gone)) => Err(KnockError::Closed),
            Err(_late) => Err(KnockError::Late),
        }
    }

    /// The next line, without its end; a bare LF ends one as well.
    ///
    /// # Errors
    /// [`KnockError`]; [`KnockError::TooMuch`] beyond `limits::KNOCK_LINE_MAX`.
    pub async fn line(&mut self) -> Result<Vec<u8>, KnockError> {
        let mut seen = 0_usize;
        loop {
            let fresh = self.pending.get(seen..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=seen.saturating_add(at)).collect();
                self.note(b"< ", &line);
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            seen = self.pending.len();
            if seen > KNOCK_LINE_MAX {
                return Err(KnockError::TooMuch("a line"));
            }
            self.more().await?;
        }
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    /// [`KnockError`].
    pub async fn bytes(&mut self, count: usize) -> Result<Vec<u8>, KnockError> {
        while self.pending.len() < count {
            self.more().await?;
        }
        let bytes: Vec<u8> = self.pending.drain(..count).collect();
        self.note(b"< ", &bytes);
        Ok(bytes)
    }

    /// Whatever comes next, at least a byte. It isn't noted in the transcript: it is for what isn't text.
    ///
    /// # Errors
    /// [`KnockError`].
    pub async fn some(&mut self) -> Result<Vec<u8>, KnockError> {
        if self.pending.is_empty() {
            self.more().await?;
        }
        Ok(std::mem::take(&mut self.pending))
    }

    /// Reads more of what comes, and keeps it.
    ///
    /// # Errors
    /// [`KnockError`]; [`KnockError::Closed`] at the end.
    pub async fn fill(&mut self) -> Result<(), KnockError> {
        self.more().await
    }

    /// What was read and not taken.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Begins TLS, and keeps what the server shows. Bytes that are left of what was read in clear are forgotten: they are nobody's.
    ///
    /// # Errors
    /// [`KnockError::Tls`].
    pub async fn start_tls(&mut self, name: &str, offer: Offer) -> Result<&Shown, KnockError> {
        let Stream::Clear(stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(KnockError::Tls("it runs already".to_owned()));
        };
        self.pending.clear();
        let (stream, shown) = Box::pin(offer.begin(stream, name)).await?;
        self.note(b"- ", format!("TLS begins: {} {}\n", shown.version, shown.suite).as_bytes());
        self.stream = Stream::Tls(Box::new(stream));
        Ok(self.shown.insert(shown))
    }

    /// What the server showed when TLS began.
    pub fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// The connection itself, for what is done below its bytes.
    ///
    /// # Errors
    /// [`KnockError::Tls`] if TLS runs on it.
    pub(crate) fn into_clear(self) -> Result<TcpStream, KnockError> {
        match self.stream {
            Stream::Clear(stream) => Ok(stream),
            _ => Err(KnockError::Tls("it runs already".to_owned())),
        }
    }

    /// What was said, both ways: `> ` is ours, `< ` theirs. At most `limits::KNOCK_TRANSCRIPT_MAX`.
    pub fn transcript(&self) -> &[u8] {
        &self.transcript
    }

    async fn more(&mut self) -> Result<(), KnockError> {
        if self.read >= KNOCK_TOTAL_MAX {
            return Err(KnockError::TooMuch("in all"));
        }
        let until = self.until();
        let mut space = [0; 4096];
        let reading = async {
            match &mut self.stream {
                Stream::Clear(stream) => stream.read(&mut space).await,
                Stream::Tls(stream) => stream.read(&mut space).await,
                Stream::Gone => Ok(0),
            }
        };
        let count = match timeout_at(until, reading).await {
            Err(_late) => return Err(KnockError::Late),
            Ok(Err(_) | Ok(0)) => return Err(KnockError::Closed),
            Ok(Ok(count)) => count,
        };
        self.read = self.read.saturating_add(count);
        self.pending.extend_from_slice(space.get(..count).unwrap_or_default());
        Ok(())
    }

    fn until(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(KNOCK_ANSWER_TIME).unwrap_or(now).min(self.ends)
    }

    fn note(&mut self, mark: &[u8], bytes: &[u8]) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = KNOCK_TRANSCRIPT_MAX.saturating_sub(self.transcript.len());
            if room < mark.len() {
                return;
            }
            self.transcript.extend_from_slice(mark);
            self.transcript.extend(line.iter().take(room.saturating_sub(mark.len())));
            if !line.ends_with(b"\n") && room > line.len() {
                self.transcript.push(b'\n');
            }
        }
    }
}

/// An address as SMTP writes it (RFC 5321 §4.1.3).
pub(crate) fn literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}
