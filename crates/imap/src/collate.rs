//! The order of texts: `i;unicode-casemap` (RFC 5051), which RFC 5256 §7 asks of SORT and THREAD. Texts compare as the
//! bytes of their keys do: case counts for nothing, and a letter with a mark comes right after the letter.

use icu_normalizer::DecomposingNormalizer;

/// The key of a text. Longer than the text at most as its characters decompose, eleven times.
pub(crate) fn key(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    // RFC 5051 §2 (2): the title case of each character, then its decomposition of any kind: Normalization Form KD.
    let titled: String = text.chars().map(titled).collect();
    DecomposingNormalizer::new_nfkd().normalize(&titled).into_owned()
}

/// The title case of Unicode's own table, where one character gives one. It is the upper case but for those below.
fn titled(character: char) -> char {
    match character {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian has capitals, and no titles.
        '\u{10d0}'..='\u{10ff}' => character,
        // Greek with iota below: upper case writes two letters, title case one.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => shifted(character, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(character, 9),
        _ => {
            let mut upper = character.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                // Upper case that takes several characters isn't in that table.
                _ => character,
            }
        }
    }
}

fn shifted(character: char, by: u32) -> char {
    char::from_u32(u32::from(character).saturating_add(by)).unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_counts_for_nothing() {
        for (a, b) in [
            ("abc", "ABC"),
            ("gr\u{fc}n", "GR\u{dc}N"),
            ("\u{3c3}", "\u{3c2}"),
            ("\u{1fb3}", "\u{1fbc}"),
            ("\u{1f80}", "\u{1f88}"),
            ("\u{43c}\u{438}\u{440}", "\u{41c}\u{418}\u{420}"),
        ] {
            assert_eq!(key(a), key(b));
        }
        // However it is written: one character, or a letter and its mark.
        assert_eq!(key("\u{e4}"), key("a\u{308}"));
        // The example of RFC 5051 §2.
        assert_eq!(key("\u{1c4}"), "Dz\u{30c}");
        // What has no capital of one character stays.
        assert_eq!(key("\u{df}"), "\u{df}");
    }

    #[test]
    fn a_letter_with_a_mark_follows_the_letter() {
        let mut words = ["zebra", "\u{c4}pfel", "Apfel", "bein", "\u{e4}pfel", "", "_"];
        words.sort_by_key(|word| key(word));
        assert_eq!(words, ["", "Apfel", "\u{c4}pfel", "\u{e4}pfel", "bein", "zebra", "_"]);
    }

    proptest! {
        #[test]
        fn keys_are_their_own_where_case_is_gone(text in ".{0,40}") {
            prop_assert_eq!(key(&text.to_ascii_lowercase()), key(&text.to_ascii_uppercase()));
            prop_assert!(key(&text).len() <= text.len().saturating_mul(11));
        }
    }
}
