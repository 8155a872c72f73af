//! Where what a file is called, what it is declared to be and what it is don't go together.

use super::{Family, Kind, Named, by_name, hides};
use crate::contents::Trait;

/// What is remarkable about a file's names and its declared type, seen together with what it is. What is declared or called in a
/// way that claims nothing (`application/octet-stream`, unknown extensions) agrees with everything; so does what programs mix up
/// without harm (a page that is called a document, a picture of another format), and text, which everything can begin as.
#[must_use]
pub fn disagree(names: &[String], declared: &str, kind: Kind) -> Vec<Trait> {
    let mut traits = Vec::new();
    for named in names.iter().filter_map(|name| by_name(name)) {
        if !goes_with(&named, kind) {
            let says = Trait::NameSays(named.extension.to_owned());
            if !traits.contains(&says) {
                traits.push(says);
            }
        }
    }
    if !is_declared(declared, kind) {
        traits.push(Trait::TypeSays);
    }
    if names.iter().any(|name| hides(name)) {
        traits.push(Trait::NameHides);
    }
    traits
}

/// Kinds of text that a file of nearly any name may begin as; they prove nothing.
fn is_weak(kind: Kind) -> bool {
    matches!(kind, Kind::Data | Kind::Empty | Kind::PlainText | Kind::Xml)
}

/// Kinds that are a ZIP with certain entries.
fn is_zipped(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Zip
            | Kind::Jar
            | Kind::Apk
            | Kind::Msix
            | Kind::Docx
            | Kind::Xlsx
            | Kind::Pptx
            | Kind::Opc
            | Kind::OpenDocument
            | Kind::Epub
    )
}

/// Families whose files act, and which nothing else may claim not to be.
fn acts(family: Family) -> bool {
    matches!(family, Family::Executable | Family::Script | Family::Shortcut | Family::DiskImage)
}

/// What Office writes and opens under each other's names, by its programs.
fn office(kind: Kind) -> u8 {
    match kind {
        Kind::Word | Kind::Docx => 1,
        Kind::Excel | Kind::Xlsx => 2,
        Kind::PowerPoint | Kind::Pptx => 4,
        // By any of them.
        Kind::OfficeXml | Kind::OfficeEncrypted | Kind::Ole | Kind::ActiveMime => 7,
        // Opened by Word and by Excel.
        Kind::Rtf | Kind::Html | Kind::Mhtml | Kind::SheetLink => 3,
        Kind::OpenDocument => 7,
        _ => 0,
    }
}

fn goes_with(named: &Named, kind: Kind) -> bool {
    let (says, is) = (named.family, kind.family());
    if named.kind == kind || is_weak(kind) || named.kind == Kind::Data {
        // A name that acts claims no kind; a name that claims nothing is no lie.
        return true;
    }
    if acts(is) {
        // A self-extracting archive, or a package of programs that is called an archive, is one that acts all the same.
        return says == is
            || matches!((named.kind, kind), (Kind::Jar | Kind::Apk, Kind::Jar | Kind::Apk))
            || is == Family::Script && acts(says);
    }
    let is_mix = match named.kind {
        Kind::Jar | Kind::Apk | Kind::Msix => is_zipped(kind),
        Kind::Zip | Kind::OtherArchive => is_zipped(kind) && !acts(is),
        Kind::Wim | Kind::Iso | Kind::RawDisk => is == Family::DiskImage,
        // `.tar` may be compressed, `.gz` may have been unpacked on the way.
        Kind::Tar => matches!(kind, Kind::Gzip | Kind::Bzip2 | Kind::Xz | Kind::Zstd),
        Kind::Gzip | Kind::Bzip2 | Kind::Xz | Kind::Zstd | Kind::Compress => kind == Kind::Tar || kind == named.kind,
        Kind::Html | Kind::Svg | Kind::Mhtml => {
            matches!(is, Family::Page | Family::Text | Family::Message) || kind == Kind::SheetLink
        }
        Kind::Mail => matches!(is, Family::Message | Family::Page | Family::Text),
        Kind::UrlFile => is == Family::Text,
        Kind::Epub | Kind::Opc => is_zipped(kind) && is == Family::Document,
        Kind::Chm | Kind::Swf => false,
        _ => match says {
            Family::Media => is == Family::Media || kind == Kind::Gzip,
            Family::Text => {
                matches!(is, Family::Text | Family::Page | Family::Message | Family::Crypto)
                    || kind == Kind::OfficeXml
                    || kind == Kind::SheetLink
            }
            Family::Crypto => matches!(is, Family::Crypto | Family::Text | Family::Message),
            Family::Script => matches!(is, Family::Text | Family::Page),
            _ => false,
        },
    };
    is_mix || office(named.kind) & office(kind) != 0
}

fn is_declared(declared: &str, kind: Kind) -> bool {
    if is_weak(kind) {
        return true;
    }
    let is = kind.family();
    let (main, sub) = declared.split_once('/').unwrap_or((declared, ""));
    let zip = is_zipped(kind);
    match (main, sub) {
        ("text", _) => {
            matches!(
                is,
                Family::Text | Family::Page | Family::Message | Family::Script | Family::Shortcut | Family::Crypto
            ) || matches!(kind, Kind::Rtf | Kind::OfficeXml | Kind::SheetLink)
        }
        ("image", s) if s.starts_with("svg") => matches!(kind, Kind::Svg | Kind::Html | Kind::Image | Kind::Gzip),
        // CAD drawings and others are called pictures.
        ("image", "png" | "jpeg" | "jpg" | "pjpeg" | "gif" | "bmp" | "webp" | "tiff" | "x-png" | "heic" | "x-icon") => {
            is == Family::Media
        }
        ("audio" | "video", _) => is == Family::Media || kind == Kind::UrlFile,
        ("message", _) => matches!(is, Family::Message | Family::Page | Family::Text) || kind == Kind::Msg,
        ("application", "pdf" | "x-pdf") => kind == Kind::Pdf,
        ("application", "zip" | "x-zip" | "x-zip-compressed") => zip,
        ("application", "rtf") => matches!(kind, Kind::Rtf | Kind::Word | Kind::Docx),
        ("application", "gzip" | "x-gzip") => matches!(kind, Kind::Gzip | Kind::Tar),
        ("application", "x-7z-compressed") => kind == Kind::SevenZip,
        ("application", "vnd.rar" | "x-rar" | "x-rar-compressed") => kind == Kind::Rar,
        ("application", "json" | "calendar+json") => matches!(is, Family::Text | Family::Page | Family::Script),
        ("application", "ms-tnef") => kind == Kind::Tnef,
        ("application", "msword") => office(kind) & 1 != 0,
        ("application", s)
            if s.starts_with("vnd.openxmlformats-officedocument")
                || s.starts_with("vnd.ms-word")
                || s.starts_with("vnd.ms-excel")
                || s.starts_with("vnd.ms-powerpoint")
                || s.starts_with("vnd.oasis.opendocument") =>
        {
            // Which of the programs is often wrong, that it is one of theirs isn't.
            office(kind) != 0 || zip && !acts(is)
        }
        (
            "application",
            "pgp-signature" | "pgp-encrypted" | "pkcs7-mime" | "pkcs7-signature" | "x-pkcs7-mime" | "x-pkcs7-signature",
        ) => {
            matches!(is, Family::Crypto | Family::Text | Family::Message)
        }
        _ => true,
    }
}
