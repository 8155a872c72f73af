//! Who answers for what, what it counts for, and when it is looked at.

use crate::address::Address;
use serde::Serialize;
use std::fmt;

/// The areas of the audit by their names in the configuration, in the order of the score sheet.
pub const AUDIT_AREAS: [&str; 18] = [
    "physical",
    "network",
    "services",
    "access",
    "logs",
    "patches",
    "viruses",
    "clients",
    "reading",
    "filtering",
    "encryption",
    "awareness",
    "denial",
    "backup",
    "standby",
    "files",
    "privileges",
    "corrective",
];

/// The audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// The hour of the day at which a running server audits itself, host's time; `None`: never.
    pub hour: Option<u8>,
    /// What kind of machine this is said to be.
    pub machine: AuditMachine,
    /// Who answers for which area; the later line counts.
    pub owners: Vec<AuditPerson>,
    /// And who stands in for them.
    pub deputies: Vec<AuditPerson>,
    /// What areas count for where it isn't the default.
    pub weights: Vec<AuditWeight>,
    /// Whose looks from outside count.
    pub peers: Vec<AuditPeer>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            hour: Some(4),
            machine: AuditMachine::Guess,
            owners: Vec::new(),
            deputies: Vec::new(),
            weights: Vec::new(),
            peers: Vec::new(),
        }
    }
}

/// What kind of machine it is: what makes no sense there isn't asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditMachine {
    /// What it looks like.
    Guess,
    /// One's own metal.
    Metal,
    /// A virtual machine of a provider.
    Virtual,
    /// A container.
    Container,
}

impl AuditMachine {
    /// Each with its word.
    pub const ALL: [(AuditMachine, &'static str); 4] = [
        (AuditMachine::Guess, "guess"),
        (AuditMachine::Metal, "metal"),
        (AuditMachine::Virtual, "virtual"),
        (AuditMachine::Container, "container"),
    ];

    /// Reads `guess`, `metal`, `virtual` or `container`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, word)| *word == text).map(|(machine, _)| *machine);
        found.ok_or_else(|| format!("{text:?} must be guess, metal, virtual or container"))
    }
}

impl fmt::Display for AuditMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(machine, _)| machine == self).map_or("", |(_, word)| word))
    }
}

/// Reads the name of an area.
fn area(text: &str) -> Result<usize, String> {
    AUDIT_AREAS
        .iter()
        .position(|name| *name == text)
        .ok_or_else(|| format!("{text:?} is no area; they are {}", AUDIT_AREAS.join(", ")))
}

/// Who answers for an area: `network ada@example.org`, or `all ada@example.org`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditPerson {
    /// Which of [`AUDIT_AREAS`]; `None`: all.
    pub area: Option<usize>,
    /// Who.
    pub address: Address,
}

impl AuditPerson {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} must be an area, or all, and an address, such as \"network ada@example.org\"");
        let (name, address) = text.split_once(' ').ok_or_else(wrong)?;
        let area = if name == "all" { None } else { Some(area(name)?) };
        let address = Address::parse(address.trim(), false).ok().filter(|address| address.domain().is_some());
        Ok(Self { area, address: address.ok_or_else(wrong)? })
    }
}

impl fmt::Display for AuditPerson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let area = self.area.and_then(|area| AUDIT_AREAS.get(area)).unwrap_or(&"all");
        write!(f, "{area} {}", self.address)
    }
}

/// What an area counts for: `physical 0.9`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditWeight {
    /// Which of [`AUDIT_AREAS`].
    pub area: usize,
    /// Hundredths, at most 1,000.
    pub weight: u16,
}

impl AuditWeight {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} must be an area and 0 to 10 with at most two decimals, such as \"physical 0.9\"");
        let (name, weight) = text.split_once(' ').ok_or_else(wrong)?;
        let (whole, part) = weight.split_once('.').unwrap_or((weight, "0"));
        let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return Err(wrong());
        }
        let tens = if part.len() == 1 { 10 } else { 1 };
        let part = part.parse::<u16>().unwrap_or(0).saturating_mul(tens);
        let weight = whole.parse::<u16>().unwrap_or(0).saturating_mul(100).saturating_add(part);
        if weight > 1_000 {
            return Err(wrong());
        }
        Ok(Self { area: area(name)?, weight })
    }
}

impl fmt::Display for AuditWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let area = AUDIT_AREAS.get(self.area).unwrap_or(&"");
        write!(f, "{area} {}.{:02}", self.weight / 100, self.weight.rem_euclid(100))
    }
}

/// Whose looks from outside count: `second.example.org 3d40…`, a name for people and a public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditPeer {
    /// A name without blanks, 1 to 64 letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// Its key: 64 hexadecimal digits, lower case.
    pub key: String,
}

impl AuditPeer {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} must be a name and a public key of 64 hexadecimal digits, which `mailward probe --sign` tells"
            )
        };
        let (name, key) = text.split_once(' ').ok_or_else(wrong)?;
        let is_name = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        let key = key.trim().to_ascii_lowercase();
        let is_key = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_name && is_key { Ok(Self { name: name.to_owned(), key }) } else { Err(wrong()) }
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn key_bytes(&self) -> Vec<u8> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
        let pairs = self.key.as_bytes().chunks_exact(2);
        pairs.map(|pair| pair.iter().fold(0_u8, |byte, one| byte.wrapping_shl(4) | digit(*one))).collect()
    }
}

impl fmt::Display for AuditPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_name_and_a_key_and_is_written_as_it_was_read() {
        let key = "3d40".repeat(16);
        let peer = AuditPeer::parse(&format!("second.example.org {}", key.to_uppercase())).unwrap();
        assert_eq!(peer.to_string(), format!("second.example.org {key}"));
        assert_eq!((peer.key_bytes().len(), peer.key_bytes()[1]), (32, 0x40));
        for wrong in ["", "second", "second 3d40"] {
            assert!(AuditPeer::parse(wrong).is_err(), "{wrong}");
        }
        let (long, other) = ("x".repeat(65), key.replace('3', "g"));
        for wrong in [
            format!(" {key}"),
            format!("a b {key}"),
            format!("a {key}0"),
            format!("{long} {key}"),
            format!("a {other}"),
        ] {
            assert!(AuditPeer::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
