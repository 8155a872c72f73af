//! From the bytes of an accepted message to what the store keeps.

use bytes::Bytes;
use mailward_message::Structure;
use mailward_message::accept::{self, HeaderFault};
use mailward_message::header;
use mailward_store::records::Content;

/// Checks, mends and describes a message: `bytes` are `trace` bytes of trace fields and the message behind them, in
/// one piece, which they stay.
///
/// A message without header gets an empty line before it, so that its first lines don't become fields. `Return-Path`
/// fields that came with it are taken out: there is one, and it is ours (RFC 5321 §4.4).
///
/// Takes time: microseconds for common messages, some milliseconds a megabyte.
///
/// # Errors
/// If the header of the message is past a limit.
pub fn prepare(mut bytes: Vec<u8>, trace: usize) -> Result<Content, HeaderFault> {
    let message = bytes.get(trace..).unwrap_or_default();
    let facts = accept::check(message)?;
    if facts.starts_with_header {
        let header = message.get(..facts.header_bytes).unwrap_or_default();
        // Almost always none; those from the back first, so that the ranges before them stay true.
        let theirs: Vec<_> =
            header::fields(header).filter(|field| field.is("return-path")).map(|field| field.whole).collect();
        for range in theirs.into_iter().rev() {
            let (start, end) = (range.start.saturating_add(trace), range.end.saturating_add(trace));
            if start <= end && end <= bytes.len() {
                bytes.drain(start..end);
            }
        }
    } else if trace <= bytes.len() {
        bytes.splice(trace..trace, *b"\r\n");
    }
    let structure = Structure::parse(&bytes).to_bytes();
    Ok(Content::new(Bytes::from(bytes), Bytes::from(structure)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::limits::{HEADER_BYTES_MAX, HEADER_FIELDS_MAX, RECEIVED_HOPS_MAX};
    use proptest::prelude::*;

    const TRACE: &str = "Return-Path: <a@b.example>\r\nReceived: from x by y; now\r\n";

    fn prepared(message: &str) -> Result<String, HeaderFault> {
        let content = prepare(format!("{TRACE}{message}").into_bytes(), TRACE.len())?;
        assert_eq!(content.hash, *blake3::hash(&content.bytes).as_bytes());
        Ok(String::from_utf8(content.bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_message_stays_as_it_came_behind_the_trace() {
        let message = "Subject: x\r\n\r\nbody\r\n";
        assert_eq!(prepared(message), Ok(format!("{TRACE}{message}")));
    }

    #[test]
    fn there_is_one_return_path_and_it_is_ours() {
        let message =
            "RETURN-PATH: <evil@t.example>\r\nSubject: x\r\nReturn-Path:\r\n <again@t.example>\r\n\r\nbody\r\n";
        assert_eq!(prepared(message), Ok(format!("{TRACE}Subject: x\r\n\r\nbody\r\n")));
    }

    #[test]
    fn a_body_without_header_stays_a_body() {
        assert_eq!(prepared("just a line\r\n"), Ok(format!("{TRACE}\r\njust a line\r\n")));
        let empty = prepared("").unwrap();
        assert!(empty == format!("{TRACE}\r\n") || empty == TRACE);
    }

    #[test]
    fn headers_end_at_their_limits() {
        let fields = |n: usize| format!("{}\r\nbody\r\n", "X: y\r\n".repeat(n));
        assert!(prepared(&fields(HEADER_FIELDS_MAX)).is_ok());
        assert_eq!(prepared(&fields(HEADER_FIELDS_MAX + 1)), Err(HeaderFault::TooManyFields));
        let hops = |n: usize| format!("{}\r\nbody\r\n", "Received: from a by b; now\r\n".repeat(n));
        assert!(prepared(&hops(RECEIVED_HOPS_MAX)).is_ok(), "our own hop isn't counted");
        assert_eq!(prepared(&hops(RECEIVED_HOPS_MAX + 1)), Err(HeaderFault::TooManyHops));
        let large = format!("X: {}\r\n\r\nbody\r\n", "y".repeat(HEADER_BYTES_MAX));
        assert_eq!(prepared(&large), Err(HeaderFault::TooLarge));
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(message in proptest::collection::vec(any::<u8>(), 0..400), trace in 0usize..500) {
            let _ = prepare(message, trace);
        }
    }
}
