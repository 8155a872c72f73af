//! Public keys of others, and what they verify.

use super::key::Algorithm;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ED25519, ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, VerificationAlgorithm,
};

/// A public key as it stands in a record's `p=`, decoded, with the algorithm that its signatures have.
#[derive(Clone, Debug)]
pub struct PublicKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

/// It isn't a key of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key can't be read")]
pub struct UnfitKey;

impl PublicKey {
    /// Reads a key: of RSA the SubjectPublicKeyInfo or the RSAPublicKey in it (RFC 6376 §3.6.1, erratum 3017), of Ed25519
    /// its 32 bytes (RFC 8463 §4.2). At most a DNS record is given to it.
    ///
    /// # Errors
    /// [`UnfitKey`].
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, UnfitKey> {
        let parsed = match algorithm {
            Algorithm::RsaSha256 => ParsedPublicKey::new(legacy(), bytes),
            Algorithm::Ed25519Sha256 => ParsedPublicKey::new(&ED25519, bytes),
        };
        Ok(Self { algorithm, key: parsed.map_err(|_| UnfitKey)? })
    }

    /// Whether this is the key's signature of `input`; never of an RSA key with fewer than 1,024 or more than 8,192 bits
    /// (RFC 8301 §3.2). Below a millisecond.
    #[must_use]
    pub fn verifies(&self, input: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::RsaSha256 => self.key.verify_sig(input, signature).is_ok(),
            Algorithm::Ed25519Sha256 => self.key.verify_sig(digest(&SHA256, input).as_ref(), signature).is_ok(),
        }
    }
}

/// RSA from 1,024 bits on: half of the world's signatures still have no more.
fn legacy() -> &'static dyn VerificationAlgorithm {
    &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
}
