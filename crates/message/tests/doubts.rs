//! Attacks E1: messages that two programs read in two ways, one file each in `corpus/`, with what is said of them and whether
//! what hides in them is given to scanners. Line ends are CRLF but where that is the point.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::enum_glob_use,
    reason = "tests may stop at what isn't as it should be"
)]

use mailward_core::limits::{AMBIGUITIES_OF_A_KIND_MAX, MIME_DEPTH_MAX, MIME_PARTS_MAX, READINGS_MAX};
use mailward_message::ambiguity::{self, Ambiguity, Grade, Kind, Kind::*, Readings};
use mailward_message::{Structure, decode};

/// What hides, decoded.
const PAYLOAD: &[u8] = b"MAILWARD PAYLOAD";

/// Who sees the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    /// There is none, or it needs a decoder that isn't here.
    None,
    /// It is a part, or within one.
    Part,
    /// It is in another reading only.
    Reading,
}

fn look(message: &[u8]) -> (Vec<Ambiguity>, Readings) {
    let structure = Structure::parse(message);
    let doubts = ambiguity::find(message, &structure);
    for doubt in &doubts {
        assert!(doubt.part < structure.parts().count() && doubt.at <= message.len() as u64, "{doubt:?}");
        assert!(!doubt.evidence.contains(char::is_control), "{doubt:?}");
    }
    let readings = ambiguity::readings(message, &structure, &doubts);
    (doubts, readings)
}

fn kinds(message: &[u8]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = look(message).0.iter().map(|doubt| doubt.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn check(name: &str, wanted: &[Kind], payload: Payload) {
    let path = format!("{}/tests/corpus/E1-{name}.eml", env!("CARGO_MANIFEST_DIR"));
    let message = std::fs::read(path).unwrap();
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(kinds(&message), wanted, "{name}");
    let structure = Structure::parse(&message);
    let leaves = structure.parts().filter(|p| !p.is_multipart() && !p.is_message());
    let holds = |bytes: &[u8]| bytes.windows(PAYLOAD.len()).any(|w| w == PAYLOAD);
    let seen = if leaves.into_iter().any(|p| holds(&decode::part_bytes(&message, p))) {
        Payload::Part
    } else if look(&message).1.files.iter().any(|reading| holds(&reading.bytes)) {
        Payload::Reading
    } else {
        Payload::None
    };
    assert_eq!(seen, payload, "{name}");
}

/// One test for one file.
macro_rules! doubts {
    ($($(#[$doc:meta])* $test:ident: $name:literal [$($kind:ident),*] $payload:ident;)*) => {
        $($(#[$doc])* #[test] fn $test() { check($name, &[$($kind),*], Payload::$payload); })*

        #[test]
        fn every_file_of_the_corpus_has_its_test() {
            let mut named = vec![$(format!("E1-{}.eml", $name),)*];
            named.sort_unstable();
            let corpus = format!("{}/tests/corpus", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<String> =
                std::fs::read_dir(corpus).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
            files.sort_unstable();
            assert_eq!(files, named);
        }
    };
}

doubts! {
    ordinary_mail_is_beyond_doubt: "00-ordinary" [] None;
    /// Attacks E1.1.
    e1_01_a_second_type_that_makes_other_parts: "01-type-twice" [ContentTypeTwice] Reading;
    /// Attacks E1.1.
    e1_01_a_second_type_of_no_parts: "01-type-again" [ContentTypeAgain] None;
    /// Attacks E1.1.
    e1_01_a_second_type_that_says_the_same: "01-type-same" [FieldTwice] None;
    /// Attacks E1.1.
    e1_01_a_second_encoding: "01-encoding-twice" [EncodingTwice] Reading;
    /// Attacks E1.1.
    e1_01_a_second_boundary: "01-boundary-twice" [BoundaryInDoubt] Reading;
    /// Attacks E1.1.
    e1_01_a_boundary_in_a_comment: "01-boundary-in-comment" [BoundaryInDoubt] Reading;
    /// Attacks E1.1.
    e1_01_a_boundary_in_quotes: "01-boundary-in-quotes" [BoundaryInDoubt] Reading;
    /// Attacks E1.1.
    e1_01_a_second_charset: "01-charset-twice" [ParameterTwice] None;
    /// Attacks E1.1.
    e1_01_a_second_disposition: "01-disposition-twice" [DispositionTwice] None;
    /// Attacks E1.1.
    e1_01_a_second_version: "01-version-twice" [MimeVersionTwice] None;
    /// Attacks E1.2.
    e1_02_no_boundary: "02-boundary-missing" [BoundaryMissing] Reading;
    /// Attacks E1.2.
    e1_02_an_empty_boundary: "02-boundary-empty" [BoundaryMissing] Reading;
    /// Attacks E1.2.
    e1_02_a_boundary_of_71_characters: "02-boundary-71" [BoundaryLong] None;
    /// Attacks E1.2.
    e1_02_a_boundary_of_300_characters: "02-boundary-300" [BoundaryInDoubt, BoundaryMissing] Reading;
    /// Attacks E1.2.
    e1_02_a_boundary_with_quotes_and_backslashes: "02-boundary-odd" [BoundaryOdd] None;
    /// Attacks E1.2.
    e1_02_a_boundary_that_should_be_quoted: "02-boundary-unquoted" [] None;
    /// Attacks E1.2.
    e1_02_a_boundary_of_two_words: "02-boundary-two-words" [BoundaryComment, BoundaryInDoubt, BoundaryMissing] Reading;
    /// Attacks E1.2.
    e1_02_a_boundary_with_a_blank_at_its_end: "02-boundary-blank-at-end" [BoundaryOdd] None;
    /// Attacks E1.2.
    e1_02_a_boundary_with_a_comment: "02-boundary-comment" [BoundaryComment] None;
    /// Attacks E1.2.
    e1_02_a_boundary_in_pieces: "02-boundary-continued" [BoundaryExtended] None;
    /// Attacks E1.2.
    e1_02_a_boundary_in_pieces_beside_a_plain_one: "02-boundary-continued-and-plain" [BoundaryExtended, BoundaryInDoubt] Reading;
    /// Attacks E1.2.
    e1_02_a_boundary_in_percents: "02-boundary-percent" [BoundaryExtended] None;
    /// Attacks E1.2.
    e1_02_a_boundary_as_an_encoded_word: "02-boundary-word" [BoundaryExtended, BoundaryInDoubt, BoundaryMissing] Reading;
    /// Attacks E1.2.
    e1_02_a_boundary_without_a_semicolon: "02-no-semicolon" [BoundaryInDoubt, BoundaryMissing] Reading;
    /// Attacks E1.2.
    e1_02_a_multipart_without_parts: "02-no-parts" [PartsMissing] None;
    /// Attacks E1.3.
    e1_03_an_inner_boundary_that_an_outer_one_begins_with: "03-prefix" [BoundaryPrefix] None;
    /// Attacks E1.3.
    e1_03_the_same_boundary_inside: "03-same" [BoundaryReused] None;
    /// Attacks E1.3.
    e1_03_a_line_that_is_nearly_a_delimiter: "03-nearly" [DelimiterNearly] Reading;
    /// Attacks E1.4.
    e1_04_the_first_delimiter_right_behind_the_header: "04-first-delimiter" [] None;
    /// Attacks E1.4.
    e1_04_a_delimiter_within_the_header: "04-in-header" [DelimiterInHeader, LineWithoutColon] None;
    /// Attacks E1.4.
    e1_04_a_delimiter_ends_a_header: "04-header-without-end" [HeaderWithoutEnd] None;
    /// Attacks E1.5.
    e1_05_parts_after_the_close: "05-parts-after-close" [PartsAfterClose] Reading;
    /// Attacks E1.5.
    e1_05_a_part_in_the_epilogue: "05-epilogue" [EpiloguePayload] Reading;
    /// Attacks E1.5.
    e1_05_a_file_in_the_epilogue: "05-epilogue-uuencoded" [EpiloguePayload] None;
    /// Attacks E1.5.
    e1_05_a_part_in_the_preamble: "05-preamble" [PreamblePayload] Reading;
    /// Attacks E1.5.
    e1_05_the_usual_preamble: "05-usual" [] None;
    /// Attacks E1.5.
    e1_05_a_preamble_of_an_old_program: "05-old-program" [] None;
    /// Attacks E1.5.
    e1_05_the_footer_of_a_list: "05-list-footer" [EpilogueText] None;
    /// Attacks E1.5.
    e1_05_no_close: "05-no-close" [CloseMissing] None;
    /// Attacks E1.6.
    e1_06_a_line_of_blanks_before_fields_that_count: "06-blanks-in-header" [HeaderBroken, Base64Trailing] Reading;
    /// Attacks E1.6.
    e1_06_a_line_of_blanks_in_a_subject: "06-blanks-in-subject" [BlankLine] None;
    /// Attacks E1.6.
    e1_06_a_line_of_blanks_before_all_fields_that_count: "06-blanks-before-mime" [BlankLine] None;
    /// Attacks E1.7.
    e1_07_a_line_without_colon_before_fields_that_count: "07-no-colon" [HeaderBroken, Base64Trailing] Reading;
    /// Attacks E1.7.
    e1_07_a_line_without_colon: "07-no-colon-later" [LineWithoutColon] None;
    /// Attacks E1.7.
    e1_07_a_first_line_that_is_no_field: "07-first-line" [HeaderBroken] Reading;
    /// Attacks E1.7.
    e1_07_a_nul_in_a_header: "07-nul" [NulInHeader, NameDisguised] Reading;
    /// Attacks E1.7.
    e1_07_a_bare_cr_before_a_field: "07-cr" [CrInHeader] Reading;
    /// Attacks E1.7.
    e1_07_a_bare_cr_in_a_subject: "07-cr-in-subject" [CrInValue] None;
    /// Attacks E1.7.
    e1_07_a_bare_cr_before_a_delimiter: "07-cr-before-delimiter" [DelimiterAfterCr] Reading;
    /// Attacks E1.7.
    e1_07_line_ends_of_two_kinds: "07-lf" [LineEndsMixed] None;
    /// Attacks E1.7.
    e1_07_line_ends_of_one_kind: "07-lf-alone" [] None;
    /// Attacks E1.7.
    e1_07_a_name_of_8_bit: "07-8-bit-name" [NameOdd] None;
    /// Attacks E1.7.
    e1_07_a_name_of_mime_in_disguise: "07-disguised-name" [NameDisguised] Reading;
    /// Attacks E1.7.
    e1_07_an_empty_line_of_the_other_kind: "07-lf-empty-line" [LineEndsMixed] Reading;
    /// Attacks E1.7.
    e1_07_a_line_of_a_mailbox_within: "07-mbox-within" [HeaderBroken, Base64Trailing] Reading;
    /// Attacks E1.7.
    e1_07_a_blank_before_the_colon: "07-blank-before-colon" [BlankBeforeColon] Part;
    /// Attacks E1.7.
    e1_07_the_line_of_a_mailbox: "07-mbox" [] None;
    /// A date that overflowed old programs.
    e1_07_a_long_date: "07-long-date" [DateLong] None;
    /// A version that overflowed old programs.
    e1_07_a_long_version: "07-long-version" [MimeVersionLong] None;
    /// Attacks E1.8.
    e1_08_an_unknown_encoding: "08-unknown" [EncodingUnknown] Reading;
    /// Attacks E1.8.
    e1_08_an_unknown_encoding_that_is_base64: "08-unknown-hides" [EncodingHides] Reading;
    /// Attacks E1.8.
    e1_08_a_blank_behind_the_encoding: "08-blank" [] Part;
    /// Attacks E1.8.
    e1_08_an_encoding_in_capitals: "08-case" [] Part;
    /// Attacks E1.8.
    e1_08_a_quoted_encoding: "08-quoted" [EncodingWritten] Part;
    /// Attacks E1.8.
    e1_08_an_encoding_of_two_words: "08-comment" [EncodingWritten] Reading;
    /// Attacks E1.8.
    e1_08_uuencode_as_an_encoding: "08-uuencode" [EncodingRare] None;
    /// Attacks E1.8.
    e1_08_a_multipart_encoded_whole: "08-multipart-hidden" [PartsEncoded] Reading;
    /// Attacks E1.8.
    e1_08_a_multipart_said_to_be_encoded: "08-multipart" [MultipartEncoded] None;
    /// Attacks E1.8.
    e1_08_a_message_encoded: "08-message" [MessageEncoded] None;
    /// Attacks E1.9.
    e1_09_junk_in_base64: "09-junk" [Base64Junk, Base64Padding] Part;
    /// Attacks E1.9.
    e1_09_padding_within: "09-padding-within" [Base64Padding] Part;
    /// Attacks E1.9.
    e1_09_two_encodings_in_one_line: "09-concatenated" [Base64Padding] Part;
    /// Attacks E1.9.
    e1_09_no_padding: "09-no-padding" [Base64Incomplete] Part;
    /// Attacks E1.9.
    e1_09_a_long_line: "09-long-line" [LineLong] None;
    /// Attacks E1.9.
    e1_09_the_alphabet_of_urls: "09-url-alphabet" [Base64Junk, Base64Padding] Part;
    /// Attacks E1.9.
    e1_09_the_footer_of_a_list: "09-list-footer" [Base64Trailing] Part;
    /// Attacks E1.10.
    e1_10_chopped_lines: "10-chopped" [QuotedChopped] Part;
    /// Attacks E1.10.
    e1_10_a_blank_behind_a_soft_break: "10-blank-behind-break" [QuotedBlank] Part;
    /// Attacks E1.10.
    e1_10_small_digits: "10-lower" [QuotedLower] Part;
    /// Attacks E1.10.
    e1_10_an_end_within: "10-truncated" [QuotedInvalid] None;
    /// Attacks E1.11.
    e1_11_uuencode: "11-uuencode" [FileInText] None;
    /// Attacks E1.11.
    e1_11_yenc: "11-yenc" [FileInText] None;
    /// Attacks E1.11.
    e1_11_binhex: "11-binhex" [FileInText] None;
    /// Attacks E1.11.
    e1_11_words_that_only_begin_so: "11-no-file" [] None;
    /// Attacks E1.12.
    e1_12_html_in_utf_7: "12-utf-7-html" [CharsetUtf7Html] Reading;
    /// Attacks E1.12.
    e1_12_text_in_utf_7: "12-utf-7" [CharsetUtf7] Reading;
    /// Attacks E1.12.
    e1_12_html_in_utf_16: "12-utf-16" [CharsetWide] Reading;
    /// Attacks E1.12.
    e1_12_iso_2022_kr: "12-iso-2022-kr" [CharsetShift] None;
    /// Attacks E1.12.
    e1_12_iso_2022_jp: "12-iso-2022-jp" [] None;
    /// Attacks E1.12.
    e1_12_overlong_characters: "12-overlong" [CharsetOverlong] Reading;
    /// Attacks E1.12.
    e1_12_an_unknown_charset: "12-unknown" [CharsetUnknown] None;
    /// Attacks E1.13.
    e1_13_names_that_disagree: "13-disagree" [NamesDisagree] None;
    /// Attacks E1.13.
    e1_13_pieces_that_disagree: "13-continued" [NamesDisagree] None;
    /// Attacks E1.13.
    e1_13_a_name_with_and_without_its_end: "13-differ" [NamesDiffer] None;
    /// Attacks E1.13.
    e1_13_names_of_one_file_in_many_forms: "13-encoded-word" [] None;
    /// Attacks E1.13.
    e1_13_ends_that_mean_the_same: "13-jpeg" [] None;
    /// Attacks E1.13.
    e1_13_names_in_bare_bytes_of_japan: "13-shift-jis" [] None;
    /// Attacks E1.13.
    e1_13_a_name_that_turns_its_direction: "13-override" [NameOverride] None;
    /// Attacks E1.13.
    e1_13_a_name_with_dot_and_blank_at_its_end: "13-tail" [NameTail] None;
    /// Attacks E1.13.
    e1_13_a_nul_in_a_name: "13-nul" [NameControl] None;
    /// Attacks E1.13.
    e1_13_a_name_of_300_characters: "13-long" [NameLong] None;
    /// Attacks E1.13.
    e1_13_a_name_that_leads_out: "13-leads-out" [NameLeadsOut] None;
    /// Attacks E1.14.
    e1_14_a_piece_of_a_message: "14-partial" [MessagePartial] None;
    /// Attacks E1.14.
    e1_14_a_body_elsewhere: "14-external-body" [ExternalBody] None;
    /// Attacks E1.14.
    e1_14_related_parts_that_begin_with_another: "14-related-start" [RelatedStart] None;
    /// Attacks E1.14.
    e1_14_related_parts_that_begin_with_none: "14-related-start-missing" [RelatedStartMissing] None;
    /// Attacks E1.14.
    e1_14_two_forks: "14-appledouble" [AppleDouble] None;
    /// Attacks E2.
    e1_17_more_parameters_than_are_read: "17-parameters" [ParametersMany] None;
}

/// Attacks E1.16.
#[test]
fn e1_16_messages_in_messages_past_the_depth() {
    let message =
        format!("{}Subject: x\r\n\r\nHello.\r\n", "Content-Type: message/rfc822\r\n\r\n".repeat(MIME_DEPTH_MAX + 9));
    assert_eq!(kinds(message.as_bytes()), [TooDeep]);
    let message = "Content-Type: message/rfc822\r\n\r\n".repeat(MIME_DEPTH_MAX - 1) + "\r\nHello.\r\n";
    assert_eq!(kinds(message.as_bytes()), []);
}

/// Attacks E1.16.
#[test]
fn e1_16_multiparts_in_multiparts_past_the_depth() {
    let open = |n: usize| {
        (0..n).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}-\r\n\r\n--b{n}-\r\n")).collect::<String>()
    };
    let close = |n: usize| (0..n).rev().map(|n| format!("\r\n--b{n}---\r\n")).collect::<String>();
    let message = |n| format!("{}Content-Type: text/plain\r\n\r\nHello.{}", open(n), close(n));
    assert_eq!(kinds(message(MIME_DEPTH_MAX).as_bytes()), []);
    let found = kinds(message(MIME_DEPTH_MAX + 9).as_bytes());
    assert!(found.contains(&TooDeep), "{found:?}");
}

/// Attacks E1.16: nesting that doesn't hold together is one tree.
#[test]
fn e1_16_multiparts_that_end_each_other() {
    let message = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--a--\r\n--b--\r\n--a\r\nContent-Type: text/html\r\n\r\nMAILWARD PAYLOAD\r\n--a--\r\n";
    let (doubts, readings) = look(message.as_bytes());
    assert!(doubts.iter().any(|d| d.kind == PartsAfterClose), "{doubts:?}");
    assert!(readings.files.iter().any(|r| r.bytes == PAYLOAD));
}

/// Attacks E1.17.
#[test]
fn e1_17_ten_thousand_parts_the_last_of_them_a_message() {
    let message = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\n--b--\r\n",
        "--b\r\n\r\nx\r\n".repeat(9_999)
    );
    assert_eq!(kinds(message.as_bytes()), [TooManyParts]);
    let few = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
        "--b\r\n\r\nx\r\n".repeat(MIME_PARTS_MAX - 2)
    );
    assert_eq!(kinds(few.as_bytes()), []);
}

#[test]
fn of_a_kind_no_more_is_told_than_says_something() {
    let part = "--b\r\nContent-Transfer-Encoding: x\r\nContent-Type: message/partial\r\n\r\nx\r\n".repeat(100);
    let message = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{part}--b--\r\n");
    let (doubts, _) = look(message.as_bytes());
    assert_eq!(doubts.iter().filter(|d| d.kind == MessagePartial).count(), AMBIGUITIES_OF_A_KIND_MAX);
    assert_eq!(doubts.iter().filter(|d| d.kind == EncodingUnknown).count(), AMBIGUITIES_OF_A_KIND_MAX);
    // Of those that aren't told, the readings aren't made.
    assert!(doubts.iter().any(|d| d.kind == TooMuch));
}

#[test]
fn readings_are_bounded_and_nothing_is_given_twice() {
    let parts: String = (0..500).map(|n| format!("--c\r\nContent-Type: text/plain\r\n\r\n{n}\r\n")).collect();
    let message = format!(
        "Content-Type: multipart/mixed; boundary=b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n{parts}--c--\r\n"
    );
    let (_, readings) = look(message.as_bytes());
    assert!(readings.cut && readings.files.len() == READINGS_MAX);
    for (at, reading) in readings.files.iter().enumerate() {
        assert!(readings.files.iter().skip(at + 1).all(|other| other.bytes != reading.bytes));
    }
}

#[test]
fn a_part_s_number_is_imap_s() {
    let message = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n1\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n2.1\r\n--b\r\n\r\n2.2\r\n--b--\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n3.1\r\n--a--\r\n";
    let structure = Structure::parse(message);
    let numbers: Vec<String> = (0..structure.parts().count()).map(|part| ambiguity::number(&structure, part)).collect();
    assert_eq!(numbers, ["0", "1", "2", "2.0", "2.1", "2.2", "3", "3.1"]);
    assert_eq!(ambiguity::number(&Structure::parse(b"Subject: x\r\n\r\n"), 0), "1");
}

#[test]
fn names_of_kinds_are_words_and_there_is_one_of_each() {
    let mut names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Kind::ALL.len());
    assert!(Kind::ALL.iter().all(|kind| kind.says().ends_with('.')));
    assert!(Grade::Harmless < Grade::Doubtful && Grade::Doubtful < Grade::Hostile);
}

const BEGIN: &str = "<!-- Written by `MAILWARD_WRITE_DOCS=1 cargo test -p mailward-message printed`. -->\n";
const END: &str = "<!-- To here. -->\n";

#[test]
fn the_printed_list_of_kinds_is_current() {
    let path = format!("{}/../../docs/ambiguous-mail.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, behind) = rest.split_once(END).unwrap();
    let mut table = "| kind | grade | what it is | other readings |\n|---|---|---|---|\n".to_owned();
    for kind in Kind::ALL {
        let read = if kind.is_read() { "scanned" } else { "" };
        table += &format!("| `{}` | {} | {} | {read} |\n", kind.name(), kind.grade().name(), kind.says());
    }
    let written = format!("{before}{BEGIN}{table}{END}{behind}");
    if std::env::var_os("MAILWARD_WRITE_DOCS").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page == written, "docs/ambiguous-mail.md: MAILWARD_WRITE_DOCS=1 cargo test -p mailward-message printed");
}
