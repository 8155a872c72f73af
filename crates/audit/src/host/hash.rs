//! Hashes of the host's files.

use super::{Host, Missed};
use md5::{Digest as _, Md5};

/// MD5 of a file in hexadecimal: what Debian's packages say of theirs. It shows what broke or was changed by somebody who
/// doesn't hide it, no more.
pub(crate) fn md5(host: &Host, path: &str) -> Result<String, Missed> {
    let digest = Md5::digest(host.read(path)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// SHA-256 of a file in hexadecimal.
pub(crate) fn sha256(host: &Host, path: &str) -> Result<String, Missed> {
    Ok(crate::record::sha256(&host.read(path)?))
}
