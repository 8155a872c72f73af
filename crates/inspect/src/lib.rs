//! # inspect: what a message proves of where it comes from
//!
//! **For**: verdicts on a message, each with its reason. [`authenticate`] verifies what others signed: DKIM and chains of
//! ARC. [`spf`] judges whether a client may send in a domain's name, [`dmarc`] whether a message is from the domain that it
//! shows. [`authenticate::check`] is all of that for one message. [`antivirus`] asks virus scanners, [`policy`] are the rules on
//! what a message holds, [`spam`] judges whether it is wanted. What is found of a [`Subject`] is a [`Verdict`].
//! ARC. [`spf`] judges whether a client may send in a domain's name. [`structure`] says what follows if a message can
//! be read in two ways. What is found of a [`Subject`] is a [`Verdict`].
//!
//! **In**: a message's bytes, in pieces, as it came; the DNS, as whoever answers ([`mailward_dns::Lookup`]). **Out**:
//! [`authenticate::Results`], [`spf::SpfOutcome`], and the text of an `Authentication-Results` field.
//!
//! **Limits**: [`HEADER_BYTES_MAX`](mailward_core::limits::HEADER_BYTES_MAX),
//! [`DKIM_SIGNATURES_MAX`](mailward_core::limits::DKIM_SIGNATURES_MAX),
//! [`DKIM_NAMES_MAX`](mailward_core::limits::DKIM_NAMES_MAX), [`DKIM_TAGS_MAX`](mailward_core::limits::DKIM_TAGS_MAX),
//! [`DKIM_RECORD_MAX`](mailward_core::limits::DKIM_RECORD_MAX), [`DKIM_KEYS_TIME`](mailward_core::limits::DKIM_KEYS_TIME),
//! [`ARC_SETS_MAX`](mailward_core::limits::ARC_SETS_MAX), [`ARC_KEYS_MAX`](mailward_core::limits::ARC_KEYS_MAX). RSA keys have 1,024 to 8,192 bits; SHA-1 never counts.
//! Of SPF those of `limits::SPF_*`, [`SPF_QUESTIONS_MAX`](mailward_core::limits::SPF_QUESTIONS_MAX) before all; of DMARC
//! [`DMARC_QUERIES_MAX`](mailward_core::limits::DMARC_QUERIES_MAX) and `limits::DMARC_*`.
//!
//! **Failure**: what can't be read, found or computed never passes, and says why. A key that can't be looked up now is
//! told apart from one that isn't there.
//!
//! **Standards**: RFC 6376 (DKIM), 8301 (no SHA-1, no short keys), 8463 (Ed25519), 8616 (international domains), RFC 8617
//! (ARC), RFC 7208 (SPF), RFC 9989 (DMARC), RFC 8601 (Authentication-Results), RFC 6008 (`header.b`).

pub mod antivirus;
pub mod authenticate;
pub mod dmarc;
mod field;
mod inspector;
pub mod policy;
pub mod quarantine;
pub mod remembered;
pub mod report;
pub mod rescan;
pub mod spam;
pub mod spf;
pub mod structure;
mod subject;
mod verdict;
pub mod xml;

pub use field::{hundredths, verdict_field};
pub use inspector::{Inspected, Inspector, Parts, Settings, Stored};
pub use subject::{Direction, Recipient, Subject};
pub use verdict::{Action, Check, Finding, Verdict};
