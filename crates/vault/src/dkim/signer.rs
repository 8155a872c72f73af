//! Signatures: from a message in pieces to the fields before it.

use super::key::{Algorithm, Key};
use crate::error::VaultError;
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::{DKIM_SIGNATURE_TIME, HEADER_BYTES_MAX};
use mailward_core::{Domain, Timestamp};
use mailward_message::dkim::{ChainStatus, RelaxedBody, SignedHeader, SignedHeaderFault, relax_field};
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
        self.begin_as(now, SignedHeader::of)
    }

    /// Begins to seal a message that is forwarded; see [`Signing::seal`].
    #[must_use]
    pub fn begin_seal(self: &Arc<Self>, now: Timestamp) -> Signing {
        self.begin_as(now, SignedHeader::forwarded)
    }

    fn begin_as(self: &Arc<Self>, now: Timestamp, choose: Choose) -> Signing {
        let part = Part::Header { seen: Vec::new() };
        Signing { signer: Arc::clone(self), time: now.secs().max(0), choose, part }
    }
}

/// Which fields are signed.
type Choose = fn(&[u8]) -> Result<SignedHeader, SignedHeaderFault>;

/// What a server that forwards a message adds to its chain (RFC 8617 §5.1).
#[derive(Clone, Copy, Debug)]
pub struct ArcSeal<'a> {
    /// The set's number.
    pub instance: u32,
    /// How the chain was found that is there.
    pub chain: ChainStatus,
    /// The sets that are there, each relaxed, in order ([`mailward_message::arc::relax_set`]); not used if the chain fails.
    pub before: &'a [u8],
    /// What was found out, as `Authentication-Results` has it behind its name: `mx.a.example; dkim=pass …`, folded.
    pub results: &'a str,
}

/// A message being signed. Holds its header and a few kilobytes.
#[derive(Debug)]
pub struct Signing {
    signer: Arc<Signer>,
    time: i64,
    choose: Choose,
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
    fn body(header: &[u8], choose: Choose) -> Result<Self, SignFault> {
        let header = choose(header)?;
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
                        let mut part = Part::body(header, self.choose)?;
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
    pub fn finish(self) -> Result<Vec<u8>, SignFault> {
        let (signer, time) = (Arc::clone(&self.signer), self.time);
        let (header, body_hash) = self.hashed()?;
        let mut fields = Vec::new();
        for (selector, key) in &signer.keys {
            let unsigned = unsigned(&signer.domain, selector, key, time, &header, &body_hash);
            sign_field(unsigned, header.relaxed.clone(), key, &mut fields)?;
        }
        Ok(fields)
    }

    /// Takes the end of the message; answers the ARC set to be put before its first byte: seal, message signature, results,
    /// each with CRLF at its end. Signed by the RSA key, the only kind that RFC 8617 knows; nothing without one.
    ///
    /// # Errors
    /// [`SignFault`]; then the message can't be sealed.
    pub fn seal(self, seal: &ArcSeal<'_>) -> Result<Option<Vec<u8>>, SignFault> {
        let (signer, time) = (Arc::clone(&self.signer), self.time);
        let (header, body_hash) = self.hashed()?;
        let rsa = signer.keys.iter().find(|(_, key)| key.algorithm() == Algorithm::RsaSha256);
        let Some((selector, key)) = rsa else { return Ok(None) };
        let (domain, algorithm, number) = (&signer.domain, key.algorithm().name(), seal.instance);
        let results = format!("ARC-Authentication-Results: i={number}; {}\r\n", seal.results);
        // It holds as long as its chain is looked at: with `x=` mail that waits somewhere would break it.
        let mut message = format!(
            "ARC-Message-Signature: i={number}; a={algorithm}; c=relaxed/relaxed; d={domain};\r\n\ts={selector}; t={time};\r\n\th="
        );
        write_names(&header.names, &mut message);
        message.push_str(&format!(";\r\n\tbh={body_hash};\r\n\tb="));
        let mut signature = Vec::new();
        sign_field(message, header.relaxed, key, &mut signature)?;
        // RFC 8617 §5.1.2: a chain that fails can't be signed; then the set stands for itself.
        let mut input = match seal.chain {
            ChainStatus::Fail => Vec::new(),
            ChainStatus::None | ChainStatus::Pass => seal.before.to_vec(),
        };
        for field in [results.as_bytes(), &signature] {
            relax_field(field, &mut input);
            input.extend_from_slice(b"\r\n");
        }
        let unsigned = format!(
            "ARC-Seal: i={number}; a={algorithm}; t={time}; cv={};\r\n\td={domain}; s={selector};\r\n\tb=",
            seal.chain.name()
        );
        let mut set = Vec::new();
        sign_field(unsigned, input, key, &mut set)?;
        set.extend_from_slice(&signature);
        set.extend_from_slice(results.as_bytes());
        Ok(Some(set))
    }

    /// What is signed of the header, and the body's hash.
    fn hashed(mut self) -> Result<(SignedHeader, String), SignFault> {
        if let Part::Header { seen } = &self.part {
            self.part = Part::body(seen, self.choose)?;
        }
        let Part::Body { header, body, mut hash } = self.part else {
            return Ok((SignedHeader::default(), String::new()));
        };
        if body.has_bare_line_ends() {
            return Err(SignFault::BareLineEnd);
        }
        body.finish(|bytes| hash.update(bytes));
        Ok((header, STANDARD.encode(hash.finish())))
    }
}

/// Signs what stands before a field, and the field itself with an empty `b=` and no line end (RFC 6376 §3.7); writes it.
fn sign_field(unsigned: String, mut input: Vec<u8>, key: &Key, out: &mut Vec<u8>) -> Result<(), SignFault> {
    relax_field(unsigned.as_bytes(), &mut input);
    let signature = STANDARD.encode(key.sign(&input)?);
    out.extend_from_slice(unsigned.as_bytes());
    fold_signature(&signature, out);
    Ok(())
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
    write_names(&header.names, &mut field);
    field.push_str(&format!(";\r\n\tbh={body_hash};\r\n\tb="));
    field
}

/// The list of `h=`, folded, behind three characters on its line.
fn write_names(names: &[&'static str], field: &mut String) {
    let mut width = 3usize;
    for (number, name) in names.iter().enumerate() {
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
