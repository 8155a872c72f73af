//! What messages may hold.

use crate::limits::{CONTENT_LINE_MAX, CONTENT_NAME_MAX};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// What is done with files of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileCare {
    /// Nothing.
    Deliver,
    /// The message has a mark.
    Mark,
    /// It is kept where its recipients don't see it.
    Quarantine,
    /// It isn't taken.
    Reject,
}

/// Attachments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attachments {
    /// What may do harm by itself; `Deliver`: nothing is asked by default.
    pub default: FileCare,
    /// What can't be looked into without a password.
    pub encrypted: FileCare,
    /// Documents with macros that don't run by themselves.
    pub macros: FileCare,
}

impl Default for Attachments {
    fn default() -> Self {
        Self { default: FileCare::Quarantine, encrypted: FileCare::Quarantine, macros: FileCare::Mark }
    }
}

/// Rules of the administrator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Content {
    /// Lines, in the order in which they are asked; `inspect::policy` reads them.
    pub rules: Vec<ContentLine>,
    /// Words and phrases that rules look for.
    pub dictionaries: Vec<DictionaryFile>,
}

/// A line of at most `limits::CONTENT_LINE_MAX` bytes without control characters, which should be a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ContentLine(String);

impl ContentLine {
    /// Takes a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > CONTENT_LINE_MAX {
            return Err(format!("a rule has at most {CONTENT_LINE_MAX} bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err("a rule has no control characters".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
    /// It.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file with a word or a phrase on each line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DictionaryFile {
    /// What rules call it: letters, digits, `-` and `_`, at most `limits::CONTENT_NAME_MAX`.
    pub name: String,
    /// Where it is; absolute.
    pub path: PathBuf,
}

impl DictionaryFile {
    /// Reads `name=/path`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad =
            || format!("{text:?}: write a name and the whole path of a file, such as projects=/etc/mailward/projects");
        let (name, path) = text.split_once('=').ok_or_else(bad)?;
        let path = PathBuf::from(path);
        if !is_name(name) || !path.is_absolute() {
            return Err(bad());
        }
        Ok(Self { name: name.to_owned(), path })
    }
}

/// Whether something can be called so.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=CONTENT_NAME_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl fmt::Display for DictionaryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.path.display())
    }
}

impl FileCare {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Deliver, Self::Mark, Self::Quarantine, Self::Reject];

    /// As the file has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Mark => "mark",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_has_a_name_and_a_whole_path() {
        let file = DictionaryFile::parse("projects=/etc/mailward/projects").unwrap();
        assert_eq!(file.to_string(), "projects=/etc/mailward/projects");
        for text in ["projects", "=/etc/x", "a b=/etc/x", "projects=etc/x", &format!("{}=/x", "a".repeat(65))] {
            assert!(DictionaryFile::parse(text).unwrap_err().contains("whole path"), "{text}");
        }
    }

    #[test]
    fn a_line_ends_at_its_limit() {
        assert!(ContentLine::parse(&"a".repeat(CONTENT_LINE_MAX)).is_ok());
        assert!(ContentLine::parse(&"a".repeat(CONTENT_LINE_MAX + 1)).is_err());
        assert!(ContentLine::parse("a\tb").is_err());
    }
}
