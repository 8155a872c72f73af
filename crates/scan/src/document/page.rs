//! Pages: HTML, SVG, HTML applications. One pass over the tags, one over what may be a file in letters; no page is built.

mod smuggled;
mod tags;

use super::{Look, is_elsewhere};
use crate::contents::Trait;
use crate::kind::{Wide, wide};
use mailward_core::limits::PAGE_ATTRIBUTES_MAX;
use mailward_message::decode;
use std::borrow::Cow;
use tags::{Attribute, Tag};

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let text = text_of(bytes);
    let mut page = Page::default();
    for tag in tags::tags(text.as_bytes()) {
        page.tag(&tag, look);
    }
    look.remark_if(page.has_script, Trait::Script);
    // A page in a file sends nowhere but to elsewhere; one without an address may by its script.
    look.remark_if(page.asks_password && (page.sends || page.has_script), Trait::Form);
    smuggled::look(&text, page.has_script, look);
    look.text(&decode::html_text(&text));
}

/// A page's characters. Its own declaration of a charset is believed by browsers, but changes no tag.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let (width, mark) = wide(bytes);
    let rest = crate::bytes::from(bytes, mark);
    match width {
        Wide::Little => Cow::Owned(crate::bytes::utf16(rest)),
        Wide::Big => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0,
        Wide::No => match std::str::from_utf8(rest) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(rest).0,
        },
    }
}

#[derive(Default)]
struct Page {
    has_script: bool,
    asks_password: bool,
    sends: bool,
}

impl Page {
    fn tag(&mut self, tag: &Tag<'_>, look: &mut Look<'_>) {
        let bare = tag.name.rsplit(|b| *b == b':').next().unwrap_or_default();
        let is = |names: &[&[u8]]| names.iter().any(|n| n.eq_ignore_ascii_case(bare));
        if is(&[b"script"]) {
            self.script(tag, look);
        }
        let is_refresh = is(&[b"meta"])
            && tag.attributes().any(|a| a.is(b"http-equiv") && a.value.trim_ascii().eq_ignore_ascii_case(b"refresh"));
        // Only these load another page by themselves.
        let loads = is(&[b"iframe", b"frame", b"embed", b"object", b"applet", b"portal", b"fencedframe"]);
        look.remark_if(is(&[b"applet"]), Trait::Object);
        for (number, attribute) in tag.attributes().enumerate() {
            look.room.short |= number >= PAGE_ATTRIBUTES_MAX.saturating_sub(1);
            if attribute.name.len() > 3
                && attribute.name.get(..2).is_some_and(|on| on.eq_ignore_ascii_case(b"on"))
                && !attribute.value.is_empty()
            {
                self.has_script = true;
            } else if attribute.is(b"srcdoc") {
                look.inner(Vec::new(), attribute.text().into_bytes(), crate::contents::Wrapping::Inline);
            } else if attribute.is(b"classid") && is(&[b"object"]) {
                look.remark(Trait::Object);
            } else if attribute.is(b"type")
                && is(&[b"input"])
                && attribute.value.trim_ascii().eq_ignore_ascii_case(b"password")
            {
                self.asks_password = true;
            } else if is_refresh && attribute.is(b"content") {
                let text = attribute.text();
                let target = text
                    .split_once('=')
                    .map_or("", |(_, target)| target)
                    .trim_matches(|c: char| c.is_whitespace() || c == '\'' || c == '"');
                look.remark_if(is_elsewhere(target), Trait::Remote);
                self.address(target, look);
            } else if attribute.is_address() {
                let target = attribute.address();
                if loads && is_elsewhere(&target) {
                    look.remark(Trait::Remote);
                }
                if attribute.is(b"action") && is(&[b"form"]) || attribute.is(b"formaction") {
                    self.sends |= is_elsewhere(&target);
                }
                self.address(&target, look);
            }
        }
    }

    fn script(&mut self, tag: &Tag<'_>, look: &mut Look<'_>) {
        let kind =
            tag.attributes().find(|a| a.is(b"type")).map(|a| a.text().trim().to_ascii_lowercase()).unwrap_or_default();
        // Data for search engines and mail programs, and templates: nothing runs them.
        let is_data = kind.ends_with("json")
            || kind.starts_with("text/template")
            || kind.starts_with("text/x-")
            || kind == "text/html";
        self.has_script |= !is_data;
        let source = tag.attributes().find(|a| a.is(b"src") || a.is(b"href") || a.is(b"xlink:href"));
        look.remark_if(!is_data && source.is_some_and(|s| is_elsewhere(&s.address())), Trait::Remote);
    }

    /// What an address does wherever it stands.
    fn address(&mut self, target: &str, look: &mut Look<'_>) {
        let Some((scheme, _)) = target.split_once(':') else { return };
        match scheme.to_ascii_lowercase().as_str() {
            "javascript" | "vbscript" | "jscript" | "livescript" => self.has_script = true,
            // Programs that Windows starts by an address; those that show it a search of a stranger's folder among them.
            scheme
                if scheme.starts_with("ms-")
                    || matches!(scheme, "search" | "search-ms" | "shell" | "ldap-ms" | "hcp") =>
            {
                look.remark(Trait::Launches);
            }
            _ => {}
        }
    }
}

impl Attribute<'_> {
    fn is_address(&self) -> bool {
        [
            &b"href"[..],
            b"src",
            b"data",
            b"action",
            b"formaction",
            b"xlink:href",
            b"poster",
            b"background",
            b"codebase",
            b"to",
            b"values",
            b"from",
        ]
        .iter()
        .any(|name| self.is(name))
    }

    /// An address as a browser reads it: without the characters that it passes over.
    fn address(&self) -> String {
        self.text()
            .chars()
            .filter(|c| !matches!(c, '\t' | '\r' | '\n') && (!c.is_control()))
            .collect::<String>()
            .trim()
            .to_owned()
    }
}
