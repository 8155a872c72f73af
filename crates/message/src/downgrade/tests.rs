#![allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]

use super::*;
use crate::Structure;
use crate::content::ContentType;
use proptest::prelude::*;

/// One field downgraded, without its line end; empty if it was left out.
fn field(text: &str) -> String {
    let whole = format!("{text}\r\n\r\n");
    let out = String::from_utf8(header(whole.as_bytes()).unwrap()).unwrap();
    assert!(out.is_ascii() && out.ends_with("\r\n"), "{out:?}");
    for line in out.lines() {
        assert!(line.len() <= 998, "{line}");
    }
    out.strip_suffix("\r\n").unwrap().trim_end().to_owned()
}

#[test]
fn ascii_stays_to_the_byte() {
    assert_eq!(header(b"Subject: =?utf-8?Q?=C3=A4?=\r\nX:y\n\r\n"), None);
    assert_eq!(header(b""), None);
}

#[test]
fn what_is_not_utf_8_stays_to_the_byte() {
    assert_eq!(header(b"Subject: gr\xfc\xdfe\r\n\r\n"), None);
    let mixed = b"X-A: gr\xfc\xdfe\r\nSubject: gr\xc3\xbc\xc3\x9fe\r\nTo: a@b.example\n\n";
    assert_eq!(
        header(mixed).unwrap(),
        b"X-A: gr\xfc\xdfe\r\nSubject: =?utf-8?Q?gr=C3=BC=C3=9Fe?=\r\nTo: a@b.example\n\n"
    );
}

/// RFC 6858 §2.1.
#[test]
fn an_internationalized_address_is_told_and_can_t_be_answered() {
    assert_eq!(
        field("From: Jøran <jøran@blåbær.example>"),
        "From: =?utf-8?Q?J=C3=B8ran_j=C3=B8ran=40bl=C3=A5b=C3=A6r=2Eexample?=\r\n \
         <invalid@internationalized-address.invalid>"
    );
    assert_eq!(
        field("To: fred@blåbær.example, Åse <ase@example.com>, \"a, b\" <c@d.example>"),
        "To: =?utf-8?Q?fred=40bl=C3=A5b=C3=A6r=2Eexample?=\r\n <invalid@internationalized-address.invalid>,\r\n \
         =?utf-8?Q?=C3=85se?= <ase@example.com>,\r\n \"a, b\" <c@d.example>"
    );
    assert_eq!(field("Return-Path: <jøran@example.com>"), "Return-Path: <invalid@internationalized-address.invalid>");
}

#[test]
fn groups_and_odd_local_parts_stay_addresses() {
    assert_eq!(
        field("Cc: Vänner: \"a b\"@c.example, d@e.example;, f@g.example"),
        "Cc: =?utf-8?Q?V=C3=A4nner?=:\r\n \"a b\"@c.example,\r\n d@e.example;,\r\n f@g.example"
    );
    assert_eq!(field("Sender: Ä;"), "Sender: =?utf-8?Q?=C3=84=40?=\r\n <invalid@internationalized-address.invalid>");
    assert_eq!(
        field("From: =?utf-8?Q?=C3=84?= ö <a@b.example>"),
        "From: =?utf-8?Q?=C3=84_=C3=B6?= <a@b.example>",
        "encoded words are not encoded again"
    );
}

/// RFC 6858 §2.3.
#[test]
fn a_subject_is_encoded_words_of_whole_characters() {
    let out = field(&format!("Subject: {}", "日本語".repeat(30)));
    for word in out.strip_prefix("Subject: ").unwrap().split("\r\n ") {
        assert!(word.len() <= WORD_MAX && word.starts_with("=?utf-8?Q?") && word.ends_with("?="), "{word}");
        assert_eq!(header_text(word.as_bytes()).chars().filter(|c| *c == '\u{fffd}').count(), 0);
    }
    assert_eq!(header_text(out.strip_prefix("Subject: ").unwrap().as_bytes()), "日本語".repeat(30));
}

#[test]
fn a_file_keeps_its_name() {
    assert_eq!(
        field("Content-Disposition: attachment; filename=\"März.pdf\"; size=10"),
        "Content-Disposition: attachment;\r\n filename*=utf-8''M%C3%A4rz.pdf;\r\n size=10"
    );
    assert_eq!(
        field("Content-Type: Text/Plain; charset=\"utf-8\"; name=ä; x=\"a\\\"b\""),
        "Content-Type: text/plain;\r\n charset=utf-8;\r\n name*=utf-8''%C3%A4;\r\n x=\"a\\\"b\""
    );
    // Given both ways, the one in ASCII is enough.
    assert_eq!(
        field("Content-Disposition: attachment; filename=ä; filename*=utf-8''%C3%A4"),
        "Content-Disposition: attachment;\r\n filename*=utf-8''%C3%A4"
    );
    let long = "ä".repeat(200);
    let out = field(&format!("Content-Disposition: attachment; filename=\"{long}\""));
    let parsed = parse_disposition(out.strip_prefix("Content-Disposition: ").unwrap().as_bytes()).unwrap();
    assert_eq!(parsed.params.len(), 1);
    let name = parsed.param("filename*").unwrap();
    assert_eq!(crate::content::percent_decoded(name.as_bytes()), long.as_bytes());
    assert!(out.lines().all(|line| line.len() <= 98 && !line.trim_end_matches(';').ends_with('%')), "{out}");
}

/// RFC 6858 §2.4.
#[test]
fn other_fields_and_lines_that_are_none_are_left_out() {
    for text in ["X-Mailer: Ünï", "Message-ID: <ä@b.example>", "Received: from ä.example", "Ä-Field: x", "no colon ä"]
    {
        assert_eq!(field(&format!("Date: x\r\n{text}")), "Date: x", "{text}");
    }
    assert_eq!(field("From: ,ä"), field("From: ä"));
    assert_eq!(field("Content-Type: ä"), "");
    // A header that is cut by a delimiter or by the end has no empty line, and gets none.
    assert_eq!(header("A: b\r\nSubject: ä".as_bytes()).unwrap(), b"A: b\r\nSubject: =?utf-8?Q?=C3=A4?=\r\n");
}

#[test]
fn a_bomb_of_addresses_goes_off_small() {
    // Three bytes an address, of which nearly a hundred are made.
    let fields = format!("To: {}\r\n", "ä,".repeat(ENVELOPE_ADDRESSES_MAX + 100)).repeat(50);
    let out = header(fields.as_bytes()).unwrap();
    let made = out.windows(NOBODY.len()).filter(|w| *w == NOBODY.as_bytes()).count();
    assert_eq!(made, ENVELOPE_ADDRESSES_SUM_MAX);
    assert!(out.len() < ENVELOPE_ADDRESSES_SUM_MAX * 100);
}

proptest! {
    #[test]
    fn any_utf_8_becomes_an_ascii_header_with_the_same_end(
        names in proptest::collection::vec("(Subject|From|To|Cc|Content-Type|Content-Disposition|X-Y|Return-Path|[a-zä]{0,3})", 0..6),
        values in proptest::collection::vec("[ -~äß日\t]{0,30}(\r\n [ -~é]{0,20})?", 6),
    ) {
        let mut text: String = names.iter().zip(&values).map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        text.push_str("\r\n");
        if let Some(out) = header(text.as_bytes()) {
            prop_assert!(out.is_ascii());
            prop_assert!(out.ends_with(b"\r\n"));
            prop_assert!(out.len() <= 4 * text.len() + 200 * names.len());
            // Nothing in it makes a line that is no field, or ends the header early.
            prop_assert_eq!(crate::header::header_end(&[b"A: b\r\n", out.as_slice()].concat()), out.len() + 6);
            prop_assert_eq!(header(&out), None);
        }
    }

    #[test]
    fn any_bytes_are_fine(bytes in proptest::collection::vec(any::<u8>(), 0..400), subject in any::<Vec<u8>>()) {
        let _ = header(&bytes);
        let text = [b"Subject: ".as_slice(), &subject, b"\r\n\r\nbody"].concat();
        let end = crate::header::header_end(&text);
        if let Some(out) = header(&text[..end]) {
            prop_assert!(out.len() <= 4 * end + 200);
        }
    }

    #[test]
    fn a_type_means_the_same_afterwards(name in "[a-zäßé .\"\\\\;=日%']{1,40}", charset in "[a-z0-9-]{1,10}") {
        prop_assume!(!name.is_ascii() && name.trim() == name);
        let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
        let out = field(&format!("Content-Type: text/plain; charset={charset}; name=\"{escaped}\""));
        let value = out.strip_prefix("Content-Type: ").unwrap();
        let ContentType { params, .. } = parse_type(value.as_bytes()).unwrap();
        prop_assert_eq!(&params[0], &("charset".to_owned(), charset.into_bytes()));
        prop_assert_eq!(&params[1].0, "name*");
        prop_assert_eq!(crate::content::percent_decoded(&params[1].1), name.into_bytes());
    }

    #[test]
    fn parts_stay_where_they_were(subject in "[ä-ü]{1,20}") {
        let head = format!("Subject: {subject}\r\nContent-Type: multipart/mixed; boundary=b; x=ä\r\n\r\n");
        let body = b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
        let out = [header(head.as_bytes()).unwrap(), body.to_vec()].concat();
        prop_assert_eq!(Structure::parse(&out).parts().count(), 3);
    }
}
