//! A proof that a text is ours, for whoever shares a secret with us.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use mailward_core::Secret;
use std::fmt::Write as _;

/// Signs texts by HMAC-SHA256 (RFC 2104) with a secret that both sides have.
pub struct Signer(hmac::Key);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(…)")
    }
}

impl Signer {
    /// With the secret as the other side has it.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, secret.expose()))
    }

    /// The signature: 64 hexadecimal digits in small letters.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> String {
        hmac::sign(&self.0, text).as_ref().iter().fold(String::with_capacity(64), |mut digits, byte| {
            // Writing to a String can't fail.
            let _infallible = write!(digits, "{byte:02x}");
            digits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_4231_test_case_2() {
        let signer = Signer::new(&Secret::new("Jefe"));
        assert_eq!(
            signer.sign(b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(format!("{signer:?}"), "Signer(…)");
    }
}
