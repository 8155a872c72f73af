//! The wire: bytes to and from a peer, whatever carries them.

use crate::acceptor::Acceptor;
use crate::bindings;
use crate::error::TlsError;
use mailward_core::limits::TLS_HANDSHAKE_TIME;
use mailward_vault::{Agreed, ChannelBindings};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// A connection to a peer: TCP, Unix socket or memory, plain or under TLS. [`AsyncRead`] and [`AsyncWrite`]; not
/// buffered beyond what TLS needs, so write whole replies, and flush after them: under TLS a write may leave bytes
/// behind that only a flush sends. `shutdown` says goodbye to TLS (close_notify) and closes the sending side.
#[derive(Debug)]
pub struct Wire(Inner);

#[derive(Debug)]
enum Inner {
    Plain(Plain),
    // Boxed: a TLS stream is a kilobyte, and most wires of an MX stay plain.
    Tls(Box<TlsStream<Plain>>, Box<TlsInfo>),
}

/// What was agreed on in the handshake.
#[derive(Clone, Debug)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name, as `Received` and the log show it.
    pub cipher: &'static str,
    /// The name the client asked for, if it said one (RFC 6066 §3). From outside.
    pub sni: Option<String>,
    /// What authentication may bind to.
    pub bindings: ChannelBindings,
}

impl Wire {
    /// Over TCP. Turns Nagle's delay off: the rooms write whole replies.
    #[must_use]
    pub fn tcp(stream: TcpStream) -> Self {
        // Only a matter of speed; a socket that refuses it still works.
        let _slower = stream.set_nodelay(true);
        Self(Inner::Plain(Plain::Tcp(stream)))
    }
    /// Over a Unix socket.
    #[must_use]
    pub fn unix(stream: UnixStream) -> Self {
        Self(Inner::Plain(Plain::Unix(stream)))
    }
    /// Through memory, for tests: [`tokio::io::duplex`] makes both ends.
    #[must_use]
    pub fn memory(stream: DuplexStream) -> Self {
        Self(Inner::Plain(Plain::Memory(stream)))
    }
    /// Starts TLS as the server. Whatever the caller has read and not yet used belongs to the time before TLS and
    /// must be dropped with the session by the caller (attacks B1). The whole handshake has
    /// [`TLS_HANDSHAKE_TIME`].
    ///
    /// # Errors
    /// [`TlsError::AlreadyActive`]; [`TlsError::Timeout`]; [`TlsError::Handshake`] says what the peer offered that
    /// could not be taken. The connection is closed in every case.
    pub async fn accept_tls(self, acceptor: &Acceptor) -> Result<Self, TlsError> {
        let Inner::Plain(plain) = self.0 else {
            return Err(TlsError::AlreadyActive);
        };
        let (config, end_point) = acceptor.current();
        let handshake = tokio_rustls::TlsAcceptor::from(config).accept(plain);
        let stream = tokio::time::timeout(TLS_HANDSHAKE_TIME, handshake)
            .await
            .map_err(|_| TlsError::Timeout)?
            .map_err(TlsError::Handshake)?;
        let info = TlsInfo::of(stream.get_ref().1, end_point);
        Ok(Self(Inner::Tls(Box::new(stream), Box::new(info))))
    }
    /// Whether the bytes are under TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.0, Inner::Tls(..))
    }
    /// What was agreed on, if the bytes are under TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsInfo> {
        match &self.0 {
            Inner::Plain(_) => None,
            Inner::Tls(_, info) => Some(info),
        }
    }
}

impl TlsInfo {
    fn of(connection: &rustls::ServerConnection, end_point: Option<Vec<u8>>) -> Self {
        let version = version_name(connection.protocol_version());
        let cipher = cipher_name(connection.negotiated_cipher_suite());
        let bindings = bindings::of(connection, end_point, Agreed { version, cipher });
        Self { version, cipher, sni: connection.server_name().map(str::to_owned), bindings }
    }
}

pub(crate) const fn version_name(version: Option<rustls::ProtocolVersion>) -> &'static str {
    match version {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        // The only other one in `VERSIONS`.
        _ => "TLSv1.2",
    }
}

/// The IANA registry's name of a suite.
pub(crate) fn cipher_name(suite: Option<rustls::SupportedCipherSuite>) -> &'static str {
    match suite.and_then(|suite| suite.suite().as_str()) {
        // rustls names TLS 1.3 suites TLS13_…; the registry writes TLS_….
        Some("TLS13_AES_128_GCM_SHA256") => "TLS_AES_128_GCM_SHA256",
        Some("TLS13_AES_256_GCM_SHA384") => "TLS_AES_256_GCM_SHA384",
        Some("TLS13_CHACHA20_POLY1305_SHA256") => "TLS_CHACHA20_POLY1305_SHA256",
        Some(other) => other,
        None => "",
    }
}

/// A connection before TLS.
#[derive(Debug)]
pub(crate) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
    Memory(DuplexStream),
}

/// Calls the same method on whatever carries the bytes.
macro_rules! plain {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Plain::Tcp($stream) => $call,
            Plain::Unix($stream) => $call,
            Plain::Memory($stream) => $call,
        }
    };
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        plain!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        plain!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        plain!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        plain!(self, stream => Pin::new(stream).poll_flush(cx))
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        plain!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// Calls the same method on the plain or the TLS stream.
macro_rules! wire {
    ($self:expr, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().0 {
            Inner::Plain($stream) => $call,
            Inner::Tls($stream, _) => $call,
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        wire!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        wire!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        wire!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        wire!(self, stream => Pin::new(stream).poll_flush(cx))
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        wire!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
