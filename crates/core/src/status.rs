//! Enhanced status codes (RFC 3463): one type for what servers say, what is kept, and what reports tell.

use serde::{Deserialize, Serialize};

/// `class.subject.detail` (RFC 3463 §2): class 2, 4 or 5, the others 0 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnhancedStatus {
    class: u8,
    subject: u16,
    detail: u16,
}

/// What is no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an enhanced status code such as 5.1.1")]
pub struct NoStatus;

impl EnhancedStatus {
    /// From its numbers; `None` if they are none of a status code.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Option<Self> {
        if matches!(class, 2 | 4 | 5) && subject <= 999 && detail <= 999 {
            Some(Self { class, subject, detail })
        } else {
            None
        }
    }

    /// A code of our own, written in the program. Numbers that none has become `4.0.0`: nobody knows.
    #[must_use]
    pub const fn of(class: u8, subject: u16, detail: u16) -> Self {
        match Self::new(class, subject, detail) {
            Some(status) => status,
            None => Self { class: 4, subject: 0, detail: 0 },
        }
    }

    /// Reads `5.1.1`, which fills the text; no sign, no zeros before others.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(number);
        let (class, subject, detail) = (parts.next()??, parts.next()??, parts.next()??);
        if parts.next().is_some() {
            return None;
        }
        Self::new(u8::try_from(class).ok()?, subject, detail)
    }

    /// What is said where a server gave only its reply code: `x.0.0` of its class (RFC 3464 §2.3.4). Codes that are no
    /// answer count as 4: nobody knows.
    #[must_use]
    pub const fn of_code(code: u16) -> Self {
        match code {
            200..=299 => Self::of(2, 0, 0),
            500..=599 => Self::of(5, 0, 0),
            _ => Self::of(4, 0, 0),
        }
    }

    /// 2: success, 4: perhaps later, 5: never.
    #[must_use]
    pub const fn class(self) -> u8 {
        self.class
    }

    /// What it is about: 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    #[must_use]
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// What of that.
    #[must_use]
    pub const fn detail(self) -> u16 {
        self.detail
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    if digits && plain { text.parse().ok() } else { None }
}

impl std::fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl TryFrom<String> for EnhancedStatus {
    type Error = NoStatus;
    fn try_from(text: String) -> Result<Self, NoStatus> {
        Self::parse(&text).ok_or(NoStatus)
    }
}

impl From<EnhancedStatus> for String {
    fn from(status: EnhancedStatus) -> Self {
        status.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_numbers_and_nothing_else_are_a_status() {
        assert_eq!(EnhancedStatus::parse("5.7.606").map(|s| s.to_string()).as_deref(), Some("5.7.606"));
        assert_eq!(EnhancedStatus::parse("4.0.0"), Some(EnhancedStatus::of_code(451)));
        for bad in ["", "5", "5.1", "5.1.1.", "5.1.1.1", "3.1.1", "5.1.1000", "5.01.1", "5.+1.1", "5.1.1 ", "05.1.1"] {
            assert_eq!(EnhancedStatus::parse(bad), None, "{bad:?}");
        }
        assert_eq!(EnhancedStatus::of(5, 1_000, 0).to_string(), "4.0.0");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(class in any::<u8>(), subject in 0u16..2_000, detail in 0u16..2_000) {
            if let Some(status) = EnhancedStatus::new(class, subject, detail) {
                prop_assert_eq!(EnhancedStatus::parse(&status.to_string()), Some(status));
                prop_assert_eq!((status.class(), status.subject(), status.detail()), (class, subject, detail));
            }
        }
    }
}
