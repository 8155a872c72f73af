//! ZIP.

use crate::build::{INNER, Zipped, attached, deflate, found, has, message, named, not_opened, sha256, zip, zip_end};
use mailward_core::limits::SCAN_READINGS_MAX;
use mailward_scan::{Budget, Kind, Stopped, Trait, Wrapping, open};
use std::io::Write;
use std::time::Duration;

#[test]
fn each_method_of_a_zip_is_unpacked() {
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    bzip2.write_all(INNER).unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(INNER, ruzstd::encoding::CompressionLevel::Fastest);
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    xz.write_all(INNER).unwrap();
    let options = lzma_rust2::LzmaOptions::with_preset(1);
    let mut lzma = lzma_rust2::LzmaWriter::new_no_header(Vec::new(), &options, false).unwrap();
    lzma.write_all(INNER).unwrap();
    let mut in_zip = vec![9, 20, 5, 0, 0x5d];
    in_zip.extend(options.dict_size.to_le_bytes());
    in_zip.extend(lzma.finish().unwrap());
    let mut ppmd = ppmd_rust::Ppmd8Encoder::new(Vec::new(), 8, 1 << 20, ppmd_rust::RestoreMethod::Restart).unwrap();
    ppmd.write_all(INNER).unwrap();
    let mut in_ppmd = 7_u16.to_le_bytes().to_vec();
    in_ppmd.extend(ppmd.finish(false).unwrap());
    for (method, packed) in [
        (0, INNER.to_vec()),
        (8, deflate(INNER)),
        // A stored block is the same to both.
        (9, [&[1, INNER.len() as u8, 0, !(INNER.len() as u8), 0xff], INNER].concat()),
        (12, bzip2.finish().unwrap()),
        (14, in_zip),
        (93, zstd),
        (95, xz.finish().unwrap()),
        (98, in_ppmd),
    ] {
        let contents = attached("a.zip", &zip(&[Zipped::packed("in/it.bin", method, INNER, packed)]));
        let [item] = named(&contents, "in/it.bin")[..] else { panic!("method {method}: {contents:?}") };
        assert_eq!((item.hash, item.size), (sha256(INNER), INNER.len() as u64), "method {method}: {item:?}");
        assert!(item.traits.is_empty() && contents.stopped.is_empty(), "{item:?}");
    }
    let contents = attached("a.zip", &zip(&[Zipped::packed("x", 10, INNER, INNER.to_vec())]));
    assert!(!found(&contents) && not_opened(&contents));
}

#[test]
fn what_streams_wrote_and_what_stands_behind_a_program_is_found() {
    let streamed = zip(&[Zipped { flags: 8, ..Zipped::deflated("a", INNER) }]);
    assert!(found(&attached("a.zip", &streamed)));
    let behind = [b"MZ a program that unpacks itself".as_slice(), &streamed].concat();
    let contents = attached("a.exe", &behind);
    assert!(found(&contents) && has(&contents, &Trait::Also(Kind::Zip)));
    // A comment may hold what looks like the end of a directory.
    let mut commented = zip(&[Zipped::deflated("a", INNER)]);
    let at = commented.len() - 2;
    commented[at] = 22;
    commented.extend(zip_end(0, 0, 0));
    assert!(found(&attached("a.zip", &commented)));
}

#[test]
fn a_zip_that_is_stored_in_another_is_one_entry_of_it() {
    let inner = zip(&[Zipped::deflated("it.exe", INNER)]);
    let contents = attached("a.zip", &zip(&[Zipped::stored("b.zip", &inner), Zipped::stored("c.zip", &zip(&[]))]));
    assert!(found(&contents) && !has(&contents, &Trait::Overlaps) && !not_opened(&contents), "{contents:?}");
    assert_eq!(contents.items.len(), 5);
}

#[test]
fn the_longest_comment_and_too_many_directories() {
    let mut commented = zip(&[Zipped::deflated("a", INNER)]);
    let at = commented.len() - 2;
    commented[at..].fill(0xff);
    commented.extend(vec![b' '; 65_535]);
    assert!(found(&attached("a.zip", &commented)));
    let mut many = Vec::new();
    for n in 0..SCAN_READINGS_MAX + 1 {
        let mut one = zip(&[Zipped::deflated(&format!("{n}"), INNER)]);
        let start = one.len() - 22;
        one.drain(start..);
        let offset = many.len() as u32;
        let local = Zipped::deflated(&format!("{n}"), INNER).local().len() as u32;
        many.extend(one);
        many.extend(zip_end(1, many.len() as u32 - offset - local, offset + local));
    }
    assert!(not_opened(&attached("a.zip", &many)));
}

#[test]
fn signs_that_stand_close_together_are_looked_at_once() {
    // Each sign a header with a name of 64 KiB, and the directory leads to one of them again and again.
    let mut bytes = b"PK\x03\x04".repeat(300_000);
    let long = Zipped { local_name: vec![b'n'; 65_535], ..Zipped::stored("n", b"x") };
    let header = bytes.len() as u32;
    bytes.extend(long.local());
    let start = bytes.len() as u32;
    let directory = long.central(header).repeat(20_000);
    bytes.extend(&directory);
    bytes.extend(zip_end(20_000, directory.len() as u32, start));
    let contents = attached("a.zip", &bytes);
    assert_eq!(contents.stopped, [Stopped::Items]);
    assert!(has(&contents, &Trait::Overlaps));
}

#[test]
fn sizes_beyond_32_bits_are_read() {
    let mut entry = Zipped::deflated("a", INNER);
    entry.extra = [
        &1_u16.to_le_bytes()[..],
        &24_u16.to_le_bytes(),
        &(INNER.len() as u64).to_le_bytes(),
        &(entry.packed.len() as u64).to_le_bytes(),
        &0_u64.to_le_bytes(),
    ]
    .concat();
    let mut bytes = entry.local();
    let start = bytes.len() as u64;
    let mut central = entry.central(u32::MAX);
    central[20..28].fill(0xff);
    bytes.extend(&central);
    let end = bytes.len() as u64;
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [1, 1, central.len() as u64, start] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(end.to_le_bytes());
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(zip_end(u16::MAX, u32::MAX, u32::MAX));
    for prefix in [&b""[..], b"something before it"] {
        let contents = attached("a.zip", &[prefix, &bytes].concat());
        assert!(found(&contents), "{contents:?}");
    }
}

#[test]
fn a_directory_and_the_headers_that_disagree_are_both_read() {
    let hidden = zip(&[
        Zipped::stored("harmless.txt", b"harmless"),
        Zipped { listed: false, ..Zipped::deflated("hidden.exe", INNER) },
    ]);
    let contents = attached("a.zip", &hidden);
    let [item] = named(&contents, "hidden.exe")[..] else { panic!("{contents:?}") };
    assert!(matches!(item.wrapping, Wrapping::Reading(_)) && item.hash == sha256(INNER));

    let renamed = zip(&[Zipped { local_name: b"b.exe".to_vec(), ..Zipped::deflated("b.txt", INNER) }]);
    let contents = attached("a.zip", &renamed);
    assert!(named(&contents, "b.exe").len() == 1 && named(&contents, "b.txt").len() == 1);

    // Stored as the directory has it, packed as its header has it.
    let packed = zip(&[Zipped { method: 0, ..Zipped::deflated("c", INNER) }]);
    assert!(found(&attached("a.zip", &packed)));

    let whole = zip(&[Zipped::deflated("d", INNER)]);
    let without_directory = &whole[..memchr::memmem::find(&whole, b"PK\x01\x02").unwrap()];
    let contents = attached("a.zip", without_directory);
    assert!(found(&contents));
    assert!(contents.items.iter().any(|i| i.traits.iter().any(|t| matches!(t, Trait::Damaged(_)))));
}

/// Attacks E3: overlapping zip entries.
#[test]
fn e3_entries_that_lie_over_each_other_are_told_and_not_unpacked() {
    let kernel = Zipped::deflated("a", INNER);
    let mut bytes = kernel.local();
    let start = bytes.len() as u32;
    let mut directory = Vec::new();
    for n in 0..500 {
        directory.extend(Zipped { name: format!("{n}").into(), ..kernel.clone() }.central(0));
    }
    bytes.extend(&directory);
    bytes.extend(zip_end(500, directory.len() as u32, start));
    let contents = attached("a.zip", &bytes);
    assert!(has(&contents, &Trait::Overlaps) && not_opened(&contents));
    assert!(contents.items.iter().skip(2).all(|item| item.hash == [0; 32]));

    // One header quoted in the other's bytes, as zbsm.zip has it.
    let inner = Zipped::deflated("second", INNER).local();
    let outer = Zipped::packed("first", 0, &inner, inner.clone());
    let mut bytes = outer.local();
    let second = (bytes.len() - inner.len()) as u32;
    let start = bytes.len() as u32;
    let directory = [outer.central(0), Zipped::deflated("second", INNER).central(second)].concat();
    bytes.extend(&directory);
    bytes.extend(zip_end(2, directory.len() as u32, start));
    assert!(has(&attached("a.zip", &bytes), &Trait::Overlaps));
}

/// Attacks E3: encrypted.
#[test]
fn e3_what_is_encrypted_in_a_zip_is_told_with_its_name() {
    for (flags, method) in [(1, 8), (0, 99)] {
        let secret = Zipped { flags, method, local_method: method, ..Zipped::deflated("invoice.exe", INNER) };
        let contents = attached("a.zip", &zip(&[secret]));
        let [item] = named(&contents, "invoice.exe")[..] else { panic!("{contents:?}") };
        assert!(item.traits.contains(&Trait::Encrypted) && !found(&contents));
        assert!(named(&contents, "a.zip")[0].traits.contains(&Trait::Encrypted));
    }
}

/// Attacks E3: symlinks, `../`.
#[test]
fn e3_names_that_lead_out_and_links_are_told() {
    let entries = [
        Zipped::stored("../../etc/cron.d/x", INNER),
        Zipped::stored("C:\\Windows\\x", INNER),
        Zipped { made_by: 0x0314, attributes: 0o120_777 << 16, ..Zipped::stored("link", b"/etc/passwd") },
        Zipped::stored("../", b""),
        Zipped::stored("a/", b""),
    ];
    let contents = attached("a.zip", &zip(&entries));
    for name in ["../../etc/cron.d/x", "C:\\Windows\\x", "../"] {
        assert!(named(&contents, name)[0].traits.contains(&Trait::LeadsOut), "{name}");
    }
    assert!(named(&contents, "link")[0].traits.contains(&Trait::Link));
    assert!(named(&contents, "a/").is_empty());
}

/// Attacks E3: multi-volume.
#[test]
fn e3_one_volume_of_several_is_told() {
    let mut split = zip(&[Zipped::deflated("a", INNER)]);
    let at = split.len() - 18;
    split[at] = 1;
    assert!(has(&attached("a.zip", &split), &Trait::MultiVolume));
    let spanned = [b"PK\x07\x08".as_slice(), &zip(&[Zipped::deflated("a", INNER)])].concat();
    assert!(has(&attached("a.z01", &spanned), &Trait::MultiVolume));
}

/// Attacks E3: ratio.
#[test]
fn e3_what_grows_too_much_ends_early() {
    let zeros = vec![0; 30 << 20];
    let bomb = zip(&[Zipped::deflated("zeros", &zeros)]);
    let contents = attached("a.zip", &bomb);
    assert_eq!(contents.stopped, [Stopped::Ratio]);
    assert!(not_opened(&contents));
}

/// Attacks E3: recursion; and 42.zip: sixteen in sixteen in sixteen.
#[test]
fn e3_a_nest_of_archives_ends_at_its_limits() {
    let mut nest = zip(&[Zipped::deflated("end", &vec![0; 20 << 20])]);
    for level in 0..3 {
        let entries: Vec<Zipped> = (0..16)
            .map(|n| {
                // Each with another comment, so that none is known already.
                let mut other = nest.clone();
                let at = other.len() - 2;
                other[at] = 2;
                other.extend([n, level]);
                Zipped::deflated(&format!("{n}.zip"), &other)
            })
            .collect();
        nest = zip(&entries);
    }
    let none = || Duration::ZERO;
    let budget = Budget { bytes: 40 << 20, ..Budget::within_limits(&none) };
    let contents = open(&message("42.zip", &nest), budget);
    assert!(contents.stopped.contains(&Stopped::Bytes) || contents.stopped.contains(&Stopped::Ratio));
    assert!(not_opened(&contents));

    let mut deep = zip(&[Zipped::deflated("end", INNER)]);
    for _ in 0..6 {
        deep = zip(&[Zipped::deflated("a.zip", &deep)]);
    }
    let contents = attached("a.zip", &deep);
    assert!(found(&contents) && contents.stopped.is_empty(), "{contents:?}");
    for _ in 0..3 {
        deep = zip(&[Zipped::deflated("a.zip", &deep)]);
    }
    let contents = attached("a.zip", &deep);
    assert!(!found(&contents) && contents.stopped == [Stopped::Depth] && not_opened(&contents));
}

#[test]
fn a_hundred_thousand_entries_end_at_the_limit_of_files() {
    let entry = Zipped::stored("a", b"x");
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for _ in 0..100_000 {
        directory.extend(entry.central(bytes.len() as u32));
        bytes.extend(entry.local());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(zip_end(u16::MAX, directory.len() as u32, start));
    let contents = attached("a.zip", &bytes);
    assert_eq!(contents.stopped, [Stopped::Items]);
    assert_eq!(contents.items.len(), mailward_core::limits::SCAN_ITEMS_MAX);
    assert!(named(&contents, "a.zip")[0].traits.iter().any(|t| matches!(t, Trait::NotOpened(_))));
}

/// Attacks E3: wrong extension (`.7z` that is a zip).
#[test]
fn e3_a_zip_is_opened_whatever_it_is_called() {
    for name in ["invoice.7z", "invoice.txt", "invoice"] {
        assert!(found(&attached(name, &zip(&[Zipped::deflated("a", INNER)]))), "{name}");
    }
}
