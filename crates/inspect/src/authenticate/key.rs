//! Key records (RFC 6376 §3.6.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::DKIM_RECORD_MAX;
use mailward_message::dkim::{Scheme, Signature, Tags};
use mailward_vault::dkim::{Algorithm, PublicKey};

/// Why a record gives no key for a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not a list of tags, or of another version.
    #[error("the key record can't be read")]
    Syntax,
    /// See `limits::DKIM_RECORD_MAX`.
    #[error("the key record is larger than {DKIM_RECORD_MAX} bytes")]
    TooLarge,
    /// Its `p=` is empty.
    #[error("the key was revoked")]
    Revoked,
    /// Its `k=`, `h=`, `s=` or `t=s`.
    #[error("the key isn't for such signatures")]
    NotForThis,
    /// Its `p=` is no key.
    #[error("the key can't be read")]
    Unfit,
}

/// Reads a record's key, if it is for such a signature.
///
/// # Errors
/// [`KeyFault`].
pub fn record(text: &[u8], signature: &Signature) -> Result<PublicKey, KeyFault> {
    if text.len() > DKIM_RECORD_MAX {
        return Err(KeyFault::TooLarge);
    }
    let tags = Tags::parse(text).map_err(|_| KeyFault::Syntax)?;
    if tags.get("v").is_some_and(|v| v != "DKIM1" || !tags.begins_with("v")) {
        return Err(KeyFault::Syntax);
    }
    let algorithm = match (tags.get("k").unwrap_or("rsa"), signature.scheme) {
        ("rsa", Scheme::RsaSha256) => Algorithm::RsaSha256,
        ("ed25519", Scheme::Ed25519Sha256) => Algorithm::Ed25519Sha256,
        _ => return Err(KeyFault::NotForThis),
    };
    let has =
        |name: &str, wanted: &[&str]| tags.packed(name).map(|list| list.split(':').any(|one| wanted.contains(&one)));
    let fits = has("h", &["sha256"]).unwrap_or(true) && has("s", &["*", "email"]).unwrap_or(true);
    // RFC 6376 §3.6.1: `i=` must name the domain itself then.
    let strict = has("t", &["s"]).unwrap_or(false);
    if !fits || strict && !signature.of_domain_itself {
        return Err(KeyFault::NotForThis);
    }
    let key = tags.packed("p").ok_or(KeyFault::Syntax)?;
    if key.is_empty() {
        return Err(KeyFault::Revoked);
    }
    let key = STANDARD.decode(key).map_err(|_| KeyFault::Unfit)?;
    PublicKey::new(algorithm, &key).map_err(|_| KeyFault::Unfit)
}
