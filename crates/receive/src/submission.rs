//! What a user submits, before it is kept: mended, and from nobody whom the user may not be (RFC 6409 §8).

use crate::replies;
use mailward_core::{Domain, Timestamp};
use mailward_directory::{Directory, Login};
use mailward_message::submission::{ClaimPlace, Facts, claims, mend};
use mailward_smtp::Reply;

/// Mends a submitted message, which stands behind `trace` bytes of trace fields. Everybody whom it claims to be from must
/// be the login's, `Sender`, `Resent-From` and names that look like an address included.
///
/// # Errors
/// The reply that refuses it.
pub(crate) fn mended(
    bytes: Vec<u8>,
    trace: usize,
    login: &Login,
    directory: &Directory,
    now: Timestamp,
    id: &str,
    hostname: &Domain,
) -> Result<Vec<u8>, Reply> {
    let facts = Facts { date: now, id, hostname, domain: login.address().domain(), author: None };
    let bytes = mend(bytes, trace, &facts).map_err(replies::header)?;
    let message = bytes.get(trace..).unwrap_or_default();
    let claims = claims(message).map_err(|fault| Reply::CLAIM_UNCLEAR.with(&fault.to_string()))?;
    for claim in claims {
        if !directory.may_send_as(login, &claim.address) {
            let place = match claim.place {
                ClaimPlace::Address => "",
                ClaimPlace::Name => ", as a name",
            };
            return Err(Reply::CLAIM_DENIED.with(&format!("{} in {}{place}", claim.address, claim.field)));
        }
    }
    Ok(bytes)
}
