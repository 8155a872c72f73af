//! Words in links that prove who may follow them: made once, told once, known again by their hash alone.

use crate::error::VaultError;
use crate::random;
use crate::source::key_of;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailward_core::Secret;

/// Makes and knows the words of links for one use, with a key made from the server's secret. The store has only what
/// [`LinkKey::name`] answers: whoever reads it, or changes it without the secret, has no link.
pub struct LinkKey([u8; 32]);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

/// A new word. It is shown in the one mail that has it, and nowhere else.
pub struct Link {
    /// 256 random bits as 43 characters of the URL-safe alphabet (RFC 4648 §5). A secret.
    pub word: String,
    /// What it is known again by: 64 hexadecimal digits.
    pub name: String,
}

impl LinkKey {
    /// For one use. A word of another use is nothing here.
    ///
    /// # Errors
    /// [`VaultError::Cipher`], which should not happen.
    pub fn new(server: &Secret, purpose: &'static str) -> Result<Self, VaultError> {
        key_of(server, &[b"links, 1: ", purpose.as_bytes()]).map(Self)
    }

    /// A new word that nobody can guess.
    ///
    /// # Errors
    /// [`VaultError::Randomness`].
    pub fn make(&self) -> Result<Link, VaultError> {
        let bits: [u8; 32] = random()?;
        Ok(Link { word: URL_SAFE_NO_PAD.encode(bits), name: self.hash(&bits) })
    }

    /// What a word is known by; none if it can't be one. Looking that up tells by its time nothing that helps to guess one:
    /// who doesn't know the key can't choose how a hash begins.
    #[must_use]
    pub fn name(&self, word: &str) -> Option<String> {
        // 32 bytes, and one writing for each.
        if word.len() != 43 {
            return None;
        }
        let bits: [u8; 32] = URL_SAFE_NO_PAD.decode(word).ok()?.try_into().ok()?;
        Some(self.hash(&bits))
    }

    fn hash(&self, bits: &[u8; 32]) -> String {
        blake3::keyed_hash(&self.0, bits).to_hex().to_string()
    }
}

impl Drop for LinkKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(purpose: &'static str) -> LinkKey {
        LinkKey::new(&Secret::new("a server's secret"), purpose).unwrap()
    }

    #[test]
    fn a_word_is_known_again_by_its_own_server_and_for_its_own_use_only() {
        let link = key("quarantine").make().unwrap();
        assert_eq!((link.word.len(), link.name.len()), (43, 64));
        assert_eq!(key("quarantine").name(&link.word), Some(link.name.clone()));
        assert_ne!(key("passwords").name(&link.word), Some(link.name.clone()));
        let other = LinkKey::new(&Secret::new("another"), "quarantine").unwrap();
        assert_ne!(other.name(&link.word), Some(link.name.clone()));
        assert_ne!(key("quarantine").make().unwrap().word, link.word);
        assert!(!format!("{link:?}{:?}", key("quarantine")).contains(&link.word));
    }

    proptest! {
        #[test]
        fn what_isn_t_written_as_a_word_is_none(word in "[A-Za-z0-9_+/=-]{0,60}") {
            let bits = URL_SAFE_NO_PAD.decode(&word).ok().filter(|bits| bits.len() == 32);
            prop_assert_eq!(key("quarantine").name(&word).is_some(), bits.is_some());
            // Of all ways to write the same bits one is taken.
            prop_assert!(bits.is_none_or(|bits| URL_SAFE_NO_PAD.encode(bits) == word));
        }
    }
}
