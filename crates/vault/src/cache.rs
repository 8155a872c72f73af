//! Remembering, for a while, what was verified: a phone that asks every minute costs one hash in ten minutes.

use crate::error::VaultError;
use crate::random;
use aws_lc_rs::hmac;
use mailward_core::limits::{CREDENTIAL_CACHE_MAX, CREDENTIAL_CACHE_TIME};
use mailward_core::{AccountId, Secret};
use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::time::Instant;

/// Verified credentials, by a keyed hash over account, user name, stored credential and secret. Neither the secret
/// nor anything that could be tried offline without the process's key is kept. A changed password changes the stored
/// credential, and with it the hash: what was remembered never matches again. Failures are not remembered.
pub struct VerifiedCache {
    key: hmac::Key,
    entries: Mutex<Entries>,
}

type Token = [u8; 32];

#[derive(Default)]
struct Entries {
    known: HashSet<Token>,
    /// Oldest first; every token of `known` stands here once.
    order: VecDeque<(Instant, Token)>,
}

/// A question to the cache.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whose.
    pub account: AccountId,
    /// The user name, canonical.
    pub user: &'a str,
    /// The credential as it is stored now.
    pub credential: &'a [u8],
    /// What the client sent.
    pub secret: &'a Secret,
}

impl std::fmt::Debug for VerifiedCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedCache(…)")
    }
}

impl VerifiedCache {
    /// An empty one, with a key of its own from the operating system.
    ///
    /// # Errors
    /// [`VaultError::Randomness`].
    pub fn new() -> Result<Self, VaultError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()?);
        Ok(Self { key, entries: Mutex::default() })
    }

    /// Whether exactly this was verified within `CREDENTIAL_CACHE_TIME` before `now`.
    #[must_use]
    pub fn knows(&self, asked: Asked<'_>, now: Instant) -> bool {
        let token = self.token(asked);
        // A poisoned lock means a bug elsewhere: forget, and hash.
        self.entries.lock().is_ok_and(|mut entries| {
            entries.forget_old(now);
            entries.known.contains(&token)
        })
    }

    /// Remembers that this was verified at `now`.
    pub fn remember(&self, asked: Asked<'_>, now: Instant) {
        let token = self.token(asked);
        if let Ok(mut entries) = self.entries.lock() {
            entries.forget_old(now);
            if entries.known.insert(token) {
                entries.order.push_back((now, token));
            }
            while entries.known.len() > CREDENTIAL_CACHE_MAX {
                entries.forget_oldest();
            }
        }
    }

    /// Every field with its length before it: no two questions have the same bytes (attacks C5).
    fn token(&self, asked: Asked<'_>) -> Token {
        let mut mac = hmac::Context::with_key(&self.key);
        for field in [&asked.account.0.to_be_bytes(), asked.user.as_bytes(), asked.credential, asked.secret.expose()] {
            mac.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(field);
        }
        let mut token = Token::default();
        token.iter_mut().zip(mac.sign().as_ref()).for_each(|(to, from)| *to = *from);
        token
    }
}

impl Entries {
    fn forget_old(&mut self, now: Instant) {
        while self
            .order
            .front()
            .is_some_and(|(since, _)| now.saturating_duration_since(*since) >= CREDENTIAL_CACHE_TIME)
        {
            self.forget_oldest();
        }
    }
    fn forget_oldest(&mut self) {
        if let Some((_, token)) = self.order.pop_front() {
            self.known.remove(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Question(i64, &'static str, &'static str, Secret);

    impl Question {
        fn asked(&self) -> Asked<'_> {
            Asked { account: AccountId(self.0), user: self.1, credential: self.2.as_bytes(), secret: &self.3 }
        }
    }

    fn question(account: i64, user: &'static str, credential: &'static str, secret: &str) -> Question {
        Question(account, user, credential, Secret::new(secret))
    }

    #[test]
    fn it_knows_what_it_was_told_and_nothing_else() {
        let (cache, now) = (VerifiedCache::new().unwrap(), Instant::now());
        let alice = question(1, "alice@c.example", "credential", "secret");
        assert!(!cache.knows(alice.asked(), now));
        cache.remember(alice.asked(), now);
        assert!(cache.knows(alice.asked(), now));
        assert!(!cache.knows(question(1, "alice@c.example", "credential", "Secret").asked(), now));
    }

    /// Attacks C5: two users whose fields, written one after the other, give the same text.
    #[test]
    fn two_users_never_share_an_entry() {
        let (cache, now) = (VerifiedCache::new().unwrap(), Instant::now());
        cache.remember(question(1, "alice", "cred", "secret").asked(), now);
        for other in [
            question(2, "alice", "cred", "secret"),
            question(1, "alic", "ecred", "secret"),
            question(1, "alicecred", "", "secret"),
            question(1, "alice", "credsecret", ""),
            question(1, "alice", "creds", "ecret"),
            question(1, "alice\0", "cred", "secret"),
            question(1, "bob", "cred", "secret"),
        ] {
            assert!(!cache.knows(other.asked(), now), "{} {} {}", other.0, other.1, other.2);
        }
    }

    #[test]
    fn a_changed_password_is_forgotten() {
        let (cache, now) = (VerifiedCache::new().unwrap(), Instant::now());
        cache.remember(question(1, "alice", "old credential", "secret").asked(), now);
        assert!(!cache.knows(question(1, "alice", "new credential", "secret").asked(), now));
    }

    #[test]
    fn it_forgets_after_its_time_and_asking_doesn_t_lengthen_it() {
        let (cache, start) = (VerifiedCache::new().unwrap(), Instant::now());
        let alice = question(1, "alice", "cred", "secret");
        cache.remember(alice.asked(), start);
        let nearly = start + CREDENTIAL_CACHE_TIME - Duration::from_millis(1);
        assert!(cache.knows(alice.asked(), nearly));
        cache.remember(alice.asked(), nearly);
        assert!(!cache.knows(alice.asked(), start + CREDENTIAL_CACHE_TIME));
    }

    #[test]
    fn it_ends_at_its_limit_and_forgets_the_oldest() {
        let (cache, now) = (VerifiedCache::new().unwrap(), Instant::now());
        let secret = Secret::new("s");
        let asked = |account| Asked { account: AccountId(account), user: "u", credential: b"c", secret: &secret };
        let last = i64::try_from(CREDENTIAL_CACHE_MAX).unwrap();
        for account in 0..=last {
            cache.remember(asked(account), now);
        }
        assert!(!cache.knows(asked(0), now));
        assert!(cache.knows(asked(1), now));
        assert!(cache.knows(asked(last), now));
        assert_eq!(cache.entries.lock().unwrap().order.len(), CREDENTIAL_CACHE_MAX);
    }
}
