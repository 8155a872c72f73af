//! The part for the person, and line ends.

use super::PartBytes;
use super::fields::unseen;
use crate::bytes::without_end;
use mailward_core::limits::REPORT_TEXT_MAX;

/// Longest line that is left as it is, bytes. RFC 5322 §2.1.1.
const LINE_MAX: usize = 998;
/// Longest line of quoted-printable, bytes without its line end. RFC 2045 §6.7.
const QUOTED_LINE_MAX: usize = 76;

/// `text/plain`: as it is if it is ASCII in lines of bearable length, else UTF-8 in quoted-printable.
pub(super) fn part(text: &str) -> PartBytes {
    let text = cleaned(text);
    if text.is_ascii() && text.split("\r\n").all(|line| line.len() <= LINE_MAX) {
        return PartBytes { kind: "text/plain; charset=us-ascii", encoding: "7bit", body: text.into_bytes() };
    }
    let body = quoted_printable(text.as_bytes());
    PartBytes { kind: "text/plain; charset=utf-8", encoding: "quoted-printable", body }
}

/// Lines that end with CRLF, without control characters and what can't be seen, cut at the limit.
fn cleaned(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(REPORT_TEXT_MAX));
    for line in text.lines() {
        if out.len().saturating_add(line.len()) > REPORT_TEXT_MAX {
            out.push_str("[...]\r\n");
            break;
        }
        out.extend(line.chars().filter(|c| *c == '\t' || !(c.is_control() || unseen(*c))));
        out.push_str("\r\n");
    }
    out
}

/// Quoted-printable (RFC 2045 §6.7) of lines that end with CRLF.
pub(super) fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|b| *b == b'\n') {
        let inner = without_end(line);
        let mut width = 0_usize;
        for (at, byte) in inner.iter().copied().enumerate() {
            let last = at.saturating_add(1) == inner.len();
            let plain = match byte {
                b'=' => false,
                // A blank at a line's end gets lost.
                b' ' | b'\t' => !last,
                _ => byte.is_ascii_graphic(),
            };
            let needed = if plain { 1 } else { 3 };
            // Room for the `=` of a soft line end.
            if width.saturating_add(needed).saturating_add(usize::from(!last)) > QUOTED_LINE_MAX {
                out.extend_from_slice(b"=\r\n");
                width = 0;
            }
            if plain {
                out.push(byte);
            } else {
                out.extend_from_slice(format!("={byte:02X}").as_bytes());
            }
            width = width.saturating_add(needed);
        }
        if inner.len() < line.len() {
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// A message whose lines all end with CRLF, as SMTP asks (attacks A3), and without NUL. What is stored is so already.
pub(super) fn lines_ended(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    let mut before = 0_u8;
    for byte in message.iter().copied() {
        if before == b'\r' && byte != b'\n' {
            out.push(b'\n');
        }
        match byte {
            0 => {}
            b'\n' if before != b'\r' => out.extend_from_slice(b"\r\n"),
            _ => out.push(byte),
        }
        before = byte;
    }
    if before == b'\r' {
        out.push(b'\n');
    }
    out
}
