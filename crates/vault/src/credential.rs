//! What verifies a password: made at once for both ways of asking, stored as text.

use crate::error::VaultError;
use crate::{prepare, random};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use mailward_core::Secret;
use mailward_core::limits::SCRAM_ITERATIONS;
use std::num::NonZeroU32;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Memory of one Argon2id hash, KiB. OWASP's smallest recommendation: 19 MiB, 2 passes, 1 lane.
const ARGON2_MEMORY: u32 = 19 * 1024;
const ARGON2_PASSES: u32 = 2;
const ARGON2_LANES: u32 = 1;
/// Costs above these in a stored credential are damage or malice: 256 MiB, 16 passes, 4 lanes.
const ARGON2_MEMORY_MAX: u32 = 256 * 1024;
const ARGON2_PASSES_MAX: u32 = 16;
const ARGON2_LANES_MAX: u32 = 4;
/// The same for SCRAM: the client pays these.
const SCRAM_ITERATIONS_MAX: u32 = 10_000_000;
/// RFC 7677 §4.
const SCRAM_ITERATIONS_MIN: u32 = 4_096;
const SALT: usize = 16;
const SALT_MAX: usize = 64;
const KEY: usize = 32;
/// Longest stored form, bytes: both salts at their longest leave room.
const STORED_MAX: usize = 512;

/// What verifies one password: an Argon2id hash for those who send it, SCRAM keys for those who prove it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    argon2: Argon2Hash,
    scram: ScramKeys,
}

#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
struct Argon2Hash {
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: [u8; KEY],
}

/// Keys of SCRAM-SHA-256 (RFC 5802 §3). They don't give the password, but whoever has them can answer as the server.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ScramKeys {
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
    pub(crate) stored_key: [u8; KEY],
    pub(crate) server_key: [u8; KEY],
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(…)")
    }
}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

impl Credential {
    /// Makes both from a password. Takes tens of milliseconds and 19 MiB: through [`crate::Hasher`], never on a
    /// thread that serves sessions.
    pub(crate) fn derive(password: &Secret) -> Result<Self, VaultError> {
        let password = prepare(password.expose())?;
        let mut argon2 = Argon2Hash {
            memory: ARGON2_MEMORY,
            passes: ARGON2_PASSES,
            lanes: ARGON2_LANES,
            salt: random::<SALT>()?.to_vec(),
            hash: [0; KEY],
        };
        argon2.hash = *argon2.compute(password.as_bytes())?;
        let scram = ScramKeys::derive(password.as_bytes(), &random::<SALT>()?, SCRAM_ITERATIONS)?;
        Ok(Self { argon2, scram })
    }

    /// A credential that no password opens, at today's costs.
    pub(crate) fn of_nobody() -> Self {
        let argon2 = Argon2Hash {
            memory: ARGON2_MEMORY,
            passes: ARGON2_PASSES,
            lanes: ARGON2_LANES,
            salt: vec![0; SALT],
            hash: [0; KEY],
        };
        let scram =
            ScramKeys { salt: vec![0; SALT], iterations: SCRAM_ITERATIONS, stored_key: [0; KEY], server_key: [0; KEY] };
        Self { argon2, scram }
    }

    /// Whether this is the password. The same work whatever the password is, also one that can't be anybody's.
    pub(crate) fn verify(&self, password: &Secret) -> Result<bool, VaultError> {
        let prepared = prepare(password.expose());
        let fit = prepared.is_ok();
        // An unfit password is hashed as well, as something else, so that it takes as long.
        let prepared = prepared.unwrap_or_default();
        let computed = self.argon2.compute(prepared.as_bytes())?;
        let same = computed.ct_eq(&self.argon2.hash);
        Ok(bool::from(same) && fit)
    }

    /// The keys for SCRAM.
    #[must_use]
    pub const fn scram(&self) -> &ScramKeys {
        &self.scram
    }

    /// What a hash costs: memory in KiB, passes and lanes of Argon2id.
    #[must_use]
    pub const fn costs(&self) -> (u32, u32, u32) {
        (self.argon2.memory, self.argon2.passes, self.argon2.lanes)
    }

    /// The stored form: two lines of ASCII, the PHC string of Argon2id and SCRAM keys as in RFC 5803 §3.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Argon2Hash { memory, passes, lanes, salt, hash } = &self.argon2;
        let scram = &self.scram;
        format!(
            "$argon2id$v=19$m={memory},t={passes},p={lanes}${}${}\nSCRAM-SHA-256${}:{}${}:{}",
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(hash),
            scram.iterations,
            STANDARD.encode(&scram.salt),
            STANDARD.encode(scram.stored_key),
            STANDARD.encode(scram.server_key)
        )
        .into_bytes()
    }

    /// Reads the stored form. Total over any bytes.
    ///
    /// # Errors
    /// [`VaultError::Damaged`]: not of the form, or with costs that no credential of ours has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VaultError> {
        if bytes.len() > STORED_MAX {
            return Err(VaultError::Damaged);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| VaultError::Damaged)?;
        let (phc, scram) = text.split_once('\n').ok_or(VaultError::Damaged)?;
        let argon2 = Argon2Hash::parse(phc).ok_or(VaultError::Damaged)?;
        let scram = ScramKeys::parse(scram).ok_or(VaultError::Damaged)?;
        Ok(Self { argon2, scram })
    }
}

/// Asked for at once, bytes, so that the memory of a hash is mapped for itself and given back to the system right after.
/// The allocator (glibc) maps what is above a threshold that it moves, up to 32 MiB; 19 MiB would soon be cut from its
/// arenas, one after the other, and stay with the process many times over. What isn't touched costs nothing.
const MAPPED: usize = 33 * 1024 * 1024;

/// Memory to compute a hash in.
fn memory(blocks: usize) -> Vec<Block> {
    let mut memory = Vec::with_capacity(blocks.max(MAPPED / Block::SIZE));
    memory.resize(blocks, Block::default());
    memory
}

impl Argon2Hash {
    fn compute(&self, password: &[u8]) -> Result<Zeroizing<[u8; KEY]>, VaultError> {
        let params = Params::new(self.memory, self.passes, self.lanes, Some(KEY)).map_err(|_| VaultError::Hashing)?;
        let mut out = Zeroizing::new([0u8; KEY]);
        let mut memory = memory(params.block_count());
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(password, &self.salt, out.as_mut(), &mut memory)
            .map_err(|_| VaultError::Hashing)?;
        Ok(out)
    }

    fn parse(phc: &str) -> Option<Self> {
        let mut fields = phc.strip_prefix("$argon2id$v=19$")?.split('$');
        let mut costs = fields.next()?.split(',');
        let memory = cost(costs.next()?.strip_prefix("m=")?, 8, ARGON2_MEMORY_MAX)?;
        let passes = cost(costs.next()?.strip_prefix("t=")?, 1, ARGON2_PASSES_MAX)?;
        let lanes = cost(costs.next()?.strip_prefix("p=")?, 1, ARGON2_LANES_MAX)?;
        let salt = salt(STANDARD_NO_PAD.decode(fields.next()?).ok()?)?;
        let hash = STANDARD_NO_PAD.decode(fields.next()?).ok()?.try_into().ok()?;
        // Argon2 wants 8 KiB a lane.
        let enough = memory >= lanes.saturating_mul(8);
        (costs.next().is_none() && fields.next().is_none() && enough).then_some(Self {
            memory,
            passes,
            lanes,
            salt,
            hash,
        })
    }
}

impl ScramKeys {
    /// RFC 5802 §3: `SaltedPassword`, `ClientKey`, `StoredKey`, `ServerKey`.
    pub(crate) fn derive(password: &[u8], salt: &[u8], iterations: u32) -> Result<Self, VaultError> {
        let rounds = NonZeroU32::new(iterations).ok_or(VaultError::Hashing)?;
        let mut salted = Zeroizing::new([0u8; KEY]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password, salted.as_mut());
        let client_key = Zeroizing::new(sign(salted.as_ref(), b"Client Key"));
        Ok(Self {
            salt: salt.to_vec(),
            iterations,
            stored_key: sha256(client_key.as_ref()),
            server_key: sign(salted.as_ref(), b"Server Key"),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (head, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt_text) = head.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        Some(Self {
            salt: salt(STANDARD.decode(salt_text).ok()?)?,
            iterations: cost(iterations, SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX)?,
            stored_key: STANDARD.decode(stored).ok()?.try_into().ok()?,
            server_key: STANDARD.decode(server).ok()?.try_into().ok()?,
        })
    }
}

/// HMAC-SHA-256.
pub(crate) fn sign(key: &[u8], message: &[u8]) -> [u8; KEY] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut out = [0u8; KEY];
    out.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// SHA-256.
pub(crate) fn sha256(message: &[u8]) -> [u8; KEY] {
    let hash = digest::digest(&digest::SHA256, message);
    let mut out = [0u8; KEY];
    out.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// A decimal number without sign or leading zero, within its bounds.
fn cost(digits: &str, min: u32, max: u32) -> Option<u32> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|n| plain && (min..=max).contains(n))
}

fn salt(bytes: Vec<u8>) -> Option<Vec<u8>> {
    (8..=SALT_MAX).contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn credential(password: &str) -> Credential {
        Credential::derive(&Secret::new(password)).unwrap()
    }

    #[test]
    fn the_right_password_opens_and_no_other_does() {
        let c = credential("correct horse");
        assert_eq!(c.verify(&Secret::new("correct horse")), Ok(true));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse", "correct horse\0"] {
            assert_eq!(c.verify(&Secret::new(wrong)), Ok(false), "{wrong:?}");
        }
    }

    #[test]
    fn an_unfit_password_is_wrong_and_not_an_error() {
        let c = credential("correct horse");
        assert_eq!(c.verify(&Secret::new("a".repeat(5_000))), Ok(false));
        assert_eq!(c.verify(&Secret::new(vec![0xff, 0xfe])), Ok(false));
    }

    #[test]
    fn nobody_has_no_password() {
        let nobody = Credential::of_nobody();
        for guess in ["", "\0", "password"] {
            assert_eq!(nobody.verify(&Secret::new(guess)), Ok(false));
        }
    }

    #[test]
    fn the_same_password_twice_shares_nothing() {
        let (a, b) = (credential("correct horse"), credential("correct horse"));
        assert_ne!(a.argon2.salt, b.argon2.salt);
        assert_ne!(a.argon2.hash, b.argon2.hash);
        assert_ne!(a.scram.salt, b.scram.salt);
        assert_ne!(a.argon2.salt, a.scram.salt, "one salt for two functions");
    }

    #[test]
    fn it_comes_back_from_the_store_the_same() {
        let c = credential("correct horse");
        let back = Credential::from_bytes(&c.to_bytes()).unwrap();
        assert!(back == c);
        assert_eq!(back.verify(&Secret::new("correct horse")), Ok(true));
    }

    #[test]
    fn costs_that_would_exhaust_the_server_are_damage() {
        let text = String::from_utf8(credential("correct horse").to_bytes()).unwrap();
        for (from, to) in [
            ("m=19456", "m=4000000000"),
            ("m=19456", "m=262145"),
            ("m=19456", "m=0"),
            ("m=19456", "m=019456"),
            ("m=19456", "m=+19456"),
            ("t=2", "t=17"),
            ("p=1", "p=5"),
            ("p=1", "p=1,x=1"),
            ("$15000:", "$4095:"),
            ("$15000:", "$10000001:"),
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
            ("SCRAM-SHA-256", "SCRAM-SHA-1"),
            ("\n", ""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from} is not there");
            assert_eq!(Credential::from_bytes(changed.as_bytes()), Err(VaultError::Damaged), "{to}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let c = credential("correct horse");
        assert_eq!(format!("{c:?} {:?}", c.scram()), "Credential(…) ScramKeys(…)");
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Credential::from_bytes(&bytes);
        }

        #[test]
        fn what_is_read_is_written_the_same(
            salt_a in proptest::collection::vec(any::<u8>(), 0..70), salt_b in proptest::collection::vec(any::<u8>(), 0..70),
            hash in any::<[u8; 32]>(), m in 0u32..300_000, t in 0u32..20, p in 0u32..6, i in 4_000u32..20_000,
        ) {
            let argon2 = Argon2Hash { memory: m, passes: t, lanes: p, salt: salt_a, hash };
            let scram = ScramKeys { salt: salt_b, iterations: i, stored_key: hash, server_key: hash };
            let bytes = Credential { argon2, scram }.to_bytes();
            if let Ok(read) = Credential::from_bytes(&bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }

        #[test]
        fn one_changed_byte_is_damage_or_another_password(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let c = Credential::of_nobody();
            let mut bytes = c.to_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            prop_assert!(Credential::from_bytes(&bytes) != Ok(c));
        }
    }
}
