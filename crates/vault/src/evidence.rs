//! The key that signs what an audit found: one an installation, made from the server's secret, so that there is no second
//! thing to keep.

use crate::error::VaultError;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use mailward_core::Secret;
use zeroize::Zeroizing;

/// Bytes of an Ed25519 seed and of a public key (RFC 8032 §5.1.5).
const KEY_BYTES: usize = 32;

/// Signs evidence (Ed25519, RFC 8032).
pub struct EvidenceKey(Ed25519KeyPair);

impl std::fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EvidenceKey(…)")
    }
}

struct Seed;

impl KeyType for Seed {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

impl EvidenceKey {
    /// With the server's secret (see [`crate::new_server_secret`]): the same secret gives the same key.
    ///
    /// # Errors
    /// [`VaultError::Cipher`], which should not happen.
    pub fn new(server: &Secret) -> Result<Self, VaultError> {
        let extracted = Salt::new(HKDF_SHA256, b"mailward").extract(server.expose());
        let expanded = extracted.expand(&[b"evidence, 1"], Seed).map_err(|_| VaultError::Cipher)?;
        let mut seed = Zeroizing::new([0_u8; KEY_BYTES]);
        expanded.fill(seed.as_mut_slice()).map_err(|_| VaultError::Cipher)?;
        Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map(Self).map_err(|_| VaultError::Cipher)
    }

    /// The public half: 32 bytes.
    pub fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// A signature: 64 bytes.
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(text).as_ref().to_vec()
    }
}

/// Whether the holder of this key (its public half) signed that.
pub fn is_signed(public: &[u8], text: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(text, signature).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what it expects")]
    use super::{EvidenceKey, is_signed};
    use mailward_core::Secret;

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does() {
        let key = EvidenceKey::new(&Secret::new("one")).unwrap();
        let other = EvidenceKey::new(&Secret::new("another")).unwrap();
        let mut signature = key.sign(b"568.25");
        assert!(is_signed(key.public(), b"568.25", &signature));
        assert!(!is_signed(key.public(), b"568.26", &signature));
        assert!(!is_signed(other.public(), b"568.25", &signature));
        assert!(!is_signed(b"", b"568.25", &signature) && !is_signed(key.public(), b"568.25", b""));
        if let Some(byte) = signature.first_mut() {
            *byte ^= 1;
        }
        assert!(!is_signed(key.public(), b"568.25", &signature));
    }

    #[test]
    fn the_same_secret_gives_the_same_key() {
        let (one, again) = (Secret::new("one"), Secret::new("one"));
        assert_eq!(EvidenceKey::new(&one).unwrap().public(), EvidenceKey::new(&again).unwrap().public());
    }
}
