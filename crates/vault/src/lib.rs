//! # vault: secrets, and the only operations on them
//!
//! **For**: turning passwords into what verifies them, verifying them, answering SCRAM, remembering for a while what
//! was verified, judging and generating passwords; making the keys of DKIM, sealing them for the store, signing with
//! them; verifying what others signed; proving that a rewritten sender is ours; telling wrong passwords
//! from each other. No other room compares or keeps a secret.
//!
//! **In**: passwords as [`Secret`]s, SCRAM messages as bytes from clients, messages to sign as bytes. **Out**:
//! [`Credential`]s and sealed keys to store, verdicts, SCRAM messages, DKIM signatures and DNS records.
//!
//! **Limits**: passwords have `PASSWORD_MIN` characters to `PASSWORD_MAX` bytes; `HASHES_AT_ONCE` hashes run, each
//! in 19 MiB, `HASHES_WAITING_MAX` wait, one more is refused at once (attacks C13); a SCRAM message has
//! `SASL_LINE_MAX` bytes; `CREDENTIAL_CACHE_MAX` verified credentials are remembered for `CREDENTIAL_CACHE_TIME`;
//! a header to sign has `HEADER_BYTES_MAX` and `HEADER_FIELDS_MAX`, a domain `DKIM_KEYS_MAX` keys.
//!
//! **Failure**: everything fails closed. A user who doesn't exist costs the same time and gives the same messages as
//! one who does ([`Decoy`], attacks A6 and C4). Comparisons of secrets take constant time.
//!
//! **Standards**: Argon2id (RFC 9106; OWASP's 19 MiB, 2 passes, 1 lane), SCRAM-SHA-256 and -PLUS (RFC 5802, 7677),
//! SASLprep's mapping and prohibitions (RFC 4013) without its bidirectional rule, the textual form of SCRAM keys
//! (RFC 5803 §3). DKIM signatures rsa-sha256 and ed25519-sha256 (RFC 6376, 8301, 8463); AES-256-GCM under a key by HKDF
//! (RFC 5869) for keys at rest.

mod bindings;
mod cache;
mod credential;
mod decoy;
pub mod dkim;
mod error;
mod evidence;
mod hasher;
mod link;
mod policy;
mod prepare;
mod scram;
mod seal;
mod signer;
mod source;
mod srs;
mod wrong;

pub use bindings::{Agreed, ChannelBindings};
pub use cache::{Asked, VerifiedCache};
pub use credential::{Credential, ScramKeys};
pub use decoy::Decoy;
pub use error::{ScramError, VaultError};
pub use evidence::{EvidenceKey, is_signed};
pub use hasher::Hasher;
pub use link::{Link, LinkKey};
pub use policy::{PasswordFault, Subject, check_password, generate_password};
pub use prepare::prepare;
pub use scram::{ClientFinalDue, ClientFirst, ScramServer, parse_scram_messages};
pub use seal::Seal;
pub use signer::Signer;
pub use source::SourceKey;
pub use srs::SrsKey;
pub use wrong::{WrongMark, WrongMarks};

use mailward_core::Secret;

/// Fills a buffer from the operating system's randomness.
fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0u8; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| VaultError::Randomness)?;
    Ok(bytes)
}

/// A new secret of 256 bits, for [`Decoy::new`] and for whoever stores it (in a file with mode 0600).
///
/// # Errors
/// [`VaultError::Randomness`].
pub fn new_server_secret() -> Result<Secret, VaultError> {
    random::<32>().map(Secret::new)
}
