use super::*;
use proptest::prelude::*;

fn of(message: &str) -> String {
    preview(message.as_bytes(), &Structure::parse(message.as_bytes()))
}

/// A multipart of parts, each its header and body.
fn multipart(subtype: &str, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--b-{subtype}\r\n{part}\r\n")).collect();
    format!("Content-Type: multipart/{subtype}; boundary=b-{subtype}\r\n\r\n{parts}--b-{subtype}--\r\n")
}

const PLAIN: &str = "Content-Type: text/plain; charset=utf-8\r\n\r\nplain words";
const HTML: &str = "Content-Type: text/html\r\n\r\n<style>p{}</style><p>HTML&nbsp;<b>words</b></p>";

#[test]
fn a_preview_is_the_first_text_that_is_shown() {
    for (message, text) in [
        ("Subject: x\r\n\r\nHello\r\n\r\n  world\t again\r\n".to_owned(), "Hello world again"),
        (PLAIN.to_owned(), "plain words"),
        (HTML.to_owned(), "HTML words"),
        (multipart("alternative", &[PLAIN, HTML]), "plain words"),
        (multipart("alternative", &[HTML, PLAIN]), "plain words"),
        (multipart("alternative", &["Content-Type: text/plain\r\n\r\n \r\n", HTML]), "HTML words"),
        // The first of what is shown in a row, not a list's footer after it.
        (multipart("mixed", &[HTML, PLAIN]), "HTML words"),
        (multipart("mixed", &[&multipart("alternative", &[PLAIN, HTML]), HTML]), "plain words"),
        (multipart("related", &[HTML, "Content-Type: image/png\r\n\r\nxx"]), "HTML words"),
        (multipart("mixed", &[&format!("Content-Disposition: attachment\r\n{PLAIN}"), HTML]), "HTML words"),
        (multipart("mixed", &["Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR", PLAIN]), "plain words"),
        (multipart("mixed", &[&format!("Content-Type: message/rfc822\r\n\r\nSubject: y\r\n{PLAIN}")]), "plain words"),
    ] {
        assert_eq!(of(&message), text, "{message}");
    }
}

#[test]
fn a_message_without_text_has_an_empty_preview() {
    for message in [
        "",
        "Subject: x\r\n\r\n",
        "Subject: x\r\n\r\n \r\n\t\r\n",
        "Content-Type: application/pdf\r\n\r\nJVBERi",
        "Content-Type: text/html\r\n\r\n<style>a {}",
        "Content-Disposition: attachment\r\n\r\ntext",
        &multipart("encrypted", &["Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1"]),
    ] {
        assert_eq!(of(message), "", "{message}");
    }
}

#[test]
fn encodings_and_charsets_are_undone() {
    let message = "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nsch=F6n=\r\ner Tag";
    assert_eq!(of(message), "sch\u{f6}ner Tag");
    let message = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZQ==";
    assert_eq!(of(message), "Gr\u{fc}\u{df}e");
}

#[test]
fn what_others_wrote_is_shown_only_if_nothing_else_is_there() {
    assert_eq!(of("A: x\r\n\r\n> theirs\r\n> more\r\n\r\nmine\r\n >> indented\r\n"), "mine");
    assert_eq!(of("A: x\r\n\r\n> theirs\r\n>\r\n> > more\r\n"), "theirs more");
}

#[test]
fn what_can_t_be_seen_is_left_out() {
    let body = "\u{feff}a\u{200b}b\u{0}c\u{1b}[1m \u{202e}d\u{ad} \u{200c}\u{a0}\u{200c} \u{a0}e\u{2028}f \u{200d}";
    let message = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{body}");
    assert_eq!(of(&message), "abc[1m d e f");
    // Where they join, joiners stay: of a family there would be four persons left.
    let message = "Content-Type: text/plain; charset=utf-8\r\n\r\n\u{1f468}\u{200d}\u{1f469} x";
    assert_eq!(of(message), "\u{1f468}\u{200d}\u{1f469} x");
}

#[test]
fn a_preview_is_cut_and_costs_the_same_whatever_the_size() {
    let message = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{}", "\u{20ac} ".repeat(100_000));
    let text = of(&message);
    assert_eq!(text.chars().count(), PREVIEW_CHARACTERS_MAX - 1, "no blank at the end");
    // What stands behind the bytes that are read is not found.
    let message = format!("A: x\r\n\r\n{}end", " ".repeat(PREVIEW_BYTES_MAX));
    assert_eq!(of(&message), "");
    // Parts without words are tried so often and no more.
    let empty = ["Content-Type: text/plain\r\n\r\n"; PREVIEW_PARTS_MAX - 1];
    assert_eq!(of(&multipart("mixed", &[&empty[..], &[PLAIN]].concat())), "plain words");
    assert_eq!(of(&multipart("mixed", &[&empty[..], &[empty[0], PLAIN]].concat())), "");
}

#[test]
fn another_message_s_structure_gives_no_harm() {
    let structure = Structure::parse(b"Subject: x\r\n\r\nlong enough body");
    assert_eq!(preview(b"", &structure), "");
    assert_eq!(preview(b"Subject: x\r\n\r\nlo", &structure), "");
}

proptest! {
    #[test]
    fn a_preview_is_one_short_line(
        body in proptest::collection::vec(
            prop_oneof![any::<char>().prop_map(String::from), "[a-z <>&;\r\n\t]{0,20}", Just("word ".to_owned())],
            0..120,
        ),
        html in any::<bool>(),
    ) {
        let subtype = if html { "html" } else { "plain" };
        let message = format!("Content-Type: text/{subtype}; charset=utf-8\r\n\r\n{}", body.concat());
        let text = of(&message);
        prop_assert!(text.chars().count() <= PREVIEW_CHARACTERS_MAX);
        prop_assert!(!text.chars().any(char::is_control) && text.trim() == text && !text.contains("  "));
    }
}
