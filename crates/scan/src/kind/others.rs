//! Files that are several things at once: each program reads what it looks for.

use super::{Family, Kind, PDF_LOOKED, container, magic};
use crate::bytes::{find, from, head, holds, tail};
use crate::zipped;
use mailward_core::limits::{KIND_ENTRIES_MAX, KIND_OTHERS_LOOKED};

/// What else a file is: an archive at the end of a picture or a program, a PDF behind another beginning, a page in a picture, a
/// disk image around anything. What lies in it as its own contents (an archive's entries) isn't meant.
#[must_use]
pub fn others(bytes: &[u8]) -> Vec<Kind> {
    let kind = super::of(bytes);
    others_of(kind, bytes)
}

/// [`others`], where what it is first is known.
#[must_use]
pub(crate) fn others_of(kind: Kind, bytes: &[u8]) -> Vec<Kind> {
    let mut found = Vec::new();
    let mut add = |other: Kind| {
        if other != kind && !found.contains(&other) {
            found.push(other);
        }
    };
    let family = kind.family();
    let is_text = matches!(family, Family::Text | Family::Page | Family::Message | Family::Script | Family::Shortcut);
    // The usual message is text, in which nothing of this can be: a directory of a ZIP and the marks of archives have bytes
    // that text hasn't.
    if bytes.len() < 64 || is_text && kind != Kind::Lnk && memchr::memchr3(0, 4, 0x1a, bytes).is_none() {
        if is_text && is_late_pdf(bytes) {
            add(Kind::Pdf);
        }
        return found;
    }
    if kind != Kind::Pdf && is_late_pdf(bytes) && family != Family::Archive
        || magic::is_zip(bytes) && is_late_pdf(bytes)
    {
        add(Kind::Pdf);
    }
    let is_zip = magic::is_zip(bytes);
    if is_zip {
        if kind != Kind::Jar
            && zipped::entries(bytes, KIND_ENTRIES_MAX)
                .iter()
                .any(|e| e.name.eq_ignore_ascii_case(b"META-INF/MANIFEST.MF"))
        {
            add(Kind::Jar);
        }
    } else if !matches!(family, Family::Archive | Family::DiskImage) && zipped::directory(bytes).is_some() {
        add(container::zip(bytes));
    }
    if !matches!(family, Family::Archive | Family::DiskImage | Family::Document) && !is_zip {
        let near = head(bytes, KIND_OTHERS_LOOKED);
        for (sign, other) in
            [(&b"Rar!\x1a\x07"[..], Kind::Rar), (b"7z\xbc\xaf\x27\x1c\0", Kind::SevenZip), (b"MSCF\0\0\0\0", Kind::Cab)]
        {
            if holds(near, sign) {
                add(other);
            }
        }
    }
    if matches!(family, Family::Media) || matches!(kind, Kind::Lnk | Kind::Pe | Kind::Chm) {
        page_within(bytes).into_iter().for_each(&mut add);
    }
    if let Some(disk) =
        magic::disk(bytes).filter(|_| family != Family::DiskImage && family != Family::Archive || kind == Kind::Zip)
    {
        // A boot sector's mark alone is too little to call anything else a disk.
        if disk != Kind::RawDisk {
            add(disk);
        }
    }
    found
}

/// A page in something that isn't text: what Windows' host of HTML applications would run.
fn page_within(bytes: &[u8]) -> Option<Kind> {
    let mut near = head(bytes, KIND_OTHERS_LOOKED).to_vec();
    if bytes.len() > near.len() {
        near.extend_from_slice(tail(from(bytes, KIND_OTHERS_LOOKED), KIND_OTHERS_LOOKED));
    }
    near.make_ascii_lowercase();
    if holds(&near, b"<hta:application") {
        return Some(Kind::ScriptPage);
    }
    // A program has texts of pages in it.
    let is_script = find(&near, b"<script").is_some_and(|at| holds(from(&near, at), b"</script"));
    (is_script && !bytes.starts_with(b"MZ")).then_some(Kind::Html)
}

/// A PDF's head within the first 1,024 bytes, which readers accept, and an object behind it.
pub(super) fn is_late_pdf(bytes: &[u8]) -> bool {
    let Some(at) = find(head(bytes, PDF_LOOKED), b"%PDF-") else { return false };
    let body = from(bytes, at);
    holds(body, b" obj")
}
