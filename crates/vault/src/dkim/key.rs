//! Keys: made, sealed, opened, used, published.

use crate::error::VaultError;
use crate::seal::Seal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::DNS_STRING_MAX;
use mailward_core::{Domain, Secret};

/// How a key signs. There are no others: RFC 8301 forbids SHA-1 and RSA keys under 1,024 bits; ours have 2,048.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `rsa-sha256` with 2,048 bits (RFC 6376 §3.3.1, RFC 8301 §3.2): everybody verifies it, and its public key fits DNS.
    RsaSha256,
    /// `ed25519-sha256` (RFC 8463): small and strong, not yet verified by all.
    Ed25519Sha256,
}

impl Algorithm {
    /// Both, in the order in which their signatures stand before a message.
    pub const ALL: [Self; 2] = [Self::RsaSha256, Self::Ed25519Sha256];

    /// The name in a signature's `a=`, and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }
    /// The name in a record's `k=`.
    #[must_use]
    pub const fn key_type(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa",
            Self::Ed25519Sha256 => "ed25519",
        }
    }
    /// The one of this [`Algorithm::name`].
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// A private key. Never printed; only [`Key::seal`] lets it out.
pub struct Key(Pair);

enum Pair {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.algorithm().name())
    }
}

impl Key {
    /// Makes one. An RSA key takes some tenths of a second: not for a thread that others wait for.
    ///
    /// # Errors
    /// [`VaultError::Key`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, VaultError> {
        let pair = match algorithm {
            Algorithm::RsaSha256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Algorithm::Ed25519Sha256 => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        pair.map(Self).map_err(|_| VaultError::Key)
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Pair::Rsa(_) => Algorithm::RsaSha256,
            Pair::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// The public key as a record's `p=` has it, before base64: for RSA the SubjectPublicKeyInfo that everybody publishes
    /// and RFC 6376's own example has (§3.6.1 names the RSAPublicKey in it; erratum 3017), for Ed25519 its 32 bytes
    /// (RFC 8463 §4.2).
    ///
    /// # Errors
    /// [`VaultError::Key`].
    pub fn public(&self) -> Result<Vec<u8>, VaultError> {
        match &self.0 {
            Pair::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| VaultError::Key)?;
                Ok(der.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.public_key().as_ref().to_vec()),
        }
    }

    /// Seals it for the store, bound to the domain and selector that it signs for.
    ///
    /// # Errors
    /// [`VaultError::Key`], [`VaultError::Randomness`], [`VaultError::Cipher`].
    pub fn seal(&self, seal: &Seal, domain: &Domain, selector: &str) -> Result<Vec<u8>, VaultError> {
        let der: Pkcs8V1Der<'_> = match &self.0 {
            Pair::Rsa(pair) => pair.as_der(),
            Pair::Ed25519(pair) => pair.as_der(),
        }
        .map_err(|_| VaultError::Key)?;
        seal.seal(&Secret::new(der.as_ref()), &bound(domain, selector, self.algorithm()))
    }

    /// Opens what [`Key::seal`] sealed for the same domain and selector.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn open(
        seal: &Seal,
        sealed: &[u8],
        domain: &Domain,
        selector: &str,
        algorithm: Algorithm,
    ) -> Result<Self, VaultError> {
        let plain = seal.open(sealed, &bound(domain, selector, algorithm))?;
        let pair = match algorithm {
            Algorithm::RsaSha256 => RsaKeyPair::from_pkcs8(plain.expose()).map(Pair::Rsa),
            Algorithm::Ed25519Sha256 => Ed25519KeyPair::from_pkcs8(plain.expose()).map(Pair::Ed25519),
        };
        pair.map(Self).map_err(|_| VaultError::Sealed)
    }

    /// Signs: for RSA over `input`, for Ed25519 over its SHA-256 (RFC 8463 §3). Below a millisecond.
    ///
    /// # Errors
    /// [`VaultError::Key`].
    pub fn sign(&self, input: &[u8]) -> Result<Vec<u8>, VaultError> {
        match &self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0u8; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
                    .map_err(|_| VaultError::Key)?;
                Ok(signature)
            }
            Pair::Ed25519(pair) => {
                let signature = pair.try_sign(digest(&SHA256, input).as_ref()).map_err(|_| VaultError::Key)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// What a sealed key is.
fn bound(domain: &Domain, selector: &str, algorithm: Algorithm) -> String {
    format!("dkim {domain} {selector} {}", algorithm.name())
}

/// The text of the TXT record at `SELECTOR._domainkey.DOMAIN` (RFC 6376 §3.6.1). `h=sha256` tells verifiers to believe no
/// older hash.
#[must_use]
pub fn record(algorithm: Algorithm, public: &[u8]) -> String {
    format!("v=DKIM1; k={}; h=sha256; p={}", algorithm.key_type(), STANDARD.encode(public))
}

/// The same as the strings of a TXT record, which have at most `limits::DNS_STRING_MAX` bytes and are read as one.
#[must_use]
pub fn strings(record: &str) -> Vec<&str> {
    let mut rest = record;
    let mut strings = Vec::new();
    while let Some((string, after)) = rest.split_at_checked(DNS_STRING_MAX) {
        strings.push(string);
        rest = after;
    }
    if !rest.is_empty() {
        strings.push(rest);
    }
    strings
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    fn seal() -> Seal {
        Seal::new(&Secret::new("server secret")).unwrap()
    }

    #[test]
    fn a_key_signs_the_same_after_it_was_kept() {
        let (domain, other) = (Domain::parse("a.example").unwrap(), Domain::parse("b.example").unwrap());
        for algorithm in Algorithm::ALL {
            let key = Key::generate(algorithm).unwrap();
            let sealed = key.seal(&seal(), &domain, "s1").unwrap();
            let back = Key::open(&seal(), &sealed, &domain, "s1", algorithm).unwrap();
            assert_eq!((back.algorithm(), back.public().unwrap()), (algorithm, key.public().unwrap()));
            assert_eq!(back.sign(b"x").unwrap(), key.sign(b"x").unwrap());
            for (domain, selector) in [(&other, "s1"), (&domain, "s2")] {
                let opened = Key::open(&seal(), &sealed, domain, selector, algorithm);
                assert_eq!(opened.err(), Some(VaultError::Sealed), "{domain} {selector}");
            }
            let stranger = Seal::new(&Secret::new("another")).unwrap();
            assert!(Key::open(&stranger, &sealed, &domain, "s1", algorithm).is_err());
        }
    }

    #[test]
    fn signatures_are_those_of_the_standards() {
        let rsa = Key::generate(Algorithm::RsaSha256).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public().unwrap());
        public.verify(b"input", &rsa.sign(b"input").unwrap()).unwrap();
        let ed25519 = Key::generate(Algorithm::Ed25519Sha256).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, ed25519.public().unwrap());
        public.verify(digest(&SHA256, b"input").as_ref(), &ed25519.sign(b"input").unwrap()).unwrap();
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", Key::generate(Algorithm::Ed25519Sha256).unwrap()), "Key(ed25519-sha256)");
        assert_eq!(format!("{:?}", seal()), "Seal(…)");
    }

    #[test]
    fn records_fit_dns() {
        let rsa = Key::generate(Algorithm::RsaSha256).unwrap();
        let text = record(rsa.algorithm(), &rsa.public().unwrap());
        assert!(text.starts_with("v=DKIM1; k=rsa; h=sha256; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), "{text}");
        let strings = strings(&text);
        assert_eq!((strings.len(), strings[0].len()), (2, DNS_STRING_MAX));
        assert_eq!(strings.concat(), text);
        let text = record(Algorithm::Ed25519Sha256, &[0; 32]);
        assert_eq!(text, format!("v=DKIM1; k=ed25519; h=sha256; p={}=", "A".repeat(43)));
        assert_eq!(super::strings(&text), [text.as_str()]);
        assert_eq!(super::strings(&"x".repeat(2 * DNS_STRING_MAX)).len(), 2);
    }

    #[test]
    fn algorithms_have_one_name_each() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::of_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::of_name("rsa-sha1"), None);
    }
}
