//! One form for passwords, however the client's system writes them.

use crate::error::VaultError;
use icu_normalizer::ComposingNormalizer;
use mailward_core::limits::PASSWORD_MAX;
use zeroize::Zeroizing;

/// Brings a password into its one form by SASLprep (RFC 4013): spaces become U+0020, invisible joiners vanish, NFKC;
/// so that "é" typed on one system is "é" typed on another. ASCII stays as it is. The bidirectional rule of §2.4
/// is left out: it protects identifiers, and would refuse honest passwords.
///
/// # Errors
/// [`VaultError::Unfit`]: over [`PASSWORD_MAX`] bytes before or after, empty, not UTF-8, or with a character that
/// RFC 4013 §2.3 prohibits.
pub fn prepare(password: &[u8]) -> Result<Zeroizing<String>, VaultError> {
    if password.len() > PASSWORD_MAX {
        return Err(VaultError::Unfit);
    }
    let text = std::str::from_utf8(password).map_err(|_| VaultError::Unfit)?;
    let prepared = if text.is_ascii() {
        Zeroizing::new(text.to_owned())
    } else {
        let mapped: Zeroizing<String> = Zeroizing::new(text.chars().filter_map(mapped).collect());
        Zeroizing::new(ComposingNormalizer::new_nfkc().normalize(&mapped).into_owned())
    };
    if prepared.is_empty() || prepared.len() > PASSWORD_MAX || prepared.chars().any(prohibited) {
        return Err(VaultError::Unfit);
    }
    Ok(prepared)
}

/// RFC 4013 §2.1: RFC 3454 tables C.1.2 (to a space) and B.1 (to nothing).
fn mapped(c: char) -> Option<char> {
    match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        '\u{ad}'
        | '\u{34f}'
        | '\u{1806}'
        | '\u{180b}'..='\u{180d}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => None,
        c => Some(c),
    }
}

/// RFC 4013 §2.3: RFC 3454 tables C.2.1, C.2.2, C.3, C.4, C.6, C.7, C.8, C.9. (C.5, surrogates, can't be in UTF-8.)
fn prohibited(c: char) -> bool {
    let noncharacter = u32::from(c) & 0xfffe == 0xfffe;
    c.is_control()
        || noncharacter
        || matches!(c,
            '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2063}' | '\u{206a}'..='\u{206f}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{fff9}'..='\u{fffd}'
            | '\u{2ff0}'..='\u{2ffb}'
            | '\u{340}' | '\u{341}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prepared(text: &str) -> Result<String, VaultError> {
        prepare(text.as_bytes()).map(|p| p.to_string())
    }

    /// RFC 4013 §3, the examples.
    #[test]
    fn the_examples_of_the_standard_hold() {
        assert_eq!(prepared("I\u{ad}X"), Ok("IX".to_owned()));
        assert_eq!(prepared("user"), Ok("user".to_owned()));
        assert_eq!(prepared("USER"), Ok("USER".to_owned()));
        assert_eq!(prepared("\u{aa}"), Ok("a".to_owned()));
        assert_eq!(prepared("\u{2168}"), Ok("IX".to_owned()));
        assert_eq!(prepared("\u{7}"), Err(VaultError::Unfit));
    }

    #[test]
    fn the_same_letters_from_two_systems_are_the_same_password() {
        assert_eq!(prepared("caf\u{e9}\u{a0}noir"), prepared("cafe\u{301} noir"));
    }

    #[test]
    fn control_characters_bad_utf8_and_nothing_are_refused() {
        for bad in ["", "\u{200b}", "a\0b", "a\r\nb", "a\u{202e}b", "\u{e000}", "a\u{fffd}b"] {
            assert_eq!(prepared(bad), Err(VaultError::Unfit), "{bad:?}");
        }
        assert_eq!(prepare(b"\xff\xfe").err(), Some(VaultError::Unfit));
    }

    #[test]
    fn the_length_ends_at_its_limit() {
        assert!(prepared(&"a".repeat(PASSWORD_MAX)).is_ok());
        assert_eq!(prepared(&"a".repeat(PASSWORD_MAX + 1)), Err(VaultError::Unfit));
        // One character that NFKC makes eighteen of.
        assert_eq!(prepared(&"\u{fdfa}".repeat(PASSWORD_MAX / 3)), Err(VaultError::Unfit));
    }

    proptest! {
        #[test]
        fn it_never_panics_and_what_came_out_stays_as_it_is(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in "\\PC{0,40}") {
            let _ = prepare(&bytes);
            if let Ok(once) = prepared(&text) {
                prop_assert!(once.len() <= PASSWORD_MAX);
                prop_assert_eq!(prepared(&once), Ok(once.clone()));
            }
        }
    }
}
