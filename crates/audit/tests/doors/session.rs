//! One connection of the test's server.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

pub(crate) struct Session {
    stream: Stream,
    pub(crate) pending: Vec<u8>,
    pub(crate) exporter: Option<[u8; 32]>,
}

impl Session {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream: Stream::Clear(stream), pending: Vec::new(), exporter: None }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    pub(crate) fn clear(&mut self) -> Option<&mut TcpStream> {
        match &mut self.stream {
            Stream::Clear(stream) => Some(stream),
            _ => None,
        }
    }

    /// Begins TLS. One that renegotiates waits for what must not come, and begins anew.
    pub(crate) async fn start_tls(&mut self, acceptor: &TlsAcceptor, renegotiates: bool) -> bool {
        let Stream::Clear(stream) = std::mem::replace(&mut self.stream, Stream::Gone) else { return false };
        let Ok(stream) = acceptor.accept(stream).await else { return false };
        if renegotiates && stream.get_ref().1.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_2) {
            let (mut raw, _) = stream.into_inner();
            let mut head = [0; 5];
            if raw.read_exact(&mut head).await.is_ok() && head[0] == 22 {
                let _gone = raw.write_all(&[22, 3, 3, 0, 4, 0, 0, 0, 0]).await;
            }
            return false;
        }
        let connection = stream.get_ref().1;
        self.exporter = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok();
        self.stream = Stream::Tls(Box::new(stream));
        true
    }

    pub(crate) async fn say(&mut self, text: &str) {
        let bytes = format!("{text}\r\n");
        // Who is gone is noticed when reading.
        let _gone = match &mut self.stream {
            Stream::Clear(stream) => stream.write_all(bytes.as_bytes()).await,
            Stream::Tls(stream) => match stream.write_all(bytes.as_bytes()).await {
                Ok(()) => stream.flush().await,
                Err(error) => Err(error),
            },
            Stream::Gone => Ok(()),
        };
    }

    pub(crate) async fn more(&mut self) -> bool {
        let mut space = [0; 8192];
        let read = match &mut self.stream {
            Stream::Clear(stream) => stream.read(&mut space).await,
            Stream::Tls(stream) => stream.read(&mut space).await,
            Stream::Gone => Ok(0),
        };
        match read {
            Ok(count) if count > 0 => {
                self.pending.extend_from_slice(&space[..count]);
                true
            }
            _ => false,
        }
    }

    /// The next line, as text; `None` at the end, or where it is longer than `most`.
    pub(crate) async fn line(&mut self, most: usize) -> Option<String> {
        self.line_bytes(most).await.map(|line| String::from_utf8_lossy(&line).into_owned())
    }

    pub(crate) async fn line_bytes(&mut self, most: usize) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.pending.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Some(line);
            }
            if self.pending.len() > most || !self.more().await {
                return None;
            }
        }
    }

    pub(crate) async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.pending.len() < count {
            if !self.more().await {
                return None;
            }
        }
        Some(self.pending.drain(..count).collect())
    }

    /// Everything up to one of the ends, which is taken as well.
    pub(crate) async fn until(&mut self, ends: &[&[u8]]) -> Option<Vec<u8>> {
        let mut from = 0_usize;
        loop {
            for at in from..self.pending.len() {
                for end in ends {
                    if self.pending[..=at].ends_with(end) {
                        return Some(self.pending.drain(..=at).collect());
                    }
                }
            }
            from = self.pending.len();
            if !self.more().await {
                return None;
            }
        }
    }
}
