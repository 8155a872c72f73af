//! What is known of once looking at stored mail.

use crate::antivirus::EngineState;
use mailward_core::limits::{RESCAN_NAMES_MAX, RESCAN_WORDS_MAX};
use mailward_core::{AccountId, Address, Domain, MailboxId, MailboxName, Timestamp, Uid};
use mailward_store::records::MessageRecord;
use serde::{Deserialize, Serialize};

/// Which mail is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Whose.
    pub whose: Whose,
    /// Only what is in mailboxes of this name.
    pub folder: Option<MailboxName>,
    /// Only what came into its mailbox since then.
    pub since: Option<Timestamp>,
}

/// Whose mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// Everybody's.
    All,
    /// That of a domain's users.
    Domain(Domain),
    /// One user's.
    User(Address),
}

impl Scope {
    /// Whether it is all the mail that there is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whose == Whose::All && self.folder.is_none() && self.since.is_none()
    }

    /// Whether a message is meant.
    pub(super) fn has(&self, message: &MessageRecord) -> bool {
        self.since.is_none_or(|since| message.saved_date >= since)
    }
}

/// As log and people have it.
impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.whose {
            Whose::All => write!(f, "all users")?,
            Whose::Domain(domain) => write!(f, "users of {domain}")?,
            Whose::User(address) => write!(f, "{address}")?,
        }
        if let Some(folder) = &self.folder {
            write!(f, ", mailbox {folder}")?;
        }
        match self.since {
            Some(since) => write!(f, ", came since {}", since.text()),
            None => Ok(()),
        }
    }
}

/// Who wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// An administrator.
    Administrator,
    /// `antivirus.rescan`.
    Schedule,
}

impl By {
    /// As the log has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Schedule => "schedule",
        }
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// All of it was looked at.
    Done,
    /// An administrator stopped it.
    Stopped,
    /// It broke off, and why.
    Broken(String),
}

/// How far it came: every message before was looked at. In the order of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Whose.
    pub account: AccountId,
    /// In which mailbox.
    pub mailbox: MailboxId,
    /// The last message that was looked at.
    pub uid: Uid,
    /// The same for people.
    pub told: String,
}

/// What an engine knew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signatures {
    /// The engine, as the configuration has it.
    pub engine: String,
    /// Its name and version, if it says so.
    pub version: Option<String>,
    /// Number of its signatures' version, if it says so.
    pub signatures: Option<u64>,
    /// When they were made, milliseconds since 1970, if it says so.
    pub made: Option<Timestamp>,
}

impl Signatures {
    pub(super) fn of(state: &EngineState) -> Self {
        let cut = |text: &str| text.chars().take(RESCAN_WORDS_MAX).collect::<String>();
        Self {
            engine: cut(&state.engine),
            version: state.version.as_deref().map(cut),
            signatures: state.signatures,
            made: state.made,
        }
    }
}

/// Once looking at stored mail. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which mail.
    pub scope: Scope,
    /// Who wanted it.
    pub by: By,
    /// When it began.
    pub began: Timestamp,
    /// When it was over; none: it isn't.
    pub ended: Option<Timestamp>,
    /// How.
    pub end: Option<End>,
    /// How far it came; none: it is at its beginning.
    pub place: Option<Place>,
    /// Whether it looks a second time, at what was moved meanwhile to where it had been.
    pub again: bool,
    /// What the engines knew when it began. Later ones may know more.
    pub engines: Vec<Signatures>,
    /// Messages in these mailboxes when it began.
    pub total: u64,
    /// Messages that it came by, those included that aren't meant.
    pub passed: u64,
    /// Messages that were looked at.
    pub looked: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Messages that are in the quarantine now.
    pub found: u64,
    /// Messages that something was found in, and that an administrator had released.
    pub let_go: u64,
    /// Messages that nobody can look at to their end; they stay where they are.
    pub unscannable: u64,
    /// Names of what was found, at most `limits::RESCAN_NAMES_MAX`.
    pub names: Vec<String>,
}

impl Run {
    pub(super) fn new(scope: Scope, by: By, began: Timestamp) -> Self {
        Self {
            scope,
            by,
            began,
            ended: None,
            end: None,
            place: None,
            again: false,
            engines: Vec::new(),
            total: 0,
            passed: 0,
            looked: 0,
            bytes: 0,
            found: 0,
            let_go: 0,
            unscannable: 0,
            names: Vec::new(),
        }
    }

    /// One more that was found.
    pub(super) fn name(&mut self, name: &str) {
        if self.names.len() < RESCAN_NAMES_MAX && !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }

    /// How far it came, for people.
    #[must_use]
    pub fn told_place(&self) -> &str {
        self.place.as_ref().map_or("the beginning", |place| &place.told)
    }

    pub(super) fn in_words(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "In mail that is stored here (of {}) a virus was found that wasn't known when it came.",
                self.scope
            ),
            format!("{} messages were taken out of their mailboxes; {} were looked at.", self.found, self.looked),
            String::new(),
        ];
        lines.extend(self.names.iter().map(|name| format!("Found:     {name}")));
        lines.push(String::new());
        lines.extend(self.engines.iter().map(|known| {
            let version = known.version.as_deref().unwrap_or("version not known");
            let signatures = known.signatures.map_or_else(String::new, |number| format!(", signatures {number}"));
            format!("Looked by: {} ({version}{signatures})", known.engine)
        }));
        lines.push(String::new());
        lines.push("List:      mailward quarantine list".to_owned());
        lines.push("Let it go: mailward quarantine release ID; it then comes back into its mailbox".to_owned());
        lines
    }
}
