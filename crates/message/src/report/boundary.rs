//! A boundary that is in none of the parts.

use crate::bytes::{from, sub};
use memchr::memmem;
use std::collections::BTreeSet;

/// Digits of the number in a boundary.
const DIGITS: usize = 8;

/// A boundary made of `id` (letters and digits) and the first number with which it is in none of the bodies. One pass,
/// and no more tries than bodies of that length can hold boundaries. `=_` is never in quoted-printable text (RFC 2045
/// §6.7).
pub(super) fn choose<'b>(id: &str, bodies: impl Iterator<Item = &'b [u8]>) -> String {
    let start = format!("=_{id}_");
    let finder = memmem::Finder::new(start.as_bytes());
    let mut taken: BTreeSet<Vec<u8>> = BTreeSet::new();
    for body in bodies {
        for at in finder.find_iter(body) {
            let digits = sub(from(body, at.saturating_add(start.len())), 0..DIGITS);
            // Of fewer bytes is what ends before: no boundary.
            taken.insert(digits.to_ascii_lowercase());
        }
    }
    let mut number = 0_u32;
    while taken.contains(format!("{number:08x}").as_bytes()) {
        number = number.saturating_add(1);
    }
    format!("{start}{number:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_that_is_in_the_content_is_not_taken() {
        assert_eq!(choose("ab", std::iter::empty()), "=_ab_00000000");
        let content = b"x --=_ab_00000000\r\n--=_ab_00000001--\r\n=_ab_0000000".as_slice();
        assert_eq!(choose("ab", [content, b"=_AB_00000002"].into_iter()), "=_ab_00000002");
        assert_eq!(choose("ab", [content, b"=_ab_00000002"].into_iter()), "=_ab_00000003");
    }

    #[test]
    fn content_full_of_boundaries_costs_one_pass() {
        let mut content = Vec::new();
        for number in 0..3_000 {
            content.extend_from_slice(format!("--=_ab_{number:08x}\r\n").as_bytes());
        }
        assert_eq!(choose("ab", std::iter::once(content.as_slice())), "=_ab_00000bb8");
    }
}
