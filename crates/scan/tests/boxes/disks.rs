//! Disk images.

use crate::build::{INNER, attached, found, has, named, not_opened, sha256};
use mailward_core::limits::SCAN_DIRECTORIES_MAX;
use mailward_scan::{Kind, Trait};

const SECTOR: usize = 2_048;

/// A directory record; `system` stands behind its name.
fn record(name: &[u8], extent: u32, size: u32, flags: u8, system: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(extent.to_le_bytes());
    bytes.extend(extent.to_be_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(size.to_be_bytes());
    bytes.extend([0; 7]);
    bytes.extend([flags, 0, 0, 1, 0, 0, 1]);
    bytes.push(name.len() as u8);
    bytes.extend(name);
    if name.len().is_multiple_of(2) {
        bytes.push(0);
    }
    bytes.extend(system);
    bytes[0] = bytes.len() as u8;
    bytes
}

fn descriptor(kind: u8, id: &[u8], escapes: &[u8], root: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; SECTOR];
    bytes[0] = kind;
    bytes[1..6].copy_from_slice(id);
    bytes[88..88 + escapes.len()].copy_from_slice(escapes);
    bytes[156..156 + root.len()].copy_from_slice(root);
    bytes
}

fn sector(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = records.concat();
    bytes.resize(SECTOR, 0);
    bytes
}

fn utf16(name: &str) -> Vec<u8> {
    name.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Two trees, one with Rock Ridge's names, over the same file in a directory; and a file that only one of them has.
fn image(extra: Option<&[u8]>) -> Vec<u8> {
    let length = INNER.len() as u32;
    let mut bytes = vec![0; 16 * SECTOR];
    let root = |extent| record(&[0], extent, SECTOR as u32, 2, b"");
    bytes.extend(descriptor(1, b"CD001", b"", &root(20)));
    bytes.extend(descriptor(2, b"CD001", b"%/E", &root(22)));
    bytes.extend(match extra {
        Some(id) => descriptor(0, id, b"", &[]),
        None => descriptor(255, b"CD001", b"", &[]),
    });
    bytes.extend(descriptor(255, b"CD001", b"", &[]));
    let up = |extent| [root(extent), record(&[1], extent, SECTOR as u32, 2, b"")].concat();
    bytes.extend(sector(&[up(20), record(b"DIR", 21, SECTOR as u32, 2, b"")]));
    let rock = b"NM\x0e\x01\0long name";
    bytes.extend(sector(&[
        up(21),
        record(b"IT.EXE;1", 24, length, 0, rock),
        record(b"LINK.;1", 24, 0, 0, b"SL\x06\x01\0\0"),
    ]));
    bytes.extend(sector(&[up(22), record(&utf16("Täglich"), 23, SECTOR as u32, 2, b"")]));
    bytes.extend(sector(&[
        up(23),
        record(&utf16("It really is.exe"), 24, length, 0, b""),
        record(&utf16("only here"), 25, 4, 0, b""),
    ]));
    bytes.extend(sector(&[INNER.to_vec()]));
    bytes.extend(sector(&[b"only".to_vec()]));
    bytes
}

/// Attacks E3: ISO.
#[test]
fn e3_an_iso_is_opened_by_each_of_its_trees() {
    let contents = attached("a.iso", &image(None));
    assert!(contents.items.iter().any(|item| item.kind == Kind::Iso));
    let [item] = named(&contents, "Täglich/It really is.exe")[..] else { panic!("{contents:?}") };
    assert_eq!(item.hash, sha256(INNER));
    assert!(item.names.contains(&"DIR/IT.EXE".to_owned()) && item.names.contains(&"DIR/long name".to_owned()));
    assert_eq!(named(&contents, "Täglich/only here")[0].hash, sha256(b"only"));
    assert!(named(&contents, "DIR/LINK")[0].traits.contains(&Trait::Link));
    assert!(!not_opened(&contents), "{contents:?}");
}

/// Attacks E3: VHD, UDF.
#[test]
fn e3_images_that_are_not_opened_are_told() {
    let contents = attached("a.iso", &image(Some(b"NSR02")));
    assert!(found(&contents) && not_opened(&contents), "{contents:?}");
    let mut vhd = vec![0; 4_096];
    vhd.extend(b"conectix");
    vhd.resize(4_096 + 512, 0);
    assert!(not_opened(&attached("a.vhd", &vhd)));
    assert!(not_opened(&attached("a.vhdx", &[b"vhdxfile".as_slice(), &[0; 1_000]].concat())));
}

#[test]
fn archives_that_are_known_and_not_opened_are_told() {
    for beginning in
        [&b"\x6d\x04\0\x10\x12\x3a\0\x10\x19\x04\0\x10"[..], b"\x7a\x1a\x20\x10", b"xar!\0\x1c", b"7bytes-**ACE**"]
    {
        let contents = attached("a", &[beginning, &[0; 600]].concat());
        assert!(not_opened(&contents), "{contents:?}");
    }
}

#[test]
fn more_directories_than_are_looked_at_are_told() {
    let mut bytes = vec![0; 16 * SECTOR];
    let many = SCAN_DIRECTORIES_MAX as u32 + 10;
    let per_sector = 40;
    let sectors = many.div_ceil(per_sector);
    bytes.extend(descriptor(1, b"CD001", b"", &record(&[0], 18, sectors * SECTOR as u32, 2, b"")));
    bytes.extend(descriptor(255, b"CD001", b"", &[]));
    for first in 0..sectors {
        let records: Vec<_> = (first * per_sector..((first + 1) * per_sector).min(many))
            .map(|n| record(format!("D{n}").as_bytes(), 100 + n, 40, 2, b""))
            .collect();
        bytes.extend(sector(&records));
    }
    bytes.resize((110 + many as usize) * SECTOR, 0);
    let contents = attached("a.iso", &bytes);
    assert!(not_opened(&contents), "{contents:?}");

    // Directories that lie over each other, each as long as the whole image.
    let mut over = image(None);
    let length = over.len() as u32;
    let records: Vec<u8> = (0..20).flat_map(|n| record(format!("D{n}").as_bytes(), n, length, 2, b"")).collect();
    over[20 * SECTOR..20 * SECTOR + records.len()].copy_from_slice(&records);
    assert!(has(&attached("a.iso", &over), &Trait::Overlaps));
}

#[test]
fn a_directory_that_holds_itself_is_read_once() {
    let mut bytes = image(None);
    let at = 21 * SECTOR;
    let records = [record(b"SELF", 21, SECTOR as u32, 2, b""), record(b"IT.EXE;1", 24, 41, 0, b"")].concat();
    bytes[at..at + records.len()].copy_from_slice(&records);
    let contents = attached("a.iso", &bytes);
    assert!(contents.stopped.is_empty() && contents.items.len() < 20, "{contents:?}");
    assert!(!has(&contents, &Trait::Encrypted));
}
