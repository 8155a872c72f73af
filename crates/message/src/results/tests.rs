use super::*;
use crate::header;
use proptest::prelude::*;

fn ours() -> Domain {
    Domain::parse("mx.b.example").unwrap()
}

fn gone(header: &str) -> bool {
    match foreign(header.as_bytes(), &ours()).as_slice() {
        [] => false,
        [one] => {
            assert_eq!(*one, 0..header.len());
            true
        }
        more => panic!("{more:?}"),
    }
}

/// RFC 8601, appendix B.
#[test]
fn the_examples_of_the_standard_are_read() {
    let none = parse(b" example.org 1; none").unwrap();
    assert_eq!((none.server.as_str(), none.methods.len()), ("example.org", 0));
    let several = parse(
        b" example.com;\r\n\tauth=pass (cram-md5) smtp.auth=sender@example.net;\r\n\tspf=fail smtp.mailfrom=example.net",
    )
    .unwrap();
    assert_eq!(several.methods[0].property("smtp.auth"), Some("sender@example.net"));
    assert_eq!((several.methods[1].name.as_str(), several.methods[1].result.as_str()), ("spf", "fail"));
    // B.7.
    let commented = parse(
        b" foo.example.net (foobar) 1 (baz);\r\n    dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n     \
          policy (A dot can go here) . (like that) expired\r\n     (this surprised me) = (as I wasn't expecting it) 1362471462",
    )
    .unwrap();
    assert_eq!(commented.server, "foo.example.net");
    assert_eq!(commented.methods[0].property("policy.expired"), Some("1362471462"));
    let arc = parse_arc(b" i=2; mx.f.example;\r\n\tdkim=pass header.d=A.example header.b=\"a/b+c=\";dmarc=pass reason=\"x \\\" y\" header.from=a.example").unwrap();
    assert_eq!(arc.methods[0].domain("header.d"), Domain::parse("a.example").ok());
    assert_eq!(arc.methods[0].property("header.b"), Some("a/b+c="));
    assert_eq!(arc.methods[1].reason.as_deref(), Some("x \" y"));
}

#[test]
fn what_is_no_such_field_is_not_read() {
    for bad in [
        "",
        ";",
        "a b",
        "a; spf",
        "a; spf=",
        "a; spf=pass smtp=x",
        "a; spf=pass smtp.mailfrom=",
        "(a",
        "a; \"spf\"=pass",
        "\"a",
        "a/b; none",
        "a; spf=pass x",
        "\u{7f}; none",
    ] {
        assert_eq!(parse(bad.as_bytes()), Err(ResultsFault::Syntax), "{bad}");
    }
    assert_eq!(parse(b"a 2; none"), Err(ResultsFault::Version));
    assert_eq!(parse(b"a; dkim/2=pass"), Err(ResultsFault::Version));
    assert_eq!(parse(b"\xff; none"), Err(ResultsFault::Syntax));
}

#[test]
fn no_field_is_read_beyond_its_limits() {
    let methods = |count: usize| format!("a{}", "; spf=pass".repeat(count));
    assert_eq!(parse(methods(RESULTS_METHODS_MAX).as_bytes()).unwrap().methods.len(), RESULTS_METHODS_MAX);
    assert_eq!(parse(methods(RESULTS_METHODS_MAX + 1).as_bytes()), Err(ResultsFault::TooLong));
    let properties = |count: usize| format!("a; spf=pass{}", " smtp.helo=x".repeat(count));
    assert!(parse(properties(RESULTS_PROPERTIES_MAX).as_bytes()).is_ok());
    assert_eq!(parse(properties(RESULTS_PROPERTIES_MAX + 1).as_bytes()), Err(ResultsFault::TooLong));
    let deep = |depth: usize| format!("{}{} a; none", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(deep(RESULTS_COMMENT_DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(parse(deep(RESULTS_COMMENT_DEPTH_MAX + 1).as_bytes()), Err(ResultsFault::TooLong));
    let long = |len: usize| format!("a; none{}", " ".repeat(len - 7));
    assert!(parse(long(RESULTS_BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(parse(long(RESULTS_BYTES_MAX + 1).as_bytes()), Err(ResultsFault::TooLong));
}

/// Attacks D11.
#[test]
fn nobody_speaks_in_our_name_however_it_is_written() {
    for value in [
        "mx.b.example; dmarc=pass",
        "MX.B.Example;none",
        "mx.b.example. 1; dmarc=pass",
        "mx.b.example 99; dmarc=pass",
        "\"mx.b.example\"; dmarc=pass",
        "\"mx.\\b.example\" 1; dmarc=pass",
        "(mx.a.example;) (a(b)c)\r\n\t mx.b.example (x)\r\n ; dmarc=pass",
        "\r\n mx.b.example\r\n ;\r\n dmarc=pass",
        "mx.b.example",
        // Can't be read: our name is in it.
        "mx.a.example@mx.b.example; dmarc=pass",
        "mx.b.example dmarc=pass",
        "(mx.b.example; dmarc=pass",
        "\"mx.b.example; dmarc=pass",
        "=?utf-8?q?x?= mx.b. example; dmarc=pass",
        "mx\0.b.example; dmarc=pass",
        "\u{7f} mx.b.example; dmarc=pass",
    ] {
        for name in ["Authentication-Results:", "AUTHENTICATION-results: ", "Authentication-Results \t:"] {
            assert!(gone(&format!("{name} {value}\r\n")), "{name} {value:?}");
        }
    }
    assert!(gone("mailward-VERDICT: deliver\r\n") && gone("Mailward-Verdict :\r\n x\r\n"));
    let labels = Domain::parse("xn--bcher-kva.example").unwrap();
    for value in ["b\u{fc}cher.example; none", "xn--bcher-KVA.example; none", "x b\u{fc}cher.example; none"] {
        assert_eq!(foreign(format!("Authentication-Results: {value}\r\n").as_bytes(), &labels).len(), 1, "{value}");
    }
}

#[test]
fn a_comment_within_our_name_hides_it_from_nobody() {
    for value in [
        "mx.b(x).example; dkim=pass header.d=bank.example",
        "mx(a) .b (c (d)) .example 1; none",
        "mx.(\\)mx)b.example; none",
        "mx.b(x)(y).exa(z)mple; none",
        "mx.b(x).example (; none",
    ] {
        assert!(gone(&format!("Authentication-Results: {value}\r\n")), "{value}");
    }
    let numbered = Domain::parse("mx1.b.example").unwrap();
    let header = b"Authentication-Results: mx(x)1.b.example; none\r\n";
    assert_eq!(foreign(header, &numbered).len(), 1);
    assert!(!gone("Authentication-Results: mx.a(x).example (mx.b.exam); none\r\n"));
}

#[test]
fn what_others_say_in_their_own_name_stays() {
    for header in [
        "Authentication-Results: mx.a.example; dmarc=pass header.from=mx.b.example\r\n",
        "Authentication-Results: b.example; none\r\n",
        "Authentication-Results: amx.b.example; none\r\n",
        "Authentication-Results: (mx.b.example) mx.a.example; none\r\n",
        "Authentication-Results: !!\r\n",
        "ARC-Authentication-Results: i=1; mx.b.example; none\r\n",
        "X-Authentication-Results: mx.b.example; none\r\n",
    ] {
        assert!(!gone(header), "{header}");
    }
    let header = "A: b\r\nAuthentication-Results: mx.b.example\r\nSubject: x\r\nMailward-Verdict: y\r\n z\r\n\r\n";
    let ranges = foreign(header.as_bytes(), &ours());
    let cut: Vec<&str> = ranges.into_iter().map(|range| header.get(range).unwrap()).collect();
    assert_eq!(cut, ["Authentication-Results: mx.b.example\r\n", "Mailward-Verdict: y\r\n z\r\n"]);
}

proptest! {
    #[test]
    fn nothing_outside_makes_it_stop(value in prop::collection::vec(any::<u8>(), 0..300)) {
        let _read = parse(&value);
        let header = [b"Authentication-Results: ".as_slice(), &value, b"\r\n"].concat();
        for range in foreign(&header, &ours()) {
            prop_assert!(header::fields(&header).any(|field| field.whole == range));
        }
    }

    #[test]
    fn whatever_reads_as_ours_goes(value in "[ \t]?(\"?mx\\.b\\.example\"?|mx\\.a\\.example)[ .]?[1;( )]{0,6}(none|spf=pass)?") {
        if let Ok(stated) = parse(value.as_bytes()) {
            let named = stated.server.trim_end_matches('.').eq_ignore_ascii_case("mx.b.example");
            prop_assert_eq!(gone(&format!("Authentication-Results:{value}\r\n")), named, "{}", value);
        }
    }
}
