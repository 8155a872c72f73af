//! Mail addresses: one canonical form, which policy, routing, log and display all use (attacks A5).

use crate::domain::{Domain, DomainError, Host};
use crate::limits::{LOCAL_PART_MAX, PATH_MAX};
use serde::{Deserialize, Serialize};

/// What stands before the `@`, decoded: quotes and backslashes taken off. Never empty, never a control
/// character, at most [`LOCAL_PART_MAX`] bytes. Case is kept (RFC 5321 §2.4) and ignored on comparison by
/// [`LocalPart::folded`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(String);

/// `local@host`, RFC 5321 §4.1.2 `Mailbox`. Programs and files are not addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    local: LocalPart,
    host: Host,
}

/// Why an address was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing before it.
    #[error("an address is written local@domain")]
    Incomplete,
    /// A character that can't stand in a local part, a dot at an end, two dots together, an open quote.
    #[error("the part before the @ has a character or dot that can't stand there")]
    LocalPart,
    /// Over its limit.
    #[error("the part before the @ has at most {LOCAL_PART_MAX} bytes, an address {PATH_MAX}")]
    TooLong,
    /// Non-ASCII without SMTPUTF8.
    #[error("characters outside ASCII need SMTPUTF8")]
    NeedsUtf8,
    /// The part after the `@`.
    #[error(transparent)]
    Domain(#[from] DomainError),
}

impl LocalPart {
    /// Reads a dot-atom or a quoted string that fills `text`.
    ///
    /// # Errors
    /// [`AddressError`] says what can't stand.
    pub fn parse(text: &str, utf8: bool) -> Result<Self, AddressError> {
        if !utf8 && !text.is_ascii() {
            return Err(AddressError::NeedsUtf8);
        }
        let decoded = match text.strip_prefix('"') {
            Some(rest) => unquote(rest)?,
            None => dot_atom(text)?.to_owned(),
        };
        if decoded.len() > LOCAL_PART_MAX {
            return Err(AddressError::TooLong);
        }
        Ok(Self(decoded))
    }
    /// Decoded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The form under which accounts are looked up: lower case. Two addresses of ours never differ in case only.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

fn atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !invisible(c))
}

/// Characters that change how a text looks without being seen: never in an address.
fn invisible(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}')
}

fn dot_atom(text: &str) -> Result<&str, AddressError> {
    if text.is_empty() {
        return Err(AddressError::Incomplete);
    }
    if text.split('.').any(|atom| atom.is_empty() || !atom.chars().all(atext)) {
        return Err(AddressError::LocalPart);
    }
    Ok(text)
}

/// Reads what follows an opening quote, up to a closing one that ends the text.
fn unquote(rest: &str) -> Result<String, AddressError> {
    let mut decoded = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' if chars.as_str().is_empty() => {
                return if decoded.is_empty() { Err(AddressError::LocalPart) } else { Ok(decoded) };
            }
            '"' => return Err(AddressError::LocalPart),
            '\\' => match chars.next() {
                Some(escaped @ ' '..='~') => decoded.push(escaped),
                _ => return Err(AddressError::LocalPart),
            },
            ' '..='~' => decoded.push(c),
            c if !c.is_ascii() && !invisible(c) => decoded.push(c),
            _ => return Err(AddressError::LocalPart),
        }
    }
    Err(AddressError::LocalPart)
}

impl std::fmt::Display for LocalPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if dot_atom(&self.0).is_ok() {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            std::fmt::Write::write_char(f, c)?;
        }
        f.write_str("\"")
    }
}

impl Address {
    /// Reads `local@host` that fills `text`; `utf8` tells whether SMTPUTF8 was asked for (RFC 6531).
    ///
    /// # Errors
    /// [`AddressError`] says what can't stand.
    pub fn parse(text: &str, utf8: bool) -> Result<Self, AddressError> {
        if text.len() > PATH_MAX.saturating_mul(4) {
            return Err(AddressError::TooLong);
        }
        // The @ that counts is the first outside quotes; a second one fails as part of the host.
        let at = split_at_sign(text).ok_or(AddressError::Incomplete)?;
        let (local, host) = text.split_at_checked(at).ok_or(AddressError::Incomplete)?;
        let host = host.strip_prefix('@').ok_or(AddressError::Incomplete)?;
        let address = Self { local: LocalPart::parse(local, utf8)?, host: Host::parse(host, utf8)? };
        if address.to_string().len() > PATH_MAX {
            return Err(AddressError::TooLong);
        }
        Ok(address)
    }
    /// Puts the two parts together.
    #[must_use]
    pub const fn new(local: LocalPart, host: Host) -> Self {
        Self { local, host }
    }
    /// Before the `@`.
    #[must_use]
    pub const fn local(&self) -> &LocalPart {
        &self.local
    }
    /// After the `@`.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }
    /// After the `@`, unless it is an address literal.
    #[must_use]
    pub const fn domain(&self) -> Option<&Domain> {
        self.host.domain()
    }
    /// Whether it can be written without SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.local.0.is_ascii()
    }
}

/// Byte index of the first `@` outside a leading quoted string.
fn split_at_sign(text: &str) -> Option<usize> {
    if !text.starts_with('"') {
        return text.find('@');
    }
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(index.saturating_add(1)),
            _ => {}
        }
    }
    None
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local, self.host)
    }
}
impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text, true)
    }
}
impl std::str::FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, true)
    }
}
impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<String, AddressError> {
        Address::parse(text, false).map(String::from)
    }

    #[test]
    fn quotes_are_taken_off_where_they_aren_t_needed() {
        assert_eq!(parse("\"alice\"@Example.org"), Ok("alice@example.org".to_owned()));
        assert_eq!(parse("\"a\\lice\"@example.org"), Ok("alice@example.org".to_owned()));
        assert_eq!(parse("\"a b\"@example.org"), Ok("\"a b\"@example.org".to_owned()));
        assert_eq!(parse("\"a@b\"@example.org"), Ok("\"a@b\"@example.org".to_owned()));
        assert_eq!(parse("\"a\\\"b\"@c.example"), Ok("\"a\\\"b\"@c.example".to_owned()));
    }

    /// Attacks A5, A1: every form that is not an address by RFC 5321 §4.1.2.
    #[test]
    fn what_is_not_an_address_is_refused() {
        for bad in [
            "",
            "a",
            "@c",
            "a@",
            "a@@c",
            "a@b@c",
            "u@T@[127.0.0.1]",
            "a(comment@x)@c",
            "(c)a@c",
            "a@c(comment)",
            "<aaa@bbb.com>ccc@ddd.com",
            "Group: a@b, c@d;",
            "a@b,c@d",
            "a b@c",
            "\"\"@c",
            ".a@c",
            "a.@c",
            "a..b@c",
            "a@1.2.3.4",
            "a@c.",
            "a@-c",
            "a@[IPv6:fe80::1%lo]",
            "u@T%00.S",
            "u@S%00T",
            "a\r\n@c",
            "a@c\r\nRCPT TO:<b@c>",
            "a\0b@c",
            "\"a\0b\"@c",
            "\"a\"b@c",
            "\"a@c",
            "u\u{ff20}t",
            "\"u@T\"",
            "\"a\\\u{7f}\"@c",
            "@[127.0.0.1]:u@T",
        ] {
            assert!(Address::parse(bad, true).is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn addresses_that_look_like_commands_are_only_addresses() {
        for odd in [
            "-oQ@c.example",
            "|cmd@c.example",
            "/etc/passwd@c.example",
            "~/.x@c.example",
            "u%T@s.example",
            "T!u@s.example",
            "=?utf-8?q?a=40b?=@c.example",
        ] {
            assert_eq!(parse(odd), Ok(odd.to_owned()), "must stay literal");
        }
    }

    #[test]
    fn utf8_needs_to_be_asked_for() {
        assert_eq!(parse("jörg@example.org"), Err(AddressError::NeedsUtf8));
        assert!(Address::parse("jörg@münchen.example", true).is_ok());
        for hidden in ["a\u{200b}b@c.example", "a\u{202e}b@c.example", "a\u{feff}@c.example", "\"a\u{200b}\"@c.example"]
        {
            assert!(Address::parse(hidden, true).is_err(), "{hidden:?}");
        }
    }

    /// Attacks A4: code points whose low byte is CR, LF or @ must never be cut to that byte.
    #[test]
    fn wide_characters_never_become_controls() {
        for wide in ["a\u{10a}b@c.example", "a\u{10d}b@c.example", "a\u{140}b@c.example"] {
            let address = Address::parse(wide, true).map(|a| a.to_string());
            assert_eq!(address.as_deref(), Ok(wide));
        }
    }

    #[test]
    fn the_local_part_ends_at_its_limit() {
        let at = |n: usize| Address::parse(&format!("{}@c.example", "a".repeat(n)), false);
        assert!(at(LOCAL_PART_MAX).is_ok());
        assert_eq!(at(LOCAL_PART_MAX + 1), Err(AddressError::TooLong));
        let label = "d".repeat(60);
        let long = format!("{}@{label}.{label}.{label}.{label}", "a".repeat(LOCAL_PART_MAX));
        assert_eq!(Address::parse(&long, false), Err(AddressError::TooLong));
    }

    proptest! {
        #[test]
        fn what_parses_comes_back_the_same(text in "[ -~\u{e4}\u{140}]{0,20}@[a-zA-Z0-9.\\-]{1,20}", utf8 in any::<bool>()) {
            if let Ok(address) = Address::parse(&text, utf8) {
                let written = address.to_string();
                prop_assert!(!written.bytes().any(|b| b < b' ' || b == 0x7f));
                prop_assert_eq!(Address::parse(&written, true), Ok(address));
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,300}", utf8 in any::<bool>()) {
            let _ = Address::parse(&text, utf8);
        }
    }
}
