//! Checking a certificate against TLSA records (RFC 6698, RFC 7671, for mail RFC 7672).

use crate::provider;
use aws_lc_rs::digest;
use mailward_dns::{Matching, Selector, Tlsa, Usage};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Whether a record is about this certificate (DER).
fn is_of(record: &Tlsa, certificate: &[u8]) -> bool {
    let selected = match record.selector {
        Selector::Certificate => certificate,
        Selector::PublicKey => match X509Certificate::from_der(certificate) {
            Ok((_, parsed)) => parsed.tbs_certificate.subject_pki.raw,
            Err(_) => return false,
        },
    };
    let hash = |algorithm| digest::digest(algorithm, selected).as_ref().ct_eq(&record.data).into();
    match record.matching {
        Matching::Exact => selected.ct_eq(&record.data).into(),
        Matching::Sha256 => hash(&digest::SHA256),
        Matching::Sha512 => hash(&digest::SHA512),
    }
}

/// Whether a server's chain is what the records bind it to. Of the server's own certificate (DANE-EE) neither names nor
/// dates count (RFC 7672 §3.1.1); one that is signed by a bound authority (DANE-TA) must be in date and have one of the
/// names (§3.1.2).
///
/// # Errors
/// Why it isn't, for people.
pub(crate) fn verify(
    records: &[Tlsa],
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    names: &[ServerName<'_>],
    now: UnixTime,
) -> Result<(), String> {
    if records.iter().any(|one| one.usage == Usage::EndEntity && is_of(one, leaf)) {
        return Ok(());
    }
    let mut why = "its certificate is none that the TLSA records name".to_owned();
    for one in records.iter().filter(|one| one.usage == Usage::Anchor) {
        // A record that holds the authority's whole certificate needs none of the chain.
        let held = (one.selector == Selector::Certificate && one.matching == Matching::Exact)
            .then(|| CertificateDer::from(one.data.clone()));
        let anchors = above.iter().cloned().chain(held).filter(|authority| is_of(one, authority));
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
