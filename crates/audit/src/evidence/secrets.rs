//! What evidence must not have in it.

use super::Run;

/// How secrets begin that hosts and mail servers keep: private keys (RFC 7468), hashes of passwords (crypt(5), PHC, RFC 5803, GRUB's).
const MARKS: [&str; 12] = [
    "PRIVATE KEY-----",
    "$argon2",
    "$scrypt$",
    "$y$",
    "$7$",
    "$6$",
    "$5$",
    "$2a$",
    "$2b$",
    "$2y$",
    "SCRAM-SHA-256$",
    "grub.pbkdf2.sha512.",
];

impl Run {
    /// Controls whose words or evidence have something in them that begins as a secret does.
    #[must_use]
    pub fn with_secrets(&self) -> Vec<String> {
        let has = |text: &str| MARKS.iter().any(|mark| text.contains(mark));
        let told = self.records.iter().filter(|record| {
            has(&record.said) || record.seen.iter().any(|seen| has(&seen.input) || has(&seen.excerpt))
        });
        told.map(|record| record.id.clone()).collect()
    }
}
