//! Values of Content-Type, Content-Disposition, Content-Transfer-Encoding and Content-Language (RFC 2045 §5.1, RFC
//! 2183, RFC 2231), as strict as can be without losing what senders mean. At most `limits::MIME_PARAMETERS_MAX`
//! parameters are read; each byte is looked at a bounded number of times.

use crate::address_list::{comment_end, unescape};
use crate::bytes::{from, string, sub, trim};
use crate::header::unfold;
use crate::structure::Disposition;
use mailward_core::limits::{MIME_BOUNDARY_MAX, MIME_PARAMETERS_MAX};

/// A Content-Type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// Lower case.
    pub media_type: String,
    /// Lower case.
    pub subtype: String,
    /// Names in lower case, each once; continuations joined; values as bytes.
    pub params: Parameters,
}

/// Names and values; see [`ContentType::params`].
pub type Parameters = Vec<(String, Vec<u8>)>;

impl ContentType {
    /// The boundary if there is a usable one: not empty, at most `limits::MIME_BOUNDARY_MAX` bytes, blanks at its
    /// end cut (RFC 2046 §5.1.1).
    #[must_use]
    pub fn boundary(&self) -> Option<Vec<u8>> {
        let value = |name: &str| self.params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice());
        let mut boundary = match value("boundary") {
            Some(plain) => plain.to_vec(),
            None => percent_decoded(value("boundary*")?),
        };
        boundary.truncate(crate::bytes::trim_end(&boundary).len());
        (!boundary.is_empty() && boundary.len() <= MIME_BOUNDARY_MAX).then_some(boundary)
    }
}

/// Reads a Content-Type; `None` if type or subtype is missing (then RFC 2045 §5.2 wants the default).
#[must_use]
pub fn parse_type(value: &[u8]) -> Option<ContentType> {
    let value = unfold(value);
    let mut reader = Reader { value: &value, at: 0 };
    let media_type = reader.token(b"/;");
    reader.blanks();
    if reader.peek() != Some(b'/') {
        return None;
    }
    reader.step();
    let subtype = reader.token(b"/;");
    if media_type.is_empty() || subtype.is_empty() {
        return None;
    }
    Some(ContentType { media_type: lower(media_type), subtype: lower(subtype), params: reader.parameters() })
}

/// Reads a Content-Disposition; `None` if it names no kind.
#[must_use]
pub fn parse_disposition(value: &[u8]) -> Option<Disposition> {
    let value = unfold(value);
    let mut reader = Reader { value: &value, at: 0 };
    let kind = lower(reader.token(b";="));
    if kind.is_empty() {
        return None;
    }
    Some(Disposition { kind, params: strings(reader.parameters()) })
}

/// Reads a Content-Transfer-Encoding: lower case, comments and quotes cut; `7bit` if it names none.
#[must_use]
pub fn parse_encoding(value: &[u8]) -> String {
    let value = unfold(value);
    let mut reader = Reader { value: &value, at: 0 };
    reader.blanks();
    let encoding = if reader.peek() == Some(b'"') { lower(trim(&reader.quoted())) } else { lower(reader.token(b";")) };
    if encoding.is_empty() { "7bit".to_owned() } else { encoding }
}

/// Reads a Content-Language (RFC 3282): its tags, at most `limits::MIME_PARAMETERS_MAX`.
#[must_use]
pub fn parse_languages(value: &[u8]) -> Vec<String> {
    let value = unfold(value);
    let mut reader = Reader { value: &value, at: 0 };
    let mut tags = Vec::new();
    while tags.len() < MIME_PARAMETERS_MAX {
        let tag = reader.token(b",");
        if !tag.is_empty() {
            tags.push(string(tag));
        }
        match memchr::memchr(b',', from(&value, reader.at)) {
            Some(comma) => reader.at = reader.at.saturating_add(comma).saturating_add(1),
            None => break,
        }
    }
    tags
}

/// Parameters with their values as strings.
pub(crate) fn strings(params: Parameters) -> Vec<(String, String)> {
    params.into_iter().map(|(name, value)| (name, string(&value))).collect()
}

/// The bytes of an extended value (RFC 2231 §4), charset and language before it cut.
pub(crate) fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let value = value.splitn(3, |b| *b == b'\'').nth(2).unwrap_or(value);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'%', rest) {
        bytes.extend_from_slice(sub(rest, 0..at));
        let digits = (rest.get(at.saturating_add(1)), rest.get(at.saturating_add(2)));
        match digits {
            (Some(high), Some(low)) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = from(rest, at.saturating_add(3));
            }
            _ => {
                bytes.push(b'%');
                rest = from(rest, at.saturating_add(1));
            }
        }
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// The worth of a hexadecimal digit, of either case.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

fn lower(bytes: &[u8]) -> String {
    string(bytes).to_ascii_lowercase()
}

struct Reader<'v> {
    value: &'v [u8],
    at: usize,
}

impl<'v> Reader<'v> {
    fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// Steps over blanks and comments.
    fn blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.step(),
                b'(' => self.at = comment_end(self.value, self.at),
                _ => break,
            }
        }
    }

    /// The next run of bytes that are no blank, bracket of a comment, quote, or one of `ends`. Wider than RFC 2045's
    /// token: senders leave boundaries with `=` or `:` unquoted.
    fn token(&mut self, ends: &[u8]) -> &'v [u8] {
        self.blanks();
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte <= b' ' || byte == b'(' || byte == b'"' || ends.contains(&byte) {
                break;
            }
            self.step();
        }
        sub(self.value, start..self.at)
    }

    /// A quoted string's content; one that isn't closed ends with the value.
    fn quoted(&mut self) -> Vec<u8> {
        self.step();
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => break,
                b'\\' => self.at = self.at.saturating_add(2),
                _ => self.step(),
            }
        }
        let end = self.at.min(self.value.len());
        self.at = end.saturating_add(1);
        let mut content = Vec::with_capacity(end.saturating_sub(start));
        unescape(sub(self.value, start..end), &mut content);
        content
    }

    /// The parameters after here.
    fn parameters(&mut self) -> Parameters {
        let mut params: Parameters = self.written().0.into_iter().map(|p| (p.name, p.value)).collect();
        if params.iter().any(|(name, _)| name.contains('*')) {
            params = joined(params);
        }
        let mut once: Parameters = Vec::with_capacity(params.len());
        for (name, value) in params {
            if !once.iter().any(|(n, _)| *n == name) {
                once.push((name, value));
            }
        }
        once
    }

    /// The parameters after here as they stand, and whether there are more than are read.
    fn written(&mut self) -> (Vec<Written<'v>>, bool) {
        let mut params = Vec::new();
        let mut seen = 0_usize;
        // To the next semicolon; what stands before it belongs to nothing.
        while let Some(semicolon) = memchr::memchr(b';', from(self.value, self.at)) {
            if seen >= MIME_PARAMETERS_MAX {
                return (params, true);
            }
            self.at = self.at.saturating_add(semicolon).saturating_add(1);
            seen = seen.saturating_add(1);
            let name = lower(self.token(b"=;"));
            self.blanks();
            if name.is_empty() || self.peek() != Some(b'=') {
                continue;
            }
            self.step();
            let start = self.at;
            self.blanks();
            let value = if self.peek() == Some(b'"') { self.quoted() } else { self.token(b";").to_vec() };
            let end =
                memchr::memchr(b';', from(self.value, self.at)).map_or(self.value.len(), |n| self.at.saturating_add(n));
            params.push(Written { name, value, whole: trim(sub(self.value, start..end)) });
        }
        (params, false)
    }
}

/// A parameter as it stands in its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written<'v> {
    /// Lower case, with the marks of RFC 2231.
    pub name: String,
    /// As [`ContentType::params`] has it.
    pub value: Vec<u8>,
    /// From the `=` to the semicolon: what programs take that know neither quotes nor comments.
    pub whole: &'v [u8],
}

/// Every parameter of an unfolded Content-Type or Content-Disposition as it stands, also those given twice, and whether
/// there are more than `limits::MIME_PARAMETERS_MAX`.
pub(crate) fn written(unfolded: &[u8]) -> (Vec<Written<'_>>, bool) {
    Reader { value: unfolded, at: 0 }.written()
}

/// Joins continuations (RFC 2231 §3, §4.1), each at the place of its first piece. Pieces that don't follow on from
/// number 0 are dropped.
pub(crate) fn joined(params: Parameters) -> Parameters {
    let mut whole: Parameters = Vec::with_capacity(params.len());
    let mut done: Vec<&str> = Vec::new();
    for (name, value) in &params {
        let Some((base, _, _)) = piece(name) else {
            whole.push((name.clone(), value.clone()));
            continue;
        };
        if done.contains(&base) {
            continue;
        }
        done.push(base);
        // At most `MIME_PARAMETERS_MAX` pieces, each looked for among as many.
        let mut pieces: Vec<(bool, &[u8])> = Vec::new();
        while let Some((name, value)) =
            params.iter().find(|(n, _)| piece(n).is_some_and(|(b, number, _)| b == base && number == pieces.len()))
        {
            pieces.push((name.ends_with('*'), value));
        }
        let Some((first_extended, _)) = pieces.first().copied() else { continue };
        if !pieces.iter().any(|(extended, _)| *extended) {
            whole.push((base.to_owned(), pieces.iter().flat_map(|(_, v)| v.iter().copied()).collect()));
            continue;
        }
        let mut value: Vec<u8> = if first_extended { Vec::new() } else { b"''".to_vec() };
        for (extended, bytes) in pieces {
            if extended {
                value.extend_from_slice(bytes);
            } else {
                percent_encode(bytes, &mut value);
            }
        }
        whole.push((format!("{base}*"), value));
    }
    whole
}

/// Base, number and whether extended, of the name of a continuation's piece.
pub(crate) fn piece(name: &str) -> Option<(&str, usize, bool)> {
    let (base, rest) = name.split_once('*')?;
    let (digits, extended) = match rest.strip_suffix('*') {
        Some(digits) => (digits, true),
        None => (rest, false),
    };
    let canonical = digits == "0" || !digits.starts_with('0');
    let number = digits.parse::<usize>().ok().filter(|_| canonical && !digits.starts_with('+'))?;
    (!base.is_empty()).then_some((base, number, extended))
}

/// Adds bytes as the text of an extended value (RFC 2231 §4).
pub(crate) fn percent_encode(bytes: &[u8], to: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or(b'0');
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`{}|~".contains(byte) {
            to.push(*byte);
        } else {
            to.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests;
