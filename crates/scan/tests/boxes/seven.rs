//! 7z.

use crate::build::{INNER, attached, found, has, named, not_opened, sha256};
use mailward_core::limits::SCAN_CODERS_MAX;
use mailward_scan::Trait;
use std::io::Write;

/// An archive of one folder: its packed bytes, its coders, and files (name, length).
fn archive(packed: &[u8], folder: &[u8], folder_sizes: &[u8], files: &[(&str, u8)]) -> Vec<u8> {
    let mut header = vec![1, 4];
    header.extend(streams(packed.len() as u8, 0, folder, folder_sizes));
    header.pop();
    header.extend([8, 0x0d, files.len() as u8]);
    if files.len() > 1 {
        header.push(9);
        header.extend(files[1..].iter().map(|(_, length)| *length).take(0));
        header.extend(files[..files.len() - 1].iter().map(|(_, length)| *length));
    }
    header.extend([0, 0, 5, files.len() as u8]);
    let mut names = vec![0];
    for (name, _) in files {
        names.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        names.extend([0, 0]);
    }
    header.extend([0x11, names.len() as u8]);
    header.extend(names);
    header.extend([0, 0]);
    with_header(packed, &header)
}

pub(crate) fn streams(packed: u8, at: u8, folder: &[u8], folder_sizes: &[u8]) -> Vec<u8> {
    let mut bytes = vec![6, at, 1, 9, packed, 0, 7, 0x0b, 1, 0];
    bytes.extend(folder);
    bytes.push(0x0c);
    bytes.extend(folder_sizes);
    bytes.extend([0, 0]);
    bytes
}

pub(crate) fn with_header(packed: &[u8], header: &[u8]) -> Vec<u8> {
    let mut bytes = b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0".to_vec();
    bytes.extend((packed.len() as u64).to_le_bytes());
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(packed);
    bytes.extend(header);
    bytes
}

pub(crate) fn lzma2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = lzma_rust2::Lzma2Writer::new(Vec::new(), lzma_rust2::Lzma2Options::with_preset(1));
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

pub(crate) const LZMA2: [u8; 5] = [1, 0x21, 0x21, 1, 0x18];

#[test]
fn a_7z_is_opened_stored_packed_and_with_its_header_packed() {
    let length = INNER.len() as u8;
    let stored = archive(INNER, &[1, 1, 0], &[length], &[("it.exe", length)]);
    let packed = lzma2(INNER);
    let plain = archive(&packed, &LZMA2, &[length], &[("ünï/it.exe", length)]);
    for (bytes, name) in [(&stored, "it.exe"), (&plain, "ünï/it.exe")] {
        let contents = attached("a.7z", bytes);
        let [item] = named(&contents, name)[..] else { panic!("{contents:?}") };
        assert_eq!(item.hash, sha256(INNER), "{item:?}");
    }
    // The header once more packed, behind the files.
    let header = &plain[32 + packed.len()..];
    let packed_header = lzma2(header);
    let mut outer = vec![0x17];
    outer.extend(streams(packed_header.len() as u8, packed.len() as u8, &LZMA2, &[header.len() as u8]));
    let bytes = with_header(&[packed, packed_header].concat(), &outer);
    assert!(found(&attached("a.7z", &bytes)), "{:?}", attached("a.7z", &bytes));
}

#[test]
fn files_that_are_packed_together_are_told_apart() {
    let both = [b"before".as_slice(), INNER].concat();
    let files = [("before", 6), ("it.exe", INNER.len() as u8)];
    let contents = attached("a.7z", &archive(&lzma2(&both), &LZMA2, &[both.len() as u8], &files));
    assert_eq!(named(&contents, "before")[0].hash, sha256(b"before"), "{contents:?}");
    assert_eq!(named(&contents, "it.exe")[0].hash, sha256(INNER));
}

/// Attacks E3: encrypted.
#[test]
fn e3_an_encrypted_7z_is_told_with_names_or_without() {
    let aes = [1, 0x24, 6, 0xf1, 7, 1, 2, 0x13, 0];
    let contents = attached("a.7z", &archive(b"?????", &aes, &[5], &[("secret.exe", 5)]));
    assert!(named(&contents, "secret.exe")[0].traits.contains(&Trait::Encrypted), "{contents:?}");
    let mut outer = vec![0x17];
    outer.extend(streams(5, 0, &aes, &[5]));
    let contents = attached("a.7z", &with_header(b"?????", &outer));
    assert!(has(&contents, &Trait::Encrypted) && not_opened(&contents), "{contents:?}");
}

#[test]
fn a_7z_that_can_t_be_read_is_told() {
    let whole = archive(INNER, &[1, 1, 0], &[INNER.len() as u8], &[("it.exe", INNER.len() as u8)]);
    for length in 12..whole.len() {
        let contents = attached("a.7z", &whole[..length]);
        assert!(!found(&contents) && not_opened(&contents), "{length}: {contents:?}");
    }
    // More coders behind each other than anybody writes.
    let chained = |coders: u8| {
        let mut chain = vec![coders];
        chain.extend([1, 0].repeat(usize::from(coders)));
        chain.extend((0..coders - 1).flat_map(|n| [n, n + 1]));
        let sizes = vec![INNER.len() as u8; usize::from(coders)];
        attached("a.7z", &archive(INNER, &chain, &sizes, &[("it.exe", INNER.len() as u8)]))
    };
    assert!(found(&chained(SCAN_CODERS_MAX as u8)));
    assert!(not_opened(&chained(SCAN_CODERS_MAX as u8 + 1)));
    // A method that nobody knows; and a window that nobody has, which a small file doesn't need.
    let unknown = archive(INNER, &[1, 1, 0x77], &[INNER.len() as u8], &[("it.exe", INNER.len() as u8)]);
    assert!(not_opened(&attached("a.7z", &unknown)));
    let wide = archive(&lzma2(INNER), &[1, 0x21, 0x21, 1, 40], &[INNER.len() as u8], &[("it.exe", INNER.len() as u8)]);
    assert!(found(&attached("a.7z", &wide)));
}
