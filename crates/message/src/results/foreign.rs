//! Fields of others that would speak in our name.

use super::{ResultsFault, Text};
use crate::header::{self, Field};
use mailward_core::Domain;
use std::ops::Range;

/// What others put before a message that only we may say: `Authentication-Results` in our name (RFC 8601 §5), and every
/// `Mailward-Verdict`. Ranges of whole fields with their line ends, in order, none touching another. `header` is what came,
/// without what we put before it.
///
/// The name counts in any case, in quotes, behind comments, folded, as U-labels and with a dot behind; of whatever version. A
/// field that can't be read goes if our name is anywhere in it.
#[must_use]
pub fn foreign(header: &[u8], hostname: &Domain) -> Vec<Range<usize>> {
    let ours = |field: &Field<'_>| {
        field.is("mailward-verdict") || field.is("authentication-results") && names(field.value, hostname)
    };
    header::fields(header).filter(ours).map(|field| field.whole).collect()
}

/// Whether a value is, or may be, in this server's name.
fn names(value: &[u8], hostname: &Domain) -> bool {
    let read = Text::of(value).and_then(|mut text| {
        let server = text.server()?;
        text.blanks()?;
        // What follows the name must be what follows names: others may read on.
        match text.peek() {
            None | Some(';') => Ok(server),
            Some(c) if c.is_ascii_digit() && text.token()?.bytes().all(|b| b.is_ascii_digit()) => Ok(server),
            Some(_) => Err(ResultsFault::Syntax),
        }
    });
    match read {
        Ok(server) => is_ours(&server, hostname),
        Err(_) => mentions(value, hostname),
    }
}

fn is_ours(server: &str, hostname: &Domain) -> bool {
    let server = server.trim();
    let server = server.strip_suffix('.').unwrap_or(server);
    server.eq_ignore_ascii_case(hostname.as_str()) || Domain::parse_utf8(server).is_ok_and(|domain| domain == *hostname)
}

/// Whether the name stands anywhere, whatever is put between its letters that readers may step over.
fn mentions(value: &[u8], hostname: &Domain) -> bool {
    stands_in(value, hostname)
        || stands_in(&without_comments(value), hostname)
        // Labels may be written otherwise.
        || !value.is_ascii() && hostname.as_str().contains("xn--")
}

fn stands_in(value: &[u8], hostname: &Domain) -> bool {
    let seen: Vec<u8> =
        value.iter().filter(|b| b.is_ascii_graphic() && !b"\"\\".contains(b)).map(u8::to_ascii_lowercase).collect();
    memchr::memmem::find(&seen, hostname.as_str().as_bytes()).is_some()
}

/// What is left for readers that take comments out wherever they stand: `mx.b(x).example`.
fn without_comments(value: &[u8]) -> Vec<u8> {
    let (mut left, mut depth, mut escaped) = (Vec::with_capacity(value.len()), 0_usize, false);
    for byte in value {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if depth > 0 => escaped = true,
            b'(' => depth = depth.saturating_add(1),
            b')' if depth > 0 => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            other => left.push(*other),
        }
    }
    left
}
