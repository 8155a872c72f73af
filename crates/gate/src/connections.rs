//! How many may be connected at once: in all, from one address, and logged in to one account.

use crate::GateError;
use crate::bans::Bans;
use crate::sessions::{SessionEntry, SessionInfo, Sessions};
use mailward_core::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, SESSIONS_PER_ACCOUNT_MAX};
use mailward_core::{AccountId, Network, Peer, Shutdown};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The caps, which an administrator may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Connections open at once, all listeners together.
    pub connections: usize,
    /// Connections open at once from one IPv4 address or one IPv6 /64.
    pub per_address: usize,
    /// Sessions logged in to one account at once.
    pub per_account: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            per_address: CONNECTIONS_PER_ADDRESS_MAX,
            per_account: SESSIONS_PER_ACCOUNT_MAX,
        }
    }
}

/// The door-keeper. One for the whole server; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connections_cap: AtomicUsize,
    per_address_cap: AtomicUsize,
    per_account_cap: AtomicUsize,
    open: AtomicUsize,
    by_address: Counts<Network>,
    by_account: Counts<AccountId>,
    sessions: Sessions,
    bans: Option<Arc<Bans>>,
}

impl Gate {
    /// A door-keeper with these caps, who knows of no bans.
    #[must_use]
    pub fn new(caps: Caps) -> Arc<Self> {
        Self::made(caps, None)
    }

    /// A door-keeper with these caps, who lets nobody in that is banned.
    #[must_use]
    pub fn with_bans(caps: Caps, bans: Arc<Bans>) -> Arc<Self> {
        Self::made(caps, Some(bans))
    }

    fn made(caps: Caps, bans: Option<Arc<Bans>>) -> Arc<Self> {
        Arc::new(Self(Arc::new(Inner {
            connections_cap: AtomicUsize::new(caps.connections),
            per_address_cap: AtomicUsize::new(caps.per_address),
            per_account_cap: AtomicUsize::new(caps.per_account),
            open: AtomicUsize::new(0),
            by_address: Counts::default(),
            by_account: Counts::default(),
            sessions: Sessions::default(),
            bans,
        })))
    }

    /// Moves the caps. Who is in stays in, also over a lower cap.
    pub fn set_caps(&self, caps: Caps) {
        self.0.connections_cap.store(caps.connections, Ordering::Relaxed);
        self.0.per_address_cap.store(caps.per_address, Ordering::Relaxed);
        self.0.per_account_cap.store(caps.per_account, Ordering::Relaxed);
    }

    /// Asks whether one more connection may be held; asked before the first byte is read or written. `None` is a
    /// Unix socket, which file permissions guard: it counts in all, not per address. The place is free again when
    /// the permit is dropped.
    ///
    /// # Errors
    /// [`GateError::Banned`], [`GateError::Full`] and [`GateError::AddressFull`].
    pub fn admit(&self, ip: Option<IpAddr>) -> Result<ConnectionPermit, GateError> {
        if self.0.stops(ip) {
            return Err(GateError::Banned);
        }
        let cap = self.0.connections_cap.load(Ordering::Relaxed);
        let took = self.0.open.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |open| {
            if open < cap { open.checked_add(1) } else { None }
        });
        if took.is_err() {
            return Err(GateError::Full);
        }
        // From here on the drop of the permit gives the place back, also if the address has too many.
        let mut permit = ConnectionPermit { inner: Arc::clone(&self.0), host: None, entry: None };
        if let Some(ip) = ip {
            let key = Network::host(ip);
            if !self.0.by_address.take(key, self.0.per_address_cap.load(Ordering::Relaxed)) {
                return Err(GateError::AddressFull);
            }
            permit.host = Some(key);
        }
        Ok(permit)
    }

    /// Asks whether one more session may be logged in to an account. The place is free again when the permit is
    /// dropped.
    ///
    /// # Errors
    /// [`GateError::AccountFull`].
    pub fn session(&self, account: AccountId) -> Result<SessionPermit, GateError> {
        if !self.0.by_account.take(account, self.0.per_account_cap.load(Ordering::Relaxed)) {
            return Err(GateError::AccountFull);
        }
        Ok(SessionPermit { inner: Arc::clone(&self.0), account })
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Sessions as they are now, by number.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.0.sessions.infos()
    }

    /// Ends a session: it says goodbye in its protocol's words, and goes. Answers what it was; `None` if there is none
    /// of this number.
    pub fn end_session(&self, number: u64) -> Option<SessionInfo> {
        self.0.sessions.end(number)
    }

    /// Ends every session that is logged in to an account for which the question, by its id and address, is answered
    /// with yes.
    pub fn end_sessions(&self, whose: impl Fn(AccountId, &str) -> bool) -> Vec<SessionInfo> {
        self.0.sessions.end_of(whose)
    }

    /// Ends the sessions from a network; without `logged_in` only those that nobody is logged in to.
    pub fn end_sessions_from(&self, network: &Network, logged_in: bool) -> Vec<SessionInfo> {
        self.0.sessions.end_from(network, logged_in)
    }
}

impl Inner {
    fn stops(&self, ip: Option<IpAddr>) -> bool {
        ip.zip(self.bans.as_ref()).is_some_and(|(ip, bans)| bans.stops(ip))
    }
}

/// The right to hold one connection; made by [`Gate::admit`] only.
#[derive(Debug)]
#[must_use = "the place is free again when the permit is dropped"]
pub struct ConnectionPermit {
    inner: Arc<Inner>,
    host: Option<Network>,
    entry: Option<SessionEntry>,
}

impl ConnectionPermit {
    /// Puts the connection on the list of sessions; whoever asks again gets the same entry. It goes with the permit.
    pub fn enter(&mut self, peer: &Peer, shutdown: &Shutdown) -> SessionEntry {
        let inner = &self.inner;
        let enter = || {
            let entry = inner.sessions.enter(peer, shutdown);
            // In this order. Whoever bans an address ends its sessions after that: they find this one, or it finds the ban.
            if inner.stops(peer.address) {
                entry.stop();
            }
            entry
        };
        self.entry.get_or_insert_with(enter).clone()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        if let Some(entry) = &self.entry {
            self.inner.sessions.leave(entry);
        }
        self.inner.open.fetch_sub(1, Ordering::AcqRel);
        if let Some(key) = self.host {
            self.inner.by_address.give_back(key);
        }
    }
}

/// The right to hold one session of an account; made by [`Gate::session`] only.
#[derive(Debug)]
#[must_use = "the place is free again when the permit is dropped"]
pub struct SessionPermit {
    inner: Arc<Inner>,
    account: AccountId,
}

impl SessionPermit {
    /// Whose.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }
}

impl Drop for SessionPermit {
    fn drop(&mut self) {
        self.inner.by_account.give_back(self.account);
    }
}

/// How many of each; keys with none take no memory.
#[derive(Debug)]
struct Counts<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Counts<K> {
    fn take(&self, key: K, cap: usize) -> bool {
        // Counts stay true if a holder of the lock panicked: each step below is whole.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.entry(key) {
            Entry::Occupied(mut there) if *there.get() < cap => {
                *there.get_mut() = there.get().saturating_add(1);
                true
            }
            Entry::Vacant(place) if cap > 0 => {
                place.insert(1);
                true
            }
            Entry::Occupied(_) | Entry::Vacant(_) => false,
        }
    }

    fn give_back(&self, key: K) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut there) = counts.entry(key) {
            if *there.get() <= 1 {
                there.remove();
            } else {
                *there.get_mut() = there.get().saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn gate(connections: usize, per_address: usize, per_account: usize) -> Arc<Gate> {
        Gate::new(Caps { connections, per_address, per_account })
    }

    #[test]
    fn connections_in_all_end_at_their_cap_and_places_come_back() {
        let gate = gate(2, 10, 10);
        let first = gate.admit(ip("192.0.2.1")).unwrap();
        let _second = gate.admit(None).unwrap();
        assert_eq!(gate.admit(ip("192.0.2.3")).unwrap_err(), GateError::Full);
        drop(first);
        let _third = gate.admit(ip("192.0.2.3")).unwrap();
        assert_eq!(gate.open(), 2);
    }

    #[test]
    fn one_address_can_t_take_every_place() {
        let gate = gate(10, 2, 10);
        let first = gate.admit(ip("192.0.2.1")).unwrap();
        let _second = gate.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(gate.admit(ip("192.0.2.1")).unwrap_err(), GateError::AddressFull);
        let _other = gate.admit(ip("192.0.2.2")).unwrap();
        assert_eq!(gate.open(), 3, "a refused connection gives its place back");
        drop(first);
        let _again = gate.admit(ip("192.0.2.1")).unwrap();
    }

    #[test]
    fn addresses_of_one_64_count_as_one() {
        let gate = gate(10, 1, 10);
        let _first = gate.admit(ip("2001:db8:1:2::1")).unwrap();
        assert_eq!(gate.admit(ip("2001:db8:1:2:ffff::9")).unwrap_err(), GateError::AddressFull);
        let _other = gate.admit(ip("2001:db8:1:3::1")).unwrap();
    }

    #[test]
    fn sessions_of_an_account_end_at_their_cap() {
        let gate = gate(10, 10, 1);
        let held = gate.session(AccountId(7)).unwrap();
        assert_eq!(held.account(), AccountId(7));
        assert_eq!(gate.session(AccountId(7)).unwrap_err(), GateError::AccountFull);
        let _other = gate.session(AccountId(8)).unwrap();
        drop(held);
        let _again = gate.session(AccountId(7)).unwrap();
    }

    #[test]
    fn the_named_limits_are_the_caps_of_a_gate_nobody_configured() {
        let gate = Gate::new(Caps::default());
        let held: Vec<_> = (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| gate.admit(ip("192.0.2.1")).unwrap()).collect();
        assert_eq!(gate.admit(ip("192.0.2.1")).unwrap_err(), GateError::AddressFull);
        drop(held);
        let sessions: Vec<_> = (0..SESSIONS_PER_ACCOUNT_MAX).map(|_| gate.session(AccountId(1)).unwrap()).collect();
        assert_eq!(gate.session(AccountId(1)).unwrap_err(), GateError::AccountFull);
        drop(sessions);
        let all: Vec<_> = (0..CONNECTIONS_MAX).map(|_| gate.admit(None).unwrap()).collect();
        assert_eq!(gate.admit(None).unwrap_err(), GateError::Full);
        drop(all);
        assert_eq!(gate.open(), 0);
    }

    #[test]
    fn caps_can_be_moved_while_places_are_held() {
        let gate = gate(10, 10, 10);
        let _first = gate.admit(ip("192.0.2.1")).unwrap();
        gate.set_caps(Caps { connections: 1, per_address: 1, per_account: 1 });
        assert_eq!(gate.admit(None).unwrap_err(), GateError::Full);
    }
}
