//! Checking a certificate against TLSA records (RFC 6698, RFC 7671, for mail RFC 7672).

use crate::provider;
use aws_lc_rs::digest;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a TLSA record binds a name to. Only usages that mean something for mail (RFC 7672 §3.1): PKIX-TA(0) and
/// PKIX-EE(1) can't be told from nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Association {
    usage: Usage,
    selector: Selector,
    matching: Matching,
    data: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Usage {
    /// DANE-TA(2): somebody who signed it.
    TrustAnchor,
    /// DANE-EE(3): the server's own.
    EndEntity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Selector {
    /// Cert(0).
    Certificate,
    /// SPKI(1).
    PublicKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Matching {
    /// Full(0).
    Full,
    /// SHA2-256(1).
    Sha256,
    /// SHA2-512(2).
    Sha512,
}

impl Association {
    /// From a record's fields; `None` if it can't be used for mail: another usage, a selector or a matching type that
    /// isn't known, a hash of the wrong length, nothing at all.
    #[must_use]
    pub fn usable(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Option<Self> {
        let usage = match usage {
            2 => Usage::TrustAnchor,
            3 => Usage::EndEntity,
            _ => return None,
        };
        let selector = match selector {
            0 => Selector::Certificate,
            1 => Selector::PublicKey,
            _ => return None,
        };
        let (matching, fits) = match matching {
            0 => (Matching::Full, !data.is_empty()),
            1 => (Matching::Sha256, data.len() == 32),
            2 => (Matching::Sha512, data.len() == 64),
            _ => return None,
        };
        fits.then(|| Self { usage, selector, matching, data: data.to_vec() })
    }

    /// Whether it is about this certificate (DER).
    fn is_of(&self, certificate: &[u8]) -> bool {
        let selected = match self.selector {
            Selector::Certificate => certificate,
            Selector::PublicKey => match X509Certificate::from_der(certificate) {
                Ok((_, parsed)) => parsed.tbs_certificate.subject_pki.raw,
                Err(_) => return false,
            },
        };
        let hash = |algorithm| digest::digest(algorithm, selected).as_ref().ct_eq(&self.data).into();
        match self.matching {
            Matching::Full => selected.ct_eq(&self.data).into(),
            Matching::Sha256 => hash(&digest::SHA256),
            Matching::Sha512 => hash(&digest::SHA512),
        }
    }
}

/// Whether a server's chain is what the records bind it to. Of the server's own certificate (DANE-EE) neither names nor
/// dates count (RFC 7672 §3.1.1); one that is signed by a bound authority (DANE-TA) must be in date and have one of the
/// names (§3.1.2).
///
/// # Errors
/// Why it isn't, for people.
pub(crate) fn verify(
    associations: &[Association],
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    names: &[ServerName<'_>],
    now: UnixTime,
) -> Result<(), String> {
    if associations.iter().any(|one| one.usage == Usage::EndEntity && one.is_of(leaf)) {
        return Ok(());
    }
    let mut why = "its certificate is none that the TLSA records name".to_owned();
    for one in associations.iter().filter(|one| one.usage == Usage::TrustAnchor) {
        // A record that holds the authority's whole certificate needs none of the chain.
        let held = (one.selector == Selector::Certificate && one.matching == Matching::Full)
            .then(|| CertificateDer::from(one.data.clone()));
        let anchors = above.iter().cloned().chain(held).filter(|authority| one.is_of(authority));
        for anchor in anchors {
            match signed_by(anchor, leaf, above, names, now) {
                Ok(()) => return Ok(()),
                Err(error) => why = format!("the authority that the TLSA records name didn't sign it so: {error}"),
            }
        }
    }
    Err(why)
}

fn signed_by(
    anchor: CertificateDer<'_>,
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    names: &[ServerName<'_>],
    now: UnixTime,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(anchor.into_owned()).map_err(|e| e.to_string())?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().map_err(|e| e.to_string())?;
    any_name(&*verifier, leaf, above, names, now)
}

/// Whether a verifier takes a certificate for one of the names.
pub(crate) fn any_name(
    verifier: &dyn ServerCertVerifier,
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    names: &[ServerName<'_>],
    now: UnixTime,
) -> Result<(), String> {
    let mut why = "there is no name to look for".to_owned();
    for name in names {
        match verifier.verify_server_cert(leaf, above, name, &[], now) {
            Ok(_) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}
