//! Telling wrong passwords from each other without keeping them.

use crate::error::VaultError;
use crate::random;
use aws_lc_rs::hmac;
use mailward_core::Secret;
use subtle::ConstantTimeEq as _;

/// Makes [`WrongMark`]s with a key that lives as long as the process and is nowhere else.
pub struct WrongMarks(hmac::Key);

/// What tells a password from others: a keyed hash, cut. It can't be tried offline without the process's key. Comparing takes
/// the same time whatever is compared.
#[derive(Clone)]
pub struct WrongMark {
    here: [u8; 16],
    anywhere: [u8; 16],
}

impl std::fmt::Debug for WrongMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WrongMark(…)")
    }
}

impl std::fmt::Debug for WrongMarks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WrongMarks(…)")
    }
}

impl WrongMarks {
    /// With a new key from the operating system.
    ///
    /// # Errors
    /// [`VaultError::Randomness`].
    pub fn new() -> Result<Self, VaultError> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()?)))
    }

    /// The mark of a password that is tried for a user whose stored credential is `credential` (empty: none).
    #[must_use]
    pub fn of(&self, user: &str, credential: &[u8], password: &Secret) -> WrongMark {
        WrongMark {
            here: self.hash(&[b"here", user.as_bytes(), credential, password.expose()]),
            anywhere: self.hash(&[b"anywhere", password.expose()]),
        }
    }

    /// Every field with its length before it: no two questions have the same bytes (attacks C5).
    fn hash(&self, fields: &[&[u8]]) -> [u8; 16] {
        let mut mac = hmac::Context::with_key(&self.0);
        for field in fields {
            mac.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(field);
        }
        let mut out = [0; 16];
        out.iter_mut().zip(mac.sign().as_ref()).for_each(|(to, from)| *to = *from);
        out
    }
}

impl WrongMark {
    /// Whether it is the same password for the same user, with the same stored credential.
    #[must_use]
    pub fn is_same_here(&self, other: &Self) -> bool {
        bool::from(self.here.ct_eq(&other.here))
    }

    /// The same for equal passwords of whomever: a key for counting how many users one is tried on. It tells nothing of the
    /// password to who hasn't the process's key.
    #[must_use]
    pub const fn anywhere(&self) -> [u8; 16] {
        self.anywhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attacks C5.
    #[test]
    fn a_mark_is_of_one_password_one_user_and_one_credential() {
        let marks = WrongMarks::new().unwrap();
        let of = |user: &str, credential: &str, password: &str| {
            marks.of(user, credential.as_bytes(), &Secret::new(password))
        };
        let one = of("alice", "credential", "password");
        assert!(one.is_same_here(&of("alice", "credential", "password")));
        for (user, credential, password) in [
            ("alice", "credential", "Password"),
            ("alice", "newer", "password"),
            ("bob", "credential", "password"),
            ("alicec", "redential", "password"),
            ("alice", "credentialp", "assword"),
        ] {
            assert!(!one.is_same_here(&of(user, credential, password)), "{user} {credential} {password}");
        }
        assert_eq!(one.anywhere(), of("bob", "", "password").anywhere());
        assert_ne!(one.anywhere(), of("alice", "credential", "other").anywhere());
        assert_ne!(one.anywhere(), WrongMarks::new().unwrap().of("a", b"", &Secret::new("password")).anywhere());
        assert_eq!(format!("{one:?} {marks:?}"), "WrongMark(…) WrongMarks(…)");
    }
}
