//! Words of links that are none: counted by who tries them. A word has 256 bits, so that nobody finds one by trying; what is
//! limited is the work and the noise. Nobody is banned for it: old links are followed by programs of people who did nothing.

use mailward_core::limits::{WEB_WRONG_ADDRESSES_MAX, WEB_WRONG_LINKS_HERE_MAX, WEB_WRONG_LINKS_MAX, WEB_WRONG_TIME};
use mailward_core::{Network, Timestamp};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who tried how many.
#[derive(Debug, Default)]
pub(crate) struct WrongLinks(Mutex<HashMap<Network, Count>>);

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Timestamp,
    wrong: u32,
}

impl Count {
    fn is_over(&self, now: Timestamp) -> bool {
        let time = i64::try_from(WEB_WRONG_TIME.as_millis()).unwrap_or(i64::MAX);
        // A clock that went back ends it as well.
        now.0.saturating_sub(self.since.0) >= time || now.0 < self.since.0
    }
}

impl WrongLinks {
    /// Whether nothing is looked up for an address now.
    pub(crate) fn is_shut_for(&self, ip: IpAddr, now: Timestamp) -> bool {
        let count = self.book().get(&Network::host(ip)).copied();
        count.is_some_and(|count| !count.is_over(now) && count.wrong >= most(ip))
    }

    /// Counts one; answers whether that was the one too many.
    pub(crate) fn note(&self, ip: IpAddr, now: Timestamp) -> bool {
        let host = Network::host(ip);
        let mut book = self.book();
        if book.len() >= WEB_WRONG_ADDRESSES_MAX && !book.contains_key(&host) {
            book.retain(|_, count| !count.is_over(now));
            if book.len() >= WEB_WRONG_ADDRESSES_MAX {
                let least = book.iter().min_by_key(|(_, count)| count.wrong).map(|(host, _)| *host);
                least.map(|host| book.remove(&host));
            }
        }
        let count = book.entry(host).or_insert(Count { since: now, wrong: 0 });
        if count.is_over(now) {
            *count = Count { since: now, wrong: 0 };
        }
        count.wrong = count.wrong.saturating_add(1);
        count.wrong == most(ip)
    }

    fn book(&self) -> MutexGuard<'_, HashMap<Network, Count>> {
        // Counts stay true if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many an address may try.
fn most(ip: IpAddr) -> u32 {
    if ip.to_canonical().is_loopback() { WEB_WRONG_LINKS_HERE_MAX } else { WEB_WRONG_LINKS_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tries_too_many_is_told_nothing_for_a_while_and_nobody_else_is_hit() {
        let (wrong, now) = (WrongLinks::default(), Timestamp(1_000));
        let (one, neighbour): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let told: Vec<u32> = (1..=WEB_WRONG_LINKS_MAX + 5).filter(|_| wrong.note(one, now)).collect();
        assert_eq!(told, [WEB_WRONG_LINKS_MAX]);
        assert!(wrong.is_shut_for(one, now) && !wrong.is_shut_for(neighbour, now));
        let later = Timestamp(now.0 + i64::try_from(WEB_WRONG_TIME.as_millis()).unwrap());
        assert!(!wrong.is_shut_for(one, later));
        assert!(!wrong.note(one, later));
    }

    #[test]
    fn one_customer_s_addresses_of_ipv6_are_one_and_a_proxy_stands_for_many() {
        let (wrong, now) = (WrongLinks::default(), Timestamp(0));
        let here: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        for n in 0..WEB_WRONG_LINKS_MAX {
            wrong.note(format!("2001:db8::{n:x}").parse().unwrap(), now);
            wrong.note(here, now);
        }
        assert!(wrong.is_shut_for("2001:db8::ffff".parse().unwrap(), now));
        assert!(!wrong.is_shut_for(here, now));
    }

    #[test]
    fn no_flood_of_addresses_makes_the_book_grow_or_frees_who_tried_most() {
        let (wrong, now) = (WrongLinks::default(), Timestamp(0));
        let guesser: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..WEB_WRONG_LINKS_MAX {
            wrong.note(guesser, now);
        }
        for n in 0..u32::try_from(WEB_WRONG_ADDRESSES_MAX + 50).unwrap() {
            wrong.note(std::net::Ipv4Addr::from(0x0a00_0000 + n).into(), now);
        }
        assert_eq!(wrong.book().len(), WEB_WRONG_ADDRESSES_MAX);
        assert!(wrong.is_shut_for(guesser, now));
    }
}
