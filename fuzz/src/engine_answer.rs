//! What virus scanners answer: clamd's words, ICAP's heads and bodies, and the line that says where one is.

use mailward_core::config::EngineLine;
use mailward_core::limits::{ANTIVIRUS_NAME_MAX, ANTIVIRUS_NAMES_MAX, ICAP_FIELDS_MAX, ICAP_HEAD_MAX};
use mailward_inspect::antivirus::clamd::{Reply, numbered, reply, version};
use mailward_inspect::antivirus::icap::answer::{Copy, Head};

pub fn run(data: &[u8]) {
    // One answer alone says that a message is clean.
    assert!(reply(data) != Reply::Clean || data == b"stream: OK");
    if let Some((_, said)) = numbered(data) {
        assert!(data.ends_with(said) && data.len() > said.len());
    }
    let vital = version(data);
    assert!(vital.made.is_none() || vital.signatures.is_some());
    for protocol in ["ICAP", "HTTP"] {
        if let Ok(Some((head, length))) = Head::read(data, protocol) {
            assert!(length <= data.len() && length <= ICAP_HEAD_MAX + 4 && data[..length].ends_with(b"\r\n\r\n"));
            assert!(head.fields.len() <= ICAP_FIELDS_MAX && (0..1_000).contains(&head.status));
            let names = head.found();
            assert!(names.len() <= ANTIVIRUS_NAMES_MAX);
            assert!(names.iter().all(|name| !name.is_empty() && name.chars().count() <= ANTIVIRUS_NAME_MAX));
            let _said = (head.closes(), head.encapsulated());
            // Before its end it isn't whole.
            assert_eq!(Head::read(&data[..length - 1], protocol), Ok(None));
        }
    }
    // However it comes, a body is the same.
    let (expected, wire) = data.split_at(data.len() / 4);
    let whole = taken(expected, wire, wire.len().max(1));
    assert_eq!(taken(expected, wire, 3), whole);
    if let Ok(line) = std::str::from_utf8(data)
        && let Ok(engine) = EngineLine::parse(line)
    {
        assert_eq!(EngineLine::parse(&engine.to_string()), Ok(engine), "written again, it is the same");
    }
}

/// What comes of a body that comes in pieces: whether it is one, all of it, the same, and its bytes.
fn taken(expected: &[u8], wire: &[u8], step: usize) -> Option<(bool, bool, usize)> {
    let mut copy = Copy::of(expected);
    let mut held = Vec::new();
    for piece in wire.chunks(step) {
        held.extend_from_slice(piece);
        let length = copy.take(&held).ok()?;
        held.drain(..length);
    }
    Some((copy.is_done(), copy.is_the_same(), copy.bytes()))
}
