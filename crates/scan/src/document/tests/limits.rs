//! Each limit of documents, passed: what is beyond is told, or is less than what does harm.

use super::*;
use mailward_core::limits::{
    DOCUMENT_ENTRIES_MAX, KIND_ENTRIES_MAX, OLE_ENTRIES_MAX, PAGE_ATTRIBUTES_MAX, PAGE_BASE64_MIN, PAGE_NUMBERS_MIN,
    PDF_FILTERS_MAX, PDF_OBJECTS_MAX, RTF_DEPTH_MAX,
};

/// What was found, and whether it is told that there is more.
fn looked(kind: Kind, bytes: &[u8]) -> (Looked, bool) {
    let mut room = Room { bytes: 200 << 20, items: 10_000, short: false };
    let looked = look(kind, bytes, &mut room);
    (looked, room.short)
}

#[test]
fn a_compound_file_with_more_entries_than_are_read_is_told() {
    let with = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("n{n:05}")).collect();
        let streams: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        looked(Kind::Ole, &made::compound(&streams)).1
    };
    // Its root is one of them.
    assert!(!with(OLE_ENTRIES_MAX / 2));
    assert!(with(OLE_ENTRIES_MAX));
}

#[test]
fn a_package_with_more_entries_than_are_read_is_told() {
    let with = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("word/{n}.bin")).collect();
        let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
        let package = made::zip(&entries, false);
        (looked(Kind::Docx, &package).1, looked(Kind::OpenDocument, &package).1)
    };
    assert_eq!(with(DOCUMENT_ENTRIES_MAX - 1), (false, false));
    assert_eq!(with(DOCUMENT_ENTRIES_MAX), (true, true));
}

#[test]
fn what_a_zip_is_is_told_by_its_first_entries() {
    let with = |before: usize| {
        let names: Vec<String> = (0..before).map(|n| format!("{n}")).collect();
        let mut entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
        entries.push(("META-INF/MANIFEST.MF", b"Main-Class: A\n"));
        crate::kind::of(&made::zip(&entries, false))
    };
    assert_eq!(with(KIND_ENTRIES_MAX - 1), Kind::Jar);
    assert_eq!(with(2 * KIND_ENTRIES_MAX), Kind::Zip);
}

#[test]
fn a_pdf_with_more_streams_or_filters_than_are_looked_at_is_told() {
    let with = |count: usize| {
        let pdf = format!("%PDF-1.4\n{}", "1 0 obj<<>>stream\nx\nendstream\nendobj\n".repeat(count));
        looked(Kind::Pdf, pdf.as_bytes()).1
    };
    assert!(!with(PDF_OBJECTS_MAX / 2));
    assert!(with(PDF_OBJECTS_MAX + 1));
    let packed = |filters: usize| {
        let data = (0..filters)
            .fold(made::pe(), |data, _| data.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
        let head = format!("%PDF-1.4\n1 0 obj<</Type/EmbeddedFile/Filter[{}]>>stream\n", "/AHx".repeat(filters));
        let (found, short) = looked(Kind::Pdf, &[head.as_bytes(), &data, b"\nendstream\nendobj\n"].concat());
        (found.inner.iter().any(|inner| inner.bytes.starts_with(b"MZ")), short)
    };
    assert_eq!(packed(PDF_FILTERS_MAX), (true, false));
    assert_eq!(packed(PDF_FILTERS_MAX + 1), (false, true));
}

#[test]
fn a_tag_with_more_attributes_than_are_looked_at_is_told() {
    let with = |count: usize| {
        let page = format!("<html><a {}onclick=x()>", "a=b ".repeat(count));
        looked(Kind::Html, page.as_bytes()).1
    };
    assert!(!with(PAGE_ATTRIBUTES_MAX / 2));
    assert!(with(PAGE_ATTRIBUTES_MAX));
}

#[test]
fn files_in_a_page_are_found_from_a_length_on_that_is_shorter_than_any_program() {
    let page = |script: &str| {
        let page = format!("<html><script>{script}</script>");
        looked(Kind::Html, page.as_bytes()).0.inner.iter().any(|inner| inner.bytes.starts_with(b"MZ"))
    };
    let program = made::pe();
    let letters = |bytes: usize| made::base64(&program[..bytes]);
    assert!(program.len() * 4 / 3 > PAGE_BASE64_MIN && program.len() > PAGE_NUMBERS_MIN);
    assert!(page(&format!("let a = '{}'", letters(PAGE_BASE64_MIN * 3 / 4))));
    assert!(!page(&format!("let a = '{}'", letters(PAGE_BASE64_MIN * 3 / 4 - 3))));
    let numbers = |count: usize| {
        let numbers: Vec<String> = program[..count].iter().map(u8::to_string).collect();
        format!("let a = [{}]", numbers.join(","))
    };
    assert!(page(&numbers(PAGE_NUMBERS_MIN)));
    assert!(!page(&numbers(PAGE_NUMBERS_MIN - 1)));
}

#[test]
fn rich_text_is_told_apart_to_a_depth_and_read_beyond_it() {
    let with = |depth: usize| {
        let text = format!("{{\\rtf1 {}deep{} end}}", "{".repeat(depth), "}".repeat(depth));
        look_as(Kind::Rtf, text.as_bytes()).text
    };
    assert_eq!(with(RTF_DEPTH_MAX - 10), "deep end");
    assert_eq!(with(RTF_DEPTH_MAX + 10), "deep end");
}
