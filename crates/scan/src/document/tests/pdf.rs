use super::*;
use mailward_core::limits::{PDF_GLYPHS_MAX, PDF_SHOWN_MAX};

fn stream(number: usize, dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut out = format!("{number} 0 obj\n<<{dictionary}/Length {}>>\nstream\r\n", data.len()).into_bytes();
    out.extend_from_slice(data);
    out.extend_from_slice(b"\nendstream\nendobj\n");
    out
}

fn pdf(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec(), parts.concat(), b"trailer<</Root 1 0 R>>\n%%EOF\n".to_vec()].concat()
}

fn object(text: &str) -> Vec<u8> {
    format!("1 0 obj\n{text}\nendobj\n").into_bytes()
}

pub(super) fn with_everything() -> Vec<u8> {
    pdf(&[
        object("<</OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>>>"),
        object("<</Type/Filespec/F(invoice.exe)/UF(invoice.exe)/EF<</F 7 0 R>>>>"),
        stream(7, "/Type/EmbeddedFile/Filter/FlateDecode", &made::zlib(&made::pe())),
        stream(8, "/Filter/FlateDecode", &made::zlib(b"BT (Pay ) Tj 0 -10 Td [(at) -300 (once)] TJ ET")),
        stream(
            9,
            "/Type/ObjStm/Filter[/ASCIIHexDecode/FlateDecode]",
            made::zlib(b"<</S/URI/URI(https://example.com/x)>>")
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<String>()
                .as_bytes(),
        ),
    ])
}

/// Attacks E3: PDF launch.
#[test]
fn what_a_pdf_does_is_found_behind_escapes_and_in_packed_objects() {
    assert_eq!(traits(&pdf(&[object("<</S/Launch/Win<</F(cmd.exe)/P(/c calc)>>>>")])), [Trait::Launches]);
    assert_eq!(traits(&pdf(&[object("<</S/#4caunch>>")])), [Trait::Launches]);
    assert_eq!(traits(&pdf(&[object("<</S/J#61vaScript/J#53(x)>>")])), [Trait::Script]);
    let packed = stream(5, "/Type/ObjStm/N 1/First 4/Filter/FlateDecode", &made::zlib(b"9 0 <</S/Launch/F(a.exe)>>"));
    assert_eq!(traits(&pdf(&[packed])), [Trait::Launches]);
    assert_eq!(traits(&pdf(&[object("<</S/SubmitForm/F(https://example.com/)>>")]))[0], Trait::Form);
    assert_eq!(traits(&pdf(&[object("<</Subtype/RichMedia>>")])), [Trait::Object]);
    assert_eq!(traits(&pdf(&[object("<</S/GoToR/F(\\\\\\\\192.0.2.1\\\\x)>>")])), [Trait::Remote]);
    let encrypted = [pdf(&[stream(5, "/Type/ObjStm", b"rubbish")]), b"trailer<</Encrypt 5 0 R>>".to_vec()].concat();
    assert_eq!(traits(&encrypted), [Trait::Encrypted]);
}

#[test]
fn words_in_strings_and_comments_are_no_actions() {
    assert_eq!(traits(&pdf(&[object("<</URI(https://example.com/Launch/JS/JavaScript)>>")])), []);
    assert_eq!(traits(&pdf(&[object("% /Launch\n<</Title(about /Launch)/OpenAction[3 0 R/Fit]>>")])), []);
    // But a string without an end hides nothing.
    assert_eq!(traits(&pdf(&[object("<</Title(open"), object("<</S/Launch>>")])), [Trait::Launches]);
}

#[test]
fn files_text_and_addresses_of_a_pdf_come_out() {
    let looked = look_at(&with_everything());
    assert_eq!(looked.traits, [Trait::Script, Trait::Object]);
    assert_eq!(
        looked.inner,
        [Inner { names: vec!["invoice.exe".into()], bytes: made::pe(), wrapping: Wrapping::Entry }]
    );
    assert_eq!(looked.text, "app.alert(1)\nhttps://example.com/x\nPay \nat once");
}

#[test]
fn streams_end_where_they_end_whatever_they_say() {
    let mut lies = b"5 0 obj\n<</Type/EmbeddedFile/Length 999999>>\nstream\nhello\nendstream\nendobj\n".to_vec();
    lies.extend(object("<</S/Launch>>"));
    let looked = look_at(&pdf(&[lies]));
    assert_eq!(
        (looked.inner[0].bytes.as_slice(), looked.traits),
        (&b"hello\n"[..], vec![Trait::Object, Trait::Launches])
    );
}

#[test]
fn filters_unpack() {
    let file = |filter: &str, data: &[u8]| {
        look_at(&pdf(&[stream(5, &format!("/Type/EmbeddedFile/Filter/{filter}"), data)])).inner[0].bytes.clone()
    };
    assert_eq!(file("ASCII85Decode", b"87cURD]i,\"Ebo80~>"), b"Hello World!");
    assert_eq!(file("RunLengthDecode", b"\x01ab\xfdc\x80"), b"abcccc");
    assert_eq!(file("LZWDecode", b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01"), b"-----A---B", "the standard's example");
    assert_eq!(file("AHx", b"48 65 6c6C6f>"), b"Hello");
}

/// A font's map: `1`, `2`, … mean the letters of a word; 0x20 and the rest of ASCII mean themselves, in a row.
fn map(word: &str) -> Vec<u8> {
    let letters: String = word
        .chars()
        .enumerate()
        .map(|(at, letter)| format!("<{:04x}> <{:04x}>\n", at + 1, u32::from(letter)))
        .collect();
    format!(
        "/CMapName /X def begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange\n\
         {} beginbfchar\n{letters}endbfchar 2 beginbfrange <0020> <007e> <0020> <0100> <0101> [<00660066> <d83dde00>]\n\
         endbfrange endcmap",
        word.len()
    )
    .into_bytes()
}

fn page(text: &str) -> Vec<u8> {
    stream(20, "/Filter/FlateDecode", &made::zlib(format!("BT {text} ET").as_bytes()))
}

#[test]
fn numbers_of_glyphs_are_read_by_the_fonts_own_map() {
    let font = b"2 0 obj\n<</Type/Page/Resources<</Font<</F1 3 0 R>>>>>>\nendobj\n3 0 obj\n<</Type/Font/ToUnicode 4 0 R>>\nendobj\n";
    let shown = "/F1 9 Tf <000100020003> Tj [<0004>-80<0005>-300<0001>] TJ T* <01000101003f> Tj";
    let text = |parts: &[Vec<u8>]| look_at(&pdf(parts)).text;
    // The page may stand before what it needs.
    assert_eq!(text(&[page(shown), font.to_vec(), stream(4, "", &map("Mahnu"))]), "Mahnu M\nff\u{1f600}?");
    // In packed objects as well, whose numbers stand before them all.
    let packed = b"2 0 3 35 <</Type/Page/Font<</F1 3 0 R>>>>   <</Type/Font/ToUnicode 4 0 R>>";
    let packed = stream(5, "/Type/ObjStm/N 2/First 9/Filter/FlateDecode", &made::zlib(packed));
    assert_eq!(text(&[packed, page(shown), stream(4, "", &map("Mahnu"))]), "Mahnu M\nff\u{1f600}?");
    // Without a map there is nothing to read.
    assert_eq!(text(&[page(shown), font.to_vec()]), "");
}

#[test]
fn letters_that_are_moved_along_a_line_are_read_with_a_blank_and_without() {
    let text = |shown: &str| look_at(&pdf(&[page(shown)])).text;
    let moved = "1 0 0 -1 8 31 Tm (The ) Tj ET BT 1 0 0 -1 40 31.2 Tm (W) Tj 16.6 0 Td (olf) Tj 0 -12 Td (bites) Tj";
    assert_eq!(text(moved), "The Wolf\nbites\nThe W olf\nbites");
    assert_eq!(text("8 31 Td (one) Tj ET 1 0 0 1 0 9 cm BT 8 31 Td (two) Tj"), "one\ntwo", "another place on the page");
}

#[test]
fn fonts_that_share_a_name_give_a_reading_each() {
    let fonts = b"2 0 obj\n<</Font<</F1 3 0 R>>>>\nendobj\n3 0 obj\n<</ToUnicode 4 0 R>>\nendobj\n\
        6 0 obj\n<</Font<</F1 7 0 R>>>>\nendobj\n7 0 obj\n<</ToUnicode 8 0 R>>\nendobj\n";
    let parts = [
        fonts.to_vec(),
        stream(4, "", &map("dull")),
        stream(8, "", &map("loud")),
        page("/F1 9 Tf <0001000200030004> Tj"),
    ];
    assert_eq!(look_at(&pdf(&parts)).text, "dull\nloud");
    let parts = [
        fonts.to_vec(),
        stream(4, "", &map("no")),
        stream(8, "", &map("loud")),
        page("/F1 9 Tf <0001000200030004> Tj"),
    ];
    assert_eq!(look_at(&pdf(&parts)).text, "loud\nno", "the one that explains all comes first");
}

#[test]
fn maps_and_pages_without_end_stay_within_their_limits() {
    let font = b"2 0 obj\n<</F1 3 0 R>>\nendobj\n3 0 obj\n<</ToUnicode 4 0 R>>\nendobj\n";
    // One map fills the room, the next one finds none.
    let after = |entries: usize| {
        let codes: String = (0..entries).map(|code| format!("<{code:08x}> <0041> ")).collect();
        let full = format!("begincmap beginbfchar {codes} endbfchar");
        let parts =
            [stream(9, "", full.as_bytes()), font.to_vec(), stream(4, "", &map("ab")), page("/F1 9 Tf <00010002> Tj")];
        look_at(&pdf(&parts)).text
    };
    assert_eq!((after(PDF_GLYPHS_MAX - 10), after(PDF_GLYPHS_MAX)), ("ab".to_owned(), String::new()));
    // A page of nothing but blanks fills the room of the next one.
    let after = |lines: usize| look_at(&pdf(&[page(&"[-300]".repeat(lines)), page("(the end) Tj")])).text;
    assert_eq!((after(PDF_SHOWN_MAX / 8 - 10), after(PDF_SHOWN_MAX / 8)), ("the end".to_owned(), String::new()));
}

#[test]
fn glyphs_that_mean_much_swell_no_further_than_text_may() {
    // Each code means 32 letters, in four fonts of one name; the page shows as many codes as there is room for.
    let wide = format!("begincmap beginbfchar <01> <{}> endbfchar endcmap", "0041".repeat(32));
    let mut parts: Vec<Vec<u8>> = (0..4)
        .map(|font| {
            let (own, map) = (100 + font, 200 + font);
            format!("{} 0 obj\n<</F1 {own} 0 R>>\nendobj\n{own} 0 obj\n<</ToUnicode {map} 0 R>>\nendobj\n", 300 + font)
                .into_bytes()
        })
        .collect();
    parts.extend((0..4).map(|font| stream(200 + font, "", wide.as_bytes())));
    let shown = format!("/F1 9 Tf {}", "(\u{1}\u{1}\u{1}\u{1}) Tj ".repeat(PDF_SHOWN_MAX / 16));
    parts.push(page(&shown));
    let bytes = pdf(&parts);
    assert_eq!(look_at(&bytes).text.len(), SCAN_TEXT_MAX);
}

#[test]
fn names_that_call_everything_on_every_page_cost_no_more_than_once() {
    let mut parts = vec![b"1 0 obj\n<<".to_vec()];
    parts.extend((0..20_000).map(|to| format!("/F1 {} 0 R", to + 10).into_bytes()));
    parts.push(b">>\nendobj\n".to_vec());
    parts.extend((0..5_000).map(|_| stream(5, "", b"BT /F1 9 Tf <0001> Tj ET")));
    parts.push(page("(the end) Tj"));
    assert_eq!(look_at(&pdf(&parts)).text, "the end");
}
