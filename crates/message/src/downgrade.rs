//! A header without bytes over 127, for clients that haven't said that they read UTF-8 (RFC 6858, with what RFC 6857
//! does better where that costs little).
//!
//! - An address that isn't ASCII becomes one that can't be anybody's, its text the display name (RFC 6858 §2.1). Names of
//!   ASCII addresses are encoded words.
//! - Subject, Comments and Content-Description are encoded words (RFC 6858 §2.3, RFC 6857 §3.2.6).
//! - Parameters of Content-Type and Content-Disposition are extended values (RFC 2231), where RFC 6858 §2.2 would drop them:
//!   a file without its name is one that nobody can open.
//! - Other fields are left out (RFC 6858 §2.4).
//!
//! A field that is not UTF-8 stays as it came: it is no internationalized field but a broken one in a charset that nobody
//! knows, and clients guess it as they always did.

use crate::address_list;
use crate::bytes::{from, sub};
use crate::content::{parse_disposition, parse_type, percent_encode};
use crate::decode::header_text;
use crate::envelope::EnvelopeAddress;
use crate::header::{Field, fields, unfold};
use mailward_core::limits::{ENVELOPE_ADDRESSES_MAX, ENVELOPE_ADDRESSES_SUM_MAX};

/// Nobody's address, and never will be (RFC 2606 §2).
const NOBODY: &str = "invalid@internationalized-address.invalid";
/// Longest encoded word, bytes (RFC 2047 §2).
const WORD_MAX: usize = 75;
/// Longest piece of an extended value that stands on one line, bytes: with the name it fits RFC 5322 §2.1.1.
const VALUE_PIECE: usize = 60;

/// The header section (with its empty line, if it has one) as such clients may see it; `None` if it may be shown as it is.
/// At most some four times as long, and a line more for each of its first `limits::ENVELOPE_ADDRESSES_SUM_MAX` addresses;
/// others are left out.
#[must_use]
pub fn header(header: &[u8]) -> Option<Vec<u8>> {
    if header.is_ascii() {
        return None;
    }
    let mut out = Vec::with_capacity(header.len().saturating_mul(2));
    let mut end = 0;
    let mut changed = false;
    let mut left = ENVELOPE_ADDRESSES_SUM_MAX;
    for field in fields(header) {
        let whole = sub(header, field.whole.clone());
        end = field.whole.end;
        if whole.is_ascii() || std::str::from_utf8(whole).is_err() {
            out.extend_from_slice(whole);
            continue;
        }
        changed = true;
        if let Some(value) = rewritten(&field, &mut left) {
            out.extend_from_slice(field.name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(&value);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(from(header, end));
    changed.then_some(out)
}

/// The value of a field in ASCII; `None` if there is no way to say it.
fn rewritten(field: &Field<'_>, left: &mut usize) -> Option<Vec<u8>> {
    let value = unfold(field.value);
    let name = std::str::from_utf8(field.name).ok()?.to_ascii_lowercase();
    match name.as_str() {
        "bcc" | "cc" | "from" | "reply-to" | "resent-bcc" | "resent-cc" | "resent-from" | "resent-sender"
        | "resent-to" | "sender" | "to" => addresses(&value, left),
        // Angle brackets and nothing else (RFC 5322 §3.6.7).
        "return-path" => Some(format!("<{NOBODY}>").into_bytes()),
        "subject" | "comments" | "content-description" => {
            let mut out = Vec::new();
            encoded_words(&header_text(&value), &mut out);
            Some(out)
        }
        "content-type" => {
            let parsed = parse_type(&value)?;
            let kind = format!("{}/{}", parsed.media_type, parsed.subtype);
            parameters(&kind, parsed.params.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
        }
        "content-disposition" => {
            let parsed = parse_disposition(&value)?;
            parameters(&parsed.kind, parsed.params.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
        }
        _ => None,
    }
}

// ---- addresses -----------------------------------------------------------------------------------------------

fn addresses(value: &[u8], left: &mut usize) -> Option<Vec<u8>> {
    let mut list = Vec::new();
    address_list::parse_into(value, ENVELOPE_ADDRESSES_MAX.min(*left), &mut list);
    *left = left.saturating_sub(list.len());
    let mut out = Vec::new();
    // What parts a member from the one before it.
    let mut before: &[u8] = b"";
    for address in list {
        if address.is_group_end() {
            out.push(b';');
            before = b",\r\n ";
            continue;
        }
        out.extend_from_slice(before);
        if address.is_group_start() {
            phrase(address.mailbox.as_deref().unwrap_or_default(), &mut out);
            out.push(b':');
            before = b"\r\n ";
            continue;
        }
        one_address(&address, &mut out);
        before = b",\r\n ";
    }
    (!out.is_empty()).then_some(out)
}

fn one_address(address: &EnvelopeAddress, out: &mut Vec<u8>) {
    let name = address.name.as_deref().unwrap_or_default();
    let (local, host) = (address.mailbox.as_deref().unwrap_or_default(), address.host.as_deref().unwrap_or_default());
    if !local.is_ascii() || !host.is_ascii() {
        // A reader sees who wrote; no program can answer, or answer somebody else.
        let space = if name.is_empty() { "" } else { " " };
        encoded_words(&format!("{}{space}{local}@{host}", header_text(name.as_bytes())), out);
        out.extend_from_slice(format!("\r\n <{NOBODY}>").as_bytes());
        return;
    }
    let dotted = |local: &str| !local.is_empty() && local.split('.').all(|atom| !atom.is_empty() && is_atom(atom));
    let mut spec = Vec::new();
    if dotted(local) {
        spec.extend_from_slice(local.as_bytes())
    } else {
        quoted(local, &mut spec)
    }
    if !host.is_empty() {
        spec.push(b'@');
        spec.extend_from_slice(host.as_bytes());
    }
    if name.is_empty() {
        out.extend_from_slice(&spec);
        return;
    }
    phrase(name, out);
    out.extend_from_slice(b" <");
    out.extend_from_slice(&spec);
    out.push(b'>');
}

/// A display name or a group's name.
fn phrase(text: &str, out: &mut Vec<u8>) {
    if !text.is_ascii() {
        encoded_words(&header_text(text.as_bytes()), out);
    } else if text.split(' ').all(is_atom) {
        // Encoded words are atoms, and must not be quoted.
        out.extend_from_slice(text.as_bytes());
    } else {
        quoted(text, out);
    }
}

/// RFC 5322 §3.2.3.
fn is_atom(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

// ---- parameters ----------------------------------------------------------------------------------------------

fn parameters<'a>(kind: &str, params: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Option<Vec<u8>> {
    let is_name = |name: &str| {
        let base = name.strip_suffix('*').unwrap_or(name);
        !base.is_empty() && is_atom(base) && !base.contains(['*', '\'', '%', '/', '=', '?'])
    };
    if !kind.is_ascii() {
        return None;
    }
    let mut out = kind.as_bytes().to_vec();
    for (name, value) in params.clone() {
        let given_extended = || params.clone().any(|(other, _)| other.strip_suffix('*') == Some(name));
        if !is_name(name) || (!value.is_ascii() && (name.ends_with('*') || given_extended())) {
            continue;
        }
        out.extend_from_slice(b";\r\n ");
        match std::str::from_utf8(value) {
            Ok(text) if text.is_ascii() => {
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                // An extended value holds only what a token holds (RFC 2231 §7).
                if !text.is_empty() && is_atom(&text.replace(['.'], "")) && !text.contains(['/', '=', '?']) {
                    out.extend_from_slice(value);
                } else {
                    quoted(text, &mut out);
                }
            }
            _ => extended(name, value, &mut out),
        }
    }
    Some(out)
}

/// A value as RFC 2231 §4 has it, in numbered pieces (§3) if one line doesn't hold it.
fn extended(name: &str, value: &[u8], out: &mut Vec<u8>) {
    let mut encoded = Vec::new();
    percent_encode(value, &mut encoded);
    if encoded.len() <= VALUE_PIECE {
        out.extend_from_slice(format!("{name}*=utf-8''").as_bytes());
        out.extend_from_slice(&encoded);
        return;
    }
    let mut rest = encoded.as_slice();
    let mut number = 0usize;
    while !rest.is_empty() {
        // Not between a percent sign and its digits.
        let cut = [0, 1, 2].into_iter().map(|back| VALUE_PIECE.saturating_sub(back)).find(|cut| {
            !sub(rest, cut.saturating_sub(2)..(*cut).min(rest.len())).contains(&b'%') || *cut >= rest.len()
        });
        let (piece, after) = rest.split_at_checked(cut.unwrap_or(VALUE_PIECE).min(rest.len())).unwrap_or((rest, &[]));
        let (parts, charset) = if number == 0 { ("", "utf-8''") } else { (";\r\n ", "") };
        out.extend_from_slice(format!("{parts}{name}*{number}*={charset}").as_bytes());
        out.extend_from_slice(piece);
        rest = after;
        number = number.saturating_add(1);
    }
}

// ---- text ----------------------------------------------------------------------------------------------------

/// Text as encoded words (RFC 2047 §4.2) that may stand anywhere, names included (§5), each on a line of its own.
pub(crate) fn encoded_words(text: &str, out: &mut Vec<u8>) {
    const OPEN: &[u8] = b"=?utf-8?Q?";
    const CLOSE: &[u8] = b"?=";
    let room = WORD_MAX.saturating_sub(OPEN.len()).saturating_sub(CLOSE.len());
    let mut used = 0usize;
    let mut one = Vec::new();
    out.extend_from_slice(OPEN);
    for c in text.chars() {
        one.clear();
        let mut utf8 = [0u8; 4];
        for byte in c.encode_utf8(&mut utf8).bytes() {
            match byte {
                b' ' => one.push(b'_'),
                b'!' | b'*' | b'+' | b'-' | b'/' => one.push(byte),
                byte if byte.is_ascii_alphanumeric() => one.push(byte),
                byte => one.extend_from_slice(format!("={byte:02X}").as_bytes()),
            }
        }
        // A character is never spread over two words (§5).
        if used.saturating_add(one.len()) > room {
            out.extend_from_slice(CLOSE);
            out.extend_from_slice(b"\r\n ");
            out.extend_from_slice(OPEN);
            used = 0;
        }
        used = used.saturating_add(one.len());
        out.extend_from_slice(&one);
    }
    out.extend_from_slice(CLOSE);
}

#[cfg(test)]
mod tests;
