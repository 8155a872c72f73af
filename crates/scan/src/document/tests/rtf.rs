use super::*;

/// An object as OLE 1 has it.
fn ole1(format: u32, class: &str, topic: &str, data: &[u8]) -> Vec<u8> {
    let mut out = 0x0501_u32.to_le_bytes().to_vec();
    out.extend_from_slice(&format.to_le_bytes());
    for text in [class, topic, ""] {
        let text = if text.is_empty() { String::new() } else { format!("{text}\0") };
        out.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend_from_slice(data);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn with_object() -> Vec<u8> {
    let compound = made::compound(&[("Equation Native", b"x")]);
    format!(
        "{{\\rtf1 Hello {{\\object\\objemb\\objupdate{{\\*\\objclass Equation.3}}{{\\*\\objdata {}}}}}}}",
        hex(&ole1(2, "Equation.3", "", &compound))
    )
    .into_bytes()
}

/// Attacks E3: RTF objects.
#[test]
fn objects_in_rich_text_come_out_however_they_are_disguised() {
    let looked = look_at(&with_object());
    assert_eq!(looked.traits, [Trait::Object, Trait::Launches]);
    assert_eq!(crate::kind::of(&looked.inner[0].bytes), Kind::Ole);
    assert!(looked.text.contains("Equation.3") && looked.text.contains("Hello"), "{}", looked.text);
    let compound = made::compound(&[("Workbook", b"x")]);
    let digits = hex(&ole1(2, "a", "", &compound));
    let (first, rest) = digits.split_at(101);
    for disguised in [
        format!("{{\\rt{{\\object{{\\objdata {first}\r\n \t{rest}}}}}"),
        format!("{{\\rtf1{{\\object{{\\*\\objdata{{\\*\\unknown 0123}}{first}{{\\*\\x ff}}{rest}}}}}}}"),
        format!("{{\\rtf1{{\\object{{\\*\\objdata {first}\\'ab{rest}}}}}}}"),
        format!("{{\\rtf1{{\\object{{\\*\\objdata {first}\\par\\pard {rest}"),
        format!("{{\\rtf1{{\\object{{\\*\\ObjData {}}}}}}}", digits.to_uppercase()),
    ] {
        let looked = look_at(disguised.as_bytes());
        assert_eq!(
            looked.inner.iter().map(|i| crate::kind::of(&i.bytes)).collect::<Vec<_>>(),
            [Kind::Excel],
            "{}",
            &disguised[..60]
        );
    }
    let mut raw = b"{\\rtf1{\\object{\\*\\objdata \\bin".to_vec();
    let object = ole1(2, "a", "", &compound);
    raw.extend_from_slice(format!("{} ", object.len()).as_bytes());
    raw.extend_from_slice(&object);
    raw.extend_from_slice(b"}}}");
    assert_eq!(crate::kind::of(&look_at(&raw).inner[0].bytes), Kind::Excel, "as bytes");
    let damaged = format!("{{\\rtf1{{\\*\\objdata ffffffff{}}}}}", hex(&compound));
    assert_eq!(crate::kind::of(&look_at(damaged.as_bytes()).inner[0].bytes), Kind::Excel, "its head is damaged");
}

#[test]
fn a_file_that_was_dragged_into_rich_text_has_its_name() {
    let mut native = b"\x02\0a.exe\0C:\\a.exe\0\0\0\x03\0\x09\0\0\0C:\\a.exe\0".to_vec();
    native.extend_from_slice(&u32::try_from(made::pe().len()).unwrap().to_le_bytes());
    native.extend(made::pe());
    let page = format!("{{\\rtf1{{\\object{{\\*\\objdata {}}}}}}}", hex(&ole1(2, "Package", "", &native)));
    let looked = look_at(page.as_bytes());
    assert_eq!(looked.inner, [Inner { names: vec!["a.exe".into()], bytes: made::pe(), wrapping: Wrapping::Entry }]);
}

#[test]
fn templates_links_and_exchange_in_rich_text_are_told() {
    assert_eq!(traits(b"{\\rtf1{\\*\\template https://example.com/a.dotm}}"), [Trait::Remote]);
    assert_eq!(traits(b"{\\rtf1{\\*\\template C:\\\\Normal.dotm}}"), []);
    assert_eq!(traits(b"{\\rtf1{\\field{\\*\\fldinst {DDEAUTO c:\\\\cmd.exe \"/k\"}}{\\fldrslt x}}}"), [Trait::Dde]);
    assert_eq!(traits(b"{\\rtf1{\\field{\\*\\fldinst HYPERLINK \"https://example.com\"}{\\fldrslt x}}}"), []);
    let linked = format!(
        "{{\\rtf1{{\\object\\objautlink{{\\*\\objdata {}}}}}}}",
        hex(&ole1(1, "htmlfile", "https://example.com/a.hta", b""))
    );
    assert_eq!(traits(linked.as_bytes()), [Trait::Object, Trait::Remote]);
}

#[test]
fn text_of_rich_text_comes_out() {
    let page = b"{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}{\\info{\\title secret}}Caf\\'e9 \\u8364?\\par\nnext{\\*\\generator Word;} \\{x\\}}";
    assert_eq!(look_at(page).text, "Caf\u{e9} \u{20ac}\nnext {x}");
}
