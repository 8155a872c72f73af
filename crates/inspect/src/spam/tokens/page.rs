//! Marks of pages, and where links lead.

use super::{Kind, Sink};
use mailward_core::limits::{SPAM_LINKS_MAX, SPAM_TAGS_MAX};
use memchr::{memchr, memmem};

/// Tags with the attributes that say how something looks, and links.
pub(super) fn marks(html: &str, sink: &mut Sink<'_>) {
    let mut rest = html;
    let mut left = SPAM_TAGS_MAX;
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let end = memchr(b'>', rest.as_bytes()).unwrap_or(rest.len());
        let tag = rest.get(..end).unwrap_or_default();
        let name_end = tag.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = tag.get(..name_end).unwrap_or_default();
        if tag.starts_with("!--") {
            sink.text(Kind::Tag, &["comment"]);
        }
        if name.is_empty() {
            continue;
        }
        left = left.saturating_sub(1);
        if left == 0 || sink.is_full() {
            break;
        }
        sink.text(Kind::Tag, &[name]);
        for attribute in tag.get(name_end..).unwrap_or_default().split_ascii_whitespace().take(16) {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim_matches(['"', '\'']);
            sink.text(Kind::Tag, &[name, " ", key]);
            if value.len() <= 24 && !key.eq_ignore_ascii_case("href") && !key.eq_ignore_ascii_case("src") {
                sink.text(Kind::Tag, &[name, " ", key, "=", value]);
            }
        }
    }
    links(html, sink);
}

/// Where links of a text lead: hosts, their upper parts, and the words of paths.
pub(super) fn links(text: &str, sink: &mut Sink<'_>) {
    for link in each_link(text) {
        if sink.is_full() {
            break;
        }
        sink.text(Kind::Host, &[link.host]);
        let mut upper = link.host;
        while let Some((_, rest)) = upper.split_once('.') {
            sink.text(Kind::Host, &[".", rest]);
            upper = rest;
        }
        if let Some(port) = link.port {
            sink.text(Kind::Path, &["port ", port]);
        }
        if link.has_user {
            sink.text(Kind::Path, &["user"]);
        }
        for word in link.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).take(12) {
            sink.text(Kind::Path, &[word]);
        }
    }
}

/// A link in a text.
pub(in crate::spam) struct Link<'t> {
    pub(in crate::spam) host: &'t str,
    port: Option<&'t str>,
    pub(in crate::spam) has_user: bool,
    path: &'t str,
}

pub(in crate::spam) fn each_link(text: &str) -> impl Iterator<Item = Link<'_>> {
    memmem::find_iter(text.as_bytes(), b"://").take(SPAM_LINKS_MAX).filter_map(|at| {
        let rest = text.get(at.saturating_add(3)..)?;
        let ends = |byte: u8| byte <= b' ' || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b')' | b']' | b'}' | b'`');
        let near = rest.as_bytes().get(..256).unwrap_or(rest.as_bytes());
        let mut end = near.iter().position(|byte| ends(*byte)).unwrap_or(near.len());
        while !rest.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let whole = rest.get(..end)?;
        let authority = whole.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        let path = whole.get(authority.len()..).unwrap_or_default();
        let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        };
        let host = host.trim_matches(['.', ',', ';', '*']);
        (!host.is_empty()).then_some(Link { host, port, has_user: !user.is_empty(), path })
    })
}

/// Hosts that links of a text lead to, as written, in order, with repeats.
pub(in crate::spam) fn hosts(text: &str) -> impl Iterator<Item = &str> {
    each_link(text).map(|link| link.host)
}
