//! From where users logged in: places that keep working while strangers attack an account.

use bytes::Bytes;
use mailward_core::limits::{DEVICE_NOTE, DEVICE_TIME, DEVICES_PER_ACCOUNT};
use mailward_core::{AccountId, Network, Timestamp};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// The host of a device, and when it last logged in, as far as that was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Device {
    host: Network,
    at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Devices(HashMap<AccountId, Vec<Device>>);

impl Devices {
    /// Whether an account logged in from a host lately.
    pub(super) fn knows(&self, account: AccountId, host: &Network, now: Timestamp) -> bool {
        let devices = self.0.get(&account).into_iter().flatten();
        devices.into_iter().any(|device| device.host == *host && age(device.at, now) < DEVICE_TIME)
    }

    /// Whether an account logged in from a network of neighbours lately.
    pub(super) fn near(&self, account: AccountId, neighbours: &Network, now: Timestamp) -> bool {
        let devices = self.0.get(&account).into_iter().flatten();
        devices.into_iter().any(|device| neighbours.contains(device.host.first()) && age(device.at, now) < DEVICE_TIME)
    }

    /// An account logged in from a host; whether that is worth writing.
    pub(super) fn note(&mut self, account: AccountId, host: Network, now: Timestamp) -> bool {
        let devices = self.0.entry(account).or_default();
        if let Some(known) = devices.iter_mut().find(|device| device.host == host) {
            if age(known.at, now) < DEVICE_NOTE {
                return false;
            }
            known.at = now;
            return true;
        }
        devices.retain(|device| age(device.at, now) < DEVICE_TIME);
        while devices.len() >= DEVICES_PER_ACCOUNT {
            let oldest = devices.iter().enumerate().min_by_key(|(_, device)| device.at).map(|(at, _)| at);
            let Some(oldest) = oldest else { break };
            devices.remove(oldest);
        }
        devices.push(Device { host, at: now });
        true
    }

    /// Takes what a record says; answers the hosts in it. `None`: not ours to read, or from another version.
    pub(super) fn take(&mut self, record: &Shelved) -> Option<Vec<Network>> {
        let (account, devices) = read(record)?;
        let hosts = devices.iter().map(|device| device.host).collect();
        self.0.insert(account, devices);
        Some(hosts)
    }

    /// What is to be written of an account.
    pub(super) fn change(&self, account: AccountId) -> ShelfChange {
        let devices = self.0.get(&account).map_or(&[][..], Vec::as_slice);
        ShelfChange::Put(Shelf::Devices, written(account, devices))
    }
}

#[derive(Serialize, Deserialize)]
struct KeptDevice {
    host: String,
    at: Timestamp,
}

const KEY: &str = "account/";

fn read(record: &Shelved) -> Option<(AccountId, Vec<Device>)> {
    let account = AccountId(record.key.strip_prefix(KEY)?.parse().ok()?);
    let kept: Vec<KeptDevice> = serde_json::from_slice(&record.value).ok()?;
    let device = |kept: KeptDevice| Some(Device { host: Network::parse_any(&kept.host).ok()?, at: kept.at });
    Some((account, kept.into_iter().take(DEVICES_PER_ACCOUNT).map(device).collect::<Option<_>>()?))
}

fn written(account: AccountId, devices: &[Device]) -> Shelved {
    let kept = devices.iter().map(|device| KeptDevice { host: device.host.to_string(), at: device.at });
    let kept: Vec<KeptDevice> = kept.collect();
    let newest = devices.iter().map(|device| device.at.0).max().unwrap_or(0);
    let time = i64::try_from(DEVICE_TIME.as_millis()).unwrap_or(i64::MAX);
    Shelved {
        key: format!("{KEY}{}", account.0),
        // Text and numbers always become JSON.
        value: Bytes::from(serde_json::to_vec(&kept).unwrap_or_default()),
        expires: Some(Timestamp(newest.saturating_add(time))),
    }
}

/// What stands on the shelf, however it came there, is read or left out: for property tests and fuzzing.
#[must_use]
pub fn reads_back(key: &str, value: &[u8]) -> bool {
    let record = Shelved { key: key.to_owned(), value: Bytes::copy_from_slice(value), expires: None };
    read(&record).is_none_or(|(account, devices)| read(&written(account, &devices)) == Some((account, devices)))
}

/// How long ago; nothing if a clock went back.
fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn host(number: usize) -> Network {
        Network::host(IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + u32::try_from(number).unwrap())))
    }

    fn days(count: u32) -> i64 {
        i64::try_from((DEVICE_NOTE * count).as_millis()).unwrap()
    }

    #[test]
    fn an_account_has_so_many_devices_and_the_one_not_used_the_longest_goes() {
        let (mut devices, account) = (Devices::default(), AccountId(7));
        for number in 0..DEVICES_PER_ACCOUNT {
            assert!(devices.note(account, host(number), Timestamp(i64::try_from(number).unwrap())));
        }
        assert!(!devices.note(account, host(0), Timestamp(99)), "noted today already");
        assert!(devices.note(account, host(0), Timestamp(days(1) + 99)));
        assert!(devices.note(account, host(DEVICES_PER_ACCOUNT), Timestamp(days(1) + 99)));
        assert!(devices.knows(account, &host(0), Timestamp(days(1) + 99)));
        assert!(!devices.knows(account, &host(1), Timestamp(days(1) + 99)));
        assert!(!devices.knows(AccountId(8), &host(0), Timestamp(days(1) + 99)));
        assert!(!devices.knows(account, &host(0), Timestamp(days(31) + 99)), "a month later it is strange");
    }

    #[test]
    fn devices_are_read_as_they_were_written() {
        let (mut devices, account) = (Devices::default(), AccountId(7));
        devices.note(account, host(1), Timestamp(5));
        let ShelfChange::Put(Shelf::Devices, record) = devices.change(account) else { panic!() };
        assert_eq!(record.expires, Some(Timestamp(5 + days(30))));
        let mut again = Devices::default();
        assert_eq!(again.take(&record), Some(vec![host(1)]));
        assert!(again.knows(account, &host(1), Timestamp(5)));
        for (key, value) in [("account/x", "[]"), ("account/1", "{}"), ("account/1", "[{\"host\":\"x\",\"at\":1}]")] {
            let record = Shelved { key: key.to_owned(), value: value.into(), expires: None };
            assert_eq!(again.take(&record), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_record_makes_it_panic(key in "(account/)?[0-9-]{0,20}", value in "[ -~]{0,80}") {
            prop_assert!(reads_back(&key, value.as_bytes()));
        }
    }
}
