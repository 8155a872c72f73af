//! Turns at the DNS: how many questions are on their way at once, in all and for each host that causes them.
//!
//! Strangers cause questions, and whose servers they name answers as slowly as it likes. Whoever has its share on the way
//! waits behind itself: all that it can stop is itself.

use crate::lookup::{Answer, CaaRecord, Kind, Lookup, LookupError, Mx, Srv, TlsaRecord};
use crate::name::Name;
use mailward_core::{Domain, Network};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// Places for questions, each taken for the time of one answer. They are given in the order in which they were asked for.
pub struct Turns {
    all: Semaphore,
    share: usize,
    /// What neighbours may have together, if that is less than all.
    among: Option<usize>,
    hosts: Mutex<HashMap<Network, Queue>>,
}

/// Those of one host, or of neighbours.
struct Queue {
    own: Arc<Semaphore>,
    /// Who has one of its places, or waits for one.
    users: usize,
}

/// A place that is taken; it is free when this is dropped.
pub struct Turn<'a> {
    _all: SemaphorePermit<'a>,
    _own: Option<Own<'a>>,
    _near: Option<Own<'a>>,
}

struct Own<'a> {
    _place: OwnedSemaphorePermit,
    _user: User<'a>,
}

/// Keeps a host's queue while it is used.
struct User<'a> {
    turns: &'a Turns,
    host: Network,
}

/// Why a question wasn't asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTurn {
    /// As many as the host may cause are under way.
    #[error("as many questions as one host may cause are under way")]
    Host,
    /// As many as neighbours may cause are under way.
    #[error("as many questions as neighbours may cause are under way")]
    Neighbours,
    /// As many as strangers may cause together are under way.
    #[error("as many questions as all strangers may cause are under way")]
    All,
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").field("free", &self.all.available_permits()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

impl Turns {
    /// `all` places, of which one host may have `share`.
    #[must_use]
    pub fn new(all: usize, share: usize) -> Self {
        Self { all: Semaphore::new(all), share, among: None, hosts: Mutex::default() }
    }

    /// The same, of which neighbours ([`Network::neighbours`]) may have so many together.
    #[must_use]
    pub fn among_neighbours(self, share: usize) -> Self {
        Self { among: Some(share), ..self }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<Network, Queue>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, when it is one's turn; for `host`, or for nobody's sake but ours.
    ///
    /// # Errors
    /// There was none within the time.
    pub async fn take(&self, host: Option<Network>, at_most: Duration) -> Result<Turn<'_>, NoTurn> {
        let now = Instant::now();
        let end = now.checked_add(at_most).unwrap_or(now);
        // First among its own: whoever waits for the places of all holds one of its host's.
        let own = match host {
            Some(host) => Some(self.own(host, self.share, end).await.ok_or(NoTurn::Host)?),
            None => None,
        };
        let near = match host.zip(self.among) {
            Some((host, share)) => {
                Some(self.own(Network::neighbours(host.first()), share, end).await.ok_or(NoTurn::Neighbours)?)
            }
            None => None,
        };
        match timeout_at(end, self.all.acquire()).await {
            Ok(Ok(all)) => Ok(Turn { _all: all, _own: own, _near: near }),
            Ok(Err(_)) | Err(_) => Err(NoTurn::All),
        }
    }

    async fn own(&self, host: Network, share: usize, end: Instant) -> Option<Own<'_>> {
        let (user, own) = self.user(host, share);
        let place = timeout_at(end, own.acquire_owned()).await.ok()?.ok()?;
        Some(Own { _place: place, _user: user })
    }

    fn user(&self, host: Network, share: usize) -> (User<'_>, Arc<Semaphore>) {
        let mut hosts = self.hosts();
        let queue = hosts.entry(host).or_insert_with(|| Queue { own: Arc::new(Semaphore::new(share)), users: 0 });
        queue.users = queue.users.saturating_add(1);
        (User { turns: self, host }, Arc::clone(&queue.own))
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let mut hosts = self.turns.hosts();
        if let Some(queue) = hosts.get_mut(&self.host) {
            queue.users = queue.users.saturating_sub(1);
            if queue.users == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}

/// A DNS whose every question waits for its turn. One that gets none fails for now.
#[derive(Clone, Copy)]
pub struct InTurn<'a> {
    lookup: &'a dyn Lookup,
    turns: &'a Turns,
    host: Network,
    at_most: Duration,
}

impl fmt::Debug for InTurn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTurn").field("host", &self.host).finish_non_exhaustive()
    }
}

impl<'a> InTurn<'a> {
    /// Questions that a host causes; each waits for its turn so long and no longer.
    #[must_use]
    pub const fn new(lookup: &'a dyn Lookup, turns: &'a Turns, host: Network, at_most: Duration) -> Self {
        Self { lookup, turns, host, at_most }
    }

    fn asked<'b, T: Send + 'b>(&'b self, name: Name, kind: Kind, answer: Answer<'b, T>) -> Answer<'b, T> {
        Box::pin(async move {
            match self.turns.take(Some(self.host), self.at_most).await {
                Ok(_turn) => answer.await,
                Err(why) => Err(LookupError::Temporary { name, kind, why: why.to_string() }),
            }
        })
    }
}

impl Lookup for InTurn<'_> {
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx> {
        self.asked(domain.into(), Kind::Mx, self.lookup.mx(domain))
    }
    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr> {
        self.asked(host.into(), Kind::A, self.lookup.addresses(host))
    }
    fn tlsa<'a>(&'a self, port: u16, host: &'a Domain) -> Answer<'a, TlsaRecord> {
        self.asked(host.into(), Kind::Tlsa, self.lookup.tlsa(port, host))
    }
    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>> {
        self.asked(name.clone(), Kind::Txt, self.lookup.txt(name))
    }
    fn ptr(&self, address: IpAddr) -> Answer<'_, Domain> {
        self.asked(Name::reverse(address), Kind::Ptr, self.lookup.ptr(address))
    }
    fn listed<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        self.asked(name.clone(), Kind::A, self.lookup.listed(name))
    }
    fn listed_v6<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        self.asked(name.clone(), Kind::Aaaa, self.lookup.listed_v6(name))
    }
    fn mx_at<'a>(&'a self, name: &'a Name) -> Answer<'a, Mx> {
        self.asked(name.clone(), Kind::Mx, self.lookup.mx_at(name))
    }
    fn srv<'a>(&'a self, name: &'a Name) -> Answer<'a, Srv> {
        self.asked(name.clone(), Kind::Srv, self.lookup.srv(name))
    }
    fn caa<'a>(&'a self, name: &'a Name) -> Answer<'a, CaaRecord> {
        self.asked(name.clone(), Kind::Caa, self.lookup.caa(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);
    const SOON: Duration = Duration::from_secs(1);

    fn host(text: &str) -> Option<Network> {
        Some(Network::host(text.parse().unwrap()))
    }

    #[test]
    fn whoever_has_a_turn_finds_a_place_and_is_known_before_nobody_waits() {
        use mailward_core::limits::*;
        let names = 2 * NAME_LOOKUPS_AT_ONCE;
        let all = LIST_LOOKUPS_AT_ONCE + names + SPF_LOOKUPS_AT_ONCE + SPF_HELLO_LOOKUPS_AT_ONCE;
        let all = all + INSPECT_LOOKUPS_AT_ONCE + INSPECT_POLICIES_AT_ONCE;
        assert!(all <= DNS_STRANGERS_AT_ONCE);
        assert!(SPF_TIME < JUDGEMENT_WAIT && INQUIRY_TIME < JUDGEMENT_WAIT && LOOKUP_TURN_TIME < SPF_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_has_its_share_and_others_have_theirs_beside_it() {
        let turns = Turns::new(5, 2);
        let greedy = host("2001:db8::1");
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(turns.take(greedy, SOON).await.unwrap());
        }
        assert_eq!(turns.take(host("2001:db8::ffff"), SOON).await.unwrap_err(), NoTurn::Host, "a /64 is one host");
        for other in ["192.0.2.1", "192.0.2.2"] {
            held.push(turns.take(host(other), Duration::ZERO).await.unwrap());
        }
        held.push(turns.take(None, SOON).await.unwrap());
        assert_eq!(turns.take(host("192.0.2.3"), SOON).await.unwrap_err(), NoTurn::All);
        assert_eq!(turns.take(None, SOON).await.unwrap_err(), NoTurn::All);
        held.clear();
        assert!(turns.take(greedy, Duration::ZERO).await.is_ok());
        assert!(turns.hosts().is_empty(), "nothing is kept of who has no turn");
    }

    #[tokio::test(start_paused = true)]
    async fn neighbours_have_a_share_together_and_others_have_theirs_beside_it() {
        let turns = Turns::new(8, 2).among_neighbours(3);
        let mut held = Vec::new();
        for near in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
            held.push(turns.take(host(near), Duration::ZERO).await.unwrap());
        }
        assert_eq!(turns.take(host("192.0.2.1"), SOON).await.unwrap_err(), NoTurn::Host);
        assert_eq!(turns.take(host("192.0.2.3"), SOON).await.unwrap_err(), NoTurn::Neighbours);
        held.push(turns.take(host("198.51.100.1"), Duration::ZERO).await.unwrap());
        for site in ["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"] {
            held.push(turns.take(host(site), Duration::ZERO).await.unwrap());
        }
        assert_eq!(turns.take(host("2001:db8:0:4::1"), SOON).await.unwrap_err(), NoTurn::Neighbours);
        held.clear();
        assert!(turns.take(host("192.0.2.3"), Duration::ZERO).await.is_ok());
        assert!(turns.hosts().is_empty(), "nothing is kept of who has no turn");
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_one_host_waits_behind_itself() {
        let turns = Arc::new(Turns::new(4, 2));
        for _ in 0..1_000 {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move {
                let _turn = turns.take(host("192.0.2.1"), LONG).await;
                tokio::time::sleep(LONG).await;
            });
        }
        tokio::task::yield_now().await;
        assert!(turns.take(host("192.0.2.2"), Duration::ZERO).await.is_ok());
        assert_eq!(turns.hosts().len(), 1);
    }
}
