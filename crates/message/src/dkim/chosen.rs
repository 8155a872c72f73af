//! The fields of a header that a signature names.

use super::{Form, relax_field};
use crate::bytes::{sub, without_end};
use crate::header;
use std::collections::HashMap;
use std::ops::Range;

/// A header, ready for signatures to choose from.
#[derive(Debug)]
pub struct Fields<'h> {
    header: &'h [u8],
    /// By name in lower case, from the top.
    named: HashMap<Vec<u8>, Vec<Range<usize>>>,
}

impl<'h> Fields<'h> {
    /// Of a header of at most `limits::HEADER_BYTES_MAX`, which the caller sees to.
    #[must_use]
    pub fn of(header: &'h [u8]) -> Self {
        let mut named: HashMap<Vec<u8>, Vec<Range<usize>>> = HashMap::new();
        for field in header::fields(header).filter(|field| !field.name.is_empty()) {
            named.entry(field.name.to_ascii_lowercase()).or_default().push(field.whole);
        }
        Self { header, named }
    }

    /// Writes the fields of these names in a form, each with CRLF at its end: from the bottom up, a name that comes once more
    /// than its field counts as nothing (RFC 6376 §5.4.2).
    pub fn choose(&self, names: &[String], form: Form, out: &mut Vec<u8>) {
        let mut used: HashMap<&[u8], usize> = HashMap::new();
        for name in names {
            let Some(there) = self.named.get(name.as_bytes()) else { continue };
            let used = used.entry(name.as_bytes()).or_default();
            *used = used.saturating_add(1);
            let Some(place) = there.len().checked_sub(*used).and_then(|at| there.get(at)) else { continue };
            let field = sub(self.header, place.clone());
            match form {
                Form::Relaxed => relax_field(field, out),
                Form::Simple => out.extend_from_slice(without_end(field)),
            }
            out.extend_from_slice(b"\r\n");
        }
    }
}
