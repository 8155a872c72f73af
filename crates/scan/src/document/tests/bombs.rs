//! Documents that cost more than they weigh. What is asserted is what came out and what was taken of the room; that the test
//! ends at all says that no step is taken for each pair of bytes, as inputs are long.

use super::*;

const FLOOD: usize = 200_000;

fn roomy() -> Room {
    Room { bytes: 200 << 20, items: 10_000, short: false }
}

/// Attacks E2: HTML entity and attribute floods, CSS nesting.
#[test]
fn floods_of_references_attributes_and_nesting_cost_no_more_than_their_length() {
    for page in [
        format!("<html>{}", "&".repeat(FLOOD)),
        format!("<html><a href='{}'>", "&a".repeat(FLOOD)),
        format!("<html>{}", "&#x;&#99999999999;".repeat(FLOOD / 8)),
        format!("<html><a {}>", "a=b ".repeat(FLOOD)),
        format!("<html>{}", "<a b='".repeat(FLOOD / 4)),
        format!("<html>{}", "<!--".repeat(FLOOD / 2)),
        format!("<html>{}", "<script>".repeat(FLOOD / 4)),
        format!("<html><style>{}", "a{".repeat(FLOOD)),
        format!("<html><style>{}</style>", "@media x{".repeat(FLOOD / 4)),
        format!("<html>{}", "<div>".repeat(FLOOD / 2)),
        format!("<html><script></script>{}", "data:x,".repeat(FLOOD / 4)),
        format!("<html><script></script>{}", "data:text/html,".repeat(FLOOD / 4)),
        format!("<html><script></script>{}", "%3c".repeat(FLOOD / 4)),
        format!("<html><script></script>{}", "1,".repeat(FLOOD)),
        format!("<html><script></script>{}", "'+'".repeat(FLOOD / 2)),
        format!("<html><script></script>{}", "A".repeat(FLOOD)),
    ] {
        let mut room = roomy();
        let looked = look(Kind::Html, page.as_bytes(), &mut room);
        assert!(looked.inner.len() < 10 && looked.text.len() <= SCAN_TEXT_MAX);
        assert!((200 << 20) - room.bytes <= 4 * u64::try_from(page.len()).unwrap(), "{}", &page[..40]);
    }
    let many = format!("<html><a {} onload=x()>", "a=b ".repeat(2_000));
    let mut room = roomy();
    let _ = look(Kind::Html, many.as_bytes(), &mut room);
    assert!(room.short, "what wasn't looked at is told");
}

/// Attacks E2: calendar recurrence.
#[test]
fn recurrences_are_lines_and_never_computed() {
    let event = "BEGIN:VEVENT\r\nDTSTART:19700101T000000Z\r\nRRULE:FREQ=SECONDLY;UNTIL=99991231T235959Z\r\nSUMMARY:x\r\nEND:VEVENT\r\n";
    let calendar = format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n", event.repeat(3_000));
    let mut room = roomy();
    let looked = look(Kind::Calendar, calendar.as_bytes(), &mut room);
    assert_eq!((looked.inner.len(), room.bytes), (0, 200 << 20));
    assert!(looked.text.len() <= SCAN_TEXT_MAX && looked.text.contains("RRULE"));
}

/// Attacks E2: vCard PHOTO.
#[test]
fn faces_without_number_give_no_files_without_number() {
    let letters = made::base64(&made::pe());
    let cards = format!("BEGIN:VCARD\r\n{}END:VCARD\r\n", format!("PHOTO;ENCODING=b:{letters}\r\n").repeat(2_000));
    let mut room = roomy();
    let looked = look(Kind::Contact, cards.as_bytes(), &mut room);
    assert_eq!((looked.inner.len(), room.short), (DOCUMENT_INNER_MAX, true));
    let one = format!("BEGIN:VCARD\r\nPHOTO;ENCODING=b:{}\r\n", "A".repeat(8 << 20));
    let mut room = Room { bytes: 1 << 20, items: 10, short: false };
    let looked = look(Kind::Contact, one.as_bytes(), &mut room);
    assert_eq!((looked.inner.len(), room.short), (0, true));
}

#[test]
fn packed_streams_end_at_the_limit() {
    let zeros = vec![0_u8; DOCUMENT_STREAM_MAX + 1_000_000];
    let packed = made::zlib(&zeros);
    let stream = [
        &b"%PDF-1.4\n1 0 obj<</Type/EmbeddedFile/Filter/FlateDecode>>\nstream\n"[..],
        &packed,
        b"\nendstream\nendobj\n",
    ]
    .concat();
    let mut room = roomy();
    let looked = look(Kind::Pdf, &stream, &mut room);
    assert_eq!((looked.inner[0].bytes.len(), room.short), (DOCUMENT_STREAM_MAX, true));
    let many = stream.repeat(40);
    let mut room = roomy();
    let _ = look(Kind::Pdf, &many, &mut room);
    assert!(room.short && (200 << 20) - room.bytes <= DOCUMENT_BYTES_MAX + 16, "{}", room.bytes);
}

#[test]
fn entries_that_share_their_bytes_end_at_the_limit() {
    let one = made::zip(&[("word/a.xml", &[b'<'; 3_000_000])], true);
    let at = crate::bytes::find(&one, b"PK\x01\x02").unwrap();
    let (data, rest) = one.split_at(at);
    let (record, end) = rest.split_at(crate::bytes::find(rest, b"PK\x05\x06").unwrap());
    let count = 6_000_u16;
    let mut end = end.to_vec();
    let size = u32::try_from(record.len() * usize::from(count)).unwrap();
    end[12..16].copy_from_slice(&size.to_le_bytes());
    let bomb = [data.to_vec(), record.repeat(usize::from(count)), end].concat();
    let mut room = roomy();
    let _ = look(Kind::Docx, &bomb, &mut room);
    assert!(room.short && (200 << 20) - room.bytes <= DOCUMENT_BYTES_MAX);
}

#[test]
fn compound_files_that_run_in_circles_end() {
    let mut file =
        made::compound(&[("WordDocument", &[7; 9_000]), ("Macros/VBA/dir", b"x"), ("Macros/VBA/_VBA_PROJECT", b"x")]);
    // Every sector of the table leads to sector 1.
    let table = (usize::from(file[76]) + 1) << file[30];
    for entry in file[table..table + 512].chunks_exact_mut(4) {
        entry.copy_from_slice(&1_u32.to_le_bytes());
    }
    let mut room = roomy();
    let _ = look(Kind::Word, &file, &mut room);
    assert!((200 << 20) - room.bytes < 10_000_000);
}

#[test]
fn rich_text_that_is_deeper_than_told_apart_is_read_to_its_end() {
    let deep = format!("{{\\rtf1 {}x{} end", "{".repeat(FLOOD), "}".repeat(FLOOD));
    let looked = look_as(Kind::Rtf, deep.as_bytes());
    assert_eq!(looked.text, "x end");
    let words = format!("{{\\rtf1 {}", "\\a".repeat(FLOOD));
    let _ = look_as(Kind::Rtf, words.as_bytes());
}

#[test]
fn strings_without_end_in_a_pdf_cost_no_more_than_a_few_readings() {
    for piece in ["(", "<", "<<", "/F(", "stream\n", "%", "/", "1 0 obj<</Type/ObjStm>>stream\n(", "BT(<"] {
        let bytes = format!("%PDF-1.4\n{}", piece.repeat(FLOOD / piece.len()));
        let _ = look_as(Kind::Pdf, bytes.as_bytes());
    }
}

#[test]
fn xml_that_is_no_xml_is_read_to_its_end() {
    for piece in ["<", "<a ", "<a b=", "<a b='", "&", "<!--", "<![CDATA[", "</", "<w:t>&"] {
        let part = format!("<?xml version='1.0'?><?mso-application?>{}", piece.repeat(FLOOD / piece.len()));
        let _ = look_as(Kind::OfficeXml, part.as_bytes());
    }
}
