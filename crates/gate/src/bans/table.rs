//! Who is banned, and who was: a table that answers by as many looks as there are lengths of prefixes in it.

use super::Ban;
use mailward_core::limits::BAN_MEMORY;
use mailward_core::{Listener, Network, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// When a ban ends that never does.
const NEVER: Timestamp = Timestamp(i64::MAX);

#[derive(Debug)]
pub(super) struct Table {
    entries: HashMap<Network, Entry>,
    /// Those that run, the soonest to end first. Each entry is in this or in `past`.
    running: BTreeSet<(Timestamp, Network)>,
    /// Those that ended and are remembered, the soonest to be forgotten first.
    past: BTreeSet<(Timestamp, Network)>,
    /// How many there are of each family and length.
    lengths: BTreeMap<(bool, u8), usize>,
    most: usize,
}

#[derive(Debug)]
struct Entry {
    ban: Ban,
    stopped: AtomicU64,
}

impl Entry {
    fn ban(&self) -> Ban {
        Ban { stopped: self.stopped.load(Ordering::Relaxed), ..self.ban.clone() }
    }
}

const fn end(ban: &Ban) -> Timestamp {
    match ban.until {
        Some(until) => until,
        None => NEVER,
    }
}

impl Table {
    pub(super) fn new(most: usize) -> Self {
        Self {
            entries: HashMap::new(),
            running: BTreeSet::new(),
            past: BTreeSet::new(),
            lengths: BTreeMap::new(),
            most,
        }
    }

    /// Puts a ban in, whether or not there was one; `None` if there is no room for it, as all others last longer. Answers
    /// whom it put out.
    pub(super) fn put(&mut self, ban: Ban, now: Timestamp) -> Option<Vec<Ban>> {
        let until = end(&ban);
        let old = self.take(&ban.network);
        let mut out = Vec::new();
        while self.entries.len() >= self.most {
            let next = self.past.first().or_else(|| self.running.first().filter(|(other, _)| *other <= until)).copied();
            let Some((_, next)) = next else {
                // What it would have replaced stays.
                if let Some(old) = old {
                    self.insert(old, now);
                }
                return None;
            };
            out.extend(self.take(&next));
        }
        self.insert(Ban { stopped: old.map_or(0, |old| old.stopped), ..ban }, now);
        Some(out)
    }

    fn insert(&mut self, ban: Ban, now: Timestamp) {
        let lengths = self.lengths.entry(length(&ban.network)).or_default();
        *lengths = lengths.saturating_add(1);
        let set = if ban.runs(now) { &mut self.running } else { &mut self.past };
        set.insert((end(&ban), ban.network));
        self.entries.insert(ban.network, Entry { stopped: AtomicU64::new(ban.stopped), ban });
    }

    /// Takes one out.
    pub(super) fn take(&mut self, network: &Network) -> Option<Ban> {
        let entry = self.entries.remove(network)?;
        let key = (end(&entry.ban), *network);
        self.running.remove(&key);
        self.past.remove(&key);
        if let Some(count) = self.lengths.get_mut(&length(network)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.lengths.remove(&length(network));
            }
        }
        Some(entry.ban())
    }

    /// What there is of exactly this network, ended or not.
    pub(super) fn get(&self, network: &Network) -> Option<Ban> {
        self.entries.get(network).map(Entry::ban)
    }

    /// The ban that stops an address at a door, or, without one, at any; the one that lasts the longest if there are several.
    pub(super) fn stops(&self, ip: IpAddr, at: Option<Listener>, now: Timestamp, count: bool) -> Option<Ban> {
        let acts = |ban: &Ban| ban.runs(now) && at.is_none_or(|at| ban.scope().covers(at));
        let entry = self.around(ip).filter(|entry| acts(&entry.ban)).max_by_key(|entry| end(&entry.ban))?;
        if count {
            entry.stopped.fetch_add(1, Ordering::Relaxed);
        }
        Some(entry.ban())
    }

    /// Every ban that runs and stops an address.
    pub(super) fn covering(&self, ip: IpAddr, now: Timestamp) -> Vec<Ban> {
        self.around(ip).filter(|entry| entry.ban.runs(now)).map(Entry::ban).collect()
    }

    fn around(&self, ip: IpAddr) -> impl Iterator<Item = &Entry> {
        let ip = ip.to_canonical();
        let v4 = ip.is_ipv4();
        self.lengths
            .range((v4, 0)..=(v4, u8::MAX))
            .filter_map(move |((_, prefix), _)| self.entries.get(&Network::of(ip, *prefix)))
    }

    /// When the next ban ends.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.running.first().map(|(until, _)| *until).filter(|until| *until != NEVER)
    }

    /// Bans that ended since the last time, at most so many; forgets those that ended long ago.
    pub(super) fn end(&mut self, now: Timestamp, most: usize) -> Vec<Ban> {
        let mut ended = Vec::new();
        while ended.len() < most
            && let Some((until, network)) = self.running.first().copied().filter(|(until, _)| *until <= now)
        {
            self.running.remove(&(until, network));
            self.past.insert((until, network));
            ended.extend(self.get(&network));
        }
        let forgotten = |until: Timestamp| forget_at(until) <= now;
        while let Some((_, network)) = self.past.first().copied().filter(|(until, _)| forgotten(*until)) {
            let _forgotten = self.take(&network);
        }
        ended
    }

    /// Bans that run, of networks after this one, in their order, at most so many.
    pub(super) fn page(&self, after: Option<&Network>, now: Timestamp, most: usize) -> Vec<Ban> {
        let running = self.running.iter().map(|(_, network)| network);
        let mut networks: Vec<&Network> = running.filter(|n| after.is_none_or(|after| *n > after)).collect();
        networks.sort_unstable();
        networks.into_iter().filter_map(|n| self.get(n)).filter(|ban| ban.runs(now)).take(most).collect()
    }

    /// How many there are, those that are remembered included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.running.len() + self.past.len());
        assert_eq!(self.entries.len(), self.lengths.values().sum::<usize>());
        self.entries.len()
    }
}

/// When a ban that ended is forgotten.
pub(super) fn forget_at(until: Timestamp) -> Timestamp {
    Timestamp(until.0.saturating_add(i64::try_from(BAN_MEMORY.as_millis()).unwrap_or(i64::MAX)))
}

const fn length(network: &Network) -> (bool, u8) {
    (network.first().is_ipv4(), network.prefix())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bans::BannedBy;
    use mailward_core::limits::BANS_MAX;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn ban(network: Network, until: i64) -> Ban {
        Ban {
            network,
            since: Timestamp(0),
            until: (until >= 0).then_some(Timestamp(until)),
            by: BannedBy::LoginGuard,
            why: String::new(),
            times: 1,
            forced: false,
            stopped: 0,
        }
    }

    fn network(number: u8, prefix: u8) -> Network {
        Network::of(IpAddr::V4(Ipv4Addr::new(192, 0, number, number)), prefix)
    }

    #[test]
    fn a_full_table_puts_out_who_ended_then_who_ends_soonest_and_nobody_for_one_that_ends_sooner() {
        let mut table = Table::new(3);
        for (number, until) in [(1, 10), (2, 50), (3, -1)] {
            assert_eq!(table.put(ban(network(number, 32), until), Timestamp(0)), Some(vec![]));
        }
        assert_eq!(table.put(ban(network(4, 32), 5), Timestamp(0)), None, "all others last longer");
        assert_eq!(table.end(Timestamp(20), 9).len(), 1);
        let out = table.put(ban(network(4, 32), 40), Timestamp(20)).unwrap();
        assert_eq!(out[0].network, network(1, 32), "ended already");
        let out = table.put(ban(network(5, 32), 60), Timestamp(20)).unwrap();
        assert_eq!(out[0].network, network(4, 32), "ends soonest");
        assert!(table.get(&network(3, 32)).is_some());
        assert_eq!(table.len(), 3);
        assert_eq!(table.put(ban(network(2, 32), 1), Timestamp(0)), Some(vec![]), "its own place is room for it");
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn there_are_no_more_bans_than_the_limit() {
        let mut table = Table::new(BANS_MAX);
        let host = |number: usize| IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(number).unwrap()));
        for number in 0..=BANS_MAX {
            let one = ban(Network::host(host(number)), i64::try_from(number).unwrap() + 1);
            assert_eq!(table.put(one, Timestamp(0)).unwrap().len(), usize::from(number == BANS_MAX));
        }
        assert_eq!(table.len(), BANS_MAX);
        assert!(
            table.stops(host(0), None, Timestamp(0), true).is_none()
                && table.stops(host(1), None, Timestamp(0), true).is_some()
        );
        assert_eq!(table.lengths.len(), 1, "one look is enough");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u8, u8, i64),
        Take(u8, u8),
        End(i64),
        Ask(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let prefix = || prop_oneof![Just(32u8), Just(24), Just(16), Just(0)];
        prop_oneof![
            (0..6u8, prefix(), -1..100i64).prop_map(|(n, p, u)| Step::Put(n, p, u)),
            (0..6u8, prefix()).prop_map(|(n, p)| Step::Take(n, p)),
            (0..100i64).prop_map(Step::End),
            (0..6u8).prop_map(Step::Ask),
        ]
    }

    proptest! {
        /// Held against a list that is searched from one end to the other.
        #[test]
        fn it_answers_like_a_list(steps in proptest::collection::vec(step(), 0..80)) {
            let mut table = Table::new(1_000);
            let mut list: Vec<Ban> = Vec::new();
            let mut now = Timestamp(0);
            for step in steps {
                match step {
                    Step::Put(number, prefix, until) => {
                        let one = ban(network(number, prefix), until);
                        list.retain(|other| other.network != one.network);
                        list.push(one.clone());
                        prop_assert_eq!(table.put(one, now), Some(vec![]));
                    }
                    Step::Take(number, prefix) => {
                        let found = list.iter().position(|one| one.network == network(number, prefix));
                        let taken = table.take(&network(number, prefix));
                        prop_assert_eq!(found.map(|at| list.remove(at)), taken);
                    }
                    Step::End(at) => {
                        now = Timestamp(now.0.max(at));
                        table.end(now, 1_000);
                    }
                    Step::Ask(number) => {
                        let ip = network(number, 32).first();
                        let stops = list.iter().filter(|one| one.network.contains(ip) && one.runs(now)).map(end).max();
                        prop_assert_eq!(table.stops(ip, None, now, false).as_ref().map(end), stops);
                        let all = list.iter().filter(|one| one.network.contains(ip) && one.runs(now)).count();
                        prop_assert_eq!(table.covering(ip, now).len(), all);
                    }
                }
                prop_assert_eq!(table.len(), list.len());
                prop_assert_eq!(table.page(None, now, 1_000).len(), list.iter().filter(|one| one.runs(now)).count());
            }
        }
    }
}
