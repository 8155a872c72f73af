//! From bytes as sent to bytes and text as meant.

use crate::structure::{Part, Structure};

/// Decodes base64, leniently (RFC 2045 §6.8).
#[must_use]
pub fn base64(encoded: &[u8]) -> Vec<u8> {
    encoded.to_vec()
}

/// Decodes quoted-printable, leniently (RFC 2045 §6.7).
#[must_use]
pub fn quoted_printable(encoded: &[u8]) -> Vec<u8> {
    encoded.to_vec()
}

/// Text of a header's value: unfolded, encoded words decoded (RFC 2047).
#[must_use]
pub fn header_text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Text of bytes in a charset.
#[must_use]
pub fn charset(name: Option<&str>, bytes: &[u8]) -> String {
    let _ = name;
    String::from_utf8_lossy(bytes).into_owned()
}

/// Text of HTML.
#[must_use]
pub fn html_text(html: &str) -> String {
    html.to_owned()
}

/// Name of a part's file as its sender gave it, decoded.
#[must_use]
pub fn file_name(part: &Part) -> Option<String> {
    let _ = part;
    None
}

/// A part's body, its transfer encoding undone.
#[must_use]
pub fn part_bytes(message: &[u8], part: &Part) -> Vec<u8> {
    let _ = (message, part);
    Vec::new()
}

/// A text part's text.
#[must_use]
pub fn part_text(message: &[u8], part: &Part) -> String {
    let _ = (message, part);
    String::new()
}

/// What SEARCH looks through, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchText {
    /// Subject.
    pub subject: String,
    /// From: names and addresses.
    pub from: String,
    /// To.
    pub to: String,
    /// Cc.
    pub cc: String,
    /// Bcc.
    pub bcc: String,
    /// The whole header section, decoded.
    pub header: String,
    /// Texts of the body, HTML as text, headers of messages inside and names of files, with line ends between.
    pub body: String,
}

/// The text of a message to search in.
#[must_use]
pub fn text_of(message: &[u8], structure: &Structure) -> SearchText {
    let _ = (message, structure);
    SearchText::default()
}
