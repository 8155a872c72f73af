use super::*;
use crate::structure::Structure;
use proptest::prelude::*;

fn names(header: &str) -> Vec<String> {
    raw(format!("{header}\r\n\r\n").as_bytes())
}

fn raw(message: &[u8]) -> Vec<String> {
    let structure = Structure::parse(message);
    let names = in_message(message, structure.root());
    assert_eq!(names.first().cloned().unwrap_or_default(), of(structure.root()).first().cloned().unwrap_or_default());
    names
}

/// Attacks E1.13.
#[test]
fn names_that_disagree_are_all_there() {
    let all = names(
        "Content-Type: application/pdf; name=\"d.pdf\"; name*=utf-8''c.pdf\r\n\
         Content-Disposition: attachment; filename=\"b.exe\"; filename*=utf-8''a%2Epdf",
    );
    assert_eq!(all, ["a.pdf", "b.exe", "utf-8''a%2Epdf", "d.pdf", "c.pdf", "utf-8''c.pdf"]);
    let twice = names(
        "Content-Disposition: attachment; filename=a.txt; filename=b.exe\r\nContent-Disposition: inline; filename=c.js\r\nContent-Type: x/y; name=d.scr\r\nContent-Type: x/y; name=e.vbs",
    );
    assert_eq!(twice, ["a.txt", "b.exe", "c.js", "d.scr", "e.vbs"]);
}

/// Attacks E1.13.
#[test]
fn continuations_give_what_any_program_could_make_of_them() {
    let all =
        names("Content-Disposition: attachment; filename*0=\"invoice.\"; filename*1=\"pdf\"; filename*3=\".exe\"");
    assert!(all[0] == "invoice.pdf" && all.contains(&"invoice.pdf.exe".to_owned()), "{all:?}");
    let all = names("Content-Type: x/y; name*0*=utf-8''%E4%BD; name*1*=%A0.; name*2=exe");
    assert_eq!(all[0], "\u{4f60}.exe");
}

/// Attacks E1.13.
#[test]
fn encoded_words_percents_and_bare_bytes_are_read_in_every_way() {
    assert_eq!(
        names("Content-Type: x/y; name=\"=?utf-8?Q?a=2Ee?=\r\n =?utf-8?Q?xe?=\""),
        ["a.exe", "=?utf-8?Q?a=2Ee?= =?utf-8?Q?xe?="]
    );
    assert_eq!(names("Content-Type: x/y; name=a%2Eexe"), ["a%2Eexe", "a.exe"]);
    let all = raw(b"Content-Type: text/plain; charset=koi8-r; name=\"\xc1\xc2.txt\"\r\n\r\n");
    assert_eq!(all, ["\u{c1}\u{c2}.txt", "\u{430}\u{431}.txt"]);
    assert_eq!(raw("Content-Type: x/y; name=J\u{f6}rg.doc\r\n\r\n".as_bytes()), ["J\u{f6}rg.doc"]);
    assert_eq!(
        names("Content-Disposition: attachment; filename*=iso-8859-1''%C3%B6.doc"),
        ["\u{c3}\u{b6}.doc", "\u{f6}.doc", "iso-8859-1''%C3%B6.doc"]
    );
}

/// Attacks E1.13.
#[test]
fn who_knows_neither_quotes_nor_comments_is_heard() {
    assert_eq!(names("Content-Type: x/y; name=my invoice.exe"), ["my", "my invoice.exe"]);
    assert_eq!(names("Content-Type: x/y; name=\"a.pdf\".exe"), ["a.pdf", "a.pdf.exe"]);
    assert_eq!(names("Content-Type: x/y; name=\"dir\\a.exe\""), ["dira.exe", "dir\\a.exe"]);
    assert_eq!(names("Content-Type: x/y; name=(c)a.txt"), ["a.txt", "(c)a.txt"]);
}

/// Attacks E1.13.
#[test]
fn what_hides_in_a_name_is_left_in_it() {
    assert_eq!(raw(b"Content-Type: x/y; name=\"a.pdf\0.exe\"\r\n\r\n"), ["a.pdf\u{fffd}.exe", "a.pdf"]);
    assert_eq!(names("Content-Type: x/y; name*=utf-8''a.pdf%00.exe")[..2], ["a.pdf\u{fffd}.exe", "a.pdf"]);
    assert_eq!(names("Content-Type: x/y; name*=utf-8''%E2%80%AEfdp.exe")[0], "\u{202e}fdp.exe");
    assert_eq!(names("Content-Type: x/y; name=\"../../a.exe.\""), ["../../a.exe."]);
    assert_eq!(names(&format!("Content-Type: x/y; name=\"{}.exe\"", "n".repeat(300)))[0].len(), 304);
}

#[test]
fn of_too_long_a_name_its_beginning_and_end_are_kept() {
    let long = format!("{}.exe", "\u{e4}".repeat(SCAN_NAME_MAX));
    let all = raw(format!("Content-Type: x/y; name=\"{long}\"\r\n\r\n").as_bytes());
    assert!(all[0].len() <= SCAN_NAME_MAX && all[0].starts_with('\u{e4}') && all[0].ends_with("\u{e4}.exe"));
}

#[test]
fn of_too_many_names_those_with_other_ends_are_kept() {
    let many: String = (0..40).map(|n| format!("; name=\"{n}.txt\"")).collect();
    let all = names(&format!("Content-Type: x/y{many}; name=last.exe"));
    assert_eq!(all.len(), SCAN_NAMES_MAX);
    assert_eq!(all[..2], ["0.txt", "last.exe"]);
    let flood = "Content-Type: x/y; name=z\r\n".repeat(500);
    assert_eq!(names(flood.trim_end()), ["z"]);
    let flood: String = (0..5_000).map(|n| format!("; name=\"{n}.e{n}\"")).collect();
    assert_eq!(names(&format!("Content-Type: x/y{flood}")).len(), SCAN_NAMES_MAX);
}

#[test]
fn without_a_name_a_description_or_location_that_looks_like_one_is_it() {
    assert_eq!(names("Content-Description: a.doc\r\nContent-Location: http://x/y/b%2Eexe"), ["a.doc", "b.exe"]);
    assert_eq!(names("Content-Description: Delivery report"), [""; 0]);
    assert_eq!(names("Content-Description: a.doc\r\nContent-Type: x/y; name=b.doc"), ["b.doc"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_pass_the_limits(
        value in proptest::collection::vec(any::<u8>(), 0..200),
        shaped in "[nameil*0-3='\";() %/\\\\A=?.\u{202e}-]{0,120}",
    ) {
        for value in [value.as_slice(), shaped.as_bytes()] {
            let mut message = b"Content-Disposition: attachment; filename=".to_vec();
            message.extend_from_slice(value);
            message.extend_from_slice(b"\r\nContent-Type: x/y; name");
            message.extend_from_slice(value);
            message.extend_from_slice(b"\r\n\r\n");
            let structure = Structure::parse(&message);
            for part in structure.parts() {
                for names in [of(part), in_message(&message, part)] {
                    prop_assert!(names.len() <= SCAN_NAMES_MAX);
                    if let Some(first) = file_name(part) {
                        prop_assert_eq!(names.first().cloned(), Some(shortened(first)));
                    }
                    for name in &names {
                        prop_assert!(!name.is_empty() && name.len() <= SCAN_NAME_MAX && !name.contains(char::is_control));
                    }
                }
            }
        }
    }
}
