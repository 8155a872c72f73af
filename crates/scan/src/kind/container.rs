//! Kinds that are packed in a ZIP or a compound file: told apart by what is in it.

use super::Kind;
use crate::bytes::{head, holds};
use crate::compound::{self, Compound};
use crate::zipped::{self, Entry};
use mailward_core::limits::KIND_ENTRIES_MAX;

/// Bytes of the list of content types, and of a MIME type, that are read.
const TYPES_MAX: usize = 256 * 1024;

/// What a ZIP is.
pub(super) fn zip(bytes: &[u8]) -> Kind {
    let mut entries = zipped::entries(bytes, KIND_ENTRIES_MAX);
    // Programs that read from the beginning may see other entries than those that read from the end.
    if entries.len() < KIND_ENTRIES_MAX {
        entries.extend(zipped::local_entries(bytes, KIND_ENTRIES_MAX.saturating_sub(entries.len())));
    }
    let named = |name: &[u8]| entries.iter().find(|e| same(e.name, name));
    let under = |folder: &[u8]| entries.iter().any(|e| is_under(e.name, folder));
    if let Some(mime) = named(b"mimetype").and_then(|e| e.read(256)) {
        if mime.starts_with(b"application/vnd.oasis.opendocument") || mime.starts_with(b"application/vnd.sun.xml") {
            return Kind::OpenDocument;
        }
        if mime.starts_with(b"application/epub+zip") {
            return Kind::Epub;
        }
    }
    if named(b"AppxManifest.xml").is_some() || named(b"AppxMetadata/AppxBundleManifest.xml").is_some() {
        return Kind::Msix;
    }
    if named(b"AndroidManifest.xml").is_some() || named(b"classes.dex").is_some() {
        return Kind::Apk;
    }
    if let Some(types) = named(b"[Content_Types].xml") {
        return package(types, under);
    }
    if named(b"META-INF/manifest.xml").is_some() && named(b"content.xml").is_some() {
        return Kind::OpenDocument;
    }
    if named(b"META-INF/container.xml").is_some() && named(b"META-INF/MANIFEST.MF").is_none() {
        return Kind::Epub;
    }
    if named(b"META-INF/MANIFEST.MF").is_some() {
        return Kind::Jar;
    }
    // Without its list of types Word opens it after a question.
    for (folder, main, kind) in [
        (&b"word/"[..], &b"word/document.xml"[..], Kind::Docx),
        (b"xl/", b"xl/workbook.xml", Kind::Xlsx),
        (b"xl/", b"xl/workbook.bin", Kind::Xlsx),
        (b"ppt/", b"ppt/presentation.xml", Kind::Pptx),
    ] {
        if under(folder) && named(main).is_some() {
            return kind;
        }
    }
    Kind::Zip
}

/// Which package of the Open Packaging Conventions: by the types of its parts, whose folders may have any name.
fn package(types: &Entry<'_>, under: impl Fn(&[u8]) -> bool) -> Kind {
    let text = types.read(TYPES_MAX).unwrap_or_default();
    let says = |word: &str| holds(&text, word.as_bytes());
    if says("wordprocessingml.document.main")
        || says("ms-word.document.macro")
        || says("wordprocessingml.template.main")
        || says("ms-word.template.macro")
    {
        return Kind::Docx;
    }
    if says("spreadsheetml.sheet.main")
        || says("ms-excel.sheet")
        || says("spreadsheetml.template.main")
        || says("ms-excel.template")
        || says("ms-excel.addin")
    {
        return Kind::Xlsx;
    }
    if says("presentationml.presentation.main")
        || says("ms-powerpoint.")
        || says("presentationml.slideshow.main")
        || says("presentationml.template.main")
    {
        return Kind::Pptx;
    }
    for (folder, kind) in [(&b"word/"[..], Kind::Docx), (b"xl/", Kind::Xlsx), (b"ppt/", Kind::Pptx)] {
        if under(folder) {
            return kind;
        }
    }
    Kind::Opc
}

/// Names in packages are the same whatever the case of letters, and may begin with a slash or have backslashes.
fn same(name: &[u8], wanted: &[u8]) -> bool {
    let name = name.strip_prefix(b"/").or_else(|| name.strip_prefix(b"\\")).unwrap_or(name);
    name.len() == wanted.len() && is_under(name, wanted)
}

fn is_under(name: &[u8], folder: &[u8]) -> bool {
    let start = head(name, folder.len());
    start.len() == folder.len()
        && start.iter().zip(folder).all(|(a, b)| a.eq_ignore_ascii_case(b) || (*a == b'\\' && *b == b'/'))
}

/// Class of Windows Installer's packages, patches and transforms: `{000C108x-0000-0000-C000-000000000046}`.
const INSTALLER: [u8; 15] = [0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// What a compound file is: by the streams in its root, then by those anywhere.
pub(super) fn compound(bytes: &[u8]) -> Kind {
    const STREAMS: [(&str, Kind); 9] = [
        ("EncryptedPackage", Kind::OfficeEncrypted),
        ("__properties_version1.0", Kind::Msg),
        ("WordDocument", Kind::Word),
        ("Workbook", Kind::Excel),
        ("Book", Kind::Excel),
        ("PowerPoint Document", Kind::PowerPoint),
        ("PP40", Kind::PowerPoint),
        ("PP97_DUALSTORAGE", Kind::PowerPoint),
        ("\u{4840}\u{3b3f}\u{43f2}\u{4438}\u{45b1}", Kind::Msi),
    ];
    let Some(file) = Compound::open(bytes) else {
        let found = STREAMS.iter().find(|(name, _)| compound::mentions(bytes, name));
        return found.map_or(Kind::Ole, |(_, kind)| *kind);
    };
    let class = file.entries.first().map(|root| root.class).unwrap_or_default();
    if matches!(class, [0x82 | 0x84 | 0x86, ..]) && class.get(1..) == Some(&INSTALLER[..]) {
        return Kind::Msi;
    }
    for top in [true, false] {
        for (name, kind) in STREAMS {
            if file.entries.iter().any(|e| e.name.eq_ignore_ascii_case(name) && (!top || file.is_at_top(e))) {
                return kind;
            }
        }
    }
    Kind::Ole
}
