//! Lists of tags (RFC 6376 §3.2): what signatures, seals and key records are written in.

use crate::bytes::{sub, trim};
use mailward_core::limits::DKIM_TAGS_MAX;
use std::ops::Range;

/// A list of tags, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags<'v> {
    tags: Vec<Tag<'v>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag<'v> {
    name: &'v str,
    value: &'v str,
    /// The value with all blanks around it, as it stands in the list.
    whole: Range<usize>,
}

/// Why a list can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagFault {
    /// Not `name=value; …`.
    #[error("it isn't a list of tags")]
    Syntax,
    /// RFC 6376 §3.2: the list is then invalid.
    #[error("a tag stands there twice")]
    Twice,
    /// See `limits::DKIM_TAGS_MAX`.
    #[error("it has more than {DKIM_TAGS_MAX} tags")]
    TooMany,
}

impl<'v> Tags<'v> {
    /// Reads a field's value, folded or not, or a record.
    ///
    /// # Errors
    /// [`TagFault`].
    pub fn parse(list: &'v [u8]) -> Result<Self, TagFault> {
        let mut tags: Vec<Tag<'v>> = Vec::new();
        let mut start = 0usize;
        while start < list.len() {
            let end =
                memchr::memchr(b';', sub(list, start..list.len())).map_or(list.len(), |at| start.saturating_add(at));
            let spec = sub(list, start..end);
            let last = end >= list.len();
            if !(last && trim(spec).is_empty()) {
                let equals = memchr::memchr(b'=', spec).ok_or(TagFault::Syntax)?;
                let whole = start.saturating_add(equals).saturating_add(1)..end;
                let tag = Tag { name: name(sub(spec, 0..equals))?, value: text(sub(list, whole.clone()))?, whole };
                if tags.iter().any(|other| other.name == tag.name) {
                    return Err(TagFault::Twice);
                }
                if tags.len() >= DKIM_TAGS_MAX {
                    return Err(TagFault::TooMany);
                }
                tags.push(tag);
            }
            start = end.saturating_add(1);
        }
        if tags.is_empty() { Err(TagFault::Syntax) } else { Ok(Self { tags }) }
    }

    /// A tag's value, without the blanks around it; those inside, line ends too, are there. Names count by case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'v str> {
        self.tags.iter().find(|tag| tag.name == name).map(|tag| tag.value)
    }

    /// A tag's value without any blanks: base64, numbers, lists.
    #[must_use]
    pub fn packed(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.chars().filter(|c| !c.is_ascii_whitespace()).collect())
    }

    /// Whether this tag is the first.
    #[must_use]
    pub fn begins_with(&self, name: &str) -> bool {
        self.tags.first().is_some_and(|tag| tag.name == name)
    }

    /// Where a tag's value stands in the list, with the blanks around it.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<Range<usize>> {
        self.tags.iter().find(|tag| tag.name == name).map(|tag| tag.whole.clone())
    }
}

fn name(bytes: &[u8]) -> Result<&str, TagFault> {
    let name = text(bytes)?;
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fits { Ok(name) } else { Err(TagFault::Syntax) }
}

/// UTF-8 (RFC 8616 §3), no control characters but those that fold.
fn text(bytes: &[u8]) -> Result<&str, TagFault> {
    let text = std::str::from_utf8(trim(bytes)).map_err(|_| TagFault::Syntax)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n')) {
        Err(TagFault::Syntax)
    } else {
        Ok(text)
    }
}
