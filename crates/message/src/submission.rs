//! What a user submits: mended where RFC 6409 §8 allows it, and asked who it claims to be from.
//!
//! [`mend`] changes as little as may be: what is missing is added, what nobody else may see is removed, addresses
//! without a domain get one. Every other byte stays, so that a body that was signed stays signed. [`claims`] then reads
//! the mended bytes, which are the ones that are kept and sent, and answers or refuses: it doesn't guess (attacks A2,
//! D1).

use crate::accept::{self, HeaderFault};
use crate::address_list::{Member, members};
use crate::bytes::{from, sub, without_end};
use crate::date;
use crate::header::{Field, fields};
use mailward_core::limits::{HEADER_BYTES_MAX, PATH_MAX};
use mailward_core::{Address, Domain, LocalPart, Timestamp};
use memchr::memmem;
use std::ops::Range;

mod author;
mod claims;
mod written;

pub use author::with_author;
pub use claims::{Claim, ClaimFault, ClaimField, ClaimPlace, author, claims};
pub use written::{WrittenFault, recipients, written};

/// What a message is mended with.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Now, for a missing `Date`.
    pub date: Timestamp,
    /// What stands before the `@` of a missing `Message-ID`; the caller makes it unique. Only letters, digits, `.`, `-`
    /// and `_` of it are taken.
    pub id: &'a str,
    /// Our name, after the `@` of a missing `Message-ID`.
    pub hostname: &'a Domain,
    /// The login's domain, for addresses without one; `None` leaves them as they are.
    pub domain: Option<&'a Domain>,
    /// Who writes, for a message without `From`: local programs leave that to the server. `None` adds none, and
    /// [`claims`] refuses the message.
    pub author: Option<&'a Address>,
}

/// Mends the message that starts at `start` of `bytes` (before it may stand trace fields; they aren't looked at):
/// - `Date` and `Message-ID` are added before the others if there are none (RFC 6409 §8.2, §8.3), `From` if there is none
///   and the facts have an author. A message whose first line is no header field becomes the body of those.
/// - `Bcc` and `Resent-Bcc` are removed (RFC 5322 §3.6.3).
/// - In `From`, `Sender`, `Reply-To`, `To`, `Cc` and the same of `Resent-`, addresses that are one local part and nothing
///   else get the login's domain (RFC 6409 §4.2). What may be something else stays as it is.
///
/// Mending again changes nothing. Bytes that need no change are given back as they are, not copied.
///
/// # Errors
/// If the header is past a limit, or would be.
pub fn mend(bytes: Vec<u8>, start: usize, facts: &Facts<'_>) -> Result<Vec<u8>, HeaderFault> {
    let message = from(&bytes, start);
    let found = accept::check(message)?;
    let header = sub(message, 0..found.header_bytes);
    let mut edits = Vec::new();
    let mut has_from = false;
    let mut grown = 0_usize;
    for field in fields(header) {
        has_from |= field.is("from");
        if field.is("bcc") || field.is("resent-bcc") {
            edits.push(Edit { range: field.whole, with: Vec::new() });
        } else if let Some(domain) = facts.domain
            && ADDRESSED.iter().any(|name| field.is(name))
        {
            let before = edits.len();
            let room = HEADER_BYTES_MAX.saturating_sub(found.header_bytes).saturating_sub(grown);
            complete(header, &field, domain, room, &mut edits)?;
            grown = edits.iter().skip(before).fold(grown, |sum, edit| sum.saturating_add(edit.with.len()));
        }
    }
    let mut top = Vec::new();
    if found.date == 0 {
        top.extend_from_slice(format!("Date: {}\r\n", date::format_header(facts.date)).as_bytes());
    }
    if found.message_id == 0 {
        let id: String = facts
            .id
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
            .take(ID_MAX)
            .collect();
        top.extend_from_slice(format!("Message-ID: <{id}@{}>\r\n", facts.hostname).as_bytes());
    }
    if let Some(author) = facts.author.filter(|_| !has_from) {
        top.extend_from_slice(format!("From: <{author}>\r\n").as_bytes());
    }
    if !found.starts_with_header {
        top.extend_from_slice(b"\r\n");
    }
    if found.header_bytes.saturating_add(grown).saturating_add(top.len()) > HEADER_BYTES_MAX {
        return Err(HeaderFault::TooLarge);
    }
    if top.is_empty() && edits.is_empty() {
        return Ok(bytes);
    }
    let mut mended = Vec::with_capacity(bytes.len().saturating_add(grown).saturating_add(top.len()));
    mended.extend_from_slice(sub(&bytes, 0..start));
    mended.extend_from_slice(&top);
    let mut at = 0;
    for edit in &edits {
        mended.extend_from_slice(sub(message, at..edit.range.start));
        mended.extend_from_slice(&edit.with);
        at = edit.range.end;
    }
    mended.extend_from_slice(from(message, at));
    Ok(mended)
}

/// Fields whose addresses are completed. `Bcc` is removed, whatever it says.
const ADDRESSED: [&str; 10] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "resent-from",
    "resent-sender",
    "resent-reply-to",
    "resent-to",
    "resent-cc",
];

/// What is taken of [`Facts::id`], characters: a message id that other programs repeat in their headers stays short.
const ID_MAX: usize = 128;

/// Bytes of the header that others stand for.
struct Edit {
    range: Range<usize>,
    with: Vec<u8>,
}

/// Adds the domain to the addresses of a field that have none, at most `room` bytes together.
fn complete(
    header: &[u8],
    field: &Field<'_>,
    domain: &Domain,
    mut room: usize,
    edits: &mut Vec<Edit>,
) -> Result<(), HeaderFault> {
    let value_end = field.whole.start.saturating_add(without_end(sub(header, field.whole.clone())).len());
    let value_start = value_end.saturating_sub(field.value.len());
    for member in members(field.value) {
        if is_local_only(field.value, &member, domain) {
            let with = format!("@{domain}").into_bytes();
            room = room.checked_sub(with.len()).ok_or(HeaderFault::TooLarge)?;
            let at = value_start.saturating_add(member.seen.end);
            edits.push(Edit { range: at..at, with });
        }
    }
    Ok(())
}

/// Whether a member is a local part, and certainly nothing else: not a name, not an encoded word, not half an address.
fn is_local_only(value: &[u8], member: &Member, domain: &Domain) -> bool {
    let seen = member.seen;
    let is_address = member.address.as_ref().is_some_and(|a| a.host.as_deref() == Some(""));
    if !is_address || seen.doubt || seen.at_sign || seen.words != 1 {
        return false;
    }
    let word = sub(value, seen.start..seen.end);
    let fits = word.len().saturating_add(1).saturating_add(domain.as_str().len()) <= PATH_MAX;
    let encoded = memmem::find(word, b"=?").is_some();
    fits && !encoded && std::str::from_utf8(word).is_ok_and(|word| LocalPart::parse(word, true).is_ok())
}

#[cfg(test)]
mod tests;
