//! Aggregate reports of DMARC (RFC 9990): what is told to a domain of mail in its name, as XML, written and read.
//!
//! **Limits**: [`DMARC_ROWS_MAX`](mailward_core::limits::DMARC_ROWS_MAX),
//! [`DMARC_TEXT_MAX`](mailward_core::limits::DMARC_TEXT_MAX); of what others wrote
//! [`DMARC_PACKED_MAX`](mailward_core::limits::DMARC_PACKED_MAX), [`DMARC_XML_MAX`](mailward_core::limits::DMARC_XML_MAX),
//! [`DMARC_XML_DEPTH_MAX`](mailward_core::limits::DMARC_XML_DEPTH_MAX). No document type, no entities but the five.

mod read;
mod unpack;
mod write;

pub use read::read;
pub use unpack::unpack;

use mailward_core::limits::DMARC_TEXT_MAX;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A report. Of what others sent every text is theirs, cut to `limits::DMARC_TEXT_MAX` characters and without control
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Who reports.
    pub organization: String,
    /// Whom to ask about it.
    pub email: String,
    /// Its name, by whoever reports.
    pub id: String,
    /// From when on, seconds since 1970.
    pub begin: i64,
    /// Until when, seconds since 1970.
    pub end: i64,
    /// What is said of what went wrong.
    pub error: Option<String>,
    /// What the domain asks for.
    pub published: Published,
    /// What came, with how many messages each; at most `limits::DMARC_ROWS_MAX`.
    pub rows: Vec<Row>,
    /// Messages beyond those rows.
    pub more: u64,
}

/// What a domain asks for, as its record says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Whose record it is.
    pub domain: String,
    /// `p`.
    pub p: String,
    /// `sp`.
    pub sp: Option<String>,
    /// `np`.
    pub np: Option<String>,
    /// `adkim`: `r` or `s`.
    pub adkim: Option<String>,
    /// `aspf`.
    pub aspf: Option<String>,
    /// `fo`.
    pub fo: Option<String>,
    /// `t`: `y` or `n`.
    pub testing: Option<String>,
}

/// Messages that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Who brought them.
    pub source: IpAddr,
    /// How many.
    pub count: u64,
    /// What was done: `none`, `pass`, `quarantine`, `reject`.
    pub disposition: String,
    /// Whether DKIM proves the author.
    pub dkim_aligned: bool,
    /// Whether SPF does.
    pub spf_aligned: bool,
    /// Why something else was done than the domain asks for: kind and words.
    pub reason: Option<(String, String)>,
    /// The author's domain.
    pub header_from: String,
    /// The sender's; empty: nobody.
    pub envelope_from: Option<String>,
    /// Signatures, at most `limits::DKIM_SIGNATURES_MAX`.
    pub dkim: Vec<SignedBy>,
    /// SPF: domain and result.
    pub spf: Option<(String, String)>,
}

/// A signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBy {
    /// `d=`.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// As RFC 8601 names it.
    pub result: String,
}

impl Row {
    /// Whether both count the same messages.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.source == other.source
            && self.header_from == other.header_from
            && self.envelope_from == other.envelope_from
            && (&self.disposition, self.dkim_aligned, self.spf_aligned, &self.reason)
                == (&other.disposition, other.dkim_aligned, other.spf_aligned, &other.reason)
            && (&self.dkim, &self.spf) == (&other.dkim, &other.spf)
    }

    /// Whether DMARC passes.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.dkim_aligned || self.spf_aligned
    }
}

/// One line without control characters, of bounded length.
fn plain(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(DMARC_TEXT_MAX).collect()
}

#[cfg(test)]
mod tests;
