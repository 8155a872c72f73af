//! Bans as they stand on their shelf of the store.

use super::spared::Spared;
use super::table::forget_at;
use super::{Ban, BannedBy};
use bytes::Bytes;
use mailward_core::limits::{BAN_SPARED_TIME, BAN_WHY_MAX};
use mailward_core::{Network, Timestamp};
use mailward_store::records::Shelved;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Ban(Network),
    Spared(IpAddr),
}

const BAN: &str = "ban/";
const SPARED: &str = "spared/";

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Ban(network) => write!(f, "{BAN}{network}"),
            Key::Spared(ip) => write!(f, "{SPARED}{ip}"),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct KeptBan {
    since: Timestamp,
    until: Option<Timestamp>,
    by: BannedBy,
    why: String,
    times: u32,
    forced: bool,
}

#[derive(Serialize, Deserialize)]
struct KeptSpared {
    at: Timestamp,
    who: String,
}

/// What a record says.
#[derive(Debug, PartialEq)]
pub(super) enum Kept {
    Ban(Ban),
    Spared(IpAddr, Spared),
}

/// `None`: not ours to read, or from another version.
pub(super) fn read(record: &Shelved) -> Option<Kept> {
    if let Some(network) = record.key.strip_prefix(BAN) {
        let network = Network::parse_any(network).ok()?;
        let KeptBan { since, until, by, why, times, forced } = serde_json::from_slice(&record.value).ok()?;
        let why = why.chars().take(BAN_WHY_MAX).collect();
        return Some(Kept::Ban(Ban { network, since, until, by, why, times: times.max(1), forced, stopped: 0 }));
    }
    let ip: IpAddr = record.key.strip_prefix(SPARED)?.parse().ok()?;
    let KeptSpared { at, who } = serde_json::from_slice(&record.value).ok()?;
    Some(Kept::Spared(ip, Spared { at, who: who.chars().take(BAN_WHY_MAX).collect() }))
}

pub(super) fn ban(ban: &Ban) -> Shelved {
    let Ban { network, since, until, by, why, times, forced, .. } = ban.clone();
    let kept = KeptBan { since, until, by, why, times, forced };
    record(Key::Ban(network), serde_json::to_vec(&kept), until.map(forget_at))
}

pub(super) fn spared(ip: IpAddr, spared: &Spared) -> Shelved {
    let kept = KeptSpared { at: spared.at, who: spared.who.clone() };
    let expires = spared.at.0.saturating_add(i64::try_from(BAN_SPARED_TIME.as_millis()).unwrap_or(i64::MAX));
    record(Key::Spared(ip), serde_json::to_vec(&kept), Some(Timestamp(expires)))
}

/// A record that takes another's place and is gone: to remove one that may have gone by itself would be an error.
pub(super) fn gone(key: Key) -> Shelved {
    record(key, Ok(Vec::new()), Some(Timestamp(0)))
}

fn record(key: Key, value: serde_json::Result<Vec<u8>>, expires: Option<Timestamp>) -> Shelved {
    // Text and numbers always become JSON.
    Shelved { key: key.to_string(), value: Bytes::from(value.unwrap_or_default()), expires }
}

/// What stands on the shelf, however it came there, is read or left out: for property tests and fuzzing.
#[must_use]
pub fn reads_back(key: &str, value: &[u8]) -> bool {
    let kept = Shelved { key: key.to_owned(), value: Bytes::copy_from_slice(value), expires: None };
    match read(&kept) {
        None => true,
        Some(Kept::Ban(one)) => read(&ban(&one)) == Some(Kept::Ban(one)),
        Some(Kept::Spared(ip, one)) => read(&spared(ip, &one)) == Some(Kept::Spared(ip, one)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ban_is_read_as_it_was_written() {
        let value = br#"{"since":1,"until":2,"by":"login-guard","why":"x","times":0,"forced":false}"#;
        assert!(reads_back("ban/192.0.2.0/24", value));
        let kept = Shelved { key: "ban/192.0.2.0/24".to_owned(), value: Bytes::from_static(value), expires: None };
        assert!(matches!(read(&kept), Some(Kept::Ban(Ban { times: 1, .. }))));
        assert!(reads_back("spared/192.0.2.7", br#"{"at":1,"who":"y"}"#));
        for (key, value) in [("ban/192.0.2.1/24", value.as_slice()), ("ban/192.0.2.0/24", b"{}"), ("else", value)] {
            let kept = Shelved { key: key.to_owned(), value: Bytes::copy_from_slice(value), expires: None };
            assert_eq!(read(&kept), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn no_record_makes_it_panic(key in "(ban/|spared/)?[0-9a-f.:/]{0,20}", value in "[ -~]{0,80}") {
            prop_assert!(reads_back(&key, value.as_bytes()));
        }
    }
}
