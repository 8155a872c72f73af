//! IMAP's sections, sizes and lines on a message with everything in it.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    reason = "tests may stop at what isn't as it should be"
)]

use mailward_message::{Section, Structure};

/// The shape of RFC 9051 §6.4.5.1's example: 1 text, 2 octets, 3 message of (1 text, 2 octets), 4 multipart of
/// (1 image, 2 message of (1 text, 2 multipart of (1 plain, 2 richtext))).
const MESSAGE: &str = "From: Ann <ann@example.test>\r\n\
Subject: everything\r\n\
Content-Type: multipart/mixed; boundary=outer\r\n\
\r\n\
preamble\r\n\
--outer\r\n\
\r\n\
one\r\nline\r\n\
--outer\r\n\
Content-Type: application/octet-stream\r\n\
\r\n\
two\r\n\
--outer\r\n\
Content-Type: message/rfc822\r\n\
\r\n\
Subject: three\r\n\
Content-Type: multipart/mixed; boundary=\"in 3\"\r\n\
\r\n\
--in 3\r\n\
\r\n\
three one\r\n\
--in 3\r\n\
Content-Type: application/octet-stream; name=x\r\n\
\r\n\
three two\r\n\
--in 3--\r\n\
\r\n\
--outer\r\n\
Content-Type: multipart/mixed; boundary=four\r\n\
\r\n\
--four\r\n\
Content-Type: image/gif\r\n\
Content-ID: <gif@example.test>\r\n\
Content-Transfer-Encoding: BASE64\r\n\
\r\n\
R0lG\r\n\
--four\r\n\
Content-Type: message/rfc822\r\n\
\r\n\
Subject: four two\r\n\
To: bob@example.test\r\n\
Content-Type: multipart/alternative; boundary=alt\r\n\
\r\n\
--alt\r\n\
\r\n\
four two one\r\n\
--alt\r\n\
Content-Type: multipart/alternative; boundary=deep\r\n\
\r\n\
--deep\r\n\
Content-Type: text/plain\r\n\
\r\n\
plain\r\n\
--deep\r\n\
Content-Type: text/richtext\r\n\
\r\n\
rich\r\n\
\r\n\
--deep--\r\n\
--alt--\r\n\
--four--\r\n\
--outer--\r\n\
epilogue\r\n";

fn text(message: &str, path: &[u32], section: Section) -> Option<String> {
    let range = Structure::parse(message.as_bytes()).section(path, section)?;
    Some(message[range.start as usize..range.end as usize].to_owned())
}

#[test]
fn every_part_of_the_rfc_s_example_has_its_number() {
    let whole = |path: &[u32]| text(MESSAGE, path, Section::Whole).unwrap();
    assert_eq!(whole(&[]), MESSAGE);
    assert_eq!(whole(&[1]), "one\r\nline");
    assert_eq!(whole(&[2]), "two");
    assert!(whole(&[3]).starts_with("Subject: three\r\n") && whole(&[3]).ends_with("--in 3--\r\n"));
    assert_eq!(whole(&[3, 1]), "three one");
    assert_eq!(whole(&[3, 2]), "three two");
    assert!(whole(&[4]).starts_with("--four\r\n") && whole(&[4]).ends_with("--four--"));
    assert_eq!(whole(&[4, 1]), "R0lG");
    assert!(whole(&[4, 2]).starts_with("Subject: four two\r\n") && whole(&[4, 2]).ends_with("--alt--"));
    assert_eq!(whole(&[4, 2, 1]), "four two one");
    assert_eq!(whole(&[4, 2, 2, 1]), "plain");
    assert_eq!(whole(&[4, 2, 2, 2]), "rich\r\n");
    for none in [&[0][..], &[5], &[1, 1], &[3, 3], &[3, 1, 1], &[4, 2, 2, 3], &[u32::MAX]] {
        assert_eq!(text(MESSAGE, none, Section::Whole), None, "{none:?}");
    }
}

#[test]
fn headers_texts_and_mime_headers_are_where_imap_looks_for_them() {
    assert!(text(MESSAGE, &[], Section::Header).unwrap().ends_with("boundary=outer\r\n\r\n"));
    assert!(text(MESSAGE, &[], Section::Text).unwrap().starts_with("preamble"));
    assert_eq!(text(MESSAGE, &[], Section::Mime), None);
    assert_eq!(text(MESSAGE, &[1], Section::Mime).unwrap(), "\r\n");
    assert_eq!(text(MESSAGE, &[1], Section::Header), None);
    assert_eq!(text(MESSAGE, &[4], Section::Text), None);
    assert_eq!(text(MESSAGE, &[3], Section::Mime).unwrap(), "Content-Type: message/rfc822\r\n\r\n");
    assert_eq!(
        text(MESSAGE, &[3], Section::Header).unwrap(),
        "Subject: three\r\nContent-Type: multipart/mixed; boundary=\"in 3\"\r\n\r\n"
    );
    assert!(text(MESSAGE, &[3], Section::Text).unwrap().starts_with("--in 3\r\n"));
    assert_eq!(text(MESSAGE, &[4, 2, 2, 1], Section::Mime).unwrap(), "Content-Type: text/plain\r\n\r\n");
}

#[test]
fn sizes_lines_and_envelopes_of_the_parts() {
    let structure = Structure::parse(MESSAGE.as_bytes());
    let part = |path: &[u32]| structure.part(path).unwrap();
    assert_eq!((part(&[1]).size(), part(&[1]).lines), (9, 1));
    assert_eq!(part(&[1]).params, [("charset".to_owned(), "us-ascii".to_owned())]);
    assert_eq!((part(&[2]).size(), part(&[2]).lines), (3, 0));
    assert_eq!((part(&[4, 2, 2, 2]).size(), part(&[4, 2, 2, 2]).lines), (6, 1));
    assert_eq!(part(&[4, 1]).encoding, "base64");
    assert_eq!(part(&[4, 1]).id.as_deref(), Some("<gif@example.test>"));
    let message = part(&[3]);
    assert_eq!(message.lines as usize, text(MESSAGE, &[3], Section::Whole).unwrap().matches('\n').count());
    assert_eq!(message.message.as_ref().unwrap().subject.as_deref(), Some("three"));
    assert_eq!(part(&[4, 2]).message.as_ref().unwrap().to[0].mailbox.as_deref(), Some("bob"));
    assert_eq!(structure.envelope().subject.as_deref(), Some("everything"));
    assert_eq!(structure.envelope().from[0].host.as_deref(), Some("example.test"));
    assert_eq!(structure.children(structure.root()).count(), 4);
    assert_eq!(structure.children(message).count(), 1);
    assert_eq!(structure.parts().count(), 15);
}

#[test]
fn a_plain_message_has_the_one_part_1() {
    let message = "Subject: x\r\n\r\nhello\r\nworld\r\n";
    assert_eq!(text(message, &[1], Section::Whole).unwrap(), "hello\r\nworld\r\n");
    assert_eq!(text(message, &[1], Section::Mime).unwrap(), "Subject: x\r\n\r\n");
    assert_eq!(text(message, &[1, 1], Section::Whole), None);
    assert_eq!(text(message, &[2], Section::Whole), None);
    assert_eq!(Structure::parse(message.as_bytes()).root().lines, 2);
}

#[test]
fn a_message_that_is_a_message_is_numbered_through() {
    let message = "Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody";
    assert!(text(message, &[1], Section::Whole).unwrap().starts_with("Content-Type"));
    assert_eq!(text(message, &[1, 1], Section::Whole).unwrap(), "Subject: in\r\n\r\nbody");
    assert_eq!(text(message, &[1, 1], Section::Header).unwrap(), "Subject: in\r\n\r\n");
    assert_eq!(text(message, &[1, 1, 1], Section::Whole).unwrap(), "body");
    assert_eq!(text(message, &[1, 1, 1, 1], Section::Whole), None);
}

#[test]
fn a_digest_s_parts_are_messages() {
    let message = "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: one\r\n\r\n1\r\n--d\r\nContent-Type: text/plain\r\n\r\n2\r\n--d--\r\n";
    let structure = Structure::parse(message.as_bytes());
    let one = structure.part(&[1]).unwrap();
    assert_eq!((one.media_type.as_str(), one.subtype.as_str()), ("message", "rfc822"));
    assert_eq!(one.message.as_ref().unwrap().subject.as_deref(), Some("one"));
    assert_eq!(text(message, &[1, 1], Section::Whole).unwrap(), "1");
    assert!(structure.part(&[2]).unwrap().is_text());
}

#[test]
fn an_empty_message_has_everything_empty() {
    let structure = Structure::parse(b"");
    assert_eq!((structure.size(), structure.root().size(), structure.root().lines), (0, 0, 0));
    assert!(structure.root().is_text());
    assert_eq!(structure.section(&[], Section::Header), Some(0..0));
}
