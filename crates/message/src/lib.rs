//! # message: MIME, parsed once
//!
//! **For**: everything a mail server says of a message without reading it again. [`Structure::parse`] walks a
//! message once, at acceptance; the result is kept beside the bytes and answers ENVELOPE, BODY, BODYSTRUCTURE,
//! sections and searches by offsets. The room that judges a message and the room that shows it use this one tree.
//!
//! **In**: the bytes of a whole message, whoever wrote them. **Out**: [`Structure`] (offsets and undecoded
//! strings), [`header`] (fields as bytes), [`decode`] (transfer encodings, charsets, encoded words, text to
//! search), [`date`], what readers sort, thread and preview by ([`subject`], [`references`], [`preview`]), [`downgrade`]
//! (a header for readers without UTF-8), [`dkim`] (what signatures are computed over), [`results`] (what
//! other servers say that they found out), and what refuses: [`accept::check`], and
//! search), [`names`] (every name a file may go by), [`ambiguity`] (what others could read differently, and what they would
//! see), [`date`], what readers sort, thread and preview by ([`subject`], [`references`], [`preview`]), [`downgrade`]
//! (a header for readers without UTF-8), [`dkim`] (what signatures are computed over), and what refuses: [`accept::check`], and
//! [`submission::claims`], which won't guess who a submitted message is from. [`submission::mend`] completes what a user
//! submits, [`report`] writes bounces and other delivery status notifications.
//!
//! **How one tree comes of a message that allows two** (attacks E1; each line has a test in `tests/ambiguities.rs`):
//! - Lines end at LF, a CR before it belongs to the end. A bare CR is a character.
//! - A header ends at its first empty line; a line of blanks is a continuation. A line without colon is a field
//!   without name, unless it is the entity's first: then the entity has no header and is all body.
//! - Of a field or parameter given twice the first counts; `To`, `Cc` and `Bcc` given twice are joined, as the
//!   obsolete syntax of RFC 5322 §4.5.3 has it. An address field without an address counts as not given.
//! - MIME-Version is not asked for.
//! - A delimiter is a whole line: `--`, the boundary, perhaps `--`, perhaps blanks. The innermost open multipart is
//!   asked first, then those around it. What follows a close delimiter is epilogue, whatever it holds.
//! - A multipart without usable boundary or without one part is `text/plain`, whole. A `message/rfc822` that is
//!   encoded, and whatever lies deeper or later than the limits, is `application/octet-stream`, whole.
//! - The transfer encoding of a multipart is not heeded. An unknown encoding is the identity.
//!
//! **Limits**: `limits::HEADER_NAME_MAX`, `MIME_DEPTH_MAX`, `MIME_PARTS_MAX`, `MIME_PARAMETERS_MAX`, `MIME_BOUNDARY_MAX`,
//! `ENVELOPE_ADDRESSES_MAX`, `ENVELOPE_ADDRESSES_SUM_MAX`, `ENVELOPE_STRING_MAX`, `SEARCH_TEXT_MAX`, `SEARCH_FOLDED_MAX`,
//! `SUBMISSION_CLAIMS_MAX`, `RESULTS_*`, `REPORT_RECIPIENTS_MAX`, `REPORT_RETURNED_MAX`, `REPORT_TEXT_MAX`, `REPORT_FIELD_MAX`,
//! `MESSAGE_ID_MAX`, `REFERENCES_MAX`, `PREVIEW_CHARACTERS_MAX`, `PREVIEW_BYTES_MAX`, `PREVIEW_PARTS_MAX`, and for
//! `SUBMISSION_CLAIMS_MAX`, `REPORT_RECIPIENTS_MAX`, `REPORT_RETURNED_MAX`, `REPORT_TEXT_MAX`, `REPORT_FIELD_MAX`,
//! `MESSAGE_ID_MAX`, `REFERENCES_MAX`, `PREVIEW_CHARACTERS_MAX`, `PREVIEW_BYTES_MAX`, `PREVIEW_PARTS_MAX`, those of [`ambiguity`] and [`names`], and for
//! acceptance `HEADER_BYTES_MAX`, `HEADER_FIELDS_MAX`, `RECEIVED_HOPS_MAX`. No function calls itself; work grows
//! with the message's bytes (times the depth, at most, for lines that look like delimiters).
//!
//! **Failure**: parsing a message never fails: what isn't MIME is text. Reading back stored bytes can
//! ([`StructureError`]); the caller then parses the message again.
//!
//! **Standards**: RFC 5322 and 6532 (header, addresses, dates, with the obsolete forms), RFC 2045, 2046, 2183,
//! 2231 (MIME), RFC 2047 (encoded words), RFC 3501 §6.4.5, §7.4.2 and RFC 9051 §6.4.5, §7.5.2 (sections, ENVELOPE,
//! BODYSTRUCTURE), RFC 5051 (what is the same to a search), RFC 5256 §2.1 and §3 (base subjects, references), RFC 6858
//! (downgrading), RFC 6376 §3.4, §5.4 (what DKIM signs), RFC 8970 (previews), RFC 6409 §8 (submission), RFC 3461 §6, 3463,
//! 3464, 6522 and 6533 (delivery status notifications).

pub mod accept;
pub mod address_list;
pub mod ambiguity;
pub mod arc;
mod bytes;
pub mod content;
pub mod date;
pub mod decode;
pub mod dkim;
pub mod downgrade;
mod envelope;
pub mod header;
pub mod html;
pub mod letter;
pub mod names;
pub mod preview;
pub mod references;
pub mod report;
pub mod results;
mod structure;
pub mod subject;
pub mod submission;
mod walk;

pub use envelope::{Envelope, EnvelopeAddress};
pub use structure::{Disposition, Part, Section, Structure, StructureError};
