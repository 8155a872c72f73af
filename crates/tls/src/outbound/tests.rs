//! Servers with certificates of all kinds, and what they prove to us.

use super::*;
use crate::wire::Wire;
use crate::{Acceptor, authority};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use x509_parser::prelude::{FromDer as _, X509Certificate};

const NAME: &str = "mx.example.test";

/// A server's chain, leaf first, and its key.
struct Chain {
    der: Vec<Vec<u8>>,
    key: String,
}

struct Signer {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

fn signer(name: &str) -> Signer {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Signer { params, key, pem }
}

/// A chain of leaf and authority.
fn chain(signer: &Signer, name: &str, expired: bool) -> Chain {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &Issuer::from_params(&signer.params, &signer.key)).unwrap();
    let pem = format!("{}{}", leaf.pem(), signer.pem);
    let der = CertificateDer::pem_slice_iter(pem.as_bytes()).map(|one| one.unwrap().to_vec()).collect();
    Chain { der, key: key.serialize_pem() }
}

async fn meet(chain: &Chain, outbound: &Outbound, name: &str, proof: &Proof) -> Result<Secured, TlsError> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            chain.der.iter().map(|der| CertificateDer::from(der.clone())).collect(),
            rustls::pki_types::PrivateKeyDer::from_pem_slice(chain.key.as_bytes()).unwrap(),
        )
        .unwrap();
    let server = tokio::spawn(tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(theirs).into_fallible());
    let met = outbound.connect(ours, name, proof).await;
    drop(server.await.unwrap());
    met.map(|(_stream, secured)| secured)
}

fn spki(der: &[u8]) -> Vec<u8> {
    X509Certificate::from_der(der).unwrap().1.tbs_certificate.subject_pki.raw.to_vec()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

fn sha512(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, bytes).as_ref().to_vec()
}

fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
    Tlsa::usable(&mailward_dns::TlsaRecord { usage, selector, matching, data: data.to_vec() }).unwrap()
}

fn domains(names: &[&str]) -> Vec<Domain> {
    names.iter().map(|name| Domain::parse(name).unwrap()).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn any_certificate_will_do_where_nothing_is_asked_for_and_what_it_proved_is_told() {
    let ours = signer("ours");
    let trusting = Outbound::trusting(ours.pem.as_bytes()).unwrap();
    let good = meet(&chain(&ours, NAME, false), &trusting, NAME, &Proof::Nothing).await.unwrap();
    assert_eq!((good.version, good.proved), ("TLSv1.3", Ok(())));
    for bad in
        [chain(&ours, "other.example.test", false), chain(&ours, NAME, true), chain(&signer("else"), NAME, false)]
    {
        let secured = meet(&bad, &trusting, NAME, &Proof::Nothing).await.unwrap();
        assert!(secured.proved.is_err());
    }
    for (bad, fault) in [
        (chain(&ours, "other.example.test", false), Fault::Name),
        (chain(&ours, NAME, true), Fault::Expired),
        (chain(&signer("else"), NAME, false), Fault::Untrusted),
    ] {
        let secured = meet(&bad, &trusting, NAME, &Proof::Nothing).await.unwrap();
        assert_eq!(secured.proved.unwrap_err().fault, fault);
    }
}

#[tokio::test]
async fn a_name_is_proved_by_an_authority_that_is_trusted() {
    let ours = signer("ours");
    let trusting = Outbound::trusting(ours.pem.as_bytes()).unwrap();
    let asked = Proof::Names(names(&["else.example.test", NAME]));
    assert_eq!(meet(&chain(&ours, NAME, false), &trusting, NAME, &asked).await.unwrap().proved, Ok(()));
    for bad in
        [chain(&ours, "other.example.test", false), chain(&ours, NAME, true), chain(&signer("else"), NAME, false)]
    {
        let error = meet(&bad, &trusting, NAME, &asked).await.unwrap_err();
        assert!(matches!(error, TlsError::Unproved(_)), "{error}");
    }
    let none = meet(&chain(&ours, NAME, false), &trusting, NAME, &Proof::Names(Vec::new())).await.unwrap_err();
    assert!(matches!(none, TlsError::Unproved(_)), "{none}");
}

#[tokio::test]
async fn tlsa_records_bind_the_server_s_own_certificate_whatever_its_name_and_dates() {
    let ours = signer("ours");
    let trusting = Outbound::trusting(signer("nobody").pem.as_bytes()).unwrap();
    let server = chain(&ours, "other.example.test", true);
    let leaf = &server.der[0];
    for (selector, matching, data) in [
        (0, 0, leaf.clone()),
        (0, 1, sha256(leaf)),
        (0, 2, sha512(leaf)),
        (1, 0, spki(leaf)),
        (1, 1, sha256(&spki(leaf))),
        (1, 2, sha512(&spki(leaf))),
    ] {
        let record = tlsa(3, selector, matching, &data);
        let proof = Proof::Dane(vec![record], domains(&[NAME]));
        assert_eq!(meet(&server, &trusting, NAME, &proof).await.unwrap().proved, Ok(()), "{selector} {matching}");
        let mut other = data;
        other[7] ^= 1;
        let record = tlsa(3, selector, matching, &other);
        let error = meet(&server, &trusting, NAME, &Proof::Dane(vec![record], domains(&[NAME]))).await.unwrap_err();
        assert!(matches!(error, TlsError::Unproved(_)), "{error}");
    }
}

#[tokio::test]
async fn tlsa_records_bind_an_authority_and_then_name_and_dates_count() {
    let (ours, other) = (signer("ours"), signer("other"));
    let trusting = Outbound::trusting(signer("nobody").pem.as_bytes()).unwrap();
    let good = chain(&ours, NAME, false);
    let anchor = good.der[1].clone();
    let by_hash = tlsa(2, 1, 1, &sha256(&spki(&anchor)));
    let whole = tlsa(2, 0, 0, &anchor);
    for record in [by_hash.clone(), whole.clone()] {
        let proof = Proof::Dane(vec![record], domains(&["example.test", NAME]));
        assert_eq!(meet(&good, &trusting, NAME, &proof).await.unwrap().proved, Ok(()));
        for bad in [chain(&ours, "other.example.test", false), chain(&ours, NAME, true), chain(&other, NAME, false)] {
            assert!(meet(&bad, &trusting, NAME, &proof).await.is_err());
        }
    }
    // The authority isn't in the chain: known from the record that holds all of it, not from its hash.
    let mut alone = chain(&ours, NAME, false);
    alone.der.truncate(1);
    let proof = |record| Proof::Dane(vec![record], domains(&[NAME]));
    assert_eq!(meet(&alone, &trusting, NAME, &proof(whole)).await.unwrap().proved, Ok(()));
    assert!(meet(&alone, &trusting, NAME, &proof(by_hash)).await.is_err());
    // Somebody else who carries the bound certificate along isn't signed by it.
    let mut borrowed = chain(&other, NAME, false);
    borrowed.der.push(anchor.clone());
    let bound = tlsa(2, 0, 1, &sha256(&anchor));
    assert!(meet(&borrowed, &trusting, NAME, &proof(bound)).await.is_err());
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_from_who_proves_nothing() {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    tokio::io::AsyncWriteExt::write_all(&mut theirs, b"454 not now\r\n").await.unwrap();
    let outbound = Outbound::trusting(signer("ours").pem.as_bytes()).unwrap();
    let error = outbound.connect(ours, NAME, &Proof::Names(names(&[NAME]))).await.unwrap_err();
    assert!(matches!(error, TlsError::Handshake(_)), "{error}");
    let (ours, _theirs) = tokio::io::duplex(1024);
    let error = outbound.connect(ours, "no name", &Proof::Nothing).await.unwrap_err();
    assert!(matches!(error, TlsError::Name(_)), "{error}");
}

#[tokio::test]
async fn our_own_doors_are_met_as_others_are() {
    let now = std::time::SystemTime::now();
    let authority = authority::create(&["example.test"], now).unwrap();
    let issued = authority::issue(&authority, &[NAME], now).unwrap();
    let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(async move { Wire::memory(theirs).accept_tls(&acceptor).await.is_ok() });
    let outbound = Outbound::trusting(authority.certificate_pem.as_bytes()).unwrap();
    let (_stream, secured) = outbound.connect(ours, NAME, &Proof::Names(names(&[NAME]))).await.unwrap();
    assert_eq!(secured.proved, Ok(()));
    assert!(server.await.unwrap());
}
