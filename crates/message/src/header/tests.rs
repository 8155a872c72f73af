use super::*;
use proptest::prelude::*;

const HEADER: &[u8] = b"From: a\r\nSubject: one\r\n  two\r\nnothing\r\nX-Odd : y\r\nsubject: three\r\n\r\nBody: no\r\n";

#[test]
fn a_header_ends_after_its_first_empty_line() {
    assert_eq!(header_end(HEADER), HEADER.len() - 10);
    assert_eq!(header_end(b"A: b\n\nbody"), 6);
    assert_eq!(header_end(b"\r\nbody"), 2);
    assert_eq!(header_end(b"A: b\r\n"), 6);
    assert_eq!(header_end(b"A: b"), 4);
    assert_eq!(header_end(b""), 0);
    let name = |len: usize| format!("{}: x\r\n\r\nbody", "n".repeat(len)).into_bytes();
    assert_eq!(header_end(&name(HEADER_NAME_MAX)), HEADER_NAME_MAX + 7);
    assert_eq!(header_end(&name(HEADER_NAME_MAX + 1)), 0);
    assert_eq!(header_end(b"Just text\r\n\r\nA: b\r\n\r\n"), 0);
}

#[test]
fn fields_are_given_with_their_folding() {
    let fields: Vec<_> = fields(HEADER).collect();
    assert_eq!(fields.len(), 5);
    assert_eq!((fields[1].name, fields[1].value), (&b"Subject"[..], &b" one\r\n  two"[..]));
    assert_eq!(sub(HEADER, fields[1].whole.clone()), b"Subject: one\r\n  two\r\n");
    assert_eq!((fields[2].name, fields[2].value), (&b""[..], &b"nothing"[..]));
    assert!(fields[3].is("x-odd"));
    assert_eq!(first(HEADER, "SUBJECT"), Some(&b" one\r\n  two"[..]));
    assert_eq!(first(HEADER, "Body"), None);
}

#[test]
fn unfolding_takes_line_ends_and_leaves_blanks() {
    assert_eq!(&*unfold(b" one\r\n  two\n\tthree\r\n"), b" one  two\tthree");
    assert!(matches!(unfold(b"as it is"), Cow::Borrowed(_)));
}

#[test]
fn chosen_fields_stand_as_they_are_with_an_empty_line() {
    assert_eq!(select(HEADER, &["SUBJECT"], false), b"Subject: one\r\n  two\r\nsubject: three\r\n\r\n");
    assert_eq!(select(HEADER, &["subject", "from"], true), b"nothing\r\nX-Odd : y\r\n\r\n");
    assert_eq!(select(HEADER, &["none"], false), b"\r\n");
    assert_eq!(select::<&str>(b"", &[], true), b"\r\n");
    // A header whose last line isn't ended is ended here.
    assert_eq!(select(b"A: b", &["a"], false), b"A: b\r\n\r\n");
}

proptest! {
    #[test]
    fn fields_cover_the_header_without_gap(header in "[A-Za-z :\r\n\t\u{e4}]{0,200}") {
        let header = header.as_bytes();
        let mut at = 0;
        for field in fields(header) {
            prop_assert_eq!(field.whole.start, at);
            prop_assert!(field.whole.end > at);
            at = field.whole.end;
        }
        prop_assert!(at == header.len() || empty_line_end(header, at).is_some());
        prop_assert!(header_end(header) <= header.len());
        let all = select::<&str>(header, &[], true);
        prop_assert!(all.starts_with(header.get(..at).unwrap_or_default()));
    }

    #[test]
    fn no_bytes_make_it_panic(header in proptest::collection::vec(any::<u8>(), 0..300), name in "[A-Za-z:]{0,5}") {
        let _ = (header_end(&header), fields(&header).count(), unfold(&header), first(&header, &name));
        let _ = (select(&header, &[&name], true), select(&header, &[name], false));
    }
}
