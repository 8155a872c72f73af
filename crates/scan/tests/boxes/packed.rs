//! Streams, tar and other archives without a method of their own.

use crate::build::{INNER, Zipped, attached, deflate, found, gzip, has, named, not_opened, sha256, zip};
use mailward_scan::{Kind, Stopped, Trait};
use std::io::Write;

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn lzma(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::LzmaOptions::with_preset(1);
    let mut packed = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, Some(bytes.len() as u64)).unwrap();
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// One entry of a tar, or several behind each other.
pub(crate) fn tar(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn each_stream_is_unpacked_and_has_its_name_back() {
    // What `compress` makes of it: each byte a code of nine bits.
    let mut lzw = vec![0x1f, 0x9d, 0x10];
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in INNER {
        buffer |= u32::from(*byte) << bits;
        bits += 9;
        while bits >= 8 {
            lzw.push(buffer as u8);
            buffer >>= 8;
            bits -= 8;
        }
    }
    lzw.push(buffer as u8);
    let mut szdd = b"SZDD\x88\xf0\x27\x33Ae".to_vec();
    szdd.extend((INNER.len() as u32).to_le_bytes());
    for eight in INNER.chunks(8) {
        szdd.push(0xff);
        szdd.extend(eight);
    }
    for (name, packed, inner) in [
        ("it.bin.gz", gzip(INNER), "it.bin"),
        ("it.bin.xz", xz(INNER), "it.bin"),
        ("it.bin.bz2", bzip2(INNER), "it.bin"),
        ("it.bin.zst", zstd(INNER), "it.bin"),
        ("it.bin.lzma", lzma(INNER), "it.bin"),
        ("it.bin.Z", lzw, "it.bin"),
        ("it.ex_", szdd, "it.exe"),
    ] {
        let contents = attached(name, &packed);
        let [item] = named(&contents, inner)[..] else { panic!("{name}: {contents:?}") };
        assert_eq!(item.hash, sha256(INNER), "{name}: {item:?}");
        assert!(contents.stopped.is_empty());
    }
}

#[test]
fn streams_behind_each_other_are_one_and_what_is_cut_is_told() {
    let half = INNER.len() / 2;
    let (one, other) = INNER.split_at(half);
    for pack in [gzip, xz, bzip2, zstd] {
        assert!(found(&attached("a", &[pack(one), pack(other)].concat())));
        let whole = pack(INNER);
        let contents = attached("a", &whole[..whole.len() - 6]);
        let damaged = contents.items.iter().any(|i| i.traits.iter().any(|t| matches!(t, Trait::Damaged(_))));
        assert!(damaged || found(&contents), "{contents:?}");
    }
    let skippable = [b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zstd(INNER)].concat();
    assert!(found(&attached("a.zst", &skippable)));
}

#[test]
fn gzip_tells_a_name_of_its_own() {
    let mut packed = flate2::GzBuilder::new().filename("real name.exe").write(Vec::new(), flate2::Compression::best());
    packed.write_all(INNER).unwrap();
    let contents = attached("photo.jpg.gz", &packed.finish().unwrap());
    assert_eq!(named(&contents, "real name.exe")[0].names, ["real name.exe", "photo.jpg"]);
}

#[test]
fn a_window_that_is_larger_than_there_is_memory_is_not_opened() {
    let mut options = lzma_rust2::LzmaOptions::with_preset(0);
    options.dict_size = 4096;
    let mut packed = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    packed.write_all(INNER).unwrap();
    let mut packed = packed.finish().unwrap();
    packed[1..5].copy_from_slice(&(1_u32 << 31).to_le_bytes());
    // A small file needs no more than its own length, whatever its packer says.
    assert!(found(&attached("a.lzma", &packed)));
    // A frame of Zstandard with a window of 1 GiB, and a ZIP's PPMd with a model of 256 MiB.
    let contents = attached("a.zst", b"\x28\xb5\x2f\xfd\0\xa0\x01\0\0");
    assert!(not_opened(&contents), "{contents:?}");
    let wide = Zipped::packed("a", 98, INNER, 0x0ff7_u16.to_le_bytes().to_vec());
    assert!(not_opened(&attached("a.zip", &zip(&[wide]))));
}

#[test]
fn tar_is_opened_with_long_names_and_links() {
    let long = format!("{}/it.exe", "d".repeat(150));
    let pax = format!("{} path={long}\n", long.len() + 10);
    let archive = [
        tar("short", b'0', INNER),
        tar("././@LongLink", b'L', format!("{long}\0").as_bytes()),
        tar("d", b'0', b"by GNU"),
        tar("PaxHeaders/x", b'x', pax.as_bytes()),
        tar("d", b'0', b"by pax"),
        tar("../out", b'0', b"out"),
        tar("link", b'2', b""),
        tar("dir/", b'5', b""),
    ]
    .concat();
    for (name, bytes) in [("a.tar", archive.clone()), ("a.tgz", gzip(&archive)), ("a.tar.xz", xz(&archive))] {
        let contents = attached(name, &[bytes, vec![0; 0]].concat());
        assert_eq!(named(&contents, "short")[0].hash, sha256(INNER));
        let hashes: Vec<_> = named(&contents, &long).into_iter().map(|item| item.hash).collect();
        assert_eq!(hashes, [sha256(b"by GNU"), sha256(b"by pax")], "{contents:?}");
        assert!(named(&contents, "../out")[0].traits.contains(&Trait::LeadsOut));
        assert!(named(&contents, "link")[0].traits.contains(&Trait::Link));
        assert!(named(&contents, "dir/").is_empty());
    }
    // What stands behind the end is found by programs that read on.
    let behind = [tar("a", b'0', b"a"), vec![0; 1024], tar("b", b'0', INNER)].concat();
    assert!(found(&attached("a.tar", &behind)));
}

#[test]
fn cpio_is_opened_in_each_of_its_forms() {
    let newc = |name: &str, content: &[u8]| {
        let mut bytes = format!(
            "07070100000001000081A40000000000000000000000010000000{:1}{:08X}00000000000000000000000000000000{:08X}00000000{name}\0",
            0,
            content.len(),
            name.len() + 1
        )
        .into_bytes();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let odc = |name: &str, content: &[u8]| {
        let head = format!(
            "070707000001000001100644000000000000000001000000{:011o}{:06o}{:011o}{name}\0",
            0,
            name.len() + 1,
            content.len()
        );
        [head.as_bytes(), content].concat()
    };
    let old = |name: &str, content: &[u8], big: bool| {
        let mut bytes = Vec::new();
        let length = content.len() as u32;
        let words =
            [0o070_707, 1, 1, 0o100_644, 0, 0, 1, 0, 0, 0, name.len() as u16 + 1, (length >> 16) as u16, length as u16];
        for word in words {
            bytes.extend(if big { word.to_be_bytes() } else { word.to_le_bytes() });
        }
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    };
    for archive in [
        [newc("x/it", INNER), newc("TRAILER!!!", b"")].concat(),
        [odc("x/it", INNER), odc("TRAILER!!!", b"")].concat(),
        [old("x/it", INNER, false), old("TRAILER!!!", b"", false)].concat(),
        [old("x/it", INNER, true), old("TRAILER!!!", b"", true)].concat(),
    ] {
        let contents = attached("a.cpio", &archive);
        assert_eq!(named(&contents, "x/it").len(), 1, "{contents:?}");
        assert!(found(&contents), "{contents:?}");
    }
}

#[test]
fn a_debian_package_is_opened_to_its_files() {
    let member = |name: &str, content: &[u8]| {
        let mut bytes =
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).into_bytes();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
        bytes
    };
    let deb = [
        b"!<arch>\n".to_vec(),
        member("debian-binary", b"2.0\n"),
        member("control.tar.xz", &xz(&tar("./control", b'0', b"Package: x\n"))),
        member("data.tar.xz", &xz(&tar("./usr/bin/it", b'0', INNER))),
    ]
    .concat();
    let contents = attached("a.deb", &deb);
    assert!(found(&contents) && named(&contents, "./usr/bin/it").len() == 1, "{contents:?}");

    let long = [
        b"!<arch>\n".to_vec(),
        member("//", b"a name of more than sixteen.exe/\n"),
        member("/0", INNER),
        member("#1/8", &[b"bsd.name".as_slice(), b"other"].concat()),
    ]
    .concat();
    let contents = attached("a.a", &long);
    assert_eq!(named(&contents, "a name of more than sixteen.exe")[0].hash, sha256(INNER), "{contents:?}");
    assert_eq!(named(&contents, "bsd.name")[0].hash, sha256(b"other"));
}

/// Attacks E3: recursion; a gzip that unpacks to itself is one that never ends.
#[test]
fn e3_gzip_within_gzip_ends_at_the_depth() {
    let mut packed = INNER.to_vec();
    for _ in 0..50 {
        packed = gzip(&packed);
    }
    let contents = attached("a.gz", &packed);
    assert_eq!(contents.stopped, [Stopped::Depth]);
    assert!(!found(&contents) && not_opened(&contents));
}

/// Attacks E3: ratio.
#[test]
fn e3_streams_that_grow_too_much_end_early() {
    let zeros = vec![0; 24 << 20];
    for bomb in [gzip(&zeros), xz(&zeros), bzip2(&zeros)] {
        let contents = attached("a", &bomb);
        assert_eq!(contents.stopped, [Stopped::Ratio]);
        assert!(not_opened(&contents));
    }
}

/// Attacks E3: polyglots.
#[test]
fn e3_an_archive_behind_something_else_is_opened_as_well() {
    let archive = zip(&[Zipped::deflated("it.exe", INNER)]);
    let gif = [b"GIF89a\x01\0\x01\0\0\0\0".to_vec(), vec![0; 100], archive.clone()].concat();
    let contents = attached("a.gif", &gif);
    assert!(found(&contents) && has(&contents, &Trait::Also(Kind::Zip)), "{contents:?}");
    let pdf = [b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n".to_vec(), archive.clone()].concat();
    assert!(found(&attached("a.pdf", &pdf)));
    // A RAR, a cabinet, a 7z and a tar in a program.
    let rar = rar5(&[("it.exe", &[0], INNER)]);
    let stub = [b"MZ\x90\0".to_vec(), vec![1; 300], rar].concat();
    let contents = attached("a.exe", &stub);
    assert!(found(&contents) && has(&contents, &Trait::Also(Kind::Rar)), "{contents:?}");
}

/// A RAR 5: names, flags of their headers, contents stored.
pub(crate) fn rar5(files: &[(&str, &[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = b"Rar!\x1a\x07\x01\0".to_vec();
    let mut block = |header: Vec<u8>, data: &[u8]| {
        bytes.extend([0; 4]);
        bytes.push(header.len() as u8);
        bytes.extend(header);
        bytes.extend(data);
    };
    block(vec![1, 0, 0], b"");
    for (name, packing, content) in files {
        let mut header = vec![2, 2, content.len() as u8, 0, content.len() as u8, 0x20];
        header.extend(*packing);
        header.extend([1, name.len() as u8]);
        header.extend(name.as_bytes());
        block(header, content);
    }
    block(vec![5, 0, 0], b"");
    bytes
}

#[test]
fn rar_is_listed_and_what_is_stored_is_opened() {
    let contents = attached("a.rar", &rar5(&[("it.exe", &[0], INNER), ("../packed.exe", &[0x80, 3], b"packed")]));
    assert_eq!(named(&contents, "it.exe")[0].hash, sha256(INNER), "{contents:?}");
    let packed = named(&contents, "../packed.exe")[0];
    assert!(packed.traits.contains(&Trait::LeadsOut) && not_opened(&contents));

    // RAR 4: main header, a stored file, an encrypted one.
    let file = |name: &[u8], flags: u16, method: u8, content: &[u8]| {
        let mut header = vec![0, 0, 0x74];
        header.extend((flags | 0x8000).to_le_bytes());
        header.extend((32 + name.len() as u16).to_le_bytes());
        header.extend((content.len() as u32).to_le_bytes());
        header.extend((content.len() as u32).to_le_bytes());
        header.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 20, method]);
        header.extend((name.len() as u16).to_le_bytes());
        header.extend([0; 4]);
        header.extend(name);
        header.extend(content);
        header
    };
    let old = [
        b"Rar!\x1a\x07\0".to_vec(),
        vec![0, 0, 0x73, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0],
        file(b"it.exe", 0, 0x30, INNER),
        file(b"secret.exe", 4, 0x33, b"?"),
        file(b"packed.exe", 0, 0x33, b"?"),
        // In Unicode: two characters as they are, then two of their own.
        file(b"de??\0\0\xb0\x02de\0", 0x200, 0x30, b"name"),
    ]
    .concat();
    let contents = attached("a.rar", &old);
    assert_eq!(named(&contents, "it.exe")[0].hash, sha256(INNER), "{contents:?}");
    assert!(named(&contents, "secret.exe")[0].traits.contains(&Trait::Encrypted));
    assert!(matches!(named(&contents, "packed.exe")[0].traits[..], [Trait::NotOpened(_)]));
    let hidden = [b"Rar!\x1a\x07\0".to_vec(), vec![0, 0, 0x73, 0x80, 0, 13, 0, 0, 0, 0, 0, 0, 0]].concat();
    let contents = attached("a.rar", &hidden);
    assert!(has(&contents, &Trait::Encrypted) && not_opened(&contents));
    let volume = [b"Rar!\x1a\x07\0".to_vec(), vec![0, 0, 0x73, 1, 0, 13, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert!(has(&attached("a.rar", &volume), &Trait::MultiVolume));
}

#[test]
fn lha_is_opened_at_each_level() {
    let name = b"it.exe";
    let sizes = [(INNER.len() as u32).to_le_bytes(), (INNER.len() as u32).to_le_bytes()].concat();
    let level0 = {
        let mut header = [b"-lh0-".as_slice(), &sizes, &[0; 4], &[0x20, 0, name.len() as u8], name, &[0, 0]].concat();
        header.splice(0..0, [header.len() as u8, 0]);
        [header, INNER.to_vec(), vec![0]].concat()
    };
    let level1 = {
        let extension = [&[2][..], b"dir\xff", &[0, 0]].concat();
        let packed = ((INNER.len() + extension.len()) as u32).to_le_bytes();
        let unpacked = (INNER.len() as u32).to_le_bytes();
        let mut header =
            [b"-lh0-".as_slice(), &packed, &unpacked, &[0; 4], &[0x20, 1, name.len() as u8], name, &[0, 0, b'U']]
                .concat();
        header.extend((extension.len() as u16).to_le_bytes());
        header.splice(0..0, [header.len() as u8, 0]);
        [header, extension, INNER.to_vec(), vec![0]].concat()
    };
    let level2 = {
        let extension = [&[1][..], name, &[0, 0]].concat();
        let mut header = [b"-lh0-".as_slice(), &sizes, &[0; 4], &[0x20, 2, 0, 0, b'U']].concat();
        header.extend((extension.len() as u16).to_le_bytes());
        header.extend(&extension);
        header.splice(0..0, (header.len() as u16 + 2).to_le_bytes());
        [header, INNER.to_vec(), vec![0]].concat()
    };
    for (archive, name) in [(level0, "it.exe"), (level1, "dir/it.exe"), (level2, "it.exe")] {
        let contents = attached("a.lzh", &archive);
        assert_eq!(named(&contents, name).first().map(|item| item.hash), Some(sha256(INNER)), "{contents:?}");
    }
}

/// Blocks of literals alone: each byte a code of eight bits, in order.
#[test]
fn lha_s_methods_are_unpacked() {
    for (method, distances) in [(b"-lh5-", 4), (b"-lh6-", 5), (b"-lh7-", 5)] {
        let mut bits: Vec<bool> = Vec::new();
        let mut put = |value: usize, count: u32| bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        put(INNER.len(), 16);
        // One length for all codes, 8, which stands as 10; 256 of them; one distance.
        for (value, count) in [(0, 5), (10, 5), (256, 9), (0, distances), (0, distances)] {
            put(value, count);
        }
        for byte in INNER {
            put(usize::from(*byte), 8);
        }
        let packed: Vec<u8> = bits
            .chunks(8)
            .map(|eight| eight.iter().enumerate().fold(0, |sum, (at, bit)| sum | u8::from(*bit) << (7 - at)))
            .collect();
        let mut header = [
            method.as_slice(),
            &(packed.len() as u32).to_le_bytes(),
            &(INNER.len() as u32).to_le_bytes(),
            &[0; 4],
            &[0x20, 0, 6],
            b"it.exe",
            &[0, 0],
        ]
        .concat();
        header.splice(0..0, [header.len() as u8, 0]);
        let contents = attached("a.lzh", &[header, packed, vec![0]].concat());
        assert_eq!(named(&contents, "it.exe").first().map(|item| item.hash), Some(sha256(INNER)), "{contents:?}");
    }
}

#[test]
fn streams_without_contents_end_it() {
    for empty in [gzip(b""), bzip2(b""), zstd(b"")] {
        let few = [empty.repeat(10), gzip(b"")].concat();
        assert!(!found(&attached("a", &few)));
        let contents = attached("a", &empty.repeat(100_000));
        assert!(contents.items.iter().any(|i| i.traits.iter().any(|t| matches!(t, Trait::Damaged(_)))), "{contents:?}");
    }
    let padded = [gzip(INNER), vec![0; 512]].concat();
    let contents = attached("a.gz", &padded);
    assert!(found(&contents) && contents.items.iter().all(|item| item.traits.is_empty()), "{contents:?}");
}

#[test]
fn arj_is_opened_and_what_is_garbled_is_told() {
    let header = |name: &str, flags: u8, method: u8, kind: u8, length: usize| {
        let mut header = vec![30, 11, 1, 0, flags, method, kind, 0, 0, 0, 0, 0];
        header.extend((length as u32).to_le_bytes());
        header.extend((length as u32).to_le_bytes());
        header.resize(30, 0);
        header.extend(name.as_bytes());
        header.extend([0, 0]);
        let mut bytes = b"\x60\xea".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header);
        bytes.extend([0; 6]);
        bytes
    };
    let archive = [
        header("a.arj", 0, 0, 2, 0),
        header("it.exe", 0, 0, 0, INNER.len()),
        INNER.to_vec(),
        header("secret.exe", 1, 0, 0, 4),
        b"????".to_vec(),
        b"\x60\xea\0\0".to_vec(),
    ]
    .concat();
    let contents = attached("a.arj", &archive);
    assert_eq!(named(&contents, "it.exe")[0].hash, sha256(INNER), "{contents:?}");
    assert!(named(&contents, "secret.exe")[0].traits.contains(&Trait::Encrypted));
}

#[test]
fn cabinets_are_opened_stored_by_mszip_and_by_lzx() {
    let cabinet = |method: u16, blocks: &[(Vec<u8>, usize)], files: &[(&str, usize, usize)]| {
        let mut listed = Vec::new();
        for (name, offset, length) in files {
            listed.extend((*length as u32).to_le_bytes());
            listed.extend((*offset as u32).to_le_bytes());
            listed.extend([0; 8]);
            listed.extend(name.as_bytes());
            listed.push(0);
        }
        let mut bytes = b"MSCF\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend(44_u32.to_le_bytes());
        bytes.extend([0, 0, 0, 0, 3, 1, 1, 0]);
        bytes.extend((files.len() as u16).to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend((44 + listed.len() as u32).to_le_bytes());
        bytes.extend((blocks.len() as u16).to_le_bytes());
        bytes.extend(method.to_le_bytes());
        bytes.extend(listed);
        for (packed, unpacked) in blocks {
            bytes.extend([0; 4]);
            bytes.extend((packed.len() as u16).to_le_bytes());
            bytes.extend((*unpacked as u16).to_le_bytes());
            bytes.extend(packed);
        }
        bytes
    };
    let both = [b"before".as_slice(), INNER].concat();
    let files = [("before", 0, 6), ("it.exe", 6, INNER.len())];
    let stored = cabinet(0, &[(both.clone(), both.len())], &files);
    // The second block reaches back into the first.
    let mut second = flate2::Compress::new(flate2::Compression::best(), false);
    second.set_dictionary(b"before").unwrap();
    let mut packed = Vec::with_capacity(1_000);
    second.compress_vec(INNER, &mut packed, flate2::FlushCompress::Finish).unwrap();
    let blocks = [([b"CK".to_vec(), deflate(b"before")].concat(), 6), ([b"CK".to_vec(), packed].concat(), INNER.len())];
    // LZX, a block that isn't packed: no translation, its sort, its length, three distances.
    let bits = 3_u32 << 28 | (both.len() as u32) << 4;
    let mut lzx = [((bits >> 16) as u16).to_le_bytes(), (bits as u16).to_le_bytes()].concat();
    lzx.extend([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    lzx.extend(&both);
    for archive in [stored, cabinet(1, &blocks, &files), cabinet(0x0f03, &[(lzx, both.len())], &files)] {
        let contents = attached("a.cab", &archive);
        assert_eq!(named(&contents, "it.exe")[0].hash, sha256(INNER), "{contents:?}");
        assert_eq!(named(&contents, "before")[0].hash, sha256(b"before"));
    }
    let contents = attached("a.cab", &cabinet(0, &[(both.clone(), both.len())], &[("a", 0, 20), ("b", 10, 20)]));
    assert!(has(&contents, &Trait::Overlaps) && not_opened(&contents), "{contents:?}");
    assert!(not_opened(&attached("a.cab", &cabinet(2, &[(both.clone(), both.len())], &files))));
}
