//! What SPF says of a client, in the words that every room uses.

use serde::{Deserialize, Serialize};

/// Whether a client may send in a domain's name (RFC 7208 §2.6), by the names that RFC 8601 §2.7.2 gives the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpfResult {
    /// The domain says nothing, or there is no domain that could.
    None,
    /// The domain says that it doesn't say.
    Neutral,
    /// It may.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// It can't be known now: a failure that may go away by itself.
    TempError,
    /// It can't be known: the domain has to mend its records.
    PermError,
}

impl SpfResult {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Neutral, Self::Pass, Self::Fail, Self::SoftFail, Self::TempError, Self::PermError];

    /// As a field, a log and a configuration say it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }

    /// The result of this name; lower case, as it is written.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.name() == name)
    }
}

impl std::fmt::Display for SpfResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_one_name_everywhere() {
        for result in SpfResult::ALL {
            assert_eq!(SpfResult::of_name(result.name()), Some(result));
            assert_eq!(result.to_string(), result.name());
        }
        assert_eq!(SpfResult::of_name("Pass"), None);
    }
}
