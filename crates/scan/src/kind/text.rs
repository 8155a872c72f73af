//! Kinds that are text.

use super::view::{View, is_prose};
use super::{Kind, markup, script};
use crate::bytes::{has, head};

/// Bytes before which the lines stand that say what a file of settings is.
const SETTINGS_LOOKED: usize = 8_192;
/// Lines of a header that are looked at.
const HEADER_LINES: usize = 200;

/// What text is; [`Kind::Data`] if it is none.
pub(super) fn of(bytes: &[u8]) -> Kind {
    let view = View::of(bytes);
    let text = view.trimmed();
    // Word opens what begins so, whatever follows.
    if text.starts_with(b"{\\rt") {
        return Kind::Rtf;
    }
    if let Some(kind) = by_first_words(text) {
        return kind;
    }
    if view.is_text
        && let Some(kind) = settings(&view)
    {
        return kind;
    }
    if text.starts_with(b"<")
        && let Some(kind) = markup::of(&view)
    {
        return kind;
    }
    if !view.is_text {
        // A browser shows a page behind rubbish, and Windows' host of HTML applications runs it.
        return markup::behind(&view).unwrap_or_default();
    }
    mail(text).or_else(|| script::of(&view)).or_else(|| markup::behind(&view)).unwrap_or(Kind::PlainText)
}

fn by_first_words(text: &[u8]) -> Option<Kind> {
    // A program's path follows; in Rust an attribute does.
    if text.strip_prefix(b"#!").is_some_and(|program| program.trim_ascii_start().starts_with(b"/")) {
        return Some(Kind::Shell);
    }
    if text.starts_with(b"#@~^") {
        return Some(Kind::VbScript);
    }
    if let Some(armour) = text.strip_prefix(b"-----begin ") {
        let line = armour.split(|b| *b == b'\n').next().unwrap_or_default();
        return Some(if line.starts_with(b"pgp ") {
            Kind::OpenPgp
        } else if line.starts_with(b"pkcs") || line.starts_with(b"cms") {
            Kind::Pkcs7
        } else {
            Kind::Certificate
        });
    }
    let first = [
        (&b"begin:vcalendar"[..], Kind::Calendar),
        (b"begin:vcard", Kind::Contact),
        (b"regedit4", Kind::Registry),
        (b"windows registry editor", Kind::Registry),
        (b"id;p", Kind::SheetLink),
        (b"xlodbc", Kind::SheetLink),
        (b"web\r\n1\r\n", Kind::SheetLink),
        (b"web\n1\n", Kind::SheetLink),
    ];
    first.iter().find(|(word, _)| text.starts_with(word)).map(|(_, kind)| *kind)
}

/// Files of settings that lead somewhere or install something: sections in brackets, or lines of Remote Desktop.
fn settings(view: &View) -> Option<Kind> {
    let start = head(view.trimmed(), SETTINGS_LOOKED);
    let lines = || start.split(|b| *b == b'\n' || *b == b'\r').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty());
    let first = lines().find(|line| !line.starts_with(b";") && !line.starts_with(b"#"))?;
    if first.starts_with(b"[") {
        let line = |what: &[u8]| lines().any(|l| l.starts_with(what));
        if line(b"[internetshortcut")
            || line(b"[desktop entry]")
            || line(b"[shell]") && (line(b"command=") || line(b"iconfile="))
        {
            return Some(Kind::UrlFile);
        }
        if line(b"[autorun")
            || line(b"[defaultinstall")
            || line(b"[version]") && crate::bytes::holds(start, b"signature")
        {
            return Some(Kind::Inf);
        }
    }
    let is_desktop =
        |line: &[u8]| line.starts_with(b"full address:s:") || line.starts_with(b"alternate full address:s:");
    let is_setting =
        first.split(|b| *b == b':').count() >= 3 && !first.contains(&b' ') || first.starts_with(b"screen mode id:i:");
    ((is_setting || is_desktop(first)) && lines().any(is_desktop)).then_some(Kind::UrlFile)
}

/// A message, or pages in one. What people quote above an answer has fields as well, but not those that programs write.
fn mail(text: &[u8]) -> Option<Kind> {
    const PROGRAMS: [&[u8]; 9] = [
        b"received:",
        b"message-id:",
        b"mime-version:",
        b"return-path:",
        b"dkim-signature:",
        b"delivered-to:",
        b"x-mailer:",
        b"content-type:",
        b"authentication-results:",
    ];
    const PEOPLE: [&[u8]; 5] = [b"from:", b"to:", b"subject:", b"date:", b"sender:"];
    let (mut programs, mut people, mut is_related) = (0_usize, 0_usize, false);
    for (number, line) in text.split(|b| *b == b'\n').take(HEADER_LINES).enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") || number == 0 && line.starts_with(b"from ") {
            is_related |= crate::bytes::holds(line, b"multipart/related");
            continue;
        }
        let name = head(line, memchr::memchr(b':', line)?);
        if name.is_empty() || !name.trim_ascii_end().iter().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        programs = programs.saturating_add(usize::from(PROGRAMS.iter().any(|p| line.starts_with(p))));
        people = people.saturating_add(usize::from(PEOPLE.iter().any(|p| line.starts_with(p))));
        is_related |= has(line, 0, b"content-type:") && crate::bytes::holds(line, b"multipart/related");
    }
    let is_archive = is_related && crate::bytes::holds(text, b"content-location:");
    if is_archive && !text.starts_with(b"received:") {
        return Some(Kind::Mhtml);
    }
    (programs >= 1 && programs.saturating_add(people) >= 2).then_some(Kind::Mail)
}

/// Whether what stands before something is only rubbish, or blanks: nothing that a person would write.
pub(super) fn is_rubbish(before: &[u8]) -> bool {
    !before.split(|b| *b == b'\n' || *b == b'\r').map(<[u8]>::trim_ascii).any(is_prose)
}
