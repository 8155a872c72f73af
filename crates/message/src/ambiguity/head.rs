//! Doubts of a header: lines that end it for some, fields that are given twice.

use super::{Finder, Kind, is_part_field, shown};
use crate::bytes::{from, is_blank, line_end, sub, trim, without_end};
use crate::content::{ContentType, parse_disposition, parse_encoding, parse_type, written};
use crate::decode::slice;
use crate::header::{Field, fields, unfold};
use crate::structure::Part;
use mailward_core::limits::SHORT_FIELD_MAX;

/// What a part's header says of how it's to be read.
pub(super) struct Head<'m> {
    /// The first Content-Type, folding and all.
    pub content_type: Option<&'m [u8]>,
    /// Where its value stands in the message.
    pub type_at: u64,
    /// It, if it can be read.
    pub parsed: Option<ContentType>,
    /// The first Content-Transfer-Encoding, folding and all.
    pub written_encoding: Option<&'m [u8]>,
    /// It, as [`Part::encoding`] has it.
    pub encoding: String,
    /// Whether something may give a name.
    pub named: bool,
}

impl<'m> Head<'m> {
    /// What the header says, without doubts.
    pub(super) fn read(header: &'m [u8]) -> Self {
        let first = |name| fields(header).find(|f| f.is(name)).map(|f| f.value);
        let content_type = first("content-type");
        let written_encoding = first("content-transfer-encoding");
        Self {
            content_type,
            type_at: 0,
            parsed: content_type.and_then(parse_type),
            written_encoding,
            encoding: written_encoding.map_or_else(|| "7bit".to_owned(), parse_encoding),
            named: false,
        }
    }

    /// Whether the encoding is none.
    pub(super) fn is_identity(&self) -> bool {
        is_identity(&self.encoding)
    }

    pub(super) fn is_multipart(&self) -> bool {
        self.parsed.as_ref().is_some_and(|t| t.media_type == "multipart")
    }
}

pub(super) fn is_identity(encoding: &str) -> bool {
    matches!(encoding, "7bit" | "8bit" | "binary")
}

/// What is passed over in a header and ends it for some.
#[derive(Clone, Copy)]
struct Stray {
    kind: Kind,
    at: usize,
    /// Whether fields of MIME stand before it: without them, whose header ends there sees nothing but a text.
    matters: bool,
}

/// The fields that count, as they were first met.
#[derive(Default)]
struct First<'m> {
    content_type: Option<&'m [u8]>,
    type_at: usize,
    encoding: Option<&'m [u8]>,
    disposition: Option<&'m [u8]>,
    version: Option<&'m [u8]>,
}

impl First<'_> {
    fn is_given(&self) -> bool {
        self.content_type.is_some() || self.encoding.is_some()
    }
}

impl<'m> Finder<'m> {
    /// Reads a part's header and notes what is doubtful in it.
    pub(super) fn head(&mut self, index: usize, part: &'m Part) -> Head<'m> {
        let header = slice(self.message, &part.header);
        let start = part.header.start;
        self.spend(index, header.len());
        let mut first = First::default();
        let mut stray: Option<Stray> = None;
        let mut broken = false;
        for field in fields(header) {
            let at = field.whole.start;
            if at == 0 && is_of_mbox(header) {
                continue;
            }
            if field.name.is_empty() {
                stray.get_or_insert(Stray { kind: Kind::LineWithoutColon, at, matters: first.is_given() });
                continue;
            }
            let counts = is_of_mime(field.name);
            if counts
                && !broken
                && let Some(stray) = stray.filter(|stray| stray.matters)
            {
                broken = true;
                self.note(Kind::HeaderBroken, index, offset(start, stray.at), || {
                    format!(
                        "before {}: {}",
                        shown(field.name),
                        shown(sub(header, stray.at..line_end(header, stray.at)))
                    )
                });
            }
            self.name_of(index, &field, counts, header, start);
            self.given(index, &field, offset(start, at), &mut first);
            if let Some(line) = blank_line(field.value) {
                let value = field.whole.end.saturating_sub(without_end_len(header, &field)).saturating_add(line);
                stray.get_or_insert(Stray { kind: Kind::BlankLine, at: value, matters: first.is_given() });
            }
        }
        if let Some(stray) = stray.filter(|_| !broken) {
            self.note(stray.kind, index, offset(start, stray.at), || {
                shown(sub(header, stray.at..line_end(header, stray.at)))
            });
        }
        self.line_ends(index, header, start);
        let parsed = first.content_type.and_then(parse_type);
        if let Some(value) = first.content_type {
            if parsed.is_none() && !trim(value).is_empty() {
                self.note(Kind::TypeUnreadable, index, offset(start, first.type_at), || shown(value));
            }
            self.parameters(index, value, offset(start, first.type_at));
        }
        if let Some(value) = first.disposition {
            self.parameters(index, value, start);
        }
        let name = |value: &[u8]| value.windows(4).any(|w| w.eq_ignore_ascii_case(b"name"));
        let head = Head {
            content_type: first.content_type,
            type_at: offset(start, first.type_at),
            written_encoding: first.encoding,
            encoding: first.encoding.map_or_else(|| "7bit".to_owned(), parse_encoding),
            named: first.content_type.is_some_and(name) || first.disposition.is_some_and(name),
            parsed,
        };
        self.header_missing(index, part);
        head
    }

    /// A field's name.
    fn name_of(&mut self, index: usize, field: &Field<'_>, counts: bool, header: &[u8], start: u64) {
        let at = offset(start, field.whole.start);
        if field.name.iter().any(|b| *b <= b' ' || *b >= 0x7f) {
            let plain: Vec<u8> = plain_name(field.name).collect();
            let kind = if is_of_mime(&plain) { Kind::NameDisguised } else { Kind::NameOdd };
            self.note(kind, index, at, || shown(field.name));
        } else if counts
            && header.get(field.whole.start.saturating_add(field.name.len())).copied().is_some_and(is_blank)
        {
            self.note(Kind::BlankBeforeColon, index, at, || shown(field.name));
        }
    }

    /// A field that may be given once.
    fn given(&mut self, index: usize, field: &Field<'m>, at: u64, first: &mut First<'m>) {
        let value = field.value;
        match field.name.len() {
            4 if field.is("date") && trim(value).len() > SHORT_FIELD_MAX => {
                self.note(Kind::DateLong, index, at, || shown(value));
            }
            12 if field.is("mime-version") => {
                if trim(value).len() > SHORT_FIELD_MAX {
                    self.note(Kind::MimeVersionLong, index, at, || shown(value));
                }
                match first.version.replace(value) {
                    Some(before) if trim(before) == trim(value) => {
                        self.note(Kind::FieldTwice, index, at, || shown(field.name))
                    }
                    Some(_) => self.note(Kind::MimeVersionTwice, index, at, || shown(value)),
                    None => {}
                }
            }
            12 if field.is("content-type") => match first.content_type {
                Some(before) => self.type_again(index, before, value, at),
                None => {
                    first.content_type = Some(value);
                    first.type_at = field.whole.start;
                }
            },
            25 if field.is("content-transfer-encoding") => match first.encoding {
                Some(before) => {
                    let (before, again) = (parse_encoding(before), parse_encoding(value));
                    if before == again || (is_identity(&before) && is_identity(&again)) {
                        self.note(Kind::FieldTwice, index, at, || shown(field.name));
                    } else {
                        let other = again.clone().into_bytes();
                        self.note_other(Kind::EncodingTwice, index, at, other, || format!("{before}, {again}"));
                    }
                }
                None => first.encoding = Some(value),
            },
            19 if field.is("content-disposition") => match first.disposition {
                Some(before) if parse_disposition(before) == parse_disposition(value) => {
                    self.note(Kind::FieldTwice, index, at, || shown(field.name));
                }
                Some(_) => self.note(Kind::DispositionTwice, index, at, || shown(value)),
                None => first.disposition = Some(value),
            },
            _ => {}
        }
    }

    /// A second Content-Type.
    fn type_again(&mut self, index: usize, before: &[u8], again: &[u8], at: u64) {
        let (one, other) = (parse_type(before), parse_type(again));
        let kind = match (&one, &other) {
            (one, other) if one == other => Kind::FieldTwice,
            (Some(one), Some(other)) if !holds(one) && !holds(other) => Kind::ContentTypeAgain,
            (Some(one), Some(other)) if one.boundary() == other.boundary() && one.media_type == other.media_type => {
                Kind::ContentTypeAgain
            }
            (None, Some(one)) | (Some(one), None) if !holds(one) => Kind::ContentTypeAgain,
            _ => Kind::ContentTypeTwice,
        };
        let other = if kind == Kind::FieldTwice { Vec::new() } else { again.to_vec() };
        self.note_other(kind, index, at, other, || format!("{} | {}", shown(before), shown(again)));
    }

    /// Parameters of one field. Boundaries are looked at elsewhere.
    fn parameters(&mut self, index: usize, value: &[u8], at: u64) {
        let value = unfold(value);
        let (params, more) = written(&value);
        if more {
            self.note(Kind::ParametersMany, index, at, || shown(&value));
        }
        for (n, param) in params.iter().enumerate() {
            let before = params.iter().take(n).find(|p| p.name == param.name);
            if before.is_some_and(|before| before.value != param.value) && !param.name.starts_with("boundary") {
                self.note(Kind::ParameterTwice, index, at, || format!("{} {}", param.name, shown(param.whole)));
            }
        }
    }

    /// NULs, bare CRs, and line ends of two kinds.
    fn line_ends(&mut self, index: usize, header: &[u8], start: u64) {
        if let Some(at) = memchr::memchr(0, header) {
            self.note(Kind::NulInHeader, index, offset(start, at), || shown(from(header, at.saturating_sub(20))));
        }
        let (mut crlf, mut lf) = (false, None);
        for at in memchr::memchr2_iter(b'\r', b'\n', header) {
            if header.get(at) == Some(&b'\r') {
                if header.get(at.saturating_add(1)) == Some(&b'\n') {
                    crlf = true;
                    continue;
                }
                // Another CR before a line end makes no line of its own.
                let rest = from(header, at.saturating_add(1));
                let line = sub(rest, 0..line_end(rest, 0).min(SHORT_FIELD_MAX));
                let name = memchr::memchr(b':', line).map(|colon| sub(line, 0..colon));
                let field =
                    name.is_some_and(|n| !n.is_empty() && n.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-'));
                let kind = if field { Kind::CrInHeader } else { Kind::CrInValue };
                self.note(kind, index, offset(start, at), || shown(rest));
            } else if at == 0 || header.get(at.saturating_sub(1)) != Some(&b'\r') {
                lf.get_or_insert(at);
            }
        }
        if let Some(at) = lf.filter(|_| crlf) {
            self.note(Kind::LineEndsMixed, index, offset(start, at), String::new);
        }
    }

    /// A part that is all body since its first line is no field, yet fields follow.
    fn header_missing(&mut self, index: usize, part: &Part) {
        const LINES: usize = 32;
        if part.header.start != part.header.end {
            return;
        }
        let body = self.body(part);
        let mut at = 0;
        for _ in 0..LINES {
            let end = line_end(body, at);
            let line = sub(body, at..end);
            if trim(line).is_empty() {
                return;
            }
            if is_part_field(line) {
                self.note(Kind::HeaderBroken, index, offset(part.body.start, at), || shown(line));
                return;
            }
            at = end;
        }
    }
}

/// Whether a type has parts, or a message in it.
fn holds(read: &ContentType) -> bool {
    matches!(read.media_type.as_str(), "multipart" | "message")
}

/// Whether a field says how a part is to be read.
fn is_of_mime(name: &[u8]) -> bool {
    match name.len() {
        12 => name.eq_ignore_ascii_case(b"content-type"),
        19 => name.eq_ignore_ascii_case(b"content-disposition"),
        25 => name.eq_ignore_ascii_case(b"content-transfer-encoding"),
        _ => false,
    }
}

/// A field's name without what doesn't belong into one.
pub(super) fn plain_name(name: &[u8]) -> impl Iterator<Item = u8> + '_ {
    name.iter().copied().filter(|b| *b > b' ' && *b < 0x7f)
}

/// Whether a line is what mailboxes of the `mbox` kind put before a message.
fn is_of_mbox(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

/// Where a line of blanks stands in a folded value: an offset in it.
fn blank_line(value: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', value).map(|at| at.saturating_add(1)).find(|start| {
        let line = sub(value, *start..line_end(value, *start));
        trim(line).is_empty()
    })
}

/// Length of a field's value with its line end.
fn without_end_len(header: &[u8], field: &Field<'_>) -> usize {
    let whole = sub(header, field.whole.clone());
    field.value.len().saturating_add(whole.len().saturating_sub(without_end(whole).len()))
}

fn offset(start: u64, at: usize) -> u64 {
    start.saturating_add(at as u64)
}
