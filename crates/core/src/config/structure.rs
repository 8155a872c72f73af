//! Messages that can be read in two ways.

use serde::Serialize;

/// What is done with messages that two programs read differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Structure {
    /// With those of which honest mail has none.
    pub ambiguous: AmbiguousCare,
}

/// What is done with a message that can be read in two ways. That it goes its way without a mark isn't among it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AmbiguousCare {
    /// It is kept where its recipients don't see it.
    #[default]
    Quarantine,
    /// It has a mark.
    Mark,
    /// It isn't taken.
    Reject,
}

impl AmbiguousCare {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Quarantine, Self::Mark, Self::Reject];

    /// As the file has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Mark => "mark",
            Self::Reject => "reject",
        }
    }
}
