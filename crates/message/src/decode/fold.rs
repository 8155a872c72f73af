//! Text made comparable for searching: the one way for what is sought and for what it is sought in.

use icu_normalizer::{DecomposingNormalizer, DecomposingNormalizerBorrowed};

/// Compatibility decompositions of Unicode.
const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizer::new_nfkd();

/// Text in which what differs only in case, or in the way a character is encoded, is the same: what `i;unicode-casemap`
/// (RFC 5051) holds for equal, small letters instead of its capitals. Each character is decomposed, then its letters are
/// made small: `Ｉ`, `i` and `ı` are one, so are `σ` and `ς`, `ﬁ` is `fi`, `é` is `e` and an accent, a Hangul syllable is its
/// letters. Marks stay where they are and `ß` stays `ß`, as in RFC 5051. NUL becomes U+FFFD.
///
/// Character by character, nothing depends on the neighbours: `fold(a + b) == fold(a) + fold(b)`. So what stands in a
/// text still stands in it when both are folded.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_within(text, usize::MAX, &mut folded);
    folded
}

/// Adds the folded text until `to` has grown to `most` bytes, or by one character's decomposition more.
pub(super) fn fold_within(text: &str, most: usize, to: &mut String) {
    let mut rest = text;
    loop {
        let plain = rest.bytes().position(|byte| !byte.is_ascii() || byte == 0).unwrap_or(rest.len());
        let start = to.len();
        let plain = plain.min(most.saturating_sub(start));
        to.push_str(rest.get(..plain).unwrap_or_default());
        if let Some(added) = to.get_mut(start..) {
            added.make_ascii_lowercase();
        }
        if to.len() >= most {
            return;
        }
        let mut after = rest.get(plain..).unwrap_or_default().chars();
        match after.next() {
            None => return,
            Some('\0') => to.push(char::REPLACEMENT_CHARACTER),
            Some(character) => to.extend(decomposed(character).map(small)),
        }
        rest = after.as_str();
    }
}

/// A character's full compatibility decomposition.
pub(super) fn decomposed(character: char) -> impl Iterator<Item = char> {
    NFKD.normalize_iter(std::iter::once(character))
}

/// The small letter of what differs from it in case only, by way of its capital: some letters (`ς`, `ı`) share theirs
/// with others. A mapping to more than one character (`ß` to `SS`) is none for RFC 5051.
fn small(character: char) -> char {
    let lower = one(character.to_lowercase()).unwrap_or(character);
    let upper = one(lower.to_uppercase()).unwrap_or(lower);
    one(upper.to_lowercase()).unwrap_or(upper)
}

fn one(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next()?;
    mapped.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_looks_alike_is_found_alike() {
        for (one, other) in [
            ("GRÜSSE", "gru\u{308}sse"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("ｆｕｌｌ　ｗｉｄｔｈ", "Full Width"),
            ("ﬁle№½", "fileNo1\u{2044}2"),
            ("İstanbul", "i\u{307}STANBUL"),
            ("ısı", "ISI"),
            ("한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
            ("a\u{a0}b", "a b"),
            ("ДЕНЬ", "день"),
            ("STRAẞE", "straße"),
            ("\u{212a}elvin", "kelvin"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        // RFC 5051 tells these apart.
        assert_ne!(fold("ß"), fold("ss"));
        assert_ne!(fold("e"), fold("é"));
        assert_eq!(fold("nul\0"), "nul\u{fffd}");
    }

    #[test]
    fn folded_text_is_folded_and_every_letter_meets_its_other_cases() {
        for character in '\0'..=char::MAX {
            let folded = fold(character.encode_utf8(&mut [0; 4]));
            assert!(!folded.is_empty() && !folded.contains('\0'));
            assert_eq!(fold(&folded), folded, "{character:?}");
            for other in [one(character.to_lowercase()), one(character.to_uppercase())].into_iter().flatten() {
                assert_eq!(fold(other.encode_utf8(&mut [0; 4])), folded, "{character:?} {other:?}");
            }
        }
    }

    #[test]
    fn folding_ends_where_there_is_no_more_room() {
        let mut text = "x".to_owned();
        fold_within("ABC\u{fdfa}DEF", 3, &mut text);
        assert_eq!(text, "xab");
        let mut text = String::new();
        fold_within(&"\u{fdfa}".repeat(1_000), 100, &mut text);
        assert!((100..140).contains(&text.len()), "{}", text.len());
    }

    proptest! {
        #[test]
        fn what_stands_in_a_text_stands_in_it_folded(
            before in "\\PC{0,8}",
            sought in "\\PC{0,8}|[a-zA-Zßéſςı\u{300}\u{315}\u{323}한ﬃ]{0,8}",
            after in "\\PC{0,8}|[\u{300}\u{315}\u{323}]{0,3}",
        ) {
            let text = format!("{before}{sought}{after}");
            prop_assert_eq!(fold(&text), fold(&before) + &fold(&sought) + &fold(&after));
            let upper: String = text.chars().map(|c| one(c.to_uppercase()).unwrap_or(c)).collect();
            prop_assert!(fold(&upper).contains(&fold(&sought)));
        }
    }
}
