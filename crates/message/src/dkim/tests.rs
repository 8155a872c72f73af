use super::body::GATHERED;
use super::*;
use proptest::prelude::*;

fn field(text: &[u8]) -> String {
    let mut out = Vec::new();
    relax_field(text, &mut out);
    String::from_utf8(out).unwrap()
}

fn body(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut relaxed, mut out) = (RelaxedBody::new(), Vec::new());
    for piece in pieces {
        relaxed.push(piece, |bytes| out.extend_from_slice(bytes));
    }
    relaxed.finish(|bytes| out.extend_from_slice(bytes));
    out
}

/// The same, from the words of RFC 6376 §3.4.4 and with all of it at hand.
fn body_plainly(bytes: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        if rest.starts_with(b"\r\n") {
            lines.push(Vec::new());
            rest = &rest[2..];
        } else {
            lines.last_mut().unwrap().push(*byte);
            rest = after;
        }
    }
    let mut lines: Vec<Vec<u8>> = lines
        .into_iter()
        .map(|line| {
            let mut short: Vec<u8> = Vec::new();
            for byte in line {
                let byte = if byte == b'\t' { b' ' } else { byte };
                if byte != b' ' || short.last() != Some(&b' ') {
                    short.push(byte);
                }
            }
            if short.last() == Some(&b' ') {
                short.pop();
            }
            short
        })
        .collect();
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect()
}

#[test]
fn the_example_of_the_standard_comes_out_as_it_says() {
    // RFC 6376 §3.4.5.
    assert_eq!(field(b"A: X\r\n"), "a:X");
    assert_eq!(field(b"B : Y\t\r\n\tZ  \r\n"), "b:Y Z");
    assert_eq!(body(&[b" C \r\nD \t E\r\n\r\n\r\n"]), b" C\r\nD E\r\n");
}

#[test]
fn fields_of_any_shape_become_one_line() {
    assert_eq!(field(b"SUBJECT:"), "subject:");
    assert_eq!(field(b"Subject: \r\n  \r\n"), "subject:");
    assert_eq!(field(b"Subject:\r\n a\r\n\r\n b"), "subject:a b");
    assert_eq!(field("Süß \t:  ä  ö ".as_bytes()), "süß:ä ö");
    assert_eq!(field(b"no  colon\r\n"), "no colon");
    assert_eq!(field(b"a: b:  c"), "a:b: c");
    assert_eq!(field(b"a\r\n b: c"), "a b: c", "a name doesn't go over lines");
}

/// Bodies whose last lines hold only blanks: widely used software hashes them otherwise.
#[test]
fn lines_of_blanks_at_the_end_are_empty_lines() {
    for ends in ["", "\r\n", "\r\n\r\n", "\r\n \r\n", " \r\n\t\r\n", "\r\n \t", "\r\n \r\n \r\n\t \t\r\n"] {
        assert_eq!(body(&[format!("body{ends}").as_bytes()]), b"body\r\n", "{ends:?}");
    }
    for empty in ["", "\r\n", " ", "\t\r\n \r\n", "\r\n\r\n\r\n"] {
        assert_eq!(body(&[empty.as_bytes()]), b"", "{empty:?}");
    }
    assert_eq!(body(&[b"\r\n \r\nbody\r\n \r\nmore"]), b"\r\n\r\nbody\r\n\r\nmore\r\n");
}

#[test]
fn a_bare_cr_or_lf_is_a_character_and_is_told_of() {
    let bare = |bytes: &[u8]| {
        let mut relaxed = RelaxedBody::new();
        relaxed.push(bytes, |_| ());
        relaxed.has_bare_line_ends()
    };
    for bad in [&b"a\nb"[..], b"\n", b"a\rb", b"\r", b"a \r", b"\r\r\n", b"a\r\n\nb", b"a \n"] {
        assert!(bare(bad), "{bad:?}");
        assert!(has_bare_line_end(bad), "{bad:?}");
    }
    for good in [&b""[..], b"a\r\n", b"a\r\n\r\nb", b"a"] {
        assert!(!bare(good), "{good:?}");
        assert!(!has_bare_line_end(good), "{good:?}");
    }
    assert_eq!(body(&[b"a \n b\r c \r"]), b"a \n b\r c \r\r\n");
}

#[test]
fn a_megabyte_of_empty_lines_is_held_as_a_number() {
    let lines = b"\r\n".repeat(1 << 19);
    let mut relaxed = RelaxedBody::new();
    let (mut count, mut largest) = (0, 0);
    relaxed.push(b"x", |_| ());
    relaxed.push(&lines, |bytes| assert!(bytes.is_empty(), "nothing is known of them yet"));
    relaxed.push(b"y", |bytes| {
        count += bytes.len();
        largest = largest.max(bytes.len());
    });
    assert!(largest <= GATHERED && count > lines.len() - GATHERED, "{count} in pieces of {largest}");
}

const MESSAGE: &str = "Received: from x\r\nFrom: a@b.example\r\nTo: x@y.example\r\nX-Odd: 1\r\n\
    subject:  two\r\n  lines \r\nList-Id: <l.example>\r\nResent-From: c@d.example\r\nResent-From: e@f.example\r\n\r\n";

#[test]
fn what_counts_is_signed_and_what_isn_t_there_can_t_be_added() {
    let signed = SignedHeader::of(MESSAGE.as_bytes()).unwrap();
    let count = |name: &str| signed.names.iter().filter(|n| **n == name).count();
    for (name, times) in [
        ("From", 2),
        ("Subject", 2),
        ("To", 2),
        ("Cc", 1),
        ("Reply-To", 1),
        ("Content-Type", 1),
        ("List-Id", 2),
        ("List-Unsubscribe", 0),
        ("Sender", 0),
        ("Resent-From", 2),
        ("Received", 0),
    ] {
        assert_eq!(count(name), times, "{name}");
    }
    assert_eq!(
        String::from_utf8(signed.relaxed).unwrap(),
        "from:a@b.example\r\nto:x@y.example\r\nsubject:two lines\r\nlist-id:<l.example>\r\n\
         resent-from:e@f.example\r\nresent-from:c@d.example\r\n"
    );
}

#[test]
fn every_name_of_the_table_stands_there_once() {
    for (place, (name, _)) in SIGNED_FIELDS.iter().enumerate() {
        let again = SIGNED_FIELDS.iter().skip(place + 1).any(|(other, _)| other.eq_ignore_ascii_case(name));
        assert!(!again, "{name}");
    }
    assert_eq!(SIGNED_FIELDS[0].0, "From");
}

#[test]
fn a_header_without_one_author_isn_t_signed() {
    let of = |text: &str| SignedHeader::of(text.as_bytes()).unwrap_err();
    assert_eq!(of("Subject: x\r\n\r\n"), SignedHeaderFault::From(0));
    assert_eq!(of(""), SignedHeaderFault::From(0));
    assert_eq!(of("From: a\r\nfrom : b\r\n\r\n"), SignedHeaderFault::From(2));
    assert_eq!(of("junk\r\nFrom: a\r\n\r\n"), SignedHeaderFault::None);
    assert_eq!(of("\r\nFrom: a\r\n\r\n"), SignedHeaderFault::None);
    assert_eq!(of("From: a\nBcc: b\r\n\r\n"), SignedHeaderFault::BareLineEnd);
    let many = format!("From: a\r\n{}", "X: y\r\n".repeat(HEADER_FIELDS_MAX));
    assert_eq!(of(&many), SignedHeaderFault::TooManyFields);
    let enough = format!("From: a\r\n{}", "X: y\r\n".repeat(HEADER_FIELDS_MAX - 1));
    assert!(SignedHeader::of(enough.as_bytes()).is_ok());
}

/// Bytes that are mostly line ends and blanks.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => Just(b"\r\n".to_vec()),
        2 => Just(b" ".to_vec()),
        1 => Just(b"\t".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\n".to_vec()),
        2 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn a_body_is_relaxed_as_the_standard_says_wherever_it_is_cut(bytes in text(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len().saturating_add(1))).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        prop_assert_eq!(body(&pieces), body_plainly(&bytes));
    }

    #[test]
    fn relaxing_twice_is_relaxing_once(name in "[!-9;-~]{1,8}[ \t]{0,2}", bytes in text()) {
        let once = body(&[&bytes]);
        prop_assert_eq!(&body(&[&once]), &once);
        // Bare ones may meet when what was between them goes: such a header isn't signed.
        let bytes = if has_bare_line_end(&bytes) { bytes.into_iter().filter(|b| !matches!(b, b'\r' | b'\n')).collect() } else { bytes };
        // A field's name and its colon stand in one line; without them it is none.
        let field = [name.as_bytes(), b":", &bytes].concat();
        let mut line = Vec::new();
        relax_field(&field, &mut line);
        let mut again = Vec::new();
        relax_field(&line, &mut again);
        prop_assert_eq!(again, line);
    }

    #[test]
    fn whatever_is_signed_is_lines(bytes in text()) {
        if let Ok(signed) = SignedHeader::of(&[b"From: a\r\n", bytes.as_slice()].concat()) {
            prop_assert!(signed.relaxed.ends_with(b"\r\n"));
            prop_assert!(!has_bare_line_end(&signed.relaxed));
            let lines = signed.relaxed.windows(2).filter(|w| w == b"\r\n").count();
            prop_assert!(signed.names.len() >= lines);
        }
    }
}
