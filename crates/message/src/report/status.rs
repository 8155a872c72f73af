//! Enhanced status codes.

/// An enhanced status code (RFC 3463 §2): class 2, 4 or 5, subject and detail 0 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status {
    class: u8,
    subject: u16,
    detail: u16,
}

impl Status {
    /// From its numbers; `None` if they are none of a status code.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Option<Self> {
        if matches!(class, 2 | 4 | 5) && subject <= 999 && detail <= 999 {
            Some(Self { class, subject, detail })
        } else {
            None
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
        let class = match code {
            200..=299 => 2,
            500..=599 => 5,
            _ => 4,
        };
        Self { class, subject: 0, detail: 0 }
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

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_and_nothing_else_are_a_status() {
        assert_eq!(Status::parse("5.7.606").map(|s| s.to_string()).as_deref(), Some("5.7.606"));
        assert_eq!(Status::parse("4.0.0"), Some(Status::of_code(451)));
        for bad in ["", "5", "5.1", "5.1.1.", "5.1.1.1", "3.1.1", "5.1.1000", "5.01.1", "5.+1.1", "5.1.1 ", "05.1.1"] {
            assert_eq!(Status::parse(bad), None, "{bad:?}");
        }
    }
}
