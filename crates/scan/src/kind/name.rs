//! What a name says: what systems would do with a file that is called so, and whether it hides that.

mod table;

use super::{Family, Kind};
use table::EXTENSIONS;

/// Longest extension that means something, characters.
const EXTENSION_MAX: usize = 38;
/// From here on, characters, the end of a name is beyond what mail programs show.
const SHOWN: usize = 200;

/// What a name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its last extension that means something, lower case, without the dot.
    pub extension: &'static str,
    /// What files with it are; [`Kind::Data`]: a kind that isn't told by its bytes.
    pub kind: Kind,
    /// What systems do with them.
    pub family: Family,
}

impl Named {
    /// Whether opening such a file does what its sender wants: executables, scripts, shortcuts, disk images, and documents
    /// that are only used to start something.
    #[must_use]
    pub fn acts(&self) -> bool {
        matches!(self.family, Family::Executable | Family::Script | Family::Shortcut | Family::DiskImage)
            || matches!(self.kind, Kind::OneNote | Kind::SheetLink | Kind::Access)
    }
}

/// What systems would do with a file of this name. Read as Windows does: blanks and dots at the end don't count, nor does a
/// stream's name behind a colon, nor characters that nobody sees. None: no extension, or one that means nothing.
#[must_use]
pub fn by_name(name: &str) -> Option<Named> {
    let plain = plain(name);
    let main = plain.split(':').find(|part| !part.is_empty()).unwrap_or_default();
    of_extension(last_extension(main.trim_end_matches(is_ignored_at_end))?)
}

/// Extensions of files of a family, in order.
pub fn extensions(family: Family) -> impl Iterator<Item = &'static str> {
    EXTENSIONS.iter().filter(move |(_, _, of)| *of == family).map(|(extension, _, _)| *extension)
}

/// Whether a name hides what it is: characters that turn the direction of what follows, blanks before the extension, a harmless
/// extension before one that acts, a NUL, dots or blanks at the end, a stream (`::$DATA`), letters that look like others'.
#[must_use]
pub fn hides(name: &str) -> bool {
    if name.chars().any(|c| turns(c) || c.is_control() && !matches!(c, '\t' | '\r' | '\n')) {
        return true;
    }
    let Some(named) = by_name(name) else { return false };
    let acts = named.acts();
    let end = name.trim_end_matches(is_ignored_at_end);
    let lower = name.to_lowercase();
    if lower.contains("::")
        || lower.contains(":$data")
        || acts && name.contains(':') && !name.contains('/') && !is_drive(name)
    {
        return true;
    }
    if acts
        && (end.len() < name.len()
            || name.chars().any(is_unseen)
            || name.chars().count() > SHOWN
            || has_false_dot(name))
    {
        return true;
    }
    let plain = plain(end);
    let Some((before, _)) = plain.rsplit_once('.') else { return false };
    let trimmed = before.trim_end_matches(is_blank);
    let blanks = before.chars().count().saturating_sub(trimmed.chars().count());
    if blanks >= 3 || acts && (blanks > 0 || trimmed.contains("     ")) {
        return true;
    }
    let inner = last_extension(trimmed.trim_end_matches(is_ignored_at_end)).and_then(of_extension);
    let is_harmless = |n: &Named| {
        matches!(
            n.family,
            Family::Document | Family::Media | Family::Text | Family::Page | Family::Archive | Family::Message
        )
    };
    let is_shown = |n: &Named| matches!(n.family, Family::Document | Family::Media);
    // `report.pdf.exe`, `photo.jpg.html`; not `backup.tar.gz`, not `page.min.js`.
    inner.is_some_and(|i| acts && is_harmless(&i) && !i.acts() || named.family == Family::Page && is_shown(&i))
}

/// As what else programs may take a file, by its names and its declared type: a page that begins like text is a page where it is
/// called one. Only kinds that look into a file differently.
#[must_use]
pub fn readings(kind: Kind, names: &[String], declared: &str) -> Vec<Kind> {
    let is_soft = matches!(kind.family(), Family::Text | Family::Page | Family::Script | Family::Message)
        || matches!(kind, Kind::Data | Kind::UrlFile | Kind::OfficeXml);
    if !is_soft {
        return Vec::new();
    }
    let named = names.iter().filter_map(|name| by_name(name)).map(|named| named.kind);
    let typed = match declared {
        "text/html" | "application/xhtml+xml" => Some(Kind::Html),
        "image/svg+xml" => Some(Kind::Svg),
        "text/calendar" => Some(Kind::Calendar),
        "text/vcard" | "text/x-vcard" | "text/directory" => Some(Kind::Contact),
        "application/hta" => Some(Kind::ScriptPage),
        _ => None,
    };
    let mut found = Vec::new();
    for other in named.chain(typed) {
        let differs = match other {
            // Looked at in the same way.
            Kind::Html | Kind::Svg | Kind::ScriptPage => !matches!(kind, Kind::Html | Kind::Svg | Kind::ScriptPage),
            Kind::Mhtml => kind != Kind::Mhtml && kind != Kind::Html,
            Kind::Calendar | Kind::Contact => !matches!(kind, Kind::Calendar | Kind::Contact),
            Kind::UrlFile => kind != Kind::UrlFile,
            Kind::Excel => kind == Kind::Data,
            _ => false,
        };
        if differs && !found.contains(&other) {
            found.push(other);
        }
    }
    found
}

/// Without characters that nobody sees, and with dots for what looks like one; the path is cut off.
fn plain(name: &str) -> String {
    let cut = name.rsplit(['/', '\\']).find(|part| !part.trim_matches(is_ignored_at_end).is_empty()).unwrap_or(name);
    // A NUL ends a name for some programs; for others what follows counts, and that comes later in the name.
    cut.chars()
        .filter(|c| !turns(*c) && !is_unseen(*c) && !c.is_control())
        .map(|c| if is_false_dot(c) { '.' } else { c })
        .collect()
}

fn last_extension(name: &str) -> Option<&str> {
    let (_, extension) = name.rsplit_once('.')?;
    let extension = extension.trim_matches(is_blank);
    (!extension.is_empty() && extension.len() <= EXTENSION_MAX).then_some(extension)
}

fn of_extension(extension: &str) -> Option<Named> {
    // A class's number stands for an extension: `file.{3050f4d8-98b5-11cf-bb82-00aa00bdce0b}` is an HTML application.
    if extension.len() == EXTENSION_MAX && extension.starts_with('{') && extension.ends_with('}') {
        return Some(Named { extension: "{class}", kind: Kind::Data, family: Family::Executable });
    }
    let lower = extension.to_ascii_lowercase();
    let place = EXTENSIONS.binary_search_by(|(known, _, _)| (*known).cmp(&lower)).ok()?;
    let (extension, kind, family) = *EXTENSIONS.get(place)?;
    Some(Named { extension, kind, family })
}

fn is_ignored_at_end(c: char) -> bool {
    c == '.' || is_blank(c)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{2800}' | '\u{3164}' | '\u{115f}' | '\u{1160}' | '\u{180e}')
}

/// Embeddings, overrides and isolates of the direction of writing.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}' | '\u{34f}')
}

fn is_false_dot(c: char) -> bool {
    matches!(c, '\u{2024}' | '\u{ff0e}' | '\u{fe52}' | '\u{3002}' | '\u{ff61}')
}

fn has_false_dot(name: &str) -> bool {
    name.chars().any(is_false_dot)
}

/// `C:\…`: a whole path, as old programs gave it.
fn is_drive(name: &str) -> bool {
    let mut start = name.chars();
    start.next().is_some_and(|c| c.is_ascii_alphabetic()) && start.next() == Some(':') && start.next() == Some('\\')
}

#[cfg(test)]
mod tests;
