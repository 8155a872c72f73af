//! Whom a message may be from, and what is done if it isn't.

use crate::domain::Domain;
use serde::Serialize;

/// Whose word on a message counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Authentication {
    /// Domains whose ARC seals are believed: lists and forwarders that say how a message came to them.
    pub trusted_sealers: Vec<Domain>,
}

/// DMARC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dmarc {
    /// What is done where a domain asks for refusal.
    pub reject: Obeyed,
    /// What is done where a domain asks for suspicion.
    pub quarantine: Obeyed,
    /// Whether domains that want it are told each day how mail in their name was authenticated (RFC 9990).
    pub reports: bool,
}

impl Default for Dmarc {
    fn default() -> Self {
        Self { reject: Obeyed::Reject, quarantine: Obeyed::Junk, reports: true }
    }
}

/// How a domain's policy is obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obeyed {
    /// It isn't taken.
    Reject,
    /// It is kept where its recipients don't see it.
    Quarantine,
    /// It is filed as junk.
    Junk,
    /// It is delivered with a mark.
    Mark,
}

impl Obeyed {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [Self::Reject, Self::Quarantine, Self::Junk, Self::Mark];

    /// As configuration and reference have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Quarantine => "quarantine",
            Self::Junk => "junk",
            Self::Mark => "mark",
        }
    }

    /// One of these names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == text)
    }
}
