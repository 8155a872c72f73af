//! Doubts of multiparts: boundaries that can be read in two ways, and what stands where no part should be.

use super::head::Head;
use super::{Finder, Kind, has_word, is_part_field, part_like, payload_like, shown};
use crate::bytes::{from, line_end, sub, trim, trim_end};
use crate::content::{joined, percent_decoded, piece, written};
use crate::decode::{base64, header_text, quoted_printable};
use crate::header::unfold;
use crate::structure::Part;
use mailward_core::limits::{
    BOUNDARIES_READ_MAX, BOUNDARY_STANDARD_MAX, MIME_DEPTH_MAX, MIME_PARAMETERS_MAX, MIME_PARTS_MAX,
};
use memchr::memmem;
use std::collections::BTreeSet;

impl<'m> Finder<'m> {
    /// Looks at a multipart, also at one that is taken for a text because it has no parts. Whether it was one with parts.
    pub(super) fn multipart(&mut self, index: usize, part: &'m Part, head: &Head<'_>) -> bool {
        let boundary = head.parsed.as_ref().filter(|_| head.is_multipart()).and_then(|t| t.boundary());
        let body = self.body(part);
        let start = part.body.start;
        // Of what is no multipart for anybody, nobody looks for a boundary.
        if let Some(value) = head.content_type.filter(|value| has_word(value, b"multipart")) {
            self.other_boundaries(index, value, head.type_at, boundary.as_deref(), body);
        }
        if !head.is_multipart() {
            return false;
        }
        if let Some(boundary) = &boundary {
            self.boundary_itself(index, boundary, head);
            self.delimiter_in_header(index, part, boundary);
        }
        if !part.is_multipart() || part.first_child == 0 {
            self.without_parts(index, part, head, boundary.as_deref(), body);
            return false;
        }
        let Some(boundary) = boundary else { return true };
        self.against_others(index, part.header.start, &boundary);
        self.gaps(index, part, &boundary);
        self.delimiters(index, &boundary, body, start);
        if !head.is_identity() {
            self.note(Kind::MultipartEncoded, index, part.header.start, || head.encoding.clone());
        }
        self.related(index, part);
        if let Some(slot) = self.boundaries.get_mut(index) {
            *slot = Some(boundary);
        }
        true
    }

    /// Boundaries that others could read in the same field.
    fn other_boundaries(&mut self, index: usize, value: &[u8], at: u64, taken: Option<&[u8]>, body: &[u8]) {
        let value = unfold(value);
        for (candidate, form) in candidates(&value, taken) {
            if let Some(kind) = form {
                self.note(kind, index, at, || shown(&value));
            }
            if Some(candidate.as_slice()) == taken {
                continue;
            }
            if !self.spend(index, body.len()) {
                return;
            }
            if has_delimiter(body, &candidate) {
                let evidence = || format!("\"{}\" beside \"{}\"", shown(&candidate), shown(taken.unwrap_or_default()));
                self.note_other(Kind::BoundaryInDoubt, index, at, of_boundary(&candidate), evidence);
            }
        }
    }

    fn boundary_itself(&mut self, index: usize, boundary: &[u8], head: &Head<'_>) {
        if boundary.len() > BOUNDARY_STANDARD_MAX {
            self.note(Kind::BoundaryLong, index, head.type_at, || format!("{} bytes", boundary.len()));
        }
        let odd = |b: &u8| *b < b' ' || *b >= 0x7f || matches!(b, b'"' | b'\\');
        let params = head.parsed.as_ref().map(|t| t.params.as_slice()).unwrap_or_default();
        let blank = params.iter().any(|(name, value)| name == "boundary" && value.len() != trim_end(value).len());
        if blank || boundary.iter().any(odd) {
            self.note(Kind::BoundaryOdd, index, head.type_at, || shown(boundary));
        }
    }

    /// A delimiter among the fields of its own multipart.
    fn delimiter_in_header(&mut self, index: usize, part: &Part, boundary: &[u8]) {
        let header = crate::decode::slice(self.message, &part.header);
        if let Some(at) = delimiter(header, boundary) {
            let at = part.header.start.saturating_add(at as u64);
            self.note(Kind::DelimiterInHeader, index, at, || shown(boundary));
        }
    }

    /// A header of a part that says something and that a delimiter ends, not an empty line.
    pub(super) fn header_ended(&mut self, index: usize, part: &Part) {
        let header = crate::decode::slice(self.message, &part.header);
        let whole = header.is_empty() || header.ends_with(b"\n\n") || header.ends_with(b"\n\r\n");
        if !whole && header != b"\r\n" && header != b"\n" && part.header.end < self.message.len() as u64 {
            self.note(Kind::HeaderWithoutEnd, index, part.header.start, String::new);
        }
    }

    /// A multipart in which no part was found.
    fn without_parts(&mut self, index: usize, part: &Part, head: &Head<'_>, boundary: Option<&[u8]>, body: &[u8]) {
        let start = part.body.start;
        if part.subtype == "octet-stream" && boundary.is_some() {
            if self.depth(index) >= MIME_DEPTH_MAX {
                self.note(Kind::TooDeep, index, part.header.start, || format!("{MIME_DEPTH_MAX} levels"));
            }
            if self.structure.parts.len() < MIME_PARTS_MAX {
                return;
            }
        }
        if !self.spend(index, body.len().saturating_mul(2)) {
            return;
        }
        if let Some(boundary) = boundary.filter(|_| !head.is_identity())
            && has_delimiter(&decoded(&head.encoding, body), boundary)
        {
            self.note(Kind::PartsEncoded, index, start, || head.encoding.clone());
            return;
        }
        match part_like(body) {
            Some(at) => {
                let at_message = start.saturating_add(at as u64);
                self.note(Kind::BoundaryMissing, index, at_message, || shown(from(body, at)));
            }
            None => self.note(Kind::PartsMissing, index, start, String::new),
        }
    }

    /// The boundary against those of the multiparts around.
    fn against_others(&mut self, index: usize, at: u64, boundary: &[u8]) {
        let around: Vec<usize> = self.around(index).collect();
        for outer in around {
            let Some(Some(other)) = self.boundaries.get(outer) else { continue };
            let kind = if other == boundary {
                Kind::BoundaryReused
            } else if other.starts_with(boundary) || boundary.starts_with(other) {
                Kind::BoundaryPrefix
            } else {
                continue;
            };
            let evidence = format!("\"{}\" in \"{}\"", shown(boundary), shown(other));
            self.note(kind, index, at, || evidence);
        }
    }

    /// Preamble and epilogue.
    fn gaps(&mut self, index: usize, part: &Part, boundary: &[u8]) {
        let mut children = self.structure.children(part);
        let first = children.next();
        let last = children.last().or(first);
        let (Some(first), Some(last)) = (first, last) else { return };
        let preamble = crate::decode::slice(self.message, &(part.body.start..first.header.start));
        let before = delimiter(preamble, boundary).unwrap_or(preamble.len());
        let preamble = sub(preamble, 0..before);
        let rest = crate::decode::slice(self.message, &(last.body.end..part.body.end));
        if !self.spend(index, preamble.len().saturating_add(rest.len())) {
            return;
        }
        if let Some(at) = payload_like(preamble) {
            let at_message = part.body.start.saturating_add(at as u64);
            self.note(Kind::PreamblePayload, index, at_message, || shown(from(preamble, at)));
        }
        // The line end before the delimiter belongs to it.
        let skipped = rest.len().saturating_sub(trim_start(rest).len());
        let close = delimiter_line(from(rest, skipped), boundary).filter(|(_, close)| *close).map(|(end, _)| end);
        let Some(close) = close else {
            self.note(Kind::CloseMissing, index, part.body.end, String::new);
            return;
        };
        let behind = skipped.saturating_add(close);
        let epilogue = from(rest, behind);
        let offset = |at: usize| last.body.end.saturating_add(behind as u64).saturating_add(at as u64);
        let more = lines_with(epilogue, boundary)
            .find(|at| matches!(delimiter_line(from(epilogue, *at), boundary), Some((_, false))));
        if let Some(at) = more {
            self.note(Kind::PartsAfterClose, index, offset(at), || shown(from(epilogue, at)));
        } else if let Some(at) = payload_like(epilogue) {
            self.note(Kind::EpiloguePayload, index, offset(at), || shown(from(epilogue, at)));
        } else if !trim(epilogue).is_empty() {
            self.note(Kind::EpilogueText, index, offset(0), || shown(epilogue));
        }
    }

    /// Lines that are delimiters for who looks less closely.
    fn delimiters(&mut self, index: usize, boundary: &[u8], body: &[u8], start: u64) {
        if !self.spend(index, body.len()) {
            return;
        }
        let mut known: Option<BTreeSet<Vec<u8>>> = None;
        let pattern = [b"--", boundary].concat();
        for at in memmem::find_iter(body, &pattern) {
            let before = at.checked_sub(1).and_then(|before| body.get(before));
            if before == Some(&b'\r') {
                self.note(Kind::DelimiterAfterCr, index, start.saturating_add(at as u64), || shown(&pattern));
                continue;
            }
            if !matches!(before, None | Some(b'\n')) || delimiter_line(from(body, at), boundary).is_some() {
                continue;
            }
            let next = line_end(body, at);
            if !is_part_field(sub(body, next..line_end(body, next))) {
                continue;
            }
            // The delimiter of a multipart within, whose boundary begins with this one, is one.
            let line = trim_end(sub(body, at.saturating_add(2)..next));
            let known = known.get_or_insert_with(|| self.all_boundaries());
            if !known.contains(line) && !line.strip_suffix(b"--").is_some_and(|line| known.contains(line)) {
                let evidence = shown(line);
                self.note(Kind::DelimiterNearly, index, start.saturating_add(at as u64), || evidence);
            }
        }
    }

    /// The boundaries of all multiparts.
    fn all_boundaries(&self) -> BTreeSet<Vec<u8>> {
        let multiparts = self.structure.parts().filter(|p| p.is_multipart());
        multiparts
            .filter_map(|p| Head::read(crate::decode::slice(self.message, &p.header)).parsed?.boundary())
            .collect()
    }

    fn related(&mut self, index: usize, part: &Part) {
        match part.subtype.as_str() {
            "appledouble" => self.note(Kind::AppleDouble, index, part.header.start, String::new),
            "related" => {
                let Some(start) = part.param("start") else { return };
                let bare = |id: &str| id.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
                let wanted = bare(start);
                match self.structure.children(part).position(|p| p.id.as_deref().is_some_and(|id| bare(id) == wanted)) {
                    Some(0) => {}
                    Some(_) => self.note(Kind::RelatedStart, index, part.header.start, || start.to_owned()),
                    None => self.note(Kind::RelatedStartMissing, index, part.header.start, || start.to_owned()),
                }
            }
            _ => {}
        }
    }
}

/// What else can be read as a boundary in an unfolded Content-Type, with the doubt that its form is by itself.
fn candidates(value: &[u8], taken: Option<&[u8]>) -> Vec<(Vec<u8>, Option<Kind>)> {
    let mut found: Vec<(Vec<u8>, Option<Kind>)> = Vec::new();
    let mut add = |candidate: &[u8], kind: Option<Kind>| {
        let candidate = trim(candidate);
        let new = Some(candidate) != taken || kind.is_some();
        if !candidate.is_empty()
            && new
            && found.len() < BOUNDARIES_READ_MAX
            && !found.iter().any(|(c, k)| c == candidate && *k == kind)
        {
            found.push((candidate.to_vec(), kind));
        }
    };
    let (params, _more) = written(value);
    let ours: Vec<_> = params.iter().filter(|p| p.name.starts_with("boundary")).collect();
    let pairs: Vec<_> = ours.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
    for param in &ours {
        let extended = param.name != "boundary";
        add(&param.value, extended.then_some(Kind::BoundaryExtended));
        if param.name.ends_with('*') {
            add(&percent_decoded(&param.value), None);
        }
        if memmem::find(&param.value, b"=?").is_some() {
            let decoded = header_text(&param.value).into_bytes();
            let word = decoded != param.value;
            add(&decoded, word.then_some(Kind::BoundaryExtended));
        }
        let bare: Vec<u8> = param.whole.iter().copied().filter(|b| *b != b'"').collect();
        let more = !param.whole.starts_with(b"\"") && param.whole != param.value;
        add(&bare, more.then_some(Kind::BoundaryComment));
        add(param.whole, None);
    }
    if pairs.iter().any(|(name, _)| piece(name).is_some()) {
        for (name, value) in joined(pairs) {
            add(&if name.ends_with('*') { percent_decoded(&value) } else { value }, None);
        }
    }
    // Wherever the word stands: in comments, in quotes, behind a missing semicolon.
    let is_word = |at: &usize| sub(value, *at..at.saturating_add(8)).eq_ignore_ascii_case(b"boundary");
    for at in memchr::memchr2_iter(b'b', b'B', value).filter(is_word).take(MIME_PARAMETERS_MAX) {
        let rest = from(value, at.saturating_add(8));
        let Some(rest) = trim(rest).strip_prefix(b"=").map(trim) else { continue };
        match rest.strip_prefix(b"\"") {
            Some(quoted) => add(sub(quoted, 0..memchr::memchr(b'"', quoted).unwrap_or(quoted.len())), None),
            None => {
                let end =
                    rest.iter().position(|b| matches!(b, b';' | b'"' | b')' | b' ' | b'\t')).unwrap_or(rest.len());
                add(sub(rest, 0..end), None);
            }
        }
    }
    found
}

/// A Content-Type with this boundary.
pub(super) fn of_boundary(boundary: &[u8]) -> Vec<u8> {
    let mut value = b" multipart/mixed; boundary=\"".to_vec();
    for byte in boundary {
        if matches!(byte, b'"' | b'\\') {
            value.push(b'\\');
        }
        value.push(*byte);
    }
    value.push(b'"');
    value
}

pub(super) fn decoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    match encoding {
        "base64" => base64(body),
        "quoted-printable" => quoted_printable(body),
        _ => Vec::new(),
    }
}

pub(super) fn has_delimiter(body: &[u8], boundary: &[u8]) -> bool {
    delimiter(body, boundary).is_some()
}

/// Where the first delimiter line of a boundary begins.
fn delimiter(body: &[u8], boundary: &[u8]) -> Option<usize> {
    lines_with(body, boundary).find(|at| delimiter_line(from(body, *at), boundary).is_some())
}

/// Where lines begin that begin like a delimiter.
fn lines_with<'b>(body: &'b [u8], boundary: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    let first = body.strip_prefix(b"--").is_some_and(|rest| rest.starts_with(boundary)).then_some(0);
    let later = memchr::memmem::Finder::new(b"\n--").into_owned();
    let mut at = 0_usize;
    let later = std::iter::from_fn(move || {
        loop {
            let found = at.saturating_add(later.find(from(body, at))?).saturating_add(1);
            at = found;
            if from(body, found.saturating_add(2)).starts_with(boundary) {
                return Some(found);
            }
        }
    });
    first.into_iter().chain(later)
}

/// The end of the line and whether it closes, if the line that the bytes begin with is a delimiter.
pub(super) fn delimiter_line(line: &[u8], boundary: &[u8]) -> Option<(usize, bool)> {
    let end = line_end(line, 0);
    let said = trim_end(sub(line, 0..end)).strip_prefix(b"--")?.strip_prefix(boundary)?;
    match said {
        b"" => Some((end, false)),
        b"--" => Some((end, true)),
        _ => None,
    }
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}
