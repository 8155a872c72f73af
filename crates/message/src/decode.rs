//! From bytes as sent to bytes and text as meant: transfer encodings, charsets, encoded words, HTML, names of files,
//! and the text of a message that SEARCH looks through.
//!
//! Everything here is lenient and total: what can't be decoded comes out as it stands or as U+FFFD. Output is bounded
//! by a small multiple of the input (and by `limits::SEARCH_TEXT_MAX` for [`text_of`], `SEARCH_FOLDED_MAX` for
//! [`Folded`]); each byte is looked at a bounded number of times.

mod charset;
mod fold;
mod html;
mod search;
mod searchable;
mod transfer;
mod words;

pub use charset::charset;
pub use fold::fold;
pub use html::html_text;
pub(crate) use search::slice;
pub use search::{SearchText, addresses_text, file_name, part_bytes, part_text, text_of, text_ranges};
pub use searchable::{EnvelopeField, Folded, SEARCHABLE_VERSION, folded_subject, searchable};
pub use transfer::{base64, quoted_printable};
pub use words::header_text;

#[cfg(test)]
mod tests;
