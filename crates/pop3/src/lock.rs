//! One session at a time in a maildrop (RFC 1939 §4).

use mailward_core::AccountId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// Which maildrops are in use by a POP3 session of this process. Clone = the same list.
///
/// IMAP and deliveries aren't kept out: numbers of a POP3 session come from the moment of its login and don't
/// move, so that nobody needs to wait for it. A lock lives no longer than its session, and a silent session no
/// longer than [`mailward_core::limits::POP3_IDLE_TIME`] (attacks G11).
#[derive(Clone, Debug, Default)]
pub struct Locks(Arc<Mutex<HashSet<AccountId>>>);

/// A maildrop that is ours until this is dropped.
#[derive(Debug)]
pub struct Lock {
    locks: Locks,
    account: AccountId,
}

impl Locks {
    /// Takes the maildrop; `None` while another session has it.
    #[must_use]
    pub fn take(&self, account: AccountId) -> Option<Lock> {
        // A thread that panicked while it held the list left it whole: insert and remove are all it does.
        let mut held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.insert(account).then(|| Lock { locks: self.clone(), account })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut held = self.locks.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_each_its_own() {
        let locks = Locks::default();
        let first = locks.take(AccountId(1)).unwrap();
        assert!(locks.clone().take(AccountId(1)).is_none());
        assert!(locks.take(AccountId(2)).is_some());
        drop(first);
        assert!(locks.take(AccountId(1)).is_some());
    }
}
