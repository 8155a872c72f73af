//! Messages that stay where they are because a mailbox here is full: remembered while the program runs, so that no visit
//! fetches them only to find that out again, and so that they don't hold up what stands behind them.

use crate::account::Name;
use crate::noted::Key;
use mailward_core::AccountId;
use mailward_core::limits::{FETCH_ACCOUNTS_MAX, FETCH_WAITING_MAX};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a message waits for: room for so many bytes in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) account: AccountId,
    pub(crate) size: u64,
}

/// All that wait, by the account elsewhere where they are.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<Name, HashMap<Key, Wait>>>);

impl Waiting {
    fn all(&self) -> MutexGuard<'_, HashMap<Name, HashMap<Key, Wait>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, name: &Name, key: &Key) -> Option<Wait> {
        self.all().get(name)?.get(key).copied()
    }

    /// Remembers what a message waits for. `false`: there is no room to.
    pub(crate) fn put(&self, name: &Name, key: Key, wait: Wait) -> bool {
        let mut all = self.all();
        if all.len() >= FETCH_ACCOUNTS_MAX && !all.contains_key(name) {
            // Of accounts that were removed: what is there still is found out anew.
            all.clear();
        }
        let some = all.entry(name.clone()).or_default();
        if some.len() >= FETCH_WAITING_MAX && !some.contains_key(&key) {
            return false;
        }
        some.insert(key, wait);
        true
    }

    pub(crate) fn forget(&self, name: &Name, key: &Key) {
        if let Some(some) = self.all().get_mut(name) {
            some.remove(key);
        }
    }

    /// Forgets what isn't there any more.
    pub(crate) fn keep(&self, name: &Name, listed: &HashSet<Key>) {
        let mut all = self.all();
        if let Some(some) = all.get_mut(name) {
            some.retain(|key, _| listed.contains(key));
            if some.is_empty() {
                all.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noted::digest;

    #[test]
    fn a_provider_full_of_mail_for_full_mailboxes_fills_no_memory() {
        let (waiting, name) = (Waiting::default(), Name::parse("x").unwrap());
        let key = |number: usize| digest(&number.to_be_bytes());
        let wait = Wait { account: AccountId(1), size: 5 };
        assert!((0..FETCH_WAITING_MAX).all(|number| waiting.put(&name, key(number), wait)));
        assert!(!waiting.put(&name, key(FETCH_WAITING_MAX), wait));
        assert!(waiting.put(&name, key(0), Wait { size: 6, ..wait }));
        assert_eq!(waiting.get(&name, &key(0)), Some(Wait { size: 6, ..wait }));
        waiting.keep(&name, &HashSet::from([key(0), key(1)]));
        waiting.forget(&name, &key(0));
        assert_eq!((waiting.get(&name, &key(0)), waiting.get(&name, &key(1))), (None, Some(wait)));
        for number in 0..FETCH_ACCOUNTS_MAX {
            assert!(waiting.put(&Name::parse(&format!("gone-{number}")).unwrap(), key(0), wait));
        }
        assert!(waiting.all().len() <= FETCH_ACCOUNTS_MAX);
    }
}
