//! What begins as containers do.

use crate::kind::Kind;

pub(super) fn of(bytes: &[u8]) -> Kind {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|there| there.starts_with(magic));
    let magics: [(usize, &[u8], Kind); 36] = [
        (0, b"PK\x03\x04", Kind::Zip),
        (0, b"PK\x05\x06", Kind::Zip),
        (0, b"PK\x07\x08", Kind::Zip),
        (0, b"\x1f\x8b", Kind::Gzip),
        (0, b"BZh", Kind::Bzip2),
        (0, b"\xfd7zXZ\0", Kind::Xz),
        (0, b"\x5d\0\0", Kind::Xz),
        (0, b"\x28\xb5\x2f\xfd", Kind::Zstd),
        (0, b"\x1f\x9d", Kind::Compress),
        (0, b"SZDD\x88\xf0\x27\x33", Kind::Compress),
        (0, b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
        (0, b"MSCF", Kind::Cab),
        (0, b"Rar!\x1a\x07", Kind::Rar),
        (2, b"-lh", Kind::Lha),
        (2, b"-lz", Kind::Lha),
        (0, b"\x60\xea", Kind::Arj),
        (7, b"**ACE**", Kind::Ace),
        (0, b"070701", Kind::Cpio),
        (0, b"070702", Kind::Cpio),
        (0, b"070707", Kind::Cpio),
        (0, b"\xc7\x71", Kind::Cpio),
        (0, b"\x71\xc7", Kind::Cpio),
        (0, b"!<arch>\n", Kind::Ar),
        (0, b"\xed\xab\xee\xdb", Kind::Rpm),
        (0, b"\x78\x9f\x3e\x22", Kind::Tnef),
        (32_769, b"CD001", Kind::Iso),
        (0, b"ITSF", Kind::Chm),
        (0, b"MZ", Kind::Pe),
        (0, b"\x7fELF", Kind::Elf),
        (0, b"%PDF-", Kind::Pdf),
        (0, b"{\\rtf", Kind::Rtf),
        (0, b"\xd0\xcf\x11\xe0", Kind::Ole),
        (0, b"\x89PNG", Kind::Image),
        (0, b"Return-Path:", Kind::Mail),
        (0, b"Received:", Kind::Mail),
        (0, b"From:", Kind::Mail),
    ];
    if bytes.is_empty() {
        return Kind::Empty;
    }
    if let Some((_, _, kind)) = magics.iter().find(|(offset, magic, _)| at(*offset, magic)) {
        return *kind;
    }
    if super::tar::is_header(bytes) {
        return Kind::Tar;
    }
    if bytes.starts_with(b"\x30")
        && bytes.get(..64).is_some_and(|head| memchr::memmem::find(head, b"\x2a\x86\x48\x86\xf7\x0d\x01\x07").is_some())
    {
        return Kind::Pkcs7;
    }
    let head = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    if head.iter().all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\r' | b'\n' | 0x0c)) {
        return Kind::PlainText;
    }
    Kind::Data
}
