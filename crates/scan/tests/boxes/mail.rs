//! Messages, and what is peculiar to them.

use crate::build::{INNER, Zipped, attached, base64, found, has, message, named, not_opened, opened, sha256, zip};
use mailward_scan::{Kind, Stopped, Trait, Wrapping};

fn numbers(contents: &mailward_scan::Contents) -> Vec<&str> {
    let numbers = contents.items.iter().map(|item| match &item.wrapping {
        Wrapping::Part(number) => number.as_str(),
        _ => "-",
    });
    numbers.collect()
}

#[test]
fn parts_have_the_numbers_that_imap_gives_them() {
    assert_eq!(numbers(&opened(b"Subject: x\r\n\r\nHello")), ["1"]);
    let contents = attached("it.exe", INNER);
    assert_eq!(numbers(&contents), ["1", "2"]);
    let item = named(&contents, "it.exe")[0];
    assert_eq!((item.declared.as_str(), item.hash, item.parent), ("application/octet-stream", sha256(INNER), None));

    let inner = String::from_utf8(message("it.exe", INNER)).unwrap();
    let outer = format!(
        "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\ntext\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--o--\r\n"
    );
    let contents = opened(outer.as_bytes());
    assert_eq!(numbers(&contents), ["1", "2", "2.1", "2.2"]);
    assert_eq!((contents.items[1].kind, contents.items[3].parent), (Kind::Mail, Some(1)));
    assert!(found(&contents));
}

/// Attacks E1.16.
#[test]
fn e1_16_messages_in_messages_are_opened_to_the_depth_and_then_told() {
    let nest = |depth: usize| {
        let mut bytes = String::from_utf8(message("it.exe", INNER)).unwrap();
        for _ in 0..depth {
            bytes = format!("Content-Type: message/rfc822\r\n\r\n{bytes}");
        }
        opened(bytes.as_bytes())
    };
    let contents = nest(7);
    assert!(found(&contents) && contents.stopped.is_empty(), "{contents:?}");
    for depth in [9, 50, 500] {
        let contents = nest(depth);
        assert!(contents.stopped.contains(&Stopped::Depth) && not_opened(&contents), "{depth}: {contents:?}");
    }
    // Encoded, as RFC 2046 forbids and programs do; as a file in an archive; without its type.
    let inner = message("it.exe", INNER);
    let encoded =
        format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", base64(&inner));
    assert!(found(&opened(encoded.as_bytes())));
    assert!(found(&attached("a.zip", &zip(&[Zipped::deflated("mail.eml", &inner)]))));
    assert!(found(&attached("mail.eml", &inner)));
}

/// Attacks E1.17.
#[test]
fn e1_17_ten_thousand_parts_end_at_a_limit_and_are_told() {
    let mut bytes = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    for n in 0..9_999 {
        bytes.extend(format!("--b\r\n\r\n{n}\r\n").bytes());
    }
    bytes.extend(b"--b\r\nContent-Type: message/rfc822\r\n\r\n");
    bytes.extend(message("it.exe", INNER));
    bytes.extend(b"--b--\r\n");
    let contents = opened(&bytes);
    // The structure ends at a limit of its own: what is behind is one part, whole, and is opened as what it is.
    assert!(contents.items.len() <= mailward_core::limits::SCAN_ITEMS_MAX);
    assert!(contents.items.len() >= mailward_core::limits::MIME_PARTS_MAX - 1);
}

#[test]
fn the_same_file_twice_is_looked_into_twice() {
    let archive = zip(&[Zipped::deflated("it.exe", INNER)]);
    let both = zip(&[Zipped::stored("one.zip", &archive), Zipped::stored("other.zip", &archive)]);
    let contents = attached("a.zip", &both);
    assert_eq!(named(&contents, "it.exe").len(), 2, "{contents:?}");
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, 0x82][..], &(content.len() as u16).to_be_bytes(), content].concat()
}

const SIGNED: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";

/// Attacks E1.15: S/MIME, opaque-signed.
#[test]
fn e1_15_what_is_signed_opaquely_is_opened() {
    let entity = format!(
        "Content-Type: application/octet-stream; name=it.exe\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        base64(INNER)
    );
    let signed = |content: Vec<u8>| {
        let info = der(0x30, &[DATA, &der(0xa0, &content)].concat());
        let data = der(0x30, &[&[2, 1, 1][..], &der(0x31, b""), &info, &der(0x31, b"")].concat());
        der(0x30, &[SIGNED, &der(0xa0, &data)].concat())
    };
    let (one, other) = entity.as_bytes().split_at(50);
    let whole = signed(der(4, entity.as_bytes()));
    let pieces = signed(der(0x24, &[der(4, one), der(4, other)].concat()));
    // As programs write it that don't know the length yet.
    let mut streamed =
        [b"\x30\x80", SIGNED, b"\xa0\x80\x30\x80\x02\x01\x01", &der(0x31, b""), b"\x30\x80", DATA].concat();
    streamed.extend(b"\xa0\x80\x24\x80");
    streamed.extend(der(4, one));
    streamed.extend(der(4, other));
    streamed.extend([0; 6]);
    streamed.extend(der(0x31, b""));
    streamed.extend([0; 6]);
    for bytes in [whole, pieces, streamed] {
        let contents = attached("smime.p7m", &bytes);
        let [item] = named(&contents, "it.exe")[..] else { panic!("{contents:?}") };
        assert_eq!(item.hash, sha256(INNER), "{item:?}");
    }
    let deep = (0..40).fold(der(4, entity.as_bytes()), |inner, _| der(0x24, &inner));
    assert!(not_opened(&attached("smime.p7m", &signed(deep))));
    let enveloped = der(0x30, &[&SIGNED[..10], &[3], &der(0xa0, b"")].concat());
    assert!(has(&attached("smime.p7m", &enveloped), &Trait::Encrypted));
}

/// Attacks E1.15: TNEF.
#[test]
fn e1_15_winmail_dat_is_opened_with_all_names() {
    let attribute = |level: u8, id: u16, kind: u16, content: &[u8]| {
        let mut bytes = vec![level];
        bytes.extend(id.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend((content.len() as u32).to_le_bytes());
        bytes.extend(content);
        bytes.extend([0; 2]);
        bytes
    };
    let long: Vec<u8> = "a long name.exe\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut properties = 1_u32.to_le_bytes().to_vec();
    properties.extend([0x1f, 0, 0x07, 0x37, 1, 0, 0, 0]);
    properties.extend((long.len() as u32).to_le_bytes());
    properties.extend(&long);
    properties.resize(properties.len().next_multiple_of(4), 0);
    let object = {
        let inner = message("inner.exe", b"MZ inner");
        let mut list = 1_u32.to_le_bytes().to_vec();
        list.extend([0x0d, 0, 0x01, 0x37, 1, 0, 0, 0]);
        list.extend((inner.len() as u32 + 16).to_le_bytes());
        list.extend([0; 16]);
        list.extend(inner);
        list
    };
    let tnef = [
        b"\x78\x9f\x3e\x22\x01\0".to_vec(),
        attribute(1, 0x9006, 8, &[0, 0, 1, 0]),
        attribute(2, 0x9002, 6, &[0; 14]),
        attribute(2, 0x8010, 1, b"ALONGN~1.EXE\0"),
        attribute(2, 0x800f, 6, INNER),
        attribute(2, 0x9005, 6, &properties),
        attribute(2, 0x9002, 6, &[0; 14]),
        attribute(2, 0x9005, 6, &object),
        b"\n".to_vec(),
    ]
    .concat();
    let contents = attached("winmail.dat", &tnef);
    let [item] = named(&contents, "a long name.exe")[..] else { panic!("{contents:?}") };
    assert_eq!((item.hash, item.names.len()), (sha256(INNER), 2));
    assert_eq!(named(&contents, "inner.exe")[0].hash, sha256(b"MZ inner"), "{contents:?}");
    assert!(named(&contents, "winmail.dat")[0].traits.is_empty(), "{contents:?}");
}

#[test]
fn apple_s_two_forks_are_opened() {
    let mut double = b"\0\x05\x16\x07\0\x02\0\0".to_vec();
    double.extend([0; 16]);
    double.extend([0, 3]);
    for (kind, offset, length) in [(3_u32, 62, 6), (2, 68, INNER.len() as u32), (1, 68, 5)] {
        double.extend(kind.to_be_bytes());
        double.extend(u32::to_be_bytes(offset));
        double.extend(length.to_be_bytes());
    }
    double.extend(b"it.exe");
    double.extend(INNER);
    let contents = attached("a", &double);
    assert_eq!(named(&contents, "it.exe").len(), 2, "{contents:?}");
    assert!(found(&contents));
}

#[test]
fn other_readings_of_a_message_are_opened_beside_its_parts() {
    // An encoding that nobody knows: text as it stands for some, decoded for others.
    let bytes = format!(
        "MIME-Version: 1.0\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: x-base64\r\n\r\n{}\r\n",
        base64(&zip(&[Zipped::deflated("it.exe", INNER)]))
    );
    for bytes in [bytes.clone(), format!("Content-Type: message/rfc822\r\n\r\n{bytes}")] {
        let contents = opened(bytes.as_bytes());
        let reading = contents.items.iter().find(|item| matches!(item.wrapping, Wrapping::Reading(_)));
        assert!(reading.is_some_and(|item| item.kind == Kind::Zip) && found(&contents), "{contents:?}");
    }
}
