//! What is done about spam.

use crate::address::Address;
use crate::limits::{SPAM_JUNK_AT, SPAM_MARK_AT, SPAM_POINTS_MAX};
use serde::Serialize;
use std::fmt;

/// From how many points on what is done, and whom the filter learns from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spam {
    /// From so many points on a message is marked.
    pub mark: SpamPoints,
    /// From so many on it is filed as junk.
    pub junk: SpamPoints,
    /// From so many on it isn't taken.
    pub reject: SpamPoints,
    /// Users whose word on spam counts for everybody.
    pub trainers: Vec<Address>,
    /// Where users send what the filter is to learn.
    pub train_addresses: Vec<TrainAddress>,
    /// Other filters that are asked.
    pub peers: Vec<SpamPeer>,
}

impl Default for Spam {
    fn default() -> Self {
        Self {
            mark: SpamPoints(Some(SPAM_MARK_AT)),
            junk: SpamPoints(Some(SPAM_JUNK_AT)),
            reject: SpamPoints(None),
            trainers: Vec::new(),
            train_addresses: Vec::new(),
            peers: Vec::new(),
        }
    }
}

/// A mark on the scale of points; none: never reached. Hundredths, above 0, at most `limits::SPAM_POINTS_MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpamPoints(pub Option<i32>);

impl Serialize for SpamPoints {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl SpamPoints {
    /// Whether so many points reach it.
    #[must_use]
    pub fn reached(self, points: i32) -> bool {
        self.0.is_some_and(|mark| points >= mark)
    }

    /// Reads `7`, `7.5`, `7.25` or `none`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let points = (digits(whole) && digits(part) && part.len() <= 2).then(|| {
            let tens = if part.len() == 1 { 10 } else { 1 };
            let part = part.parse::<i32>().unwrap_or(0).saturating_mul(tens);
            whole.parse::<i32>().unwrap_or(0).saturating_mul(100).saturating_add(part)
        });
        match points {
            Some(points) if (1..=SPAM_POINTS_MAX).contains(&points) => Ok(Self(Some(points))),
            _ => Err(format!(
                "{text:?} must be points such as \"7\" or \"7.5\", above 0 and at most {}, or \"none\"",
                SPAM_POINTS_MAX / 100
            )),
        }
    }
}

impl fmt::Display for SpamPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            Some(points) => {
                let (whole, part) = (points.div_euclid(100), points.rem_euclid(100));
                write!(f, "{whole}")?;
                match (part.checked_rem(10), part) {
                    (_, 0) => Ok(()),
                    (Some(0), part) => write!(f, ".{}", part / 10),
                    (_, part) => write!(f, ".{part:02}"),
                }
            }
        }
    }
}

/// An address here that learns what is sent to it: `spam@example.org spam`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrainAddress {
    /// The address.
    pub address: Address,
    /// Whether what comes is spam; else it is wanted.
    pub spam: bool,
}

impl TrainAddress {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} must be an address and what it learns, such as \"spam@example.org spam\"");
        let (address, what) = text.split_once(' ').ok_or_else(wrong)?;
        let address = Address::parse(address, false).ok().filter(|address| address.domain().is_some());
        let spam = match what.trim() {
            "spam" => true,
            "ham" => false,
            _ => return Err(wrong()),
        };
        Ok(Self { address: address.ok_or_else(wrong)?, spam })
    }
}

impl fmt::Display for TrainAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.address, if self.spam { "spam" } else { "ham" })
    }
}

/// Another filter: `spamd tcp:127.0.0.1:783 0.5`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpamPeer {
    /// What it speaks.
    pub kind: SpamPeerKind,
    /// Where it listens.
    pub place: SpamPeerPlace,
    /// What one of its points counts here, hundredths of a point: 1 to 1,000.
    pub weight: i32,
}

/// What another filter speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpamPeerKind {
    /// SpamAssassin's daemon: SPAMC 1.5.
    Spamd,
    /// rspamd's HTTP: `/checkv2`.
    Rspamd,
}

/// Where another filter listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpamPeerPlace {
    /// Over TCP.
    Tcp(std::net::SocketAddr),
    /// On a Unix socket.
    Unix(std::path::PathBuf),
}

impl fmt::Display for SpamPeerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpamPeerPlace::Tcp(address) => write!(f, "tcp:{address}"),
            SpamPeerPlace::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl SpamPeer {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} must be spamd or rspamd, where it listens, and its weight, such as \"spamd tcp:127.0.0.1:783 0.5\""
            )
        };
        let mut words = text.split_ascii_whitespace();
        let kind = match words.next() {
            Some("spamd") => SpamPeerKind::Spamd,
            Some("rspamd") => SpamPeerKind::Rspamd,
            _ => return Err(wrong()),
        };
        let place = words.next().ok_or_else(wrong)?;
        let place = match place.split_once(':') {
            Some(("tcp", address)) => SpamPeerPlace::Tcp(address.parse().map_err(|_| wrong())?),
            Some(("unix", path)) if path.starts_with('/') => SpamPeerPlace::Unix(path.into()),
            _ => return Err(wrong()),
        };
        let weight = match words.next() {
            None => 100,
            Some(weight) => match SpamPoints::parse(weight) {
                Ok(SpamPoints(Some(weight @ 1..=1_000))) => weight,
                _ => return Err(wrong()),
            },
        };
        if words.next().is_some() {
            return Err(wrong());
        }
        Ok(Self { kind, place, weight })
    }
}

impl fmt::Display for SpamPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SpamPeerKind::Spamd => "spamd",
            SpamPeerKind::Rspamd => "rspamd",
        };
        write!(f, "{kind} {} {}", self.place, SpamPoints(Some(self.weight)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_as_they_are_written() {
        for (text, points) in [("7", Some(700)), ("7.5", Some(750)), ("0.05", Some(5)), ("none", None)] {
            assert_eq!(SpamPoints::parse(text).unwrap(), SpamPoints(points));
            assert_eq!(SpamPoints(points).to_string(), text);
        }
        let most = (SPAM_POINTS_MAX / 100).to_string();
        assert!(SpamPoints::parse(&most).is_ok());
        for wrong in ["", "0", "-1", "1.234", "x", "1.", ".5", "7,5", &format!("{most}.01"), "99999999999"] {
            assert!(SpamPoints::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_that_learn_and_peers_are_read_as_they_are_written() {
        for text in ["spam@example.org spam", "ham@example.org ham"] {
            assert_eq!(TrainAddress::parse(text).unwrap().to_string(), text);
        }
        for wrong in ["spam@example.org", "spam spam", "spam@example.org junk", " spam"] {
            assert!(TrainAddress::parse(wrong).is_err(), "{wrong}");
        }
        for text in ["spamd tcp:127.0.0.1:783 1", "rspamd unix:/run/rspamd/worker.sock 0.25"] {
            assert_eq!(SpamPeer::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(SpamPeer::parse("spamd tcp:[::1]:783").unwrap().weight, 100);
        for wrong in
            ["spamd", "spamd 127.0.0.1:783", "other tcp:127.0.0.1:1 1", "spamd tcp:127.0.0.1:783 0", "spamd tcp:x 1 2"]
        {
            assert!(SpamPeer::parse(wrong).is_err(), "{wrong}");
        }
    }
}
