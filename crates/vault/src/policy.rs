//! Which passwords do, and making ones that do.

use crate::error::VaultError;
use crate::{prepare, random};
use mailward_core::Secret;
use mailward_core::limits::{PASSWORD_MAX, PASSWORD_MIN};

/// Characters of a generated password: lower case letters and digits without 0, 1, l and o, which are read wrong.
/// 32 of them: 5 bits each, and no remainder to favour any.
const READABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 5 groups of 4: 100 bits.
const GROUPS: usize = 5;
const GROUP: usize = 4;
/// `zxcvbn` score asked for: "safely unguessable" by 10^8 tries or more.
const SCORE_MIN: u8 = 3;
/// Characters that `zxcvbn` looks at; its time grows with the square, and more don't make a password worse.
const SCORED_MAX: usize = 72;
/// Shortest word of a name that a password is searched for, characters.
const WORD_MIN: usize = 3;

/// Whose password it is to be; what a guesser would try first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// Local part of the address.
    pub local: &'a str,
    /// Domain of the address.
    pub domain: &'a str,
    /// Name of the person.
    pub display_name: &'a str,
}

/// Why a password doesn't do, with the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Too short.
    #[error("the password is too short: it needs at least {PASSWORD_MIN} characters")]
    TooShort,
    /// Too long.
    #[error("the password is too long: it has at most {PASSWORD_MAX} bytes")]
    TooLong,
    /// Not UTF-8, or with control characters.
    #[error("the password holds characters that can't be typed everywhere: use letters, digits, signs and spaces")]
    Characters,
    /// Mostly the user's name or domain.
    #[error("the password is made of the user's name or domain: choose words that have nothing to do with them")]
    OwnName,
    /// Guessed too soon.
    #[error(
        "the password would be guessed too soon{}: use several unrelated words, or let one be generated",
        hint(.0)
    )]
    Weak(Option<String>),
}

fn hint(warning: &Option<String>) -> String {
    warning.as_deref().map(|w| format!(" ({})", w.trim_end_matches('.'))).unwrap_or_default()
}

/// Judges a password, whoever sets it.
///
/// # Errors
/// [`PasswordFault`] says why it doesn't do.
pub fn check_password(password: &Secret, subject: Subject<'_>) -> Result<(), PasswordFault> {
    if password.expose().len() > PASSWORD_MAX {
        return Err(PasswordFault::TooLong);
    }
    let given = std::str::from_utf8(password.expose()).map_err(|_| PasswordFault::Characters)?;
    if given.chars().count() < PASSWORD_MIN {
        return Err(PasswordFault::TooShort);
    }
    let prepared = prepare(password.expose()).map_err(|_| PasswordFault::Characters)?;
    // Counted again: what vanishes in preparation was never there.
    if prepared.chars().count() < PASSWORD_MIN {
        return Err(PasswordFault::TooShort);
    }
    let words = words_of(subject);
    if is_mostly(&prepared, &words) {
        return Err(PasswordFault::OwnName);
    }
    let scored: String = prepared.chars().take(SCORED_MAX).collect();
    let inputs: Vec<&str> = words.iter().map(String::as_str).collect();
    let entropy = zxcvbn::zxcvbn(&scored, &inputs);
    if u8::from(entropy.score()) < SCORE_MIN {
        let warning = entropy.feedback().and_then(|f| f.warning()).map(|w| w.to_string());
        return Err(PasswordFault::Weak(warning));
    }
    Ok(())
}

/// A password of 5 groups of 4 readable characters: 100 bits, easy to read out and to type.
///
/// # Errors
/// [`VaultError::Randomness`].
pub fn generate_password() -> Result<Secret, VaultError> {
    let bytes = random::<{ GROUPS * GROUP }>()?;
    let mut password = Vec::with_capacity(GROUPS.saturating_mul(GROUP.saturating_add(1)));
    for (index, group) in bytes.chunks(GROUP).enumerate() {
        if index > 0 {
            password.push(b'-');
        }
        password.extend(group.iter().filter_map(|byte| READABLE.get(usize::from(byte & 31))));
    }
    Ok(Secret::new(password))
}

/// The names and their parts, folded, longest first, so that a part doesn't break up the whole.
fn words_of(subject: Subject<'_>) -> Vec<String> {
    let mut words = Vec::new();
    for name in [subject.local, subject.domain, subject.display_name] {
        let folded = name.to_lowercase();
        words.extend(folded.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        words.push(folded);
    }
    words.retain(|word| word.chars().count() >= WORD_MIN);
    words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    words.dedup();
    words
}

/// Whether little of the password is left once the words, read forwards or backwards, are taken out.
fn is_mostly(password: &str, words: &[String]) -> bool {
    let mut rest = password.to_lowercase();
    let before = rest.chars().count();
    for word in words {
        let backwards: String = word.chars().rev().collect();
        rest = rest.replace(word.as_str(), " ").replace(&backwards, " ");
    }
    let left = rest.chars().filter(|c| c.is_alphanumeric()).count();
    left < before && left < PASSWORD_MIN.div_euclid(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALICE: Subject<'static> =
        Subject { local: "alice.miller", domain: "example.test", display_name: "Alice Miller-Ödön" };

    fn check(password: &str) -> Result<(), PasswordFault> {
        check_password(&Secret::new(password), ALICE)
    }

    #[test]
    fn unrelated_words_do() {
        assert_eq!(check("correct lantern otter violin"), Ok(()));
        assert_eq!(check("žluťoučký lantern otter"), Ok(()));
    }

    #[test]
    fn length_ends_at_its_limits() {
        assert_eq!(check("kx9#vQ2!z"), Err(PasswordFault::TooShort));
        assert_eq!(check("kx9#vQ2!zw"), Ok(()));
        let long = "kx9#vQ2!zw ".repeat(100);
        assert_eq!(check(long.get(..PASSWORD_MAX).unwrap()), Ok(()));
        assert_eq!(check(long.get(..=PASSWORD_MAX).unwrap()), Err(PasswordFault::TooLong));
        assert_eq!(check("kx9#vQ2!z\u{200b}\u{200b}"), Err(PasswordFault::TooShort), "the invisible doesn't count");
    }

    #[test]
    fn the_own_name_and_domain_don_t_do() {
        for own in [
            "alice.miller",
            "AliceMiller1",
            "alice.miller@example.test",
            "example.test!!",
            "relliMecilA99",
            "miller-miller-miller",
            "ÖDÖNÖDÖNÖDÖN",
        ] {
            assert_eq!(check(own), Err(PasswordFault::OwnName), "{own}");
        }
    }

    #[test]
    fn what_everybody_uses_doesn_t_do() {
        for weak in ["password123", "1234567890", "qwertyuiop", "aaaaaaaaaaaaaaa", "iloveyou2026"] {
            assert!(matches!(check(weak), Err(PasswordFault::Weak(_))), "{weak}: {:?}", check(weak));
        }
    }

    #[test]
    fn control_characters_and_bad_utf8_don_t_do() {
        assert_eq!(check("correct lantern\notter violin"), Err(PasswordFault::Characters));
        assert_eq!(check_password(&Secret::new(vec![0xff; 20]), ALICE), Err(PasswordFault::Characters));
    }

    #[test]
    fn a_generated_one_does_and_none_comes_twice() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..200 {
            let secret = generate_password().unwrap();
            let text = std::str::from_utf8(secret.expose()).unwrap().to_owned();
            assert_eq!(check(&text), Ok(()), "{text}");
            let groups: Vec<&str> = text.split('-').collect();
            assert_eq!(groups.len(), GROUPS);
            assert!(groups.iter().all(|g| g.len() == GROUP && g.bytes().all(|b| READABLE.contains(&b))));
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn a_fault_says_what_to_do() {
        let text = check("password123").unwrap_err().to_string();
        assert!(text.contains("use several unrelated words"), "{text}");
    }

    proptest! {
        #[test]
        fn judging_never_panics(password in "\\PC{0,40}", local in "\\PC{0,20}", name in "\\PC{0,20}") {
            let subject = Subject { local: &local, domain: "example.test", display_name: &name };
            let _ = check_password(&Secret::new(password), subject);
        }
    }
}
