//! TLS as a client that records what it is shown instead of judging it; and the judging, apart.

use super::KnockError;
use mailward_core::Timestamp;
use mailward_core::limits::{DOMAIN_MAX, KNOCK_CHAIN_MAX, KNOCK_CONNECT_TIME};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Version;

/// What a client offers when TLS begins. Clones share what they remember of each other's sessions.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    only_tls12: bool,
    resumes: bool,
    keys: bool,
    made: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// What a server showed when TLS began. Not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The cipher suite.
    pub suite: String,
    /// The server's certificate and those that came with it, DER, at most `limits::KNOCK_CHAIN_MAX`.
    pub chain: Vec<Vec<u8>>,
    /// Keying material for channel binding (RFC 9266 §2).
    pub exporter: Option<[u8; 32]>,
    /// Whether it takes data before the handshake is over (RFC 8446 §2.3): seen at a second connection only.
    pub early_data: bool,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

impl Offer {
    /// Keeps tickets, and would send data early where a ticket allows it.
    pub fn resuming() -> Self {
        Self { resumes: true, ..Self::default() }
    }

    /// TLS 1.2 alone, of which the keys may be had, for what is done below its records.
    pub(super) fn old_with_keys() -> Self {
        Self { only_tls12: true, keys: true, ..Self::default() }
    }

    /// Begins TLS on a connection.
    ///
    /// # Errors
    /// [`KnockError::Tls`].
    pub(super) async fn begin(
        self,
        stream: TcpStream,
        name: &str,
    ) -> Result<(TlsStream<TcpStream>, Shown), KnockError> {
        let broken = |why: String| KnockError::Tls(why);
        let config = self.config()?;
        let server = ServerName::try_from(name.to_owned()).map_err(|_| broken(format!("{name} is no name")))?;
        let mut early_data = false;
        let connecting = tokio_rustls::TlsConnector::from(config).connect_with(server, stream, |connection| {
            early_data = connection.early_data().is_some();
        });
        let stream = timeout(KNOCK_CONNECT_TIME, connecting)
            .await
            .map_err(|_late| broken("not within the time for it".to_owned()))?
            .map_err(|error| broken(error.to_string()))?;
        let connection = stream.get_ref().1;
        let chain = connection.peer_certificates().unwrap_or_default();
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "unknown",
        };
        let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown");
        let shown = Shown {
            version: version.to_owned(),
            // IANA's name, of which rustls has a variant of its own.
            suite: suite.replacen("TLS13_", "TLS_", 1),
            chain: chain.iter().take(KNOCK_CHAIN_MAX).map(|one| one.to_vec()).collect(),
            exporter: connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok(),
            early_data,
        };
        Ok((stream, shown))
    }

    /// The same for all clones: rustls resumes nothing that another verifier let through.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, KnockError> {
        const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
        const OLD: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
        if let Some(made) = self.made.get() {
            return Ok(Arc::clone(made));
        }
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        if self.keys {
            // What is done with them is done with this cipher.
            provider.cipher_suites.retain(|suite| suite.suite().as_str().is_some_and(|name| name.contains("_GCM_")));
        }
        let provider = Arc::new(provider);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(if self.only_tls12 { OLD } else { BOTH })
            .map_err(|error| KnockError::Tls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Recorder { provider }))
            .with_no_client_auth();
        config.enable_secret_extraction = self.keys;
        config.enable_early_data = self.resumes;
        if !self.resumes {
            config.resumption = rustls::client::Resumption::disabled();
        }
        Ok(Arc::clone(self.made.get_or_init(|| Arc::new(config))))
    }
}

/// Takes every chain; whoever shows a certificate must have its key all the same.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms).or_else(|error| let_by(certificate, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms).or_else(|error| let_by(certificate, error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What no verifier of today reads is recorded all the same: certificates older than version 3, and RSA keys below 2,048 bits. That they
/// prove nothing is what they are judged for.
fn let_by(certificate: &CertificateDer<'_>, error: rustls::Error) -> Result<HandshakeSignatureValid, rustls::Error> {
    let is_old = X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| {
        let is_short = matches!(parsed.public_key().parsed(), Ok(PublicKey::RSA(key)) if key.key_size() < 2048);
        parsed.version() != X509Version::V3 || is_short
    });
    if is_old { Ok(HandshakeSignatureValid::assertion()) } else { Err(error) }
}

/// Whose certificates are trusted. The default trusts nobody.
#[derive(Clone, Default)]
pub struct Anchors(Option<Arc<WebPkiServerVerifier>>);

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Anchors(some)" } else { "Anchors(none)" })
    }
}

impl Anchors {
    /// The authorities that this system trusts, and those of PEM text: an authority of one's own, for trials.
    pub fn system_and(pem: &[u8]) -> Self {
        let mut roots = RootCertStore::empty();
        let (_added, _unreadable) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::with(roots, pem)
    }

    /// The authorities of PEM text alone.
    pub fn only(pem: &[u8]) -> Self {
        Self::with(RootCertStore::empty(), pem)
    }

    fn with(mut roots: RootCertStore, pem: &[u8]) -> Self {
        let more: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
        let (_added, _unreadable) = roots.add_parsable_certificates(more);
        Self(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok())
    }

    /// Whether anybody is trusted: without, nothing can be told of a chain.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Why a chain doesn't prove a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Untrusted(String);

/// Judges a chain: whether the anchors stand behind it, for this name, at this time (RFC 5280 §6, RFC 9525).
///
/// # Errors
/// [`Untrusted`] says why not.
pub fn judge(chain: &[Vec<u8>], name: &str, anchors: &Anchors, at: Timestamp) -> Result<(), Untrusted> {
    let no = |why: &str| Untrusted(why.to_owned());
    let verifier = anchors.0.as_ref().ok_or_else(|| no("nobody is trusted here"))?;
    let certificates: Vec<CertificateDer<'_>> = chain.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
    let (leaf, above) = certificates.split_first().ok_or_else(|| no("it showed no certificate"))?;
    let server = ServerName::try_from(name).map_err(|_| no("there is no name to look for"))?;
    let now = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(at.0).unwrap_or(0)));
    let found = verifier.verify_server_cert(leaf, above, &server, &[], now);
    found.map(drop).map_err(|error| Untrusted(mailward_tls::outbound::Unproved::from(error).to_string()))
}

/// What one certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The names and addresses that it stands for. Hostile.
    pub names: Vec<String>,
    /// Who signed it, as it says: organisation, or else common name. Hostile.
    pub issuer: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Its key.
    pub key: Key,
    /// The object identifier of the algorithm that it is signed with.
    pub signature: String,
    /// Whether it says that it was made by itself: issuer and subject are one (RFC 5280 §3.2).
    pub self_signed: bool,
}

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// RSA, with so many bits.
    Rsa(usize),
    /// On an elliptic curve, with so many bits.
    Curve(usize),
    /// Ed25519 or Ed448.
    Edwards,
    /// Anything else.
    Other,
}

impl Key {
    /// RSA of 2048 bits or more, P-256 or larger, Ed25519, Ed448.
    pub const fn is_strong(self) -> bool {
        match self {
            Key::Rsa(bits) => bits >= 2048,
            Key::Curve(bits) => bits >= 256,
            Key::Edwards => true,
            Key::Other => false,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Rsa(bits) => write!(f, "RSA {bits}"),
            Key::Curve(bits) => write!(f, "a curve of {bits} bits"),
            Key::Edwards => f.write_str("Ed25519 or Ed448"),
            Key::Other => f.write_str("a key of an unknown kind"),
        }
    }
}

impl Certificate {
    /// Whether it is signed over SHA-256 or better (RFC 9155 took out SHA-1 and MD5).
    pub fn is_signed_well(&self) -> bool {
        // sha256/384/512WithRSAEncryption, RSASSA-PSS, ecdsa-with-SHA256/384/512, Ed25519, Ed448.
        const GOOD: [&str; 9] = [
            "1.2.840.113549.1.1.11",
            "1.2.840.113549.1.1.12",
            "1.2.840.113549.1.1.13",
            "1.2.840.113549.1.1.10",
            "1.2.840.10045.4.3.2",
            "1.2.840.10045.4.3.3",
            "1.2.840.10045.4.3.4",
            "1.3.101.112",
            "1.3.101.113",
        ];
        GOOD.contains(&self.signature.as_str())
    }
}

/// Reads a certificate, DER.
///
/// # Errors
/// [`KnockError::Odd`] if it is none.
pub fn certificate(der: &[u8]) -> Result<Certificate, KnockError> {
    let (_, parsed) = X509Certificate::from_der(der).map_err(|_| KnockError::Odd("what it shows is no certificate"))?;
    let mut names = Vec::new();
    for extension in parsed.extensions() {
        let ParsedExtension::SubjectAlternativeName(alternatives) = extension.parsed_extension() else { continue };
        for name in &alternatives.general_names {
            match name {
                GeneralName::DNSName(name) => names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => names.extend(address(bytes)),
                _ => {}
            }
        }
    }
    let key = match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Key::Rsa(key.key_size()),
        Ok(PublicKey::EC(point)) => Key::Curve(point.key_size()),
        _ => match parsed.public_key().algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" | "1.3.101.113" => Key::Edwards,
            _ => Key::Other,
        },
    };
    let validity = parsed.validity();
    let by = parsed.issuer();
    let words = by.iter_organization().chain(by.iter_common_name()).find_map(|word| word.as_str().ok());
    Ok(Certificate {
        names,
        issuer: words.unwrap_or_default().chars().take(DOMAIN_MAX).collect(),
        serial: parsed.raw_serial_as_string(),
        from: Timestamp::from_secs(validity.not_before.timestamp()),
        until: Timestamp::from_secs(validity.not_after.timestamp()),
        key,
        signature: parsed.signature_algorithm.algorithm.to_id_string(),
        self_signed: parsed.issuer().as_raw() == parsed.subject().as_raw(),
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::IpAddr::from(four).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| std::net::IpAddr::from(sixteen).to_string())
}
