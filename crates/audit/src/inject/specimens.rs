//! Messages that are wrong, made when they are sent: none of them stands in the program or in its source, so that no scanner finds
//! it there.

use super::Specimen;
use super::pack::{Entry, base64, overlapping, quoted, tnef, zip};
use std::hint::black_box;

/// A text whose every byte is one more than it should be.
fn shifted(text: &[u8]) -> Vec<u8> {
    // Without that a compiler may work it out, and write it into the program.
    black_box(text).iter().map(|byte| byte.wrapping_sub(1)).collect()
}

/// The file that every virus scanner finds and that does nothing (EICAR, 2003).
pub(crate) fn eicar() -> Vec<u8> {
    shifted(b"Y6P\"Q&ABQ\\5]Q[Y65)Q_*8DD*8~%FJDBS.TUBOEBSE.BOUJWJSVT.UFTU.GJMF\"%I,I+")
}

/// The text that every spam filter finds.
fn gtube() -> Vec<u8> {
    shifted(b"YKT+D5KECRBEO2/OTCO4+3JEOFO+HUVCF.TUBOEBSE.BOUJ.VCF.UFTU.FNBJM+D/45Y")
}

const NOTHING: &[u8] = b"This is a trial by the server's own audit. Nothing has to be done about it.\r\n";

/// A message with a text and one file: the file's fields, and it as it is sent.
fn with_file(fields: &str, encoded: &str) -> Vec<u8> {
    format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"audit-part\"\r\n\r\n--audit-part\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\nThis is a trial by the server's own audit.\r\n--audit-part\r\n\
         {fields}\r\n\r\n{encoded}\r\n--audit-part--\r\n"
    )
    .into_bytes()
}

fn in_base64(media_type: &str, name: &str, bytes: &[u8]) -> Vec<u8> {
    let fields = format!(
        "Content-Type: {media_type}\r\nContent-Disposition: attachment; {name}\r\nContent-Transfer-Encoding: base64"
    );
    with_file(&fields, &base64(bytes))
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A message of plain text.
pub(crate) fn plain() -> Specimen {
    let mut content = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n".to_vec();
    content.extend_from_slice(NOTHING);
    Specimen { name: "a harmless text", content }
}

/// One with a file that is nothing but text.
pub(crate) fn harmless() -> Specimen {
    Specimen { name: "a harmless file", content: in_base64("text/plain", "filename=\"notes.txt\"", NOTHING) }
}

/// The same with a name of any kind (RFC 2231 §4).
pub(crate) fn named(name: &str) -> Vec<u8> {
    let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    in_base64("text/plain", &format!("filename*=UTF-8''{encoded}"), NOTHING)
}

/// The test virus, wrapped in nine ways, in files whose names say nothing: what stops it is who knows it.
pub(crate) fn viruses() -> Vec<Specimen> {
    let virus = eicar();
    let text = "Content-Type: text/plain; charset=us-ascii";
    let one = zip(&[Entry::stored("notes.txt", &virus)]);
    let two = zip(&[Entry::stored("notes.zip", &one)]);
    let inner = as_text(&with_file(&format!("{text}; name=\"notes.txt\""), &as_text(&virus)));
    let forwarded =
        with_file("Content-Type: message/rfc822", &format!("From: a@b.invalid\r\nSubject: notes\r\n{inner}"));
    let of = |name, content| Specimen { name, content };
    vec![
        of("plain", with_file(&format!("{text}; name=\"notes.txt\""), &as_text(&virus))),
        of("base64", in_base64("text/plain", "filename=\"notes.txt\"", &virus)),
        of(
            "quoted-printable",
            with_file(
                &format!("{text}; name=\"notes.txt\"\r\nContent-Transfer-Encoding: quoted-printable"),
                &quoted(&virus),
            ),
        ),
        of("zip", in_base64("application/zip", "filename=\"notes.zip\"", &one)),
        of("zip in zip", in_base64("application/zip", "filename=\"notes.zip\"", &two)),
        of("forwarded message", forwarded),
        of("TNEF", in_base64("application/ms-tnef", "filename=\"winmail.dat\"", &tnef("notes.txt", &virus))),
        of("encoded file name", in_base64("text/plain", "filename=\"=?UTF-8?B?w6TDtsO8LnR4dA==?=\"", &virus)),
        of("RFC 2231 file name", in_base64("text/plain", "filename*0*=UTF-8''n%C3%B6; filename*1*=tes.txt", &virus)),
    ]
}

/// The test virus where two readers of one message see two things.
pub(crate) fn ambiguous() -> Vec<Specimen> {
    let virus = eicar();
    let encoded = base64(&virus);
    let of = |name, content: String| Specimen { name, content: content.into_bytes() };
    let mixed = |kind: &str, body: &str| format!("MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n{body}");
    let file = "Content-Type: text/plain; name=\"notes.txt\"\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let part = format!("--one\r\nContent-Type: text/plain\r\n\r\nhello\r\n--one\r\n{file}{encoded}\r\n--one--\r\n");
    vec![
        of("two boundaries", mixed("multipart/mixed; boundary=two; boundary=one", &part)),
        of("two types", mixed("text/plain\r\nContent-Type: multipart/mixed; boundary=one", &part)),
        of(
            "two encodings",
            with_text(
                "Content-Type: text/plain; name=\"notes.txt\"\r\nContent-Transfer-Encoding: 7bit\r\n\
                 Content-Transfer-Encoding: base64",
                &encoded,
            ),
        ),
        of(
            "an encoding with a comment",
            with_text(
                "Content-Type: text/plain; name=\"notes.txt\"\r\nContent-Transfer-Encoding: (7bit) base64",
                &encoded,
            ),
        ),
        of(
            "padding in the middle",
            with_text(
                "Content-Type: text/plain; name=\"notes.txt\"\r\nContent-Transfer-Encoding: base64",
                &in_pieces(&virus),
            ),
        ),
        of(
            "other signs among base64",
            with_text(
                "Content-Type: text/plain; name=\"notes.txt\"\r\nContent-Transfer-Encoding: base64",
                &encoded.chars().flat_map(|c| [c, '!']).collect::<String>(),
            ),
        ),
        of(
            "a file after the end",
            mixed(
                "multipart/mixed; boundary=one",
                &format!("--one\r\n\r\nhello\r\n--one--\r\n\r\n--one\r\n{file}{encoded}\r\n--one--\r\n"),
            ),
        ),
        of(
            "a file before the beginning",
            mixed(
                "multipart/mixed; boundary=one",
                &format!("{file}{encoded}\r\n--one\r\n\r\nhello\r\n--one--\r\n{part}"),
            ),
        ),
    ]
}

fn with_text(fields: &str, body: &str) -> String {
    as_text(&with_file(fields, body))
}

/// Base64 that is padded after every two bytes.
fn in_pieces(bytes: &[u8]) -> String {
    let pieces: Vec<String> = bytes.chunks(2).map(|piece| base64(piece).trim_end().to_owned()).collect();
    pieces.join("")
}

/// Little mail that becomes much when it is opened.
pub(crate) fn bombs() -> Vec<Specimen> {
    const ZEROES: usize = 32 << 20;
    let big = Entry::packed("zeroes.txt", &vec![0; ZEROES]);
    let of =
        |name, bytes: &[u8]| Specimen { name, content: in_base64("application/zip", "filename=\"notes.zip\"", bytes) };
    let mut nested = zip(&[Entry::stored("notes.txt", NOTHING)]);
    for _ in 0..24 {
        nested = zip(&[Entry::packed("notes.zip", &nested)]);
    }
    let flat = Entry::stored("notes.zip", &zip(std::slice::from_ref(&big)));
    vec![
        of("32 MiB of nothing, 64 times", &zip(&vec![big.clone(); 64])),
        of("a zip in 24 zips", &nested),
        of("a file of 32 MiB that is named 1,000 times", &overlapping(&big, 1_000)),
        of("65,535 files", &overlapping(&Entry::stored("n", b"n"), u16::MAX)),
        of("64 zips in a zip, each of 32 MiB", &zip(&vec![flat; 64])),
    ]
}

/// An archive that needs a password.
pub(crate) fn locked() -> Vec<Specimen> {
    let bytes = zip(&[Entry::locked("notes.txt", &[0x5a; 64])]);
    let inside = zip(&[Entry::stored("inner.zip", &bytes)]);
    vec![
        held_back(),
        Specimen {
            name: "one in another zip",
            content: in_base64("application/zip", "filename=\"notes.zip\"", &inside),
        },
    ]
}

/// What is held back by rules that come with a server.
pub(crate) fn held_back() -> Specimen {
    let bytes = zip(&[Entry::locked("notes.txt", &[0x5a; 64])]);
    Specimen { name: "a zip with a password", content: in_base64("application/zip", "filename=\"notes.zip\"", &bytes) }
}

/// Files of dangerous kinds under names and types that say something else. None of them does anything.
pub(crate) fn dangerous() -> Vec<Specimen> {
    let of = |name, bytes: &[u8]| Specimen {
        name,
        content: in_base64("application/octet-stream", "filename=\"notes.dat\"", bytes),
    };
    let padded = |head: &[u8], to: usize| {
        let mut bytes = head.to_vec();
        bytes.resize(to.max(head.len()), 0);
        bytes
    };
    // MZ, the header of a PE at 64.
    let mut program = padded(b"MZ", 60);
    program.extend_from_slice(&64_u32.to_le_bytes());
    program.extend_from_slice(b"PE\0\0\x64\x86\x01\0");
    let program = padded(&program, 1_024);
    let link = padded(b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", 256);
    let mut image = vec![0; 0x8000];
    image.extend_from_slice(b"\x01CD001\x01\0");
    let image = padded(&image, 0x9000);
    let mut disk = vec![0; 1_024];
    disk.extend_from_slice(b"conectix\0\0\0\x02\0\x01\0\0");
    let disk = padded(&disk, 1_536);
    let note = padded(b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", 1_024);
    let page = b"<html><head><HTA:APPLICATION id=\"a\"/></head><script language=\"VBScript\">x = 1</script></html>";
    let job = b"<?xml version=\"1.0\"?><job id=\"a\"><script language=\"JScript\">WScript.Echo(1);</script></job>";
    let called = |name, file: &str, bytes: &[u8]| Specimen {
        name,
        content: in_base64("application/octet-stream", &format!("filename=\"{file}\""), bytes),
    };
    vec![
        of("a program for Windows", &program),
        of("a shortcut", &link),
        of("the image of a disc", &image),
        of("a disk of a virtual machine", &disk),
        of("a notebook of OneNote", &note),
        of("an HTML application", page),
        of("a script host's job", job),
        called("a script", "notes.js", b"var shell = new ActiveXObject(\"WScript.Shell\");\r\n"),
        called("a program in a zip", "notes.zip", &zip(&[Entry::stored("notes.txt", &program)])),
    ]
}

/// The test text of spam filters.
pub(crate) fn spam() -> Specimen {
    let mut content = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n".to_vec();
    content.extend_from_slice(&gtube());
    content.extend_from_slice(b"\r\n");
    Specimen { name: "GTUBE", content }
}

/// Far more recipients than anybody writes to, a field each.
pub(crate) fn many_to() -> Specimen {
    let mut content = b"To: a@b.invalid\r\n".repeat(100_000);
    content.extend_from_slice(&plain().content);
    Specimen { name: "100,000 To fields", content }
}

/// One parameter in 20,000 pieces (RFC 2231 §3).
pub(crate) fn many_parameters() -> Specimen {
    let pieces: String = (0..20_000).map(|number| format!(";\r\n name*{number}*=a")).collect();
    let mut content = format!("MIME-Version: 1.0\r\nContent-Type: text/plain{pieces}\r\n\r\n").into_bytes();
    content.extend_from_slice(NOTHING);
    Specimen { name: "20,000 pieces of a parameter", content }
}

/// Messages within each other; the innermost is broken off.
pub(crate) fn deep() -> Specimen {
    let mut content = b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n".repeat(200);
    content.extend_from_slice(b"Content-Type: multipart/mixed; boundary=\"\r\n\r\n--");
    Specimen { name: "200 messages within each other", content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_test_virus_stands_in_the_program() {
        let virus = eicar();
        assert_eq!(virus.len(), 68);
        assert!(virus.starts_with(b"X5O!P%@AP") && virus.ends_with(b"!$H+H*"));
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let part = &virus[28..60];
        assert!(!program.windows(part.len()).any(|window| window == part));
    }

    #[test]
    fn every_wrapping_is_another_and_none_but_the_plain_one_shows_the_virus() {
        let virus = eicar();
        let shown: Vec<&str> = viruses()
            .iter()
            .filter(|one| one.content.windows(virus.len()).any(|window| window == virus))
            .map(|one| one.name)
            .collect();
        assert_eq!(shown, ["plain", "forwarded message"]);
        assert_eq!(viruses().len(), 9);
    }

    #[test]
    fn bombs_are_small_until_they_are_opened() {
        for bomb in bombs() {
            assert!(bomb.content.len() < 8 << 20, "{}: {}", bomb.name, bomb.content.len());
        }
    }
}
