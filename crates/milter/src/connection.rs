//! One connection to a milter: packets there and back, each within its time.

use crate::Fault;
use crate::packet::{self, Out, Packet};
use mailward_core::config::{MilterFamily, MilterLine, MilterPlace};
use mailward_core::limits::{MILTER_PACKET_MAX, READ_BUFFER};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

/// A socket of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    /// What came and wasn't taken yet, behind `taken` bytes that were.
    input: Vec<u8>,
    taken: usize,
    /// What is to be written next.
    pub(crate) out: Out,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, input: Vec::new(), taken: 0, out: Out::default() }
    }

    /// Connects to where a line says.
    pub(crate) async fn open(line: &MilterLine) -> Result<Self, Fault> {
        let connecting = async {
            let stream: Box<dyn Stream> = match &line.place {
                MilterPlace::Unix(path) => Box::new(UnixStream::connect(path).await?),
                MilterPlace::Tcp { host, port, family } => Box::new(tcp(host, *port, *family).await?),
            };
            Ok::<_, std::io::Error>(stream)
        };
        match tokio::time::timeout(line.connect, connecting).await {
            Ok(Ok(stream)) => Ok(Self::new(stream)),
            Ok(Err(error)) => Err(Fault::Connect(error.to_string())),
            Err(_) => Err(Fault::Connect(format!("no answer within {} s", line.connect.as_secs()))),
        }
    }

    /// Fails if the other side said something, or is gone, without being asked.
    pub(crate) async fn quiet(&mut self) -> Result<(), Fault> {
        if self.taken < self.input.len() {
            return Err(Fault::Unasked);
        }
        let mut byte = [0; 1];
        let mut space = ReadBuf::new(&mut byte);
        let read = poll_fn(|context| match Pin::new(&mut *self.stream).poll_read(context, &mut space) {
            Poll::Pending => Poll::Ready(None),
            Poll::Ready(read) => Poll::Ready(Some(read)),
        });
        match read.await {
            None => Ok(()),
            Some(Err(error)) => Err(Fault::io(&error)),
            Some(Ok(())) if space.filled().is_empty() => Err(Fault::Ended),
            Some(Ok(())) => Err(Fault::Unasked),
        }
    }

    /// Writes what waits.
    pub(crate) async fn flush(&mut self, until: Instant, what: &'static str) -> Result<(), Fault> {
        if self.out.bytes.is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(&self.out.bytes).await?;
            self.stream.flush().await
        };
        let written = timeout_at(until, write).await;
        self.out.bytes.clear();
        written.map_err(|_late| Fault::Late(what))?.map_err(|error| Fault::io(&error))
    }

    /// The next packet.
    pub(crate) async fn packet(&mut self, until: Instant, what: &'static str) -> Result<Packet<'_>, Fault> {
        let length = timeout_at(until, self.whole()).await.map_err(|_late| Fault::Late(what))??;
        let start = self.taken;
        self.taken = start.saturating_add(length);
        let bytes = self.input.get(start..self.taken).unwrap_or_default();
        packet::take(bytes, MILTER_PACKET_MAX)?.map(|(packet, _)| packet).ok_or(Fault::Ended)
    }

    /// Reads until a whole packet is there, and tells its length.
    async fn whole(&mut self) -> Result<usize, Fault> {
        loop {
            let rest = self.input.get(self.taken..).unwrap_or_default();
            if let Some((_, length)) = packet::take(rest, MILTER_PACKET_MAX)? {
                return Ok(length);
            }
            self.input.drain(..self.taken);
            self.taken = 0;
            self.input.reserve(READ_BUFFER);
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) => return Err(Fault::Ended),
                Ok(_) => {}
                Err(error) => return Err(Fault::io(&error)),
            }
        }
    }

    /// The last word, whether it is heard or not.
    pub(crate) async fn farewell(&mut self, letter: u8, patience: Duration) -> Result<(), Fault> {
        self.out.packet(letter, &[]);
        let now = Instant::now();
        self.flush(now.checked_add(patience).unwrap_or(now), "the end").await
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// Connects to the first address of a host that answers.
async fn tcp(host: &str, port: u16, family: MilterFamily) -> std::io::Result<TcpStream> {
    let fits = |address: &SocketAddr| match family {
        MilterFamily::Any => true,
        MilterFamily::V4 => address.is_ipv4(),
        MilterFamily::V6 => address.is_ipv6(),
    };
    let mut last = std::io::Error::new(std::io::ErrorKind::AddrNotAvailable, "the host has no address of that kind");
    for address in tokio::net::lookup_host((host, port)).await?.filter(fits) {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Only a matter of speed.
                let _slower = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
