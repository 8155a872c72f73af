//! Attacks E3: what nobody opens doesn't get through by default, whatever lies in it. Each container here is one that virus scanners
//! may or may not open; that they found nothing is no reason to deliver it.

use super::*;
use mailward_scan::{Budget, open};
use std::time::Duration;

/// A file that is attached, with its name.
fn attached(name: &str, bytes: &[u8]) -> Contents {
    let mut message = format!(
        "From: a@a.example\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n"
    )
    .into_bytes();
    message.extend_from_slice(bytes);
    let none = || Duration::ZERO;
    open(&message, Budget::within_limits(&none))
}

/// What becomes of it, and by which rules.
fn decided(name: &str, bytes: &[u8]) -> (Action, Vec<String>) {
    let contents = attached(name, bytes);
    let verdict = Verdict { findings: with_defaults(&[]).judge(&plain(), &contents, &[]) };
    let rules = verdict.findings.iter().map(|finding| finding.rule.clone()).collect();
    (verdict.action_for(0), rules)
}

/// Something whose beginning says what it is, and whose rest nobody reads.
fn beginning(at: usize, sign: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xa5; at];
    bytes.extend_from_slice(sign);
    bytes.extend(std::iter::repeat_n(0x5a, 4_096));
    bytes
}

fn ending(sign: &[u8], length: usize) -> Vec<u8> {
    let mut end = sign.to_vec();
    end.resize(length, 0);
    [beginning(3_000, b""), end].concat()
}

/// A RAR 5 with one file that is packed, or with all of its headers encrypted.
fn rar5(hidden: bool) -> Vec<u8> {
    let mut bytes = b"Rar!\x1a\x07\x01\0".to_vec();
    let blocks: [&[u8]; 3] = [
        if hidden { &[4, 0, 0, 0, 15] } else { &[1, 0, 0] },
        &[2, 2, 6, 0, 6, 0x20, 0x80, 3, 1, 6, b'i', b't', b'.', b'e', b'x', b'e'],
        &[5, 0, 0],
    ];
    for block in blocks {
        bytes.extend([0; 4]);
        bytes.push(u8::try_from(block.len()).unwrap());
        bytes.extend(block);
        if block[0] == 2 {
            bytes.extend(b"packed");
        }
    }
    bytes
}

/// A ZIP with one entry of a method.
fn zip(method: u8, flags: u8) -> Vec<u8> {
    let content = b"MZ it is packed by a method that nobody knows";
    let length = u8::try_from(content.len()).unwrap();
    let sizes = [0, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, length, 0, 0, 0, 6, 0, 0, 0];
    let head = [&[20, 0, flags, 0, method, 0][..], &sizes].concat();
    let local = [b"PK\x03\x04", &head[..], b"it.exe", content].concat();
    let central = [b"PK\x01\x02\x14\0", &head[..], &[0; 14], b"it.exe"].concat();
    let at = u8::try_from(local.len()).unwrap();
    let size = u8::try_from(central.len()).unwrap();
    [&local[..], &central, b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &[size, 0, 0, 0, at, 0, 0, 0, 0, 0]].concat()
}

/// An ARJ with one entry of a method.
fn arj(method: u8) -> Vec<u8> {
    let header = |method: u8, kind: u8, name: &[u8], packed: u8| {
        let mut first = vec![30, 11, 1, 0, 0, method, kind, 0, 0, 0, 0, 0, packed, 0, 0, 0, packed, 0, 0, 0];
        first.resize(30, 0);
        first.extend(name);
        first.extend([0, 0]);
        let length = u8::try_from(first.len()).unwrap();
        [&[0x60, 0xea, length, 0][..], &first, &[0; 4], &[0, 0]].concat()
    };
    let end = [0x60, 0xea, 0, 0];
    [header(0, 2, b"a.arj", 0), header(method, 0, b"it.exe", 6), b"packed".to_vec(), end.to_vec()].concat()
}

#[test]
fn e3_a_container_that_nobody_opens_is_kept_back_whatever_it_is_called() {
    let mut disk = vec![0; 16 * 2_048];
    for sign in [b"\0BEA01", b"\0NSR03", b"\0TEA01"] {
        disk.extend(sign);
        disk.resize(disk.len().next_multiple_of(2_048), 0);
    }
    let mut hfs = vec![0; 2_048];
    hfs[1_024..1_026].copy_from_slice(b"BD");
    hfs[1_044..1_048].copy_from_slice(&[0, 0, 2, 0]);
    hfs[1_060] = 4;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("RAR 5, packed", rar5(false)),
        ("RAR 5, its names encrypted", rar5(true)),
        ("ZIP, by a method from before 1993 that isn't right", zip(6, 0)),
        ("ZIP, tokenized", zip(7, 0)),
        ("ZIP, imploded by the library of PKWARE", zip(10, 0)),
        ("ZIP, by LZ77 of IBM", zip(19, 0)),
        ("ZIP, a JPEG", zip(96, 0)),
        ("ZIP, a sound", zip(97, 0)),
        ("ZIP, encrypted", zip(8, 1)),
        ("ARJ, method 4", arj(4)),
        ("UDF", disk),
        ("ACE", beginning(7, b"**ACE**")),
        ("compiled help", beginning(0, b"ITSF\x03\0")),
        ("VHD", ending(b"conectix", 512)),
        ("VHD, of fixed length by old programs", ending(b"conectix", 511)),
        ("VHDX", beginning(0, b"vhdxfile")),
        ("VMDK", beginning(0, b"KDMV")),
        ("VDI", beginning(0x40, b"\x7f\x10\xda\xbe")),
        ("DMG", ending(b"koly", 512)),
        ("DMG, sparse", beginning(0, b"sprs\0")),
        ("DMG, encrypted", beginning(0, b"encrcdsa")),
        ("WIM", beginning(0, b"MSWIM\0\0\0")),
        ("Nero's", ending(b"NER5\0\0\0\0\0\0\x08\0", 12)),
        ("HFS", hfs),
        ("SquashFS", beginning(0, b"hsqs")),
        ("CramFS", beginning(0, b"\x45\x3d\xcd\x28")),
        ("XAR", beginning(0, b"xar!\0\x1c")),
        ("LZ4", beginning(0, b"\x04\x22\x4d\x18")),
        ("LZ4, old", beginning(0, b"\x02\x21\x4c\x18")),
        ("lzop", beginning(0, b"\x89LZO\0\r\n\x1a\n")),
        ("lzip", beginning(0, b"LZIP\x01")),
        ("Snappy", beginning(0, b"\xff\x06\0\0sNaPpY")),
        ("StuffIt", beginning(0, b"SIT!\0")),
        ("StuffIt X", beginning(0, b"StuffIt!")),
        ("ZOO", beginning(20, b"\xdc\xa7\xc4\xfd")),
        ("ARC", beginning(0, b"\x1a\x08IT.EXE\0\0\0\0\0\0\0\x40\0\0\0")),
        ("EGG", beginning(0, b"EGGA\0")),
        ("ALZ", beginning(0, b"ALZ\x01")),
        ("zpaq", beginning(0, b"7kSt")),
        ("pack200", beginning(0, b"\xca\xfe\xd0\x0d")),
        ("LHA, by a method that isn't known", beginning(0, b"\x19\0-lh1-\x05\0\0\0\x05\0\0\0\0\0\0\0\x20\0\x01a\0\0")),
    ];
    for (what, bytes) in &cases {
        for name in ["invoice.dat", "invoice", "photo.jpg"] {
            let (action, rules) = decided(name, bytes);
            assert!(action >= Action::Quarantine, "{what} as {name}: {action:?} by {rules:?}");
        }
        // Behind a picture, as programs find it that look for an archive anywhere.
        if what.starts_with("RAR") || what.starts_with("ZIP") {
            let picture = [b"GIF89a\x01\0\x01\0\0\0\0;".as_slice(), bytes].concat();
            let (action, rules) = decided("photo.gif", &picture);
            assert!(action >= Action::Quarantine, "{what} behind a picture: {action:?} by {rules:?}");
        }
    }
}

#[test]
fn what_is_called_a_container_and_is_none_that_is_known_is_kept_back() {
    let noise: Vec<u8> = (7..4_096_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    assert_eq!(mailward_scan::kind::of(&noise), Kind::Data);
    for name in ["a.ace", "a.arc", "a.uha.br", "A.ISO", "a.img", "a.vhdx ", "a.zpaq", "a.rar", "a.7z"] {
        let (action, rules) = decided(name, &noise);
        assert_eq!((action, rules), (Action::Quarantine, vec!["unknown-container".to_owned()]), "{name}");
    }
    // What claims nothing and what is text stay what they are.
    assert_eq!(decided("a.bin", &noise).0, Action::Deliver);
    assert_eq!(decided("list.zip", b"just some words\r\n").0, Action::Deliver);
}

/// As docs/kinds.md recommends it.
#[test]
fn an_exception_for_packed_rar_lets_no_program_through() {
    let book = with_defaults(&["within=rar has=not-opened ext=pdf,docx deliver"]);
    let judged = |name: &str| {
        let packed = with(file(name, Kind::Data), &[Trait::NotOpened("packed".to_owned())]);
        action(&book, &plain(), vec![file("a.rar", Kind::Rar), within(0, packed)])
    };
    assert_eq!(judged("plan.pdf"), Action::Deliver);
    assert_eq!(judged("plan.exe"), Action::Quarantine);
    assert_eq!(judged("plan.pdf.exe"), Action::Quarantine);
    assert_eq!(judged("plan"), Action::Quarantine);
}
