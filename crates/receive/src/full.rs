//! Accounts that were found over quota.
//!
//! Asking for the usage of every recipient would cost a database read each. Instead a message for several of which
//! one is full fails as a whole with 452, as SMTP can't say which; the full one is remembered here, and when the
//! sender tries again that recipient alone is refused and the others get their mail.

use mailward_core::AccountId;
use mailward_core::limits::FULL_ACCOUNTS_MAX;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct FullAccounts {
    /// How many there are: almost always none, and then nobody takes the lock.
    count: AtomicUsize,
    accounts: Mutex<HashSet<AccountId>>,
}

impl FullAccounts {
    pub(crate) fn contains(&self, account: AccountId) -> bool {
        self.count.load(Ordering::Relaxed) > 0
            && self.accounts.lock().unwrap_or_else(PoisonError::into_inner).contains(&account)
    }

    pub(crate) fn add(&self, account: AccountId) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= FULL_ACCOUNTS_MAX {
            // Forgetting costs one more refused message each.
            accounts.clear();
        }
        accounts.insert(account);
        self.count.store(accounts.len(), Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, account: AccountId) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.remove(&account);
        self.count.store(accounts.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_accounts_are_remembered_up_to_a_limit() {
        let full = FullAccounts::default();
        for account in 0..i64::try_from(FULL_ACCOUNTS_MAX).unwrap() {
            full.add(AccountId(account));
        }
        assert!(full.contains(AccountId(5)));
        full.remove(AccountId(5));
        assert!(!full.contains(AccountId(5)));
        full.add(AccountId(5));
        full.add(AccountId(-1));
        assert!(full.contains(AccountId(-1)));
        assert!(!full.contains(AccountId(6)), "begun anew");
    }
}
