//! Messages as Outlook saves them (\[MS-OXMSG\]).

use super::{Look, ole};
use crate::bytes::{utf16, windows};
use crate::compound::Compound;
use crate::contents::Wrapping;
use std::collections::BTreeMap;

pub(super) fn look(file: &Compound<'_>, look: &mut Look<'_>) {
    let mut names: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    // Long name, short name, path, shown name.
    for tag in ["3707", "3704", "370D", "3001"] {
        for (parent, name) in strings(file, tag, look) {
            if let Some(parent) = parent {
                names.entry(parent).or_default().push(super::base_name(&name));
            }
        }
    }
    // Subject, text, and the addresses and names of who sent it and to whom.
    for tag in ["0037", "0C1A", "0C1F", "0E04", "1000"] {
        for (_, text) in strings(file, tag, look) {
            look.text(&text);
        }
    }
    for entry in &file.entries {
        let name = entry.name.to_ascii_uppercase();
        if name == "__SUBSTG1.0_37010102" {
            let bytes = ole::read(file, entry, look);
            let known = entry.parent.and_then(|p| names.get(&p)).cloned().unwrap_or_default();
            look.inner(known, bytes, Wrapping::Entry);
        } else if name == "__SUBSTG1.0_10130102" {
            let bytes = ole::read(file, entry, look);
            look.inner(vec!["body.html".to_owned()], bytes, Wrapping::Entry);
        } else if name == "__SUBSTG1.0_1013001F" || name == "__SUBSTG1.0_1013001E" {
            let bytes = ole::read(file, entry, look);
            let page = if name.ends_with('F') { utf16(&bytes) } else { windows(&bytes) };
            look.inner(vec!["body.html".to_owned()], page.into_bytes(), Wrapping::Entry);
        }
    }
}

/// Values of a property, in one byte a character or two, with the storages they stand in.
fn strings(file: &Compound<'_>, tag: &str, look: &mut Look<'_>) -> Vec<(Option<usize>, String)> {
    let mut found = Vec::new();
    for (ending, is_wide) in [("001F", true), ("001E", false)] {
        let name = format!("__substg1.0_{tag}{ending}");
        for entry in file.named(&name) {
            let bytes = ole::read(file, entry, look);
            found.push((entry.parent, if is_wide { utf16(&bytes) } else { windows(&bytes) }));
        }
    }
    found
}
