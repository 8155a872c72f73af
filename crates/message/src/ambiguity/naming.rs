//! Doubts of files' names.

use super::head::Head;
use super::{Finder, Kind, shown};
use crate::decode::slice;
use crate::names;
use crate::structure::Part;
use mailward_core::limits::NAME_STANDARD_MAX;

impl Finder<'_> {
    /// Looks at the names of a leaf.
    pub(super) fn naming(&mut self, index: usize, part: &Part, head: &Head<'_>) {
        if !head.named {
            return;
        }
        let at = part.header.start;
        let claims = names::claims(slice(self.message, &part.header));
        if let Some((first, others)) = claims.split_first() {
            let end = names::ending(first).map(same);
            for other in others {
                let kind = match (&end, names::ending(other).map(same)) {
                    (Some(one), Some(other)) if *one != other => Kind::NamesDisagree,
                    (Some(_), None) | (None, Some(_)) => Kind::NamesDiffer,
                    _ => continue,
                };
                self.note(kind, index, at, || format!("{} | {}", shown(first.as_bytes()), shown(other.as_bytes())));
            }
        }
        for name in &claims {
            let kinds = [
                (Kind::NameOverride, name.contains(['\u{202d}', '\u{202e}'])),
                (Kind::NameControl, name.contains(is_hidden)),
                (Kind::NameTail, name.ends_with(['.', ' ', '\t', '\u{a0}'])),
                (Kind::NameLong, name.len() > NAME_STANDARD_MAX),
                (Kind::NameLeadsOut, name.split(['/', '\\']).any(|step| step == "..")),
            ];
            for (kind, _) in kinds.into_iter().filter(|(_, is)| *is) {
                self.note(kind, index, at, || shown(name.as_bytes()));
            }
        }
    }
}

/// Whether a character is one of control that nobody writes. Shift JIS and ISO-2022-JP, which old programs put there as they
/// stand, have escapes and bytes that are controls of other charsets.
fn is_hidden(character: char) -> bool {
    const ESCAPE: char = '\u{1b}';
    character.is_ascii_control() && !matches!(character, '\t' | '\r' | '\n' | ESCAPE)
}

/// One of the ends that mean the same.
fn same(ending: String) -> String {
    match ending.as_str() {
        "jpeg" | "jpe" => "jpg",
        "html" => "htm",
        "tiff" => "tif",
        "mpeg" => "mpg",
        _ => return ending,
    }
    .to_owned()
}
