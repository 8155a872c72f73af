//! The short text that stands in a reply, and is asked for.

use mailward_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Digits and letters without look-alikes (Crockford's base 32): no I, L, O, U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Hours after which a reference's hour could be another: 42 days, of which a week is remembered.
const HOURS: i64 = 1_024;
/// Characters of one.
const LEN: usize = 8;

/// The hour of the clock that a time is in.
pub(super) const fn hour_of(time: Timestamp) -> i64 {
    time.secs().div_euclid(3_600)
}

/// Names a refusal, in 8 characters that can be read out over a telephone: `7K2Q-9XMT`. The first two tell the hour, modulo 1024;
/// the others are of a keyed hash, so that nobody outside learns how many there are, or finds others'. It proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference([u8; LEN]);

impl Reference {
    /// Of this time, with these bits, of which 30 count.
    pub(super) fn new(now: Timestamp, bits: u64) -> Self {
        let hour = u64::try_from(hour_of(now).rem_euclid(HOURS)).unwrap_or(0);
        let mut number = (hour << 30) | (bits & 0x3fff_ffff);
        let mut text = [b'0'; LEN];
        for place in text.iter_mut().rev() {
            *place = usize::try_from(number & 31).ok().and_then(|index| DIGITS.get(index)).copied().unwrap_or(b'0');
            number >>= 5;
        }
        Self(text)
    }

    /// The hour that it is of, if it is one of the last 1024 before `now` or this one.
    pub(super) fn hour(self, now: Timestamp) -> i64 {
        let [first, second, ..] = self.0;
        let value =
            |digit: u8| DIGITS.iter().position(|d| *d == digit).and_then(|at| i64::try_from(at).ok()).unwrap_or(0);
        let hour = value(first).saturating_mul(32).saturating_add(value(second));
        let this = hour_of(now);
        let ago = this.saturating_sub(hour).rem_euclid(HOURS);
        this.saturating_sub(ago)
    }

    /// Its characters, without the hyphen.
    pub(super) fn digits(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.digits().split_at_checked(LEN.div_euclid(2)).unwrap_or_default();
        write!(f, "{first}-{second}")
    }
}

/// Not a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reference has 8 letters and digits, such as 7K2Q-9XMT")]
pub struct NoReference;

impl FromStr for Reference {
    type Err = NoReference;

    /// In either case, with hyphens or none; letters that look like digits are these.
    fn from_str(text: &str) -> Result<Self, NoReference> {
        if text.len() > LEN.saturating_mul(2) {
            return Err(NoReference);
        }
        let mut digits = [0; LEN];
        let mut given = text.bytes().filter(|b| *b != b'-');
        for place in &mut digits {
            let digit = match given.next().map(|b| b.to_ascii_uppercase()) {
                Some(b'O') => b'0',
                Some(b'I' | b'L') => b'1',
                Some(digit) => digit,
                None => return Err(NoReference),
            };
            *place = DIGITS.contains(&digit).then_some(digit).ok_or(NoReference)?;
        }
        if given.next().is_some() {
            return Err(NoReference);
        }
        Ok(Self(digits))
    }
}

impl TryFrom<String> for Reference {
    type Error = NoReference;
    fn try_from(text: String) -> Result<Self, NoReference> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_read_however_it_is_typed() {
        let reference: Reference = "7K2Q-91M0".parse().unwrap();
        for typed in ["7k2q91m0", "7K2Q9LMO", "7k2q-9imo", "7K2Q91M0"] {
            assert_eq!(typed.parse(), Ok(reference), "{typed}");
        }
        for bad in [
            "",
            "7K2Q-91M",
            "7K2Q-91M00",
            "7K2U-91M0",
            "7K2Q_91M0",
            "7K2Q 91M0",
            "äääääääää",
            "----------------7K2Q91M0",
        ] {
            assert_eq!(bad.parse::<Reference>(), Err(NoReference), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn it_comes_back_and_knows_its_hour(bits in any::<u64>(), at in 0_i64..100_000_000_000, later in 0_i64..1_023) {
            let then = Timestamp::from_secs(at);
            let reference = Reference::new(then, bits);
            prop_assert_eq!(reference.to_string().parse(), Ok(reference));
            let now = Timestamp::from_secs(at.saturating_add(later.saturating_mul(3_600)));
            prop_assert_eq!(reference.hour(now), hour_of(then));
        }
        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}") {
            let _ = text.parse::<Reference>();
        }
    }
}
