//! An authority and certificates of our own, for hosts that have none yet: `demo`, and `setup` until a public
//! authority has signed. Pure functions over PEM text; who calls them writes the files (keys with mode 0600).

use crate::error::TlsError;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

/// How long an authority lives.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a server certificate lives: Apple's clients take no more than 825 days, even from an own authority.
const SERVER_LIFE: Duration = Duration::from_secs(820 * 86_400);
/// Clocks of clients that are behind.
const CLOCK_SKEW: Duration = Duration::from_secs(86_400);

/// An authority: PEM certificate to give to clients and PEM key (PKCS #8) to keep.
#[derive(Clone)]
pub struct Authority {
    /// Certificate; public.
    pub certificate_pem: String,
    /// Private key; mode 0600.
    pub key_pem: String,
}

/// A server certificate with its key.
#[derive(Clone)]
pub struct Issued {
    /// The server's certificate, then the authority's.
    pub chain_pem: String,
    /// Private key; mode 0600.
    pub key_pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("chain_pem", &self.chain_pem).finish_non_exhaustive()
    }
}

/// Makes an authority that can sign for `domains`, names under them, `localhost` and the loopback addresses, and
/// for nothing else (RFC 5280 §4.2.1.10): a client that trusts it trusts it with no other site.
///
/// # Errors
/// [`TlsError::Name`] for a domain that can't stand in a certificate.
pub fn create(domains: &[&str], now: SystemTime) -> Result<Authority, TlsError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Mailward authority of {}", domains.first().unwrap_or(&"localhost")));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now.checked_sub(CLOCK_SKEW).unwrap_or(now).into();
    params.not_after = now.checked_add(AUTHORITY_LIFE).unwrap_or(now).into();
    params.use_authority_key_identifier_extension = true;
    let mut permitted = vec![GeneralSubtree::DnsName("localhost".to_owned())];
    for domain in domains {
        let domain = mailward_core::Domain::parse_utf8(domain).map_err(|_| TlsError::Name((*domain).to_owned()))?;
        permitted.push(GeneralSubtree::DnsName(domain.as_str().to_owned()));
    }
    permitted.push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8)));
    permitted.push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(IpAddr::V6(Ipv6Addr::LOCALHOST), 128)));
    params.name_constraints = Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
    let certificate = params.self_signed(&key)?;
    Ok(Authority { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

/// Makes a server certificate for `names` (domains or IP addresses), `localhost`, 127.0.0.1 and ::1, signed by the
/// authority.
///
/// # Errors
/// [`TlsError::Name`]; [`TlsError::Authority`] if the authority's PEM can't be used.
pub fn issue(authority: &Authority, names: &[&str], now: SystemTime) -> Result<Issued, TlsError> {
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate_pem, KeyPair::from_pem(&authority.key_pem)?)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named(names.first().unwrap_or(&"localhost"));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = now.checked_sub(CLOCK_SKEW).unwrap_or(now).into();
    params.not_after = now.checked_add(SERVER_LIFE).unwrap_or(now).into();
    params.use_authority_key_identifier_extension = true;
    let mut all: Vec<SanType> = Vec::new();
    for name in names.iter().chain(&["localhost", "127.0.0.1", "::1"]) {
        let name = subject_alternative(name)?;
        if !all.contains(&name) {
            all.push(name);
        }
    }
    params.subject_alt_names = all;
    let certificate = params.signed_by(&key, &issuer)?;
    let chain_pem = format!("{}{}", certificate.pem(), authority.certificate_pem);
    Ok(Issued { chain_pem, key_pem: key.serialize_pem() })
}

fn subject_alternative(name: &str) -> Result<SanType, TlsError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let domain = mailward_core::Domain::parse_utf8(name).map_err(|_| TlsError::Name(name.to_owned()))?;
    let ascii = Ia5String::try_from(domain.as_str().to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
    Ok(SanType::DnsName(ascii))
}

fn named(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    // RFC 5280 appendix A.1: ub-common-name is 64; the names that count are the alternative ones.
    name.push(DnType::CommonName, common.chars().take(64).collect::<String>());
    name
}
