//! Words and phrases in files, one a line.

use super::text::comparable;
use mailward_core::limits::{CONTENT_DICTIONARY_MAX, CONTENT_TERM_MAX, CONTENT_TERMS_MAX};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All dictionaries, by name.
pub type Dictionaries = BTreeMap<String, Dictionary>;

/// Words and phrases, as they are compared. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary(Arc<Vec<String>>);

/// Why a file is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DictionaryError {
    /// Over `limits::CONTENT_DICTIONARY_MAX`.
    #[error("has more than {CONTENT_DICTIONARY_MAX} bytes")]
    TooLarge,
    /// Not UTF-8.
    #[error("line {0} isn't UTF-8")]
    Encoding(usize),
    /// Over `limits::CONTENT_TERM_MAX`.
    #[error("line {0} has more than {CONTENT_TERM_MAX} bytes")]
    TooLong(usize),
    /// Over `limits::CONTENT_TERMS_MAX`.
    #[error("has more than {CONTENT_TERMS_MAX} words and phrases")]
    TooMany,
}

impl Dictionary {
    /// Reads the text of a file: one word or phrase a line; empty lines and those that begin with `#` aren't.
    ///
    /// # Errors
    /// [`DictionaryError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DictionaryError> {
        if bytes.len() > CONTENT_DICTIONARY_MAX {
            return Err(DictionaryError::TooLarge);
        }
        let mut terms = Vec::new();
        for (index, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let number = index.saturating_add(1);
            let line = std::str::from_utf8(line).map_err(|_| DictionaryError::Encoding(number))?.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.len() > CONTENT_TERM_MAX {
                return Err(DictionaryError::TooLong(number));
            }
            let term = comparable(line).trim().to_owned();
            if !term.is_empty() {
                terms.push(term);
            }
            if terms.len() > CONTENT_TERMS_MAX {
                return Err(DictionaryError::TooMany);
            }
        }
        terms.sort_unstable();
        terms.dedup();
        Ok(Self(Arc::new(terms)))
    }

    /// What is in it, as it is compared, each once.
    #[must_use]
    pub fn terms(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_lines_and_ends_at_its_limits() {
        let read = Dictionary::parse("# names\nProjekt  Ödland\r\n\nprojekt odland\nX\n".as_bytes()).unwrap();
        assert_eq!(read.terms(), ["projekt odland", "x"]);
        assert_eq!(Dictionary::parse(b"a\n\xff\n"), Err(DictionaryError::Encoding(2)));
        let long = "a".repeat(CONTENT_TERM_MAX + 1);
        assert!(Dictionary::parse(&long.as_bytes()[1..]).is_ok());
        assert_eq!(Dictionary::parse(long.as_bytes()), Err(DictionaryError::TooLong(1)));
        let many = |count: usize| (0..count).map(|n| format!("w{n}\n")).collect::<String>();
        assert!(Dictionary::parse(many(CONTENT_TERMS_MAX).as_bytes()).is_ok());
        assert_eq!(Dictionary::parse(many(CONTENT_TERMS_MAX + 1).as_bytes()), Err(DictionaryError::TooMany));
        assert_eq!(Dictionary::parse(&vec![b'\n'; CONTENT_DICTIONARY_MAX + 1]), Err(DictionaryError::TooLarge));
    }
}
