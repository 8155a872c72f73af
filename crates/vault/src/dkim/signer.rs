//! Signatures: from a message in pieces to the fields before it.

use super::key::Key;
use crate::error::VaultError;
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::{DKIM_SIGNATURE_TIME, HEADER_BYTES_MAX};
use mailward_core::{Domain, Timestamp};
use mailward_message::dkim::{RelaxedBody, SignedHeader, SignedHeaderFault, relax_field};
use std::sync::Arc;

/// Bytes of a line of `h=` and `b=`: below the 78 of RFC 5322 §2.1.1.
const LINE: usize = 72;

/// Why a message can't be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignFault {
    /// Of the header.
    #[error(transparent)]
    Header(#[from] SignedHeaderFault),
    /// See `limits::HEADER_BYTES_MAX`.
    #[error("the message's header is larger than {HEADER_BYTES_MAX} bytes")]
    HeaderTooLarge,
    /// Sent like this, it would be read otherwise than it was signed.
    #[error("the message has a CR or LF that isn't part of a line end")]
    BareLineEnd,
    /// The key failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The keys of one domain that sign now, each with its selector.
#[derive(Clone, Debug)]
pub struct Signer {
    domain: Domain,
    keys: Vec<(String, Arc<Key>)>,
}

impl Signer {
    /// With keys by selector; a message gets a signature of each, in this order.
    #[must_use]
    pub const fn new(domain: Domain, keys: Vec<(String, Arc<Key>)>) -> Self {
        Self { domain, keys }
    }
    /// Whom it signs for: `d=`.
    #[must_use]
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }
    /// The selectors of its keys, in order.
    pub fn selectors(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(selector, _)| selector.as_str())
    }
    /// Begins to sign a message; `now` is when (`t=`). The signatures hold for `limits::DKIM_SIGNATURE_TIME`, so that a
    /// copy that somebody sends on and on is worth little (attacks D4).
    #[must_use]
    pub fn begin(self: &Arc<Self>, now: Timestamp) -> Signing {
        Signing { signer: Arc::clone(self), time: now.secs().max(0), part: Part::Header { seen: Vec::new() } }
    }
}

/// A message being signed. Holds its header and a few kilobytes.
#[derive(Debug)]
pub struct Signing {
    signer: Arc<Signer>,
    time: i64,
    part: Part,
}

enum Part {
    Header { seen: Vec<u8> },
    Body { header: SignedHeader, body: RelaxedBody, hash: Context },
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Header { .. } => "Header",
            Part::Body { .. } => "Body",
        })
    }
}

impl Part {
    fn body(header: &[u8]) -> Result<Self, SignFault> {
        let header = SignedHeader::of(header)?;
        Ok(Part::Body { header, body: RelaxedBody::new(), hash: Context::new(&SHA256) })
    }
}

impl Signing {
    /// Takes the next piece of the message, whatever its size: header and body as they will be sent, with CRLF line ends,
    /// not dot-stuffed.
    ///
    /// # Errors
    /// [`SignFault`]; then the message can't be signed.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), SignFault> {
        match &mut self.part {
            Part::Header { seen } => {
                // Where an empty line may begin that this piece ends.
                let from = seen.len().saturating_sub(3);
                // One byte past the limit tells that it is past it.
                let room = HEADER_BYTES_MAX.saturating_add(1).saturating_sub(seen.len());
                let (taken, rest) = piece.split_at(piece.len().min(room));
                seen.extend_from_slice(taken);
                match header_end(seen, from) {
                    Some(end) => {
                        let (header, first) = seen.split_at_checked(end).unwrap_or((seen, &[]));
                        let mut part = Part::body(header)?;
                        part.take(first);
                        part.take(rest);
                        self.part = part;
                        Ok(())
                    }
                    None if seen.len() > HEADER_BYTES_MAX => Err(SignFault::HeaderTooLarge),
                    None => Ok(()),
                }
            }
            body @ Part::Body { .. } => {
                body.take(piece);
                Ok(())
            }
        }
    }

    /// Takes the end of the message; answers the `DKIM-Signature` fields to stand before its first byte, each with CRLF at
    /// its end.
    ///
    /// # Errors
    /// [`SignFault`]; then the message can't be signed.
    pub fn finish(mut self) -> Result<Vec<u8>, SignFault> {
        if let Part::Header { seen } = &self.part {
            self.part = Part::body(seen)?;
        }
        let Part::Body { header, body, mut hash } = self.part else { return Ok(Vec::new()) };
        if body.has_bare_line_ends() {
            return Err(SignFault::BareLineEnd);
        }
        body.finish(|bytes| hash.update(bytes));
        let body_hash = STANDARD.encode(hash.finish());
        let mut fields = Vec::new();
        for (selector, key) in &self.signer.keys {
            let unsigned = unsigned(&self.signer.domain, selector, key, self.time, &header, &body_hash);
            let mut input = header.relaxed.clone();
            // With an empty `b=` and no line end (RFC 6376 §3.7).
            relax_field(unsigned.as_bytes(), &mut input);
            let signature = STANDARD.encode(key.sign(&input)?);
            fields.extend_from_slice(unsigned.as_bytes());
            fold_signature(&signature, &mut fields);
        }
        Ok(fields)
    }
}

impl Part {
    fn take(&mut self, piece: &[u8]) {
        if let Part::Body { body, hash, .. } = self {
            body.push(piece, |bytes| hash.update(bytes));
        }
    }
}

/// Where the body starts, if the empty line before it has come; it isn't before `from`.
fn header_end(seen: &[u8], from: usize) -> Option<usize> {
    if seen.starts_with(b"\r\n") {
        return Some(2);
    }
    let near = seen.get(from..)?;
    memchr::memmem::find(near, b"\r\n\r\n").map(|at| from.saturating_add(at).saturating_add(4))
}

/// The field up to its signature. Left out: `l=`, which lets others add to the body (attacks D2), and `i=`, which says
/// nothing more than `d=`.
fn unsigned(domain: &Domain, selector: &str, key: &Key, time: i64, header: &SignedHeader, body_hash: &str) -> String {
    let lasts = i64::try_from(DKIM_SIGNATURE_TIME.as_secs()).unwrap_or(i64::MAX);
    let mut field = format!(
        "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={domain};\r\n\ts={selector}; t={time}; x={};\r\n\th=",
        key.algorithm().name(),
        time.saturating_add(lasts)
    );
    let mut width = 3usize;
    for (number, name) in header.names.iter().enumerate() {
        if number > 0 {
            field.push(':');
            width = width.saturating_add(1);
            if width.saturating_add(name.len()) > LINE {
                field.push_str("\r\n\t ");
                width = 2;
            }
        }
        field.push_str(name);
        width = width.saturating_add(name.len());
    }
    field.push_str(&format!(";\r\n\tbh={body_hash};\r\n\tb="));
    field
}

fn fold_signature(signature: &str, field: &mut Vec<u8>) {
    for (number, line) in signature.as_bytes().chunks(LINE).enumerate() {
        if number > 0 {
            field.extend_from_slice(b"\r\n\t ");
        }
        field.extend_from_slice(line);
    }
    field.extend_from_slice(b"\r\n");
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests;
