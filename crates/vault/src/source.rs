//! Short names of things from outside: numbers that nobody outside can aim at.

use crate::error::VaultError;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use mailward_core::Secret;

/// Makes 64 bits of bytes, with a key made from the server's secret: the same for the same server and use. Whoever doesn't know
/// the secret can't choose two texts that fall together, nor crowd a table that is laid out by them (hash flooding).
///
/// It proves nothing: 64 bits that are told can be tried out.
#[derive(Clone)]
pub struct SourceKey([u8; 32]);

impl std::fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SourceKey(…)")
    }
}

/// Bytes that HKDF is asked for.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

impl SourceKey {
    /// For one use, with the server's secret (see [`crate::new_server_secret`]).
    ///
    /// # Errors
    /// [`VaultError::Cipher`], which should not happen.
    pub fn new(server: &Secret, purpose: &'static str) -> Result<Self, VaultError> {
        key_of(server, &[b"sources, 1: ", purpose.as_bytes()]).map(Self)
    }

    /// The number of some bytes, of whatever length.
    #[must_use]
    pub fn number(&self, of: &[u8]) -> u64 {
        let hash = blake3::keyed_hash(&self.0, of);
        let (first, _) = hash.as_bytes().split_first_chunk().unwrap_or((&[0; 8], &[]));
        u64::from_le_bytes(*first)
    }
}

/// A key for one use of the server's secret: it has others, and each has a key of its own (RFC 5869 §3.2).
pub(crate) fn key_of(server: &Secret, info: &[&[u8]]) -> Result<[u8; 32], VaultError> {
    let extracted = Salt::new(HKDF_SHA256, b"mailward").extract(server.expose());
    let mut key = [0; 32];
    let expanded = extracted.expand(info, Length).map_err(|_| VaultError::Cipher)?;
    expanded.fill(&mut key).map_err(|_| VaultError::Cipher)?;
    Ok(key)
}

impl Drop for SourceKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_for_the_same_server_and_use_only() {
        let secret = Secret::new("a server's secret");
        let key = SourceKey::new(&secret, "rates").unwrap();
        assert_eq!(key.number(b"a"), SourceKey::new(&secret, "rates").unwrap().number(b"a"));
        assert_ne!(key.number(b"a"), key.number(b"b"));
        assert_ne!(key.number(b"a"), SourceKey::new(&secret, "journal").unwrap().number(b"a"));
        assert_ne!(key.number(b"a"), SourceKey::new(&Secret::new("another"), "rates").unwrap().number(b"a"));
        assert_eq!(format!("{key:?}"), "SourceKey(…)");
    }
}
