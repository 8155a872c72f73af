//! The messages of a load test: a header of its own each, a body shared by all.

use super::Options;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a body line without CRLF.
const LINE: usize = 72;

/// Makes messages.
pub(super) struct Maker {
    from: String,
    to_before: String,
    /// What follows `%d`; `None` if every message goes to the same address.
    to_after: Option<String>,
    users: u64,
    size: usize,
    date: String,
    /// Tells the messages of one run from those of every other.
    run: u64,
    body: Vec<u8>,
    /// A message that is there, as it goes over the wire, with the end of data.
    given: Option<Vec<u8>>,
}

impl Maker {
    pub(super) fn new(options: &Options, now: SystemTime) -> Self {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (to_before, to_after) = match options.to.split_once("%d") {
            Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
            None => (options.to.clone(), None),
        };
        let date = jiff::Timestamp::try_from(now)
            .ok()
            .and_then(|t| jiff::fmt::rfc2822::to_string(&t.to_zoned(jiff::tz::TimeZone::UTC)).ok())
            .unwrap_or_default();
        let nanos = u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap_or(0);
        Self {
            from: options.from.clone(),
            to_before,
            to_after,
            users: options.users,
            size: options.size,
            date,
            run: nanos ^ u64::from(std::process::id()).rotate_left(40),
            body: body(options.size, nanos | 1),
            given: options.message.as_deref().map(on_the_wire),
        }
    }

    pub(super) fn from(&self) -> &str {
        &self.from
    }

    /// Appends the recipient of message `number`.
    pub(super) fn recipient(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_before.as_bytes());
        if let Some(after) = &self.to_after {
            let user = number.checked_rem(self.users).unwrap_or(0).saturating_add(1);
            // Writing to memory can't fail.
            let _infallible = write!(out, "{user}");
            out.extend_from_slice(after.as_bytes());
        }
    }

    /// Appends message `number`, of the size asked for (never shorter than its header), and the end of data.
    pub(super) fn message(&self, number: u64, out: &mut Vec<u8>) {
        if let Some(given) = &self.given {
            return out.extend_from_slice(given);
        }
        let start = out.len();
        // The constant fields first, so that what differs is near the end of the header.
        let _infallible = write!(out, "Date: {}\r\nFrom: <{}>\r\nTo: <", self.date, self.from);
        self.recipient(number, out);
        let _infallible = write!(
            out,
            ">\r\nSubject: Load test, message {number}\r\nMessage-ID: <{number}.{:016x}@bench.invalid>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
            self.run
        );
        let header = out.len().saturating_sub(start);
        let rest = match self.size.saturating_sub(header) {
            // One byte can't be a line.
            1 => 2,
            enough => enough,
        };
        // The tail of the body, as only its end must be a line's end.
        let tail = self.body.get(self.body.len().saturating_sub(rest)..).unwrap_or_default();
        match tail.split_first() {
            // Cut inside a CRLF: a bare LF would be refused, and rightly.
            Some((b'\n', lines)) => {
                out.push(b'a');
                out.extend_from_slice(lines);
            }
            _ => out.extend_from_slice(tail),
        }
        out.extend_from_slice(b".\r\n");
    }
}

/// Lines ended by CRLF, dots at their beginning doubled, and the end of data (RFC 5321 §4.5.2).
fn on_the_wire(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len().saturating_add(64));
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

/// At least `size` bytes of letters in lines, ending with CRLF. There is no dot to be stuffed. Letters vary, as a
/// body of one letter would flatter whoever compresses.
fn body(size: usize, seed: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(size.saturating_add(2));
    let mut state = seed;
    let mut column = 0_usize;
    while out.len() < size.saturating_sub(2) {
        if column == LINE {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let letter = u8::try_from(state.checked_rem(26).unwrap_or(0)).unwrap_or(0).saturating_add(b'a');
        out.push(letter);
        column = column.saturating_add(1);
    }
    out.extend_from_slice(b"\r\n");
    out
}
