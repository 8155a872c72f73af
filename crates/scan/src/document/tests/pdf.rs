use super::*;

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
    assert_eq!(looked.text, "app.alert(1)\nPay \natonce\nhttps://example.com/x");
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
