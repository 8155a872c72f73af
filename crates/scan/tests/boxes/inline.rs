//! Files within text.

use crate::build::{INNER, attached, base64, found, named, not_opened, opened, sha256};
use mailward_core::limits::SCAN_INLINE_MAX;
use mailward_scan::Wrapping;

fn uuencode(bytes: &[u8]) -> String {
    let sign = |value: u8| if value == 0 { '`' } else { char::from(value + b' ') };
    let mut text = "begin 644 it is.exe\r\n".to_owned();
    for line in bytes.chunks(45) {
        text.push(sign(line.len() as u8));
        for three in line.chunks(3) {
            let mut whole = three.to_vec();
            whole.resize(3, 0);
            let number = u32::from_be_bytes([0, whole[0], whole[1], whole[2]]);
            for place in [18, 12, 6, 0] {
                text.push(sign((number >> place & 63) as u8));
            }
        }
        text.push_str("\r\n");
    }
    text + "`\r\nend\r\n"
}

fn yenc(bytes: &[u8]) -> Vec<u8> {
    let mut text = format!("=ybegin line=128 size={} name=it is.exe\r\n", bytes.len()).into_bytes();
    for byte in bytes {
        match byte.wrapping_add(42) {
            critical @ (0 | b'\n' | b'\r' | b'=') => text.extend([b'=', critical.wrapping_add(64)]),
            plain => text.push(plain),
        }
    }
    text.extend(format!("\r\n=yend size={}\r\n", bytes.len()).bytes());
    text
}

fn binhex(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
    let mut file = b"\x06it.exe\0BINAdosx\0\0".to_vec();
    file.extend((bytes.len() as u32).to_be_bytes());
    file.extend([0; 6]);
    file.extend(bytes);
    file.extend([0; 4]);
    let mut text = "(This file must be converted with BinHex 4.0)\r\n:".to_owned();
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in file.iter().flat_map(|byte| if *byte == 0x90 { vec![0x90, 0] } else { vec![*byte] }) {
        buffer = buffer << 8 | u32::from(byte);
        bits += 8;
        while bits >= 6 {
            bits -= 6;
            text.push(char::from(SIGNS[(buffer >> bits & 63) as usize]));
        }
        if text.len().is_multiple_of(66) {
            text.push_str("\r\n");
        }
    }
    text.push(char::from(SIGNS[(buffer << (6 - bits) & 63) as usize]));
    text + ":\r\n"
}

/// Attacks E1.11.
#[test]
fn e1_11_files_in_text_are_found_however_they_are_encoded() {
    let base64 = format!("begin-base64 644 it is.exe\r\n{}\r\n====\r\n", base64(INNER));
    for (encoded, name) in [
        (uuencode(INNER).into_bytes(), "it is.exe"),
        (base64.into_bytes(), "it is.exe"),
        (yenc(INNER), "it is.exe"),
        (binhex(INNER).into_bytes(), "it.exe"),
    ] {
        let text = [b"Hello,\r\nsee below.\r\n\r\n".as_slice(), &encoded, b"\r\nRegards\r\n"].concat();
        let alone = [b"Subject: x\r\n\r\n".as_slice(), &text].concat();
        let html = [b"Content-Type: text/html\r\n\r\n<html><body>".as_slice(), &text].concat();
        for contents in [opened(&alone), opened(&html), attached("a.txt", &text)] {
            let [item] = named(&contents, name)[..] else { panic!("{contents:?}") };
            assert_eq!((item.hash, &item.wrapping), (sha256(INNER), &Wrapping::Inline), "{item:?}");
        }
    }
}

#[test]
fn more_files_in_one_text_than_are_looked_at_are_told() {
    let many: String = (0..SCAN_INLINE_MAX + 5).map(|n| uuencode(format!("file {n}").as_bytes())).collect();
    let contents = opened(format!("Subject: x\r\n\r\n{many}").as_bytes());
    assert_eq!(contents.items.len(), SCAN_INLINE_MAX + 1);
    assert!(not_opened(&contents));
}

#[test]
fn several_in_one_text_and_what_only_looks_like_one() {
    let two = uuencode(INNER) + "\r\n" + &uuencode(b"another one");
    let contents = opened(format!("Subject: x\r\n\r\n{two}").as_bytes());
    assert!(found(&contents) && contents.items.iter().any(|item| item.hash == sha256(b"another one")));
    for text in ["begin 644", "begin now, he said\r\nand so", "I begin 644 x\r\n", "begin 999 x\r\n#abc\r\n"] {
        assert_eq!(opened(format!("Subject: x\r\n\r\n{text}").as_bytes()).items.len(), 1, "{text}");
    }
}
