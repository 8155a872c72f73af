//! What greylisting remembers: by number, by when it is forgotten, and tries by network.

use super::crowd::{Crowd, Turn, Width};
use super::{Forget, GreylistAnswer};
use bytes::Bytes;
use mailward_core::limits::{
    GREYLIST_ENTRIES_MAX, GREYLIST_NOTE_TIME, GREYLIST_PASS_TIME, GREYLIST_TRIES_PER_NEIGHBOURS,
    GREYLIST_TRIES_PER_NETWORK, GREYLIST_TRIES_PER_REGION, GREYLIST_TRY_TIME,
};
use mailward_core::{Network, Timestamp};
use mailward_store::records::Shelved;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// How far somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Was put off.
    PutOff,
    /// Came back, or came well.
    Passed,
}

impl State {
    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::PutOff => "put-off",
            State::Passed => "passed",
        }
    }
}

/// One that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Its number.
    pub id: u64,
    /// From where.
    pub network: Network,
    /// How far it is.
    pub state: State,
    /// When it was put off, or passed first.
    pub since: Timestamp,
    /// When it is forgotten.
    pub expires: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    entries: HashMap<u64, Remembered>,
    /// By when they are forgotten.
    order: BTreeSet<(Timestamp, u64)>,
    /// Those that were put off, by where from.
    tries: Crowd,
    /// All, likewise.
    all: Crowd,
    /// What stands on the shelf.
    stored: HashSet<u64>,
    /// What stands there otherwise than here.
    changed: HashSet<u64>,
}

impl Memory {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, id: u64) -> Option<&Remembered> {
        self.entries.get(&id)
    }

    /// What the store kept.
    pub(super) fn read(&mut self, records: Vec<Shelved>) {
        for one in records.iter().filter_map(parsed) {
            if self.entries.len() < GREYLIST_ENTRIES_MAX && !self.entries.contains_key(&one.id) {
                self.put(one);
                self.stored.insert(one.id);
                self.changed.remove(&one.id);
            }
        }
    }

    pub(super) fn ask(&mut self, id: u64, network: Network, now: Timestamp, wait: Duration) -> GreylistAnswer {
        self.expire(now);
        let Some(known) = self.entries.get(&id).copied() else {
            self.make_room(network);
            let expires = after(now, GREYLIST_TRY_TIME);
            self.put(Remembered { id, network, state: State::PutOff, since: now, expires });
            return GreylistAnswer::PutOff(wait);
        };
        match known.state {
            State::Passed => {
                self.pass(id, network, now);
                GreylistAnswer::Passes
            }
            // A clock that was set back must not put anybody off for longer (attacks H9).
            State::PutOff if known.since > now => {
                self.put(Remembered { since: now, ..known });
                GreylistAnswer::PutOff(wait)
            }
            State::PutOff => {
                let waited = Duration::from_millis(u64::try_from(now.0.saturating_sub(known.since.0)).unwrap_or(0));
                if waited >= wait {
                    self.pass(id, network, now);
                    return GreylistAnswer::Passes;
                }
                GreylistAnswer::PutOff(wait.saturating_sub(waited))
            }
        }
    }

    /// It passes from now on, for as long as it goes on.
    pub(super) fn pass(&mut self, id: u64, network: Network, now: Timestamp) {
        self.expire(now);
        let expires = after(now, GREYLIST_PASS_TIME);
        let since = match self.entries.get(&id) {
            Some(known) if known.state == State::Passed => {
                if expires.0.saturating_sub(known.expires.0) < millis(GREYLIST_NOTE_TIME) {
                    return;
                }
                known.since
            }
            Some(_) => now,
            None => {
                self.make_room_in_all();
                now
            }
        };
        self.put(Remembered { id, network, state: State::Passed, since, expires });
    }

    pub(super) fn has_passed(&self, id: u64, now: Timestamp) -> bool {
        self.entries.get(&id).is_some_and(|known| known.state == State::Passed && known.expires > now)
    }

    pub(super) fn list(&self, after: Option<(Timestamp, u64)>, now: Timestamp, limit: usize) -> Vec<Remembered> {
        let from = after.unwrap_or((now, 0)).max((now, 0));
        let ids = self.order.range((std::ops::Bound::Excluded(from), std::ops::Bound::Unbounded));
        ids.take(limit).filter_map(|(_, id)| self.entries.get(id).copied()).collect()
    }

    pub(super) fn forget(&mut self, what: Forget) -> usize {
        let is_meant = |one: &Remembered| match what {
            Forget::All => true,
            Forget::Network(network) => {
                network.contains(one.network.first()) && one.network.prefix() >= network.prefix()
                    // Whoever names one address means what is remembered of its network.
                    || network.is_host() && one.network.contains(network.first())
            }
        };
        let ids: Vec<u64> = self.entries.values().filter(|one| is_meant(one)).map(|one| one.id).collect();
        for id in &ids {
            self.remove(*id);
        }
        ids.len()
    }

    /// Some of what has to be written, which counts as written from now on.
    pub(super) fn take_changed(&mut self, most: usize) -> Vec<u64> {
        let ids: Vec<u64> = self.changed.iter().take(most).copied().collect();
        for id in &ids {
            self.changed.remove(id);
            if self.entries.contains_key(id) {
                self.stored.insert(*id);
            } else {
                self.stored.remove(id);
            }
        }
        ids
    }

    /// It couldn't be written. That it stands there may be wrong now; then it is written over or taken out once more.
    pub(super) fn put_back(&mut self, ids: Vec<u64>) {
        self.stored.extend(&ids);
        self.changed.extend(ids);
    }

    pub(super) fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    fn put(&mut self, one: Remembered) {
        if let Some(old) = self.entries.insert(one.id, one) {
            self.unlist(&old);
        }
        self.order.insert((one.expires, one.id));
        self.all.add(one.network, turn(&one));
        if one.state == State::PutOff {
            self.tries.add(one.network, turn(&one));
        }
        self.changed.insert(one.id);
    }

    fn remove(&mut self, id: u64) {
        let Some(old) = self.entries.remove(&id) else { return };
        self.unlist(&old);
        if self.stored.contains(&id) {
            self.changed.insert(id);
        } else {
            self.changed.remove(&id);
        }
    }

    fn unlist(&mut self, old: &Remembered) {
        self.order.remove(&(old.expires, old.id));
        self.all.remove(old.network, turn(old));
        self.tries.remove(old.network, turn(old));
    }

    /// Takes out what is over. The store does the same with what stands there.
    fn expire(&mut self, now: Timestamp) {
        while let Some((expires, id)) = self.order.first().copied() {
            if expires > now {
                break;
            }
            if let Some(old) = self.entries.remove(&id) {
                self.unlist(&old);
            }
            self.order.remove(&(expires, id));
            self.stored.remove(&id);
            self.changed.remove(&id);
        }
    }

    /// For one more try of a network: one goes if there are too many of it or around it, so that a flood pushes out only
    /// itself (attacks H4).
    fn make_room(&mut self, network: Network) {
        let full = [
            (Width::Network, GREYLIST_TRIES_PER_NETWORK),
            (Width::Neighbours, GREYLIST_TRIES_PER_NEIGHBOURS),
            (Width::Region, GREYLIST_TRIES_PER_REGION),
        ]
        .into_iter()
        .find(|(width, most)| self.tries.count(*width, network) >= *most);
        if let Some((width, _)) = full
            && let Some(id) = self.tries.first_to_go(Some((width, network)))
        {
            self.remove(id);
        }
        self.make_room_in_all();
    }

    /// Who has most gives: not whoever is the next to expire, which are the tries of honest hosts while somebody floods.
    fn make_room_in_all(&mut self) {
        if self.entries.len() >= GREYLIST_ENTRIES_MAX
            && let Some(id) = self.all.first_to_go(None)
        {
            self.remove(id);
        }
    }
}

/// When it goes, of those of its network.
fn turn(one: &Remembered) -> Turn {
    (one.state == State::Passed, one.expires, one.id)
}

/// As it stands on the shelf; what isn't remembered any more is over there at once.
pub(super) fn record(id: u64, one: Option<&Remembered>, now: Timestamp) -> Shelved {
    let key = format!("{id:016x}");
    match one {
        Some(one) => {
            let value = format!("{} {} {}", one.state.name(), one.since.0, one.network);
            Shelved { key, value: Bytes::from(value), expires: Some(one.expires) }
        }
        None => Shelved { key, value: Bytes::new(), expires: Some(now) },
    }
}

/// What stood on the shelf; `None` for what we didn't write so.
pub(super) fn parsed(record: &Shelved) -> Option<Remembered> {
    let id = u64::from_str_radix(&record.key, 16).ok()?;
    let mut words = std::str::from_utf8(&record.value).ok()?.split(' ');
    let state = match words.next()? {
        "put-off" => State::PutOff,
        "passed" => State::Passed,
        _ => return None,
    };
    let since = Timestamp(words.next()?.parse().ok()?);
    let network = Network::parse_any(words.next()?).ok()?;
    Some(Remembered { id, network, state, since, expires: record.expires? })
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(millis(time)))
}
