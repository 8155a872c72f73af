//! Signatures of others, read.

use super::*;
use mailward_core::limits::{DKIM_NAMES_MAX, DKIM_TAGS_MAX};
use proptest::prelude::*;

const GOOD: &str = " v=1; a=rsa-sha256; c=relaxed/simple; d=a.example;\r\n\ts=x.y; h=From : To:\r\n\t from; bh=AA\r\n\t==; b=Zm\r\n\t9v; x=12; t=3";

fn parse(text: &str) -> Result<Signature, SignatureFault> {
    Signature::parse(Kind::Dkim, text.as_bytes())
}

#[test]
fn a_signature_is_read_folded_as_it_is() {
    let read = parse(GOOD).unwrap();
    assert_eq!((read.header_form, read.body_form), (Form::Relaxed, Form::Simple));
    assert_eq!((read.domain.as_str(), read.selector.as_str()), ("a.example", "x.y"));
    assert_eq!(read.names, ["from", "to", "from"]);
    assert_eq!(
        (read.body_hash.as_slice(), read.signature.as_slice(), read.mark.as_str()),
        (&[0][..], &b"foo"[..], "Zm9v")
    );
    assert_eq!((read.expires, read.partial, read.instance, read.of_domain_itself), (Some(12), false, 0, true));
    let plain = parse(&GOOD.replace("c=relaxed/simple; ", "l=5; i=x@sub.a.example;")).unwrap();
    assert_eq!((plain.header_form, plain.body_form), (Form::Simple, Form::Simple));
    assert!(plain.partial && !plain.of_domain_itself);
}

#[test]
fn what_can_t_be_believed_is_no_signature() {
    use SignatureFault as F;
    for (from, to, fault) in [
        ("v=1", "v=2", F::Value("v")),
        ("v=1; ", "", F::Missing("v")),
        ("rsa-sha256", "rsa-sha1", F::Algorithm),
        ("h=From", "h=Date", F::Value("x")),
        ("b=Zm", "b=!!", F::Value("b")),
        ("; bh=AA\r\n\t==", "", F::Missing("bh")),
        ("d=a.example", "d=a..example", F::Value("d")),
        ("s=x.y", "s=x\"y", F::Value("s")),
        ("relaxed/simple", "loose", F::Value("c")),
        ("x=12", "x=2", F::Value("x")),
        ("x=12", "x=1234567890123", F::Value("x")),
        ("x=12", "x=12; i=a@b.example", F::Value("i")),
        ("x=12", "x=12; i=a@nota.example", F::Value("i")),
        ("x=12", "x=12; q=http", F::Value("q")),
        ("x=12", "x=12; x=13", F::Tags(TagFault::Twice)),
        ("x=12", "x12", F::Tags(TagFault::Syntax)),
    ] {
        let text = GOOD.replacen(from, to, 1);
        let wanted = if from == "h=From" { Err(F::WithoutFrom) } else { Err(fault) };
        let text = if from == "h=From" { text.replace("from", "cc") } else { text };
        assert_eq!(parse(&text), wanted, "{text}");
    }
}

#[test]
fn lists_end_at_their_limits() {
    let names = |n: usize| GOOD.replacen("h=From", &format!("h={}from", "x:".repeat(n - 3)), 1);
    assert!(parse(&names(DKIM_NAMES_MAX)).is_ok());
    assert_eq!(parse(&names(DKIM_NAMES_MAX + 1)), Err(SignatureFault::TooManyNames));
    let tags = |n: usize| (0..n).map(|i| format!("a{i}=1;")).collect::<String>();
    assert!(Tags::parse(tags(DKIM_TAGS_MAX).as_bytes()).is_ok());
    assert_eq!(Tags::parse(tags(DKIM_TAGS_MAX + 1).as_bytes()), Err(TagFault::TooMany));
}

#[test]
fn its_own_field_is_signed_without_what_stands_behind_b() {
    let header = format!("DKIM-Signature:{GOOD}; z=b=\r\nFrom: a\r\n");
    let field = header::fields(header.as_bytes()).next().unwrap();
    let mut out = Vec::new();
    unsigned_field(header.as_bytes(), &field, Form::Simple, &mut out);
    let simple = String::from_utf8(out).unwrap();
    assert_eq!(simple, format!("DKIM-Signature:{}", GOOD.replace("Zm\r\n\t9v", "")) + "; z=b=");
    let mut out = Vec::new();
    unsigned_field(header.as_bytes(), &field, Form::Relaxed, &mut out);
    assert!(out.ends_with(b"bh=AA ==; b=; x=12; t=3; z=b="), "{}", String::from_utf8_lossy(&out));
}

#[test]
fn fields_are_chosen_from_the_bottom_up() {
    let fields = Fields::of(b"To: 1\r\nFrom: a\r\nTO:  2 \r\n\r\n");
    let choose = |names: &[&str], form| {
        let mut out = Vec::new();
        fields.choose(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>(), form, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(choose(&["to", "cc", "to", "to", "from"], Form::Relaxed), "to:2\r\nto:1\r\nfrom:a\r\n");
    assert_eq!(choose(&["to"], Form::Simple), "TO:  2 \r\n");
}

fn simple(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut body, mut out) = (SimpleBody::new(), Vec::new());
    for piece in pieces {
        body.push(piece, |bytes| out.extend_from_slice(bytes));
    }
    body.finish(|bytes| out.extend_from_slice(bytes));
    out
}

#[test]
fn a_simple_body_keeps_all_but_empty_lines_at_its_end() {
    // RFC 6376 §3.4.5.
    assert_eq!(simple(&[b" C \r\nD \t E\r\n\r\n\r\n"]), b" C \r\nD \t E\r\n");
    assert_eq!(simple(&[b""]), b"\r\n");
    assert_eq!(simple(&[b"\r\n\r\n"]), b"\r\n");
    assert_eq!(simple(&[b"a"]), b"a\r\n");
    assert_eq!(simple(&[b"\r\n\r\na\r\n \r\n\r\n"]), b"\r\n\r\na\r\n \r\n");
    let many = "\r\n".repeat(1000);
    assert_eq!(simple(&[many.as_bytes(), b"x"]), format!("{many}x\r\n").as_bytes());
}

proptest! {
    #[test]
    fn a_simple_body_is_the_same_wherever_it_is_cut(bytes in proptest::collection::vec(prop::sample::select(&b"\r\n\n\ra "[..]), 0..40), cut in any::<prop::sample::Index>()) {
        let (one, two) = bytes.split_at(cut.index(bytes.len().saturating_add(1)));
        let whole = simple(&[&bytes]);
        prop_assert_eq!(simple(&[one, two]), whole.clone());
        let mut plainly = bytes.as_slice();
        while let Some(shorter) = plainly.strip_suffix(b"\r\n") {
            plainly = shorter;
        }
        prop_assert_eq!(whole, [plainly, b"\r\n"].concat());
    }

    #[test]
    fn any_list_is_read_or_refused(text in "(([abhsvxlcdit]{1,2})?[ =;\r\n]{0,2}([a-z0-9.:@/+]{0,5}));{0,9}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for list in [text.as_bytes(), &bytes, GOOD.as_bytes()] {
            if let Ok(tags) = Tags::parse(list) {
                prop_assert!(tags.place("b").is_none_or(|place| place.end <= list.len()));
            }
            for kind in [Kind::Dkim, Kind::ArcMessage, Kind::ArcSeal] {
                let _ = Signature::parse(kind, list);
            }
        }
    }
}
