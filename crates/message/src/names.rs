//! Every name that a part's file may go by: programs differ in which parameter they take, and in how they decode it
//! (attacks E1.13). Whoever judges a name judges all of them.
//!
//! What hides in a name (marks of direction, blanks, dots, path separators) is left in it: it's for whoever judges.

use crate::bytes::{string, sub};
use crate::content::{joined, percent_decoded, piece, written};
use crate::decode::{charset, file_name, header_text, slice};
use crate::header::{fields, unfold};
use crate::structure::Part;
use mailward_core::limits::{NAME_FIELDS_MAX, NAME_READINGS_MAX, SCAN_NAME_MAX, SCAN_NAMES_MAX};

/// Names by what is kept of a part: those of parameters given twice aren't among them, see [`in_message`].
///
/// The first is [`file_name`], what most programs take. Each once, at most `limits::SCAN_NAMES_MAX`: if there are more,
/// those whose ends (`.exe`) differ. Of one that is longer than `limits::SCAN_NAME_MAX` bytes the middle is left out.
/// Control characters are U+FFFD. Empty if nothing gives a name.
#[must_use]
pub fn of(part: &Part) -> Vec<String> {
    let mut names = Names::new(part);
    if let Some(disposition) = &part.disposition {
        for (name, value) in &disposition.params {
            names.take(name, value.as_bytes());
        }
    }
    for (name, value) in &part.params {
        names.take(name, value.as_bytes());
    }
    names.done(part)
}

/// Names by everything that a part's header says, fields and parameters given twice, and what programs make of a value
/// that know neither quotes nor comments. Otherwise as [`of`].
#[must_use]
pub fn in_message(message: &[u8], part: &Part) -> Vec<String> {
    let header = slice(message, &part.header);
    let mut names = Names::new(part);
    for field in ["content-disposition", "content-type"] {
        for field in fields(header).filter(|f| f.is(field)).take(NAME_FIELDS_MAX) {
            names.field(field.value);
        }
    }
    names.done(part)
}

/// What each parameter of a header that names a file says by the standards, undisguised: controls and blanks are left.
pub(crate) fn claims(header: &[u8]) -> Vec<String> {
    let mut claims = Vec::new();
    for field in ["content-disposition", "content-type"] {
        for field in fields(header).filter(|f| f.is(field)).take(NAME_FIELDS_MAX) {
            let value = unfold(field.value);
            let named =
                written(&value).0.into_iter().filter(|p| p.name.starts_with("filename") || p.name.starts_with("name"));
            for (name, value) in joined(named.map(|p| (p.name, p.value)).collect()) {
                match name.as_str() {
                    "filename" | "name" if memchr::memmem::find(&value, b"=?").is_none() => {
                        claims.push(charset(None, &value));
                    }
                    "filename" | "name" => claims.push(header_text(&value)),
                    "filename*" | "name*" => claims.push(extended(&value)),
                    _ => {}
                }
            }
        }
    }
    claims
}

/// An extended value (RFC 2231 §4), in the charset that it names.
fn extended(value: &[u8]) -> String {
    let named = value.iter().position(|b| *b == b'\'').map(|end| string(sub(value, 0..end)));
    charset(named.as_deref().filter(|n| !n.is_empty()), &percent_decoded(value))
}

struct Names<'p> {
    charset: Option<&'p str>,
    found: Vec<String>,
}

impl<'p> Names<'p> {
    fn new(part: &'p Part) -> Self {
        let mut names = Self { charset: part.param("charset"), found: Vec::new() };
        if let Some(name) = file_name(part) {
            names.add(&name);
        }
        names
    }

    /// Everything that a Content-Disposition or a Content-Type gives.
    fn field(&mut self, value: &[u8]) {
        let value = unfold(value);
        let (params, _more) = written(&value);
        let named = params.iter().filter(|p| p.name.starts_with("filename") || p.name.starts_with("name"));
        let pairs: Vec<_> = named.clone().map(|p| (p.name.clone(), p.value.clone())).collect();
        let pieces = pairs.iter().any(|(name, _)| piece(name).is_some());
        for (name, value) in &pairs {
            self.take(name, value);
        }
        if pieces {
            for (name, value) in joined(pairs.clone()) {
                self.take(&name, &value);
            }
            // Programs that go on behind a gap.
            for base in ["filename", "name"] {
                let mut numbered: Vec<_> = pairs
                    .iter()
                    .filter_map(|(name, value)| {
                        piece(name).filter(|(b, _, _)| *b == base).map(|(_, n, ext)| (n, ext, value))
                    })
                    .collect();
                numbered.sort_by_key(|(number, _, _)| *number);
                let extended = numbered.iter().any(|(_, extended, _)| *extended);
                let whole: Vec<u8> = numbered.iter().flat_map(|(_, _, value)| value.iter().copied()).collect();
                self.take(if extended { "name*" } else { "name" }, &whole);
            }
        }
        for param in named.filter(|p| piece(&p.name).is_none()) {
            let bare: Vec<u8> = param.whole.iter().copied().filter(|b| *b != b'"').collect();
            if bare != param.value {
                self.take(&param.name, &bare);
            }
        }
    }

    /// The readings of one parameter.
    fn take(&mut self, name: &str, value: &[u8]) {
        match name {
            "filename" | "name" => self.plain(value),
            "filename*" | "name*" => self.extended(value),
            _ => {}
        }
    }

    fn plain(&mut self, value: &[u8]) {
        self.add(&header_text(value));
        if memchr::memmem::find(value, b"=?").is_some() {
            // As it stands, for who doesn't know encoded words.
            self.add(&charset(None, value));
        }
        if memchr::memchr(b'%', value).is_some() {
            self.add(&charset(None, &percent_decoded(value)));
        }
        if self.charset.is_some() && !value.is_ascii() {
            self.add(&charset(self.charset, value));
        }
    }

    fn extended(&mut self, value: &[u8]) {
        self.add(&extended(value));
        self.add(&charset(None, &percent_decoded(value)));
        // As it stands, for who doesn't know the form.
        self.plain(value);
    }

    /// Adds a name, and what is left of it where strings end at a NUL.
    fn add(&mut self, name: &str) {
        if self.found.len() >= NAME_READINGS_MAX {
            return;
        }
        let shown: String = name.trim().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let cut = shown.split('\u{fffd}').next().unwrap_or_default().to_owned();
        for name in [shown, cut] {
            let name = shortened(name);
            if !name.is_empty() && !self.found.contains(&name) {
                self.found.push(name);
            }
        }
    }

    fn done(mut self, part: &Part) -> Vec<String> {
        if self.found.is_empty() {
            let last = |location: &str| location.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            let described = part.description.as_deref().map(|d| header_text(d.as_bytes()));
            let located = part.location.as_deref().map(|l| header_text(&percent_decoded(last(l).as_bytes())));
            for name in [described, located].into_iter().flatten().filter(|name| ending(name).is_some()) {
                self.add(&name);
            }
        }
        if self.found.len() <= SCAN_NAMES_MAX {
            return self.found;
        }
        let mut chosen: Vec<String> = Vec::with_capacity(SCAN_NAMES_MAX);
        let mut others = Vec::new();
        for name in self.found {
            if chosen.iter().any(|had| ending(had) == ending(&name)) { others.push(name) } else { chosen.push(name) }
        }
        chosen.extend(others);
        chosen.truncate(SCAN_NAMES_MAX);
        chosen
    }
}

/// What follows a name's last dot, in lower case, if it looks like what tells a kind; blanks and dots at the end don't
/// count, as some systems drop them.
pub(crate) fn ending(name: &str) -> Option<String> {
    let name = name.trim_end_matches(['.', ' ', '\t', '\u{a0}', '\u{fffd}']);
    let (before, ending) = name.rsplit_once('.')?;
    let plain =
        !before.is_empty() && (1..=8).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| ending.to_ascii_lowercase())
}

/// A name of at most `limits::SCAN_NAME_MAX` bytes: its end tells most, its beginning most of the rest.
fn shortened(name: String) -> String {
    if name.len() <= SCAN_NAME_MAX {
        return name;
    }
    let half = SCAN_NAME_MAX.saturating_sub('…'.len_utf8()) / 2;
    let mut start = half;
    while !name.is_char_boundary(start) {
        start = start.saturating_sub(1);
    }
    let mut end = name.len().saturating_sub(half);
    while !name.is_char_boundary(end) {
        end = end.saturating_add(1);
    }
    format!("{}…{}", name.get(..start).unwrap_or_default(), name.get(end..).unwrap_or_default())
}

#[cfg(test)]
mod tests;
