//! What is recognised again and can't be read: numbers made of texts with a key of the server's.

use crate::error::VaultError;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use mailward_core::Secret;

/// Makes 64-bit numbers of texts, with a key made from the server's secret and a purpose: what one purpose remembers says
/// nothing to another, and nobody without the secret can choose texts that share a number.
pub struct Fingerprints(hmac::Key);

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprints(…)")
    }
}

impl Fingerprints {
    /// With the server's secret (see [`crate::new_server_secret`]) for a purpose, which stays the same for as long as what
    /// is remembered is to be recognised.
    ///
    /// # Errors
    /// [`VaultError::Cipher`], which should not happen.
    pub fn new(server: &Secret, purpose: &str) -> Result<Self, VaultError> {
        // The secret has other uses: each has a key of its own (RFC 5869 §3.2).
        let salt = Salt::new(HKDF_SHA256, b"mailward");
        let extracted = salt.extract(server.expose());
        let info = [b"fingerprints: ".as_slice(), purpose.as_bytes()];
        let expanded = extracted.expand(&info, HMAC_SHA256).map_err(|_| VaultError::Cipher)?;
        Ok(Self(hmac::Key::from(expanded)))
    }

    /// The number of texts. Where one ends and the next begins counts.
    #[must_use]
    pub fn of(&self, texts: &[&str]) -> u64 {
        let mut context = hmac::Context::with_key(&self.0);
        for text in texts {
            context.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(text.as_bytes());
        }
        let tag = context.sign();
        tag.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_texts_for_the_same_purpose_have_the_same_number() {
        let secret = Secret::new("a server's secret");
        let keys = Fingerprints::new(&secret, "one").unwrap();
        assert_eq!(keys.of(&["a", "b"]), Fingerprints::new(&secret, "one").unwrap().of(&["a", "b"]));
        assert_ne!(keys.of(&["a", "b"]), keys.of(&["ab", ""]), "where a text ends counts");
        assert_ne!(keys.of(&["a", "b"]), Fingerprints::new(&secret, "two").unwrap().of(&["a", "b"]));
        assert_ne!(keys.of(&["a"]), Fingerprints::new(&Secret::new("another"), "one").unwrap().of(&["a"]));
        assert_eq!(format!("{keys:?}"), "Fingerprints(…)");
    }
}
