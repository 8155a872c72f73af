//! Kinds that say what they are by certain bytes at a certain place.

use super::{Kind, container};
use crate::bytes::{be16, be32, from, has, le16, le32, long, part, tail};

/// What begins with these bytes; the first that fits.
#[rustfmt::skip]
const BEGINNINGS: &[(&[u8], Kind)] = &[
    (b"\x7fELF", Kind::Elf),
    (b"\xfe\xed\xfa\xce", Kind::MachO), (b"\xfe\xed\xfa\xcf", Kind::MachO),
    (b"\xce\xfa\xed\xfe", Kind::MachO), (b"\xcf\xfa\xed\xfe", Kind::MachO), (b"\xca\xfe\xba\xbf", Kind::MachO),
    (b"dex\n0", Kind::Dex), (b"dey\n0", Kind::Dex), (b"cdex", Kind::Dex),
    (b"\0asm", Kind::Wasm),
    (b"!<arch>\ndebian-binary", Kind::Deb), (b"!<arch>\n", Kind::Ar), (b"!<thin>\n", Kind::Ar),
    (b"\xed\xab\xee\xdb", Kind::Rpm),
    (b"xar!\0", Kind::Xar),
    (b"ITSF\x03\0", Kind::Chm), (b"?_\x03\0", Kind::Chm),
    (b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F", Kind::Lnk),
    (b"FasdUAS ", Kind::AppleScript),
    (b"vhdxfile", Kind::Vhd), (b"conectix", Kind::Vhd),
    (b"KDMV", Kind::VmDisk), (b"COWD", Kind::VmDisk), (b"QFI\xfb", Kind::VmDisk), (b"# Disk DescriptorFile", Kind::VmDisk),
    (b"MSWIM\0\0\0", Kind::Wim), (b"hsqs", Kind::RawDisk), (b"sqsh", Kind::RawDisk),
    (b"\x45\x3d\xcd\x28", Kind::RawDisk), (b"-rom1fs-", Kind::RawDisk), (b"XFSB\0", Kind::RawDisk), (b"LUKS\xba\xbe", Kind::RawDisk),
    (b"WithoutFreeSpace", Kind::VmDisk), (b"WithouFreSpacExt", Kind::VmDisk), (b"sprs\0", Kind::Dmg), (b"encrcdsa", Kind::Dmg),
    (b"\x1f\x8b", Kind::Gzip), (b"\x1f\x9d", Kind::Compress),
    (b"\xfd7zXZ\0", Kind::Xz),
    (b"\x28\xb5\x2f\xfd", Kind::Zstd),
    (b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
    (b"MSCF\0\0\0\0", Kind::Cab),
    (b"Rar!\x1a\x07", Kind::Rar), (b"RE~^", Kind::Rar),
    (b"\xc7\x71", Kind::Cpio), (b"\x71\xc7", Kind::Cpio),
    (b"\x78\x9f\x3e\x22", Kind::Tnef),
    (b"\x04\x22\x4d\x18", Kind::OtherArchive), (b"LZIP\x01", Kind::OtherArchive), (b"SIT!\0", Kind::OtherArchive),
    (b"StuffIt (c)", Kind::OtherArchive), (b"7kSt", Kind::OtherArchive), (b"zPQ", Kind::OtherArchive),
    (b"ALZ\x01", Kind::OtherArchive), (b"EGGA\0", Kind::OtherArchive), (b"ArC\x01", Kind::OtherArchive),
    (b"LRZI", Kind::OtherArchive), (b"ISc(", Kind::OtherArchive), (b"\x1f\x1e", Kind::OtherArchive), (b"\x1f\xa0", Kind::OtherArchive),
    (b"\x02\x21\x4c\x18", Kind::OtherArchive), (b"\x89LZO\0\r\n\x1a\n", Kind::OtherArchive), (b"\xff\x06\0\0sNaPpY", Kind::OtherArchive),
    (b"StuffIt!", Kind::OtherArchive), (b"\xca\xfe\xd0\x0d", Kind::OtherArchive), (b"GCAX", Kind::OtherArchive), (b"DGCA", Kind::OtherArchive),
    (b"SZ \x88\xf0", Kind::OtherArchive),
    (b"SZDD\x88\xf0", Kind::OtherArchive), (b"KWAJ\x88\xf0", Kind::OtherArchive), (b"PAR2\0PKT", Kind::OtherArchive),
    (b"\0\x01\0\0Standard Jet DB", Kind::Access), (b"\0\x01\0\0Standard ACE DB", Kind::Access),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", Kind::OneNote),
    (b"\xa1\x2f\xff\x43\xd9\xef\x76\x4c\x9e\xe2\x10\xea\x57\x22\x76\x5f", Kind::OneNote),
    (b"ActiveMime", Kind::ActiveMime),
    (b"\xdb\xa5-\0", Kind::Word), (b"\x9b\xa5!\0", Kind::Word),
    (b"\x09\x08\x08\0\0\x05", Kind::Excel), (b"\x09\x08\x10\0\0\x06", Kind::Excel), (b"\x09\0\x04\0", Kind::Excel),
    (b"\x09\x02\x06\0", Kind::Excel), (b"\x09\x04\x06\0", Kind::Excel),
    (b"\x89PNG\r\n\x1a\n", Kind::Image), (b"\xff\xd8\xff", Kind::Image), (b"GIF87a", Kind::Image), (b"GIF89a", Kind::Image),
    (b"II*\0", Kind::Image), (b"MM\0*", Kind::Image), (b"8BPS\0", Kind::Image), (b"\0\0\x01\0", Kind::Image),
    (b"\0\0\x02\0", Kind::Image), (b"\xd7\xcd\xc6\x9a", Kind::Image), (b"AT&TFORM", Kind::Image), (b"gimp xcf", Kind::Image),
    (b"\0\0\0\x0cjP  \r\n", Kind::Image), (b"\0\0\0\x0cJXL \r\n", Kind::Image), (b"\xff\x0a", Kind::Image), (b"v/1\x01", Kind::Image),
    (b"ID3\x02", Kind::Audio), (b"ID3\x03", Kind::Audio), (b"ID3\x04", Kind::Audio), (b"OggS\0", Kind::Audio), (b"fLaC", Kind::Audio), (b"MThd\0\0\0", Kind::Audio), (b"#!AMR", Kind::Audio),
    (b"\xff\xfb", Kind::Audio), (b"\xff\xf3", Kind::Audio), (b"\xff\xf1", Kind::Audio), (b"\xff\xf9", Kind::Audio), (b"wvpk", Kind::Audio),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind::Video), (b"\x1a\x45\xdf\xa3", Kind::Video), (b"FLV\x01", Kind::Video),
    (b"\0\0\x01\xba", Kind::Video), (b"\0\0\x01\xb3", Kind::Video),
    (b"wOFF", Kind::Font), (b"wOF2", Kind::Font), (b"OTTO\0", Kind::Font), (b"ttcf\0", Kind::Font), (b"true\0", Kind::Font),
];

/// Kind by certain bytes at a certain place, or none.
pub(super) fn of(bytes: &[u8]) -> Option<Kind> {
    let first = *bytes.first()?;
    match first {
        b'P' if is_zip(bytes) => return Some(container::zip(bytes)),
        0xd0 if bytes.starts_with(crate::compound::MAGIC) => return Some(container::compound(bytes)),
        b'M' | b'Z' if bytes.starts_with(b"MZ") || bytes.starts_with(b"ZM") => {
            if let Some(kind) = executable(bytes) {
                return Some(kind);
            }
        }
        0xca if bytes.starts_with(b"\xca\xfe\xba\xbe") => return Some(java_or_fat(bytes)),
        b'X' if bytes.starts_with(b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$") => return Some(Kind::Dos),
        b'F' | b'C' | b'Z' if has(bytes, 1, b"WS") && bytes.get(3).is_some_and(|v| (1..64).contains(v)) => {
            return Some(Kind::Swf);
        }
        b'0' if is_cpio(bytes) => return Some(Kind::Cpio),
        b'B' if is_bzip2(bytes) => return Some(Kind::Bzip2),
        b'B' if is_bitmap(bytes) => return Some(Kind::Image),
        b'R' | b'F' if bytes.starts_with(b"RIFF") || bytes.starts_with(b"FORM") => return Some(chunked(bytes)),
        0x30 => {
            if let Some(kind) = der(bytes) {
                return Some(kind);
            }
        }
        0x5d if is_lzma(bytes) => return Some(Kind::Xz),
        0x50..=0x5f if has(bytes, 1, b"\x2a\x4d\x18") => return Some(Kind::Zstd),
        0x60 if has(bytes, 1, b"\xea") && is_arj(bytes) => return Some(Kind::Arj),
        1 if has(bytes, 1, b"\0\0\0") && has(bytes, 40, b" EMF") => return Some(Kind::Image),
        0 if bytes.starts_with(b"\0\x01\0\0") && is_truetype(bytes) => return Some(Kind::Font),
        0x47 if has(bytes, 188, b"\x47") && has(bytes, 376, b"\x47") => return Some(Kind::Video),
        0x84..=0x99 | 0xc1..=0xc6 | 0xd2 if is_openpgp(bytes) => return Some(Kind::OpenPgp),
        _ => {}
    }
    if let Some((_, kind)) = BEGINNINGS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(*kind);
    }
    elsewhere(bytes)
}

/// Places that aren't the beginning.
fn elsewhere(bytes: &[u8]) -> Option<Kind> {
    if has(bytes, 257, b"ustar") || is_old_tar(bytes) {
        return Some(Kind::Tar);
    }
    if has(bytes, 4, b"ftyp") {
        return Some(media_of_boxes(bytes));
    }
    if bytes.get(2) == Some(&b'-') && bytes.get(6) == Some(&b'-') && is_lha(bytes) {
        return Some(Kind::Lha);
    }
    if has(bytes, 7, b"**ACE**") {
        return Some(Kind::Ace);
    }
    if has(bytes, 20, b"\xdc\xa7\xc4\xfd") || has(bytes, 14, b"\x1aJar\x1b") || is_arc(bytes) {
        // ZOO; JAR by the author of ARJ; ARC.
        return Some(Kind::OtherArchive);
    }
    if has(bytes, 8, b"\x19\x04\0\x10") || bytes.starts_with(b"\x7a\x1a\x20\x10") {
        // SIS, programs of Symbian telephones.
        return Some(Kind::OtherArchive);
    }
    if has(bytes, 0x40, b"\x7f\x10\xda\xbe") {
        return Some(Kind::VmDisk);
    }
    disk(bytes)
}

/// Disk images: by what stands deep within, or at the end.
pub(super) fn disk(bytes: &[u8]) -> Option<Kind> {
    if is_iso(bytes) {
        return Some(Kind::Iso);
    }
    let end = tail(bytes, 512);
    if end.len() == 512 && end.starts_with(b"koly") || has(tail(bytes, 8), 0, b"cdsaencr") {
        return Some(Kind::Dmg);
    }
    // What Nero writes, by its old and its new end.
    if bytes.len() > 2_048 && (has(tail(bytes, 12), 0, b"NER5") || has(tail(bytes, 8), 0, b"NERO")) {
        return Some(Kind::RawDisk);
    }
    // The footer of a virtual disk has 512 bytes, or 511 by old programs.
    if bytes.len() > 512 && (end.starts_with(b"conectix") || has(tail(bytes, 511), 0, b"conectix")) {
        return Some(Kind::Vhd);
    }
    let is_boot = has(bytes, 510, b"\x55\xaa")
        && (matches!(bytes.first(), Some(0xeb | 0xe9))
            || has(bytes, 3, b"NTFS")
            || has(bytes, 3, b"EXFAT")
            || is_partitioned(bytes));
    let is_file_system = has(bytes, 1_080, b"\x53\xef") && le32(bytes, 1_048).is_some_and(|block| block <= 6)
        || has(bytes, 1_024, b"H+\0\x04")
        || has(bytes, 1_024, b"HX\0\x05")
        || has(bytes, 32, b"NXSB")
        || has(bytes, 65_600, b"_BHRfS_M")
        || is_hfs(bytes);
    (is_boot || is_file_system).then_some(Kind::RawDisk)
}

/// ISO 9660 or UDF: volume descriptors from sector 16 on, each with a name of five letters at its second byte.
pub(super) fn is_iso(bytes: &[u8]) -> bool {
    (0..8_usize).any(|sector| {
        let place = sector.saturating_mul(2_048).saturating_add(32_769);
        [b"CD001", b"NSR02", b"NSR03", b"BEA01", b"CDROM"].iter().any(|id| has(bytes, place, *id))
    }) || has(bytes, 37_649, b"CD001")
        || has(bytes, 37_657, b"CD001")
}

/// Apple's old file system: blocks of some sectors, a name of at most 27 letters.
fn is_hfs(bytes: &[u8]) -> bool {
    has(bytes, 1_024, b"BD")
        && be32(bytes, 1_044).is_some_and(|block| block > 0 && block % 512 == 0)
        && bytes.get(1_060).is_some_and(|length| (1..=27).contains(length))
}

/// ARC: a method of those that there are, a name of at most twelve letters, a length that fits.
fn is_arc(bytes: &[u8]) -> bool {
    let Some(name) = part(bytes, 2, 13) else { return false };
    let letters = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    has(bytes, 0, b"\x1a")
        && bytes.get(1).is_some_and(|method| (1..=11).contains(method))
        && letters > 0
        && name.iter().take(letters).all(u8::is_ascii_graphic)
        && le32(bytes, 15).is_some_and(|packed| long(packed) <= bytes.len())
}

/// A table of partitions that makes sense: flags are 0 or 0x80, one of them isn't empty.
fn is_partitioned(bytes: &[u8]) -> bool {
    let entries = [446, 462, 478, 494].map(|at| (bytes.get(at).copied(), bytes.get(at.saturating_add(4)).copied()));
    entries.iter().all(|(flag, _)| matches!(flag, Some(0 | 0x80))) && entries.iter().any(|(_, kind)| *kind > Some(0))
}

pub(super) fn is_zip(bytes: &[u8]) -> bool {
    has(bytes, 0, b"PK")
        && [b"\x03\x04", b"\x05\x06", b"\x07\x08", b"00", b"\x01\x02", b"\x06\x06"].iter().any(|id| has(bytes, 2, *id))
        && (!has(bytes, 2, b"00") || has(bytes, 4, b"PK"))
}

/// MZ: what it is for, or none if it looks like text.
fn executable(bytes: &[u8]) -> Option<Kind> {
    let place = le32(bytes, 0x3c).map(long).unwrap_or(usize::MAX);
    if has(bytes, place, b"PE\0\0") {
        return Some(Kind::Pe);
    }
    let head = crate::bytes::head(bytes, 64);
    let is_text = head.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    (!is_text).then_some(Kind::Dos)
}

/// Both begin with the same four bytes. A fat binary has a few architectures; a class has a version of at least 45.
fn java_or_fat(bytes: &[u8]) -> Kind {
    if be32(bytes, 4).is_some_and(|n| n & 0xffff >= 45) { Kind::JavaClass } else { Kind::MachO }
}

fn is_bzip2(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BZh")
        && matches!(bytes.get(3), Some(b'1'..=b'9'))
        && (has(bytes, 4, b"1AY&SY") || has(bytes, 4, b"\x17\x72\x45\x38\x50\x90"))
}

fn is_bitmap(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BM") && le32(bytes, 14).is_some_and(|n| (12..=124).contains(&n)) && has(bytes, 6, b"\0\0\0\0")
}

fn chunked(bytes: &[u8]) -> Kind {
    match part(bytes, 8, 4) {
        Some(b"WEBP" | b"ILBM") => Kind::Image,
        Some(b"WAVE" | b"AIFF" | b"AIFC" | b"RMID") => Kind::Audio,
        Some(b"AVI ") => Kind::Video,
        // An animated cursor.
        Some(b"ACON") => Kind::Image,
        _ => Kind::Data,
    }
}

/// The alone format: properties, a dictionary of a power of two or nearly, a size or none.
fn is_lzma(bytes: &[u8]) -> bool {
    let is_size = has(bytes, 5, b"\xff\xff\xff\xff\xff\xff\xff\xff") || has(bytes, 10, b"\0\0\0");
    is_size && le32(bytes, 1).is_some_and(|d| d >= 4_096 && (d.is_power_of_two() || (d / 3).is_power_of_two()))
}

fn is_arj(bytes: &[u8]) -> bool {
    le16(bytes, 2).is_some_and(|len| (30..=2_600).contains(&len)) && bytes.get(10).is_some_and(|kind| *kind <= 5)
}

fn is_lha(bytes: &[u8]) -> bool {
    matches!(part(bytes, 3, 2), Some(b"lh" | b"lz" | b"pm" | b"pc")) && bytes.get(20).is_some_and(|level| *level <= 3)
}

fn is_truetype(bytes: &[u8]) -> bool {
    be16(bytes, 4).is_some_and(|tables| (1..100).contains(&tables)) && bytes.get(12).is_some_and(u8::is_ascii_graphic)
}

fn media_of_boxes(bytes: &[u8]) -> Kind {
    match part(bytes, 8, 4) {
        Some(b"heic" | b"heix" | b"mif1" | b"msf1" | b"avif" | b"avis" | b"hevc") => Kind::Image,
        Some(b"M4A " | b"M4B " | b"M4P ") => Kind::Audio,
        _ => Kind::Video,
    }
}

/// A tar from before POSIX has no magic: its first head's checksum, in octal, is right.
fn is_old_tar(bytes: &[u8]) -> bool {
    let (Some(head), Some(field)) = (part(bytes, 0, 512), part(bytes, 148, 8)) else { return false };
    if head.first() == Some(&0) || !field.iter().all(|b| matches!(b, b'0'..=b'7' | b' ' | 0)) {
        return false;
    }
    let said = field
        .iter()
        .skip_while(|b| **b == b' ')
        .take_while(|b| matches!(b, b'0'..=b'7'))
        .fold(0_u32, |n, b| n.wrapping_mul(8).wrapping_add(u32::from(b.wrapping_sub(b'0'))));
    let all: u32 = head.iter().map(|b| u32::from(*b)).fold(0, u32::wrapping_add);
    let own: u32 = field.iter().map(|b| u32::from(*b)).fold(0, u32::wrapping_add);
    said != 0 && all.wrapping_sub(own).wrapping_add(8 * 32) == said
}

/// cpio in characters: digits follow its magic.
fn is_cpio(bytes: &[u8]) -> bool {
    let is_magic = [b"070701", b"070702", b"070707"].iter().any(|magic| bytes.starts_with(*magic));
    is_magic && part(bytes, 6, 70).is_some_and(|fields| fields.iter().all(u8::is_ascii_hexdigit))
}

/// DER: PKCS #7 and CMS by the identifier of their content, PKCS #12 by its version, a certificate by its own.
fn der(bytes: &[u8]) -> Option<Kind> {
    let content = der_content(bytes)?;
    // 1.2.840.113549.1.7 and 1.2.840.113549.1.9.16.1.
    if has(content, 0, b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07")
        || has(content, 0, b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01")
    {
        return Some(Kind::Pkcs7);
    }
    if [b"\x02\x01\x03\x30", b"\x02\x01\x00\x30"].iter().any(|version| has(content, 0, *version)) {
        return Some(Kind::Certificate);
    }
    // A certificate, a list of revoked ones, a request, a key: a sequence in which a sequence, a version or a name stands.
    let inner = (content.first() == Some(&0x30)).then(|| der_content(content)).flatten()?;
    let is_certificate =
        has(inner, 0, b"\xa0\x03\x02\x01") || has(inner, 0, b"\x02\x01\x01\x30") || has(inner, 0, b"\x02\x01\x00\x30");
    is_certificate.then_some(Kind::Certificate)
}

fn der_content(bytes: &[u8]) -> Option<&[u8]> {
    let length = *bytes.get(1)?;
    match length {
        0x80 => Some(from(bytes, 2)),
        0x81..=0x84 => Some(from(bytes, usize::from(length & 0x7f).saturating_add(2))),
        0x10..=0x7f => Some(from(bytes, 2)),
        _ => None,
    }
}

/// First packet of an OpenPGP message or key (RFC 9580 §4.2): its tag, a length that fits, a version that exists.
fn is_openpgp(bytes: &[u8]) -> bool {
    let Some(first) = bytes.first() else { return false };
    let (tag, head, len) = if first & 0x40 != 0 {
        let tag = first & 0x3f;
        match bytes.get(1) {
            Some(n @ 0..=191) => (tag, 2, usize::from(*n)),
            Some(192..=223) => (tag, 3, usize::MAX),
            Some(255) => (tag, 6, usize::MAX),
            Some(_) => (tag, 2, usize::MAX),
            None => return false,
        }
    } else {
        let tag = (first >> 2) & 0xf;
        match first & 3 {
            0 => (tag, 2, bytes.get(1).map_or(0, |n| usize::from(*n))),
            1 => (tag, 3, be16(bytes, 1).map_or(0, usize::from)),
            2 => (tag, 5, be32(bytes, 1).map_or(0, long)),
            _ => (tag, 1, usize::MAX),
        }
    };
    let Some(version) = bytes.get(head) else { return false };
    let fits = len == usize::MAX || (len > 8 && len.saturating_add(head) <= bytes.len());
    fits && match tag {
        // Session keys; then one of the algorithms for keys.
        1 => *version == 3 && matches!(from(bytes, head).get(9), Some(1 | 2 | 16 | 18)) || *version == 6,
        3 => matches!(version, 4..=6) && matches!(from(bytes, head).get(1), Some(1..=13)),
        // Keys, with a time and an algorithm.
        5 | 6 => *version == 4 && matches!(from(bytes, head).get(5), Some(1 | 2 | 3 | 16..=28)),
        18 => matches!(version, 1 | 2),
        _ => false,
    }
}
