//! What acceptance must know of a message before it is stored, in one pass over its header.

use crate::bytes::sub;
use crate::header::{fields, header_end};
use mailward_core::limits::{HEADER_BYTES_MAX, HEADER_FIELDS_MAX, RECEIVED_HOPS_MAX};

/// Facts of a message whose header is within the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderFacts {
    /// Bytes of the header section with its empty line; the body starts here.
    pub header_bytes: usize,
    /// Fields, lines that are none counted.
    pub fields: usize,
    /// `Received` fields.
    pub received: usize,
    /// `From` fields. RFC 5322 §3.6 wants one.
    pub from: usize,
    /// `Date` fields. RFC 5322 §3.6 wants one.
    pub date: usize,
    /// `Message-ID` fields. RFC 5322 §3.6 wants one at most.
    pub message_id: usize,
    /// Whether the message starts with something like a header. If not, trace fields put before it need an empty
    /// line after them, or its first lines become part of them.
    pub starts_with_header: bool,
    /// Whether an empty line ends the header.
    pub has_empty_line: bool,
    /// Whether the header has bytes over 127 (SMTPUTF8's affair, RFC 6532).
    pub eight_bit_header: bool,
    /// Whether header or body have bytes over 127 (8BITMIME's affair, RFC 6152).
    pub eight_bit: bool,
    /// Whether header or body have a NUL byte, which IMAP can't serve (RFC 9051 §4.3.1).
    pub nul: bool,
}

/// Which limit a header is past. The message must be refused for good (552 5.3.4, or 554 5.4.6 for the hops).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// See `limits::HEADER_BYTES_MAX`.
    #[error("header section larger than {HEADER_BYTES_MAX} bytes")]
    TooLarge,
    /// See `limits::HEADER_FIELDS_MAX`.
    #[error("more than {HEADER_FIELDS_MAX} header fields")]
    TooManyFields,
    /// See `limits::RECEIVED_HOPS_MAX`: the message goes in circles.
    #[error("more than {RECEIVED_HOPS_MAX} Received fields: mail loop")]
    TooManyHops,
}

/// Looks at a whole message. A message without header, or with one that makes no sense, is fine: it is stored and
/// served as it came.
///
/// # Errors
/// If its header section is past a limit.
pub fn check(message: &[u8]) -> Result<HeaderFacts, HeaderFault> {
    // One byte more than the limit tells whether the header is past it, whatever follows.
    let room = message.get(..HEADER_BYTES_MAX.saturating_add(1)).unwrap_or(message);
    let header_bytes = header_end(room);
    if header_bytes > HEADER_BYTES_MAX {
        return Err(HeaderFault::TooLarge);
    }
    let header = sub(message, 0..header_bytes);
    let eight_bit_header = !header.is_ascii();
    let mut facts = HeaderFacts {
        header_bytes,
        starts_with_header: crate::header::starts_like_header(room),
        has_empty_line: ends_with_empty_line(header),
        eight_bit_header,
        eight_bit: eight_bit_header || !crate::bytes::from(message, header_bytes).is_ascii(),
        nul: memchr::memchr(0, message).is_some(),
        ..HeaderFacts::default()
    };
    for field in fields(header) {
        facts.fields = facts.fields.saturating_add(1);
        if facts.fields > HEADER_FIELDS_MAX {
            return Err(HeaderFault::TooManyFields);
        }
        let count = match field.name.len() {
            8 if field.is("received") => &mut facts.received,
            4 if field.is("from") => &mut facts.from,
            4 if field.is("date") => &mut facts.date,
            10 if field.is("message-id") => &mut facts.message_id,
            _ => continue,
        };
        *count = count.saturating_add(1);
        if facts.received > RECEIVED_HOPS_MAX {
            return Err(HeaderFault::TooManyHops);
        }
    }
    Ok(facts)
}

/// Whether the empty line that ends a header section is there.
pub(crate) fn ends_with_empty_line(header: &[u8]) -> bool {
    header.ends_with(b"\n\r\n") || header.ends_with(b"\n\n") || matches!(header, b"\r\n" | b"\n")
}
