//! The server's certificate and key, replaceable while sessions run.

use crate::bindings::server_end_point;
use crate::error::TlsError;
use crate::{VERSIONS, provider};
use arc_swap::ArcSwap;
use mailward_core::{Clock, Protocol, SystemClock, Timestamp};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Largest certificate or key file that is read, bytes. A chain of ten RSA-8192 certificates has 40 KiB.
pub const PEM_FILE_MAX: u64 = 1024 * 1024;

/// Starts TLS on connections, with certificates that can be replaced while running. A clone, and a view made by
/// [`Acceptor::for_protocol`], share their certificates.
#[derive(Clone, Debug)]
pub struct Acceptor {
    current: Arc<ArcSwap<Certificates>>,
    protocol: Option<Protocol>,
}

/// One certificate and key, in a configuration for each protocol.
#[derive(Debug)]
struct Certificates {
    any: Arc<ServerConfig>,
    smtp: Arc<ServerConfig>,
    imap: Arc<ServerConfig>,
    pop3: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
    end_point: Option<Vec<u8>>,
    expires: Timestamp,
    serial: String,
}

/// A client that offers ALPN must offer one of these; one that offers none is served (RFC 7301 §3.2, attacks B8).
/// Exim offers both of the first, none of which IANA registered; `imap` and `pop3` are RFC 2595's.
const ALPN_SMTP: [&[u8]; 2] = [b"smtp", b"esmtp"];
const ALPN_IMAP: [&[u8]; 1] = [b"imap"];
const ALPN_POP3: [&[u8]; 1] = [b"pop3"];
/// HTTP/2 isn't spoken: browsers offer both.
const ALPN_HTTP: [&[u8]; 1] = [b"http/1.1"];

impl Acceptor {
    /// Takes a chain (the server's own certificate first) and its key, both PEM.
    ///
    /// # Errors
    /// [`TlsError`] says which of the two is wrong, how, and the mend.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::load(chain, key, "the certificate chain", "the private key", SystemClock.now())
    }
    /// Reads a chain and its key from PEM files.
    ///
    /// # Errors
    /// [`TlsError`] names the file, what is wrong, and the mend.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::from_files_at(chain, key, SystemClock.now())
    }
    /// [`Acceptor::from_files`] at a time of the caller's.
    ///
    /// # Errors
    /// See [`Acceptor::from_files`].
    pub fn from_files_at(chain: &Path, key: &Path, now: Timestamp) -> Result<Self, TlsError> {
        let (chain_pem, key_pem) = (read(chain)?, mailward_core::Secret::new(read(key)?));
        Self::load(&chain_pem, key_pem.expose(), &chain.display().to_string(), &key.display().to_string(), now)
    }

    fn load(chain: &[u8], key: &[u8], chain_name: &str, key_name: &str, now: Timestamp) -> Result<Self, TlsError> {
        let certificates = Certificates::new(chain, key, chain_name, key_name, now)?;
        Ok(Self { current: Arc::new(ArcSwap::from_pointee(certificates)), protocol: None })
    }

    /// Takes over the other's certificates for every handshake that begins from now on, here and in every clone and
    /// view. Sessions that run keep theirs.
    pub fn replace(&self, other: &Acceptor) {
        self.current.store(other.current.load_full());
    }
    /// A view with the same certificates for one protocol: a client that offers ALPN must offer this protocol's id.
    /// Without a view any of the mail protocols' ids is taken.
    #[must_use]
    pub fn for_protocol(&self, protocol: Protocol) -> Acceptor {
        Self { current: Arc::clone(&self.current), protocol: Some(protocol) }
    }
    /// When the certificate in use ends.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.current.load().expires
    }
    /// Serial number of the certificate in use, hexadecimal.
    #[must_use]
    pub fn serial(&self) -> String {
        self.current.load().serial.clone()
    }

    /// What the next handshake uses.
    pub(crate) fn current(&self) -> (Arc<ServerConfig>, Option<Vec<u8>>) {
        let current = self.current.load();
        let config = match self.protocol {
            None => &current.any,
            Some(Protocol::Smtp | Protocol::Submission | Protocol::Lmtp) => &current.smtp,
            Some(Protocol::Imap) => &current.imap,
            Some(Protocol::Pop3) => &current.pop3,
            Some(Protocol::Http) => &current.http,
        };
        (Arc::clone(config), current.end_point.clone())
    }
}

impl Certificates {
    fn new(
        chain_pem: &[u8],
        key_pem: &[u8],
        chain_name: &str,
        key_name: &str,
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        let bad_chain = |why: String| TlsError::Chain { what: chain_name.to_owned(), why };
        let bad_key = |why: String| TlsError::Key { what: key_name.to_owned(), why };

        let chain = CertificateDer::pem_slice_iter(chain_pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| bad_chain(format!("not readable as PEM ({e})")))?;
        let own = chain.first().ok_or_else(|| bad_chain("no certificate in it".to_owned()))?;
        let (_, parsed) =
            X509Certificate::from_der(own).map_err(|e| bad_chain(format!("the first certificate is broken ({e})")))?;
        let validity = parsed.validity();
        if Timestamp::from_secs(validity.not_after.timestamp()) <= now {
            return Err(TlsError::Expired { what: chain_name.to_owned(), date: validity.not_after.to_string() });
        }
        if Timestamp::from_secs(validity.not_before.timestamp()) > now {
            return Err(TlsError::NotYetValid { what: chain_name.to_owned(), date: validity.not_before.to_string() });
        }
        let expires = Timestamp::from_secs(validity.not_after.timestamp());
        let serial = parsed.raw_serial_as_string();
        let end_point = server_end_point(own);

        let key = PrivateKeyDer::from_pem_slice(key_pem)
            .map_err(|e| bad_key(format!("no private key readable in it ({e})")))?;
        let signer = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|e| bad_key(format!("the private key can't be used ({e})")))?;
        let certified = CertifiedKey::new(chain, signer);
        match certified.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
                return Err(TlsError::Mismatch { chain: chain_name.to_owned(), key: key_name.to_owned() });
            }
            Err(e) => return Err(bad_chain(format!("the first certificate is broken ({e})"))),
        }

        let certified = Arc::new(certified);
        Ok(Self {
            any: config(&certified, &[&ALPN_SMTP[..], &ALPN_IMAP, &ALPN_POP3].concat())?,
            smtp: config(&certified, &ALPN_SMTP)?,
            imap: config(&certified, &ALPN_IMAP)?,
            pop3: config(&certified, &ALPN_POP3)?,
            http: config(&certified, &ALPN_HTTP)?,
            end_point,
            expires,
            serial,
        })
    }
}

/// Resumption is kept in memory, per protocol and certificate: nothing outlives the process or a replacement, and
/// no ticket key exists that could be stolen (attacks B7). Early data stays off, which is rustls's default.
fn config(certified: &Arc<CertifiedKey>, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(certified))));
    config.alpn_protocols = alpn.iter().map(|id| id.to_vec()).collect();
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let named = |source| TlsError::Read { file: path.display().to_string(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(named)?;
    file.take(PEM_FILE_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(named)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > PEM_FILE_MAX {
        return Err(TlsError::TooLarge { file: path.display().to_string() });
    }
    Ok(bytes)
}
