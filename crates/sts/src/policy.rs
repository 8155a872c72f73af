//! Policies of MTA-STS: what a domain demands of those who send to it (RFC 8461 §3.2).

use mailward_core::Domain;
use mailward_core::limits::{STS_AGE_MAX, STS_PATTERNS_MAX, STS_POLICY_MAX};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a domain's hosts are, and how strictly it means it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How it is to be taken.
    pub mode: Mode,
    /// Which hosts take its mail: at least one unless the mode is none, at most `limits::STS_PATTERNS_MAX`.
    pub mx: Vec<Pattern>,
    /// How long it holds, seconds from when it was fetched; at most `limits::STS_AGE_MAX`.
    pub max_age: u32,
}

/// How a policy is to be taken (RFC 8461 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Mail goes to hosts that fit it, or not at all.
    Enforce,
    /// It is only reported what doesn't fit.
    Testing,
    /// It is as if there were none.
    None,
}

/// A host, or all hosts directly below a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    domain: Domain,
    below: bool,
}

/// What a text isn't a policy for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too large, or not ASCII.
    #[error("it has more than {STS_POLICY_MAX} bytes, or others than ASCII")]
    Text,
    /// A line without a name and a value.
    #[error("line {0} is no `name: value`")]
    Line(usize),
    /// Something that every policy has.
    #[error("it has no valid {0}")]
    Missing(&'static str),
    /// A host that isn't one.
    #[error("line {0} names no host")]
    Host(usize),
    /// More than are read.
    #[error("it names more than {STS_PATTERNS_MAX} hosts")]
    Hosts,
}

impl Policy {
    /// Reads one, at most `limits::STS_POLICY_MAX` bytes: a `name: value` a line, in any order, ended by LF or CRLF. Of
    /// what may stand once only, the first counts; what isn't known is for others (RFC 8461 §3.2).
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= STS_POLICY_MAX && text.is_ascii());
        let (mut version, mut mode, mut max_age) = (None, None, None);
        let mut mx: Vec<Pattern> = Vec::new();
        for (number, line) in (1..).zip(text.ok_or(PolicyError::Text)?.split('\n')) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.bytes().all(|byte| matches!(byte, b' ' | b'\t')) {
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(PolicyError::Line(number))?;
            let value = value.trim_matches([' ', '\t']);
            if !is_name(name) || value.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(PolicyError::Line(number));
            }
            match name {
                "version" => drop(version.get_or_insert(value)),
                "mode" => drop(mode.get_or_insert(value)),
                "max_age" => drop(max_age.get_or_insert(value)),
                "mx" => {
                    if mx.len() >= STS_PATTERNS_MAX {
                        return Err(PolicyError::Hosts);
                    }
                    mx.push(Pattern::parse(value).ok_or(PolicyError::Host(number))?);
                }
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err(PolicyError::Missing("version"));
        }
        let mode = match mode {
            Some("enforce") => Mode::Enforce,
            Some("testing") => Mode::Testing,
            Some("none") => Mode::None,
            _ => return Err(PolicyError::Missing("mode")),
        };
        let digits = max_age.filter(|age| (1..=10).contains(&age.len()) && age.bytes().all(|b| b.is_ascii_digit()));
        let seconds: u64 = digits.and_then(|age| age.parse().ok()).ok_or(PolicyError::Missing("max_age"))?;
        if mx.is_empty() && mode != Mode::None {
            return Err(PolicyError::Missing("mx"));
        }
        Ok(Self { mode, mx, max_age: u32::try_from(seconds).unwrap_or(u32::MAX).min(STS_AGE_MAX) })
    }

    /// Whether this host is one of the domain's.
    #[must_use]
    pub fn names(&self, host: &Domain) -> bool {
        self.mx.iter().any(|pattern| pattern.fits(host))
    }

    /// The policy as lines, for reports (RFC 8460 §4.4).
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let head = ["version: STSv1".to_owned(), format!("mode: {}", self.mode)];
        let age = format!("max_age: {}", self.max_age);
        head.into_iter().chain(std::iter::once(age)).chain(self.mx.iter().map(|pattern| format!("mx: {pattern}")))
    }
}

/// A field's name: letters, digits, `_`, `-` and `.`, 32 at most (RFC 8461 §3.2, sts-policy-ext-name).
fn is_name(name: &str) -> bool {
    let fits = (1..=32).contains(&name.len()) && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    fits && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

impl Pattern {
    /// `mx.example.org`, or `*.example.org`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        Some(Self { domain: Domain::parse(name).ok()?, below })
    }
    /// Whether a host fits: the star stands for one label, the first (RFC 8461 §4.1).
    #[must_use]
    pub fn fits(&self, host: &Domain) -> bool {
        if !self.below {
            return *host == self.domain;
        }
        host.as_str().split_once('.').is_some_and(|(_, rest)| rest == self.domain.as_str())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.below { "*." } else { "" })?;
        self.domain.fmt(f)
    }
}
impl TryFrom<String> for Pattern {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a host")
    }
}
impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.to_string()
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    #[test]
    fn a_policy_is_read_as_the_standard_shows_it() {
        let text =
            b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n";
        let policy = Policy::parse(text).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, 604_800));
        for (name, fits) in [
            ("mail.example.com", true),
            ("MAIL.example.com", true),
            ("mx1.example.net", true),
            ("example.net", false),
            ("a.b.example.net", false),
            ("other.example.com", false),
            ("mail.example.com.evil.example", false),
        ] {
            assert_eq!(policy.names(&host(name)), fits, "{name}");
        }
    }

    #[test]
    fn order_unknown_fields_and_doubles_are_as_the_standard_says() {
        let text = b"max_age:10\nx-new: a:b\nmode:testing\nmode: enforce\nmx:mx.example\nversion:STSv1\nversion: 2\n\n";
        let policy = Policy::parse(text).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Testing, 10));
        let none = Policy::parse(b"version: STSv1\nmode: none\nmax_age: 9999999999").unwrap();
        assert_eq!((none.mode, none.max_age), (Mode::None, STS_AGE_MAX));
    }

    #[test]
    fn what_is_no_policy_says_why() {
        for (text, why) in [
            ("", PolicyError::Missing("version")),
            ("version: STSv2\nmode: none\nmax_age: 1", PolicyError::Missing("version")),
            ("version: STSv1\nmode: strict\nmax_age: 1", PolicyError::Missing("mode")),
            ("version: STSv1\nmode: none\nmax_age: -1", PolicyError::Missing("max_age")),
            ("version: STSv1\nmode: none\nmax_age: 99999999999", PolicyError::Missing("max_age")),
            ("version: STSv1\nmode: enforce\nmax_age: 1", PolicyError::Missing("mx")),
            ("version: STSv1\nmx: *\nmode: none\nmax_age: 1", PolicyError::Host(2)),
            ("version: STSv1\nmx: a.*.example\nmode: none\nmax_age: 1", PolicyError::Host(2)),
            ("<!doctype html>\n<html>", PolicyError::Line(1)),
            ("version: STSv1\nmode none", PolicyError::Line(2)),
            ("version: STS\u{fc}", PolicyError::Text),
        ] {
            assert_eq!(Policy::parse(text.as_bytes()), Err(why), "{text}");
        }
    }

    #[test]
    fn a_policy_ends_at_its_limits() {
        let head = "version: STSv1\nmode: enforce\nmax_age: 1\n";
        let many = |count: usize| format!("{head}{}", "mx: a.example\n".repeat(count));
        assert!(Policy::parse(many(STS_PATTERNS_MAX).as_bytes()).is_ok());
        assert_eq!(Policy::parse(many(STS_PATTERNS_MAX + 1).as_bytes()), Err(PolicyError::Hosts));
        let long = format!("{head}mx: a.example\nx: {}", "y".repeat(STS_POLICY_MAX));
        assert_eq!(Policy::parse(long.as_bytes()), Err(PolicyError::Text));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[a-z_:* .\\r\\n0-9]{0,200}") {
            let _ = Policy::parse(text.as_bytes());
        }

        #[test]
        fn what_is_told_of_a_policy_is_that_policy(
            mode in prop::sample::select(vec![Mode::Enforce, Mode::Testing]),
            mx in prop::collection::vec("(\\*\\.)?[a-z]{1,8}\\.[a-z]{2,5}", 1..5),
            max_age in 0..=STS_AGE_MAX,
        ) {
            let mx = mx.iter().map(|one| Pattern::parse(one).unwrap()).collect();
            let policy = Policy { mode, mx, max_age };
            let text = policy.lines().collect::<Vec<_>>().join("\r\n");
            prop_assert_eq!(Policy::parse(text.as_bytes()), Ok(policy.clone()));
            let kept = serde_json::to_vec(&policy).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Policy>(&kept).unwrap(), policy);
        }
    }
}
