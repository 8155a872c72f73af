//! Whether a server's certificates fit what DANE demands (RFC 7671, RFC 7672 §3): pure functions over DER.
//!
//! What is left to the handshake: that the server has the key of its first certificate. A verifier that asks here must
//! check the handshake's signature as it would without DANE.

use crate::error::TlsError;
use aws_lc_rs::digest;
use mailward_core::Domain;
use mailward_core::limits::{TLS_CHAIN_MAX, TLSA_RECORDS_MAX};
use mailward_dns::{Matching, Selector, Tlsa, Usage};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Looks for a record that the certificates fit, and returns it.
///
/// `chain` is what the server sent, its own certificate first. `names` are those that may stand in it under a DANE-TA(2)
/// record: the TLSA base domain and the domain that the mail goes to (RFC 7672 §3.2.2). Under DANE-EE(3) only the record
/// counts: no name, no date, nobody's signature (§3.1.1).
///
/// # Errors
/// [`TlsError::Dane`] says why none fits; also for more certificates than `limits::TLS_CHAIN_MAX`, or more records than
/// `limits::TLSA_RECORDS_MAX`.
pub fn fitting<'a>(
    records: &'a [Tlsa],
    chain: &[CertificateDer<'_>],
    names: &[Domain],
    now: UnixTime,
) -> Result<&'a Tlsa, TlsError> {
    let Some((leaf, above)) = chain.split_first() else {
        return Err(TlsError::Dane("the server sent no certificate".to_owned()));
    };
    if chain.len() > TLS_CHAIN_MAX || records.len() > TLSA_RECORDS_MAX {
        return Err(TlsError::Dane(format!(
            "{} certificates and {} TLSA records; at most {TLS_CHAIN_MAX} and {TLSA_RECORDS_MAX} are looked at",
            chain.len(),
            records.len()
        )));
    }
    let own = |record: &&Tlsa| record.usage == Usage::EndEntity && matches(record, leaf);
    if let Some(record) = records.iter().find(own) {
        return Ok(record);
    }
    let mut why = "no certificate of the server fits a TLSA record of its DNS".to_owned();
    for record in records.iter().filter(|record| record.usage == Usage::Anchor) {
        for anchor in anchors(record, above) {
            match leads_to(leaf, above, &anchor, names, now) {
                Ok(()) => return Ok(record),
                Err(error) => why = format!("the authority fits TLSA record {record}, but {error}"),
            }
        }
    }
    Err(TlsError::Dane(why))
}

/// Certificates that a record makes an authority: those of the server's that fit, and the one in the record itself.
fn anchors(record: &Tlsa, above: &[CertificateDer<'_>]) -> Vec<CertificateDer<'static>> {
    let mut anchors: Vec<CertificateDer<'static>> =
        above.iter().filter(|one| matches(record, one)).map(|one| one.clone().into_owned()).collect();
    if anchors.is_empty() && record.selector == Selector::Certificate && record.matching == Matching::Exact {
        anchors.push(CertificateDer::from(record.data.clone()));
    }
    anchors
}

/// Whether a certificate is the one that a record is about.
fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let Ok((rest, parsed)) = X509Certificate::from_der(certificate) else { return false };
    // What stands behind a certificate is no part of it.
    if !rest.is_empty() {
        return false;
    }
    let part = match record.selector {
        Selector::Certificate => certificate.as_ref(),
        Selector::PublicKey => parsed.tbs_certificate.subject_pki.raw,
    };
    match record.matching {
        Matching::Exact => part == record.data.as_slice(),
        Matching::Sha256 => digest::digest(&digest::SHA256, part).as_ref() == record.data.as_slice(),
        Matching::Sha512 => digest::digest(&digest::SHA512, part).as_ref() == record.data.as_slice(),
    }
}

/// Whether a certificate is a server's, valid now, for one of the names, and signed by an authority or by those below it.
fn leads_to(
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    anchor: &CertificateDer<'static>,
    names: &[Domain],
    now: UnixTime,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone()).map_err(|error| error.to_string())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crate::provider())
        .build()
        .map_err(|error| error.to_string())?;
    let mut why = "there is no name to look for in the server's certificate".to_owned();
    for name in names {
        let server = ServerName::try_from(name.as_str()).map_err(|error| error.to_string())?;
        match verifier.verify_server_cert(leaf, above, &server, &[], now) {
            Ok(_) => return Ok(()),
            Err(error) => why = format!("the server's certificate doesn't: {error}"),
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority;
    use proptest::prelude::*;
    use rustls::pki_types::pem::PemObject;
    use std::time::{Duration, SystemTime};

    const NAME: &str = "mx.example.org";

    /// A server's certificate and its authority's.
    fn chain() -> Vec<CertificateDer<'static>> {
        let made = authority::create(&["example.org"], SystemTime::now()).unwrap();
        let issued = authority::issue(&made, &[NAME], SystemTime::now()).unwrap();
        CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes()).map(Result::unwrap).collect()
    }

    fn record(usage: Usage, selector: Selector, matching: Matching, certificate: &CertificateDer<'_>) -> Tlsa {
        let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
        let part = match selector {
            Selector::Certificate => certificate.as_ref(),
            Selector::PublicKey => parsed.tbs_certificate.subject_pki.raw,
        };
        let data = match matching {
            Matching::Exact => part.to_vec(),
            Matching::Sha256 => digest::digest(&digest::SHA256, part).as_ref().to_vec(),
            Matching::Sha512 => digest::digest(&digest::SHA512, part).as_ref().to_vec(),
        };
        Tlsa { usage, selector, matching, data }
    }

    fn every_form(usage: Usage, certificate: &CertificateDer<'_>) -> Vec<Tlsa> {
        let mut all = Vec::new();
        for selector in [Selector::Certificate, Selector::PublicKey] {
            for matching in [Matching::Exact, Matching::Sha256, Matching::Sha512] {
                all.push(record(usage, selector, matching, certificate));
            }
        }
        all
    }

    fn names(texts: &[&str]) -> Vec<Domain> {
        texts.iter().map(|text| Domain::parse(text).unwrap()).collect()
    }

    fn fits(records: &[Tlsa], chain: &[CertificateDer<'_>], at: &[&str]) -> Result<Tlsa, String> {
        fitting(records, chain, &names(at), UnixTime::now()).cloned().map_err(|error| error.to_string())
    }

    #[test]
    fn a_hosts_own_certificate_fits_in_every_form_whatever_its_names_and_dates() {
        let chain = chain();
        let long_after = UnixTime::since_unix_epoch(Duration::from_secs(1 << 35));
        for record in every_form(Usage::EndEntity, &chain[0]) {
            assert_eq!(fits(std::slice::from_ref(&record), &chain[..1], &["other.example"]), Ok(record.clone()));
            assert!(fitting(&[record], &chain, &[], long_after).is_ok());
        }
    }

    #[test]
    fn an_authority_above_it_fits_in_every_form_if_a_name_does() {
        let chain = chain();
        for record in every_form(Usage::Anchor, &chain[1]) {
            assert_eq!(fits(std::slice::from_ref(&record), &chain, &["example.org", NAME]), Ok(record.clone()));
            let wrong = fits(std::slice::from_ref(&record), &chain, &["other.example"]).unwrap_err();
            assert!(wrong.contains("the authority fits TLSA record 2"), "{wrong}");
            assert!(fits(&[record], &chain, &[]).is_err());
        }
    }

    #[test]
    fn under_an_authority_dates_count() {
        let chain = chain();
        let records = every_form(Usage::Anchor, &chain[1]);
        let long_after = UnixTime::since_unix_epoch(Duration::from_secs(1 << 35));
        assert!(fitting(&records, &chain, &names(&[NAME]), long_after).is_err());
    }

    #[test]
    fn an_authority_that_the_server_doesnt_send_may_stand_in_the_record_whole() {
        let chain = chain();
        let whole = record(Usage::Anchor, Selector::Certificate, Matching::Exact, &chain[1]);
        assert!(fits(&[whole], &chain[..1], &[NAME]).is_ok());
        let digest = record(Usage::Anchor, Selector::Certificate, Matching::Sha256, &chain[1]);
        assert!(fits(&[digest], &chain[..1], &[NAME]).is_err());
    }

    #[test]
    fn anothers_certificates_fit_nothing_and_one_cant_stand_in_the_others_place() {
        let (ours, theirs) = (chain(), chain());
        let mut records = every_form(Usage::EndEntity, &theirs[0]);
        records.extend(every_form(Usage::Anchor, &theirs[1]));
        assert!(fits(&records, &ours, &[NAME]).is_err());
        // The right authority in the chain, which didn't sign the server's certificate.
        assert!(fits(&records, &[ours[0].clone(), theirs[1].clone()], &[NAME]).is_err());
        // A record for the authority says nothing of a host, and the other way round.
        assert!(fits(&every_form(Usage::EndEntity, &ours[1]), &ours, &[NAME]).is_err());
        assert!(fits(&every_form(Usage::Anchor, &ours[0]), &ours, &[NAME]).is_err());
    }

    #[test]
    fn one_record_that_fits_among_others_is_enough() {
        let (ours, theirs) = (chain(), chain());
        let mut records = every_form(Usage::Anchor, &theirs[1]);
        records.push(record(Usage::EndEntity, Selector::PublicKey, Matching::Sha256, &ours[0]));
        assert_eq!(fits(&records, &ours, &[NAME]).unwrap().to_string(), "3 1 1");
    }

    #[test]
    fn nothing_junk_and_more_than_anyone_sends_fit_nothing() {
        let chain = chain();
        let records = every_form(Usage::EndEntity, &chain[0]);
        assert!(fits(&records, &[], &[NAME]).is_err());
        assert!(fits(&records, &[CertificateDer::from(vec![0x30, 0x80])], &[NAME]).is_err());
        let mut long = chain.clone();
        long.resize(TLS_CHAIN_MAX, chain[1].clone());
        assert!(fits(&records, &long, &[NAME]).is_ok());
        long.push(chain[1].clone());
        assert!(fits(&records, &long, &[NAME]).unwrap_err().contains("at most"));
        let many = vec![records[0].clone(); TLSA_RECORDS_MAX + 1];
        assert!(fits(&many, &chain, &[NAME]).unwrap_err().contains("at most"));
        // Bytes behind the certificate.
        let mut tail = chain[0].to_vec();
        tail.push(0);
        let tail = CertificateDer::from(tail);
        let by_key = record(Usage::EndEntity, Selector::PublicKey, Matching::Sha256, &chain[0]);
        assert!(fits(&[by_key], &[tail], &[NAME]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_certificate_makes_it_panic_or_fits_by_chance(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), flip in 1_u8..,
        ) {
            let chain = chain();
            let mut records = every_form(Usage::EndEntity, &chain[0]);
            records.extend(every_form(Usage::Anchor, &chain[1]));
            prop_assert!(fits(&records, &[CertificateDer::from(bytes.clone())], &[NAME]).is_err());
            prop_assert!(fits(&records, &[CertificateDer::from(bytes), chain[1].clone()], &[NAME]).is_err());
            // One byte changed: the whole never fits, whatever its key does.
            let mut changed = chain[0].to_vec();
            let at = at.index(changed.len());
            changed[at] ^= flip;
            let whole = record(Usage::EndEntity, Selector::Certificate, Matching::Sha256, &chain[0]);
            prop_assert!(fits(&[whole], &[CertificateDer::from(changed)], &[NAME]).is_err());
        }
    }
}
