//! The proof in a rewritten sender: that we wrote it.

use crate::error::VaultError;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use mailward_core::Secret;
use subtle::ConstantTimeEq as _;

/// The digits, 5 bits each; the same in both cases (RFC 4648 §6).
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Makes and checks short proofs over texts, with a key made from the server's secret.
pub struct SrsKey(hmac::Key);

impl std::fmt::Debug for SrsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SrsKey(…)")
    }
}

impl SrsKey {
    /// With the server's secret (see [`crate::new_server_secret`]). The same secret checks what it made.
    ///
    /// # Errors
    /// [`VaultError::Cipher`], which should not happen.
    pub fn new(server: &Secret) -> Result<Self, VaultError> {
        // The secret has other uses: each has a key of its own (RFC 5869 §3.2).
        let salt = Salt::new(HKDF_SHA256, b"mailward");
        let extracted = salt.extract(server.expose());
        let expanded = extracted.expand(&[b"rewritten senders, 1"], HMAC_SHA256).map_err(|_| VaultError::Cipher)?;
        Ok(Self(hmac::Key::from(expanded)))
    }

    /// A proof of `characters` (at most 51) capital letters and digits over texts, whose case doesn't count. Where one text
    /// ends and the next begins does.
    #[must_use]
    pub fn proof(&self, texts: &[&str], characters: usize) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for text in texts {
            context.update(text.to_lowercase().as_bytes());
            context.update(b"\0");
        }
        base32(context.sign().as_ref(), characters)
    }

    /// Whether `given`, in any case, is the proof of so many characters over these texts. Takes the same time whatever is
    /// given, for a given length.
    #[must_use]
    pub fn verifies(&self, texts: &[&str], characters: usize, given: &str) -> bool {
        let given = given.to_ascii_uppercase();
        bool::from(self.proof(texts, characters).as_bytes().ct_eq(given.as_bytes()))
    }
}

/// The first characters of bytes in base 32.
fn base32(bytes: &[u8], characters: usize) -> String {
    let (mut out, mut held, mut bits) = (String::with_capacity(characters), 0u32, 0u32);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xffff;
        bits = bits.saturating_add(8);
        while bits >= 5 && out.len() < characters {
            bits = bits.saturating_sub(5);
            let digit = usize::try_from(held >> bits & 31).unwrap_or(0);
            out.extend(DIGITS.get(digit).map(|digit| char::from(*digit)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> SrsKey {
        SrsKey::new(&Secret::new(secret)).unwrap()
    }

    #[test]
    fn a_proof_holds_for_the_same_texts_and_the_same_secret_in_any_case() {
        let proof = key("a").proof(&["x", "Yz"], 8);
        assert_eq!(proof.len(), 8);
        assert!(proof.bytes().all(|b| DIGITS.contains(&b)), "{proof}");
        assert!(key("a").verifies(&["X", "yZ"], 8, &proof.to_lowercase()), "after a restart");
        assert!(!key("b").verifies(&["x", "Yz"], 8, &proof));
        for other in [&["x", "Y"][..], &["xY", "z"], &["x"], &["x", "Yz", ""]] {
            assert!(!key("a").verifies(other, 8, &proof), "{other:?}");
        }
        for given in ["", proof.get(..7).unwrap(), &format!("{proof}A"), "é"] {
            assert!(!key("a").verifies(&["x", "Yz"], 8, given), "{given}");
        }
        assert_eq!(format!("{:?}", key("a")), "SrsKey(…)");
    }

    #[test]
    fn digits_are_those_of_base_32() {
        // RFC 4648 §10.
        assert_eq!(base32(b"foobar", 99), "MZXW6YTBO", "whole characters only");
        assert_eq!(base32(b"fooba", 99), "MZXW6YTB");
        assert_eq!(base32(b"fooba", 3), "MZX");
        assert_eq!(key("a").proof(&[], 51).len(), 51);
    }
}
