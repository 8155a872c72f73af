//! Places where work is done, and the queue before them: who brings much waits behind itself.

use mailward_core::Network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Places, each taken for the time of one message. What one host and its neighbours bring ([`Network::neighbours`]) has half
/// of them at most, and at least one; only with one of these it comes before the places of all, so that others find no crowd
/// there. They are given in the order in which they were asked for.
pub struct Places {
    all: Semaphore,
    share: usize,
    most: usize,
    most_each: usize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: usize,
    crowds: HashMap<Network, Crowd>,
}

/// One host and its neighbours.
struct Crowd {
    own: Arc<Semaphore>,
    /// Who has one of its places, or waits for one.
    users: usize,
    waiting: usize,
}

/// A place that is taken; it is free when this is dropped.
pub struct Place<'a> {
    _all: SemaphorePermit<'a>,
    _own: Option<OwnedSemaphorePermit>,
    _user: User<'a>,
}

/// Keeps a crowd while it is used.
struct User<'a> {
    places: &'a Places,
    network: Option<Network>,
}

/// One who waits, counted.
struct Waiting<'a>(&'a User<'a>);

impl Places {
    /// So many places, at least one; `most` may wait for them, `most_each` of one host and its neighbours.
    #[must_use]
    pub fn new(places: usize, most: usize, most_each: usize) -> Self {
        let places = places.max(1);
        Self { all: Semaphore::new(places), share: (places / 2).max(1), most, most_each, queue: Mutex::default() }
    }

    /// Places that are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.all.available_permits()
    }

    /// Messages that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue().waiting
    }

    /// A place for what a client brought, or nobody from elsewhere. None: there was none within the time, or too many wait.
    pub async fn take(&self, client: Option<IpAddr>, at_most: Duration) -> Option<Place<'_>> {
        let (user, own) = self.user(client.map(Network::neighbours));
        let at_once = match &own {
            None => self.all.try_acquire().ok().map(|all| (all, None)),
            Some(own) => {
                let own = Arc::clone(own).try_acquire_owned().ok();
                own.and_then(|own| self.all.try_acquire().ok().map(|all| (all, Some(own))))
            }
        };
        let taken = match at_once {
            Some(taken) => taken,
            None => {
                let _waiting = Waiting::among(&user)?;
                let taking = async {
                    // First among its own: whoever waits for the places of all holds one of its own.
                    let own = match own {
                        Some(own) => Some(own.acquire_owned().await.ok()?),
                        None => None,
                    };
                    self.all.acquire().await.ok().map(|all| (all, own))
                };
                timeout(at_most, taking).await.ok().flatten()?
            }
        };
        let (all, own) = taken;
        Some(Place { _all: all, _own: own, _user: user })
    }

    fn user(&self, network: Option<Network>) -> (User<'_>, Option<Arc<Semaphore>>) {
        let own = network.map(|network| {
            let mut queue = self.queue();
            let crowd = queue.crowds.entry(network).or_insert_with(|| Crowd {
                own: Arc::new(Semaphore::new(self.share)),
                users: 0,
                waiting: 0,
            });
            crowd.users = crowd.users.saturating_add(1);
            Arc::clone(&crowd.own)
        });
        (User { places: self, network }, own)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut queue = self.places.queue();
        if let Some(crowd) = queue.crowds.get_mut(&network) {
            crowd.users = crowd.users.saturating_sub(1);
            if crowd.users == 0 {
                queue.crowds.remove(&network);
            }
        }
    }
}

impl<'a> Waiting<'a> {
    fn among(user: &'a User<'a>) -> Option<Self> {
        let places = user.places;
        let mut queue = places.queue();
        if queue.waiting >= places.most {
            return None;
        }
        if let Some(crowd) = user.network.and_then(|network| queue.crowds.get_mut(&network)) {
            if crowd.waiting >= places.most_each {
                return None;
            }
            crowd.waiting = crowd.waiting.saturating_add(1);
        }
        queue.waiting = queue.waiting.saturating_add(1);
        Some(Self(user))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.places.queue();
        queue.waiting = queue.waiting.saturating_sub(1);
        if let Some(crowd) = self.0.network.and_then(|network| queue.crowds.get_mut(&network)) {
            crowd.waiting = crowd.waiting.saturating_sub(1);
        }
    }
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Places").field("free", &self.free()).field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Place")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_and_its_neighbours_have_half_of_the_places_and_others_the_rest() {
        let places = Places::new(4, 10, 5);
        let first = places.take(ip("192.0.2.1"), Duration::ZERO).await.unwrap();
        let _second = places.take(ip("192.0.2.2"), Duration::ZERO).await.unwrap();
        assert!(places.take(ip("192.0.2.3"), LONG).await.is_none());
        let _other = places.take(ip("198.51.100.1"), Duration::ZERO).await.unwrap();
        let _ours = places.take(None, Duration::ZERO).await.unwrap();
        assert!(places.take(None, LONG).await.is_none());
        drop(first);
        assert!(places.take(ip("192.0.2.3"), Duration::ZERO).await.is_some());
        assert_eq!((places.free(), places.waiting()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_one_host_waits_behind_itself_and_leaves_room_to_wait() {
        for all in [1, 4] {
            let places = Arc::new(Places::new(all, 1_000, 500));
            let ended = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            for _ in 0..2_000 {
                let (places, ended) = (Arc::clone(&places), Arc::clone(&ended));
                tokio::spawn(async move {
                    if let Some(_place) = places.take(ip("192.0.2.1"), LONG * 1_000).await {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        ended.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
            // Time goes on when all wait for it.
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(places.waiting(), 500);
            assert!(places.take(ip("198.51.100.1"), Duration::from_secs(5)).await.is_some(), "it waits for few");
            assert!(places.waiting() > 450, "{}", places.waiting());
            tokio::time::sleep(LONG).await;
            assert_eq!(ended.load(std::sync::atomic::Ordering::Relaxed), 500 + (all / 2).max(1));
            assert!(places.queue().crowds.is_empty(), "nothing is kept of who waits for nothing");
        }
    }
}
