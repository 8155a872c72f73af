//! What a DKIM signature is computed over (RFC 6376): the relaxed forms of header fields and of the body, and which
//! fields are signed; and signatures that others made, read. Nothing here computes or checks one; `vault` makes them,
//! `inspect` checks them.
//!
//! Lines end at CRLF, and only there: a bare CR or LF is a character like any other, and
//! [`RelaxedBody::has_bare_line_ends`] tells of it, because programs on the way would see other lines.

use crate::bytes::{is_blank, sub, trim_end};
use crate::header::{self, Field};
use mailward_core::limits::HEADER_FIELDS_MAX;

mod body;
mod chosen;
pub(crate) mod signature;
mod simple;
mod tags;

pub use body::RelaxedBody;
pub use chosen::Fields;
pub use signature::{ChainStatus, Kind, Scheme, Signature, SignatureFault, unsigned_field};
pub use simple::SimpleBody;
pub use tags::{TagFault, Tags};

/// How fields or a body are made the same before they are signed (RFC 6376 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are, but for empty lines at the end of a body.
    Simple,
    /// Without what mail servers may change of blanks.
    Relaxed,
}

/// How a field is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Every one there is, and that there is no other: its name stands in `h=` once more than the field in the message
    /// (RFC 6376 §5.4.2), even if it isn't there at all. Nobody can add one on the way without breaking the signature.
    Closed,
    /// The same, but only if there is one: those on the way who rightly add the first one (a list its `List-Id`) break
    /// nothing.
    ClosedIfThere,
    /// Every one there is; others may be added before them, as resending does (RFC 5322 §3.6.6).
    IfThere,
}

/// Fields that are signed, in the order of `h=`, as RFC 6376 §5.4.1 recommends: what people and programs see, do or
/// decide by. Not signed: what changes on the way (`Return-Path`, `Received`, trace and results), what must not be there
/// (`Bcc`), and what says nothing (`X-…`, `Comments`, `Keywords`).
pub const SIGNED_FIELDS: [(&str, Signed); 31] = [
    // Who wrote what to whom, and when: what a person reads and an answer goes by.
    ("From", Signed::Closed),
    ("To", Signed::Closed),
    ("Cc", Signed::Closed),
    ("Subject", Signed::Closed),
    ("Date", Signed::Closed),
    ("Message-ID", Signed::Closed),
    ("Reply-To", Signed::Closed),
    ("In-Reply-To", Signed::Closed),
    ("References", Signed::Closed),
    // How the body is read: with another boundary or type it is another message.
    ("MIME-Version", Signed::Closed),
    ("Content-Type", Signed::Closed),
    ("Content-Transfer-Encoding", Signed::Closed),
    ("Content-Disposition", Signed::ClosedIfThere),
    ("Content-ID", Signed::ClosedIfThere),
    ("Content-Language", Signed::ClosedIfThere),
    // A list's manager sets its own.
    ("Sender", Signed::ClosedIfThere),
    // Programs act on them. RFC 8058 §4 wants the two of unsubscribing signed.
    ("List-Id", Signed::ClosedIfThere),
    ("List-Unsubscribe", Signed::ClosedIfThere),
    ("List-Unsubscribe-Post", Signed::ClosedIfThere),
    ("List-Post", Signed::ClosedIfThere),
    ("List-Help", Signed::ClosedIfThere),
    ("List-Subscribe", Signed::ClosedIfThere),
    ("List-Owner", Signed::ClosedIfThere),
    ("List-Archive", Signed::ClosedIfThere),
    ("Auto-Submitted", Signed::ClosedIfThere),
    ("Autocrypt", Signed::ClosedIfThere),
    // Whoever resends puts new ones before.
    ("Resent-From", Signed::IfThere),
    ("Resent-To", Signed::IfThere),
    ("Resent-Cc", Signed::IfThere),
    ("Resent-Date", Signed::IfThere),
    ("Resent-Message-ID", Signed::IfThere),
];

/// The signed part of a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedHeader {
    /// For `h=`: a name of [`SIGNED_FIELDS`] for each field signed, and once more where the name is closed.
    pub names: Vec<&'static str>,
    /// The fields in the relaxed form, in the order of `names`, each with CRLF at its end: what is signed before the
    /// signature's own field (RFC 6376 §3.7).
    pub relaxed: Vec<u8>,
}

/// Why a header can't be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedHeaderFault {
    /// The first line is no field: to us the message is all body, to others the fields below may count.
    #[error("the message doesn't begin with a header")]
    None,
    /// Not one From field. RFC 6376 §5.4 wants it signed, RFC 5322 §3.6 wants one: with several, readers differ in whom
    /// they show.
    #[error("the message has {0} From fields; one can be signed: put one in, or take the others out")]
    From(usize),
    /// See `limits::HEADER_FIELDS_MAX`.
    #[error("the message has more than {HEADER_FIELDS_MAX} header fields")]
    TooManyFields,
    /// A CR or LF that is no line end: whoever takes it for one sees other fields.
    #[error("the header has a CR or LF that isn't part of a line end")]
    BareLineEnd,
}

impl SignedHeader {
    /// Chooses and canonicalises what is signed of a header: the bytes of a message up to its body, at most
    /// `limits::HEADER_BYTES_MAX`, which the caller sees to.
    ///
    /// # Errors
    /// [`SignedHeaderFault`].
    pub fn of(header: &[u8]) -> Result<Self, SignedHeaderFault> {
        Self::chosen(header, &SIGNED_FIELDS)
    }

    /// The same for whoever forwards a message: what others signed of it is signed with it (RFC 8617 §4.1.2).
    ///
    /// # Errors
    /// [`SignedHeaderFault`].
    pub fn forwarded(header: &[u8]) -> Result<Self, SignedHeaderFault> {
        let mut table = SIGNED_FIELDS.to_vec();
        table.push(("DKIM-Signature", Signed::IfThere));
        Self::chosen(header, &table)
    }

    fn chosen(header: &[u8], table: &[(&'static str, Signed)]) -> Result<Self, SignedHeaderFault> {
        if has_bare_line_end(header) {
            return Err(SignedHeaderFault::BareLineEnd);
        }
        if header::header_end(header) < header.len() {
            return Err(SignedHeaderFault::None);
        }
        // By place in the table, each name's fields from the top.
        let mut found: Vec<(usize, Field<'_>)> = Vec::new();
        let mut count = 0usize;
        for field in header::fields(header) {
            count = count.saturating_add(1);
            if count > HEADER_FIELDS_MAX {
                return Err(SignedHeaderFault::TooManyFields);
            }
            if let Some(place) = table.iter().position(|(name, _)| field.is(name)) {
                found.push((place, field));
            }
        }
        let mut signed = Self::default();
        for (place, (name, how)) in table.iter().enumerate() {
            // From the bottom up, as verifiers take them (RFC 6376 §5.4.2).
            let mut there = 0usize;
            for (_, field) in found.iter().rev().filter(|(at, _)| *at == place) {
                there = there.saturating_add(1);
                signed.names.push(name);
                relax_field(sub(header, field.whole.clone()), &mut signed.relaxed);
                signed.relaxed.extend_from_slice(b"\r\n");
            }
            if place == 0 && there != 1 {
                return Err(SignedHeaderFault::From(there));
            }
            match how {
                Signed::Closed => signed.names.push(name),
                Signed::ClosedIfThere if there > 0 => signed.names.push(name),
                Signed::ClosedIfThere | Signed::IfThere => {}
            }
        }
        Ok(signed)
    }
}

/// Whether a CR or LF stands alone.
fn has_bare_line_end(bytes: &[u8]) -> bool {
    let mut before = 0u8;
    for byte in bytes {
        if (before == b'\r') != (*byte == b'\n') {
            return true;
        }
        before = *byte;
    }
    before == b'\r'
}

/// Writes a field in the relaxed form (RFC 6376 §3.4.2), without line end: name in lower case, no blanks around the
/// colon and at the end, other runs of blanks as one space, unfolded. `field` is the whole field, with its last line end
/// or without. What has no colon is only put into one line.
pub fn relax_field(field: &[u8], out: &mut Vec<u8>) {
    // A name ends on the first line, or there is none.
    let colon = memchr::memchr2(b':', b'\n', field).map_or((field, &[] as &[u8]), |at| field.split_at(at));
    match colon {
        (name, [b':', value @ ..]) => {
            out.extend(trim_end(name).iter().map(u8::to_ascii_lowercase));
            out.push(b':');
            relax_value(value, out);
        }
        _ => relax_value(field, out),
    }
}

fn relax_value(value: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut blank = false;
    let mut rest = value;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, rest) {
            // A line end of a folded value goes; the blank after it stays.
            (b'\r', [b'\n', after @ ..]) => rest = after,
            (byte, _) if is_blank(*byte) => blank = true,
            (byte, _) => {
                if blank && out.len() > start {
                    out.push(b' ');
                }
                blank = false;
                out.push(*byte);
            }
        }
    }
}

#[cfg(test)]
mod others;
#[cfg(test)]
mod tests;
