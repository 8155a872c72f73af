#![allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]

use super::*;
use crate::Structure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

#[test]
fn base64_is_decoded_however_it_is_mangled() {
    assert_eq!(base64(b"aGVsbG8="), b"hello");
    assert_eq!(base64(b"aGVs\r\nbG8"), b"hello");
    assert_eq!(base64(b"aG!Vs*bG8 = "), b"hello");
    // Concatenated encodings, and padding in the middle.
    assert_eq!(base64(b"aGVsbG8=aGVsbG8="), b"hellohello");
    assert_eq!(base64(b"aA==aQ=="), b"hi");
    assert_eq!(base64(b"aGVsbG8==="), b"hello");
    assert_eq!(base64(b"A"), b"");
    assert_eq!(base64(b"===="), b"");
    let long = STANDARD.encode([7_u8; 3_000]);
    assert_eq!(base64(long.as_bytes()), [7_u8; 3_000]);
}

#[test]
fn quoted_printable_is_decoded_however_it_is_mangled() {
    assert_eq!(quoted_printable(b"a=3Db=\r\nc=3d\r\n"), b"a=bc=\r\n");
    assert_eq!(quoted_printable(b"soft= \t\r\nbreak"), b"softbreak");
    assert_eq!(quoted_printable(b"blanks  \r\ngo\nlf"), b"blanks\r\ngo\nlf");
    assert_eq!(quoted_printable(b"=ZZ =4 =\r\n="), b"=ZZ =4 ");
    assert_eq!(quoted_printable(b"a=\x20\r\nb"), b"ab");
    assert_eq!(quoted_printable(b"end="), b"end");
    assert_eq!(quoted_printable(b"==3D"), b"==");
}

#[test]
fn encoded_words_of_rfc_2047_s_examples() {
    for (value, text) in [
        ("=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"),
        ("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld J\u{f8}rn Simonsen"),
        (
            "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
            "If you can read this you understand the example.",
        ),
        ("(=?ISO-8859-1?Q?a?=)", "(a)"),
        ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        ("=?utf-8*de?q?=C3=A4?=", "\u{e4}"),
        // Each word of a long Japanese subject has escapes of its own.
        (
            "=?iso-2022-jp?B?GyRCRWw1fiRORTcbKEI=?=\r\n =?ISO-2022-JP?Q?=1B=24B5=24=24O=402=24l=1B=28B?=",
            "東京の天気は晴れ",
        ),
        // Some have one over several.
        ("=?iso-2022-jp?B?GyRCRWw1fiRO?= =?iso-2022-jp?B?RTcbKEI=?=", "東京の天"),
        // A character over two words.
        ("=?utf-8?B?w6Q=?= =?UTF-8?B?ww==?= =?utf-8?b?pA==?=", "\u{e4}\u{e4}"),
    ] {
        assert_eq!(header_text(value.as_bytes()), text, "{value}");
    }
}

#[test]
fn what_is_no_encoded_word_stays() {
    for value in [
        "=?",
        "=?utf-8?q?open",
        "=?utf-8?x?a?=",
        "=??q?a?=",
        "a =? b ?= c",
        "=?ut f?q?a?=",
        "=?utf-8?q?a?",
        "=?utf-8?q",
    ] {
        assert_eq!(header_text(value.as_bytes()), value);
    }
    assert_eq!(header_text(b" J\xc3\xb6rg \r\n x "), "J\u{f6}rg  x");
    assert_eq!(header_text(b"J\xf6rg"), "J\u{f6}rg");
    assert_eq!(header_text(b"=?x-none?q?=41?="), "A");
    assert_eq!(header_text(b"=?utf-8?q?a=0D=0ABcc:_x=00?="), "a\u{fffd}\u{fffd}Bcc: x\u{fffd}");
}

#[test]
fn charsets_are_what_mail_programs_mean() {
    assert_eq!(charset(Some("ISO-8859-1"), b"\x80\xe4"), "\u{20ac}\u{e4}");
    assert_eq!(charset(Some("koi8-r"), b"\xcd\xc9\xd2"), "мир");
    assert_eq!(charset(Some("iso-2022-jp"), b"\x1b$B8@\x1b(B"), "言");
    assert_eq!(charset(Some("utf-16le"), b"a\0b\0"), "ab");
    assert_eq!(charset(Some("us-ascii"), "\u{e4}".as_bytes()), "\u{e4}");
    assert_eq!(charset(None, b"\xe4"), "\u{e4}");
    assert_eq!(charset(Some("no-such"), b"\xe4"), "\u{e4}");
    // Overlong UTF-8 is no slash; UTF-7 and what is replaced by rule is not decoded.
    assert_eq!(charset(Some("utf-8"), b"\xc0\xaf"), "\u{fffd}\u{fffd}");
    assert_eq!(charset(Some("utf-7"), b"+ADw-script+AD4-"), "+ADw-script+AD4-");
    assert_eq!(charset(Some("hz-gb-2312"), b"~{<:Ky~}"), "~{<:Ky~}");
    assert_eq!(charset(Some("utf-8"), b"\xef\xbb\xbfx"), "x");
}

#[test]
fn html_becomes_its_text() {
    for (html, text) in [
        (
            "<html><head><title>T</title><style>p { a: b }</style></head><body><p>One &amp;  two</p><p>three<br>four</p></body>",
            "T\nOne & two\nthree\nfour",
        ),
        ("a<script>if (a < b) \"</p>\"</SCRIPT >b", "ab"),
        ("a<!-- <p>no --> b<!-->c", "a bc"),
        ("<a href=\"x>y\" title='>'>link</a>", "link"),
        ("1 < 2 && 3 &lt; 4 &#65;&#x42;&nosuch;&", "1 < 2 && 3 < 4 AB&nosuch;&"),
        ("&#0;&#xD800;&#1114112;&nbsp;x", "\u{fffd}\u{fffd}\u{fffd} x"),
        ("<td>a</td><td>b</td>", "a b"),
        ("x<unclosed", "x"),
        ("hidden<script>never ends", "hidden"),
        ("\u{e4}<\u{e4}>&\u{e4};", "\u{e4}<\u{e4}>&\u{e4};"),
    ] {
        assert_eq!(html_text(html), text, "{html}");
    }
}

#[test]
fn the_text_of_a_message_is_what_a_reader_sees() {
    let message = "From: =?utf-8?q?J=C3=B6rg?= <j@example.test>\r\nTo: Team: a@x.test;\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\
        X-Note: hidden\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nno preamble\r\n--b\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nsch=F6n=\r\ner Tag\r\n--b\r\n\
        Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+ZmV0dDwvYj4=\r\n--b\r\n\
        Content-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''R%C3%A4t.pdf\r\n\r\nJVBERi\r\n--b\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody inside\r\n--b--\r\n";
    let text = text_of(message.as_bytes(), &Structure::parse(message.as_bytes()));
    assert_eq!(text.subject, "Gr\u{fc}\u{df}e");
    assert_eq!(text.from, "J\u{f6}rg <j@example.test>");
    assert_eq!(text.to, "Team:, <a@x.test>");
    assert!(text.header.contains("X-Note: hidden\n") && text.header.contains("Subject: Gr\u{fc}\u{df}e\n"));
    assert_eq!(text.body, "sch\u{f6}ner Tag\nfett\nR\u{e4}t.pdf\nSubject: inner\nbody inside\n");
}

#[test]
fn another_message_s_structure_gives_no_text_and_no_harm() {
    let structure = Structure::parse(b"Subject: x\r\n\r\nlong enough body");
    let text = text_of(b"", &structure);
    assert_eq!((text.header.as_str(), text.body.as_str()), ("", ""));
}

proptest! {
    #[test]
    fn what_isn_t_base64_is_skipped_wherever_it_stands(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        junk in proptest::collection::vec((any::<prop::sample::Index>(), "[ \\r\\n!.*\\x80-\\xff]{1,3}"), 0..20),
    ) {
        let mut encoded = STANDARD.encode(&bytes);
        encoded.truncate(encoded.trim_end_matches('=').len());
        for (at, junk) in junk {
            let at = at.index(encoded.len().saturating_add(1));
            if encoded.is_char_boundary(at) {
                encoded.insert_str(at, &junk);
            }
        }
        prop_assert_eq!(base64(encoded.as_bytes()), bytes);
    }
    /// Whole groups are decoded at once, and what is between them sign by sign: it comes to the same.
    #[test]
    fn base64_is_decoded_as_if_sign_by_sign(encoded in "([A-Za-z0-9+/]{0,9}[=\\r\\n !]{0,2}){0,20}") {
        let (mut decoded, mut group, mut bits) = (Vec::new(), 0_u32, 0);
        for byte in encoded.bytes() {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            match alphabet.iter().position(|sign| *sign == byte) {
                Some(value) => {
                    group = group << 6 | u32::try_from(value).unwrap();
                    bits += 6;
                }
                None if byte == b'=' => bits = 0,
                None => {}
            }
            if bits >= 8 {
                bits -= 8;
                decoded.push((group >> bits).to_be_bytes()[3]);
            }
        }
        prop_assert_eq!(base64(encoded.as_bytes()), decoded);
    }
    #[test]
    fn base64_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(base64(STANDARD.encode(&bytes).as_bytes()), bytes);
    }

    #[test]
    fn quoted_printable_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let encoded: String = bytes.iter().map(|b| format!("={b:02X}")).collect();
        prop_assert_eq!(quoted_printable(encoded.as_bytes()), bytes);
    }

    #[test]
    fn header_text_comes_back(text in "[a-zA-Z \u{e4}\u{20ac}?=_]{0,60}", at in 1_usize..10) {
        let words: Vec<String> =
            text.as_bytes().chunks(at).map(|c| format!("=?utf-8?B?{}?=", STANDARD.encode(c))).collect();
        prop_assert_eq!(header_text(words.join("\r\n ").as_bytes()), text);
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        text in "[<>!/&;#xX0-9a='\"? \u{e4}-]{0,80}",
        name in "[a-z0-9-]{0,12}",
    ) {
        let _ = (base64(&bytes), quoted_printable(&bytes), charset(Some(&name), &bytes), header_text(text.as_bytes()));
        prop_assert!(!header_text(&bytes).contains(['\r', '\n', '\0']));
        let _ = (html_text(&text), html_text(&String::from_utf8_lossy(&bytes)));
    }
}
