//! What a user submits, before it is kept: mended, and from nobody whom the user may not be (RFC 6409 §8).

use crate::replies;
use mailward_core::{Address, Domain, Timestamp};
use mailward_directory::{Directory, Login};
use mailward_gate::{InsideRules, inside_may_be};
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
    mend_and_ask(bytes, trace, &facts, |claimed| directory.may_send_as(login, claimed))
}

/// The same for what hosts of our networks send out: their addresses are whole, so none is completed.
///
/// # Errors
/// The reply that refuses it.
pub(crate) fn inside(
    bytes: Vec<u8>,
    trace: usize,
    directory: &Directory,
    rules: &InsideRules,
    now: Timestamp,
    id: &str,
    hostname: &Domain,
) -> Result<Vec<u8>, Reply> {
    let facts = Facts { date: now, id, hostname, domain: None, author: None };
    if rules.any_sender {
        return mend(bytes, trace, &facts).map_err(replies::header);
    }
    mend_and_ask(bytes, trace, &facts, |claimed| inside_may_be(directory, rules, claimed))
}

/// Mends a message, and asks of everybody that it claims to be from.
///
/// # Errors
/// The reply that refuses it.
pub(crate) fn mend_and_ask(
    bytes: Vec<u8>,
    trace: usize,
    facts: &Facts<'_>,
    may_be: impl Fn(&Address) -> bool,
) -> Result<Vec<u8>, Reply> {
    let bytes = mend(bytes, trace, facts).map_err(replies::header)?;
    let message = bytes.get(trace..).unwrap_or_default();
    let claims = claims(message).map_err(|fault| Reply::CLAIM_UNCLEAR.with(&fault.to_string()))?;
    for claim in claims {
        if !may_be(&claim.address) {
            let place = match claim.place {
                ClaimPlace::Address => "",
                ClaimPlace::Name => ", as a name",
            };
            return Err(Reply::CLAIM_DENIED.with(&format!("{} in {}{place}", claim.address, claim.field)));
        }
    }
    Ok(bytes)
}
