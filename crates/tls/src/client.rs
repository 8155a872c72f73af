//! The client's side of TLS, as far as the house needs it: self-checks, load programs and tests.

use crate::error::TlsError;
use crate::{VERSIONS, provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

pub use tokio_rustls::client::TlsStream;

/// Starts TLS towards servers whose certificates an authority of ours signed.
#[derive(Clone)]
pub struct Connector(tokio_rustls::TlsConnector);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

/// Which versions a [`Connector`] offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.3 and 1.2.
    #[default]
    Both,
    /// TLS 1.2 alone.
    Tls12,
}

impl Connector {
    /// Trusts the authorities of a PEM file and nobody else; offers these ALPN ids, if any.
    ///
    /// # Errors
    /// [`TlsError::Chain`] if it holds no certificate.
    pub fn trusting(authority_pem: &[u8], alpn: &[&[u8]], versions: Versions) -> Result<Self, TlsError> {
        let bad = |why: String| TlsError::Chain { what: "the authority's certificate".to_owned(), why };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority_pem) {
            let certificate = certificate.map_err(|e| bad(format!("not readable as PEM ({e})")))?;
            roots.add(certificate).map_err(|e| bad(e.to_string()))?;
        }
        if roots.is_empty() {
            return Err(bad("no certificate in it".to_owned()));
        }
        let only_12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
        let versions = match versions {
            Versions::Both => VERSIONS,
            Versions::Tls12 => only_12,
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|id| id.to_vec()).collect();
        Ok(Self(Arc::new(config).into()))
    }
    /// Starts TLS with the server called `name` (a domain or an IP address). The caller sets the deadline.
    ///
    /// # Errors
    /// [`TlsError::Name`]; [`TlsError::Handshake`].
    pub async fn connect<S>(&self, stream: S, name: &str) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let server = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        self.0.connect(server, stream).await.map_err(TlsError::Handshake)
    }
}
