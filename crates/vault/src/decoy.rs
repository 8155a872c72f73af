//! What strangers see of users who don't exist.

use crate::credential::{ScramKeys, sign};
use mailward_core::Secret;
use mailward_core::limits::SCRAM_ITERATIONS;

/// Makes keys for users who don't exist, always the same for the same name, so that nobody can tell them from real
/// ones by asking (attacks A6, C4). The secret must outlive restarts, or a salt that changes betrays them.
#[derive(Clone, Debug)]
pub struct Decoy(Secret);

impl Decoy {
    /// With a secret of 16 bytes or more, kept by the caller.
    #[must_use]
    pub const fn new(secret: Secret) -> Self {
        Self(secret)
    }
    /// SCRAM keys for a user who doesn't exist, or has no password. `user` is the canonical name. No proof fits.
    #[must_use]
    pub fn scram(&self, user: &str) -> ScramKeys {
        let keyed = |what: &str| sign(self.0.expose(), format!("{what}\0{user}").as_bytes());
        ScramKeys {
            salt: keyed("salt").into_iter().take(16).collect(),
            iterations: SCRAM_ITERATIONS,
            // Images of a keyed hash: nobody knows what they would be the hash of.
            stored_key: keyed("stored key"),
            server_key: keyed("server key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_keeps_the_same_salt_and_no_two_share_one() {
        let decoy = Decoy::new(Secret::new("0123456789abcdef"));
        let same = Decoy::new(Secret::new("0123456789abcdef"));
        let other = Decoy::new(Secret::new("0123456789abcdeg"));
        assert!(decoy.scram("a@b.example") == same.scram("a@b.example"));
        assert_ne!(decoy.scram("a@b.example").salt, decoy.scram("b@b.example").salt);
        assert_ne!(decoy.scram("a@b.example").salt, other.scram("a@b.example").salt);
        assert_eq!(decoy.scram("a@b.example").salt.len(), 16, "as long as a real one");
        assert_eq!(decoy.scram("a@b.example").iterations, SCRAM_ITERATIONS);
    }
}
