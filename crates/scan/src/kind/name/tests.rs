use super::*;

#[test]
fn the_table_is_in_order() {
    assert!(EXTENSIONS.is_sorted_by(|a, b| a.0 < b.0));
    assert!(EXTENSIONS.iter().all(|(extension, ..)| *extension == extension.to_ascii_lowercase()));
}

#[test]
fn a_name_says_what_systems_would_do() {
    let family = |name: &str| by_name(name).map(|named| named.family);
    assert_eq!(family("a.exe"), Some(Family::Executable));
    assert_eq!(family("A.SCR"), Some(Family::Executable));
    assert_eq!(family("a.js"), Some(Family::Script));
    assert_eq!(family("a.lnk"), Some(Family::Shortcut));
    assert_eq!(family("a.img"), Some(Family::DiskImage));
    assert_eq!(family("a.pdf"), Some(Family::Document));
    assert_eq!(family("a"), None);
    assert_eq!(family("a.unknown"), None);
    assert_eq!(family("exe"), None);
    // As Windows reads them.
    assert_eq!(family("a.exe. . "), Some(Family::Executable));
    assert_eq!(family("a.exe::$DATA"), Some(Family::Executable));
    assert_eq!(family("a.exe:b.txt"), Some(Family::Executable));
    assert_eq!(family("C:\\x\\a.exe"), Some(Family::Executable));
    assert_eq!(family("a.pdf/"), Some(Family::Document));
    assert_eq!(family("a.{3050f4d8-98b5-11cf-bb82-00aa00bdce0b}"), Some(Family::Executable));
    assert_eq!(family("a.e\u{200b}xe"), Some(Family::Executable));
    assert_eq!(family("a\u{ff0e}exe"), Some(Family::Executable));
    assert_eq!(family("a.pdf\0.exe"), Some(Family::Executable));
}

#[test]
fn names_that_hide_are_told() {
    for name in [
        "invoice\u{202e}fdp.exe",
        "invoice.pdf.exe",
        "photo.jpg.js",
        "photo.jpg.html",
        "scan.pdf.lnk",
        "a.docx.iso",
        "a.pdf\0.exe",
        "a.pdf                .exe",
        "a.pdf\u{a0}\u{a0}\u{a0}\u{a0}.scr",
        "a     .pdf",
        "a.exe.",
        "a.exe ",
        "a.exe::$DATA",
        "a.txt::$DATA",
        "a.exe:Zone.Identifier",
        "a\u{2024}exe",
        "a.e\u{ad}xe",
        "a.pdf.one",
    ] {
        assert!(hides(name), "{name:?}");
    }
    assert!(hides(&format!("{}.exe", "a".repeat(300))));
}

#[test]
fn ordinary_names_hide_nothing() {
    for name in [
        "report.pdf",
        "report 2026.11.26.pdf",
        "setup.exe",
        "jquery.min.js",
        "backup.tar.gz",
        "photo.jpg.zip",
        "Re: lunch at 12:30.eml",
        "Thank you.",
        "Hello there. ",
        "report .pdf",
        "report.pdf ",
        "libfoo.so.1",
        "C:\\Users\\anna\\letter.doc",
        "a\tb.pdf",
        "",
        ".",
        "..",
        "\u{5d3}\u{5d5}\u{5d7}.pdf",
        "r\u{e9}sum\u{e9}.docx",
        "www.example.com",
        "page.html",
        "index.php.html",
        "a/b/c.txt",
        "v1.2.3.zip",
    ] {
        assert!(!hides(name), "{name:?}");
    }
}

#[test]
fn a_file_is_also_looked_at_as_what_it_is_called() {
    let as_named = |kind, name: &str, declared: &str| readings(kind, &[name.to_owned()], declared);
    assert_eq!(as_named(Kind::PlainText, "a.html", ""), [Kind::Html]);
    assert_eq!(as_named(Kind::PlainText, "a", "text/html"), [Kind::Html]);
    assert_eq!(as_named(Kind::Mail, "a.svg", ""), [Kind::Svg]);
    assert_eq!(as_named(Kind::Html, "a.htm", "text/html"), []);
    assert_eq!(as_named(Kind::PlainText, "a.txt", "text/plain"), []);
    assert_eq!(as_named(Kind::Pdf, "a.html", "text/html"), [], "no text");
}
