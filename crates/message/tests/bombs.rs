//! Messages made to cost more than they weigh (attacks E2): what comes of them stays small. That the work grows with
//! the message only is shown beside the walker, by counting it.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]

use mailward_core::limits::{
    ENVELOPE_ADDRESSES_MAX, ENVELOPE_ADDRESSES_SUM_MAX, ENVELOPE_STRING_MAX, HEADER_BYTES_MAX, HEADER_FIELDS_MAX,
    MIME_PARAMETERS_MAX, RECEIVED_HOPS_MAX, SEARCH_TEXT_MAX,
};
use mailward_message::accept::{HeaderFault, check};
use mailward_message::{Structure, decode, header};

#[test]
fn half_a_million_addresses_are_cut_at_the_limit() {
    let message = format!("To: {}\r\nTo: {}\r\n\r\n", "a@b,".repeat(250_000), "c@d,".repeat(250_000));
    let structure = Structure::parse(message.as_bytes());
    assert_eq!(structure.envelope().to.len(), ENVELOPE_ADDRESSES_MAX);
    assert!(structure.to_bytes().len() < 32 * 1024);
}

#[test]
fn addresses_of_messages_inside_are_counted_together() {
    let inside = format!("--b\r\nContent-Type: message/rfc822\r\n\r\nTo: {}\r\n\r\n", "a,".repeat(2_000));
    let message = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", inside.repeat(400));
    let structure = Structure::parse(message.as_bytes());
    let sum: usize = structure.parts().filter_map(|p| p.message.as_ref()).map(|e| e.to.len()).sum();
    assert_eq!(sum, ENVELOPE_ADDRESSES_SUM_MAX);
}

#[test]
fn long_strings_are_cut_at_the_limit() {
    let long = "\u{e4}".repeat(1_000_000);
    let message = format!(
        "Subject: {long}\r\nMessage-ID: <{long}>\r\nIn-Reply-To: {long}\r\nReferences: {long}\r\nContent-Type: x/y; name=\"{long}\"\r\n\r\n"
    );
    let structure = Structure::parse(message.as_bytes());
    assert_eq!(structure.envelope().subject.as_ref().unwrap().len(), ENVELOPE_STRING_MAX);
    assert!(structure.to_bytes().len() < 5 * ENVELOPE_STRING_MAX);
}

#[test]
fn a_flood_of_parameters_is_cut_at_the_limit() {
    let numbered: String = (0..100_000).map(|n| format!(";n*{n}=x")).collect();
    let part = Structure::parse(format!("Content-Type: x/y{numbered}\r\n\r\n").as_bytes()).root().clone();
    assert_eq!(part.params, [("n".to_owned(), "x".repeat(MIME_PARAMETERS_MAX))]);
    let named: String = (0..100_000).map(|n| format!(";n{n}=x")).collect();
    let part = Structure::parse(format!("Content-Disposition: x{named}\r\n\r\n").as_bytes()).root().clone();
    assert_eq!(part.disposition.unwrap().params.len(), MIME_PARAMETERS_MAX);
    let backwards: String = (0..64).rev().map(|n| format!(";n*{n}*=%41")).collect();
    let part = Structure::parse(format!("Content-Type: x/y{backwards}\r\n\r\n").as_bytes()).root().clone();
    assert_eq!(part.param("n*").unwrap().len(), 64 * 3);
    assert!(
        Structure::parse(format!("Content-Language: {}\r\n\r\n", "de,".repeat(9_999)).as_bytes()).root().language.len()
            <= MIME_PARAMETERS_MAX
    );
}

#[test]
fn a_megabyte_of_encoded_words_is_decoded_once() {
    let words = "=?utf-8?q?=41?= ".repeat(70_000);
    assert!(decode::header_text(words.as_bytes()) == "A".repeat(70_000));
    // Beginnings without end cost no more.
    for broken in ["=?", "=?utf-8?q?", "=?utf-8?q?x?y", "=?x?x?x"] {
        let value = broken.repeat(100_000);
        assert!(decode::header_text(value.as_bytes()) == value, "{broken}");
    }
}

#[test]
fn floods_of_html_are_read_once() {
    for flood in [
        "<",
        "<a ",
        "<a b=\"",
        "<!--",
        "&",
        "&amp",
        "<script>",
        "</",
        "<div>",
        "<td>",
        "<style></",
        "<a b='>",
        "<!",
        "&#x0",
    ] {
        let _ = decode::html_text(&flood.repeat(200_000));
    }
    assert_eq!(decode::html_text(&"<div>".repeat(100_000)), "");
}

#[test]
fn text_to_search_in_stays_within_its_limit() {
    let body = "0123456789abcde\n".repeat(SEARCH_TEXT_MAX / 16 + 1_000);
    let part = format!("--b\r\n\r\n{body}\r\n");
    let message = format!("Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{part}{part}--b--");
    let text = decode::text_of(message.as_bytes(), &Structure::parse(message.as_bytes()));
    assert!(text.header.len() + text.body.len() <= SEARCH_TEXT_MAX);
    assert!(text.body.len() > SEARCH_TEXT_MAX / 2);
}

#[test]
fn a_header_past_its_limits_is_refused_by_name() {
    let fits = format!("A: {}\r\n\r\n", "x".repeat(HEADER_BYTES_MAX - 7));
    assert_eq!(check(fits.as_bytes()).unwrap().header_bytes, HEADER_BYTES_MAX);
    let large = format!("A: {}\r\n\r\n", "x".repeat(HEADER_BYTES_MAX - 6));
    assert_eq!(check(large.as_bytes()), Err(HeaderFault::TooLarge));
    let fields = "A: b\r\n".repeat(HEADER_FIELDS_MAX);
    assert_eq!(check(format!("{fields}\r\n").as_bytes()).unwrap().fields, HEADER_FIELDS_MAX);
    assert_eq!(check(format!("{fields}A: b\r\n\r\n").as_bytes()), Err(HeaderFault::TooManyFields));
    let hops = "Received: x\r\n by y\r\n".repeat(RECEIVED_HOPS_MAX);
    assert_eq!(check(format!("{hops}\r\n").as_bytes()).unwrap().received, RECEIVED_HOPS_MAX);
    assert_eq!(check(format!("{hops}RECEIVED : z\r\n\r\n").as_bytes()), Err(HeaderFault::TooManyHops));
}

#[test]
fn a_message_without_header_or_sense_is_accepted() {
    let facts = check(b"hello\r\nworld\r\n").unwrap();
    assert_eq!((facts.header_bytes, facts.starts_with_header, facts.has_empty_line), (0, false, false));
    let facts = check(b"").unwrap();
    assert_eq!((facts.header_bytes, facts.fields), (0, 0));
    let facts = check(b"\r\nbody").unwrap();
    assert_eq!((facts.header_bytes, facts.fields, facts.has_empty_line), (2, 0, true));
    let facts = check(b"From: a\r\nno field\r\nDate: x\r\nMessage-ID: y\r\n\r\nb\xe4\0").unwrap();
    assert_eq!((facts.fields, facts.from, facts.date, facts.message_id), (4, 1, 1, 1));
    assert!(
        facts.starts_with_header && facts.has_empty_line && facts.eight_bit && facts.nul && !facts.eight_bit_header
    );
    assert!(check("Subject: \u{e4}\r\n\r\n".as_bytes()).unwrap().eight_bit_header);
}

#[test]
fn choosing_among_many_fields_by_many_names_stays_small() {
    let header = format!("{}B: yes\r\n\r\n", "A: no\r\n".repeat(10_000));
    let names: Vec<String> = (0..10_000).map(|n| format!("x{n}")).chain(["b".to_owned()]).collect();
    assert_eq!(header::select(header.as_bytes(), &names, false), b"B: yes\r\n\r\n");
}
