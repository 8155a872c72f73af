//! TLS towards other mail servers: encrypted whatever the certificate, or only to whom it proves.
//!
//! Nobody's certificate is needed for opportunistic TLS (RFC 7435); what it would have proved is noted all the same, so
//! that the log and reports can tell.

use crate::dane;
use crate::error::TlsError;
use crate::{VERSIONS, provider};
use mailward_core::Domain;
use mailward_core::limits::TLS_HANDSHAKE_TIME;
use mailward_dns::Tlsa;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};

pub use tokio_rustls::client::TlsStream;

/// What a server has to prove before anything is told to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: any certificate will do, and none.
    Nothing,
    /// TLS, with any certificate (RFC 7672 §2.2, records that can't be used).
    Encrypted,
    /// A certificate for one of these names, of an authority that is trusted here (RFC 8461 §4.1).
    Names(Vec<String>),
    /// What DNS binds it to (RFC 7672), for one of these names.
    Dane(Vec<Tlsa>, Vec<Domain>),
}

/// What was agreed on, and what the certificate proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secured {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher: &'static str,
    /// What was proved: of [`Proof::Nothing`], whether the certificate would have stood for the name; why not.
    pub proved: Result<(), Unproved>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unproved {
    /// Of which kind.
    pub fault: Fault,
    /// In words.
    pub why: String,
}

/// What is wrong with a certificate, as far as reports tell it apart (RFC 8460 §4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It stands for other names.
    Name,
    /// Its time is over, or still to come.
    Expired,
    /// Nobody who is trusted has signed it.
    Untrusted,
    /// It doesn't fit what DANE binds the server to.
    Dane,
    /// Anything else.
    Other,
}

impl Unproved {
    fn new(fault: Fault, why: impl Into<String>) -> Self {
        Self { fault, why: why.into() }
    }
}

impl From<rustls::Error> for Unproved {
    fn from(error: rustls::Error) -> Self {
        use rustls::CertificateError as C;
        let fault = match &error {
            rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => Fault::Name,
            rustls::Error::InvalidCertificate(
                C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. },
            ) => Fault::Expired,
            rustls::Error::InvalidCertificate(
                C::UnknownIssuer | C::BadSignature | C::Revoked | C::UnknownRevocationStatus,
            ) => Fault::Untrusted,
            _ => Fault::Other,
        };
        Self::new(fault, error.to_string())
    }
}

/// Starts TLS with servers that mail is sent to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

impl Outbound {
    /// Trusts the authorities that the system does, for what has to be proved by name. Without any, nothing can be proved
    /// by name; that is told when it is tried.
    #[must_use]
    pub fn trusting_system() -> Self {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (_added, _unreadable) = roots.add_parsable_certificates(found.certs);
        Self::with(roots)
    }

    /// Trusts the authorities of PEM text and nobody else.
    ///
    /// # Errors
    /// [`TlsError::Chain`] if it holds no certificate.
    pub fn trusting(pem: &[u8]) -> Result<Self, TlsError> {
        let bad = |why: String| TlsError::Chain { what: "the authorities' certificates".to_owned(), why };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| bad(format!("not readable as PEM ({e})")))?;
            roots.add(certificate).map_err(|e| bad(e.to_string()))?;
        }
        if roots.is_empty() {
            return Err(bad("no certificate in it".to_owned()));
        }
        Ok(Self::with(roots))
    }

    fn with(roots: RootCertStore) -> Self {
        Self { authorities: WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok() }
    }

    /// Starts TLS with the server called `name`, within [`TLS_HANDSHAKE_TIME`].
    ///
    /// # Errors
    /// [`TlsError::Name`]; [`TlsError::Timeout`]; [`TlsError::Unproved`] if the certificate doesn't prove what it must;
    /// [`TlsError::Handshake`].
    pub async fn connect<S>(&self, stream: S, name: &str, proof: &Proof) -> Result<(TlsStream<S>, Secured), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let server = server_name(name)?;
        let judge = Arc::new(Judge {
            authorities: self.authorities.clone(),
            proof: match proof {
                Proof::Nothing | Proof::Encrypted => Demand::Nothing(server.clone()),
                Proof::Names(names) => Demand::Names(server_names(names)?),
                Proof::Dane(records, names) => Demand::Dane(records.clone(), names.clone()),
            },
            proved: Mutex::new(None),
        });
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&judge) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        // Each connection is judged by its own certificate.
        config.resumption = rustls::client::Resumption::disabled();
        let handshake = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(server, stream);
        let outcome = tokio::time::timeout(TLS_HANDSHAKE_TIME, handshake).await.map_err(|_| TlsError::Timeout)?;
        let proved = judge.proved.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (outcome, proved) {
            (Ok(stream), Some(proved)) => {
                let connection = stream.get_ref().1;
                let version = crate::wire::version_name(connection.protocol_version());
                let cipher = crate::wire::cipher_name(connection.negotiated_cipher_suite());
                Ok((stream, Secured { version, cipher, proved }))
            }
            // No suite of ours goes without a certificate.
            (Ok(_), None) => Err(Unproved::new(Fault::Other, "it showed no certificate").into()),
            (Err(_), Some(Err(why))) if matches!(proof, Proof::Names(_) | Proof::Dane(..)) => {
                Err(TlsError::Unproved(why))
            }
            (Err(error), _) => Err(TlsError::Handshake(error)),
        }
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))
}

fn server_names(names: &[String]) -> Result<Vec<ServerName<'static>>, TlsError> {
    names.iter().map(|name| server_name(name)).collect()
}

#[derive(Debug)]
enum Demand {
    Nothing(ServerName<'static>),
    Names(Vec<ServerName<'static>>),
    Dane(Vec<Tlsa>, Vec<Domain>),
}

/// Whether a verifier takes a certificate for one of the names.
fn any_name(
    verifier: &dyn ServerCertVerifier,
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    names: &[ServerName<'_>],
    now: UnixTime,
) -> Result<(), Unproved> {
    let mut why = Unproved::new(Fault::Name, "there is no name to look for");
    for name in names {
        match verifier.verify_server_cert(leaf, above, name, &[], now) {
            Ok(_) => return Ok(()),
            Err(error) => why = error.into(),
        }
    }
    Err(why)
}

/// Judges the certificate of one connection.
#[derive(Debug)]
struct Judge {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    proof: Demand,
    proved: Mutex<Option<Result<(), Unproved>>>,
}

impl Judge {
    fn by_authority(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        names: &[ServerName<'_>],
        now: UnixTime,
    ) -> Result<(), Unproved> {
        match &self.authorities {
            Some(authorities) => any_name(&**authorities, leaf, above, names, now),
            None => Err(Unproved::new(
                Fault::Untrusted,
                "this host trusts no authority (Debian: apt-get install ca-certificates)",
            )),
        }
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (needed, proved) = match &self.proof {
            Demand::Nothing(name) => (false, self.by_authority(leaf, above, std::slice::from_ref(name), now)),
            Demand::Names(names) => (true, self.by_authority(leaf, above, names, now)),
            Demand::Dane(records, names) => {
                let chain: Vec<_> = std::iter::once(leaf).chain(above).cloned().collect();
                let fitting = dane::fitting(records, &chain, names, now);
                (true, fitting.map(|_record| ()).map_err(|error| Unproved::new(Fault::Dane, error.to_string())))
            }
        };
        let good = !needed || proved.is_ok();
        *self.proved.lock().unwrap_or_else(PoisonError::into_inner) = Some(proved);
        if good {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
        }
    }

    // Whoever shows a certificate must have its key, whatever the certificate proves.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
