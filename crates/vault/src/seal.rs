//! Secrets at rest: sealed with a key that is not where they are kept.

use crate::error::VaultError;
use crate::random;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use mailward_core::Secret;

/// The form of what is sealed: this byte, a nonce, the encrypted bytes with their tag.
const FORM: u8 = 1;

/// Seals and opens secrets that are kept in the store, with a key made from the server's secret, which is in a file of its
/// own: the store's files alone, or a copy of them, give nothing away.
pub struct Seal(LessSafeKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// With the server's secret (see [`crate::new_server_secret`]). The same secret opens what it sealed.
    ///
    /// # Errors
    /// [`VaultError::Cipher`], which should not happen.
    pub fn new(server: &Secret) -> Result<Self, VaultError> {
        // The secret has other uses: each has a key of its own (RFC 5869 §3.2).
        let salt = Salt::new(HKDF_SHA256, b"mailward");
        let extracted = salt.extract(server.expose());
        let expanded = extracted.expand(&[b"seal of stored keys, 1"], &AES_256_GCM).map_err(|_| VaultError::Cipher)?;
        Ok(Self(LessSafeKey::new(UnboundKey::from(expanded))))
    }

    /// Seals a secret. `bound` says what it is; nothing else opens it, so that a row can't take another's place.
    ///
    /// # Errors
    /// [`VaultError::Randomness`], [`VaultError::Cipher`].
    pub fn seal(&self, secret: &Secret, bound: &str) -> Result<Vec<u8>, VaultError> {
        // 96 random bits: safe for four thousand million seals with one key (NIST SP 800-38D §8.3), here a few.
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut kept = secret.expose().to_vec();
        let sealed = self.0.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound.as_bytes()),
            &mut kept,
        );
        sealed.map_err(|_| VaultError::Cipher)?;
        Ok([&[FORM], nonce.as_slice(), kept.as_slice()].concat())
    }

    /// Opens what was sealed.
    ///
    /// # Errors
    /// [`VaultError::Sealed`] if it was sealed with another secret or for something else, or isn't whole.
    pub fn open(&self, sealed: &[u8], bound: &str) -> Result<Secret, VaultError> {
        let Some(([FORM], rest)) = sealed.split_first_chunk::<1>() else { return Err(VaultError::Sealed) };
        let Some((nonce, kept)) = rest.split_first_chunk::<NONCE_LEN>() else { return Err(VaultError::Sealed) };
        let mut kept = zeroize::Zeroizing::new(kept.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.0.open_in_place(nonce, Aad::from(bound.as_bytes()), &mut kept);
        plain.map(|plain| Secret::new(&*plain)).map_err(|_| VaultError::Sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seal(secret: &str) -> Seal {
        Seal::new(&Secret::new(secret)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_secret_for_the_same_thing_only() {
        let secret = Secret::new("private key");
        let sealed = seal("server secret").seal(&secret, "dkim a.example x").unwrap();
        assert!(!sealed.windows(7).any(|w| w == b"private"));
        assert_eq!(
            seal("server secret").open(&sealed, "dkim a.example x").unwrap().expose(),
            secret.expose(),
            "after a restart"
        );
        for (server, bound) in [("another secret", "dkim a.example x"), ("server secret", "dkim b.example x")] {
            assert_eq!(seal(server).open(&sealed, bound).err(), Some(VaultError::Sealed));
        }
        let again = seal("server secret").seal(&secret, "dkim a.example x").unwrap();
        assert_ne!(sealed, again, "never the same twice");
    }

    proptest! {
        #[test]
        fn damage_is_noticed_and_nothing_panics(at in any::<prop::sample::Index>(), flip in 1u8.., cut in any::<prop::sample::Index>(), other in proptest::collection::vec(any::<u8>(), 0..60)) {
            let seal = seal("server secret");
            let mut sealed = seal.seal(&Secret::new("key"), "x").unwrap();
            prop_assert!(seal.open(&sealed[..cut.index(sealed.len())], "x").is_err());
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(seal.open(&sealed, "x").is_err());
            prop_assert!(seal.open(&other, "x").is_err());
        }
    }
}
