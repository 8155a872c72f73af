//! Kinds with tags.

use super::Kind;
use super::text::is_rubbish;
use super::view::View;
use crate::bytes::{find, from, head, holds, trim_start};

/// Bytes of rubbish before a page.
const RUBBISH_MAX: usize = 1_024;
/// Comments and instructions before a root's tag.
const PROLOGUE_MAX: usize = 100;

#[rustfmt::skip]
const PAGE_TAGS: &[&[u8]] = &[
    b"html", b"head", b"body", b"title", b"script", b"style", b"div", b"table", b"p", b"a", b"img", b"br", b"span", b"font", b"center",
    b"b", b"i", b"u", b"em", b"strong", b"h1", b"h2", b"h3", b"h4", b"h5", b"h6", b"hr", b"iframe", b"frameset", b"form", b"meta", b"link",
    b"base", b"ul", b"ol", b"li", b"pre", b"button", b"input", b"object", b"embed", b"applet", b"xmp", b"template", b"article",
    b"section", b"nav", b"main", b"header", b"footer", b"tr", b"td", b"tbody", b"video", b"audio", b"canvas", b"details", b"dialog",
    b"select", b"textarea", b"label", b"blockquote", b"noscript", b"marquee", b"hta:application", b"o:p",
];

/// What begins with `<`; none: no tag.
pub(super) fn of(view: &View) -> Option<Kind> {
    let (root, is_xml) = prologue(view.trimmed())?;
    let is = |names: &[&[u8]]| names.contains(&root);
    if holds(head(view.trimmed(), 2_048), b"<?mso-application") {
        return Some(Kind::OfficeXml);
    }
    if is(&[b"svg", b"svg:svg"]) {
        return Some(Kind::Svg);
    }
    if is(PAGE_TAGS) || root == b"!doctype" {
        return Some(page(view));
    }
    let bare = root.rsplit(|b| *b == b':').next().unwrap_or(root);
    let kind = match bare {
        b"job" | b"component" | b"scriptlet" | b"registration" if view.holds(b"<script") => Kind::ScriptPage,
        b"package" if view.holds(b"<job") || view.holds(b"<component") => Kind::ScriptPage,
        b"mmc_consolefile" => Kind::ScriptPage,
        b"stylesheet" | b"transform" if view.holds(b":script") => Kind::ScriptPage,
        b"project" if view.holds(b"codetaskfactory") || view.holds(b"roslyncodetaskfactory") => Kind::ScriptPage,
        b"package" if view.holds(b"schemas.microsoft.com/office/2006/xmlpackage") => Kind::OfficeXml,
        b"worddocument" => Kind::OfficeXml,
        b"workbook" if view.holds(b"urn:schemas-microsoft-com:office:spreadsheet") => Kind::OfficeXml,
        b"document" if root == b"office:document" => Kind::OfficeXml,
        b"jnlp" | b"librarydescription" | b"persistedquery" | b"searchconnectordescription" | b"pcsettings" => {
            Kind::UrlFile
        }
        b"assembly" if view.holds(b"<deployment") && view.holds(b"codebase=") => Kind::UrlFile,
        b"plist" if view.holds(b"<key>url</key>") && view.all().len() < 4_096 => Kind::UrlFile,
        // Outlook and browsers save pages with a root of their own.
        _ if view.holds(b"<html") || view.holds(b"<script") && !is_xml => page(view),
        _ if is_xml || is_closed(view, root) => Kind::Xml,
        _ => return None,
    };
    Some(kind)
}

/// A page that begins behind rubbish.
pub(super) fn behind(view: &View) -> Option<Kind> {
    let start = head(view.all(), RUBBISH_MAX.saturating_add(16));
    let at = [&b"<!doctype html"[..], b"<html", b"<script", b"<hta:application", b"<body", b"<iframe"]
        .iter()
        .filter_map(|tag| find(start, tag))
        .min()?;
    is_rubbish(head(start, at)).then(|| page(view))
}

fn page(view: &View) -> Kind {
    if view.holds(b"<hta:application") {
        Kind::ScriptPage
    } else if view.holds(b"<o:officedataconnection") || view.holds(b"<odc:") || view.holds(b"text/x-ms-odc") {
        Kind::SheetLink
    } else {
        Kind::Html
    }
}

/// Name of the first tag, and whether an XML declaration stands before it. A document type is a root only if it is HTML's.
fn prologue(text: &[u8]) -> Option<(&[u8], bool)> {
    let mut rest = text;
    let mut is_xml = false;
    for _ in 0..PROLOGUE_MAX {
        rest = trim_start(rest);
        let end = if rest.starts_with(b"<!--") {
            find(rest, b"-->").map(|at| at.saturating_add(3))
        } else if rest.starts_with(b"<?") {
            is_xml |= rest.starts_with(b"<?xml");
            memchr::memchr(b'>', rest).map(|at| at.saturating_add(1))
        } else if rest.starts_with(b"<!doctype") {
            let kind = trim_start(from(rest, 9));
            if kind.starts_with(b"html") {
                return Some((b"!doctype", is_xml));
            }
            is_xml = true;
            // An internal subset has declarations of its own.
            let end = memchr::memchr(b'>', rest).unwrap_or(rest.len());
            match memchr::memchr(b'[', head(rest, end)) {
                Some(_) => find(rest, b"]>").map(|at| at.saturating_add(2)),
                None => Some(end.saturating_add(1)),
            }
        } else {
            break;
        };
        rest = from(rest, end?);
    }
    let name = rest.strip_prefix(b"<")?;
    let len = name
        .iter()
        .position(|b| !b.is_ascii_alphanumeric() && !matches!(b, b':' | b'-' | b'_' | b'.'))
        .unwrap_or(name.len());
    let name = head(name, len);
    name.first().is_some_and(u8::is_ascii_alphabetic).then_some((name, is_xml))
}

fn is_closed(view: &View, root: &[u8]) -> bool {
    let mut end = b"</".to_vec();
    end.extend_from_slice(root);
    view.holds(&end)
}
