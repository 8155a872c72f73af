use super::*;

/// A project of macros as OOXML has it.
pub(super) fn project(source: &str) -> Vec<u8> {
    made::compound(&[("VBA/dir", b"x"), ("VBA/_VBA_PROJECT", b"\xcc\x61"), ("VBA/Module1", &module(source))])
}

pub(super) fn word(source: &str) -> Vec<u8> {
    made::compound(&[
        ("WordDocument", &[0xec; 1_500]),
        ("Macros/VBA/dir", b"x"),
        ("Macros/VBA/_VBA_PROJECT", b"\xcc\x61"),
        ("Macros/VBA/Module1", &module(source)),
    ])
}

pub(super) fn docx(more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut entries: Vec<(&str, &[u8])> = vec![(
        "[Content_Types].xml",
        b"<Types><Override ContentType='application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml'/></Types>",
    )];
    entries.extend_from_slice(more);
    made::zip(&entries, true)
}

fn xlsx(more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut entries: Vec<(&str, &[u8])> = vec![("[Content_Types].xml", b"<Types>spreadsheetml.sheet.main</Types>")];
    entries.extend_from_slice(more);
    made::zip(&entries, true)
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend_from_slice(&u16::try_from(data.len()).unwrap().to_le_bytes());
    out.extend_from_slice(data);
    out
}

fn sheets(kind: u8, name: &[u8]) -> Vec<u8> {
    let mut stream = record(0x0809, &[0, 6, 5, 0, 0, 0, 0, 0]);
    stream.extend(record(0x0085, &[0, 0, 0, 0, 0, kind, 6, 0, b'M', b'a', b'c', b'r', b'o', b'1']));
    stream.extend(record(0x0018, name));
    stream
}

/// A built-in name: Auto_Open.
const AUTO_OPEN: &[u8] = &[0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

pub(super) fn workbook() -> Vec<u8> {
    made::compound(&[("Workbook", &sheets(1, AUTO_OPEN))])
}

fn native(label: &str, data: &[u8]) -> Vec<u8> {
    let mut out = b"\x02\0".to_vec();
    out.extend_from_slice(label.as_bytes());
    out.extend_from_slice(b"\0C:\\Users\\a\\");
    out.extend_from_slice(label.as_bytes());
    out.extend_from_slice(b"\0\0\0\x03\0");
    let path = format!("C:\\Temp\\{label}\0");
    out.extend_from_slice(&u32::try_from(path.len()).unwrap().to_le_bytes());
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend_from_slice(data);
    out
}

pub(super) fn packaged() -> Vec<u8> {
    let data = native("invoice.exe", &made::pe());
    let mut sized = u32::try_from(data.len()).unwrap().to_le_bytes().to_vec();
    sized.extend(data);
    made::compound(&[("WordDocument", &[0; 1_500]), ("ObjectPool/_1/\u{1}Ole10Native", &sized)])
}

pub(super) fn saved_message() -> Vec<u8> {
    made::compound(&[
        ("__properties_version1.0", &[0; 32]),
        ("__substg1.0_0037001F", &made::wide("Invoice 5")),
        ("__substg1.0_1000001F", &made::wide("Please see the file.")),
        ("__attach_version1.0_#00000000/__substg1.0_37010102", &made::pe()),
        ("__attach_version1.0_#00000000/__substg1.0_3707001F", &made::wide("invoice.exe")),
        (
            "__attach_version1.0_#00000001/__substg1.0_3701000D/__attach_version1.0_#00000000/__substg1.0_37010102",
            b"deep",
        ),
    ])
}

pub(super) fn open_document() -> Vec<u8> {
    made::zip(
        &[
            ("mimetype", b"application/vnd.oasis.opendocument.text"),
            (
                "content.xml",
                b"<office:document-content><office:scripts><office:event-listeners><script:event-listener script:event-name='dom:load' xlink:href='vnd.sun.star.script:Standard.M.Main?language=Basic'/></office:event-listeners></office:scripts><text:p>Hello &amp; welcome</text:p></office:document-content>",
            ),
            ("Basic/Standard/M.xml", b"<script:module>Sub Main\nShell(\"calc\")\nEnd Sub</script:module>"),
        ],
        false,
    )
}

#[test]
fn the_examples_of_the_standard_unpack() {
    let packed = b"\x01\x2f\xb0\x00\x23\x61\x61\x61\x62\x63\x64\x65\x82\x66\x00\x70\x61\x67\x68\x69\x6a\x01\x38\x08\x61\x6b\x6c\x00\x30\x6d\x6e\x6f\x70\x06\x71\x02\x70\x04\x10\x72\x73\x74\x75\x76\x10\x77\x78\x79\x7a\x00\x3c";
    assert_eq!(macros::decompress(packed, 1 << 20), b"#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa");
    assert_eq!(macros::decompress(b"\x01\x03\xb0\x02\x61\x45\x00", 1 << 20), vec![b'a'; 73]);
    assert_eq!(macros::decompress(&super::packed(&"Hello ".repeat(1_000)), 1 << 20), "Hello ".repeat(1_000).as_bytes());
}

/// Attacks E3: macro OLE.
#[test]
fn macros_of_old_documents_are_found_and_whether_they_run_by_themselves() {
    let looked = look_at(&word(RUNS));
    assert_eq!(looked.traits, [Trait::Macro, Trait::MacroRuns]);
    assert!(looked.text.contains("Shell \"calc.exe\""), "{}", looked.text);
    assert_eq!(traits(&word(WAITS)), [Trait::Macro]);
    assert_eq!(traits(&word("Option Explicit\r\n' nothing\r\n")), [], "Excel writes empty modules into every workbook");
    let mut gone = module(RUNS);
    gone.truncate(700);
    let stomped = made::compound(&[
        ("WordDocument", &[0; 100]),
        ("Macros/VBA/_VBA_PROJECT", b"\xcc\x61 Document_Open Shell"),
        ("Macros/VBA/Module1", &gone),
    ]);
    assert_eq!(traits(&stomped), [Trait::Macro, Trait::MacroRuns], "the source was taken out");
}

#[test]
fn streams_of_every_length_are_read_from_sectors_of_every_size() {
    for version in [cfb::Version::V3, cfb::Version::V4] {
        for len in [1, 63, 64, 65, 4_095, 4_096, 4_097, 300_000] {
            let data: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let file = made::compound_of(
                version,
                &[("WordDocument", &[1; 5_000]), ("a/b/Package", &data), ("c/CONTENTS", &[2; 70])],
            );
            let inner: Vec<_> = look_at(&file).inner.into_iter().map(|inner| inner.bytes).collect();
            assert!(inner.contains(&data) && inner.contains(&vec![2; 70]), "{version:?} {len}");
        }
    }
    // More sectors than the head's list of the table's sectors reaches.
    let data: Vec<u8> = (0..9_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let inner = look_at(&made::compound(&[("Package", &data)])).inner;
    assert!(inner[0].bytes == data);
}

/// Attacks E3: macro OOXML.
#[test]
fn macros_of_packages_are_found_whatever_they_are_called() {
    for name in ["word/vbaProject.bin", "word/x.dat"] {
        let looked = look_at(&docx(&[(name, &project(RUNS))]));
        assert_eq!(looked.traits, [Trait::Macro, Trait::MacroRuns], "{name}");
    }
    assert_eq!(
        traits(&xlsx(&[("xl/vbaProject.bin", &project("Private Sub Workbook_Open()\r\nEnd Sub\r\n"))])),
        [Trait::Macro, Trait::MacroRuns]
    );
    let called_back = xlsx(&[
        ("xl/vbaProject.bin", &project("Sub Ribbon(r)\r\nShell \"x\"\r\nEnd Sub\r\n")),
        ("customUI/customUI.xml", b"<customUI onLoad='Ribbon'/>"),
    ]);
    assert_eq!(traits(&called_back), [Trait::Macro, Trait::MacroRuns]);
    let in_page = [&b"ActiveMime\0\0\xf0\x01\x04\0\0\0"[..], &[0; 32], &made::zlib(&project(RUNS))].concat();
    let looked = look_at(&in_page);
    assert_eq!(
        (looked.traits, traits(&looked.inner[0].bytes)),
        (vec![Trait::Macro], vec![Trait::Macro, Trait::MacroRuns])
    );
}

#[test]
fn sheets_of_macros_are_found() {
    assert_eq!(traits(&workbook()), [Trait::Macro, Trait::MacroRuns]);
    assert_eq!(traits(&made::compound(&[("Workbook", &sheets(0, AUTO_OPEN))])), [], "a name alone is none");
    assert_eq!(traits(&made::compound(&[("Book", &sheets(1, &[0; 20]))])), [Trait::Macro]);
    let named =
        b"<workbook><definedNames><definedName name='_xlnm.Auto_Open'>M!$A$1</definedName></definedNames></workbook>";
    assert_eq!(
        traits(&xlsx(&[("xl/workbook.xml", named), ("xl/macrosheets/sheet1.xml", b"<macrosheet/>")])),
        [Trait::Macro, Trait::MacroRuns]
    );
    let binary = [b"\x01\x02".to_vec(), made::wide("_xlnm.Auto_Open")].concat();
    assert_eq!(
        traits(&xlsx(&[("xl/workbook.bin", &binary), ("xl/macrosheets/sheet1.bin", b"\x01\x02")])),
        [Trait::Macro, Trait::MacroRuns]
    );
}

/// Attacks E3: DDE.
#[test]
fn exchange_with_other_programs_is_found_in_every_document() {
    let split = b"<w:document><w:p><w:fldChar w:fldCharType='begin'/><w:instrText>DDE</w:instrText><w:instrText>AUTO c:\\\\cmd.exe</w:instrText><w:fldChar w:fldCharType='separate'/></w:p></w:document>";
    assert_eq!(traits(&docx(&[("word/document.xml", split)])), [Trait::Dde]);
    assert_eq!(traits(&docx(&[("word/d.xml", b"<x:d><x:fldSimple x:instr=' dde cmd'/></x:d>")])), [Trait::Dde]);
    assert_eq!(
        traits(&docx(&[("word/d.xml", b"<w:d><w:p><w:r><w:instrText> PAGE </w:instrText></w:r></w:p></w:d>")])),
        []
    );
    let linked = xlsx(&[(
        "xl/externalLinks/externalLink1.xml",
        b"<externalLink><ddeLink ddeService='cmd' ddeTopic='/c calc'/></externalLink>",
    )]);
    assert_eq!(traits(&linked), [Trait::Dde]);
    let mut target = vec![1, 0];
    target.extend_from_slice(&[16, 0, 0]);
    target.extend_from_slice(b"cmd\x03'/c calc.exe'");
    assert_eq!(traits(&made::compound(&[("Workbook", &record(0x01ae, &target))])), [Trait::Dde]);
    let mut main = vec![0; 1_536];
    main[24..28].copy_from_slice(&1_000_u32.to_le_bytes());
    main[28..32].copy_from_slice(&1_030_u32.to_le_bytes());
    main[1_000..1_028].copy_from_slice(b"See \x13 DDEAUTO c:\\\\cmd x\x14y\x15 end"[..28].try_into().unwrap());
    assert_eq!(traits(&made::compound(&[("WordDocument", &main)])), [Trait::Dde]);
    assert_eq!(traits(b"name,price\n=cmd|'/c calc'!A0,1\n"), [Trait::Dde]);
    assert_eq!(traits(b"name,price\n\"=DDE(\"\"cmd\"\";\"\"/c calc\"\";\"\"x\"\")\",1\n"), [Trait::Dde]);
    assert_eq!(traits(b"a | b | it's done!\n-5|x\n"), []);
    assert_eq!(traits(b"<office:document-content>opendocument<table:dde-link/></office:document-content>"), []);
    let sheet = made::zip(
        &[
            ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
            ("content.xml", b"<o:d><office:dde-source/></o:d>"),
        ],
        false,
    );
    assert_eq!(traits(&sheet), [Trait::Dde]);
    assert_eq!(traits(b"ID;PWXL;N;E\r\nC;Y1;X1;ECMD|'/c calc'!A0\r\nE\r\n"), [Trait::Dde]);
}

#[test]
fn templates_and_objects_from_elsewhere_are_told_and_links_are_not() {
    let related = |kind: &str, target: &str| {
        let rels = format!(
            "<Relationships><Relationship Id='r1' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}' Target='{target}' TargetMode='External'/></Relationships>"
        );
        traits(&docx(&[("word/_rels/settings.xml.rels", rels.as_bytes())]))
    };
    assert_eq!(related("attachedTemplate", "http://example.com/a.dotm"), [Trait::Remote]);
    assert_eq!(related("attachedTemplate", "file:///C:\\Templates\\Normal.dotm"), []);
    assert_eq!(related("oleObject", "mhtml:http://example.com/x!x-usc:http://example.com/x"), [Trait::Remote]);
    assert_eq!(related("frame", "\\\\192.0.2.1\\x"), [Trait::Remote]);
    assert_eq!(related("image", "file://192.0.2.1/x.png"), [Trait::Remote], "the password's hash goes there");
    assert_eq!(related("image", "https://example.com/x.png"), []);
    assert_eq!(related("hyperlink", "https://example.com/"), []);
    assert_eq!(related("externalLinkPath", "file:///\\\\server\\share\\book.xlsx"), []);
}

#[test]
fn files_that_were_put_into_documents_come_out_with_their_names() {
    let looked = look_at(&packaged());
    assert_eq!(looked.traits, [Trait::Object]);
    assert_eq!(
        looked.inner,
        [Inner { names: vec!["invoice.exe".into()], bytes: made::pe(), wrapping: Wrapping::Entry }]
    );
    let message = look_at(&saved_message());
    assert_eq!(
        message.inner[0],
        Inner { names: vec!["invoice.exe".into()], bytes: made::pe(), wrapping: Wrapping::Entry }
    );
    assert_eq!(message.inner[1].bytes, b"deep", "of the message in it");
    assert!(message.text.contains("Invoice 5") && message.text.contains("see the file"), "{}", message.text);
    let mut link = vec![0_u8; 8];
    link[4] = 1;
    link.extend(made::wide("https://example.com/a.hta"));
    assert_eq!(traits(&made::compound(&[("\u{1}Ole", &link)])), [Trait::Remote]);
    let equation = made::compound(&[("Equation Native", b"x")]);
    assert_eq!(traits(&equation), [Trait::Object]);
    let slides = [
        &b"\x10\0\x11\x10"[..],
        &u32::try_from(made::zlib(&word(RUNS)).len() + 4).unwrap().to_le_bytes(),
        &[0; 4],
        &made::zlib(&word(RUNS)),
    ]
    .concat();
    let looked = look_at(&made::compound(&[("PowerPoint Document", &slides)]));
    assert_eq!(traits(&looked.inner[0].bytes), [Trait::Macro, Trait::MacroRuns]);
}

#[test]
fn encrypted_documents_are_told() {
    assert_eq!(
        traits(&made::compound(&[("EncryptedPackage", &[1; 64]), ("EncryptionInfo", b"x")])),
        [Trait::Encrypted]
    );
    let mut main = vec![0; 1_000];
    main[11] = 1;
    assert_eq!(traits(&made::compound(&[("WordDocument", &main)])), [Trait::Encrypted]);
    assert_eq!(traits(&made::compound(&[("Workbook", &record(0x2f, &[1, 0]))])), [Trait::Encrypted]);
    let manifest = b"<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>";
    let odt = made::zip(
        &[("mimetype", b"application/vnd.oasis.opendocument.text"), ("META-INF/manifest.xml", manifest)],
        false,
    );
    assert_eq!(traits(&odt), [Trait::Encrypted]);
}

#[test]
fn text_of_documents_comes_out() {
    let body = b"<w:document><w:p><w:r><w:t>Hello &amp; </w:t></w:r><w:r><w:t>welcome</w:t></w:r></w:p><w:p><w:t>again</w:t></w:p></w:document>";
    assert_eq!(look_at(&docx(&[("word/document.xml", body)])).text, "Hello & welcome\nagain");
    let strings = b"<sst><si><t>one</t></si><si><r><t>tw</t></r><r><t>o</t></r></si></sst>";
    assert_eq!(look_at(&xlsx(&[("xl/sharedStrings.xml", strings)])).text, "one\ntwo");
    assert!(look_at(&open_document()).text.contains("Hello & welcome"));
    // A table of strings, one of which goes on in the next record.
    let mut table = vec![2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, b'o', b'n', b'e', 5, 0, 0, b't', b'w'];
    let mut stream = record(0x00fc, &table);
    table = vec![1, b'o', 0, b'!', 0, b'!', 0];
    stream.extend(record(0x003c, &table));
    assert_eq!(look_at(&made::compound(&[("Workbook", &stream)])).text, "one\ntwo!!");
    let slides = [&b"\0\0\xa0\x0f\x0a\0\0\0"[..], &made::wide("Hello"), b"\0\0\xa8\x0f\x03\0\0\0you"].concat();
    assert_eq!(look_at(&made::compound(&[("PowerPoint Document", &slides)])).text, "Hello\nyou");
    // A table of pieces: one of one byte a character, one of two.
    let mut main = vec![0; 2_000];
    main[11] = 2;
    main[0x1a2..0x1a6].copy_from_slice(&10_u32.to_le_bytes());
    main[0x1a6..0x1aa].copy_from_slice(&33_u32.to_le_bytes());
    main[1_000..1_006].copy_from_slice(b"Hello ");
    main[1_100..1_108].copy_from_slice(&made::wide("Word"));
    let mut table = vec![0; 10];
    table.push(2);
    table.extend_from_slice(&28_u32.to_le_bytes());
    for cp in [0_u32, 6, 10] {
        table.extend_from_slice(&cp.to_le_bytes());
    }
    for fc in [2_000_u32 | 0x4000_0000, 1_100] {
        table.extend_from_slice(&[0, 0]);
        table.extend_from_slice(&fc.to_le_bytes());
        table.extend_from_slice(&[0, 0]);
    }
    assert_eq!(look_at(&made::compound(&[("WordDocument", &main), ("1Table", &table)])).text, "Hello Word");
}

#[test]
fn documents_in_one_xml_file_are_looked_at() {
    let macros =
        made::base64(&[&b"ActiveMime\0\0\xf0\x01\x04\0\0\0"[..], &[0; 32], &made::zlib(&project(RUNS))].concat());
    let word = format!(
        "<?xml version='1.0'?><?mso-application progid='Word.Document'?><w:wordDocument><w:docSuppData><w:binData w:name='editdata.mso'>{macros}</w:binData></w:docSuppData></w:wordDocument>"
    );
    let looked = look_at(word.as_bytes());
    assert_eq!(
        (crate::kind::of(&looked.inner[0].bytes), looked.inner[0].names[0].as_str()),
        (Kind::ActiveMime, "editdata.mso")
    );
    let excel = "<?xml version='1.0'?><Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'><Cell ss:Formula=\"=cmd|'/c calc'!A0\"><Data>Hello</Data></Cell></Workbook>";
    let looked = look_at(excel.as_bytes());
    assert_eq!((looked.traits, looked.text.as_str()), (vec![Trait::Dde], "Hello"));
}

#[test]
fn macros_of_open_documents_are_found() {
    assert_eq!(traits(&open_document()), [Trait::Macro, Trait::MacroRuns]);
}
