use super::*;
use proptest::prelude::*;

fn params(value: &str) -> Vec<(String, String)> {
    strings(parse_type(format!("x/y; {value}").as_bytes()).unwrap().params)
}

fn one(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

#[test]
fn types_are_read_in_lower_case_with_comments_and_folds_between() {
    let read = parse_type(b" (a) TEXT (b(c)) /\r\n Plain ; (d) Charset = \"UTF-8\" (e) ; format=flowed").unwrap();
    assert_eq!((read.media_type.as_str(), read.subtype.as_str()), ("text", "plain"));
    assert_eq!(
        strings(read.params),
        [("charset".to_owned(), "UTF-8".to_owned()), ("format".to_owned(), "flowed".to_owned())]
    );
    for no in ["", "text", "text/", "/plain", ";", "text;plain", "\"text\"/plain", "(text/plain"] {
        assert_eq!(parse_type(no.as_bytes()), None, "{no}");
    }
}

#[test]
fn continuations_are_joined_and_stay_encoded() {
    // RFC 2231 §3, §4 and §4.1.
    assert_eq!(params("URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/pub\""), one("url", "ftp://cs.utk.edu/pub"));
    assert_eq!(params("title*=us-ascii'en-us'This%20is"), one("title*", "us-ascii'en-us'This%20is"));
    assert_eq!(
        params(
            "title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\""
        ),
        one("title*", "us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it!")
    );
    assert_eq!(params("a*1=2; a*0=1"), one("a", "12"));
    assert_eq!(params("a*0=1; a*2=3"), one("a", "1"));
    assert_eq!(params("a*0=x y; a*1*=%41"), one("a*", "''x%41"));
    assert_eq!(params("a*1=2"), []);
    assert_eq!(params("a*00=1; a*x=2; *0=3; a**=4").len(), 4);
    assert_eq!(params("a*18446744073709551616=1").len(), 1);
    assert_eq!(params("a=1; a*0=2"), one("a", "1"));
}

#[test]
fn a_parameter_that_makes_no_sense_costs_only_itself() {
    assert_eq!(
        params("; ; a; =b; c=\"d\" e=f; g=h i"),
        [("c".to_owned(), "d".to_owned()), ("g".to_owned(), "h".to_owned())]
    );
    assert_eq!(params("a=\"never closed; b=c"), one("a", "never closed; b=c"));
    assert_eq!(params("a=\"q\\\"\\\\;\""), one("a", "q\"\\;"));
    assert_eq!(params("a="), one("a", ""));
}

#[test]
fn dispositions_and_languages_are_read() {
    let read = parse_disposition(b"ATTACHMENT (c); FileName=\"a b\"").unwrap();
    assert_eq!((read.kind.as_str(), read.param("filename")), ("attachment", Some("a b")));
    assert_eq!(parse_disposition(b" ; filename=x"), None);
    assert_eq!(parse_languages(b"de, en-GB (British) ,, x y,fr"), ["de", "en-GB", "x", "fr"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[ab*0-2='\";() %/\\\\]{0,80}") {
        for value in [bytes.as_slice(), text.as_bytes(), format!("a/b;{text}").as_bytes()] {
            let _ = (parse_disposition(value), parse_encoding(value), parse_languages(value), percent_decoded(value));
            if let Some(read) = parse_type(value) {
                prop_assert!(read.params.len() <= MIME_PARAMETERS_MAX);
                let _ = read.boundary();
            }
        }
    }

    #[test]
    fn a_value_cut_into_continuations_comes_back(value in "[a-z \u{e4}'%*]{1,60}", cut in 2_usize..20) {
        let bytes = value.as_bytes();
        let pieces: String = bytes
            .chunks(cut)
            .enumerate()
            .map(|(n, piece)| {
                let mut encoded = Vec::new();
                percent_encode(piece, &mut encoded);
                let charset = if n == 0 { "utf-8''" } else { "" };
                format!("; n*{n}*={charset}{}", String::from_utf8(encoded).unwrap())
            })
            .collect();
        let read = parse_type(format!("x/y{pieces}").as_bytes()).unwrap().params;
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(percent_decoded(&read[0].1), bytes);
    }
}
