//! From the bytes of an accepted message to what the store keeps.

use bytes::Bytes;
use mailward_core::Domain;
use mailward_core::limits::HEADER_BYTES_MAX;
use mailward_message::Structure;
use mailward_message::accept::{self, HeaderFault};
use mailward_message::header;
use mailward_message::results::foreign;
use mailward_store::records::Content;
use std::ops::Range;
use std::sync::Arc;

/// A message that was checked, mended and described, and may still get fields of ours.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Our trace fields and the message behind them.
    pub bytes: Bytes,
    /// Bytes of the former.
    pub trace: usize,
    /// Of all of it.
    pub structure: Arc<Structure>,
}

/// Checks, mends and describes a message: `bytes` are `trace` bytes of trace fields and the message behind them, in
/// one piece, which they stay.
///
/// A message without header gets an empty line before it, so that its first lines don't become fields. `Return-Path`
/// fields that came with it are taken out: there is one, and it is ours (RFC 5321 §4.4); and so is what only we may say, if it comes
/// in the name of `hostname` ([`foreign`]); none: it is our own, or [`strip`] was there before.
///
/// Takes time: microseconds for common messages, some milliseconds a megabyte.
///
/// # Errors
/// If the header of the message is past a limit.
pub fn look(mut bytes: Vec<u8>, trace: usize, hostname: Option<&Domain>) -> Result<Looked, HeaderFault> {
    let trace = trace.min(bytes.len());
    let message = bytes.get(trace..).unwrap_or_default();
    let facts = accept::check(message)?;
    if facts.starts_with_header {
        let header = message.get(..facts.header_bytes).unwrap_or_default();
        let mut theirs: Vec<_> =
            header::fields(header).filter(|field| field.is("return-path")).map(|field| field.whole).collect();
        theirs.extend(hostname.map(|hostname| foreign(header, hostname)).unwrap_or_default());
        theirs.sort_unstable_by_key(|range| range.start);
        take_out(&mut bytes, trace, &theirs);
    } else {
        bytes.splice(trace..trace, *b"\r\n");
    }
    let structure = Arc::new(Structure::parse(&bytes));
    Ok(Looked { bytes: Bytes::from(bytes), trace, structure })
}

/// Takes out what only we may say, as [`look`] does: for whoever shows a message to others that may say it as well, as they
/// are asked by us, before it is looked at. `bytes` as there.
///
/// # Errors
/// As there: what comes after it needn't be shown to anybody.
pub fn strip(mut bytes: Vec<u8>, trace: usize, hostname: &Domain) -> Result<Vec<u8>, HeaderFault> {
    let trace = trace.min(bytes.len());
    let message = bytes.get(trace..).unwrap_or_default();
    // Of its body nothing matters here.
    let room = message.get(..HEADER_BYTES_MAX.saturating_add(1)).unwrap_or(message);
    let facts = accept::check(room)?;
    if facts.starts_with_header {
        let theirs = foreign(room.get(..facts.header_bytes).unwrap_or_default(), hostname);
        take_out(&mut bytes, trace, &theirs);
    }
    Ok(bytes)
}

/// Takes out fields of the header that begins at `trace`, by their ranges in it: in order, none touching another. What is
/// behind them is moved once, however many there are.
fn take_out(bytes: &mut Vec<u8>, trace: usize, fields: &[Range<usize>]) {
    let Some(end) = fields.last().map(|field| field.end) else { return };
    let header = bytes.get(trace..).and_then(|header| header.get(..end)).unwrap_or_default();
    let (mut kept, mut at) = (Vec::with_capacity(header.len()), 0);
    for field in fields {
        kept.extend_from_slice(header.get(at..field.start).unwrap_or_default());
        at = field.end;
    }
    let end = trace.saturating_add(header.len());
    bytes.splice(trace..end, kept);
}

impl Looked {
    /// What the store keeps. `fields` are whole header fields of ours, with their line ends: they stand above our `Received`, as
    /// what was found after it came does (RFC 8601 §4), and below `Return-Path`.
    #[must_use]
    pub fn content(self, fields: &[u8]) -> Content {
        if fields.is_empty() {
            return Content::new(self.bytes, Bytes::from(self.structure.to_bytes()));
        }
        let trace = self.bytes.get(..self.trace).unwrap_or_default();
        let at = header::fields(trace).find(|field| field.is("return-path")).map_or(0, |field| field.whole.end);
        let (before, behind) = self.bytes.split_at_checked(at).unwrap_or((&[], &self.bytes));
        let whole = [before, fields, behind].concat();
        let structure = Arc::unwrap_or_clone(self.structure).with_fields(u64::try_from(fields.len()).unwrap_or(0));
        Content::new(Bytes::from(whole), Bytes::from(structure.to_bytes()))
    }
}

/// A message of our own as the store keeps it: see [`look`].
///
/// # Errors
/// If the header of the message is past a limit.
pub fn prepare(bytes: Vec<u8>, trace: usize) -> Result<Content, HeaderFault> {
    look(bytes, trace, None).map(|looked| looked.content(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::limits::{HEADER_FIELDS_MAX, RECEIVED_HOPS_MAX};
    use proptest::prelude::*;

    const TRACE: &str = "Return-Path: <a@b.example>\r\nReceived: from x by y; now\r\n";

    fn host() -> Domain {
        Domain::parse("mx.b.example").unwrap()
    }

    fn prepared(message: &str) -> Result<String, HeaderFault> {
        let content = look(format!("{TRACE}{message}").into_bytes(), TRACE.len(), Some(&host()))?.content(&[]);
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
    fn what_only_we_may_say_is_said_by_nobody_else() {
        let theirs = "Authentication-Results: MX.b.example; dmarc=pass\r\nMailward-Verdict: deliver\r\n";
        let others = "Authentication-Results: mx.other.example; dmarc=pass\r\n";
        assert_eq!(
            prepared(&format!("{theirs}{others}Return-Path: <a@t.example>\r\nSubject: x\r\n\r\nbody\r\n")),
            Ok(format!("{TRACE}{others}Subject: x\r\n\r\nbody\r\n"))
        );
    }

    #[test]
    fn what_only_we_may_say_can_be_taken_out_before() {
        let strip = |message: &str| strip(format!("{TRACE}{message}").into_bytes(), TRACE.len(), &host());
        let (ours, more) = ("Authentication-Results: mx.b.example; dkim=pass\r\n", "Mailward-Verdict: deliver\r\n");
        let rest = "Return-Path: <a@t.example>\r\nSubject: x\r\n";
        let body = "\r\nAuthentication-Results: mx.b.example; dkim=pass\r\n";
        assert_eq!(
            strip(&format!("{ours}{rest}{more}X: y\r\n{ours}{body}")),
            Ok(format!("{TRACE}{rest}X: y\r\n{body}").into_bytes())
        );
        for whole in ["no field\r\nAuthentication-Results: mx.b.example; dkim=pass\r\n", "", body] {
            assert_eq!(strip(whole), Ok(format!("{TRACE}{whole}").into_bytes()), "what has no header stays");
        }
        assert_eq!(strip(&format!("X: {}\r\n{ours}\r\n", "y".repeat(HEADER_BYTES_MAX))), Err(HeaderFault::TooLarge));
        let looked = look(format!("{TRACE}{ours}\r\nbody\r\n").into_bytes(), TRACE.len(), None).unwrap();
        assert_eq!(looked.bytes, format!("{TRACE}{ours}\r\nbody\r\n"), "what was added since stays");
    }

    #[test]
    fn fields_of_ours_stand_between_return_path_and_received_and_the_structure_knows() {
        let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
        let looked = look(format!("{TRACE}{message}").into_bytes(), TRACE.len(), None).unwrap();
        let content = looked.content(b"Mailward-Verdict: deliver\r\n");
        let whole = String::from_utf8(content.bytes.to_vec()).unwrap();
        let expected = TRACE.replace("Received", "Mailward-Verdict: deliver\r\nReceived") + message;
        assert_eq!(whole, expected);
        assert_eq!(content.structure, Structure::parse(expected.as_bytes()).to_bytes());
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
            let _ = look(message.clone(), trace, Some(&host())).map(|looked| looked.content(b"X: y\r\n"));
            let _ = strip(message, trace, &host());
        }
    }
}
