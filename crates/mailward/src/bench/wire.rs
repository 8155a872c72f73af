//! A connection of a load program that reads much: blocking, one large buffer, lines by memchr, literals by count.
//!
//! Blocking on purpose: a client that waits in one read has no event loop between the server's answer and its clock.

use super::BenchError;
use memchr::memchr;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bytes read ahead.
const BUFFER: usize = 256 * 1024;
/// Longest line that is taken: a SEARCH that finds a million messages is 8 MB.
const LINE_MAX: usize = 32 * 1024 * 1024;
/// Characters of a server's words that an error shows.
const SHOWN_MAX: usize = 160;

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Off,
    /// From the first byte.
    Implicit,
    /// By STARTTLS or STLS.
    Starttls,
}

/// Which server, and how to reach it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
    /// PEM file of the authority to trust; without it any certificate will do.
    pub(crate) ca: Option<PathBuf>,
    /// Name that the certificate must have, if `ca` is given; else the host's.
    pub(crate) tls_name: Option<String>,
    /// Longest silence of the server.
    pub(crate) timeout: Duration,
}

/// A target with its TLS settings made, for many connections.
#[derive(Clone)]
pub(crate) struct Dialler {
    target: Target,
    config: Option<Arc<ClientConfig>>,
    name: ServerName<'static>,
}

impl Dialler {
    pub(crate) fn new(target: &Target) -> Result<Self, BenchError> {
        let name = target.tls_name.clone().unwrap_or_else(|| target.host.clone());
        let name = ServerName::try_from(name.clone())
            .map_err(|_| BenchError::Option(format!("{name}: a certificate can't have this name")))?;
        let config = match (target.tls, &target.ca) {
            (Tls::Off, _) => None,
            (_, None) => Some(any_certificate()),
            (_, Some(file)) => Some(trusting(file)?),
        };
        Ok(Self { target: target.clone(), config, name })
    }

    /// Connects; with implicit TLS the handshake is done by the first read.
    pub(crate) fn connect(&self) -> Result<Wire, BenchError> {
        let Target { host, port, timeout, .. } = &self.target;
        let resolve = |source| BenchError::Resolve { host: host.clone(), source };
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        // Each address in turn: `localhost` has two, and a server may listen on one of them.
        for address in (host.as_str(), *port).to_socket_addrs().map_err(resolve)? {
            match TcpStream::connect_timeout(&address, *timeout) {
                Ok(stream) => {
                    let set = stream
                        .set_nodelay(true)
                        .and_then(|()| stream.set_read_timeout(Some(*timeout)))
                        .and_then(|()| stream.set_write_timeout(Some(*timeout)));
                    set.map_err(|source| BenchError::Connection { doing: "connecting", source })?;
                    let wire = Wire { stream: Stream::Plain(stream), input: vec![0; BUFFER], start: 0, end: 0 };
                    return if self.target.tls == Tls::Implicit { self.secure(wire) } else { Ok(wire) };
                }
                Err(e) => last = e,
            }
        }
        Err(BenchError::Connection { doing: "connecting", source: last })
    }

    /// Whether TLS is to be asked for in the protocol.
    pub(crate) fn starts_tls(&self) -> bool {
        self.target.tls == Tls::Starttls
    }

    /// Starts TLS on a plain connection.
    pub(crate) fn secure(&self, wire: Wire) -> Result<Wire, BenchError> {
        let (Some(config), Stream::Plain(stream)) = (&self.config, wire.stream) else {
            return Err(BenchError::Option("TLS can't be started here".to_owned()));
        };
        let tls = ClientConnection::new(Arc::clone(config), self.name.clone())
            .map_err(|e| BenchError::Option(format!("TLS: {e}")))?;
        Ok(Wire { stream: Stream::Tls(Box::new(StreamOwned::new(tls, stream))), input: wire.input, start: 0, end: 0 })
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// An open connection and what was read ahead.
pub(crate) struct Wire {
    stream: Stream,
    input: Vec<u8>,
    /// What is read and not taken lies in `start..end`.
    start: usize,
    end: usize,
}

impl Wire {
    /// Sends all of it.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), BenchError> {
        let sent = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        sent.map_err(|source| BenchError::Connection { doing: "sending", source })
    }

    /// The next line, with its CRLF.
    pub(crate) fn line(&mut self) -> Result<&[u8], BenchError> {
        let mut looked = 0_usize;
        loop {
            let ahead = self.input.get(self.start..self.end).unwrap_or_default();
            if let Some(at) = memchr(b'\n', ahead.get(looked..).unwrap_or_default()) {
                let from = self.start;
                self.start = from.saturating_add(looked).saturating_add(at).saturating_add(1);
                return Ok(self.input.get(from..self.start).unwrap_or_default());
            }
            looked = ahead.len();
            self.fill()?;
        }
    }

    /// Throws away so many bytes.
    pub(crate) fn skip(&mut self, bytes: u64) -> Result<(), BenchError> {
        let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
        loop {
            let here = left.min(self.end.saturating_sub(self.start));
            self.start = self.start.saturating_add(here);
            left = left.saturating_sub(here);
            if left == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Reads once, behind what is there.
    fn fill(&mut self) -> Result<(), BenchError> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.input.len() {
            if self.start > 0 {
                self.input.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end.saturating_sub(self.start));
            } else if self.input.len() < LINE_MAX {
                self.input.resize(self.input.len().saturating_mul(2), 0);
            } else {
                return Err(BenchError::server("reading", "a line without end"));
            }
        }
        let room = self.input.get_mut(self.end..).unwrap_or_default();
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(room),
            Stream::Tls(stream) => stream.read(room),
        };
        match read {
            Ok(0) => Err(BenchError::server("reading", "the server hung up")),
            Ok(bytes) => {
                self.end = self.end.saturating_add(bytes);
                Ok(())
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                Err(BenchError::server("reading", "no answer in time"))
            }
            Err(source) => Err(BenchError::Connection { doing: "reading", source }),
        }
    }
}

/// A server's words, fit for a terminal.
pub(crate) fn shown(words: &[u8]) -> String {
    String::from_utf8_lossy(words)
        .trim_end()
        .chars()
        .take(SHOWN_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    // Only fails if the provider knew no suite of either version.
    builder.with_safe_default_protocol_versions().unwrap_or_else(|_| ClientConfig::builder())
}

/// Every connection pays for its own handshake: what is resumed measures the resumption.
fn never_resumed(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

fn trusting(file: &std::path::Path) -> Result<Arc<ClientConfig>, BenchError> {
    let bad = |why: String| BenchError::Option(format!("{}: {why}", file.display()));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| bad(e.to_string()))? {
        roots.add(certificate.map_err(|e| bad(e.to_string()))?).map_err(|e| bad(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("no certificate in it".to_owned()));
    }
    Ok(never_resumed(builder().with_root_certificates(roots).with_no_client_auth()))
}

/// The TLS of a load test: any certificate will do, as nothing but made-up mail is sent.
pub(crate) fn any_certificate() -> Arc<ClientConfig> {
    let trusting = Arc::new(Trusting(rustls::crypto::aws_lc_rs::default_provider()));
    never_resumed(builder().dangerous().with_custom_certificate_verifier(trusting).with_no_client_auth())
}

/// Takes any certificate; the handshake's signature is checked all the same, as its cost belongs to the measurement.
#[derive(Debug)]
struct Trusting(rustls::crypto::CryptoProvider);

impl rustls::client::danger::ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A connection to something that says this and hangs up.
    fn saying(text: Vec<u8>) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || listener.accept().unwrap().0.write_all(&text));
        Dialler::new(&plain(port)).unwrap().connect().unwrap()
    }

    fn plain(port: u16) -> Target {
        let timeout = Duration::from_secs(20);
        Target { host: "127.0.0.1".to_owned(), port, tls: Tls::Off, ca: None, tls_name: None, timeout }
    }

    #[test]
    fn lines_longer_than_the_buffer_are_whole_and_so_is_what_follows() {
        let long = "x".repeat(BUFFER * 3);
        let mut wire = saying(format!("short\r\n{long}\r\nabcdefghijrest\r\n").into_bytes());
        assert_eq!(wire.line().unwrap(), b"short\r\n");
        assert_eq!(wire.line().unwrap().len(), long.len() + 2);
        wire.skip(10).unwrap();
        assert_eq!(wire.line().unwrap(), b"rest\r\n");
        assert!(wire.line().unwrap_err().to_string().contains("hung up"));
    }

    #[test]
    fn more_than_the_buffer_is_skipped() {
        let mut text = vec![b'\n'; BUFFER * 2 + 5];
        text.extend_from_slice(b"end\r\n");
        let mut wire = saying(text);
        wire.skip(u64::try_from(BUFFER * 2 + 5).unwrap()).unwrap();
        assert_eq!(wire.line().unwrap(), b"end\r\n");
    }

    #[test]
    fn a_servers_words_cannot_write_to_the_terminal() {
        assert_eq!(shown(b"550 no\x1b[2J\r\n"), "550 no [2J");
    }
}
