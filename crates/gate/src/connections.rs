//! How many may be connected at once: in all, from one address, and logged in to one account.

use crate::GateError;
use crate::bans::{Ban, Bans};
use crate::rules::Treatment;
use crate::sessions::{GuestPlace, SessionEntry, SessionInfo, Sessions};
use crate::stress::Stress;
use mailward_core::event::Events;
use mailward_core::limits::{
    CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_PER_NETWORK_MAX, SESSIONS_PER_ACCOUNT_MAX,
    STRESS_ADDRESS_SHARE, STRESS_ENTER_PERCENT, STRESS_LEAVE_PERCENT,
};
use mailward_core::{AccountId, Listener, Network, Peer, Shutdown};
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
    /// Connections open at once from one network (an IPv4 /24, an IPv6 /48); this host isn't counted.
    pub per_network: usize,
    /// Sessions logged in to one account at once.
    pub per_account: usize,
    /// Share of `connections` at which stress begins, parts of 100.
    pub stress_enter: usize,
    /// Share at which it is over; below the other one.
    pub stress_leave: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            per_address: CONNECTIONS_PER_ADDRESS_MAX,
            per_network: CONNECTIONS_PER_NETWORK_MAX,
            per_account: SESSIONS_PER_ACCOUNT_MAX,
            stress_enter: STRESS_ENTER_PERCENT,
            stress_leave: STRESS_LEAVE_PERCENT,
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
    per_network_cap: AtomicUsize,
    per_account_cap: AtomicUsize,
    open: AtomicUsize,
    by_address: Counts<Network>,
    by_network: Counts<Network>,
    /// Of each address those that nobody is logged in to; trusted ones aren't counted.
    guests: Arc<Counts<Network>>,
    by_account: Counts<AccountId>,
    sessions: Sessions,
    stress: Stress,
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
        let stress = Stress::default();
        stress.set_marks(caps);
        Arc::new(Self(Arc::new(Inner {
            connections_cap: AtomicUsize::new(caps.connections),
            per_address_cap: AtomicUsize::new(caps.per_address),
            per_network_cap: AtomicUsize::new(caps.per_network),
            per_account_cap: AtomicUsize::new(caps.per_account),
            open: AtomicUsize::new(0),
            by_address: Counts::default(),
            by_network: Counts::default(),
            guests: Arc::default(),
            by_account: Counts::default(),
            sessions: Sessions::default(),
            stress,
            bans,
        })))
    }

    /// Names who hears when stress begins and ends: `stress.entered`, an alert, and `stress.left`.
    pub fn tell(&self, events: Events) {
        self.0.stress.tell(events);
    }

    /// Whether nearly all places are taken: who isn't logged in and has brought nothing gets less time and fewer mistakes
    /// (`limits::STRESS_*`). Costs an atomic load.
    #[must_use]
    pub fn is_under_stress(&self) -> bool {
        self.0.stress.is_on()
    }

    /// Moves the caps. Who is in stays in, also over a lower cap.
    pub fn set_caps(&self, caps: Caps) {
        self.0.connections_cap.store(caps.connections, Ordering::Relaxed);
        self.0.per_address_cap.store(caps.per_address, Ordering::Relaxed);
        self.0.per_network_cap.store(caps.per_network, Ordering::Relaxed);
        self.0.per_account_cap.store(caps.per_account, Ordering::Relaxed);
        self.0.stress.set_marks(caps);
        self.0.stress.looks(self.open());
    }

    /// Asks whether one more connection may be held; asked before the first byte is read or written. A ban acts wherever it
    /// does. `None` is a Unix socket, which file permissions guard: it counts in all, not per address. The place is free again when
    /// the permit is dropped.
    ///
    /// # Errors
    /// [`GateError::Banned`], [`GateError::Full`], [`GateError::AddressFull`] and [`GateError::NetworkFull`].
    pub fn admit(&self, ip: Option<IpAddr>) -> Result<ConnectionPermit, GateError> {
        self.admit_with(ip, None, None, ip.is_some_and(is_loopback))
    }

    /// The same at a door, where not every ban acts, for an address by what the rules say of it. A limit of its own counts in
    /// the place of those for addresses and networks; who is let off its checks isn't held short under stress.
    ///
    /// # Errors
    /// As [`Gate::admit`].
    pub fn admit_at(
        &self,
        listener: Listener,
        ip: Option<IpAddr>,
        treatment: &Treatment,
    ) -> Result<ConnectionPermit, GateError> {
        self.admit_with(ip, Some(listener), treatment.limits().connections, !treatment.is_checked())
    }

    pub(crate) fn admit_with(
        &self,
        ip: Option<IpAddr>,
        listener: Option<Listener>,
        own: Option<u32>,
        is_trusted: bool,
    ) -> Result<ConnectionPermit, GateError> {
        if self.0.stops(ip, listener) {
            return Err(GateError::Banned);
        }
        let cap = self.0.connections_cap.load(Ordering::Relaxed);
        let took = self.0.open.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |open| {
            if open < cap { open.checked_add(1) } else { None }
        });
        let Ok(before) = took else { return Err(GateError::Full) };
        self.0.stress.looks(before.saturating_add(1));
        // From here on the drop of the permit gives the place back, also if the address has too many.
        let mut permit =
            ConnectionPermit { inner: Arc::clone(&self.0), host: None, network: None, guest: None, entry: None };
        if let Some(ip) = ip {
            let key = Network::host(ip);
            let usual = self.0.per_address_cap.load(Ordering::Relaxed);
            let own = own.map(|own| usize::try_from(own).unwrap_or(usize::MAX));
            if !self.0.by_address.take(key, own.unwrap_or(usual)) {
                return Err(GateError::AddressFull);
            }
            permit.host = Some(key);
            if !is_trusted {
                // What is left is for others than those who hold many and aren't users.
                let is_short = own.is_none() && self.is_under_stress();
                let cap = if is_short { usual.div_euclid(STRESS_ADDRESS_SHARE).max(1) } else { usize::MAX };
                let place = GuestPlace::take(&self.0.guests, key, cap).ok_or(GateError::AddressFull)?;
                permit.guest = Some(place);
            }
            if own.is_none() && !is_loopback(ip) {
                let key = Network::neighbours(ip);
                if !self.0.by_network.take(key, self.0.per_network_cap.load(Ordering::Relaxed)) {
                    return Err(GateError::NetworkFull);
                }
                permit.network = Some(key);
            }
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

    /// Ends the sessions that a ban concerns, at the doors where it acts: of a guard's only those that nobody is logged in to, as
    /// behind the same address may be others, whose login was good. Who is banned by hand gets nothing.
    pub fn end_banned(&self, ban: &Ban) -> Vec<SessionInfo> {
        self.0.sessions.end_banned(ban)
    }
}

impl Inner {
    fn stops(&self, ip: Option<IpAddr>, listener: Option<Listener>) -> bool {
        ip.zip(self.bans.as_ref()).is_some_and(|(ip, bans)| bans.stops(ip, listener))
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The right to hold one connection; made by [`Gate::admit`] only.
#[derive(Debug)]
#[must_use = "the place is free again when the permit is dropped"]
pub struct ConnectionPermit {
    inner: Arc<Inner>,
    host: Option<Network>,
    network: Option<Network>,
    /// Until it is on the list of sessions, which knows whether anybody is logged in.
    guest: Option<GuestPlace>,
    entry: Option<SessionEntry>,
}

impl ConnectionPermit {
    /// Puts the connection on the list of sessions; whoever asks again gets the same entry. It goes with the permit.
    pub fn enter(&mut self, peer: &Peer, shutdown: &Shutdown) -> SessionEntry {
        let (inner, guest) = (&self.inner, &mut self.guest);
        let enter = || {
            let entry = inner.sessions.enter(peer, shutdown, guest.take());
            // In this order. Whoever bans an address ends its sessions after that: they find this one, or it finds the ban.
            if inner.stops(peer.address, Some(peer.listener)) {
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
        let before = self.inner.open.fetch_sub(1, Ordering::AcqRel);
        self.inner.stress.looks(before.saturating_sub(1));
        if let Some(key) = self.host {
            self.inner.by_address.give_back(key);
        }
        if let Some(key) = self.network {
            self.inner.by_network.give_back(key);
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
pub(crate) struct Counts<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Counts<K> {
    pub(crate) fn take(&self, key: K, cap: usize) -> bool {
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

    #[cfg(test)]
    fn is_empty_but_for(&self, others: usize) -> bool {
        self.0.lock().unwrap().values().sum::<usize>() == others
    }

    pub(crate) fn give_back(&self, key: K) {
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
        // Stress at the last place only, so that it doesn't mix with the caps.
        Gate::new(Caps { connections, per_address, per_account, stress_enter: 100, ..Caps::default() })
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
    fn a_limit_of_its_own_counts_in_the_place_of_the_usual_ones() {
        let gate = gate(10, 2, 10);
        gate.set_caps(Caps { connections: 10, per_address: 2, per_network: 2, per_account: 10, ..Caps::default() });
        let with = |text, own| gate.admit_with(ip(text), None, Some(own), false);
        let _more: Vec<_> = (0..4).map(|_| with("192.0.2.1", 4).unwrap()).collect();
        assert_eq!(with("192.0.2.1", 4).unwrap_err(), GateError::AddressFull);
        let _one = with("192.0.2.2", 1).unwrap();
        assert_eq!(with("192.0.2.2", 1).unwrap_err(), GateError::AddressFull);
        let _usual = gate.admit(ip("192.0.2.3")).unwrap();
    }

    #[test]
    fn addresses_of_one_64_count_as_one() {
        let gate = gate(10, 1, 10);
        let _first = gate.admit(ip("2001:db8:1:2::1")).unwrap();
        assert_eq!(gate.admit(ip("2001:db8:1:2:ffff::9")).unwrap_err(), GateError::AddressFull);
        let _other = gate.admit(ip("2001:db8:1:3::1")).unwrap();
    }

    /// Attacks H3.
    #[test]
    fn one_network_can_t_take_every_place() {
        let gate = Gate::new(Caps { per_network: 2, ..Caps::default() });
        let first = gate.admit(ip("192.0.2.1")).unwrap();
        let _second = gate.admit(ip("192.0.2.2")).unwrap();
        assert_eq!(gate.admit(ip("::ffff:192.0.2.3")).unwrap_err(), GateError::NetworkFull);
        let _elsewhere = gate.admit(ip("192.0.3.1")).unwrap();
        assert_eq!(gate.open(), 3, "a refused connection gives its place back");
        drop(first);
        let _third = gate.admit(ip("192.0.2.3")).unwrap();
        let six = [1, 2].map(|n| gate.admit(ip(&format!("2001:db8:1:{n}::1"))).unwrap());
        assert_eq!(gate.admit(ip("2001:db8:1:3::1")).unwrap_err(), GateError::NetworkFull);
        drop(six);
        let own: Vec<_> = (1..9).map(|n| gate.admit(ip(&format!("127.0.0.{n}"))).unwrap()).collect();
        drop(own);
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
        let hosts = CONNECTIONS_PER_NETWORK_MAX / 100;
        let near = |n: usize| ip(&format!("192.0.2.{}", n % hosts));
        let held: Vec<_> = (0..CONNECTIONS_PER_NETWORK_MAX).map(|n| gate.admit(near(n)).unwrap()).collect();
        assert_eq!(gate.admit(near(hosts - 1)).unwrap_err(), GateError::NetworkFull);
        drop(held);
        let sessions: Vec<_> = (0..SESSIONS_PER_ACCOUNT_MAX).map(|_| gate.session(AccountId(1)).unwrap()).collect();
        assert_eq!(gate.session(AccountId(1)).unwrap_err(), GateError::AccountFull);
        drop(sessions);
        let all: Vec<_> = (0..CONNECTIONS_MAX).map(|_| gate.admit(None).unwrap()).collect();
        assert_eq!(gate.admit(None).unwrap_err(), GateError::Full);
        drop(all);
        assert_eq!(gate.open(), 0);
    }

    /// Attacks H1.
    #[test]
    fn under_stress_who_holds_many_gets_no_more_and_others_do() {
        let gate = Gate::new(Caps { connections: 100, per_address: 40, ..Caps::default() });
        let many: Vec<_> = (0..20).map(|_| gate.admit(ip("192.0.2.1")).unwrap()).collect();
        let mut others: Vec<_> = (0..60).map(|n| gate.admit(ip(&format!("198.51.100.{n}"))).unwrap()).collect();
        assert!(gate.is_under_stress());
        assert_eq!(gate.admit(ip("192.0.2.1")).unwrap_err(), GateError::AddressFull);
        others.push(gate.admit(ip("198.51.100.200")).unwrap());
        others.push(gate.admit(ip("198.51.100.1")).unwrap());
        drop(others.split_off(30));
        assert!(!gate.is_under_stress());
        let _again = gate.admit(ip("192.0.2.1")).unwrap();
        drop(many);
    }

    /// A webmail on this host, a host that a rule trusts, an office whose people are logged in.
    #[test]
    fn under_stress_users_and_who_is_trusted_get_as_many_as_always() {
        let gate = Gate::new(Caps { connections: 100, per_address: 40, ..Caps::default() });
        let office = "192.0.2.1".parse::<IpAddr>().unwrap();
        let (_trigger, shutdown) = mailward_core::shutdown::channel();
        let enter = |session: u64| {
            let mut permit = gate.admit(Some(office)).unwrap();
            let peer = Peer { session, address: Some(office), port: None, listener: mailward_core::Listener::Imap };
            let entry = permit.enter(&peer, &shutdown);
            (permit, entry)
        };
        let people: Vec<_> = (0..15).map(enter).collect();
        people.iter().for_each(|(_, entry)| entry.is_a_user());
        let _others: Vec<_> = (0..65).map(|n| gate.admit(ip(&format!("198.51.{n}.1"))).unwrap()).collect();
        assert!(gate.is_under_stress());
        let mut more: Vec<_> = (100..110).map(enter).collect();
        assert_eq!(gate.admit(Some(office)).unwrap_err(), GateError::AddressFull, "ten that aren't logged in");
        // One of them logs in, one goes: there is room for two.
        more[0].1.is_a_user();
        drop(more.pop());
        let two = [gate.admit(Some(office)).unwrap(), gate.admit(Some(office)).unwrap()];
        assert_eq!(gate.admit(Some(office)).unwrap_err(), GateError::AddressFull);
        // And out again, which puts nobody out.
        more[0].1.logged_out();
        drop((two, people, more));
        for near in ["127.0.0.1", "::1"] {
            let webmail: Vec<_> = (0..9).map(|_| gate.admit(ip(near)).unwrap()).collect();
            drop(webmail);
        }
        let trusted: Vec<_> = (0..12).map(|_| gate.admit_with(ip("203.0.113.1"), None, None, true).unwrap()).collect();
        drop(trusted);
        assert!(gate.0.guests.is_empty_but_for(65));
    }

    #[test]
    fn caps_can_be_moved_while_places_are_held() {
        let gate = gate(10, 10, 10);
        let _first = gate.admit(ip("192.0.2.1")).unwrap();
        gate.set_caps(Caps { connections: 1, per_address: 1, per_account: 1, ..Caps::default() });
        assert_eq!(gate.admit(None).unwrap_err(), GateError::Full);
    }
}
