//! Message data: DATA and BDAT against a second, simpler reading of the standard.

use mailward_smtp::body::{ChunkBody, DataBody, Fault};

const LIMIT: u64 = 300;
const PREFIX: &[u8] = b"Received: here\r\n";

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    let whole = dotted(rest, 0);
    assert_eq!(seen(&whole), seen(&dotted(rest, steer)), "how bytes are cut changes nothing");
    let (consumed, result) = whole;
    let plain = plainly(rest);
    assert_eq!(consumed, plain.0, "only CRLF.CRLF ends the message");
    if let Some(consumed) = consumed {
        match (&result, &plain.1) {
            (Ok(message), Ok(expected)) => assert_eq!(message.strip_prefix(PREFIX), Some(expected.as_slice())),
            (Err(Fault::TooLarge), Ok(expected)) => assert!(expected.len() as u64 > LIMIT),
            (Err(_), Err(())) => {}
            _ => panic!("{consumed}: {result:?} where {:?} was read", plain.1),
        }
    }
    assert_eq!(chunked(rest, 0).ok(), chunked(rest, steer).ok());
    match chunked(rest, 0) {
        Ok(message) => {
            assert!(!is_bad(&message) && message.starts_with(PREFIX));
            let body = &message[PREFIX.len()..];
            assert!(body == rest || body == [rest, b"\r\n"].concat());
            assert!(body.is_empty() || body.ends_with(b"\r\n"));
        }
        Err(Fault::TooLarge) => assert!(rest.len() as u64 > LIMIT),
        Err(_) => assert!(is_bad(rest)),
    }
}

/// The outcome without which of several faults is told: that may be the one that was met first.
fn seen((consumed, result): &(Option<usize>, Result<Vec<u8>, Fault>)) -> (Option<usize>, Option<&[u8]>) {
    (*consumed, result.as_deref().ok())
}

/// A bare CR, a bare LF or a NUL.
fn is_bad(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        0 => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || bytes[at - 1] != b'\r',
        _ => false,
    })
}

/// Where the message ends and what it is: slowly, and with all of it at hand.
fn plainly(data: &[u8]) -> (Option<usize>, Result<Vec<u8>, ()>) {
    let end = if data.starts_with(b".\r\n") {
        Some(0)
    } else {
        data.windows(5).position(|w| w == b"\r\n.\r\n").map(|at| at + 2)
    };
    let Some(end) = end else { return (None, Err(())) };
    let lines = &data[..end];
    if is_bad(lines) {
        return (Some(end + 3), Err(()));
    }
    let mut message = Vec::new();
    for line in lines.split_inclusive(|b| *b == b'\n') {
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    (Some(end + 3), Ok(message))
}

fn dotted(data: &[u8], seed: u8) -> (Option<usize>, Result<Vec<u8>, Fault>) {
    let mut body = DataBody::new(PREFIX.to_vec(), LIMIT);
    let mut before = 0;
    for piece in super::pieces(data, seed) {
        let fed = body.feed(piece);
        assert!(fed.consumed <= piece.len() && (fed.ended || fed.consumed == piece.len()));
        if fed.ended {
            return (Some(before + fed.consumed), body.finish());
        }
        before += fed.consumed;
    }
    (None, body.finish())
}

fn chunked(data: &[u8], seed: u8) -> Result<Vec<u8>, Fault> {
    let mut body = ChunkBody::new(PREFIX.to_vec(), LIMIT);
    for piece in super::pieces(data, seed) {
        body.feed(piece);
    }
    body.finish()
}
