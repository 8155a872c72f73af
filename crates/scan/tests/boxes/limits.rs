//! Each limit of opening, passed: what is within it is found, what is beyond is told.

use crate::build::{INNER, Zipped, attached, found, gzip, has, message, named, not_opened, zip};
use crate::packed::rar5;
use crate::seven::{LZMA2, lzma2, streams, with_header};
use mailward_core::limits::{
    KIND_OTHERS_LOOKED, KIND_TEXT_LOOKED, SCAN_7Z_HEADER_MAX, SCAN_BYTES_MAX, SCAN_CHUNK, SCAN_DEPTH_MAX,
    SCAN_DER_DEPTH_MAX, SCAN_FILE_MAX, SCAN_HELD_MAX, SCAN_ITEMS_MAX, SCAN_RATIO_FREE, SCAN_RATIO_MAX,
    SCAN_STUB_ARCHIVES_MAX, SCAN_STUB_MAX, SCAN_TIME, SCAN_WINDOW_MAX, SCAN_ZIP_END_MAX,
};
use mailward_scan::{Budget, Kind, Stopped, Trait, kind, open};
use std::cell::Cell;
use std::time::Duration;

/// A cabinet with the file stored.
fn cabinet() -> Vec<u8> {
    let name = b"it.exe\0";
    let files = 44_u32;
    let data = files + 16 + name.len() as u32;
    let length = INNER.len() as u32;
    let mut bytes = b"MSCF\0\0\0\0".to_vec();
    for number in [data + 8 + length, 0, files, 0] {
        bytes.extend(number.to_le_bytes());
    }
    // Version, one folder, one file, no flags, a set, its number.
    bytes.extend([3, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    bytes.extend(data.to_le_bytes());
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(length.to_le_bytes());
    bytes.extend([0; 12]);
    bytes.extend(name);
    bytes.extend([0; 4]);
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(INNER);
    bytes
}

/// A 7z with the file stored, whose packed header has so many bytes that say nothing.
fn seven(dummy: usize) -> Vec<u8> {
    let length = INNER.len() as u8;
    let mut header = vec![1, 4];
    header.extend(streams(length, 0, &[1, 1, 0], &[length]));
    header.pop();
    header.extend([8, 0, 0, 5, 1]);
    let number = |n: usize| [&[0xf0][..], &(n as u32).to_le_bytes()].concat();
    header.push(0x19);
    header.extend(number(dummy));
    header.extend(vec![0; dummy]);
    let name: Vec<u8> = "it.exe\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    header.extend([0x11, name.len() as u8 + 1, 0]);
    header.extend(name);
    header.extend([0, 0]);
    let packed = lzma2(&header);
    let mut outer = vec![0x17, 6, length, 1, 9];
    outer.extend(number(packed.len()));
    outer.extend([0, 7, 0x0b, 1, 0]);
    outer.extend(LZMA2);
    outer.push(0x0c);
    outer.extend(number(header.len()));
    outer.extend([0, 0]);
    with_header(&[INNER, &packed].concat(), &outer)
}

#[test]
fn a_look_begins_with_what_the_limits_give() {
    let none = || Duration::ZERO;
    let budget = Budget::within_limits(&none);
    assert_eq!((budget.depth, budget.items, budget.bytes), (SCAN_DEPTH_MAX, SCAN_ITEMS_MAX, SCAN_BYTES_MAX));
    assert_eq!((budget.file, budget.held, budget.time), (SCAN_FILE_MAX, SCAN_HELD_MAX, SCAN_TIME));
    assert_eq!((budget.ratio, budget.ratio_free), (SCAN_RATIO_MAX, SCAN_RATIO_FREE));
}

#[test]
fn a_bomb_ends_at_its_growth_and_what_is_smaller_does_not() {
    let bomb = |length: u64| gzip(&vec![0; length as usize]);
    let contents = attached("a.gz", &bomb(SCAN_RATIO_FREE));
    assert!(contents.stopped.is_empty() && !not_opened(&contents), "{contents:?}");
    let packed = bomb(4 * SCAN_RATIO_FREE - 1);
    assert!((packed.len() as u64) * SCAN_RATIO_MAX < 3 * SCAN_RATIO_FREE, "it grows by more");
    let contents = attached("a.gz", &packed);
    assert_eq!(contents.stopped, [Stopped::Ratio]);
    assert!(not_opened(&contents));
}

#[test]
fn a_file_that_is_longer_than_is_looked_at_is_told() {
    let none = || Duration::ZERO;
    let mut budget = Budget::within_limits(&none);
    budget.ratio = u64::MAX;
    for (length, whole) in [(SCAN_FILE_MAX, true), (SCAN_FILE_MAX + 1, false)] {
        let contents = open(&message("a.gz", &gzip(&vec![0; length])), budget);
        assert_eq!(not_opened(&contents), !whole, "{length}: {contents:?}");
        let item = contents.items.last().unwrap();
        assert_eq!(item.hash == [0; 32], !whole);
    }
}

#[test]
fn time_is_asked_for_after_each_piece() {
    let asked = Cell::new(0_usize);
    let clock = || {
        asked.set(asked.get() + 1);
        Duration::ZERO
    };
    let mut budget = Budget::within_limits(&clock);
    budget.ratio = u64::MAX;
    let length = 64 * SCAN_CHUNK;
    let contents = open(&message("a.gz", &gzip(&vec![7; length])), budget);
    assert!(contents.stopped.is_empty());
    let pieces = length / SCAN_CHUNK;
    assert!((pieces..4 * pieces).contains(&asked.get()), "asked {} times for {pieces} pieces", asked.get());
}

#[test]
fn a_program_is_searched_for_archives_to_a_certain_place() {
    let archive = seven(0);
    let sign = 7;
    let with = |at: usize| {
        let mut program = b"MZ\x90\0".to_vec();
        program.resize(at, 1);
        program.extend(&archive);
        program.resize(program.len() + 3 * KIND_OTHERS_LOOKED, 1);
        attached("a.exe", &program)
    };
    assert!(found(&with(SCAN_STUB_MAX - sign)), "the last place at which it is found");
    let beyond = with(SCAN_STUB_MAX);
    // It stays a program, which rules keep back whatever it brings along.
    assert!(!found(&beyond) && beyond.items.iter().any(|item| item.kind == Kind::Dos), "{beyond:?}");
}

#[test]
fn a_program_that_brings_one_archive_of_each_kind_has_all_of_them_opened() {
    let zip = zip(&[Zipped::deflated("it.exe", INNER)]);
    let program = [b"MZ\x90\0".to_vec(), seven(0), rar5(&[("it.exe", &[0], INNER)]), cabinet(), zip].concat();
    let contents = attached("a.exe", &program);
    assert_eq!(named(&contents, "it.exe").len(), SCAN_STUB_ARCHIVES_MAX, "{contents:?}");
    for kind in [Kind::Zip, Kind::SevenZip, Kind::Rar, Kind::Cab] {
        assert!(has(&contents, &Trait::Also(kind)), "{kind:?}");
    }
    // More than there may be: a disk image as well. What isn't opened is told by what it is.
    let mut disk = program;
    disk.resize(disk.len().max(32_769), 1);
    assert!(named(&attached("a.exe", &disk), "it.exe").len() <= SCAN_STUB_ARCHIVES_MAX);
}

#[test]
fn the_header_of_a_7z_is_read_to_its_limit() {
    let contents = attached("a.7z", &seven(SCAN_7Z_HEADER_MAX - 1_000));
    assert!(found(&contents), "{contents:?}");
    let contents = attached("a.7z", &seven(SCAN_7Z_HEADER_MAX + 1));
    assert!(!found(&contents) && not_opened(&contents), "{contents:?}");
}

#[test]
fn a_window_that_nobody_has_is_told() {
    // A frame of Zstandard: a window of 2^(10 + exponent), and one block as it stands.
    let frame = |window: u32| {
        let exponent = (window.ilog2() - 10) as u8;
        let block = ((INNER.len() as u32) << 3 | 1).to_le_bytes();
        [b"\x28\xb5\x2f\xfd\0", &[exponent << 3][..], &block[..3], INNER].concat()
    };
    assert!(found(&attached("a.zst", &frame(SCAN_WINDOW_MAX))));
    let contents = attached("a.zst", &frame(2 * SCAN_WINDOW_MAX));
    assert!(!found(&contents) && contents.items.iter().any(|item| item.size == 0 || !item.traits.is_empty()));
    assert!(
        contents
            .items
            .iter()
            .any(|item| { item.traits.iter().any(|found| matches!(found, Trait::NotOpened(_) | Trait::Damaged(_))) }),
        "{contents:?}"
    );
}

#[test]
fn a_zip_s_end_is_looked_for_behind_the_longest_comment_and_no_further() {
    let with = |comment: usize| {
        let mut bytes = zip(&[Zipped::deflated("a", INNER)]);
        let at = bytes.len() - 2;
        bytes[at..].fill(0xff);
        bytes.extend(vec![b' '; comment]);
        attached("a.zip", &bytes)
    };
    let longest = with(SCAN_ZIP_END_MAX - 22);
    assert!(found(&longest) && !has(&longest, &Trait::Damaged("it has no directory".to_owned())));
    let longer = with(SCAN_ZIP_END_MAX - 21);
    assert!(found(&longer) && has(&longer, &Trait::Damaged("it has no directory".to_owned())));
}

#[test]
fn what_is_signed_in_pieces_of_pieces_is_followed_to_a_depth() {
    // ContentInfo, signedData, its content; lengths in four bytes.
    let tlv = |tag: u8, content: &[u8]| [&[tag, 0x84][..], &(content.len() as u32).to_be_bytes(), content].concat();
    let signed = |depth: usize| {
        let text = [b"Content-Type: application/octet-stream\r\n\r\n", INNER].concat();
        let octets = (0..depth).fold(tlv(4, &text), |inner, _| tlv(0x24, &inner));
        let data = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
        let inner = tlv(0x30, &[&data[..], &tlv(0xa0, &octets)].concat());
        let signed = tlv(0x30, &[&[2, 1, 1][..], &tlv(0x31, b""), &inner].concat());
        tlv(0x30, &[&b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"[..], &tlv(0xa0, &signed)].concat())
    };
    assert!(found(&attached("smime.p7m", &signed(SCAN_DER_DEPTH_MAX - 1))));
    let contents = attached("smime.p7m", &signed(SCAN_DER_DEPTH_MAX));
    assert!(!found(&contents) && not_opened(&contents), "{contents:?}");
}

#[test]
fn text_is_read_to_a_certain_place_to_tell_what_it_is() {
    let script = "Set shell = CreateObject(\"WScript.Shell\")\r\nshell.Run \"calc.exe\"\r\n";
    let remark = "' a remark of some length, one of many in a row\r\n";
    let behind = |bytes: usize| {
        let remarks = remark.repeat(bytes / remark.len());
        kind::of(format!("On Error Resume Next\r\n{remarks}{script}").as_bytes())
    };
    assert_eq!(behind(KIND_TEXT_LOOKED / 2), Kind::VbScript);
    assert_eq!(behind(2 * KIND_TEXT_LOOKED), Kind::PlainText);
}

#[test]
fn another_format_is_looked_for_within_a_file_s_beginning() {
    let rar = rar5(&[("it.exe", &[0], INNER)]);
    let behind = |at: usize| {
        let mut picture = b"GIF89a\x01\0\x01\0\0\0\0;".to_vec();
        picture.resize(at, 0);
        picture.extend(&rar);
        attached("a.gif", &picture)
    };
    assert!(found(&behind(KIND_OTHERS_LOOKED - 6)));
    assert!(!found(&behind(KIND_OTHERS_LOOKED)));
}
