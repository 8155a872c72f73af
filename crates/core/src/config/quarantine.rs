//! Messages that were accepted and that nobody sees.

use crate::limits::{DIGEST_HOUR, QUARANTINE_DAYS};
use serde::{Serialize, Serializer};
use std::fmt;

/// The quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantine {
    /// How long a message is kept, days.
    pub days: usize,
    /// Whether the administrator is told of what is kept for more than being spam.
    pub alert: bool,
    /// How often users hear by mail what is kept from them.
    pub digest: DigestPace,
    /// How often administrators hear what is kept.
    pub administrator_digest: DigestPace,
    /// From which hour of the day on, UTC: 0 to 23.
    pub digest_hour: usize,
    /// What users are shown and may release, by why it is kept.
    #[serde(serialize_with = "as_texts")]
    pub users_release: Vec<KeptClass>,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            days: QUARANTINE_DAYS,
            alert: true,
            digest: DigestPace::Never,
            administrator_digest: DigestPace::Daily,
            digest_hour: DIGEST_HOUR,
            users_release: vec![KeptClass::Spam],
        }
    }
}

/// How often a digest goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestPace {
    /// Not at all.
    Never,
    /// Each day.
    Daily,
    /// Each Monday.
    Weekly,
}

impl DigestPace {
    /// With their names in the file.
    pub const NAMES: [(&str, Self); 3] = [("never", Self::Never), ("daily", Self::Daily), ("weekly", Self::Weekly)];
}

/// Why a message is kept, of what users may be let to decide. A virus is nothing for them, nor who may be somebody else
/// (phishing), nor what waits for an administrator's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeptClass {
    /// The spam filter.
    Spam,
    /// A file in it.
    Attachments,
    /// It can be read in two ways.
    Structure,
    /// A rule of the administrator on what is written.
    Content,
}

impl KeptClass {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Spam, Self::Attachments, Self::Structure, Self::Content];

    /// Its name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::Attachments => "attachments",
            Self::Structure => "structure",
            Self::Content => "content",
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(|class| format!("{:?}", class.name())).join(", ");
        let found = Self::ALL.into_iter().find(|class| class.name() == text);
        found.ok_or_else(|| {
            format!(
                "{text:?} is none of {names}: viruses, forged senders and what a milter keeps are released by \
                 administrators alone"
            )
        })
    }
}

impl fmt::Display for KeptClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn as_texts<S: Serializer>(all: &[KeptClass], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().map(|class| class.name()))
}
