//! Mailbox names: UTF-8, levels split by `/`, opaque to the disk (attacks G9).

use crate::limits::{MAILBOX_LEVELS_MAX, MAILBOX_NAME_MAX};
use serde::{Deserialize, Serialize};

/// A mailbox name in its one canonical form: UTF-8, `/` between levels, `INBOX` in capitals at the first level,
/// no empty level and none that is `.` or `..`, no control characters, at most [`MAILBOX_NAME_MAX`] bytes and [`MAILBOX_LEVELS_MAX`] levels.
/// Modified UTF-7 (RFC 3501 §5.1.3) is decoded by the `imap` room before it gets here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailboxName(String);

/// Why a mailbox name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailboxNameError {
    /// No name, or an empty level (`a//b`, `/a`).
    #[error("a mailbox name has at least one character in each level")]
    Empty,
    /// Over [`MAILBOX_NAME_MAX`] bytes.
    #[error("a mailbox name has at most {MAILBOX_NAME_MAX} bytes")]
    TooLong,
    /// Over [`MAILBOX_LEVELS_MAX`] levels.
    #[error("a mailbox name has at most {MAILBOX_LEVELS_MAX} levels")]
    TooDeep,
    /// A level `.` or `..`: no path here, but what it is exported to may be one.
    #[error("a level of a mailbox's name can't be . or ..")]
    Dots,
    /// A control character, `*` or `%`, a bidirectional override or U+FFFD.
    #[error("a mailbox name can't hold the character U+{0:04X}")]
    Character(u32),
}

impl MailboxName {
    /// The mailbox that every account has.
    #[must_use]
    pub fn inbox() -> Self {
        Self("INBOX".to_owned())
    }
    /// Checks and canonicalises a name. A single trailing `/` (RFC 9051 §6.3.4: "intends to create under it") is
    /// taken off.
    ///
    /// # Errors
    /// [`MailboxNameError`] says what can't stand.
    pub fn parse(name: &str) -> Result<Self, MailboxNameError> {
        let name = name.strip_suffix('/').unwrap_or(name);
        if name.len() > MAILBOX_NAME_MAX {
            return Err(MailboxNameError::TooLong);
        }
        let mut canonical = String::with_capacity(name.len());
        let mut levels = 0usize;
        for level in name.split('/') {
            if level.is_empty() {
                return Err(MailboxNameError::Empty);
            }
            if matches!(level, "." | "..") {
                return Err(MailboxNameError::Dots);
            }
            if let Some(bad) = level.chars().find(|c| forbidden(*c)) {
                return Err(MailboxNameError::Character(bad.into()));
            }
            if levels == 0 {
                if level.eq_ignore_ascii_case("INBOX") {
                    canonical.push_str("INBOX");
                } else {
                    canonical.push_str(level);
                }
            } else {
                canonical.push('/');
                canonical.push_str(level);
            }
            levels = levels.saturating_add(1);
        }
        if levels > MAILBOX_LEVELS_MAX {
            return Err(MailboxNameError::TooDeep);
        }
        Ok(Self(canonical))
    }
    /// The canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether it is INBOX itself.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }
    /// The name one level up, if there is one.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }
    /// Whether this lies somewhere under `other`.
    #[must_use]
    pub fn is_under(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}

fn forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '*' | '%' | '\u{fffd}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl TryFrom<String> for MailboxName {
    type Error = MailboxNameError;
    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}
impl From<MailboxName> for String {
    fn from(name: MailboxName) -> String {
        name.0
    }
}
impl std::fmt::Display for MailboxName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_is_one_mailbox_however_it_is_written() {
        assert_eq!(MailboxName::parse("inBox"), Ok(MailboxName::inbox()));
        assert_eq!(MailboxName::parse("inbox/a").map(String::from), Ok("INBOX/a".to_owned()));
        assert_eq!(MailboxName::parse("a/inbox").map(String::from), Ok("a/inbox".to_owned()));
    }

    #[test]
    fn empty_levels_controls_and_wildcards_are_refused() {
        for bad in ["", "/", "/a", "a//b", "a//"] {
            assert_eq!(MailboxName::parse(bad), Err(MailboxNameError::Empty), "{bad:?}");
        }
        for bad in ["a\r\nb", "a\0", "a*", "a%", "\u{202e}gpj"] {
            assert!(matches!(MailboxName::parse(bad), Err(MailboxNameError::Character(_))), "{bad:?}");
        }
    }

    #[test]
    fn length_and_depth_end_at_their_limits() {
        assert!(MailboxName::parse(&"a".repeat(MAILBOX_NAME_MAX)).is_ok());
        assert_eq!(MailboxName::parse(&"a".repeat(MAILBOX_NAME_MAX + 1)), Err(MailboxNameError::TooLong));
        assert!(MailboxName::parse(&vec!["a"; MAILBOX_LEVELS_MAX].join("/")).is_ok());
        assert_eq!(MailboxName::parse(&vec!["a"; MAILBOX_LEVELS_MAX + 1].join("/")), Err(MailboxNameError::TooDeep));
    }

    #[test]
    fn no_level_is_one_that_a_path_would_climb_by() {
        // Names are keys in a database, never paths; but a Maildir that they are exported to is made of paths.
        for name in ["../../etc/passwd", "a/../b", "a/.", ".", ".."] {
            assert_eq!(MailboxName::parse(name), Err(MailboxNameError::Dots), "{name}");
        }
        for name in ["...", ".a", "a..b", "a./b", "..a"] {
            assert!(MailboxName::parse(name).is_ok(), "{name}");
        }
    }
}
