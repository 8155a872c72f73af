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
            let end = names::ending(first);
            for other in others {
                let kind = match (&end, names::ending(other)) {
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
                (Kind::NameControl, name.contains(|c: char| c.is_control() && c != '\t' && c != '\r' && c != '\n')),
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
