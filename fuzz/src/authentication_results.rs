//! `Authentication-Results`: any bytes as a value, what is read of it, and whether it goes where it speaks in our name.

use mailward_core::Domain;
use mailward_core::limits::{RESULTS_METHODS_MAX, RESULTS_PROPERTIES_MAX};
use mailward_message::header;
use mailward_message::results::{foreign, parse, parse_arc};
use mailward_message::submission::author;

pub fn run(data: &[u8]) {
    let ours = Domain::parse("mx.b.example").unwrap();
    let field = [b"Authentication-Results:".as_slice(), data, b"\r\n"].concat();
    let gone = foreign(&field, &ours);
    let all: Vec<_> = header::fields(&field).collect();
    assert!(gone.iter().all(|range| all.iter().any(|field| field.whole == *range)), "whole fields alone");
    if let Some(first) = all.first()
        && let Ok(stated) = parse(first.value)
    {
        assert!(stated.methods.len() <= RESULTS_METHODS_MAX);
        assert!(stated.methods.iter().all(|method| method.properties.len() <= RESULTS_PROPERTIES_MAX));
        let server = stated.server.trim();
        if server.strip_suffix('.').unwrap_or(server).eq_ignore_ascii_case(ours.as_str()) {
            assert!(gone.contains(&first.whole), "nobody else speaks in our name");
        }
    }
    let _arc = parse_arc(data);
    // The same bytes as an author.
    let header = [b"From:".as_slice(), data, b"\r\n"].concat();
    if let Ok(found) = author(&header) {
        assert!(data.contains(&b'@') && !found.local().as_str().is_empty());
    }
}
