//! Computing channel bindings of a TLS session.

use aws_lc_rs::digest;
use mailward_vault::{Agreed, ChannelBindings};
use rustls::ProtocolVersion;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// RFC 9266 §2: the label, with an empty context.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// What a login on this connection may bind to.
pub(crate) fn of(
    connection: &rustls::ServerConnection,
    server_end_point: Option<Vec<u8>>,
    agreed: Agreed,
) -> ChannelBindings {
    // With TLS 1.2 the exporter is unique only under conditions (RFC 9266 §3) that clients don't tell us of.
    let exporter = (connection.protocol_version() == Some(ProtocolVersion::TLSv1_3))
        .then(|| connection.export_keying_material([0u8; 32], EXPORTER_LABEL, Some(&[])).ok())
        .flatten();
    ChannelBindings { exporter, server_end_point, agreed: Some(agreed) }
}

/// RFC 5929 §4.1: the hash of the certificate by the hash function of its signature, SHA-256 in place of MD5 and
/// SHA-1; undefined for signatures without a single hash function.
pub(crate) fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = hash_of_signature(&parsed)?;
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

fn hash_of_signature(certificate: &X509Certificate<'_>) -> Option<&'static digest::Algorithm> {
    let algorithm = &certificate.signature_algorithm;
    if let Ok(SignatureAlgorithm::RSASSA_PSS(params)) = SignatureAlgorithm::try_from(algorithm) {
        return hash_by_oid(params.hash_algorithm_oid());
    }
    // Names by RFC 3279, 4055 and 5758.
    match algorithm.algorithm.to_id_string().as_str() {
        // MD5 and SHA-1 with RSA, SHA-1 with ECDSA, and what is SHA-256 by itself.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.10045.4.1"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.3.2" => Some(&digest::SHA256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(&digest::SHA384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(&digest::SHA512),
        _ => None,
    }
}

fn hash_by_oid(oid: &Oid<'_>) -> Option<&'static digest::Algorithm> {
    match oid.to_id_string().as_str() {
        // MD5, SHA-1, SHA-256.
        "1.2.840.113549.2.5" | "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => Some(&digest::SHA256),
        "2.16.840.1.101.3.4.2.2" => Some(&digest::SHA384),
        "2.16.840.1.101.3.4.2.3" => Some(&digest::SHA512),
        _ => None,
    }
}
